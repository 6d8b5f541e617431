"""The one driver: it advances any process in chunks, and lets observers look between them."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr

import sojourn
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.observers import NonFiniteError, Observer, ProgressBar, find_non_finite, first_non_finite
from sojourn.process import Process, State, state_bytes
from sojourn.record import difference, parameters
from sojourn.trajectory import MemoryWriter, StoreWriter, Trajectory

_PAUSE_SECONDS = 0.2  # how long a chunk may take before the observers see the state again,
_SHORTEST = 4  # or so many times the shortest yet, so that what a call costs whatever its steps is a small part


def simulate(
    process: Process,
    state: State | None = None,
    *,
    steps: int | None = None,
    save_every: int | None = None,
    ensemble: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    resume: bool = False,
    observers: Sequence[Observer] = (),
    progress: bool = True,
    device: str | None = None,
) -> Trajectory:
    """Advances `process` by `steps` steps and returns the states at 0, save_every, 2 save_every, ..., and `steps`.

    The result depends on the process, the start and the seed alone: not on chunks, threads or interruptions.

    Args:
        process: what to simulate.
        state: where to start; by default `process.initial(ensemble, ...)`, drawn from the seed.
        steps: how many steps, 0 or more; by default to the process's own end (`horizon`), where it has one.
        save_every: steps between saved frames; by default only the first and the last are saved.
        ensemble: number of members of a random start (1 by default); with `state` it is the state's.
        seed: 0 <= seed < 2^64.
        out: a folder for the trajectory as a Zarr v3 store; by default it stays in memory.
        resume: go on with the store at `out` from its last committed frame.
        observers: see `sojourn.observers`.
        progress: show a bar when a terminal is there.
        device: "cpu" (default), "cuda", ...

    Raises:
        InputError: a parameter is impossible, a state does not fit the process, `out` is taken, or memory is short.
        NonFiniteError: a field stopped being finite; it names the step and the place, and the state before it is
            kept as the last frame.
    """
    steps, seed = _steps(process, steps), whole("seed", seed)
    save_every = None if save_every is None else whole("save_every", save_every)
    ensemble = None if ensemble is None else whole("ensemble", ensemble)
    if steps < 0:
        raise InputError(f"steps={steps} is negative; ask for 0 or more")
    if save_every is not None and save_every < 1:
        raise InputError(f"save_every={save_every} is below 1; leave it out to save only the start and the end")
    if state is not None:
        process.check(state)
    given = next(iter(state.values())).shape[0] if state else None
    members = given or (1 if ensemble is None else ensemble)
    if members < 1 or (given and ensemble not in (None, given)):
        raise InputError(
            f"ensemble={ensemble} is not possible; use 1 or more, or leave it to the given state's {given}"
        )
    check_memory(process, members, steps, save_every, stored=out is not None)
    target = find_device(device)
    marks = _marks(steps, save_every)
    plan: dict[str, Any] = {
        "process": type(process).__name__,
        "parameters": parameters(process),
        "seed": seed,
        "steps": steps,
        "save_every": save_every,
        "ensemble": members,
        "sojourn_version": sojourn.__version__,
    }
    noise = Noise(seed)
    writer, start = _writer(process, state, out, resume, members, marks, plan)
    if isinstance(writer, Trajectory):
        return writer
    if writer.committed:
        state = Trajectory.open(writer.path).state()  # type: ignore[union-attr]
    elif state is None:
        state = process.initial(members, noise.split("initial"))
    state = {name: value.to(target or value.device) for name, value in state.items()}
    watching: list[Observer] = [*observers]
    if progress:
        watching.append(ProgressBar(type(process).__name__, start, steps))
    status = "interrupted"
    try:
        stopped = False
        if writer.committed == 0:
            if found := find_non_finite(state):
                raise NonFiniteError(f"{found} in the starting state; mend it before you simulate")
            answers = [observer.see(0, state) for observer in watching]  # all of them see the start
            stopped = any(answers)
            writer.write(state)
        stopped = stopped or _drive(process, state, start, steps, marks, noise, watching, writer)
        status = "stopped" if stopped else "finished"
    except NonFiniteError:
        status = "failed"
        raise
    finally:
        for observer in watching:
            observer.close()
        result = writer.close(status)
    return result


def _drive(process, state, step, steps, marks, noise, watching, writer) -> bool:
    """The outer loop; True if an observer stopped it. A chunk ends where a frame or an observer is due."""
    chunk, shortest = 1, math.inf
    saves = iter(marks[np.searchsorted(marks, step, side="right") :])
    next_save = next(saves, None)
    while step < steps:
        due = [steps if next_save is None else int(next_save)]
        due += [(step // o.every + 1) * o.every for o in watching if o.every]
        size = min(chunk, min(due) - step)
        began, before = time.monotonic(), state
        state = process.advance(state, step, size, noise)
        if find_non_finite(state):
            _keep_the_last_finite(process, before, step, step + size, noise, writer)
        step += size
        seconds = time.monotonic() - began
        shortest = min(shortest, seconds)
        chunk = _next_chunk(chunk, size, seconds / max(_PAUSE_SECONDS, _SHORTEST * shortest))
        stop = False
        for observer in watching:
            if observer.every is None or step % observer.every == 0 or step == steps:
                stop = observer.see(step, state) or stop
        if step == next_save:
            writer.write(state)
            next_save = next(saves, None)
        elif stop:
            writer.write_between(state, step)
        if stop:
            return True
    return False


def _keep_the_last_finite(process, state, step, end, noise, writer) -> None:
    """Finds, between a finite state and a step after which it is not, the last finite state; saves it, and raises."""
    saved = step
    while end - step > 1:
        middle = (step + end) // 2
        later = process.advance(state, step, middle - step, noise)
        if find_non_finite(later):
            end = middle
        else:
            state, step = later, middle
    after = process.advance(state, step, 1, noise)
    where = first_non_finite(after)
    if step > saved:
        writer.write_between(state, step)
    reason = process.diagnose(state, step, where[1]) if where else ""
    lower = f"lower dt={process.dt}, or" if isinstance(process.dt, float) else "lower"
    raise NonFiniteError(
        f"{find_non_finite(after)} after step {end}; the state after step {step} is kept as the last frame; "
        f"{reason or f'{lower} the size of the parameters'}"
    )


def _next_chunk(chunk: int, size: int, taken: float) -> int:
    """By what part of the time that it may take the last one took."""
    if taken > 1:
        return max(1, size // 2)
    return chunk * 2 if size == chunk and taken < 1 / 2 else chunk


def _steps(process: Process, steps: int | None) -> int:
    """The number of steps asked for, or the process's own."""
    name, end = type(process).__name__, process.horizon
    if steps is None:
        if end is None:
            raise InputError(f"{name} goes on for ever; say how far with steps=")
        return end
    steps = whole("steps", steps)
    if end is not None and steps > end:
        raise InputError(f"steps={steps} is beyond the end of {name}, which is after {end} steps")
    return steps


def _marks(steps: int, save_every: int | None) -> np.ndarray:
    every = save_every or max(steps, 1)
    marks = np.arange(0, steps + 1, every, dtype=np.int64)
    return marks if marks[-1] == steps else np.append(marks, steps)


def _writer(process, given, out, resume, members, marks, plan):
    """A writer and the step to go on from; or a finished trajectory, where there is nothing left to do."""
    if out is None:
        return MemoryWriter(process, members, marks, plan), 0
    path = Path(out)
    if not resume or not (path / "zarr.json").exists():
        return StoreWriter.create(path, process, members, marks, plan), 0
    group = zarr.open_group(path, mode="r+")
    for name, value in plan.items():
        if name != "sojourn_version" and (found := difference(group.attrs.get(name), value)):
            raise InputError(
                f"{path} was begun with {name}={found[0]}, not {found[1]}; "
                f"resume with the same settings, or write to another place"
            )
    if given and group.attrs["committed"]:
        _check_start(Trajectory.open(path), given)
    if group.attrs["status"] == "failed":
        raise InputError(
            f"{path} ended where a field stopped being finite; begin anew at another place with a lower dt"
        )
    if group.attrs["status"] in ("finished", "stopped"):
        return Trajectory.open(path), 0
    writer = StoreWriter(path, process, group)
    return writer, int(marks[writer.committed - 1]) if writer.committed else 0


def _check_start(path: Trajectory, given: State) -> None:
    """Raises InputError unless the first frame of a store is the state that is given again."""
    for name, value in path.state(0).items():
        if not torch.equal(value, given[name].cpu()):
            raise InputError(f"{path.path} was begun from another {name!r}; resume from the same state, or elsewhere")


def whole(name: str, value: Any) -> int:
    """The value as an int, if it is a whole number of any integer type; else InputError."""
    try:
        return operator.index(value)
    except TypeError:
        raise InputError(f"{name}={value!r} is not a whole number") from None


def find_device(name: str | None) -> torch.device | None:
    """The device of that name; InputError if there is none."""
    try:
        device = None if name is None else torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise InputError(f"device={name!r} is not here; use cpu, or look at what `sojourn doctor` finds") from None
    return device


def check_memory(process: Process, members: int, steps: int, save_every: int | None, *, stored: bool) -> None:
    """Raises InputError unless the frames, or those in flight and the time axis of a store, fit in free memory."""
    import psutil

    frames = -(-steps // (save_every or max(steps, 1))) + 1
    needed = state_bytes(process, members) * (4 if stored else frames) + 16 * frames
    free = psutil.virtual_memory().available
    if needed > 0.8 * free:
        remedy = "save fewer with save_every=" + ("" if stored else ", or pass out= to write them to disk")
        if state_bytes(process, members) * 4 > 0.8 * free:
            remedy = "use a smaller shape or a smaller ensemble"
        raise InputError(
            f"{frames:,} frames of {members:,} members need {needed / 1e9:,.1f} GB of memory and {free / 1e9:.1f} GB "
            f"are free; {remedy}"
        )
