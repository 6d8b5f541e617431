"""Intervals from the normal law and Student's: right where there are many observations, silent on what is rare."""

from __future__ import annotations

import math
from typing import Any

from scipy.special import ndtri, stdtrit

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.sides import Side, checked, ends, some

_LIMITS = ("rare large values that the sample missed", "skewness where there are few observations")


def student(values: Any, *, confidence: float = 0.95, side: Side = "both", family: int = 1) -> Estimate:
    """The mean of n observations, X̄ ± t_{1-δ, n-1} s / √n, s² = Σ (xᵢ - X̄)² / (n - 1).

    It covers exactly where the observations are normal; otherwise about so, where n is large.

    Args:
        values: the observations, 2 or more.
        confidence, side, family: as in `ConfidenceSequence`.

    Source: Student, Biometrika 6 (1908), 1.
    """
    x = some(values, least=2)
    found = normal(
        float(x.mean()),
        float(x.std(ddof=1)) / math.sqrt(x.size),
        confidence=confidence,
        degrees=x.size - 1,
        side=side,
        family=family,
    )
    return Estimate(
        found.value,
        found.low,
        found.high,
        confidence,
        "asymptotic",
        "Student",
        "the observations are independent and of the same law, whose variance is finite",
        _LIMITS,
        x.size,
        family,
    )


def normal(
    value: float,
    standard_error: float,
    *,
    confidence: float = 0.95,
    degrees: float | None = None,
    side: Side = "both",
    family: int = 1,
) -> Estimate:
    """value ± z_{1-δ} standard_error, or with Student's quantile where its degrees of freedom are given.

    Args:
        value: the point estimate.
        standard_error: its standard deviation, estimated from the data.
        degrees: of freedom of that estimate; None for infinitely many.
        confidence, side, family: as in `ConfidenceSequence`.
    """
    error = checked(confidence, side, family)
    checks.finite("value", value)
    checks.not_negative("standard_error", standard_error)
    if degrees is not None:
        checks.positive("degrees", degrees)
    quantile = -(ndtri(float(error)) if degrees is None else stdtrit(degrees, float(error)))
    half_width = float(quantile) * standard_error
    return Estimate(
        float(value),
        *ends(value - half_width, value + half_width, side),
        confidence,
        "asymptotic",
        "normal" if degrees is None else "Student",
        "the estimate is about normal and its standard error about right",
        _LIMITS,
        family=family,
    )
