"""The states of a trajectory as one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr

from sojourn.errors import InputError
from sojourn.trajectory import Trajectory


def path_states(trajectory: Trajectory | xr.Dataset, names: Sequence[str] | None = None) -> torch.Tensor:
    """(members, frames, d) in float64.

    Args:
        trajectory: dims (ensemble, time), or (ensemble, time, component) in one field.
        names: the fields that make the state, in order; None: all of them.

    Raises:
        InputError: fields are missing, have other dims, or hold a value that is not finite.
    """
    dataset = trajectory.dataset if isinstance(trajectory, Trajectory) else trajectory
    if not isinstance(dataset, xr.Dataset):
        raise InputError(f"trajectory is {type(trajectory).__name__}; needed is a Trajectory or an xarray Dataset")
    parts = []
    for name in dataset.data_vars if names is None else names:
        if name not in dataset:
            raise InputError(f"trajectory has no field {name!r}; it has {', '.join(map(str, dataset.data_vars))}")
        field = dataset[name]
        if field.dims[:2] != ("ensemble", "time") or field.ndim > 3:
            raise InputError(f"field {name!r} has dims {field.dims}; needed is (ensemble, time) or one more")
        values = field.values.astype(np.float64)
        if not np.isfinite(values).all():
            raise InputError(f"field {name!r} holds values that are not finite; drop those frames first")
        parts.append(values.reshape(*values.shape[:2], -1))
    return torch.from_numpy(np.concatenate(parts, axis=2))
