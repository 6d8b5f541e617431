"""What is known exactly of a robot's motion: to check a simulation by, or in its place.

    active_displacement, orientation_memory     a swimmer in free space
    exit_time                                   diffusion to the wall of a tube
    swimmer_constant                            a swimmer in plane Poiseuille flow
    surviving_flux, graetz_terms                a tube whose wall absorbs

`dispersion.taylor_aris_diffusivity` and `jeffery.period` are two more.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.checks import at_least_zero, within
from sojourn.processes.blood.units import Quantity, alike, positive, si, tensors

_MODES = 100


def active_displacement(
    t: Quantity, *, diffusivity: Quantity, rotational_diffusivity: Quantity, swim_speed: Quantity
) -> Any:
    """<|x(t) - x(0)|^2> = 6 D t + 2 v^2 T^2 (t/T - 1 + exp(-t/T)), T = 1 / (2 D_R), m^2, in three dimensions.

    Args:
        t: s.
        diffusivity: D, m^2/s; (along + 2 across) / 3 of a body for which they differ, which is exact too.
        rotational_diffusivity: D_R, that of `Mobility.tumble`, 1/s.
        swim_speed: v, along the axis, m/s.

    Source: Lovely and Dahlquist, J. Theor. Biol. 50 (1975), 477; v = 0 is Einstein's.

    Raises:
        InputError: a D_R that is not above zero; a time or diffusivity below zero.
    """
    d, turning, v, time = tensors(
        at_least_zero(diffusivity, "m^2/s", name="diffusivity", remedy="a diffusivity has no sign"),
        positive(rotational_diffusivity, "1/s", name="rotational_diffusivity"),
        si(swim_speed, "m/s", name="swim_speed"),
        _time(t),
    )
    x = 2 * turning * time
    swum = (v / turning) ** 2 / 2 * (x + torch.expm1(-x))
    return alike(6 * d * time + swum, t, diffusivity, rotational_diffusivity, swim_speed)


def orientation_memory(t: Quantity, rotational_diffusivity: Quantity) -> Any:
    """<p(t) . p(0)> = exp(-2 D_R t), in three dimensions.

    Raises:
        InputError: a time or D_R below zero.
    """
    remedy = "a diffusivity has no sign"
    turning = at_least_zero(rotational_diffusivity, "1/s", name="rotational_diffusivity", remedy=remedy)
    turning, time = tensors(turning, _time(t))
    return alike(torch.exp(-2 * turning * time), t, rotational_diffusivity)


def exit_time(r: Quantity, radius: Quantity, diffusivity: Quantity) -> Any:
    """(R^2 - r^2) / (4 D), s: the mean time in which diffusion takes a point from r to the wall of a tube of radius R.

    Source: D (1/r) d/dr (r dT/dr) = -1, T(R) = 0.

    Raises:
        InputError: an r outside the tube; a radius or diffusivity that is not above zero.
    """
    x, end, d = tensors(
        at_least_zero(r, "m", name="r", remedy="give the distance from the axis"),
        positive(radius, "m", name="radius"),
        positive(diffusivity, "m^2/s", name="diffusivity"),
    )
    within(x / end, "", name="r / radius", low=0.0, high=1.0, remedy="give a place inside the tube")
    return alike((end**2 - x**2) / (4 * d), r, radius, diffusivity)


def swimmer_constant(
    x: Quantity, angle: Quantity, *, half_width: Quantity, peak_velocity: Quantity, swim_speed: Quantity
) -> Any:
    """H = 1/2 (u_f / v) (x / R)^2 + 1 - cos(angle), kept by a sphere that swims in the plane of u = u_f (1 - (x/R)^2).

    Args:
        x: from the middle of the channel, m.
        angle: of the axis from straight upstream, towards -x, rad; dx/dt = -v sin(angle).
        half_width: R, m.
        peak_velocity: u_f, m/s.
        swim_speed: v, m/s.

    Below 2 it swings about the middle, above 2 it tumbles. Without noise. Source: Zoettl and Stark, Phys. Rev. Lett.
    108 (2012), 218104.

    Raises:
        InputError: a half width, peak velocity or swim speed that is not above zero.
    """
    place, tilt, width, flow, v = tensors(
        si(x, "m", name="x"),
        si(angle, "", name="angle"),
        positive(half_width, "m", name="half_width"),
        positive(peak_velocity, "m/s", name="peak_velocity"),
        positive(swim_speed, "m/s", name="swim_speed"),
    )
    constant = flow / v * (place / width) ** 2 / 2 + 1 - torch.cos(tilt)
    return alike(constant, x, angle, half_width, peak_velocity, swim_speed)


def surviving_flux(m: Quantity) -> Any:
    """The share of what enters an absorbing tube in Poiseuille flow that leaves it, at m = D L / (U R^2):

        F(m) = sum of B_n exp(-lambda_n^2 m / 2)

    Args:
        m: at least zero; D is the diffusivity, L the tube's length, U the mean velocity, R the radius.

    Points of uniform density at the entrance and none at the wall, without diffusion along the tube. To 1e-7 at every
    m; near the entrance 1 - F = 3 / Gamma(4/3) (2 m / 3)^(2/3). Source: Graetz, Ann. Phys. 18 (1883), 79; see
    `graetz_terms`.

    Raises:
        InputError: an m below zero.
    """
    (x,) = tensors(at_least_zero(m, "", name="m", remedy="give D L / (U R^2)"))
    rates, weights = (torch.from_numpy(values).to(x) for values in _graetz())
    return alike((weights * torch.exp(-rates * x[..., None])).sum(-1), m)


def graetz_terms(count: int) -> tuple[Tensor, Tensor]:
    """The first rates lambda_n^2 / 2 and weights B_n of `surviving_flux`, in (count,), the slowest first.

    With s = (r/R)^2: 4 (s phi')' + lambda^2 (1 - s) phi = 0 with phi(1) = 0, and B = 2 (int (1 - s) phi)^2 where
    int (1 - s) phi^2 = 1, over s from 0 to 1. By Galerkin's method in polynomials, to 1e-9 of each.

    Raises:
        InputError: a count outside 1 to 30.
    """
    if not 1 <= count <= 30:
        raise InputError(f"count={count} is outside 1 to 30; surviving_flux sums as many as it needs")
    rates, weights = _graetz()
    return torch.from_numpy(rates[:count].copy()), torch.from_numpy(weights[:count].copy())


@cache
def _graetz() -> tuple[np.ndarray, np.ndarray]:
    """Rates and weights in the basis (1 - s) P_k(2 s - 1): M c = mu K c with mu = 4 / lambda^2."""
    from numpy.polynomial import legendre
    from scipy.linalg import eigh

    points, weights = legendre.leggauss(_MODES + 2)
    s, w = (points + 1) / 2, weights / 2
    polynomials = legendre.legvander(points, _MODES - 1)
    slopes = np.stack([2 * legendre.legval(points, legendre.legder(row)) for row in np.eye(_MODES)], -1)
    basis = (1 - s)[:, None] * polynomials
    rising = (1 - s)[:, None] * slopes - polynomials
    size = np.sqrt((w * s) @ rising**2)
    basis, rising = basis / size, rising / size
    mass, stiffness = basis.T @ ((w * (1 - s))[:, None] * basis), rising.T @ ((w * s)[:, None] * rising)
    mu, vectors = eigh(mass, stiffness)
    mu, vectors = mu[::-1], vectors[:, ::-1]
    # K-normalised vectors have int (1 - s) phi^2 = mu.
    weights = 2 * ((w * (1 - s)) @ basis @ vectors) ** 2 / mu
    return 2 / mu, weights


def _time(t: Quantity) -> Any:
    return at_least_zero(t, "s", name="t", remedy="count from the beginning")
