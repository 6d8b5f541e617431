"""NICE: a flow of additive couplings, whose density is known, with the score's derivatives like any other density.

z = exp(a) . C4(C3(C2(C1(P x)))),   log p(x) = log N(z; 0, 1) + sum a
P puts even coordinates first; a coupling adds a network of one half to the other half, in turns.

Source: Dinh, Krueger and Bengio, NICE: Non-linear independent components estimation (2014), with softplus and a normal
law as in Song, Garg, Shi and Ermon (2019), section 6.1.2.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from sojourn.errors import InputError
from sojourn.score.normal import log_normal


class NICE(nn.Module):
    """x (n, D) -> log p(x), (n,).

    Args:
        dimension: D, even.
        hidden: width of the couplings' networks.
        depth: dense layers in each of them, at least 2.
        couplings: how many.
    """

    def __init__(self, dimension: int, hidden: int = 1000, depth: int = 5, couplings: int = 4) -> None:
        super().__init__()
        if dimension < 2 or dimension % 2:
            raise InputError(f"dimension={dimension} is not even and above zero, so it has no halves; leave one out")
        if min(hidden, couplings) < 1 or depth < 2:
            raise InputError(f"hidden={hidden}, depth={depth}, couplings={couplings}: depth is at least 2, others 1")
        self.dimension, half = dimension, dimension // 2
        widths = [half, *[hidden] * (depth - 1), half]
        self.couplings = nn.ModuleList(_network(widths) for _ in range(couplings))
        self.log_scale = nn.Parameter(torch.zeros(dimension))

    def forward(self, x: Tensor) -> Tensor:
        return log_normal(self.code(x)) + self.log_scale.sum()

    def code(self, x: Tensor) -> Tensor:
        """z of x."""
        self._check(x)
        pairs = x.unflatten(1, (-1, 2))
        halves = [pairs[:, :, 0], pairs[:, :, 1]]
        for k, network in enumerate(self.couplings):
            halves[1 - k % 2] = halves[1 - k % 2] + network(halves[k % 2])
        return torch.cat(halves, 1) * self.log_scale.exp()

    def decode(self, z: Tensor) -> Tensor:
        """x of z; of normal z, a sample."""
        self._check(z)
        halves = list((z * torch.exp(-self.log_scale)).chunk(2, dim=1))
        for k, network in reversed(list(enumerate(self.couplings))):
            halves[1 - k % 2] = halves[1 - k % 2] - network(halves[k % 2])
        return torch.stack(halves, 2).flatten(1)

    @torch.no_grad()
    def standardise(self, x: Tensor) -> None:
        """Sets the scales and the last two shifts so that the codes of x (n, D) have mean 0 and variance 1.

        Raises:
            InputError: one coupling, which shifts one half alone; data that are not finite, or a coordinate that does
                not vary.
        """
        self._check(x)
        if len(self.couplings) < 2:
            raise InputError("one coupling shifts half of the coordinates; make the flow of two or more")
        if not bool(x.isfinite().all()):
            raise InputError("the data hold NaN or infinity; drop those rows")
        if not bool((x != x[:1]).any(0).all()):
            raise InputError("a coordinate of the data does not vary; add noise to it, or leave it out")
        self.log_scale.zero_()
        for k in range(len(self.couplings))[-2:]:
            network: Any = self.couplings[k]
            network[-1].bias -= self.code(x).chunk(2, dim=1)[1 - k % 2].mean(0)
        self.log_scale.copy_(-self.code(x).std(0).log())

    def _check(self, x: Tensor) -> None:
        if x.ndim != 2 or x.shape[1] != self.dimension:
            raise InputError(f"x has shape {tuple(x.shape)}; this flow takes (n, {self.dimension})")


def _network(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.Softplus()]
    return nn.Sequential(*layers[:-1])
