"""The normal-mixture sequence: |Sₙ - n μ| < √((v + ρ)(ln(1 + v/ρ) + 2 ln(1/α))) for every n, v = n σ²."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Self

from scipy.special import lambertw

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.rounding import Ball, ball
from sojourn.bounds.sequences.running import RunningSum, around_mean, proxy_of, spread_in_words
from sojourn.bounds.sequences.sequence import ConfidenceSequence


@dataclass(kw_only=True)
class NormalMixture(ConfidenceSequence):
    """Intervals at all times for the mean of sub-Gaussian observations; tightest about one number of them.

    Robbins' mixture: exp(λ S - λ² v / 2) with S = Σ (Xᵢ - μ) is a supermartingale for every λ, so is its mean over
    λ ~ N(0, 1/ρ), √(ρ / (v + ρ)) exp(S² / (2 (v + ρ))), and by Ville's inequality it ever reaches 1/α with
    probability α at most: the boundary above, for both ends together. For one end the mean is over |λ|,
    2 √(ρ / (v + ρ)) exp(u²/2) Φ(u) with u = S / √(v + ρ); as 1 - Φ(u) <= exp(-u²/2) / 2, it stays below 1/α only where
    u² < 2 ln((1 + √(1 + v/ρ) / α) / 2).

    Args:
        range: (a, b), which holds every observation: σ² = (b - a)² / 4. Or:
        variance_proxy: σ² with E[exp(λ (Xᵢ - μ)) | past] <= exp(λ² σ² / 2) for all λ.
        tightest_at: the number of observations at which the interval shall be as narrow as it can; it sets ρ.
        confidence, side, family: as in `ConfidenceSequence`.

    Source: H. Robbins, Ann. Math. Statist. 41 (1970), 1397; S. R. Howard, A. Ramdas, J. McAuliffe and J. Sekhon,
    Ann. Statist. 49 (2021), 1055, arXiv 1810.08240 (two-sided normal mixture). That for one end is derived here.
    """

    range: tuple[float, float] | None = None
    variance_proxy: float | None = None
    tightest_at: int = 1000
    _sum: RunningSum = field(default_factory=RunningSum, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.range = None if self.range is None else checks.bracket("range", self.range)
        checks.count("tightest_at", self.tightest_at)
        proxy_of(self.range, self.variance_proxy)

    def update(self, values: Any) -> Self:
        x = checks.observations(values, self.range)
        self._sum.add(x)
        self.observations += x.size
        return self

    def estimate(self) -> Estimate:
        return around_mean(
            self,
            self._sum,
            self._boundary,
            "normal mixture",
            f"{spread_in_words(self.range, self.variance_proxy)} and has the same mean given those before it",
            self.range,
        )

    def _boundary(self) -> Ball:
        n, proxy = self.observations, proxy_of(self.range, self.variance_proxy)
        alpha = max(float(self.error) * (2 if self.side == "both" else 1), 1e-150)
        least = max(-float(lambertw(-(alpha**2) / math.e, -1).real) - 1, 1e-3)  # v/ρ at the least of the boundary / √v
        ratio = n * ball(least) / self.tightest_at  # v/ρ
        if self.side == "both":
            log = (1 + ratio).log() - 2 * ball(2 * self.error).log()
        else:
            log = 2 * ((1 + (1 + ratio).sqrt() / ball(self.error)) / 2).log()
        return (n * proxy * (1 + 1 / ratio) * log).sqrt()
