"""Resistive-force theory: the closed forms of the axial motion, symmetries, limits, and a quadrature of its own."""

import math

import numpy as np
import pytest
import torch

from sojourn.errors import InputError
from sojourn.processes.blood.helix import Helix

from .near import near

MU = 1.2e-3
SHAPES = [(1e-6, 4e-6, 3, 1e-7), (0.5e-6, 2.2e-6, 5.3, 2e-8), (2e-6, 1e-6, 0.4, 1e-7), (1e-7, 5e-6, 2.5, 5e-8)]


@pytest.mark.parametrize("shape", SHAPES)
def test_axial_motion(shape):
    """Drag, thrust and torque along the axis as they are printed in Rodenborn et al. (2013) after Lighthill."""
    radius, pitch, turns, thickness = shape
    theta = math.atan2(2 * math.pi * radius, pitch)
    log = math.log(0.18 * pitch / (thickness * math.cos(theta)))
    ct, cn = 2 * math.pi * MU / log, 4 * math.pi * MU / (log + 0.5)
    length = turns * pitch / math.cos(theta)
    drag = length * (cn * math.sin(theta) ** 2 + ct * math.cos(theta) ** 2)
    thrust = radius * length * (cn - ct) * math.sin(theta) * math.cos(theta)
    torque = radius**2 * length * (cn * math.cos(theta) ** 2 + ct * math.sin(theta) ** 2)
    helix = Helix(*shape)
    r = helix.resistance(MU)
    assert helix.contour_length == near(length)
    assert (float(r[2, 2]), float(r[2, 5]), float(r[5, 5])) == near((drag, -thrust, torque), rel=1e-12)
    assert helix.advance_per_turn == near(2 * math.pi * thrust / drag)


@pytest.mark.parametrize("shape", SHAPES)
def test_rectangles_along_the_filament(shape):
    """The same integrals by the midpoint rule, motion by motion, from the force on each piece, in plain numpy."""
    radius, pitch, turns, _ = shape
    helix = Helix(*shape)
    ct, cn = helix.coefficients(MU)
    count = 4000
    angle = 2 * math.pi * turns * ((np.arange(count) + 0.5) / count - 0.5)
    place = np.stack((radius * np.cos(angle), radius * np.sin(angle), pitch * angle / (2 * math.pi)), -1)
    tangent = np.stack((-radius * np.sin(angle), radius * np.cos(angle), np.full(count, pitch / (2 * math.pi))), -1)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    expected = np.zeros((6, 6))
    for k in range(6):
        shift, turn = np.eye(6)[k, :3], np.eye(6)[k, 3:]
        velocity = shift + np.cross(turn, place)
        sliding = (velocity * tangent).sum(1, keepdims=True) * tangent
        force = (ct * sliding + cn * (velocity - sliding)) * helix.contour_length / count
        expected[:, k] = np.concatenate((force.sum(0), np.cross(place, force).sum(0)))
    found = helix.resistance(MU).numpy()
    size = np.sqrt(np.diag(found))
    assert np.abs((found - expected) / np.outer(size, size)).max() < 1e-5


def test_mobility_is_the_inverse_and_positive():
    for shape in SHAPES:
        helix = Helix(*shape)
        r, m = helix.resistance(MU), helix.mobility(MU)
        size = torch.sqrt(torch.diagonal(r))
        scaled = torch.outer(size, 1 / size)
        torch.testing.assert_close(m @ r / scaled.mT, torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-10)
        assert float(torch.linalg.eigvalsh(m * torch.outer(size, size)).min()) > 0


def test_the_other_hand_is_the_mirror_image():
    right, left = (Helix("1 um", "4 um", 2.3, "0.1 um", hand) for hand in ("right", "left"))
    mirror = torch.diag(torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0], dtype=torch.float64))
    r, m = left.resistance(MU), mirror @ right.resistance(MU) @ mirror
    size = torch.sqrt(torch.diagonal(m))
    torch.testing.assert_close(r / torch.outer(size, size), m / torch.outer(size, size), rtol=0, atol=1e-12)
    assert left.advance_per_turn == -right.advance_per_turn < 0


def test_a_stretched_helix_is_a_rod():
    """With R -> 0: C_t L along it, C_n L across it, C_n L^3 / 12 for turning it end over end."""
    rod = Helix(1e-10, 1e-5, 1, 1e-8)
    ct, cn = rod.coefficients(MU)
    r = torch.diagonal(rod.resistance(MU)).tolist()
    length = 1e-5
    assert r[:5] == near([cn * length, cn * length, ct * length, cn * length**3 / 12, cn * length**3 / 12], rel=1e-6)


def test_no_difference_of_coefficients_no_swimming():
    """What drives it is C_n - C_t; with C_n = infinity it would advance a pitch a turn, as a screw in wood."""
    helix = Helix("1 um", "4 um", 3, "0.1 um")
    ct, cn = helix.coefficients(1.0)
    tangent = 2 * math.pi * 1e-6 / 4e-6
    slip = (1 - ct / cn) / (1 + ct / cn / tangent**2)
    assert helix.advance_per_turn == near(4e-6 * slip)


def test_gradients():
    def entries(radius, pitch, turns, thickness):
        helix = Helix(radius * 1e-6, pitch * 1e-6, turns, thickness * 1e-7)
        r = helix.resistance(MU)
        size = torch.tensor([1e-8, 1e-8, 1e-8, 1e-20, 1e-20, 1e-20], dtype=torch.float64).sqrt()
        return r / torch.outer(size, size), helix.advance_per_turn * 1e6

    values = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (1.0, 4.0, 2.2, 1.0)]
    assert torch.autograd.gradcheck(entries, values)


def test_bad_helices():
    with pytest.raises(InputError, match=r'handedness=\'both\' is not known; choose "right" or "left"'):
        Helix(1e-6, 4e-6, 3, 1e-7, "both")
    with pytest.raises(
        InputError, match=r"filament_radius=2e-06 is not slender for this helix; choose less than 8\.1.e-07 m"
    ):
        Helix(1e-6, 4e-6, 3, 2e-6)
    with pytest.raises(InputError, match=r"turns=0 is not above zero"):
        Helix(1e-6, 4e-6, 0, 1e-7)
    with pytest.raises(InputError, match=r"pitch='4 mT' is not a length"):
        Helix(1e-6, "4 mT", 3, 1e-7)
