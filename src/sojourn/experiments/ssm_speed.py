"""`sojourn run ssm-speed`: seconds a step of training against dimension, beside Song et al. (2019), figure 2."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

import torch
from rich.markup import escape
from rich.table import Table
from torch import Tensor

from sojourn.errors import InputError
from sojourn.experiments.base import Experiment
from sojourn.experiments.figures import save
from sojourn.experiments.results import kept, lines
from sojourn.experiments.ssm_speed_figure import curves
from sojourn.experiments.ssm_uci import NAMES
from sojourn.kernels.threads import one_thread
from sojourn.noise import Noise
from sojourn.observers import ProgressBar
from sojourn.runs import Run
from sojourn.score.fitting import Objective, objective_of
from sojourn.score.kernel_family import DeepKernelExponentialFamily

PUBLISHED: dict[int, float] = {100: 1.6, 200: 4.0, 400: 8.3}
"""Seconds of exact score matching by dimension, read off the figure; beyond, memory ran out."""

PUBLISHED_SLICED = 0.3, 0.5
"""Seconds between which SSM-VR lies there from 100 to 800 dimensions."""

Iteration = Callable[[int], Tensor]
"""step -> the loss, after which the weights have moved."""


@dataclass(frozen=True)
class SsmSpeed(Experiment):
    """Time one step of training a deep kernel exponential family at many dimensions, for five objectives.

    A step: alpha from one half of a batch of normal data, the loss of the other half, its gradients, Adam. Times are
    those of one thread of this machine, and do not repeat to the digit; what was timed is kept.

    Args:
        dimensions: of the data.
        objectives: sliced_reduced (SSM-VR), sliced (SSM), denoising (DSM), curvature_propagation (CP), exact.
        rounds: steps of each that are timed, in turns, after one that is not.
        half: data in each half of a batch.
        inducing: points.
        seed: of weights, data and noise.
    """

    dimensions: tuple[int, ...] = (10, 30, 100, 200, 400, 800, 1600)
    objectives: tuple[str, ...] = get_args(Objective)
    rounds: int = 3
    half: int = 100
    inducing: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [name for name in self.objectives if name not in get_args(Objective)]
        if unknown or not self.objectives:
            raise InputError(
                f"objectives={unknown or self.objectives} is not known; choose from {', '.join(get_args(Objective))}"
            )
        if not self.dimensions or min(self.dimensions) < 1:
            raise InputError(f"dimensions={self.dimensions} are not whole numbers of 1 or more")
        for name in ("rounds", "half", "inducing"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} is below 1")
        Noise(self.seed)

    def run(self, run: Run) -> list[str]:
        run.folder("times")
        bar = ProgressBar("dimensions", 0, len(self.dimensions), unit="dimensions")
        found: dict[int, dict[str, list[float]]] = {}
        try:
            for k, d in enumerate(self.dimensions):
                found[d] = kept(run, f"times/{d}", partial(self._time, d))
                bar.see(k + 1, {})
        finally:
            bar.close()
        save(curves(found, NAMES, PUBLISHED, PUBLISHED_SLICED), run.folder("figures") / "seconds.png")
        run.result(
            seconds={str(d): {name: statistics.median(t) for name, t in row.items()} for d, row in found.items()}
        )
        return self._story(run, found)

    def _time(self, dimension: int) -> dict[str, list[float]]:
        noise = Noise(self.seed)
        x = noise.split("data").normal(0, 2 * self.half, (dimension,))
        steps = {name: iteration(begun(dimension, self.inducing, noise), name, x, noise) for name in self.objectives}
        found: dict[str, list[float]] = {name: [] for name in self.objectives}
        for turn in range(self.rounds + 1):
            for name, step in steps.items():
                start = time.perf_counter()
                step(turn)
                if turn:
                    found[name].append(time.perf_counter() - start)
        return found

    def _story(self, run: Run, found: dict[int, dict[str, list[float]]]) -> list[str]:
        table = Table(
            title=f"Seconds a step of training, medians of {self.rounds}; published with other code on a GPU",
            title_justify="left",
            box=None,
            padding=(0, 3, 0, 0),
        )
        table.add_column("objective")
        for d in found:
            table.add_column(f"D = {d}", justify="right")
        for name in self.objectives:
            table.add_row(NAMES[name], *(f"{statistics.median(row[name]):.3f}" for row in found.values()))
        table.add_row("exact, published", *(f"{PUBLISHED[d]:g}" if d in PUBLISHED else "" for d in found), style="dim")
        low, high = PUBLISHED_SLICED
        band = (f"{low:g}-{high:g}" if 100 <= d <= 800 else "" for d in found)
        table.add_row("SSM-VR, published", *band, style="dim")
        return [
            *lines(table),
            "",
            "Times of one thread of this machine, at this load: another run gives others.",
            "The published exact objective ran out of memory beyond D = 400.",
            f"Look at {escape(str(run.path / 'figures'))}: seconds.png.",
        ]


def begun(dimension: int, inducing: int, noise: Noise) -> DeepKernelExponentialFamily:
    """A family with normal inducing points, before any step."""
    torch.default_generator.manual_seed(noise.split("start").stream)
    return DeepKernelExponentialFamily(noise.split("points").normal(0, inducing, (dimension,)))


def iteration(family: DeepKernelExponentialFamily, objective: Any, x: Tensor, noise: Noise) -> Iteration:
    """A step of training on the two halves of x (n, D), with directions of its own at every step."""
    optimiser = torch.optim.Adam(family.parameters(), lr=1e-2)
    first, second = x.chunk(2)

    @one_thread()
    def step(number: int) -> Tensor:
        optimiser.zero_grad()
        alpha = family.weigh(objective_of(family, objective, first, noise.split(0), number))
        loss = objective_of(family, objective, second, noise.split(1), number).value(alpha)
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step
