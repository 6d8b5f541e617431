"""`sojourn run ssm-nice`: a flow of MNIST learned by score matching, beside Song et al. (2019), table 1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import torch
from rich.markup import escape
from rich.table import Table
from torch import Tensor, nn

from sojourn.bounds.intervals import student
from sojourn.data import batch_indices, load_mnist, unit_rows
from sojourn.errors import InputError
from sojourn.experiments.base import Experiment
from sojourn.experiments.ddpm_figures import image_grid
from sojourn.experiments.figures import save
from sojourn.experiments.results import kept, lines
from sojourn.noise import Noise
from sojourn.runs import Run
from sojourn.score import NICE, DensityScore, objectives
from sojourn.training.loop import Training, train

Objective = Literal["sliced_reduced", "sliced", "denoising", "curvature_propagation", "likelihood"]

PUBLISHED: dict[str, tuple[str, float, float]] = {
    "likelihood": ("maximum likelihood", -579, -791),
    "sliced_reduced": ("SSM-VR", -8054, -3355),
    "sliced": ("SSM", -2428, -2039),
    "denoising": ("DSM, sigma = 0.10", -3035, -4363),
    "curvature_propagation": ("CP", -1694, -1517),
}
"""Name, score matching loss and log-likelihood of test images after 100 epochs."""

_TRAINED = 54_000  # of the 60,000 images; the others would choose among models
_EPOCHS = 100  # of the paper
_STARTED = 2000  # images that say where the flow starts
_WARMUP = 20
_CHUNK = 250  # images at a time in evaluation
_DRAWN = 60  # images in the picture


@dataclass(frozen=True)
class SsmNice(Experiment):
    """Learn a NICE flow of MNIST in logits by score matching, and judge it by its loss and its likelihood.

    The paper trains for 100 epochs on a GPU; the default is a tenth of that, at ten times the rate, which falls as a
    cosine, and from a start that gives the codes of images mean 0 and variance 1. It resumes exactly.

    Three quarters of a black pixel's mass are an atom, at the logit of 0.001. So neither the loss nor the likelihood of
    these data has a bound, and both tell how far a training went.

    Args:
        objectives: sliced_reduced (SSM-VR), sliced (SSM), denoising (DSM), curvature_propagation, likelihood.
        epochs: of 54,000 images.
        batch: images a step.
        rate: of Adam, at its peak.
        hidden: width of the couplings' networks.
        sigma: of the noise in denoising.
        evaluated: test images for the loss; the likelihood takes all 10,000.
        projections: directions an image in the estimate of the loss, which has no bias.
        seed: of weights, batches and noise.
    """

    objectives: tuple[str, ...] = ("sliced_reduced",)
    epochs: int = 10
    batch: int = 128
    rate: float = 1e-3
    hidden: int = 1000
    sigma: float = 0.1
    evaluated: int = 2000
    projections: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [name for name in self.objectives if name not in get_args(Objective)]
        if unknown or not self.objectives:
            raise InputError(
                f"objectives={unknown or self.objectives} is not known; choose from {', '.join(get_args(Objective))}"
            )
        for name, least in (("epochs", 1), ("batch", 1), ("hidden", 1), ("evaluated", 2), ("projections", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)} is below {least}")
        for name in ("rate", "sigma"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"{name}={getattr(self, name)} is not a finite number above zero")
        if self.evaluated > 10_000:
            raise InputError(f"evaluated={self.evaluated} is above the 10,000 test images")
        Noise(self.seed)
        load_mnist("test")

    def run(self, run: Run) -> list[str]:
        found = {}
        for name in self.objectives:
            flow = self._train(run, name)
            found[name] = kept(run, f"measured-{name}", partial(self._measure, flow))
            self._draw(run, name, flow)
        run.result(measured=found)
        pictures = ", ".join(f"{name}.png" for name in found)
        return [*self._story(found), "", f"Look at {escape(str(run.path / 'figures'))}: {pictures}."]

    def _train(self, run: Run, objective: str) -> NICE:
        torch.manual_seed(Noise(self.seed).split("flow").stream)
        flow, images = NICE(784, self.hidden), unit_rows(load_mnist("train").x[:_TRAINED])
        noise = Noise(self.seed).split(objective)
        flow.standardise(logits(images[:_STARTED], noise.split("start"), 0))

        def loss(model: nn.Module, step: int) -> Tensor:
            rows = batch_indices(_TRAINED, self.batch, step=step, seed=self.seed)
            return self._loss(model, objective, logits(images[rows], noise.split("levels"), step), noise, step)

        settings = Training(self.epochs * _TRAINED // self.batch, self.rate, warmup=_WARMUP, log_every=50)
        also = {"batch": self.batch, "hidden": self.hidden, "sigma": self.sigma, "data_seed": self.seed}
        train(flow, loss, settings, run=run, stage=objective, also=also)
        return flow

    def _loss(self, flow: Any, objective: str, x: Tensor, noise: Noise, step: int) -> Tensor:
        score, draws = DensityScore(flow), noise.split("draws")
        if objective == "likelihood":
            return -flow(x).mean()
        if objective == "denoising":
            return objectives.denoising(score, x, sigma=self.sigma, noise=draws, step=step)
        if objective == "curvature_propagation":
            return objectives.curvature_propagation(score, x, noise=draws, step=step)
        return objectives.sliced(score, x, reduced_variance=objective == "sliced_reduced", noise=draws, step=step)

    def _measure(self, flow: NICE) -> dict[str, Any]:
        """The loss by many directions an image, and the log-likelihood in logits, with intervals over images."""
        flow.requires_grad_(False)
        noise = Noise(self.seed).split("test")
        x = logits(unit_rows(load_mnist("test").x), noise.split("levels"), 0)
        losses, likelihoods = [], []
        for k, part in enumerate(x.split(_CHUNK)):
            likelihoods.append(flow(part))
            if k * _CHUNK < self.evaluated:
                terms = [
                    objectives.sliced(
                        DensityScore(flow), part, noise=noise, step=k * self.projections + j, reduction="none"
                    )
                    for j in range(self.projections)
                ]
                losses.append(torch.cat(terms).mean(0))
        loss = student(torch.cat(losses)[: self.evaluated].double())
        return {"loss": loss.to_dict(), "log_likelihood": student(torch.cat(likelihoods).double()).to_dict()}

    def _draw(self, run: Run, objective: str, flow: NICE) -> None:
        z = Noise(self.seed).split("drawn").normal(0, _DRAWN, (784,))
        with torch.no_grad():
            images = 2 * torch.sigmoid(flow.decode(z)) - 1
        title = f"Drawn from the flow: {PUBLISHED[objective][0]}, epochs: {self.epochs}"
        save(image_grid(images.view(-1, 1, 28, 28).numpy(), title), run.folder("figures") / f"{objective}.png")

    def _story(self, found: dict[str, Any]) -> list[str]:
        table = Table(
            title=f"NICE on MNIST in logits (95%, Student); epochs: {self.epochs}, and published {_EPOCHS}",
            title_justify="left",
            box=None,
            padding=(0, 3, 0, 0),
        )
        for column in ("objective", "loss E(tr grad s + |s|²/2)", "published", "log-likelihood", "published"):
            table.add_column(column, justify="left" if column == "objective" else "right")
        for name, row in found.items():
            title, loss, likelihood = PUBLISHED[name]
            table.add_row(title, _numbers(row["loss"]), f"{loss:g}", _numbers(row["log_likelihood"]), f"{likelihood:g}")
        return lines(table)


def logits(x: Tensor, noise: Noise, step: int) -> Tensor:
    """log(y / (1 - y)) of images (n, 784) in [0, 1], y = x + U(-1/512, 1/512) within [0.001, 0.999]."""
    jitter = (noise.uniform(step, len(x), tuple(x.shape[1:])) - 0.5) / 256
    return torch.logit((x + jitter).clamp(1e-3, 1 - 1e-3))


def _numbers(estimate: dict[str, Any]) -> str:
    low, high = estimate["interval"]
    return f"{estimate['value']:.0f} [{low:.0f}, {high:.0f}]"
