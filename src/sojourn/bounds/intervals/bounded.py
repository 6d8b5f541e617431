"""The mean of values in [a, b] by formulas: Hoeffding's from the range, Maurer and Pontil's from the variance as well.

X̄ ± (b - a) √(ln(1/δ) / (2n)),      X̄ ± (√(2 V L / n) + 7 (b - a) L / (3 (n - 1))),  L = ln(2/δ).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.rounding import Ball, above, ball, below
from sojourn.bounds.sides import Side, checked, ends, some, sum_of


def hoeffding_interval(
    values: Any,
    *,
    range: tuple[float, float],
    confidence: float = 0.95,
    side: Side = "both",
    family: int = 1,
) -> Estimate:
    """The mean of n independent values in [a, b], with ends that depend on the data by the mean alone.

    The interval is X̄ ± (b - a) √(ln(1/δ) / (2n)), cut to [a, b]; δ = (1 - confidence) / family, halved where there
    are two ends.

    Args:
        values: the observations.
        range: (a, b), which holds every value that can occur.
        confidence, side, family: as in `ConfidenceSequence`.

    Source: W. Hoeffding, J. Amer. Statist. Assoc. 58 (1963), 13, theorem 2.
    """
    error = checked(confidence, side, family)
    a, b = checks.bracket("range", range)
    x = some(values, (a, b))
    total, n = sum_of(x), x.size

    def half_width() -> Ball:
        return (ball(b) - ball(a)) * (-ball(error).log() / (2 * n)).sqrt()

    return Estimate(
        min(max(float(total.mid()) / n, a), b),
        *ends(below(lambda: total / n - half_width()), above(lambda: total / n + half_width()), side, a, b),
        confidence,
        "at this n",
        "Hoeffding",
        f"the values are independent, lie in [{a:g}, {b:g}] and have the same mean",
        observations=n,
        family=family,
    )


def empirical_bernstein(
    values: Any,
    *,
    range: tuple[float, float],
    confidence: float = 0.95,
    side: Side = "both",
    family: int = 1,
) -> Estimate:
    """The mean of n independent values in [a, b]; narrow where they vary little.

    Each end fails with probability δ at most: (1 - confidence) / family, halved where there are two ends; the interval
    is cut to [a, b]. One observation says nothing.

    Args:
        values: the observations.
        range: (a, b), which holds every value that can occur.
        confidence, side, family: as in `ConfidenceSequence`.

    Source: A. Maurer and M. Pontil, COLT 2009, arXiv 0907.3740, theorem 4, scaled from [0, 1].
    """
    error = checked(confidence, side, family)
    a, b = checks.bracket("range", range)
    x = some(values, (a, b))
    total, n = sum_of(x), x.size
    low, high = a, b
    if n > 1:
        squares = _squares_about(x, float(total.mid()) / n)

        def half_width() -> Ball:
            return _half_width(squares / (n - 1), n, ball(b) - ball(a), ball(error))

        low, high = below(lambda: total / n - half_width()), above(lambda: total / n + half_width())
    return Estimate(
        min(max(float(total.mid()) / n, a), b),
        *ends(low, high, side, a, b),
        confidence,
        "at this n",
        "Maurer-Pontil",
        f"the values are independent, lie in [{a:g}, {b:g}] and have the same mean",
        observations=n,
        family=family,
    )


def maurer_pontil_half_width(variance: float, n: int, *, width: float, error: float | Fraction) -> float:
    """√(2 V L / n) + 7 width L / (3 (n - 1)), L = ln(2/error), rounded up: one end fails with probability `error`.

    Args:
        variance: V, the unbiased variance of the sample (divided by n - 1).
        n: number of observations, 2 or more.
        width: b - a, the width of the range of values.
        error: δ in (0, 1); for two ends give each its share.

    Source: A. Maurer and M. Pontil, COLT 2009, arXiv 0907.3740, theorem 4, scaled from [0, 1].
    """
    checks.not_negative("variance", variance)
    checks.positive("width", width)
    checks.inside("error", float(error))
    n = checks.count("n", n, 2)
    return above(lambda: _half_width(ball(variance), n, ball(width), ball(error)))


def _half_width(variance: Ball, n: int, width: Ball, error: Ball) -> Ball:
    log = (2 / error).log()
    return (2 * variance * log / n).sqrt() + 7 * width * log / (3 * (n - 1))


def _squares_about(x: np.ndarray, centre: float) -> Ball:
    """A number no less than Σ (xᵢ - X̄)².

    The sum about any centre is no less than about the mean. x - c is off by a factor of 1 ± 2⁻⁵³ at most, its square by
    one more or by 2⁻¹⁰⁷⁵, and the sum, exact but for one rounding, by one more: together less than 1 + 2⁻⁵⁰.
    """
    with np.errstate(over="ignore", under="ignore"):
        squares = (x - centre) ** 2
    try:
        total = math.fsum(squares.tolist())
    except OverflowError:
        total = math.inf
    return ball(total) * (1 + ball(2.0**-50)) + x.size * ball(2.0**-1074)
