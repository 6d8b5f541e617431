"""How two trajectories differ, and how the energy of a field is spread over wavenumbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from sojourn.errors import InputError
from sojourn.trajectory import Trajectory

Frames = Trajectory | xr.Dataset


def vrmse(truth: Frames, other: Frames, *, dims: Sequence[str] = ("y", "x")) -> xr.Dataset:
    """Error in units of the truth's own spread, for every member, time and field.

        VRMSE = sqrt( mean (other - truth)^2 / (var truth + 1e-7) )

    with the mean and the unbiased variance over `dims`: 1 is as good as predicting the spatial mean. This is The
    Well's definition (Ohana et al., arXiv 2412.00568, and the code that goes with it).

    Raises:
        InputError: the two hold other fields, axes or times.
    """
    a, b = _dataset(truth), _dataset(other)
    _check_alike(a, b, dims)
    error = {}
    for name in a.data_vars:
        # frame by frame: a store may be larger than memory
        frames = [_vrmse(a[name].isel(time=k), b[name].isel(time=k), list(dims)) for k in range(a.sizes["time"])]
        error[name] = xr.concat(frames, "time").transpose("ensemble", "time", ...)
    return xr.Dataset(error)


def energy_spectrum(frames: Frames, *, dims: Sequence[str] = ("y", "x")) -> xr.Dataset:
    """Energy of every field in shells of wavenumber: E(k_j) = sum over |k| in shell j of |c_k|^2.

    c are the coefficients of the Fourier series over `dims`; shell j is |k| within dk/2 of j dk, dk = 2 pi over the
    longest extent; so E adds up to the mean square of the field, and E(0) is the square of its mean. Returns dims
    (ensemble, time, wavenumber), wavenumber in 1/length (in 1/cell where the axes have no coordinates).
    """
    data, dims = _dataset(frames), list(dims)
    missing = [d for d in dims if d not in data.dims]
    if missing:
        raise InputError(f"dims={tuple(dims)}: there is no axis {missing[0]!r}; there are {tuple(map(str, data.dims))}")
    waves = [2 * np.pi * np.fft.fftfreq(data.sizes[d], _spacing(data, d)) for d in dims]
    step = 2 * np.pi / max(data.sizes[d] * _spacing(data, d) for d in dims)
    size = np.sqrt(sum(k**2 for k in np.meshgrid(*waves, indexing="ij")))
    shell = np.rint(size / step).astype(np.int64).ravel()
    found = {}
    for name, field in data.data_vars.items():
        frames_ = [
            _shell_energy(field.isel(time=k).transpose(..., *dims).values, shell, len(dims))
            for k in range(data.sizes["time"])
        ]
        found[name] = (("ensemble", "time", "wavenumber"), np.stack(frames_, axis=1))
    axis = ("wavenumber", np.arange(shell.max() + 1) * step, {"long_name": "wavenumber", "units": "1/length"})
    return xr.Dataset(found, {"time": data["time"], "wavenumber": axis})


def _vrmse(truth: xr.DataArray, other: xr.DataArray, dims: list[str]) -> xr.DataArray:
    truth, other = truth.astype(np.float64), other.astype(np.float64)
    square = ((other - truth) ** 2).mean(dims)
    return (square / (truth.var(dims, ddof=1) + 1e-7)) ** 0.5


def _shell_energy(values: np.ndarray, shell: np.ndarray, ndim: int) -> np.ndarray:
    axes = tuple(range(-ndim, 0))
    power = np.abs(np.fft.fftn(values.astype(np.float64), axes=axes, norm="forward")) ** 2
    return np.stack([np.bincount(shell, member.ravel(), shell.max() + 1) for member in power])


def _dataset(frames: Frames) -> xr.Dataset:
    data = frames.dataset if isinstance(frames, Trajectory) else frames
    if not isinstance(data, xr.Dataset) or "time" not in data.dims:
        raise InputError(
            f"frames are a Trajectory or an xarray Dataset with the axis time, not {type(frames).__name__}"
        )
    return data


def _spacing(data: xr.Dataset, dim: str) -> float:
    if dim not in data.coords or data.sizes[dim] < 2:
        return 1.0
    points = data[dim].values
    return float(points[-1] - points[0]) / (len(points) - 1)


def _check_alike(a: xr.Dataset, b: xr.Dataset, dims: Sequence[str]) -> None:
    if set(a.data_vars) != set(b.data_vars):
        raise InputError(
            f"fields {sorted(map(str, a.data_vars))} and {sorted(map(str, b.data_vars))} cannot be compared"
        )
    if dict(a.sizes) != dict(b.sizes):
        raise InputError(
            f"sizes {dict(a.sizes)} and {dict(b.sizes)} differ; compare trajectories of one shape and length"
        )
    missing = [d for d in dims if d not in a.dims]
    if missing:
        raise InputError(f"dims={tuple(dims)}: there is no axis {missing[0]!r}; there are {tuple(map(str, a.dims))}")
    if not np.allclose(a["time"], b["time"]):
        raise InputError("the two trajectories were saved at different times; simulate with the same save_every")
