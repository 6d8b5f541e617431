"""Hoeffding's sequence: μ lies in (Σ λᵢ Xᵢ ± (ln(1/δ) + σ² Σ λᵢ² / 2)) / Σ λᵢ for every n, λₜ ~ 1 / (σ √(t ln t))."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.rounding import Ball, above, ball, below
from sojourn.bounds.sequences.running import proxy_of, spread_in_words, sum_of
from sojourn.bounds.sequences.sequence import ConfidenceSequence
from sojourn.bounds.sides import ends
from sojourn.errors import InputError
from sojourn.kernels.bounds_running import add_weighted


@dataclass(kw_only=True)
class Hoeffding(ConfidenceSequence):
    """Intervals at all times for the mean of sub-Gaussian observations; about as wide at any number of them.

    Π exp(λᵢ (Xᵢ - μ) - λᵢ² σ² / 2) is a supermartingale for any fixed λ₁, λ₂, ..., so it ever reaches 1/δ with
    probability δ at most (Ville). Here λₜ = min(√(2 ln(1/δ) / (σ² t ln(1 + t))), 1 / (2σ)).

    Args:
        range: (a, b), which holds every observation: σ² = (b - a)² / 4. Or:
        variance_proxy: σ² with E[exp(λ (Xᵢ - μ)) | past] <= exp(λ² σ² / 2) for all λ.
        confidence, side, family: as in `ConfidenceSequence`.

    Source: I. Waudby-Smith and A. Ramdas, JRSS B 86 (2024), 1, arXiv 2010.09686, proposition 1.
    """

    range: tuple[float, float] | None = None
    variance_proxy: float | None = None
    _sums: np.ndarray = field(default_factory=lambda: np.zeros((3, 3)), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.range = None if self.range is None else checks.bracket("range", self.range)
        deviation = float(proxy_of(self.range, self.variance_proxy).sqrt().mid())
        if not 1e-150 < deviation < 1e150:
            raise InputError(f"a spread of {deviation:.3g} has no square among the floats; give another unit")
        log = float(-ball(self.error).log().mid())
        self._scale, self._most = math.sqrt(2 * log) / deviation, 1 / (2 * deviation)

    def update(self, values: Any) -> Self:
        x = checks.observations(values, self.range)
        add_weighted(x, self.observations, self._scale, self._most, self._sums)
        self.observations += x.size
        return self

    def estimate(self) -> Estimate:
        least, most = self.range or (-math.inf, math.inf)
        value, low, high = math.nan, least, most
        if self.observations > 0:
            low, high = below(lambda: self._end(-1)), above(lambda: self._end(1))
            value = min(max(float((self._sum(0) / self._sum(1)).mid()), least), most)
        return Estimate(
            value,
            *ends(low, high, self.side, least, most),
            self.confidence,
            "at all times",
            "Hoeffding",
            f"{spread_in_words(self.range, self.variance_proxy)} and has the same mean given those before it",
            observations=self.observations,
            family=self.family,
        )

    def _end(self, sign: int) -> Ball:
        spread = -ball(self.error).log() + proxy_of(self.range, self.variance_proxy) * self._sum(2) / 2
        return (self._sum(0) + sign * spread) / self._sum(1)

    def _sum(self, which: int) -> Ball:
        return sum_of(self._sums[which], self.observations, roundings=1)
