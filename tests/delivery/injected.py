"""A bed of three vessels, and states of robots in it that are made by hand."""

import functools

import numpy as np
import torch
import xarray as xr

from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.contact import Contact
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots
from sojourn.trajectory import Trajectory

LENGTH = 1e-4  # m, of vessels 1 and 2


@functools.cache
def robots(targets: tuple[str, ...] = ("tumour",)) -> BloodRobots:
    """Vessel 0, an arteriole, parts into 1, a capillary, and 2 in the tumour, each with an outlet."""
    network = VesselNetwork(
        1e-6 * np.array([[0, 0, 0], [100, 0, 0], [100, 100, 0], [100, -100, 0]]),
        [[0, 1], [1, 2], [1, 3]],
        "20 um",
        boundaries=[Boundary(0, velocity="1 mm/s"), Boundary(2, pressure=0.0), Boundary(3, pressure=0.0)],
        kinds=["arteriole", "capillary", "tumour"],
        names=["feeding", "healthy", "sick"],
    )
    contact = Contact("50 nm", targets=targets, capture_rate="10 1/s") if targets else None
    return BloodRobots(network.solve(viscosity="1.2 cP"), Robot("0.5 um"), contact=contact)


def state(rows: list[tuple[int, int, float, float]]) -> dict[str, torch.Tensor]:
    """Robots as (status, vessel, since, shear exposure); those that left are at the end of their vessel."""
    status, vessel, since, exposure = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    return {
        "vessel": torch.from_numpy(vessel.astype(np.int32)),
        "along": torch.from_numpy(np.where(status == 2, LENGTH, 0.4 * LENGTH)),
        "across": torch.zeros(n, 2, dtype=torch.float64),
        "axis": torch.tensor([[1.0, 0, 0]], dtype=torch.float64).repeat(n, 1),
        "status": torch.from_numpy(status.astype(np.uint8)),
        "since": torch.from_numpy(since.astype(float)),
        "shear_exposure": torch.from_numpy(exposure.astype(float)),
    }


def trajectory(states: list[dict[str, torch.Tensor]], times: list[float], process: str = "BloodRobots") -> Trajectory:
    """Frames as `simulate` would save them."""
    dims = {"across": ("normal",), "axis": ("xyz",)}
    variables = {
        name: (("ensemble", "time", *dims.get(name, ())), np.stack([x[name].numpy() for x in states], axis=1))
        for name in states[0]
    }
    return Trajectory(xr.Dataset(variables, {"time": times}, {"process": process}))
