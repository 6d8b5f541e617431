"""Pictures of blood in a network and of what robots delivered there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.experiments.figures import AMBER, BLUE, GREEN, ORANGE, PINK, SKY, new
from sojourn.processes.blood.network import VesselNetwork

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sojourn.delivery import Delivery
    from sojourn.processes.blood.solver import Flow

KINDS = {"arteriole": "#c9a39a", "venule": "#bcd3b6", "capillary": "#d0d0d0", "tumour": "#e6c36a"}
"""Colours under the robots; kinds that are not here are grey."""
_ARMS = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY)
_PADDING = 0.03


def limits(network: VesselNetwork) -> tuple[np.ndarray, np.ndarray]:
    """The corners of a picture of the network in its xy-plane, mm."""
    places = network.nodes.detach().numpy()[:, :2] * 1e3
    low, high = places.min(0), places.max(0)
    room = _PADDING * (high - low).max()
    return low - room, high + room


def draw_network(axis: Any, network: VesselNetwork, colours: Any = None) -> Any:
    """Draws all vessels, as wide as they are, in mm; in the colours of their kinds, or in those given, (V,) of text."""
    from matplotlib.collections import PolyCollection

    ends = network.nodes.detach().numpy()[network.vessels.numpy()][:, :, :2] * 1e3
    side = network.diameter.detach().numpy()[:, None] / 2 * 1e3
    along = ends[:, 1] - ends[:, 0]
    normal = np.stack([-along[:, 1], along[:, 0]], 1)
    normal *= side / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    corners = np.stack([ends[:, 0] + normal, ends[:, 1] + normal, ends[:, 1] - normal, ends[:, 0] - normal], 1)
    if colours is None:
        colours = [KINDS.get(kind, "#c8c8c8") for kind in network.kinds]
    vessels = PolyCollection(list(corners), facecolors=colours, edgecolors=colours, linewidths=0.6)
    axis.add_collection(vessels)
    low, high = limits(network)
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal", xlabel="x, mm", ylabel="y, mm")
    return vessels


def blood(flow: Flow) -> Figure:
    """Where the vessels are and of which kind, how fast the blood flows in them, and its hematocrit."""
    from matplotlib import cm, colormaps, colors

    network = flow.network
    low, high = limits(network)
    height = 4.2 * float((high - low)[1] / (high - low)[0]) + 1.0
    figure, axes = new(1, 3, figsize=(15, height))
    draw_network(axes[0], network)
    for kind in dict.fromkeys(network.kinds):
        axes[0].plot([], [], color=KINDS.get(kind, "#c8c8c8"), linewidth=5, label=kind)
    axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, frameon=False)
    axes[0].set_title("Vessels")
    speed = np.maximum(flow.mean_velocity.detach().abs().numpy() * 1e3, 1e-6)
    least, most = np.quantile(speed, [0.02, 0.999])
    scale = colors.LogNorm(max(least, 1e-3 * most), most)
    shown = [
        ("Mean velocity, mm/s", "viridis", scale, speed),
        ("Discharge hematocrit", "cividis", colors.Normalize(0, None), flow.hematocrit.detach().numpy()),
    ]
    for axis, (title, name, norm, values) in zip(axes[1:], shown, strict=True):
        norm.autoscale_None(values)
        colours = colormaps[name]
        draw_network(axis, network, colours(norm(values)))
        figure.colorbar(
            cm.ScalarMappable(norm, colours),
            ax=axis,
            location="bottom",
            shrink=0.8,
            pad=0.02,
        )
        axis.set_title(title)
    return figure


def dose(arms: dict[str, Delivery]) -> Figure:
    """The share of robots captured in the target over time, with its band."""
    figure, axis = new(1, 1, figsize=(6.4, 4.2))
    for (name, found), colour in zip(arms.items(), _ARMS, strict=False):
        curve = found.arrival
        time = curve["time"].to_numpy()
        axis.plot(time, 100 * curve["share"], color=colour, label=name)
        axis.fill_between(time, 100 * curve["low"], 100 * curve["high"], color=colour, alpha=0.2, linewidth=0)
    confidence = next(iter(arms.values())).confidence
    axis.set(
        xlabel="time since the injection, s",
        ylabel="captured in the target, % of the robots",
        title=f"Dose at the target ({confidence:.0%} bands)",
        ylim=(0, None),
    )
    axis.legend(frameon=False)
    return figure


def held(arms: dict[str, Delivery]) -> Figure:
    """Where robots ended: shares bound and captured by kind of vessel, and lost, with intervals."""
    figure, axis = new(1, 1, figsize=(7.2, 4.4))
    width = 0.8 / len(arms)
    for k, ((name, found), colour) in enumerate(zip(arms.items(), _ARMS, strict=False)):
        rows = {f"captured,\n{kind}": part.captured for kind, part in found.by_kind.items() if part.captured.value > 0}
        rows |= {f"bound,\n{kind}": part.bound for kind, part in found.by_kind.items()}
        rows |= {"left by\noutlets": found.shares["left"], "on the\nway": found.shares["on the way"]}
        values = np.array([[e.value, e.value - e.low, e.high - e.value] for e in rows.values()]).T * 100
        place = np.arange(len(rows)) + (k - (len(arms) - 1) / 2) * width
        axis.bar(place, values[0], width * 0.92, color=colour, label=name)
        axis.errorbar(place, values[0], values[1:], fmt="none", ecolor="black", capsize=2, linewidth=1)
        axis.set_xticks(np.arange(len(rows)), list(rows))
    axis.set(ylabel="% of the robots", title="Where the robots were at the end")
    axis.legend(frameon=False)
    return figure
