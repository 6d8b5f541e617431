"""Exponential time differencing of order four: diffusion exactly, reaction by a fourth-order Runge-Kutta.

With L = -D |k|^2 for each wave and N the reaction,
    a = E2 y + Q N(y),  b = E2 y + Q N(a),  c = E2 a + Q (2 N(b) - N(y)),
    y' = E y + f1 N(y) + 2 f2 (N(a) + N(b)) + f3 N(c).
Source: Cox and Matthews (J. Comput. Phys. 176, 2002); coefficients by means over a circle as Kassam and Trefethen
(SIAM J. Sci. Comput. 26, 2005), because their formulas cancel for small L dt.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

_POINTS = 32  # on the half circle: the mean is exact to rounding


class Coefficients(NamedTuple):
    """One number for each wave."""

    whole: torch.Tensor  # E = exp(L dt)
    half: torch.Tensor  # E2 = exp(L dt/2)
    middle: torch.Tensor  # Q
    first: torch.Tensor  # f1
    second: torch.Tensor  # 2 f2
    last: torch.Tensor  # f3


def coefficients(linear: torch.Tensor, dt: float, dtype: torch.dtype) -> Coefficients:
    """The coefficients for the real eigenvalues `linear` (float64), computed in double and rounded to `dtype`."""
    angle = math.pi * (torch.arange(_POINTS, dtype=torch.float64, device=linear.device) + 0.5) / _POINTS
    z = (linear * dt)[..., None] + torch.polar(torch.ones_like(angle), angle)
    ez, ez2 = torch.exp(z), torch.exp(z / 2)

    def mean(values: torch.Tensor) -> torch.Tensor:
        return dt * values.real.mean(-1)

    found = (
        torch.exp(linear * dt),
        torch.exp(linear * dt / 2),
        mean((ez2 - 1) / z),
        mean((-4 - z + ez * (4 - 3 * z + z**2)) / z**3),
        2 * mean((2 + z + ez * (z - 2)) / z**3),
        mean((-4 - 3 * z - z**2 + ez * (4 - z)) / z**3),
    )
    return Coefficients(*(x.to(dtype) for x in found))


def step(y, nonlinear, c: Coefficients):
    """One step of coefficients y; `nonlinear` maps coefficients to those of the reaction."""
    ny = nonlinear(y)
    carried = c.half * y
    a = carried + c.middle * ny
    na = nonlinear(a)
    b = carried + c.middle * na
    nb = nonlinear(b)
    nc = nonlinear(c.half * a + c.middle * (2 * nb - ny))
    return c.whole * y + c.first * ny + c.second * (na + nb) + c.last * nc
