"""`sojourn run gray-scott-atlas`: the (k, F) plane of Gray-Scott, simulated point by point, measured and drawn."""

from __future__ import annotations

import io
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from sojourn.errors import InputError
from sojourn.experiments import gray_scott_atlas_figures as figures
from sojourn.experiments.base import Experiment
from sojourn.experiments.figures import save
from sojourn.experiments.gray_scott_sweep import FRAMES, sweep
from sojourn.learning.morphology import CLASSES, LAG, Measures, classify
from sojourn.noise import Noise
from sojourn.observers import ProgressBar
from sojourn.processes.gray_scott.presets import PRESETS
from sojourn.runs import Run

FEED_RATES, KILL_RATES = (0.006, 0.11), (0.03, 0.072)

PUBLISHED = {
    "gliders": ("moving spots", {"chaotic spots"}),
    "bubbles": ("bubbles", {"bubbles"}),
    "maze": ("a maze", {"labyrinth"}),
    "worms": ("worms", {"worms"}),
    "spirals": ("spirals", {"waves"}),
    "spots": ("spots", {"spots"}),
    "alpha": ("wavelets and young spirals that annihilate", {"waves"}),
    "beta": ("waves on blue, in which red voids open", {"waves"}),
    "gamma": ("stripes that are never at rest", {"labyrinth", "worms", "waves"}),
    "delta": ("a hexagonal array of negative spots", {"holes"}),
    "epsilon": ("chaotic spots, which divide and die of crowding", {"chaotic spots"}),
    "zeta": ("like epsilon, with longer-lived spots", {"chaotic spots"}),
    "eta": ("spots and short worms", {"spots", "worms"}),
    "theta": ("branching stripes, which join to networks", {"labyrinth"}),
    "iota": ("negative spots, viable in company", {"holes"}),
    "kappa": ("branching stripes in several sets", {"labyrinth", "worms"}),
    "lambda": ("spots that divide, then rest in hexagons", {"spots"}),
    "mu": ("worms, some inert spots", {"worms"}),
    "nu": ("inert spots that drift apart", {"spots"}),
    "xi": ("large spirals; they die out in small domains", {"waves"}),
    "pi": ("negative spots, stripes and loops", {"holes"}),
    "rho": ("red bubbles with walls of v", {"bubbles"}),
    "sigma": ("blue bubbles with walls without v", {"bubbles"}),
    "u-skate": ("negative spots and moving U shapes", {"holes"}),
}
"""What was published of a named point, in short, and the classes here that would agree with it.

Of The Well's six, the names; of Munafo's, his pages on Pearson's classes (mrob.com/pub/comp/xmorphia).
"""


@dataclass(frozen=True)
class GrayScottAtlas(Experiment):
    """Draw the map of all Gray-Scott patterns: simulate every point of the (k, F) plane, measure its pattern, name it.

    Args:
        points: how many feed rates (0.006 to 0.11) and kill rates (0.03 to 0.072).
        side: height and width of each point's domain in cells of 2.5/256.
        steps: time that each point gets; a step is 1 time unit, or two are where 1 would be unstable.
        seed: the seed of the starts.
    """

    points: tuple[int, int] = (48, 53)
    side: int = 128
    steps: int = 16_000
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.points) < 2:
            raise InputError(f"points={self.points} is no plane; use 2 or more feed rates and kill rates")
        if self.side < 32:
            raise InputError(f"side={self.side} is too small to hold a pattern; use 32 cells or more")
        if self.steps < LAG * FRAMES + 500:
            raise InputError(
                f"steps={self.steps} leaves no time before the last {LAG * FRAMES}, which are measured; "
                f"use {LAG * FRAMES + 500} or more"
            )
        Noise(self.seed)

    def run(self, run: Run) -> list[str]:
        feeds, kills = (np.linspace(*ends, n) for ends, n in zip((FEED_RATES, KILL_RATES), self.points, strict=True))
        rates = [(float(f), float(k)) for f in feeds for k in kills] + list(PRESETS.values())
        began, before, records = time.monotonic(), self._simulated(run), self._sweep(run, rates)
        speed = (int(records["steps"].sum()) - before) * self.side**2 / (time.monotonic() - began)
        names = np.array([classify(Measures(*(r[name] for name in Measures._fields))) for r in records])
        plane, named = (
            records[: -len(PRESETS)].reshape(self.points),
            dict(zip(PRESETS, names[-len(PRESETS) :], strict=True)),
        )
        classes = names[: -len(PRESETS)].reshape(self.points)
        self._keep(run, plane, classes)
        folder = run.folder("figures")
        save(figures.atlas(plane), folder / "atlas.png", dpi=200)
        save(figures.class_map(plane, classes), folder / "classes.png")
        counts = {name: int((classes == name).sum()) for name in CLASSES}
        run.result(points=classes.size, classes=counts, named=named)
        return self._story(run, counts, named, speed)

    def _simulated(self, run: Run) -> int:
        path = run.path / "points.npy"
        return int(np.load(path, mmap_mode="r")["steps"].sum()) if path.exists() else 0

    def _sweep(self, run: Run, rates: list[tuple[float, float]]) -> np.ndarray:
        path = run.path / "points.npy"
        done = int(np.load(path, mmap_mode="r")["done"].sum()) if path.exists() else 0
        bar = ProgressBar("points of the plane", done, len(rates), "points")
        try:
            return sweep(path, rates, side=self.side, steps=self.steps, seed=self.seed, see=bar.see)
        finally:
            bar.close()

    def _keep(self, run: Run, plane: np.ndarray, classes: np.ndarray) -> None:
        """The labelled result, atlas.zarr: measures, thumbnails and classes over (feed_rate, kill_rate)."""
        import xarray as xr

        axes = ("feed_rate", "kill_rate")
        data: dict[str, Any] = {name: (axes, plane[name]) for name in (*Measures._fields, "draws", "steps")}
        data["thumbnail"] = ((*axes, "row", "column"), plane["thumbnail"])
        number = {name: k for k, name in enumerate(CLASSES)}
        meaning = {"flag_values": list(number.values()), "flag_meanings": " ".join(n.replace(" ", "_") for n in number)}
        data["class"] = (axes, np.vectorize(number.get)(classes).astype(np.uint8), meaning)
        points = {"feed_rate": plane["feed_rate"][:, 0], "kill_rate": plane["kill_rate"][0]}
        path, beside = run.path / "atlas.zarr", run.path / ".atlas.zarr.partial"
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(path, ignore_errors=True)
        xr.Dataset(data, points).to_zarr(beside, zarr_format=3, consolidated=False)
        beside.rename(path)

    def _story(self, run: Run, counts: dict[str, int], named: dict[str, str], speed: float) -> list[str]:
        agree = sum(found in PUBLISHED[name][1] for name, found in named.items())
        kinds = ", ".join(f"{count} {name}" for name, count in Counter(counts).most_common() if count)
        rate = f" at {speed / 1e9:.2f} billion cells a second" if speed > 1e6 else ""
        return [
            f"[bold]{sum(counts.values()):,} points[/] of the (k, F) plane{rate}: {kinds}.",
            f"Of {len(named)} named points, [bold]{agree}[/] have the class that was published:",
            *table(named),
            f"Look at {escape(str(run.path / 'figures'))}: atlas.png, classes.png; numbers are in atlas.zarr.",
        ]


def table(named: dict[str, str]) -> list[str]:
    """The measured class of every named point beside what was published, as lines of text."""
    from rich.console import Console

    layout = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("point", "F", "k", "measured", "published", ""):
        layout.add_column(title)
    for name, found in named.items():
        text, agreeing = PUBLISHED[name]
        feed, kill = PRESETS[name]
        layout.add_row(name, f"{feed:g}", f"{kill:g}", found, text, "" if found in agreeing else "differs")
    console = Console(width=110, file=io.StringIO())
    with console.capture() as capture:
        console.print(layout)
    return [line.rstrip() for line in capture.get().splitlines()]
