"""The picture of `sojourn run the-well-gray-scott`: how each pattern ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sojourn.experiments import figures
from sojourn.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def contact_sheet(runs: dict[str, Trajectory]) -> Figure:
    """v in the last frame of every pattern's first member, on one scale."""
    columns = min(3, len(runs))
    rows = -(-len(runs) // columns)
    figure, axes = figures.new(rows, columns, figsize=(2.6 * columns + 1.0, 2.75 * rows + 0.5), squeeze=False)
    ends = {name: run.dataset["v"].isel(ensemble=0, time=-1) for name, run in runs.items()}
    top = max(float(end.max()) for end in ends.values())
    for axis in axes.flat[len(runs) :]:
        axis.set_visible(False)
    for axis, (name, end) in zip(axes.flat, ends.items(), strict=False):
        sides = [(float(p[0]), float(2 * p[-1] - p[-2])) for p in (end["x"], end["y"])]
        shown = axis.imshow(
            end.values, cmap="cividis", vmin=0, vmax=top, origin="lower", extent=(*sides[0], *sides[1]), rasterized=True
        )
        parameters = runs[name].dataset.attrs["parameters"]
        axis.set_title(f"{name}: F = {parameters['feed_rate']:g}, k = {parameters['kill_rate']:g}", fontsize=9)
        ticks = np.linspace(*sides[0], 3)
        axis.set(xticks=ticks, yticks=np.linspace(*sides[1], 3))
        axis.tick_params(labelsize=8)
        axis.set(xlabel="x", ylabel="y")
        axis.label_outer()
    figure.colorbar(shown, ax=axes, label="v", shrink=0.8)
    time = float(next(iter(ends.values()))["time"])
    figure.suptitle(f"Gray-Scott as The Well makes it: v at time {time:,.0f}", fontsize=11)
    return figure
