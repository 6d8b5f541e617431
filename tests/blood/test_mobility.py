"""Mobility of spheroids by quadrature, closed forms, limits and point forces; noise with the whole covariance."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from sojourn.errors import InputError
from sojourn.processes.blood.helix import Helix
from sojourn.processes.blood.mobility import BOLTZMANN, coupled, noise_factor, spheroid_mobility, thermal_energy

from .near import near
from .stokes import resistance, sphere

aspects = st.floats(0.02, 50.0)


def over_spheres(found, a=1.0, mu=1.0):
    """In units of 1 / (6 pi mu a) and 1 / (8 pi mu a^3)."""
    shift, turn = 6 * math.pi * mu * a, 8 * math.pi * mu * a**3
    return found.along * shift, found.across * shift, found.spin * turn, found.tumble * turn


def test_stokes_and_einstein():
    """The published diffusivities of a sphere of 0.5 um in plasma at 37 degrees."""
    found = spheroid_mobility("0.5 um", 1, "1.2 mPa s")
    assert over_spheres(found, 0.5e-6, 1.2e-3) == near((1, 1, 1, 1), rel=1e-14)
    energy = thermal_energy("37 degC")
    assert energy == near(1.380649e-23 * 310.15)
    assert energy * found.along == pytest.approx(0.379e-12, abs=5e-16)
    assert energy * found.tumble == pytest.approx(1.136, abs=5e-4)


@given(aspects)
def test_by_quadrature(r):
    """The three integrals, with s = tan^2."""

    def integral(p, q):
        def integrand(x):
            s = math.tan(x) ** 2
            return 2 * math.tan(x) / math.cos(x) ** 2 / ((1 + s) ** p * (r**2 + s) ** q)

        return quad(integrand, 0, math.pi / 2, epsabs=0, epsrel=1e-11, limit=400, points=[math.atan(r)])[0]

    total, alpha, beta = integral(1, 0.5), integral(1, 1.5), integral(2, 0.5)
    expected = (
        (total + r**2 * alpha) * 6 / 16,
        (total + beta) * 6 / 16,
        3 * beta * 8 / 16,
        3 * (r**2 * alpha + beta) / (1 + r**2) * 8 / 16,
    )
    assert over_spheres(spheroid_mobility(1.0, r, 1.0)) == near(expected, rel=1e-9)


@given(st.floats(1.06, 100.0))
def test_resistance_as_it_is_printed(r):
    """Kim and Karrila, Microhydrodynamics (1991), chapter 3: lengths by the larger semi-axis, e the eccentricity."""
    e = math.sqrt(1 - r**-2)
    log = math.log((1 + e) / (1 - e))
    along, across = 8 / 3 * e**3 / (-2 * e + (1 + e**2) * log), 16 / 3 * e**3 / (2 * e + (3 * e**2 - 1) * log)
    spin = 4 / 3 * e**3 * (1 - e**2) / (2 * e - (1 - e**2) * log)
    tumble = 4 / 3 * e**3 * (2 - e**2) / (-2 * e + (1 + e**2) * log)
    long = over_spheres(spheroid_mobility(1 / r, r, 1.0))
    assert long == near((1 / along, 1 / across, 1 / spin, 1 / tumble), rel=1e-8)
    root, angle = math.sqrt(1 - e**2), math.acos(math.sqrt(1 - e**2))
    cot = math.atan(e / root) if root else angle
    along, across = 4 / 3 * e**3 / ((2 * e**2 - 1) * cot + e * root), 8 / 3 * e**3 / ((2 * e**2 + 1) * cot - e * root)
    spin, tumble = 2 / 3 * e**3 / (cot - e * root), 2 / 3 * e**3 * (2 - e**2) / (e * root - (1 - 2 * e**2) * cot)
    flat = over_spheres(spheroid_mobility(1.0, 1 / r, 1.0))
    assert flat == near((1 / along, 1 / across, 1 / spin, 1 / tumble), rel=1e-8)


def test_discs_and_needles():
    """Drag 16 mu a broadside, 32/3 mu a edgewise, 32/3 mu a^3 for turning; slender-body theory for the needle."""
    disc = spheroid_mobility(1.0, 1e-7, 1.0)
    assert disc == near((1 / 16, 3 / 32, 3 / 32, 3 / 32), rel=1e-6)
    r = 1e5
    needle = spheroid_mobility(1.0 / r, r, 1.0)
    log = math.log(2 * r)
    assert needle.along == near((log - 0.5) / (4 * math.pi), rel=1e-8)
    assert needle.across == near((log + 0.5) / (8 * math.pi), rel=1e-8)
    assert needle.tumble == near(3 * (log - 0.5) / (8 * math.pi), rel=1e-8)


@pytest.mark.parametrize("r", [0.5, 2.0])
def test_point_forces_in_a_spheroid(r):
    """Stokes flow computed anew: nothing of the formulas is used."""
    confocal = np.sqrt(np.array([1.0, 1.0, r**2]) - 0.75 * min(1.0, r) ** 2)
    computed, _ = resistance(sphere(500) * np.array([1.0, 1.0, r]), sphere(250) * confocal, np.zeros(3))
    found = spheroid_mobility(1.0, r, 1.0)
    expected = [1 / found.across] * 2 + [1 / found.along] + [1 / found.tumble] * 2 + [1 / found.spin]
    assert np.abs(computed / np.sqrt(np.outer(expected, expected)) - np.eye(6)).max() < 2e-4


def test_a_sphere_is_no_corner():
    """Series near a sphere, closed forms beyond: smooth, and gradients pass through r = 1."""
    r = torch.tensor([0.5, 0.9758, 0.976, 1.0, 1.0259, 1.026, 3.0], dtype=torch.float64, requires_grad=True)
    a, mu = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (0.7, 1.3))
    assert torch.autograd.gradcheck(lambda a, r, mu: tuple(spheroid_mobility(a, r, mu)), (a, r, mu))
    edges = torch.tensor([1 / math.sqrt(1.05), 1 / math.sqrt(0.95)], dtype=torch.float64)
    for below, above in zip(
        spheroid_mobility(1.0, edges * (1 - 1e-12), 1.0), spheroid_mobility(1.0, edges * (1 + 1e-12), 1.0), strict=True
    ):
        torch.testing.assert_close(below, above, rtol=1e-11, atol=0)


def test_noise_has_the_whole_covariance():
    """L L^T = 2 k T M dt, with the coupling of a helix, which drawing by blocks would lose."""
    m = Helix("1 um", "4 um", 3, "0.1 um").mobility("1.2 cP")
    factor = noise_factor(m, "1 ms", 310.15)
    expected = 2 * BOLTZMANN * 310.15 * 1e-3 * m
    size = torch.sqrt(torch.diagonal(expected))
    torch.testing.assert_close(factor @ factor.mT / torch.outer(size, size), expected / torch.outer(size, size))
    correlation = expected[2, 5] / (size[2] * size[5])
    assert float(correlation) > 0.1
    assert bool((torch.triu(factor, 1) == 0).all())


def test_drawn_noise():
    """Six normals through L: every entry of the covariance of 40,000 draws, each within 6.2 of its standard deviations.

    21 entries at 5.6e-10 each way: a false alarm of 2.4e-8.
    """
    m = Helix(1e-6, 4e-6, 3, 1e-7).mobility(1.2e-3)
    count = 40_000
    generator = torch.Generator().manual_seed(5)
    z = torch.randn(count, 6, dtype=torch.float64, generator=generator)
    drawn = z @ noise_factor(m, 1e-3).mT
    expected = 2 * thermal_energy() * 1e-3 * m
    size = torch.sqrt(torch.diagonal(expected))
    correlation = expected / torch.outer(size, size)
    found = drawn.mT @ drawn / count / torch.outer(size, size)
    assert bool(((found - correlation).abs() < 6.2 * torch.sqrt((1 + correlation**2) / count)).all())


def test_a_batch_of_bodies():
    a = torch.eye(3, dtype=torch.float64) * torch.tensor([1.0, 2.0], dtype=torch.float64)[:, None, None]
    b = 0.3 * torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    m = coupled(a, b, 4 * torch.eye(3, dtype=torch.float64))
    assert m.shape == (2, 6, 6)
    force, torque = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([-1.0, 0.5, 2.0]).double()
    moved = m @ torch.cat((force, torque))
    torch.testing.assert_close(moved[:, :3], a @ force + b @ torque)
    torch.testing.assert_close(moved[:, 3:], (b.mT @ force + 4 * torque).expand(2, 3))
    factor = noise_factor(m, 0.5, 300.0)
    torch.testing.assert_close(factor @ factor.mT / (BOLTZMANN * 300), m)


def test_gradients_of_noise():
    def trace(b):
        eye = torch.eye(3, dtype=torch.float64)
        m = coupled(eye, b * torch.ones(3, 3, dtype=torch.float64), 2 * eye)
        return noise_factor(m, 1.0, 1 / BOLTZMANN).sum()

    assert torch.autograd.gradcheck(trace, torch.tensor(0.2, dtype=torch.float64, requires_grad=True))


def test_bad_mobilities():
    eye = torch.eye(3, dtype=torch.float64)
    with pytest.raises(
        InputError, match=r"not positive definite \(least eigenvalue -0\.5, .*a smaller coupling block B"
    ):
        coupled(eye, 1.5 * eye, eye)
    with pytest.raises(InputError, match=r"coupling has shape \(3,\); give blocks of shape \(\.\.\., 3, 3\)"):
        coupled(eye, torch.ones(3), eye)
    lopsided = torch.eye(6, dtype=torch.float64)
    lopsided[0, 4] = 0.1
    with pytest.raises(InputError, match=r"the mobility is not symmetric, by 0\.1 of its diagonal; give M ="):
        noise_factor(lopsided, 1e-3)
    with pytest.raises(InputError, match=r"the mobility has -1 on its diagonal"):
        coupled(eye, 0 * eye, -eye)
    with pytest.raises(InputError, match=r"dt=0 is not above zero; give seconds"):
        noise_factor(torch.eye(6), 0)
    with pytest.raises(InputError, match=r"aspect_ratio=0 is not above zero"):
        spheroid_mobility(1e-6, 0, 1e-3)
    with pytest.raises(InputError, match=r"viscosity='1 um' is not a viscosity"):
        spheroid_mobility(1e-6, 1, "1 um")
