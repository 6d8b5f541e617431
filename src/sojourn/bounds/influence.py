"""Catoni's influence function φ(u) = sign(u) ln(1 + |u| + u²/2) and where its sums over data cross a level.

-ln(1 - u + u²/2) <= φ(u) <= ln(1 + u + u²/2), so E exp(φ(λ (X - m))) <= 1 + λ² Var X / 2 where m = E X.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.optimize import root_scalar

from sojourn.bounds import checks
from sojourn.errors import InputError


def checked_variance(value: Any) -> float:
    """A bound for the variance, not so small that one over it overflows."""
    if checks.positive("variance", value) < 1e-290:
        raise InputError(f"variance={value:g} is below 1e-290; give the observations in a smaller unit")
    return float(value)


def crossing(x: np.ndarray, weights: np.ndarray, level: float) -> tuple[float, float]:
    """Floats low < high with Σ φ(wᵢ (xᵢ - θ)) certainly above the level at θ = low, certainly below it at high.

    The sum falls in θ. They lie as close to the crossing as rounding lets one tell.
    """

    def excess(theta: float) -> tuple[float, float]:
        """The sum less the level, and more than its rounding: numpy's pairwise sums are off by 2⁻⁴⁷ Σ|φ| at most."""
        u = weights * (x - theta)
        size = np.minimum(np.abs(u), 1e150)
        terms = np.copysign(np.log1p(size + 0.5 * size * size), u)
        return float(terms.sum()) - level, 2.0**-45 * (float(np.abs(terms).sum()) + abs(level)) + 2.0**-1000

    def beyond(start: float, step: float, sign: int) -> float:
        """The first point tried from `start` on, in doubling steps, where the sum is certainly beyond the level."""
        theta = start
        while math.isfinite(theta):
            value, rounding = excess(theta)
            if sign * value > rounding:
                return theta
            theta = (
                min(start - step, math.nextafter(start, -math.inf))
                if sign > 0
                else max(start + step, math.nextafter(start, math.inf))
            )
            step *= 2
        return theta

    with np.errstate(over="ignore", under="ignore"):
        width, middle = 1 / float(weights.max()), float(np.median(x))
        low, high = beyond(middle, width, 1), beyond(middle, width, -1)
        if math.isinf(low) or math.isinf(high):
            return low, high
        least = max(2.0**-40 / float(weights.sum()), 1e-300)  # a step that changes the sum by 2⁻⁴⁰ at most
        near = float(root_scalar(lambda theta: excess(theta)[0], bracket=(low, high), xtol=least, rtol=1e-15).root)
        return max(low, beyond(near, least, 1)), min(high, beyond(near, least, -1))
