"""The kernel of robots in blood against `BloodRobots.step`, and what must not change a bit of it."""

import math
import tracemalloc

import numba
import numpy as np
import pytest
import torch

import sojourn as sj
from sojourn.noise import Noise
from sojourn.process import Process
from sojourn.processes.blood.contact import Contact
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BOUND, CAPTURED, LEFT, BloodRobots
from sojourn.processes.blood.solver import Flow

REAL = torch.float64
GRADIENT = [[0.5, 0.2, 0], [0.2, -0.4, 0.1], [0, 0.1, -0.1]]
FIELDS = {
    "none": MagneticField.none(),
    "uniform": MagneticField.uniform((1e-5, 0, 2e-5)),
    "rotating": MagneticField.rotating(2e-5, 3.0, (0, 1, 1)),
    "gradient": MagneticField.gradient((0, 1e-5, 0), GRADIENT),
}
STICKY = Contact("60 nm", 300.0, 100.0, targets=tuple(range(3, 15)), capture_rate=40.0)
SWIMMER = Robot("0.5 um", magnetic_moment="1e-15 A m^2", swim_speed="40 um/s", aspect_ratio=2.0)
SPHERE = Robot("0.3 um", magnetic_moment="1e-15 A m^2")


def grid():
    """A small honeycomb of short vessels, whose flows are those of a linear fluid; some run against their vessels."""
    network = VesselNetwork.honeycomb(2, 2, diameter="12 um", length="30 um")
    size = len(network.nodes)
    a, b = network.vessels.T.numpy()
    matrix = np.zeros((size, size))
    for sign, i, j in ((1, a, a), (1, b, b), (-1, a, b), (-1, b, a)):
        np.add.at(matrix, (i, j), sign)
    right, (inlet, outlet) = np.zeros(size), (boundary.node for boundary in network.boundaries)
    right[inlet], matrix[outlet] = 1, np.eye(size)[outlet]
    pressure = np.linalg.solve(matrix, right)
    q = torch.from_numpy(pressure[a] - pressure[b]) * 2e-3 * math.pi * 36e-12
    assert bool((q < 0).any())
    return Flow(network, torch.from_numpy(pressure), q, 0 * q + 0.4, 0 * q + 3e-3, 0.0, 0.0, 0)


def robots(**given):
    return BloodRobots(grid(), **{"robot": SWIMMER, "field": FIELDS["gradient"], "contact": STICKY, **given})


def assert_close(found, expected):
    """To rounding; a quantile next to a wall may lose digits."""
    for name, value in expected.items():
        if value.is_floating_point():
            scale = {"along": 1e-6, "across": 1e-6}.get(name, 1.0)
            torch.testing.assert_close(
                found[name] / scale, value / scale, rtol=1e-9, atol=1e-9, msg=lambda m, n=name: n + m
            )
        else:
            assert torch.equal(found[name], value), name


@pytest.mark.parametrize(
    ("robot", "field", "contact"),
    [
        (SWIMMER, "none", None),
        (SPHERE, "gradient", None),
        (SPHERE, "uniform", STICKY),
        (SWIMMER, "rotating", STICKY),
        (SWIMMER, "gradient", STICKY),
    ],
)
def test_a_step_of_the_kernel_is_a_step(robot, field, contact):
    """Compared step by step from common states, for paths that part by rounding part for good."""
    process, noise = robots(robot=robot, field=FIELDS[field], contact=contact), Noise(3, stream=5)
    state = process.initial(200, noise)
    crossed = stuck = 0
    for k in range(0, 1500, 10):
        found, expected = process.advance(state, k, 1, noise), process.step(state, k, noise)
        assert_close(found, expected)
        crossed += int((found["vessel"] != state["vessel"]).sum())
        stuck += int(((found["status"] != state["status"]) & (found["status"] != LEFT)).sum())
        state = process.advance(found, k + 1, 9, noise)
    assert crossed > 40
    assert int((state["status"] == LEFT).sum()) > 0
    if contact is not None:
        assert stuck > 3
        assert int((state["status"] == CAPTURED).sum()) > 0


def test_many_steps_of_the_kernel_are_many_steps():
    process, noise = robots(), Noise(8)
    state = process.initial(40, noise)
    state = process.advance(state, 0, 101, noise)
    assert_close(process.advance(state, 101, 37, noise), Process.advance(process, state, 101, 37, noise))


def test_all_that_can_happen_happens():
    process, noise = robots(contact=Contact("0.2 um", 400.0, 20.0)), Noise(8)
    state = process.advance(process.initial(500, noise), 0, 100, noise)
    after = process.advance(state, 100, 400, noise)
    bound = state["status"] == BOUND
    assert 20 < int(bound.sum()) < 480
    assert int((after["status"][bound] != BOUND).sum()) > 20
    held = bound & (after["since"] == state["since"])
    assert torch.equal(after["across"][held], state["across"][held])
    assert bool((after["shear_exposure"][held] > state["shear_exposure"][held]).all())


def test_threads_chunks_and_company_change_no_bit(tmp_path):
    process, n = robots(), 1000
    whole = sj.simulate(process, steps=90, ensemble=n, seed=2, progress=False).state()
    most = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = sj.simulate(process, steps=90, save_every=7, ensemble=n, seed=2, progress=False).state()
    finally:
        numba.set_num_threads(most)
    first = sj.simulate(process, steps=90, save_every=30, ensemble=n, seed=2, out=tmp_path / "a", progress=False)
    noise = Noise(2)
    start = process.initial(n, noise.split("initial"))
    part = {name: value[300:417] for name, value in start.items()}
    part = process.advance(part, 0, 90, noise.members(300))
    for name, value in whole.items():
        assert torch.equal(value, alone[name]), name
        assert torch.equal(value, first.state()[name]), name
        assert torch.equal(value[300:417], part[name]), name


def test_memory_does_not_grow_with_steps():
    process, noise = robots(), Noise(1)
    state = process.initial(2000, noise)
    process.advance(state, 0, 1, noise)
    peaks = []
    for steps in (10, 1000):
        tracemalloc.start()
        process.advance(state, 0, steps, noise)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 24 * 1000 + 20_000  # the field of each step, and what Python keeps of threads
