"""How flow turns a small spheroid: Jeffery's equation, without inertia, noise or walls.

    w = 1/2 rot u + L p x (E p),   dp/dt = w x p,   L = (r^2 - 1) / (r^2 + 1)

p is the unit vector along the axis of symmetry, r the semi-axis along it over that across it, E = (G + G^T) / 2, and
G_ij = du_i/dx_j the velocity gradient of the undisturbed flow. Source: Jeffery, Proc. R. Soc. A 102 (1922), 161.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.units import Quantity, alike, positive, tensors


def shape_factor(aspect_ratio: Quantity) -> Any:
    """L = (r^2 - 1) / (r^2 + 1): 0 for a sphere, towards 1 for a needle and -1 for a disc.

    Raises:
        InputError: an aspect ratio that is not above zero.
    """
    (r,) = tensors(positive(aspect_ratio, "", name="aspect_ratio"))
    return alike((r**2 - 1) / (r**2 + 1), aspect_ratio)


def angular_velocity(axis: Tensor, gradient: Tensor, aspect_ratio: Quantity) -> Tensor:
    """w = 1/2 rot u + L p x (E p), 1/s, its spin about the axis included.

    Args:
        axis: p, (..., 3), unit vectors.
        gradient: G_ij = du_i/dx_j, (..., 3, 3), 1/s: the derivatives of u_i stand in row i.
        aspect_ratio: r, one or (...,).

    Raises:
        InputError: shapes other than these; an aspect ratio that is not above zero.
    """
    if axis.shape[-1:] != (3,) or gradient.shape[-2:] != (3, 3):
        given = f"axis {tuple(axis.shape)} and gradient {tuple(gradient.shape)}"
        raise InputError(f"{given} are not (..., 3) and (..., 3, 3); give vectors and velocity gradients")
    factor = torch.as_tensor(shape_factor(aspect_ratio), dtype=axis.dtype, device=axis.device)
    twist = gradient - gradient.mT
    half_curl = torch.stack((twist[..., 2, 1], twist[..., 0, 2], twist[..., 1, 0]), -1) / 2
    strained = ((gradient + gradient.mT) / 2 @ axis[..., None])[..., 0]
    lean = torch.linalg.cross(axis, strained)
    return half_curl + factor[..., None] * lean


def axis_rate(axis: Tensor, gradient: Tensor, aspect_ratio: Quantity) -> Tensor:
    """dp/dt = w x p = W p + L (E p - p (p.E p)), 1/s. Arguments and errors as in `angular_velocity`."""
    return torch.linalg.cross(angular_velocity(axis, gradient, aspect_ratio), axis)


def period(aspect_ratio: Quantity, shear_rate: Quantity) -> Any:
    """2 pi (r + 1/r) / g, s: the axis comes back after it in simple shear of rate g, from wherever it began.

    Raises:
        InputError: an aspect ratio or a shear rate that is not above zero.
    """
    r, g = tensors(positive(aspect_ratio, "", name="aspect_ratio"), positive(shear_rate, "1/s", name="shear_rate"))
    return alike(2 * math.pi * (r + 1 / r) / g, aspect_ratio, shear_rate)
