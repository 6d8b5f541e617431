"""What was recorded, as arrays: fields, times, spacing, boundary, and the solver that made them or stands in for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import xarray as xr

from sojourn.errors import InputError
from sojourn.learning.recover.waves import Waves
from sojourn.processes.gray_scott.gray_scott import GrayScott
from sojourn.processes.gray_scott.stencils import Boundary

_DIMS = ("z", "y", "x")


@dataclass(frozen=True)
class Frames:
    """Recorded states.

    Attributes:
        fields: float64 (ensemble, time, 2, *shape), u and v; u is NaN where only v was recorded.
        times: (time,), increasing.
        solver: a GrayScott of this grid, in float64, whose rates are still to be found.
        known: whether the recording says which scheme made it, so that `solver` is that scheme.
        sees_u: whether u was recorded.
        rounding: relative spacing of the numbers it was recorded in.
    """

    fields: np.ndarray
    times: np.ndarray
    solver: GrayScott
    known: bool
    sees_u: bool
    rounding: float

    @property
    def away(self) -> np.ndarray:
        """The fields less (1, 0), what Dirichlet walls hold: their waves fit the walls."""
        return self.fields - np.array([1.0, 0.0]).reshape(2, *[1] * len(self.solver.shape))

    @property
    def waves(self) -> Waves:
        stencil = "spectral" if self.solver.scheme == "etdrk4" else self.solver.stencil
        return Waves(self.solver.shape, self.solver.spacing, self.solver.boundary, stencil)


def read_frames(source: Any, boundary: str | None) -> Frames:
    """The frames of a Trajectory or of a Dataset with `u` and `v` (or `v` alone); InputError if they cannot be used."""
    data = source if isinstance(source, xr.Dataset) else getattr(source, "dataset", None)
    if not isinstance(data, xr.Dataset):
        raise InputError(
            f"frames are a Trajectory or an xarray Dataset with the fields u and v, not {type(source).__name__}; make "
            'one with xr.Dataset({"v": (("y", "x"), picture)}, {"y": y, "x": x})'
        )
    if "v" not in data:
        raise InputError(
            f"there is no field 'v' among {sorted(map(str, data.data_vars))}; recovering needs u and v, or v"
        )
    for name in ("ensemble", "time"):
        if name not in data.dims:
            data = data.drop_vars(name, errors="ignore").expand_dims({name: [0]})
    times = _times(data)
    if "u" not in data and len(times) > 1:
        raise InputError(
            f"there is no field 'u' in {len(times)} frames; one frame may show v alone: take it with isel(time=[-1])"
        )
    dims = tuple(d for d in _DIMS if d in data["v"].dims)
    unknown = set(map(str, data["v"].dims)) - {"ensemble", "time", *_DIMS}
    if unknown or not dims:
        raise InputError(f"field v has the axes {data['v'].dims}; recovering needs x, (y, x) or (z, y, x)")
    v = _values(data, "v", dims)
    u = _values(data, "u", dims) if "u" in data else np.full_like(v, np.nan)
    solver, known = _solver(data, dims, boundary)
    if v.shape[2:] != solver.shape or u.shape != v.shape:
        raise InputError(f"u and v have shapes {u.shape} and {v.shape}; the grid has {solver.shape}")
    rounding = float(np.finfo(data["v"].dtype).eps) if data["v"].dtype.kind == "f" else 0.0
    return Frames(np.stack([u, v], axis=2), times, solver, known, "u" in data, rounding)


def _times(data: xr.Dataset) -> np.ndarray:
    if data.sizes["time"] > 1 and "time" not in data.coords:
        raise InputError("the frames have no times; give the Dataset a coordinate 'time'")
    if data.sizes["time"] == 0 or data.sizes["ensemble"] == 0:
        raise InputError(
            "there are no frames; recovering needs one picture of a stationary pattern, or two frames or more"
        )
    times = data["time"].values.astype(np.float64)
    late = np.flatnonzero(~(np.diff(times) > 0))
    if len(late):
        k = int(late[0])
        raise InputError(
            f"times do not increase: frame {k} is at {times[k]:g} and frame {k + 1} at {times[k + 1]:g}; sort the "
            "frames and leave out doubles"
        )
    return times


def _values(data: xr.Dataset, name: str, dims: tuple[str, ...]) -> np.ndarray:
    values = data[name].transpose("ensemble", "time", *dims).values.astype(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        member, time, *place = map(int, bad[0])
        raise InputError(
            f"field {name} is {values[tuple(bad[0])]} at member {member}, frame {time}, cell {tuple(place)} "
            f"({len(bad)} such in all); leave these frames out"
        )
    return values


def _solver(data: xr.Dataset, dims: tuple[str, ...], boundary: str | None) -> tuple[GrayScott, bool]:
    """The scheme that made the data, if it says so; else ETDRK4 (Dirichlet: RK4 on fourth-order differences)."""
    recorded = data.attrs.get("parameters", {}) if data.attrs.get("process", "GrayScott") == "GrayScott" else {}
    for name in ("feed_rate", "kill_rate"):
        if isinstance(recorded.get(name), dict):
            raise InputError(
                f"{name} varies in space in this trajectory (mean {recorded[name].get('mean')}); only rates that are "
                "the same everywhere can be recovered"
            )
    told = recorded.get("boundary")
    if boundary is not None and told is not None and boundary != told:
        raise InputError(f'boundary="{boundary}", but the trajectory says "{told}"; leave it out')
    where = boundary or told or "periodic"
    if where not in get_args(Boundary):
        raise InputError(f"boundary={where!r} is not known; choose one of: {', '.join(get_args(Boundary))}")
    shape = tuple(int(data.sizes[d]) for d in dims)
    if recorded and tuple(recorded["shape"]) != shape:
        raise InputError(
            f"the frames have shape {shape} and their trajectory {tuple(recorded['shape'])}; a part of the domain has "
            "other walls: give the whole of it"
        )
    if recorded:
        same = ("extent", "dt", "scheme", "stencil", "dealias")
        given = {k: tuple(recorded[k]) if isinstance(recorded[k], list) else recorded[k] for k in same}
        start = {"diffusivity_u": 1e-12, "diffusivity_v": 1e-12, "feed_rate": 0.03, "kill_rate": 0.06}
        return GrayScott(shape=shape, boundary=where, dtype="float64", **start, **given), True  # type: ignore[arg-type]
    extent = tuple(_spacing(data, d) * n for d, n in zip(dims, shape, strict=True))
    scheme: dict[str, Any] = (
        {"scheme": "rk4", "stencil": "fourth"} if where == "dirichlet" else {"scheme": "etdrk4", "dealias": "none"}
    )
    return GrayScott(
        shape=shape, extent=extent, boundary=where, dtype="float64", dt=1.0,  # type: ignore[arg-type]
        diffusivity_u=1e-12, diffusivity_v=1e-12, **scheme,
    ), False  # fmt: skip


def _spacing(data: xr.Dataset, dim: str) -> float:
    """Distance of grid points along an axis; InputError unless it is one number above zero."""
    if dim not in data.coords or data.sizes[dim] < 2:
        raise InputError(
            f"axis {dim} has no places; give the Dataset a coordinate {dim!r}, the diffusivities' unit of length"
        )
    steps = np.diff(data[dim].values.astype(np.float64))
    if not (steps > 0).all() or np.ptp(steps) > 1e-3 * steps.mean():
        raise InputError(
            f"axis {dim} has steps from {steps.min():g} to {steps.max():g}; they must be equal, above zero"
        )
    return float(steps.mean())
