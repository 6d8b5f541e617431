"""Robots whose motion is random beside closed forms, for `sojourn run blood-validation`: ensembles of `BloodRobots`.

Each figure is measured with the time step dt, from whose draws the interval comes, and with dt/2 from other draws.
A wall that is looked at once a step absorbs as one does that is watched always but lies 0.5826 sqrt(2 D dt) further out
(-zeta(1/2) / sqrt(2 pi): Siegmund, Adv. Appl. Probab. 11 (1979), 701), so here it is put further in by as much.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import stats

from sojourn.bounds import intervals
from sojourn.bounds.estimate import Estimate
from sojourn.driver import simulate
from sojourn.experiments.blood_validation_cells import cells_and_ligands
from sojourn.experiments.blood_validation_exact import diffusivities, exit_law, mean_speed, spreading, survival
from sojourn.experiments.blood_validation_motion import RADIUS, all_at, in_tube, placed, seed_of
from sojourn.experiments.blood_validation_steps import once
from sojourn.experiments.blood_validation_table import TOGETHER, distance, plain, twice
from sojourn.noise import Noise
from sojourn.observers import StopWhen
from sojourn.process import State
from sojourn.processes.blood.adhesion import bell_rate, shear_force
from sojourn.processes.blood.closed_forms import active_displacement, exit_time, orientation_memory
from sojourn.processes.blood.contact import Contact
from sojourn.processes.blood.mobility import BODY_TEMPERATURE, BOLTZMANN
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BOUND, LEFT, MOVING, BloodRobots

WATCHED = 0.5825971579390107  # -zeta(1/2) / sqrt(2 pi)
Found = dict[str, Estimate]


def free(robots: int, seed: int) -> dict[str, Any]:
    """Robots a centimetre from all walls: those that diffuse, and those that swim."""
    times = (0.25, 0.5, 1.0, 2.0)
    looked: list[dict[str, Any]] = []

    def measure(dt: float) -> Found:
        swimmers = _still(Robot(RADIUS, swim_speed=5e-6), dt)
        start = _at_rest(swimmers, robots, seed, dt)
        path = simulate(
            swimmers, start, steps=round(2 / dt), save_every=round(0.25 / dt), seed=seed_of(seed, "swim", dt)
        )
        found = {}
        for time in times:
            state = path.state(round(time / 0.25))
            moved = (swimmers.places(state) - swimmers.places(start)).square().sum(1).numpy() * 1e12
            memory = (state["axis"] * start["axis"]).sum(1).clamp(-1, 1).numpy()
            found[f"swimmers' <|x|^2> after {time:g} s, um^2"] = intervals.student(moved, **TOGETHER)
            found[f"<p(t) . p(0)> after {time:g} s"] = intervals.empirical_bernstein(memory, range=(-1, 1), **TOGETHER)
        looked.append({what: [each.value, each.low, each.high] for what, each in found.items()})
        passive = _still(Robot(RADIUS), dt)
        start = _at_rest(passive, robots, seed, dt)
        end = simulate(passive, start, steps=round(1 / dt), seed=seed_of(seed, "drift", dt)).state()
        moved = (passive.places(end) - passive.places(start)).square().sum(1).numpy() * 1e12 / 6
        found["Stokes and Einstein's D, um^2/s"] = intervals.student(moved, **TOGETHER)
        return found

    D = BOLTZMANN * BODY_TEMPERATURE / (6 * math.pi * 1.2e-3 * RADIUS)
    turning = 3 / 4 * D / RADIUS**2
    given = {"diffusivity": D, "rotational_diffusivity": turning, "swim_speed": 5e-6}
    exact = {"Stokes and Einstein's D, um^2/s": 1e12 * D}
    for time in (0.5, 2.0):
        exact[f"swimmers' <|x|^2> after {time:g} s, um^2"] = 1e12 * active_displacement(time, **given)
        exact[f"<p(t) . p(0)> after {time:g} s"] = orientation_memory(time, turning)
    rows = twice(measure, 0.01, exact)
    fine = np.linspace(0.01, 2.2, 100)
    curves = {
        "seen": looked[0],
        "time": fine.tolist(),
        "squares": [1e12 * active_displacement(t, **given) for t in fine.tolist()],
        "memory": [orientation_memory(t, turning) for t in fine.tolist()],
    }
    return {"rows": plain(rows), "curves": curves}


def tube(robots: int, seed: int) -> dict[str, Any]:
    """Robots that diffuse across a flow: how they spread along it, and where across they are in the end."""
    radius, velocity = 2.5e-6, 3e-6
    seen: list[dict[str, Any]] = []

    def measure(dt: float) -> Found:
        process = in_tube(radius, velocity, Robot(RADIUS), shear_strength=0.0, dt=dt)
        limit = float(process.vessels.radius - process.body.radius)
        once = limit**2 / float(process.body.diffusivity)  # s
        across = np.zeros((robots, 2))
        across[: robots // 2, 0] = 0.999 * limit  # half begin at the wall, half on the axis
        start = placed(process, across, _axes(robots, Noise(seed).split("axes")))
        every = round(0.5 * once / dt)
        path = simulate(process, start, steps=7 * every, save_every=every, seed=seed_of(seed, "tube", dt))
        x = 1e6 * (path.dataset["along"].values - 0.5)
        time = path.dataset["time"].values
        spread = (x - x.mean(0)) ** 2
        end = path.state()
        q = (end["across"].square().sum(1) / limit**2).numpy()
        turn = np.arctan2(*end["across"].T.numpy()) / (2 * math.pi) + 0.5
        seen.append(
            {"time": time.tolist(), "variance": x.var(0).tolist(), "q": np.histogram(q, 25, (0, 1))[0].tolist()}
        )
        span = time[7] - time[3]
        return {
            "mean speed along, um/s": intervals.student((x[:, 7] - x[:, 3]) / span, **TOGETHER),
            "spreading along (Taylor, Aris), um^2/s": intervals.student(
                (spread[:, 7] - spread[:, 3]) / (2 * span), **TOGETHER
            ),
            "law of r^2 / (R - a)^2: distance from uniform": distance(q, stats.uniform.cdf),
            "law of the angle across: distance from uniform": distance(turn, stats.uniform.cdf),
            "law of p along the flow: distance from uniform": distance(
                end["axis"][:, 0].numpy() / 2 + 0.5, stats.uniform.cdf
            ),
        }

    process = in_tube(radius, velocity, Robot(RADIUS), shear_strength=0.0, dt=0.02)
    exact = {
        "mean speed along, um/s": 1e6 * mean_speed(process),
        "spreading along (Taylor, Aris), um^2/s": 1e12 * spreading(process),
        "law of r^2 / (R - a)^2: distance from uniform": 0.0,
        "law of the angle across: distance from uniform": 0.0,
        "law of p along the flow: distance from uniform": 0.0,
    }
    rows = twice(measure, 0.02, exact)
    return {"rows": plain(rows), "curves": {**seen[0], "slope": exact["spreading along (Taylor, Aris), um^2/s"]}}


def exits(robots: int, seed: int) -> dict[str, Any]:
    """When diffusion takes robots from the axis to 10 um from it, in a tube that is 200 times as wide."""
    radius, wall = 2e-3, 1e-5
    _, towards = diffusivities(_still(Robot(RADIUS), 0.05, radius), np.array([wall / 2]))
    D = float(towards[0])
    seen: list[list[float]] = []

    def measure(dt: float) -> Found:
        process = _still(Robot(RADIUS), dt, radius)
        reach = radius - RADIUS - wall + WATCHED * math.sqrt(2 * float(process.body.diffusivity) * dt)
        process = replace(process, contact=_captures(reach))
        start = placed(process, np.zeros((robots, 2)), _axes(robots, Noise(seed).split("axes")))
        end = _until_done(process, start, 40 * wall**2 / float(process.body.diffusivity), seed_of(seed, "exit", dt))
        time = end["since"].numpy()
        seen.append(np.quantile(time, np.linspace(0, 1, 101)).tolist())
        return {
            "mean exit time R^2 / 4D, s": intervals.student(time, **TOGETHER),
            "law of the exit time: distance from the series": distance(time, partial(exit_law, D / wall**2)),
        }

    mean, law = "mean exit time R^2 / 4D, s", "law of the exit time: distance from the series"
    rows = twice(measure, 0.05, {mean: exit_time(0.0, wall, D), law: 0.0})
    time = np.linspace(0, 1.2 * wall**2 / D, 200)
    return {
        "rows": plain(rows),
        "curves": {"quantiles": seen[0], "time": time.tolist(), "law": exit_law(D / wall**2, time).tolist()},
    }


def absorbed(robots: int, seed: int) -> dict[str, Any]:
    """Graetz' problem: a tube whose wall captures, m = D L / (U R^2) long."""
    radius, velocity, reach = 10e-6, 40e-6, 0.5e-6
    m = 0.1
    what = f"share that leaves a capturing tube (Graetz), m = {m:g}, a/R = 0.05"
    seen: list[list[list[float]]] = []

    def made(dt: float) -> BloodRobots:
        D = BOLTZMANN * BODY_TEMPERATURE / (6 * math.pi * 1.2e-3 * RADIUS)
        process = in_tube(
            radius, velocity, Robot(RADIUS), length=m * velocity * radius**2 / D, shear_strength=0.0, dt=dt
        )
        _, towards = diffusivities(process, np.array([radius - RADIUS - reach]))
        return replace(process, contact=_captures(reach + WATCHED * math.sqrt(2 * float(towards[0]) * dt)))

    def measure(dt: float) -> Found:
        process = made(dt)
        across = _by_flux(process, radius - RADIUS - reach, robots, seed_of(seed, "flux", dt))
        start = placed(process, across, _axes(robots, Noise(seed)), 0.0)
        end = _until_done(process, start, 40 * radius**2 / float(process.body.diffusivity), seed_of(seed, "graetz", dt))
        left = int((end["status"] == LEFT).sum())
        where = end["along"].numpy() / float(process.vessels.length)
        places = np.linspace(0.02, 0.98, 25)
        seen.append([places.tolist(), [float((where > place).mean()) for place in places]])
        return {what: intervals.clopper_pearson(left, robots, **TOGETHER)}

    process = made(0.02)
    exact = survival(process, radius - RADIUS - reach, float(process.vessels.length))
    rows = twice(measure, 0.02, {what: exact})
    place = np.linspace(0, 1, 60)
    law = [survival(process, radius - RADIUS - reach, x * float(process.vessels.length)) for x in place.tolist()]
    return {"rows": plain(rows), "curves": {"seen": seen[0], "place": (m * place).tolist(), "law": law, "m": m}}


def split(robots: int, seed: int) -> dict[str, Any]:
    """Which outlet of a tree robots leave by, and how long the flow lets bonds at a wall live."""
    network = VesselNetwork.murray_tree(2, "40 um", length_ratio=5, asymmetry=0.6)
    flow = network.solve(viscosity="1.2 cP")
    outlets = [v for v in range(len(network.vessels)) if int(network.degree[network.vessels[v, 1]]) == 1]
    names = {f"share of the robots by outlet {k + 1} of 4 (share of the flow)": v for k, v in enumerate(outlets)}

    def measure(dt: float) -> Found:
        process = BloodRobots(flow, Robot(0.1e-6), shear_strength=0.0, dt=dt)
        begin = process.initial(robots, Noise(seed_of(seed, "begin", dt)))
        end = _until_done(process, begin, 20.0, seed_of(seed, "split", dt))
        last = end["vessel"].numpy()
        return {
            what: intervals.clopper_pearson(int((last == v).sum()), robots, **TOGETHER) for what, v in names.items()
        }

    shares = {what: float(flow.flow[v] / flow.flow[0]) for what, v in names.items()}
    rows = twice(measure, 5e-4, shares)

    velocity, k0 = 1e-3, 1.0

    def bound(dt: float) -> Found:
        process = in_tube(10e-6, velocity, Robot(RADIUS), contact=Contact("20 nm", unbinding_rate=k0), dt=dt)
        across, axis = all_at(10e-6 - RADIUS, robots)
        start = placed(process, across, axis)
        start["status"].fill_(BOUND)
        end = simulate(process, start, steps=round(0.5 / dt), seed=seed_of(seed, "bound", dt), progress=False).state()
        holds = int(((end["status"] == BOUND) & (end["since"] == 0)).sum())
        return {"share bound after 0.5 s (Bell)": intervals.clopper_pearson(holds, robots, **TOGETHER)}

    rate = bell_rate(k0, shear_force(RADIUS, 1.2e-3 * 4 * velocity / 10e-6))
    rows += twice(bound, 2e-3, {"share bound after 0.5 s (Bell)": math.exp(-0.5 * rate)})
    return {"rows": plain(rows), "curves": {}}


STAGES: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "free": free,
    "tube": tube,
    "exits": exits,
    "absorbed": absorbed,
    "once": once,
    "split": split,
    "cells": cells_and_ligands,
}
"""Name: what measures it, of a number of robots and a seed."""


def _still(robot: Robot, dt: float, radius: float = 1e-2) -> BloodRobots:
    return in_tube(radius, 0.0, robot, shear_strength=0.0, dt=dt)


def _axes(robots: int, noise: Noise) -> np.ndarray:
    e = noise.normal(0, robots, (3,), torch.float64).numpy()
    return e / np.linalg.norm(e, axis=1, keepdims=True)


def _at_rest(process: BloodRobots, robots: int, seed: int, dt: float) -> State:
    return placed(process, np.zeros((robots, 2)), _axes(robots, Noise(seed_of(seed, "axes", dt))))


def _captures(reach: float) -> Contact:
    """Everybody within reach of the wall, at the end of a step."""
    return Contact(reach, targets=(0,), capture_rate=1e12)


def _until_done(process: BloodRobots, start: State, longest: float, seed: int) -> State:
    """The state in which nobody is on the way any more."""

    def done(state: State) -> bool:
        return not bool((state["status"] == MOVING).any())

    steps = round(longest / float(process.dt))
    watch: list[Any] = [StopWhen(done, every=max(1, steps // 400))]
    return simulate(process, start, steps=steps, seed=seed, observers=watch).state()


def _by_flux(process: BloodRobots, end: float, robots: int, seed: int) -> np.ndarray:
    """Places within `end` of the axis, spread as u(r) r dr, u = s (p - r^2)."""
    peak = float(process.vessels.radius**2 - 2 / 3 * process.body.radius**2)
    draws = Noise(seed).split("flux").uniform(0, robots, (2,)).double().numpy()
    share = draws[:, 0] * (peak * end**2 - end**4 / 2)
    r = np.sqrt(peak - np.sqrt(peak**2 - 2 * share))
    angle = 2 * math.pi * draws[:, 1]
    return np.stack([r * np.cos(angle), r * np.sin(angle)], 1)
