"""Every sampler converges to the true law with its order: of Gaussian data exactly, of mixtures by quantiles."""

import math

import pytest
import torch

from sojourn.diffusion import GaussianMixture, Schedule
from sojourn.diffusion.samplers import (
    DDIM,
    Ancestral,
    DPMSolverPP,
    DPMSolverPPSDE,
    Heun,
    PredictorCorrector,
    ReverseDiffusion,
    UniPC,
)
from sojourn.noise import Noise

from .pushed_law import DOUBLE, GAUSSIAN, SCHEDULE, distance, exact_model, law_at, pushed


def _slope(errors):
    return math.log2(errors[0] / errors[1])


def _law_error(sampler):
    """Greatest error of mean and covariance at the last noisy time, from the true law at the first."""
    process = exact_model().reverse(sampler)
    t, n = process.grid.t, sampler.steps
    found = pushed(process, law_at(float(t[0])), n - 1)
    return distance(found, law_at(float(t[n - 1])))


DETERMINISTIC = [
    (lambda n: DDIM(n, "log_snr"), 1, 80),
    (lambda n: Heun(n, "log_snr"), 2, 80),
    (lambda n: Heun(n), 2, 80),
    (lambda n: DPMSolverPP(n, "log_snr", order=1), 1, 80),
    (lambda n: DPMSolverPP(n, "log_snr", order=2), 2, 80),
    (lambda n: UniPC(n, "log_snr", order=1), 2, 80),
    (lambda n: UniPC(n, "log_snr", order=2), 3, 80),
    (lambda n: UniPC(n, "log_snr", order=3), 4, 80),
]
STOCHASTIC = [
    (lambda n: DDIM(n, "log_snr", eta=0.5), 1, 60),
    (lambda n: DDIM(n, "log_snr", eta=1.0), 1, 60),
    (lambda n: Ancestral(n, "log_snr"), 1, 60),
    (lambda n: ReverseDiffusion(n, "log_snr"), 1, 60),
    (lambda n: DPMSolverPPSDE(n, "log_snr", order=1), 1, 60),
    (lambda n: DPMSolverPPSDE(n, "log_snr", order=2), 2, 60),
    (lambda n: DPMSolverPPSDE(n, "log_snr", order=3), 2, 60),
    (lambda n: Heun(n, "log_snr", S_churn=10.0), 2, 60),
]


@pytest.mark.parametrize(("make", "order", "n"), DETERMINISTIC + STOCHASTIC)
def test_of_gaussian_data_the_law_is_reached_with_the_stated_order(make, order, n):
    assert abs(_slope([_law_error(make(k)) for k in (n, 2 * n)]) - order) < 0.15


MIXTURE = GaussianMixture(
    torch.tensor([0.3, 0.7], dtype=DOUBLE),
    torch.tensor([[-1.0], [0.8]], dtype=DOUBLE),
    torch.tensor([[[0.04]], [[0.1]]], dtype=DOUBLE),
)


def _cdf(x, t):
    alpha, sigma = SCHEDULE.scales(t)
    spreads = torch.sqrt(alpha**2 * MIXTURE.covariances[:, 0, 0] + sigma**2)
    return (MIXTURE.weights * torch.special.ndtr((x - alpha * MIXTURE.means[:, 0]) / spreads)).sum(1)


def _transported(x, t, s):
    """Where the flow takes x (n, 1) from t to s: in one dimension it keeps quantiles."""
    wanted = _cdf(x, t)
    low, high = torch.full_like(x, -9.0), torch.full_like(x, 9.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = (_cdf(middle, s) < wanted)[:, None]
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


START = torch.linspace(-2, 2, 8, dtype=DOUBLE)[:, None]  # none beside the place where the flow divides


@pytest.mark.parametrize(("make", "order", "n"), [case for case in DETERMINISTIC if case[1] < 4])
def test_of_a_mixture_the_flow_s_map_is_reached_with_the_stated_order(make, order, n):
    errors = []
    for steps in (2 * n, 4 * n):
        process = exact_model(MIXTURE).reverse(make(steps))
        t = process.grid.t
        found = process.advance(process.start(START), 0, steps - 1, Noise(0))["x"]
        errors.append(float((found - _transported(START, t[0], t[-2])).abs().max()))
    assert abs(_slope(errors) - order) < 0.15


def test_dpm_solver_3m_has_order_3_from_exact_earlier_predictions():
    """By itself it starts with steps of order 1 and 2, which cost little where there is only noise."""
    errors = []
    for steps in (160, 320):
        process = exact_model(MIXTURE).reverse(DPMSolverPP(steps, "log_snr", order=3))
        t = process.grid.t
        x = [_transported(START, t[0], t[k]) for k in (0, 1, 2)]
        memory = torch.stack([process.denoiser.predict(x[k], float(t[k])).x_0 for k in (1, 0)], dim=1)
        found = process.advance({"x": x[2], "memory": memory}, 2, steps - 3, Noise(0))["x"]
        errors.append(float((found - _transported(START, t[0], t[-2])).abs().max()))
    assert abs(_slope(errors) - 3) < 0.15


@pytest.mark.parametrize(
    "sampler",
    [
        Ancestral(100, "log_snr"),
        DPMSolverPPSDE(50, "log_snr", order=2),
        Heun(50, S_churn=15.0),
        PredictorCorrector(ReverseDiffusion(60, "log_snr"), snr=0.05),
    ],
    ids=lambda sampler: type(sampler).__name__,
)
def test_of_a_mixture_samples_have_the_true_law(sampler):
    """Kolmogorov-Smirnov; P(D > d) <= 2 exp(-2 n d^2) = 1e-6 (Massart), with d the threshold for n draws."""
    n = 4_000
    process = exact_model(MIXTURE).reverse(sampler)
    t = process.grid.t
    alpha, sigma = SCHEDULE.scales(t[0])
    x_T = alpha * MIXTURE.sample(n, Noise(1)) + sigma * Noise(2).normal(0, n, (1,), dtype=DOUBLE)
    x = process.advance(process.start(x_T), 0, sampler.steps - 1, Noise(3))["x"]
    u, _ = torch.sort(_cdf(x, t[-2]))
    ranks = torch.arange(n + 1, dtype=DOUBLE) / n
    assert float(torch.maximum(ranks[1:] - u, u - ranks[:-1]).max()) < math.sqrt(math.log(2e6) / (2 * n))


def test_the_ancestral_chain_of_all_steps_has_the_law_that_its_recursion_says():
    """x_{t-1} = a (m + G (x_t - alpha m)) + b x_t + sqrt(beta_tilde) z, G the regression of x_0 on x_t."""
    schedule = Schedule.linear(1e-3, 0.3, steps=40)
    process = exact_model(schedule=schedule).reverse(Ancestral(40))
    found = pushed(process, (torch.zeros(2, dtype=DOUBLE), torch.eye(2, dtype=DOUBLE)), 40)
    m, C, one = GAUSSIAN.means[0], GAUSSIAN.covariances[0], torch.eye(2, dtype=DOUBLE)
    mean, covariance = torch.zeros(2, dtype=DOUBLE), one
    for t in range(40, 0, -1):
        bar, before, beta = schedule.alpha_bar[t], schedule.alpha_bar[t - 1], schedule.beta[t]
        a, b = torch.sqrt(before) * beta / (1 - bar), torch.sqrt(1 - beta) * (1 - before) / (1 - bar)
        gain = torch.sqrt(bar) * C @ torch.linalg.inv(bar * C + (1 - bar) * one)
        mean = a * (m + gain @ (mean - torch.sqrt(bar) * m)) + b * mean
        covariance = (a * gain + b * one) @ covariance @ (a * gain + b * one).T
        covariance = covariance + (1 - before) / (1 - bar) * beta * one
    assert distance(found, (mean, covariance)) < 1e-12


def test_many_corrections_reach_the_stationary_law_of_langevin_steps():
    """x <- x - e P (x - m) + sqrt(2 e) z has mean m and covariance P^-1 (1 - e P / 2)^-1, P the precision."""
    middle = 0.5  # alpha^2 = sigma^2 = 1/2
    sampler = PredictorCorrector(DDIM(2, (0.7, middle)), corrections=80, snr=0.5)
    found = pushed(exact_model().reverse(sampler), law_at(0.7), 1)
    mean, covariance = law_at(middle)
    e, precision = 2 * 0.5**2 / 2, torch.linalg.inv(covariance)
    stationary = covariance @ torch.linalg.inv(torch.eye(2, dtype=DOUBLE) - e / 2 * precision)
    assert distance(found, (mean, stationary)) < 1e-10
