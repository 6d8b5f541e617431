"""A state and a network as the arrays of `kernels.blood`, and back."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sojourn.noise import Noise
from sojourn.process import State
from sojourn.processes.blood.dispersion import Margination
from sojourn.processes.blood.junction import Junctions
from sojourn.processes.blood.motion import Body, Vessels, bounce

Places = tuple[Vessels, Tensor, Tensor, Junctions]


def advance(
    state: State,
    places: Places,
    body: Body,
    dt: float,
    magnetic: tuple[Tensor, Tensor],
    margination: Margination | None,
    streams: tuple[Noise, Noise],
    t: int,
) -> State:
    """The state some steps after step t, as `BloodRobots.step` would give it.

    Args:
        places: the vessels, the squares of the distances from the axis where robots touch the wall, the chances of what
            happens there, and how the vessels meet.
        magnetic: the field at the origin in each step, (steps, 3), T, and its gradient.
        streams: of the motion and of what happens at walls.
    """
    from sojourn.kernels import blood as kernel

    vessels, touching, chances, at = places
    field, jacobian = magnetic
    pushed = None if margination is None else (float(margination.excess) - 1, float(margination.steepness))
    ensemble = len(state["along"])
    width = -(-ensemble // kernel.TOGETHER) * kernel.TOGETHER
    robots = np.zeros((kernel.STATE, width))
    columns = [state["along"], *state["across"].T, *state["axis"].T, state["shear_exposure"], state["since"]]
    for row, values in zip(robots, columns, strict=True):
        row[:ensemble] = values.detach().numpy()
    vessel, status = np.zeros(width, np.int64), np.full(width, kernel.LEFT, np.uint8)
    vessel[:ensemble], status[:ensemble] = state["vessel"].numpy(), state["status"].numpy()
    motion, contact = streams
    kernel.advance(
        robots,
        vessel,
        status,
        _table(vessels, body, dt, touching, margination),
        chances.numpy(),
        torch.stack([at.low, at.share, *at.direction.T, at.sign], 1).numpy(),
        torch.stack([at.feeds.long(), at.boundary.long(), at.first, at.count], 1).numpy(),
        at.order.numpy(),
        (*(float(x) for x in body), float(dt)),
        field.numpy(),
        jacobian.numpy(),
        pushed,
        np.array([motion.stream, contact.stream, motion.seed & 0xFFFFFFFF, motion.seed >> 32], np.uint32),
        motion.first_member,
        t,
    )
    along, across, axis, (exposure, since) = robots[0], robots[1:3], robots[3:6], robots[6:]
    found = {
        "vessel": vessel.astype(np.int32),
        "along": along,
        "across": across.T,
        "axis": axis.T,
        "status": status,
        "since": since,
        "shear_exposure": exposure,
    }
    return {name: torch.from_numpy(np.ascontiguousarray(values[:ensemble])) for name, values in found.items()}


def _table(vessels: Vessels, body: Body, dt: float, touching: Tensor, margination: Margination | None) -> np.ndarray:
    """(V, kernels.blood.TABLE), in the order of that file."""
    radius, a = vessels.radius, body.radius
    limit = radius - a
    peak = radius**2 - 2 / 3 * a**2
    columns = [vessels.length, radius, limit, limit**-2, vessels.shear, peak, vessels.mixing, touching, vessels.chord]
    columns.append(bounce(vessels, body, dt, margination))
    rows = torch.cat([torch.stack(columns, 1), vessels.frame.reshape(-1, 9), vessels.origin], 1)
    return rows.detach().numpy().copy()
