"""Robots under a schedule: interval by interval as by hand, bit for bit; interruptions; an independent equation."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import sojourn as sj
from sojourn.control import Guided, Schedule
from sojourn.delivery import delivered
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots

sys.path.insert(0, str(Path(__file__).parent))
from tree import COIL, INTERVAL, Interrupted, check_kernel, equal, robots

REAL = torch.float64


def schedule(n=4, seed=0):
    random = np.random.default_rng(seed)
    return COIL.follow(*(torch.from_numpy(random.normal(size=s)) for s in ((n, 3), (n, 3, 3))), interval=INTERVAL)


def test_equals_robots_under_one_field_after_another():
    """Fields taken in by `replace`, which makes everything anew; beyond the last interval its field lasts."""
    plan, inner, noise = schedule(), robots(), Noise(3)
    guided, each = Guided(inner, plan), round(INTERVAL / inner.dt)
    state = inner.initial(200, noise)
    expected = state
    for k in range(6):
        j = min(k, 3)
        field = MagneticField.gradient(plan.field[j], plan.gradient[j])
        expected = replace(inner, field=field).advance(expected, k * each, each, noise)
    assert equal(guided.advance(state, 0, 6 * each, noise), expected)


def test_the_kernel_equals_the_definition():
    check_kernel(Guided(robots(), schedule()), Noise(1), 64, 5)


def test_interrupted_and_resumed_it_is_the_same_run(tmp_path):
    guided = Guided(robots(), schedule())
    options = {"steps": 150, "ensemble": 50, "seed": 8, "save_every": 25, "progress": False}
    whole = sj.simulate(guided, **options)
    with pytest.raises(KeyboardInterrupt):
        sj.simulate(guided, **options, out=tmp_path / "run.zarr", observers=[Interrupted(74, 37)])
    resumed = sj.simulate(guided, **options, out=tmp_path / "run.zarr", resume=True)
    assert equal(resumed.state(), whole.state())
    with pytest.raises(InputError, match="was begun with parameters="):
        sj.simulate(Guided(robots(), schedule(seed=1)), **options, out=tmp_path / "run.zarr", resume=True)


def swimming(_, x, rate, b):
    return np.r_[rate * np.cross(np.cross(x[:3], b), x[:3]), 4e-5 * x[:3]]


def test_a_cold_swimmer_follows_its_equation():
    """de/dt = c m (e x B) x e, dx/dt = v e, by another solver, with the error of Euler's method: first order in dt."""
    tube = VesselNetwork.tube("400 um", "10 mm", inlet_velocity="1e-12 m/s", hematocrit=0.2).solve()
    robot = Robot("1.634 um", magnetic_moment="1e-14 A m^2", swim_speed="40 um/s")
    fields = torch.tensor([[0, 0.1e-3, 0], [0, 0, 0.1e-3], [0, -0.1e-3, 0.05e-3]], dtype=REAL)
    plan = Schedule(fields, torch.zeros(3, 3, 3, dtype=REAL), 0.1)
    rate = 1e-14 / (8 * np.pi * 1.2e-3 * 1.634e-6**3)
    truth = np.array([0.6, 0.64, 0.48, 0, 0, 0])
    for b in fields.numpy():
        truth = solve_ivp(swimming, (0, 0.1), truth, args=(rate, b), rtol=1e-10, atol=1e-14).y[:, -1]
    errors = []
    for dt in (2e-3, 1e-3, 5e-4):
        inner = BloodRobots(tube, robot, temperature="1e-9 K", shear_strength=0, dt=dt)
        state = inner.initial(1, Noise(0))
        state["axis"] = torch.tensor([[0.6, 0.64, 0.48]], dtype=REAL)
        state["along"], state["across"] = torch.full((1,), 5e-3, dtype=REAL), torch.zeros(1, 2, dtype=REAL)
        start = inner.places(state)
        state = Guided(inner, plan).advance(state, 0, round(0.3 / dt), Noise(0))
        moved = (inner.places(state) - start)[0].numpy()
        errors.append([np.abs(state["axis"][0].numpy() - truth[:3]).max(), np.abs(moved - truth[3:]).max() / 4e-5])
    ratio = np.array(errors[:-1]) / np.array(errors[1:])
    assert np.all(np.array(errors[-1]) < 2e-3)
    np.testing.assert_allclose(ratio, 2, atol=0.15)


def test_what_cannot_be_scheduled_is_refused():
    inner = robots()
    zero = torch.zeros(2, 3, 3, dtype=REAL)
    with pytest.raises(
        InputError, match=r"^a schedule of shapes \(2, 2\) and \(2, 3, 3\) is none; give fields \(n, 3\)"
    ):
        Schedule(torch.zeros(2, 2), zero, 1.0)
    with pytest.raises(InputError, match=r"^interval='0 s' is not above zero"):
        Schedule(torch.zeros(2, 3), zero, "0 s")
    with pytest.raises(
        InputError, match=r"^interval=1 ms is [\d.]+ steps of dt=[\d.]+ us; give a whole number of steps, such as"
    ):
        Guided(inner, Schedule(torch.zeros(2, 3, dtype=REAL), zero, "1 ms"))
    strong = Schedule.constant(MagneticField.uniform(("1 T", 0, 0)))
    with pytest.raises(InputError, match=r"^dt=.* turns a robot by more than a radian in vessel 0; give at most"):
        Guided(inner, strong)
    fast = replace(inner, field=MagneticField.rotating("1 uT", "20 Hz", (0, 0, 1)))
    with pytest.raises(
        InputError, match=r"^frequency=20 1/s is above the step-out frequency 0\.\d+ 1/s of this robot in 1 uT"
    ):
        Guided(fast, schedule())


def test_what_guided_robots_delivered():
    """Counted from the run as from its last state; robots of another seed's blood are not those of the run."""
    inner = robots()
    guided = Guided(inner, schedule())
    run = sj.simulate(guided, steps=50, ensemble=20, seed=0, progress=False)
    found = delivered(run, inner)
    assert found.time == pytest.approx(50 * inner.dt)
    assert found.shares == delivered(run.state(), inner, at=found.time).shares
    with pytest.raises(InputError, match="the run is of Guided, not of these robots; give what simulate"):
        delivered(run, replace(inner, temperature=300.0))
