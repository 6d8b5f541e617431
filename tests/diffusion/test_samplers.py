"""Samplers against each other and themselves: identities, grids, splitting, interruption, refusals."""

import math

import pytest
import torch

import sojourn as sj
from sojourn.diffusion import DDPM, ContinuousSchedule, GaussianMixture, Schedule, UNet
from sojourn.diffusion.guidance import Classifier
from sojourn.diffusion.samplers import (
    DDIM,
    Ancestral,
    DDIMInverse,
    DPMSolverPP,
    DPMSolverPPSDE,
    Heun,
    PredictorCorrector,
    ReverseDiffusion,
    UniPC,
)
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.observers import StopWhen

from .pushed_law import DOUBLE, GAUSSIAN, exact_model

LINEAR = Schedule.linear(1e-3, 0.2, steps=50)
ALL = [
    DDIM(12, eta=0.5),
    Ancestral(12),
    Heun(12, S_churn=5.0),
    DPMSolverPP(12, order=3),
    DPMSolverPPSDE(12, order=3),
    UniPC(12, order=3),
    ReverseDiffusion(12),
    PredictorCorrector(DPMSolverPP(12), corrections=2),
]
names = {"ids": lambda sampler: type(sampler).__name__}


def _chain(sampler, schedule=LINEAR, x=None, **options):
    process = exact_model(schedule=schedule, **options).reverse(sampler)
    state = process.start(Noise(7).normal(0, 5, (2,), dtype=DOUBLE) if x is None else x)
    return process.advance(state, 0, process.horizon, Noise(11))["x"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DDIM(50, eta=1.0), Ancestral(50)),
        (DDIM(20, "log_snr", eta=1.0), DPMSolverPPSDE(20, "log_snr", order=1)),
        (DDIM(20, "karras"), DPMSolverPP(20, "karras", order=1)),
        (Heun(20, S_churn=40.0, S_min=1e3), Heun(20)),
    ],
)
def test_methods_that_are_the_same_agree_to_rounding(one, other):
    torch.testing.assert_close(_chain(one), _chain(other), rtol=1e-9, atol=1e-11)


def test_without_churn_heun_asks_for_no_noise():
    process = exact_model(schedule=LINEAR).reverse(Heun(20))
    start = process.start(Noise(7).normal(0, 5, (2,), dtype=DOUBLE))
    assert torch.equal(process.advance(start, 0, 20, Noise(1))["x"], process.advance(start, 0, 20, Noise(2))["x"])


def test_churn_never_leaves_the_schedule():
    """At the greatest noise there is nothing to add, so the first step is that of no churn."""
    states = []
    for churn in (0.0, 100.0):
        process = exact_model(schedule=LINEAR).reverse(Heun(20, S_churn=churn))
        states.append(process.advance(process.start(torch.ones(1, 2, dtype=DOUBLE)), 0, 1, Noise(1))["x"])
    torch.testing.assert_close(states[0], states[1], rtol=1e-9, atol=1e-9)


def test_ddim_leads_back_from_where_its_inverse_came():
    """The first noisy time stands for t = 0 on the way up; the way there and back is off by the order's 1/N."""
    x_0, errors = GAUSSIAN.sample(6, Noise(3)), []
    schedule = ContinuousSchedule.from_log_snr(lambda t: 12 - 24 * t, name="wide")
    for n in (60, 120):
        x_T = _chain(DDIMInverse(n, "log_snr"), schedule, x_0)
        errors.append(float((_chain(DDIM(n, "log_snr"), schedule, x_T) - x_0).abs().max()))
    assert errors[1] < 0.1
    assert errors[1] < 0.6 * errors[0]


@pytest.mark.parametrize("sampler", ALL, **names)
def test_members_do_not_depend_on_their_companions(sampler):
    process = exact_model(schedule=LINEAR).reverse(sampler)
    whole, noise = process.initial(5, Noise(3)), Noise(11)
    part = {name: value[2:4] for name, value in whole.items()}
    together = process.advance(whole, 0, 12, noise)["x"][2:4]
    alone = process.advance(part, 0, 12, noise.members(2))["x"]
    torch.testing.assert_close(alone, together, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sampler", ALL, **names)
def test_an_interrupted_chain_goes_on_to_the_same_bits(sampler, tmp_path):
    """A frame holds all that there is to know, also of multistep methods."""
    process = exact_model(schedule=LINEAR).reverse(sampler)
    whole = sj.simulate(process, ensemble=3, seed=5, save_every=1, progress=False)
    path = tmp_path / "chain.zarr"
    options = {"seed": 5, "save_every": 1, "out": path, "progress": False}

    class Killed(Exception):
        pass

    class KillAt:
        every = 7

        def see(self, step, state):
            if step == 7:
                raise Killed
            return False

        def close(self):
            pass

    with pytest.raises(Killed):
        sj.simulate(process, ensemble=3, observers=[KillAt()], **options)
    resumed = sj.simulate(process, ensemble=3, resume=True, **options)
    for frame in (6, 8, 12):
        for name, value in whole.state(frame).items():
            assert torch.equal(resumed.state(frame)[name], value)


@pytest.mark.parametrize("sampler", ALL, **names)
def test_a_chain_stopped_on_a_condition_is_a_checkpoint(sampler):
    process = exact_model(schedule=LINEAR).reverse(sampler)
    count = iter(range(100))
    stop = StopWhen(lambda state: next(count) >= 5, every=1)
    path = sj.simulate(process, ensemble=3, seed=5, save_every=1, progress=False, observers=[stop])
    at = len(path) - 1
    assert 0 < at < 12
    later = process.advance(path.state(), at, 12 - at, Noise(5))
    whole = sj.simulate(process, ensemble=3, seed=5, progress=False)
    assert torch.equal(later["x"], whole.state()["x"])


def test_spacings_are_what_they_say():
    schedule = Schedule.linear(steps=1000)
    s = {}
    for spacing in ("log_snr", "karras"):
        grid = DDIM(9, spacing).grid(schedule)
        assert (float(grid.t[0]), float(grid.t[-2]), float(grid.t[-1])) == (1000, 1, 0)
        s[spacing] = torch.exp(-grid.half_log_snr[:-1])
    ratios = s["log_snr"][1:] / s["log_snr"][:-1]
    torch.testing.assert_close(ratios, ratios[:1].expand(8), rtol=1e-9, atol=0)
    k = torch.arange(9, dtype=DOUBLE) / 8
    ends = s["karras"][0] ** (1 / 7), s["karras"][-1] ** (1 / 7)
    torch.testing.assert_close(s["karras"], (ends[0] + k * (ends[1] - ends[0])) ** 7, rtol=1e-9, atol=0)
    assert DDIM(4).grid(schedule).t.tolist() == [1000, 750, 500, 250, 0]
    assert DDIM(4, "quadratic").grid(schedule).t.tolist() == [1000, 562, 250, 62, 0]
    assert DDIM(3, (900, 30.5, 2)).grid(schedule).t.tolist() == [900, 30.5, 2, 0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DDIM(eta=1.5), r"eta=1.5 is not in \[0, 1\]"),
        (lambda: DPMSolverPP(order=4), "order=4 is not known; choose a whole number from 1 to 3"),
        (lambda: DPMSolverPPSDE(order=0), "order=0 is not known"),
        (lambda: UniPC(order=2.5), "order=2.5 is not known"),
        (lambda: Heun(S_churn=-1.0), "S_churn=-1.0 and S_noise=1.0 must not be negative"),
        (lambda: Heun(S_min=2.0, S_max=1.0), "need 0 <= S_min <= S_max"),
        (lambda: PredictorCorrector(corrections=0), "corrections=0 is below 1"),
        (lambda: PredictorCorrector(snr=math.nan), r"snr=nan is not in \(0, 1\)"),
        (lambda: _chain(DDIM(51)), "steps=51 is more than the 50 of the schedule"),
        (lambda: _chain(DDIM(0)), "steps=0 is not a whole number of 1 or more"),
        (lambda: _chain(DDIM(3, (40, 30))), "spacing must be steps=3 falling times"),
        (lambda: _chain(DDIM(2, (30, 40))), "spacing must be steps=2 falling times"),
        (lambda: _chain(DDIM(2, "cosine")), "spacing='cosine' is not known; choose uniform"),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_what_is_no_sampler_and_times_that_do_not_exist_are_refused():
    schedule = Schedule.from_beta(torch.tensor([0.5]))
    law = GaussianMixture.gaussian(torch.zeros(1, dtype=torch.float64), torch.eye(1, dtype=torch.float64))
    model = DDPM(law.network(schedule), schedule, levels=None)
    for sampler, words in (
        ("ddim", "no sampler; make one"),
        (DDIM(steps=3), "more than the 1 of the schedule"),
        (DDIM(steps=3, spacing="log_snr"), "no 3 different times"),
    ):
        with pytest.raises(InputError, match=words):
            model.reverse(sampler)
    with pytest.raises(InputError, match="has no outputs and shape"):
        DDPM(torch.nn.Linear(1, 1), schedule)
    with pytest.raises(InputError, match="is no schedule"):
        DDPM(law.network(schedule), "linear")


def test_weights_of_half_precision_draw_nearly_what_others_draw():
    """bfloat16 has eight bits; twenty steps of DDIM from one noise stay within a few per cent."""
    torch.manual_seed(0)
    network = UNet((1, 8, 8), width=16, multipliers=(1, 2), blocks=1)
    torch.nn.init.normal_(network.last.weight, std=0.02)
    model = DDPM(network, Schedule.linear(steps=100), predicts="v", levels=17)
    whole = sj.simulate(model.reverse(DDIM(steps=20)), ensemble=4, seed=0, progress=False).state()["x"]
    chain = model.bfloat16().reverse(DDIM(steps=20))
    half = sj.simulate(chain, ensemble=4, seed=0, progress=False).state()["x"]
    assert half.dtype == torch.float32
    assert float((half - whole).abs().mean()) < 0.03 * float(whole.abs().mean())


def test_a_guided_chain_resumes_in_another_process():
    """Its record holds the classifier's name, not where it lies in memory."""
    first, second = (Classifier(lambda x, t: -(x**2).sum(1), weight=2.0).record() for _ in range(2))
    assert first == second
