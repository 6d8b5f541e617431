"""The picture of `sojourn run ssm-uci`: losses beside the published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sojourn.bounds.estimate import Estimate
from sojourn.experiments.figures import BLUE, ORANGE, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def bars(
    estimates: dict[str, dict[str, Estimate]],
    published: dict[str, dict[str, tuple[float, float | None, float | None]]],
    names: dict[str, str],
) -> Figure:
    """One panel a table: points with intervals for ours, and with whiskers for the published losses."""
    figure, axes = new(1, len(estimates), figsize=(4 * len(estimates), 3.6), squeeze=False)
    for ax, (table, row) in zip(axes[0], estimates.items(), strict=True):
        for place, (objective, found) in enumerate(row.items()):
            label: Any = {"label": "here, 95%"} if place == 0 else {}
            error = [[found.value - found.low], [found.high - found.value]]
            ax.errorbar(place - 0.12, found.value, error, fmt="o", color=BLUE, capsize=4, **label)
            value, low, high = published[table][objective]
            label = {"label": "published, whiskers where read"} if place == 0 else {}
            error = None if low is None or high is None else [[value - low], [high - value]]
            ax.errorbar(place + 0.12, value, error, fmt="s", color=ORANGE, capsize=4, **label)
        ax.set_xticks(range(len(row)), [names[objective] for objective in row])
        ax.set_title(table)
        ax.grid(alpha=0.3)
    axes[0, 0].set_ylabel(r"test loss, E[tr $\nabla s$ + |s|$^2$/2] (lower is better)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure
