"""A robot's shape and how its parts are put together."""

import math

import pytest
import torch

from sojourn.errors import InputError
from sojourn.processes.blood.mobility import BOLTZMANN
from sojourn.processes.blood.robot import Robot

from .near import near


def test_as_written():
    robot = Robot(radius="0.5 um", magnetic_moment="1e-15 A m^2", swim_speed="10 um/s")
    assert (robot.radius, robot.magnetic_moment, robot.swim_speed, robot.aspect_ratio) == (5e-7, 1e-15, 1e-5, 1.0)
    assert repr(robot) == "Robot(radius='500 nm', magnetic_moment='1 fA m^2', swim_speed='10 um/s', aspect_ratio=1)"
    assert Robot(radius="500 nm", magnetic_moment="1 fA m^2", swim_speed="10 um/s", aspect_ratio=1) == robot


def test_diffusion_of_a_sphere():
    """Stokes and Einstein's, by numbers of the constants."""
    found = Robot("0.5 um").diffusivity("1.2 cP", "310.15 K")
    shift = BOLTZMANN * 310.15 / (6 * math.pi * 1.2e-3 * 0.5e-6)
    turn = BOLTZMANN * 310.15 / (8 * math.pi * 1.2e-3 * 0.5e-6**3)
    assert found == near((shift, shift, turn, turn))
    assert found.along == pytest.approx(0.379e-12, abs=5e-16)
    assert found.tumble == pytest.approx(1.136, abs=5e-4)


def test_shapes():
    """A sphere of the same volume moves more easily than either spheroid, on average over directions."""
    assert (Robot("1 um", aspect_ratio=3).largest_radius, Robot("1 um", aspect_ratio=0.2).largest_radius) == (
        3e-6,
        1e-6,
    )
    for r in (0.2, 3.0):
        robot = Robot("1 um", aspect_ratio=r)
        equal = Robot((3 * robot.volume / (4 * math.pi)) ** (1 / 3))
        assert equal.volume == near(robot.volume)
        along, across, _, _ = robot.mobility(1e-3)
        assert (along + 2 * across) / 3 < equal.mobility(1e-3).along
        assert robot.shape_factor == near((r**2 - 1) / (r**2 + 1))
        assert (along > across) == (r > 1)


def test_gradients():
    def parts(a, r, v):
        robot = Robot(a * 1e-6, swim_speed=v, aspect_ratio=r)
        diffusivity = robot.diffusivity(1e-3)
        return diffusivity.along * 1e12, diffusivity.tumble, robot.volume * 1e18, robot.swim_speed * 2

    values = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (0.5, 2.0, 1e-5)]
    assert torch.autograd.gradcheck(parts, values)


def test_bad_robots():
    with pytest.raises(InputError, match=r"radius=0 is not above zero; give metres or text such as '20 um'"):
        Robot(0)
    for radius in (0.5, torch.tensor([1e-6, 0.5])):
        with pytest.raises(InputError, match="radius=500 mm, and the aorta 30 mm; give metres, or text such as"):
            Robot(radius)
    with pytest.raises(InputError, match=r"magnetic_moment='1 mT' is not a magnetic moment; give ampere square metres"):
        Robot("1 um", magnetic_moment="1 mT")
    with pytest.raises(InputError, match=r"swim_speed=-1e-05 is below zero; the axis points where it points"):
        Robot("1 um", swim_speed="-10 um/s")
    with pytest.raises(InputError, match=r"aspect_ratio=-1 is not above zero"):
        Robot("1 um", aspect_ratio=-1)
