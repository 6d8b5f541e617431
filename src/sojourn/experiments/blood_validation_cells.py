"""Margination and adhesion beside closed forms, for `sojourn run blood-validation`: ensembles of `BloodRobots`.

density per area, far downstream   P = 1 + (E - 1) (r/R)^m            without Brownian motion
share captured                     1 - exp(-k P_a t)                  P_a of Decuzzi and Ferrari, k the attempts
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sojourn.bounds import intervals
from sojourn.bounds.estimate import Estimate
from sojourn.driver import simulate
from sojourn.experiments.blood_validation_motion import COLD, RADIUS, all_at, in_tube, placed, seed_of
from sojourn.experiments.blood_validation_table import TOGETHER, Row, distance, plain, twice
from sojourn.processes.blood.adhesion import Adhesion, adhesion_strength, shear_force
from sojourn.processes.blood.contact import Contact
from sojourn.processes.blood.dispersion import Margination
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import CAPTURED

_TUBE = 10e-6  # m, its radius


def cells_and_ligands(robots: int, seed: int) -> dict[str, Any]:
    """Where red cells push robots to in the end, and how many of those in contact ligands hold."""
    return {"rows": plain([*_pushed(robots, seed), *_held(robots, seed)])}


def _pushed(robots: int, seed: int) -> list[Row]:
    """The law of r after a time in which red cells mix the tube several times, all robots beginning at half the way."""
    excess, m = 4.0, 3.0
    what = "law of r, excess 4, steepness 3: distance from it"

    def within(r: np.ndarray) -> np.ndarray:
        """The integral of P r, to r."""
        return r**2 / 2 + (excess - 1) * r ** (m + 2) / ((m + 2) * _TUBE**m)

    def measure(dt: float) -> dict[str, Estimate]:
        given = {"hematocrit": 0.45, "temperature": COLD, "margination": Margination(excess, m), "dt": dt}
        process = in_tube(_TUBE, 5e-3, Robot(RADIUS), **given)
        start = placed(process, *all_at(_TUBE / 2, robots))
        end = simulate(process, start, steps=round(0.25 / dt), seed=seed_of(seed, "pushed", dt), progress=False).state()
        r = end["across"].norm(dim=1).numpy()
        return {what: distance(r, lambda r: within(r) / within(np.array(_TUBE - RADIUS)))}

    return twice(measure, 2e-4, {what: 0.0})


def _held(robots: int, seed: int) -> list[Row]:
    """Robots that are in contact wherever they are, so that only the rate of capture matters."""
    velocity, attempts, seconds = 1e-3, 8.0, 0.5
    bonds = {"receptors": 1e13, "ligands": 1e15, "affinity": 4e-16, "contact_radius": 0.2e-6, "bond_length": 1e-9}
    what = "share captured by ligands in 0.5 s (Decuzzi, Ferrari)"
    contact = Contact(_TUBE, targets=(0,), capture_rate=attempts, adhesion=Adhesion(**bonds))

    def measure(dt: float) -> dict[str, Estimate]:
        process = in_tube(_TUBE, velocity, Robot(RADIUS), contact=contact, dt=dt)
        start = placed(process, *all_at(_TUBE / 2, robots))
        steps = round(seconds / dt)
        end = simulate(process, start, steps=steps, seed=seed_of(seed, "held", dt), progress=False).state()
        return {what: intervals.clopper_pearson(int((end["status"] == CAPTURED).sum()), robots, **TOGETHER)}

    force = shear_force(RADIUS, 1.2e-3 * 4 * velocity / _TUBE)
    exact = 1 - math.exp(-attempts * seconds * adhesion_strength(force, **bonds))
    return twice(measure, 2e-3, {what: exact})
