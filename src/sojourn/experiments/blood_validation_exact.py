"""What a robot of finite size does in a tube whose walls slow it, by quadrature: for `sojourn run blood-validation`.

Closed forms of points in tubes are these with a constant D and all of the tube in reach. Lengths in m, times in s; b is
the radius within which a robot's centre stays, D_n and D_p its diffusivities towards the wall and along it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.special import j1, jn_zeros

from sojourn.processes.blood.robots import BloodRobots
from sojourn.processes.blood.walls import normal_mobility, parallel_mobility

_MODES = 60


def diffusivities(process: BloodRobots, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """D_p and D_n at r, in a process with one vessel and no red cells that mix."""
    radius, a, D = (float(x) for x in (process.vessels.radius, process.body.radius, process.body.diffusivity))
    gap = torch.from_numpy(np.maximum(radius - a - np.asarray(r, dtype=float), 0.0))
    return D * parallel_mobility(gap, a).numpy(), D * normal_mobility(gap, a).numpy()


def mean_speed(process: BloodRobots) -> float:
    """The mean of u over the disc within reach: s (R^2 - 2/3 a^2 - b^2 / 2) for u = s (R^2 - 2/3 a^2 - r^2)."""
    shear, peak, b = _flow(process)
    return shear * (peak - b**2 / 2)


def spreading(process: BloodRobots) -> float:
    """Aris' formula for a D that depends on r, with the mean <.> over the disc within b:

        <D_p> + 2 / b^2 int_0^b [int_0^r (u - <u>) s ds]^2 / (r D_n) dr

    which is D (1 + U^2 b^2 / (48 D^2)) where D is constant. Source: Aris, Proc. R. Soc. A 235 (1956), 67.
    """
    shear, _, b = _flow(process)
    points, weights = np.polynomial.legendre.leggauss(200)
    r, w = b * (points + 1) / 2, b * weights / 2
    along, towards = diffusivities(process, r)
    inner = shear / 4 * r**2 * (b**2 - r**2)
    return float(2 / b**2 * (w @ (r * along) + w @ (inner**2 / (r * towards))))


def survival(process: BloodRobots, wall: float, length: float) -> float:
    """The share that leaves of what enters, with a uniform density, a tube of this length that absorbs at r = `wall`.

    u dc/dx = (1/r) (r D_n c')', c = 0 at the wall, and nothing diffuses along: `closed_forms.surviving_flux` where D is
    constant and u vanishes at the wall. By Galerkin's method in (1 - s) P_k(2 s - 1), s = (r / wall)^2.
    """
    from numpy.polynomial import legendre
    from scipy.linalg import eigh

    shear, peak, _ = _flow(process)
    points, weights = legendre.leggauss(2 * _MODES)
    s, w = (points + 1) / 2, weights / 2
    u = shear * (peak - wall**2 * s)
    towards = diffusivities(process, wall * np.sqrt(s))[1]
    values = legendre.legvander(points, _MODES - 1)
    slopes = np.stack([2 * legendre.legval(points, legendre.legder(row)) for row in np.eye(_MODES)], -1)
    basis, rising = (1 - s)[:, None] * values, (1 - s)[:, None] * slopes - values
    size = np.sqrt((w * s) @ rising**2)
    basis, rising = basis / size, rising / size
    scale = float(process.body.diffusivity) / wall**2
    mass = basis.T @ ((w * u)[:, None] * basis)
    stiff = 4 * rising.T @ ((w * s * towards / wall**2 / scale)[:, None] * rising)
    rates, vectors = eigh(stiff, mass)
    weights = ((w * u) @ basis @ vectors) ** 2 / (w @ u)
    return float(weights @ np.exp(-rates * scale * length))


def exit_law(rate: float, t: Any) -> np.ndarray:
    """P(exit by t) = 1 - sum 2 / (j_k J_1(j_k)) exp(-j_k^2 D t / R^2), from the axis of a tube; rate = D / R^2."""
    zeros = jn_zeros(0, 60)
    x = np.asarray(t, dtype=float)
    left = np.exp(-np.outer(x * rate, zeros**2)) @ (2 / (zeros * j1(zeros)))
    return np.where(x * rate < 5e-3, 0.0, 1 - left)  # before, fewer than e^-50 are out


def _flow(process: BloodRobots) -> tuple[float, float, float]:
    """s and p of u = s (p - r^2), and b."""
    radius, a, shear = (float(x) for x in (process.vessels.radius, process.body.radius, process.vessels.shear))
    return shear, radius**2 - 2 / 3 * a**2, radius - a
