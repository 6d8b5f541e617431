"""Pictures of blood in a network and of what robots delivered there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.experiments.figures import AMBER, BLUE, GREEN, ORANGE, PINK, SKY, new
from sojourn.processes.blood.network import VesselNetwork

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sojourn.delivery import Delivery
    from sojourn.processes.blood.robots import BloodRobots
    from sojourn.processes.blood.solver import Flow

KINDS = {"arteriole": "#c1440e", "venule": BLUE, "capillary": "#8a8a8a", "tumour": AMBER}
"""Colours of vessels, told apart in every kind of colour vision and on a grey print; other kinds are grey."""
TINTS = {"arteriole": "#efb9a0", "venule": "#b3cde3", "capillary": "#d9d9d9", "tumour": "#f6dd9c"}
"""The same, pale, to lie under robots."""
_ARMS = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY)
_LINES, _HATCHES = ("-", "--", "-.", ":"), ("", "////", "....", "xxxx")  # for a print without colours
_PADDING = 0.03


def limits(network: VesselNetwork) -> tuple[np.ndarray, np.ndarray]:
    """The corners of a picture of the network in its xy-plane, mm."""
    places = network.nodes.detach().numpy()[:, :2] * 1e3
    low, high = places.min(0), places.max(0)
    room = _PADDING * (high - low).max()
    return low - room, high + room


def draw_network(axis: Any, network: VesselNetwork, colours: Any) -> None:
    """Draws all vessels, as wide as they are, in mm; in colours given for kinds, or for the vessels, (V,)."""
    from matplotlib.collections import PolyCollection

    ends = network.nodes.detach().numpy()[network.vessels.numpy()][:, :, :2] * 1e3
    side = network.diameter.detach().numpy()[:, None] / 2 * 1e3
    along = ends[:, 1] - ends[:, 0]
    normal = np.stack([-along[:, 1], along[:, 0]], 1)
    normal *= side / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    corners = np.stack([ends[:, 0] + normal, ends[:, 1] + normal, ends[:, 1] - normal, ends[:, 0] - normal], 1)
    if isinstance(colours, dict):
        colours = [colours.get(kind, colours["capillary"]) for kind in network.kinds]
    axis.add_collection(PolyCollection(list(corners), facecolors=colours, edgecolors=colours, linewidths=0.6))
    low, high = limits(network)
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal", xlabel="x, mm", ylabel="y, mm")


def target_circle(robots: BloodRobots) -> tuple[np.ndarray, float] | None:
    """Middle, (2,), and radius, mm, of a circle round the vessels that capture; None where none does."""
    network, contact = robots.flow.network, robots.contact
    which = np.zeros(len(network.kinds), bool) if contact is None else contact.is_target(network).numpy()
    if not which.any():
        return None
    places = network.nodes.detach().numpy()[network.vessels.numpy()[which]].reshape(-1, 3)[:, :2] * 1e3
    middle = (places.min(0) + places.max(0)) / 2
    return middle, 1.04 * float(np.linalg.norm(places - middle, axis=1).max())


def kinds_of(network: VesselNetwork) -> list[str]:
    """Its kinds, those with a colour first."""
    return sorted(dict.fromkeys(network.kinds), key=lambda kind: [*KINDS, kind].index(kind))


def blood(flow: Flow) -> Figure:
    """Where the vessels are and of which kind, how fast the blood flows in them, and its hematocrit."""
    from matplotlib import cm, colormaps, colors

    network = flow.network
    low, high = limits(network)
    figure, axes = new(1, 3, figsize=(14, 4.3 * float((high - low)[1] / (high - low)[0]) + 1.4))
    draw_network(axes[0], network, KINDS)
    for kind in kinds_of(network):
        axes[0].plot([], [], color=KINDS.get(kind, KINDS["capillary"]), linewidth=5, label=kind)
    axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=4, frameon=False, handlelength=1.2)
    axes[0].set_title("Vessels, and where blood enters and leaves")
    _mark_ends(axes[0], flow)
    speed = np.maximum(flow.mean_velocity.detach().abs().numpy() * 1e3, 1e-6)
    least, most = np.quantile(speed, [0.02, 0.999])
    scale = colors.LogNorm(max(least, 1e-3 * most), most)
    shown = [
        ("Mean speed of the blood, mm/s", "viridis", scale, speed),
        ("Hematocrit (of the discharge)", "cividis", colors.Normalize(0, None), flow.hematocrit.detach().numpy()),
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
            extend="both" if name == "viridis" else "neither",
        )
        axis.set_title(title)
    for axis in axes:
        axis.set_anchor("N")
    return figure


def dose(arms: dict[str, Delivery]) -> Figure:
    """The share of robots captured in the target over time, with its band."""
    figure, axis = new(1, 1, figsize=(6.4, 4.2))
    for (name, found), colour, line in zip(arms.items(), _ARMS, _LINES, strict=False):
        curve = found.arrival
        time, share, low, high = (np.append(0.0, curve[x]) for x in ("time", "share", "low", "high"))
        axis.plot(time, 100 * share, line, color=colour, label=name)
        axis.fill_between(time, 100 * low, 100 * high, color=colour, alpha=0.2, linewidth=0)
    curve = next(iter(arms.values())).arrival
    axis.set(
        xlabel="time since the injection, s",
        ylabel="captured in the target, % of the robots",
        title=f"Robots at the target; {curve.attrs['confidence']:.0%} bands, for all times together",
        ylim=(0, None),
    )
    axis.legend(frameon=False)
    return figure


def held(arms: dict[str, Delivery]) -> Figure:
    """What had become of the robots, with the intervals of `Delivery.shares`."""
    figure, axis = new(1, 1, figsize=(6.4, 4.2))
    width = 0.8 / len(arms)
    names = {"captured": "captured\nin the target", "left": "left by\nan outlet", "on the way": "on the way"}
    names["bound"] = "bound\nto walls"
    for k, ((label, found), colour, hatch) in enumerate(zip(arms.items(), _ARMS, _HATCHES, strict=False)):
        shares = [found.shares[name] for name in names]
        value, low, high = 100 * np.array([[e.value, e.low, e.high] for e in shares]).T
        place = np.arange(len(names)) + (k - (len(arms) - 1) / 2) * width
        axis.bar(place, value, width * 0.92, color=colour, label=label, hatch=hatch, edgecolor="white", linewidth=0)
        axis.errorbar(place, value, [value - low, high - value], fmt="none", ecolor="black", capsize=3, linewidth=1)
        for x, number, top in zip(place, value, high, strict=True):
            axis.annotate(f"{number:.3g}", (x, top), (0, 3), textcoords="offset points", ha="center", fontsize=9)
    found = next(iter(arms.values()))
    axis.set_xticks(np.arange(len(names)), list(names.values()))
    together = f"{found.confidence:.0%} intervals, all of a run together"
    axis.set(ylabel="% of the robots", title=f"{found.time:.3g} s after the injection; {together}")
    axis.margins(y=0.1)
    axis.legend(frameon=False)
    return figure


def _mark_ends(axis: Any, flow: Flow) -> None:
    """ "in" and "out" beside the ends of a network."""
    network = flow.network
    ends, along = network.vessels.numpy(), (flow.flow.detach() >= 0).numpy()
    degree, places = network.degree.numpy(), network.nodes.detach().numpy()[:, :2] * 1e3
    middle = places.mean(0)
    for (a, b), forwards in zip(ends, along, strict=True):
        for node, enters in ((a, forwards), (b, not forwards)):
            if degree[node] == 1:
                right = places[node, 0] > middle[0]
                text, side = "in" if enters else "out", "right" if right else "left"
                axis.annotate(text, places[node], (0, 5), textcoords="offset points", ha=side, fontsize=9)
