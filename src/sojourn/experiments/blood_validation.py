"""`sojourn run blood-validation`: every closed form that is known of robots in blood, measured beside exact.

Viscosities and red cells of networks that are solved; orbits without noise; ensembles of `BloodRobots` with noise, and
again with half the time step. One table, whose intervals hold all together, and a figure of each part.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.markup import escape

from sojourn.errors import InputError
from sojourn.experiments import blood_validation_blood as blood
from sojourn.experiments import blood_validation_chance as chance
from sojourn.experiments import blood_validation_figures as figures
from sojourn.experiments import blood_validation_motion as motion
from sojourn.experiments.base import Experiment
from sojourn.experiments.blood_validation_table import CONFIDENCE, FAMILY, Row, plain, table
from sojourn.experiments.figures import save
from sojourn.experiments.results import kept, lines
from sojourn.noise import Noise
from sojourn.runs import Run

TITLES = {
    "blood": "Blood and its vessels",
    "motion": "Robots without noise",
    "free": "Robots in free space",
    "tube": "Robots in a tube, a/R = 0.2",
    "exits": "Robots that leave a disc",
    "absorbed": "Robots in a tube that captures them",
    "once": "Single steps",
    "split": "Robots at junctions and at walls",
    "cells": "Robots that red cells push, and ligands that hold them",
}


@dataclass(frozen=True)
class BloodValidation(Experiment):
    """Measure every closed form of blood, vessels and robots beside its exact value.

    Args:
        robots: in each ensemble.
        vessels: about how many, in the network whose flow is solved.
        seed: of the robots, and of the network's shape.
    """

    robots: int = 100_000
    vessels: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("robots", 1000), ("vessels", 100)):
            if getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)} is too few to measure by; use {least} or more")
        Noise(self.seed)

    def run(self, run: Run) -> list[str]:
        run.folder("stages")
        stages: dict[str, Callable[[], dict[str, Any]]] = {
            "blood": partial(blood.measure, self.vessels, self.seed),
            "motion": motion.measure,
            **{name: partial(measure, self.robots, self.seed) for name, measure in chance.STAGES.items()},
        }
        found = {name: kept(run, f"stages/{name}", partial(_timed, measure)) for name, measure in stages.items()}
        rows = {name: [Row.of(row) for row in stage["rows"]] for name, stage in found.items()}
        curves = {name: stage["curves"] for name, stage in found.items()}
        folder = run.folder("figures")
        save(figures.blood(curves["blood"], blood.LAWS), folder / "blood.png")
        save(figures.motion(curves["motion"]), folder / "motion.png")
        save(figures.robots(curves), folder / "robots.png")
        every = [row for part in rows.values() for row in part]
        save(figures.intervals([row for row in every if row.ends]), folder / "intervals.png")
        wrong = [row.what for row in every if not (row.agrees and row.steady)]
        seconds = {name: stage["seconds"] for name, stage in found.items()}
        run.result(
            holds=len(every) - len(wrong),
            fails=wrong,
            seconds=seconds,
            network=found["blood"]["network"],
            rows=plain(every),
        )
        return self._story(run, rows, wrong, found["blood"]["network"])

    def _story(self, run: Run, rows: dict[str, list[Row]], wrong: list[str], network: dict[str, Any]) -> list[str]:
        count = sum(map(len, rows.values()))
        story = [line for name, title in TITLES.items() for line in [*lines(table(title, rows[name])), ""]]
        verdict = "All hold." if not wrong else f"[bold red]These fail[/]: {escape('; '.join(wrong))}."
        return [
            *story,
            f"{count} figures, {self.robots:,} robots in each ensemble. {verdict}",
            f"The network of {network['vessels']:,} vessels with {network['loops']:,} loops was solved in "
            f"{network['seconds']:.1f} s.",
            f"All {FAMILY} intervals hold together with probability {CONFIDENCE:.6f}; where nothing is random, errors.",
            "dt/2: what half the time step changes, by other draws, over the reach of the interval; it holds below 1.",
            f"Look at {escape(str(run.path / 'figures'))}: blood.png, motion.png, robots.png, intervals.png.",
        ]


def _timed(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    begun = time.perf_counter()
    return {"curves": {}, **measure(), "seconds": round(time.perf_counter() - begun, 2)}
