"""Catoni's sequence: every m with |Σ φ(λᵢ (Xᵢ - m))| < ln(1/δ) + Σ ln(1 + λᵢ² σ² / 2), for heavy tails.

φ(u) = sign(u) ln(1 + |u| + u²/2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from flint import arb

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.influence import checked_variance, crossing
from sojourn.bounds.rounding import Ball, above, ball, below
from sojourn.bounds.sequences.running import sum_of
from sojourn.bounds.sequences.sequence import ConfidenceSequence
from sojourn.bounds.sides import ends
from sojourn.kernels.bounds_running import influence, influence_weight

_KEPT = 256  # observations that are kept as they are
_POINTS = 8


@dataclass(kw_only=True)
class Catoni(ConfidenceSequence):
    """Intervals at all times for a mean where only a bound for the variance is known.

    E exp(φ(λ (X - μ))) <= 1 + λ² σ² / 2, so Π exp(φ(λᵢ (Xᵢ - μ))) / (1 + λᵢ² σ² / 2) is a supermartingale and ever
    reaches 1/δ with probability δ at most (Ville); the same for -φ. λₜ = √(2L / (σ² (t ln(1 + t) + 2L))), L = ln(1/δ).

    The sum falls in m, and the ends are where it meets the threshold. To find them in constant memory the first 256
    observations are kept as they are. From then on the sum f and its slope D = Σ λᵢ φ'(λᵢ (Xᵢ - m)) are known at eight
    points m across the interval at that time; as |φ''| <= 1/4, |f(m + h) - f(m) + h D| <= h² Σ λᵢ² / 8 between them.
    That widens the interval by less than 0.1% and is on the safe side wherever the points lie.

    Args:
        variance: σ², a bound for the variance of each observation given those before it.
        confidence, side, family: as in `ConfidenceSequence`.

    Source: H. Wang and A. Ramdas, Stoch. Process. Appl. 163 (2023), 168, arXiv 2202.01250 (their
    Catoni-style sequence), with the product itself for exp(Σ λᵢ² σ² / 2). The evaluation in constant memory is ours.
    """

    variance: float
    _first: np.ndarray = field(default_factory=lambda: np.zeros(0), init=False, repr=False, compare=False)
    _points: np.ndarray = field(default_factory=lambda: np.zeros(0), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.variance = checked_variance(self.variance)
        self._log = above(lambda: -ball(self.error).log())
        self._sums, self._slopes, self._totals = np.zeros((_POINTS, 3)), np.zeros(_POINTS), np.zeros(2)

    def update(self, values: Any) -> Self:
        x = checks.observations(values)
        if self.observations < _KEPT:
            kept, x = x[: _KEPT - self.observations], x[_KEPT - self.observations :]
            self._first = np.concatenate([self._first, kept])
            self.observations += kept.size
            if self.observations == _KEPT:
                self._points = np.linspace(*self._ends_of_first(), _POINTS)
                self._take(self._first, 0)
        if x.size:
            self._take(x, self.observations)
            self.observations += x.size
        return self

    def estimate(self) -> Estimate:
        value, low, high = math.nan, -math.inf, math.inf
        if 0 < self.observations < _KEPT:
            low, high = self._ends_of_first()
            value = sum(crossing(self._first, self._weights(), 0.0)) / 2
        elif self.observations:
            low = max(below(lambda j=j: self._points_ball(j) - self._step(j, -1)) for j in range(_POINTS))
            high = min(above(lambda j=j: self._points_ball(j) + self._step(j, 1)) for j in range(_POINTS))
            near = int(np.argmin(np.abs(self._sums[:, 0])))
            value = float(self._points[near] + self._sums[near, 0] / self._slopes[near])
            value = min(max(value, low), high)
        return Estimate(
            value,
            *ends(low, high, self.side),
            self.confidence,
            "at all times",
            "Catoni",
            f"every observation has variance {self.variance:g} or less and the same mean given those before it",
            observations=self.observations,
            family=self.family,
        )

    def _take(self, x: np.ndarray, seen: int) -> None:
        influence(x, seen, self._log, self.variance, self._points, self._sums, self._slopes, self._totals)

    def _weights(self) -> np.ndarray:
        steps = range(1, self._first.size + 1)
        return np.array([influence_weight(float(t), self._log, self.variance) for t in steps])

    def _ends_of_first(self) -> tuple[float, float]:
        """The interval after the first observations, from themselves."""
        weights = self._weights()
        squares = [ball(float(weight)) ** 2 for weight in weights]
        variance = ball(self.variance)
        threshold = above(lambda: sum(((1 + w * variance / 2).log() for w in squares), -ball(self.error).log()))
        return crossing(self._first, weights, threshold)[0], crossing(self._first, weights, -threshold)[1]

    def _points_ball(self, j: int) -> Ball:
        return ball(float(self._points[j]))

    def _step(self, j: int, sign: int) -> Ball:
        """The h >= 0 or below by which the end lies beyond point j: sign f - h D + h² Q / 8 = -threshold, Q = Σ λ²."""
        n = self.observations
        rounding = arb(1, (n + 32) * 2.0**-52)  # sums of positive terms, each right to 32 units
        value = sign * sum_of(self._sums[j], n, roundings=16)
        slope, squares, threshold = (ball(float(s)) * rounding for s in (self._slopes[j], *self._totals))
        gap = value + threshold - ball(self.error).log()
        return 2 * gap / (slope + (slope**2 - squares * gap / 2).sqrt())
