"""What score matching asks of a score: its values, and its derivative along directions.

A score is any function x (n, *shape) -> like x; with a condition, (x, condition). `DensityScore` is the score of an
unnormalised log density, whose directional derivatives come from that density itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sojourn.errors import InputError
from sojourn.forward_mode import along as derivative
from sojourn.forward_mode import jvp

Score = Callable[..., Tensor]
_vmap: Any = torch.func.vmap


class DensityScore(nn.Module):
    """s(x) = grad log p(x) of a network that gives an unnormalised log p(x), (n,).

    The network needs a second derivative: softplus or tanh, not ReLU.
    """

    def __init__(self, log_density: nn.Module) -> None:
        super().__init__()
        self.log_density = log_density

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return torch.func.grad(lambda z: call(self.log_density, z, condition).sum())(x)


class Along(NamedTuple):
    """v . s and v^T grad s v for k directions, (k, n)."""

    slope: Tensor
    curvature: Tensor


def call(function: Callable[..., Tensor], x: Tensor, condition: Tensor | None) -> Tensor:
    """function(x), or function(x, condition) where there is one."""
    return function(x) if condition is None else function(x, condition)


def along(score: Score, x: Tensor, v: Tensor, condition: Tensor | None = None) -> Along:
    """For directions v (k, n, *shape); forwards only, two (or for a density three) derivatives in one pass."""
    if isinstance(score, DensityScore):
        density = score.log_density

        def twice(direction: Tensor) -> tuple[Tensor, Tensor]:
            def once(z: Tensor) -> tuple[Tensor, Tensor]:
                return jvp(lambda y: call(density, y, condition), z, direction)

            (_, slope), (_, curvature) = jvp(once, x, direction)
            return slope, curvature

        slope, curvature = _vmap(twice)(v)
        return Along(slope, refuse_flat(curvature, slope))
    s, turn = values(score, x, v, condition)
    return Along(inner(v, s), refuse_flat(inner(v, turn), s))


def values(score: Score, x: Tensor, v: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """s (n, *shape), and its derivative along each direction, (k, n, *shape)."""

    def push(direction: Tensor) -> tuple[Tensor, Tensor]:
        return jvp(lambda z: call(score, z, condition), x, direction)

    s, turn = _vmap(push, out_dims=(None, 0))(v)
    return check_like(s, x), turn


def divergence(matrix: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """sum_k d_k S_ik at x (n, d) of x -> S (n, d, d), (n, d), by one derivative a coordinate."""
    found = torch.zeros_like(x)
    for k, e in enumerate(torch.eye(x.shape[1], dtype=x.dtype, device=x.device)):
        found = found + derivative(matrix, x, e.expand_as(x).contiguous())[:, :, k]
    return found


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Sums of products over all but the first two axes, (k, n)."""
    return (a * b).flatten(2).sum(2)


def norm(s: Tensor) -> Tensor:
    """|s|^2, (n,)."""
    return s.flatten(1).square().sum(1)


def check_like(s: Tensor, x: Tensor) -> Tensor:
    """s; InputError unless it is shaped like x."""
    if s.shape != x.shape:
        raise InputError(f"the score has shape {tuple(s.shape)} for data of shape {tuple(x.shape)}; they must agree")
    return s


def refuse_flat(curvature: Tensor, s: Tensor) -> Tensor:
    """curvature; InputError where it is zero at all data and the score is not, as for a density with ReLU."""
    if not bool(curvature.detach().any()) and bool(s.detach().any()):
        raise InputError(
            "the score's derivative is zero at every datum, so there is nothing to match; a log density needs second "
            "derivatives: use softplus, SiLU or tanh in place of ReLU"
        )
    return curvature
