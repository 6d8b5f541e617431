"""What a trajectory shows of an SDE: pairs of states one frame apart, with the time and the span between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr

from sojourn.data.paths import path_states
from sojourn.errors import InputError
from sojourn.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class Transitions:
    """Pairs (x, y) of states a time h apart, path after path, in float64.

    Attributes:
        x, y: (n, d) states before and after.
        t, h: (n,) time of x, and the span to y.
        path: (n,) which member of the ensemble it is.
    """

    x: torch.Tensor
    y: torch.Tensor
    t: torch.Tensor
    h: torch.Tensor
    path: torch.Tensor

    def __len__(self) -> int:
        return len(self.x)


def transitions(trajectory: Trajectory | xr.Dataset, names: Sequence[str] | None = None) -> Transitions:
    """The transitions of a trajectory; frames may be irregular in time.

    Args:
        trajectory: dims (ensemble, time), or (ensemble, time, component) in one field.
        names: the fields that make the state, in order; None: all of them.

    Raises:
        InputError: fields are missing or have other dims, fewer than two frames, times that do not increase, or a value
            that is not finite.
    """
    states = path_states(trajectory, names)
    dataset = trajectory.dataset if isinstance(trajectory, Trajectory) else trajectory
    time = torch.from_numpy(dataset["time"].values.astype(np.float64))
    members, frames, d = states.shape
    if frames < 2:
        raise InputError(f"trajectory has {frames} frame; two or more are needed")
    if not bool((time.diff() > 0).all()):
        raise InputError("the times of the trajectory do not increase; sort its frames and drop doubles")
    pairs = frames - 1
    return Transitions(
        states[:, :-1].reshape(-1, d),
        states[:, 1:].reshape(-1, d),
        time[:-1].repeat(members),
        time.diff().repeat(members),
        torch.arange(members).repeat_interleave(pairs),
    )
