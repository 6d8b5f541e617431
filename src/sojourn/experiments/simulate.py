"""`sojourn simulate PROCESS`: one ensemble of one process, recorded as a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.markup import escape

from sojourn.catalogue import PROCESSES, find
from sojourn.driver import check_memory, find_device, simulate
from sojourn.errors import InputError
from sojourn.experiments.base import Experiment
from sojourn.formats import named, read_pattern, read_rle, write_rle
from sojourn.noise import Noise
from sojourn.process import Process, State
from sojourn.processes.gray_scott.gray_scott import GrayScott
from sojourn.processes.life.generations import Generations
from sojourn.processes.life.life import Life
from sojourn.processes.life.rule import split_topology
from sojourn.runs import Run


@dataclass(frozen=True)
class Options:
    """How to simulate.

    Args:
        pattern: for automata, what to start from: a pattern file (RLE, .cells, Life 1.06) or a name from the library;
            without --rule, its own rule is used. For gray-scott, a named feed and kill rate, such as maze.
        steps: how many steps.
        save_every: steps between saved frames; 0 saves only the first and the last.
        ensemble: number of random starts.
        seed: the seed of the starts and the noise.
        device: where to compute, such as cpu or cuda.
    """

    pattern: str | None = None
    steps: int = 1000
    save_every: int = 10
    ensemble: int = 1
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name, least in (("steps", 0), ("save_every", 0), ("ensemble", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)} is below {least}; use {least} or more")
        Noise(self.seed)
        find_device(self.device)


@dataclass(frozen=True)
class Simulate(Experiment):
    """Simulate the process of that name, with these parameters, and keep its trajectory."""

    process: str
    parameters: dict[str, Any]
    options: Options

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Simulate:
        return cls(settings["process"], settings["parameters"], Options(**settings["options"]))

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> tuple[Process, State | None]:
        """The process, and the state to start from when it is a pattern."""
        parameters = {k: tuple(v) if isinstance(v, list) else v for k, v in self.parameters.items()}
        process = find(PROCESSES, self.process, "process")(**parameters)
        check_memory(process, self.options.ensemble, self.options.steps, self.options.save_every or None, stored=True)
        return process, None if self.options.pattern is None else _centred(process, self.options.pattern)

    def run(self, run: Run) -> list[str]:
        process, state = self.begin()
        options = self.options
        path = simulate(
            process,
            state,
            steps=options.steps,
            save_every=options.save_every or None,
            ensemble=None if state else options.ensemble,
            seed=options.seed,
            out=run.path / "trajectory.zarr",
            resume=True,
            device=options.device,
        )
        run.result(frames=len(path), last_step=int(path.dataset["time"][-1] / process.dt))
        frames = "1 frame" if len(path) == 1 else f"{len(path)} frames"
        return [f"{frames} of {escape(str(process))} in {escape(str(run.path / 'trajectory.zarr'))}"]


def plan(process: str, parameters: dict[str, Any], options: Options, *, rule_given: bool) -> Simulate:
    """The experiment; a pattern file is recorded by its contents, and brings its own rule unless one is given.

    A pattern of Gray-Scott is its two rates.
    """
    if options.pattern is not None and find(PROCESSES, process, "process") is GrayScott:
        named_rates = GrayScott.preset(options.pattern, **{k: parameters[k] for k in parameters if k not in _RATES})
        rates = {name: getattr(named_rates, name) for name in _RATES}
        return Simulate(process, {**parameters, **rates}, replace(options, pattern=None))
    if options.pattern is not None:
        file = Path(options.pattern)
        pattern = read_pattern(file) if file.exists() else named(options.pattern)
        if file.exists():
            options = replace(options, pattern=write_rle(pattern))
        if pattern.rule is not None and not rule_given and "rule" in parameters:
            parameters = {**parameters, "rule": split_topology(pattern.rule)[0]}
    return Simulate(process, parameters, options)


_RATES = ("feed_rate", "kill_rate")


def _centred(process: Process, text: str) -> State:
    """The pattern of that name or RLE text, in the middle of the grid."""
    if not isinstance(process, Life | Generations):
        raise InputError(f"pattern: {type(process).__name__} does not start from patterns; leave it out")
    pattern = read_rle(text) if "!" in text else named(text)
    y, x = ((room - size) // 2 for room, size in zip(process.shape, pattern.cells.shape, strict=True))
    return process.place(pattern, at=(max(0, y), max(0, x)))
