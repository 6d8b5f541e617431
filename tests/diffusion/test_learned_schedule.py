"""Learned schedules: the loss's mean belongs to the ends, its variance to the path, and the best path is found.

Data are a mixture on a line with its exact denoiser; with z the prediction's error in epsilon, a path of rate r has
E l = 1/2 integral of E z^2 and E l^2 = 1/4 integral of r E z^4 over log SNR.
So, by Cauchy and Schwarz, E l^2 >= (1/2 integral of sqrt(E z^4))^2.
"""

import math

import numpy as np
import pytest
import torch

from sojourn.bounds import intervals
from sojourn.diffusion.continuous import ContinuousSchedule
from sojourn.diffusion.ddpm import DDPM
from sojourn.diffusion.exact import GaussianMixture
from sojourn.diffusion.learned_schedule import LearnedSchedule, fit_schedule
from sojourn.diffusion.schedule import Schedule
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.training.loop import Training

DOUBLE = torch.float64


def _tensor(values):
    return torch.tensor(values, dtype=DOUBLE)


LAW = GaussianMixture(_tensor([0.4, 0.6]), _tensor([[-0.8], [0.5]]), _tensor([[[0.01]], [[0.04]]]))
LINEAR = ContinuousSchedule.linear()
MODEL = DDPM(LAW.network(LINEAR), LINEAR, levels=None)
GREATEST, LEAST = float(LINEAR.log_snr(LINEAR.first)), float(LINEAR.log_snr(1.0))


def _uneven():
    """A path with weights of all sizes."""
    path = LearnedSchedule(GREATEST, LEAST)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in path.parameters():
            parameter += 0.8 * torch.randn(len(parameter), generator=generator, dtype=DOUBLE)
    return path


def _rate(schedule, t):
    """-d log SNR / dt of any schedule, by automatic differentiation."""
    t = t.clone().requires_grad_()
    return -torch.autograd.grad(schedule.log_snr(t).sum(), t)[0]


def _ends(schedule):
    return (float(schedule.time_of(end)) for end in (GREATEST, LEAST))


@pytest.fixture(scope="module")
def moments():
    """log SNRs, E z^2 and E z^4 at each, by a Gauss-Hermite rule over x_0 and epsilon."""
    log_snr = torch.linspace(LEAST, GREATEST, 201, dtype=DOUBLE)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    nodes, weights = torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())
    epsilon, both = nodes.repeat(40), torch.outer(weights, weights).reshape(-1)
    second, fourth = torch.zeros(2, len(log_snr), dtype=DOUBLE)
    for k, value in enumerate(log_snr):
        alpha, sigma = torch.sigmoid(value).sqrt(), torch.sigmoid(-value).sqrt()
        for w, m, v in zip(LAW.weights, LAW.means[:, 0], LAW.covariances[:, 0, 0], strict=True):
            x_0 = m + v.sqrt() * nodes.repeat_interleave(40)
            x = (alpha * x_0 + sigma * epsilon)[:, None]
            z = (x - alpha * LAW.mean_of_x_0(x, alpha, sigma))[:, 0] / sigma - epsilon
            second[k] += w * (both @ z**2)
            fourth[k] += w * (both @ z**4)
    return log_snr, second, fourth


def _second_moment(schedule, moments):
    """E l^2 along a schedule between the ends."""
    log_snr, _, fourth = moments
    first, last = _ends(schedule)
    return float(torch.trapezoid((last - first) * _rate(schedule, schedule.time_of(log_snr)) * fourth, log_snr) / 4)


def _other_paths():
    return [LINEAR, ContinuousSchedule.cosine(least=LEAST, greatest=GREATEST), _uneven().frozen()]


def test_the_path_does_not_change_the_expected_loss(moments):
    """30,000 draws along each path; three Student intervals of confidence 1 - 1e-7 each: false alarm about 3e-7."""
    log_snr, second, _ = moments
    exact, n = float(torch.trapezoid(second, log_snr) / 2), 30_000
    x_0, epsilon = LAW.sample(n, Noise(0)), Noise(1).normal(0, n, (1,), dtype=DOUBLE)
    u = Noise(2).uniform(0, n, ()).to(DOUBLE)
    widths = []
    for schedule in _other_paths():
        first, last = _ends(schedule)
        t = first + (last - first) * u
        model = DDPM(LAW.network(schedule), schedule, levels=None)
        error = ((model.predict(schedule.noised(x_0, t, epsilon), t).epsilon - epsilon) ** 2)[:, 0]
        found = intervals.student((last - first) * _rate(schedule, t) / 2 * error, confidence=1 - 1e-7)
        assert exact in found, f"{schedule}: {found}, not {exact}"
        widths.append(found.half_width)
    assert max(widths) > 2 * min(widths)  # the variance is another matter


def test_the_expected_loss_of_a_gaussian_is_a_difference_of_logarithms():
    """1/2 log (1 + c SNR) between the ends (Guo, Shamai and Verdu 2005), along an uneven path."""
    c, path = 0.3, _uneven()
    law = GaussianMixture.gaussian(_tensor([0.2]), _tensor([[c]]))
    with torch.no_grad():
        t = torch.linspace(0, 1, 20_001, dtype=DOUBLE)
        log_snr, rate = path(t)
    nodes = _tensor([-math.sqrt(3), 0.0, math.sqrt(3)])
    weights = _tensor([1 / 6, 2 / 3, 1 / 6])  # exact for squares
    alpha, sigma = torch.sigmoid(log_snr).sqrt(), torch.sigmoid(-log_snr).sqrt()
    error = torch.zeros_like(t)
    for z, w in zip(nodes, weights, strict=True):
        for epsilon, p in zip(nodes, weights, strict=True):
            x = (alpha * (0.2 + math.sqrt(c) * z) + sigma * epsilon)[:, None]
            hat = (x - alpha[:, None] * law.mean_of_x_0(x, alpha, sigma))[:, 0] / sigma
            error += w * p * (hat - epsilon) ** 2
    expected = 0.5 * (math.log1p(c * math.exp(GREATEST)) - math.log1p(c * math.exp(LEAST)))
    assert float(torch.trapezoid(rate / 2 * error, t)) == pytest.approx(expected, rel=1e-5)


def test_the_fitted_schedule_has_nearly_the_least_variance(moments):
    """Of the second moments, (E l)^2 is common to all; the fit is within 5% of the bound that no path can pass."""
    log_snr, second, fourth = moments
    fitted = fit_schedule(
        MODEL, LAW.sample(4000, Noise(0)), Training(200, learning_rate=0.02), batch=256, progress=False
    )
    mean = float(torch.trapezoid(second, log_snr) / 2)
    least = float(torch.trapezoid(fourth.sqrt(), log_snr) / 2) ** 2
    found = _second_moment(fitted, moments)
    assert 0.999 * least < found < 1.05 * least  # the rule has 201 places
    linear, cosine, uneven = (_second_moment(other, moments) - mean**2 for other in _other_paths())
    assert found - mean**2 < 0.05 * min(linear, cosine)
    assert found - mean**2 < uneven
    assert float(fitted.log_snr(1.0)) == pytest.approx(LEAST, abs=1e-9)
    assert float(fitted.log_snr(1e-12)) == pytest.approx(GREATEST, abs=1e-6)
    steps = fitted.discretise(20)
    assert Schedule.from_alpha_bar(steps.alpha_bar).alpha_bar[-1] == pytest.approx(1 / (1 + math.exp(-LEAST)), rel=1e-9)


def test_the_objective_and_its_gradient_are_those_of_the_second_moment(monkeypatch):
    """With an error that is a known function of log SNR, exp(log SNR / 8), E l^2 on a fine grid and its differences.

    The mean of 60,000 draws within 6 standard errors, estimated by 30 batches: false alarm 1e-6 in all (Student, 29).
    """
    monkeypatch.setattr(
        "sojourn.diffusion.learned_schedule.Simple",
        lambda: lambda model, x_0, t, epsilon, given: torch.exp(model.schedule.log_snr(t) / 8),
    )
    objectives = []
    monkeypatch.setattr("sojourn.diffusion.learned_schedule.train", lambda path, f, *_, **__: objectives.append(f))
    fit_schedule(MODEL, LAW.sample(2000, Noise(0)), Training(1), batch=2000)
    path, objective = _uneven(), objectives[0]
    parameters = list(path.parameters())
    rows = []
    for step in range(30):
        value = objective(path, step)
        gradients = torch.autograd.grad(value, parameters)
        rows.append(torch.cat([value.detach()[None], *(g[:4] for g in gradients)]))
    found = torch.stack(rows)

    t = torch.linspace(0, 1, 4001, dtype=DOUBLE)

    def exact():
        with torch.no_grad():
            log_snr, rate = path(t)
            return float(torch.trapezoid(rate**2 * torch.exp(log_snr / 4), t) / 4)

    expected = [exact()]
    for parameter in parameters:
        for k in range(4):
            sides = []
            for h in (1e-4, -1e-4):
                with torch.no_grad():
                    parameter[k] += h
                    sides.append(exact())
                    parameter[k] -= h
            expected.append((sides[0] - sides[1]) / 2e-4)
    errors = (found.mean(0) - _tensor(expected)) / (found.std(0) / math.sqrt(30))
    assert float(errors.abs().max()) < 7.5
    assert float((found.std(0) / math.sqrt(30) / _tensor(expected).abs()).min()) < 0.05  # and they are not all noise


def test_the_rate_is_the_derivative_and_the_path_falls_from_end_to_end():
    for path in (LearnedSchedule(GREATEST, LEAST), _uneven()):
        t = torch.linspace(0, 1, 101, dtype=DOUBLE).requires_grad_()
        log_snr, rate = path(t)
        (slope,) = torch.autograd.grad(log_snr.sum(), t)
        log_snr, rate = log_snr.detach(), rate.detach()
        torch.testing.assert_close(rate, -slope, rtol=1e-12, atol=0)
        assert bool((rate > 0).all())
        assert [float(log_snr[0]), float(log_snr[-1])] == pytest.approx([GREATEST, LEAST], abs=1e-12)


def test_a_frozen_schedule_stays_as_it_was_and_says_which_it_is():
    path = _uneven()
    frozen, t = path.frozen(), _tensor([[0.2, 0.4], [0.7, 1.0]])
    before, name = frozen.log_snr(t), repr(frozen)
    torch.testing.assert_close(before.reshape(-1), path(t.reshape(-1))[0].detach(), rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        path.centre += 0.1
    assert torch.equal(frozen.log_snr(t), before)
    assert not frozen.log_snr(t).requires_grad
    assert repr(path.frozen()) != name == repr(_uneven().frozen())


def test_bad_input():
    for greatest, least in ((1.0, 2.0), (math.inf, 0.0), (1.0, math.nan)):
        with pytest.raises(InputError, match=f"greatest={greatest} and least={least} must be finite"):
            LearnedSchedule(greatest, least)
    with pytest.raises(InputError, match=r"x_0 has shape \(3, 2\); needed is \(n, 1\)"):
        fit_schedule(MODEL, torch.zeros(3, 2), Training(1))
    with pytest.raises(InputError, match="there are 3 data and 2 conditions; give one for each"):
        fit_schedule(MODEL, torch.zeros(3, 1), Training(1), condition=torch.zeros(2))
