"""A residual U-Net (Ronneberger et al., arXiv 1505.04597), as a baseline: convolutions on a pyramid of grids."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from sojourn.errors import InputError
from sojourn.learning.emulators.network import FramesNetwork


class UNet(FramesNetwork):
    """A U-Net on two-dimensional periodic grids whose sides divide by 2^(levels - 1).

    Args:
        fields, history: as for every emulator.
        width: channels of the finest level; every coarser level has twice as many.
        levels: grids of the pyramid.
    """

    def __init__(self, fields: int, *, history: int = 4, width: int = 16, levels: int = 4) -> None:
        super().__init__(fields, history)
        if width < 1 or levels < 1:
            raise InputError(f"width={width} and levels={levels} must both be 1 or more")
        widths = [width * 2**k for k in range(levels)]
        self.first = _convolution(fields * history, width)
        self.down = nn.ModuleList(Block(w) for w in widths)
        self.coarser = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.finer = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.up = nn.ModuleList(Block(w) for w in widths[:-1])
        self.last = nn.Conv2d(width, fields, 1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # several times faster on a CPU

    def increment(self, frames: torch.Tensor) -> torch.Tensor:
        least = 2 ** len(self.coarser)
        if any(n % least for n in frames.shape[-2:]):
            raise InputError(
                f"a grid of {tuple(frames.shape[-2:])} points does not divide by {least}, as this U-Net needs"
            )
        h = self.first(frames.contiguous(memory_format=torch.channels_last))
        kept = []
        for block, coarser in zip(self.down, self.coarser, strict=False):
            h = block(h)
            kept.append(h)
            h = coarser(h)
        h = self.down[-1](h)
        for k in reversed(range(len(self.up))):
            h = kept[k] + functional.interpolate(self.finer[k](h), scale_factor=2)
            h = self.up[k](h)
        return self.last(h).contiguous()


class Block(nn.Module):
    """h + conv(gelu(norm(conv(gelu(norm(h))))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        groups = min(8, width)
        self.steps = nn.Sequential(
            nn.GroupNorm(groups, width),
            nn.GELU(),
            _convolution(width, width),
            nn.GroupNorm(groups, width),
            nn.GELU(),
            _convolution(width, width),
        )

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return h + self.steps(h)


def _convolution(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1, padding_mode="circular")
