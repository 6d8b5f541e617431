"""Pictures of tail bounds: beside what is attained, for sums and maxima; and of what intervals cover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sojourn.bounds.assumptions import Assumptions
from sojourn.bounds.best import Of, best_bound, event, given
from sojourn.bounds.candidates import Side
from sojourn.experiments.figures import AMBER, BLUE, GREEN, ORANGE, PINK, SKY, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def bounds(
    assumptions: Assumptions,
    deviations: Sequence[float],
    *,
    of: Of = "mean",
    side: Side = "upper",
    maximal: bool = False,
) -> Figure:
    """Each bound against the deviation, above the grey of what no bound can reach; probabilities on a log axis.

    Args:
        assumptions: on the terms.
        deviations: where the bounds are evaluated, in increasing order.
        of, side, maximal: as in `best_bound`.
    """
    answers = [best_bound(assumptions, d, of=of, side=side, maximal=maximal) for d in deviations]
    curves: dict[str, list[float]] = {}
    for k, best in enumerate(answers):
        for row in best.rows:
            curves.setdefault(row.name, [float("nan")] * len(answers))[k] = row.value or float("nan")
    least = [best.at_least.value if best.at_least else 0.0 for best in answers]
    picture, axes = new(1, 1, figsize=(8, 4.5))
    names = sorted(curves, key=lambda name: _height(curves[name]), reverse=True)
    for place, name in enumerate(names):
        axes.plot(deviations, curves[name], label=name.replace("_", " "), lw=1.8, **_LOOKS[place % len(_LOOKS)])
    seen = [value for value in [*least, *(v for curve in curves.values() for v in curve)] if value > 0]
    floor = max(min(seen, default=1e-3), 1e-30) / 2
    if any(least):
        attained = [value or float("nan") for value in least]
        axes.step(deviations, attained, color="black", lw=2.2, label="attained", where="pre")
        axes.fill_between(deviations, floor, [max(value, floor) for value in least], color="0.9", lw=0, step="pre")
        axes.text(0.02, 0.03, "no bound can be here", transform=axes.transAxes, fontsize=9, color="0.35")
    axes.set(yscale="log", ylim=(floor, 2), xlim=(deviations[0], deviations[-1]))
    axes.set_ylabel(event("d", of=of, side=side, maximal=maximal and assumptions.n > 1) + ", at most")
    axes.set_xlabel(f"deviation d of the {of}")
    axes.set_title(given(assumptions), fontsize=10, loc="left")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    picture.legend(loc="outside right center", frameon=False, fontsize=9)
    return picture


def maxima(levels: list[int], exact: list[float], found: dict[str, list[float]], title: str) -> Figure:
    """Bounds on P(max_k M_k >= t) above the exact probability, as far as that is above 1e-12."""
    picture, axes = new(1, 1, figsize=(8, 4.5))
    shown = [k for k, p in enumerate(exact) if p > 1e-12]
    t = [levels[k] for k in shown]
    for place, name in enumerate(sorted(found, key=lambda name: found[name][shown[-1]], reverse=True)):
        look = _LOOKS[place % len(_LOOKS)]
        axes.plot(t, [found[name][k] for k in shown], label=name.replace("_", " "), lw=1.8, **look)
    axes.plot(t, [exact[k] for k in shown], color="black", lw=2.2, label="exact")
    axes.set(yscale="log", ylim=(exact[shown[-1]] / 2, 2), xlim=(t[0], t[-1]), xlabel="level t")
    axes.set_ylabel("P(max M_k >= t), at most")
    axes.set_title(title, fontsize=10, loc="left")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    picture.legend(loc="outside right center", frameon=False, fontsize=9)
    return picture


def coverage(cells: list[dict[str, Any]], confidence: float) -> Figure:
    """Measured coverages with their intervals, a panel a law; the dashed line is the nominal one."""
    laws = list(dict.fromkeys(cell["law"] for cell in cells))
    picture, axes = new(
        len(laws),
        1,
        figsize=(8, 0.8 + 0.32 * len(cells) + 0.25 * len(laws)),
        sharex=True,
        gridspec_kw={"height_ratios": [sum(cell["law"] == law for cell in cells) + 0.8 for law in laws]},
    )
    marks = {"asymptotic": ("s", ORANGE), "fixed n": ("o", BLUE), "all times": ("D", GREEN)}
    lowest = min(0.9, *(cell["covered"]["interval"][0] for cell in cells if cell["kind"] != "asymptotic")) - 0.01
    for axis, law in zip(axes, laws, strict=True):
        rows = [cell for cell in cells if cell["law"] == law][::-1]
        for place, cell in enumerate(rows):
            low, high = cell["covered"]["interval"]
            marker, color = marks[cell["kind"]]
            value = cell["covered"]["value"]
            if value < lowest:
                axis.annotate(f"{value:.3f}", (lowest, place), xytext=(8, 5), textcoords="offset points", fontsize=8)
                axis.plot([lowest], [place], "<", color=color, clip_on=False)
                axis.plot([lowest, max(high, lowest)], [place, place], color=color, lw=1.6)
                continue
            axis.plot([low, high], [place, place], color=color, lw=1.6)
            axis.plot([value], [place], marker, color=color, ms=5)
        axis.set_yticks(range(len(rows)), [cell["method"] for cell in rows], fontsize=8)
        axis.set(ylim=(-0.6, len(rows) - 0.4), xlim=(lowest, 1.001))
        axis.axvline(confidence, color="0.4", ls="--", lw=1)
        axis.set_title(law, fontsize=9, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    for kind, (marker, color) in marks.items():
        axes[0].plot([], [], marker, color=color, label=kind)
    picture.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=8)
    axes[-1].set_xlabel("coverage, with its Clopper-Pearson interval at 1 - 1e-6")
    return picture


_LOOKS = [  # neighbours differ in colour and in dashes, so that curves on top of each other are both seen
    {"color": color, "linestyle": ("-", (0, (5, 2)), (0, (1, 1.2)))[(place + turn) % 3]}
    for turn in range(3)
    for place, color in enumerate((BLUE, ORANGE, GREEN, PINK, SKY, AMBER))
]


def _height(curve: list[float]) -> float:
    """The curve at its right end, if it is not zero there: curves in the legend stand as they end in the picture."""
    return next((value for value in reversed(curve) if value > 0), 0.0)
