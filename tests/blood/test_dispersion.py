"""What flow adds to diffusion: cell problems by quadrature, equilibria, scalings."""

import math

import pytest
import torch
from scipy.integrate import quad

from sojourn.errors import InputError
from sojourn.processes.blood.dispersion import margination_drift, shear_induced_diffusivity, taylor_aris_diffusivity

from .near import near


@pytest.mark.parametrize("peclet", [0.0, 1.0, 30.0])
def test_taylor_and_aris_by_the_cell_problem(peclet):
    """D (1 + <b'^2>) with D lap b = u - U: by one integration D r b' = int (u - U) r dr, by another the mean."""
    d, radius = 2e-12, 10e-6
    u = peclet * d / radius

    def flux(r):
        return quad(lambda s: u * (1 - 2 * (s / radius) ** 2) * s, 0, r, epsabs=0)[0] / (d * r)

    spread = quad(lambda r: flux(r) ** 2 * 2 * r / radius**2, 1e-12, radius, epsabs=0)[0] if u else 0.0
    assert taylor_aris_diffusivity(d, u, radius) == near(d * (1 + spread), rel=1e-6)


def test_shear_induced():
    """k g a^2 H (1 - H)^n: 0.15 x 1000 x 16 um^2 x 0.45 x 0.55^0.8 = 669 um^2/s, a thousand times Brownian."""
    assert shear_induced_diffusivity(1000, 0.45) == near(0.15 * 1000 * 16e-12 * 0.45 * 0.55**0.8)
    assert shear_induced_diffusivity("1000 Hz", "45 %") == near(669.4e-12, rel=1e-3)
    assert shear_induced_diffusivity(-1000, 0.45) == shear_induced_diffusivity(1000, 0.45)
    assert shear_induced_diffusivity(1000, 0.0) == 0
    halved = shear_induced_diffusivity(500, 0.45, strength=0.3, cell_radius="2.8 um")
    assert halved / shear_induced_diffusivity(1000, 0.45) == near((2.8 / 4) ** 2)
    # It is greatest at H = 1 / (1 + n).
    h = torch.tensor(1 / 1.8, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(shear_induced_diffusivity(1000.0, h), h)
    assert float(slope) == pytest.approx(0, abs=1e-20)


def test_margination_is_balanced_by_diffusion():
    """v P = D dP/dr: from the drift alone, the wall has the excess that was asked for."""
    radius, d, excess = 20e-6, 3e-10, 4.0
    ends = {}
    for steepness in (1.0, 2.0, 7.0):

        def drift(r, steepness=steepness):
            return margination_drift(d, r, radius, excess=excess, steepness=steepness) / d

        assert drift(0.5 * radius) > 0
        ends[steepness] = math.exp(quad(drift, 0, radius, epsabs=0, epsrel=1e-10)[0])
    assert list(ends.values()) == near([excess] * 3)
    r = torch.linspace(1e-6, 19e-6, 9, dtype=torch.float64, requires_grad=True)
    profile = 1 + 3 * (r / radius) ** 2.0
    (slope,) = torch.autograd.grad(profile.sum(), r)
    found = margination_drift(d, r.detach(), radius, excess=excess, steepness=2)
    torch.testing.assert_close(found * profile.detach(), d * slope, rtol=1e-12, atol=0)
    assert margination_drift(d, 5e-6, radius, excess=1, steepness=3) == 0
    assert margination_drift(d, 5e-6, radius, excess=0.5, steepness=3) < 0


def test_bad_input():
    with pytest.raises(
        InputError, match=r"hematocrit=45 is outside \[0, 1\]; give a share of the volume, such as 0\.45"
    ):
        shear_induced_diffusivity(100, 45)
    with pytest.raises(InputError, match=r"r / radius=1\.5 is outside \[0, 1\]; give places inside the tube"):
        margination_drift(1e-12, 15e-6, 10e-6, excess=2, steepness=2)
    with pytest.raises(InputError, match=r"steepness=0\.5 is outside \[1, 1000\]"):
        margination_drift(1e-12, 5e-6, 10e-6, excess=2, steepness=0.5)
    with pytest.raises(InputError, match=r"diffusivity=0 is not above zero"):
        taylor_aris_diffusivity(0, 1e-3, 1e-5)
