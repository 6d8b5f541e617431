"""A learned step as a process: truth and emulator are two simulations from one state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sojourn.errors import InputError
from sojourn.learning.emulators.network import EmulatorNetwork
from sojourn.noise import Noise
from sojourn.process import Field, Process, State

_BOUND = 1e4  # a member that diverges stays at this many, so that the others can go on


@dataclass(frozen=True)
class Emulator(Process):
    """A network in place of `every` steps of the process it learned from.

    State: the fields of `truth`, and `memory`, what the network remembers of the frames before (absent where it
    remembers nothing). Values are kept within +-1e4, and what is not a number counts as 1e4.

    Args:
        network: what was learned.
        truth: the process that it stands for; it lends its fields, its coordinates and its starts.
        every: steps of the truth in one of the emulator.
    """

    network: EmulatorNetwork
    truth: Process
    every: int = 10

    def __post_init__(self) -> None:
        if self.every < 1:
            raise InputError(f"every={self.every} is below 1; an emulator's step is one or more steps of the truth")
        if len(self.truth.fields()) != self.network.field_count:
            raise InputError(
                f"the network has {self.network.field_count} fields and {type(self.truth).__name__} has "
                f"{len(self.truth.fields())}; use the process that the network learned from"
            )

    @property
    def dt(self) -> float:  # type: ignore[override]
        return self.truth.dt * self.every

    @property
    def time_unit(self) -> str:  # type: ignore[override]
        return self.truth.time_unit

    def coordinates(self) -> dict[str, np.ndarray]:
        return self.truth.coordinates()

    def fields(self) -> dict[str, Field]:
        fields = self.truth.fields()
        grid = next(iter(fields.values()))
        shape = self.network.memory_shape(grid.shape)
        if 0 not in shape:
            dims = ("context",) if len(shape) == 1 else ("past", "field", *grid.dims)
            fields["memory"] = Field(dims, shape, grid.dtype, long_name="what the emulator remembers")
        return fields

    def initial(self, ensemble: int, noise: Noise) -> State:
        """A start of the truth, and as many of its frames as the network wants to have seen."""
        state = self.truth.initial(ensemble, noise)
        frames = [stack(state)]
        for k in range(self.network.history - 1):
            state = self.truth.advance(state, k * self.every, self.every, noise)
            frames.append(stack(state))
        return self.begin(torch.stack(frames, dim=1))

    def begin(self, frames: torch.Tensor) -> State:
        """The state after a history of true frames (ensemble, history, fields, *grid), oldest first."""
        names = list(self.truth.fields())
        state = dict(zip(names, frames[:, -1].unbind(1), strict=True))
        if "memory" in self.fields():
            with torch.no_grad():
                state["memory"] = self.network.remember(frames)
        return {name: value.contiguous() for name, value in state.items()}

    def step(self, state: State, t: int, noise: Noise) -> State:
        names = list(self.truth.fields())
        frame = torch.stack([state[name] for name in names], dim=1)
        memory = state.get("memory")
        if memory is None:
            memory = frame.new_zeros(frame.shape[0], *self.network.memory_shape(tuple(frame.shape[2:])))
        frame, memory = self.network(frame, memory)
        frame = frame.nan_to_num(_BOUND, _BOUND, -_BOUND).clamp(-_BOUND, _BOUND)
        following = dict(zip(names, frame.unbind(1), strict=True))
        return following | ({"memory": memory} if "memory" in state else {})

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        """`steps` steps; a gradient is kept only where the state asks for one."""
        asks = any(value.requires_grad for value in state.values())
        with torch.set_grad_enabled(asks and torch.is_grad_enabled()):
            return super().advance(state, t, steps, noise)


def stack(state: State) -> torch.Tensor:
    """The fields of a state as one tensor (ensemble, fields, *grid)."""
    return torch.stack(list(state.values()), dim=1)
