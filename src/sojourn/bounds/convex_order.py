"""Bentkus's inequalities: tails of sums of independent terms against the tail of a binomial law, up to a constant.

T is the sum of n terms that are B above their mean or A below it, scaled to a binomial variable with p = A/(A + B).
Where E (S - h)_+^k <= E (T - h)_+^k for every h, P(S >= x) <= inf_{h<x} E (T - h)_+^k / (x - h)^k. Bentkus shows that
this is at most e P°(T >= x) for k = 1 and (e^2/2) P°(T >= x) for k = 2, P° the tail of T interpolated log-linearly.
Here the infimum itself is taken: no constant, no interpolation, and never above what is published.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from flint import arb

from sojourn.bounds import checks
from sojourn.bounds.exact import binomial, whole
from sojourn.bounds.inequality import inequality
from sojourn.bounds.rounding import Ball, ball, precision
from sojourn.bounds.search import first
from sojourn.bounds.terms import around

_SEARCH = 80  # bits with which h is sought; any h gives a bound
_TINY = 1e-20  # of the mean and of the spread: so small a deviation cannot make a float of less than 1


@inequality(
    "P(S - E S >= t)",
    needs="martingale",
    source="Bentkus, Ann. Probab. 32 (2004) 1650, Theorem 1.2, by its proof",
)
def bentkus(t: Ball, *, n: int = 1, mean: float, range: tuple[float, float] = (0.0, 1.0)) -> Ball:
    """inf_h E (T - h)_+ / (x - h) <= e P°(T >= x), T ~ Bin(n, p), p = (m - a)/(b - a), x = np + t/(b - a), X in [a, b].

    A convex function of X_i has its greatest mean where X_i is a or b. Between whole numbers the quotient of h is
    monotone, so that the infimum is at a whole number. Never above `chernoff_bernoulli`; 0 where x > n.

    Args:
        n: terms of the sum.
        mean: m = E X_i; the mean of the n means where they differ.
        range: (a, b) for all terms.
    """
    return _infimum(_first_moment, t, checks.count("n", n), *around(mean, range), shape=1)


@inequality(
    "P(S - E S >= t)",
    needs="martingale",
    source="Bentkus, Ann. Probab. 32 (2004) 1650, Theorem 1.1, by its proof",
)
def bentkus_variance(t: Ball, *, n: int = 1, variance: float, largest: float) -> Ball:
    """inf_h E (T - h)_+^2 / (x - h)^2 <= (e^2/2) P°(T >= x), T ~ Bin(n, p), p = s^2/(s^2 + b^2), x = np + (1 - p) t/b.

    Here Var X_i <= s^2 and X_i - E X_i <= b. Of all such terms, E (X_i - h)_+^2 is greatest for the one that is b above
    its mean or s^2/b below it: a parabola lies above (x - h)_+^2 as far as b and touches it at both values. Never
    above `hoeffding_variance` and `cantelli`; 0 where t > nb.

    Args:
        n: terms of the sum.
        variance: s^2, at or above the variance of every term (given the past, for martingale differences).
        largest: b > 0, for all terms.
    """
    b = ball(checks.positive("largest", largest))
    below = ball(checks.not_negative("variance", variance)) / b
    return _infimum(_second_moment, t, checks.count("n", n), below, b, shape=2)


def _infimum(at: Callable[..., tuple[Ball, Ball]], t: Ball, n: int, below: Ball, above: Ball, *, shape: int) -> Ball:
    """The least quotient. `at` gives it on T >= m, and a number that is negative where the best h is at least m."""
    room = n * above - t
    if room < 0 or (below == 0 and t > 0):
        return ball(0)
    if t == 0:
        return ball(1)
    width = below + above
    p, shift = below / width, t / width
    x = n * p + shift
    if shift < _TINY * n * p and shift**2 < _TINY**2 * n * p * (1 - p):
        return ball(1)
    last = min(whole(x.lower().ceil()) - 1, n - 1)  # the last h < x that is certain
    if last < 0:
        return ball(1)

    def rising(m: int) -> bool:
        with precision(_SEARCH):
            return bool(at(m, n, p, x, shift)[1] >= 0)

    near, spread = _guess(n, float(p), float(shift), float(room / width), shape)
    best = first(rising, -1, last, near=math.floor(min(near, last)), step=1 + math.floor(spread / 16))
    return at(best, n, p, x, shift)[0]


def _guess(n: int, p: float, shift: float, room: float, shape: int) -> tuple[float, float]:
    """About where the best h is: that of a geometric tail far out, of a normal one close by; and the tail's spread."""
    x, spread = n * p + shift, math.sqrt(n * p * (1 - p))
    ratio = room * p / (x * (1 - p)) if p < 1 else 1.0  # P(T = m + 1) / P(T = m) at x
    far = x - shape / (1 - ratio) if ratio < 1 else 0.0
    close = n * p - spread * math.sqrt(2 * math.log1p(spread / shift)) if shift > 0 else 0.0
    return max(far, close, 0.0), spread


def _first_moment(m: int, n: int, p: Ball, x: Ball, shift: Ball) -> tuple[Ball, Ball]:
    """E (T - h)_+ / (x - h) at h = m, and E[T - x; T > m], the sign of its slope there."""
    tail, mean = _moments(m + 1, n, p)
    return (mean + (n * p - m) * tail) / (x - m), mean - shift * tail


def _second_moment(m: int, n: int, p: Ball, x: Ball, shift: Ball) -> tuple[Ball, Ball]:
    """The least of E[(T - h)^2; T >= m] / (x - h)^2 for m - 1 <= h < m, and the sign of its slope at m."""
    tail, mean = _moments(m, n, p)
    square = n * p * (1 - p) * tail + (m - (n + 1) * p) * mean  # E[(T - np)^2; T >= m]
    first, second = mean - shift * tail, square - 2 * shift * mean + shift**2 * tail  # of T - x
    slope = second + (x - m) * first
    left = x - m + 1
    if first < 0 and (m == 0 or second + left * first <= 0):
        return tail - first**2 / second, slope
    return tail + 2 * first / left + second / left**2, slope


def _moments(m: int, n: int, p: Ball) -> tuple[Ball, Ball]:
    """P(T >= m) and E[T - np; T >= m] = m (1 - p) P(T = m) (de Moivre)."""
    if m <= 0:
        return ball(1), ball(0)
    if m == n:
        return p**n, n * (1 - p) * p**n
    ways = arb(n + 1).lgamma() - arb(m + 1).lgamma() - arb(n - m + 1).lgamma()
    mass = (ways + m * p.log() + (n - m) * (1 - p).log()).exp()
    return binomial(m, n, p), m * (1 - p) * mass
