"""The pictures of `sojourn run ito`: agreement against the step, both ways along a few paths, paths with their law."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.experiments.figures import BLUE, GREEN, ORANGE, PINK, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BANDS = ("5% and 95% quantiles ", "median ")
_MARKS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PINK, "D"))


def agreement(found: Sequence[Any], function: str) -> Figure:
    """Error against step size for every scheme, with lines of the predicted slopes."""
    figure, axis = new(1, 1, figsize=(6.6, 4.8))
    for (colour, mark), each in zip(_MARKS, found, strict=False):
        rate = "none" if each.rate is None else f"{each.rate.value:.3f} ± {each.rate.half_width:.3f}"
        label = f"{each.scheme}: rate {rate}, predicted {each.predicted:g}"
        axis.loglog(each.dt, np.maximum(each.error, 1e-18), mark, color=colour, label=label)
        middle = len(each.dt) // 2
        line = each.error[middle] * (each.dt / each.dt[middle]) ** each.predicted
        axis.loglog(each.dt, np.maximum(line, 1e-18), color=colour, lw=1)
    axis.set(
        xlabel="step h (time units)",
        ylabel=f"root mean square of max |{found[0].name} - f(X)|",
        title=f"f(X) = {function}: by the derived equation, and from X",
    )
    axis.legend(frameon=False, title="95% by 16 batches; lines have the predicted slope")
    axis.grid(alpha=0.3, which="both", lw=0.5)
    return figure


def both_ways(paths: dict[str, Any], settings: Any, function: str) -> Figure:
    """f(X) and Y along four Brownian paths at the coarsest step, and their difference under it."""
    figure, (top, bottom) = new(2, 1, figsize=(7.2, 6.0), sharex=True, height_ratios=(2.2, 1))
    for k, (colour, _) in enumerate(_MARKS):
        top.plot(
            paths["time"], paths["f"][k], color=colour, lw=1.4, label="f(X), from the equation of X" if k == 0 else None
        )
        top.plot(
            paths["time"],
            paths["Y"][k],
            color=colour,
            lw=0,
            marker="o",
            ms=3.5,
            mec="black",
            mew=0.5,
            label=f"{paths['name']}, from the derived equation" if k == 0 else None,
        )
        bottom.plot(paths["time"], paths["f"][k] - paths["Y"][k], color=colour, lw=1.2)
    top.set(
        ylabel=f"{function}",
        title=f"Four Brownian paths, both ways, {settings.schemes[-1]} with {len(paths['time']) - 1} steps",
    )
    top.legend(frameon=False)
    bottom.axhline(0, color="black", lw=0.6)
    bottom.set(xlabel="time", ylabel=f"f(X) - {paths['name']}")
    return figure


def paths_and_law(path: Any, X: Any, horizon: float, law: Any) -> Figure:
    """Thirty paths with quantiles of the exact law, or of the ensemble where it is not known; the law at the end."""
    name = X.state.name
    values, time = path.dataset[name].values, path.dataset["time"].values
    figure, (left, right) = new(1, 2, figsize=(10.5, 4.6), width_ratios=(2.2, 1), sharey=True)
    left.plot(time, values[:30].T, color=BLUE, lw=0.7, alpha=0.45)
    levels = (0.05, 0.5, 0.95)
    if law is None:
        bands, said = np.quantile(values, levels, axis=0), "of the ensemble"
    else:
        start = np.full((3, 1), float(X.numeric().initial))
        later = [X.numeric().law(float(t)).frozen().ppf(levels) for t in time[1:]]
        bands, said = np.hstack([start, np.array(later).T]), "of the exact law"
    for k, level in enumerate(levels):
        style = "-" if level == 0.5 else "--"
        left.plot(time, bands[k], style, color=ORANGE, lw=1.6, label=_BANDS[k] + said if k < 2 else None)
    low, high = np.quantile(values[:, -1], (0.001, 0.999))
    room = 0.1 * (high - low)
    left.set(xlabel="time", ylabel=name, title=f"30 of {len(values):,} paths", ylim=(low - room, high + room))
    left.legend(frameon=False, loc="upper left")
    right.hist(
        values[:, -1], bins=80, range=(low, high), density=True, orientation="horizontal", color=BLUE, alpha=0.45
    )
    if law is not None:
        grid = np.linspace(low, high, 400)
        right.plot(law.frozen().pdf(grid), grid, color=ORANGE, lw=1.8)
    title = f"{name} at time {horizon:g}" + (f": the {law.name} law" if law else "")
    right.set(xlabel="density", title=fill(title, 30, break_on_hyphens=False))
    return figure
