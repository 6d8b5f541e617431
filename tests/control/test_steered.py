"""Feedback: as a loop written out by hand, bit for bit; looks late, with the noise stated; interruptions; its gain."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binom, chi2

import sojourn as sj
from sojourn.control import Guided, Localisation, Route, Schedule, Sideways, Steered
from sojourn.control.coil import from_five
from sojourn.control.schedule import under
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.blood.magnetic import MagneticField

sys.path.insert(0, str(Path(__file__).parent))
from tree import COIL, INTERVAL, Interrupted, check_kernel, equal, flow, robots

REAL = torch.float64


def steered(delay=2, std="3 um", **options):
    seen = Localisation(std, axis_std=0.1, delay=delay, **options)
    return Steered(robots(2), Sideways(Route(flow(2), 4)), COIL, seen, INTERVAL)


def test_equals_looking_wishing_and_moving_by_hand():
    process, inner, noise = steered(), robots(2), Noise(5)
    each, route = round(INTERVAL / inner.dt), Route(flow(2), 4)
    state = inner.initial(60, noise.split("initial"))
    made, looks = (torch.zeros(3, dtype=REAL), torch.zeros(3, 3, dtype=REAL)), []
    for k in range(8):
        under_way = state["status"] <= 1
        mean = np.concatenate([inner.places(state)[under_way].numpy(), state["axis"][under_way].numpy()], 1).mean(0)
        normals = noise.split("localisation").normal(k * each, 1, (6,), REAL)[0].numpy()
        looks.append(mean + np.array([3e-6] * 3 + [0.1] * 3) * normals)
        side = route.next_gate(torch.from_numpy(looks[max(k - 2, 0)][:3])).side
        last, wish = made, (3e-3 * side, 0.5 * (1.5 * torch.outer(side, side) - 0.5 * torch.eye(3)))
        made = COIL.towards(last, wish, INTERVAL)
        takes = float(max((made[0] - last[0]).norm(), torch.linalg.matrix_norm(made[1] - last[1], 2) * 6e-3)) / 0.3
        mean = last[1] + (1 - takes / (2 * INTERVAL)) * (made[1] - last[1])
        for j in range(each):
            share = min(1.0, (j + 0.5) * inner.dt / takes) if takes else 1.0
            field = MagneticField.gradient(last[0] + share * (made[0] - last[0]), mean)
            state = under(inner, field).advance(state, k * each + j, 1, noise)
    run = sj.simulate(process, steps=8 * each, ensemble=60, seed=5, progress=False)
    found = run.state()
    for name, value in state.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-14)
    for k, (field, gradient) in enumerate((last, made)):
        torch.testing.assert_close(found["field"][:, k], field.expand(60, 3), rtol=1e-9, atol=1e-14)
        torch.testing.assert_close(from_five(found["gradient"][:, k]), gradient.expand(60, 3, 3), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["seen"][0], looks[:-4:-1], rtol=1e-12, atol=1e-18)


def test_the_kernel_equals_the_definition():
    check_kernel(steered(), Noise(2), 40, 4)


def test_interrupted_between_decisions_and_resumed_it_is_the_same_run(tmp_path):
    options = {"steps": 170, "ensemble": 30, "seed": 1, "save_every": 34, "progress": False}
    whole = sj.simulate(steered(), **options)
    with pytest.raises(KeyboardInterrupt):
        sj.simulate(steered(), **options, out=tmp_path / "run.zarr", observers=[Interrupted(106, 53)])
    resumed = sj.simulate(steered(), **options, out=tmp_path / "run.zarr", resume=True)
    assert equal(resumed.state(), whole.state())


def test_the_noise_of_a_look_has_the_deviation_stated():
    """Sums of squares over 400 steps against chi-square; two-sided, each false with probability 5e-7."""
    inner = robots(2)
    state = inner.initial(9, Noise(0))
    state["status"][:4] = 2
    seen = Localisation("2 um", axis_std=0.3)
    exact = Localisation(0.0).look(inner, state, 0, Noise(0))
    np.testing.assert_allclose(exact[:3], inner.places(state)[4:].mean(0), rtol=1e-12, atol=1e-20)
    np.testing.assert_allclose(exact[3:], state["axis"][4:].mean(0), rtol=1e-12)
    looks = torch.stack([seen.look(inner, state, t, Noise(4)) for t in range(400)]) - exact
    for part, std in ((looks[:, :3], 2e-6), (looks[:, 3:], 0.3)):
        low, high = chi2.ppf([2.5e-7, 1 - 2.5e-7], part.numel())
        assert low < float((part / std).square().sum()) < high
    assert torch.equal(Localisation(0.0, member=2).look(inner, state, 0, Noise(0))[3:], state["axis"][2])


def test_feedback_sends_more_robots_the_right_way_than_the_flow():
    """Without a field a quarter goes there; that 210 of 600 do so by chance has a probability below 1e-6."""
    assert binom.sf(209, 600, 0.25) < 1e-6
    found = {}
    for process in (steered(delay=0), Guided(robots(2), Schedule.constant(MagneticField.none()))):
        end = sj.simulate(process, steps=round(1.2 / process.dt), ensemble=600, seed=2, progress=False).state()
        found[type(process).__name__] = int((end["vessel"] == 4).sum())
    low, high = binom.ppf([5e-7, 1 - 5e-7], 600, 0.25)
    assert low <= found["Guided"] <= high
    assert found["Steered"] >= 210


def test_what_cannot_be_seen_or_steered_is_refused():
    with pytest.raises(InputError, match=r"^delay=-1 is not a whole number of 0 or more; give intervals"):
        Localisation("1 um", delay=-1)
    with pytest.raises(InputError, match=r"^std=-1e-06 is below zero; 0 is exact"):
        Localisation("-1 um")
    with pytest.raises(InputError, match=r"^member=9 is not among 9 robots; give 0 to 8"):
        Localisation("1 um", member=9).look(robots(2), robots(2).initial(9, Noise(0)), 0, Noise(0))
    sound = {"robots": robots(2), "controller": Sideways(Route(flow(2), 4)), "coil": COIL}
    sound |= {"localisation": Localisation("1 um"), "interval": INTERVAL}
    for name, line in (
        ("robots", "give BloodRobots"),
        ("controller", r"give a Controller, such as Sideways\(route\)"),
        ("coil", "give a Coil"),
        ("localisation", "give a Localisation"),
    ):
        with pytest.raises(InputError, match=rf"^{name} is a NoneType; {line}$"):
            Steered(**sound | {name: None})
    with pytest.raises(InputError, match=r"^route is a Flow; give a Route"):
        Sideways(flow(2))
    with pytest.raises(InputError, match=r"^interval=1 ms is [\d.]+ steps of dt="):
        Steered(robots(2), Sideways(Route(flow(2), 4)), COIL, Localisation("1 um"), "1 ms")
