"""Langevin dynamics of a Gaussian, whose law after any number of Euler steps is known exactly."""

import math

import pytest
import torch

from sojourn.driver import simulate
from sojourn.errors import InputError
from sojourn.score import AnnealedLangevin, Langevin

N = 20_000


def check_variance(x, expected):
    """Normal data: the relative deviation of a variance is sqrt(2 / n); six of them, false alarms 2e-9."""
    assert abs(float(x.double().var()) / expected - 1) < 6 * math.sqrt(2 / x.numel())


def test_steps_have_the_exact_law():
    h, steps = 0.2, 30
    found = simulate(Langevin(lambda x: -x, (2,), dt=h, spread=3.0), steps=steps, ensemble=N, seed=1, progress=False)
    variance = 9.0
    for _ in range(steps):
        variance = (1 - h) ** 2 * variance + 2 * h
    check_variance(found.state()["x"], variance)


def test_the_stationary_law_is_off_by_the_known_bias():
    """1 / (1 - h / 2) in the place of 1, reached to 1e-7 after these steps."""
    found = simulate(Langevin(lambda x: -x, (2,), dt=0.5), steps=40, ensemble=N, seed=2, progress=False)
    check_variance(found.state()["x"], 1 / (1 - 0.25))


def test_annealing_has_the_exact_law_and_ends_near_the_data():
    """Of N(0, 1) with noise sigma, s = -x / (1 + sigma^2)."""
    sigmas, rate, steps = (3.0, 1.0, 0.3, 0.1), 0.1, 20
    process = AnnealedLangevin(lambda x, s: -x / (1 + s[:, None] ** 2), (2,), sigmas, steps, rate)
    found = simulate(process, ensemble=N, seed=3, progress=False)
    variance = 9.0
    for sigma in sigmas:
        for _ in range(steps):
            a = rate * sigma**2
            variance = (1 - a / (1 + sigma**2)) ** 2 * variance + 2 * a
    check_variance(found.state()["x"], variance)


def test_bad_dynamics_are_refused():
    def score(x, sigma=None):
        return -x

    with pytest.raises(InputError, match="dt=0 is not above zero"):
        Langevin(score, (2,), dt=0)
    with pytest.raises(InputError, match=r"shape=\(\) is not the shape"):
        Langevin(score, ())
    with pytest.raises(InputError, match=r"sigmas=\(1.0, 2.0\) do not fall"):
        AnnealedLangevin(score, (2,), (1.0, 2.0))
    with pytest.raises(InputError, match=r"rate=1\.5: at least one step, at a rate below 1"):
        AnnealedLangevin(score, (2,), (1.0,), rate=1.5)
    with pytest.raises(InputError, match=r"the score has shape \(3, 1\) for data of shape \(3, 2\)"):
        simulate(Langevin(lambda x: x[:, :1], (2,)), steps=1, ensemble=3, seed=0, progress=False)
    assert torch.float32 == Langevin(score, (2,)).dtype
