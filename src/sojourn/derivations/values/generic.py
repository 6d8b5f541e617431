"""Stand-ins for what is only known to exist: smooth functions, densities that fall off, laws on an interval.

A statement on every smooth f is tried on a few, made of tanh, sine and lines with numbers drawn anew in every world.
"""

from __future__ import annotations

import random
from typing import Any

import sympy as sp

from sojourn.derivations.values.laws import Atoms

Rows = tuple[tuple[Any, ...], ...]


def components(size: int, rng: random.Random) -> tuple[Rows, Rows]:
    """The means and deviations of the two normal laws of a mixture in `size` dimensions."""
    unit = rng.choice((1, 1, sp.Rational(1, 5), 3))  # no bound holds for all

    def row(low: int, high: int) -> tuple[Any, ...]:
        return tuple(unit * sp.Rational(rng.randint(low, high), 8) for _ in range(size))

    return (row(-9, -1), row(1, 9)), (row(5, 9), row(6, 10))


def smooth(arguments: list[Any], rng: random.Random) -> Any:
    """A random smooth function of some scalars: a + b . x + c tanh(d . x + e) + g sin(h . x)."""

    size = rng.choice((1, 1, 1, 9))  # no bound holds for all

    def number(low: int = -8, high: int = 8) -> Any:
        return sp.Rational(rng.choice([k for k in range(low, high + 1) if k]), 8)

    def line() -> Any:
        return sum((number() * a for a in arguments), sp.S.Zero)

    return size * (number() + line() + number() * sp.tanh(line() + number()) + number() * sp.sin(line()))


def bounded(low: Any, high: Any, mean: Any, variance: Any, choice: int, rng: random.Random) -> Atoms:
    """A law on [low, high] with the mean and variance that are asked for (None: any); `choice` tells several apart.

    Without a variance: two points, at the ends for choice 0. With one, the two points of which one is an end (the
    extremal law of Bennett's inequality) or three symmetric points.
    """
    if variance is not None:
        middle = sp.S.Zero if mean is None else mean
        reach = high - middle if choice % 3 == 0 or low is None else middle - low
        if choice % 3 == 2:
            reach = sp.Rational(7, 8) * (high - middle)
            share = variance / (2 * reach**2)
            return Atoms((middle - reach, middle, middle + reach), (share, 1 - 2 * share, share))
        sign = 1 if choice % 3 == 0 or low is None else -1
        share = variance / (variance + reach**2)
        return Atoms((middle + sign * reach, middle - sign * variance / reach), (share, 1 - share))
    inner, outer = (sp.S.One if choice == 0 else sp.Rational(rng.randint(3, 8), 8) for _ in range(2))
    if mean is None:
        values = (low + (1 - inner) * (high - low) / 2, high - (1 - outer) * (high - low) / 2)
        share = sp.Rational(rng.randint(1, 7), 8) if choice else sp.S.Half
        return _with_middle(Atoms(values, (share, 1 - share)), (low + high) / 2, choice)
    below, above = inner * (mean - low), outer * (high - mean)
    shares = (above / (above + below), below / (above + below))
    return _with_middle(Atoms((mean - below, mean + above), shares), mean, choice)


def _with_middle(law: Atoms, middle: Any, choice: int) -> Atoms:
    """For choice 2 half of the mass goes to the middle: laws on two points satisfy more than all laws do."""
    if choice != 2:
        return law
    return Atoms((*law.values, middle), (*(w / 2 for w in law.weights), sp.S.Half))
