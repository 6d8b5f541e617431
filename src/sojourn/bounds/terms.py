"""Hypotheses about the n terms of a sum: one number for all of them, or one for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sojourn.bounds import checks
from sojourn.bounds.rounding import Ball, ball
from sojourn.errors import InputError

T = TypeVar("T")

Each = float | Sequence[float]
"""One number that holds for every term, or one for each of the n terms."""

EachRange = tuple[float, float] | Sequence[tuple[float, float]]
"""One range (a, b) that holds every term, or one for each of the n terms."""


def total(name: str, value: Each, n: int, check: Callable[[str, Any], float], term: Callable[[Ball], Ball]) -> Ball:
    """Sum over the n terms of term(value), with every value checked."""
    n = checks.count("n", n)
    if _single(value):
        return n * term(ball(check(name, value)))
    return sum((term(ball(check(f"{name}[{k}]", v))) for k, v in enumerate(_of_length(name, value, n))), ball(0))


def total_variance(variance: Each, n: int) -> Ball:
    """The variance of a sum of uncorrelated terms: the sum of theirs."""
    return total("variance", variance, n, checks.not_negative, lambda v: v)


def total_of_widths(range: EachRange, n: int, term: Callable[[Ball], Ball]) -> Ball:
    """Sum over the n terms of term(b - a)."""
    n = checks.count("n", n)
    try:
        single = len(range) == 2 and _single(range[0])
    except TypeError:
        single = True
    if single:
        a, b = checks.bracket("range", range)
        return n * term(ball(b) - ball(a))
    pairs = [checks.bracket(f"range[{k}]", pair) for k, pair in enumerate(_of_length("range", range, n))]
    return sum((term(ball(b) - ball(a)) for a, b in pairs), ball(0))


def around(mean: float, range: tuple[float, float]) -> tuple[Ball, Ball]:
    """How far below its mean and how far above it a term may come: m - a and b - m."""
    a, b = checks.bracket("range", range)
    if not a <= checks.finite("mean", mean) <= b:
        raise InputError(f"mean={mean:g} is outside range=({a:g}, {b:g}); give the mean of what lies in the range")
    return ball(mean) - ball(a), ball(b) - ball(mean)


def _single(value: Any) -> bool:
    return not hasattr(value, "__len__")


def _of_length(name: str, value: Any, n: int) -> Sequence[Any]:
    if len(value) != n:
        raise InputError(f"{name} has {len(value)} entries for n={n} terms; give one for all, or {n}")
    return value
