"""The waves that fit a grid and its walls, in which a Laplacian is a list of numbers.

Fourier where periodic, cosines between Neumann walls, sines between Dirichlet walls; all orthonormal, so that white
noise of standard deviation s has coefficients of mean square s^2, and a symmetric operator stays symmetric.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from scipy import fft

from sojourn.processes.gray_scott import stencils


class Waves:
    """Values (..., *shape) <-> coefficients, and the eigenvalues of minus a Laplacian.

    Args:
        shape, spacing: cells along each axis and their distance.
        boundary: "periodic", "neumann" (even about the walls) or "dirichlet" (odd about them: zero on the walls).
        stencil: of finite differences; or "spectral", |k|^2.
    """

    def __init__(self, shape: tuple[int, ...], spacing: tuple[float, ...], boundary: str, stencil: str) -> None:
        self.shape, self.spacing, self.boundary, self.stencil = shape, spacing, boundary, stencil
        self.axes = tuple(range(-len(shape), 0))

    def forward(self, values: np.ndarray) -> np.ndarray:
        if self.boundary == "periodic":
            return np.asarray(fft.rfftn(values, axes=self.axes, norm="ortho"))
        return np.asarray(
            (fft.dctn if self.boundary == "neumann" else fft.dstn)(values, 2, axes=self.axes, norm="ortho")
        )

    def backward(self, coefficients: np.ndarray) -> np.ndarray:
        if self.boundary == "periodic":
            return np.asarray(fft.irfftn(coefficients, s=self.shape, axes=self.axes, norm="ortho"))
        back = fft.idctn if self.boundary == "neumann" else fft.idstn
        return np.asarray(back(coefficients, 2, axes=self.axes, norm="ortho"))

    @cached_property
    def angles(self) -> list[np.ndarray]:
        """k h along each axis, in [0, pi], shaped for the coefficients."""
        found = []
        for axis, n in zip(self.axes, self.shape, strict=True):
            if self.boundary == "periodic":
                whole = np.arange(n // 2 + 1) if axis == -1 else np.abs(fft.fftfreq(n, 1 / n))
                angle = 2 * math.pi * whole / n
            else:
                angle = math.pi * (np.arange(n) + (self.boundary == "dirichlet")) / n
            found.append(angle.reshape(-1, *[1] * (-1 - axis)))
        return found

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """Of minus the Laplacian, for every coefficient."""
        if self.stencil == "spectral":
            return sum(((a / h) ** 2 for a, h in zip(self.angles, self.spacing, strict=True)), np.zeros(()))
        total = np.zeros(())
        for offset, w in stencils.weights(self.stencil, self.spacing).items():  # type: ignore[arg-type]
            total = total - w * math.prod((np.cos(o * a) for o, a in zip(offset, self.angles, strict=True)), start=1.0)
        return total

    def laplacian(self, values: np.ndarray) -> np.ndarray:
        return self.backward(-self.eigenvalues * self.forward(values))

    @cached_property
    def count(self) -> np.ndarray:
        """How many real waves a coefficient stands for: a real transform leaves out the conjugates."""
        found = np.ones([len(range(n // 2 + 1)) if a == -1 and self.boundary == "periodic" else n
                         for a, n in zip(self.axes, self.shape, strict=True)])  # fmt: skip
        if self.boundary == "periodic":
            found[..., 1 : (self.shape[-1] + 1) // 2] = 2
        return found

    @cached_property
    def shells(self) -> np.ndarray:
        """Which shell of wavenumber each coefficient is in: about as many as the longest axis has waves."""
        size = np.sqrt(sum(((a / h) ** 2 for a, h in zip(self.angles, self.spacing, strict=True)), np.zeros(())))
        longest = max(n * h for n, h in zip(self.shape, self.spacing, strict=True))
        step = (2 if self.boundary == "periodic" else 1) * math.pi / longest
        return np.rint(size / step).astype(np.int64)

    def power(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean square of the coefficients in every shell, over all leading axes; and how many there are in it."""
        square = np.abs(self.forward(values)) ** 2
        square = square.reshape(-1, *square.shape[-len(self.shape) :]).mean(0)
        modes = np.bincount(self.shells.ravel(), self.count.ravel())
        return np.bincount(self.shells.ravel(), (self.count * square).ravel()) / np.maximum(modes, 1), modes

    def noise_floor(self, values: np.ndarray) -> float:
        """Standard deviation of the white noise in these values: the lowest mean power of the shortest waves, of an
        eighth of all or more."""
        power, modes = self.power(values)
        number = np.cumsum(modes[::-1])
        mean = np.cumsum((modes * power)[::-1]) / np.maximum(number, 1)
        return math.sqrt(max(float(mean[number >= number[-1] / 8].min()), 0.0))

    def still_falling(self, power: np.ndarray, modes: np.ndarray) -> bool:
        """Whether the last eighth of the waves has less than half the mean power of the eighth before it."""
        share = np.cumsum(modes[::-1])[::-1] / modes.sum()
        last, before = share <= 1 / 8, (share > 1 / 8) & (share <= 1 / 4)
        if not (last.any() and before.any()):
            return False
        means = [(modes * power)[s].sum() / modes[s].sum() for s in (last, before)]
        return bool(means[0] < 0.5 * means[1])

    def clear_of(self, noise: float, modes: np.ndarray, pictures: int) -> np.ndarray:
        """A power that white noise of this standard deviation does not reach in a shell of so many waves.

        By the Laurent-Massart bound a mean of m squares is below 1 + 2 sqrt(x/m) + 2 x/m except with probability e^-x;
        here x = 16, for 1e-7.
        """
        m = np.maximum(modes, 1) * pictures
        return noise**2 * (1 + 8 / np.sqrt(m) + 32 / m)

    def has_structure(self, values: np.ndarray, noise: float) -> bool:
        """Whether some shell other than the constant stands out of white noise, or of rounding."""
        power, modes = self.power(values)
        least = max(noise, 1e-6 * float(np.abs(values).max()))
        pictures = math.prod(values.shape[: -len(self.shape)])
        first = 0 if self.boundary == "dirichlet" else 1
        return bool((power > self.clear_of(least, modes, pictures))[first:].any())
