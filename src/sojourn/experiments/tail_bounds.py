"""`sojourn run tail-bounds`: exact tails of sums and maxima beside every bound, and what intervals cover.

P(S/n - E X >= d)   for three laws of sums,      P(max_k S_k >= t)   for the random walk.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from rich.markup import escape

from sojourn.bounds import checks, intervals, sequences
from sojourn.bounds.assumptions import Assumptions
from sojourn.bounds.best import best_bound, shown
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.heavy_tails import catoni, median_of_means
from sojourn.bounds.martingales import azuma, fan_grama_liu, freedman, freedman_bennett
from sojourn.bounds.suprema import doob, kolmogorov, levy, marshall
from sojourn.errors import InputError
from sojourn.experiments import tail_bounds_figures as figures
from sojourn.experiments.base import Experiment
from sojourn.experiments.figures import save
from sojourn.observers import ProgressBar
from sojourn.runs import Run

EXAMPLES = {
    "a fair coin": (Assumptions(n=1000, mean=0.5, range=(0, 1)), 0.05),
    "a rare event": (Assumptions(n=1000, mean=0.01, range=(0, 1), variance=0.0099), 0.01),
    "small variance, wide range": (Assumptions(n=200, mean=0.0, range=(-1, 1), variance=0.01), 0.03),
}
"""Name: what is known, and the deviation of the mean at which the bounds are compared."""


@dataclass(frozen=True)
class Law:
    """A law of observations: how it is drawn, its mean, its variance, its range if it has one, and if it counts."""

    draw: Callable[[np.random.Generator, int], np.ndarray]
    n: int
    mean: float
    variance: float
    range: tuple[float, float] | None = (0.0, 1.0)
    counts: bool = False


LAWS = {
    "fair coin, n = 100": Law(lambda g, n: (g.random(n) < 0.5) * 1.0, 100, 0.5, 0.25, counts=True),
    "Bernoulli(0.0001), n = 20": Law(lambda g, n: (g.random(n) < 1e-4) * 1.0, 20, 1e-4, 1e-4, counts=True),
    "Beta(0.1, 0.1), n = 100": Law(lambda g, n: g.beta(0.1, 0.1, n), 100, 0.5, 0.25 / 1.2),
    "0.2, rarely 1, n = 100": Law(lambda g, n: np.where(g.random(n) < 0.02, 1.0, 0.2), 100, 0.216, 0.64 * 0.0196),
    "Student t, 3 degrees, n = 100": Law(lambda g, n: g.standard_t(3, n), 100, 0.0, 3.0, None),
}


@dataclass(frozen=True)
class TailBounds(Experiment):
    """Tail bounds beside exact tails, and the measured coverage of confidence intervals and sequences.

    Args:
        repetitions: samples for each measured coverage; 2000 refute 92%, 25,000 refute 94% (at 1e-6, in ten minutes).
        walk: steps of the random walk and of the martingale whose maxima are bounded.
        confidence: nominal, of the intervals.
        seed: of the samples.
    """

    repetitions: int = 2000
    walk: int = 100
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        checks.count("repetitions", self.repetitions)
        checks.count("walk", self.walk, 2)
        checks.inside("confidence", self.confidence)
        if self.walk > 200:
            raise InputError(f"walk={self.walk} is beyond 200 steps, whose law is summed in rationals; choose fewer")
        checks.count("seed", self.seed, 0)

    def run(self, run: Run) -> list[str]:
        folder = run.folder("figures")
        lines: list[Any] = []
        for name, (known, deviation) in EXAMPLES.items():
            best = best_bound(known, deviation)
            least = best.at_least.value if best.at_least else math.nan
            run.result(**{name: {row.name: row.value for row in best.rows} | {"attained": least}})
            furthest = [2 * deviation * k / 40 for k in range(1, 41)]
            save(figures.bounds(known, furthest), folder / f"{name.replace(', ', '-').replace(' ', '-')}.png")
            best_row = best.best
            lines.append(
                f"[bold]{name}[/]: P(mean - expectation >= {deviation:g}) is at most {shown(best_row.value)} "
                f"({best_row.name}), {best_row.value / least:.2g} times what a law attains; Hoeffding's bound is "
                f"{shown(next(row.value for row in best.rows if row.name == 'hoeffding'))}."
            )
        title = f"The maximum of a random walk of {self.walk} steps of ±1"
        save(figures.maxima(*maximum_of_walk(self.walk), title), folder / "maximum-of-a-walk.png")
        title = f"The maximum of a martingale: {self.walk} steps of 0 or ±1, rarer below zero than above"
        save(figures.maxima(*maximum_of_martingale(self.walk), title), folder / "maximum-of-a-martingale.png")
        cells = self._coverage(run)
        save(figures.coverage(cells, self.confidence), folder / "coverage.png")
        lowest = min(
            (cell for cell in cells if cell["kind"] != "asymptotic"), key=lambda cell: cell["covered"]["value"]
        )
        lines.append(
            f"Lowest coverage of a guaranteed interval: {lowest['covered']['value']:.4f} "
            f"[{shown(lowest['covered']['interval'][0], up=False)}, {shown(lowest['covered']['interval'][1])}] "
            f"({lowest['method']}, {lowest['law']}); nominal {self.confidence:g}."
        )
        return [*lines, f"Look at {escape(str(folder))}: {', '.join(sorted(p.name for p in folder.glob('*.png')))}."]

    def _coverage(self, run: Run) -> list[dict[str, Any]]:
        """One cell a law and method, in the order of LAWS; laws that were finished are not measured again."""
        cells = run.record["results"].get("coverage", [])
        done = {cell["law"] for cell in cells}
        for place, (name, law) in enumerate(LAWS.items()):
            if name in done:
                continue
            methods = self._methods(law)
            hits, widths = dict.fromkeys(methods, 0), dict.fromkeys(methods, 0.0)
            generator = np.random.default_rng((self.seed, place))
            bar = ProgressBar(f"coverage: {name}", 0, self.repetitions, "samples")
            for k in range(self.repetitions):
                x = law.draw(generator, law.n)
                for method, (_, interval) in methods.items():
                    found = interval(x)
                    hits[method] += law.mean in found
                    widths[method] += 0.0 if found.empty else found.high - found.low
                bar.see(k + 1, {})
            bar.close()
            for method, (kind, _) in methods.items():
                covered = intervals.clopper_pearson(hits[method], self.repetitions, confidence=1 - 1e-6)
                cells.append(
                    {
                        "law": name,
                        "method": method,
                        "kind": kind,
                        "covered": covered.to_dict(),
                        "width": widths[method] / self.repetitions,
                    }
                )
            run.result(coverage=cells)
        return cells

    def _methods(self, law: Law) -> dict[str, tuple[str, Callable[[np.ndarray], Estimate]]]:
        level: dict[str, Any] = {"confidence": self.confidence}
        methods: dict[str, tuple[str, Callable[[np.ndarray], Estimate]]] = {
            "Student": ("asymptotic", lambda x: intervals.student(x, **level))
        }
        if law.range is None:
            known = {"variance": law.variance, **level}
            return methods | {
                "Catoni": ("fixed n", lambda x: catoni(x, **known)),
                "median of means": ("fixed n", lambda x: median_of_means(x, **known)),
                "Catoni sequence, last look": ("all times", lambda x: sequences.Catoni(**known).update(x).estimate()),
            }
        known = {"range": law.range, **level}
        if law.counts:
            methods["Clopper-Pearson"] = (
                "fixed n",
                lambda x: intervals.clopper_pearson(int(x.sum()), len(x), **level),
            )
        return methods | {
            "betting": ("fixed n", lambda x: intervals.betting(x, **known)),
            "Maurer-Pontil": ("fixed n", lambda x: intervals.empirical_bernstein(x, **known)),
            "Hoeffding": ("fixed n", lambda x: intervals.hoeffding_interval(x, **known)),
            "betting sequence": ("all times", lambda x: sequences.Betting(**known).update(x).estimate()),
            "empirical Bernstein sequence": (
                "all times",
                lambda x: sequences.EmpiricalBernstein(**known).update(x).estimate(),
            ),
        }


def maximum_of_walk(n: int) -> tuple[list[int], list[float], dict[str, list[float]]]:
    """P(max_{k<=n} S_k >= t) of the simple random walk for t = 1, ..., n, exactly, and bounds on it."""
    levels = list(range(1, n + 1))
    last = [Fraction(math.comb(n, k), 2**n) for k in range(n + 1)]  # of S_n = 2 k - n

    def tail(t: int) -> Fraction:
        return sum((p for k, p in enumerate(last) if 2 * k - n >= t), Fraction(0))

    exact = [float(tail(t) + tail(t + 1)) for t in levels]  # reflection
    positive = float(sum((p * max(2 * k - n, 0) for k, p in enumerate(last)), Fraction(0))) * (1 + 1e-15)
    found: dict[str, list[float]] = {
        "doob": [doob(t, positive_part=positive) for t in levels],
        "kolmogorov": [kolmogorov(t, n=n, variance=1.0) for t in levels],
        "marshall": [marshall(t, n=n, variance=1.0) for t in levels],
        "azuma": [azuma(t, n=n, increment=1.0) for t in levels],
        "freedman": [freedman(t, variation=n, largest=1.0) for t in levels],
        "freedman_bennett": [freedman_bennett(t, variation=n, largest=1.0) for t in levels],
        "levy": [levy(t, tail=math.nextafter(float(tail(t)), 1.0)) for t in levels],
    }
    return levels, exact, found


def maximum_of_martingale(n: int) -> tuple[list[int], list[float], dict[str, list[float]]]:
    """As `maximum_of_walk`, for a martingale that goes up or down with probability 1/20 each, 1/40 each below zero.

    Its steps depend on the past, and Var(D_k | past) <= 1/10 always; its law is summed step by step in whole numbers.
    """
    levels = list(range(1, n + 1))
    exact = [Fraction(0)] * n
    for t in levels:
        reached = _paths(n, stop=t)
        exact[t - 1] = Fraction(sum(ways for place, ways in reached.items() if place >= t), 40**n)
        if exact[t - 1] < Fraction(1, 10**15):
            break
    ends = _paths(n, stop=n + 1)
    positive = Fraction(sum(ways * max(place, 0) for place, ways in ends.items()), 40**n)
    mean = math.nextafter(float(positive), math.inf)
    variance = math.nextafter(0.1, 1.0)
    given = {"variation": math.nextafter(n * variance, math.inf), "largest": 1.0}
    return (
        levels,
        [float(p) for p in exact],
        {
            "doob": [doob(t, positive_part=mean) for t in levels],
            "kolmogorov": [kolmogorov(t, n=n, variance=variance) for t in levels],
            "marshall": [marshall(t, n=n, variance=variance) for t in levels],
            "azuma": [azuma(t, n=n, increment=1.0) for t in levels],
            "freedman": [freedman(t, **given) for t in levels],
            "freedman_bennett": [freedman_bennett(t, **given) for t in levels],
            "fan_grama_liu": [fan_grama_liu(t, n=n, **given) for t in levels],
        },
    )


def _paths(n: int, stop: int) -> dict[int, int]:
    """Place -> how many of 40^n equally likely paths of the martingale are there after n steps; `stop` holds them."""
    ways = {0: 1}
    for _ in range(n):
        after: dict[int, int] = {}
        for place, here in ways.items():
            moves = 0 if place >= stop else 2 if place >= 0 else 1
            for step, times in ((-1, moves), (0, 40 - 2 * moves), (1, moves)):
                if times:
                    after[place + step] = after.get(place + step, 0) + times * here
        ways = after
    return ways
