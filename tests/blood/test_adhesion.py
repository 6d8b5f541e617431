"""Forces on a held sphere by Stokes flow computed anew; bonds by statistics, dimensions and limits."""

import math

import numpy as np
import pytest
import torch

from sojourn.errors import InputError
from sojourn.processes.blood.adhesion import (
    SHEAR_FORCE,
    SHEAR_TORQUE,
    adhesion_strength,
    bell_rate,
    shear_force,
    shear_torque,
)
from sojourn.processes.blood.mobility import BOLTZMANN

from .near import near
from .stokes import resistance, sphere, walled

BONDS = {"receptors": 1e13, "ligands": 1e14, "affinity": 2e-14}


@pytest.mark.parametrize(("height", "force", "torque"), [(1.1276, 1.6160, 0.95374), (1.5431, 1.4391, 0.97419)])
def test_a_sphere_held_in_shear(height, force, torque):
    """Point forces by a wall give the published force over 6 pi mu a h S; the touching sphere's goes on from them."""
    centre = np.array([0.0, 0.0, height])
    depth = (1 + height - math.sqrt(height**2 - 1)) / 2
    body = centre + sphere(700)
    _, drag = resistance(body, centre + depth * sphere(350), centre, walled)
    against = np.zeros_like(body)
    against[:, 0] = -body[:, 2]
    found = -drag(against.reshape(-1, 1))[:, 0]
    assert found[0] / (6 * math.pi * height) == near(force, rel=1e-3)
    assert found[4] / (4 * math.pi) == near(torque, rel=1e-3)
    assert 1 < found[0] / (6 * math.pi * height) < SHEAR_FORCE
    assert SHEAR_TORQUE < found[4] / (4 * math.pi) < 1


def test_sizes_of_forces():
    assert shear_force("0.5 um", "1 Pa") == near(1.7005 * 6 * math.pi * 0.25e-12)
    assert shear_torque("0.5 um", "1 Pa") == near(0.94399 * 4 * math.pi * 0.125e-18)


def test_the_published_exponent():
    """P = m_r m_l K_a pi r0^2 exp(-beta mu S / alpha), beta = 6 F x / kT, alpha = m_r r0^2 / a^2, a number of bonds."""
    a, r0, stress = 0.5e-6, 0.1e-6, 0.8
    beta, alpha = 6 * 1.668 * 1e-10 / (BOLTZMANN * 310.15), 1e13 * r0**2 / a**2
    expected = 1e13 * 1e14 * 2e-14 * math.pi * r0**2 * math.exp(-beta * stress / alpha)
    force = shear_force(a, stress) * 1.668 / SHEAR_FORCE
    assert adhesion_strength(force, r0, **BONDS) == near(expected)


def test_bonds_without_force_are_those_of_mass_action():
    assert adhesion_strength(0, "0.1 um", **BONDS) == near(1e13 * 2e-14 * 1e14 * math.pi * 1e-14)


def test_what_pulls_apart_and_what_holds():
    """e-fold for each kT per receptor and bond length; a wider contact bears more."""
    r0, kt = 1e-7, BOLTZMANN * 310.15
    each = kt / 1e-10 * 1e13 * math.pi * r0**2
    ratio = adhesion_strength(each, r0, **BONDS) / adhesion_strength(0, r0, **BONDS)
    assert ratio == near(math.exp(-1))
    wide = torch.tensor([1e-7, 2e-7], dtype=torch.float64)
    held = adhesion_strength(each, wide, **BONDS) / adhesion_strength(0.0, wide, **BONDS)
    torch.testing.assert_close(held, torch.exp(-torch.tensor([1.0, 0.25]).double()))


def test_bell():
    kt = BOLTZMANN * 310.15
    assert bell_rate("2 Hz", 0) == 2
    assert bell_rate(2, kt / 1e-10) == near(2 * math.e)
    assert bell_rate(2, "1 pN", bond_length="0.5 nm", temperature="300 K") == near(
        2 * math.exp(1e-12 * 5e-10 / (BOLTZMANN * 300))
    )
    f = torch.tensor([0.3, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: bell_rate(2.0, f * 1e-11), f)


def test_bad_input():
    with pytest.raises(InputError, match=r"wall_shear_stress=-1 is below zero; give its size"):
        shear_force(1e-6, -1)
    with pytest.raises(InputError, match=r"force='1 nm' is not a force; give newtons or text such as '1 pN'"):
        bell_rate(1.0, "1 nm")
    with pytest.raises(InputError, match=r"receptors=0 is not above zero"):
        adhesion_strength(0, 1e-7, receptors=0, ligands=1e14, affinity=1e-14)
    with pytest.raises(InputError, match=r"free_rate=-1 is not above zero"):
        bell_rate(-1, 0)
