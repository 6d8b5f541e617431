"""The tightest of the tail inequalities that the assumptions allow, beside the least that any of them could give.

known = Assumptions(n=1000, mean=0.5, range=(0, 1))
print(best_bound(known, 0.05, side="both"))          # P(|S/n - E X| >= 0.05) is at most ...
print(best_deviation(known, 0.01))                   # the mean is off by less than ..., save with probability 0.01
print(best_sample_size(known, 0.05, 0.01))           # n for which the mean is off by 0.05 with probability 0.01 at most
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Literal, get_args

from sojourn.bounds import checks
from sojourn.bounds.assumptions import Assumptions
from sojourn.bounds.candidates import CANDIDATES, Side, applied
from sojourn.bounds.extremal import Attained, attained_tail
from sojourn.bounds.inequality import Inequality
from sojourn.bounds.rounding import above, ball, below
from sojourn.errors import InputError

Of = Literal["mean", "sum"]
"""Whether a deviation is that of the mean S/n or of the sum S."""


@dataclass(frozen=True)
class Row:
    """What one inequality gives: a probability, a deviation or a number of terms, as the question asks."""

    name: str
    value: float
    event: str
    uses: str
    source: str


@dataclass(frozen=True)
class BestBound:
    """The answers of all inequalities to one question, from the tightest.

    Attributes:
        question: what is bounded.
        rows: what each inequality gives, the smallest value first.
        left_out: the inequalities that give nothing here, each with the reason.
        at_least: what no inequality can fall below under these assumptions, by a law that meets them; None where none
            is known. For a number of terms: the greatest n found at which such a law exceeds the probability.
    """

    question: str
    rows: tuple[Row, ...]
    left_out: dict[str, str]
    at_least: Attained | None

    @property
    def best(self) -> Row:
        """The tightest.

        Raises:
            InputError: no inequality applies.
        """
        if not self.rows:
            raise InputError(
                f"no inequality bounds {self.question}; give more of what is known, such as range or variance"
            )
        return self.rows[0]

    def __str__(self) -> str:
        return "\n".join([self.question, *_columns(self), *_least(self), *_left_out(self)])


def best_bound(
    assumptions: Assumptions,
    deviation: float,
    *,
    of: Of = "mean",
    side: Side = "upper",
    maximal: bool = False,
) -> BestBound:
    """Bounds on the probability that the mean (or the sum) is off by `deviation` or more.

    Args:
        assumptions: on the terms.
        deviation: how far off; for the mean, t = n deviation is taken exactly.
        of: "mean" or "sum".
        side: "upper" (above its expectation), "lower", or "both".
        maximal: of the largest deviation among the partial sums S_1, ..., S_n; of="mean" divides it by n.
    """
    _check(of, side)
    t = Fraction(checks.not_negative("deviation", deviation)) * (assumptions.n if of == "mean" else 1)
    maximal = maximal and assumptions.n > 1
    return _answers(
        f"{event(f'{deviation:.9g}', of=of, side=side, maximal=maximal)}, {given(assumptions)}",
        assumptions,
        side,
        maximal,
        lambda bound: bound(t, n=assumptions.n),
        lambda rows: attained_tail(assumptions, t, side=side),
    )


def best_deviation(
    assumptions: Assumptions,
    probability: float,
    *,
    of: Of = "mean",
    side: Side = "upper",
    maximal: bool = False,
) -> BestBound:
    """Deviations of the mean (or the sum) that are reached with the given probability at most.

    Arguments as in `best_bound`. An inequality that never comes down to `probability` is left out.
    """
    _check(of, side)
    checks.inside("probability", probability)
    n = assumptions.n
    maximal = maximal and n > 1

    def found(bound: Inequality[...]) -> float:
        t = bound.deviation(probability, n=n)
        return t if of == "sum" or math.isinf(t) else above(lambda: ball(t) / n)

    def least(rows: list[Row]) -> Attained | None:
        t = Fraction(rows[0].value) * (n if of == "mean" else 1)
        law = _attained_deviation(assumptions, probability, t, side)
        return law and (replace(law, value=below(lambda: ball(law.value) / n)) if of == "mean" else law)

    question = (
        f"least d with {event('d', of=of, side=side, maximal=maximal)} <= {probability:.9g}, {given(assumptions)}"
    )
    return _answers(question, assumptions, side, maximal, found, least)


def best_sample_size(
    assumptions: Assumptions,
    accuracy: float,
    probability: float,
    *,
    side: Side = "upper",
    maximal: bool = False,
) -> BestBound:
    """Numbers of terms for which the mean is off by `accuracy` or more with the given probability at most.

    Arguments as in `best_bound`; the n of the assumptions is not used.
    """
    _check("mean", side)
    checks.positive("accuracy", accuracy)
    checks.inside("probability", probability)
    many = replace(assumptions, n=2)  # so that what holds for single variables only is seen to be so

    def found(bound: Inequality[...]) -> float:
        try:
            return bound.sample_size(accuracy, probability)
        except InputError:
            return math.inf

    def least(rows: list[Row]) -> Attained | None:
        return _attained_size(assumptions, accuracy, probability, int(rows[0].value), side)

    off = event(f"{accuracy:.9g}", of="mean", side=side, maximal=maximal)
    question = f"least n with {off} <= {probability:.9g}, {given(assumptions, sized=False)}"
    return _answers(question, many, side, maximal, found, least)


def _answers(
    question: str,
    assumptions: Assumptions,
    side: Side,
    maximal: bool,
    answer: Callable[[Inequality[...]], float],
    least: Callable[[list[Row]], Attained | None],
) -> BestBound:
    rows: list[Row] = []
    left_out: dict[str, str] = {}
    for candidate in CANDIDATES:
        name = candidate.inequality.name
        use = applied(candidate, assumptions, side, maximal)
        if isinstance(use, str):
            left_out[name] = use
            continue
        value = answer(use.bound)
        if math.isinf(value):
            left_out[name] = "never comes down to this probability"
        else:
            rows.append(Row(name, value, use.bound.event, use.uses, use.bound.source))
    rows.sort(key=lambda row: row.value)
    return BestBound(question, tuple(rows), left_out, least(rows) if rows else None)


def _attained_deviation(assumptions: Assumptions, probability: float, t: Fraction, side: Side) -> Attained | None:
    """A deviation of the sum, not far below the greatest, that some law reaches with more than the probability."""

    def reached(share: float) -> Attained | None:
        law = attained_tail(assumptions, t * Fraction(share), side=side)
        return law if law and law.value > probability else None

    low, high, law = 2.0**-20, 1.0, None
    for _ in range(24):
        middle = math.sqrt(low * high)
        if here := reached(middle):
            low, law = middle, here
        else:
            high = middle
    return law and replace(law, value=below(lambda: ball(t * Fraction(low))))


def _attained_size(
    assumptions: Assumptions, accuracy: float, probability: float, most: int, side: Side
) -> Attained | None:
    """A number of terms, not far below the greatest, at which some law exceeds the probability."""
    few, many, law = 0, most, None
    while many - few > max(1, few // 1000):
        n = (few + many) // 2
        here = attained_tail(replace(assumptions, n=n), n * Fraction(accuracy), side=side)
        few, many, law = (n, many, here) if here and here.value > probability else (few, n, law)
    return law and replace(law, value=few)


def _check(of: str, side: str) -> None:
    for name, value, known in (("of", of, get_args(Of)), ("side", side, get_args(Side))):
        if value not in known:
            raise InputError(f"{name}={value!r} is not known; there are: {', '.join(known)}")


def event(deviation: str, *, of: str, side: str, maximal: bool) -> str:
    """The event in question, such as "P(S/n - E X >= 0.05)"."""
    if maximal:
        off = {"upper": "S_k - E S_k", "lower": "E S_k - S_k", "both": "|S_k - E S_k|"}[side]
        return f"P(max_k ({off}){'/n' if of == 'mean' else ''} >= {deviation})"
    name, expected = ("S/n", "E X") if of == "mean" else ("S", "E S")
    off = {"upper": f"{name} - {expected}", "lower": f"{expected} - {name}", "both": f"|{name} - {expected}|"}[side]
    return f"P({off} >= {deviation})"


def given(assumptions: Assumptions, sized: bool = True) -> str:
    """The assumptions as they were given: "n = 1000 iid terms, mean 0.5, range (0, 1)"."""
    words = [f"n = {assumptions.n} {_KIND[assumptions.dependence]}" if sized else _KIND[assumptions.dependence]]
    if assumptions.mean is not None:
        words.append(f"mean {assumptions.mean:.9g}")
    if assumptions.range is not None:
        words.append(f"range ({assumptions.range[0]:.9g}, {assumptions.range[1]:.9g})")
    for name in ("variance", "third_moment", "largest", "increment", "sub_gaussian"):
        if (value := getattr(assumptions, name)) is not None:
            words.append(f"{name.replace('_', ' ')} {value:.9g}")
    return ", ".join(words + ["one mode"] * assumptions.unimodal)


_KIND = {
    "iid": "iid terms",
    "independent": "independent terms",
    "martingale": "martingale differences",
    "uncorrelated": "uncorrelated terms",
    "any": "terms",
}


def shown(value: float, *, up: bool = True) -> str:
    """Four digits, rounded up (a bound) or down (what no bound can be below)."""
    if isinstance(value, int) or value == 0:
        return f"{value:.0f}"
    rounded = Context(prec=4, rounding=ROUND_CEILING if up else ROUND_FLOOR).create_decimal(Decimal(value))
    return f"{float(rounded):.4g}"


def _columns(best: BestBound) -> list[str]:
    cells = [(shown(row.value), row.name, row.uses, row.source) for row in best.rows]
    wide = [max((len(row[k]) for row in cells), default=0) for k in range(3)]
    return ["  " + "  ".join([*(row[k].ljust(wide[k]) for k in range(3)), row[3]]) for row in cells]


def _least(best: BestBound) -> list[str]:
    return [least_possible(best)] if best.at_least else []


def least_possible(best: BestBound) -> str:
    """What no bound can be below, in a line."""
    law = best.at_least
    if law is None:
        return ""
    if isinstance(law.value, int):
        return f"at n = {law.value} a law still exceeds the probability: {law.law}"
    return f"no bound can be below {shown(law.value, up=False)}: it is attained by {law.law}"


def _left_out(best: BestBound) -> list[str]:
    return ["left out: " + "; ".join(f"{name} ({why})" for name, why in best.left_out.items())] if best.left_out else []
