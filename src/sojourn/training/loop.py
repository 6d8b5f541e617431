"""The one training loop: AdamW with a schedule, clipping, an average of the weights, and exact resume.

Data and noise are functions of the step (see `sojourn.noise`), so the place in the data is the step itself, and a
resumed training goes on bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from sojourn.errors import InputError
from sojourn.observers import ProgressBar
from sojourn.runs import Run
from sojourn.training import checkpoint
from sojourn.training.schedules import Schedule, rate_factor

Objective = Callable[[nn.Module, int], torch.Tensor]
"""objective(model, step) -> the scalar to minimise."""

Measure = Callable[[nn.Module, int], dict[str, float]]
"""measure(model, step) -> numbers to log, asked for only when they are logged."""


@dataclass(frozen=True)
class Training:
    """How to train.

    Args:
        steps: optimiser steps.
        learning_rate: AdamW's rate at its peak.
        schedule, warmup, floor: the rate rises over `warmup` steps and decays to `floor` of its peak.
        weight_decay: AdamW's decoupled decay.
        betas: AdamW's decay rates of the two moments.
        clip: largest norm of the whole gradient, or None.
        average_half_life: half-life in steps of the exponential moving average of the weights, or None.
        checkpoint_seconds: seconds between checkpoints of a recorded training.
        log_every: steps between lines of metrics.
    """

    steps: int
    learning_rate: float = 1e-3
    schedule: Schedule = "cosine"
    warmup: int = 0
    floor: float = 0.0
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float | None = None
    average_half_life: float | None = None
    checkpoint_seconds: float = 10.0
    log_every: int = 100

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"steps={self.steps} is below 1; a training needs at least one step")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate={self.learning_rate} is not above zero")


def train(
    model: nn.Module,
    objective: Objective,
    settings: Training,
    *,
    run: Run | None = None,
    stage: str = "training",
    measure: Measure | None = None,
    after_step: Callable[[nn.Module, int], None] | None = None,
    progress: bool = True,
) -> None:
    """Minimises `objective` over the parameters of `model`, in place; the averaged weights replace them at the end.

    With a `run`, metrics go to its metrics.jsonl under `stage`, and checkpoints to checkpoints/<stage>.safetensors; a
    training that finds its own checkpoint there goes on from it, or returns at once if it was finished. PyTorch's CPU
    generator is part of a checkpoint; an objective on a GPU should draw from `Noise`.
    """
    parameters = dict(model.named_parameters())
    optimiser = torch.optim.AdamW(
        parameters.values(),
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
    )
    average = {name: p.detach().clone() for name, p in parameters.items()} if settings.average_half_life else {}
    path = run.folder("checkpoints") / f"{stage}.safetensors" if run else None
    first = _restore(path, model, optimiser, average) if path and path.exists() else 0
    if run:
        run.rewind(stage, first)
    bar = ProgressBar(stage, first, settings.steps) if progress else None
    saved_at = time.monotonic()
    try:
        for step in range(first, settings.steps):
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * rate_factor(
                    settings.schedule, step, settings.steps, settings.warmup, settings.floor
                )
            optimiser.zero_grad(set_to_none=True)
            loss = objective(model, step)
            loss.backward()
            if settings.clip is not None:
                nn.utils.clip_grad_norm_(parameters.values(), settings.clip)
            optimiser.step()
            if after_step:
                after_step(model, step)
            for name, mean in average.items():
                mean.lerp_(parameters[name].detach(), 1.0 - 0.5 ** (1.0 / settings.average_half_life))  # type: ignore[operator]
            done = step + 1
            if run and (done % settings.log_every == 0 or done == settings.steps):
                run.log(stage, done, loss=float(loss.detach()), **(measure(model, step) if measure else {}))
            if bar and done % 10 == 0:
                bar.see(done, {})
            if path and time.monotonic() - saved_at > settings.checkpoint_seconds:
                _save(path, model, optimiser, average, done)
                saved_at = time.monotonic()
    finally:
        if bar:
            bar.close()
    if path and first < settings.steps:
        _save(path, model, optimiser, average, settings.steps)
    with torch.no_grad():
        for name, mean in average.items():
            parameters[name].copy_(mean)


def _save(path: Path, model, optimiser, average, step: int) -> None:
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in average.items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in moments.items()}
    tensors["random"] = torch.get_rng_state()
    checkpoint.save(path, tensors, step=step)


def _restore(path: Path, model, optimiser, average) -> int:
    tensors, values = checkpoint.load(path)
    model.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
    for name, mean in average.items():
        mean.copy_(tensors[f"average.{name}"])
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, kind = name.split(".")
            moments.setdefault(int(index), {})[kind] = tensor
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    torch.set_rng_state(tensors["random"])
    return int(values["step"])
