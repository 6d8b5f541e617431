"""Half widths for a sum of independent means, one a level, and how many paths on each level they need.

Two ways to know how far a mean may be off: a central limit theorem, or, for f within known bounds, an inequality that
holds for every number of paths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy import stats

from sojourn.bounds.intervals import maurer_pontil_half_width

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

    Source: Maurer and Pontil, COLT 2009, theorem 4; `bounds.intervals.maurer_pontil_half_width`.
    """

    confidence: float
    range: float
    name = "empirical Bernstein"

    def half_width(self, s: Samples) -> float:
        return math.nextafter(math.fsum(self._part(s, k, s.paths[k]) for k in range(len(s.paths))), math.inf)

    def paths_needed(self, s: Samples, half_width: float) -> np.ndarray:
        """Doubles the paths where the half width falls most for the work, until it is small enough."""
        paths = s.paths.astype(float)  # more may be needed than 64 bits count
        now, twice = (np.array([self._part(s, k, n) for k, n in enumerate(more)]) for more in (paths, 2 * paths))
        while now.sum() > half_width:
            k = int(((now - twice) / (paths * s.works)).argmax())
            paths[k] *= 2
            now[k], twice[k] = twice[k], self._part(s, k, 2 * paths[k])
        return paths

    def sentence(self, half_width: float) -> str:
        return (
            f"By an empirical Bernstein inequality, with probability of at least {self.confidence:.6g} the value is "
            f"within {half_width:.2g} of"
        )

    def _part(self, s: Samples, k: int, paths: float) -> float:
        level, j = int(s.numbers[k]), round(math.log2(paths / PILOT))
        error = (1 - Fraction(self.confidence)) / (4 * (level + 1) * (level + 2) * (j + 1) * (j + 2))
        width = self.range if k == 0 else 2 * self.range
        return maurer_pontil_half_width(float(s.variances[k]), int(paths), width=width, error=error)
