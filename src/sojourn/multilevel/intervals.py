"""Half widths for a sum of independent means, one a level, and how many paths on each level they need.

Two ways to know how far a mean may be off: a central limit theorem, or, for f within known bounds, an inequality that
holds for every number of paths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

PILOT = 1024
"""Paths on a level before anything is known of it."""


@dataclass(frozen=True)
class Samples:
    """What is known of the levels in use, one entry a level.

    Args:
        numbers: l, for steps of T / 2^l.
        variances, kurtoses: of f on the first level, of its differences on the others.
        paths: how many have run.
        works: steps that one more path takes.
    """

    numbers: np.ndarray
    variances: np.ndarray
    kurtoses: np.ndarray
    paths: np.ndarray
    works: np.ndarray


@dataclass(frozen=True)
class CentralLimit:
    """q sqrt(sum_l V_l / n_l), with Student's quantile q.

    Satterthwaite's degrees of freedom: 2 (sum V/n)^2 / sum (V/n)^2 (kappa-1)/n, because Var(S^2) = sigma^4 (kappa-1)/n.
    """

    confidence: float
    name = "Student"

    def quantile(self, s: Samples) -> float:
        parts = s.variances / s.paths
        spread = float((parts**2 * np.maximum(s.kurtoses - 1, 0.0) / s.paths).sum())
        degrees = 2 * float(parts.sum()) ** 2 / spread if spread > 0 else math.inf
        return float(stats.t.ppf(0.5 + self.confidence / 2, max(degrees, 1.0)))

    def half_width(self, s: Samples) -> float:
        return self.quantile(s) * math.sqrt(float((s.variances / s.paths).sum()))

    def paths_needed(self, s: Samples, half_width: float) -> np.ndarray:
        """n_l proportional to sqrt(V_l / work_l)."""
        each = float(np.sqrt(s.variances * s.works).sum()) * (self.quantile(s) / half_width) ** 2
        return np.maximum(PILOT, np.ceil(np.sqrt(s.variances / s.works) * each))

    def sentence(self, half_width: float) -> str:
        return (
            f"By the central limit theorem, with probability of about {self.confidence:.6g} the value is within "
            f"{half_width:.2g} of"
        )


@dataclass(frozen=True)
class EmpiricalBernstein:
    """sum_l sqrt(2 V_l g_l / n_l) + 7 R_l g_l / (3 (n_l - 1)), with R the range of f, twice that for differences.

    The inequality holds for a number of paths that is fixed beforehand. Here the samples themselves choose the levels
    and their paths, so it is asked to hold at once for all levels l, for n = 1024 2^j, j = 0, 1, ..., for both signs,
    and for f and its differences: g = ln(8 (l+1)(l+2) (j+1)(j+2) / (1 - confidence)), because sum 1/((l+1)(l+2)) = 1.

    Source: Maurer and Pontil, COLT 2009, theorem 4.
    """

    confidence: float
    range: float
    name = "empirical Bernstein"

    def half_width(self, s: Samples) -> float:
        return float(self._parts(s).sum())

    def paths_needed(self, s: Samples, half_width: float) -> np.ndarray:
        """Doubles the paths where the half width falls most for the work, until it is small enough."""
        s = replace(s, paths=s.paths.astype(float))  # more may be needed than 64 bits count
        while True:
            now = self._parts(s)
            if now.sum() <= half_width:
                return s.paths
            gain = (now - self._parts(replace(s, paths=2 * s.paths))) / (s.paths * s.works)
            s.paths[int(gain.argmax())] *= 2

    def sentence(self, half_width: float) -> str:
        return (
            f"By an empirical Bernstein inequality, with probability of at least {self.confidence:.6g} the value is "
            f"within {half_width:.2g} of"
        )

    def _parts(self, s: Samples) -> np.ndarray:
        j = np.round(np.log2(s.paths / PILOT))
        g = np.log(8 * (s.numbers + 1) * (s.numbers + 2) * (j + 1) * (j + 2) / (1 - self.confidence))
        ranges = np.full(len(j), 2 * self.range)
        ranges[0] = self.range
        return np.sqrt(2 * s.variances * g / s.paths) + 7 * ranges * g / (3 * (s.paths - 1))
