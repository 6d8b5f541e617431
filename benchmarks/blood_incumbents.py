"""Robots in blood beside other packages: how fast, and numbers that are known.

python benchmarks/blood_incumbents.py [--rounds 5] [--output docs/benchmarks/blood.md]

Takes pystokes (PyPI; Cython, a few minutes to build) and VascularSim (PyPI: vascularsim) where they are installed, and
says so of the rest. Everything is measured in one run, in seconds of one core's time: pystokes' OpenMP threads wait for
each other, which costs it a thousandfold where something else is running. With both packages here the section of the
output after HEADING is written anew; `blood.py` writes what is before it.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before any library counts its cores

import numba
import numpy as np
import torch

from blood import HEADING
from machine import machine
from sojourn.noise import Noise
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.mobility import thermal_energy
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots
from sojourn.processes.blood.walls import normal_mobility, parallel_mobility

RADIUS, VISCOSITY, DT = 0.5e-6, 1.2e-3, 1e-4
NUMBERS = (1, 10, 100, 1000)
GAPS = (0.1, 0.5, 2.0)  # in radii
# The mobility parallel to a plane over that far from it: bipolar coordinates, A. J. Goldman, R. G. Cox and H. Brenner,
# Chem. Eng. Sci. 22 (1967), 637, table 2, at these distances of the centre from the plane over the radius.
PARALLEL = {1.5431: 1 / 1.5675, 2.3524: 1 / 1.3079, 3.7622: 1 / 1.1738}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/blood.md"))
    options = parser.parse_args()
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    lines = [HEADING, "", f"{machine('numba', 'numpy', 'torch')}.", ""]
    lines += [f"`python benchmarks/blood_incumbents.py --rounds {options.rounds}`", ""]
    lines += [
        f"Seconds are those of one core's time, the best of {options.rounds} rounds. Load of the machine in the minute "
        f"before: {load:.1f}, where 0 is idle."
    ]
    everything = True
    for package, rows in (("pystokes", pystokes_rows), ("vascularsim", vascularsim_rows)):
        lines += ["", f"### {package} {_version(package)}".rstrip(), ""]
        try:
            lines += rows(options.rounds)
        except ModuleNotFoundError as missing:
            lines.append(f"not installed ({missing}); `pip install {package}`")
            everything = False
    print(*lines, sep="\n")
    if everything:
        before = options.output.read_text().split(HEADING)[0].rstrip() if options.output.exists() else ""
        options.output.write_text(before + "\n\n" + "\n".join(lines) + "\n")
        print(f"written: {options.output}")


def best(rounds: int, *runs: Callable[[], object]) -> list[float]:
    """Seconds of processor time a call, the least of several rounds, in which all take turns."""
    least = [math.inf] * len(runs)
    for _ in range(rounds):
        for k, run in enumerate(runs):
            start = time.process_time()
            run()
            least[k] = min(least[k], time.process_time() - start)
    return least


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "| --- |" + " ---: |" * (len(header) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


# ----------------------------------------------------------------------------------------------- pystokes


def pystokes_rows(rounds: int) -> Iterator[str]:
    import pystokes

    yield (
        "Steps of N robots a second: drift under a force, Brownian motion and rotation, mobilities that depend on "
        "the distance to the wall. pystokes has a plane wall and counts how the flow of each robot moves all others, "
        'which is more than Sojourn does; its noise is "for 1 particle only so far" (its own words), without the term '
        "div D and without reflection; its user writes the loop of steps, and would turn the axes, which is left out "
        "here. Sojourn has a tube, flow, nodes and a swimming speed, turns axes, and has robots that do not meet. So "
        "only N = 1 is one problem; there pystokes' rate is that of calls from Python, and Sojourn takes many steps in "
        "one call."
    )
    yield ""
    network = VesselNetwork.tube("20 um", "1 m").solve(viscosity="3 cP")
    ours = BloodRobots(network, Robot(RADIUS, magnetic_moment="1e-15 A m^2", swim_speed="10 um/s"), dt=DT)
    rows = []
    for n in NUMBERS:
        few, many = max(20, 10_000 // n), max(2000, 200_000 // n)
        theirs, own = best(rounds, _pystokes_steps(pystokes, n, few), _our_steps(ours, n, many))
        rate, fast = n * few / theirs, n * many / own
        rows.append((f"{n}", f"{rate / 1e6:.3g}", f"{fast / 1e6:.3g}", f"{fast / rate:.3g}"))
    yield from table(("N", "pystokes, 1e6 robot-steps/s", "Sojourn", "times"), rows)
    yield ""
    yield (
        "Mobility next to a plane wall over that far from it. Towards the wall the truth is Brenner's series "
        "(Chem. Eng. Sci. 16 (1961), 242), along it the numbers of Goldman, Cox and Brenner (ibid. 22 (1967), 637)."
    )
    yield ""
    rows = []
    for gap in GAPS:
        true, own = brenner(1 + gap), float(normal_mobility(torch.tensor(gap), torch.tensor(1.0)))
        rows.append((f"towards, gap {gap:g} radii", *_shares(true, _pystokes_mobility(pystokes, 1 + gap)[1], own)))
    for height, true in PARALLEL.items():
        own = float(parallel_mobility(torch.tensor(height - 1), torch.tensor(1.0)))
        theirs = _pystokes_mobility(pystokes, height)[0]
        rows.append((f"along, gap {height - 1:.4g} radii", *_shares(true, theirs, own)))
    yield from table(("mobility", "true", "pystokes", "Sojourn"), rows)


def _pystokes_steps(pystokes, n: int, steps: int) -> Callable[[], object]:
    """Euler's method by its calls, robots 3 to 10 um above the wall, spread so that they do not meet.

    Axes, which the user would turn with NumPy, are left as they are, since that would cost more than the calls.
    """
    random = np.random.default_rng(0)
    rbm = pystokes.wallBounded.Rbm(radius=RADIUS, particles=n, viscosity=VISCOSITY)
    start = np.concatenate([random.uniform(0, 50e-6 * math.sqrt(n), 2 * n), random.uniform(3e-6, 10e-6, n)])
    force, kick = np.zeros(3 * n), math.sqrt(thermal_energy(310.15) * DT)
    force[:n] = 1e-14

    def run():
        r = start
        for _ in range(steps):
            v, w, o = np.zeros(3 * n), np.zeros(3 * n), np.zeros(3 * n)
            rbm.mobilityTT(v, r, force)
            rbm.noiseTT(w, r)
            rbm.noiseRR(o, r)
            r = r + v * DT + kick * w
        return r

    return run


def _our_steps(process: BloodRobots, n: int, steps: int) -> Callable[[], object]:
    noise = Noise(1)
    state = process.advance(process.initial(n, noise), 0, 400, noise)
    return lambda: process.advance(state, 400, steps, noise)


def _pystokes_mobility(pystokes, height: float) -> tuple[float, float]:
    """Along and towards the wall, over that far away."""
    rbm = pystokes.wallBounded.Rbm(radius=1.0, particles=1, viscosity=1 / (6 * math.pi))
    v = np.zeros(3)
    rbm.mobilityTT(v, np.array([0, 0, height]), np.ones(3))
    return float(v[0]), float(v[2])


def brenner(height: float) -> float:
    """The mobility of a sphere towards a plane over that far away, its centre at `height` radii."""
    a, total = math.acosh(height), 0.0
    for n in range(1, 400):
        if (2 * n + 1) * a > 600:
            break
        top = 2 * math.sinh((2 * n + 1) * a) + (2 * n + 1) * math.sinh(2 * a)
        low = 4 * math.sinh((n + 0.5) * a) ** 2 - (2 * n + 1) ** 2 * math.sinh(a) ** 2
        total += n * (n + 1) / ((2 * n - 1) * (2 * n + 3)) * (top / low - 1)
    return 1 / (4 / 3 * math.sinh(a) * total)


def _shares(true: float, *found: float) -> tuple[str, ...]:
    return (f"{true:.4f}", *(f"{x:.4f} ({100 * (x / true - 1):+.1f}%)" for x in found))


# -------------------------------------------------------------------------------------------- VascularSim


def vascularsim_rows(rounds: int) -> Iterator[str]:
    from vascularsim.envs.flow_nav import FlowAwareNavEnv
    from vascularsim.physics.hemodynamics import compute_hemodynamics

    yield (
        "The flow through a network, of one viscosity, 3.5 cP: milliseconds, and by how much of the largest flow the "
        "flows at a node fail to cancel. VascularSim interpolates pressures by the number of nodes from root to leaf, "
        "so that no equation is solved. The cells' part in viscosity, which Sojourn's flow can have, is left out."
    )
    yield ""
    rows = []
    for name, network in networks():
        flow = network.solve(viscosity="3.5 cP")
        graph = _graph(flow)
        ends = {"inlet_pressure": float(flow.pressure.max()), "outlet_pressure": float(flow.pressure.min())}
        theirs, own = best(
            rounds,
            lambda graph=graph, ends=ends: compute_hemodynamics(graph, **ends, viscosity=3.5e-3),
            lambda network=network: network.solve(viscosity="3.5 cP"),
        )
        speeds = compute_hemodynamics(graph, **ends, viscosity=3.5e-3).edge_velocities
        rows.append(
            (
                name,
                f"{1e3 * theirs:.3g}",
                f"{1e3 * own:.3g}",
                f"{_imbalance(graph, speeds):.2g}",
                f"{flow.residual:.1g}",
            )
        )
    header = ("network", "VascularSim, ms", "Sojourn, ms", "VascularSim, imbalance", "Sojourn, imbalance")
    yield from table(header, rows)
    yield ""
    env = FlowAwareNavEnv(_graph(dict(networks())["honeycomb, 173 vessels"].solve(viscosity="3.5 cP")), max_steps=10**9)
    env.reset(seed=0)
    (hops,) = best(rounds, lambda: [env.step(k % 4) for k in range(2000)])
    yield (
        f"Its robot, one an environment, hops from node to node in no given time, {2000 / hops:,.0f} hops a second "
        "in the honeycomb: no place within a vessel, no Brownian motion, no rotation and no wall. So there is no rate "
        "of robot-steps to compare."
    )


def networks() -> list[tuple[str, VesselNetwork]]:
    line = VesselNetwork(
        [(20e-6 * k, 0, 0) for k in range(20)],
        [(k, k + 1) for k in range(19)],
        "20 um",
        boundaries=[Boundary(0, velocity="2 mm/s"), Boundary(19, pressure=0.0)],
    )
    return [
        ("straight tube in 19 vessels", line),
        ("tree of 127 vessels, daughters 1 : 0.7", VesselNetwork.murray_tree(6, "100 um", asymmetry=0.7)),
        ("honeycomb, 173 vessels", VesselNetwork.honeycomb(8, 6)),
    ]


def _graph(flow):
    """The same network as VascularSim has it, every vessel in the direction of its flow."""
    from vascularsim.graph import VascularGraph

    found, network = VascularGraph(), flow.network
    g = found._graph
    for k, place in enumerate(network.nodes.numpy()):
        g.add_node(str(k), pos=place, radius=float(network.diameter.mean()) / 2)
    for ends, q, d, length in zip(network.vessels.tolist(), flow.flow, network.diameter, network.length, strict=True):
        a, b = ends if float(q) >= 0 else ends[::-1]
        g.add_edge(str(a), str(b), length=float(length), mean_radius=float(d) / 2)
    return found


def _imbalance(graph, speeds) -> float:
    g = graph._graph
    flow = {edge: speed * math.pi * g.edges[edge]["mean_radius"] ** 2 for edge, speed in speeds.items()}
    inner = [n for n in g if g.in_degree(n) and g.out_degree(n)]
    sums = [sum(flow[e] for e in g.in_edges(n)) - sum(flow[e] for e in g.out_edges(n)) for n in inner]
    return max(map(abs, sums)) / max(flow.values())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
