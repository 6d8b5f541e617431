"""What every emulator is: a rule from the present frame, and a memory of the frames before it, to the next frame.

    memory_0 = remember(x_{1-h}, ..., x_0),    (x_{t+1}, memory_{t+1}) = forward(x_t, memory_t)

So an emulator with a history is a Markov process too: its state is the frame and the memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from sojourn.errors import InputError
from sojourn.training import checkpoint


class EmulatorNetwork(nn.Module, ABC):
    """A learned step for frames (batch, fields, *grid); `history` counts the frames it sees, the present one included.

    Buffers: `mean`, `spread` (standard deviation) of each field and `growth`, the root mean square of its change in one
    step; they are measured on training data by `prepare` and travel with the weights.
    """

    mean: torch.Tensor
    spread: torch.Tensor
    growth: torch.Tensor

    def __init__(self, fields: int, history: int) -> None:
        super().__init__()
        if fields < 1 or history < 1:
            raise InputError(f"fields={fields} and history={history} must both be 1 or more")
        self.field_count, self.history = fields, history
        for name, value in (("mean", 0.0), ("spread", 1.0), ("growth", 1.0)):
            self.register_buffer(name, torch.full((fields,), value))

    @abstractmethod
    def memory_shape(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one member's memory for frames on `grid`; with a zero in it where nothing is remembered."""

    @abstractmethod
    def remember(self, frames: torch.Tensor) -> torch.Tensor:
        """The memory after `frames` (batch, history, fields, *grid), oldest first: (batch, *memory_shape)."""

    @abstractmethod
    def forward(self, frame: torch.Tensor, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The next frame and the memory that goes with it."""

    def prepare(self, frames: torch.Tensor) -> None:
        """Sets the buffers from training trajectories (members, time, fields, *grid), of which some frames are read."""
        apart = max(1, frames.shape[1] // 50)
        before, after = frames[:, :-1:apart], frames[:, 1::apart]
        axes = [0, 1, *range(3, frames.ndim)]
        self.mean.copy_(before.mean(axes))
        self.spread.copy_(before.std(axes).clamp(min=1e-6))
        self.growth.copy_((after - before).square().mean(axes).sqrt().clamp(min=1e-9))

    @property
    def parameter_count(self) -> int:
        """Number of trained numbers."""
        return sum(p.numel() for p in self.parameters())

    def __repr__(self) -> str:
        """Names the weights, so that a trajectory's record says which network made it."""
        weights = checkpoint.digest(self.state_dict())[:12]
        return f"{type(self).__name__}(fields={self.field_count}, history={self.history}, weights={weights})"


class FramesNetwork(EmulatorNetwork):
    """An emulator that remembers the frames: x_{t+1} = x_t + growth * increment((x_{t-h+1..t} - mean)/spread)."""

    @abstractmethod
    def increment(self, frames: torch.Tensor) -> torch.Tensor:
        """(batch, history * fields, y, x), normalised, oldest first -> (batch, fields, y, x) in units of `growth`."""

    def memory_shape(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        return (self.history - 1, self.field_count, *grid)

    def remember(self, frames: torch.Tensor) -> torch.Tensor:
        return frames[:, :-1]

    def forward(self, frame: torch.Tensor, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        frames = torch.cat([memory, frame[:, None]], dim=1)
        scaled = (frames - per_field(self.mean, frame)) / per_field(self.spread, frame)
        change = self.increment(scaled.flatten(1, 2))
        return frame + per_field(self.growth, frame) * change, frames[:, 1:]


def per_field(values: torch.Tensor, frame: torch.Tensor) -> torch.Tensor:
    """(fields,) -> (fields, 1, 1), to broadcast over frames such as `frame` (batch, fields, *grid)."""
    return values.reshape(-1, *[1] * (frame.ndim - 2))


def unroll(network: EmulatorNetwork, frames: torch.Tensor, steps: int) -> torch.Tensor:
    """The `steps` frames (batch, steps, fields, *grid) after a history (batch, history, fields, *grid)."""
    memory, frame = network.remember(frames), frames[:, -1]
    following = []
    for _ in range(steps):
        frame, memory = network(frame, memory)
        following.append(frame)
    return torch.stack(following, dim=1)
