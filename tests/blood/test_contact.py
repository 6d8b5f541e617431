"""Capture by ligands and receptors against the published formula; contacts as text; what cannot be asked for."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binom

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Process
from sojourn.processes.blood.adhesion import Adhesion, adhesion_strength, shear_force
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.contact import Contact
from sojourn.processes.blood.mobility import BOLTZMANN
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import CAPTURED, MOVING, BloodRobots
from sojourn.processes.blood.solver import Flow

from .near import near

REAL = torch.float64
A, WIDE, NARROW, MU = 0.5e-6, 20e-6, 10e-6, 1.2e-3
SPEED = 5e-4  # mean, in the wide vessel
LIGANDS = Adhesion(receptors="1e13 1/m^2", ligands="1e15 1/m^2", affinity="4e-16 m^2", contact_radius="0.2 um")


def published(stress):
    """m_r m_l K_a pi r0^2 exp(-beta mu S / alpha), beta = 6 F x / kT, alpha = m_r (r0 / a)^2, by Decuzzi and Ferrari.

    With F = 1.7005, of a sphere that touches, in the place of their 1.668.
    """
    beta, alpha = 6 * 1.7005 * 1e-10 / (BOLTZMANN * 310.15), 1e13 * (0.2e-6 / A) ** 2
    return 1e13 * 1e15 * 4e-16 * math.pi * 0.2e-6**2 * math.exp(-beta * stress / alpha)


def in_line(contact, **given):
    """A wide vessel and a narrow one in line, whose walls shear 8 times as much."""
    ends = [Boundary(0, velocity=SPEED), Boundary(2, pressure=0.0)]
    network = VesselNetwork(
        [[0, 0, 0], [0.5, 0, 0], [1, 0, 0]], [[0, 1], [1, 2]], [WIDE, NARROW], boundaries=ends, kinds=["vein", "tumour"]
    )
    q = torch.full((2,), math.pi / 4 * WIDE**2 * SPEED, dtype=REAL)
    flow = Flow(network, torch.zeros(3, dtype=REAL), q, 0 * q, 0 * q + MU, 0.0, 0.0, 0)
    given = {"shear_strength": 0.0, "dt": 1e-4, **given}
    return BloodRobots(flow, Robot(A), contact=contact, temperature=310.15, **given)


def touching(process, n):
    """n robots at the wall of each vessel, and far from its ends: in a few steps of 0.1 ms they go 50 nm."""
    state = process.initial(2 * n, Noise(1))
    state["vessel"] = torch.arange(2, dtype=torch.int32).repeat_interleave(n)
    room = torch.tensor([WIDE / 2 - A, NARROW / 2 - A], dtype=REAL).repeat_interleave(n)
    state["across"] = torch.stack([room, 0 * room], 1)
    state["along"] = torch.full((2 * n,), 0.1, dtype=REAL)
    return state


STRESSES = [8 * MU * SPEED / WIDE, 8 * MU * 4 * SPEED / NARROW]


def inside(count, n, p):
    """Whether a count is one of n events of probability p; a false alarm has 1e-6."""
    return 2 * min(binom.cdf(count, n, p), binom.sf(count - 1, n, p)) > 1e-6


@pytest.mark.parametrize("advance", [BloodRobots.advance, Process.advance])
def test_the_share_captured_follows_decuzzi_and_ferrari(advance):
    """In contact for t, 1 - exp(-k P t) are captured, P at the shear stress of the vessel's own wall."""
    n, k, steps = 40_000, 2000.0, 10
    process = in_line(Contact("1 um", targets=(0, 1), capture_rate=k, adhesion=LIGANDS))
    state = advance(process, touching(process, n), 0, steps, Noise(7))
    status = state["status"].reshape(2, n)
    for row, stress in zip(status, STRESSES, strict=True):
        assert 0.005 < published(stress) < 1
        p = -math.expm1(-k * published(stress) * steps * process.dt)
        assert inside(int((row == CAPTURED).sum()), n, p)
        assert not inside(int((row == CAPTURED).sum()), n, -math.expm1(-k * steps * process.dt))  # each attempt holds
    assert published(STRESSES[0]) > 1.2 * published(STRESSES[1])
    assert bool(((status == CAPTURED) | (status == MOVING)).all())


def test_binding_is_beside_it():
    """Of those that bind or are captured in a step, k P / (k_b + k P) are captured; other vessels capture nobody."""
    n, k, bind = 100_000, 3000.0, 500.0
    process = in_line(Contact("1 um", bind, targets=("tumour",), capture_rate=k, adhesion=LIGANDS))
    start = touching(process, n)
    state = process.step(start, 0, Noise(3))
    wide, narrow = state["status"].reshape(2, n)
    caught = k * published(STRESSES[1])
    assert int((wide == CAPTURED).sum()) == 0
    done = int((narrow != MOVING).sum())
    assert inside(done, n, -math.expm1(-(bind + caught) * process.dt))
    assert inside(int((narrow == CAPTURED).sum()), done, caught / (bind + caught))
    assert torch.equal(process.advance(start, 0, 1, Noise(3))["status"], state["status"])


def test_the_probability():
    stress = np.array([0.0, 0.3, 2.0])
    found = LIGANDS.probability(A, torch.from_numpy(stress), temperature=310.15)
    assert found.tolist() == near([published(x) for x in stress])
    strength = adhesion_strength(
        shear_force(A, 0.3), "0.2 um", receptors=1e13, ligands=1e15, affinity=4e-16, temperature=310.15
    )
    assert LIGANDS.probability("500 nm", "0.3 Pa", temperature=310.15) == near(strength)
    strong = Adhesion(1e14, 1e15, 4e-16, "0.2 um")
    assert strong.probability(A, 0.0) == 1.0  # 5 bonds


def test_as_text():
    text = "receptors='1e+13 1/m^2', ligands='1e+15 1/m^2', affinity='400 nm^2', contact_radius='200 nm'"
    assert repr(LIGANDS) == f"Adhesion({text}, bond_length='100 pm')"
    contact = Contact("0.2 um", targets=("tumour", 3), capture_rate="2 1/s", adhesion=LIGANDS)
    shown = "Contact(reach='200 nm', targets=('tumour', 3), capture_rate='2 1/s', adhesion=Adhesion("
    assert repr(contact).startswith(shown)
    everything = Contact("50 nm", 10.0, "0.3 1/s", "1 nm", (1,), 1e9)
    for made in (contact, everything):
        again = eval(repr(made), {"Contact": Contact, "Adhesion": Adhesion})
        assert [repr(again), again.targets, again.reach] == [repr(made), made.targets, near(made.reach)]
    assert repr(Contact("1 um", torch.tensor(2.0))) == "Contact(reach='1 um', binding_rate='2 1/s')"


def test_bad_input():
    with pytest.raises(InputError, match="adhesion is a float; give an Adhesion or None"):
        Contact("1 um", targets=(0,), capture_rate=1.0, adhesion=0.1)
    with pytest.raises(InputError, match="adhesion without targets holds nobody; name them, such as targets="):
        Contact("1 um", binding_rate=1.0, adhesion=LIGANDS)
    with pytest.raises(InputError, match="receptors='1e13 1/m' is not in 1/m\\^2; give it in 1/m\\^2"):
        Adhesion("1e13 1/m", 1e14, 1e-16, "0.2 um")
    with pytest.raises(InputError, match="affinity=0 is not above zero"):
        Adhesion(1e13, 1e14, 0, "0.2 um")
    large = Contact("1 um", targets=(0,), capture_rate=1.0, adhesion=Adhesion(1e13, 1e14, 1e-16, "0.6 um"))
    with pytest.raises(InputError, match="contact_radius=600 nm is above the robot's own radius 500 nm; give that of"):
        in_line(large)
