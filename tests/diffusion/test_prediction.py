"""What networks predict: inverses, error factors, EDM in the coordinates of its paper, clamping."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.diffusion.ddpm import DDPM
from sojourn.diffusion.exact import GaussianMixture
from sojourn.diffusion.prediction import PARAMETERISATIONS, Edm, Prediction, Velocity, parameterisation
from sojourn.diffusion.reverse import clamped
from sojourn.diffusion.schedule import Schedule
from sojourn.errors import InputError

DOUBLE = torch.float64
WAYS = st.one_of(
    st.sampled_from(sorted(PARAMETERISATIONS)).map(parameterisation), st.floats(0.05, 20).map(lambda d: Edm(d))
)
LOG_SNRS = st.floats(-30, 30)
NUMBERS = st.floats(-5, 5)


def _scales(log_snr):
    log_snr = torch.tensor(log_snr, dtype=DOUBLE)
    return torch.sigmoid(log_snr).sqrt(), torch.sigmoid(-log_snr).sqrt()


def _tensor(value):
    return torch.tensor(value, dtype=DOUBLE)


@settings(max_examples=150, deadline=None)
@given(way=WAYS, log_snr=LOG_SNRS, x_0=NUMBERS, epsilon=NUMBERS)
def test_reading_the_target_gives_back_x_0_and_epsilon(way, log_snr, x_0, epsilon):
    """To rounding, magnified by 1 / alpha or 1 / sigma where the prediction does not hold what is asked for."""
    alpha, sigma = _scales(log_snr)
    x_t = alpha * x_0 + sigma * epsilon
    found = way.read(way.target(_tensor(x_0), _tensor(epsilon), alpha, sigma), x_t, alpha, sigma)
    name = type(way).__name__
    exact = 1e-14 * (1 + abs(x_0) + abs(epsilon)) * (1 + (way.sigma_data if name == "Edm" else 1))
    for value, expected, weak, scale in (
        (found[0], x_0, ("Epsilon", "Score"), alpha),
        (found[1], epsilon, ("Clean",), sigma),
    ):
        assert float(value) == pytest.approx(expected, rel=0, abs=exact / (float(scale) if name in weak else 1))


@settings(max_examples=100, deadline=None)
@given(way=WAYS, log_snr=LOG_SNRS, x=NUMBERS, output=NUMBERS)
def test_whatever_a_network_says_x_0_and_epsilon_make_up_x_t(way, log_snr, x, output):
    alpha, sigma = _scales(log_snr)
    x_0, epsilon = way.read(_tensor(output), _tensor(x), alpha, sigma)
    size = float(alpha * abs(x_0) + sigma * abs(epsilon)) + abs(x)
    assert float(alpha * x_0 + sigma * epsilon) == pytest.approx(x, rel=0, abs=1e-13 * size + 1e-300)


@settings(max_examples=100, deadline=None)
@given(way=WAYS, log_snr=LOG_SNRS)
def test_the_error_factor_is_that_of_the_reading(way, log_snr):
    """read is linear: an output wrong by 1 moves x_0 by read(1, x=0), so k = 1 / that squared."""
    alpha, sigma = _scales(log_snr)
    moved, _ = way.read(_tensor(1.0), _tensor(0.0), alpha, sigma)
    assert float(way.error_factor(alpha, sigma)) == pytest.approx(float(moved) ** -2, rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(log_snr=LOG_SNRS, data=st.floats(0.05, 20), x_0=NUMBERS, epsilon=NUMBERS, output=NUMBERS)
def test_edm_is_table_1_of_karras_in_its_own_coordinates(log_snr, data, x_0, epsilon, output):
    """y = x_0 + s epsilon with s = sigma / alpha; c_skip, c_out, c_in and the weight as printed."""
    alpha, sigma = _scales(log_snr)
    s = math.exp(-log_snr / 2)
    c_skip = data**2 / (s**2 + data**2)
    c_out = s * data / math.sqrt(s**2 + data**2)
    c_in = 1 / math.sqrt(s**2 + data**2)
    way, y = Edm(data), x_0 + s * epsilon
    x_t = alpha * x_0 + sigma * epsilon
    size = 1 + abs(x_0) + abs(epsilon)
    assert float(way.input(x_t, alpha, sigma)) == pytest.approx(c_in * y, rel=1e-12, abs=1e-12 * size)
    denoised, _ = way.read(_tensor(output), x_t, alpha, sigma)
    assert float(denoised) == pytest.approx(
        c_skip * y + c_out * output, rel=1e-12, abs=1e-12 * (size + data) * (1 + data)
    )
    assert float(way.error_factor(alpha, sigma)) == pytest.approx((s**2 + data**2) / (s * data) ** 2, rel=1e-12)
    one, zero = _tensor(1.0), _tensor(0.0)
    on_x_0, on_epsilon = way.target(one, zero, alpha, sigma), way.target(zero, one, alpha, sigma)
    assert float(on_x_0) == pytest.approx(s**2 / (s**2 + data**2) / c_out, rel=1e-12)
    assert float(on_epsilon) == pytest.approx(-c_skip * s / c_out, rel=1e-12)
    assert float((on_x_0 * data) ** 2 + on_epsilon**2) == pytest.approx(1, rel=1e-12)  # a target of unit variance


@settings(max_examples=100, deadline=None)
@given(log_snr=LOG_SNRS, x_0=NUMBERS, epsilon=NUMBERS, output=NUMBERS)
def test_edm_of_unit_data_is_minus_v(log_snr, x_0, epsilon, output):
    alpha, sigma = _scales(log_snr)
    x_0, epsilon, output = _tensor(x_0), _tensor(epsilon), _tensor(output)
    x_t = alpha * x_0 + sigma * epsilon
    edm, v = Edm(1.0), Velocity()
    torch.testing.assert_close(edm.input(x_t, alpha, sigma), x_t, rtol=1e-14, atol=0)
    torch.testing.assert_close(
        edm.target(x_0, epsilon, alpha, sigma), -v.target(x_0, epsilon, alpha, sigma), rtol=0, atol=1e-14
    )
    for a, b in zip(edm.read(output, x_t, alpha, sigma), v.read(-output, x_t, alpha, sigma), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-13)


@settings(max_examples=50, deadline=None)
@given(log_snr=st.floats(-12, 12), seed=st.integers(0, 1000))
def test_clamped_predictions_still_make_up_x_t(log_snr, seed):
    alpha, sigma = _scales(log_snr)
    generator = torch.Generator().manual_seed(seed)
    x_t, epsilon = torch.randn(2, 5, 3, generator=generator, dtype=DOUBLE)
    before = Prediction((x_t - sigma * epsilon) / alpha, epsilon, epsilon.sigmoid())
    after = clamped(before, x_t, alpha, sigma, (-1.0, 0.5))
    assert -1 <= float(after.x_0.min()) <= float(after.x_0.max()) <= 0.5
    torch.testing.assert_close(alpha * after.x_0 + sigma * after.epsilon, x_t, rtol=1e-12, atol=1e-12)
    inside = (before.x_0 >= -1) & (before.x_0 <= 0.5)
    assert torch.equal(after.x_0[inside], before.x_0[inside])
    assert torch.equal(after.epsilon[inside], before.epsilon[inside])
    assert after.fraction is before.fraction


class _Said(torch.nn.Module):
    outputs, shape = 1, (2,)

    def __init__(self, out):
        super().__init__()
        self.out = out

    def forward(self, x, time, condition=None):
        return self.out


@pytest.mark.parametrize("name", PARAMETERISATIONS)
def test_a_float32_model_reads_its_output_at_both_ends_of_the_schedule(name):
    """A network that says the target of x_0 = 0.5: found again in float32 at t = 1 and T, where noise is 1e-4 and 1."""
    schedule = Schedule.linear(steps=1000)
    way = parameterisation(name)
    for t in (1, 2, 500, 1000):
        alpha, sigma = (scale.float() for scale in schedule.scales(t))
        x_0, epsilon = torch.full((4, 2), 0.5), torch.linspace(-3, 3, 8).reshape(4, 2)
        x_t = schedule.noised(x_0, t, epsilon)
        found = DDPM(_Said(way.target(x_0, epsilon, alpha, sigma)), schedule, predicts=name, levels=None).predict(
            x_t, t
        )
        assert found.x_0.dtype == torch.float32
        worst = {"epsilon": float(alpha), "score": float(alpha)}.get(name, 1.0)
        torch.testing.assert_close(found.x_0, x_0, rtol=0, atol=2e-6 / worst)
        worst = float(sigma) if name == "x_0" else 1.0
        torch.testing.assert_close(found.epsilon, epsilon, rtol=0, atol=2e-6 / worst)


def test_bad_input():
    law = GaussianMixture.gaussian(torch.zeros(1), torch.eye(1))
    schedule = Schedule.linear(steps=10)
    with pytest.raises(InputError, match=r"predicts='noise' is not known; choose from epsilon, x_0, v, score, edm"):
        DDPM(law.network(schedule), schedule, predicts="noise")
    for value in (0.0, -1.0, math.nan):
        with pytest.raises(InputError, match=f"sigma_data={value} is not above zero"):
            Edm(value)
    with pytest.raises(InputError, match="levels=1 is below 2"):
        DDPM(law.network(schedule), schedule, levels=1)
