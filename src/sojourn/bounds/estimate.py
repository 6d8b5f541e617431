"""A number that came from data or chance, with its interval, what the interval promises and what it does not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any, Literal

Guarantee = Literal["at every n", "at this n", "at all times", "asymptotic", "none"]
"""What holds with the stated confidence.

- "at this n": the interval covers with at least that probability, for the number of observations at hand, if that
  number was fixed beforehand.
- "at every n": the same for each n by itself; looking again and again and stopping when one likes is not covered.
- "at all times": covers at all numbers of observations at once, so one may look and stop whenever one likes.
- "asymptotic": covers with about that probability where there are many observations.
- "none": a number without an interval.
"""


@dataclass(frozen=True)
class Estimate:
    """A value, an interval, and in words what the interval is.

    Attributes:
        value: the point estimate.
        low, high: the ends of the interval, rounded outwards where the guarantee is not asymptotic; -inf or inf where a
            side is open. Both are NaN where no value fits the data: then the assumption is refuted, see `empty`.
        confidence: probability with which the interval covers.
        guarantee: what kind of promise; see `Guarantee`.
        method: the interval's name in the field, such as "Clopper-Pearson".
        assumes: what must be true for the promise.
        limits: what the interval does not cover, each a clause.
        observations: how many there were; None where that is no single number.
        family: for how many quantities at once the confidence holds.
        unit: of the value, for printing.
    """

    value: float
    low: float
    high: float
    confidence: float = 0.95
    guarantee: Guarantee = "asymptotic"
    method: str = ""
    assumes: str = ""
    limits: tuple[str, ...] = ()
    observations: int | None = None
    family: int = 1
    unit: str = ""

    @property
    def empty(self) -> bool:
        """True where no value fits the data: `assumes` is refuted, wrongly with probability 1 - confidence at most."""
        return math.isnan(self.low) and math.isnan(self.high) and self.guarantee != "none"

    @property
    def half_width(self) -> float:
        """Half the distance of the ends."""
        return (self.high - self.low) / 2

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and words, for a run's record; an open end is None, an empty interval is []."""
        ends = [] if self.empty else [end if math.isfinite(end) else None for end in (self.low, self.high)]
        words = {"value": self.value if math.isfinite(self.value) else None, "interval": ends}
        words |= {"confidence": self.confidence, "guarantee": self.guarantee, "method": self.method}
        rest = {"assumes": self.assumes, "limits": list(self.limits), "observations": self.observations}
        rest |= {"family": self.family if self.family > 1 else None, "unit": self.unit}
        return words | {name: given for name, given in rest.items() if given}

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if self.guarantee == "none":
            return f"{self.value:.6g}{unit}"
        if self.empty:
            return (
                f"no value fits the data: that {self.assumes or 'the assumption'} is refuted "
                f"({100 * self.confidence:.12g}%, {self.method})"
            )
        value, low, high = _aligned(self.value, self.low, self.high)
        return f"{value}{unit} [{low}, {high}] ({self.words})"

    @property
    def words(self) -> str:
        """The interval in a few words: "95%, Clopper-Pearson, at every n"."""
        together = f", {self.family} quantities together" if self.family > 1 else ""
        parts = [f"{100 * self.confidence:.12g}%{together}", self.method, self.guarantee]
        return ", ".join(part for part in parts if part)

    def explain(self) -> str:
        """All that is known of it, in a few lines."""
        lines = [str(self)]
        if self.assumes:
            lines.append(f"Assumes that {self.assumes}.")
        lines += [f"Not covered: {limit}." for limit in self.limits]
        return "\n".join(lines)


def _aligned(value: float, low: float, high: float) -> tuple[str, str, str]:
    """The three with as many decimals as the width of the interval deserves; the ends never move inwards."""
    width = high - low
    if 0 < width < math.inf and math.isfinite(value) and max(abs(low), abs(high)) < 1e9:
        decimals = 2 - math.floor(math.log10(width))
        if 0 <= decimals <= 12:
            unit = Decimal(1).scaleb(-decimals)
            down = Decimal(low).quantize(unit, ROUND_FLOOR)
            return f"{value:.{decimals}f}", f"{down}", f"{Decimal(high).quantize(unit, ROUND_CEILING)}"
    return f"{value:.6g}", _end(low, ROUND_FLOOR), _end(high, ROUND_CEILING)


def _end(end: float, rounding: str) -> str:
    """Six digits, rounded outwards."""
    if math.isinf(end):
        return "-∞" if end < 0 else "∞"
    return f"{Context(prec=6, rounding=rounding).create_decimal(Decimal(end)).normalize():g}"
