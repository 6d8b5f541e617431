"""What may watch a simulation between its chunks: progress, metrics, a stopping rule, a guard against NaN.

An observer sees the state at every multiple of its `every`, and at the end; with `every=None`, whenever the driver
pauses. It answers True to stop the run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

import torch

from sojourn.process import State


class Observer(Protocol):
    """Anything with `every`, `see` and `close`."""

    every: int | None

    def see(self, step: int, state: State) -> bool: ...

    def close(self) -> None: ...


class StopWhen:
    """Ends the run when `condition(state)` is true, looking every `every` steps."""

    def __init__(self, condition: Callable[[State], bool], every: int) -> None:
        self.condition, self.every = condition, every

    def see(self, step: int, state: State) -> bool:
        return bool(self.condition(state))

    def close(self) -> None:
        pass


class Metrics:
    """Hands `sink(step, observable(state))` the numbers read off the state every `every` steps."""

    def __init__(
        self,
        observable: Callable[[State], dict[str, float]],
        every: int,
        sink: Callable[[int, dict[str, float]], None],
    ) -> None:
        self.observable, self.every, self.sink = observable, every, sink

    def see(self, step: int, state: State) -> bool:
        self.sink(step, self.observable(state))
        return False

    def close(self) -> None:
        pass


class NonFiniteError(FloatingPointError):
    """A field stopped being finite; frames saved before it are kept."""


def find_non_finite(state: State) -> str | None:
    """The first NaN or infinity of a state in words, field, member and place; None if all is finite."""
    found = first_non_finite(state)
    if found is None:
        return None
    name, member, place = found
    return f"field {name!r} of member {member} is not finite" + (f" at {place}" if place else "")


def first_non_finite(state: State) -> tuple[str, int, tuple[int, ...]] | None:
    """Field, member and place of the first NaN or infinity of a state."""
    for name, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            member, *place = torch.nonzero(~torch.isfinite(value))[0].tolist()
            return name, member, tuple(place)
    return None


class ProgressBar:
    """A terminal progress bar with steps a second and the time left; without a terminal, a line every ten seconds."""

    every: int | None = None

    def __init__(self, title: str, start: int, steps: int, unit: str = "steps") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self.start, self.unit, self.begun = start, unit, time.monotonic()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            TextColumn("{task.fields[rate]}", style="cyan"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(title, total=steps, completed=start, rate="")
        self.plain, self.title, self.steps, self.said = not console.is_terminal, title, steps, self.begun
        self.bar.start()

    def see(self, step: int, state: State) -> bool:
        now = time.monotonic()
        rate = (step - self.start) / max(now - self.begun, 1e-9)
        speed = f"{rate:,.0f} {self.unit}/s" if rate >= 10 else f"{rate:.1f} {self.unit}/s"
        self.bar.update(self.task, completed=step, rate=speed)
        if self.plain and now - self.said > 10:
            print(f"{self.title}: {step:,} of {self.steps:,}, {speed}", file=sys.stderr, flush=True)
            self.said = now
        return False

    def close(self) -> None:
        self.bar.stop()
