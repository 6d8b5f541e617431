"""Reverse time by a score: known laws come back, as equations and as ensembles, and so does one learned here."""

import math

import pytest
import sympy as sp
import torch
from scipy import stats
from torch import nn

from sojourn.calculus import ItoProcess, brownian, symbols
from sojourn.calculus.reverse import reverse
from sojourn.data import batch_indices
from sojourn.diffusion import DDPM, MLP, ContinuousSchedule, GaussianMixture, losses, samplers
from sojourn.driver import simulate
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.ito.functions import SDE
from sojourn.score import objectives
from sojourn.score.reverse import DiffusionScore, ReverseSDE, in_functions
from sojourn.training import Training, train

N = 2000
BAND = 2.7 / math.sqrt(N)  # of Kolmogorov's distance; false alarms 2 exp(-2 * 2.7^2) = 1e-6
t, x, y, sigma = symbols("t x y sigma", real=True)
OU = ItoProcess(x, -x, {brownian("W"): sp.sqrt(2)})
LAW = GaussianMixture(torch.tensor([0.3, 0.7]), torch.tensor([[-1.5], [0.8]]), torch.tensor([0.1, 0.2]).view(2, 1, 1))
T = 2.0


def scales(time):
    """alpha and sigma of dX = -X dt + sqrt(2) dW at a time."""
    return torch.exp(-time), torch.sqrt(-torch.expm1(-2 * time))


def exact_score(z, time):
    return torch.func.grad(lambda y: LAW.log_density(y, *scales(time)).sum())(z)


def end_law(n, noise):
    """Draws of the mixture at time T."""
    alpha, sigma = scales(torch.tensor(T, dtype=torch.float64))
    return alpha * LAW.sample(n, noise) + sigma * noise.split("noise").normal(0, n, (1,), torch.float64)


def distance(draws):
    """Kolmogorov's, from the mixture."""

    def cdf(z):
        parts = zip(LAW.weights.tolist(), LAW.means[:, 0].tolist(), LAW.covariances[:, 0, 0].tolist(), strict=True)
        return sum(w * stats.norm.cdf(z, m, math.sqrt(v)) for w, m, v in parts)

    return stats.kstest(draws.flatten().numpy(), cdf).statistic


def last(process, seed=0):
    return simulate(process, ensemble=N, seed=seed, progress=False).state()["x"]


# ------------------------------------------------------------------------------------------------------------ equations


def test_coefficients_are_those_of_the_reverse_in_symbols():
    """Two states, correlated noise that depends on both, time in every place: div S, all of it, counts."""
    W1, W2 = brownian("W1 W2", correlation=0.5)
    X = ItoProcess([x, y], [t * y - x, sigma * x], {W1: [sigma * x, t * y], W2: [1, x + y]})
    forward, backward = X(sigma=0.7), reverse(X, [-x * (1 + t), t - y**3])
    z, end, s = torch.randn(6, 2, dtype=torch.float64), 1.5, torch.tensor(0.4, dtype=torch.float64)

    def score(z, time):
        return torch.stack((-z[:, 0] * (1 + time), time - z[:, 1] ** 3), 1)

    expected, B = in_functions(backward(sigma=0.7, T=end)).coefficients(s, z)
    a = in_functions(forward).coefficients(end - s, z)[0]
    for c in (1.0, 0.0):  # of -a + (1 + c^2) / 2 (...) the symbols have c = 1
        found = ReverseSDE(forward, score, z, end=end, stochasticity=c).sde
        assert torch.allclose(found.drift(s, z), (1 + c**2) / 2 * (expected + a) - a, atol=1e-12)
        assert torch.allclose(found.diffusion(s, z), c * B, atol=1e-12)


@pytest.mark.parametrize("noise", ["diagonal", "scalar", "general"])
def test_every_kind_of_noise_in_functions_has_its_divergence(noise):
    """Against S and its derivatives by hand: B = (x y, y) on the diagonal, or as the one column."""

    def diffusion(time, z):
        B = torch.stack((z[:, 0] * z[:, 1], z[:, 1]), 1)
        return torch.diag_embed(B) if noise == "general" else B

    forward = SDE(lambda time, z: -z, diffusion, [0.0, 0.0], noise=noise)
    z = torch.randn(5, 2, dtype=torch.float64)
    u, v = z.unbind(1)
    one = torch.tensor(1.0, dtype=torch.float64)
    found = ReverseSDE(forward, lambda z, time: torch.zeros_like(z), z, end=2.0).sde.drift(one, z) - z
    cross = (2 * u * v, v**2) if noise == "scalar" else (0 * u, 0 * u)  # d_y (x y^2), d_x (x y^2)
    assert torch.allclose(found, torch.stack((2 * u * v**2 + cross[0], 2 * v + cross[1]), 1))


# ---------------------------------------------------------------------------------------------------------------- laws


@pytest.mark.parametrize(
    ("stochasticity", "scheme", "steps"), [(1.0, "euler", 200), (0.5, "heun", 50), (0.0, "heun", 30)]
)
def test_a_mixture_comes_back(stochasticity, scheme, steps):
    process = ReverseSDE(OU, exact_score, end_law, end=T, steps=steps, stochasticity=stochasticity, scheme=scheme)
    assert distance(last(process)) < BAND


def test_with_noise_that_depends_on_the_state_a_lognormal_law_comes_back():
    """Geometric Brownian motion from log X_0 ~ N(0, 0.3^2)."""
    volatility, end = 0.8, 1.0
    X = ItoProcess(x, 0, {brownian("W"): sigma * x})(sigma=volatility)

    def score(z, time):
        mean, variance = -(volatility**2) * time / 2, 0.09 + volatility**2 * time
        return -(1 + (torch.log(z) - mean[:, None]) / variance[:, None]) / z

    def start(n, noise):
        return torch.exp(-(volatility**2) / 2 + math.sqrt(0.09 + volatility**2) * noise.normal(0, n, (1,)).double())

    found = last(ReverseSDE(X, score, start, end=end, steps=150, scheme="milstein"))
    assert stats.kstest(torch.log(found).flatten().numpy(), stats.norm(0, 0.3).cdf).statistic < BAND


def test_a_forward_run_of_the_same_seed_may_give_the_start():
    """Its Brownian path is not the one of the way back."""
    forward = SDE(lambda time, z: -z, lambda time, z: math.sqrt(2) * torch.ones_like(z), LAW.sample(N, Noise(1)))
    start = simulate(forward, ensemble=N, steps=200, seed=3, progress=False).state()["x"]
    process = ReverseSDE(forward, exact_score, start, end=T, steps=150)
    assert distance(last(process, seed=3)) < BAND


def test_no_step_asks_for_a_score_before_time_0():
    """0.3 - (9 * 0.03 + 0.03) is below 0 in floats."""
    times = []

    def score(z, time):
        times.append(float(time[0]))
        return -z

    simulate(ReverseSDE(OU, score, torch.ones(1, 1), end=0.3, steps=10, scheme="heun"), progress=False)
    assert min(times) == 0
    assert max(times) == pytest.approx(0.3)


# -------------------------------------------------------------------------------------------------------------- learned


class Learned(nn.Module):
    """The score of a normal law, plus a network over sigma."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))

    def forward(self, z, time):
        sigma = torch.sqrt(0.1 - torch.expm1(-2 * time))[:, None]
        return -z + self.layers(torch.cat((z, torch.log(sigma)), 1)) / sigma


@pytest.fixture(scope="module")
def learned():
    """By sliced score matching at random times; all it sees are states of the forward process and their times."""
    torch.manual_seed(0)
    network, noise, data = Learned(), Noise(0), LAW.sample(20_000, Noise(2)).float()

    def loss(model, step):
        time = T * noise.split("time").uniform(step, 256, ()) ** 2
        alpha, sigma = scales(time[:, None])
        rows = batch_indices(len(data), 256, step=step, seed=0)
        z = alpha * data[rows] + sigma * noise.split("noise").normal(step, 256, (1,))
        terms = objectives.sliced(model, z, condition=time, noise=noise.split("slices"), step=step, reduction="none")
        return (terms * (0.1 + sigma[:, 0] ** 2)).mean()

    train(network, loss, Training(400, 1e-2, clip=1.0), progress=False)
    return network.requires_grad_(False)


def check_moments(draws):
    """Mean, variance and left mode within six deviations of N exact draws (false alarms 2e-9 each), and 0.02 for the
    score's own errors, which are no chance: the training is the same at every run."""
    mean = float((LAW.weights * LAW.means[:, 0]).sum())
    variance = float((LAW.weights * (LAW.means[:, 0] ** 2 + LAW.covariances[:, 0, 0])).sum()) - mean**2
    assert abs(float(draws.mean()) - mean) < 6 * math.sqrt(variance / N) + 0.02
    assert abs(float(draws.var()) / variance - 1) < 6 / math.sqrt(N) + 0.02  # its fourth moment is below 2 variance^2
    left = float((draws < -0.4).double().mean())
    assert abs(left - float(LAW.weights[0])) < 6 * math.sqrt(0.21 / N) + 0.02


@pytest.mark.parametrize(("stochasticity", "scheme"), [(1.0, "euler"), (0.0, "heun")])
def test_a_learned_score_brings_the_moments_back(learned, stochasticity, scheme):
    process = ReverseSDE(
        OU, learned, end_law, end=T, steps=150, stochasticity=stochasticity, scheme=scheme, dtype="float32"
    )
    check_moments(last(process))


def test_the_same_score_drops_into_a_diffusion_model(learned):
    """x_t = alpha (x_0 + s epsilon) with s = sigma / alpha, so t = log(1 + s^2) / 2 and the scores differ by alpha."""

    def of_noise(z, s):
        time = torch.log1p(s**2) / 2
        alpha = torch.exp(-time)[:, None]
        return alpha * learned((alpha * z).float(), time.float())

    schedule = ContinuousSchedule.cosine(least=-4.0, greatest=8.0)  # the times that were learned
    model = DDPM(DiffusionScore(of_noise, (1,), schedule), schedule, predicts="score", levels=None)
    check_moments(last(model.reverse(samplers.Heun(steps=30))))


def test_a_network_of_network_time_is_both_a_score_with_a_condition_and_a_diffusion_model():
    """In one dimension a random sign does not matter: diffusion's sliced loss is 2 sigma^2 times ours."""
    torch.manual_seed(0)
    schedule, network = ContinuousSchedule.cosine(), MLP((1,), 16)
    torch.nn.init.normal_(network.last.weight)
    model = DDPM(network, schedule, predicts="score", levels=None)
    x_0, epsilon, times = torch.randn(20, 1), torch.randn(20, 1), torch.linspace(0.2, 0.8, 20)
    x_t, sigma = schedule.noised(x_0, times, epsilon).float(), schedule.scales(times)[1].float()
    given = schedule.network_time(times).float()
    ours = objectives.sliced(network, x_t, condition=given, noise=Noise(0), reduction="none")[0]
    assert torch.allclose(losses.Sliced()(model, x_0, times, epsilon, None), 2 * sigma**2 * ours, rtol=1e-4, atol=1e-5)


def test_an_exact_score_makes_the_exact_denoiser():
    schedule = ContinuousSchedule.cosine()

    def score(z, s):
        return (LAW.mean_of_x_0(z, 1.0, s) - z) / s[:, None] ** 2

    ours = DDPM(DiffusionScore(score, (1,), schedule), schedule, predicts="score", levels=None)
    exact = DDPM(LAW.network(schedule), schedule, predicts="epsilon", levels=None)
    z, times = torch.randn(50, 1, dtype=torch.float64), torch.linspace(0.05, 0.95, 50, dtype=torch.float64)
    assert torch.allclose(ours.predict(z, times).x_0, exact.predict(z, times).x_0, atol=1e-9)


def test_bad_reverses_are_refused():
    start = torch.zeros(3, 1)
    with pytest.raises(InputError, match="forward='OU' is neither an ItoProcess nor an SDE"):
        ReverseSDE("OU", exact_score, start)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"end=0\.0 is not a positive number"):
        ReverseSDE(OU, exact_score, start, end=0.0)
    with pytest.raises(InputError, match="steps=0 is below 1"):
        ReverseSDE(OU, exact_score, start, steps=0)
    with pytest.raises(InputError, match=r"steps=2\.5 is not a whole number"):
        ReverseSDE(OU, exact_score, start, steps=2.5)  # type: ignore[arg-type]
    doubled = ReverseSDE(OU, lambda z, t: -z.double(), start)
    with pytest.raises(InputError, match=r"the score is torch\.float64 for states of torch\.float32"):
        simulate(doubled, progress=False)
    with pytest.raises(InputError, match=r"stochasticity=-1\.0 is not a number of 0 or more"):
        ReverseSDE(OU, exact_score, start, stochasticity=-1.0)
    with pytest.raises(InputError, match=r"start has shape \(3, 2\); needed are draws \(m, 1\)"):
        ReverseSDE(OU, exact_score, torch.zeros(3, 2))
    with pytest.raises(InputError, match="start is a list; give a tensor of draws, or a function of draws"):
        ReverseSDE(OU, exact_score, [[0.0]])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"start has shape \(2, 2\); needed are draws \(2, 1\)"):
        simulate(ReverseSDE(OU, exact_score, lambda n, noise: torch.zeros(n, 2)), ensemble=2, progress=False)
    with pytest.raises(InputError, match="schedule is a float; give that of the DDPM"):
        DiffusionScore(exact_score, (1,), 0.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the SDE depends on sigma, which has no value"):
        ReverseSDE(ItoProcess(x, -x, {brownian("W"): sigma}), exact_score, start)
    with pytest.raises(InputError, match=r"the score has shape \(3, 2\) for data of shape \(3, 1\)"):
        simulate(ReverseSDE(OU, lambda z, time: torch.cat((z, z), 1), start), ensemble=3, progress=False)
    with pytest.raises(InputError, match="steps=9 is beyond the end of ReverseSDE"):
        simulate(ReverseSDE(OU, exact_score, start, steps=8), steps=9, progress=False)
