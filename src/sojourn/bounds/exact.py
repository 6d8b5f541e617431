"""Exact tails, to put beside the bounds: each as the two neighbouring floats (or the one float) that hold the truth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from flint import arb

from sojourn.bounds import checks
from sojourn.bounds.rounding import Ball, Number, above, ball, below
from sojourn.errors import InputError

_FEW = 64  # trials for which the tail is summed in rational numbers: then it may be a float exactly


class Tail(NamedTuple):
    """A probability: low <= truth <= high, the greatest and the least float for which that holds."""

    low: float
    high: float


def binomial_tail(k: Number, n: int, *, p: Number) -> Tail:
    """P(B >= k) = I_p(k, n - k + 1) for B binomial, I the regularised incomplete beta function.

    Args:
        k: the level, any real number.
        n: number of trials.
        p: probability of a success, in [0, 1].
    """
    n, level = checks.count("n", n), math.ceil(_rational("k", k))
    p = _rational("p", p)
    if not 0 <= p <= 1:
        raise InputError(f"p={float(p):g} is not in [0, 1]")
    return _binomial(level, n, p)


def two_point_tail(t: Number, n: int, *, mean: Number, range: tuple[Number, Number] = (0, 1)) -> Tail:
    """P(S - E S >= t) for n independent terms that are a or b, with the given mean.

    Among the laws in a range (a, b) with that mean it is the one farthest spread, and often the worst.

    Args:
        t: deviation of the sum.
        n: number of terms.
        mean: of a term.
        range: (a, b).
    """
    n, (a, b) = checks.count("n", n), _ends(range)
    p = (_rational("mean", mean) - a) / (b - a)
    if not 0 <= p <= 1:
        raise InputError(f"mean={float(mean):g} is outside range=({float(a):g}, {float(b):g})")
    level = math.ceil(n * p + _rational("t", t) / (b - a))
    return _binomial(level, n, p)


def uniform_tail(t: Number, n: int, *, range: tuple[Number, Number] = (0, 1)) -> Tail:
    """P(S - E S >= t) for n independent terms, uniform on (a, b): sum_{j<=x} (-1)^j C(n, j) (x - j)^n / n!.

    Here x = n/2 - t/(b - a), because the law is symmetric; summed in rational numbers.

    Args:
        t: deviation of the sum.
        n: number of terms; a thousand take a second.
        range: (a, b).

    Source: Irwin, Biometrika 19 (1927) 225; Hall, Biometrika 19 (1927) 240.
    """
    n, (a, b) = checks.count("n", n), _ends(range)
    x = Fraction(n, 2) - _rational("t", t) / (b - a)
    if x <= 0 or x >= n:
        return Tail(0.0, 0.0) if x <= 0 else Tail(1.0, 1.0)
    p, q = x.numerator, x.denominator
    terms = ((-1) ** j * math.comb(n, j) * (p - j * q) ** n for j in itertools.takewhile(x.__gt__, itertools.count()))
    exact = Fraction(sum(terms), q**n * math.factorial(n))
    return _tail(lambda: ball(exact))


def normal_tail(t: Number, n: int = 1, *, variance: Number = 1) -> Tail:
    """P(S - E S >= t) = erfc(t / sqrt(2 n v)) / 2 for n independent normal terms with variance v.

    Args:
        t: deviation of the sum.
        n: number of terms.
        variance: of a term, above zero.
    """
    n, t, v = checks.count("n", n), _rational("t", t), _rational("variance", variance)
    checks.positive("variance", float(v))
    return _tail(lambda: normal(ball(t) / (n * ball(v)).sqrt()))


def binomial(k: int, n: int, p: Ball) -> Ball:
    """P(Bin(n, p) >= k) as a ball."""
    if not 0 < k < n:
        return arb(1) if k <= 0 else arb(0) if k > n else p**n
    return p.beta_lower(k, n - k + 1, True)


def normal(z: Ball) -> Ball:
    """P(N >= z) for N standard normal, as a ball."""
    return (z / arb(2).sqrt()).erfc() / 2


def whole(x: Ball) -> int:
    """A ball that is a whole number, as one."""
    man, exp = (int(part) for part in x.man_exp())
    return int(Fraction(man) * Fraction(2) ** exp)


def _binomial(k: int, n: int, p: Fraction) -> Tail:
    if n > _FEW:
        return _tail(lambda: binomial(k, n, ball(p)))
    a, b = p.numerator, p.denominator - p.numerator
    ways = sum(math.comb(n, j) * a**j * b ** (n - j) for j in range(max(k, 0), n + 1))
    exact = Fraction(ways, p.denominator**n)
    return _tail(lambda: ball(exact))


def _tail(formula: Callable[[], Ball]) -> Tail:
    return Tail(max(below(formula), 0.0), min(above(formula), 1.0))


def _rational(name: str, value: Number) -> Fraction:
    if isinstance(value, Fraction):
        return value
    return Fraction(value if isinstance(value, int) else checks.finite(name, value))


def _ends(range: tuple[Number, Number]) -> tuple[Fraction, Fraction]:
    checks.bracket("range", tuple(float(end) for end in range))
    return _rational("range[0]", range[0]), _rational("range[1]", range[1])
