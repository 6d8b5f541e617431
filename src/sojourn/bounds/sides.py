"""What intervals and sequences share: the error of an end, the sum of observations, the estimate with its open side."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from flint import arb

from sojourn.bounds import checks
from sojourn.bounds.rounding import Ball
from sojourn.errors import InputError

Side = Literal["both", "lower", "upper"]
"""Which ends an interval has: both, or only a lower or an upper end, which then takes all of the error probability."""


def error_of(confidence: float, side: Side, family: int) -> Fraction:
    """The probability with which one end of an interval may fail, exactly."""
    return (1 - Fraction(confidence)) / (family * (2 if side == "both" else 1))


def checked(confidence: float, side: Side, family: int) -> Fraction:
    """The probability with which one end may fail, with all three checked."""
    checks.inside("confidence", confidence)
    checks.count("family", family)
    if side not in ("both", "lower", "upper"):
        raise InputError(f"side={side!r} is not one of both, lower, upper")
    return error_of(confidence, side, family)


def some(values: Any, range: tuple[float, float] | None = None, least: int = 1) -> np.ndarray:
    """Observations as a flat array of doubles, `least` of them or more."""
    x = checks.observations(values, range)
    if x.size < least:
        raise InputError(f"{x.size} observations are too few; give {least} or more")
    return x


def sum_of(x: np.ndarray) -> Ball:
    """The sum of floats: `math.fsum` rounds it once, so the truth is within one unit in its last place."""
    try:
        nearest = math.fsum(x.tolist())
    except OverflowError:
        raise InputError(
            "the sum of the observations is beyond the greatest float; give them in a larger unit"
        ) from None
    return arb(nearest, math.ulp(nearest))


def ends(low: float, high: float, side: Side, least: float = -math.inf, most: float = math.inf) -> tuple[float, float]:
    """The two ends kept in [least, most], with a side that is not asked for left open."""
    return (
        least if side == "upper" else min(max(low, least), most),
        most if side == "lower" else max(min(high, most), least),
    )
