"""Schedules and the closed-form forward process: many digits, Bayes' rule on a grid, laws of composition."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from sojourn.diffusion.continuous import ContinuousSchedule
from sojourn.diffusion.schedule import Schedule
from sojourn.errors import InputError
from sojourn.noise import Noise

DOUBLE = torch.float64
DISCRETE = [
    Schedule.linear(),
    Schedule.cosine(),
    Schedule.sigmoid(),
    Schedule.linear(0.1, 0.5, steps=7),
    ContinuousSchedule.cosine().discretise(50),
]
CONTINUOUS = [
    ContinuousSchedule.linear(),
    ContinuousSchedule.cosine(),
    ContinuousSchedule.from_log_snr(lambda t: 8 - 17 * t**2 - t, name="quadratic"),
]


def _tensor(values):
    return torch.tensor(values, dtype=DOUBLE)


def _close(found, expected, rtol=1e-12, atol=0.0):
    torch.testing.assert_close(torch.as_tensor(found), torch.as_tensor(expected), rtol=rtol, atol=atol)


def test_the_linear_schedule_to_fifty_digits():
    schedule = Schedule.linear(1e-4, 0.02, steps=1000)
    with mpmath.workdps(50):
        product, first, last = mpmath.mpf(1), mpmath.mpf("0.0001"), mpmath.mpf("0.02")
        rows = []
        for t in range(1, 1001):
            beta = first + (last - first) * (t - 1) / 999
            before, product = product, product * (1 - beta)
            row = beta, product, (1 - before) / (1 - product) * beta, mpmath.sqrt(1 - product)
            rows.append([float(value) for value in (*row, mpmath.log(product / (1 - product)))])
    beta, alpha_bar, beta_tilde, sigma, log_snr = _tensor(rows).T
    t = torch.arange(1, 1001)
    _close(schedule.beta[1:], beta)
    _close(schedule.alpha_bar[1:], alpha_bar, rtol=1e-13)
    _close(schedule.posterior_variance[1:], beta_tilde)
    _close(schedule.scales(t)[1], sigma, rtol=1e-13)
    _close(schedule.log_snr(t), log_snr, rtol=1e-13, atol=1e-13)
    assert f"{float(schedule.alpha_bar[1000]):.2e}" == "4.04e-05"  # Ho, Jain and Abbeel (2020)
    assert schedule.alpha_bar[0] == 1
    assert schedule.beta[0] == 0
    assert schedule.posterior_variance[1] == 0


def test_the_cosine_and_sigmoid_schedules_to_fifty_digits():
    """(1 + cos) / 2 in the place of cos^2, and tanh in that of the logistic function."""
    cosine, sigmoid = Schedule.cosine(steps=100, offset=0.008), Schedule.sigmoid(steps=100, start=-2, end=4, tau=0.7)
    with mpmath.workdps(50):
        offset, tau = mpmath.mpf("0.008"), mpmath.mpf("0.7")

        def f(t):
            return 1 + mpmath.cos((mpmath.mpf(t) / 100 + offset) / (1 + offset) * mpmath.pi)

        def g(t):
            return mpmath.tanh(4 / tau / 2) - mpmath.tanh((-2 + mpmath.mpf(6) * t / 100) / tau / 2)

        for schedule, h in ((cosine, f), (sigmoid, g)):
            for t in range(100):
                assert float(schedule.alpha_bar[t]) == pytest.approx(float(h(t) / h(0)), rel=1e-11)
            assert float(schedule.beta[100]) == pytest.approx(0.999, rel=1e-13)  # both end at 0: clipped


@pytest.mark.parametrize("schedule", DISCRETE, ids=repr)
def test_steps_compose_to_the_closed_form(schedule):
    """Mean and variance of x_t given x_0 = 1, carried through x_t = sqrt(1 - beta) x_{t-1} + sqrt(beta) epsilon."""
    rows = [(1.0, 0.0)]
    for beta in schedule.beta[1:].tolist():
        mean, variance = rows[-1]
        rows.append((math.sqrt(1 - beta) * mean, (1 - beta) * variance + beta))
    ones = torch.ones(schedule.steps + 1, 1, dtype=DOUBLE)
    mean, variance = schedule.marginal(ones, torch.arange(schedule.steps + 1))
    _close(torch.cat([mean, variance], 1), _tensor(rows), rtol=1e-11)
    _close(schedule.alpha_bar, torch.cumprod(schedule.alpha, 0), rtol=1e-11)
    _close(schedule.alpha + schedule.beta, torch.ones(schedule.steps + 1, dtype=DOUBLE), rtol=1e-15)


def _by_bayes(schedule, x_t, x_0, t, s):
    """Mean and variance of q(x_s | x_t, x_0) ~ q(x_t | x_s) q(x_s | x_0), by the trapezoidal rule over x_s."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule.scales(t), schedule.scales(s)
    alpha = alpha_t / alpha_s
    beta = sigma_t**2 - alpha**2 * sigma_s**2
    likelihood_wins = beta / alpha**2 < sigma_s**2  # the grid lies about the narrower factor
    centre = torch.where(likelihood_wins, x_t / alpha, alpha_s * x_0)
    width = torch.where(likelihood_wins, beta.sqrt() / alpha, sigma_s)
    x_s = centre + width * torch.linspace(-16, 16, 1601, dtype=DOUBLE)[:, None]
    log_density = -((x_t - alpha * x_s) ** 2) / (2 * beta) - (x_s - alpha_s * x_0) ** 2 / (2 * sigma_s**2)
    p = torch.softmax(log_density, 0)
    mean = (p * x_s).sum(0)
    return mean, (p * (x_s - mean) ** 2).sum(0)


@pytest.mark.parametrize("schedule", DISCRETE + CONTINUOUS, ids=repr)
def test_the_posterior_is_bayes_rule(schedule):
    """Random 0 < s < t, one pair a member; x_t drawn from q(x_t | x_0)."""
    generator, n = np.random.default_rng(0), 40
    times = generator.uniform(schedule.first, schedule.last, (2, n))
    if isinstance(schedule, Schedule):
        times = np.stack([generator.integers(1, schedule.steps, n), np.full(n, schedule.steps)])
        times[1] = generator.integers(times[0] + 1, schedule.steps + 1)
    s, t = torch.from_numpy(np.sort(times, axis=0)).to(DOUBLE)
    x_0, epsilon = torch.from_numpy(generator.normal(size=(2, n, 1)))
    x_t = schedule.noised(x_0, t, epsilon)
    mean, variance = schedule.posterior(x_t, x_0, t, s)
    expected = _by_bayes(schedule, x_t[:, 0], x_0[:, 0], t, s)
    _close(mean[:, 0], expected[0], rtol=1e-11, atol=1e-12)
    _close(variance[:, 0], expected[1], rtol=2e-10)  # the reference's beta is a difference
    for k in range(0, n, 7):  # one time for all is the same as one a member
        one = schedule.posterior(x_t[k : k + 1], x_0[k : k + 1], float(t[k]), float(s[k]))
        assert torch.equal(one[0][0], mean[k])
    single = schedule.posterior(x_t.float(), x_0.float(), t, s)
    assert single[0].dtype == single[1].dtype == torch.float32
    _close(single[0].double(), mean, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("schedule", DISCRETE, ids=repr)
def test_the_posterior_of_one_step_is_that_of_ho(schedule):
    """Equations 6 and 7, written with alpha_t, beta_t and alpha_bar_t."""
    t = torch.arange(1, schedule.steps + 1)
    generator = torch.Generator().manual_seed(0)
    x_0, x_t = torch.randn(2, schedule.steps, 3, generator=generator, dtype=DOUBLE)
    bar, before = schedule.alpha_bar[1:, None], schedule.alpha_bar[:-1, None]
    alpha, beta = schedule.alpha[1:, None], schedule.beta[1:, None]
    mean, variance = schedule.posterior(x_t, x_0, t)
    expected = before.sqrt() * beta / (1 - bar) * x_0 + alpha.sqrt() * (1 - before) / (1 - bar) * x_t
    _close(mean, expected, rtol=1e-9, atol=1e-11)
    _close(variance, schedule.posterior_variance[1:, None], rtol=1e-13)
    assert torch.equal(mean[0], x_0[0])  # at t = 1 nothing is left to chance
    assert variance[0] == 0


@settings(max_examples=40, deadline=None)
@given(
    schedule=st.sampled_from(DISCRETE + CONTINUOUS),
    u=st.lists(st.floats(0, 1), min_size=3, max_size=3, unique=True),
)
def test_posteriors_compose_over_respaced_times(schedule, u):
    """Chapman-Kolmogorov: q(x_s | x_t, x_0) is q(x_s | x_r, x_0) averaged over q(x_r | x_t, x_0), s < r < t."""
    s, r, t = sorted(schedule.first + (schedule.last - schedule.first) * k for k in u)
    if min(r - s, t - r) < 1e-3 * schedule.last:
        return
    a_r, b_r, v_r = schedule.posterior_coefficients(t, r)
    a_s, b_s, v_s = schedule.posterior_coefficients(r, s)
    a, b, v = schedule.posterior_coefficients(t, s)
    _close(a_s + b_s * a_r, a, rtol=1e-10)
    _close(b_s * b_r, b, rtol=1e-10)
    _close(v_s + b_s**2 * v_r, v, rtol=1e-10)
    kept = (1 - schedule.beta_between(t, r)) * (1 - schedule.beta_between(r, s))
    _close(1 - kept, schedule.beta_between(t, s), rtol=1e-10, atol=1e-14)


@settings(max_examples=40, deadline=None)
@given(schedule=st.sampled_from(DISCRETE + CONTINUOUS), u=st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_time_of_inverts_log_snr(schedule, u):
    least = schedule.first * 1e-3
    t = least + (schedule.last - least) * _tensor(u)
    _close(schedule.time_of(schedule.log_snr(t)), t, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("schedule", DISCRETE, ids=repr)
def test_beyond_the_ends_time_of_is_the_end(schedule):
    assert float(schedule.time_of(math.inf)) == 0
    assert float(schedule.time_of(-1000.0)) == schedule.steps
    assert float(schedule.log_snr(0)) == math.inf


def test_between_whole_times_log_alpha_bar_is_linear():
    schedule = Schedule.cosine(steps=20)
    for t in range(20):
        a, b = (float(torch.log(schedule.alpha_bar[k])) for k in (t, t + 1))
        for share in (0.0, 0.3, 0.9, 1.0):
            assert float(schedule.log_alpha_bar(t + share)) == pytest.approx((1 - share) * a + share * b, rel=1e-12)


def test_one_schedule_given_in_four_ways():
    linear = Schedule.linear(steps=300)
    alpha_bar = linear.alpha_bar[1:]
    for same in (
        Schedule.from_beta(linear.beta[1:]),
        Schedule.from_alpha_bar(alpha_bar),
        Schedule.from_alpha_bar(linear.alpha_bar),
        Schedule.from_snr(torch.exp(linear.log_snr(torch.arange(1, 301)))),
    ):
        _close(same.alpha_bar, linear.alpha_bar, rtol=1e-12)
        _close(same.beta, linear.beta, rtol=1e-9, atol=1e-15)  # a beta is a difference of given numbers
    snr = _tensor([1e30, 1e3, 1.0, 1e-30])
    for t, given_snr in enumerate(snr.tolist(), 1):  # neither end is rounded away
        alpha, sigma = Schedule.from_snr(snr).scales(t)
        assert float(alpha) ** 2 == pytest.approx(given_snr / (1 + given_snr), rel=1e-13)
        assert float(sigma) ** 2 == pytest.approx(1 / (1 + given_snr), rel=1e-13)


def test_the_variance_preserving_sde_is_the_integral_of_its_beta_and_the_limit_of_steps():
    continuous = ContinuousSchedule.linear(0.1, 20.0)
    for t in (1e-3, 0.2, 0.7, 1.0):
        total = integrate.quad(lambda u: 0.1 + 19.9 * u, 0, t)[0]
        assert float(continuous.log_alpha_bar(t)) == pytest.approx(-total, rel=1e-12)
    errors = []
    for steps in (500, 1000, 2000, 4000):
        u = torch.arange(1, steps + 1, dtype=DOUBLE) / steps
        discrete = Schedule.from_beta((0.1 + 19.9 * u) / steps)
        errors.append(float((torch.log(discrete.alpha_bar[1:]) - continuous.log_alpha_bar(u)).abs().max()))
    for coarse, fine in pairwise(errors):
        assert coarse / fine == pytest.approx(2, rel=0.02)  # order 1
    assert errors[-1] < 0.05


def test_the_continuous_cosine_is_an_arc_of_the_circle():
    schedule = ContinuousSchedule.cosine(least=-6.0, greatest=9.0)
    a, b = (math.acos(math.sqrt(1 / (1 + math.exp(-end)))) for end in (9.0, -6.0))
    for t in (1e-3, 0.3, 0.5, 1.0):
        alpha, sigma = schedule.scales(t)
        angle = a + (b - a) * t
        assert (float(alpha), float(sigma)) == pytest.approx((math.cos(angle), math.sin(angle)), rel=1e-12)
    assert float(schedule.log_snr(1)) == pytest.approx(-6, rel=1e-12)
    assert float(schedule.log_snr(1e-13)) == pytest.approx(9, abs=1e-8)
    assert float(schedule.log_snr(0)) == math.inf  # no noise at 0


@pytest.mark.parametrize("schedule", CONTINUOUS, ids=repr)
def test_discretised_is_the_same_function(schedule):
    discrete = schedule.discretise(60)
    u = torch.arange(61, dtype=DOUBLE)
    _close(discrete.log_alpha_bar(u), schedule.log_alpha_bar(u / 60), rtol=1e-14)
    _close(discrete.posterior_coefficients(45, 12)[2], schedule.posterior_coefficients(0.75, 0.2)[2], rtol=1e-12)


def test_noised_has_the_marginal_law():
    """Means and variances of 40,000 members within 6 standard errors: false alarm 4 x 2e-9."""
    schedule, n = Schedule.cosine(steps=10), 40_000
    x_0 = _tensor([[1.5, -0.5]]).expand(n, 2)
    x_t = schedule.noised(x_0, 4, Noise(5).normal(0, n, (2,), dtype=DOUBLE))
    mean, variance = schedule.marginal(x_0, 4)
    assert float(((x_t.mean(0) - mean[0]) / (variance / n).sqrt()).abs().max()) < 6
    assert float(((x_t.var(0) / variance - 1) / math.sqrt(2 / n)).abs().max()) < 6


LINEAR, SDE = Schedule.linear(steps=10), ContinuousSchedule.linear()
ONE, TWO = torch.zeros(1, 2), torch.zeros(2, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Schedule.linear(0.02, 1e-4), r"linear\(0.02, 0.0001\) needs 0 < first <= last < 1"),
        (lambda: Schedule.linear(0.0, 0.02), "needs 0 < first"),
        (lambda: Schedule.linear(0.1, math.nan), "needs 0 < first"),
        (lambda: Schedule.linear(steps=10.0), r"steps=10.0 is not a whole number of 1 or more"),
        (lambda: Schedule.linear(steps=True), "steps=True is not a whole number"),
        (lambda: Schedule.cosine(steps=0), "steps=0 is not a whole number of 1 or more"),
        (lambda: Schedule.cosine(offset=-0.1), r"offset=-0.1 is not in \[0, 1\)"),
        (lambda: Schedule.sigmoid(start=3, end=-3), "needs start < end and tau > 0"),
        (lambda: Schedule.sigmoid(tau=0.0), "needs start < end and tau > 0"),
        (lambda: Schedule.from_beta(_tensor([0.1, 1.2])), r"from_beta needs a vector of numbers in \(0, 1\)"),
        (lambda: Schedule.from_beta(_tensor([0.1, math.nan])), "from_beta needs a vector"),
        (lambda: Schedule.from_beta(_tensor([])), "has no steps"),
        (lambda: Schedule.from_snr(_tensor([[2.0, 1.0]])), "from_snr needs a vector of numbers above zero"),
        (lambda: Schedule.from_snr(_tensor([2.0, -1.0])), "from_snr needs a vector of numbers above zero"),
        (lambda: Schedule.from_snr(_tensor([2.0, 3.0])), "not monotone: alpha_bar goes from 0.666667 at t=1 to 0.75"),
        (
            lambda: Schedule.from_alpha_bar(_tensor([0.9, 0.5, 0.6])),
            "not monotone: alpha_bar goes from 0.5 at t=2 to 0.6 at t=3; it must fall at every step",
        ),
        (lambda: Schedule.from_alpha_bar(_tensor([0.9, 0.9])), "not monotone: alpha_bar goes from 0.9 at t=1 to 0.9"),
        (lambda: Schedule.from_alpha_bar(_tensor([0.9, 0.0])), "from_alpha_bar needs a vector of numbers in"),
        (lambda: LINEAR.scales(11), r"t=11.0 is not in \[0, 10\]"),
        (lambda: LINEAR.scales(-0.5), r"t=-0.5 is not in \[0, 10\]"),
        (lambda: LINEAR.scales(math.nan), r"t=nan is not in \[0, 10\]"),
        (lambda: LINEAR.posterior(ONE, TWO, 3), r"x_t has shape \(1, 2\) and x_0 \(2, 2\)"),
        (lambda: LINEAR.posterior(ONE, ONE, 3, 3), "the posterior at s=3 given t=3 needs 0 <= s < t"),
        (lambda: LINEAR.posterior(ONE, ONE, 0), r"t=-1.0 is not in \[0, 10\]"),
        (lambda: ContinuousSchedule.linear(0.0, 1.0), "needs 0 < first <= last"),
        (lambda: ContinuousSchedule.cosine(least=2, greatest=1), "needs least < greatest"),
        (lambda: ContinuousSchedule.from_log_snr(lambda t: t), "must fall everywhere between t=0.0001 and 1"),
        (lambda: ContinuousSchedule(lambda t: 1 - 2 * t), "with alpha_bar in"),
        (lambda: ContinuousSchedule(lambda t: -t, first=0.0), r"first=0.0 is not in \(0, 1\)"),
        (lambda: SDE.scales(1.5), r"t=1.5 is not in \[0, 1\]"),
        (lambda: SDE.scales(_tensor([0.5, math.nan])), r"nan\] is not in \[0, 1\]"),
        (lambda: SDE.discretise(10.0), "steps=10.0 is not a whole number"),
        (lambda: SDE.posterior(ONE, ONE, 0.5), "has no step before t; say which time s is meant"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
