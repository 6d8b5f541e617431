"""Gray-Scott: Sojourn's explicit kernels beside py-pde, PyTorch, a plain Numba loop, and what the machine can do; and
its spectral scheme beside exponax (`gray_scott_spectral.py`).

python benchmarks/gray_scott.py [--rounds 3] [--output docs/benchmarks/gray_scott.md]

Everything runs in turn, round after round; a rate is steps x cells / seconds, the best and the median of the rounds,
from arrays to arrays. All get the same start: squares at (1/2, 1/4) on (1, 0) and noise. The noise is for the peers: it
spares them the subnormal numbers into which v fades where there is no pattern, and which cost them a factor of several;
Sojourn's kernels count them as zero. Of py-pde, which compiles anew for each run, the time of a run of one step is
subtracted. Before anything is timed, all are checked to compute the same thing.
"""

import argparse
import statistics
import threading
from pathlib import Path

import numba
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import gray_scott_spectral
from machine import copy_bandwidth, machine, on_all_cores, seconds
from sojourn.kernels.float_vectors import fma, load, store
from sojourn.kernels.gray_scott import advance
from sojourn.kernels.gray_scott_bands import choose_layout

try:
    import pde
except ImportError:
    pde = None

SIDE = 1024
F, K, D_U, D_V, DT = 0.035, 0.065, 0.16, 0.08, 1.0
PHYSICS = {"feed_rate": F, "kill_rate": K, "diffusivity_u": D_U, "diffusivity_v": D_V}

# Floating-point operations a cell and step, a fused multiply-add being one: the reaction 2, the rest of u's and v's
# terms 3 and 2, and each field's D lap. Heun's and Runge-Kutta's last stages add 4 and 12.
OPERATIONS = {
    "second": (17, "5 for each Laplacian"),
    "heun": (38, "two stages and their mean"),
    "rk4": (80, "four stages and their sum"),
    "isotropic": (27, "10 for each Laplacian"),
    "fourth": (31, "12 for each Laplacian"),
    "3-D": (23, "8 for each Laplacian"),
}


# ------------------------------------------------------------------------------------------- what is timed


def start(shape, dtype=np.float32):
    """u and v, (ensemble, *shape)."""
    random = np.random.default_rng(0)
    u, v = np.ones(shape, dtype), np.zeros(shape, dtype)
    axes = len(shape) - 1
    for _ in range(64):
        corner = (random.random(axes) * shape[1:]).astype(int)
        square = (slice(None), *(slice(c, c + max(4, n // 40)) for c, n in zip(corner, shape[1:], strict=True)))
        u[square], v[square] = 0.5, 0.25
    noise = random.random(shape, dtype=np.float32).astype(dtype) / 10
    return u - noise, v + noise


def sojourn(u, v, steps, *, boundary="periodic", stencil="second", scheme="euler", dt=DT, **physics):
    choices = {"spacing": (1.0,) * (u.ndim - 1), "dt": dt, "boundary": boundary, "stencil": stencil, "scheme": scheme}
    return advance(u, v, **{**PHYSICS, **physics}, **choices, steps=steps)


def ours(shape, steps, dtype=np.float32, threads=None, **choices):
    """A function that runs one timing and returns cells per second."""
    fields = start(shape, dtype)
    sojourn(*fields, 1, **choices)  # compiles, or loads what was compiled before

    def run():
        most = numba.get_num_threads()
        numba.set_num_threads(threads or most)
        try:
            sojourn(*fields, 1, **choices)  # a run of many calls finds its memory at hand
            return np.prod(shape) * steps / seconds(lambda: sojourn(*fields, steps, **choices))
        finally:
            numba.set_num_threads(most)

    return run


def py_pde(u, v, steps):
    """The fields after `steps` steps, and the seconds its solver took, which may contain a compilation."""
    grid = pde.CartesianGrid([(0, n) for n in u.shape], u.shape, periodic=True)
    state = pde.FieldCollection([pde.ScalarField(grid, x, dtype=x.dtype) for x in (u, v)])
    equation = pde.PDE(
        {
            "u": f"{D_U} * laplace(u) - u * v**2 + {F} * (1 - u)",
            "v": f"{D_V} * laplace(v) + u * v**2 - {F + K} * v",
        }
    )
    result, info = equation.solve(
        state, steps * DT, dt=DT, solver="euler", backend="numba", tracker=None, ret_info=True
    )
    return [field.data for field in result], info["controller"]["profiler"]["solver"]


def torch_roll(u, v, steps):
    for _ in range(steps):
        lap_u = u.roll(1, 0) + u.roll(-1, 0) + u.roll(1, 1) + u.roll(-1, 1) - 4 * u
        lap_v = v.roll(1, 0) + v.roll(-1, 0) + v.roll(1, 1) + v.roll(-1, 1) - 4 * v
        reaction = u * v * v
        u, v = u + DT * (D_U * lap_u - reaction + F * (1 - u)), v + DT * (D_V * lap_v + reaction - (F + K) * v)
    return u, v


def torch_slices(u, v, steps):
    """Slices of padded arrays, into arrays that are there already."""
    padded = torch.stack([u, v]).new_zeros(2, u.shape[0] + 2, u.shape[1] + 2)
    inside = padded[:, 1:-1, 1:-1]
    inside.copy_(torch.stack([u, v]))
    diffusivities = torch.tensor([D_U, D_V], dtype=u.dtype)[:, None, None]
    change, reaction = torch.empty_like(inside), torch.empty_like(u)
    for _ in range(steps):
        padded[:, 0], padded[:, -1] = padded[:, -2], padded[:, 1]
        padded[:, :, 0], padded[:, :, -1] = padded[:, :, -2], padded[:, :, 1]
        torch.add(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], out=change)
        change.add_(padded[:, 1:-1, :-2]).add_(padded[:, 1:-1, 2:]).sub_(inside, alpha=4).mul_(diffusivities)
        torch.mul(inside[1], inside[1], out=reaction).mul_(inside[0])
        change[0].sub_(reaction).add_(F).sub_(inside[0], alpha=F)
        change[1].add_(reaction).sub_(inside[1], alpha=F + K)
        inside.add_(change, alpha=DT)
    return inside[0].clone(), inside[1].clone()


@numba.njit(nogil=True, fastmath={"contract"})
def plain_rows(y, out, begin, end, f, k, d_u, d_v, dt):
    """One step of rows begin..end of padded fields, with their ghosts at the ends of rows."""
    u, v, width = y[0], y[1], y.shape[2] - 2
    one = y.dtype.type(1)
    for r in range(begin, end):
        for x in range(1, width + 1):
            a, b = u[r, x], v[r, x]
            lap_u = u[r - 1, x] + u[r + 1, x] + u[r, x - 1] + u[r, x + 1] - (a + a + a + a)
            lap_v = v[r - 1, x] + v[r + 1, x] + v[r, x - 1] + v[r, x + 1] - (b + b + b + b)
            reaction = a * b * b
            out[0, r, x] = a + dt * (d_u * lap_u - reaction + f * (one - a))
            out[1, r, x] = b + dt * (d_v * lap_v + reaction - (f + k) * b)
        for field in range(2):
            out[field, r, 0], out[field, r, width + 1] = out[field, r, width], out[field, r, 1]


def plain_loop(u, v, steps):
    """What one writes first in Numba: two arrays, a step from one to the other, the rows shared among threads."""
    fields = [np.pad(np.stack([u, v]), ((0, 0), (1, 1), (1, 1)), mode="wrap") for _ in range(2)]
    numbers = [u.dtype.type(x) for x in (F, K, D_U, D_V, DT)]
    cores = numba.get_num_threads()
    barrier = threading.Barrier(cores)

    def work(core):
        ends = [1 + len(u) * i // cores for i in (core, core + 1)]
        for step in range(steps):
            out = fields[(step + 1) % 2]
            plain_rows(fields[step % 2], out, *ends, *numbers)
            barrier.wait()
            if core == 0:
                out[:, 0], out[:, -1] = out[:, -2], out[:, 1]
            barrier.wait()

    on_all_cores(work)
    return fields[steps % 2][:, 1:-1, 1:-1].copy()


def peer(function, steps, convert=lambda x: x):
    fields = [convert(x[0]) for x in start((1, SIDE, SIDE))]
    function(*fields, 2)
    return lambda: SIDE * SIDE * steps / seconds(lambda: function(*fields, steps))


def py_pde_rate(steps):
    if pde is None:
        return None
    fields = [x[0] for x in start((1, SIDE, SIDE))]
    return lambda: SIDE * SIDE * steps / (py_pde(*fields, 1 + steps)[1] - py_pde(*fields, 1)[1])


# --------------------------------------------------------------------------------------- physical limits


@numba.njit(nogil=True)
def _multiply_add(space, rounds):
    a, b, c, d, e = load(space, 0), load(space, 16), load(space, 32), load(space, 48), load(space, 64)
    f, g, h, i, j = load(space, 80), load(space, 96), load(space, 112), load(space, 128), load(space, 144)
    x, y = load(space, 160), load(space, 176)
    for _ in range(rounds):  # ten operations on sixteen numbers each
        a, b, c, d, e = fma(a, x, y), fma(b, x, y), fma(c, x, y), fma(d, x, y), fma(e, x, y)
        f, g, h, i, j = fma(f, x, y), fma(g, x, y), fma(h, x, y), fma(i, x, y), fma(j, x, y)
    store(space, 0, (a + b) + (c + d) + (e + f) + (g + h) + (i + j))


def multiply_add_peak():
    """Fused multiply-adds of float32 per second."""
    rounds, cores = 10_000_000, numba.get_num_threads()
    spaces = [np.full(192, 0.5, np.float32) for _ in range(cores)]
    _multiply_add(spaces[0], 1)
    return lambda: cores * rounds * 160 / on_all_cores(lambda core: _multiply_add(spaces[core], rounds))


# ----------------------------------------------------------------------------------------------- the run


def contestants():
    """(key, what is shown, operation count or None, function that measures once, or None where the peer is missing)."""
    square, name = (1, SIDE, SIDE), "Sojourn, float32, Euler, second order"
    yield "1024", f"{name}, 1024 x 1024", "second", ours(square, 1000)
    yield "one thread", f"{name}, 1024 x 1024, one thread", None, ours(square, 500, threads=1)
    yield "4096", f"{name}, 4096 x 4096", "second", ours((1, 4096, 4096), 100)
    yield "256", f"{name}, 8 members of 256 x 256", "second", ours((8, 256, 256), 1000)
    yield "128", f"{name}, 128 x 128, one thread", None, ours((1, 128, 128), 10000, threads=1)
    yield "neumann", f"{name}, 1024 x 1024, Neumann", "second", ours(square, 500, boundary="neumann")
    feed = np.full(square[1:], F)
    yield "array", f"{name}, 1024 x 1024, F and k vary in space", "second", ours(square, 500, feed_rate=feed)
    shown = "Sojourn, float32, {}, 1024 x 1024"
    yield "isotropic", shown.format("Euler, isotropic"), "isotropic", ours(square, 500, stencil="isotropic")
    yield "fourth", shown.format("Euler, fourth order"), "fourth", ours(square, 500, stencil="fourth")
    yield "heun", shown.format("Heun, second order"), "heun", ours(square, 300, scheme="heun")
    yield "rk4", shown.format("RK4, second order"), "rk4", ours(square, 200, scheme="rk4")
    yield "3-D", f"{name}, 128 x 128 x 128", "3-D", ours((1, 128, 128, 128), 200)
    yield "float64", "Sojourn, float64, Euler, second order, 1024 x 1024", None, ours(square, 400, np.float64)
    yield "py-pde", "py-pde, numba backend, float32, Euler, 1024 x 1024", None, py_pde_rate(100)
    yield "roll", "PyTorch, torch.roll, float32, 1024 x 1024", None, peer(torch_roll, 20, torch.from_numpy)
    yield "slices", "PyTorch, padded slices, float32, 1024 x 1024", None, peer(torch_slices, 50, torch.from_numpy)
    yield "plain", "plain Numba loop, float32, 1024 x 1024", None, peer(plain_loop, 200)
    yield "multiply-add", "", None, multiply_add_peak()
    yield "copy", "", None, copy_bandwidth()


def measure(rounds):
    entries = list(contestants())
    samples = {key: [] for key, *_ in entries}
    for _ in range(rounds):
        for key, _, _, run in entries:
            if run is not None:
                samples[key].append(run())
    return [entry[:3] for entry in entries], samples


def report(names, samples):
    """The rows of the table, and the lines that follow it."""
    best = {key: max(values) if values else None for key, values in samples.items()}
    reference, peak, copy = best["1024"], best["multiply-add"], best["copy"]
    rows = []
    for key, shown, kind in names:
        if key in ("multiply-add", "copy"):
            continue
        if best[key] is None:
            rows.append((shown, "missing", "missing", "", ""))
            continue
        share = f"{best[key] * OPERATIONS[kind][0] / peak:.0%}" if kind else ""
        median = statistics.median(samples[key])
        rows.append((shown, f"{best[key] / 1e9:,.3g}", f"{median / 1e9:,.3g}", f"{reference / best[key]:,.3g}", share))
    turn = choose_layout((1, SIDE, SIDE), 4, 1, 0, 1, 1000, numba.get_num_threads(), False).turn
    lines = [
        f"Measured limits: {peak / 1e9:.0f}e9 fused multiply-adds of float32 per second (independent, in registers, "
        f"all cores), {copy / 1e9:.0f}e9 bytes per second read and written by copying."
    ]
    for kind, (count, words) in OPERATIONS.items():
        lines.append(f"{kind}: {count} operations a cell ({words}), so at most {peak / count / 1e9:.1f}e9 cells/s.")
    lines.append(
        f"Were u and v fetched from memory and put back at every step (16 bytes a cell), at most {copy / 16e9:.2f}e9 "
        f"cells/s; {turn} steps are taken in one pass, so memory would allow {copy * turn / 16e9:.1f}e9."
    )
    if best["py-pde"]:
        lines.append(f"Sojourn over py-pde at 1024 x 1024: {reference / best['py-pde']:.0f} (the bar is 40).")
    return rows, lines


WAVES_HEADER = ("what", "trajectory-steps/s, best", "median", "error of v")


def spectral(rows):
    """The rows of the second table, and the lines that follow it."""
    best = {key: max(samples) for key, _, samples, _ in rows}
    shown = [
        (name, f"{max(samples):,.0f}", f"{statistics.median(samples):,.0f}", f"{error:.1e}")
        for _, name, samples, error in rows
    ]
    ours = best["128 none float32"]
    lines = [
        "Eight members of one maze on a torus of length 1.25, 50 steps of dt = 1; the error is relative, in the mean "
        "square, against 256 x 256 points, padded, float64, dt = 1/8.",
        f"float64 takes {ours / best['128 none float64']:.2f} times as long as float32 (the bar is 2.5).",
    ]
    if "exponax 128 float32" in best:
        lines.append(
            f"Sojourn over exponax, both at 128 x 128: {ours / best['exponax 128 float32']:.1f}, with the smaller "
            f"error. At an error that is no larger: {ours / best['exponax 256 float32']:.1f} over exponax at 256 x 256 "
            f"(the bar is 3), and {best['64 padded float32'] / best['exponax 128 float32']:.1f} for 64 x 64 points, "
            "padded, over exponax at 128 x 128."
        )
    return shown, lines


HEADER = ("what", "1e9 cells/s, best", "median", "Sojourn at 1024 x 1024 is faster by", "share of the operation limit")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/gray_scott.md"))
    options = parser.parse_args()
    check()
    rows, lines = report(*measure(options.rounds))

    table = Table(*HEADER, title="Gray-Scott")
    for row in rows:
        table.add_row(*row)
    waves, more = spectral(gray_scott_spectral.measure(options.rounds))
    second = Table(*WAVES_HEADER, title="Gray-Scott, spectral")
    for row in waves:
        second.add_row(*row)
    console = Console(width=150)
    console.print(table, *lines, second, *more, sep="\n")

    markdown = ["# Gray-Scott: speed", "", machine("numba", "numpy", "torch", "py-pde", "exponax") + ".", ""]
    markdown += [f"`python benchmarks/gray_scott.py --rounds {options.rounds}`", ""]
    markdown += ["| " + " | ".join(HEADER) + " |", "| --- |" + " ---: |" * (len(HEADER) - 1)]
    markdown += ["| " + " | ".join(row) + " |" for row in rows]
    markdown += ["", *(line + "\n" for line in lines), "## The spectral scheme", ""]
    markdown += ["| " + " | ".join(WAVES_HEADER) + " |", "| --- |" + " ---: |" * (len(WAVES_HEADER) - 1)]
    markdown += ["| " + " | ".join(row) + " |" for row in waves]
    markdown += ["", *(line + "\n" for line in more)]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text("\n".join(markdown).rstrip() + "\n")
    console.print(f"written: {options.output}")


def check():
    """The contestants compute the same thing."""
    fields = start((1, 256, 256))
    expected = [x[0] for x in sojourn(*fields, 20)]
    u, v = (x[0] for x in fields)
    results = {
        "torch.roll": torch_roll(torch.from_numpy(u), torch.from_numpy(v), 20),
        "the slices": torch_slices(torch.from_numpy(u), torch.from_numpy(v), 20),
        "the plain loop": plain_loop(u, v, 20),
    }
    if pde:
        results["py-pde"] = py_pde(u, v, 20)[0]
    for name, result in results.items():
        error = max(float(np.abs(np.asarray(a) - b).max()) for a, b in zip(result, expected, strict=True))
        if not error < 1e-5:
            raise SystemExit(f"the kernel and {name} differ by {error} after 20 steps")


if __name__ == "__main__":
    main()
