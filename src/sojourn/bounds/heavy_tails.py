"""Intervals for the mean of observations of which only a bound for the variance is known: no range, no further moments.

Their ends move with ln(1/δ) as those of a normal law would, where the sample mean's, by Chebyshev, move with 1/δ.

The estimator of Lee and Valiant (arXiv 2011.08384) is not here: its error is σ √(2 ln(1/δ) / n) (1 + o(1)) with no
constant for finite n, so it has no interval; Catoni's differs from that by the factor 1 / √(1 - 2 ln(1/δ) / n).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.special import betaincinv

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.influence import checked_variance, crossing
from sojourn.bounds.intervals.binomial import lower_end
from sojourn.bounds.rounding import Ball, above, ball, below
from sojourn.bounds.sides import Side, checked, ends, some, sum_of


def catoni(values: Any, *, variance: float, confidence: float = 0.95, side: Side = "both", family: int = 1) -> Estimate:
    """Catoni's estimate θ of the mean, Σ φ(α (xᵢ - θ)) = 0, with ends θ ± σ √(2L / (n - 2L)), L = ln(1/δ).

    φ(u) = sign(u) ln(1 + |u| + u²/2) and α = √(2L (n - 2L) / (n² σ²)). For any α with α² σ² + 2L/n <= 1 each end
    fails with probability δ at most if it is (1 - √(1 - α² σ² - 2L/n)) / α away; that α makes it the distance above.
    With n <= 2L observations nothing is said: the ends are infinite.

    Args:
        values: the observations.
        variance: σ², a bound for the variance of each observation.
        confidence, side, family: as in `ConfidenceSequence`; δ = (1 - confidence) / family, halved for two ends.

    Source: O. Catoni, Ann. Inst. Henri Poincaré Probab. Stat. 48 (2012), 1148, arXiv 1009.2048, proposition 2.4.
    """
    error = checked(confidence, side, family)
    checked_variance(variance)
    x = some(values)
    n, log = x.size, -math.log(float(error))
    value, low, high = float(sum_of(x).mid()) / n, -math.inf, math.inf
    if n > 2 * log:
        alpha = math.sqrt(2 * log * (n - 2 * log) / variance) / n

        def distance() -> Ball:
            rest = 1 - ball(alpha) ** 2 * ball(variance) + 2 * ball(error).log() / n
            return (1 - rest.sqrt()) / ball(alpha)

        left, right = crossing(x, np.full(n, alpha), 0.0)
        value = left + (right - left) / 2
        low, high = below(lambda: ball(left) - distance()), above(lambda: ball(right) + distance())
    return _estimate(value, low, high, "Catoni", n, variance, confidence, side, family)


def median_of_means(
    values: Any, *, variance: float, confidence: float = 0.95, side: Side = "both", family: int = 1
) -> Estimate:
    """The median of the means of k consecutive blocks, with ends c σ / √m away, m = ⌊n/k⌋ the least block's size.

    A block's mean is off to one side by c σ / √m with probability p = 1 / (1 + c²) at most (Cantelli), and the median
    only if (k + 1)/2 of k blocks are: P(Bin(k, p) >= (k + 1)/2) = δ, solved for p, gives c. k, odd, is the one with the
    least c / √m: about 2.5 ln(1/δ), and then the ends are about σ √(16.8 ln(1/δ) / n) away, where Lugosi and Mendelson
    have √32 σ √(ln(1/δ) / n) from Chebyshev's and Hoeffding's inequalities.

    Args:
        values: the observations, in an order that does not depend on them.
        variance: σ², a bound for the variance of each observation.
        confidence, side, family: as in `ConfidenceSequence`; δ = (1 - confidence) / family, halved for two ends.

    Source: G. Lugosi and S. Mendelson, Found. Comput. Math. 19 (2019), 1145, theorem 2, for the estimator; constants as
    derived above.
    """
    error = checked(confidence, side, family)
    checked_variance(variance)
    x = some(values)
    n = x.size
    k = _blocks(n, error)
    p = lower_end((k + 1) // 2, k, error)

    def distance() -> Ball:
        return ((1 / ball(p) - 1) * ball(variance) / (n // k)).sqrt()

    blocks = np.array_split(x, k)
    left = sorted(below(lambda block=block: sum_of(block) / block.size) for block in blocks)[k // 2]
    right = sorted(above(lambda block=block: sum_of(block) / block.size) for block in blocks)[k // 2]
    low, high = below(lambda: ball(left) - distance()), above(lambda: ball(right) + distance())
    return _estimate(left + (right - left) / 2, low, high, "median of means", n, variance, confidence, side, family)


def _blocks(n: int, error: Fraction) -> int:
    """The odd number of blocks whose ends are nearest."""
    most = min(n, 9 + math.ceil(-8 * math.log(float(error))))
    k = np.arange(1, most + 1, 2)
    p = np.maximum(betaincinv((k + 1) // 2, (k + 1) // 2, float(error)), 1e-300)
    return int(k[np.argmin((1 / p - 1) / (n // k))])


def _estimate(
    value: float,
    low: float,
    high: float,
    method: str,
    n: int,
    variance: float,
    confidence: float,
    side: Side,
    family: int,
) -> Estimate:
    return Estimate(
        value,
        *ends(low, high, side),
        confidence,
        "at this n",
        method,
        f"the observations are independent, with the same mean and variance {variance:g} or less",
        observations=n,
        family=family,
    )
