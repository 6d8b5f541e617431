"""The bound's terms against closed forms, and the decoder against forty digits."""

import math

import mpmath
import numpy as np
import pytest
import torch
from torch import nn

from sojourn.diffusion.ddpm import DDPM
from sojourn.diffusion.decoder import log_density, log_level_probability, log_normal_mass
from sojourn.diffusion.exact import GaussianMixture
from sojourn.diffusion.samplers.ancestral import Ancestral
from sojourn.diffusion.schedule import Schedule
from sojourn.diffusion.variational import bound, prior_term, terms
from sojourn.errors import InputError
from sojourn.noise import Noise

DOUBLE = torch.float64
TIMES = [1, 2, 3, 10, 400, 999, 1000]
SCHEDULES = [Schedule.linear(steps=1000), Schedule.cosine(steps=1000), Schedule.sigmoid(steps=1000)]


def _tensor(values):
    return torch.tensor(values, dtype=DOUBLE)


def _hermite(points, dimensions):
    """Nodes (m, dimensions) and weights (m,) of a Gauss-Hermite rule for the standard normal law."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    grid = np.stack(np.meshgrid(*[nodes] * dimensions, indexing="ij"), -1).reshape(-1, dimensions)
    product = np.stack(np.meshgrid(*[weights / weights.sum()] * dimensions, indexing="ij"), -1).prod(-1).ravel()
    return torch.from_numpy(grid), torch.from_numpy(product)


GAUSSIAN = (_tensor([0.3, -0.8]), _tensor([[0.5, 0.2], [0.2, 0.3]]))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
def test_every_term_of_gaussian_data_is_its_closed_form(schedule, variance):
    """The exact denoiser's error is tr C sigma^2 (alpha^2 C + sigma^2)^-1; rules of three points are exact here."""
    mean, covariance = GAUSSIAN
    law = GaussianMixture.gaussian(mean, covariance)
    model = DDPM(law.network(schedule), schedule, variance=variance, levels=None)
    nodes, weights = _hermite(3, 4)
    x_0 = mean + nodes[:, :2] @ torch.linalg.cholesky(covariance).T
    eigenvalues = torch.linalg.eigvalsh(covariance)
    for t in TIMES:
        found = float(weights @ terms(model, x_0, torch.full((len(x_0),), float(t), dtype=DOUBLE), nodes[:, 2:]))
        alpha_bar, before = float(schedule.alpha_bar[t]), float(schedule.alpha_bar[t - 1])
        error = float((eigenvalues * (1 - alpha_bar) / (alpha_bar * eigenvalues + 1 - alpha_bar)).sum())
        beta = 1 - alpha_bar / before
        small = (1 - before) / (1 - alpha_bar) * beta
        if t == 1:
            second = float(schedule.alpha_bar[2])
            v = beta if variance == "fixed_large" else (1 - alpha_bar) / (1 - second) * (1 - second / alpha_bar)
            expected = 0.5 * (error / v + 2 * math.log(2 * math.pi * v))
        else:
            v = small if variance == "fixed_small" else beta
            factor = math.sqrt(before) * beta / (1 - alpha_bar)
            expected = small / v - 1 - math.log(small / v) + 0.5 * factor**2 * error / v
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)
    prior = float(weights @ prior_term(schedule, x_0))
    alpha_bar = float(schedule.alpha_bar[-1])
    squares = float(mean @ mean + covariance.trace())
    assert prior == pytest.approx(0.5 * (alpha_bar * (squares - 2) - 2 * math.log1p(-alpha_bar)), rel=1e-9, abs=1e-14)


class _TrueVariance(nn.Module):
    """The exact network of a one-dimensional Gaussian, with the true variance of x_{t-1} given x_t as its fraction."""

    outputs, shape = 2, (1,)

    def __init__(self, law, schedule):
        super().__init__()
        self.epsilon, self.schedule, self.spread = law.network(schedule), schedule, float(law.covariances[0, 0, 0])

    def forward(self, x, time, condition=None):
        t = time + 1
        alpha_bar = self.schedule.alpha_bar[t.long()]
        error = self.spread * (1 - alpha_bar) / (alpha_bar * self.spread + 1 - alpha_bar)
        later = t.clamp(min=2)
        factor, _, small = self.schedule.posterior_coefficients(later, later - 1)
        large = self.schedule.beta_between(later, later - 1)
        true = torch.where(t == 1, error, small + factor**2 * error)
        large = torch.where(t == 1, self.schedule.beta[1], large)
        fraction = torch.log(true / small) / torch.log(large / small)
        return torch.cat([self.epsilon(x, time), (2 * fraction - 1)[:, None].expand_as(x)], dim=1)


def test_with_the_true_reverse_chain_the_bound_is_the_entropy():
    """Reverse steps of Gaussian data are Gaussian: with their true mean and variance only the prior's gap is lost."""
    schedule, spread = Schedule.cosine(steps=1000), 0.4
    law = GaussianMixture.gaussian(_tensor([0.7]), _tensor([[spread]]))
    model = DDPM(_TrueVariance(law, schedule), schedule, variance="learned_range", levels=None)
    nodes, weights = _hermite(3, 2)
    x_0 = 0.7 + nodes[:, :1] * math.sqrt(spread)
    total = float(weights @ prior_term(schedule, x_0))
    for t in range(1, 1001):
        total += float(weights @ terms(model, x_0, torch.full((9,), float(t), dtype=DOUBLE), nodes[:, 1:]))
    assert total == pytest.approx(0.5 * math.log(2 * math.pi * math.e * spread), abs=1e-6)


def test_terms_of_a_mixture_are_its_least_mean_square_error():
    """L_{t-1} = c^2 / (2 beta_tilde) (E x_0^2 - E E[x_0 | x_t]^2), the last by a fine sum over x_t."""
    schedule = Schedule.linear(steps=1000)
    weight, means, spread = _tensor([0.3, 0.7]), _tensor([[-1.0], [0.6]]), _tensor([[[0.04]], [[0.1]]])
    law = GaussianMixture(weight, means, spread)
    model = DDPM(law.network(schedule), schedule, levels=None)
    nodes, weights = _hermite(80, 2)
    squares = float(weight @ (means[:, 0] ** 2 + spread[:, 0, 0]))
    for t in (2, 50, 300, 900):
        at = torch.full((len(nodes),), float(t), dtype=DOUBLE)
        found = sum(
            float(w * (weights @ terms(model, m + nodes[:, :1] * s.sqrt(), at, nodes[:, 1:])))
            for w, m, s in zip(weight, means, spread[:, 0], strict=True)
        )
        alpha, sigma = schedule.scales(t)
        x = torch.linspace(-8, 8, 40001, dtype=DOUBLE)[:, None]
        density = torch.exp(law.log_density(x, alpha, sigma))
        kept = float((density * law.mean_of_x_0(x, alpha, sigma)[:, 0] ** 2).sum() * 16 / 40000)
        factor, _, small = schedule.posterior_coefficients(t, t - 1)
        assert found == pytest.approx(float(0.5 * factor**2 / small * (squares - kept)), rel=1e-6, abs=1e-6)


LEVELS = GaussianMixture(
    _tensor([0.1, 0.2, 0.3, 0.4]), _tensor([[-1.0], [-1 / 3], [1 / 3], [1.0]]), torch.zeros(4, 1, 1)
)


def test_the_bound_of_grey_levels_is_above_their_entropy_and_near_it():
    schedule = Schedule.linear(steps=1000)
    model = DDPM(LEVELS.network(schedule), schedule, levels=4)
    nodes, weights = _hermite(40, 1)
    total = 0.0
    for w, level in zip(LEVELS.weights, LEVELS.means, strict=True):
        x_0 = level.expand(len(nodes), 1)
        nats = prior_term(schedule, x_0)
        for t in range(1, 1001):
            nats = nats + terms(model, x_0, torch.full((len(nodes),), float(t), dtype=DOUBLE), nodes)
        total += float(w * (weights @ nats)) / math.log(2)
    entropy = -float((LEVELS.weights * torch.log2(LEVELS.weights)).sum())
    assert entropy < total < entropy + 0.05


def test_the_bound_reports_what_its_terms_say_with_intervals():
    schedule = Schedule.linear(1e-3, 0.2, steps=50)
    law = GaussianMixture.gaussian(*GAUSSIAN)
    model = DDPM(law.network(schedule), schedule, levels=None)
    x_0 = law.sample(600, Noise(7))
    found = bound(model, x_0, seed=1, confidence=1 - 1e-7, progress=False)
    whole = found.prior.value + found.decoder.value + sum(step.value for step in found.steps)
    assert found.bits_per_dim.value == pytest.approx(whole, rel=1e-12)
    assert len(found.steps) == 49
    assert found.bits_per_dim.guarantee == "asymptotic"
    eigenvalues = torch.linalg.eigvalsh(GAUSSIAN[1])
    for t in (2, 25, 50):
        sigma2, alpha_bar = 1 - schedule.alpha_bar[t], schedule.alpha_bar[t]
        error = (eigenvalues * sigma2 / (alpha_bar * eigenvalues + sigma2)).sum()
        factor, _, small = schedule.posterior_coefficients(t, t - 1)
        assert float(0.5 * factor**2 * error / small) / (2 * math.log(2)) in found.steps[t - 2]
    again = bound(model, x_0, seed=1, batch=200, progress=False)  # another split, the same numbers
    np.testing.assert_allclose(again.each, found.each, rtol=1e-12)


def test_the_decoder_equals_forty_digits():
    generator = np.random.default_rng(0)
    mpmath.mp.dps = 40
    for _ in range(300):
        middle, width = generator.normal() * 10 ** generator.uniform(-2, 2), 10 ** generator.uniform(-3, 1)
        low, high = middle - width / 2, middle + width / 2
        near, far = sorted((abs(low), abs(high))) if low * high > 0 else (low, high)  # mirrored to the right
        root = mpmath.sqrt(2)
        exact = mpmath.log((mpmath.erfc(mpmath.mpf(near) / root) - mpmath.erfc(mpmath.mpf(far) / root)) / 2)
        found = float(log_normal_mass(_tensor([low]), _tensor([high]))[0])
        assert found == pytest.approx(float(exact), rel=1e-9)


def test_the_probabilities_of_all_levels_sum_to_one():
    levels = torch.linspace(-1, 1, 17, dtype=DOUBLE)
    for mean, log_variance in ((0.3, -2.0), (-1.4, -6.0), (5.0, -3.0), (0.0, 2.0)):
        each = torch.stack(
            [log_level_probability(x.reshape(1, 1), _tensor([[mean]]), _tensor(log_variance), 17) for x in levels]
        )
        assert float(torch.logsumexp(each, 0)) == pytest.approx(0, abs=1e-12)


def test_the_decoder_has_gradients_far_in_the_tails():
    mean = _tensor([[30.0, -30.0, 0.1]]).requires_grad_()
    x_0 = _tensor([[-1.0, 1.0, 0.2]])
    log_variance = torch.full((1, 3), -9.0, dtype=DOUBLE, requires_grad=True)
    value = log_level_probability(x_0, mean, log_variance, 11).sum()
    value.backward()
    assert torch.isfinite(mean.grad).all()
    assert torch.isfinite(log_variance.grad).all()
    assert mean.grad[0, 0] < 0 < mean.grad[0, 1]


def test_the_density_decoder_is_the_normal_density():
    normal = torch.distributions.Normal(_tensor([[0.1, -2.0]]), torch.exp(_tensor([[0.5, -1.5]])))
    x = _tensor([[0.4, 1.0]])
    expected = float(normal.log_prob(x).sum())
    assert float(log_density(x, _tensor([[0.1, -2.0]]), _tensor([[1.0, -3.0]]))) == pytest.approx(expected, rel=1e-12)


def test_bad_data_are_refused_in_one_line():
    schedule = Schedule.linear(steps=10)
    model = DDPM(LEVELS.network(schedule), schedule, levels=4)
    for data, words in (
        ([[0.0], [1.0]], "none of the 4 grey levels"),
        ([[1.5], [1.0]], "outside"),
        ([[math.nan], [1.0]], "nan"),
        ([[1.0]], "n >= 2"),
        ([[1.0, 1.0], [1.0, 1.0]], "needed is"),
    ):
        with pytest.raises(InputError, match=words):
            model.bound(_tensor(data))
    with pytest.raises(InputError, match="batch=0 is below 1"):
        model.bound(_tensor([[-1.0], [1.0]]), batch=0)
    with pytest.raises(InputError, match="there are 2 data and 5 conditions; give one for each"):
        model.bound(_tensor([[-1.0], [1.0]]), condition=torch.zeros(5, 1))
    for options, words in (
        ({"condition": 3}, r"condition=3 is no tensor .* for class 3, give torch.tensor\(\[3\]\)"),
        ({"condition": torch.tensor(3)}, r"condition=tensor\(3\) is no tensor"),
        ({"guidance": 2.0}, r"guidance=2\.0 is none; give guidance\.ClassifierFree"),
        ({"limits": (1, -1)}, r"limits=\(1, -1\) must be two rising numbers"),
        ({"limits": "none"}, "limits='none' must be two rising numbers"),
    ):
        with pytest.raises(InputError, match=words):
            model.reverse(Ancestral(steps=10), **options)
