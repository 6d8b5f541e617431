"""Robots under a schedule: interval by interval as by hand, bit for bit; ramps; interruptions; another equation."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import sojourn as sj
from sojourn.control import Coil, Guided, Schedule
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


def jumping(plan):
    return Schedule(plan.field, plan.gradient, plan.interval)


def test_equals_robots_under_one_field_after_another():
    """Fields taken in by `replace`, which makes everything anew; beyond the last interval its field lasts."""
    plan, inner, noise = jumping(schedule()), robots(), Noise(3)
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


def finely(plan, steps, gradients):
    """What a ramp is from step to step: a schedule of one field a step, at its middle; the last one lasts."""
    before, fine = (torch.zeros(3, dtype=REAL), torch.zeros(3, 3, dtype=REAL)), []
    for field, gradient, ramp in zip(plan.field, plan.gradient, plan.ramp, strict=True):
        shares = [min(1.0, (j + 0.5) * plan.interval / steps / float(ramp)) for j in range(steps)]
        for share in shares:
            part = share if gradients == "ramp" else sum(shares) / steps
            fine.append((before[0] + share * (field - before[0]), before[1] + part * (gradient - before[1])))
        before = field, gradient
    fields, gradients = (torch.stack(parts) for parts in zip(*[*fine, before], strict=True))
    return Schedule(fields, gradients, plan.interval / steps)


def test_a_ramp_is_a_schedule_of_one_field_a_step():
    """With the gradient's mean over each interval, which differs a little from the mean of so many steps."""
    plan, inner, noise = schedule(), robots(), Noise(3)
    each = round(INTERVAL / inner.dt)
    assert 0.2 * INTERVAL < float(plan.ramp.min()) < float(plan.ramp.max()) < 0.6 * INTERVAL
    state = inner.initial(100, noise)
    found = Guided(inner, plan).advance(state, 0, 5 * each, noise)
    expected = Guided(inner, finely(plan, each, "mean")).advance(state, 0, 5 * each, noise)
    torch.testing.assert_close(inner.places(found), inner.places(expected), rtol=0, atol=1e-10)
    torch.testing.assert_close(found["axis"], expected["axis"], rtol=0, atol=1e-5)


def test_the_gradients_mean_stands_for_its_ramp():
    """Places differ by a twentieth of what it would be to let the fields jump."""
    plan, inner, noise = schedule(), robots(), Noise(3)
    each = round(INTERVAL / inner.dt)
    state = inner.initial(100, noise)
    at = [
        inner.places(Guided(inner, p).advance(state, 0, 5 * each, noise))
        for p in (plan, finely(plan, each, "ramp"), jumping(plan))
    ]
    error, effect = ((x - at[0]).norm(dim=1).mean() for x in at[1:])
    assert float(effect) > 2e-7
    assert float(error) < 0.05 * float(effect)


def test_the_field_turns_round_at_the_coils_rate():
    """From 0 to 3 mT at 100 mT/s in 30 ms; to -3 mT in 60 ms, which the interval's end divides; then it lasts."""
    coil, inner = Coil("3 mT", "0.5 T/m", "100 mT/s"), robots()
    wishes = 3e-3 * torch.tensor([[0, 1, 0], [0, -1, 0], [0, -1, 0]], dtype=REAL)
    guided = Guided(inner, coil.follow(wishes, torch.zeros(3, 3, 3, dtype=REAL), interval=INTERVAL))
    np.testing.assert_allclose(guided.schedule.ramp, [0.03, 0.04, 0.02], rtol=1e-12)
    times = np.arange(round(4 * INTERVAL / inner.dt))
    middles = (times + 0.5) * inner.dt
    expected = np.interp(middles, [0, 0.03, 0.04, 0.1, 1], 3e-3 * np.array([0, 1, 1, -1, -1]))
    origin = torch.zeros(1, 3, dtype=REAL)
    found = [float(guided._within[guided._interval(t)].field.field(origin, t * inner.dt)[0, 1]) for t in times.tolist()]
    np.testing.assert_allclose(found, expected, atol=1e-15)


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


def swimming(t, x, rate, last, b, ramp):
    now = last + (t / ramp if t < ramp else 1.0) * (b - last)
    return np.r_[rate * np.cross(np.cross(x[:3], now), x[:3]), 4e-5 * x[:3]]


@pytest.mark.parametrize("ramp", [None, (0.02, 0.1, 0.06)])
def test_a_cold_swimmer_follows_its_equation(ramp):
    """de/dt = c m (e x B) x e, dx/dt = v e, by another solver, with the error of Euler's method: first order in dt."""
    tube = VesselNetwork.tube("400 um", "10 mm", inlet_velocity="1e-12 m/s", hematocrit=0.2).solve()
    robot = Robot("1.634 um", magnetic_moment="1e-14 A m^2", swim_speed="40 um/s")
    fields = torch.tensor([[0, 0.1e-3, 0], [0, 0, 0.1e-3], [0, -0.1e-3, 0.05e-3]], dtype=REAL)
    plan = Schedule(fields, torch.zeros(3, 3, 3, dtype=REAL), 0.1, ramp=ramp)
    rate = 1e-14 / (8 * np.pi * 1.2e-3 * 1.634e-6**3)
    truth = np.array([0.6, 0.64, 0.48, 0, 0, 0])
    last = np.zeros(3)
    for b, duration in zip(fields.numpy(), ramp or [0.0] * 3, strict=True):
        for begin, end in ((0, min(duration, 0.1)), (min(duration, 0.1), 0.1)):  # the solver is not to meet the kink
            arguments = {"args": (rate, last, b, duration), "rtol": 1e-10, "atol": 1e-14}
            truth = solve_ivp(swimming, (begin, end), truth, **arguments).y[:, -1] if end > begin else truth
        last = b
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


def test_lists_and_arrays_are_a_schedule_as_tensors_are():
    plan = jumping(schedule())
    for kind in (torch.Tensor.tolist, torch.Tensor.numpy):
        again = Schedule(kind(plan.field), kind(plan.gradient), plan.interval)
        assert torch.equal(again.field, plan.field)
        assert torch.equal(again.gradient, plan.gradient)
    wishes = (np.full((3, 3), 1e-3), np.zeros((3, 3, 3)))
    assert torch.equal(
        COIL.follow(*wishes, interval=INTERVAL).field,
        COIL.follow(*map(torch.from_numpy, wishes), interval=INTERVAL).field,
    )


def test_what_cannot_be_scheduled_is_refused():
    inner = robots()
    zero = torch.zeros(2, 3, 3, dtype=REAL)
    with pytest.raises(
        InputError, match=r"^a schedule of shapes \(2, 2\) and \(2, 3, 3\) is none; give fields \(n, 3\)"
    ):
        Schedule(torch.zeros(2, 2), zero, 1.0)
    with pytest.raises(InputError, match=r"^interval='0 s' is not above zero"):
        Schedule(torch.zeros(2, 3), zero, "0 s")
    with pytest.raises(InputError, match=r"^field is not an array of numbers; give a tensor, or nested lists, in T$"):
        Schedule([("3 mT", 0, 0), (0, 0, 0)], zero, 1.0)
    with pytest.raises(
        InputError, match=r"^gradient is not an array of numbers; give a tensor, or nested lists, in T/m"
    ):
        Schedule(np.zeros((2, 3)), "0.5 T/m", 1.0)
    with pytest.raises(InputError, match=r"^gradient holds values that are not finite; give it in T/m"):
        Schedule(np.zeros((2, 3)), zero * np.nan, 1.0)
    with pytest.raises(InputError, match=r"^ramp has shape \(3,\); give a time for each of 2 intervals"):
        Schedule(np.zeros((2, 3)), zero, 1.0, ramp=[0, 0, 0])
    with pytest.raises(InputError, match=r"^ramp=1.5 s is outside its interval; give times from 0 to 1 s"):
        Schedule(np.zeros((2, 3)), zero, 1.0, ramp=[0.9, 1.5])
    with pytest.raises(InputError, match=r"^robots is a Flow; give BloodRobots"):
        Guided(inner.flow, schedule())
    with pytest.raises(InputError, match=r"^schedule is a MagneticField; give a Schedule, such as Schedule.constant"):
        Guided(inner, MagneticField.none())
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
