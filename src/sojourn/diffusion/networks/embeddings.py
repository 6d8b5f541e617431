"""Time as a vector: sinusoids of geometric frequencies from 1 down to 1/10000, and two layers.

e(t) = [sin(w_0 t), ..., sin(w_{k-1} t), cos(w_0 t), ..., cos(w_{k-1} t)],   w_j = 10000^(-j / (k - shift))
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def sinusoids(t: Tensor, width: int, *, shift: int = 1) -> Tensor:
    """e(t), (n, width) in the precision of float64; width is even.

    Source: Vaswani et al. (2017) with shift=0; Ho, Jain and Abbeel (2020), whose code has shift=1.
    """
    half = width // 2
    steps = torch.arange(half, dtype=torch.float64, device=t.device)
    angles = t.double()[:, None] * torch.exp(-math.log(10000) / (half - shift) * steps)
    return torch.cat((angles.sin(), angles.cos()), 1)


class TimeEmbedding(nn.Module):
    """Linear(SiLU(Linear(e(t)))), (n, outputs)."""

    def __init__(self, width: int, outputs: int, *, shift: int = 1) -> None:
        super().__init__()
        self.width, self.shift = width, shift
        self.first, self.second = nn.Linear(width, outputs), nn.Linear(outputs, outputs)

    def forward(self, t: Tensor) -> Tensor:
        features = sinusoids(t, self.width, shift=self.shift).to(self.first.weight.dtype)
        return self.second(F.silu(self.first(features)))
