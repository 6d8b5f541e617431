"""A tail inequality: its formula on balls, and what follows from it for every one of them: inverse and sample size.

@inequality("P(S - E S >= t)", needs="independent", source="...")
def hoeffding(t: Ball, *, n: int = 1, range: ...) -> Ball: ...

hoeffding(50, n=1000, range=(0, 1))                         # the bound, as a float that is never too small
hoeffding.deviation(0.05, n=1000, range=(0, 1))             # the least t with a bound of 0.05 or less
hoeffding.sample_size(0.05, 0.05, range=(0, 1))             # the n for which that t is 0.05 n
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from fractions import Fraction
from functools import update_wrapper
from typing import Concatenate, Generic, Literal, ParamSpec

from sojourn.bounds import checks
from sojourn.bounds.rounding import Ball, Number, above, ball, below
from sojourn.bounds.search import first, first_float
from sojourn.errors import InputError

P = ParamSpec("P")

Dependence = Literal["iid", "independent", "martingale", "uncorrelated", "any"]
"""How the terms of a sum hang together, from the strongest hypothesis to none; each implies the next. "martingale":
the centred terms are martingale differences."""

_MOST = 2**52  # observations


class Inequality(Generic[P]):
    """A bound on the probability of an event, such as "P(S - E S >= t)", under hypotheses given by keyword.

    Attributes:
        event: what is bounded.
        direction: "above" (the probability is at most this) or "below" (at least this).
        needs: the weakest dependence of the terms under which it holds.
        source: where it is proved.
    """

    def __init__(
        self,
        formula: Callable[Concatenate[Ball, P], Ball],
        event: str,
        direction: Literal["above", "below"],
        needs: Dependence,
        source: str,
    ) -> None:
        update_wrapper(self, formula)
        self.formula, self.event, self.direction, self.needs, self.source = formula, event, direction, needs, source
        self.name = formula.__name__

    def __call__(self, t: Number, *args: P.args, **hypotheses: P.kwargs) -> float:
        """The bound at deviation t >= 0, rounded away from the truth and kept in [0, 1]."""
        checks.not_negative("t", float(t))
        return self._at(t, *args, **hypotheses)

    def deviation(self, probability: float, *args: P.args, **hypotheses: P.kwargs) -> float:
        """The least t whose bound is `probability` or less; inf where the bound never gets there.

        For a bound from below: the greatest t whose bound is `probability` or more.
        """
        checks.inside("probability", probability)

        def reached(t: float) -> bool:
            return (
                self._at(t, *args, **hypotheses) <= probability
                if self.direction == "above"
                else self._at(t, *args, **hypotheses) < probability
            )

        t = first_float(reached)
        if self.direction == "above" or math.isinf(t):
            return t
        return math.nextafter(t, -math.inf) if t > 0 else 0.0

    def sample_size(self, accuracy: float, probability: float, *args: P.args, **hypotheses: P.kwargs) -> int:
        """The n for which the mean of n terms is off by `accuracy` or more with the given probability at most.

        The bound at t = n accuracy holds for this n; n is the least such where the bound falls in n.
        """
        checks.positive("accuracy", accuracy)
        checks.inside("probability", probability)
        if self.direction == "below" or "n" not in self.keywords or "n" in hypotheses:
            raise InputError(f"{self.name}.sample_size finds n, for a bound from above on a sum; leave n out")

        def enough(n: int) -> bool:
            return self._at(n * Fraction(accuracy), *args, **{**hypotheses, "n": n}) <= probability  # type: ignore[arg-type]

        n = 1
        while not enough(n):
            n *= 2
            if n > _MOST:
                raise InputError(f"{self.name} does not bring accuracy={accuracy:g} to probability={probability:g}")
        return first(enough, n // 2, n)

    @property
    def keywords(self) -> dict[str, inspect.Parameter]:
        """The hypotheses by name."""
        every = inspect.signature(self.formula).parameters
        return {name: p for name, p in every.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}

    @property
    def statement(self) -> str:
        """The first line of its docstring: the inequality itself."""
        return inspect.cleandoc(self.formula.__doc__ or "").split("\n")[0]

    def __repr__(self) -> str:
        return f"{self.name}: {self.statement}"

    def _at(self, t: Number, *args: P.args, **hypotheses: P.kwargs) -> float:
        def formula() -> Ball:
            return self.formula(ball(t), *args, **hypotheses)

        return min(above(formula), 1.0) if self.direction == "above" else max(below(formula), 0.0)


def inequality(
    event: str,
    *,
    source: str,
    needs: Dependence = "any",
    direction: Literal["above", "below"] = "above",
) -> Callable[[Callable[Concatenate[Ball, P], Ball]], Inequality[P]]:
    """Makes an `Inequality` of a formula on balls whose hypotheses are keywords; the formula checks them."""
    return lambda formula: Inequality(formula, event, direction, needs, source)
