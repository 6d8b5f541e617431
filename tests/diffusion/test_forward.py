"""The forward chain under `simulate`: its laws in closed form, its data in turn, its end."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

import sojourn as sj
from sojourn.diffusion.continuous import ContinuousSchedule
from sojourn.diffusion.forward import Noising
from sojourn.diffusion.schedule import Schedule

DOUBLE = torch.float64
SCHEDULE = Schedule.cosine(steps=12)
DATA = torch.tensor([[1.7, -0.4], [0.2, 3.0]], dtype=DOUBLE)


@pytest.fixture(scope="module")
def path():
    """(member, time, component) at times 0, 3, 6, 9, 12; even members begin at the first datum, odd at the second."""
    run = sj.simulate(Noising(SCHEDULE, DATA), save_every=3, ensemble=20_000, seed=11, progress=False)
    return run.dataset["x"].values


def test_every_marginal_is_the_closed_form(path):
    """Kolmogorov-Smirnov tests of 16 standardised samples of 10,000, each at 1e-8: false alarm below 2e-7."""
    assert path.shape == (20_000, 5, 2)
    for datum in (0, 1):
        for place, t in enumerate((3, 6, 9, 12), 1):
            mean, variance = SCHEDULE.marginal(DATA[datum : datum + 1], t)
            z = (path[datum::2, place] - mean.numpy()) / math.sqrt(float(variance))
            for component in (0, 1):
                assert stats.kstest(z[:, component], "norm").pvalue > 1e-8


def test_two_times_are_joined_as_the_chain_says(path):
    """Given x_s, what is new in x_t is normal of variance 1 - alpha_bar_t / alpha_bar_s, and unrelated to x_s.

    Four KS tests at 1e-8, eight correlations within 6 standard errors: false alarm below 1e-7.
    """
    for (i, s), (j, t) in (((1, 3), (2, 6)), ((2, 6), (4, 12))):
        kept = math.sqrt(float(SCHEDULE.alpha_bar[t] / SCHEDULE.alpha_bar[s]))
        new = (path[:, j] - kept * path[:, i]) / math.sqrt(1 - kept**2)
        for component in (0, 1):
            assert stats.kstest(new[:, component], "norm").pvalue > 1e-8
            for datum in (0, 1):  # within a datum, where x_s has one law
                together = np.corrcoef(new[datum::2, component], path[datum::2, i, component])[0, 1]
                assert abs(together) < 6 / math.sqrt(10_000)


def test_members_are_data_in_turn_wherever_the_ensemble_is_split():
    process, noise = Noising(SCHEDULE, DATA), sj.Noise(3)
    whole = process.initial(5, noise)["x"]
    assert torch.equal(whole, DATA[[0, 1, 0, 1, 0]])
    for first in (0, 1, 3):
        part = process.initial(2, noise.members(first))
        assert torch.equal(part["x"], whole[first : first + 2])
        assert torch.equal(
            process.advance(part, 0, 12, noise.members(first))["x"],
            process.advance({"x": whole}, 0, 12, noise)["x"][first : first + 2],
        )


def test_each_step_uses_its_own_beta():
    """Without noise, what is left of a number after t steps is sqrt(alpha_bar_t) of it."""

    class Silence(sj.Noise):
        def normal(self, t, ensemble, shape, dtype=torch.float32, device="cpu"):
            return torch.zeros(ensemble, *shape, dtype=dtype)

    process, state = Noising(SCHEDULE, DATA), {"x": DATA}
    for t in range(12):
        state = process.step(state, t, Silence(0))
        torch.testing.assert_close(state["x"], SCHEDULE.alpha_bar[t + 1].sqrt() * DATA, rtol=1e-13, atol=0)


def test_it_ends_where_the_schedule_does():
    process = Noising(SCHEDULE, DATA)
    whole = sj.simulate(process, seed=1, ensemble=3, progress=False)
    assert whole.dataset["time"].values.tolist() == [0, 12]
    assert torch.equal(
        whole.state()["x"], sj.simulate(process, steps=12, seed=1, ensemble=3, progress=False).state()["x"]
    )
    with pytest.raises(sj.InputError, match="steps=13 is beyond the end of Noising, which is after 12 steps"):
        sj.simulate(process, steps=13)


def test_bad_input():
    for x_0, shape in (
        (torch.zeros(3), r"\(3,\)"),
        (torch.zeros(0, 2), r"\(0, 2\)"),
        (torch.zeros(3, 2, dtype=torch.int64), r"\(3, 2\)"),
    ):
        with pytest.raises(sj.InputError, match=rf"x_0 must hold data of shape \(n, ...\), n >= 1, .* not {shape}"):
            Noising(SCHEDULE, x_0)
    with pytest.raises(sj.InputError, match="needs a schedule with steps; discretise it"):
        Noising(ContinuousSchedule.linear(), DATA)
    with pytest.raises(sj.observers.NonFiniteError, match="in the starting state"):
        sj.simulate(Noising(SCHEDULE, torch.full((2, 2), math.nan)))


def test_a_chain_is_not_resumed_with_another_schedule(tmp_path):
    """Two schedules of one length and one end: names and ends do not tell them apart."""
    path, beta = tmp_path / "chain.zarr", [0.1, 0.2, 0.3]
    one, other = Schedule.from_beta(torch.tensor(beta)), Schedule.from_beta(torch.tensor(beta[::-1]))
    assert repr(one) == repr(other)
    sj.simulate(Noising(one, DATA), ensemble=2, out=path, progress=False)
    sj.simulate(Noising(one, DATA), ensemble=2, out=path, resume=True, progress=False)
    with pytest.raises(sj.InputError, match="was begun with parameters="):
        sj.simulate(Noising(other, DATA), ensemble=2, out=path, resume=True, progress=False)
