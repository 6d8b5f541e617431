"""Ito SDEs: path-steps per second of Euler-Maruyama, beside diffrax, torchsde, a JAX scan and PyTorch.

python benchmarks/sde.py [--rounds 5] [--output docs/benchmarks/sde.md]

Everything runs in turn in one process, round after round; a rate is paths x steps / seconds, the best and the median of
the rounds, with the noise drawn in the run. Compilation is timed apart. Before anything is timed, mean and variance of
every program of the Ornstein-Uhlenbeck process are checked against the exact recursion of Euler-Maruyama.
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import numpy as np
import sympy as sp
import torch
from numba import njit, uint32
from rich.console import Console
from rich.table import Table

from machine import machine, on_all_cores, seconds
from sojourn.calculus import ItoProcess, brownian
from sojourn.kernels.normals import fill
from sojourn.noise import Noise
from sojourn.process import Process

try:
    import diffrax
    import jax
    import jax.numpy as jnp
    import lineax
except ImportError:
    jax = None
try:
    import torchsde
except ImportError:
    torchsde = None

PATHS, STEPS, FEW, DT = 100_000, 1000, 100, 0.01  # programs that are slow take FEW steps
THETA, MU, SIGMA, START = 1.5, 0.3, 0.4, 1.0

# ----------------------------------------------------------------------------------------------------- Sojourn

x, y, v = sp.symbols("x y v")
W, (W1, W2) = brownian("W"), brownian("W1 W2", correlation=-0.7)
ROOT = sp.sqrt(sp.Max(v, 0))
MODELS = {
    "ou": ItoProcess(x, THETA * (MU - x), {W: SIGMA}, initial=START),
    "cir": ItoProcess(v, THETA * (MU - v), {W: SIGMA * ROOT}, initial=0.1),
    "heston": ItoProcess(
        [y, v], [0.05 * y, THETA * (0.04 - v)], {W1: [ROOT * y, 0], W2: [0, SIGMA * ROOT]}, initial=[100.0, 0.04]
    ),
}


def sojourn(model, dtype="float32", advance=None, steps=STEPS):
    """A function run(steps) -> final values of the first state."""
    process, noise = MODELS[model].discretise(DT, dtype=dtype), Noise(1)
    state = process.initial(PATHS, noise)
    advance = advance or type(process).advance
    return lambda count=steps: next(iter(advance(process, state, 0, count, noise).values()))


def normals(dtype):
    """A function that measures standard normals per second on all cores: the kernel's generator alone, in cache."""
    members, rounds, cores = 128, 20_000, numba.get_num_threads()
    spaces = [np.empty(4 * members, dtype) for _ in range(cores)]

    def work(core):
        _draw(spaces[core], rounds, core)

    work(0)
    return lambda: cores * rounds * 4 * members / on_all_cores(work)


@njit(nogil=True)
def _draw(space, rounds, stream):
    for k in range(rounds):
        fill(space, space.size // 4, space.size // 4, k, 1, 0, uint32(stream), uint32(1), uint32(2))


# ------------------------------------------------------------------------------------------------------- peers


def pytorch():
    """Euler-Maruyama in PyTorch, an operation at a time."""
    value = torch.full((PATHS,), START)
    for _ in range(FEW):
        value = value + THETA * (MU - value) * DT + SIGMA * DT**0.5 * torch.randn(PATHS)
    return value


def jax_scan():
    """Euler-Maruyama as a scan that JAX compiles."""

    def step(value, key):
        moved = SIGMA * math.sqrt(DT) * jax.random.normal(key, (PATHS,))
        return value + THETA * (MU - value) * DT + moved, None

    def run(key):
        return jax.lax.scan(step, jnp.full(PATHS, START), jax.random.split(key, STEPS))[0]

    return _jitted(run, jax.random.key(0))


def diffrax_one_vector():
    """diffrax: all paths as one vector with one Brownian motion of as many dimensions."""

    def run(key):
        motion = diffrax.UnsafeBrownianPath(shape=(PATHS,), key=key)
        return _diffrax(
            lambda t, z, _: lineax.DiagonalLinearOperator(jnp.full(PATHS, SIGMA)), motion, jnp.full(PATHS, START), STEPS
        )

    return _jitted(run, jax.random.key(0))


def diffrax_vmap(motion, paths, steps):
    """diffrax: one path's solution, vectorised over paths by vmap."""

    def run(key):
        return _diffrax(lambda t, z, _: SIGMA, motion(key), jnp.array(START), steps)

    return _jitted(jax.vmap(run), jax.random.split(jax.random.key(0), paths))


def _diffrax(diffusion, motion, start, steps):
    drift = diffrax.ODETerm(lambda t, z, _: THETA * (MU - z))
    terms = diffrax.MultiTerm(drift, diffrax.ControlTerm(diffusion, motion))
    options = {"adjoint": diffrax.DirectAdjoint(), "max_steps": steps + 1}
    return diffrax.diffeqsolve(terms, diffrax.Euler(), 0.0, steps * DT, DT, start, **options).ys[0]


def _jitted(run, argument):
    compiled = jax.jit(run)
    return lambda: np.array(compiled(argument))


def torchsde_euler(motion):
    """torchsde: Euler, all paths as one batch."""

    class OrnsteinUhlenbeck(torch.nn.Module):
        noise_type, sde_type = "diagonal", "ito"

        def f(self, t, z):
            return THETA * (MU - z)

        def g(self, t, z):
            return torch.full_like(z, SIGMA)

    equation, start, times = OrnsteinUhlenbeck(), torch.full((PATHS, 1), START), torch.tensor([0.0, FEW * DT])

    @torch.no_grad()
    def run():
        return torchsde.sdeint(equation, start, times, bm=motion(), dt=DT, method="euler")[-1][:, 0]

    return run


# ----------------------------------------------------------------------------------------------------- the run


def contestants():
    """(key, what is shown, path-steps of a run, the run or None where the peer is missing)."""
    ours = PATHS * STEPS
    yield "ou", "Sojourn, Ornstein-Uhlenbeck, float32", ours, sojourn("ou")
    yield "ou64", "Sojourn, Ornstein-Uhlenbeck, float64", ours, sojourn("ou", "float64")
    yield "cir", "Sojourn, Cox-Ingersoll-Ross, float32", ours, sojourn("cir")
    yield "heston", "Sojourn, Heston, two states, correlated, float32", ours, sojourn("heston")
    shown, peers = "{}, Ornstein-Uhlenbeck, float32", PATHS * FEW
    step = sojourn("ou", advance=Process.advance, steps=FEW)
    yield "step", shown.format("Sojourn, `step` in PyTorch"), peers, step
    yield "scan", shown.format("JAX, a jitted scan"), ours, jax_scan() if jax else None
    yield "vector", shown.format("diffrax, one vector, unsafe path"), ours, diffrax_one_vector() if jax else None
    unsafe = diffrax_vmap(lambda key: diffrax.UnsafeBrownianPath(shape=(), key=key), PATHS, STEPS) if jax else None
    yield "vmap", shown.format("diffrax, vmap over paths, unsafe path"), ours, unsafe
    paths, end = PATHS // 10, FEW * DT
    tree = diffrax_vmap(lambda key: diffrax.VirtualBrownianTree(0.0, end, DT / 2, (), key), paths, FEW) if jax else None
    yield "tree", shown.format("diffrax, vmap over paths, Brownian tree"), paths * FEW, tree
    zero = torch.zeros(PATHS, 1)
    path = torchsde_euler(lambda: torchsde.BrownianPath(t0=0.0, w0=zero)) if torchsde else None
    yield "path", shown.format("torchsde, Brownian path"), peers, path
    interval = torchsde_euler(lambda: None) if torchsde else None
    yield "interval", shown.format("torchsde, Brownian interval (its default)"), peers, interval
    yield "pytorch", shown.format("PyTorch, an operation at a time"), peers, pytorch


def check(name, values, steps):
    """Mean and variance are those of Euler-Maruyama, within 6 standard errors (2e-9 each)."""
    values, shrink = np.asarray(values, float), 1 - THETA * DT
    mean = MU + (START - MU) * shrink**steps
    variance = SIGMA**2 * DT * (1 - shrink ** (2 * steps)) / (1 - shrink**2)
    deviation = (values.mean() - mean) / math.sqrt(variance / len(values))
    spread = (values.var() / variance - 1) / math.sqrt(2 / len(values))
    if not (abs(deviation) < 6 and abs(spread) < 6):
        raise SystemExit(f"{name}: mean and variance are {deviation:.1f} and {spread:.1f} standard errors off")


def measure(rounds):
    entries = list(contestants())
    for key, shown, size, run in entries:
        if run is not None:
            values = run()  # compiles
            if key not in ("cir", "heston"):
                check(shown, values, size // len(values))
    generators = {f"normals {dtype}": normals(dtype) for dtype in ("float32", "float64")}
    samples = {key: [] for key in [*(entry[0] for entry in entries), *generators]}
    for _ in range(rounds):
        for key, _, size, run in entries:
            if run is not None:
                samples[key].append(size / seconds(run))
        for key, rate in generators.items():
            samples[key].append(rate())
    return [entry[:2] for entry in entries], samples


def compile_seconds(model):
    """Seconds that the first call takes more than the second: in a new folder of kernels, and in a second process."""
    program = f"from sde import seconds, sojourn; run = sojourn({model!r}, steps=1); print(seconds(run), seconds(run))"
    with tempfile.TemporaryDirectory() as folder:
        where = {"env": {**os.environ, "SOJOURN_CACHE": folder}, "cwd": Path(__file__).parent}
        said = [subprocess.run([sys.executable, "-c", program], **where, capture_output=True, check=True) for _ in "ab"]
    times = [list(map(float, done.stdout.split())) for done in said]
    return [first - second for first, second in times]


HEADER = ("what", "1e6 path-steps/s, best", "median", "Sojourn's kernel is faster by")


def report(names, samples):
    """The rows of the table, and the lines that follow it."""
    best = {key: max(values) if values else None for key, values in samples.items()}
    rows = []
    for key, shown in names:
        if best[key] is None:
            rows.append((shown, "missing", "missing", ""))
            continue
        median = statistics.median(samples[key])
        rows.append((shown, f"{best[key] / 1e6:,.4g}", f"{median / 1e6:,.4g}", f"{best['ou'] / best[key]:,.3g}"))
    lines = [
        f"Standard normals alone, in cache, on all cores: {best['normals float32'] / 1e9:.2f}e9/s in float32, "
        f"{best['normals float64'] / 1e9:.2f}e9/s in float64. The Ornstein-Uhlenbeck process needs one a step; its "
        "kernel runs at "
        f"{best['ou'] / best['normals float32']:.0%} and {best['ou64'] / best['normals float64']:.0%} of that."
    ]
    for model in MODELS:
        first, again = compile_seconds(model)
        lines.append(f"{model}: the kernel compiles in {first:.2f} s once; a later process loads it in {again:.2f} s.")
    return rows, lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/sde.md"))
    options = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    rows, lines = report(*measure(options.rounds))
    lines.append(
        f"Load of the machine in the minute before the run: {load:.1f}, where 0 is idle; PyTorch had "
        f"{torch.get_num_threads()} threads, the kernels {numba.get_num_threads()}."
    )
    table = Table(*HEADER, title="Ito SDEs, Euler-Maruyama")
    for row in rows:
        table.add_row(*row)
    console = Console(width=140)
    console.print(table, *lines, sep="\n")

    packages = ("numba", "numpy", "torch", "jax", "diffrax", "torchsde")
    markdown = [
        "# Ito SDEs: speed",
        "",
        machine(*packages) + ".",
        "",
        f"`python benchmarks/sde.py --rounds {options.rounds}`",
    ]
    markdown += ["", f"Euler-Maruyama, {PATHS:,} paths, dt = {DT}; from tensors to tensors, noise included.", ""]
    markdown += ["| " + " | ".join(HEADER) + " |", "| --- |" + " ---: |" * (len(HEADER) - 1)]
    markdown += ["| " + " | ".join(row) + " |" for row in rows]
    markdown += ["", *(line + "\n" for line in lines)]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text("\n".join(markdown).rstrip() + "\n")
    console.print(f"written: {options.output}")


if __name__ == "__main__":
    main()
