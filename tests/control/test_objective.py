"""The smooth share: by an independent sum along tracks, its gradients by finite differences, its limit, its memory."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import quad

import sojourn as sj
from sojourn.control import Coil, Guided, Route, Schedule, objective, peak_bytes, soft_share
from sojourn.control.coil import from_five
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots

sys.path.insert(0, str(Path(__file__).parent))
from tree import INTERVAL, flow, robots

REAL = torch.float64
STEPS = 136  # 0.32 s, after which most robots are past the first node


def plan(values, n=8):
    """A schedule of n intervals from n x 8 numbers of the order of 1."""
    values = values.reshape(n, 8)
    return Schedule(1e-3 * values[:, :3], 0.2 * from_five(values[:, 3:]), INTERVAL)


def numbers(seed=0, n=8):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=8 * n))


def coarse(generations=1, asymmetry=1.0):
    return robots(generations, asymmetry, coarse=3)


def by_quadrature(x):
    """The share of Poiseuille's flow in the unit disc to the left of x."""
    return quad(lambda u: (1 - u * u) ** 1.5 * 4 / 3, -1, x)[0] / (np.pi / 2)


def rise(s):
    z = np.clip((s - 0.9) / 0.1, 0, 1)
    return z * z * (3 - 2 * z)


def test_equals_a_sum_along_tracks():
    """Robot by robot from stored tracks, in plain Python, the flow's share by quadrature."""
    guided, route = Guided(coarse(2), plan(numbers())), Route(flow(2), 4)
    n, steps = 12, 300
    found = float(soft_share(guided, route, steps=steps, ensemble=n, seed=3))
    path = sj.simulate(guided, steps=steps, save_every=1, ensemble=n, seed=3, progress=False).dataset
    length, radius = flow(2).network.length.numpy(), flow(2).network.diameter.numpy() / 2
    total = 0.0
    for i in range(n):
        vessel, along, across = (path[name].values[i] for name in ("vessel", "along", "across"))
        for gate in route.gates:
            for k in np.flatnonzero(vessel[:-1] == gate.vessel):
                now = along[k] / length[gate.vessel]
                then = along[k + 1] / length[gate.vessel] if vessel[k + 1] == gate.vessel else float(now > 0.5)
                if rise(then) == rise(now):
                    continue
                share = by_quadrature(float(across[k] @ gate.direction.numpy()) / radius[gate.vessel])
                wanted = share - gate.low if gate.low else gate.high - share
                total += (rise(then) - rise(now)) / (1 + np.exp(-wanted / 0.1))
    assert total / n > 0.5
    assert found == pytest.approx(total / n / 2, rel=1e-7)


def difference(f, x, direction, h):
    return (f(x + h * direction) - f(x - h * direction)) / (2 * h)


@pytest.mark.parametrize("target", [1, 2])
def test_gradients_by_field_and_gradient_equal_finite_differences(target):
    """Along each of the intervals' eight numbers in turn and in directions drawn at random, with the noise held."""
    route, inner = Route(flow(1), target), coarse()

    def share(values):
        return soft_share(Guided(inner, plan(values)), route, steps=STEPS, ensemble=40, seed=1)

    values = numbers(2).requires_grad_()
    (slope,) = torch.autograd.grad(share(values), values)
    random = np.random.default_rng(0)
    directions = [torch.from_numpy(random.normal(size=64)) for _ in range(3)]
    directions += [torch.zeros(64, dtype=REAL).index_fill(0, torch.tensor([i]), 1.0) for i in (1, 16, 27)]
    with torch.no_grad():
        for direction in directions:
            expected = float(difference(share, values, direction, 1e-5))
            assert abs(expected) > 1e-7
            assert float(slope @ direction) == pytest.approx(expected, rel=1e-4)


def test_gradients_pass_the_ramps_of_a_slow_coil():
    """Through how far and for how long the field is on its way, to wishes that turn round in every interval."""
    route, inner, coil = Route(flow(1), 1), coarse(), Coil("3 mT", "0.5 T/m", "50 mT/s")

    def share(values):
        wishes = (values + sign).reshape(8, 8)
        plan = coil.follow(1e-3 * wishes[:, :3], 0.2 * from_five(wishes[:, 3:]), interval=INTERVAL)
        return soft_share(Guided(inner, plan), route, steps=STEPS, ensemble=40, seed=1)

    sign = torch.tensor([2.0, -2.0] * 4, dtype=REAL).repeat_interleave(8)
    values = numbers(2).requires_grad_()
    (slope,) = torch.autograd.grad(share(values), values)
    random = np.random.default_rng(1)
    with torch.no_grad():
        for _ in range(4):
            direction = torch.from_numpy(random.normal(size=64))
            expected = float(difference(share, values, direction, 1e-5))
            assert abs(expected) > 1e-7
            assert float(slope @ direction) == pytest.approx(expected, rel=1e-4)


def test_gradients_by_swimming_moment_and_flow_equal_finite_differences():
    def share(x):
        network = VesselNetwork.murray_tree(1, "20 um", length_ratio=5, inlet_velocity=5e-4 * x[0], hematocrit=0.2)
        robot = Robot("1.634 um", magnetic_moment=1e-14 * x[1], swim_speed=4e-5 * x[2])
        blood = network.solve()
        inner = BloodRobots(blood, robot, dt=coarse().dt)
        return soft_share(Guided(inner, plan(numbers(2))), Route(blood, 1), steps=STEPS, ensemble=40, seed=1)

    values = torch.ones(3, dtype=REAL, requires_grad=True)
    (slope,) = torch.autograd.grad(share(values), values)
    for i in range(3):
        direction = torch.zeros(3, dtype=REAL).index_fill(0, torch.tensor([i]), 1.0)
        expected = float(difference(share, values.detach(), direction, 1e-5))
        assert float(slope[i]) == pytest.approx(expected, rel=1e-4)


def test_kept_states_change_neither_share_nor_gradient(monkeypatch):
    route, found = Route(flow(1), 1), []
    for plenty in (1e9, 0.0):
        monkeypatch.setattr(objective, "_PLENTY", plenty)
        values = numbers(4).requires_grad_()
        guided = Guided(coarse(), plan(values))
        share = soft_share(guided, route, steps=STEPS, ensemble=30, seed=1)
        found.append((share.detach(), *torch.autograd.grad(share, values)))
    (share, slope), (again, kept) = found
    assert torch.equal(share, again)
    torch.testing.assert_close(kept, slope, rtol=1e-10, atol=1e-14)
    assert peak_bytes(guided, 30, STEPS) < 0.1 * STEPS * 30 * objective.GRAPH_BYTES


def test_a_step_keeps_less_than_the_estimate_says(monkeypatch):
    """What autograd holds for a robot and step, counted once each tensor's memory, with all parameters asking."""
    inner = coarse()
    robot = replace(inner.robot, swim_speed=torch.tensor(4e-5, dtype=REAL, requires_grad=True))
    guided, n, held, noise = Guided(replace(inner, robot=robot), plan(numbers().requires_grad_())), 3000, {}, Noise(0)
    state, score = guided.initial(n, noise), 0.0
    for t in range(60, 62):
        state = guided.step(state, t, noise)

    def keep(x):
        held[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    alive = []
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        for t in range(62, 66):
            after = guided.step(state, t, noise)
            score = score + objective._chosen(guided, Route(flow(1), 1), state, after, 0.1)
            alive += [state, score]
            state = after
    per_step = sum(held.values()) / n / 4
    assert 0.4 * objective.GRAPH_BYTES < per_step < objective.GRAPH_BYTES
    monkeypatch.setattr(objective, "_PLENTY", 0.0)
    with pytest.raises(
        InputError, match=r"^ensemble=1,000,000,000 through 136 steps needs [\d,.]+ GB of memory for its derivative"
    ):
        soft_share(guided, Route(flow(1), 1), steps=STEPS, ensemble=10**9)


def test_a_narrow_logistic_gives_the_true_share():
    """Of the same robots; they differ where one crosses the divide over the last tenth of the way."""
    guided, route = (
        Guided(coarse(1, 0.7), Schedule.constant(MagneticField.uniform((0, "0.1 mT", 0)))),
        Route(flow(1, 0.7), 1),
    )
    n = 1500
    with torch.no_grad():
        found = float(soft_share(guided, route, steps=300, ensemble=n, seed=6, width=1e-4))
    end = sj.simulate(guided, steps=300, ensemble=n, seed=6, progress=False).state()
    true, late = (float((end["vessel"] == k).double().mean()) for k in (1, 0))
    assert abs(true - float(flow(1, 0.7).flow[1] / flow(1, 0.7).flow[0])) > 0.05  # the field matters
    assert found == pytest.approx(true, abs=0.02 + late)
    assert late < 0.02


def test_what_has_no_share_is_refused():
    with pytest.raises(InputError, match=r"^guided is a BloodRobots; give Guided robots"):
        soft_share(coarse(), Route(flow(1), 1), steps=1, ensemble=1)
    tube = VesselNetwork.tube("20 um", "100 um", inlet_velocity="0.5 mm/s", hematocrit=0.2).solve()
    guided = Guided(BloodRobots(tube, Robot("1 um")), Schedule.constant(MagneticField.none()))
    with pytest.raises(InputError, match=r"^Route\(vessel 0\) has no gate: all the flow goes to the target anyway"):
        soft_share(guided, Route(tube, 0), steps=1, ensemble=1)
    with pytest.raises(InputError, match=r"^steps=0 with ensemble=1 leads nowhere; give 1 or more of each"):
        soft_share(guided, Route(tube, 0), steps=0, ensemble=1)
