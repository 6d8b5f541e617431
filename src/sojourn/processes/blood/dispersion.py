"""What flow adds to diffusion: red cells that jostle, robots driven to the wall, and the spreading along a tube.

shear-induced   D = k g a^2 H (1 - H)^n
margination     v = D d(ln P)/dr,   P = 1 + (excess - 1) (r/R)^m the profile that is reached downstream
Taylor-Aris     D (1 + U^2 R^2 / (48 D^2))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from sojourn.processes.blood.checks import at_least_zero, within
from sojourn.processes.blood.robot import shown
from sojourn.processes.blood.units import Quantity, alike, positive, si, tensors

RED_CELL_RADIUS = 4e-6  # m, of a disc 8 um wide


def shear_induced_diffusivity(
    shear_rate: Quantity,
    hematocrit: Quantity,
    *,
    strength: Quantity = 0.15,
    exponent: Quantity = 0.8,
    cell_radius: Quantity = RED_CELL_RADIUS,
) -> Any:
    """D = k g a^2 H (1 - H)^n, m^2/s, across the flow, to be added to Brownian diffusion.

    Args:
        shear_rate: g, 1/s; its sign does not matter.
        hematocrit: H where the robot is, in [0, 1]: the tube's, not the discharge's.
        strength: k; 0.15 is a fit by Zydney and Colton, PhysicoChem. Hydrodyn. 10 (1988), 77. Simulations with resolved
            red cells give platelets about a hundred times as much, and not quite diffusion: Kotsalos et al., Front.
            Physiol. 13 (2022), 985905. Take k as unknown by that factor.
        exponent: n, of the same fit.
        cell_radius: a, of a red cell, m.

    Raises:
        InputError: a hematocrit outside [0, 1], a strength or exponent below zero, a radius that is not above it.
    """
    remedy = "give a share of the volume, such as 0.45"
    g, h, k, n, a = tensors(
        si(shear_rate, "1/s", name="shear_rate"),
        within(hematocrit, "", name="hematocrit", low=0.0, high=1.0, remedy=remedy),
        at_least_zero(strength, "", name="strength", remedy="0 switches it off"),
        at_least_zero(exponent, "", name="exponent", remedy="0.8 is the published one"),
        positive(cell_radius, "m", name="cell_radius"),
    )
    return alike(k * g.abs() * a**2 * h * (1 - h) ** n, shear_rate, hematocrit, strength, exponent, cell_radius)


@dataclass(frozen=True, repr=False)
class Margination:
    """The profile P = 1 + (excess - 1) (r/R)^m that jostling red cells lead robots to, R the vessel's radius.

    Args:
        excess: the density at the wall over that on the axis, once it no longer changes; 1 is no margination, and
            below 1 robots go to the axis.
        steepness: m, at least 1.

    The power law is a choice without published constants: fit excess and m to a profile measured for robots like yours.

    Raises:
        InputError: an excess that is not above zero, an m outside [1, 1000], units of something else.
    """

    excess: Quantity
    steepness: Quantity

    def __post_init__(self) -> None:
        remedy = "a profile with a cusp on the axis is none, nor one that is all wall"
        steepness = within(self.steepness, "", name="steepness", low=1.0, high=1e3, remedy=remedy)
        object.__setattr__(self, "excess", positive(self.excess, "", name="excess"))
        object.__setattr__(self, "steepness", steepness)

    def slope(self, r: Tensor, radius: Tensor) -> Tensor:
        """d(ln P)/dr, 1/m: r from the axis of vessels of this radius, m."""
        s, rise = r / radius, self.excess - 1
        return rise * self.steepness * s ** (self.steepness - 1) / (radius * (1 + rise * s**self.steepness))

    def record(self) -> dict[str, Any]:
        """For a run's record: every parameter in full."""
        return vars(self)

    def __repr__(self) -> str:
        return f"Margination(excess={shown(self.excess, '')}, steepness={shown(self.steepness, '')})"


def margination_drift(
    diffusivity: Quantity, r: Quantity, radius: Quantity, *, excess: Quantity, steepness: Quantity
) -> Any:
    """v = D d(ln P)/dr, m/s, outwards: the drift that leads to the profile of `Margination`.

    Args:
        diffusivity: D across the flow at r, m^2/s, its div D being a drift besides (`walls.radial_drift`); in
            `BloodRobots` that of the red cells alone.
        r: the distance from the axis, m.
        radius: R, the tube's, m.
        excess, steepness: of `Margination`.

    Source: Eckstein and Belgacem, Biophys. J. 60 (1991), 53.

    Raises:
        InputError: as `Margination`; a diffusivity below zero, an r outside [0, R].
    """
    profile, whole = Margination(excess, steepness), positive(radius, "m", name="radius")
    d, x, end = tensors(
        at_least_zero(diffusivity, "m^2/s", name="diffusivity", remedy="a diffusivity has no sign"),
        at_least_zero(r, "m", name="r", remedy="give the distance from the axis"),
        whole,
    )
    within((x / end), "", name="r / radius", low=0.0, high=1.0, remedy="give places inside the tube")
    return alike(d * profile.slope(x, end), diffusivity, r, radius, excess, steepness)


def taylor_aris_diffusivity(diffusivity: Quantity, mean_velocity: Quantity, radius: Quantity) -> Any:
    """D (1 + U^2 R^2 / (48 D^2)), m^2/s: the spreading along a tube of what diffuses across it, at times t >> R^2 / D.

    Args:
        diffusivity: D, m^2/s.
        mean_velocity: U of a Poiseuille profile, m/s.
        radius: R, m.

    Source: Taylor, Proc. R. Soc. A 219 (1953), 186; Aris, Proc. R. Soc. A 235 (1956), 67.

    Raises:
        InputError: a diffusivity or radius that is not above zero, units of something else.
    """
    d, u, a = tensors(
        positive(diffusivity, "m^2/s", name="diffusivity"),
        si(mean_velocity, "m/s", name="mean_velocity"),
        positive(radius, "m", name="radius"),
    )
    return alike(d + (u * a) ** 2 / (48 * d), diffusivity, mean_velocity, radius)
