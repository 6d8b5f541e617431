"""Closed forms against the equations they solve, published terms and short simulations."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import gamma, hyp1f1

from sojourn.errors import InputError
from sojourn.processes.blood.closed_forms import (
    active_displacement,
    exit_time,
    graetz_terms,
    orientation_memory,
    surviving_flux,
)

from .near import near


def test_the_published_terms_of_graetz():
    rates, weights = graetz_terms(4)
    assert weights.tolist() == pytest.approx([0.81905, 0.09753, 0.03250, 0.01544], abs=5e-6)
    assert rates.tolist() == pytest.approx([3.6568, 22.305, 56.96, 107.6], abs=0.05)
    assert float(rates[0]) == pytest.approx(3.6568, abs=5e-5)
    assert float(rates[1]) == pytest.approx(22.305, abs=5e-4)
    assert surviving_flux(0.1) == pytest.approx(0.5788, abs=5e-5)


def test_graetz_by_kummers_function():
    """phi = exp(-lambda s / 2) M(1/2 - lambda / 4, 1, lambda s) vanishes at the wall; roots lie near 4 n + 8/3."""
    rates, _ = graetz_terms(7)
    for n, rate in enumerate(rates.tolist()):
        guess = 4 * n + 8 / 3
        exact = brentq(lambda x: hyp1f1(0.5 - x / 4, 1.0, x), guess - 0.5, guess + 0.5, xtol=1e-14)
        assert rate == near(exact**2 / 2, rel=1e-8 if n < 5 else 1e-6)


def test_graetz_by_shooting():
    """The first five weights by integrating the equation outwards: B = 2 (int (1-s) phi)^2 / int (1-s) phi^2."""
    rates, weights = graetz_terms(5)
    for rate, weight in zip(rates.tolist(), weights.tolist(), strict=True):

        def slope(r, y, rate=rate):
            phi, flux, *_ = y
            known = (1 - r**2) * r
            return [flux / r if r else 0.0, -2 * rate * known * phi, known * phi, known * phi**2]

        end = solve_ivp(slope, (0, 1), [1.0, 0.0, 0.0, 0.0], rtol=1e-10, atol=1e-13).y[:, -1]
        assert end[0] == pytest.approx(0, abs=1e-7)
        assert 4 * end[2] ** 2 / end[3] == near(weight, rel=1e-6)


@pytest.mark.parametrize("m", [1e-6, 1e-5, 1e-4, 1e-3])
def test_the_entrance_is_leveques(m):
    """1 - F = 3 / Gamma(4/3) (2 m / 3)^(2/3) - 6/5 m - ...: Newman's second term, Trans. ASME C 91 (1969), 177."""
    lost = 3 / gamma(4 / 3) * (2 * m / 3) ** (2 / 3)
    assert 1 - surviving_flux(m) == pytest.approx(lost - 1.2 * m, rel=2e-3, abs=2e-7)


def test_surviving_flux_falls_from_one_to_nothing():
    m = torch.cat((torch.zeros(1), torch.logspace(-7, 1, 60))).double()
    share = surviving_flux(m)
    assert float(share[0]) == pytest.approx(1, abs=1e-7)
    assert bool((share.diff() < 0).all())
    assert float(share[-1]) == near(0.81905 * math.exp(-36.568), rel=1e-3)
    assert torch.autograd.gradcheck(
        surviving_flux, torch.tensor([1e-3, 0.1, 1.0], dtype=torch.float64, requires_grad=True)
    )


def test_active_displacement_by_its_correlations():
    """<(v int p dt)^2> = 2 v^2 int (t - s) <p(s).p(0)> ds, by quadrature."""
    d, turning, v, t = 0.4e-12, 1.1, 10e-6, 2.3
    s, w = np.polynomial.legendre.leggauss(60)
    s, w = t * (s + 1) / 2, t * w / 2
    memory = orientation_memory(torch.from_numpy(s), turning).numpy()
    expected = 6 * d * t + 2 * v**2 * (w * (t - s) * memory).sum()
    values = {"diffusivity": "0.4 um^2/s", "rotational_diffusivity": turning, "swim_speed": "10 um/s"}
    assert active_displacement(t, **values) == near(expected)
    for time in (1e-6, 1e-3):
        ballistic = 6 * d * time + (v * time) ** 2 * (1 - 2 * turning * time / 3)
        assert active_displacement(time, **values) == near(ballistic, rel=1e-5)
    later = active_displacement(1e4, **values)
    assert later == near(6e4 * (d + v**2 / (6 * turning)), rel=1e-4)


def test_active_displacement_by_drawing():
    """4000 swimmers; the mean of |x|^2 within 6 standard errors, and of p.p0: false alarms of 4e-9 in all.

    Turns of a fixed angle h in random directions: the memory falls by cos(h) a step, so with cos(h) = exp(-2 D_R dt)
    the time step leaves no error in it, and 1e-3 of the displacement.
    """
    d, turning, v, dt, steps, count = 0.4, 1.0, 3.0, 0.02, 100, 4000
    generator = np.random.default_rng(11)
    h = math.acos(math.exp(-2 * turning * dt))
    p, x = np.tile([0.0, 0.0, 1.0], (count, 1)), np.zeros((count, 3))
    for _ in range(steps):
        random = generator.normal(size=(count, 3))
        random -= (random * p).sum(1, keepdims=True) * p
        random /= np.linalg.norm(random, axis=1, keepdims=True)
        after = math.cos(h) * p + math.sin(h) * random
        x += v * dt * (p + after) / 2 + math.sqrt(2 * d * dt) * generator.normal(size=(count, 3))
        p = after
    t = dt * steps
    squares = (x**2).sum(1)
    expected = active_displacement(t, diffusivity=d, rotational_diffusivity=turning, swim_speed=v)
    assert abs(squares.mean() - expected) < 6 * squares.std() / math.sqrt(count) + 1e-3 * expected
    memory = p[:, 2]
    assert abs(memory.mean() - orientation_memory(t, turning)) < 6 * memory.std() / math.sqrt(count)


def test_exit_time_solves_its_equation():
    """D (T'' + T'/r) = -1, and T = 0 at the wall."""
    r = torch.linspace(1e-6, 9e-6, 20, dtype=torch.float64, requires_grad=True)
    time = exit_time(r, 10e-6, 0.4e-12)
    (first,) = torch.autograd.grad(time.sum(), r, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), r)
    torch.testing.assert_close(0.4e-12 * (second + first / r).detach(), torch.full((20,), -1.0).double())
    assert exit_time("10 um", "10 um", 1e-12) == 0
    assert exit_time(0, "10 um", "0.4 um^2/s") == near(62.5)


def test_bad_input():
    with pytest.raises(InputError, match=r"m=-1 is below zero; give D L / \(U R\^2\)"):
        surviving_flux(-1)
    with pytest.raises(InputError, match=r"count=0 is outside 1 to 30"):
        graetz_terms(0)
    with pytest.raises(InputError, match=r"r / radius=2 is outside \[0, 1\]; give a place inside the tube"):
        exit_time(2e-5, 1e-5, 1e-12)
    with pytest.raises(InputError, match=r"rotational_diffusivity=0 is not above zero"):
        active_displacement(1, diffusivity=1e-12, rotational_diffusivity=0, swim_speed=1e-5)
