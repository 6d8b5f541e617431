"""What may happen to a robot at a wall: it binds and lets go again, or a target captures it for good.

in a step of contact   1 - exp(-(k_b + k_c) dt), captured with the share k_c / (k_b + k_c)
                       k_c = attempts x P where ligands have to hold,   P(F)      Decuzzi and Ferrari
in a step bound        1 - exp(-k dt),   k = k_0 exp(F x / kT)        Bell, with the force of the flow on the robot
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.adhesion import BOND_LENGTH, Adhesion, bell_rate, shear_force
from sojourn.processes.blood.checks import at_least_zero
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import shown
from sojourn.processes.blood.units import Quantity, positive


@dataclass(frozen=True, repr=False)
class Contact:
    """Rates at which a robot binds, lets go and is captured.

    Args:
        reach: the gap up to which a robot touches the wall, m: the length of what sticks out from both.
        binding_rate: k_b in contact, 1/s.
        unbinding_rate: k_0 of a bound robot without force, 1/s.
        bond_length: x of the bond that holds it, m. Default: Decuzzi and Ferrari, Biomaterials 27 (2006), 5307.
        targets: kinds of vessels, such as "tumour", and numbers of single ones, where robots are captured.
        capture_rate: k_c in contact with a target, 1/s; with `adhesion`, that of attempts.
        adhesion: what an attempt has to hold by: it captures with `Adhesion.probability` at the vessel's wall shear
            stress. None: every attempt does.

    Where the rate of attempts times dt is far above 1, a step of contact holds many, so that the probability of each
    hardly shows.

    Raises:
        InputError: a rate below zero, a reach or bond length that is not above it, targets without a capture rate
            or this without them, an adhesion of another kind.
    """

    reach: Quantity
    binding_rate: Quantity = 0.0
    unbinding_rate: Quantity = 0.0
    bond_length: Quantity = BOND_LENGTH
    targets: tuple[str | int, ...] = ()
    capture_rate: Quantity = 0.0
    adhesion: Adhesion | None = None

    def __post_init__(self) -> None:
        self._keep("reach", positive(self.reach, "m", name="reach"))
        self._keep("bond_length", positive(self.bond_length, "m", name="bond_length"))
        for name in ("binding_rate", "unbinding_rate", "capture_rate"):
            self._keep(name, at_least_zero(getattr(self, name), "1/s", name=name, remedy="0 switches it off"))
        if isinstance(self.targets, str):
            raise InputError(f"targets={self.targets!r} is a text; give a tuple such as ({self.targets!r},)")
        self._keep("targets", tuple(self.targets))
        if bool(self.targets) != bool(self.capture_rate):
            has, lacks = ("targets", "capture_rate") if self.targets else ("capture_rate", "targets")
            raise InputError(f"{has} without {lacks} captures nobody; give both, such as ('tumour',) and '10 1/s'")
        if not isinstance(self.adhesion, Adhesion | None):
            raise InputError(f"adhesion is a {type(self.adhesion).__name__}; give an Adhesion or None")
        if self.adhesion is not None and not self.targets:
            raise InputError("adhesion without targets holds nobody; name them, such as targets=('tumour',)")

    def _keep(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def is_target(self, network: VesselNetwork) -> Tensor:
        """Whether each vessel captures, (V,), bool.

        Raises:
            InputError: a target that is no kind and no number of a vessel.
        """
        kinds, count = np.array(network.kinds), len(network.kinds)
        found = np.zeros(count, dtype=bool)
        for target in self.targets:
            if isinstance(target, str):
                if target not in network.kinds:
                    known = ", ".join(map(repr, dict.fromkeys(network.kinds)))
                    raise InputError(f"targets name {target!r}, and no vessel is of that kind; there are {known}")
                found |= kinds == target
            elif 0 <= target < count:
                found[target] = True
            else:
                raise InputError(f"targets name vessel {target}, but vessels are numbered 0 to {count - 1}")
        return torch.from_numpy(found)

    def check(self, network: VesselNetwork, radius: float) -> None:
        """Raises InputError where the network has not all targets, or robots of this radius, m, no such `adhesion`."""
        self.is_target(network)
        if self.adhesion is not None:
            self.adhesion.check(radius)

    def chances(
        self, targets: Tensor, wall_shear_stress: Tensor, radius: float, temperature: float, dt: float
    ) -> Tensor:
        """(V, 3): in a step, of an event in contact; of capture, should there be one; and of letting go.

        Args:
            targets: (V,), of `is_target`.
            wall_shear_stress: (V,), at least zero, Pa.
            radius: of the robot, m.
        """
        capture = self.capture_rate * targets.double()
        if self.adhesion is not None:
            capture = capture * self.adhesion.probability(radius, wall_shear_stress, temperature=temperature)
        rate = self.binding_rate + capture
        share = capture / torch.where(rate > 0, rate, 1)
        off = torch.zeros_like(rate)
        if self.unbinding_rate:
            force = shear_force(radius, wall_shear_stress)
            off = bell_rate(self.unbinding_rate, force, bond_length=self.bond_length, temperature=temperature)
        return torch.stack([-torch.expm1(-rate * dt), share, -torch.expm1(-off * dt)], 1)

    def record(self) -> dict[str, Any]:
        """For a run's record: every parameter in full."""
        return vars(self)

    def __repr__(self) -> str:
        parts = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not field.default and (isinstance(value, Tensor) or value != field.default):
                unit = _UNITS.get(field.name)
                parts.append(f"{field.name}={repr(value) if unit is None else shown(value, unit)}")
        return f"Contact({', '.join(parts)})"


_UNITS = {"reach": "m", "binding_rate": "1/s", "unbinding_rate": "1/s", "bond_length": "m", "capture_rate": "1/s"}
