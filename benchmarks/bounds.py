"""Tail bounds and confidence intervals: how wide, how fast, how much memory, beside the published betting algorithm.

python benchmarks/bounds.py [--rounds 5] [--samples 40] [--output FILE]

The peer is the hedged capital of Waudby-Smith and Ramdas (2024), theorem 3, as its authors' package computes it: a
dense matrix of 1001 candidates by n observations in NumPy. It is written out here, because that package does not
install on current Python. Everything runs in turn in one process. The limit of the sequence's speed is its
multiplications: the same products for as many candidates as it keeps at the end, with the bets given.
"""

import argparse
import math
import statistics
import tracemalloc
from pathlib import Path

import numpy as np
from numba import njit
from rich.console import Console
from rich.table import Table
from scipy import stats

from machine import machine, seconds
from sojourn import bounds
from sojourn.bounds.intervals import betting, clopper_pearson, empirical_bernstein
from sojourn.bounds.sequences import Betting
from sojourn.kernels import betting as kernel

CONFIDENCE = 0.95
LAWS = {
    "Bernoulli(.5)": lambda g, n: (g.random(n) < 0.5) * 1.0,
    "Bernoulli(.1)": lambda g, n: (g.random(n) < 0.1) * 1.0,
    "Bernoulli(.01)": lambda g, n: (g.random(n) < 0.01) * 1.0,
    "Bernoulli(.001)": lambda g, n: (g.random(n) < 0.001) * 1.0,
    "uniform": lambda g, n: g.random(n),
    "Beta(.1,.1)": lambda g, n: g.beta(0.1, 0.1, n),
    "Beta(10,30)": lambda g, n: g.beta(10, 30, n),
    "Beta(1,50)": lambda g, n: g.beta(1, 50, n),
    ".5 +- .005": lambda g, n: 0.495 + 0.01 * g.random(n),
}


def hedged(x, horizon, candidates=1001):
    """The published hedged capital on a dense grid: (low, high). horizon=None for a sequence with all its looks."""
    n, alpha, c = len(x), 1 - CONFIDENCE, 0.75 if horizon is None else 1.0
    t = np.arange(1, n + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    before = np.append(0.25, variance[:-1])
    bets = np.sqrt(2 * np.log(2 / alpha) / (before * (horizon or t * np.log(1 + t))))
    m = np.linspace(0, 1, candidates)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        over = np.cumsum(np.log1p(np.minimum(bets, c / m) * (x - m)), axis=1).max(axis=1)
        under = np.cumsum(np.log1p(-np.minimum(bets, c / (1 - m)) * (x - m)), axis=1).max(axis=1)
    kept = np.flatnonzero(np.maximum(np.nan_to_num(over), np.nan_to_num(under)) < np.log(2 / alpha))
    step = 1 / (candidates - 1)
    return max(0.0, kept[0] * step - step), min(1.0, kept[-1] * step + step)


def widths(samples):
    """Mean widths as multiples of the normal interval's mean width, in rows (n, law, ...)."""
    rows = []
    for n in (20, 100, 1000, 10_000):
        for name, draw in LAWS.items():
            g, found = np.random.default_rng(n), {}
            for _ in range(samples):
                x = draw(g, n)
                sequence = Betting(range=(0, 1)).update(x)
                ours = {
                    "normal": (-1.96 * x.std(ddof=1) / n**0.5, 1.96 * x.std(ddof=1) / n**0.5),
                    "exact": ends(clopper_pearson(int(x.sum()), n)) if name.startswith("Ber") else (math.nan, math.nan),
                    "betting": ends(betting(x, range=(0, 1))),
                    "hedged": hedged(x, n) if n <= 1000 else (math.nan, math.nan),
                    "maurer-pontil": ends(empirical_bernstein(x, range=(0, 1))),
                    "sequence": ends(sequence.estimate()),
                    "hedged sequence": hedged(x, None) if n <= 1000 else (math.nan, math.nan),
                }
                for kind, (low, high) in ours.items():
                    found.setdefault(kind, []).append(high - low)
            means = {kind: float(np.mean(each)) for kind, each in found.items()}
            rows.append((n, name, means))
    return rows


def ends(estimate):
    return estimate.low, estimate.high


def width_table(rows):
    table = Table(title="Mean width over the normal interval's (1.96 standard errors each side); 95%")
    for head in ("n", "law", "Clopper-Pearson", "betting", "hedged (published)", "Maurer-Pontil", "betting / exact"):
        table.add_column(head, justify="left" if head == "law" else "right")
    table.add_column("sequence", justify="right")
    table.add_column("hedged sequence (published)", justify="right")
    for n, name, means in rows:
        cells = [means[k] / means["normal"] for k in ("exact", "betting", "hedged", "maurer-pontil")]
        cells += [means["betting"] / means["exact"]]
        cells += [means[k] / means["normal"] for k in ("sequence", "hedged sequence")]
        table.add_row(f"{n:,}", name, *(f"{c:.3g}" if math.isfinite(c) else "" for c in cells))
    return table


@njit(nogil=True)
def multiplications(y, m, bets, products):
    for k in range(len(y)):
        for j in range(len(m)):
            products[0, j] *= 1.0 + bets[j] * (y[k] - m[j])
            products[1, j] *= 1.0 + bets[j] * (y[k] - m[j])
            products[2, j] *= 1.0 - bets[j] * (y[k] - m[j])
            products[3, j] *= 1.0 - bets[j] * (y[k] - m[j])


def speeds(rounds):
    """Rows (what, n, best seconds, median seconds, megabytes beyond the data)."""
    g, rows = np.random.default_rng(0), []
    x = g.beta(2, 5, 10_000_000)
    Betting(range=(0, 1)).update(x[:1000]).estimate()

    def sequence(n):
        kept.append(Betting(range=(0, 1)).update(x[:n]))
        kept[-1].estimate()

    for n in (100_000, 1_000_000, 10_000_000):
        kept = []
        rows.append((f"Sojourn, betting sequence, n = {n:,}", *timed(lambda n=n: sequence(n), rounds)))
    cells = int(kept[-1]._bets.now[kernel.CELLS])
    m, products = np.linspace(0.2, 0.4, cells), np.ones((4, cells))
    multiplications(x[:10], m, np.full(cells, 1e-9), products)
    limit = timed(lambda: multiplications(x, m, np.full(cells, 1e-9), products), rounds)
    rows.append((f"its multiplications alone, {cells} cells, n = 10,000,000", *limit))
    for n in (1000, 10_000, 100_000):
        found = timed(lambda n=n: betting(x[:n], range=(0, 1)), rounds)
        rows.append((f"Sojourn, interval for fixed n = {n:,}", *found))
    rows.append(("published, dense matrix, n = 10,000", *timed(lambda: hedged(x[:10_000], None), rounds)))
    rows.append(("published, dense matrix, n = 100,000", *timed(lambda: hedged(x[:100_000], None), 1)))
    rows.append(("Clopper-Pearson, 371 of 1000", *timed(lambda: clopper_pearson(371, 1000), rounds)))
    rows.append(("SciPy's, not outward", *timed(lambda: stats.binomtest(371, 1000).proportion_ci(), rounds)))
    rows.append(("hoeffding(50)", *timed(lambda: bounds.hoeffding(50, n=1000, range=(0, 1)), rounds)))
    inverse = timed(lambda: bounds.hoeffding.deviation(0.05, n=1000, range=(0, 1)), rounds)
    rows.append(("hoeffding.deviation(.05)", *inverse))
    return rows


def timed(function, rounds):
    """Best and median seconds, and the peak of memory in MB in a run of its own (NumPy's arrays are counted)."""
    taken = [seconds(function) for _ in range(rounds)]
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return min(taken), statistics.median(taken), peak


def speed_table(rows):
    table = Table(title="Seconds on one core, and memory beyond the data")
    for head in ("", "best", "median", "MB"):
        table.add_column(head, justify="right" if head else "left")
    for what, best, median, peak in rows:
        table.add_row(what, f"{best:.3g}", f"{median:.3g}", f"{peak:.3g}")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--output", type=Path, help="a file for the two tables, as text")
    options = parser.parse_args()
    console = Console(record=True, width=150)
    console.print(machine("numpy", "numba", "scipy", "python-flint"))
    console.print(speed_table(speeds(options.rounds)))
    console.print(width_table(widths(options.samples)))
    if options.output:
        options.output.write_text(console.export_text())


if __name__ == "__main__":
    main()
