"""The contract: a Markov process takes the state at one step to the state, or its law, at the next.

x_{t+1} = step(x_t, t, noise)          noise: counter-based, a pure function of (seed, member, t)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch

from sojourn.errors import InputError
from sojourn.noise import Noise

State = dict[str, torch.Tensor]
"""Named fields of a state; axis 0 of every field is the ensemble."""


@dataclass(frozen=True)
class Field:
    """One named part of a state: its axes after the ensemble axis, and what its numbers mean."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: torch.dtype
    unit: str = "1"
    long_name: str = ""


@dataclass(frozen=True)
class Process(ABC):
    """A Markov process; the dataclass fields of a subclass are its physical parameters.

    Subclasses are frozen dataclasses that check their parameters when made, so the command line, the run record and
    the repr all come from the fields. `step` is the definition; `advance` may be a fast twin that a test holds equal.
    """

    dt = 1  # time between steps; a system in continuous time declares its own field of this name
    time_unit = "step"

    @property
    def horizon(self) -> int | None:
        """The number of steps after which the process ends; None where it goes on for ever."""
        return None

    @abstractmethod
    def fields(self) -> dict[str, Field]:
        """Name -> axes, shape, type, unit and long name of every part of the state."""

    @abstractmethod
    def initial(self, ensemble: int, noise: Noise) -> State:
        """`ensemble` starting states."""

    def coordinates(self) -> dict[str, np.ndarray]:
        """Places along the axes of the fields that have them: name of the axis -> its points."""
        return {}

    @abstractmethod
    def step(self, state: State, t: int, noise: Noise) -> State:
        """The state after step `t`; batched over the ensemble, differentiable where the mathematics is."""

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        """The state after steps t, t+1, ..., t+steps-1; the input is left as it was."""
        for k in range(t, t + steps):
            state = self.step(state, k, noise)
        return state

    def diagnose(self, state: State, t: int, member: int) -> str:
        """Why step `t` made this finite state not finite at `member`, and the remedy; empty if it cannot tell."""
        return ""

    def check(self, state: State) -> None:
        """Raises InputError unless `state` has this process's fields, in shape and type."""
        expected = self.fields()
        if not isinstance(state, dict):
            raise InputError(
                f"a state is a dict of tensors, such as {{{next(iter(expected))!r}: ...}}, not {type(state)}"
            )
        if set(state) != set(expected):
            raise InputError(f"state has fields {sorted(state)}; {type(self).__name__} needs {sorted(expected)}")
        for name, field in expected.items():
            value = state[name]
            if value.dtype != field.dtype:
                raise InputError(
                    f"state field {name!r} has dtype {value.dtype}; {type(self).__name__} needs {field.dtype}: "
                    f"convert with state[{name!r}].to({field.dtype})"
                )
            if tuple(value.shape[1:]) != field.shape or value.ndim == 0 or value.shape[0] == 0:
                wanted = ", ".join(["ensemble", *map(str, field.shape)])
                raise InputError(f"state field {name!r} has shape {tuple(value.shape)}; needed is ({wanted})")


def state_bytes(process: Process, ensemble: int) -> int:
    """Memory of one state with `ensemble` members, in bytes."""
    total = 0
    for field in process.fields().values():
        count = ensemble
        for n in field.shape:
            count *= n
        total += count * field.dtype.itemsize
    return total
