"""`sojourn run gray-scott`: one pattern grows; its picture, its film, its spectrum and how fast it spread."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from rich.markup import escape

from sojourn.driver import check_memory, simulate
from sojourn.errors import InputError
from sojourn.experiments import gray_scott_figures as figures
from sojourn.experiments.base import Experiment
from sojourn.experiments.figures import save
from sojourn.formats.film import write_film
from sojourn.learning.morphology import CLASSES, LAG, classify, dominant_wave, measure
from sojourn.noise import Noise
from sojourn.processes.gray_scott.gray_scott import GrayScott, Scheme
from sojourn.processes.gray_scott.presets import PRESETS
from sojourn.processes.gray_scott.starts import Start
from sojourn.runs import Run
from sojourn.topology import pieces
from sojourn.trajectory import Trajectory

COVERED = 0.9  # the pattern covers the cells with less u than this


@dataclass(frozen=True)
class GrayScottPattern(Experiment):
    """Grow one Gray-Scott pattern, film it, and measure its wavelength and how fast it spreads.

    Args:
        pattern: a named pattern: gliders, bubbles, maze, worms, spirals, spots, or a letter of Munafo's such as kappa.
        feed_rate: F, in place of the pattern's.
        kill_rate: k, in place of the pattern's.
        shape: height and width in cells of 2.5/256.
        steps: how many steps of one time unit.
        save_every: steps between saved frames, which the film shows.
        scheme: euler, heun or rk4 on finite differences; etdrk4 is spectral.
        start: pearson (one square), seeds (discs), gaussian or fourier (The Well's).
        seed: the seed of the start.
    """

    pattern: str = "maze"
    feed_rate: float | None = None
    kill_rate: float | None = None
    shape: tuple[int, int] = (256, 256)
    steps: int = 20_000
    save_every: int = 125
    scheme: Scheme = "euler"
    start: Start = "pearson"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.pattern not in PRESETS:
            raise InputError(f"no Gray-Scott pattern is called {self.pattern!r}; there are: {', '.join(PRESETS)}")
        for name in ("steps", "save_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} is below 1; use a whole number above zero")
        if min(self.shape) < 16:
            raise InputError(f"shape={self.shape} is too small to hold a pattern; use 16 cells or more a side")
        Noise(self.seed)
        check_memory(self.process, 1, self.steps, self.save_every, stored=True)

    @property
    def process(self) -> GrayScott:
        feed, kill = PRESETS[self.pattern]
        return GrayScott(
            feed_rate=feed if self.feed_rate is None else self.feed_rate,
            kill_rate=kill if self.kill_rate is None else self.kill_rate,
            shape=self.shape,
            scheme=self.scheme,
            start=self.start,
        )

    @property
    def title(self) -> str:
        name = self.pattern if self.feed_rate is None and self.kill_rate is None else "Gray-Scott"
        return f"{name}, F = {self.process.feed_rate:g}, k = {self.process.kill_rate:g}"

    def run(self, run: Run) -> list[str]:
        process, out = self.process, run.path / "trajectory.zarr"
        done = len(Trajectory.open(out)) - 1 if (out / "zarr.json").exists() else 0
        began = time.monotonic()
        path = simulate(process, steps=self.steps, save_every=self.save_every, seed=self.seed, out=out, resume=True)
        seconds, steps = time.monotonic() - began, self.steps - max(done, 0) * self.save_every
        growth = Growth.of(path)
        wavelength, sharpness = dominant_wave(path)
        kind = self._class(process, path)
        folder = run.folder("figures")
        save(figures.pattern(path, self.title), folder / "pattern.png", dpi=200)
        save(figures.spectrum(path, wavelength, self.title), folder / "spectrum.png")
        save(figures.growth(growth, self.title), folder / "growth.png")
        write_film(folder / "film.mp4", figures.film(path, self.title), rate=16)
        run.result(
            feed_rate=process.feed_rate,
            kill_rate=process.kill_rate,
            pattern_class=kind,
            wavelength=wavelength if np.isfinite(wavelength) else None,
            sharpness=sharpness,
            mean_v=float(growth.mean[-1]),
            covered=float(growth.covered[-1]),
            front_speed=growth.speed,
        )
        speed = (
            f"{steps * np.prod(self.shape) / seconds / 1e9:.2f} billion cells a second with storing"
            if steps > 0
            else ""
        )
        return self._story(run, process, growth, wavelength, kind, speed)

    def _class(self, process: GrayScott, path: Trajectory) -> str | None:
        """The class of the last frames, where frames were saved that are as far apart as `classify` asks for."""
        stride, rest = divmod(LAG, round(self.save_every * process.dt))
        if rest or len(path) <= 4 * stride or self.steps % self.save_every:
            return None
        late = path.dataset.isel(time=slice(len(path) - 1 - 4 * stride, None, stride))
        return classify(measure(process, Trajectory(late)))

    def _story(self, run, process, growth, wavelength, kind, speed) -> list[str]:
        height, width = self.shape
        lines = [
            f"[bold]{self.title}[/]: {self.steps:,} steps of {height} x {width} cells"
            + (f", {speed}." if speed else ".")
        ]
        if kind:
            hint = f" Another start may live: try --start {'seeds' if self.start != 'seeds' else 'fourier'}."
            lines.append(f"What grew: [bold]{kind}[/], {CLASSES[kind]}.{hint if kind == 'red' else ''}")
        if kind not in ("red", "blue") and np.isfinite(wavelength):
            cells = wavelength / process.spacing[0]
            lines.append(f"Its wavelength is [bold]{cells:.1f} cells[/], {wavelength:.3g} units of length.")
        lines.append(f"It covers {growth.covered[-1]:.0%} of the area (u below {COVERED}); {growth.words}.")
        return [
            *lines,
            f"Look at {escape(str(run.path / 'figures'))}: pattern.png, film.mp4, spectrum.png, growth.png.",
        ]


class Growth(NamedTuple):
    """How a pattern spread.

    The front speed is that of n discs with the covered area: r = sqrt(area / (pi n)), n the number of covered patches,
    fitted from the first to the last frame in which there are as many patches and less than 40% is covered. Where there
    are fewer than four frames, or the line leaves more than 1% of the variance, there is none.
    """

    time: np.ndarray
    mean: np.ndarray  # of v
    covered: np.ndarray  # share of the area
    patches: int
    radius: np.ndarray  # in units of length
    fitted: slice
    speed: float | None  # units of length per time unit

    @classmethod
    def of(cls, path: Trajectory) -> Growth:
        u, v, when = path.dataset["u"], path.dataset["v"], path.dataset["time"].values
        covers = [u.isel(ensemble=0, time=k).values < COVERED for k in range(len(path))]
        mean = np.array([float(v.isel(ensemble=0, time=k).values.mean(dtype=np.float64)) for k in range(len(path))])
        covered = np.array([c.mean() for c in covers])
        counts = [len(pieces(c).area) if share < 0.4 else 0 for c, share in zip(covers, covered, strict=True)]
        first = next((k for k in range(1, len(counts)) if counts[k]), 0)
        last = first
        while last < len(counts) and counts[last] == counts[first] > 0:
            last += 1
        area = covered * u.sizes["y"] * u.sizes["x"] * _step(u["y"].values) * _step(u["x"].values)
        radius = np.sqrt(area / (np.pi * max(counts[first], 1)))
        fitted = slice(first, last)
        return cls(when, mean, covered, counts[first], radius, fitted, _slope(when[fitted], radius[fitted]))

    @property
    def words(self) -> str:
        if self.speed is None:
            return "it did not spread steadily enough for a speed"
        begin, end = self.time[self.fitted][[0, -1]]
        across = "one patch" if self.patches == 1 else f"{self.patches} patches"
        return f"its front moved {self.speed:.2g} units of length a time unit ({across}, times {begin:g} to {end:g})"


def _step(points: np.ndarray) -> float:
    return float(points[-1] - points[0]) / (len(points) - 1)


def _slope(x: np.ndarray, y: np.ndarray) -> float | None:
    """The slope of the line through the points, if there are four and they lie on it to 1% of their variance."""
    if len(x) < 4 or np.var(y) == 0:
        return None
    slope, offset = np.polyfit(x, y, 1)
    return float(slope) if slope > 0 and np.var(y - slope * x - offset) < 0.01 * np.var(y) else None
