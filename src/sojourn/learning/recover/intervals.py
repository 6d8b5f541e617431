"""Intervals for fitted parameters, from noise that cells do not share and from the scatter of blocks of space.

    noise:   Cov = H^-1 B H^-1, B the covariance of the score J^T r under white noise
    blocks:  the same with B = sum over blocks of (score of the block) (score of the block)^T, and Student's t

The larger is taken. Source of the second: H. White, Econometrica 48 (1980), on the "sandwich"; P. Hall, J. Horowitz and
B.-Y. Jing, Biometrika 82 (1995), on blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from sojourn.learning.recover.waves import Waves

_ROUNDING = 1e-10  # where the iteration stops, relative to a parameter


@dataclass
class Intervals:
    """Attributes:
    noise: (4, 4) covariance of theta under white noise.
    inverse: H^-1; information: H.
    scores: (4, blocks) the score of every block.
    scale: (4,) size of a notable change; active: (4,) which were fitted.
    confidence: nominal coverage; rounding: of the recorded numbers, relative.
    coherent: norm of an error in the data that may point in any one direction, however smooth.
    """

    noise: np.ndarray
    inverse: np.ndarray
    information: np.ndarray
    scores: np.ndarray
    scale: np.ndarray
    active: np.ndarray
    confidence: float
    rounding: float
    coherent: float = 0.0

    def half(self, derivative: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Half widths for `values`, functions of theta with this derivative (n, 4)."""
        level, count = 0.5 + self.confidence / 2, self.scores.shape[1]
        widths = [norm.ppf(level) * _spread(derivative, self.noise)]
        if count >= 8:
            blocks = self.inverse @ (self.scores @ self.scores.T) @ self.inverse
            widths.append(t.ppf(level, count - 1) * _spread(derivative, blocks))
        worst = self.coherent * _spread(derivative, self.inverse)
        return np.max(widths, axis=0) + worst + max(self.rounding, _ROUNDING) * np.abs(values)

    @property
    def condition(self) -> float:
        """Condition number of H among what was fitted, in units of `scale`."""
        size = self._spectrum()[0]
        return float(size[-1] / size[0]) if size[0] > 0 else float("inf")

    @property
    def lost(self) -> np.ndarray:
        """(4,) what was not fitted, and what has a share in a direction of which H knows nothing to rounding."""
        size, vectors = self._spectrum()
        blind = vectors[:, size <= 1e-13 * size[-1]]
        found = ~self.active
        found[self.active] |= (np.abs(blind) > 1e-3).any(axis=1)
        return found

    def _spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        d = self.scale[self.active]
        size, vectors = np.linalg.eigh(d[:, None] * self.information[np.ix_(self.active, self.active)] * d)
        return size, vectors


def _spread(derivative: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", derivative, covariance, derivative), 0.0))


def blocks(scores: list[np.ndarray], side: int) -> np.ndarray:
    """Sums of (4, ensemble, *shape) over blocks of about `side` cells along every axis: (4, blocks)."""
    found = []
    for score in scores:
        for axis in range(2, score.ndim):
            n = score.shape[axis]
            score = np.add.reduceat(score, np.linspace(0, n, max(1, n // side) + 1).astype(int)[:-1], axis=axis)
        found.append(score.reshape(4, -1))
    return np.concatenate(found, axis=1)


def excess_of_long_waves(waves: Waves, residuals: list[np.ndarray]) -> float:
    """Rms of residuals (ensemble, time, 2, *shape) in the longest waves over that in all; 1 for white noise."""
    low = waves.shells <= waves.shells.max() // 3
    ratio = []
    for i in range(2):
        power = np.zeros(waves.shells.shape)
        for r in residuals:
            power = power + (np.abs(waves.forward(r[:, :, i])) ** 2).sum(axis=(0, 1))
        whole = (waves.count * power).sum() / waves.count.sum()
        ratio.append((waves.count * power)[low].sum() / max(waves.count[low].sum(), 1) / max(whole, 1e-300))
    return float(np.sqrt(max(ratio)))
