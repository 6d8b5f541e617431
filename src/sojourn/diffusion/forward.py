"""The forward chain as a process: x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) epsilon_t, from data to noise."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from sojourn.diffusion.schedule import Schedule
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State


@dataclass(frozen=True)
class Noising(Process):
    """Noise, step by step, over data.

    Args:
        schedule: of T steps.
        x_0: data (n, *shape), members of the ensemble in turn.

    State: `x` (ensemble, *shape), after t steps a draw from q(x_t | x_0).

    Source: Ho, Jain and Abbeel (2020), equation 2.
    """

    schedule: Schedule
    x_0: Tensor = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.schedule, Schedule):
            raise InputError("the forward chain needs a schedule with steps; discretise it: schedule.discretise(1000)")
        if self.x_0.ndim < 2 or not self.x_0.is_floating_point() or len(self.x_0) == 0:
            raise InputError(
                f"x_0 must hold data of shape (n, ...), n >= 1, of a floating type, not {tuple(self.x_0.shape)}"
            )

    @property
    def horizon(self) -> int:
        return self.schedule.steps

    def fields(self) -> dict[str, Field]:
        return {
            "x": Field(data_dims(self.x_0.shape[1:]), tuple(self.x_0.shape[1:]), self.x_0.dtype, long_name="sample")
        }

    def initial(self, ensemble: int, noise: Noise) -> State:
        """The data, in turn."""
        members = (torch.arange(ensemble) + noise.first_member) % len(self.x_0)
        return {"x": self.x_0[members]}

    def step(self, state: State, t: int, noise: Noise) -> State:
        x, beta = state["x"], float(self.schedule.beta[t + 1])
        epsilon = noise.normal(t, len(x), tuple(x.shape[1:]), dtype=x.dtype, device=x.device)
        return {"x": (1 - beta) ** 0.5 * x + beta**0.5 * epsilon}


def data_dims(shape: tuple[int, ...] | torch.Size) -> tuple[str, ...]:
    """Names of the axes of data: of images (channel, row, column), of vectors (component,)."""
    names = {1: ("component",), 3: ("channel", "row", "column")}
    return names.get(len(shape), tuple(f"axis_{k}" for k in range(len(shape))))
