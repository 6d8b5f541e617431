"""The stitched sequence, a law of the iterated logarithm: Sₙ - n μ < √(k₁² v ℓ + (k₂ c ℓ)²) + k₂ c ℓ for every n,

ℓ = s ln ln(η v / v₀) + ln(ζ(s) / (α lnˢ η)), k₁ = (η^¼ + η^-¼) / √2, k₂ = (√η + 1) / 2, s = 1.4, η = 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Self

from flint import arb

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.rounding import Ball, ball
from sojourn.bounds.sequences.running import RunningSum, around_mean, proxy_of, spread_in_words
from sojourn.bounds.sequences.sequence import ConfidenceSequence
from sojourn.errors import InputError

_S = Fraction(7, 5)
_ETA = 2


@dataclass(kw_only=True)
class Stitched(ConfidenceSequence):
    """Intervals at all times whose width falls as √(ln ln n / n), the fastest possible, for a mean.

    Lines that each bound an epoch v₀ ηᵏ <= v < v₀ ηᵏ⁺¹ are stitched together; epoch k may fail with probability
    α / (ζ(s) (k + 1)ˢ), and a curve lies above them all. α is the error of one end, v = n σ² and v₀ = σ².

    Args:
        range: (a, b), which holds every observation; alone, σ² = (b - a)² / 4 and c = 0.
        variance: with a range, a bound for the variance of each observation given those before it: σ² = variance and
            c = (b - a) / 3 (Bernstein). Narrower than the range alone where the variance is small.
        variance_proxy: in place of a range, σ² with E[exp(λ (Xᵢ - μ)) | past] <= exp(λ² σ² / 2) for all λ; c = 0.
        confidence, side, family: as in `ConfidenceSequence`.

    Source: S. R. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, Ann. Statist. 49 (2021), 1055, arXiv 1810.08240,
    theorem 1.
    """

    range: tuple[float, float] | None = None
    variance: float | None = None
    variance_proxy: float | None = None
    _sum: RunningSum = field(default_factory=RunningSum, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.range = None if self.range is None else checks.bracket("range", self.range)
        proxy_of(self.range, self.variance_proxy)
        if self.variance is not None:
            checks.positive("variance", self.variance)
            if self.range is None:
                raise InputError(f"variance={self.variance:g} bounds no tail by itself; give range=(a, b) with it")

    def update(self, values: Any) -> Self:
        x = checks.observations(values, self.range)
        self._sum.add(x)
        self.observations += x.size
        return self

    def estimate(self) -> Estimate:
        words = spread_in_words(self.range, self.variance_proxy)
        if self.variance is not None:
            words += f", with variance {self.variance:g} or less given those before it,"
        return around_mean(
            self,
            self._sum,
            self._boundary,
            "stitched",
            f"{words} and has the same mean given those before it",
            self.range,
        )

    def _boundary(self) -> Ball:
        n, scale = self.observations, ball(0)
        variance = proxy_of(self.range, self.variance_proxy)
        if self.variance is not None and self.range is not None:
            variance, scale = ball(self.variance), (ball(self.range[1]) - ball(self.range[0])) / 3
        return stitched_boundary(n * variance, scale, ball(n), ball(self.error))


def stitched_boundary(v: Ball, scale: Ball, epochs: Ball, error: Ball) -> Ball:
    """The boundary at intrinsic time v for sub-gamma scale c, where epochs = v / v₀ >= 1."""
    s, eta = ball(_S), ball(_ETA)
    log = s * ((eta * epochs).log() / eta.log()).log() + (s.zeta() / error).log()
    k1 = (eta.root(4) + 1 / eta.root(4)) / arb(2).sqrt()
    linear = (eta.sqrt() + 1) / 2 * scale * log
    return (k1**2 * v * log + linear**2).sqrt() + linear
