"""The Fourier neural operator of Li et al. (arXiv 2010.08895), as a baseline: waves mixed channel by channel.

h_{l+1} = h_l + gelu(W_l h_l + F^{-1}(R_l F h_l)),    R_l: one complex matrix for each kept wave
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from sojourn.errors import InputError
from sojourn.learning.emulators.network import FramesNetwork


class FNO(FramesNetwork):
    """An FNO on two-dimensional periodic grids; it commutes with translations.

    Args:
        fields, history: as for every emulator.
        width: channels.
        modes: waves kept along each axis, on each side of zero.
        layers: Fourier layers.
    """

    def __init__(self, fields: int, *, history: int = 4, width: int = 32, modes: int = 16, layers: int = 4) -> None:
        super().__init__(fields, history)
        if min(width, modes, layers) < 1:
            raise InputError(f"width={width}, modes={modes} and layers={layers} must all be 1 or more")
        self.lift = nn.Sequential(nn.Conv2d(fields * history, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, width, 1))
        self.spectral = nn.ModuleList(SpectralConvolution(width, modes) for _ in range(layers))
        self.local = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(layers))
        self.project = nn.Sequential(nn.Conv2d(width, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, fields, 1))

    def increment(self, frames: torch.Tensor) -> torch.Tensor:
        h = self.lift(frames)
        for spectral, local in zip(self.spectral, self.local, strict=True):
            h = h + functional.gelu(spectral(h) + local(h))
        return self.project(h)


class SpectralConvolution(nn.Module):
    """Multiplies each kept wave's coefficient, |k_y| < modes and 0 <= k_x < modes, by a complex matrix of its own."""

    def __init__(self, width: int, modes: int) -> None:
        super().__init__()
        self.modes = modes
        # one complex (width, width) matrix for each k_y in -modes+1..modes-1 and k_x in 0..modes-1, as pairs of reals
        self.weight = nn.Parameter(torch.randn(width, width, 2 * modes - 1, modes, 2) / width)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        rows, columns = h.shape[-2:]
        my, mx = min(self.modes, (rows + 1) // 2), min(self.modes, columns // 2 + 1)
        waves = torch.fft.rfft2(h, norm="forward")
        weight = torch.view_as_complex(self.weight)[:, :, self.modes - my : self.modes + my - 1, :mx]
        kept = torch.cat([waves[:, :, rows - my + 1 :, :mx], waves[:, :, :my, :mx]], dim=2)
        mixed = torch.einsum("bixy,ioxy->boxy", kept, weight)
        out = torch.zeros_like(waves)
        out[:, :, rows - my + 1 :, :mx] = mixed[:, :, : my - 1]
        out[:, :, :my, :mx] = mixed[:, :, my - 1 :]
        return torch.fft.irfft2(out, s=(rows, columns), norm="forward")
