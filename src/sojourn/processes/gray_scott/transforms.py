"""Spectral transforms: values on a grid <-> coefficients of waves that fit the domain, on any finer grid too.

Fourier:  f(x) = sum_k c_k exp(2 pi i k.x / L)             periodic; x_j = j L/n
Cosine:   f(x) = sum_k c_k prod_i s(k_i) cos(pi k_i x_i / L_i)   no flux; x_j = (j + 1/2) L/n; s(0) = 1, else 2

Coefficients do not depend on the grid, so a grid of `points` > `shape` is reached by zero padding. `waves` are the
wavenumbers squared, |k|^2, in the shape of the coefficients.

Only whole transforms over contiguous trailing axes are used: with them the FFT library gives a member of an ensemble
the same bits whatever the other members are, which a test holds.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod

import torch
from torch.fft import irfft, irfftn, rfft, rfftn


class Transform(ABC):
    """Values (..., *points) <-> coefficients; points = factor * shape.

    Args:
        shape: cells of the state.
        lengths: extent of the domain along each axis.
        factor: how many times finer the grid of values is; the finer grid's own waves are cut off.
    """

    def __init__(self, shape: tuple[int, ...], lengths: tuple[float, ...], factor: int = 1) -> None:
        self.shape, self.lengths, self.factor = shape, lengths, factor
        self.points = tuple(n * factor for n in shape)
        self.axes = tuple(range(-len(shape), 0))

    def squared_wavenumbers(self, device: torch.device) -> torch.Tensor:
        """|k|^2 of every coefficient, float64."""
        total = torch.zeros((), dtype=torch.float64, device=device)
        for axis, k in zip(self.axes, self._wavenumbers(), strict=True):
            total = total + (k.to(device) ** 2).reshape(-1, *[1] * (-1 - axis))
        return total

    @abstractmethod
    def _wavenumbers(self) -> list[torch.Tensor]: ...

    @abstractmethod
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Coefficients of values on the (finer) grid."""

    @abstractmethod
    def backward(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Values on the (finer) grid."""


class Fourier(Transform):
    """Real Fourier series by the FFT. On a finer grid the waves of half the grid's frequency, whose sign a grid of
    `shape` does not know, are left out."""

    def _wavenumbers(self) -> list[torch.Tensor]:
        full = [
            torch.fft.fftfreq(n, L / n, dtype=torch.float64)
            for n, L in zip(self.shape[:-1], self.lengths, strict=False)
        ]
        half = torch.fft.rfftfreq(self.shape[-1], self.lengths[-1] / self.shape[-1], dtype=torch.float64)
        return [2 * math.pi * k for k in (*full, half)]

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        found = rfftn(values, dim=self.axes, norm="forward")
        if self.factor == 1:
            return found
        kept = found.new_zeros((*values.shape[: self.axes[0]], *self.shape[:-1], self.shape[-1] // 2 + 1))
        for own, fine in self._blocks():
            kept[own] = found[fine]
        return kept

    def backward(self, coefficients: torch.Tensor) -> torch.Tensor:
        if self.factor > 1:
            lead = coefficients.shape[: self.axes[0]]
            padded = coefficients.new_zeros((*lead, *self.points[:-1], self.points[-1] // 2 + 1))
            for own, fine in self._blocks():
                padded[fine] = coefficients[own]
            coefficients = padded
        return irfftn(coefficients, s=self.points, dim=self.axes, norm="forward")

    def _blocks(self) -> list[tuple[tuple, tuple]]:
        """Where the waves below half the grid's frequency stand among the coefficients, here and on the finer grid."""
        choices = []
        for n, m in zip(self.shape[:-1], self.points[:-1], strict=True):
            rising, falling = (n + 1) // 2, (n - 1) // 2
            choices.append([(slice(0, rising), slice(0, rising)), (slice(n - falling, n), slice(m - falling, m))])
        choices.append([(slice(0, (self.shape[-1] + 1) // 2),) * 2])
        found = [zip(*choice, strict=True) for choice in itertools.product(*choices)]
        return [((..., *own), (..., *fine)) for own, fine in found]


class Cosine(Transform):
    """Cosine series by the FFT of the even extension, axis by axis."""

    def _wavenumbers(self) -> list[torch.Tensor]:
        return [
            math.pi / L * torch.arange(n, dtype=torch.float64) for n, L in zip(self.shape, self.lengths, strict=True)
        ]

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        for axis, n, m in zip(self.axes, self.shape, self.points, strict=True):
            lines = values.movedim(axis, -1)
            waves = rfft(torch.cat([lines, lines.flip(-1)], -1), norm="forward")[..., :n]
            values = (waves * _half_cell(n, m, waves, -1)).real.movedim(-1, axis)
        return values

    def backward(self, coefficients: torch.Tensor) -> torch.Tensor:
        for axis, n, m in zip(self.axes, self.shape, self.points, strict=True):
            lines = coefficients.movedim(axis, -1).contiguous()
            lines = irfft(lines * _half_cell(n, m, lines, 1), n=2 * m, norm="forward")[..., :m]
            coefficients = lines.movedim(-1, axis)
        return coefficients


def _half_cell(n: int, m: int, like: torch.Tensor, sign: int) -> torch.Tensor:
    """exp(sign i pi k / 2m): half a cell's shift, since the grid points are the middles of cells."""
    k = torch.arange(n, device=like.device, dtype=torch.float64)
    phase = torch.polar(torch.ones_like(k), sign * math.pi / (2 * m) * k)
    kind = torch.complex64 if like.dtype in (torch.float32, torch.complex64) else torch.complex128
    return phase.to(kind)
