"""How good an emulator is: one step from the truth, rollouts beside it, and how soon it pays for its training."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import student
from sojourn.driver import simulate
from sojourn.kernels.threads import map_quietly
from sojourn.learning.emulators.emulator import Emulator
from sojourn.learning.emulators.network import EmulatorNetwork, unroll
from sojourn.learning.emulators.windows import stacked
from sojourn.measures import vrmse
from sojourn.trajectory import Trajectory

HORIZONS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 400)
WINDOWS = {"6:12": slice(6, 12), "13:30": slice(13, 30)}
"""Rollout windows of The Well's benchmark, as slices of the predicted steps."""
UNIFORM = 1e-7
"""A frame whose variance is below this, the constant in VRMSE's root, is uniform: its VRMSE measures something else."""


def vrmse_loss(predicted: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """VRMSE, `sojourn.vrmse`, of frames (..., fields, y, x), differentiable: (..., fields)."""
    square = (predicted - truth).square().mean((-2, -1))
    return (square / (truth.var((-2, -1)) + UNIFORM)).sqrt()


def one_step(network: EmulatorNetwork, frames: torch.Tensor, batch: int = 4) -> torch.Tensor:
    """VRMSE one step on from every place in `frames` (members, time, fields, y, x): (members, places, fields)."""
    h, device = network.history, network.mean.device
    windows = frames.unfold(1, h + 1, 1).movedim(-1, 2)  # (members, places, h + 1, fields, y, x)
    members, places = windows.shape[:2]

    def error(chosen: torch.Tensor) -> torch.Tensor:
        piece = windows[chosen // places, chosen % places].to(device)
        return vrmse_loss(unroll(network, piece[:, :h], 1)[:, 0], piece[:, h]).cpu()

    pieces = torch.arange(members * places).split(batch)
    return torch.cat(map_quietly(error, pieces)).reshape(members, places, -1)


class Rollout(NamedTuple):
    """An emulator's trajectory beside the truth's; `error` is their VRMSE (ensemble, time), step 1 first."""

    truth: xr.Dataset
    emulated: xr.Dataset
    error: xr.Dataset
    uniform: np.ndarray
    seconds: float


def roll(emulator: Emulator, truth: Trajectory, steps: int, device: str | None = None) -> Rollout:
    """`steps` steps from the truth's first frames; `seconds` is for one step of one member."""
    h = emulator.network.history
    target = torch.device(device or "cpu")
    start = emulator.begin(stacked_head(truth, h).to(target))
    began = time.perf_counter()
    found = simulate(emulator, start, steps=steps, save_every=1, progress=False)
    seconds = (time.perf_counter() - began) / (steps * len(next(iter(start.values()))))
    names = list(emulator.truth.fields())
    emulated = found.dataset[names].isel(time=slice(1, None))
    following = truth.dataset[names].isel(time=slice(h, h + steps)).load()
    emulated = emulated.assign_coords(time=following["time"])
    error = vrmse(following, emulated)
    spread = following.to_array("field").astype(np.float64).var(("y", "x"), ddof=1).min("field")
    uniform = (spread < UNIFORM).transpose("ensemble", "time").values
    return Rollout(following, emulated, error, uniform, seconds)


def stacked_head(truth: Trajectory, frames: int) -> torch.Tensor:
    """The first frames of a trajectory, (ensemble, frames, fields, *grid)."""
    return stacked(Trajectory(truth.dataset.isel(time=slice(0, frames))))


def summarise(errors: np.ndarray, uniform: np.ndarray) -> dict[str, Any]:
    """Errors (members, steps, fields) of rollouts as numbers for a record.

    Windows are means over members and steps, as the benchmark has them: over all, and over those steps where the truth
    is not uniform. The curve has quartiles over members of the mean over fields.
    """
    each = errors.mean(-1)
    horizons = [k for k in HORIZONS if k <= each.shape[1]]
    windows = {}
    for name, part in WINDOWS.items():
        if each[:, part].size:
            living = each[:, part][~uniform[:, part]]
            windows[name] = {
                "mean": _plain(each[:, part].mean()),
                "estimate": over_trajectories(each[:, part].mean(1)).to_dict(),
                "fields": [_plain(x) for x in errors[:, part].mean((0, 1))],
                "median": _plain(np.median(each[:, part].mean(1))),
                "mean_where_not_uniform": _plain(living.mean()) if living.size else None,
            }
    return {
        "windows": windows,
        "horizons": horizons,
        "quartiles": [[_plain(q) for q in np.quantile(each[:, k - 1], (0.25, 0.5, 0.75))] for k in horizons],
        "fields": [[_plain(q) for q in np.median(errors[:, k - 1], axis=0)] for k in horizons],
        "uniform": [int(uniform[:, k - 1].sum()) for k in horizons],
        "members": int(each.shape[0]),
    }


def over_trajectories(errors: np.ndarray) -> Estimate:
    """The mean of errors, one a trajectory, with Student's interval cut at zero.

    Where each pattern has as many trajectories, it is wider than it need be: it takes patterns as drawn too.
    """
    found = student(errors)
    limits = (
        "other trainings: weights, batches and training trajectories were drawn once",
        "starts that patterns have in common, as if trajectories were independent",
        "rare trajectories of large error",
    )
    return replace(found, low=max(found.low, 0.0), method="Student over trajectories", limits=limits)


class Solver(NamedTuple):
    """A solver that could stand in for an emulator: its error at the horizon and its seconds for one member's step."""

    name: str
    error: float
    seconds: float


def breakeven(upfront: float, seconds: float, solver: float) -> float | None:
    """How many steps pay for the training: upfront / (solver - seconds), or None, never, if the solver is as quick.

        N* = (data + training) / (cost of the equal-error solver - cost of the emulator)

    All in seconds; `solver` and `seconds` for one step of one member. Source: Zhang et al., "Breakeven complexity"
    (arXiv 2605.15399).
    """
    return upfront / (solver - seconds) if solver > seconds else None


def cheapest(solvers: Sequence[Solver], error: float) -> Solver | None:
    """The quickest solver whose error is no larger; None if there is none."""
    able = [s for s in solvers if s.error <= error]
    return min(able, key=lambda s: s.seconds) if able else None


def timed(work: Callable[[], Any], repeats: int = 3) -> float:
    """Seconds of the quickest of a few calls."""
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return best


def _plain(value: Any) -> float:
    return float(f"{float(value):.6g}")
