"""The variance of a reverse step: its fixed values are the truth for two kinds of data, learned ones lie between."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.diffusion.continuous import ContinuousSchedule
from sojourn.diffusion.ddpm import DDPM
from sojourn.diffusion.exact import GaussianMixture
from sojourn.diffusion.schedule import Schedule
from sojourn.diffusion.variances import interpolated, log_variance
from sojourn.errors import InputError

DOUBLE = torch.float64
SCHEDULES = [Schedule.linear(), Schedule.cosine(steps=50), ContinuousSchedule.linear()]


def _true_variance(schedule, t, s, spread):
    """Var(x_s | x_t) for data of that variance: of two jointly normal numbers, a - c^2 / b."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule.scales(t), schedule.scales(s)
    a, b = alpha_s**2 * spread + sigma_s**2, alpha_t**2 * spread + sigma_t**2
    c = alpha_t / alpha_s * a  # x_t = alpha_t / alpha_s x_s + noise of its own
    return float(a - c**2 / b)


@settings(max_examples=40, deadline=None)
@given(
    schedule=st.sampled_from(SCHEDULES), u=st.floats(0, 1), share=st.floats(0.05, 0.9), spread=st.floats(0.001, 0.999)
)
def test_small_is_the_truth_for_a_point_and_large_for_unit_data(schedule, u, share, spread):
    """Ho, Jain and Abbeel (2020), section 3.2; data between the two have a variance between the two."""
    t = 2 * schedule.first + (schedule.last - 2 * schedule.first) * u
    s, x = share * t, torch.zeros(1, 1, dtype=DOUBLE)
    small, large = (float(log_variance(name, schedule, x, t, s)) for name in ("fixed_small", "fixed_large"))
    assert math.exp(small) == pytest.approx(_true_variance(schedule, t, s, 0.0), rel=1e-6, abs=1e-15)
    assert math.exp(large) == pytest.approx(_true_variance(schedule, t, s, 1.0), rel=1e-6, abs=1e-15)
    slack = 1e-13  # the truth by a difference of numbers near 1
    assert math.exp(small) - slack <= _true_variance(schedule, t, s, spread) <= math.exp(large) + slack
    assert float(schedule.posterior_coefficients(t, s)[2]) == pytest.approx(math.exp(small), rel=1e-12)


def test_a_learned_range_is_geometric_between_its_ends():
    schedule = Schedule.linear()
    t, s = torch.tensor([2.0, 400.0, 1000.0]), torch.tensor([1.0, 100.0, 999.0])  # respaced, one pair a member
    x = torch.zeros(3, 4, dtype=DOUBLE)
    small, large = (log_variance(name, schedule, x, t, s) for name in ("fixed_small", "fixed_large"))
    assert small.shape == (3, 1)
    for fraction, expected in ((0.0, small), (1.0, large), (0.25, 0.75 * small + 0.25 * large)):
        found = log_variance("learned_range", schedule, x, t, s, torch.full_like(x, fraction))
        torch.testing.assert_close(found, expected.expand(3, 4), rtol=1e-14, atol=0)
    ratio = torch.exp(small - large)[:, 0]
    for k in range(3):
        before, after = (1 - math.exp(float(schedule.log_alpha_bar(time[k]))) for time in (s, t))
        assert float(ratio[k]) == pytest.approx(before / after, rel=1e-10)


def test_a_network_says_minus_one_for_small_and_one_for_large():
    schedule = Schedule.cosine(steps=20)

    class Says(torch.nn.Module):
        outputs, shape = 2, (2,)

        def forward(self, x, time, condition=None):
            return torch.cat([x, torch.tensor([[-1.0, 1.0]], dtype=x.dtype).expand_as(x)], dim=1)

    model = DDPM(Says(), schedule, variance="learned_range", levels=None)
    x = torch.randn(3, 2, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    found = log_variance("learned_range", schedule, x, 7, 6, model.predict(x, 7).fraction)
    assert found[:, 0].tolist() == pytest.approx([math.log(schedule.posterior_variance[7])] * 3, rel=1e-12)
    assert found[:, 1].tolist() == pytest.approx([math.log(schedule.beta[7])] * 3, rel=1e-12)


def test_to_the_data_the_small_variance_is_nothing():
    schedule, x = Schedule.linear(steps=10), torch.zeros(1, 1, dtype=DOUBLE)
    assert float(log_variance("fixed_small", schedule, x, 3, 0)) == -math.inf
    assert math.exp(float(log_variance("fixed_large", schedule, x, 3, 0))) == pytest.approx(
        1 - float(schedule.alpha_bar[3]), rel=1e-12
    )


def test_bad_input():
    schedule, one = Schedule.linear(steps=10), torch.ones(1)
    network = GaussianMixture.gaussian(torch.zeros(1), torch.eye(1)).network(schedule)
    with pytest.raises(InputError, match=r"variance='small' is not known; choose fixed_small, fixed_large or learned"):
        DDPM(network, schedule, variance="small")
    with pytest.raises(InputError, match=r"variance='learned_range' needs a network with outputs=2, not 1"):
        DDPM(network, schedule, variance="learned_range")
    with pytest.raises(InputError, match='variance="learned_range" needs a network with outputs=2'):
        interpolated("learned_range", one, one, None)
