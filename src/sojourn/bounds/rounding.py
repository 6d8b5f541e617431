"""Arithmetic that errs to one side only: real numbers as balls (FLINT's `arb`), and the floats just above and below.

A formula is written once, on balls. A ball holds the true value whatever was rounded on the way, so the float above
its upper end is never below the truth. Floats that come in are taken as the exact numbers that they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from threading import RLock

from flint import arb, ctx

Ball = arb
"""A real number known to lie in an interval."""

Number = float | int | Fraction

_LOCK = RLock()
_BITS = (80, 160, 320, 1280)  # each is tried until the value's place between two floats is known


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Balls of so many bits, in one thread at a time: FLINT's precision is shared by all threads."""
    with _LOCK, ctx.workprec(bits):
        yield


def ball(x: Number | Ball) -> Ball:
    """x as a ball: exactly for floats and integers, to the working precision for fractions."""
    if isinstance(x, arb):
        return x
    if isinstance(x, Fraction):
        return arb(x.numerator) / arb(x.denominator)
    return arb(x if isinstance(x, int) else float(x))


def above(formula: Callable[[], Ball]) -> float:
    """The least float that is not below the formula's value; +inf where its balls never become finite."""
    return _rounded(formula, _float_above, math.inf)


def below(formula: Callable[[], Ball]) -> float:
    """The greatest float that is not above the formula's value; -inf where its balls never become finite."""
    return _rounded(formula, lambda x: 0.0 - _float_above(-x), -math.inf)


def _rounded(formula: Callable[[], Ball], toward: Callable[[Ball], float], otherwise: float) -> float:
    found = otherwise
    for bits in _BITS:
        with precision(bits):
            value = formula()
            if not value.is_finite():
                continue
            ends = toward(value.lower()), toward(value.upper())
        found = max(ends) if otherwise > 0 else min(ends)
        if ends[0] == ends[1]:
            break
    return found


def _float_above(exact: Ball) -> float:
    """The least float >= an exact ball (radius zero)."""
    man, exp = (int(part) for part in exact.man_exp())
    size = man.bit_length() + exp  # |exact| < 2^size
    if man == 0:
        return 0.0
    if size < -1073:
        return 5e-324 if man > 0 else -0.0
    if size > 1024:
        return math.inf if man > 0 else -1.7976931348623157e308
    value = Fraction(man) * Fraction(2) ** exp
    try:
        near = float(value)
    except OverflowError:
        near = math.inf if man > 0 else -math.inf
    if near == -math.inf:
        return -1.7976931348623157e308
    return near if near == math.inf or Fraction(near) >= value else math.nextafter(near, math.inf)
