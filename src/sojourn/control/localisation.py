"""What is known of robots while they are under way: where they are in the mean, late and with noise.

seen(t) = mean place and mean axis at t - delay, plus normal noise
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import State
from sojourn.processes.blood.checks import at_least_zero
from sojourn.processes.blood.robots import BOUND, BloodRobots
from sojourn.processes.blood.units import Quantity, show


@dataclass(frozen=True, repr=False)
class Localisation:
    """A look at the robots once an interval of control.

    Args:
        std: of the noise in each coordinate of the place, m.
        axis_std: of that in each component of the axis.
        delay: after how many intervals a look is known; before, the first one is.
        member: which robot is seen; None: the mean of all that are on the way or bound, or of all where none is.

    Raises:
        InputError: a deviation below zero, a delay or member that is no whole number from 0.
    """

    std: Quantity
    axis_std: Quantity = 0.0
    delay: int = 0
    member: int | None = None

    def __post_init__(self) -> None:
        remedy = "0 is exact"
        self._keep("std", float(at_least_zero(self.std, "m", name="std", remedy=remedy)))
        self._keep("axis_std", float(at_least_zero(self.axis_std, "", name="axis_std", remedy=remedy)))
        for name in ("delay", "member"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                raise InputError(
                    f"{name}={value!r} is not a whole number of 0 or more; give intervals, or a robot's number"
                )

    def _keep(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        who = "the mean" if self.member is None else f"robot {self.member}"
        noise = f"std={show(self.std, 'm')!r}, axis_std={self.axis_std:.5g}"
        return f"Localisation({noise}, delay={self.delay}, of {who})"

    def look(self, robots: BloodRobots, state: State, t: int, noise: Noise) -> Tensor:
        """Place, m, and axis, (6,), with the noise of step t; not late yet.

        Raises:
            InputError: a member that the ensemble has not.
        """
        size = len(state["along"])
        if self.member is not None and self.member >= size:
            raise InputError(f"member={self.member} is not among {size} robots; give 0 to {size - 1}")
        both = torch.cat([robots.places(state), state["axis"]], 1).detach().cpu()
        if self.member is not None:
            mean = both[self.member]
        else:
            seen = (state["status"] <= BOUND).cpu()
            # By NumPy, whose sum over rows has one order; PyTorch's depends on the number of threads.
            mean = torch.from_numpy((both[seen] if bool(seen.any()) else both).numpy().mean(0))
        std = torch.tensor([self.std] * 3 + [self.axis_std] * 3, dtype=torch.float64)
        return mean + std * noise.split("localisation").normal(t, 1, (6,), torch.float64)[0]
