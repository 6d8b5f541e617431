"""Martingale tools on simulated paths: their variations, and bounds on P(max_k M_k >= level) from an ensemble.

[M]_k = sum_{j<=k} (M_j - M_{j-1})^2, <M>_k = sum_{j<=k} Var(M_j - M_{j-1} | past). Members are independent paths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import clopper_pearson
from sojourn.bounds.intervals.wagers import betting
from sojourn.bounds.martingales import fan_grama_liu
from sojourn.bounds.rounding import above, ball
from sojourn.errors import InputError
from sojourn.trajectory import Trajectory

Paths = Trajectory | xr.Dataset | xr.DataArray | np.ndarray
"""One quantity on saved frames: a Trajectory or Dataset of one variable, a DataArray with the axes ensemble and time,
or a plain array (ensemble, time, ...)."""


def quadratic_variation(paths: Paths) -> Any:
    """[M]_k, 0 at the first frame; an array like the paths, with their coordinates.

    Every number is rounded up where it has to be rounded, so [M]_k <= v is true where it says so.
    """
    x = _quantity(paths)
    steps = _up(*_sum(x.values[:, 1:], -x.values[:, :-1]), away=True)
    return _like(paths, x, "quadratic_variation", _running(_up(*_square(np.abs(steps)))))


def predictable_variation(paths: Paths, variance: float | np.ndarray | Callable[[np.ndarray], Any]) -> Any:
    """<M>_k, 0 at the first frame; an array like the paths, with their coordinates, its sums rounded up.

    Args:
        paths: the paths.
        variance: Var(M_{k+1} - M_k | past) of the step from each saved frame to the next: one number, an array
            (ensemble, time - 1, ...), or a function of the values at all frames but the last that gives it.
    """
    x = _quantity(paths)
    return _like(paths, x, "predictable_variation", _running(_variances(x, variance)))


def doob_bound(
    paths: Paths, level: float, *, range: tuple[float, float], confidence: float = 0.95, family: int = 1
) -> Estimate:
    """A bound on P(max_k X_k >= level) for a submartingale X, E[X_n^+] / level, from the last frame of an ensemble.

    E[X_n^+] has an upper confidence limit from the betting interval; Doob's inequality does the rest. Unlike a count of
    paths, it covers the times between the saved frames.

    Args:
        paths: independent paths of X.
        level: above zero.
        range: (a, b) with a <= X_n <= b for the last frame.
        confidence, family: of the upper end, as everywhere.
    """
    checks.positive("level", level)
    a, b = checks.bracket("range", range)
    last = checks.observations(frames_of(paths).values[:, -1], (a, b))
    if b <= 0:
        raise InputError(f"range=({a:g}, {b:g}) has no values above zero; then level={level:g} is never reached")
    positive, ends = np.maximum(last, 0.0), (max(a, 0.0), b)
    mean = betting(positive, range=ends, confidence=confidence, side="upper", family=family)
    return Estimate(
        value=min(1.0, mean.value / level),
        low=0.0,
        high=min(1.0, above(lambda: ball(mean.high) / ball(level))),
        confidence=confidence,
        guarantee="at this n",
        method="Doob, betting",
        assumes=f"the paths are independent, each a submartingale with its last value in [{a:g}, {b:g}]",
        limits=("how far the bound is above the probability itself",),
        observations=len(last),
        family=family,
    )


def freedman_bound(
    paths: Paths,
    level: float,
    *,
    variance: float | np.ndarray | Callable[[np.ndarray], Any],
    variation: float,
    largest: float,
    confidence: float = 0.95,
    family: int = 1,
) -> Estimate:
    """A bound on P(max_k M_k - M_0 >= level) for a martingale M: Freedman's, and P(<M>_n > v) from an ensemble.

        P(max_k M_k - M_0 >= level) <= P(M_k - M_0 >= level, <M>_k <= v for some k) + P(<M>_n > v)

    The first is bounded by `fan_grama_liu`, the second has the upper limit of Clopper and Pearson. It sees what a count
    of paths cannot: levels that no path reached.

    Args:
        paths: independent paths of M.
        level: above zero, counted from the first frame.
        variance: as for `predictable_variation`.
        variation: v, chosen before the paths were seen.
        largest: at or above every step from one saved frame to the next.
        confidence, family: of the upper end, as everywhere.
    """
    checks.positive("level", level)
    x = frames_of(paths)
    _refuse_larger(x.values, checks.positive("largest", largest))
    first = fan_grama_liu(level, n=x.sizes["time"] - 1, variation=variation, largest=largest)
    beyond = int((_running(_variances(x, variance))[:, -1] > variation).sum())
    second = clopper_pearson(beyond, len(x), confidence=confidence, side="upper", family=family)
    return Estimate(
        value=min(1.0, first + second.value),
        low=0.0,
        high=min(1.0, above(lambda: ball(first) + ball(second.high))),
        confidence=confidence,
        guarantee="at this n",
        method="Freedman, Clopper-Pearson",
        assumes=f"the paths are independent, each a martingale with steps of {largest:g} at most",
        limits=("how far the bound is above the probability itself", "the times between the saved frames"),
        observations=len(x),
        family=family,
    )


def frames_of(paths: Paths) -> xr.DataArray:
    """Paths of one number at each of two frames or more, as doubles with dims (ensemble, time)."""
    x = _quantity(paths)
    if x.ndim != 2 or x.sizes["time"] < 2:
        raise InputError(f"the paths have sizes {dict(x.sizes)}; give one number at each of two frames or more")
    return x


def _refuse_larger(x: np.ndarray, largest: float) -> None:
    steps = np.diff(x, axis=1)
    worst = np.unravel_index(steps.argmax(), steps.shape)
    if np.nextafter(steps[worst], -np.inf) > largest:
        raise InputError(
            f"path {worst[0]} steps by {steps[worst]:.9g} at frame {worst[1] + 1}, above largest={largest:g}; "
            f"give a number that no step can exceed"
        )


def _variances(x: xr.DataArray, variance: float | np.ndarray | Callable[[np.ndarray], Any]) -> np.ndarray:
    before = x.values[:, :-1]
    given = np.asarray(variance(before) if callable(variance) else variance, dtype=np.float64)
    try:
        found = np.broadcast_to(given, before.shape)
    except ValueError:
        raise InputError(
            f"variance has shape {given.shape}; needed is {before.shape}, one for each step of each path"
        ) from None
    if not (np.isfinite(found) & (found >= 0)).all():
        raise InputError(f"variance holds {found[~(np.isfinite(found) & (found >= 0))][0]}; variances are zero or more")
    return found


# ------------------------------------------------------------------------------------------------ rounding up


def _running(steps: np.ndarray) -> np.ndarray:
    """Sums of steps up to each frame along axis 1, each rounded up; 0 first."""
    frames = np.zeros((steps.shape[1] + 1, steps.shape[0], *steps.shape[2:]))
    for k, step in enumerate(np.ascontiguousarray(np.swapaxes(steps, 0, 1))):  # a frame lies in one piece
        frames[k + 1] = _up(*_sum(frames[k], step))
    return np.ascontiguousarray(np.swapaxes(frames, 0, 1))


def _up(value: np.ndarray, error: np.ndarray, away: bool = False) -> np.ndarray:
    """value where value + error is not above it, else the next float (away from zero where the error points there)."""
    if away:
        return np.where(error * np.sign(value) > 0, np.nextafter(value, np.copysign(np.inf, value)), value)
    return np.where(error > 0, np.nextafter(value, np.inf), value)


@np.errstate(over="ignore", invalid="ignore")
def _sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a + b as a float, and what it lacks, exactly (Knuth)."""
    s = a + b
    c = s - a
    return s, (a - (s - c)) + (b - c)


@np.errstate(over="ignore", invalid="ignore")
def _square(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a^2 as a float, and what it lacks (Dekker): exactly, or a positive number where it could have been lost."""
    p = a * a
    high = a * 134217729.0
    high = high - (high - a)
    low = a - high
    error = ((high * high - p) + 2 * high * low) + low * low
    return p, np.where((a > 0) & (p < 1e-250), 1.0, error)


# ------------------------------------------------------------------------------------------------ paths


def _quantity(paths: Paths) -> xr.DataArray:
    """The one quantity of the paths as doubles, dims (ensemble, time, ...)."""
    data: Any = paths.dataset if isinstance(paths, Trajectory) else paths
    if isinstance(data, xr.Dataset):
        if len(data.data_vars) != 1:
            names = ", ".join(map(str, data.data_vars))
            raise InputError(f"the paths hold {names or 'no variable'}; give one of them, such as dataset['X']")
        data = data[next(iter(data.data_vars))]
    if not isinstance(data, xr.DataArray):
        values = np.asarray(data)
        if values.ndim < 2:
            raise InputError(f"the paths have shape {values.shape}; give (ensemble, time), one path as paths[None]")
        data = xr.DataArray(values, dims=("ensemble", "time", *(f"axis_{k}" for k in range(2, values.ndim))))
    if not {"ensemble", "time"} <= set(data.dims) or not data.size:
        raise InputError(f"the paths have sizes {dict(data.sizes)}; needed are the axes ensemble and time, not empty")
    data = data.transpose("ensemble", "time", ...).astype(np.float64)
    if not np.isfinite(data.values).all():
        member = int(np.argwhere(~np.isfinite(data.values))[0][0])
        raise InputError(f"path {member} is not finite throughout; leave it out, and say why")
    return data


def _like(paths: Paths, x: xr.DataArray, name: str, values: np.ndarray) -> Any:
    labelled = isinstance(paths, (Trajectory, xr.Dataset, xr.DataArray))
    return xr.DataArray(values, x.coords, x.dims, name) if labelled else values
