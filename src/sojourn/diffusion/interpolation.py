"""Interpolation between data through their noise: DDIM's inverse up, along the sphere there, and DDIM down again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sojourn.diffusion.samplers.ddim import DDIM, DDIMInverse
from sojourn.errors import InputError
from sojourn.noise import Noise

if TYPE_CHECKING:
    from sojourn.diffusion.ddpm import DDPM


def interpolate(
    model: DDPM, a: Tensor, b: Tensor, *, weights: Sequence[float], steps: int = 50, condition: Tensor | None = None
) -> Tensor:
    """Data between a and b, (len(weights), n, *shape): weight 0 leads back to a, 1 to b, both up to DDIM's error.

    Args:
        a, b: data, (n, *shape), as many of one as of the other.
        weights: in [0, 1].
        steps: of DDIM, each way.
        condition: (n, ...), or (1, ...) for all.

    Raises:
        InputError: a and b differ in shape, or do not fit the model; a weight outside [0, 1].

    Source: Song, Meng and Ermon (2021), section 5.3.
    """
    if a.shape != b.shape or tuple(a.shape[1:]) != model.shape:
        wanted = ", ".join(["n", *map(str, model.shape)])
        raise InputError(f"a has shape {tuple(a.shape)} and b {tuple(b.shape)}; both must be ({wanted})")
    if not len(weights) or not all(0 <= weight <= 1 for weight in weights):
        raise InputError(f"weights={list(weights)} must be one or more numbers in [0, 1]")
    up, down = (model.reverse(way(steps), condition=condition, limits=None) for way in (DDIMInverse, DDIM))
    ends = [up.advance(up.start(data), 0, steps, Noise(0))["x"] for data in (a, b)]  # neither way draws any noise
    places = (spherical(ends[0], ends[1], weight) for weight in weights)
    return torch.stack([down.advance(down.start(x), 0, steps, Noise(0))["x"] for x in places])


def spherical(x: Tensor, y: Tensor, weight: float) -> Tensor:
    """[sin((1 - w) angle) x + sin(w angle) y] / sin(angle), with the angle between x and y; members of (n, ...) alone.

    Where they are parallel, a straight line. At w = 0 and 1 exactly x and y.

    Source: Shoemake (1985).
    """
    if weight in (0, 1):
        return y if weight else x
    u, v = x.flatten(1).to(torch.float64), y.flatten(1).to(torch.float64)
    cosine = (u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))
    angle = torch.arccos(cosine.clamp(-1, 1))
    straight = ~(torch.sin(angle) > 1e-6)
    angle = torch.where(straight, 1.0, angle)
    on_x = torch.where(straight, 1 - weight, torch.sin((1 - weight) * angle) / torch.sin(angle))
    on_y = torch.where(straight, weight, torch.sin(weight * angle) / torch.sin(angle))
    return (on_x[:, None] * u + on_y[:, None] * v).to(x.dtype).reshape(x.shape)
