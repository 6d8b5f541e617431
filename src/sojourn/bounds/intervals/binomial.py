"""The exact interval for a probability: low solves P(Bin(n, p) >= k) = δ, high solves P(Bin(n, p) <= k) = δ."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from flint import arb
from scipy.special import betainccinv, betaincinv

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.rounding import Ball, ball, precision
from sojourn.bounds.search import first, float_at, place_of
from sojourn.bounds.sides import Side, checked
from sojourn.errors import InputError

_BITS = (80, 160, 320)
_ONE = place_of(1.0)


def clopper_pearson(
    successes: int, n: int, *, confidence: float = 0.95, side: Side = "both", family: int = 1
) -> Estimate:
    """The interval for a probability from k successes in n independent trials; it always covers.

    The tails are those of the binomial law, P(Bin(n, p) >= k) = I_p(k, n - k + 1) with I the regularised incomplete
    beta function, and δ = (1 - confidence) / family, halved where there are two ends. Each end is the float just
    outside the solution. (Within rounding, low = Beta(δ; k, n - k + 1) and high = Beta(1 - δ; k + 1, n - k),
    quantiles.)

    Args:
        successes: k, from 0 to n.
        n: number of trials, fixed beforehand.
        confidence, side, family: as in `ConfidenceSequence`.

    Source: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934), 404.
    """
    error = checked(confidence, side, family)
    n, k = checks.count("n", n), checks.count("successes", successes, 0)
    if k > n:
        raise InputError(f"successes={k} is more than n={n} trials")
    low = 0.0 if side == "upper" else lower_end(k, n, error)
    high = 1.0 if side == "lower" else upper_end(k, n, error)
    return Estimate(
        k / n,
        low,
        high,
        confidence,
        "at this n",
        "Clopper-Pearson",
        "the trials are independent and have the same probability",
        observations=n,
        family=family,
    )


def lower_end(k: int, n: int, error: Fraction) -> float:
    """The last float p with P(Bin(n, p) >= k) <= error."""
    if k == 0:
        return 0.0
    return _last(lambda p: arb(p).beta_lower(k, n - k + 1, True), error, betaincinv(k, n - k + 1, float(error)))


def upper_end(k: int, n: int, error: Fraction) -> float:
    """The first float p with P(Bin(n, p) <= k) <= error."""
    if k == n:
        return 1.0
    near = betainccinv(k + 1, n - k, float(error))
    return _first(lambda p: (1 - arb(p)).beta_lower(n - k, k + 1, True), error, near)


def _last(tail: Callable[[float], Ball], error: Fraction, near: float) -> float:
    """The last float p of [0, 1] whose tail is certainly at most `error`, for a tail that grows from 0 to 1."""
    place = first(lambda p: not _at_most(tail, float_at(p), error), 0, _ONE, near=_place(near))
    return float_at(place - 1)


def _first(tail: Callable[[float], Ball], error: Fraction, near: float) -> float:
    """The first float p of [0, 1] whose tail is certainly at most `error`, for a tail that falls from 1 to 0."""
    return float_at(first(lambda p: _at_most(tail, float_at(p), error), 0, _ONE, near=_place(near)))


def _at_most(tail: Callable[[float], Ball], p: float, error: Fraction) -> bool:
    """Whether the tail at p is at most `error`; False in doubt, which moves the end outwards."""
    for bits in _BITS:
        with precision(bits):
            value, most = tail(p), ball(error)
            if value <= most:
                return True
            if value > most:
                return False
    return False


def _place(p: float) -> int:
    """Where to begin: at p, or at 1/2 where p is no probability (NaN, which says nothing)."""
    return place_of(p if 0 <= p <= 1 else 0.5)
