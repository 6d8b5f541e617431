"""How long a step of a robot may be: a part p of what would lead it past a vessel, through a wall or round by a radian.

    past       (2 U + v + w) dt <= p L
    through    (v + w) dt + 4 sqrt(2 D dt) <= p (R - a),   sqrt(2 D_0 dt) <= p a
    turned     [S/2 (1 + |B_e|) + c m B] dt + 2 sqrt(2 D_R dt) <= p,   2 pi f dt <= p

with w the speed of magnetic pull, D_0 the diffusivity in free space, D that with what red cells add at the wall, and S
the shear rate there; with margination to a profile P also sqrt(2 D dt) |d(ln P)/dr| <= p at the wall. p = 1/4 where
nobody asks for a dt; a dt beyond p = 1 is refused.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.dispersion import Margination
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.motion import Body, Vessels
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.units import show

SAFE = 1 / 4


def check_size(network: VesselNetwork, robot: Robot) -> None:
    """Raises InputError unless the robot fits into every vessel."""
    radius = float(torch.as_tensor(robot.largest_radius).detach())
    narrowest = int(network.diameter.detach().argmin())
    if 2 * radius >= (diameter := float(network.diameter[narrowest])):
        raise InputError(
            f"the robot, {show(2 * radius, 'm')} across, is larger than its vessel: {network.names[narrowest]} has "
            f"diameter={show(diameter, 'm')}; make the robot smaller or leave the vessel out"
        )


def choose(
    network: VesselNetwork,
    vessels: Vessels,
    body: Body,
    field: MagneticField,
    dt: float | None,
    margination: Margination | None = None,
) -> float:
    """The time step: dt if it can be used, and the longest safe one if it is None.

    Raises:
        InputError: a dt that is too long, with the vessel's name.
    """
    if dt is None:
        return min(float(x.min()) for x in _longest(vessels, body, field, margination, SAFE).values())
    for what, longest in _longest(vessels, body, field, margination, 1.0).items():
        worst = int(longest.argmin())
        if dt > (most := float(longest[worst])):
            raise InputError(f"dt={show(dt, 's')} {what} {network.names[worst]}; give at most {show(most, 's')}")
    return dt


def _longest(
    vessels: Vessels, body: Body, field: MagneticField, margination: Margination | None, p: float
) -> dict[str, Tensor]:
    """(V,), s, by what a longer step would do to a robot."""
    vessels, body = Vessels(*(x.detach() for x in vessels)), Body(*(x.detach() for x in body))
    limit = vessels.radius - body.radius
    gradient = torch.linalg.matrix_norm(field.jacobian.detach(), 2)
    speed = body.speed + body.mobility * body.moment * gradient
    mixing = body.diffusivity + vessels.mixing * limit
    wall = _root(speed, 4 * torch.sqrt(2 * mixing), p * limit).clamp(
        max=float((p * body.radius) ** 2 / (2 * body.diffusivity))
    )
    if margination is not None:
        steep = margination.slope(limit, vessels.radius).detach()
        wall = torch.minimum(wall, p**2 / (2 * steep**2 * mixing))
    far = vessels.origin.norm(dim=1) + vessels.length
    parts = [torch.linalg.vector_norm(x.detach()) for x in (field.steady, field.cosine, field.sine)]
    strength = sum(parts, gradient * far)
    rate = vessels.shear.abs() * vessels.radius * (1 + body.shape.abs()) + body.spin * body.moment * strength
    turn = _root(rate, 2 * torch.sqrt(2 * body.turning).expand_as(rate), torch.full_like(rate, p))
    if field.frequency:
        turn = turn.clamp(max=p / (2 * math.pi * abs(float(field.frequency))))
    return {
        "carries a robot past": p * vessels.length / (vessels.shear.abs() * vessels.radius**2 + speed),
        "carries a robot through the wall of": wall,
        "turns a robot by more than a radian in": turn,
    }


def _root(c: Tensor, b: Tensor, a: Tensor) -> Tensor:
    """The dt at which c dt + b sqrt(dt) = a."""
    return (2 * a / (b + torch.sqrt(b * b + 4 * a * c))) ** 2
