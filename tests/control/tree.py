"""Robots for the tests of control: small trees of vessels with one or two nodes that part."""

from functools import cache

import torch

from sojourn.control import Coil
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots

COIL = Coil("3 mT", "0.5 T/m", "300 mT/s")
INTERVAL = 0.04  # s


@cache
def flow(generations=1, asymmetry=1.0):
    network = VesselNetwork.murray_tree(
        generations, "20 um", length_ratio=5, asymmetry=asymmetry, inlet_velocity="0.5 mm/s", hematocrit=0.2
    )
    return network.solve()


@cache
def robots(generations=1, asymmetry=1.0, coarse=1, **options):
    """With the longest safe dt, or a few times that."""
    robot = Robot("1.634 um", magnetic_moment="1e-14 A m^2", swim_speed="40 um/s")
    fine = COIL.fit(BloodRobots(flow(generations, asymmetry), robot, **options), interval=INTERVAL)
    steps = round(INTERVAL / fine.dt)
    return BloodRobots(fine.flow, robot, dt=INTERVAL / -(-steps // coarse), **options)


class Interrupted:
    """An observer that is Ctrl-C at a step."""

    def __init__(self, at, every):
        self.at, self.every = at, every

    def see(self, step, state):
        if step >= self.at:
            raise KeyboardInterrupt
        return False

    def close(self):
        pass


def check_kernel(process, noise, ensemble, reach):
    """`advance` equals `step` by step, to rounding, across the end of the first interval."""
    first = round(INTERVAL / process.dt) - reach
    state = process.advance(process.initial(ensemble, noise), 0, first, noise)
    fast, slow = process.advance(state, first, 2 * reach, noise), state
    for t in range(first, first + 2 * reach):
        slow = process.step(slow, t, noise)
    for name, value in fast.items():
        torch.testing.assert_close(value, slow[name], rtol=1e-9, atol=1e-15)


def equal(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)
