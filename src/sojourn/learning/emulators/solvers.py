"""The rivals of a Gray-Scott emulator: solvers with larger steps, fewer points or lower order, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from sojourn.driver import simulate
from sojourn.learning.emulators.evaluation import Solver, timed, vrmse_loss
from sojourn.learning.emulators.windows import stacked
from sojourn.process import State
from sojourn.processes.gray_scott.gray_scott import GrayScott
from sojourn.trajectory import Trajectory

_VARIANTS = (
    ("ETDRK4", {"dt": 1.0}),
    ("ETDRK4", {"dt": 2.0}),
    ("ETDRK4", {"dt": 5.0}),
    ("ETDRK4", {"dt": 10.0}),
    ("Heun", {"dt": 1.0, "scheme": "heun", "stencil": "fourth"}),
    ("Euler", {"dt": 1.0, "scheme": "euler", "stencil": "fourth"}),
    ("Euler", {"dt": 2.0, "scheme": "euler", "stencil": "second"}),
)


def coarse_solvers(
    tests: Mapping[Any, tuple[GrayScott, Trajectory]], first: int, steps: int, every: int
) -> list[Solver]:
    """Every variant, on all points and on half of them along each side, run from frame `first` for `steps` frames.

    The error is the median over trajectories of VRMSE at the end, mean over fields; seconds are for one member and one
    step of `every` time units, by the quickest code that this package has for the scheme on a CPU.
    """
    return [
        _measured(name, changes, coarsening, tests, first, steps, every)
        for coarsening in (1, 2)
        for name, changes in _VARIANTS
    ]


def _measured(name, changes, coarsening, tests, first, steps, every) -> Solver:
    errors, seconds, members = [], 0.0, 0
    for process, trajectory in tests.values():
        start = {n: v.contiguous() for n, v in trajectory.state(first).items()}
        grid = tuple(n // coarsening for n in process.shape)
        solver = replace(process, shape=grid, **changes)
        small = {n: resample(v, grid) for n, v in start.items()}
        count = round(steps * every * process.dt / solver.dt)

        def solve(solver=solver, small=small, count=count) -> State:
            with torch.no_grad():
                return simulate(solver, small, steps=count, progress=False).state()

        try:
            end = solve()
        except FloatingPointError:
            return Solver(_label(name, changes, process, coarsening), float("inf"), float("inf"))
        seconds += timed(solve, 2)
        members += len(start["u"])
        found = torch.stack([resample(v, process.shape) for v in end.values()], dim=1)
        expected = stacked(Trajectory(trajectory.dataset.isel(time=[first + steps])))[:, 0]
        errors += vrmse_loss(found, expected).mean(-1).tolist()
    return Solver(_label(name, changes, process, coarsening), float(np.median(errors)), seconds / (members * steps))


def resample(values: torch.Tensor, grid: tuple[int, ...]) -> torch.Tensor:
    """Fields (ensemble, y, x) on another periodic grid, by their waves: those that do not fit are dropped."""
    rows, columns = values.shape[-2:]
    if (rows, columns) == tuple(grid):
        return values
    waves = torch.fft.fftshift(torch.fft.fft2(values, norm="forward"), dim=(-2, -1))
    pads = [(n - m) // 2 for n, m in zip(grid, (rows, columns), strict=True)]
    waves = nn.functional.pad(waves, (pads[1], pads[1], pads[0], pads[0]))
    return torch.fft.ifft2(torch.fft.ifftshift(waves, dim=(-2, -1)), norm="forward").real.contiguous()


def _label(name: str, changes: dict, process: GrayScott, coarsening: int) -> str:
    points = "" if coarsening == 1 else f", {process.shape[0] // coarsening} points"
    order = ", order 4 in space" if changes.get("stencil") == "fourth" else ""
    return f"{name} dt={changes['dt']:g}{order}{points}"
