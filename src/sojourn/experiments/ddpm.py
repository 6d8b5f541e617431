"""`sojourn run ddpm`: a diffusion model learns small digits or points in the plane, and every number of it is shown.

Samples as a film of the reverse chain, the bound term by term, the likelihood by two ways, quality with intervals.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from rich.markup import escape
from torch import Tensor, nn

from sojourn import data
from sojourn.data import shapes
from sojourn.data.digits import LEVELS
from sojourn.diffusion import DDPM, MLP, Schedule, UNet, fit, likelihood, log_density, losses, samplers
from sojourn.diffusion.quality import (
    Gaussian,
    Memorisation,
    median_bandwidth,
    memorisation,
    mmd_squared,
    sliced_wasserstein_of_laws,
)
from sojourn.diffusion.variational import estimate
from sojourn.driver import simulate
from sojourn.errors import InputError
from sojourn.experiments import ddpm_figures as figures
from sojourn.experiments.base import Experiment
from sojourn.experiments.ddpm_report import bound_table, interval, plain
from sojourn.experiments.figures import save
from sojourn.experiments.results import kept
from sojourn.formats.film import write_film
from sojourn.noise import Noise
from sojourn.runs import Run
from sojourn.training import PowerAverage, Training
from sojourn.trajectory import Trajectory


class _Sizes(NamedTuple):
    """What the settings are where they are not given."""

    training: int
    batch: int
    learning_rate: float
    diffusion_steps: int
    evaluated: int
    samples: int


_DIGITS = _Sizes(training=1200, batch=64, learning_rate=1e-3, diffusion_steps=200, evaluated=200, samples=512)
_POINTS = _Sizes(training=3000, batch=256, learning_rate=5e-3, diffusion_steps=200, evaluated=500, samples=4000)
_POINTS_TO_LEARN = 20_000
_EXTENT = 1.1  # of the picture of densities
_GRID = 80
_WAVES = 4


@dataclass(frozen=True)
class Ddpm(Experiment):
    """Train a diffusion model on small data, and measure all that can be measured of it.

    Args:
        data: digits (8 x 8 pixels, 17 grey levels), or points in the plane: moons, swiss_roll, checkerboard, rings,
            pinwheel, eight_gaussians.
        training: steps of the training; by default 1200 for digits, 3000 for points.
        diffusion_steps: T; by default 200. The bound costs T evaluations a datum.
        evaluated: held-out data, and training data beside them, for the likelihoods; by default 200 or 500.
        samples: how many to draw; by default 512 or 4000.
        sampling_steps: of the reverse chain that draws them, at most T.
        seed: of data, weights and noise.
    """

    data: str = "digits"
    training: int | None = None
    diffusion_steps: int | None = None
    evaluated: int | None = None
    samples: int | None = None
    sampling_steps: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        if self.data != "digits" and self.data not in shapes.SHAPES:
            raise InputError(f"data={self.data!r} is not known; choose one of: digits, {', '.join(shapes.SHAPES)}")
        least = {"training": 1, "diffusion_steps": 2, "evaluated": 2, "samples": 40}
        for name, smallest in least.items():
            if (given := getattr(self, name)) is not None and given < smallest:
                raise InputError(f"{name}={given} is below {smallest}; choose {smallest} or more")
        T = self.sizes.diffusion_steps
        if not 1 <= self.sampling_steps <= T:
            raise InputError(f"sampling_steps={self.sampling_steps} is not in 1 ... {T}, the diffusion_steps")
        if self.sizes.evaluated > len(self.held_out):
            raise InputError(f"evaluated={self.evaluated} is more than the {len(self.held_out)} held-out {self.data}")
        Noise(self.seed)

    @property
    def sizes(self) -> _Sizes:
        given = {name: getattr(self, name) for name in ("training", "diffusion_steps", "evaluated", "samples")}
        usual = _DIGITS if self.data == "digits" else _POINTS
        return usual._replace(**{name: value for name, value in given.items() if value is not None})

    @property
    def learned(self) -> Tensor:
        """The data to learn from."""
        if self.data == "digits":
            return data.load_digits("train").x
        return shapes.sample(self.data, _POINTS_TO_LEARN, seed=self.seed)

    @property
    def held_out(self) -> Tensor:
        """Data that the training does not see."""
        if self.data == "digits":
            return data.load_digits("test").x
        n = max(2000, self.sizes.evaluated)
        return shapes.sample(self.data, _POINTS_TO_LEARN + n, seed=self.seed)[_POINTS_TO_LEARN:]

    def run(self, run: Run) -> list[str]:
        model = self._train(run)
        drawn = self._sample(run, model)
        sets = {"held out": self.held_out[: self.sizes.evaluated], "training": self.learned[: self.sizes.evaluated]}
        bounds = kept(run, "bound", lambda: {name: plain(model.bound(x, seed=self.seed)) for name, x in sets.items()})
        flow = kept(run, "flow", lambda: {name: self._flow(model, x) for name, x in sets.items()})
        near, quality = self._quality(drawn)
        self._draw(run, model, drawn, bounds, near)
        run.result(
            parameters=sum(p.numel() for p in model.parameters()),
            bound={name: bound["bits_per_dim"] for name, bound in bounds.items()},
            flow=flow,
            quality={name: found.to_dict() for name, found in quality.items()},
            memorised={"share": near.share.to_dict(), "expected": near.expected.to_dict()},
        )
        return self._story(run, model, bounds, flow, near, quality)

    def _train(self, run: Run) -> DDPM:
        torch.manual_seed(Noise(self.seed).split("network").stream)
        network = (
            UNet((1, 8, 8), width=32, multipliers=(1, 2), blocks=1, dropout=0.0, outputs=2)
            if self.data == "digits"
            else PointNetwork()
        )
        levels = LEVELS if self.data == "digits" else None
        # sigma_1 is about half the distance of two digits' levels: the decoder rounds, and no step need learn to
        schedule = Schedule.cosine(steps=self.sizes.diffusion_steps, offset=0.1 if levels else 0.008)
        model = DDPM(network, schedule, predicts="v", variance="learned_range", levels=levels)
        settings = Training(
            self.sizes.training,
            learning_rate=self.sizes.learning_rate,
            warmup=min(100, self.sizes.training // 10),
            betas=(0.9, 0.99),
            clip=1.0,
            average=PowerAverage(0.1),
            log_every=max(1, self.sizes.training // 200),
        )
        fit(model, self.learned, settings, loss=losses.Hybrid(), batch=self.sizes.batch, seed=self.seed, run=run)
        return model

    def _sample(self, run: Run, model: DDPM) -> Trajectory:
        chain = model.reverse(samplers.Ancestral(self.sampling_steps))
        out = run.path / "reverse.zarr"
        return simulate(chain, ensemble=self.sizes.samples, save_every=1, seed=self.seed, out=out, resume=True)

    def _flow(self, model: DDPM, x: Tensor) -> dict[str, Any]:
        """-log p by the probability flow; where the true density is known, what is lost against it."""
        if self.data == "digits":
            found = likelihood(model, x, probes=1, rtol=1e-3, atol=1e-3, seed=self.seed)
            return {"bits_per_dim": found.bits_per_dim.to_dict()}
        found = likelihood(model, x, dequantise="none", seed=self.seed)
        if shapes.SHAPES[self.data].log_density is None:
            return {"bits_per_dim": found.bits_per_dim.to_dict()}
        exact = -shapes.log_density(self.data, x).numpy() / (2 * math.log(2))
        return {
            "bits_per_dim": found.bits_per_dim.to_dict(),
            "exact": estimate(exact, 0.95).to_dict(),
            "loss": estimate(found.each - exact, 0.95).to_dict(),
        }

    def _quality(self, drawn: Trajectory) -> tuple[Memorisation, dict[str, Any]]:
        """How near samples are to training data; and their distances from held-out data, with real ones beside."""
        x, learned, real = drawn.state()["x"], self.learned, self.held_out
        kernel = Gaussian(median_bandwidth(learned))
        quality = {}
        for name, other in (("samples", x), ("training data", learned[: len(x)])):
            quality[f"MMD^2, {name}"] = mmd_squared(real, other, kernel=kernel)
            quality[f"sliced Wasserstein, {name}"] = sliced_wasserstein_of_laws(real, other)
        return memorisation(learned, real, x), quality

    def _draw(self, run: Run, model: DDPM, drawn: Trajectory, bounds: dict[str, Any], near: Memorisation) -> None:
        folder = run.folder("figures")
        frames, times = drawn.dataset["x"].values, model.reverse(samplers.Ancestral(self.sampling_steps)).grid.t.numpy()
        chain = f"{self.data}: the reverse chain from noise, {self.sampling_steps} steps"
        save(
            figures.loss(run.metrics("training"), f"{self.data}: loss, simple and a share of the bound"),
            folder / "loss.png",
        )
        save(figures.bound_terms(bounds, f"{self.data}: the variational bound, step by step"), folder / "bound.png")
        if self.data == "digits":
            save(figures.image_chain(frames, times, chain), folder / "chain.png")
            save(
                figures.neighbours(frames[:, -1], self.learned[near.indices].numpy(), near.distances.numpy()),
                folder / "neighbours.png",
            )
            write_film(folder / "film.mp4", figures.image_film(frames[:64], times, columns=8, scale=6), rate=16)
            return
        save(figures.point_chain(frames, times, self.learned.numpy(), chain), folder / "chain.png")
        write_film(folder / "film.mp4", figures.point_film(frames, times), rate=16)
        save(figures.densities(self._densities(model), self.learned[:5000].numpy(), _EXTENT), folder / "density.png")

    def _densities(self, model: DDPM) -> dict[str, Any]:
        """The model's density on a grid, and the true one where it is known."""
        model = copy.deepcopy(model).double()  # far from data a flow is so steep that float32 can be too coarse for it
        places = torch.linspace(-_EXTENT, _EXTENT, _GRID)
        grid = torch.cartesian_prod(places, places).flip(1)  # rows are x_2
        found = {"learned: probability flow": torch.exp(log_density(model, grid, rtol=1e-3, atol=1e-3)[0])}
        if shapes.SHAPES[self.data].log_density is not None:
            found["true"] = torch.exp(shapes.log_density(self.data, grid))
        return {name: p.reshape(_GRID, _GRID).numpy() for name, p in found.items()}

    def _story(self, run: Run, model: DDPM, bounds, flow, near: Memorisation, quality) -> list[str]:
        n, size = self.sizes.evaluated, sum(p.numel() for p in model.parameters())
        name = f"A U-Net of {size:,} parameters" if self.data == "digits" else f"An MLP of {size:,} parameters"
        said = [
            f"{name} learned {len(self.learned):,} {self.data} in {self.sizes.training:,} steps, and drew "
            f"{self.sizes.samples:,} new ones in {self.sampling_steps} steps.",
            "",
            *bound_table(bounds, f"The bound on -log p, means over {n:,} data (95%, Student)"),
            "",
        ]
        for part, found in flow.items():
            said.append(
                f"By the probability flow, {part}: [bold]{escape(interval(found['bits_per_dim']))}[/] bits/dim."
            )
        if self.data == "digits":
            said.append(
                f"To compare, held out: {math.log2(LEVELS):.3f} if all levels were alike, "
                f"{self._pixel_by_pixel():.3f} if each pixel had a law of its own."
            )
        elif "exact" in flow["held out"]:
            exact, lost = (escape(interval(flow["held out"][key])) for key in ("exact", "loss"))
            said.append(f"Of the true density, held out: {exact}; so the model loses [bold]{lost}[/] bits/dim.")
        said += [
            "",
            *[f"{key} from held-out data: {escape(str(found))}" for key, found in quality.items()],
            f"Nearer to a training datum than {near.threshold:.3g}: {escape(interval(near.share))} of the samples, "
            f"{escape(interval(near.expected))} of new real data; "
            + ("[bold]some are copies.[/]" if near.found else "copies are not proved."),
            f"Look at {escape(str(run.path / 'figures'))}: {self._pictures()}.",
        ]
        return said

    def _pixel_by_pixel(self) -> float:
        """Bits per dimension of held-out digits under a law for each pixel by itself, counted on the training data."""
        learned, real = (data.to_levels(x, LEVELS).flatten(1) for x in (self.learned, self.held_out))
        counts = torch.nn.functional.one_hot(learned, LEVELS).sum(0).double() + 1
        p = counts / counts.sum(1, keepdim=True)
        return -float(torch.log2(p[torch.arange(64), real]).mean())

    def _pictures(self) -> str:
        return "film.mp4, chain.png, bound.png, loss.png, " + (
            "neighbours.png" if self.data == "digits" else "density.png"
        )


class PointNetwork(nn.Module):
    """An MLP that is told a point and waves of its coordinates, sin and cos of pi k x_i for k = 1, ..., 4.

    Without the waves it takes many times as long to see that a law depends on the angle.
    """

    shape, outputs = (2,), 2

    def __init__(self) -> None:
        super().__init__()
        self.mlp = MLP((2 + 4 * _WAVES,), 128, depth=3)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        phase = (math.pi * x[:, :, None] * torch.arange(1, _WAVES + 1, device=x.device)).flatten(1)
        told = torch.cat([x, phase.sin(), phase.cos()], dim=1)
        return self.mlp(told, t)[:, :4]  # of its outputs, as many as its inputs, these are used
