"""The pictures of `sojourn run blood-control`: the field in time, robots at the nodes, and where they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.control import Coil, Route, Schedule
from sojourn.experiments.figures import AMBER, BLUE, GREEN, ORANGE, PINK, new
from sojourn.processes.blood.network import VesselNetwork

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMES = {"none": "no field", "constant": "best constant", "feedback": "feedback", "optimised": "optimised"}
_COLOURS = {"none": "0.45", "constant": AMBER, "feedback": GREEN, "optimised": BLUE}


def field(schedule: Schedule, coil: Coil, seen: dict[str, Any]) -> Figure:
    """Components and size of the optimised field, the gradient's size, and when robots come to the nodes."""
    figure, (top, bottom) = new(2, 1, figsize=(7.2, 5.4), sharex=True, height_ratios=(2.4, 1))
    time = np.linspace(0, len(schedule) * schedule.interval, 100 * len(schedule) + 1)
    values = 1e3 * _ramped(schedule, schedule.field.numpy(), time)
    for k, (name, colour) in enumerate((("x, downstream", ORANGE), ("y, up", BLUE), ("z, out of the plane", PINK))):
        top.plot(1e3 * time, values[:, k], color=colour, lw=1.8, label=f"B along {name}")
    top.plot(1e3 * time, np.linalg.norm(values, axis=1), color="0.4", lw=1.0, ls="--", label="|B|")
    top.axhline(0, color="black", lw=0.6)
    limit = 1e3 * coil.field_limit
    top.set(
        ylabel="field (mT)", ylim=(-1.15 * limit, 1.6 * limit), title="The optimised field; bands hold half the robots"
    )
    for k, quartiles in enumerate(seen["times"]):
        low, middle, high = (1e3 * x for x in quartiles)
        for axis in (top, bottom):
            axis.axvspan(low, high, color="0.5" if k == 0 else GREEN, alpha=0.15, lw=0)
        top.text(middle, -1.1 * limit, f"at node {k + 1}", ha="center", va="bottom", fontsize=9)
    top.legend(frameon=False, fontsize=9, ncols=2, loc="upper right")
    gradients = _ramped(schedule, schedule.gradient.numpy(), time)
    bottom.plot(1e3 * time, np.linalg.norm(gradients, 2, axis=(1, 2)), color=ORANGE, lw=1.6)
    bottom.set(xlabel="time (ms)", ylabel="|G| (T/m)", ylim=(0, 1.1 * coil.gradient_limit))
    return figure


def _ramped(schedule: Schedule, values: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Field or gradient, (n, ...), at these times, (m, ...), on the ramps from one to the next."""
    k = np.minimum((time / schedule.interval).astype(int), len(values) - 1)
    before, ramp = np.concatenate([0 * values[:1], values[:-1]]), schedule.ramp.numpy()
    share = np.clip((time - k * schedule.interval) / np.maximum(ramp[k], 1e-30), 0, 1)
    return before[k] + share.reshape(-1, *[1] * (values.ndim - 1)) * (values[k] - before[k])


def gates(seen: dict[str, Any], route: Route) -> Figure:
    """The density of robots over the place in the flow, as they come to each node; 1 is that of the blood."""
    figure, axes = new(1, len(route.gates), figsize=(5.0 * len(route.gates), 4.2), squeeze=False)
    for k, (axis, gate) in enumerate(zip(axes[0], route.gates, strict=True)):
        axis.axvspan(gate.low, gate.high, color=GREEN, alpha=0.12, lw=0)
        for name, label in _NAMES.items():
            counts = np.array(seen[name]["gates"][k], dtype=float)
            edges = np.linspace(0, 1, len(counts) + 1)
            density = counts * len(counts) / max(counts.sum(), 1)
            came = f"{label} ({100 * counts.sum() / seen[name]['robots']:.0f}% came)"
            axis.stairs(density, edges, baseline=None, color=_COLOURS[name], lw=1.8, label=came)
        axis.set(
            xlabel="place across, as the share of the flow on one side",
            ylabel="density of robots over that of the flow" if k == 0 else "",
            title=f"Node {k + 1}; green goes on to the target",
            xlim=(0, 1),
            ylim=(0, None),
        )
        axis.legend(frameon=False, fontsize=9)
    return figure


def places(seen: dict[str, Any], network: VesselNetwork, way: tuple[int, ...]) -> Figure:
    """How long robots were where, seen from above: without a field, and under the optimised one."""
    from matplotlib.colors import LogNorm

    names = ("none", "optimised")
    figure, axes = new(1, len(names), figsize=(10.0, 3.9), sharey=True)
    most = max(np.max(seen[name]["places"]) for name in names)
    nodes = 1e6 * network.nodes.detach().numpy()
    ends = nodes[network.vessels[way[-1]].numpy()]
    target = ends[ends[:, 0].argmax(), :2] + [8, 0]
    for axis, name in zip(axes, names, strict=True):
        box = 1e6 * np.array(seen[name]["box"])
        counts = np.ma.masked_less(np.array(seen[name]["places"]).T, 1)
        axis.imshow(counts, origin="lower", extent=box.ravel(), norm=LogNorm(1, most), cmap="viridis", aspect="equal")
        axis.text(*target, "target", color=ORANGE, va="center")
        axis.set(xlabel="x (um)", title=_NAMES[name], xlim=(box[0, 0], box[0, 1] + 60))
    axes[0].set(ylabel="y (um)")
    figure.colorbar(axes[0].images[0], ax=axes, label="robots seen in a cell", shrink=0.8)
    return figure
