"""How a robot holds to the wall against the flow, and lets go.

force on it in shear     F = 1.7005 6 pi mu a^2 S                Goldman, Cox and Brenner
strength of its bonds    P = m_r m_l K_a A exp(-(x / kT) F / (m_r A)),  A = pi r0^2       Decuzzi and Ferrari
rate of letting go       k = k0 exp(F x / kT)                    Bell
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from sojourn.errors import InputError
from sojourn.processes.blood.checks import at_least_zero
from sojourn.processes.blood.mobility import BODY_TEMPERATURE, thermal_energy
from sojourn.processes.blood.robot import shown
from sojourn.processes.blood.units import Quantity, alike, positive, show, si, tensors

SHEAR_FORCE, SHEAR_TORQUE = 1.7005, 0.94399  # of a sphere that touches: Goldman, Cox and Brenner (1967)
BOND_LENGTH = 1e-10  # m, over which a ligand's bond gives way: Decuzzi and Ferrari (2006)


@dataclass(frozen=True, repr=False)
class Adhesion:
    """Ligands on a robot and receptors on a wall, which hold it with the probability `adhesion_strength`.

    Args:
        receptors, ligands: m_r on the wall and m_l on the robot, 1/m^2.
        affinity: K_a, of a free pair, m^2.
        contact_radius: r0, of the part of the robot that bonds can reach, m.
        bond_length: x, m.

    Raises:
        InputError: one that is not above zero, units of something else.
    """

    receptors: Quantity
    ligands: Quantity
    affinity: Quantity
    contact_radius: Quantity
    bond_length: Quantity = BOND_LENGTH

    def __post_init__(self) -> None:
        for name, unit in _UNITS.items():
            object.__setattr__(self, name, positive(getattr(self, name), unit, name=name))

    def probability(
        self, radius: Quantity, wall_shear_stress: Quantity, *, temperature: Quantity = BODY_TEMPERATURE
    ) -> Any:
        """min(1, P) of `adhesion_strength` under the force 1.7005 6 pi a^2 (mu S) of `shear_force`, in [0, 1].

        Args:
            radius: a, of the robot, m.
            wall_shear_stress: mu S, Pa.
            temperature: T, K.

        P counts bonds, and is a probability where it is far below 1; where it would be above, all hold.

        Raises:
            InputError: as `shear_force`; a contact_radius above the robot's own.
        """
        a = positive(radius, "m", name="radius")
        self.check(float(torch.as_tensor(a).detach().min()))
        force = shear_force(a, wall_shear_stress)
        strength = adhesion_strength(force, temperature=temperature, **vars(self))
        return alike(tensors(strength)[0].clamp(max=1), strength)

    def check(self, radius: float) -> None:
        """Raises InputError where a robot of this radius, m, has no part as large as `contact_radius`."""
        largest = float(torch.as_tensor(self.contact_radius).detach().max())
        if largest > radius:
            raise InputError(
                f"contact_radius={show(largest, 'm')} is above the robot's own radius "
                f"{show(radius, 'm')}; give that of the part that bonds can reach"
            )

    def record(self) -> dict[str, Any]:
        """For a run's record: every parameter in full."""
        return vars(self)

    def __repr__(self) -> str:
        return f"Adhesion({', '.join(f'{name}={shown(getattr(self, name), unit)}' for name, unit in _UNITS.items())})"


_UNITS = {"receptors": "1/m^2", "ligands": "1/m^2", "affinity": "m^2", "contact_radius": "m", "bond_length": "m"}


def shear_force(radius: Quantity, wall_shear_stress: Quantity) -> Any:
    """F = 1.7005 6 pi a^2 (mu S), N: what the flow does to a sphere that is held at the wall.

    Args:
        radius: a, m.
        wall_shear_stress: mu S, Pa: the viscosity times the shear rate at the wall.

    At a gap d it is f 6 pi a (a + d) (mu S): f = 1.668 at 0.045 a, the number that is often taken for a sphere held by
    bonds, 1.616 at 0.13 a and 1 far away. Source: Goldman, Cox and Brenner, Chem. Eng. Sci. 22 (1967), 653.

    Raises:
        InputError: a radius that is not above zero, a stress below zero.
    """
    a, stress = tensors(positive(radius, "m", name="radius"), _stress(wall_shear_stress))
    return alike(6 * math.pi * SHEAR_FORCE * a**2 * stress, radius, wall_shear_stress)


def shear_torque(radius: Quantity, wall_shear_stress: Quantity) -> Any:
    """T = 0.94399 4 pi a^3 (mu S), N m, about its centre: it rolls downstream. As `shear_force`."""
    a, stress = tensors(positive(radius, "m", name="radius"), _stress(wall_shear_stress))
    return alike(4 * math.pi * SHEAR_TORQUE * a**3 * stress, radius, wall_shear_stress)


def adhesion_strength(
    force: Quantity,
    contact_radius: Quantity,
    *,
    receptors: Quantity,
    ligands: Quantity,
    affinity: Quantity,
    bond_length: Quantity = BOND_LENGTH,
    temperature: Quantity = BODY_TEMPERATURE,
) -> Any:
    """P = m_r m_l K_a A exp(-(x / kT) F / (m_r A)), A = pi r0^2: the bonds in equilibrium, each bearing its part of F.

    Args:
        force: F, that pulls at the robot, N: `shear_force`. The torque T adds 2 T / r0 at the rim of the contact.
        contact_radius: r0, of the part of the robot that bonds can reach, m.
        receptors, ligands: m_r on the wall and m_l on the robot, 1/m^2.
        affinity: K_a, of a free pair, m^2.
        bond_length: x, m.
        temperature: T, K.

    With F = 6 pi f a^2 (mu S) the exponent is -beta mu S / alpha, beta = 6 f x / kT, alpha = m_r (r0 / a)^2. Where P is
    far below 1 it is the probability of holding; no bound is put on it. Source: Decuzzi and Ferrari, Biomaterials 27
    (2006), 5307.

    Raises:
        InputError: a force below zero, anything else that is not above it, units of something else.
    """
    f, r0, mr, ml, ka, x, energy = tensors(
        _force(force),
        positive(contact_radius, "m", name="contact_radius"),
        positive(receptors, "1/m^2", name="receptors"),
        positive(ligands, "1/m^2", name="ligands"),
        positive(affinity, "m^2", name="affinity"),
        positive(bond_length, "m", name="bond_length"),
        thermal_energy(temperature),
    )
    area = math.pi * r0**2
    strength = mr * ml * ka * area * torch.exp(-x * f / (energy * mr * area))
    return alike(strength, force, contact_radius, receptors, ligands, affinity, bond_length, temperature)


def bell_rate(
    free_rate: Quantity,
    force: Quantity,
    *,
    bond_length: Quantity = BOND_LENGTH,
    temperature: Quantity = BODY_TEMPERATURE,
) -> Any:
    """k = k0 exp(F x / kT), 1/s: how often a bond breaks under a force F.

    Args:
        free_rate: k0, 1/s, without force.
        force: F on this one bond, N.
        bond_length: x, m; the bond's own.
        temperature: T, K.

    Source: Bell, Science 200 (1978), 618.

    Raises:
        InputError: a rate, length or temperature that is not above zero, units of something else.
    """
    k, f, x, energy = tensors(
        positive(free_rate, "1/s", name="free_rate"),
        si(force, "N", name="force"),
        positive(bond_length, "m", name="bond_length"),
        thermal_energy(temperature),
    )
    return alike(k * torch.exp(f * x / energy), free_rate, force, bond_length, temperature)


def _stress(value: Quantity) -> Any:
    return at_least_zero(value, "Pa", name="wall_shear_stress", remedy="give its size")


def _force(value: Quantity) -> Any:
    return at_least_zero(value, "N", name="force", remedy="give the force that pulls")
