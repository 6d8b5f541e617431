"""What is known of the terms X_1, ..., X_n of a sum S, and what follows from it.

For instance a <= X <= b with mean m gives Var X <= (b - m)(m - a), X - m <= b - m and |X - m| <= max(b - m, m - a).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, get_args

from sojourn.bounds import checks
from sojourn.bounds.inequality import Dependence
from sojourn.bounds.rounding import Ball, above, ball, below
from sojourn.errors import InputError

DEPENDENCES: tuple[str, ...] = get_args(Dependence)
"""From the strongest hypothesis to none; each implies the next."""


@dataclass(frozen=True)
class Fact:
    """A number that a theorem may use, and what it follows from ("" where it was given)."""

    value: Any
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Hypotheses on n terms X_1, ..., X_n; each number holds for every term, and None stands for "not known".

    Attributes:
        n: number of terms.
        mean: E X_i, the same for every term.
        range: (a, b) with a <= X_i <= b.
        variance: Var X_i <= variance (for martingales the conditional variance). It is an upper bound, unless
            third_moment is given.
        third_moment: E |X_i - E X_i|^3. Who gives it gives the variance itself, not only a bound for it, because the
            theorem of Berry and Esseen divides by it.
        largest: X_i - E X_i <= largest. It says nothing of the lower side.
        increment: |X_i - E X_i| <= increment.
        sub_gaussian: variance proxy s^2: E exp(u (X_i - E X_i)) <= exp(u^2 s^2 / 2) for every real u.
        dependence: "iid", "independent", "martingale" (the X_i - E X_i are martingale differences), "uncorrelated" or
            "any".
        unimodal: the law of the sum itself has one mode.

    Raises:
        InputError: a number is out of place, or two of them contradict each other.
    """

    n: int = 1
    mean: float | None = None
    range: tuple[float, float] | None = None
    variance: float | None = None
    third_moment: float | None = None
    largest: float | None = None
    increment: float | None = None
    sub_gaussian: float | None = None
    dependence: Dependence = "iid"
    unimodal: bool = False

    def __post_init__(self) -> None:
        kinds: dict[str, Callable[[str, Any], Any]] = {
            "n": checks.count,
            "mean": checks.finite,
            "range": checks.bracket,
            "variance": checks.not_negative,
            **dict.fromkeys(("third_moment", "largest", "increment", "sub_gaussian"), checks.positive),
        }
        for name, check in kinds.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, check(name, value))
        if self.dependence not in DEPENDENCES:
            raise InputError(f"dependence={self.dependence!r} is not known; there are: {', '.join(DEPENDENCES)}")
        if not isinstance(self.unimodal, bool):
            raise InputError(f"unimodal={self.unimodal!r} is not True or False")
        self._refuse_contradictions()

    def reflected(self) -> Assumptions:
        """The hypotheses on -X_1, ..., -X_n: what bounds their upper tail bounds the lower tail of S."""
        mean, placed = None if self.mean is None else -self.mean, self._place().get("range")
        ends = self.range if placed is None or mean is None else placed.value
        return replace(self, mean=mean, range=ends and (-ends[1], -ends[0]), largest=None)

    def facts(self) -> dict[str, Fact]:
        """What may be used in a theorem, by keyword: the sharpest of what is given and what follows."""
        found: dict[str, Fact] = {"n": Fact(self.n), "dependence": Fact(self.dependence)}
        found |= self._place()
        for name, every in {
            "variance": self._variances(found),
            "increment": self._increments(found),
            "largest": self._largest(found),
        }.items():
            if known := list(every):
                found[name] = min(known, key=lambda fact: fact.value)
        for name in ("third_moment", "sub_gaussian"):
            if (value := getattr(self, name)) is not None:
                found[name] = Fact(value)
        if self.unimodal:
            found["unimodal"] = Fact(True)
        return found

    def _place(self) -> dict[str, Fact]:
        """Mean and range. Where the mean is not known, an increment places the terms less their means in (-c, c)."""
        c = self.increment
        if self.mean is None:
            if c is not None and (self.range is None or Fraction(c) * 2 < _width(self.range)):
                return {"range": Fact((-c, c), "increment, of X - E X"), "mean": Fact(0.0, "of X - E X")}
            return {} if self.range is None else {"range": Fact(self.range)}
        a, b = self.range or (-math.inf, math.inf)
        mean, low, high = ball(self.mean), a, b
        if c is not None:
            low, high = max(low, below(lambda: mean - ball(c))), min(high, above(lambda: mean + ball(c)))
        if (largest := self.largest) is not None:
            high = min(high, above(lambda: mean + ball(largest)))
        found = {"mean": Fact(self.mean)}
        if math.isfinite(low) and math.isfinite(high):
            causes = ["range"] * (self.range is not None) + ["increment"] * (c is not None)
            why = "" if (low, high) == (a, b) else " and ".join(["mean", *causes] + ["largest"] * (high < b))
            found["range"] = Fact((low, high), why)
        return found

    def _variances(self, found: dict[str, Fact]) -> Iterator[Fact]:
        """With a range (a, b): (b - m)(m - a) by Bhatia and Davis, and (b - a)^2/4 by Popoviciu."""
        if self.variance is not None:
            yield Fact(self.variance)
        if "range" in found:
            a, b = (ball(end) for end in found["range"].value)
            if "mean" in found:
                m = ball(found["mean"].value)
                yield Fact(above(lambda: (b - m) * (m - a)), "Bhatia-Davis")
            else:
                yield Fact(above(lambda: (b - a) ** 2 / 4), "Popoviciu")
        if (c := self.increment) is not None:
            yield Fact(above(lambda: ball(c) ** 2), "increment^2")
        if (s := self.sub_gaussian) is not None:
            yield Fact(s, "the variance proxy")

    def _increments(self, found: dict[str, Fact]) -> Iterator[Fact]:
        if self.increment is not None:
            yield Fact(self.increment)
        if "range" in found:
            yield _furthest(found, lambda a, b, m: (b - m).max(m - a), "the further of b - mean and mean - a")

    def _largest(self, found: dict[str, Fact]) -> Iterator[Fact]:
        if self.largest is not None:
            yield Fact(self.largest)
        if self.increment is not None:
            yield Fact(self.increment, "increment")
        if "range" in found:
            yield _furthest(found, lambda a, b, m: b - m, "b - mean")

    def _refuse_contradictions(self) -> None:
        if self.mean is not None and self.range is not None and not self.range[0] < self.mean < self.range[1]:
            raise InputError(f"mean={self.mean:g} is not inside range=({self.range[0]:g}, {self.range[1]:g})")
        if self.third_moment is None or self.variance is None:
            return
        if Fraction(self.third_moment) ** 2 < Fraction(self.variance) ** 3:
            raise InputError(
                f"third_moment={self.third_moment:g} is below variance^(3/2) = {self.variance**1.5:g}, "
                f"which no law allows; give E |X - E X|^3 and Var X of one law"
            )
        most = min(self._variances(self._place()), key=lambda fact: fact.value)
        if most.value < self.variance:
            raise InputError(
                f"variance={self.variance:g} is above {most.value:g}, the most that is possible here ({most.why}); "
                f"with a third_moment, give the variance itself"
            )


def _width(ends: tuple[float, float]) -> Fraction:
    return Fraction(ends[1]) - Fraction(ends[0])


def _furthest(found: dict[str, Fact], distance: Callable[[Ball, Ball, Ball], Ball], why: str) -> Fact:
    """A distance from the mean; where that is not known, the whole width."""
    a, b = (ball(end) for end in found["range"].value)
    if "mean" not in found:
        return Fact(above(lambda: b - a), "b - a")
    return Fact(above(lambda: distance(a, b, ball(found["mean"].value))), why)
