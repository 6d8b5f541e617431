"""How every emulator is trained: VRMSE of the next frame, and towards the end of a few frames in a row."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import nn

from sojourn.learning.emulators.evaluation import vrmse_loss
from sojourn.learning.emulators.network import EmulatorNetwork, unroll
from sojourn.learning.emulators.windows import Windows
from sojourn.runs import Run
from sojourn.training.loop import Objective, Training, train

ONE_STEP_SHARE = 0.7
"""The share of the training that looks one step ahead."""


@dataclass(frozen=True)
class Plan:
    """What a time budget comes to on this machine.

    Args:
        steps: optimiser steps.
        unrolled_from: the first of them that looks several frames ahead.
        seconds_per_step: measured on the network itself, one step ahead and several.
    """

    steps: int
    unrolled_from: int
    seconds_per_step: tuple[float, float]

    def plain(self) -> dict[str, object]:
        """As a record holds it."""
        return {**asdict(self), "seconds_per_step": list(self.seconds_per_step)}

    def seconds(self, step: int) -> float:
        """Training time until `step`, by the measured pace."""
        one, several = self.seconds_per_step
        return one * min(step, self.unrolled_from) + several * max(0, step - self.unrolled_from)


def prepare(network: EmulatorNetwork, windows: Windows) -> float:
    """What a network does before its first step, and the seconds it took."""
    began = time.monotonic()
    network.prepare(windows.frames)
    return time.monotonic() - began


def plan(network: EmulatorNetwork, windows: Windows, batch: int, seconds: float) -> Plan:
    """As many steps as fit in `seconds`, by the pace of a few steps of each kind on a copy of the network."""
    probe = copy.deepcopy(network)
    one, several = (pace(lambda step, of=of: of(probe, step).backward()) for of in _kinds(windows, batch))
    steps = max(1, int(seconds / (ONE_STEP_SHARE * one + (1 - ONE_STEP_SHARE) * several)))
    return Plan(steps, round(ONE_STEP_SHARE * steps), (one, several))


def learn(
    network: EmulatorNetwork,
    windows: Windows,
    batch: int,
    plan: Plan,
    *,
    learning_rate: float,
    run: Run | None = None,
    stage: str = "training",
    progress: bool = True,
) -> None:
    """Trains in place; windows must be longer than the network's history, and are unrolled as far as they go."""
    one, several = _kinds(windows, batch)

    def objective(model: nn.Module, step: int) -> torch.Tensor:
        return (one if step < plan.unrolled_from else several)(model, step)

    settings = Training(
        steps=plan.steps,
        learning_rate=learning_rate,
        warmup=min(100, plan.steps // 10),
        clip=1.0,
        log_every=max(1, min(25, plan.steps // 20)),
    )
    train(network, objective, settings, run=run, stage=stage, progress=progress)
    network.eval()


def pace(work: Callable[[int], object], steps: int = 6) -> float:
    """Seconds of one step, from a few of them."""
    for step in range(2):
        work(step)
    began = time.perf_counter()
    for step in range(steps):
        work(step)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / steps


def _kinds(windows: Windows, batch: int) -> tuple[Objective, Objective]:
    """The loss one step ahead, and to the windows' end."""

    def ahead(model: nn.Module, step: int, frames: int) -> torch.Tensor:
        assert isinstance(model, EmulatorNetwork)
        drawn = windows.draw(step, batch)
        h = model.history
        return vrmse_loss(unroll(model, drawn[:, :h], frames), drawn[:, h : h + frames]).mean()

    return (
        lambda model, step: ahead(model, step, 1),
        lambda model, step: ahead(model, step, windows.length - model.history),  # type: ignore[operator]
    )
