"""`sojourn run blood-dispersion`: how robots spread along a vessel, learned from their tracks, beside Taylor and Aris.

    dX = a(X) dt + B(X) dW,    a = <u> - U,    B^2 / 2 = D_eff,    X in the frame that moves with the blood

Diffusion across mixes fast and slow streamlines: at intervals much longer than R^2/D a robot's place along the vessel
is a diffusion of its own. Networks learn its drift and diffusion from places alone, not told that both are constant.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr
from rich.markup import escape
from rich.table import Table
from scipy import stats

from sojourn.bounds import intervals
from sojourn.driver import simulate
from sojourn.errors import InputError
from sojourn.experiments.base import Experiment
from sojourn.experiments.blood_dispersion_figure import pictures
from sojourn.experiments.blood_validation_exact import mean_speed, spreading
from sojourn.experiments.blood_validation_motion import in_tube, placed
from sojourn.experiments.figures import save
from sojourn.experiments.results import kept, lines
from sojourn.learning.sde.learn import learn_sde
from sojourn.noise import Noise
from sojourn.processes.blood.dispersion import taylor_aris_diffusivity
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots
from sojourn.runs import Run

RADIUS, ROBOT = 2.5e-6, Robot(0.5e-6)
APART = 10  # times (R - a)^2 / D between frames
_DT = 0.02  # s
_PLACES = 21


@dataclass(frozen=True)
class BloodDispersion(Experiment):
    """Learn drift and diffusion along a vessel of 5 um from tracks of robots, beside Taylor and Aris.

    Args:
        peclet: U R / D of the flows.
        robots: tracks in each.
        frames: of each track, 10 (R - a)^2 / D apart.
        seed: of robots, networks and batches.
    """

    peclet: tuple[float, ...] = (0.0, 5.0, 10.0, 20.0)
    robots: int = 512
    frames: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.peclet or not all(0 <= x <= 100 for x in self.peclet):
            raise InputError(f"peclet={self.peclet} are not numbers from 0 to 100; give some, such as (0, 10)")
        for name, least in (("robots", 8), ("frames", 4)):
            if getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)} is too few to learn from; use {least} or more")
        Noise(self.seed)

    def run(self, run: Run) -> list[str]:
        run.folder("flows")
        found = [kept(run, f"flows/{x:g}", partial(self._learn, x)) for x in self.peclet]
        save(pictures(found), run.folder("figures") / "dispersion.png")
        run.result(flows=[{name: flow[name] for name in flow if name != "curves"} for flow in found])
        return self._story(run, found)

    def _learn(self, peclet: float) -> dict[str, Any]:
        begun = time.perf_counter()
        process, seed = vessel(peclet), int(Noise(self.seed).split(f"peclet {peclet!r}").stream)
        x, t = tracks(process, self.robots, self.frames, seed)
        learned = learn_sde(xr.Dataset({"x": (("ensemble", "time"), x)}, {"time": t}), seed=self.seed)
        blood = 1e6 * float(process.flow.mean_velocity[0])
        speed, spread = 1e6 * mean_speed(process), 1e12 * spreading(process)
        place = torch.linspace(float(learned.low), float(learned.high), _PLACES, dtype=torch.float64)[:, None]
        drift = [blood + end[:, 0] for end in (learned.drift(place), *learned.drift_interval(place))]
        noise = [end[:, 0].clamp(min=0) for end in (learned.diffusion(place), *learned.diffusion_interval(place))]
        dispersion = [end**2 / 2 for end in noise]
        agree = [
            int(((low <= exact) & (exact <= high)).sum())
            for (_, low, high), exact in ((drift, speed), (dispersion, spread))
        ]
        steps, span = np.diff(x, axis=1).ravel(), float(t[1] - t[0])
        # The learned SDE, eight times from each track's start.
        begin = {"x": torch.from_numpy(np.repeat(x[:, :1], 8, axis=0))}
        process_learned = learned.discretise(dt=span / 10)
        after = simulate(process_learned, begin, steps=10 * self.frames, seed=seed, progress=False).state()["x"]
        gone, gone_learned = x[:, -1] - x[:, 0], (after - begin["x"]).numpy()[:, 0]
        levels, D = np.linspace(0.01, 0.99, 50), float(process.body.diffusivity)
        return {
            "peclet": peclet,
            "diffusivity": 1e12 * D,
            "apart": span,
            "drift": speed,
            "dispersion": spread,
            "point": 1e12 * taylor_aris_diffusivity(D, peclet * D / RADIUS, RADIUS),
            "learned_drift": [float(values[_PLACES // 2]) for values in drift],
            "learned_dispersion": [float(values[_PLACES // 2]) for values in dispersion],
            "places_that_agree": [*agree, _PLACES],
            "tracks": intervals.student((steps - steps.mean()) ** 2 / (2 * span)).to_dict(),
            "law_apart": _apart(gone, gone_learned),
            "seconds": round(time.perf_counter() - begun, 1),
            "curves": {
                "place": place[:, 0].tolist(),
                "drift": [values.tolist() for values in drift],
                "dispersion": [values.tolist() for values in dispersion],
                "gone": np.quantile(gone, levels).tolist(),
                "learned_gone": np.quantile(gone_learned, levels).tolist(),
            },
        }

    def _story(self, run: Run, found: list[dict[str, Any]]) -> list[str]:
        table = Table(
            title=f"Along a vessel of 5 um, {self.robots} tracks with {self.frames} frames: um/s and um^2/s",
            title_justify="left",
            box=None,
            padding=(0, 2, 0, 0),
        )
        for name in ("U R / D", "<u>", "learned", "D_eff", "learned", "variance of the tracks", "a point's"):
            table.add_column(name, justify="right")
        for flow in found:
            table.add_row(
                f"{flow['peclet']:g}",
                f"{flow['drift']:.4f}",
                _shown(*flow["learned_drift"]),
                f"{flow['dispersion']:.4f}",
                _shown(*flow["learned_dispersion"]),
                _shown(flow["tracks"]["value"], *flow["tracks"]["interval"]),
                f"{flow['point']:.4f}",
            )
        agree = np.sum([flow["places_that_agree"] for flow in found], axis=0)
        law = found[-1]["law_apart"]
        return [
            *lines(table),
            "",
            f"Frames are {found[0]['apart']:.0f} s apart, {APART} times (R - a)^2 / D. Learned: in the middle of "
            "the places seen, with the bootstrap's 95%, each by itself.",
            f"Of {agree[2]} places the interval holds <u> at {agree[0]} and D_eff at {agree[1]}.",
            "D_eff is Aris' for a robot of this size, whose walls slow it; a point's is D (1 + U^2 R^2 / 48 D^2).",
            f"The law of the whole way, U R / D = {found[-1]['peclet']:g}: the learned SDE's is {law[0]:.3f} from that "
            f"of the tracks; chance alone explains up to {law[1]:.3f} (95%, Kolmogorov and Smirnov).",
            f"Look at {escape(str(run.path / 'figures'))}: dispersion.png.",
        ]


def vessel(peclet: float) -> BloodRobots:
    """Robots in a long vessel with U R / D = peclet, and no red cells."""
    D = float(ROBOT.diffusivity(1.2e-3).along)
    return in_tube(RADIUS, peclet * D / RADIUS, ROBOT, shear_strength=0.0, dt=_DT)


def tracks(process: BloodRobots, robots: int, frames: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places along the vessel less the way of the blood, um, (robots, frames + 1), and the times of the frames, s.

    Tracks begin all over a stretch that is as long as their way, so that a place is not a time in disguise.
    """
    blood = float(process.flow.mean_velocity[0])
    limit = float(process.vessels.radius - process.body.radius)
    every = round(APART * limit**2 / float(process.body.diffusivity) / _DT)
    lasts = every * frames * _DT
    way = max((mean_speed(process) - blood) * lasts, math.sqrt(2 * spreading(process) * lasts))
    across, begin = spread_out(limit, robots, seed)
    start = placed(process, across, np.tile([1.0, 0.0, 0.0], (robots, 1)))
    start["along"] = torch.from_numpy(0.25 + way * begin)
    path = simulate(process, start, steps=every * frames, save_every=every, seed=seed)
    times = path.dataset["time"].values
    return 1e6 * (path.dataset["along"].values - 0.25 - blood * times), times


def spread_out(limit: float, robots: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places all over a disc, (robots, 2), and numbers all over [0, 1)."""
    draws = Noise(seed).split("start").uniform(0, robots, (3,)).double().numpy()
    r, angle = limit * np.sqrt(draws[:, 0]), 2 * math.pi * draws[:, 1]
    return np.stack([r * np.cos(angle), r * np.sin(angle)], 1), draws[:, 2]


def _shown(value: float, low: float, high: float) -> str:
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"


def _apart(seen: np.ndarray, learned: np.ndarray) -> list[float]:
    """Kolmogorov's distance of two samples, and that which one law for both exceeds in 5% of cases."""
    n, m = len(seen), len(learned)
    most = float(stats.kstwobign.isf(0.05)) * math.sqrt((n + m) / (n * m))
    found: Any = stats.ks_2samp(seen, learned)
    return [float(found.statistic), most]
