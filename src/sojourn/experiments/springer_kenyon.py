"""`sojourn run springer-kenyon`: how often minimal networks learn n-step Life, beside the published figures.

Published: Springer and Kenyon, "It's Hard for Neural Networks to Learn the Game of Life" (arXiv 2009.01398).
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import clopper_pearson
from sojourn.errors import InputError
from sojourn.experiments.base import Experiment
from sojourn.experiments.figures import BLUE, ORANGE, new, save
from sojourn.learning.boards import collapse, training_pairs
from sojourn.learning.certify import certify
from sojourn.learning.many_steps import Found, futures, learn_many_steps
from sojourn.learning.networks import LifeNetwork, LifeNetworks
from sojourn.learning.recipe import Fading, learn_one_step
from sojourn.noise import Noise
from sojourn.observers import ProgressBar
from sojourn.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLOCK = 128  # networks trained at once, so that they stay in cache
_PUBLISHED = {(1, 1): "4.7%", (1, 2): "< 50%", (1, 3): "60%", (2, 1): "< 50%"} | {
    (n, 1): "< 50%, any m to 24" for n in (3, 4, 5)
}


@dataclass(frozen=True)
class SpringerKenyon(Experiment):
    """Success rates of networks for n-step Life: of each cell's networks, how many are proved exact.

    Args:
        networks: initialisations in each cell of the table.
        steps: the numbers of steps n.
        widths: overcompleteness m, for n = 1; from n = 2 on the minimal networks (m = 1) are learned.
        trials: budget of search evaluations for each network, from n = 2 on.
        seed: the seed of boards, weights and noise.
    """

    networks: int = 64
    steps: tuple[int, ...] = (1, 2, 3, 4, 5)
    widths: tuple[int, ...] = (1, 2, 3)
    trials: int = 4_000_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("networks", "trials"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} is below 1; use a whole number above zero")
        for name in ("steps", "widths"):
            if not getattr(self, name) or min(getattr(self, name)) < 1:
                raise InputError(f"{name}={getattr(self, name)} needs whole numbers above zero")
        Noise(self.seed)

    def run(self, run: Run) -> list[str]:
        cells = run.record["results"].get("cells", [])
        wanted = [(1, m) for m in self.widths if 1 in self.steps] + [(n, 1) for n in self.steps if n > 1]
        for n, m in wanted[len(cells) :]:
            cells.append(self._one_step(run, m) if n == 1 else self._many_steps(run, n))
            run.result(cells=cells)
        save(_figure(cells), run.folder("figures") / "success.png")
        return [*_lines(cells), f"Look at {escape(str(run.path / 'figures' / 'success.png'))}."]

    def _one_step(self, run: Run, width: int) -> dict[str, Any]:
        seen = collapse(training_pairs(_RULE, seed=self.seed, progress=False))
        exact, margins = {}, []
        for method, fading in (("plain", Fading(0, 0, 0, 0)), ("recipe", Fading())):
            exact[method] = 0
            for first in range(0, self.networks, _BLOCK):
                noise = Noise(self.seed).members(first)
                size = min(_BLOCK, self.networks - first)
                networks = LifeNetworks(size, width=width, noise=noise.split("weights"))
                stage = f"n1-m{width}-{method}-{first}"
                learn_one_step(networks, seen, noise=noise.split("shake"), fading=fading, run=run, stage=stage)
                certificates = [certify(networks.pick(k), _RULE) for k in range(size)]
                exact[method] += sum(c.exact for c in certificates)
                if method == "recipe":
                    margins += [c.margin for c in certificates if c.exact]
        return self._cell(1, width, margins, exact=exact["recipe"], plain=exact["plain"])

    def _many_steps(self, run: Run, steps: int) -> dict[str, Any]:
        folder = run.folder("checkpoints")
        stage = f"n{steps}-m1"
        first = len(run.metrics(stage))
        run.rewind(stage, first)
        bar = ProgressBar(f"{stage}: networks", first, self.networks, "networks")

        def report(k: int, found: Found) -> None:
            if found.network:
                found.network.save(folder / f"{stage}-{k}.safetensors")
            run.log(stage, k + 1, found=int(found.network is not None), trials=found.trials, tries=found.tries)
            bar.see(k + 1, {})

        data = futures(_RULE, steps, seed=self.seed)
        try:
            learn_many_steps(
                self.networks, steps, data, noise=Noise(self.seed), first=first, trials=self.trials, report=report
            )
        finally:
            bar.close()
        rows = run.metrics(stage)
        paths = [folder / f"{stage}-{row['step'] - 1}.safetensors" for row in rows if row["found"]]
        certificates = [certify(LifeNetwork.load(path), _RULE) for path in paths]
        margins = [c.margin for c in certificates if c.exact]
        return self._cell(steps, 1, margins, exact=len(margins), trials=float(np.median([r["trials"] for r in rows])))

    def _cell(self, n: int, m: int, margins: list[float], **counts: float) -> dict[str, Any]:
        parameters = LifeNetwork(n, m).parameter_count
        least = min(margins) if margins else None
        rates = {
            f"{how}_rate": rate(int(counts[how]), self.networks).to_dict()
            for how in ("exact", "plain")
            if how in counts
        }
        found = {"n": n, "m": m, "parameters": parameters, "networks": self.networks, "least_margin": least}
        return {**found, **counts, **rates}


_RULE = "B3/S23"


def rate(exact: int, networks: int) -> Estimate:
    """The probability that a network, from the first weights that chance gives it, is proved exact at the end."""
    limits = ("other training boards, which all networks share",)
    assumes = "first weights and shakes are drawn independently for each network"
    return replace(clopper_pearson(exact, networks), assumes=assumes, limits=limits)


def percent(share: Estimate) -> str:
    """Such as 4.7% [0.9, 13.1], the ends outward."""
    low, high = math.floor(1000 * share.low) / 10, math.ceil(1000 * share.high) / 10
    return f"{100 * share.value:.1f}% [{low:.1f}, {high:.1f}]"


def table(cells: list[dict[str, Any]]) -> Table:
    """Proved exact, cell by cell, beside the published success rates."""
    layout = Table(title="Networks proved exact for n-step Life", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in ("n", "m", "parameters", "published", "plain", "recipe", "margin"):
        layout.add_column(name, justify="left" if name == "published" else "right")
    for cell in cells:
        plain = percent(rate(cell["plain"], cell["networks"])) if "plain" in cell else "-"
        ours = f"{cell['exact']} of {cell['networks']}: {percent(rate(cell['exact'], cell['networks']))}"
        least = "-" if cell["least_margin"] is None else f"{cell['least_margin']:.2f}"
        published = _PUBLISHED.get((cell["n"], cell["m"]), "-")
        layout.add_row(str(cell["n"]), str(cell["m"]), str(cell["parameters"]), published, plain, ours, least)
    return layout


def _lines(cells: list[dict[str, Any]]) -> list[str]:
    from rich.console import Console

    console = Console(width=110, file=io.StringIO())
    with console.capture() as capture:
        console.print(table(cells))
    some = rate(cells[0]["exact"], cells[0]["networks"])
    lines = [line.rstrip() for line in capture.get().splitlines()]
    return [*lines, f"In brackets: {some.words}, each by itself. Not covered: {', '.join(some.limits)}."]


def _figure(cells: list[dict[str, Any]]) -> Figure:
    """Share of networks proved exact against n, with what was published."""
    figure, axis = new(1, 1, figsize=(7.0, 4.0))
    minimal = [cell for cell in cells if cell["m"] == 1]
    rates = [rate(cell["exact"], cell["networks"]) for cell in minimal]
    axis.errorbar(
        [cell["n"] for cell in minimal],
        [100 * r.value for r in rates],
        [[100 * (r.value - r.low) for r in rates], [100 * (r.high - r.value) for r in rates]],
        fmt="o-",
        color=BLUE,
        capsize=3,
        label="the recipes here, m = 1 (95%)",
        zorder=3,
    )
    axis.bar([3, 4, 5], 50, width=0.9, color="0.9", label="published: below half, whatever m up to 24")
    axis.bar([2], 50, width=0.9, color="0.95", hatch="//", edgecolor="0.8", label="published: below half for m < 4")
    axis.plot([1], [4.7], "s", color=ORANGE, label="published, m = 1: 4.7%", zorder=3)
    axis.set(xlabel="steps n", ylabel="networks proved exact (%)", ylim=(0, 118), xticks=range(1, 6))
    axis.set_yticks([0, 25, 50, 75, 100])
    axis.set_title("Minimal networks (23 n + 2 parameters) for n steps of Life")
    axis.legend(frameon=False, loc="upper center", ncols=2, fontsize=8)
    return figure
