"""What the classical sequences share: a running sum that knows its rounding, and how far observations may spread."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from flint import arb

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.rounding import Ball, above, ball, below
from sojourn.bounds.sequences.sequence import ConfidenceSequence
from sojourn.bounds.sides import ends
from sojourn.errors import InputError
from sojourn.kernels.bounds_running import HIGH, LOW, SIZE, add_all


def sum_of(row: np.ndarray, n: int, roundings: int = 0) -> Ball:
    """A sum of n terms that a kernel has added up, each term rounded so many times to 2⁻⁵³ of its size."""
    size = ball(float(row[SIZE])) * (1 + n * ball(2.0**-52))
    off = size * (roundings * ball(2.0**-53) * (1 + ball(2.0**-20)) + n * ball(2.0**-104)) + n * ball(2.0**-1073)
    return ball(float(row[HIGH])) + ball(float(row[LOW])) + arb(0, 1) * off


class RunningSum:
    """Σ xᵢ in constant memory, the same to the bit however the observations are split."""

    def __init__(self) -> None:
        self._row = np.zeros(3)
        self._n = 0

    def add(self, x: np.ndarray) -> None:
        add_all(x, self._row)
        self._n += x.size

    def ball(self) -> Ball:
        """A ball that holds the exact sum."""
        return sum_of(self._row, self._n)


def around_mean(
    sequence: ConfidenceSequence,
    total: RunningSum,
    boundary: Callable[[], Ball],
    method: str,
    assumes: str,
    range: tuple[float, float] | None,
) -> Estimate:
    """(Sₙ ± boundary) / n as an estimate, cut to the range; with no observations, all that is possible."""
    n, (least, most) = sequence.observations, range or (-math.inf, math.inf)
    value, low, high = math.nan, least, most
    if n > 0:
        value = min(max(float(total.ball().mid()) / n, least), most)
        low, high = below(lambda: (total.ball() - boundary()) / n), above(lambda: (total.ball() + boundary()) / n)
    return Estimate(
        value,
        *ends(low, high, sequence.side, least, most),
        sequence.confidence,
        "at all times",
        method,
        assumes,
        observations=n,
        family=sequence.family,
    )


def proxy_of(range: tuple[float, float] | None, variance_proxy: float | None) -> Ball:
    """σ² with E exp(λ (X - E X)) <= exp(λ² σ² / 2) for all λ: given, or (b - a)² / 4 (Hoeffding's lemma)."""
    if (range is None) == (variance_proxy is None):
        raise InputError("give either range=(a, b) or variance_proxy=s with E exp(h (X - E X)) <= exp(h² s / 2)")
    if range is None:
        return ball(checks.positive("variance_proxy", variance_proxy))
    a, b = checks.bracket("range", range)
    return (ball(b) - ball(a)) ** 2 / 4


def spread_in_words(range: tuple[float, float] | None, variance_proxy: float | None) -> str:
    """The hypothesis of `proxy_of` on every observation."""
    if range is None:
        return f"every observation is sub-Gaussian with variance proxy {variance_proxy:g} given those before it"
    return f"every observation lies in [{range[0]:g}, {range[1]:g}]"
