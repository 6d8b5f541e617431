"""Single steps of robots beside the laws of their noise and drift, for `sojourn run blood-validation`.

    <dx dx> = 2 D(h) dt,   <dx> = div D dt        near a wall, and among red cells
    <dX dX^T> = 2 k T M dt                        of a helix, M the whole mobility, coupling included

A step is Ito's with the coefficients where it begins, so these hold for any dt, and none is halved.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sojourn.bounds import intervals
from sojourn.driver import simulate
from sojourn.experiments.blood_validation_exact import diffusivities
from sojourn.experiments.blood_validation_motion import RADIUS, all_at, in_tube, placed, seed_of
from sojourn.experiments.blood_validation_table import TOGETHER, Row, drawn, plain
from sojourn.noise import Noise
from sojourn.processes.blood.dispersion import shear_induced_diffusivity
from sojourn.processes.blood.helix import Helix
from sojourn.processes.blood.mobility import BODY_TEMPERATURE, BOLTZMANN, noise_factor
from sojourn.processes.blood.rheology import fahraeus_2005
from sojourn.processes.blood.robot import Robot


def once(robots: int, seed: int) -> dict[str, Any]:
    """Single steps: diffusivities and drift one radius from a wall, what red cells add, a helix's coupled noise."""
    rows, robots = [], 10 * robots
    process = in_tube(5e-6, 0.0, Robot(RADIUS), shear_strength=0.0, dt=(dt := 0.02))
    place, D = 5e-6 - 2 * RADIUS, float(process.body.diffusivity)
    e = simulate(
        process, placed(process, *all_at(place, robots)), steps=1, seed=seed_of(seed, "once", 0), progress=False
    ).state()
    moved = {"along": e["along"].numpy() - 0.5, "towards": e["across"][:, 0].numpy() - place}
    exact = 1 - 9 / 32 + 1 / 64 - 45 / 4096 - 1 / 512  # Faxen's series at a / h = 1/2
    speed = _drift(place, 5e-6 - RADIUS)
    for what, value, x in (
        ("D along a wall one radius away, over D", exact, moved["along"] ** 2 / (2 * D * dt)),
        ("D towards it, over D", 8 / 17, (moved["towards"] - D * speed * dt) ** 2 / (2 * D * dt)),
        ("div D there, over D / a", speed * RADIUS, moved["towards"] / (D * dt) * RADIUS),
    ):
        rows.append(drawn(what, value, intervals.student(x, **TOGETHER)))
    process = in_tube(20e-6, 1e-3, Robot(RADIUS), hematocrit=0.45, dt=1e-4)
    across, axis = all_at(10e-6, robots)
    e = simulate(
        process, placed(process, across, axis), steps=1, seed=seed_of(seed, "cells", 0), progress=False
    ).state()
    inside = 0.45 * fahraeus_2005(40e-6, 0.45)
    # At half the radius the shear rate is 2 U / R.
    added = shear_induced_diffusivity(2 * 1e-3 / 20e-6, inside)
    sideways = e["across"][:, 1].numpy()
    exact = 1e12 * added + 1e12 * float(diffusivities(process, np.array([10e-6]))[1][0])
    what = "D across flow among red cells, 100 1/s, um^2/s"
    rows.append(drawn(what, exact, intervals.student(1e12 * sideways**2 / (2 * 1e-4), **TOGETHER)))
    return {"rows": plain([*rows, *_coupled(robots, seed)])}


def _drift(r: float, limit: float) -> float:
    """d L_n / dr + (L_n - L_t) / r of the wall's factors one radius away, 1/m; L_t as in `motion`."""
    normal, parallel = 8 / 17, 1 - 9 / 32 + 1 / 64 - 45 / 4096 - 1 / 512
    slope = 70 / 289 / RADIUS  # of (6 d^2 + 2 a d) / (6 d^2 + 9 a d + 2 a^2) at d = a
    return -slope + (normal - parallel) * r / limit**2


def _coupled(robots: int, seed: int) -> list[Row]:
    """2 k T M dt of a helix: of each block the entry furthest from its value, and the strongest that couples."""
    mobility = Helix("0.5 um", "2 um", 3, "0.1 um").mobility(1.2e-3)
    covariance = 2 * BOLTZMANN * BODY_TEMPERATURE * 1e-3 * mobility
    z = Noise(seed).split("helix").sequence(0, robots, 6, torch.float64)
    x = z @ noise_factor(mobility, 1e-3).T
    size = torch.sqrt(torch.diagonal(covariance))
    x, even = (x / size).numpy(), (covariance / size[:, None] / size).numpy()
    blocks = {"translation": [], "rotation": [], "coupling": []}
    for i in range(6):
        for j in range(i, 6):
            block = "coupling" if i < 3 <= j else ("translation" if j < 3 else "rotation")
            row = drawn("", even[i, j], intervals.student(x[:, i] * x[:, j], **TOGETHER))
            where = f"({'xyzxyz'[i]}, {'xyzxyz'[j]})"
            blocks[block].append(replace(row, what=f"{block}, entry {where}"))
    worst = {
        name: max(rows, key=lambda row: abs(row.measured - row.exact) / row.reach) for name, rows in blocks.items()
    }
    strongest = max(blocks["coupling"], key=lambda row: abs(row.exact))
    title = "noise of a helix over sqrt(C_ii C_jj), "
    rows = [replace(row, what=f"{title}worst {row.what}") for row in worst.values()]
    return [*rows, replace(strongest, what=f"{title}strongest {strongest.what}")]
