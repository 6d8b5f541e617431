"""The picture of `sojourn run blood-dispersion`: dispersion, what was learned, the law at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.experiments.figures import BLUE, GREEN, ORANGE, PINK, SKY, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY)


def pictures(flows: Sequence[dict[str, Any]]) -> Figure:
    """Three panels; bars and bands are 95% intervals, each by itself."""
    from matplotlib.ticker import LogLocator

    figure, (left, middle, right) = new(1, 3, figsize=(11, 3.9))
    D = flows[0]["diffusivity"]
    peclet = np.array([flow["peclet"] for flow in flows])
    dense = np.linspace(0, 1.05 * max(peclet.max(), 1.0), 200)
    last = flows[int(peclet.argmax())]
    rise = (last["dispersion"] - flows[int(peclet.argmin())]["dispersion"]) / max(
        peclet.max() ** 2 - peclet.min() ** 2, 1e-9
    )
    begin = last["dispersion"] - rise * peclet.max() ** 2
    left.plot(dense, (begin + rise * dense**2) / D, color=BLUE, label="Aris, for this robot")
    left.plot(dense, 1 + dense**2 / 48, "--", color="0.5", lw=1, label="Taylor and Aris, for a point")
    value, low, high = np.array([flow["learned_dispersion"] for flow in flows]).T / D
    left.errorbar(peclet, value, [value - low, high - value], fmt="o", color=ORANGE, ms=5, capsize=3, label="learned")
    left.set(xlabel="U R / D", ylabel="$D_{eff} / D$")
    left.set_title("Dispersion along the vessel", fontsize=10)
    left.legend(frameon=False, fontsize=8)
    for flow, colour in zip(flows, _COLOURS, strict=False):
        curves = flow["curves"]
        place = np.linspace(0, 1, len(curves["place"]))
        value, low, high = curves["dispersion"]
        middle.plot(place, value, color=colour, label=f"U R / D = {flow['peclet']:g}")
        middle.fill_between(place, low, high, color=colour, alpha=0.2, lw=0)
        middle.axhline(flow["dispersion"], color=colour, ls="--", lw=1)
    middle.set(xlabel="place between 1% and 99% of those seen", ylabel="$B^2 / 2$ (µm²/s)", xlim=(0, 1), yscale="log")
    middle.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    middle.yaxis.set_major_formatter("{x:g}")
    middle.yaxis.set_minor_formatter("")
    middle.set_ylim(top=3 * last["dispersion"])
    middle.set_title("Learned (lines), exact (dashed)", fontsize=10)
    middle.legend(frameon=False, fontsize=8)
    share = np.linspace(0.01, 0.99, 50)
    right.plot(1e-3 * np.array(last["curves"]["learned_gone"]), share, color=BLUE, label="learned SDE")
    right.plot(1e-3 * np.array(last["curves"]["gone"]), share, "o", color=ORANGE, ms=3, label="tracks")
    right.set(xlabel="way less that of the blood (mm)", ylabel="share of the robots that went less", ylim=(0, 1))
    right.set_title(f"The whole way, U R / D = {last['peclet']:g}", fontsize=10)
    right.legend(frameon=False, fontsize=8)
    for axis in (left, middle, right):
        axis.grid(alpha=0.3)
    return figure
