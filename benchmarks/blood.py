"""Robots in blood: robot-steps per second of the kernel, beside its PyTorch form, a vectorised NumPy program, and the
cost of the normals alone.

python benchmarks/blood.py [--rounds 5] [--output docs/benchmarks/blood.md]

All have Brownian motion, rotation and mobilities that depend on the distance to the wall, float64 throughout. The NumPy
program is for one long tube, without nodes; before anything is timed it is checked to take the same step as the kernel,
given the same normals. A rate is robots x steps / seconds from state to state, the normals drawn in the run.
`blood_incumbents.py` measures other packages; its section of the output stays as it is.
"""

import argparse
import math
import os
import statistics
from pathlib import Path

import numba
import numpy as np
import torch
from numba import njit, uint32
from rich.console import Console
from rich.table import Table

from machine import machine, on_all_cores, seconds
from sojourn.kernels.normals import TOGETHER, fill
from sojourn.noise import Noise
from sojourn.process import Process
from sojourn.processes.blood.contact import Contact
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.motion import bounce
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import LEFT, BloodRobots

ROBOTS, STEPS, FEW = 100_000, 200, 5
ROBOT = Robot("0.5 um", magnetic_moment="1e-15 A m^2", swim_speed="10 um/s")
GRADIENT = [[0.1, 0, 0], [0, -0.1, 0], [0, 0, 0]]
NORMALS = 6
HEADING = "## Beside other packages"  # of `blood_incumbents.py`


def processes():
    """(key, what is shown, the process)."""
    tube = VesselNetwork.tube("20 um", "1 m").solve(viscosity="3 cP")
    grid = VesselNetwork.honeycomb(8, 6, diameter="20 um", length="200 um", inlet_velocity="2 mm/s").solve()
    uniform = MagneticField.uniform(("0.1 mT", 0, 0))
    gradient = MagneticField.gradient(("0.1 mT", 0, 0), GRADIENT)
    contact = Contact("50 nm", 10.0, 10.0, targets=tuple(range(40, 60)), capture_rate=1.0)
    yield "tube", "one long tube", BloodRobots(tube, ROBOT)
    yield "grid", "honeycomb of 173 vessels", BloodRobots(grid, ROBOT)
    yield "uniform", "honeycomb, uniform magnetic field", BloodRobots(grid, ROBOT, field=uniform)
    yield "gradient", "honeycomb, field with a gradient", BloodRobots(grid, ROBOT, field=gradient)
    yield "contact", "honeycomb, walls that bind and capture", BloodRobots(grid, ROBOT, contact=contact)


def ours(process, steps, advance=None):
    """A function that takes the robots `steps` steps on, from where most are well inside."""
    noise = Noise(1)
    state = process.initial(ROBOTS, noise)
    state = process.advance(state, 0, 400, noise)
    assert int((state["status"] == LEFT).sum()) == 0
    advance = advance or type(process).advance
    return lambda: advance(process, state, 400, steps, noise)


def normals():
    """A function that measures robot-steps per second of drawing six float64 normals each, in cache, on all cores."""
    rounds, cores = 20_000, numba.get_num_threads()
    spaces = [np.empty(8 * NORMALS * TOGETHER) for _ in range(cores)]

    def work(core):
        _draw(spaces[core], rounds, core)

    work(0)
    return lambda: cores * rounds * 8 * TOGETHER / on_all_cores(work)


@njit(nogil=True)
def _draw(space, rounds, stream):
    for k in range(rounds):
        fill(space, TOGETHER, TOGETHER, 12 * k, 12, 0, uint32(stream), uint32(1), uint32(2))


# ------------------------------------------------------------------------------------------------- NumPy


def numpy_step(along, across, axis, xi, process):
    """One step in a tube along x, an operation at a time: those of `motion`, with t = x, n1 = y, n2 = z."""
    where, body, dt = process.vessels, process.body, process.dt
    R, shear, mixing = (float(x[0]) for x in (where.radius, where.shear, where.mixing))
    a, D, turning, speed = (float(x) for x in (body.radius, body.diffusivity, body.turning, body.speed))
    r = np.sqrt((across**2).sum(1))
    outward = across / r[:, None]
    gap = np.maximum(R - a - r, 0) / a
    e = 1 / (gap + 1)
    parallel = 1 - 9 / 16 * e + e**3 / 8 - 45 / 256 * e**4 - e**5 / 16
    resisted = 6 * gap**2 + 9 * gap + 2
    normal = (6 * gap**2 + 2 * gap) / resisted
    slope = (42 * gap**2 + 24 * gap + 4) / resisted**2 / a
    azimuth = parallel + (normal - parallel) * (1 - (r / (R - a)) ** 2)
    around, towards = (np.sqrt(2 * dt * (D * x + mixing * r)) for x in (azimuth, normal))
    spread = (mixing - D * slope) * (xi[:, 1:3] ** 2).sum(1) / 2 + D * (normal - parallel) * r / (R - a) ** 2
    radial = (xi[:, 1:3] * outward).sum(1)
    u = shear * (R**2 - 2 / 3 * a**2 - r**2)
    along = along + (u + speed * axis[:, 0]) * dt + np.sqrt(2 * dt * D * parallel) * xi[:, 0]
    moved = across + speed * axis[:, 1:] * dt + around[:, None] * xi[:, 1:3]
    moved += (spread * dt + (towards - around) * radial)[:, None] * outward
    zero = np.zeros(len(r))
    turn = shear * dt * np.stack([zero, -across[:, 1], across[:, 0]], 1) + math.sqrt(2 * turning * dt) * xi[:, 3:]
    angle = np.sqrt((turn**2).sum(1))[:, None]
    n = turn / angle
    across_n = np.cross(n, axis)
    axis = axis + np.sin(angle) * across_n + (1 - np.cos(angle)) * np.cross(n, across_n)
    r = np.sqrt((moved**2).sum(1))[:, None]
    mirrored = moved * ((R - a - float(bounce(where, body, dt)[0]) * (r - R + a)) / r)
    return along, np.where(r > R - a, mirrored, moved), axis


def numpy_program(process):
    """A function that takes FEW steps with NumPy's own normals."""
    random = np.random.default_rng(0)
    start = process.initial(ROBOTS, Noise(1))

    def run():
        place = [start[name].numpy() for name in ("along", "across", "axis")]
        for _ in range(FEW):
            place = numpy_step(*place, random.standard_normal((ROBOTS, NORMALS)), process)
        return place

    return run


def check(process):
    """The NumPy program and the kernel take the same step."""
    noise = Noise(2)
    state = process.initial(1000, noise)
    found = process.advance(state, 0, 1, noise)
    xi = noise.split("motion").sequence(0, 1000, NORMALS, torch.float64).numpy()
    expected = numpy_step(*(state[name].numpy() for name in ("along", "across", "axis")), xi, process)
    inside = expected[0] >= 0
    for name, values in zip(("along", "across", "axis"), expected, strict=True):
        scale = 1 if name == "axis" else 1e-6
        np.testing.assert_allclose(found[name].numpy()[inside] / scale, values[inside] / scale, rtol=1e-8, atol=1e-8)


# ------------------------------------------------------------------------------------------------- the run


def measure(rounds):
    made = list(processes())
    tube = made[0][2]
    check(tube)
    entries = [(key, f"Sojourn, {shown}", ROBOTS * STEPS, ours(process, STEPS)) for key, shown, process in made]
    entries.append(
        ("step", "Sojourn, `step` in PyTorch, honeycomb", ROBOTS * FEW, ours(made[1][2], FEW, Process.advance))
    )
    entries.append(("numpy", "NumPy, an operation at a time, one long tube", ROBOTS * FEW, numpy_program(tube)))
    drawn = normals()
    samples = {key: [] for key in [*(entry[0] for entry in entries), "normals"]}
    for _ in range(rounds):
        for key, _, size, run in entries:
            samples[key].append(size / seconds(run))
        samples["normals"].append(drawn())
    return [entry[:2] for entry in entries], samples


HEADER = ("what", "1e6 robot-steps/s, best", "median", "the honeycomb is faster by")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/blood.md"))
    options = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    names, samples = measure(options.rounds)
    names.append(("normals", "six float64 normals alone, in cache"))
    best = {key: max(values) for key, values in samples.items()}
    rows = [
        (
            shown,
            f"{best[key] / 1e6:,.4g}",
            f"{statistics.median(samples[key]) / 1e6:,.4g}",
            f"{best['grid'] / best[key]:,.3g}",
        )
        for key, shown in names
    ]
    lines = [
        f"{ROBOTS:,} robots, {STEPS} steps; `step` and NumPy {FEW} steps. The kernel in the honeycomb runs at "
        f"{best['grid'] / best['normals']:.0%} of what the normals alone would allow.",
        f"Load of the machine in the minute before the run: {load:.1f}, where 0 is idle; PyTorch had "
        f"{torch.get_num_threads()} threads, the kernels {numba.get_num_threads()}.",
    ]
    table = Table(*HEADER, title="Robots in blood")
    for row in rows:
        table.add_row(*row)
    console = Console(width=140)
    console.print(table, *lines, sep="\n")
    markdown = ["# Robots in blood: speed", "", machine("numba", "numpy", "torch") + ".", ""]
    markdown += [f"`python benchmarks/blood.py --rounds {options.rounds}`", ""]
    markdown += ["Brownian motion, rotation, flow and walls; from tensors to tensors, noise included.", ""]
    markdown += ["| " + " | ".join(HEADER) + " |", "| --- |" + " ---: |" * (len(HEADER) - 1)]
    markdown += ["| " + " | ".join(row) + " |" for row in rows]
    markdown += ["", *(line + "\n" for line in lines)]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    before = options.output.read_text() if options.output.exists() else ""
    _, found, others = before.partition(HEADING)
    options.output.write_text("\n".join(markdown).rstrip() + "\n" + (f"\n{HEADING}{others}" if found else ""))
    console.print(f"written: {options.output}")


if __name__ == "__main__":
    main()
