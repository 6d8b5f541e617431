"""`sojourn run the-well-gray-scott`: The Well's Gray-Scott data set made anew, in its own files, at any share.

The published recipe (danfortunato/spectral-gray-scott): [-1, 1]^2 periodic, D_u = 2e-5, D_v = 1e-5, ETDRK4 with dt = 1,
products on the grid itself; for each of six (F, k) half the starts are sums of Gaussians, half random Fourier series.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.markup import escape

from sojourn.driver import simulate
from sojourn.errors import InputError
from sojourn.experiments import figures, the_well_figures
from sojourn.experiments.base import Experiment
from sojourn.formats import the_well
from sojourn.formats.the_well_statistics import Statistics, write_statistics
from sojourn.noise import Noise
from sojourn.observers import ProgressBar
from sojourn.process import State
from sojourn.processes.gray_scott.gray_scott import GrayScott
from sojourn.processes.gray_scott.presets import THE_WELL
from sojourn.runs import Run
from sojourn.trajectory import Trajectory

FULL = {"train": 160, "valid": 20, "test": 20}
"""Trajectories of one pattern in the published data set."""

PUBLISHED_HOURS, PUBLISHED_CORES = 33, 40
PUBLISHED_STATISTICS = {"A": (0.72923, 0.23989), "B": (0.096587, 0.12366)}


@dataclass(frozen=True)
class TheWellGrayScott(Experiment):
    """Make The Well's Gray-Scott data set, or a share of it: HDF5 files that its own reader opens, and stats.yaml.

    Args:
        share: how much of the published 1,200 trajectories, in (0, 1]; every split gets at least one a pattern.
        patterns: which of gliders, bubbles, maze, worms, spirals and spots.
        side: cells along each axis; published: 128.
        steps: time steps of length 1; published: 10,000.
        save_every: steps between saved frames; it divides steps; published: 10.
        seed: the seed of the starts. The k-th start of its kind in a split is one and the same for all patterns (as
            published) and for every share.
    """

    share: float = 0.01
    patterns: tuple[str, ...] = tuple(THE_WELL)
    side: int = 128
    steps: int = 10_000
    save_every: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError(f"share={self.share} is not in (0, 1]; 1 is the whole data set, 0.01 a hundredth of it")
        unknown = [name for name in self.patterns if name not in THE_WELL]
        if unknown or not self.patterns or len(set(self.patterns)) < len(self.patterns):
            wrong = f"{unknown[0]!r} is not among" if unknown else f"{' '.join(self.patterns)!r} is not a choice of"
            raise InputError(f"patterns: {wrong} The Well's; choose from: {', '.join(THE_WELL)}, each once")
        for name in ("steps", "save_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} is below 1; use a whole number above zero")
        if self.steps % self.save_every:
            raise InputError(
                f"save_every={self.save_every} does not divide steps={self.steps}, and The Well's frames are equally "
                "far apart; choose one that does"
            )
        self.process(self.patterns[0])
        Noise(self.seed)

    def process(self, pattern: str, start: str = "gaussian") -> GrayScott:
        """The published process of a pattern, in single precision."""
        grid = {"shape": (self.side, self.side), "extent": 2.0, "boundary": "periodic"}
        return GrayScott.preset(pattern, **grid, dt=1.0, scheme="etdrk4", dealias="none", start=start)

    def members(self) -> dict[str, dict[str, int]]:
        """Trajectories of one pattern: split -> kind of start -> how many, Gaussians first."""
        totals = {split: max(1, round(self.share * full)) for split, full in FULL.items()}
        first = {split: (total + (split != "test")) // 2 for split, total in totals.items()}
        return {split: {"gaussian": first[split], "fourier": totals[split] - first[split]} for split in FULL}

    def run(self, run: Run) -> list[str]:
        self._check_room(run.path)
        for number, pattern in enumerate(self.patterns, 1):
            self._make(run, pattern, f"{pattern} ({number} of {len(self.patterns)})")
        statistics = write_statistics(run.path)
        ends = {pattern: self._files(run.path, pattern)["train"] for pattern in self.patterns}
        picture = the_well_figures.contact_sheet({name: the_well.read(path) for name, path in ends.items()})
        figures.save(picture, run.folder("figures") / "patterns.png")
        run.result(statistics=statistics)
        return self._story(run, statistics)

    def _make(self, run: Run, pattern: str, title: str) -> None:
        """Simulates all splits of a pattern as one ensemble, in a store; then writes the files, and drops the store."""
        files, store = self._files(run.path, pattern), run.path / f"{pattern}.zarr"
        if not all(path.exists() for path in files.values()):
            done = max(0, len(Trajectory.open(store)) - 1) * self.save_every if (store / "zarr.json").exists() else 0
            bar, began = ProgressBar(title, done, self.steps), time.monotonic()
            options = {"steps": self.steps, "save_every": self.save_every, "seed": self.seed, "progress": False}
            start = self._starts(pattern)
            made = simulate(self.process(pattern), start, **options, out=store, resume=True, observers=[bar])
            if done < self.steps:
                steps = made.dataset.sizes["ensemble"] * (self.steps - done)
                run.result(**{pattern: {"trajectory_steps": steps, "seconds": time.monotonic() - began}})
            first = 0
            for split, kinds in self.members().items():
                starts = [kind for kind, count in kinds.items() for _ in range(count)]
                part = made.dataset.isel(ensemble=slice(first, first + len(starts)))
                the_well.write(Trajectory(part.assign_attrs(starts=starts)), run.path, split=split, pattern=pattern)
                first += len(starts)
        shutil.rmtree(store, ignore_errors=True)

    def _starts(self, pattern: str) -> State:
        """The first states of all members, split by split; each split and kind draws from a stream of its own."""
        parts = [
            self.process(pattern, kind).initial(count, Noise(self.seed).split(split).split(kind))
            for split, kinds in self.members().items()
            for kind, count in kinds.items()
            if count
        ]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _files(self, folder: Path, pattern: str) -> dict[str, Path]:
        return {split: the_well.file_path(folder, split, pattern, *THE_WELL[pattern]) for split in FULL}

    def _check_room(self, folder: Path) -> None:
        """Raises InputError unless the disk holds all files, and the store of one pattern beside them."""
        trajectories = sum(sum(kinds.values()) for kinds in self.members().values())
        one = trajectories * (self.steps // self.save_every + 1) * self.side**2 * 8
        there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        needed, free = one * (len(self.patterns) + 1) - there, shutil.disk_usage(folder).free
        if needed > 0.95 * free:
            raise InputError(
                f"share={self.share:g} needs {needed / 1e9:,.1f} GB more in {folder}, where {free / 1e9:,.1f} GB are "
                "free; lower share or steps, raise save_every, or name a folder on another disk with --out"
            )

    def _story(self, run: Run, statistics: Statistics) -> list[str]:
        trajectories = sum(sum(kinds.values()) for kinds in self.members().values())
        frames, results = trajectories * (self.steps // self.save_every + 1), run.record["results"]
        head = ("", "trajectories", "frames", "MB", "seconds", "trajectory-steps/s")
        totals = [0.0] * 5
        rows: list[tuple[str, ...]] = [head]
        for pattern in self.patterns:
            size = sum(path.stat().st_size for path in self._files(run.path, pattern).values()) / 1e6
            timed = results.get(pattern, {"trajectory_steps": 0, "seconds": 0.0})
            numbers = [trajectories, frames, size, timed["seconds"], timed["trajectory_steps"]]
            totals = [a + b for a, b in zip(totals, numbers, strict=True)]
            rows.append(_row(pattern, numbers))
        rows.append(_row("all", totals))
        count = len(THE_WELL) * sum(FULL.values())
        published = [count, count * 1001, 153_800.0, PUBLISHED_HOURS * 3600, count * 10_000]
        rows.append(_row("The Well", published))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [" ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
        threads = f"{torch.get_num_threads()} threads" if torch.get_num_threads() > 1 else "1 thread"
        return [
            *(escape(line) for line in lines),
            f"Simulated here on {threads} in single precision; published: {PUBLISHED_HOURS} hours on "
            f"{PUBLISHED_CORES} cores. An interrupted pattern is timed from its last interruption.",
            *self._compared(statistics),
            f"The data set is {escape(str(run.path))}: data/train, data/valid, data/test and stats.yaml; "
            'the-well reads it by WellDataset(path=..., well_split_name="train").',
            f"Look at {escape(str(run.path / 'figures' / 'patterns.png'))}.",
        ]

    def _compared(self, statistics: Statistics) -> list[str]:
        """The fields' means and spreads beside the published, where the recipe is the published one."""
        ours = {field: (statistics["mean"][field], statistics["std"][field]) for field in PUBLISHED_STATISTICS}
        said = [f"{field} {mean:.3f} ± {std:.3f}" for field, (mean, std) in ours.items()]
        if set(self.patterns) != set(THE_WELL) or (self.steps, self.save_every) != (10_000, 10):
            return [f"Mean and spread of the training split: {', '.join(said)}."]
        theirs = [f"{field} {mean:.3f} ± {std:.3f}" for field, (mean, std) in PUBLISHED_STATISTICS.items()]
        return [f"Mean and spread of the training split: {', '.join(said)}; published: {', '.join(theirs)}."]


def _row(name: str, numbers: list[float]) -> tuple[str, ...]:
    trajectories, frames, size, seconds, steps = numbers
    counts = (f"{trajectories:,.0f}", f"{frames:,.0f}", f"{size:,.0f}" if size >= 10 else f"{size:.1f}")
    return (name, *counts, *((f"{seconds:,.0f}", f"{steps / seconds:,.0f}") if seconds else ("-", "-")))
