"""The Well's HDF5 files: a Gray-Scott trajectory as its `gray_scott_reaction_diffusion` data set, and any back.

u is A and v is B, float32, arrays (trajectory, time, x[, y[, z]]): the axes are The Well's, in the order of its names.
Source: Ohana et al., "The Well" (NeurIPS 2024, arXiv 2412.00568), and the format page of its documentation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sojourn.errors import InputError
from sojourn.processes.gray_scott.presets import THE_WELL

if TYPE_CHECKING:
    import numpy as np

    from sojourn.trajectory import Trajectory

HDF5 = Any
"""A file, group or data set of h5py, whose types are unions of all three wherever a name is looked up."""

DATASET = "gray_scott_reaction_diffusion"
SPLITS = ("train", "valid", "test")
FIELDS = {"u": "A", "v": "B"}

_CONDITIONS = {"periodic": "PERIODIC", "neumann": "WALL"}
_BLOCK_BYTES = 64 << 20
_GROUPS = ("dimensions", "boundary_conditions", "scalars", "t0_fields")
_RECORD = "sojourn"  # a root attribute: the trajectory's own attributes as JSON; other readers pass it by
_LABELS = ("units", "long_name")
_PUBLISHED = {"diffusivity_u": 2e-5, "diffusivity_v": 1e-5, "boundary": "periodic", "dt": 1.0, "scheme": "etdrk4"}


def write(run: Trajectory, folder: str | Path, *, split: str = "train", pattern: str | None = None) -> Path:
    """Writes one trajectory of Gray-Scott as one file of The Well's, and returns its path.

    The file is `folder/data/<split>/gray_scott_reaction_diffusion_<pattern>_F_<F>_k_<k>.hdf5`, so that the-well's own
    `WellDataset(path=folder, well_split_name=split)` finds it. Numbers become float32; frames are copied in blocks of
    64 MB; the file appears when it is whole.

    Args:
        run: a trajectory of one F and one k, frames equally far apart; in memory or a store.
        folder: the root of the data set.
        split: "train", "valid" or "test".
        pattern: a name for the file; by default the name that The Well gives these F and k, or "custom".

    Raises:
        InputError: the format cannot hold the trajectory: another process, F or k that vary in space, walls other
            than no-flux, or frames that are not equally far apart.
    """
    import h5py

    if split not in SPLITS:
        raise InputError(f"split={split!r} is not known to The Well; choose one of: {', '.join(SPLITS)}")
    parameters = _parameters(run)
    feed, kill = parameters["feed_rate"], parameters["kill_rate"]
    if pattern is None:
        pattern = next((name for name, rates in THE_WELL.items() if rates == (feed, kill)), "custom")
    if not pattern or not all(c.isalnum() or c in "-_" for c in pattern):
        raise InputError(f"pattern={pattern!r} cannot be part of a file name; use letters, digits, - and _")
    path = file_path(folder, split, pattern, feed, kill)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial")  # of one name: what a kill left is written over
    try:
        with h5py.File(beside, "w") as file:
            _head(file, run, parameters)
            _copy_frames(file, run)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def file_path(folder: str | Path, split: str, pattern: str, feed_rate: float, kill_rate: float) -> Path:
    """Where `write` puts a file."""
    return Path(folder) / "data" / split / f"{DATASET}_{pattern}_F_{feed_rate:g}_k_{kill_rate:g}.hdf5"


def read(path: str | Path) -> Trajectory:
    """A file of The Well's as a Trajectory, dims (ensemble, time, [z,] y, x); frames are read when they are used.

    Gray-Scott's A and B become u and v. Of another data set of The Well's the scalar fields (`t0_fields`) are read, by
    their own names. Attributes: `process`, `parameters` (of a published Gray-Scott file: those of its generator), and
    what `write` kept.

    Raises:
        InputError: there is no such file, or it is not one of The Well's; says what is missing.
    """
    import xarray as xr
    from xarray.core.indexing import LazilyIndexedArray

    from sojourn.formats.hdf5_array import HDF5Array
    from sojourn.trajectory import Trajectory

    path = Path(path)
    with _open(path) as file:
        names = [str(name) for name in file["dimensions"].attrs["spatial_dims"]]
        axes = {name: file["dimensions"][name] for name in ("time", *reversed(names))}
        renamed = {well: own for own, well in FIELDS.items()} if file.attrs["dataset_name"] == DATASET else {}
        variables = {}
        for name in file["t0_fields"].attrs["field_names"]:
            dims = _dims(file["t0_fields"][name], names)
            data = HDF5Array(path, f"t0_fields/{name}", reverse=sum(dim in names for dim in dims))
            variables[renamed.get(name, str(name))] = (dims, LazilyIndexedArray(data), _labels(file["t0_fields"][name]))
        coordinates = {name: (name, axis[:].astype("float64"), _labels(axis)) for name, axis in axes.items()}
        return Trajectory(xr.Dataset(variables, coordinates, _attributes(file, path)))


def blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Members and times of blocks that are about 64 MB of float32, and at least one frame of one member."""
    members, frames = shape[:2]
    frame = 4
    for n in shape[2:]:
        frame *= n
    tall = max(1, min(members, _BLOCK_BYTES // frame))
    long = max(1, min(frames, _BLOCK_BYTES // (frame * tall)))
    for first in range(0, members, tall):
        for begin in range(0, frames, long):
            yield slice(first, first + tall), slice(begin, begin + long)


def _labels(place: HDF5) -> dict[str, str]:
    return {name: str(place.attrs[name]) for name in _LABELS if name in place.attrs}


def _dims(field: HDF5, names: list[str]) -> tuple[str, ...]:
    """A field's axes in Sojourn's order: (ensemble, time, z, y, x) without those along which it is constant."""
    along = [name for name, varies in zip(names, field.attrs["dim_varying"], strict=True) if varies]
    leading = (("ensemble", "sample_varying"), ("time", "time_varying"))
    return (*(dim for dim, flag in leading if field.attrs[flag]), *reversed(along))


def _parameters(run: Trajectory) -> dict[str, Any]:
    """The parameters of the run, if the format can hold it; else InputError."""
    import numpy as np

    dataset = run.dataset
    if dataset.attrs.get("process") != "GrayScott":
        raise InputError(
            f"a trajectory of {dataset.attrs.get('process', 'no process')} does not fit The Well's {DATASET}; "
            "give one of GrayScott, or write others with its dataset's to_zarr"
        )
    parameters = dict(dataset.attrs["parameters"])
    for name in ("feed_rate", "kill_rate"):
        if not isinstance(parameters[name], (int, float)):
            raise InputError(
                f"{name} varies in space, and The Well's {DATASET} holds one number of it for a file; keep this "
                "trajectory as its Zarr store, or simulate with a number"
            )
    if parameters["boundary"] not in _CONDITIONS:
        raise InputError(
            f"boundary={parameters['boundary']!r} is none that The Well's format knows (periodic, wall, open); "
            "write runs with boundary='periodic' or 'neumann'"
        )
    times = dataset["time"].values.astype("float64")
    gaps = np.diff(times)
    if len(times) == 0:
        raise InputError("the trajectory has no frames yet; simulate first")
    if len(gaps) and not np.allclose(gaps, gaps[0], rtol=1e-9, atol=0):
        raise InputError(
            f"frames are {gaps.min():g} to {gaps.max():g} apart in time, and The Well's are equally far apart; "
            "simulate with steps a multiple of save_every, or cut the trajectory with its dataset's isel"
        )
    missing = [name for name in _space(dataset) if name not in dataset.coords]
    if missing:
        raise InputError(f"the trajectory has no positions {', '.join(missing)}; add them with dataset.assign_coords")
    return parameters


def _space(dataset: Any) -> list[str]:
    """The axes of space in The Well's order: x first."""
    return [str(name) for name in reversed(dataset["u"].dims[2:])]


def _head(file: HDF5, run: Trajectory, parameters: dict[str, Any]) -> None:
    """All of a file but its frames."""
    import h5py
    import numpy as np

    dataset, names = run.dataset, _space(run.dataset)
    text = h5py.string_dtype()
    rates = {"F": float(parameters["feed_rate"]), "k": float(parameters["kill_rate"])}

    def words(*given: str) -> np.ndarray:
        return np.array(given, dtype=text)

    def varying(place: Any, *, sample: bool, time: bool) -> None:
        place.attrs["sample_varying"], place.attrs["time_varying"] = sample, time

    def label(place: HDF5, name: str) -> None:
        place.attrs.update({key: str(value) for key, value in dataset[name].attrs.items() if key in _LABELS})

    file.attrs["dataset_name"] = DATASET
    file.attrs["grid_type"] = "cartesian"
    file.attrs["n_spatial_dims"] = len(names)
    file.attrs["n_trajectories"] = dataset.sizes["ensemble"]
    file.attrs["simulation_parameters"] = words(*rates)
    file.attrs.update(rates)
    file.attrs[_RECORD] = json.dumps(dataset.attrs)

    dimensions = file.create_group("dimensions")
    dimensions.attrs["spatial_dims"] = words(*names)
    for name in ("time", *names):
        dimensions[name] = dataset[name].values.astype(np.float32)
        varying(dimensions[name], sample=False, time=name == "time")
        label(dimensions[name], name)

    scalars = file.create_group("scalars")
    scalars.attrs["field_names"] = words(*rates)
    for name, value in rates.items():
        scalars[name] = np.float32(value)
        varying(scalars[name], sample=False, time=False)

    conditions, kind = file.create_group("boundary_conditions"), _CONDITIONS[parameters["boundary"]]
    for name in names:
        condition = conditions.create_group(f"{name}_{kind.lower()}")
        condition.attrs["bc_type"] = kind
        condition.attrs["associated_dims"] = words(name)
        condition.attrs["associated_fields"] = words()
        varying(condition, sample=False, time=False)
        where = np.full(dataset.sizes[name], kind == "PERIODIC")
        where[[0, -1]] = True
        condition["mask"] = where

    shape = tuple(dataset.sizes[name] for name in ("ensemble", "time", *names))
    for order, fields in enumerate((FIELDS, {}, {})):
        group = file.create_group(f"t{order}_fields")
        group.attrs["field_names"] = words(*fields.values())
        for own, name in fields.items():
            array = group.create_dataset(name, shape, np.float32)
            array.attrs["dim_varying"] = np.ones(len(names), dtype=bool)
            varying(array, sample=True, time=True)
            label(array, own)


def _copy_frames(file: HDF5, run: Trajectory) -> None:
    dataset = run.dataset
    for own, well in FIELDS.items():
        source, target = dataset[own], file["t0_fields"][well]
        for members, times in blocks(target.shape):
            block = source.isel(ensemble=members, time=times).values.astype("float32", copy=False)
            target[members, times] = block.transpose(0, 1, *reversed(range(2, block.ndim)))


def _open(path: Path) -> HDF5:
    """The file, open, with all that `read` looks at; else InputError."""
    import h5py

    remedy = f"give one of The Well's, such as data/train/{DATASET}_maze_F_0.029_k_0.057.hdf5"
    if not path.is_file():
        raise InputError(f"there is no file {path}; {remedy}")
    try:
        file: HDF5 = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path.name} cannot be read as HDF5 ({error}); {remedy}") from None
    missing = [f"group {name!r}" for name in _GROUPS if name not in file]
    missing += [f"attribute {name!r}" for name in ("dataset_name", "simulation_parameters") if name not in file.attrs]
    if not missing:
        names = list(file["dimensions"].attrs.get("spatial_dims", ()))
        missing += [] if names else ["attribute 'dimensions/spatial_dims'"]
        missing += [f"data set 'dimensions/{name}'" for name in ("time", *names) if name not in file["dimensions"]]
        fields = file["t0_fields"].attrs.get("field_names", ())
        missing += [f"data set 't0_fields/{name}'" for name in fields if name not in file["t0_fields"]]
        missing += [] if len(fields) else ["any scalar field in 't0_fields'"]
    if missing:
        file.close()
        raise InputError(
            f"{path.name} is not laid out as The Well's files: it has no {', no '.join(missing)}; {remedy}"
        )
    return file


def _attributes(file: HDF5, path: Path) -> dict[str, Any]:
    """What `write` kept; or what the file says of itself, and for Gray-Scott the parameters of its generator."""
    if _RECORD in file.attrs:
        return json.loads(file.attrs[_RECORD])
    rates = {str(name): float(file.attrs[name]) for name in file.attrs["simulation_parameters"] if name in file.attrs}
    if file.attrs["dataset_name"] != DATASET:
        return {"process": str(file.attrs["dataset_name"]), "parameters": rates, "source": path.name}
    parameters = {"feed_rate": rates["F"], "kill_rate": rates["k"], **_PUBLISHED}
    return {"process": "GrayScott", "parameters": parameters, "source": path.name}
