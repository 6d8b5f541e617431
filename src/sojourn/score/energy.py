"""An energy network: an unnormalised log density that any objective may train, and that can be normalised.

    log p(x) = sum_j alpha_j tanh(h_j(x)) + log q0(x) - log Z,   q0 = N(0, base^2)

with h a network of softplus. The sum lies within sum |alpha_j| of zero, and so does log Z.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sojourn.errors import InputError
from sojourn.score.normal import log_normal


class EnergyNetwork(nn.Module):
    """x (n, D) -> log p(x) + log Z, (n,); `DensityScore(EnergyNetwork(D))` is its score.

    Args:
        dimension: D.
        hidden: width of every layer, and the number of terms.
        depth: layers, at least 1.
        base: standard deviation of q0; data should be centred and of about unit variance.
    """

    def __init__(self, dimension: int, hidden: int = 64, depth: int = 3, *, base: float = 2.0) -> None:
        super().__init__()
        for name, value in (("dimension", dimension), ("hidden", hidden), ("depth", depth)):
            if value < 1:
                raise InputError(f"{name}={value} is below 1")
        if not 0 < base < math.inf:
            raise InputError(f"base={base} is not a finite number above zero")
        self.dimension, self.base = dimension, base
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise([dimension, *[hidden] * depth]))
        self.alpha = nn.Parameter(torch.zeros(hidden))

    def forward(self, x: Tensor) -> Tensor:
        return self.correction(x) + self.log_base(x)

    def correction(self, x: Tensor) -> Tensor:
        """sum_j alpha_j tanh(h_j(x)), (n,)."""
        if x.ndim != 2 or x.shape[1] != self.dimension:
            raise InputError(f"x has shape {tuple(x.shape)}; this network takes (n, {self.dimension})")
        for k, layer in enumerate(self.layers):
            x = layer(F.softplus(x) if k else x)
        return torch.tanh(x) @ self.alpha

    def log_base(self, x: Tensor) -> Tensor:
        """log q0(x), (n,)."""
        return log_normal(x, self.base)
