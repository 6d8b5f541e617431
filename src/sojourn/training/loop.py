"""The one training loop: AdamW with a schedule, clipping, averages of the weights, and exact resume.

Data and noise are functions of the step (see `sojourn.noise`), so the place in the data is the step itself, and a
resumed training goes on bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import nn

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.observers import NonFiniteError, ProgressBar
from sojourn.runs import Run
from sojourn.training import distributed, resume
from sojourn.training.averages import SNAPSHOTS, Averages, PowerAverage
from sojourn.training.schedules import Schedule, rate_factor

Objective = Callable[[nn.Module, int], torch.Tensor]
"""objective(model, step) -> the scalar to minimise."""

Measure = Callable[[nn.Module, int], dict[str, float]]
"""measure(model, step) -> numbers to log, asked for only when they are logged."""

Precision = Literal["float32", "bfloat16"]

MOST_SKIPPED = 20
"""A training ends when so many steps in a row had a gradient that is not finite."""


@dataclass(frozen=True)
class Training:
    """How to train.

    Args:
        steps: optimiser steps.
        learning_rate: AdamW's rate at its peak.
        schedule, warmup, floor: the rate rises over `warmup` steps and decays to `floor` of its peak.
        hold: steps, counted from the first, after which the schedule "inverse_sqrt" begins to decay.
        weight_decay: AdamW's decoupled decay; with 0 it is Adam.
        betas: AdamW's decay rates of the two moments.
        clip: largest norm of the whole gradient, or None.
        average_half_life: half-life in steps of the exponential moving average of the weights, or None.
        average: a power-function average of the weights in its place, or None; a recorded training then also stores
            what `averages.reconstruct` needs to make any other.
        precision: bfloat16 runs the objective under autocast; weights, moments and averages stay as they are.
        checkpoint_seconds: seconds between checkpoints of a recorded training.
        log_every: steps between lines of metrics.
    """

    steps: int
    learning_rate: float = 1e-3
    schedule: Schedule = "cosine"
    warmup: int = 0
    floor: float = 0.0
    hold: int = 0
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float | None = None
    average_half_life: float | None = None
    average: PowerAverage | None = None
    precision: Precision = "float32"
    checkpoint_seconds: float = 10.0
    log_every: int = 100

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"steps={self.steps} is below 1; a training needs at least one step")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate={self.learning_rate} is not above zero")
        for name, least in (("warmup", 0), ("hold", 0), ("log_every", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)} is below {least}")
        for name in ("clip", "average_half_life"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name}={value} is not above zero; leave it out to do without")
        for name, kinds in (("schedule", Schedule), ("precision", Precision)):
            if getattr(self, name) not in get_args(kinds):
                raise InputError(
                    f"{name}={getattr(self, name)!r} is not known; choose from {', '.join(get_args(kinds))}"
                )
        if self.schedule == "inverse_sqrt" and self.hold < max(1, self.warmup):
            raise InputError(f"hold={self.hold} ends before the warm-up does; choose at least {max(1, self.warmup)}")
        if self.average_half_life is not None and self.average is not None:
            raise InputError("average_half_life and average are both set; choose one of them")


def train(
    model: nn.Module,
    objective: Objective,
    settings: Training,
    *,
    run: Run | None = None,
    stage: str = "training",
    measure: Measure | None = None,
    after_step: Callable[[nn.Module, int], None] | None = None,
    until: Callable[[nn.Module, int], bool] | None = None,
    also: dict[str, Any] | None = None,
    progress: bool = True,
) -> None:
    """Minimises `objective` over the parameters of `model`, in place; the averaged weights replace them at the end.

    With a `run`, metrics go to its metrics.jsonl under `stage`, and checkpoints to checkpoints/<stage>.safetensors; a
    training that finds its own checkpoint there goes on from it, or returns at once if it was finished. PyTorch's
    generators are seeded at every step, so dropout too is the same after a resume.

    A step whose gradient is not finite is skipped: weights, moments and averages stay as they are, `after_step` is not
    called, and metrics count it under `skipped`.

    Started by `torchrun --nproc-per-node N script.py`, N processes train one model: see `sojourn.training.distributed`.
    Process 0 alone measures, logs and writes, so the others need no `run`.

    `until(model, step)` is asked after every step that was not skipped; the training ends when it says yes. What it
    remembers is its own: a resumed training does not bring it back.

    `also` holds what else the weights depend on, such as the batch or the seed of the data, by names that `Training`
    does not use; it is stored beside the settings, and a resume with other values is refused just so.

    Raises:
        InputError: the checkpoint there is of other settings or of another architecture.
        NonFiniteError: 20 steps in a row were skipped.
    """
    parameters = dict(model.named_parameters())
    device = next(iter(parameters.values())).device
    distributed.join(device)
    rank, _ = distributed.place()
    if rank > 0:
        run, progress = None, False
    optimiser = torch.optim.AdamW(
        parameters.values(),
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    averages = Averages(parameters, settings.average, settings.average_half_life, stored=run is not None)
    path = run.folder("checkpoints") / f"{stage}.safetensors" if run else None
    at = resume.start(path, model, optimiser, averages, settings, also or {}, device)
    first, seeds = at.step, Noise(at.seed).split("steps").members(rank)
    if run:
        run.rewind(stage, first)
    bar = ProgressBar(stage, first, settings.steps) if progress else None
    saved_at = time.monotonic()
    loss = None if at.loss is None else torch.tensor(at.loss, dtype=torch.float64)
    try:
        for step in range(first, settings.steps):
            _seed(seeds, step, device)
            rate = rate_factor(
                settings.schedule, step, settings.steps, settings.warmup, settings.floor, hold=settings.hold
            )
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * rate
            optimiser.zero_grad(set_to_none=True)
            with _autocast(settings.precision, device):
                found = objective(model, step)
            found.backward()
            found = distributed.average(list(parameters.values()), found.detach())
            norm = nn.utils.get_total_norm([p.grad for p in parameters.values() if p.grad is not None])
            at.step = step + 1
            if bool(norm.isfinite()):
                loss, at.in_a_row = found, 0
                if settings.clip is not None:
                    nn.utils.clip_grads_with_norm_(parameters.values(), settings.clip, norm)
                optimiser.step()
                if after_step:
                    after_step(model, step)
                averages.update(at.step - at.skipped)
                if until and until(model, step):
                    at.step = settings.steps
            else:
                at.skipped, at.in_a_row = at.skipped + 1, at.in_a_row + 1
                if at.in_a_row == MOST_SKIPPED:
                    raise NonFiniteError(
                        f"the gradient of {stage} was not finite in {MOST_SKIPPED} steps up to step {at.step}; lower "
                        f"learning_rate={settings.learning_rate}, set clip, or mend the data"
                    )
            last = at.step == settings.steps
            if run and loss is not None and (at.step % settings.log_every == 0 or last):
                more = measure(model, step) if measure else {}
                run.log(stage, at.step, loss=float(loss), skipped=at.skipped, **more)
            if run and averages.widths and (at.step % -(-settings.steps // SNAPSHOTS) == 0 or last):
                averages.snapshot(run, stage, at.step - at.skipped)
            if bar and at.step % 10 == 0:
                bar.see(at.step, {})
            if path and (last or time.monotonic() - saved_at > settings.checkpoint_seconds):
                at.loss = None if loss is None else float(loss)
                resume.save(path, model, optimiser, averages, at, settings, also or {})
                saved_at = time.monotonic()
            if last:
                break
    finally:
        if bar:
            bar.close()
    _seed(
        seeds, settings.steps, device
    )  # what follows a training draws the same whether the training was just read or done
    averages.put_in_place()
    distributed.meet()


def _seed(seeds: Noise, step: int, device: torch.device) -> None:
    low, high = seeds.words(step, 1, (2,))[0].tolist()
    torch.default_generator.manual_seed(low | high << 32)  # torch.manual_seed asks every kind of device: 80 us
    if device.type == "cuda":
        torch.cuda.manual_seed(low | high << 32)


def _autocast(precision: Precision, device: torch.device):
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()
