"""A data set of an HDF5 file that xarray reads only where it is used; the file is open only while it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing


class HDF5Array(BackendArray):
    """One data set, with its last `reverse` axes in reverse order.

    Args:
        path: the file.
        key: where the data set is in it.
        reverse: how many of the last axes are turned round: 2 makes (time, x, y) into (time, y, x).
    """

    def __init__(self, path: Path, key: str, *, reverse: int = 0) -> None:
        self.path, self.key = path, key
        with h5py.File(path, "r") as file:
            found: Any = file[key]
            shape, self.dtype = found.shape, found.dtype
        self.order = (*range(len(shape) - reverse), *reversed(range(len(shape) - reverse, len(shape))))
        self.shape = tuple(shape[axis] for axis in self.order)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> np.ndarray:
        stored = tuple(key[axis] for axis in self.order)  # the order is its own inverse
        kept = [axis for axis in self.order if isinstance(key[axis], slice)]
        with h5py.File(self.path, "r") as file:
            found: Any = file[self.key]
            values = np.asarray(found[stored])
        return values.transpose(np.argsort(kept)) if kept else values
