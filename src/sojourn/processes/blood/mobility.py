"""How force and torque move a body where inertia is nothing, and the Brownian motion that goes with it.

    (U, w) = M (F, T),   M = [[A, B], [B^T, C]],   noise with covariance 2 k T M dt

A sphere of radius a has A = 1 / (6 pi mu a), C = 1 / (8 pi mu a^3), B = 0; D = k T M is the law of Stokes and Einstein.
"""

from __future__ import annotations

import math
from typing import Any, Generic, NamedTuple

import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.units import Quantity, Value, alike, positive, tensors

BOLTZMANN = 1.380649e-23  # J/K, exact in the SI since 2019
BODY_TEMPERATURE = 310.15  # K, 37 degC


class Mobility(NamedTuple, Generic[Value]):
    """What a body that looks alike all round its axis answers; times k T, its diffusivities (m^2/s and 1/s)."""

    along: Value  # the speed for a force along the axis, m/(N s)
    across: Value  # for a force across it
    spin: Value  # the rate of turning for a torque about the axis, 1/(N m s)
    tumble: Value  # about an axis across: this one turns the axis


def spheroid_mobility(radius: Quantity, aspect_ratio: Quantity, viscosity: Quantity) -> Mobility[Any]:
    """The mobility of a spheroid with semi-axes c = r a along its axis and a across:

        along  = (S + c^2 alpha) / (16 pi mu)           spin   = 3 beta / (16 pi mu)
        across = (S + a^2 beta)  / (16 pi mu)           tumble = 3 (c^2 alpha + a^2 beta) / (16 pi mu (a^2 + c^2))

    with the integrals over s from 0 to infinity, all of them elementary,

        S = int ds / ((a^2 + s) sqrt(c^2 + s)),   alpha = int ds / ((a^2 + s) (c^2 + s)^1.5),
        beta = int ds / ((a^2 + s)^2 sqrt(c^2 + s))

    Args:
        radius: a, the semi-axis across the axis of symmetry (the equator's), m.
        aspect_ratio: r: 1 is a sphere, above it a prolate (long) spheroid, below it an oblate (flat) one.
        viscosity: mu, Pa s.

    Source: Perrin, J. Phys. Radium 5 (1934), 497 and 7 (1936), 1.

    Raises:
        InputError: anything that is not above zero, or units of something else.
    """
    a, r, mu = tensors(
        positive(radius, "m", name="radius"),
        positive(aspect_ratio, "", name="aspect_ratio"),
        positive(viscosity, "Pa s", name="viscosity"),
    )
    whole, rest = _shape(1 - r**-2)
    total, alpha = 2 * whole / r, 2 * rest / r**3  # of a body with a = 1
    beta = 1 / r - alpha / 2
    unit = 16 * math.pi * mu
    found = (
        (total + r**2 * alpha) / (unit * a),
        (total + beta) / (unit * a),
        3 * beta / (unit * a**3),
        3 * (r**2 * alpha + beta) / ((1 + r**2) * unit * a**3),
    )
    return Mobility(*(alike(x, radius, aspect_ratio, viscosity) for x in torch.broadcast_tensors(*found)))


def thermal_energy(temperature: Quantity = BODY_TEMPERATURE) -> Any:
    """k T, J; times a mobility, a diffusivity.

    Raises:
        InputError: a temperature that is not above zero kelvins.
    """
    return BOLTZMANN * positive(temperature, "K", name="temperature")


def coupled(translation: Tensor, coupling: Tensor, rotation: Tensor) -> Tensor:
    """M = [[A, B], [B^T, C]], (..., 6, 6): (U, w) = M (F, T).

    Args:
        translation: A, (..., 3, 3), m/(N s): velocity for a force.
        coupling: B, (..., 3, 3), 1/(N s): velocity for a torque; its transpose is the turning for a force.
        rotation: C, (..., 3, 3), 1/(N m s): turning for a torque.

    Raises:
        InputError: blocks that do not make a symmetric positive definite matrix, of which there is no noise.
    """
    for name, block in (("translation", translation), ("coupling", coupling), ("rotation", rotation)):
        if block.shape[-2:] != (3, 3):
            raise InputError(f"{name} has shape {tuple(block.shape)}; give blocks of shape (..., 3, 3)")
    above = torch.cat(torch.broadcast_tensors(translation, coupling), -1)
    below = torch.cat(torch.broadcast_tensors(coupling.mT, rotation), -1)
    matrix = torch.cat(torch.broadcast_tensors(above, below), -2)
    _factor(matrix)
    return matrix


def noise_factor(mobility: Tensor, dt: Quantity, temperature: Quantity = BODY_TEMPERATURE) -> Tensor:
    """L, lower triangular, with L L^T = 2 k T M dt: L z is the Brownian step of a body, z being standard normals.

    Args:
        mobility: M, (..., n, n), symmetric and positive definite; all of it, for B correlates shift and turn.
        dt: the time step, s.
        temperature: T, K.

    Source: the fluctuation-dissipation theorem; Ermak and McCammon, J. Chem. Phys. 69 (1978), 1352.

    Raises:
        InputError: a matrix that is not symmetric positive definite; a dt or temperature that is not above zero.
    """
    (scale,) = tensors(2 * thermal_energy(temperature) * positive(dt, "s", name="dt"))
    return _factor(mobility) * torch.sqrt(scale.to(mobility))


def _factor(matrix: Tensor) -> Tensor:
    """The Cholesky factor of a matrix whose entries may have units of their own."""
    diagonal = torch.diagonal(matrix, dim1=-2, dim2=-1)
    if not bool((diagonal > 0).all()):
        least = float(diagonal.detach().min())
        raise InputError(f"the mobility has {least:g} on its diagonal; give a symmetric positive definite matrix")
    size = torch.sqrt(diagonal)
    even = matrix / size[..., :, None] / size[..., None, :]
    uneven = float((even - even.mT).detach().abs().max())
    if not uneven <= 1e-9:
        raise InputError(f"the mobility is not symmetric, by {uneven:.2g} of its diagonal; give M = [[A, B], [B^T, C]]")
    factor, failed = torch.linalg.cholesky_ex(even)
    if bool(failed.any()):
        least = float(torch.linalg.eigvalsh(even.detach()).min())
        raise InputError(
            f"the mobility is not positive definite (least eigenvalue {least:.2g}, its diagonal scaled to 1); "
            "a smaller coupling block B would make it so"
        )
    return size[..., :, None] * factor


def _shape(q: Tensor) -> tuple[Tensor, Tensor]:
    """g(q) = atanh(sqrt q) / sqrt q and (g - 1) / q; q is the eccentricity squared, below zero for a flat body.

    Near a sphere by their series, sums of q^k / (2 k + 1) and q^k / (2 k + 3).
    """
    near = q.abs() < 0.05
    long, flat = (q > 0) & ~near, (q < 0) & ~near
    half = torch.full_like(q, 0.5)
    root = torch.sqrt(torch.where(long, q, half))
    bend = torch.sqrt(torch.where(flat, -q, half))
    whole = torch.where(long, torch.atanh(root) / root, torch.atan(bend) / bend)
    small = torch.where(near, q, torch.zeros_like(q))
    rest = sum((small**k / (2 * k + 3) for k in range(1, 14)), torch.full_like(q, 1 / 3))
    rest = torch.where(near, rest, (whole - 1) / torch.where(near, half, q))
    return torch.where(near, 1 + q * rest, whole), rest
