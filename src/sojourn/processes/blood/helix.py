"""A helical swimmer: its resistance and mobility by resistive-force theory.

To move a slender filament with velocity u takes the force K u per length, K = C_n I + (C_t - C_n) t t^T with t its
tangent. Summed along the helix this is the resistance, (F, T) = R (U, w), and M = R^-1 is a mobility for
`mobility.noise_factor`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.units import Quantity, alike, positive, tensors


@dataclass(frozen=True)
class Helix:
    """A rigid helix about the z axis, its middle at the origin.

    Args:
        radius: R, from the axis to the filament's centre line, m.
        pitch: p, along the axis for one turn, m.
        turns: how many, a whole number or not.
        filament_radius: b, m.
        handedness: "right" advances along the axis about which it turns.

    With tan theta = 2 pi R / p and Q = p / cos theta, the filament's length in a turn, Lighthill's coefficients are

        C_t = 2 pi mu / ln(0.18 Q / b),   C_n = 4 pi mu / (ln(0.18 Q / b) + 1/2)

    Distant parts of the filament do not feel each other here. Measured thrust, torque and drag differ from it, most
    where p < 6 R or the helix is longer than 3 p: Rodenborn et al., PNAS 110 (2013), E338. Source of the coefficients:
    Lighthill, SIAM Rev. 18 (1976), 161, for a helix that swims without a load.

    Raises:
        InputError: a size that is not above zero, a filament too thick to be slender, units of something else.
    """

    radius: Quantity
    pitch: Quantity
    turns: Quantity
    filament_radius: Quantity
    handedness: Literal["right", "left"] = "right"

    def __post_init__(self) -> None:
        units = {"radius": "m", "pitch": "m", "turns": "", "filament_radius": "m"}
        for name, unit in units.items():
            object.__setattr__(self, name, positive(getattr(self, name), unit, name=name))
        if self.handedness not in ("right", "left"):
            raise InputError(f'handedness={self.handedness!r} is not known; choose "right" or "left"')
        slender = float(torch.as_tensor(self._slenderness).detach().min())
        if slender <= 0.5:
            most = float(torch.as_tensor(self._turn).detach().min()) * 0.18 / math.exp(0.5)
            thick = float(torch.as_tensor(self.filament_radius).detach().max())
            raise InputError(f"filament_radius={thick:g} is not slender for this helix; choose less than {most:.3g} m")

    @property
    def contour_length(self) -> Any:
        """The filament's, m."""
        return self.turns * self._turn

    def coefficients(self, viscosity: Quantity) -> tuple[Any, Any]:
        """C_t and C_n, Pa s: force against the velocity, per length, along the filament and across it."""
        mu = positive(viscosity, "Pa s", name="viscosity")
        return 2 * math.pi * mu / self._slenderness, 4 * math.pi * mu / (self._slenderness + 0.5)

    def resistance(self, viscosity: Quantity) -> Tensor:
        """R, (6, 6): (F, T) = R (U, w), the force and torque about the middle that are needed to move so.

        Integrated to rounding by Gauss-Legendre quadrature along the filament.
        """
        along, across = self.coefficients(viscosity)
        ct, cn, radius, pitch, turn, turns = tensors(along, across, self.radius, self.pitch, self._turn, self.turns)
        points, weights = np.polynomial.legendre.leggauss(24 + math.ceil(16 * float(turns.detach())))
        x, w = torch.from_numpy(points).to(ct), torch.from_numpy(weights).to(ct)
        angle, hand = math.pi * turns * x, 1.0 if self.handedness == "right" else -1.0
        around, place = 2 * math.pi * radius / turn, angle * pitch / (2 * math.pi)
        cos, sin = torch.cos(angle), torch.sin(angle) * hand
        t = torch.stack((-around * sin * hand, around * cos * hand, (pitch / turn).expand_as(x)), -1)
        local = cn * torch.eye(3).to(ct) + (ct - cn) * t[:, :, None] * t[:, None, :]
        moved = _rigid(torch.stack((radius * cos, radius * sin, place), -1))
        return torch.einsum("n,nia,nij,njb->ab", w * turns * turn / 2, moved, local, moved)

    def mobility(self, viscosity: Quantity) -> Tensor:
        """M = R^-1, (6, 6), symmetric and positive definite: (U, w) = M (F, T)."""
        resistance = self.resistance(viscosity)
        size = torch.sqrt(torch.diagonal(resistance))
        scale = size[:, None] * size[None, :]
        even = torch.linalg.inv(resistance / scale)
        return (even + even.mT) / 2 / scale

    @property
    def advance_per_turn(self) -> Any:
        """How far it swims in one turn of its own, free of force, m; below zero for a left-handed helix:

        2 pi R (C_n - C_t) sin theta cos theta / (C_n sin^2 theta + C_t cos^2 theta)
        """
        along, across = self.coefficients(1.0)
        sin, cos = 2 * math.pi * self.radius / self._turn, self.pitch / self._turn
        slip = (across - along) * sin * cos / (across * sin**2 + along * cos**2)
        return 2 * math.pi * self.radius * slip * (1 if self.handedness == "right" else -1)

    @property
    def _turn(self) -> Any:
        """Q, the filament's length in one turn."""
        return (self.pitch**2 + (2 * math.pi * self.radius) ** 2) ** 0.5

    @property
    def _slenderness(self) -> Any:
        (ratio,) = tensors(0.18 * self._turn / self.filament_radius)
        return alike(torch.log(ratio), self.radius, self.pitch, self.filament_radius)


def _rigid(x: Tensor) -> Tensor:
    """(n, 3, 6): the velocity U + w x X of places x in a rigid motion (U, w)."""
    zero = torch.zeros_like(x[:, 0])
    a, b, c = x.unbind(-1)
    cross = torch.stack((zero, c, -b, -c, zero, a, b, -a, zero), -1).reshape(-1, 3, 3)
    return torch.cat((torch.eye(3).to(x).expand(len(x), 3, 3), cross), -1)
