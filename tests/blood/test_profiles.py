"""Profiles of flow against quadrature, differentiation, the equation of motion and each other."""

import cmath
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from sojourn.errors import InputError
from sojourn.processes.blood.profiles import Blunted, Casson, Poiseuille, Womersley
from sojourn.processes.blood.rheology import casson_stress

R = 20e-6
STEADY = (
    Poiseuille("20 um", "2 mm/s", "3 cP"),
    Poiseuille(R, -2e-3, 3e-3),
    Blunted(R, 2e-3, 3e-3, 3.5),
    Casson(R, 3e3, 3e-3, 0.004),
    Casson(R, 500.0, 3e-3, 0.004),
)


def pulsating(womersley, density=1060.0):
    viscosity = 3.5e-3
    frequency = (womersley / R) ** 2 * viscosity / density / (2 * math.pi)
    return Womersley(R, 1e4, frequency, viscosity, density)


def mean(velocity):
    """2 / R^2 times the integral of u r dr."""
    return 2 * quad(lambda s: velocity(s * R) * s, 0, 1, epsabs=0, epsrel=1e-11, limit=400)[0]


@pytest.mark.parametrize("flow", STEADY)
def test_means_peaks_and_walls(flow):
    assert flow.mean_velocity == pytest.approx(mean(flow.velocity), rel=1e-9)
    assert flow.velocity(0.0) == pytest.approx(flow.peak_velocity)
    assert flow.velocity(flow.radius) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("flow", STEADY)
def test_vorticity_is_minus_the_slope(flow):
    r = torch.linspace(0, R, 41, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(flow.velocity(r).sum(), r)
    torch.testing.assert_close(flow.vorticity(r).detach(), -slope, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(flow.shear_rate(r).detach(), slope.abs(), rtol=1e-9, atol=1e-9)


def test_forces_balance_in_poiseuille_flow():
    flow = Poiseuille("20 um", "2 mm/s", "3 cP")
    assert flow.peak_velocity == 2 * flow.mean_velocity
    assert flow.wall_shear_stress == pytest.approx(flow.pressure_gradient * R / 2)
    assert flow.wall_shear_stress == pytest.approx(4 * 3e-3 * 2e-3 / R)


def test_an_exponent_of_two_is_poiseuille():
    blunted, parabola = Blunted(R, 2e-3, 3e-3, 2), Poiseuille(R, 2e-3, 3e-3)
    for r in (0.0, 0.3 * R, R):
        assert blunted.velocity(r) == pytest.approx(parabola.velocity(r))
        assert blunted.vorticity(r) == pytest.approx(parabola.vorticity(r))
    assert blunted.wall_shear_stress == pytest.approx(parabola.wall_shear_stress)
    assert Blunted(R, 2e-3, 3e-3, 4).peak_velocity == pytest.approx(1.5 * 2e-3)


def test_casson_stress_is_that_of_the_pressure():
    """tau = G r / 2 wherever it flows, by the law of the fluid."""
    flow = Casson(R, 3e3, 3e-3, 0.004)
    assert flow.plug_radius == pytest.approx(2 * 0.004 / 3e3)
    r = torch.linspace(flow.plug_radius, R, 30, dtype=torch.float64)
    torch.testing.assert_close(casson_stress(flow.shear_rate(r), viscosity=3e-3, yield_stress=0.004), 3e3 * r / 2)
    assert flow.shear_rate(0.5 * flow.plug_radius) == 0
    assert flow.velocity(0.5 * flow.plug_radius) == flow.peak_velocity
    assert flow.wall_shear_stress == pytest.approx(casson_stress(flow.shear_rate(R), viscosity=3e-3))


def test_casson_between_poiseuille_and_rest():
    nearly = Casson(R, 3e3, 3e-3, 1e-18)
    assert nearly.mean_velocity == pytest.approx(Poiseuille(R, nearly.mean_velocity, 3e-3).mean_velocity)
    assert nearly.mean_velocity == pytest.approx(3e3 * R**2 / (8 * 3e-3), rel=1e-6)
    still = Casson(R, 300.0, 3e-3, 0.004)
    assert (still.plug_radius, still.velocity(0.0), still.shear_rate(R)) == (R, 0, 0)
    assert still.mean_velocity == pytest.approx(0, abs=1e-15)


def test_vessels_are_a_batch_and_pass_gradients():
    radius = torch.tensor([5e-6, 20e-6], dtype=torch.float64)
    flow = Poiseuille(radius, torch.tensor([1e-3, 2e-3], dtype=torch.float64), 3e-3)
    expected = [Poiseuille(*x, 3e-3).velocity(2e-6) for x in ((5e-6, 1e-3), (20e-6, 2e-3))]
    assert flow.velocity(2e-6).tolist() == pytest.approx(expected)

    def velocities(um, mean_mm, exponent, kilopascals):
        m = 1e-6 * um
        blunted = Blunted(m, 1e-3 * mean_mm, 3e-3, exponent).velocity(0.3 * m)
        return blunted, Casson(m, 1e3 * kilopascals, 3e-3, 0.004).velocity(0.6 * m)

    values = [torch.tensor([x, 1.2 * x], dtype=torch.float64, requires_grad=True) for x in (20.0, 2.0, 3.0, 3.0)]
    assert torch.autograd.gradcheck(velocities, values)


@pytest.mark.parametrize(("womersley", "modulus", "degrees"), [(1, 0.98493, -10.65), (3, 0.52198, -64.29)])
def test_womersley_on_the_axis(womersley, modulus, degrees):
    """The published amplitude and lag, over the quasi-steady ones."""
    flow = pulsating(womersley)
    assert flow.womersley_number == pytest.approx(womersley)
    ratio = complex(flow.amplitude(0.0)) / flow.quasi_steady_peak
    assert abs(ratio) == pytest.approx(modulus, abs=5e-6)
    assert math.degrees(cmath.phase(ratio)) == pytest.approx(degrees, abs=5e-3)


@pytest.mark.parametrize("womersley", [0.015, 0.9, 3.0, 20.0])
def test_womersley_obeys_the_equation_of_motion(womersley):
    """rho du/dt = K cos wt + mu (u'' + u'/r), times r and integrated over an inner tube."""
    flow, inner = pulsating(womersley), 0.7 * R
    w = 2 * math.pi * flow.frequency
    for t in (0.0, 0.3 / flow.frequency):
        quarter = 0.25 / flow.frequency  # du/dt = w u(t + a quarter)
        rising, _ = quad(lambda r, t=t + quarter: flow.velocity(r, t) * r, 0, inner, epsabs=0, epsrel=1e-11)
        driving = 1e4 * math.cos(w * t) * inner**2 / 2
        drag = flow.viscosity * flow.vorticity(inner, t) * inner
        assert flow.density * w * rising == pytest.approx(driving - drag, abs=1e-9 * 1e4 * inner**2)
        assert flow.mean_velocity(t) == pytest.approx(mean(lambda r, t=t: flow.velocity(r, t)), rel=1e-8)
        assert flow.wall_shear_stress(t) == pytest.approx(flow.viscosity * flow.vorticity(R, t))
        assert flow.velocity(R, t) == pytest.approx(0, abs=1e-15)


def test_slow_pulsation_is_poiseuille_at_each_time():
    flow = pulsating(1e-4)
    for t in (0.0, 0.1 / flow.frequency, 0.5 / flow.frequency):
        steady = Poiseuille(
            R, 1e4 * math.cos(2 * math.pi * flow.frequency * t) * R**2 / (8 * flow.viscosity), flow.viscosity
        )
        for r in (0.0, 0.4 * R):
            assert flow.velocity(r, t) == pytest.approx(steady.velocity(r), rel=1e-7)
            assert flow.vorticity(r, t) == pytest.approx(steady.vorticity(r), rel=1e-7)
        assert flow.mean_velocity(t) == pytest.approx(steady.mean_velocity, rel=1e-7)
        assert flow.wall_shear_stress(t) == pytest.approx(steady.wall_shear_stress, rel=1e-7)


def test_the_two_ways_to_womersley_meet():
    """Series below 1, Bessel functions from 1 on."""
    below, above = pulsating(1 - 1e-9), pulsating(1 + 1e-9)
    r = np.linspace(0, R, 11)
    np.testing.assert_allclose(below.amplitude(r), above.amplitude(r), rtol=1e-8, atol=1e-12)
    assert below.mean_amplitude == pytest.approx(above.mean_amplitude, rel=1e-8)


def test_fast_pulsation_has_a_thin_layer():
    """At Wo = 2000 the middle moves as one, K / (i w rho), and the wall sees K sqrt(nu / w) at 45 degrees."""
    flow = pulsating(2000.0)
    w = 2 * math.pi * flow.frequency
    assert complex(flow.amplitude(0.5 * R)) == pytest.approx(1e4 / (1j * w * flow.density))
    layer = math.sqrt(flow.viscosity / (flow.density * w))
    assert flow.wall_shear_stress(0.0) == pytest.approx(1e4 * layer * math.sqrt(0.5), rel=1e-3)


def test_tensors_of_places_and_times():
    flow = pulsating(3.0)
    r, t = torch.tensor([0.0, 0.5 * R]), torch.tensor([[0.0], [1e-4], [2e-4]])
    found = flow.velocity(r, t)
    assert found.dtype == torch.float32
    expected = torch.tensor([[flow.velocity(float(x), float(y)) for x in r] for (y,) in t])
    torch.testing.assert_close(found, expected)


def test_bad_flows_are_refused():
    with pytest.raises(InputError, match=r"radius=0 is not above zero; give metres or text such as '20 um'"):
        Poiseuille(0, 1e-3, 3e-3)
    with pytest.raises(InputError, match=r"mean_velocity='2 mm' is not a speed; give metres a second or text"):
        Poiseuille(R, "2 mm", 3e-3)
    with pytest.raises(InputError, match=r"exponent=1\.5 is below 2, sharper than Poiseuille's parabola"):
        Blunted(R, 1e-3, 3e-3, 1.5)
    with pytest.raises(InputError, match=r"yield_stress=-1 is not above zero"):
        Casson(R, 1e3, 3e-3, -1)
    with pytest.raises(InputError, match=r"frequency is a tensor; pulsating flow passes no gradients"):
        Womersley(R, 1e3, torch.tensor(1.0), 3e-3, 1e3)
