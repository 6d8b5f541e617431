"""Hoeffding's interval for a mean of values in [a, b]: X̄ ± (b - a) √(ln(1/δ) / (2n))."""

from __future__ import annotations

from typing import Any

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.rounding import above, ball, below
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

    def half_width():
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
