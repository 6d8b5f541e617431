"""Training windows: stretches of consecutive frames, drawn from stored trajectories by counter-based noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.trajectory import Trajectory


class Windows:
    """All stretches of `length` frames in some trajectories; which ones a step draws depends on seed and step alone.

    Args:
        trajectories: of one process shape and one saving interval; they are held in memory.
        length: frames in a window.
        noise: which windows; every draw is uniform over members and places.
        device: where the frames are kept.
    """

    def __init__(
        self, trajectories: Sequence[Trajectory], length: int, noise: Noise, device: torch.device | str | None = None
    ) -> None:
        self.frames = torch.cat([stacked(t) for t in trajectories]).to(device or "cpu")
        self.length, self.noise = length, noise
        if self.frames.shape[1] < length:
            raise InputError(
                f"trajectories of {self.frames.shape[1]} frames hold no window of {length}; simulate longer ones"
            )

    def draw(self, step: int, batch: int) -> torch.Tensor:
        """(batch, length, fields, *grid): the windows of training step `step`."""
        places = self.frames.shape[1] - self.length + 1
        pair = self.noise.uniform(step, batch, (2,)).double()
        member = (pair[:, 0] * self.frames.shape[0]).long()
        start = (pair[:, 1].square() * places).long()
        picked = [self.frames[m, s : s + self.length] for m, s in zip(member.tolist(), start.tolist(), strict=True)]
        return torch.stack(picked)


def stacked(trajectory: Trajectory) -> torch.Tensor:
    """A trajectory's fields as one float32 tensor (ensemble, time, fields, *grid), in the order of its variables."""
    arrays = [np.asarray(values.values, np.float32) for values in trajectory.dataset.data_vars.values()]
    return torch.from_numpy(np.stack(arrays, axis=2))
