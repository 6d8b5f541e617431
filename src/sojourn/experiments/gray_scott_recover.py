"""`sojourn run gray-scott-recover`: F, k and the diffusivities from frames and from pictures, beside the true ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from rich.markup import escape
from rich.table import Table

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import clopper_pearson
from sojourn.driver import simulate
from sojourn.errors import InputError
from sojourn.experiments.base import Experiment
from sojourn.experiments.figures import BLUE, ORANGE, new, save
from sojourn.learning.recover.forward import NAMES
from sojourn.learning.recover.gray_scott import recover_gray_scott
from sojourn.noise import Noise
from sojourn.observers import ProgressBar
from sojourn.processes.gray_scott.gray_scott import GrayScott
from sojourn.processes.gray_scott.presets import PRESETS
from sojourn.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sojourn.learning.recover.found import RecoveredGrayScott

_SIGNS = ("F", "k", "D_u", "D_v")


@dataclass(frozen=True)
class RecoverGrayScott(Experiment):
    """Recover the parameters from three frames and from single pictures, many times, and count which intervals hold.

    Args:
        patterns: those seen in three frames, 20 apart, 1000 after their start.
        pictures: those seen at rest in one picture: of u and v, and of v alone.
        noises: standard deviations of the noise that is added to every cell of every frame.
        seeds: starts (each with noise of its own) for each case.
        side: cells along each side.
        rest: steps after which a pattern counts as at rest.
        seed: the first seed.
    """

    patterns: tuple[str, ...] = ("maze", "spots", "spirals")
    pictures: tuple[str, ...] = ("maze", "spots", "worms")
    noises: tuple[float, ...] = (0.0, 0.003, 0.01)
    seeds: int = 10
    side: int = 64
    rest: int = 30_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (*self.patterns, *self.pictures):
            if name not in PRESETS:
                raise InputError(f"no Gray-Scott pattern is called {name!r}; there are: {', '.join(PRESETS)}")
        if not self.pictures:
            raise InputError("pictures=() is empty; name a pattern that comes to rest, such as maze")
        if self.seeds < 1 or self.rest < 1:
            raise InputError(f"seeds={self.seeds} and rest={self.rest} must be whole numbers above zero")
        if not self.noises or min(self.noises) < 0 or not all(map(math.isfinite, self.noises)):
            raise InputError(f"noises={self.noises} are not standard deviations; give numbers of 0 or more")
        GrayScott(shape=(self.side, self.side))
        Noise(self.seed)

    def run(self, run: Run) -> list[str]:
        cases = [("frames", p, n) for p in self.patterns for n in self.noises]
        cases += [(kind, p, n) for p in self.pictures for kind in ("picture", "v alone") for n in self.noises]
        total = len(cases) * self.seeds
        bar, done = ProgressBar("recovering", 0, total, "fits"), 0
        made: dict[tuple[str, bool], xr.Dataset] = {}
        try:
            for kind, pattern, noise in cases:
                stage = f"{kind} {pattern} {noise:g}"
                logged = {row["step"] for row in run.metrics(stage)}
                for k in range(self.seeds):
                    if k not in logged:
                        clean = self._clean(made, pattern, kind == "frames").isel(ensemble=[k])
                        run.log(
                            stage,
                            k,
                            **_numbers(
                                _recover(clean, noise, Noise(self.seed).split(stage).split(k), kind), PRESETS[pattern]
                            ),
                        )
                    done += 1
                    bar.see(done, {})
        finally:
            bar.close()
        rows = [_summary(kind, p, n, run.metrics(f"{kind} {p} {n:g}")) for kind, p, n in cases]
        held = coverage(rows)
        run.result(cases=rows, coverage={f"{kind}, {name}": e.to_dict() for (kind, name), e in held.items()})
        path = run.folder("figures") / "recovered.png"
        save(_figure(run, cases, self._picture(made)), path)
        return [*_table(rows, self.seeds), *_covered(held), f"Look at {escape(str(path))}."]

    def _clean(self, made: dict, pattern: str, moving: bool) -> xr.Dataset:
        """All starts of a pattern without noise: three frames of it, or one at rest."""
        if (pattern, moving) not in made:
            process = GrayScott.preset(pattern, shape=(self.side, self.side), dtype="float64")
            state = process.initial(self.seeds, Noise(self.seed).split(pattern))
            state = process.advance(state, 0, 1000 if moving else self.rest, Noise(self.seed))
            path = simulate(process, state, steps=40 if moving else 0, save_every=20, progress=False)
            made[pattern, moving] = path.dataset
        return made[pattern, moving]

    def _picture(self, made: dict) -> tuple[np.ndarray, RecoveredGrayScott, GrayScott]:
        """A noisy picture of v at rest, what it tells, and the process that made it."""
        pattern = self.pictures[0]
        data = _noisy(
            self._clean(made, pattern, False).isel(ensemble=[0]), max(self.noises), Noise(self.seed), "v alone"
        )
        process = GrayScott.preset(pattern, shape=(self.side, self.side), dtype="float64")
        return data["v"].values[0, 0], recover_gray_scott(data), process


def _noisy(clean: xr.Dataset, noise: float, draw: Noise, kind: str) -> xr.Dataset:
    data = clean if kind != "v alone" else clean.drop_vars("u")
    moved = {
        str(name): field + noise * draw.split(str(name)).normal(0, 1, field.shape[1:]).double().numpy()
        for name, field in data.data_vars.items()
    }
    return data.assign(moved)


def _recover(clean: xr.Dataset, noise: float, draw: Noise, kind: str) -> RecoveredGrayScott | None:
    """What is recovered; None where the data were refused."""
    try:
        return recover_gray_scott(_noisy(clean, noise, draw, kind))
    except InputError:
        return None


def _numbers(found: RecoveredGrayScott | None, rates: tuple[float, float]) -> dict[str, float]:
    """Relative errors and half widths, as metrics."""
    if found is None:
        return {"refused": 1}
    numbers: dict[str, float] = {"refused": 0}
    for name, true in zip(NAMES, (*rates, 2e-5, 1e-5), strict=True):
        if name in found.determined:
            estimate = getattr(found, name)
            numbers[f"{name}_error"] = estimate.value / true - 1
            numbers[f"{name}_half"] = (estimate.high - estimate.low) / 2 / true
    return numbers


def _summary(kind: str, pattern: str, noise: float, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rms errors, mean half widths and how many intervals hold the truth, for each parameter."""
    kept = [row for row in rows if not row["refused"]]
    summary: dict[str, Any] = {"data": kind, "pattern": pattern, "noise": noise, "seeds": len(rows), "fits": len(kept)}
    for name in NAMES:
        pairs = np.array([(r[f"{name}_error"], r[f"{name}_half"]) for r in kept if f"{name}_error" in r]).reshape(-1, 2)
        summary[name] = {
            "rms_error": float(np.sqrt((pairs[:, 0] ** 2).mean())) if len(pairs) else None,
            "half_width": float(pairs[:, 1].mean()) if len(pairs) else None,
            "held": int((np.abs(pairs[:, 0]) <= pairs[:, 1]).sum()),
            "of": len(pairs),
        }
    return summary


def coverage(rows: list[dict[str, Any]]) -> dict[tuple[str, str], Estimate]:
    """How often intervals hold the truth where there is noise: (data, parameter) -> share.

    The four intervals of a fit share its noise, so each parameter is counted by itself: one trial a fit.
    """
    found = {}
    for kind in dict.fromkeys(row["data"] for row in rows):
        for name in NAMES:
            counts = [(row[name]["held"], row[name]["of"]) for row in rows if row["data"] == kind and row["noise"] > 0]
            held, fits = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
            if fits:
                found[kind, name] = replace(
                    clopper_pearson(held, fits),
                    assumes="fits are independent, and their intervals hold the truth equally often",
                    limits=("other patterns, grids and noises", "data that were refused"),
                )
    return found


def _covered(held: dict[tuple[str, str], Estimate]) -> list[str]:
    if not held:
        return []
    some = next(iter(held.values()))
    what = "How many of the 95% intervals hold the truth where there is noise"
    lines = [f"{what}; in brackets: {some.words}, each by itself:"]
    for kind in dict.fromkeys(kind for kind, _ in held):
        shares = [(sign, held[kind, name]) for name, sign in zip(NAMES, _SIGNS, strict=True) if (kind, name) in held]
        lines.append(f"  {kind:8}" + ", ".join(f"{sign} {str(e).split(' (')[0]}" for sign, e in shares))
    return [*lines, f"  assumed: {some.assumes}; not covered: {', '.join(some.limits)}."]


def _table(rows: list[dict[str, Any]], seeds: int) -> list[str]:
    import io

    from rich.console import Console

    title = "rms error / mean half width of the 95% interval, relative (intervals that hold the truth)"
    table = Table(title=f"{title}, of these {seeds} starts")
    for name in ("data", "pattern", "noise", "fits", *_SIGNS):
        table.add_column(name, no_wrap=True)
    for row in rows:
        cells = [
            f"{row[n]['rms_error']:.1e} / {row[n]['half_width']:.1e} ({row[n]['held']})" if row[n]["of"] else "-"
            for n in NAMES
        ]
        table.add_row(row["data"], row["pattern"], f"{row['noise']:g}", f"{row['fits']} of {row['seeds']}", *cells)
    stream = io.StringIO()
    Console(file=stream, width=150).print(table)
    return stream.getvalue().rstrip().split("\n")


def _figure(run: Run, cases: list[tuple[str, str, float]], picture) -> Figure:
    """Errors with their intervals for every case and parameter; a picture, and what the fit leaves of it."""
    from matplotlib.ticker import MaxNLocator

    v, found, process = picture
    figure, places = new(2, 5, figsize=(12.5, 7.0), width_ratios=[1, 1, 1, 1, 1.15])
    grid = places[0, 0].get_gridspec()
    for axis in places[:, :4].ravel():
        axis.remove()
    axes = [*(figure.add_subplot(grid[:, k]) for k in range(4)), *places[:, 4]]
    shown = [c for c in cases if c[2] > 0] or cases
    for axis, name, sign in zip(axes, NAMES, _SIGNS, strict=False):
        for place, (kind, pattern, noise) in enumerate(shown):
            rows = [r for r in run.metrics(f"{kind} {pattern} {noise:g}") if f"{name}_error" in r]
            for k, row in enumerate(rows):
                error, half = 100 * row[f"{name}_error"], 100 * row[f"{name}_half"]
                y = place + 0.7 * (k / max(len(rows) - 1, 1) - 0.5)
                held = abs(error) <= half
                axis.plot([error - half, error + half], [y, y], color=BLUE if held else ORANGE, lw=0.9, alpha=0.7)
                axis.plot(error, y, ".", color=BLUE if held else ORANGE, ms=3)
        axis.axvline(0, color="0.5", lw=0.8, zorder=0)
        axis.set_xscale("symlog", linthresh=0.1)
        axis.set_xticks([-10, -1, 0, 1, 10], ["-10", "-1", "0", "1", "10"])
        axis.set_xlim(-30, 30)
        axis.set(title=f"${sign}$", xlabel="error (%)", ylim=(len(shown) - 0.4, -0.6))
        axis.set_yticks([])
    axes[0].set_yticks(
        range(len(shown)), [f"{kind}, {pattern}, {noise:g}" for kind, pattern, noise in shown], fontsize=8
    )
    still = replace(process, **dict(zip(NAMES, map(float, found.values), strict=True)))
    left = _left_over(still, v)
    for axis, values, title in (
        (axes[4], v, "a picture of v"),
        (axes[5], left, "less what the parameters\nfound keep of it in 40 steps"),
    ):
        limit = float(np.abs(left).max())
        style = {"cmap": "viridis"} if axis is axes[4] else {"cmap": "RdBu", "vmin": -limit, "vmax": limit}
        figure.colorbar(axis.imshow(values, **style), ax=axis, shrink=0.7, location="right").locator = MaxNLocator(4)
        axis.set_title(title, fontsize=10)
        axis.set_xticks([])
        axis.set_yticks([])
    figure.suptitle("Recovered parameters against the true ones, with 95% intervals (orange: the truth is outside)")
    return figure


def _left_over(process: GrayScott, v: np.ndarray) -> np.ndarray:
    """v less what becomes of it, smoothed, in 40 steps with the u that belongs to it."""
    from sojourn.learning.recover.forward import frames_from
    from sojourn.learning.recover.image import Still
    from sojourn.learning.recover.waves import Waves

    waves = Waves(process.shape, process.spacing, process.boundary, process.stencil)
    noise = np.array([0.0, waves.noise_floor(v[None])])
    theta = np.array([getattr(process, name) for name in NAMES])
    still = Still(process, waves, np.stack([np.full_like(v, np.nan), v])[None], noise, False, 40 * process.dt)
    after = frames_from(process, theta, still.begin(theta), (still.time,))
    return v if after is None else v - after[0, 1, 1]
