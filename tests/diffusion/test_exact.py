"""Gaussian mixtures, the measure of everything else: against integrals, automatic derivatives and another library."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from sojourn.diffusion.continuous import ContinuousSchedule
from sojourn.diffusion.ddpm import DDPM
from sojourn.diffusion.exact import GaussianMixture
from sojourn.diffusion.schedule import Schedule
from sojourn.errors import InputError
from sojourn.noise import Noise

DOUBLE = torch.float64


def _tensor(values):
    return torch.tensor(values, dtype=DOUBLE)


LINE = GaussianMixture(_tensor([0.3, 0.7]), _tensor([[-1.0], [0.6]]), _tensor([[[0.04]], [[0.2]]]))
PLANE = GaussianMixture(
    _tensor([0.2, 0.5, 0.3]),
    _tensor([[-1.0, 0.5], [0.6, 0.1], [0.0, -2.0]]),
    _tensor([[[0.3, 0.1], [0.1, 0.2]], [[0.05, 0.0], [0.0, 0.4]], [[1.0, -0.6], [-0.6, 0.5]]]),
)
SCHEDULES = [Schedule.cosine(steps=100), ContinuousSchedule.linear()]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("u", [0.03, 0.3, 0.9])
def test_the_denoiser_is_a_ratio_of_integrals(schedule, u):
    """E[x_0 | x] = integral of x_0 p(x_0) N(x; alpha x_0, sigma^2) over that without the factor x_0, on a grid."""
    t = round(u * 100) if isinstance(schedule, Schedule) else u
    alpha, sigma = schedule.scales(t)
    x = torch.linspace(-3, 3, 31, dtype=DOUBLE)[:, None]
    x_0 = torch.linspace(-6, 6, 20_001, dtype=DOUBLE)
    densities = [
        w / math.sqrt(2 * math.pi * v) * torch.exp(-((x_0 - m) ** 2) / (2 * v))
        for w, m, v in ((0.3, -1.0, 0.04), (0.7, 0.6, 0.2))
    ]
    joint = sum(densities) * torch.exp(-((x - alpha * x_0) ** 2) / (2 * sigma**2)) / sigma / math.sqrt(2 * math.pi)
    mass = joint.sum(1)
    mean = (joint * x_0).sum(1) / mass
    model = DDPM(LINE.network(schedule), schedule, levels=None)
    found = model.predict(x, t)
    seen = mass * (x_0[1] - x_0[0]) > 1e-30
    torch.testing.assert_close(found.x_0[seen, 0], mean[seen], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.epsilon[seen], ((x - alpha * mean[:, None]) / sigma)[seen], rtol=1e-8, atol=1e-8)
    log_density = LINE.log_density(x, alpha, sigma)
    torch.testing.assert_close(log_density[seen], torch.log(mass * (x_0[1] - x_0[0]))[seen], rtol=0, atol=1e-9)
    single = model.predict(x.float(), t)
    torch.testing.assert_close(single.x_0.double(), found.x_0, rtol=0, atol=2e-5)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_the_score_is_the_gradient_of_the_log_density(schedule):
    """epsilon = -sigma grad log q(x_t), in two dimensions, at a time of its own for every member."""
    times = torch.linspace(schedule.first, schedule.last, 40, dtype=DOUBLE)
    x = (2 * torch.randn(40, 2, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)).requires_grad_()
    alpha, sigma = schedule.scales(times)
    (score,) = torch.autograd.grad(PLANE.log_density(x, alpha, sigma).sum(), x)
    found = DDPM(PLANE.network(schedule), schedule, levels=None).predict(x.detach(), times)
    torch.testing.assert_close(found.epsilon, -sigma[:, None] * score, rtol=1e-9, atol=1e-10)


def test_the_log_density_is_that_of_torch():
    x = 2 * torch.randn(50, 2, generator=torch.Generator().manual_seed(2), dtype=DOUBLE)
    for alpha, sigma in ((1.0, 0.0), (0.8, 0.6)):
        law = torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(PLANE.weights),
            torch.distributions.MultivariateNormal(
                alpha * PLANE.means, alpha**2 * PLANE.covariances + sigma**2 * torch.eye(2, dtype=DOUBLE)
            ),
        )
        torch.testing.assert_close(PLANE.log_density(x, alpha, sigma), law.log_prob(x), rtol=1e-11, atol=1e-11)


def test_of_points_the_denoiser_is_a_softmax():
    """Data of no width: weights w_k exp(-|x - alpha m_k|^2 / 2 sigma^2)."""
    points = _tensor([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]])
    law = GaussianMixture(_tensor([0.5, 0.3, 0.2]), points, torch.zeros(3, 2, 2, dtype=DOUBLE))
    x, alpha, sigma = _tensor([[0.1, 0.2], [5.0, -4.0], [-30.0, 2.0]]), 0.7, 0.3
    logits = torch.log(law.weights) - ((x[:, None] - alpha * points) ** 2).sum(-1) / (2 * sigma**2)
    expected = torch.softmax(logits, 1) @ points
    torch.testing.assert_close(law.mean_of_x_0(x, alpha, sigma), expected, rtol=1e-12, atol=1e-12)


def test_a_sample_has_the_law():
    """30,000 draws: 2 means and 3 covariances within 6 standard errors, two projections by Kolmogorov-Smirnov tests at
    1e-8 each: false alarm below 1e-7."""
    n = 30_000
    x = PLANE.sample(n, Noise(21)).numpy()
    w, m, c = (value.numpy() for value in (PLANE.weights, PLANE.means, PLANE.covariances))
    mean = w @ m
    covariance = np.einsum("k,kij->ij", w, c + m[:, :, None] * m[:, None, :]) - np.outer(mean, mean)
    assert (np.abs(x.mean(0) - mean) < 6 * np.sqrt(np.diag(covariance) / n)).all()
    products = (x - mean)[:, :, None] * (x - mean)[:, None, :]
    assert (np.abs(products.mean(0) - covariance) < 6 * products.std(0) / math.sqrt(n)).all()
    for angle in (0.3, 1.4):
        v = np.array([math.cos(angle), math.sin(angle)])
        widths = np.sqrt(np.einsum("i,kij,j->k", v, c, v))
        test = stats.kstest(x @ v, lambda y, v=v, s=widths: stats.norm.cdf((y[:, None] - m @ v) / s) @ w)
        assert test.pvalue > 1e-8


def test_members_draw_the_same_alone():
    whole = PLANE.sample(10, Noise(4))
    assert torch.equal(PLANE.sample(3, Noise(4).members(6)), whole[6:9])


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "message"),
    [
        ([1.0], [0.0], [[[1.0]]], r"means has shape \(1,\); needed is \(K, d\)"),
        ([0.5, 0.5], [[0.0]], [[[1.0]]], r"1 means in 1 dimensions need weights of shape \(1,\)"),
        ([1.0], [[0.0, 0.0]], [[[1.0]]], r"covariances of shape \(1, 2, 2\), not \(1,\) and \(1, 1, 1\)"),
        ([0.5, 0.6], [[0.0], [1.0]], [[[1.0]], [[1.0]]], r"weights=\[0.5, 0.6\] must be above zero, of sum 1"),
        ([0.0, 1.0], [[0.0], [1.0]], [[[1.0]], [[1.0]]], "must be above zero"),
        ([1.0], [[0.0]], [[[-1.0]]], "must be symmetric, without negative eigenvalues"),
        ([1.0], [[0.0, 0.0]], [[[1.0, 0.5], [0.0, 1.0]]], "must be symmetric"),
    ],
)
def test_bad_input(weights, means, covariances, message):
    with pytest.raises(InputError, match=message):
        GaussianMixture(_tensor(weights), _tensor(means), _tensor(covariances))
