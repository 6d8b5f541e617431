"""Labelled results: a trajectory in memory, or as a Zarr v3 store whose `committed` counter is written last.

A store is preallocated in time; only its first `committed` frames are real, whatever killed the writer. Both forms are
one xarray Dataset with dims (ensemble, time, ...).
"""

from __future__ import annotations

import os
import shutil
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import zarr

from sojourn.errors import InputError
from sojourn.process import Field, Process, State

_CHUNK_BYTES = 4 << 20
_FLUSH_SECONDS = 5.0


class Trajectory:
    """Saved states of one simulated ensemble.

    Attributes:
        dataset: xarray Dataset; dims (ensemble, time, ...), coordinates `time` and the process's own;
            attributes name the process, its
            parameters and the seed. Frames of a store are read when they are used.
        path: the store it is read from, or None.
    """

    def __init__(self, dataset: xr.Dataset, path: Path | None = None) -> None:
        self.dataset = dataset
        self.path = path

    @classmethod
    def open(cls, path: str | Path) -> Trajectory:
        """Reads a store, clipped to what was committed; InputError if there is none."""
        path = Path(path)
        if not (path / "zarr.json").exists():
            raise InputError(f"{path} is not a trajectory; a trajectory is a folder with a zarr.json in it")
        dataset = xr.open_zarr(path, chunks=None)
        if "committed" not in dataset.attrs:
            raise InputError(f"{path} is a Zarr store but not a trajectory: it has no 'committed' counter")
        return cls(dataset.isel(time=slice(0, int(dataset.attrs["committed"]))), path)

    def state(self, index: int = -1) -> State:
        """One saved frame, by default the last, as a state that `simulate` can start from."""
        frame = self.dataset.isel(time=index)
        return {str(name): torch.from_numpy(np.array(values)) for name, values in frame.data_vars.items()}

    def __len__(self) -> int:
        return self.dataset.sizes["time"]

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}={n}" for name, n in self.dataset.sizes.items())
        where = f" in {self.path}" if self.path else ""
        return f"Trajectory of {self.dataset.attrs.get('process', '?')} ({sizes}){where}"


class MemoryWriter:
    """Collects frames in preallocated arrays."""

    def __init__(self, process: Process, ensemble: int, steps: np.ndarray, attributes: dict[str, Any]) -> None:
        self.process, self.steps, self.attributes = process, steps, attributes
        self.arrays = {
            name: np.empty((ensemble, len(steps), *field.shape), numpy_dtype(field.dtype))
            for name, field in process.fields().items()
        }
        self.committed = 0

    def write(self, state: State) -> None:
        for name, array in self.arrays.items():
            array[:, self.committed] = state[name].detach().cpu().numpy()
        self.committed += 1

    def write_between(self, state: State, step: int) -> None:
        """The state at which a run was stopped, in the place of the next planned frame."""
        self.steps[self.committed] = step
        self.write(state)

    def close(self, status: str) -> Trajectory:
        variables = {
            name: (("ensemble", "time", *field.dims), self.arrays[name][:, : self.committed], labels(field))
            for name, field in self.process.fields().items()
        }
        time_axis = ("time", self.steps[: self.committed] * self.process.dt, {"units": self.process.time_unit})
        axes: dict[str, Any] = {"time": time_axis, **self.process.coordinates()}
        attributes = {**self.attributes, "status": status, "committed": self.committed}
        return Trajectory(xr.Dataset(variables, axes, attributes))


class StoreWriter:
    """Writes frames to a Zarr v3 store, whole chunks at a time; the counter follows the data.

    A killed process loses at most the frames still in the buffer (one chunk, or five seconds' worth), and a reader
    never sees a frame that was not written whole.
    """

    def __init__(self, path: Path, process: Process, group: zarr.Group) -> None:
        self.path, self.process, self.group = path, process, group
        self.arrays: dict[str, zarr.Array] = {name: _array(group, name) for name in process.fields()}
        self.frames_per_chunk = next(iter(self.arrays.values())).chunks[1]
        self.committed = int(group.attrs["committed"])  # type: ignore[arg-type]
        self.buffer: list[dict[str, np.ndarray]] = []
        self.flushed_at = time.monotonic()

    @classmethod
    def create(
        cls, path: Path, process: Process, ensemble: int, steps: np.ndarray, attributes: dict[str, Any]
    ) -> StoreWriter:
        """A new store for frames at `steps`, which appears whole or not at all; InputError if `path` is taken."""
        if path.exists():
            raise InputError(f"{path} exists already; choose another place, or go on with it by resume=True")
        beside = path.with_name(f".{path.name}.partial")
        shutil.rmtree(beside, ignore_errors=True)  # what a kill may have left
        path.parent.mkdir(parents=True, exist_ok=True)
        head = {**attributes, "status": "running", "committed": 0}
        group = zarr.create_group(beside, zarr_format=3, attributes=head)
        for name, field in process.fields().items():
            frame = ensemble * int(np.prod(field.shape, dtype=np.int64)) * field.dtype.itemsize
            members = max(1, ensemble * _CHUNK_BYTES // frame) if frame > _CHUNK_BYTES else ensemble
            group.create_array(
                name,
                shape=(ensemble, len(steps), *field.shape),
                chunks=(min(members, ensemble), max(1, min(len(steps), _CHUNK_BYTES // frame)), *field.shape),
                dtype=numpy_dtype(field.dtype),
                fill_value=unwritten(numpy_dtype(field.dtype)),
                dimension_names=("ensemble", "time", *field.dims),
                attributes=labels(field),
            )
        group.create_array(
            "time",
            data=steps * process.dt,
            chunks=(len(steps),),
            dimension_names=("time",),
            attributes={"units": process.time_unit},
        )
        for name, points in process.coordinates().items():
            group.create_array(name, data=points, chunks=points.shape, dimension_names=(name,))
        with warnings.catch_warnings():  # consolidated metadata, which xarray looks for, is not yet in Zarr v3's text
            warnings.simplefilter("ignore", UserWarning)
            zarr.consolidate_metadata(beside)
        os.rename(beside, path)
        return cls(path, process, zarr.open_group(path, mode="r+"))

    def write(self, state: State) -> None:
        self.buffer.append({name: state[name].detach().cpu().numpy().copy() for name in self.arrays})
        full = (self.committed + len(self.buffer)) % self.frames_per_chunk == 0
        if full or time.monotonic() - self.flushed_at > _FLUSH_SECONDS:
            self.flush()

    def write_between(self, state: State, step: int) -> None:
        """The state at which a run was stopped, in the place of the next planned frame."""
        _array(self.group, "time")[self.committed + len(self.buffer)] = step * self.process.dt
        self.write(state)

    def flush(self) -> None:
        """Data first, the counter last: a crash between the two hides whole frames, never shows half of one."""
        if self.buffer:
            end = self.committed + len(self.buffer)
            for name, array in self.arrays.items():
                array[:, self.committed : end] = np.stack([frame[name] for frame in self.buffer], axis=1)
            self.group.attrs["committed"] = end
            self.committed, self.buffer = end, []
        self.flushed_at = time.monotonic()

    def close(self, status: str) -> Trajectory:
        self.flush()
        self.group.attrs["status"] = status
        return Trajectory.open(self.path)


def numpy_dtype(dtype: torch.dtype) -> np.dtype:
    """The NumPy type of a PyTorch type."""
    return torch.empty(0, dtype=dtype).numpy().dtype


def unwritten(dtype: np.dtype) -> Any:
    """What stands in frames that were never written: NaN, or the largest integer (255 for cells), or False."""
    if dtype.kind in "fc":
        return np.nan
    return np.iinfo(dtype).max if dtype.kind in "iu" else False


def labels(field: Field) -> dict[str, Any]:
    """The unit and the long name of a field, as attributes."""
    return {"units": field.unit, "long_name": field.long_name}


def _array(group: zarr.Group, name: str) -> zarr.Array:
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise InputError(f"{group.store} holds no array {name!r}; it was not written by this process")
    return array
