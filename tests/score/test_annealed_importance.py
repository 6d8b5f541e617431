"""Annealed importance sampling of densities whose normalising constants are known."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.score.annealed_importance import annealed_importance, log_mean, schedule


def log_normal(z, mean: Any = 0.0, deviation: Any = 1.0):
    deviation = torch.as_tensor(deviation)
    return -(((z - mean) / deviation) ** 2 / 2 + deviation.log() + math.log(2 * math.pi) / 2).sum(-1)


def draws(seed, *shape):
    return Noise(seed).split("start").normal(0, shape[0], shape[1:], torch.float64)


def deviations(weights, expected):
    """Of the mean weight from the known constant, in standard errors."""
    w = (weights - math.log(expected)).exp()
    return float((w.mean() - 1) / (w.std() / math.sqrt(len(w))))


def check_covers(estimate, truth):
    assert truth in estimate
    assert estimate.low < estimate.value < estimate.high


def test_the_constant_of_a_gaussian():
    """Z = 7 with an interval of confidence 1 - 1e-6."""
    deviation = torch.tensor([0.2, 0.5, 1.5], dtype=torch.float64)
    weights = annealed_importance(
        lambda z: math.log(7) + log_normal(z, 1.0, deviation),
        draws(0, 200, 3),
        log_normal,
        temperatures=100,
        noise=Noise(0),
    )
    assert weights.shape == (188,)
    found = log_mean(weights, confidence=1 - 1e-6)
    check_covers(found, math.log(7))
    assert found.half_width < 0.3


def test_the_constant_of_two_modes():
    """Chains part at low temperatures, and their mean weight counts both modes; confidence 1 - 1e-6."""

    def log_target(z):
        return torch.logaddexp(log_normal(z, 2.0, 0.5) + math.log(4), log_normal(z, -2.0, 0.7))

    weights = annealed_importance(
        log_target,
        3 * draws(1, 600, 2),
        lambda z: log_normal(z, 0.0, 3.0),
        temperatures=100,
        noise=Noise(1),
    )
    check_covers(log_mean(weights, confidence=1 - 1e-6), math.log(5))


def test_a_mode_out_of_reach_leaves_the_lower_end_right():
    """Hardly a chain finds the mode at 8, which holds nearly all of Z = e^20; the lower end fails with 1e-6."""

    def log_target(z):
        return torch.logaddexp(log_normal(z, 8.0, 0.1) + 20, log_normal(z))

    weights = annealed_importance(log_target, draws(8, 32, 2), log_normal, temperatures=30, noise=Noise(8))
    found = log_mean(weights, confidence=1 - 1e-6)
    assert found.low <= 20
    assert found.high < 20  # no upper end could know


@pytest.mark.parametrize("temperatures", [1, 2, 5])
def test_weights_have_no_bias(temperatures):
    """Six standard errors of 47,000 weights of finite variance: false alarms 2e-9 each. The step is far too large at
    first, so scouts change it all the time."""
    weights = annealed_importance(
        lambda z: math.log(3) + log_normal(z, 0.5, 0.6),
        draws(2, 50_000, 2),
        log_normal,
        temperatures=temperatures,
        leapfrog=3,
        step_size=2.5,
        noise=Noise(2),
    )
    assert abs(deviations(weights, 3.0)) < 6
    shuffled = annealed_importance(
        lambda z: log_normal(z) * 1.0, draws(2, 32, 2), log_normal, temperatures=temperatures, noise=Noise(2)
    )
    assert float(shuffled.abs().max()) == 0  # of the base itself every weight is 1


def test_likelihoods_of_a_linear_gaussian_decoder():
    """x = A z + sigma n has p(x) = N(0, A A^T + sigma^2), to 1e-6 in the intervals of eight data together."""
    generator = torch.Generator().manual_seed(0)
    A, sigma = torch.randn(5, 2, generator=generator).double(), 0.5
    x = torch.randn(8, 5, generator=generator).double()
    law = torch.distributions.MultivariateNormal(torch.zeros(5).double(), A @ A.T + sigma**2 * torch.eye(5).double())
    weights = annealed_importance(
        lambda z: log_normal(z) + log_normal(x, z @ A.T, sigma),
        draws(3, 64, 8, 2),
        log_normal,
        temperatures=200,
        noise=Noise(3),
    )
    assert weights.shape == (60, 8)
    for k, exact in enumerate(law.log_prob(x)):
        check_covers(log_mean(weights[:, k], confidence=1 - 1e-6 / 8), float(exact))
    assert float((weights.logsumexp(0) - math.log(60) - law.log_prob(x)).abs().max()) < 0.3


def test_data_may_be_split():
    """Each has its own draws and steps; here all arithmetic is elementwise, so even the last bit agrees."""
    x, start = torch.linspace(-1, 1, 6).double()[:, None], draws(4, 16, 6, 1)

    def weights(first, last, seed=4):
        return annealed_importance(
            lambda z: log_normal(z) + log_normal(x[first:last], z, 0.3),
            start[:, first:last],
            log_normal,
            temperatures=30,
            noise=Noise(seed).members(first),
        )

    assert torch.equal(weights(0, 6), torch.cat((weights(0, 2), weights(2, 6)), 1))
    assert not torch.equal(weights(0, 6), weights(0, 6, seed=5))


def test_scouts_bring_the_steps_to_the_wanted_acceptance():
    """From steps a hundred times too small, chains of a narrow target still find its constant; confidence 1 - 1e-6."""
    weights = annealed_importance(
        lambda z: log_normal(z, 1.0, 0.2),
        draws(5, 200, 3),
        log_normal,
        temperatures=300,
        step_size=1e-3,
        noise=Noise(5),
    )
    check_covers(log_mean(weights, confidence=1 - 1e-6), 0.0)
    assert float(weights.std()) < 2  # 50 where steps stay as they are


def test_the_lower_end_holds_for_few_and_wild_weights():
    """Eight log-normal weights of mean 1: it fails with probability 0.05 at most in each of 400 trials, so more than 50
    failures have probability 1.3e-9."""
    logs = 3 * draws(6, 400, 8) - 4.5
    assert sum(log_mean(row, confidence=0.9).low > 0 for row in logs) <= 50


def test_the_lower_end_is_near_where_weights_agree():
    logs = torch.full((100,), -80.0, dtype=torch.float64)
    found = log_mean(logs)
    assert found.value == pytest.approx(-80)
    assert found.high == pytest.approx(-80)
    assert -80 - (math.log(40) + math.log(9)) / 100 == pytest.approx(found.low, abs=1e-3)
    assert math.isfinite(log_mean(torch.tensor([-math.inf, -5.0, -6.0])).low)


def test_the_lower_end_is_where_the_capital_is_enough():
    """By its definition, at the end and a little above it: of few weights, of 100,000, and with a weight of zero."""
    for logs in (2 * draws(9, 5) - 1, draws(10, 100_000), torch.tensor([-math.inf, 3.0]).double()):
        low, n = log_mean(logs, confidence=0.9).low, len(logs)
        shares = 0.5 ** torch.arange(math.ceil(math.log2(n)) + 2).double()

        def capital(z, shares=shares, logs=logs):
            return float(
                torch.stack([torch.log1p(share * torch.expm1(logs - z)).sum() for share in shares]).logsumexp(0)
            )

        need = math.log(len(shares) / 0.05)
        assert capital(low) >= need > capital(low + 1e-8)


def test_scouts_that_start_where_the_target_is_zero_do_not_hold_the_others_back():
    """Half of the base lies outside z > 0, so Z = 1 / 2; confidence 1 - 1e-6. All scouts start outside: steps stay."""

    def log_target(z):
        return torch.where((z > 0).all(-1), log_normal(z), -math.inf + 0 * z.sum(-1))

    start = draws(11, 400, 1)
    start[:20] = -start[:20].abs()  # scouts, whose weights are not used
    weights = annealed_importance(log_target, start, log_normal, temperatures=20, noise=Noise(11))
    check_covers(log_mean(weights, confidence=1 - 1e-6), math.log(0.5))


def test_the_schedule_is_a_sigmoid():
    b = schedule(10)
    assert b[0] == 0
    assert b[-1] == 1
    assert b[5] == pytest.approx(0.5)
    assert all(later > earlier for earlier, later in pairwise(b))
    assert b[3] + b[7] == pytest.approx(1)


def test_bad_input_is_refused():
    start = draws(7, 4, 3, 2)

    def sample(target=log_normal, start=start, **options):
        return annealed_importance(target, start, log_normal, noise=Noise(0), **options)

    with pytest.raises(InputError, match="temperatures=0 is below 1"):
        sample(temperatures=0)
    with pytest.raises(InputError, match="leapfrog=0 is below 1"):
        sample(leapfrog=0)
    with pytest.raises(InputError, match="step_size=0 is not above zero"):
        sample(step_size=0)
    with pytest.raises(InputError, match=r"start has shape \(1, 2\); give draws of the base as"):
        sample(start=start[:1, 0])
    with pytest.raises(InputError, match=r"the log density of the target has shape \(4, 3, 2\) for points"):
        sample(lambda z: z)
    with pytest.raises(InputError, match="the log density of the target is NaN or inf at a point of the start"):
        sample(lambda z: log_normal(z) * math.nan)
    with pytest.raises(InputError, match=r"of the target is torch\.float32 for points of torch\.float64"):
        sample(lambda z: log_normal(z).float())
    with pytest.raises(InputError, match="the log density of the target has no gradient; moves need its gradient"):
        sample(lambda z: log_normal(z).detach())
    with pytest.raises(InputError, match="the log density of the base is not finite at a point of the start"):
        annealed_importance(log_normal, start, lambda z: log_normal(z) - math.inf, noise=Noise(0))
    with pytest.raises(InputError, match=r"log weights have shape \(3, 2\); .* such as weights\[:, 0\]"):
        log_mean(torch.zeros(3, 2))
    with pytest.raises(InputError, match="the largest log weight is -inf"):
        log_mean(torch.full((3,), -math.inf))
