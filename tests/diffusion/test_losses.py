"""Losses against their definitions, and the times of a training."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from sojourn.diffusion.continuous import ContinuousSchedule
from sojourn.diffusion.ddpm import DDPM
from sojourn.diffusion.exact import GaussianMixture
from sojourn.diffusion.fitting import fit
from sojourn.diffusion.losses import Hybrid, MinSNR, Simple, Sliced, Target, Variational
from sojourn.diffusion.marginals import spread
from sojourn.diffusion.prediction import PARAMETERISATIONS, parameterisation
from sojourn.diffusion.schedule import Schedule
from sojourn.diffusion.times import ImportanceSampler, uniform_times
from sojourn.diffusion.variational import terms
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.runs import Run
from sojourn.training.loop import Training

DOUBLE = torch.float64
SCHEDULE = Schedule.cosine(steps=100)
LAW = GaussianMixture.gaussian(
    torch.tensor([0.3, -0.2], dtype=DOUBLE), torch.tensor([[0.5, 0.1], [0.1, 0.2]], dtype=DOUBLE)
)


class _Said(nn.Module):
    """The exact denoiser, saying whatever a parameterisation wants to hear."""

    outputs = 1

    def __init__(self, way):
        super().__init__()
        self.way, self.shape, self.exact = way, (2,), LAW.network(SCHEDULE)

    def forward(self, x, time, condition=None):
        alpha, sigma = (spread(scale, x) for scale in SCHEDULE.scales(time + 1))
        if self.way.__class__.__name__ == "Edm":  # undo the input's scaling
            x = x * (sigma**2 + (alpha * self.way.sigma_data) ** 2) ** 0.5
        epsilon = self.exact(x, time)
        return self.way.target((x - sigma * epsilon) / alpha, epsilon, alpha, sigma)


def _draws(n=40):
    x_0, epsilon = LAW.sample(n, Noise(0)), Noise(1).normal(0, n, (2,), dtype=DOUBLE)
    return x_0, torch.arange(n, dtype=DOUBLE) % 99 + 2, epsilon


@pytest.mark.parametrize("name", PARAMETERISATIONS)
def test_losses_are_the_same_whatever_is_predicted(name):
    x_0, t, epsilon = _draws()
    model = DDPM(_Said(parameterisation(name)), SCHEDULE, predicts=name, levels=None)
    exact = DDPM(LAW.network(SCHEDULE), SCHEDULE, levels=None).predict(SCHEDULE.noised(x_0, t, epsilon), t)
    alpha, sigma = SCHEDULE.scales(t)
    snr = (alpha / sigma) ** 2
    noise_error = ((exact.epsilon - epsilon) ** 2).mean(1)
    data_error = ((exact.x_0 - x_0) ** 2).mean(1)
    torch.testing.assert_close(Simple()(model, x_0, t, epsilon), noise_error, rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(
        MinSNR(5.0)(model, x_0, t, epsilon), snr.clamp(max=5) * data_error, rtol=1e-8, atol=1e-12
    )
    before = SCHEDULE.alpha_bar[t.long() - 1] / (1 - SCHEDULE.alpha_bar[t.long() - 1])
    variational = 100 / 2 * (before - snr) * data_error
    torch.testing.assert_close(Variational()(model, x_0, t, epsilon), variational, rtol=1e-8, atol=1e-12)
    own = {"epsilon": snr, "x_0": 1, "v": snr + 1, "score": snr / sigma**2, "edm": (snr + 4) * 1.0}[name]
    if name == "edm":  # 1 / c_out^2 with s = sigma / alpha and sigma_data = 1/2
        own = (1 / snr + 0.25) / (0.25 / snr)
    torch.testing.assert_close(Target()(model, x_0, t, epsilon), own * data_error, rtol=1e-8, atol=1e-12)


class _Line(nn.Module):
    """A network of two outputs that is linear in its parameters."""

    outputs, shape = 2, (2,)

    def __init__(self):
        super().__init__()
        self.mean, self.spread = nn.Linear(2, 2).to(DOUBLE), nn.Linear(2, 2).to(DOUBLE)

    def forward(self, x, time, condition=None):
        return torch.cat([self.mean(x), self.spread(x)], dim=1)


def test_the_hybrid_loss_teaches_the_mean_by_the_simple_part_and_the_variance_by_the_bound():
    torch.manual_seed(0)
    x_0, t, epsilon = _draws()
    t[0] = 1  # the decoder too
    model = DDPM(_Line(), SCHEDULE, variance="learned_range", levels=None)
    network = model.network

    def gradients(loss):
        return torch.autograd.grad(loss.mean(), [network.mean.weight, network.spread.weight], allow_unused=True)

    both, simple = gradients(Hybrid(0.01)(model, x_0, t, epsilon)), gradients(Simple()(model, x_0, t, epsilon))
    bound = gradients(100 / 2 * 0.01 * terms(model, x_0, t, epsilon))
    torch.testing.assert_close(both[0], simple[0])
    torch.testing.assert_close(both[1], bound[1])
    assert not simple[1].any()
    with pytest.raises(InputError, match="learned_range"):
        Hybrid()(DDPM(LAW.network(SCHEDULE), SCHEDULE, levels=None), x_0, t, epsilon)


def test_stratified_times_cover_every_stratum_and_members_may_be_split():
    noise = Noise(3)
    whole = uniform_times(SCHEDULE, 7, 0, 100, 100, noise)
    assert sorted(whole.tolist()) == list(range(1, 101))  # a batch of T members sees each time once
    parts = [uniform_times(SCHEDULE, 7, first, 25, 100, noise) for first in (0, 25, 50, 75)]
    assert torch.equal(torch.cat(parts), whole)


def test_importance_sampled_losses_have_the_uniform_mean_and_less_variance():
    sampler = ImportanceSampler(SCHEDULE, history=3)
    losses = torch.exp(torch.linspace(3, -3, 100, dtype=DOUBLE))
    assert torch.equal(sampler.probabilities(), torch.full((100,), 0.01, dtype=DOUBLE))
    for _ in range(3):
        sampler.learn(torch.arange(1, 101), losses)
    p = sampler.probabilities()
    torch.testing.assert_close(p, 0.999 * losses / losses.sum() + 1e-5)
    t, weights = sampler.draw(0, 20_000, Noise(4))
    torch.testing.assert_close(weights, 1 / (100 * p[t.long() - 1]))
    weighted = weights * losses[t.long() - 1]
    six = 6 * float(weighted.std()) / math.sqrt(20_000)  # six standard errors: false alarm 2e-9
    assert abs(float(weighted.mean() - losses.mean())) < six
    assert float(weighted.std()) < 0.1 * float(losses.std())
    counts = np.bincount(t.long().numpy() - 1, minlength=100)
    assert ((counts - 20_000 * p.numpy()) ** 2 / (20_000 * p.numpy())).sum() < 185  # chi-square, 99 degrees: 4e-7
    sampler.learn(torch.tensor([1.0]), torch.tensor([math.nan]))
    assert torch.equal(sampler.probabilities(), p)


class _Small(nn.Module):
    outputs, shape = 1, (2,)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))

    def forward(self, x, time, condition=None):
        return self.layers(torch.cat([x, time[:, None] / 100], dim=1))


@pytest.mark.parametrize("times", ["uniform", "importance"])
def test_training_resumes_to_the_bit(times, tmp_path):
    x_0 = LAW.sample(500, Noise(0)).float()
    settings = Training(20, learning_rate=3e-3, checkpoint_seconds=0.0)
    schedule = Schedule.cosine(steps=3)  # so few that importance sampling begins at once

    def run(name):
        return Run.open(tmp_path / name) if (tmp_path / name).exists() else Run.create("fit", {}, tmp_path / name)

    def model():
        return DDPM(_Small(), schedule, levels=None)

    whole, resumed = model(), model()
    fit(whole, x_0, settings, times=times, run=run("one"), progress=False)
    with pytest.raises(KeyboardInterrupt):
        fit(_Interrupted(model(), 11), x_0, settings, times=times, run=run("two"), progress=False)
    fit(resumed, x_0, settings, times=times, run=run("two"), progress=False)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_training_is_not_resumed_as_another_one(tmp_path):
    """A finished one neither: its weights would be read as what they are not."""
    x_0, settings, run = LAW.sample(20, Noise(0)).float(), Training(2), Run.create("fit", {}, tmp_path / "run")

    def again(predicts="epsilon", schedule=SCHEDULE, **options):
        model = DDPM(_Small(), schedule, predicts=predicts, levels=None)
        fit(model, x_0, settings, run=run, progress=False, **{"batch": 8} | options)

    again()
    again()
    for options, words in (
        ({"batch": 4}, "was trained with batch=8 and is now asked for batch=4"),
        ({"seed": 1}, "seed=0 and is now asked for seed=1"),
        ({"loss": MinSNR()}, r"loss=Simple\(\) and is now asked for loss=MinSNR\(gamma=5.0\)"),
        ({"predicts": "v"}, r"predicts=Epsilon\(\) and is now asked for predicts=Velocity\(\)"),
        ({"schedule": Schedule.linear(steps=100)}, "noise=Schedule.cosine.* is now asked for noise=Schedule.linear"),
        ({"times": "importance"}, "is of another architecture"),
    ):
        with pytest.raises(InputError, match=words):
            again(**options)


@pytest.mark.slow
def test_the_sliced_loss_is_the_simple_one_less_one_in_mean_and_so_are_gradients():
    """For any network, by Stein's identity; six standard errors, false alarms 2e-9 a number."""
    torch.manual_seed(0)
    model, n = DDPM(_Small().double(), SCHEDULE, levels=None), 40_000
    x_0, epsilon = LAW.sample(n, Noise(0)), Noise(1).normal(0, n, (2,), dtype=DOUBLE)
    t = torch.arange(n, dtype=DOUBLE) % 100 + 1
    weights, values, gradients = list(model.parameters()), [], []
    for k in torch.arange(n).view(-1, 100).T.contiguous().view(200, -1):  # two parts for each time
        excess = Simple()(model, x_0[k], t[k], epsilon[k]) - Sliced()(model, x_0[k], t[k], epsilon[k])
        values.append(excess.detach())
        gradients.append(torch.cat([z.flatten() for z in torch.autograd.grad(excess.mean(), weights)]))
    excess, parts = torch.cat(values), torch.stack(gradients)
    assert abs(excess.mean() - 1) < 6 * excess.std() / math.sqrt(n)
    assert (parts.mean(0).abs() <= 6 * parts.std(0) / math.sqrt(len(parts)) + 1e-12).all()


@pytest.mark.parametrize("loss", [Simple(), Sliced()], ids=["simple", "sliced"])
def test_training_nears_the_exact_denoiser(loss):
    x_0 = LAW.sample(2000, Noise(0)).float()
    model = DDPM(_Small(), SCHEDULE, levels=None)
    fit(model, x_0, Training(300, learning_rate=3e-3), loss=loss, progress=False)
    fresh, t = LAW.sample(4000, Noise(8)), torch.arange(4000, dtype=DOUBLE) % 100 + 1
    epsilon = Noise(9).normal(0, 4000, (2,), dtype=DOUBLE)
    with torch.no_grad():
        found = float(Simple()(model.double(), fresh, t, epsilon).mean())
        least = float(Simple()(DDPM(LAW.network(SCHEDULE), SCHEDULE, levels=None), fresh, t, epsilon).mean())
    assert least < found < 1.35 * least


class _Interrupted(DDPM):
    """A model in whose training somebody presses Ctrl-C."""

    def __init__(self, model, steps):
        super().__init__(model.network, model.schedule, levels=None)
        self.left = steps

    def output(self, x, t, condition=None):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().output(x, t, condition)


def test_the_variational_losses_need_steps():
    schedule = ContinuousSchedule.cosine()
    model = DDPM(LAW.network(schedule), schedule, levels=None)
    x_0, _, epsilon = _draws(4)
    with pytest.raises(InputError, match="give the model a schedule with steps"):
        Variational()(model, x_0, torch.full((4,), 0.5, dtype=DOUBLE), epsilon)
    with pytest.raises(InputError, match="discretise it, or use uniform times"):
        ImportanceSampler(schedule)


def test_of_one_step_the_bound_is_the_decoder_and_its_gradient_that_of_a_quadratic():
    """With T = 1 and variance beta_1, L_0 = sum_i (x_0 - predicted)^2 / (2 beta_1) and a constant."""
    torch.manual_seed(0)
    schedule = Schedule.from_beta(torch.tensor([0.3], dtype=DOUBLE))
    model = DDPM(_Small().double(), schedule, predicts="x_0", levels=None)
    x_0, _, epsilon = _draws(6)
    t = torch.ones(6, dtype=DOUBLE)
    squares = (model.predict(schedule.noised(x_0, t, epsilon), t).x_0 - x_0) ** 2
    expected = (squares / (2 * 0.3) + 0.5 * math.log(2 * math.pi * 0.3)).mean(1)
    found = Variational()(model, x_0, t, epsilon)
    torch.testing.assert_close(found, expected)
    weights = list(model.parameters())
    for a, b in zip(
        torch.autograd.grad(found.sum(), weights), torch.autograd.grad(expected.sum(), weights), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_a_training_that_cannot_be_is_refused_in_one_line():
    model, x_0 = DDPM(_Small(), SCHEDULE, levels=None), torch.zeros(4, 2)
    for options, words in (
        ({"times": "importanc"}, "times='importanc' is not known; choose uniform or importance"),
        ({"without_condition": 2.0}, r"without_condition=2.0 is not in \[0, 1\]"),
        ({"batch": 0}, "batch=0 is below 1"),
        ({"loss": "simple"}, r"loss='simple' is no loss; give losses\.Simple\(\)"),
        ({"condition": torch.zeros(3, 1)}, "there are 4 data and 3 conditions"),
        ({"condition": [1, 2, 3, 4]}, "condition is of the type list; give a tensor"),
    ):
        with pytest.raises(InputError, match=words):
            fit(model, x_0, Training(1), progress=False, **options)
    with pytest.raises(InputError, match="x_0 is of the type list; give a tensor"):
        fit(model, [[0.0, 1.0]], Training(1), progress=False)  # type: ignore[arg-type]
