"""The pictures of `sojourn run blood-validation`: what was measured, as points, on the curves of closed forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.experiments.blood_validation_table import Row
from sojourn.experiments.figures import BLUE, GREEN, ORANGE, PINK, SKY, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_THREE = (BLUE, ORANGE, GREEN)


def blood(curves: dict[str, Any], laws: dict[str, str]) -> Figure:
    """Viscosities and Fahraeus' effect against diameter; the share of the cells against that of the flow."""
    figure, (left, middle, right) = new(1, 3, figsize=(11, 3.6))
    for (law, name), colour, style in zip(laws.items(), _THREE, ("-", "--", ":"), strict=True):
        left.semilogx(curves["diameter"], curves[law], style, color=colour, label=name)
    left.set(xlabel="diameter (µm)", ylabel="apparent viscosity over the plasma's", ylim=(0, 24))
    left.set_title("Pries' three laws, H = 0.45", fontsize=10)
    left.legend(frameon=False)
    middle.semilogx(curves["diameter"], curves["fahraeus"], color=BLUE)
    middle.set(xlabel="diameter (µm)", ylabel="$H_t / H_d$", ylim=(0.6, 1.05))
    middle.set_title("Fåhraeus' effect, H = 0.45", fontsize=10)
    right.plot(curves["flow_share"], curves["cell_share"], color=BLUE, label="closed form")
    right.plot(*zip(*curves["solved"], strict=True), "o", color=ORANGE, ms=4, label="networks that were solved")
    right.plot([0, 1], [0, 1], color="0.6", lw=0.8, label="cells follow the flow")
    right.set(xlabel="share of the flow", ylabel="share of the red cells")
    right.set_title("Phase separation, 10 µm to 8 and 8 µm", fontsize=10)
    right.legend(frameon=False, fontsize=8)
    for axis in (left, middle, right):
        axis.grid(alpha=0.3)
    return figure


def motion(curves: dict[str, Any]) -> Figure:
    """Jeffery's rotation, orbits of swimmers, and the rate in a field that turns: points on exact curves."""
    figure, (left, middle, right) = new(1, 3, figsize=(11, 3.8))
    for (ratio, (time, angle)), colour in zip(curves["turns"].items(), (PINK, GREEN, BLUE, ORANGE), strict=True):
        r, t = float(ratio), np.linspace(0, 2 * math.pi, 721)
        exact = np.unwrap(
            2 * np.arctan2(r * np.sin(t / 2), np.cos(t / 2)) if r == 1 else np.arctan2(r * np.sin(t), np.cos(t))
        )
        left.plot(t / (2 * math.pi), np.degrees(exact), color=colour, lw=1)
        share = np.array(time) / (2 * math.pi * (r + 1 / r))
        left.plot(share[::3], np.degrees(angle)[::3], "o", color=colour, ms=3, label=f"r = {ratio}")
    left.set(
        xlabel="time over the period", ylabel="angle (degrees)", xlim=(0, 1), ylim=(0, 360), yticks=range(0, 361, 90)
    )
    left.set_title("Jeffery's rotation in shear", fontsize=10)
    left.legend(frameon=False, fontsize=8)
    place, tilt = np.meshgrid(np.linspace(-1, 1, 201), np.linspace(-math.pi, math.pi, 201), indexing="ij")
    ratio = 10.0  # of the peak velocity and the swimming speed
    middle.contour(
        np.degrees(tilt), place, ratio / 2 * place**2 + 1 - np.cos(tilt), levels=12, colors="0.7", linewidths=0.8
    )
    for (x, angle), colour in zip(curves["orbits"], (BLUE, ORANGE, GREEN, PINK), strict=True):
        middle.plot(np.degrees(angle), x, "o", color=colour, ms=3)
    middle.set(xlabel="angle from upstream (degrees)", ylabel="place over R", xticks=range(-180, 181, 90), ylim=(-1, 1))
    middle.set_title("Swimmers keep Zöttl and Stark's H (lines)", fontsize=10)
    x = np.linspace(0, 3.2, 400)
    right.plot(x, np.where(x <= 1, x, x - np.sqrt(np.maximum(x**2 - 1, 0))), color=BLUE, label="closed form")
    right.plot(curves["rates"]["rates"], curves["rates"]["found"], "o", color=ORANGE, ms=5, label="simulated")
    right.set(xlabel="rate of the field / step-out rate", ylabel="mean rate of the robot / step-out rate")
    right.set_title("Step-out", fontsize=10)
    right.legend(frameon=False)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    return figure


def robots(curves: dict[str, dict[str, Any]]) -> Figure:
    """Ensembles: displacement and memory of swimmers, spreading and places in a tube, exits, capture along a tube."""
    figure, axes = new(2, 3, figsize=(11, 6.6))
    (top_left, top_middle, top_right), (left, middle, right) = axes
    free, tube, exits, absorbed = (curves[name] for name in ("free", "tube", "exits", "absorbed"))
    for axis, curve, begin in ((top_left, "squares", "swimmers'"), (top_middle, "memory", "<p(t)")):
        axis.plot(free["time"], free[curve], color=BLUE, label="closed form")
        points = [
            (float(what.split("after ")[1].split(" s")[0]), *found)
            for what, found in free["seen"].items()
            if what.startswith(begin)
        ]
        time, value, low, high = np.array(points).T
        axis.errorbar(
            time, value, [value - low, high - value], fmt="o", color=ORANGE, ms=4, capsize=3, label="simulated"
        )
        axis.set_xlabel("time (s)")
        axis.legend(frameon=False, fontsize=8)
    top_left.set_ylabel("mean square displacement (µm²)")
    top_left.set_title("Swimmers in free space, 5 µm/s", fontsize=10)
    top_middle.set_ylabel("⟨p(t) · p(0)⟩")
    top_middle.set_title("Memory of direction", fontsize=10)
    time, variance = np.array(tube["time"]), np.array(tube["variance"])
    top_right.plot(time, variance, "o", color=ORANGE, ms=4, label="simulated")
    line = variance[3] + 2 * tube["slope"] * (time - time[3])
    top_right.plot(time[1:], line[1:], color=BLUE, label="slope of Taylor and Aris, with walls")
    top_right.set(xlabel="time (s)", ylabel="variance along the tube (µm²)")
    top_right.set_title("Spreading along a tube", fontsize=10)
    top_right.legend(frameon=False, fontsize=8)
    counts = np.array(tube["q"]) / np.mean(tube["q"])
    left.stairs(counts, np.linspace(0, 1, len(counts) + 1), color=ORANGE, fill=True, alpha=0.5, label="simulated")
    left.axhline(1, color=BLUE, label="uniform")
    left.set(xlabel="$r^2 / (R - a)^2$", ylabel="density", ylim=(0, 1.4))
    left.set_title("Places in a tube whose walls slow", fontsize=10)
    left.legend(frameon=False, fontsize=8)
    middle.plot(exits["time"], exits["law"], color=BLUE, label="closed form")
    middle.plot(exits["quantiles"][5::5], np.linspace(0, 1, 101)[5::5], "o", color=ORANGE, ms=3, label="simulated")
    middle.set(xlabel="time (s)", ylabel="share that has left", xlim=(0, exits["time"][-1]))
    middle.set_title("Exit from a disc of 10 µm", fontsize=10)
    middle.legend(frameon=False, fontsize=8)
    right.plot(absorbed["place"], absorbed["law"], color=BLUE, label="Graetz, for a robot of this size")
    place, share = absorbed["seen"]
    right.plot(absorbed["m"] * np.array(place), share, "o", color=ORANGE, ms=3, label="simulated")
    right.set(xlabel="$D x / U R^2$", ylabel="share that gets so far", ylim=(0.5, 1.02))
    right.set_title("A tube whose wall captures", fontsize=10)
    right.legend(frameon=False, fontsize=8)
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    return figure


def intervals(rows: Sequence[Row]) -> Figure:
    """Where the exact value lies in each interval, and how far half the time step moves the figure."""
    figure, axis = new(1, 1, figsize=(9, 0.27 * len(rows) + 1.3))
    y = np.arange(len(rows))[::-1]
    exact = [(row.exact - row.measured) / row.reach for row in rows]
    halved = [(math.nan if row.halved is None else (row.halved - row.measured) / row.reach) for row in rows]
    low = [(row.ends[0] - row.measured) / row.reach for row in rows]
    high = [(row.ends[1] - row.measured) / row.reach for row in rows]
    axis.hlines(y, low, high, color=SKY, lw=5, alpha=0.6, label="interval")
    axis.plot(exact, y, "D", color=BLUE, ms=4, label="exact")
    axis.plot(halved, y, "o", mfc="none", color=ORANGE, ms=6, label="measured with dt/2")
    axis.axvline(0, color="black", lw=0.8)
    axis.set_yticks(y, [row.what for row in rows], fontsize=7)
    axis.set(xlabel="difference from what was measured, in reaches of the interval", xlim=(-1.15, 1.15))
    axis.set_title("All intervals hold together with probability 1 - 1e-6", fontsize=10)
    axis.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.3, -0.06), ncols=3)
    axis.grid(alpha=0.3, axis="x")
    return figure
