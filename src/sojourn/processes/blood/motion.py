"""How a robot moves within a vessel in one Ito step of length dt; across the axis at y, |y| = r, with t the tangent:

    dx = [u(r) t + v e + mu L F] dt + div D dt + sqrt(2 D dt) xi          u(r) = 2 U (1 - r^2/R^2 - 2/3 a^2/R^2)
    de = w dt x e,  w = 1/2 rot u + B_e e x E e + c m x B,  dt w + sqrt(2 D_R dt) xi'  turned exactly

u is Poiseuille's flow with Faxen's correction, e the axis, v the swimming speed, F = (m . grad) B, m along e. The
wall, the gap R - r - a away, slows by L: towards it L_n, along it L_p (`walls`), and round the axis

    L_t = L_p + (L_n - L_p) (1 - r^2 / (R - a)^2)

which is L_p at the wall but L_n on the axis, where no direction across differs from another. Then

    D = k T mu L + s r (I - tt),   div D = [-k T mu dL_n/dgap + s + k T mu (L_n - L_p) r / (R - a)^2] y/r

with s r the diffusivity across the flow that shear among red cells adds. So a uniform law stays uniform. Margination to
a profile P adds to dx

    s r d(ln P)/dr y/r dt

with the red cells' diffusivity alone: it is they who push, and Brownian motion by itself keeps its uniform law. So with
D_n = k T mu L_n + s r the density c per area that no longer changes has D_n d(ln c)/dr = s r d(ln P)/dr; it is P where
Brownian motion is small beside s r, and uniform where there are no red cells.

The first two terms of div D, dD_n/dr, are multiplied by (xi_1^2 + xi_2^2) / 2, of the two normals across, whose mean is
1. Near contact, where D_n = k T mu gap / a, the step is then exact in law whatever dt, for the gap is the square of a
plane Brownian motion; it meets no wall, and conserves the uniform law, from which Euler's step strays.

Left out: walls that slow rotation or attract, lag in shear next to them. A robot that is no sphere diffuses and is
pulled with its mean mobility, and at a wall it is the sphere about it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sojourn.processes.blood.dispersion import Margination
from sojourn.processes.blood.walls import normal_mobility, normal_slope, parallel_mobility

TINY = 1e-40  # m^2, keeps r differentiable on the axis
STILL = 1e-30  # m^2/s, keeps the root of a diffusivity differentiable at contact


class Vessels(NamedTuple):
    """What a robot meets in a vessel; a row a vessel, or a row a robot."""

    length: Tensor  # L, m
    radius: Tensor  # R, m
    shear: Tensor  # 2 U / R^2, 1/(m s): u = shear (R^2 - r^2), the shear rate is 2 |shear| r
    mixing: Tensor  # s, m/s
    frame: Tensor  # (n, 3, 3): rows t, n1, n2
    origin: Tensor  # (n, 3), m
    chord: Tensor  # the distance of the ends over the length, below 1 in a tortuous vessel

    def of(self, vessel: Tensor) -> Vessels:
        """The rows of these vessels."""
        return Vessels(*(x[vessel] for x in self))

    def places(self, along: Tensor, across: Tensor) -> Tensor:
        """(n, 3), m: where robots are."""
        inside = torch.cat([(along * self.chord)[:, None], across], 1)
        return self.origin + torch.einsum("ni,nij->nj", inside, self.frame)


class Body(NamedTuple):
    """A robot as its motion sees it: SI numbers, or tensors of one number."""

    radius: Tensor  # a, of the sphere about it, m
    diffusivity: Tensor  # k T mu, the mean over directions, m^2/s
    mobility: Tensor  # mu, m/(N s)
    turning: Tensor  # D_R of the axis, 1/s
    spin: Tensor  # c, of the axis for a torque, 1/(N m s)
    speed: Tensor  # v, m/s
    moment: Tensor  # m, A m^2
    shape: Tensor  # B_e = (p^2 - 1) / (p^2 + 1) of Jeffery, p the aspect ratio


class Move(NamedTuple):
    """What a step does, before walls and ends."""

    along: Tensor  # (n,), m
    across: Tensor  # (n, 2), m
    axis: Tensor  # (n, 3), the new one
    velocity: Tensor  # (n,), m/s: the flow's part


def move(
    vessel: Vessels,
    body: Body,
    across: Tensor,
    axis: Tensor,
    field: Tensor,
    gradient: Tensor,
    dt: float,
    xi: Tensor,
    margination: Margination | None = None,
) -> Move:
    """The step of robots at `across`, (n, 2), m, with unit vectors `axis`, (n, 3).

    Args:
        vessel: the rows of the robots' vessels.
        body: what the robots are.
        field: B at each robot, (n, 3), T.
        gradient: of the field, (3, 3), T/m.
        dt: s.
        xi: (n, 6) standard normals: for t, n1, n2, and for rotation about them.
        margination: to which profile red cells push the robots; None: to none.
    """
    r = torch.sqrt(across.square().sum(1) + TINY)
    outward = across / r[:, None]
    limit = vessel.radius - body.radius
    gap = (limit - r).clamp(min=0)
    parallel, normal = parallel_mobility(gap, body.radius), normal_mobility(gap, body.radius)
    azimuth = parallel + (normal - parallel) * (1 - (r / limit) ** 2)

    mixed = vessel.mixing * r + STILL
    kick = torch.sqrt(2 * dt * body.diffusivity * parallel)
    towards, around = (torch.sqrt(2 * dt * (body.diffusivity * x + mixed)) for x in (normal, azimuth))
    slope = vessel.mixing - body.diffusivity * normal_slope(gap, body.radius)
    drift = slope * xi[:, 1:3].square().sum(1) / 2 + body.diffusivity * (normal - parallel) * r / limit**2
    if margination is not None:
        drift = drift + vessel.mixing * r * margination.slope(r, vessel.radius)

    e = torch.einsum("nij,nj->ni", vessel.frame, axis)
    force = body.moment * torch.einsum("nij,nj->ni", vessel.frame, axis @ gradient.T)
    u = flow(vessel, body, r)
    pushed = _by(body.mobility * azimuth, body.mobility * normal, outward, force[:, 1:])
    return Move(
        (u + body.speed * e[:, 0] + body.mobility * parallel * force[:, 0]) * dt + kick * xi[:, 0],
        (body.speed * e[:, 1:] + pushed + drift[:, None] * outward) * dt + _by(around, towards, outward, xi[:, 1:3]),
        _turned(vessel, body, across, e, field, dt, xi[:, 3:]),
        u,
    )


def flow(vessel: Vessels, body: Body, r: Tensor) -> Tensor:
    """u(r), m/s."""
    return vessel.shear * (vessel.radius**2 - 2 / 3 * body.radius**2 - r * r)


def reflected(across: Tensor, limit: Tensor, bounce: Tensor) -> Tensor:
    """Places beyond `limit` = R - a mirrored in it, their distance from it times `bounce`."""
    r = torch.sqrt(across.square().sum(1) + TINY)
    mirrored = across * ((limit - bounce * (r - limit)) / r)[:, None]
    return torch.where((r > limit)[:, None], mirrored, across)


def bounce(vessel: Vessels, body: Body, dt: float, margination: Margination | None = None) -> Tensor:
    """By what the distance beyond a wall is multiplied when it is mirrored, (n,), so that a steady law stays.

    With D_n = D at the wall, g its slope in the gap, S = sqrt(2 D dt) and q = g S / D, plain mirroring changes a
    density that in truth is steady, of slope b = d(ln P)/dr at the wall, at u S from it in a step by

        S [1 / (R - a) + b] (2 u Phi(-u) - phi(u)) + q / 2 (1 - u^2) phi(u)

    times its value there: the first for the wall's curvature and the push to it, which act alike, the second for the
    slope of D; and a factor 1 + c on the distance adds c (u phi(u) - Phi(-u)). None of them has mass; the factor makes
    the first moment vanish too, which is what a long run adds up to. Of q the factor has q / (1 + q^2), for where q is
    not small hardly anybody gets beyond.
    """
    limit = vessel.radius - body.radius
    wall = vessel.mixing * limit + STILL
    kick = torch.sqrt(2 * dt * wall)
    q = (body.diffusivity / body.radius - vessel.mixing) * kick / wall
    steep = 1 / limit if margination is None else 1 / limit + margination.slope(limit, vessel.radius)
    return 1 + (2 * q / (1 + q * q) - 4 / 3 * kick * steep) / math.sqrt(2 * math.pi)


def rotated(e: Tensor, angle: Tensor) -> Tensor:
    """Unit vectors e turned by the vectors `angle`, (n, 3), and kept at length 1.

    The half angle's tangent is its fraction x (945 - 105 x^2 + x^4) / (945 - 420 x^2 + 15 x^4), so that the map is a
    rotation whatever the angle, and that of `angle` to 5e-14 for half a radian, 1e-10 for one and 2e-7 for two.
    """
    z = angle.square().sum(1, keepdim=True) / 4
    p, q = 945 + z * (z - 105), 945 + z * (15 * z - 420)
    scale = p / (q * q + p * p * z)
    once = torch.linalg.cross(angle, e)
    e = e + scale * (q * once + p / 2 * torch.linalg.cross(angle, once))
    return e * (1.5 - 0.5 * e.square().sum(1, keepdim=True))


def _by(around: Tensor, towards: Tensor, outward: Tensor, vector: Tensor) -> Tensor:
    """A tensor across, `towards` the wall and `around` the axis, times vectors (n, 2)."""
    radial = (vector * outward).sum(1)
    return around[:, None] * vector + ((towards - around) * radial)[:, None] * outward


def _turned(vessel: Vessels, body: Body, y: Tensor, e: Tensor, field: Tensor, dt: float, xi: Tensor) -> Tensor:
    """The new axis; e is the old one in the vessel's frame, where (grad u) has the rows 0, -2 shear y t."""
    strain = torch.stack([(y * e[:, 1:]).sum(1), y[:, 0] * e[:, 0], y[:, 1] * e[:, 0]], 1)  # E e over -shear
    vorticity = torch.stack([torch.zeros_like(y[:, 0]), -y[:, 1], y[:, 0]], 1)  # rot u / 2 over shear
    rate = vessel.shear[:, None] * (vorticity - body.shape * torch.linalg.cross(e, strain))
    seen = torch.einsum("nij,nj->ni", vessel.frame, field)
    rate = rate + body.spin * body.moment * torch.linalg.cross(e, seen)
    e = rotated(e, rate * dt + torch.sqrt(2 * body.turning * dt) * xi)
    return torch.einsum("ni,nij->nj", e, vessel.frame)
