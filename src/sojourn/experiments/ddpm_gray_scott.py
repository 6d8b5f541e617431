"""`sojourn run ddpm-gray-scott`: a diffusion model draws Gray-Scott states for given (F, k), beside true ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from rich.markup import escape
from rich.table import Table
from torch import Tensor

from sojourn.bounds.intervals import student
from sojourn.data import gray_scott_states, to_concentrations
from sojourn.diffusion import DDPM, Schedule, UNet, Vector, fit, losses, samplers
from sojourn.driver import simulate
from sojourn.errors import InputError
from sojourn.experiments import ddpm_figures, figures
from sojourn.experiments import ddpm_gray_scott_figures as pictures
from sojourn.experiments.base import Experiment
from sojourn.experiments.results import kept, lines
from sojourn.formats.film import write_film
from sojourn.learning.morphology import LAG, classify, measure
from sojourn.measures import energy_spectrum
from sojourn.noise import Noise
from sojourn.processes.gray_scott.gray_scott import GrayScott
from sojourn.runs import Run
from sojourn.training import PowerAverage, Training
from sojourn.trajectory import Trajectory

LEARNED = (
    (0.026, 0.061),
    (0.030, 0.057),
    (0.030, 0.062),
    (0.038, 0.060),
    (0.038, 0.064),
    (0.046, 0.0594),
    (0.046, 0.065),
    (0.058, 0.063),
    (0.058, 0.065),
)
"""(F, k) of the training data: spots, stripes and holes that end up at rest."""

UNSEEN = ((0.034, 0.0595), (0.042, 0.0625), (0.052, 0.064))
"""(F, k) between them."""

_SHOWN = ((0.030, 0.057), (0.030, 0.062), (0.058, 0.063))
"""Those of LEARNED that are compared with the truth, beside all of UNSEEN."""

_SPACING = 1 / 64


@dataclass(frozen=True)
class DdpmGrayScott(Experiment):
    """Learn Gray-Scott states under the condition (F, k), draw new ones, and let the true process judge them.

    Args:
        members: training states of each of nine pairs (F, k).
        size: cells a side.
        time: from random starts to the states.
        training: steps of the training.
        batch: states a step.
        width: channels of the U-Net at full size.
        diffusion_steps: T.
        sampling_steps: of the reverse chain.
        samples: states to draw for each of three learned and three unseen pairs.
        seed: of states, weights and noise.
    """

    members: int = 400
    size: int = 32
    time: int = 3000
    training: int = 1500
    batch: int = 32
    width: int = 24
    diffusion_steps: int = 400
    sampling_steps: int = 50
    samples: int = 48
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"members": 1, "size": 16, "time": 1, "training": 1, "batch": 1, "diffusion_steps": 21, "samples": 4}
        for name, smallest in least.items():
            if (given := getattr(self, name)) < smallest:
                raise InputError(f"{name}={given} is below {smallest}; choose {smallest} or more")
        if self.size % 4:
            raise InputError(f"size={self.size} is no multiple of 4; the U-Net halves it twice")
        if not 1 <= self.sampling_steps <= self.diffusion_steps:
            raise InputError(
                f"sampling_steps={self.sampling_steps} is not in 1 ... diffusion_steps={self.diffusion_steps}"
            )
        self._model()
        Noise(self.seed)

    def run(self, run: Run) -> list[str]:
        model = self._train(run)
        pairs = [*_SHOWN, *UNSEEN]
        drawn = {pair: self._sample(run, model, pair) for pair in pairs}
        true = {pair: self._true(run, k, pair) for k, pair in enumerate(pairs)}
        judged: dict[str, dict[str, Any]] = {}
        for k, pair in enumerate(pairs):
            for name, x in (("true", true[pair]), ("drawn", drawn[pair].state()["x"])):
                found = kept(run, f"judged-{k}-{name}", lambda pair=pair, x=x: self._judge(pair, x))
                judged.setdefault(_name(pair), {})[name] = found
        self._draw(run, drawn, true, judged)
        run.result(
            parameters=sum(p.numel() for p in model.parameters()),
            **{f"{pair}, {name}": found["measures"] for pair, two in judged.items() for name, found in two.items()},
        )
        return self._story(run, model, judged)

    def _model(self) -> DDPM:
        torch.manual_seed(Noise(self.seed).split("network").stream)
        network = UNet(
            (2, self.size, self.size),
            self.width,
            multipliers=(1, 2, 4),
            blocks=1,
            attention=(self.size // 4,),
            dropout=0.0,
            condition=Vector(2),
        )
        schedule = Schedule.cosine(steps=self.diffusion_steps)
        return DDPM(network, schedule, predicts="v", levels=None)

    def _train(self, run: Run) -> DDPM:
        states = gray_scott_states(
            self.members, patterns=LEARNED, size=self.size, time=self.time, seed=Noise(self.seed).split("train").stream
        )
        model = self._model()
        settings = Training(
            self.training,
            learning_rate=1e-3,
            warmup=min(100, self.training // 10),
            clip=1.0,
            average=PowerAverage(0.1),
            log_every=max(1, self.training // 200),
        )
        labels: Any = states.labels
        fit(
            model,
            states.x,
            settings,
            loss=losses.Target(),
            batch=self.batch,
            condition=_told(labels),
            without_condition=0.0,
            seed=self.seed,
            run=run,
        )
        return model

    def _sample(self, run: Run, model: DDPM, pair: tuple[float, float]) -> Trajectory:
        chain = model.reverse(
            samplers.Ancestral(self.sampling_steps), condition=_told(torch.tensor([pair])), limits=(-1.0, 1.0)
        )
        out = run.path / "samples" / f"{_name(pair)}.zarr"
        seed = Noise(self.seed).split(_name(pair)).stream
        return simulate(chain, ensemble=self.samples, save_every=1, seed=seed, out=out, resume=True)

    def _true(self, run: Run, k: int, pair: tuple[float, float]) -> Tensor:
        """States of the true process at (F, k) that no training saw."""
        seed = Noise(self.seed).split("test").split(k).stream
        return gray_scott_states(self.samples, patterns=[pair], size=self.size, time=self.time, seed=seed).x

    def process(self, pair: tuple[float, float]) -> GrayScott:
        """The true process at (F, k), as the states were made."""
        feed, kill = pair
        shape, extent = (self.size, self.size), self.size * _SPACING
        return GrayScott(feed_rate=feed, kill_rate=kill, shape=shape, extent=extent, scheme="heun")

    def _judge(self, pair: tuple[float, float], x: Tensor) -> dict[str, Any]:
        """What the true process makes of states (n, 2, size, size): how they change, and what pattern they are.

        `change` is rms(v(1) - v(0)) over the standard deviation of v, in one time unit; `kept` the correlation of v at
        times 0 and 250.
        """
        process, state = self.process(pair), to_concentrations(x.clamp(-1, 1))
        options: Any = {"progress": False, "seed": self.seed}
        v0, v1 = simulate(process, state, steps=1, **options).dataset["v"].values.swapaxes(0, 1).astype(np.float64)
        late = simulate(process, state, steps=2 * LAG, save_every=LAG, **options)
        spread = v0.std(axis=(1, 2))
        change = np.sqrt(((v1 - v0) ** 2).mean(axis=(1, 2))) / spread
        after = late.dataset["v"].values[:, 1].astype(np.float64)
        frames = xr.Dataset({"v": late.dataset["v"].isel(time=[0])})
        energy = energy_spectrum(frames)
        shells, waves = energy["v"].values[:, 0, 1:], energy["wavenumber"].values[1:]
        wavelength = 2 * np.pi / ((shells * waves).sum(1) / shells.sum(1)) / _SPACING
        one_by_one = [Trajectory(late.dataset.isel(ensemble=[i])) for i in range(len(x))]
        kinds = Counter(classify(measure(process, one)) for one in one_by_one)
        numbers = {
            "mean v": v0.mean(axis=(1, 2)),
            "deviation of v": spread,
            "wavelength": wavelength,
            "change": change,
            "kept": [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(v0, after, strict=True)],
        }
        return {
            "measures": {name: student(values).to_dict() for name, values in numbers.items()},
            "classes": dict(kinds.most_common()),
            "wavenumber": (waves * _SPACING).tolist(),
            "spectrum": [[e.value, e.low, e.high] for e in map(student, shells.T)],
        }

    def _draw(self, run: Run, drawn: dict, true: dict, judged: dict[str, dict[str, Any]]) -> None:
        folder = run.folder("figures")
        figures.save(ddpm_figures.loss(run.metrics("training"), "Gray-Scott states: error of v"), folder / "loss.png")
        last = {pair: path.dataset["x"].values[:, -1] for pair, path in drawn.items()}
        titles = {pair: f"F = {pair[0]:g}, k = {pair[1]:g}" + (", unseen" if pair in UNSEEN else "") for pair in drawn}
        figures.save(pictures.states({titles[p]: (true[p].numpy(), last[p]) for p in drawn}), folder / "states.png")
        figures.save(pictures.spectra({titles[p]: judged[_name(p)] for p in drawn}), folder / "spectra.png")
        parts = []
        for pair, path in drawn.items():
            state = to_concentrations(torch.from_numpy(path.dataset["x"].values[:2, -1]))
            onward = simulate(self.process(pair), state, steps=1000, save_every=25, seed=self.seed, progress=False)
            parts.append((path.dataset["x"].values[:2, :, 1], onward.dataset["v"].values))
        write_film(folder / "film.mp4", pictures.film(parts), rate=16)

    def _story(self, run: Run, model: DDPM, judged: dict[str, dict[str, Any]]) -> list[str]:
        table = Table(
            title=f"True states and drawn ones, {self.samples} each: mean ± half its 95% interval (Student)",
            title_justify="left",
            box=None,
            padding=(0, 2, 0, 0),
        )
        columns = ("F, k", "", "mean v", "wavelength", "change", "kept", "patterns")
        for column in columns:
            table.add_column(column)
        for pair, two in judged.items():
            for name, found in two.items():
                m = found["measures"]
                numbers = [_short(m[key]) for key in columns[2:-1]]
                kinds = ", ".join(f"{n} {kind}" for kind, n in found["classes"].items())
                table.add_row(pair if name == "true" else "", name, *numbers, kinds)
        size = sum(p.numel() for p in model.parameters())
        return [
            f"A U-Net of {size:,} parameters learned {len(LEARNED) * self.members:,} states of {len(LEARNED)} pairs "
            f"(F, k) in {self.training:,} steps; the last three pairs here are none of them.",
            "",
            *lines(table),
            "",
            "wavelength: of the mean wavenumber, in cells. change: of v in a time unit of the true process, over the "
            f"deviation of v. kept: correlation of v with itself after {LAG} time units of it.",
            f"Look at {escape(str(run.path / 'figures'))}: states.png, spectra.png, film.mp4, loss.png.",
        ]


def _told(rates: Tensor) -> Tensor:
    """(F, k) as numbers of order 1."""
    return (rates - torch.tensor([0.042, 0.0615])) / torch.tensor([0.012, 0.0025])


def _name(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g}, {pair[1]:g}"


def _short(estimate: dict[str, Any]) -> str:
    low, high = estimate["interval"]
    return f"{estimate['value']:.3g} ± {(high - low) / 2:.1g}"
