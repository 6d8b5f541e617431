"""Which member of a family is this? The context that a history of frames fits best, by least squares.

For equally spaced frames, Simpson's rule says what the rate f must have been,
    x_{i+2} - x_i = Delta/3 (f_i + 4 f_{i+1} + f_{i+2}) + O(Delta^5),
and f is linear in the context c, so c solves a ridge regression with as many unknowns as c has numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sojourn.learning.emulators.network import per_field

if TYPE_CHECKING:
    from sojourn.learning.emulators.splitting import Splitting


_SIZE = 1e-4  # of errors that say nothing of c, in root mean squares of a field; a context is of size 1
_BEND = 1e-3  # root mean squares: where the rate bends by more in a step, Simpson's rule counts little
_REACH = 0.02  # of the differences that stand for derivatives; contexts are of size 1 at most


def infer(network: Splitting, frames: torch.Tensor) -> torch.Tensor:
    """c (batch, p) for a history (batch, h, fields, *grid), h >= 2; differentiable in the network's parameters.

    Minimises mean_i w_i |e_i - sum_j c_j J_ij|^2 / s^2 + |c|^2 over points, times and fields, where e is what the mean
    reaction and diffusion leave of the change, and J is what each A_j adds; s = 1e-4. The weights w = 1/(1 + bend^2)
    hold down points where the rate bends within the rule's reach by more than 0.001 in a step.
    """
    batch, h = frames.shape[:2]
    y = (frames / per_field(network.scale, frames[:, 0])).flatten(0, 1)
    dims = tuple(range(2, y.ndim))
    k2 = network.squared_wavenumbers(y)
    laplacian = torch.fft.irfftn(-k2 * torch.fft.rfftn(y, dim=dims), s=y.shape[2:], dim=dims)
    phi = network.features(y.flatten(2))
    scale = network.coefficients(frames.new_zeros(1, network.context))[0]
    directions = network.coefficients(torch.eye(network.context, dtype=y.dtype, device=y.device)) - scale
    base = (per_field(network.diffusivities, y) * laplacian).flatten(2) + scale @ phi
    shifts = torch.einsum("pfq,bqn->bpfn", directions, phi)
    y, base, shifts = (z.unflatten(0, (batch, h)) for z in (y.flatten(2), base, shifts))
    step = network.interval
    if h == 2:
        residual = y[:, 1:] - y[:, :-1] - step / 2 * (base[:, :-1] + base[:, 1:])
        columns = step / 2 * (shifts[:, :-1] + shifts[:, 1:])
        bend = step * (base[:, 1:] - base[:, :-1])
    else:
        residual = y[:, 2:] - y[:, :-2] - step / 3 * (base[:, :-2] + 4 * base[:, 1:-1] + base[:, 2:])
        columns = step / 3 * (shifts[:, :-2] + 4 * shifts[:, 1:-1] + shifts[:, 2:])
        bend = step * (base[:, 2:] - 2 * base[:, 1:-1] + base[:, :-2])
    weight = 1 / (1 + (bend / _BEND).square())
    weighted = columns * weight[:, :, None]
    count = residual[0].numel()
    normal = torch.einsum("bipfn,biqfn->bpq", weighted, columns) / count
    right = torch.einsum("bipfn,bifn->bp", weighted, residual) / count
    ridge = _SIZE**2 * torch.eye(network.context, dtype=y.dtype, device=y.device)
    return torch.linalg.solve(normal + ridge, right[..., None])[..., 0]


def refine(network: Splitting, frames: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
    """A Gauss-Newton step on the network's own error over all intervals, from a first `context` (batch, p).

    Minimises mean w |x_i+1 - forward(x_i; c)|^2 / s^2 + |c - first c|^2, with w = 1/(1 + |e|^2/median |e|^2) from the
    error e at the first c, and derivatives by differences. Quadrature errs where fields change much from frame to
    frame; the network's step does not.
    """
    scale, p, gaps = per_field(network.scale, frames[:, 0]), network.context, frames.shape[1] - 1
    shifts = _REACH * torch.eye(p, dtype=frames.dtype, device=frames.device)
    tried = torch.stack([context, *(context + shift for shift in shifts)], dim=1).repeat_interleave(gaps, 1)
    before = frames[:, :-1].repeat(1, p + 1, *[1] * (frames.ndim - 2))
    found = network(before.flatten(0, 1), tried.flatten(0, 1))[0].unflatten(0, (-1, p + 1, gaps)) / scale
    residual = (frames[:, 1:] / scale - found[:, 0]).flatten(1)
    columns = (found[:, 1:] - found[:, :1]).flatten(2) / _REACH
    usual = residual.square().median(dim=1, keepdim=True).values.clamp(min=1e-16)
    weighted = columns / (1 + residual.square() / usual)[:, None]
    ridge = _SIZE**2 * torch.eye(p, dtype=frames.dtype, device=frames.device)
    normal = weighted @ columns.mT / residual.shape[1]
    right = (weighted @ residual[..., None])[..., 0] / residual.shape[1]
    return context + torch.linalg.solve(normal + ridge, right[..., None])[..., 0]
