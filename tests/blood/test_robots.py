"""Robots in networks: times of passage, walls that hold and capture, gradients, and what cannot be asked for."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binom, kstest

import sojourn as sj
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.blood.adhesion import bell_rate, shear_force
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.contact import Contact
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BOUND, CAPTURED, LEFT, MOVING, BloodRobots
from sojourn.processes.blood.solver import Flow

REAL = torch.float64
COLD = {"temperature": 1e-20, "shear_strength": 0.0}


def steady(network, flow):
    q = torch.as_tensor(flow, dtype=REAL)
    return Flow(network, torch.zeros(len(network.nodes), dtype=REAL), q, 0 * q, 0 * q + 1.2e-3, 0.0, 0.0, 0)


def tube(diameter="20 um", length="200 um", velocity=1e-3):
    network = VesselNetwork.tube(diameter, length)
    return steady(network, math.pi / 4 * network.diameter.detach() ** 2 * velocity)


def certain(count, n, p):
    """Whether a count is one of n events of probability p; a false alarm has 1e-6."""
    return 2 * min(binom.cdf(count, n, p), binom.sf(count - 1, n, p)) > 1e-6


def test_as_written():
    network = VesselNetwork.honeycomb(
        columns=8, rows=6, diameter="20 um", length="200 um", inlet_velocity="2 mm/s", hematocrit=0.45
    )
    flow = network.solve(viscosity="pries_in_vivo_1994")
    robots = Robot(radius="0.5 um", magnetic_moment="1e-15 A m^2", swim_speed="10 um/s")
    process = BloodRobots(flow, robots, field=MagneticField.none())
    run = sj.simulate(process, steps=50, ensemble=1000, seed=0, progress=False)
    state = run.state()
    assert f"dt='{1e6 * process.dt:.5g} us'" in repr(process)
    # In 20 ms the fastest come 80 um far, by 2 U on the axis, plus what swims and diffuses.
    assert 0 < float(state["along"].max()) < 1.02 * 4e-3 * 50 * process.dt
    assert bool((state["vessel"] == 0).all())
    assert (state["axis"].norm(dim=1) - 1).abs().max() < 1e-14
    assert float(state["across"].norm(dim=1).max()) <= 9.5e-6 * (1 + 1e-12)


def test_each_leaves_when_its_streamline_has_passed():
    """Without noise the time of leaving is exact: the length over 2 U (1 - r^2/R^2 - 2/3 a^2/R^2), whatever dt."""
    process = BloodRobots(tube(), Robot("0.5 um"), **COLD, dt=1.7e-3)
    start = process.initial(500, Noise(0))
    state = process.advance(start, 0, 200, Noise(0))
    q = start["across"].square().sum(1) / 1e-10
    exact = 2e-4 / (2e-3 * (1 - q - 2 / 3 * (0.5 / 10) ** 2))
    gone = state["status"] == LEFT
    assert int(gone.sum()) > 400
    torch.testing.assert_close(state["since"][gone], exact[gone], rtol=1e-7, atol=0)
    assert bool((state["along"][gone] == 2e-4).all())
    assert torch.equal(~gone, exact > 200 * process.dt)


def test_an_inlet_lets_nobody_out():
    """Swimmers faster than the blood, all upstream: turned back at the inlet, they stay near it."""
    process = BloodRobots(tube(velocity=1e-5), Robot("0.5 um", swim_speed="60 um/s"), **COLD)
    state = process.initial(200, Noise(0))
    state["axis"] = torch.tensor([[-1.0, 0, 0]], dtype=REAL).expand(200, 3).clone()
    state["across"] = torch.zeros(200, 2, dtype=REAL)
    state = process.advance(state, 0, 500, Noise(0))
    assert bool((state["status"] == MOVING).all())
    assert 0 <= float(state["along"].min()) <= float(state["along"].max()) < 6e-5 * process.dt


def test_swimmers_go_upstream_through_a_node():
    """From the daughter of a slow bend, along the axis, back into the parent: 60 um/s against 20 um/s."""
    ends = [Boundary(0, velocity=1e-5), Boundary(2, pressure=0.0)]
    network = VesselNetwork([[0, 0, 0], [1e-4, 0, 0], [2e-4, 0, 0]], [[0, 1], [2, 1]], "20 um", boundaries=ends)
    q = math.pi * 1e-10 * 1e-5
    process = BloodRobots(steady(network, [q, -q]), Robot("0.5 um", swim_speed="60 um/s"), **COLD, dt=1e-3)
    state = process.initial(8, Noise(0))
    state["vessel"] = torch.ones(8, dtype=torch.int32)
    state["along"] = torch.full((8,), 9e-5, dtype=REAL)  # 10 um beyond the node
    state["across"] = torch.zeros(8, 2, dtype=REAL)
    state["axis"] = torch.tensor([[-1.0, 0, 0]], dtype=REAL).expand(8, 3).clone()
    state = process.advance(state, 0, 500, Noise(0))
    assert bool((state["vessel"] == 0).all())
    speed = 6e-5 - 2e-5 * (1 - 2 / 3 * 0.05**2)
    torch.testing.assert_close(
        state["along"], torch.full((8,), 1e-4 - (0.5 * speed - 1e-5), dtype=REAL), rtol=1e-2, atol=0
    )


# ------------------------------------------------------------------------------------------------- walls


def at_the_wall(process, n, gap=1e-8):
    state = process.initial(n, Noise(1))
    state["across"] = torch.tensor([[10e-6 - 0.5e-6 - gap, 0]], dtype=REAL).expand(n, 2).clone()
    return state


def test_binding_and_capture_have_their_rates():
    """In a step of contact 1 - exp(-(k_b + k_c) dt) are bound or captured, as k_b to k_c; nobody beyond the reach."""
    n, k_b, k_c = 200_000, 300.0, 200.0
    contact = Contact("20 nm", k_b, targets=("vessel",), capture_rate=k_c)
    process = BloodRobots(tube(), Robot("0.5 um"), contact=contact, dt=1e-3, **COLD)
    state = process.step(at_the_wall(process, n), 0, Noise(3))
    p = -math.expm1(-(k_b + k_c) * process.dt)
    bound, captured = (int((state["status"] == x).sum()) for x in (BOUND, CAPTURED))
    assert certain(bound + captured, n, p)
    assert certain(captured, bound + captured, k_c / (k_b + k_c))
    assert torch.equal(state["since"] > 0, state["status"] != MOVING)
    far = process.step(at_the_wall(process, 100, gap=2.1e-8), 0, Noise(3))
    assert bool((far["status"] == MOVING).all())


def test_letting_go_follows_bells_rate():
    """The time until a robot lets go is exponential: Kolmogorov and Smirnov's test, 1e-6."""
    contact = Contact("20 nm", unbinding_rate="2 1/s", bond_length="1 nm")
    process = BloodRobots(tube(length="1 m"), Robot("0.5 um"), contact=contact, dt=1e-3)
    state = at_the_wall(process, 4000)
    state["status"] = torch.full_like(state["status"], BOUND)
    after = process.advance(state, 0, 2000, Noise(6))
    rate = bell_rate(2.0, shear_force(0.5e-6, 1.2e-3 * 4 * 1e-3 / 10e-6), bond_length=1e-9)
    assert rate > 3
    held = after["status"] == BOUND
    assert certain(int(held.sum()), 4000, math.exp(-2 * rate))
    assert torch.equal(after["across"][held], state["across"][held])
    # `since` is a whole number of steps: half a step more than the time itself, on average.
    times = after["since"][~held].numpy() - process.dt / 2
    assert kstest(times, lambda t: np.expm1(-rate * t) / math.expm1(-2 * rate)).pvalue > 1e-6


def test_shear_is_summed_up():
    """A cold robot that passes has felt 4 U r / R^2 for the time it took; a bound one goes on feeling it."""
    process = BloodRobots(tube(length="2 mm"), Robot("0.5 um"), **COLD, dt=1e-3)
    start = process.initial(100, Noise(0))
    start["status"][::2] = BOUND
    state = process.advance(start, 0, 200, Noise(0))
    r = start["across"].norm(dim=1)
    torch.testing.assert_close(state["shear_exposure"], 4e-3 * r / 1e-10 * 0.2, rtol=1e-9, atol=0)


# ------------------------------------------------------------------------------------------------- gradients


def landed(speed, strength, flow_rate, ratio=1.0):
    """The mean place of some robots after 40 steps with noise, through a bend, in a field."""
    ends = [Boundary(0, velocity=1e-3), Boundary(2, pressure=0.0)]
    network = VesselNetwork([[0, 0, 0], [5e-5, 0, 0], [5e-5, 1e-4, 0]], [[0, 1], [1, 2]], "20 um", boundaries=ends)
    flow = steady(network, torch.stack([flow_rate, flow_rate]))
    field = MagneticField.gradient(
        torch.stack([strength, 0 * strength, 0 * strength]), torch.diag(torch.tensor([1.0, -1, 0]) * 2)
    )
    robot = Robot("0.5 um", magnetic_moment="1e-14 A m^2", swim_speed=speed, aspect_ratio=ratio)
    process = BloodRobots(flow, robot, field=field, dt=5e-4)
    noise = Noise(9)
    with torch.no_grad():
        state = process.initial(64, noise)
    state["along"] = state["along"] + 2e-5
    for k in range(40):
        state = process.step(state, k, noise)
    assert 0 < int((state["vessel"] == 1).sum()) < 64
    return (process.places(state) * torch.tensor([1e6, 2e6, 3e6], dtype=REAL)).sum(1).mean()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_gradients_are_those_of_finite_differences(which):
    values = [4e-5, 2e-5, math.pi * 1e-10 * 1e-3]
    steps = [1e-9, 1e-9, 1e-18]
    given = [torch.tensor(x, dtype=REAL, requires_grad=k == which) for k, x in enumerate(values)]
    (found,) = torch.autograd.grad(landed(*given), given[which])
    ends = []
    for sign in (1, -1):
        moved = [torch.tensor(x + sign * steps[k] * (k == which), dtype=REAL) for k, x in enumerate(values)]
        ends.append(float(landed(*moved)))
    assert float(found) == pytest.approx((ends[0] - ends[1]) / (2 * steps[which]), rel=1e-4)


def test_advance_passes_gradients_too():
    speed = torch.tensor(1e-5, dtype=REAL, requires_grad=True)
    process = BloodRobots(tube(velocity=1e-4), Robot("0.5 um", swim_speed=speed), dt=1e-3)
    state = process.initial(16, Noise(0))
    end = process.advance(state, 0, 5, Noise(0))
    (found,) = torch.autograd.grad(process.places(end).sum(), speed)
    assert math.isfinite(float(found))
    assert float(found) != 0


# ------------------------------------------------------------------------------------------------- bad input


def test_halving_the_step_changes_little():
    """The share that has left by a time, and the mean time it took: within their intervals (6 standard errors)."""
    found = []
    for dt in (2e-3, 1e-3):
        process = BloodRobots(tube(velocity=2e-4), Robot("0.5 um", swim_speed="20 um/s"), dt=dt)
        n, noise = 20_000, Noise(12)
        state = process.advance(process.initial(n, noise), 0, round(1.0 / dt), noise)
        gone = state["status"] == LEFT
        share, times = float(gone.double().mean()), state["since"][gone]
        found.append(
            (share, (share * (1 - share) / n) ** 0.5, float(times.mean()), float(times.std()) / len(times) ** 0.5)
        )
    (p, dp, t, s), (q, dq, u, v) = found
    assert 0.3 < p < 0.9
    assert abs(p - q) < 6 * math.hypot(dp, dq)
    assert abs(t - u) < 6 * math.hypot(s, v)


def named():
    """Two vessels in line, the second one narrow and short."""
    ends = [Boundary(0, velocity=1e-3), Boundary(2, pressure=0.0)]
    network = VesselNetwork(
        [[0, 0, 0], [2e-4, 0, 0], [2.1e-4, 0, 0]],
        [[0, 1], [1, 2]],
        [20e-6, 10e-6],
        boundaries=ends,
        names=["feeder", "neck"],
    )
    q = math.pi * 1e-10 * 1e-3
    return steady(network, [q, q])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"robot": Robot("6 um")}, "the robot, 12 um across, is larger than its vessel: neck has diameter=10 um"),
        ({"robot": Robot("1 um", aspect_ratio=7.0)}, "the robot, 14 um across, is larger than its vessel: neck"),
        ({"robot": Robot("0.5 um", swim_speed=torch.zeros(2))}, r"swim_speed has the shape \(2,\); give one number"),
        ({"dt": "5 ms"}, r"dt=5 ms carries a robot past neck; give at most 1\.25 ms"),
        ({"dt": "1.2 ms"}, r"dt=1\.2 ms turns a robot by more than a radian in neck; give at most"),
        ({"dt": "1 s", "robot": Robot("0.5 um", swim_speed="1 m/s")}, "dt=1 s carries a robot past neck"),
        ({"dt": 0.0}, "dt=0.0 is not above zero"),
        ({"dt": "1 um"}, "dt='1 um' is not a time"),
        ({"temperature": -1}, "temperature=-1 is not above zero"),
        ({"viscosity": "1 um"}, "viscosity='1 um' is not a viscosity"),
        ({"shear_strength": -0.1}, "shear_strength=-0.1 is below zero"),
        (
            {"contact": Contact("20 nm", targets=("tumour",), capture_rate=1.0)},
            "targets name 'tumour', and no vessel is",
        ),
        (
            {"contact": Contact("20 nm", targets=(2,), capture_rate=1.0)},
            "targets name vessel 2, but vessels are numbered 0 to 1",
        ),
    ],
)
def test_what_cannot_be(given, message):
    with pytest.raises(InputError, match=message):
        BloodRobots(named(), **{"robot": Robot("0.5 um"), **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"reach": 0}, "reach=0 is not above zero"),
        ({"reach": "20 nm", "binding_rate": -1}, "binding_rate=-1 is below zero"),
        ({"reach": "20 nm", "targets": "tumour", "capture_rate": 1}, "targets='tumour' is a text"),
        ({"reach": "20 nm", "targets": ("tumour",)}, "targets without capture_rate captures nobody"),
        ({"reach": "20 nm", "capture_rate": 1.0}, "capture_rate without targets captures nobody"),
    ],
)
def test_no_such_contact(given, message):
    with pytest.raises(InputError, match=message):
        Contact(**given)


def test_states_of_other_networks():
    process = BloodRobots(named(), Robot("0.5 um"))
    state = process.initial(3, Noise(0))
    state["vessel"][1] = 2
    with pytest.raises(InputError, match="'vessel' holds 2, but vessels are numbered 0 to 1"):
        process.advance(state, 0, 1, Noise(0))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("along", 2.1e-4, "'along' of robot 1 is 0.00021, outside feeder; give a place inside"),
        ("across", 9.6e-6, r"'across' of robot 1 is .*, outside feeder; give a place inside, 500 nm from its wall"),
        ("axis", 3.0, "'axis' holds a vector of length 5.196; give unit vectors"),
    ],
)
def test_states_that_cannot_be(name, value, message):
    process = BloodRobots(named(), Robot("0.5 um"))
    state = process.initial(3, Noise(0))
    state[name][1] = value
    with pytest.raises(InputError, match=message):
        process.advance(state, 0, 1, Noise(0))


def test_the_chosen_step_is_well_below_what_is_refused():
    """A quarter of a way, which for noise is a sixteenth of the time."""
    process = BloodRobots(named(), Robot("0.5 um"))
    BloodRobots(named(), Robot("0.5 um"), dt=3.9 * process.dt)
    with pytest.raises(InputError, match="neck"):
        BloodRobots(named(), Robot("0.5 um"), dt=16.1 * process.dt)


def test_arguments_of_another_kind():
    network = VesselNetwork.tube("20 um", "200 um")
    flow, robot = network.solve(), Robot("1 um")
    with pytest.raises(InputError, match="flow is a VesselNetwork; give what"):
        BloodRobots(network, robot)
    with pytest.raises(InputError, match="robot is a str; give a Robot"):
        BloodRobots(flow, "1 um")
    with pytest.raises(InputError, match="field is a tuple; give a MagneticField"):
        BloodRobots(flow, robot, (0, 0, 1))
    with pytest.raises(InputError, match="contact is a dict; give a Contact or None"):
        BloodRobots(flow, robot, contact={})
    for name in ("shear_strength", "viscosity", "temperature", "dt"):
        with pytest.raises(InputError, match=rf"^{name} has shape \(2,\); give one number$"):
            BloodRobots(flow, robot, **{name: torch.full((2,), 300.0)})


def test_numbers_as_tensors_of_one():
    """They are the numbers, whatever their shape."""
    flow, robot = VesselNetwork.tube("20 um", "200 um").solve(), Robot("1 um")
    given = {"shear_strength": 0.2, "viscosity": 1e-3, "temperature": 300.0, "dt": 1e-4}
    plain, tensors = (
        BloodRobots(flow, robot, **kind)
        for kind in (given, {k: torch.tensor([v], dtype=torch.float64) for k, v in given.items()})
    )
    start = plain.initial(50, Noise(1))
    for name, value in plain.advance(start, 0, 20, Noise(2)).items():
        assert torch.equal(tensors.advance(start, 0, 20, Noise(2))[name], value)
    assert isinstance(tensors.dt, float)


def test_late_fields_are_those_of_their_time():
    """A field that turns, after 2^24 steps and more, where single precision no longer tells a step from the next."""
    field = MagneticField.rotating("5 mT", "40 Hz", (0, 0, 1))
    process = BloodRobots(
        VesselNetwork.tube("20 um", "1 m").solve(),
        Robot("1 um", magnetic_moment="1e-15 A m^2"),
        field=field,
        dt="200 us",
    )
    start, t = process.initial(30, Noise(1)), 2**25 + 1
    slow = start
    for k in range(8):
        slow = process.step(slow, t + k, Noise(2))
    torch.testing.assert_close(process.advance(start, t, 8, Noise(2))["axis"], slow["axis"], rtol=0, atol=1e-9)


def test_a_stopped_network_injects_nobody():
    ends = [Boundary(0, pressure=0.0), Boundary(2, pressure=0.0)]
    nodes = [[0, 0, 0], [1e-4, 0, 0], [2e-4, 0, 0]]
    network = VesselNetwork(nodes, [[1, 0], [1, 2]], "20 um", boundaries=ends)
    with pytest.raises(InputError, match="no blood enters the network, so nobody can be injected; give a state"):
        sj.simulate(BloodRobots(steady(network, [0.0, 0.0]), Robot("1 um"), dt="1 ms"), steps=1, progress=False)


@pytest.mark.parametrize(("name", "value"), [("along", math.nan), ("across", math.nan), ("status", 7)])
def test_states_that_are_no_numbers(name, value):
    process = BloodRobots(tube(), Robot("1 um"))
    state = process.initial(3, Noise(0))
    state[name].view(-1)[1] = value
    with pytest.raises(InputError, match=f"state field '{name}'"):
        process.check(state)
