"""The picture of `sojourn run ssm-speed`: seconds a step against dimension, beside the published ones."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from sojourn.experiments.figures import BLUE, GREEN, ORANGE, PINK, SKY, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOOKS = {
    "exact": (ORANGE, "s"),
    "sliced_reduced": (BLUE, "o"),
    "sliced": (SKY, "v"),
    "denoising": (GREEN, "D"),
    "curvature_propagation": (PINK, "P"),
}


def curves(
    seconds: dict[int, dict[str, list[float]]],
    names: dict[str, str],
    published: dict[int, float],
    published_sliced: tuple[float, float],
) -> Figure:
    """Medians with the range of the rounds, on two logarithmic axes; the published in grey and black."""
    from matplotlib.ticker import NullLocator

    figure, ax = new(1, 1, figsize=(7.2, 4.2))
    for name in next(iter(seconds.values())):
        times = [row[name] for row in seconds.values()]
        middle = [statistics.median(t) for t in times]
        reach = [
            [m - min(t) for m, t in zip(middle, times, strict=True)],
            [max(t) - m for m, t in zip(middle, times, strict=True)],
        ]
        color, marker = _LOOKS[name]
        ax.errorbar(list(seconds), middle, reach, color=color, marker=marker, capsize=3, label=names[name])
    ax.plot(list(published), list(published.values()), "k--x", label="exact, published (GPU)")
    last, value = list(published.items())[-1]
    ax.annotate(
        "out of memory beyond", (last, value), (-8, 2), textcoords="offset points", ha="right", va="center", fontsize=8
    )
    ax.fill_between([100, 800], *published_sliced, color="0.6", alpha=0.4, lw=0, label="SSM-VR, published (GPU)")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(list(seconds), [str(d) for d in seconds])
    ax.xaxis.set_minor_locator(NullLocator())  # within one decade minor ticks would write their numbers too
    ax.set_xlabel("dimension of the data")
    ax.set_ylabel("seconds a step")
    ax.set_title("Deep kernel exponential family: a step of training", fontsize=10)
    ax.grid(alpha=0.3)
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right upper", frameon=False)
    return figure
