"""Game of Life: Sojourn's kernels beside QuickLife, convolutions, and what the machine can do at most.

python benchmarks/life.py [--rounds 3] [--output docs/benchmarks/life.md]

Everything runs in turn, round after round; a rate is generations x cells / seconds, the best and the median of the
rounds, and contains everything from packed words to packed words (for the convolutions: from an array of cells to an
array of cells). All get the same soup of density 0.3. Of QuickLife's time a run of one generation is subtracted, which
is the time to start and to load the pattern; it writes nothing. Before anything is timed, all are checked to agree.
"""

import argparse
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

import numba
import numpy as np
import scipy.ndimage
import scipy.signal
import torch
from rich.console import Console
from rich.table import Table

from machine import copy_bandwidth, machine, on_all_cores, seconds
from sojourn.kernels.life import advance_outer_totalistic, advance_table, pack, unpack
from sojourn.kernels.life_words import load, majority, store, xor3

CONWAY, HIGHLIFE = (0b1000, 0b1100), (0b1001000, 0b1100)
SIDE, DENSITY = 4096, 0.3
TORUS = f"B3/S23:T{SIDE},{SIDE}"
GOLLY = shutil.which("bgolly")

# Operations on a word for one generation, an operation being any function of up to three words, bit by bit (AVX-512's
# VPTERNLOG). Striped rows need no shifts, but at their ends, which are not counted here.
OPERATIONS = {
    "B3/S23": (9, "2 to add the three cells of a row, 4 to add three rows, 3 to decide"),
    "any B/S": (25, "the same 6 to count, and 19 to select among the rule's 18 bits"),
    "any table": (142, "15 for the sixteen functions of two cells, 127 to select by the other seven"),
}


# ------------------------------------------------------------------------------------------- what is timed


def ours(shape, steps, rule=CONWAY, table=None):
    """A function that runs one timing and returns cells per second."""
    words = pack(soup(shape))

    def run():
        if table is None:
            return advance_outer_totalistic(words, shape[2], *rule, steps, True)
        return advance_table(words, shape[2], table, steps, True)

    advance_outer_totalistic(words, shape[2], *rule, 1, True)  # compiles, or loads what was compiled before
    return lambda: np.prod(shape) * steps / seconds(run)


def soup(shape):
    return (np.random.default_rng(0).random(shape) < DENSITY).astype(np.uint8)


def quicklife(folder, rule, generations):
    """A function that runs one timing, or None where there is no bgolly on the path."""
    if not GOLLY:
        return None

    def run(count):
        return seconds(lambda: golly(folder, rule, count, "-q", "-q"))

    return lambda: SIDE * SIDE * generations / (run(1 + generations) - run(1))


def golly(folder, rule, generations, *options):
    """Run QuickLife on the soup; what it prints."""
    pattern = folder / "soup.rle"
    if not pattern.exists():
        pattern.write_text(rle(soup((SIDE, SIDE))))
    command = [GOLLY, "-a", "QuickLife", "-m", generations, "-i", generations, "-r", rule, *options, pattern]
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout


def rle(cells):
    height, width = cells.shape  # Golly's torus is centred on the origin, and what lies outside it is lost
    lines = [f"#CXRLE Pos={-width // 2},{-height // 2} Gen=0", f"x = {width}, y = {height}, rule = B3/S23"]
    for row in cells:
        ends = np.flatnonzero(np.diff(row, append=2)) + 1
        lengths = np.diff(ends, prepend=0)
        runs = zip(lengths, row[ends - 1], strict=True)
        lines.append("".join(f"{n if n > 1 else ''}{'o' if live else 'b'}" for n, live in runs) + "$")
    return "\n".join(lines) + "!\n"


NEIGHBOURS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)


def convolution(count):
    """One generation by `count`, a function that sums the eight neighbours."""
    cells = soup((SIDE, SIDE))

    def run():
        neighbours = count(cells)
        return ((neighbours == 3) | ((neighbours == 2) & (cells == 1))).astype(np.uint8)

    return lambda: SIDE * SIDE / seconds(run)


def torch_convolution():
    cells = torch.from_numpy(soup((1, 1, SIDE, SIDE))).float()
    kernel = torch.from_numpy(NEIGHBOURS).float()[None, None]

    def run():
        neighbours = torch.nn.functional.conv2d(torch.nn.functional.pad(cells, (1, 1, 1, 1), mode="circular"), kernel)
        return ((neighbours == 3) | ((neighbours == 2) & (cells == 1))).float()

    with torch.inference_mode():
        run()
    return lambda: SIDE * SIDE / seconds(torch.inference_mode()(run))


# --------------------------------------------------------------------------------------- physical limits


@numba.njit(nogil=True)
def _logic(space, rounds):
    a, b, c, d = load(space, 0), load(space, 8), load(space, 16), load(space, 24)
    e, f, g, h = load(space, 32), load(space, 40), load(space, 48), load(space, 56)
    x, y = load(space, 64), load(space, 72)
    for _ in range(rounds):  # ten operations on eight words each
        a, b, c, d = majority(a, x, y), xor3(b, x, y), majority(c, x, y), xor3(d, x, y)
        e, f, g, h = majority(e, x, y), xor3(f, x, y), majority(g, x, y), xor3(h, x, y)
        x, y = xor3(x, a, y), majority(y, b, x)
    store(space, 0, xor3(xor3(a, b, c), xor3(d, e, f), xor3(g, h, x)))


def logic_peak():
    """Operations on 64-bit words per second."""
    rounds, cores = 10_000_000, numba.get_num_threads()
    spaces = [np.random.default_rng(i).integers(0, 2**63, 96, np.uint64) for i in range(cores)]
    spaces = [space[-space.ctypes.data % 64 // 8 :] for space in spaces]
    _logic(spaces[0], 1)
    return lambda: cores * rounds * 80 / on_all_cores(lambda core: _logic(spaces[core], rounds))


# ----------------------------------------------------------------------------------------------- the run


def contestants(folder):
    """(key, what is shown, function that measures once, or None where the peer is missing)."""
    table = np.random.default_rng(1).integers(0, 2, 512, np.uint8)
    yield "4096", "Sojourn, B3/S23, 4096 x 4096 torus, 1000 generations", ours((1, SIDE, SIDE), 1000)
    yield "1024", "Sojourn, B3/S23, 1024 x 1024 torus, 10000 generations", ours((1, 1024, 1024), 10000)
    yield "16384", "Sojourn, B3/S23, 16384 x 16384 torus, 100 generations", ours((1, 16384, 16384), 100)
    yield "ensemble", "Sojourn, B3/S23, 1024 tori of 64 x 64, 4000 generations", ours((1024, 64, 64), 4000)
    yield "small", "Sojourn, B3/S23, 1024 tori of 32 x 32, 4000 generations", ours((1024, 32, 32), 4000)
    yield (
        "highlife",
        "Sojourn, B36/S23, 4096 x 4096 torus, 500 generations",
        ours((1, SIDE, SIDE), 500, HIGHLIFE),
    )
    yield (
        "table",
        "Sojourn, a random table, 4096 x 4096 torus, 50 generations",
        ours((1, SIDE, SIDE), 50, table=table),
    )
    shown = "Golly QuickLife, B3/S23, 4096 x 4096"
    yield "golly", f"{shown} soup on the unbounded plane, 100 generations", quicklife(folder, "B3/S23", 100)
    yield (
        "golly 1000",
        f"{shown} soup on the unbounded plane, 1000 generations",
        quicklife(folder, "B3/S23", 1000),
    )
    yield "golly torus", f"{shown} torus, 100 generations", quicklife(folder, TORUS, 100)
    yield (
        "ndimage",
        "scipy.ndimage.convolve, uint8, 4096 x 4096 torus",
        convolution(lambda cells: scipy.ndimage.convolve(cells, NEIGHBOURS, mode="wrap")),
    )
    yield (
        "convolve2d",
        "scipy.signal.convolve2d, uint8, 4096 x 4096 torus",
        convolution(lambda cells: scipy.signal.convolve2d(cells, NEIGHBOURS, mode="same", boundary="wrap")),
    )
    yield "torch", "torch conv2d, float32, 4096 x 4096 torus", torch_convolution()
    yield "logic", "logical operations on 64-bit words", logic_peak()
    yield "copy", "bytes read and written by copying", copy_bandwidth()


def measure(rounds):
    with tempfile.TemporaryDirectory() as folder:
        entries = list(contestants(Path(folder)))
        samples = {key: [] for key, _, _ in entries}
        for _ in range(rounds):
            for key, _, run in entries:
                if run is not None:
                    samples[key].append(run())
    return {key: shown for key, shown, _ in entries}, samples


def report(names, samples):
    """The rows of the table, and the lines that follow it."""
    best = {key: max(values) if values else None for key, values in samples.items()}
    reference = best["4096"]
    kinds = {"highlife": "any B/S", "table": "any table"}
    rows = []
    for key, shown in names.items():
        if key in ("logic", "copy"):
            continue
        if best[key] is None:
            rows.append((shown, "missing", "missing", "", ""))
            continue
        ratio = f"{reference / best[key]:,.3g}"
        share = ""
        if shown.startswith("Sojourn"):
            limit = best["logic"] / OPERATIONS[kinds.get(key, "B3/S23")][0] * 64
            share = f"{best[key] / limit:.0%}"
        rows.append((shown, f"{best[key] / 1e9:,.3g}", f"{statistics.median(samples[key]) / 1e9:,.3g}", ratio, share))
    logic, copy = best["logic"], best["copy"]
    lines = [
        f"Measured limits: {logic / 1e9:.0f}e9 logical operations on 64-bit words per second (independent ternary "
    ]
    lines[0] += f"operations in registers, all cores), {copy / 1e9:.0f}e9 bytes per second read and written by copying."
    for kind, (count, words) in OPERATIONS.items():
        lines.append(
            f"{kind}: {count} operations a word ({words}), so at most {logic / count * 64 / 1e9:.0f}e9 cells/s."
        )
    lines.append(
        f"One read and one write of the board per generation (a quarter of a byte per cell) would allow "
        f"{copy * 4 / 1e9:.0f}e9 cells/s, were it fetched from memory every time: {reference / copy / 4:.2f} of that "
        f"is reached, because a block advances many generations while it is in cache."
    )
    return rows, lines


HEADER = (
    "what",
    "1e9 cells/s, best",
    "median",
    "Sojourn at 4096 x 4096 is faster by",
    "share of the operation limit",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/life.md"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        check(Path(folder))
    rows, lines = report(*measure(options.rounds))

    table = Table(*HEADER, title="Game of Life")
    for row in rows:
        table.add_row(*row)
    console = Console(width=150)
    console.print(table, *lines, sep="\n")

    markdown = [
        "# Game of Life: speed",
        "",
        machine("numba", "numpy", "scipy", "torch") + ".",
        "",
        f"`python benchmarks/life.py --rounds {options.rounds}`",
        "",
    ]
    markdown += ["| " + " | ".join(HEADER) + " |", "| --- |" + " ---: |" * (len(HEADER) - 1)]
    markdown += ["| " + " | ".join(row) + " |" for row in rows]
    markdown += ["", *(line + "\n" for line in lines)]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text("\n".join(markdown).rstrip() + "\n")
    console.print(f"written: {options.output}")


def check(folder):
    """The contestants compute the same thing."""
    cells = soup((1, SIDE, SIDE))
    count = scipy.ndimage.convolve(cells[0], NEIGHBOURS, mode="wrap")
    expected = (count == 3) | ((count == 2) & (cells[0] == 1))
    words = pack(cells)
    if not np.array_equal(unpack(advance_outer_totalistic(words, SIDE, *CONWAY, 1, True), SIDE)[0], expected):
        raise SystemExit("the kernel and SciPy disagree after one generation")
    if GOLLY:
        population = np.bitwise_count(advance_outer_totalistic(words, SIDE, *CONWAY, 20, True)).sum()
        if f"20: {population:,}" not in golly(folder, TORUS, 20):
            raise SystemExit("the kernel and QuickLife disagree on the population after 20 generations")


if __name__ == "__main__":
    main()
