"""`sojourn run ddpm-mnist`: a diffusion model of MNIST or Fashion-MNIST, with or without classes and guidance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import torch
from rich.markup import escape
from torch import Tensor

from sojourn import data
from sojourn.data import Images
from sojourn.diffusion import DDPM, Classes, Schedule, UNet, fit, likelihood, losses, samplers
from sojourn.diffusion.guidance import ClassifierFree
from sojourn.diffusion.quality import Classifier, accuracy, classifier_frechet, train_classifier
from sojourn.driver import find_device, simulate
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
from sojourn.training.loop import Precision
from sojourn.trajectory import Trajectory

_ROUND = 100  # images drawn at once; the first round is filmed
_CLASSES = 10


@dataclass(frozen=True)
class DdpmMnist(Experiment):
    """Train a diffusion model on MNIST, draw digits, and measure bits per dimension and a Fréchet distance.

    The defaults are for an hour on a laptop. On a GPU: --device cuda --precision bfloat16 --width 64 --batch 128
    --training 100000 --samples 10000.

    Args:
        data: mnist or fashion-mnist, in folders of these names under the environment variable SOJOURN_DATA.
        training: steps of the training.
        batch: images a step.
        width: channels of the U-Net at full size.
        guidance: weight of classifier-free guidance in a model that is told the class, 1 for none; leave it out for a
            model that is told nothing.
        diffusion_steps: T.
        sampling_steps: of DDIM.
        samples: how many images to draw.
        evaluated: test images for the likelihoods, and as many training images beside them.
        precision: of the training, float32 or bfloat16.
        device: cpu, cuda, ...
        seed: of weights and noise.
    """

    data: Literal["mnist", "fashion-mnist"] = "mnist"
    training: int = 15_000
    batch: int = 64
    width: int = 32
    guidance: float | None = None
    diffusion_steps: int = 1000
    sampling_steps: int = 50
    samples: int = 1000
    evaluated: int = 64
    precision: Precision = "float32"
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.data not in _LOADERS:
            raise InputError(f"data={self.data!r} is not known; choose one of: {', '.join(_LOADERS)}")
        least = {"training": 1, "batch": 1, "diffusion_steps": 50, "samples": 40, "evaluated": 2}
        for name, smallest in least.items():
            if (given := getattr(self, name)) < smallest:
                raise InputError(f"{name}={given} is below {smallest}; choose {smallest} or more")
        if not 1 <= self.sampling_steps <= self.diffusion_steps:
            raise InputError(
                f"sampling_steps={self.sampling_steps} is not in 1 ... diffusion_steps={self.diffusion_steps}"
            )
        Noise(self.seed)
        find_device(self.device)
        self._model()
        for split in ("train", "test"):
            _load(self.data, split)

    def run(self, run: Run) -> list[str]:
        model = self._train(run)
        drawn = self._sample(run, model)
        sets = {"test": _load(self.data, "test"), "training": _load(self.data, "train")}
        bounds = kept(run, "bound", lambda: {name: self._bound(model, images) for name, images in sets.items()})
        flow = kept(run, "flow", lambda: {name: self._flow(model, images) for name, images in sets.items()})
        judge = train_classifier(sets["training"], seed=self.seed, run=run)
        quality = kept(run, "quality", lambda: self._quality(judge, drawn))
        self._draw(run, model, drawn, bounds)
        run.result(
            parameters=sum(p.numel() for p in model.parameters()),
            bound={name: bound["bits_per_dim"] for name, bound in bounds.items()},
            flow=flow,
            quality=quality,
        )
        return self._story(run, model, bounds, flow, quality)

    def _model(self) -> DDPM:
        torch.manual_seed(Noise(self.seed).split("network").stream)
        network = UNet(
            (1, 28, 28),
            self.width,
            multipliers=(1, 2, 4),
            blocks=1,
            attention=(7,),
            dropout=0.0,
            outputs=2,
            condition=None if self.guidance is None else Classes(_CLASSES),
        )
        schedule = Schedule.linear(
            1 / (10 * self.diffusion_steps), 20 / self.diffusion_steps, steps=self.diffusion_steps
        )
        return DDPM(network, schedule, predicts="v", variance="learned_range").to(self.device)

    def _train(self, run: Run) -> DDPM:
        model, images = self._model(), _load(self.data, "train")
        settings = Training(
            self.training,
            learning_rate=1e-3,
            warmup=min(200, self.training // 10),
            clip=1.0,
            average=PowerAverage(0.1),
            precision=self.precision,
            log_every=max(1, self.training // 400),
        )
        fit(
            model,
            images.x,
            settings,
            loss=losses.Hybrid(),
            batch=self.batch,
            condition=None if self.guidance is None else images.labels,
            seed=self.seed,
            run=run,
        )
        return model

    def _sample(self, run: Run, model: DDPM) -> list[Trajectory]:
        """Rounds of images; image i of a round has class i modulo 10 where the model is told one."""
        rounds = []
        for k, first in enumerate(range(0, self.samples, _ROUND)):
            n = min(_ROUND, self.samples - first)
            chain = model.reverse(
                samplers.DDIM(self.sampling_steps),
                condition=None if self.guidance is None else torch.arange(n) % _CLASSES,
                guidance=None if self.guidance is None else ClassifierFree(self.guidance),
            )
            path = simulate(
                chain,
                ensemble=n,
                save_every=None if k else 1,
                seed=Noise(self.seed).split(f"round {k}").stream,
                out=run.path / "samples" / f"{k:04d}.zarr",
                resume=True,
                device=self.device,
            )
            rounds.append(path)
        return rounds

    def _bound(self, model: DDPM, images: Images) -> dict[str, Any]:
        x, condition = self._evaluated(images)
        return plain(model.bound(x, condition=condition, seed=self.seed))

    def _flow(self, model: DDPM, images: Images) -> dict[str, Any]:
        x, condition = self._evaluated(images)
        found = likelihood(model, x, condition=condition, probes=1, rtol=1e-3, atol=1e-3, seed=self.seed)
        return found.bits_per_dim.to_dict()

    def _evaluated(self, images: Images) -> tuple[Tensor, Tensor | None]:
        x = images.x[: self.evaluated].to(self.device)
        if self.guidance is None or images.labels is None:
            return x, None
        return x, images.labels[: self.evaluated].to(self.device)

    def _quality(self, judge: Classifier, drawn: list[Trajectory]) -> dict[str, Any]:
        """Fréchet distances from the test images; and how often the classifier sees the class that was asked for."""
        x = torch.cat([path.state()["x"] for path in drawn]).clamp(-1, 1)
        test, learned = (_load(self.data, split) for split in ("test", "train"))
        found = {
            "the classifier is right on test images": accuracy(judge, test),
            "Fréchet distance of samples": classifier_frechet(judge, test.x, x),
            "Fréchet distance of training images": classifier_frechet(judge, test.x, learned.x[: len(x)]),
        }
        if self.guidance is not None:
            asked = torch.cat([torch.arange(path.dataset.sizes["ensemble"]) % _CLASSES for path in drawn])
            seen = accuracy(judge, replace(test, x=x, labels=asked))
            found["the classifier sees the class that was asked for"] = seen
        return {name: estimate.to_dict() for name, estimate in found.items()}

    def _draw(self, run: Run, model: DDPM, drawn: list[Trajectory], bounds: dict[str, Any]) -> None:
        folder, frames = run.folder("figures"), drawn[0].dataset["x"].values
        times = model.reverse(samplers.DDIM(self.sampling_steps)).grid.t.numpy()
        save(
            figures.loss(run.metrics("training"), f"{self.data}: loss, simple and a share of the bound"),
            folder / "loss.png",
        )
        save(figures.bound_terms(bounds, f"{self.data}: the variational bound, step by step"), folder / "bound.png")
        chain = f"{self.data}: the reverse chain from noise, DDIM in {self.sampling_steps} steps"
        save(figures.image_chain(frames, times, chain), folder / "chain.png")
        told = "" if self.guidance is None else f", a row a class, guidance weight {self.guidance:g}"
        # the first round's images by class: rows of equal residue modulo 10
        order = sorted(range(len(frames)), key=lambda i: i % _CLASSES)
        save(figures.image_grid(frames[order, -1], f"{self.data}: drawn images{told}"), folder / "samples.png")
        write_film(folder / "film.mp4", figures.image_film(frames[order], times, columns=10, scale=2), rate=16)

    def _story(self, run: Run, model: DDPM, bounds, flow, quality) -> list[str]:
        size = sum(p.numel() for p in model.parameters())
        told = "" if self.guidance is None else f", told their classes; guidance weight {self.guidance:g}"
        given = "-log p" if self.guidance is None else "-log p(x | class), unguided"
        return [
            f"A U-Net of {size:,} parameters learned 60,000 images of {self.data} in {self.training:,} steps{told}, "
            f"and drew {self.samples:,} in {self.sampling_steps} steps of DDIM.",
            "",
            *bound_table(bounds, f"The bound on {given}, means over {self.evaluated} images (95%, Student)"),
            "",
            *[
                f"By the probability flow, {name}: [bold]{escape(interval(found))}[/] bits/dim."
                for name, found in flow.items()
            ],
            *[f"{name}: {escape(interval(found))}" for name, found in quality.items()],
            "The features are those of the program's own classifier, not of Inception: no published FID compares.",
            f"Look at {escape(str(run.path / 'figures'))}: samples.png, film.mp4, chain.png, bound.png, loss.png.",
        ]


@lru_cache(maxsize=4)
def _load(name: str, split: Literal["train", "test"]) -> Images:
    return _LOADERS[name](split)


_LOADERS = {"mnist": data.load_mnist, "fashion-mnist": data.load_fashion_mnist}
