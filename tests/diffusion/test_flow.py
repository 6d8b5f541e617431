"""The probability flow's likelihood against exact densities, and its solver against exact solutions."""

import math

import numpy as np
import pytest
import torch

from sojourn.diffusion.continuous import ContinuousSchedule
from sojourn.diffusion.ddpm import DDPM
from sojourn.diffusion.exact import GaussianMixture
from sojourn.diffusion.flow import likelihood, log_density, velocity
from sojourn.diffusion.runge_kutta import integrate
from sojourn.diffusion.schedule import Schedule
from sojourn.errors import InputError
from sojourn.noise import Noise

DOUBLE = torch.float64


def _tensor(values):
    return torch.tensor(values, dtype=DOUBLE)


MIXTURE = GaussianMixture(
    _tensor([0.3, 0.7]),
    _tensor([[1.0, 0.0], [-1.0, 0.5]]),
    _tensor([[[0.1, 0.0], [0.0, 0.1]], [[0.3, 0.1], [0.1, 0.2]]]),
)
GAUSSIAN = GaussianMixture.gaussian(_tensor([0.5, -1.0, 0.2]), _tensor([[0.5, 0.2, 0], [0.2, 0.4, 0], [0, 0, 0.05]]))
TO_PURE_NOISE = Schedule.from_snr(
    torch.exp(torch.linspace(12, -24, 1000, dtype=DOUBLE))
)  # the prior is the law at T to 1e-5


@pytest.mark.parametrize("law", [GAUSSIAN, MIXTURE], ids=["gaussian", "mixture"])
@pytest.mark.parametrize("t", [1, 400])
def test_the_log_density_is_exact_to_1e_4(law, t):
    model = DDPM(law.network(TO_PURE_NOISE), TO_PURE_NOISE, levels=None)
    alpha, sigma = TO_PURE_NOISE.scales(t)
    x = alpha * law.sample(8, Noise(3)) + sigma * Noise(4).normal(0, 8, law.means.shape[1:], dtype=DOUBLE)
    found, _ = log_density(model, x, t, rtol=3e-7, atol=3e-7)
    torch.testing.assert_close(found, law.log_density(x, alpha, sigma), rtol=0, atol=1e-4)


def test_of_a_schedule_in_continuous_time_too():
    schedule = ContinuousSchedule.linear(0.1, 40.0)
    model = DDPM(GAUSSIAN.network(schedule), schedule, levels=None)
    x = GAUSSIAN.sample(6, Noise(3))
    found, _ = log_density(model, x, rtol=3e-7, atol=3e-7)
    torch.testing.assert_close(found, GAUSSIAN.log_density(x, *schedule.scales(schedule.first)), rtol=0, atol=1e-4)


def test_the_divergence_is_exact_and_that_of_all_signs_together_too():
    """Hutchinson's estimates, averaged over all 2^d sign vectors, are the trace."""
    schedule = Schedule.linear(steps=1000)
    model = DDPM(MIXTURE.network(schedule), schedule, levels=None)
    x, t = MIXTURE.sample(5, Noise(1)), torch.full((5,), 200.0, dtype=DOUBLE)
    v, exact = velocity(model, x, t, None, None)
    signs = _tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]])[:, None].expand(4, 5, 2)
    again, estimated = velocity(model, x, t, None, signs)
    torch.testing.assert_close(v, again)
    torch.testing.assert_close(estimated, exact, rtol=1e-12, atol=1e-12)
    h = 1e-5
    differences = torch.zeros(5, dtype=DOUBLE)
    for k in range(2):
        step = torch.zeros(2, dtype=DOUBLE)
        step[k] = h
        up, down = (velocity(model, x + s, t, None, None)[0][:, k] for s in (step, -step))
        differences += (up - down) / (2 * h)
    torch.testing.assert_close(exact, differences, rtol=1e-6, atol=1e-6)


def test_a_datum_s_likelihood_depends_on_no_other():
    model = DDPM(MIXTURE.network(TO_PURE_NOISE), TO_PURE_NOISE, levels=None)
    x = MIXTURE.sample(6, Noise(3))
    whole = likelihood(model, x, probes=1, seed=5, progress=False)
    split = likelihood(model, x, probes=1, seed=5, batch=4, progress=False)
    np.testing.assert_allclose(split.each, whole.each, rtol=1e-10)


def test_density_of_data_without_levels_by_both_ways():
    """The density at the first noisy time; and a bound on it from noised data, which must not be below it."""
    schedule = Schedule.cosine(steps=200)
    model = DDPM(GAUSSIAN.network(schedule), schedule, variance="fixed_large", levels=None)
    x = GAUSSIAN.sample(60, Noise(2))
    direct = likelihood(model, x, dequantise="none", progress=False)
    exact = -GAUSSIAN.log_density(x, *schedule.scales(1)) / (3 * math.log(2))
    np.testing.assert_allclose(direct.each, exact.numpy(), atol=2e-3)
    bounded = likelihood(model, x, progress=False, confidence=1 - 1e-6)
    assert bounded.bits_per_dim.high > float(-GAUSSIAN.log_density(x).mean()) / (3 * math.log(2))
    assert bounded.bits_per_dim.value - direct.bits_per_dim.value < 0.1


def test_grey_levels_cost_at_least_their_entropy_however_they_are_dequantised():
    """Interval at 1 - 1e-6; the data hold each level in its exact share, so only noise is left to chance."""
    shares, levels = _tensor([0.1, 0.2, 0.3, 0.4]), torch.linspace(-1, 1, 4, dtype=DOUBLE)
    law = GaussianMixture(shares, levels[:, None], torch.zeros(4, 1, 1))
    entropy = -float((shares * torch.log2(shares)).sum())
    schedule = Schedule.cosine(steps=100)
    model = DDPM(law.network(schedule), schedule, levels=4)
    x_0 = levels.repeat_interleave(torch.tensor([10, 20, 30, 40]))[:, None]
    found = likelihood(model, x_0, dequantise="gaussian", confidence=1 - 1e-6, progress=False).bits_per_dim
    assert found.high > entropy
    assert found.value < entropy + 0.3


def test_uniform_dequantisation_of_uniform_levels_costs_log_levels():
    """u + k uniform on the levels' cells: a law whose density is known, blurred at its edges alone."""
    schedule, K = Schedule.cosine(steps=400), 8
    edge = K / (K - 1)
    points = torch.linspace(-edge, edge, 401, dtype=DOUBLE)
    points = (points[1:] + points[:-1]) / 2  # four hundred narrow Gaussians stand for the uniform law
    law = GaussianMixture(
        torch.full((400,), 1 / 400, dtype=DOUBLE),
        points[:, None],
        torch.full((400, 1, 1), (2 * edge / 400) ** 2, dtype=DOUBLE),
    )
    model = DDPM(law.network(schedule), schedule, levels=K)
    inner = torch.linspace(-1, 1, K, dtype=DOUBLE)[2:-2].repeat(2)[:, None]
    found = likelihood(model, inner, dequantise="uniform", progress=False)
    np.testing.assert_allclose(found.each, math.log2(K), atol=0.02)


def test_the_solver_s_error_follows_its_tolerance_and_members_are_alone():
    """dy/ds = i w y as a rotation, whose solution is known; order 5: the error is near the tolerance."""
    speeds = _tensor([1.0, 5.0, 0.1])

    def field(s, y, members):
        return speeds[members, None] * torch.stack([-y[:, 1], y[:, 0]], dim=1)

    y = _tensor([[1.0, 0.0]]).repeat(3, 1)
    start, end = torch.zeros(3, dtype=DOUBLE), _tensor([3.0, -2.0, 3.0])
    exact = torch.stack([torch.cos(speeds * end), torch.sin(speeds * end)], dim=1)
    errors = {}
    for tolerance in (1e-4, 1e-6, 1e-8):
        found, calls = integrate(field, y, start, end, rtol=tolerance, atol=tolerance)
        errors[tolerance] = float((found - exact).abs().max()), calls
        assert errors[tolerance][0] < 60 * tolerance
    growth = errors[1e-8][1] / errors[1e-4][1]
    assert growth < 10000 ** (1 / 4.4)  # steps grow as tolerance^(-1/5)
    alone, _ = integrate(lambda s, y, m: field(s, y, m + 1), y[:1], start[:1], end[1:2], rtol=1e-6, atol=1e-6)
    together, _ = integrate(field, y, start, end, rtol=1e-6, atol=1e-6)
    assert torch.equal(alone[0], together[1])


def test_bad_input_is_named():
    continuous = ContinuousSchedule.linear()
    with pytest.raises(InputError, match="needs a schedule with steps"):
        DDPM(MIXTURE.network(continuous), continuous, levels=None).likelihood(MIXTURE.sample(4, Noise(0)))
    schedule = Schedule.linear(steps=10)
    model = DDPM(MIXTURE.network(schedule), schedule, levels=None)
    x = MIXTURE.sample(4, Noise(0))
    for options, words in (
        ({"dequantise": "uniform"}, "does not fit a model with levels=None"),
        ({"dequantise": "tanh"}, "choose gaussian, uniform or none"),
        ({"probes": 0}, "probes=0 is below 1"),
        ({"rtol": 0.0}, "must be above zero"),
    ):
        with pytest.raises(InputError, match=words):
            model.likelihood(x, progress=False, **options)
    with pytest.raises(InputError, match="batch=0 is below 1"):
        model.likelihood(x, batch=0, progress=False)


class _Dropping(torch.nn.Module):
    """A network with dropout, in float64."""

    outputs, shape = 1, (3,)

    def __init__(self):
        super().__init__()
        self.line, self.drop = torch.nn.Linear(3, 3).to(DOUBLE), torch.nn.Dropout(0.5)

    def forward(self, x, time, condition=None):
        return self.drop(self.line(x))


@pytest.mark.parametrize("dequantise", ["gaussian", "uniform"])
def test_dropout_plays_no_part_even_in_a_model_that_is_being_trained(dequantise):
    model = DDPM(_Dropping(), Schedule.linear(steps=10), levels=3)
    x = torch.tensor([[-1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], dtype=DOUBLE)
    options = {"dequantise": dequantise, "progress": False}
    as_in_training = model.train().likelihood(x, **options)
    assert model.training
    as_tested = model.eval().likelihood(x, **options)
    assert np.array_equal(as_in_training.each, as_tested.each)
    assert not model.training
