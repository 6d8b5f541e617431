"""A robot: what it is made like. How it moves is in `mobility`, `jeffery`, `magnetic` and `walls`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sojourn.processes.blood.checks import at_least_zero, narrow
from sojourn.processes.blood.jeffery import shape_factor
from sojourn.processes.blood.mobility import BODY_TEMPERATURE, Mobility, spheroid_mobility, thermal_energy
from sojourn.processes.blood.units import Quantity, alike, positive, show, tensors


@dataclass(frozen=True, repr=False)
class Robot:
    """A sphere or spheroid that may swim along its axis and carry a magnetic moment along it.

    Args:
        radius: a, the semi-axis across the axis of symmetry (the equator's), m. That along it is r a.
        magnetic_moment: m, along the axis, A m^2; none by default.
        swim_speed: v, along the axis, m/s; none by default.
        aspect_ratio: r; 1 by default, a sphere.

    A tensor in the place of a number passes gradients.

    Raises:
        InputError: a radius or aspect ratio that is not above zero, a radius wider than any vessel, a moment or speed
            below zero, other units.
    """

    radius: Quantity
    magnetic_moment: Quantity = 0.0
    swim_speed: Quantity = 0.0
    aspect_ratio: Quantity = 1.0

    def __post_init__(self) -> None:
        remedy = "the axis points where it points: give its size"
        kept = {
            "radius": positive(self.radius, "m", name="radius"),
            "magnetic_moment": at_least_zero(self.magnetic_moment, "A m^2", name="magnetic_moment", remedy=remedy),
            "swim_speed": at_least_zero(self.swim_speed, "m/s", name="swim_speed", remedy=remedy),
            "aspect_ratio": positive(self.aspect_ratio, "", name="aspect_ratio"),
        }
        narrow(float(torch.as_tensor(kept["radius"]).detach().max()), name="radius")
        for name, value in kept.items():
            object.__setattr__(self, name, value)

    @property
    def largest_radius(self) -> Any:
        """max(a, r a), m: a vessel must be wider."""
        a, r = tensors(self.radius, self.aspect_ratio)
        return alike(a * r.clamp(min=1.0), self.radius, self.aspect_ratio)

    @property
    def volume(self) -> Any:
        """4/3 pi r a^3, m^3."""
        return 4 / 3 * math.pi * self.aspect_ratio * self.radius**3

    @property
    def shape_factor(self) -> Any:
        """(r^2 - 1) / (r^2 + 1), of `jeffery`."""
        return shape_factor(self.aspect_ratio)

    def mobility(self, viscosity: Quantity) -> Mobility[Any]:
        """In unbounded fluid of viscosity mu, Pa s: `mobility.spheroid_mobility`."""
        return spheroid_mobility(self.radius, self.aspect_ratio, viscosity)

    def diffusivity(self, viscosity: Quantity, temperature: Quantity = BODY_TEMPERATURE) -> Mobility[Any]:
        """k T times the mobility: along and across in m^2/s, spin and tumble in 1/s (Stokes and Einstein)."""
        energy = thermal_energy(temperature)
        return Mobility(*(energy * part for part in self.mobility(viscosity)))

    def record(self) -> dict[str, Any]:
        """For a run's record: every parameter in full."""
        return vars(self)

    def __repr__(self) -> str:
        units = {"radius": "m", "magnetic_moment": "A m^2", "swim_speed": "m/s", "aspect_ratio": ""}
        return f"Robot({', '.join(f'{name}={shown(getattr(self, name), unit)}' for name, unit in units.items())})"


def shown(value: float | Tensor, unit: str) -> str:
    """A parameter as reprs have it: '500 nm' in quotes, a bare number without a unit, the shape of a tensor."""
    if not isinstance(value, Tensor):
        return repr(show(value, unit)) if unit else f"{value:.5g}"
    if value.ndim:
        return f"tensor of shape {tuple(value.shape)}"
    return shown(float(value.detach()), unit)
