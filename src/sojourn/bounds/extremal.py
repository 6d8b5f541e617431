"""What no bound can be below: the exact tail of a law that meets the assumptions, the worst that is found.

The terms are independent and take two values at distance w, the upper one with probability p. Then S - E S >= t means
w (B - np) >= t for a binomial B, so with w = t/(k - np) the tail is P(B >= k). For each k the greatest p that the
assumptions allow is taken, and the greatest of these tails. Where neither range nor steps are bounded, normal terms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from flint import arb

from sojourn.bounds.assumptions import Assumptions
from sojourn.bounds.exact import binomial, normal
from sojourn.bounds.rounding import Ball, ball, below

_SIZES = 4000  # numbers k that are tried


@dataclass(frozen=True)
class Attained:
    """A number that every bound of the same question must reach, and the law that shows it."""

    value: float
    law: str


def attained_tail(assumptions: Assumptions, t: Fraction, *, side: str = "upper") -> Attained | None:
    """A tail that is attained under the assumptions: no bound on P(S - E S >= t) can be smaller. None: none is known.

    Args:
        assumptions: on the terms.
        t: deviation of the sum.
        side: "upper", "lower" or "both".
    """
    known = (assumptions.range, assumptions.variance, assumptions.increment, assumptions.sub_gaussian)
    if t <= 0 or all(number is None for number in known):
        return None
    found = [_normal(assumptions, t, side)]
    if side != "lower":
        found.append(_two_points(assumptions, t, side))
    if side != "upper":
        found.append(_two_points(assumptions, t, side, sign=-1))
    if assumptions.dependence == "any" and assumptions.n > 1:
        one = attained_tail(replace(assumptions, n=1), t / assumptions.n, side=side)
        found.append(one and replace(one, law=one.law + ", the same for all terms"))
    return max((one for one in found if one), key=lambda one: one.value, default=None)


def _two_points(a: Assumptions, t: Fraction, side: str, sign: int = 1) -> Attained | None:
    """The worst law of two values for X, or for -X where sign is -1."""
    if a.unimodal:
        return None
    n = a.n
    limits = _limits(a) if sign > 0 else [_swapped(limit) for limit in _limits(a)]
    ks = _counts(n)
    ps = _greatest(limits, ks, n, float(t))
    tails = _tails(ks, ps, n, side)
    tried = [(int(ks[i]), Fraction(float(ps[i]))) for i in np.argsort(-tails, kind="stable")[:3]]
    if a.mean is not None and a.range is not None:  # the ends of the range, which the tails of both sides may prefer
        low, high = (Fraction(end) for end in a.range)
        p = (Fraction(a.mean) - low if sign > 0 else high - Fraction(a.mean)) / (high - low)
        if (k := math.ceil(n * p + t / (high - low))) <= n:
            tried.append((k, p))
    laws = [law for k, p in tried if (law := _law(a, limits, t, k, p, side, sign)) is not None]
    return max(laws, key=lambda law: law.value, default=None)


def _law(
    a: Assumptions, limits: list[Limit], t: Fraction, k: int, p: Fraction, side: str, sign: int
) -> Attained | None:
    """The exact tail of a law of two values, after p is lowered by its rounding until all limits are met exactly."""
    n = a.n
    for shrink in (0, 50, 46, 40, 30):
        p = p * (1 - Fraction(1, 2**shrink)) if shrink else p
        if not 0 < p < 1 or k <= n * p:
            continue
        square = (t / (k - n * p)) ** 2
        if a.third_moment is not None and a.variance is not None:  # then the variance is this and no less
            square = max(square, Fraction(a.variance) / (p * (1 - p)))
        if all(size(p, square) <= most for size, most in limits) and _exact_variance(a, p, square):
            break
    else:
        return None

    def tail() -> Ball:
        fewest = math.floor(2 * n * p - k)  # as far below n p as k is above
        return binomial(k, n, ball(p)) + (binomial(n - fewest, n, ball(1 - p)) if side == "both" else 0)

    return Attained(
        max(below(tail), 0.0), _words(sign * (a.mean or 0.0), sign * math.sqrt(square), float(p), a.mean is None)
    )


def _words(mean: float, width: float, p: float, centred: bool) -> str:
    upper, lower = (
        0.0 if abs(value) < 1e-9 * abs(width) else value for value in (mean + (1 - p) * width, mean - p * width)
    )
    return f"{'X - E X' if centred else 'X'} = {upper:.5g} with probability {p:.5g}, otherwise {lower:.5g}"


Limit = tuple[Callable[[Fraction, Fraction], Fraction], Fraction]
"""A quantity of the law as a function of p and w^2, and the most that it may be."""


def _limits(a: Assumptions) -> list[Limit]:
    """What the assumptions ask of two values at distance w, with p above: each grows with p where w = t/(k - np)."""
    limits: list[Limit] = []

    def add(size: Callable[[Fraction, Fraction], Fraction], most: Fraction) -> None:
        limits.append((size, most))

    if a.range is not None:
        low, high = (Fraction(end) for end in a.range)
        add(lambda p, s: s, (high - low) ** 2)
        if a.mean is not None:
            add(lambda p, s: p**2 * s, (Fraction(a.mean) - low) ** 2)
            add(lambda p, s: (1 - p) ** 2 * s, (high - Fraction(a.mean)) ** 2)
    if a.variance is not None:
        add(lambda p, s: p * (1 - p) * s, Fraction(a.variance))
    if a.third_moment is not None:
        add(lambda p, s: s**3 * (p * (1 - p) * (p**2 + (1 - p) ** 2)) ** 2, Fraction(a.third_moment) ** 2)
    if a.largest is not None:
        add(lambda p, s: (1 - p) ** 2 * s, Fraction(a.largest) ** 2)
    if a.increment is not None:
        add(lambda p, s: (1 - p) ** 2 * s, Fraction(a.increment) ** 2)
        add(lambda p, s: p**2 * s, Fraction(a.increment) ** 2)
    if a.sub_gaussian is not None:  # by Hoeffding's lemma, whatever p is
        add(lambda p, s: s, 4 * Fraction(a.sub_gaussian))
    return limits


def _swapped(limit: Limit) -> Limit:
    """The limit on a law of X as one on the law of -X, whose upper value is the lower one of X."""
    size, most = limit
    return lambda p, s: size(1 - p, s), most


def _exact_variance(a: Assumptions, p: Fraction, square: Fraction) -> bool:
    return a.third_moment is None or a.variance is None or p * (1 - p) * square == Fraction(a.variance)


def _counts(n: int) -> np.ndarray:
    if n <= _SIZES:
        return np.arange(1, n + 1)
    half = _SIZES // 2
    return np.unique(np.concatenate([np.geomspace(1, n, half), np.linspace(1, n, half)]).round().astype(np.int64))


def _greatest(limits: list[Limit], ks: np.ndarray, n: int, t: float) -> np.ndarray:
    """For each k the greatest p < k/n with all limits met, up to rounding; by bisection over floats in their order."""
    low = np.full(ks.shape, 1e-300)
    high = np.nextafter(ks / n, 0)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        for _ in range(64):
            middle = ((low.view(np.int64) + high.view(np.int64)) // 2).view(np.float64)
            square = (t / (ks - n * middle)) ** 2
            met = np.ones(ks.shape, bool)
            for size, most in limits:
                met &= size(middle, square) <= float(most)  # type: ignore[arg-type]
            low, high = np.where(met, middle, low), np.where(met, high, middle)
    return low


def _tails(ks: np.ndarray, ps: np.ndarray, n: int, side: str) -> np.ndarray:
    """P(B >= k), to find the greatest; with the other side's where both count."""
    from scipy.special import bdtr, betainc

    tails = betainc(ks, n - ks + 1.0, ps)
    if side == "both":
        fewest = np.floor(2 * n * ps - ks)
        tails = tails + np.where(fewest >= 0, bdtr(np.maximum(fewest, 0), n, ps), 0)
    return np.nan_to_num(tails)


def _normal(a: Assumptions, t: Fraction, side: str) -> Attained | None:
    if any(bound is not None for bound in (a.range, a.largest, a.increment)):
        return None
    exact = a.third_moment is not None and a.variance is not None
    given = [Fraction(number) for number in (a.variance, a.sub_gaussian) if number is not None]
    variance = Fraction(a.variance) if exact and a.variance is not None else min(given)
    if variance == 0 or variance > min(given):
        return None
    if a.third_moment is not None:  # E |X|^3 = 2 sqrt(2/pi) sigma^3
        most = Fraction(a.third_moment)
        if not 8 * ball(variance) ** 3 / arb.pi() <= ball(most) ** 2:
            return None
    sides = 2 if side == "both" else 1
    value = below(lambda: sides * normal(ball(t) / (a.n * ball(variance)).sqrt()))
    return Attained(value, f"normal terms with variance {float(variance):.6g}")
