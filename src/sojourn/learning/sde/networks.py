"""Drift and diffusion as small perceptrons, several independent pairs evaluated at once.

a(x) = A net((x - mean) / spread),    B(x) = s L(net((x - mean) / spread)),    A = s^2 / spread
L is diagonal, or lower triangular, with softplus on its diagonal; s is the data's root mean square of dx / sqrt(h).

`moments` gives mean and covariance of X_h - x, right through h^2, from values of a and B alone:
mean = h/2 (a + E a),  covariance = h/2 M (Q + E Q) M^T,  M = 1 + h J/2 + h^2 J^2/8,  Q = B B^T,
with E the mean over the 2 d points x + a h -+ sqrt(h d) B_j, and J the slope of a between them.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from sojourn.learning.sde.transitions import Transitions

_PRIOR = 0.01  # precision of a last layer's weights before data are seen, which keeps least squares well posed


class CoefficientNetworks(nn.Module):
    """`copies` pairs of networks with two hidden layers of `width` and tanh.

    Call it with states (copies, n, d), or (1, n, d) for all; it returns drift (copies, n, d) and the factor B, which is
    (copies, n, d) if diagonal and (copies, n, d, d) else.
    """

    mean: torch.Tensor
    spread: torch.Tensor
    size: torch.Tensor

    def __init__(self, data: Transitions, copies: int, width: int, diagonal: bool, seed: int) -> None:
        super().__init__()
        d = data.x.shape[1]
        self.diagonal = diagonal
        self.register_buffer("mean", data.x.mean(0).float())
        self.register_buffer("spread", data.x.std(0).clamp(min=1e-12).float())
        self.register_buffer("size", ((data.y - data.x) ** 2 / data.h[:, None]).mean(0).sqrt().float())
        generator = torch.Generator().manual_seed(seed)
        outputs = d if diagonal else d * (d + 1) // 2
        self.drift = _Perceptrons(copies, d, width, d, generator)
        self.factor = _Perceptrons(copies, d, width, outputs, generator)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = (x - self.mean) / self.spread
        drift = self.size**2 / self.spread * self.drift(z)
        raw = self.factor(z)
        d = x.shape[-1]
        diagonal = self.size * functional.softplus(raw[..., :d] + math.log(math.e - 1))  # 1 where raw is 0
        if self.diagonal:
            return drift, diagonal
        row, column = torch.tril_indices(d, d, -1)
        lower = torch.zeros(*raw.shape[:-1], d, d, dtype=raw.dtype, device=raw.device)
        lower[..., row, column] = raw[..., d:] * self.size[row]
        return drift, lower + torch.diag_embed(diagonal)


def moments(model: CoefficientNetworks, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean (copies, n, d) and covariance (copies, n, d, d) of X_h - x at x (copies, n, d), for spans h (copies, n).

    They agree with Kessler's expansion (Scandinavian Journal of Statistics 24, 1997),
    h a + h^2/2 L a and h Q + h^2/2 (J Q + Q J^T + L Q), L the generator, but for O(h^3). The points are those of the
    cubature rule of degree three (S. Särkkä and A. Solin, Applied Stochastic Differential Equations, 2019, 9.3), and M,
    exp(h J/2) through second order, has no real zero, so that the covariance is positive.
    """
    copies, n, d = x.shape
    drift, B, away, points = _cubature(model, x, h)
    h = h[..., None]
    later, factors = model(points)
    later = later.reshape(copies, n, 2 * d, d)
    mean = h / 2 * (drift + later.mean(2))
    rise = (later[:, :, :d] - later[:, :, d:]).mT / 2  # J B sqrt(h d)
    if d == 1:
        z = h[..., None] / 2 * rise / away
        M = 1 + z + z**2 / 2
        square = factors.reshape(copies, n, 2) ** 2
        return mean, h[..., None] / 2 * M**2 * (B**2 + square.mean(2)[..., None, None])
    z = h[..., None] / 2 * torch.linalg.solve_triangular(away.mT, rise, upper=False, left=False)
    M = torch.eye(d, dtype=x.dtype) + z + z @ z / 2
    Bs = (torch.diag_embed(factors) if model.diagonal else factors).reshape(copies, n, 2 * d, d, d)
    Q = B @ B.mT + (Bs @ Bs.mT).mean(2)
    return mean, h[..., None] / 2 * M @ Q @ M.mT


@torch.no_grad()
def refit_drift(
    model: CoefficientNetworks, x: torch.Tensor, step: torch.Tensor, h: torch.Tensor, rows: torch.Tensor
) -> None:
    """Solves for the last layers of the drifts on transitions x (N, d) -> x + step in h (N,), of `rows` (copies, n).

    minimises sum (step - mean)^T covariance^-1 (step - mean) + _PRIOR |w|^2, with covariances and points as they are

    The mean is then linear in the weights w. What a batch tells of a drift is small beside its noise, h a^2 to B B^T,
    so that batches leave the drift undertrained where the diffusion is long settled.
    """
    copies, d, width = len(rows), x.shape[1], model.drift.weights[2].shape[1] + 1
    squares = _PRIOR * torch.eye(d * width, dtype=torch.float64).repeat(copies, 1, 1)
    right = torch.zeros(copies, d * width, dtype=torch.float64)
    scale = model.size**2 / model.spread
    for part in rows.split(4096, 1):
        at, span = x[part], h[part]
        points = _cubature(model, at, span)[3]
        now, later = (model.drift.hidden((z - model.mean) / model.spread) for z in (at, points))
        seen = now + later.reshape(copies, at.shape[1], 2 * d, -1).mean(2)
        seen = span[..., None] / 2 * torch.cat([seen, torch.full_like(seen[..., :1], 2.0)], 2)
        weight = scale[:, None] * torch.linalg.inv(moments(model, at, span)[1])
        squares += torch.einsum("cnij,j,cnp,cnq->cipjq", weight, scale, seen, seen).reshape(squares.shape)
        right += torch.einsum("cnij,cnj,cnp->cip", weight, step[part], seen).reshape(right.shape)
    last = torch.linalg.solve(squares, right).reshape(copies, d, width).mT
    model.drift.weights[2].copy_(last[:, :-1])
    model.drift.biases[2].copy_(last[:, -1:])


def _cubature(model: CoefficientNetworks, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """a and B at x, and x + a h -+ sqrt(h d) B_j: the terms (copies, n, j, d), the points (copies, 2 n d, d)."""
    copies, _, d = x.shape
    drift, factor = model(x)
    B = torch.diag_embed(factor) if model.diagonal else factor
    away = (h[..., None, None] * d).sqrt() * B.mT
    ahead = (x + drift * h[..., None])[:, :, None]
    return drift, B, away, torch.cat([ahead + away, ahead - away], 2).reshape(copies, -1, d)


class _Perceptrons(nn.Module):
    """(copies, n, inputs) -> (copies, n, outputs); the last layer begins at zero."""

    def __init__(self, copies: int, inputs: int, width: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        sizes = [inputs, width, width, outputs]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for k, (before, after) in enumerate(pairwise(sizes)):
            bound = 0.0 if k == 2 else 1 / math.sqrt(before)
            for parameters, shape in ((self.weights, (before, after)), (self.biases, (1, after))):
                uniform = torch.rand(copies, *shape, generator=generator)
                parameters.append(nn.Parameter(bound * (2 * uniform - 1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.baddbmm(self.biases[2], self.hidden(x), self.weights[2])

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        """(copies, n, width): what the last layer sees."""
        x = x.expand(len(self.weights[0]), -1, -1)
        for weight, bias in zip(self.weights[:2], self.biases[:2], strict=True):
            x = torch.tanh(torch.baddbmm(bias, x, weight))
        return x
