"""The empirical Bernstein sequence: (Σ λᵢ Xᵢ ± (ln(1/δ) + Σ (Xᵢ - μ̂ᵢ₋₁)² ψ(λᵢ))) / Σ λᵢ, ψ(λ) = -ln(1 - λ) - λ."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.rounding import above, ball, below
from sojourn.bounds.sequences.running import sum_of
from sojourn.bounds.sequences.sequence import ConfidenceSequence
from sojourn.kernels.bounds_running import LARGEST_LOW, LEAST_HIGH, predict


@dataclass(kw_only=True)
class EmpiricalBernstein(ConfidenceSequence):
    """Intervals at all times for the mean of observations in [a, b]; narrow where they vary little.

    On [0, 1]: Π exp(λᵢ (Xᵢ - μ) - (Xᵢ - μ̂ᵢ₋₁)² ψ(λᵢ)) is a supermartingale for predictable μ̂ in [0, 1], λ in [0, 1).
    μ̂ₜ = (1/2 + Σ Xᵢ) / (t + 1), σ̂²ₜ = (1/4 + Σ (Xᵢ - μ̂ᵢ)²) / (t + 1), λₜ = √(2 ln(1/δ) / (σ̂²ₜ₋₁ t ln(1 + t))), but 1/2
    at most.
    The interval is the intersection of those after 1, ..., n observations, and so is never wider than an earlier one;
    where it is empty, the assumption is refuted. `value` is the mean of the observations, moved into the interval.

    Args:
        range: (a, b), which holds every observation.
        confidence, side, family: as in `ConfidenceSequence`.

    Source: I. Waudby-Smith and A. Ramdas, JRSS B 86 (2024), 1, arXiv 2010.09686, theorem 2.
    """

    range: tuple[float, float]
    _sums: np.ndarray = field(default_factory=lambda: np.zeros((4, 3)), init=False, repr=False, compare=False)
    _now: np.ndarray = field(
        default_factory=lambda: np.array([0.0, 0.0, 0.0, 0.0, 1.0]), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.range = checks.scalable("range", self.range)
        self._log = above(lambda: -ball(self.error).log())

    def update(self, values: Any) -> Self:
        x, (a, b) = checks.observations(values, self.range), self.range
        predict(x, a, b - a, self._log, self._sums, self._now)
        self.observations += x.size
        return self

    def estimate(self) -> Estimate:
        a, b = self.range
        low = 0.0 if self.side == "upper" else float(self._now[LARGEST_LOW])
        high = 1.0 if self.side == "lower" else float(self._now[LEAST_HIGH])
        value = math.nan
        if self.observations > 0:
            value = float(sum_of(self._sums[0], self.observations).mid()) / self.observations
        if low > high:
            low = high = math.nan
        else:
            low, high = (
                a if low == 0 else below(lambda: ball(a) + (ball(b) - ball(a)) * low),
                b if high == 1 else above(lambda: ball(a) + (ball(b) - ball(a)) * high),
            )
            value = min(max(value, low), high)
        return Estimate(
            value,
            low,
            high,
            self.confidence,
            "at all times",
            "empirical Bernstein",
            f"every observation lies in [{a:g}, {b:g}] and has the same mean given those before it",
            observations=self.observations,
            family=self.family,
        )
