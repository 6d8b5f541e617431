"""A film of robots in a drawn network, one panel for each way of guiding them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sojourn.experiments.blood_figures import TINTS, draw_network, kinds_of, limits, target_circle
from sojourn.experiments.figures import BLUE, ORANGE, new
from sojourn.processes.blood.robots import BOUND, CAPTURED, MOVING
from sojourn.processes.blood.units import show

if TYPE_CHECKING:
    from sojourn.processes.blood.network import VesselNetwork
    from sojourn.processes.blood.robots import BloodRobots
    from sojourn.trajectory import Trajectory

_DPI = 100
_DOT = 0.55  # how much of a pixel one robot covers
_SIDE = 3  # pixels
_ARROWS = 6  # of the field, along each side
_COLOURS = {MOVING: BLUE, BOUND: "#000000", CAPTURED: ORANGE}
_WORDS = {MOVING: "on the way", BOUND: "bound to a wall", CAPTURED: "captured"}


def film(arms: Sequence[tuple[str, BloodRobots, Trajectory]]) -> Iterator[np.ndarray]:
    """Frames (height, width, 3), uint8, of runs with equal saved times: robots on their way, bound and captured.

    Kinds of vessels are tinted, a dashed circle goes round the target, and arrows show the steady part of the field.
    """
    panels, backdrop, bar = _backdrop(arms)
    frames = len(arms[0][2])
    for frame in range(frames):
        picture = backdrop.astype(np.float32)
        for (_, process, path), panel in zip(arms, panels, strict=True):
            state = path.state(frame)
            places, status = process.places(state).numpy(), state["status"].numpy()
            for kind, colour in _COLOURS.items():
                _dots(picture, panel(places[status == kind]), colour)
        top, left, bottom, right = bar
        done = left + round((right - left) * frame / max(1, frames - 1))
        picture[top:bottom, left:done] = _rgb(BLUE)
        yield picture.round().astype(np.uint8)


def _backdrop(arms: Sequence[tuple[str, BloodRobots, Trajectory]]) -> tuple[list[Any], np.ndarray, tuple[int, ...]]:
    """Where places lie in each panel, in pixels; the networks; and the bar of time, (top, left, bottom, right)."""
    network = arms[0][1].flow.network
    low, high = limits(network)
    ratio = float((high - low)[1] / (high - low)[0])
    wide = 6.4
    figure, axes = new(
        2, len(arms), figsize=(wide * len(arms), wide * ratio + 1.5), dpi=_DPI, height_ratios=[wide * ratio, 0.35]
    )
    axes = np.asarray(axes).reshape(2, len(arms))
    for (title, process, _), axis in zip(arms, axes[0], strict=True):
        draw_network(axis, process.flow.network, TINTS)
        axis.set_title(title + _draw_field(axis, process), fontsize=13)
        if circle := target_circle(process):
            angle = np.linspace(0, 2 * np.pi, 200)
            around = circle[0] + circle[1] * np.stack([np.cos(angle), np.sin(angle)], 1)
            axis.plot(*around.T, linestyle=(0, (6, 4)), color="black", linewidth=1.2)
    for axis in axes[1, 1:]:
        axis.remove()
    times = arms[0][2].dataset["time"].to_numpy()
    clock = axes[1, 0]
    clock.set(xlim=(0, float(times[-1])), ylim=(0, 1), yticks=[], xlabel="time, s")
    clock.spines[["top", "left", "right"]].set_visible(False)
    figure.legend(handles=_handles(network), loc="outside lower center", ncols=4, frameon=False)
    canvas: Any = figure.canvas
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    height, width = (n - n % 2 for n in pixels.shape[:2])

    def panel(axis: Any) -> Any:
        def at(places: np.ndarray) -> np.ndarray:
            found = axis.transData.transform(places[:, :2] * 1e3)
            return np.stack([pixels.shape[0] - found[:, 1], found[:, 0]], 1).astype(int)

        return at

    (left, below), (right, above) = clock.transData.transform([(0, 0), (times[-1], 1)])
    bar = tuple(round(v) for v in (pixels.shape[0] - above, left, pixels.shape[0] - below, right))
    import matplotlib.pyplot as plt

    found = [panel(axis) for axis in axes[0]], pixels[:height, :width].copy(), bar
    plt.close(figure)
    return found


def _draw_field(axis: Any, process: BloodRobots) -> str:
    """Arrows of the steady field in the plane, where there is one, as long as it is strong; and what to say of it."""
    low, high = limits(process.flow.network)
    x, y = np.meshgrid(*(np.linspace(a, b, _ARROWS + 2)[1:-1] for a, b in zip(low, high, strict=True)))
    places = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1) * 1e-3
    field = process.field
    steady = (field.steady + torch.from_numpy(places) @ field.jacobian.mT).detach().numpy()[:, :2]
    strongest = float(np.linalg.norm(steady, axis=1).max())
    if not strongest:
        return ""
    length = float((high - low).min()) / (_ARROWS + 1) / strongest  # the longest arrow goes to the next one's place
    style = {"angles": "xy", "scale_units": "xy", "pivot": "mid", "width": 0.004, "color": "#5e3c99", "zorder": 3}
    axis.quiver(*places.T[:2] * 1e3, *steady.T, scale=1 / length, **style)
    return f"; arrows: the field, up to {show(float(f'{strongest:.2g}'), 'T')}"


def _handles(network: VesselNetwork) -> list[Any]:
    """What the legend explains: robots, kinds of vessels, the circle."""
    from matplotlib.lines import Line2D

    robots = [Line2D([], [], color=c, marker="s", linestyle="", label=_WORDS[kind]) for kind, c in _COLOURS.items()]
    kinds = kinds_of(network)
    tints = [Line2D([], [], color=TINTS.get(kind, TINTS["capillary"]), linewidth=6, label=kind) for kind in kinds]
    target = Line2D([], [], color="black", linestyle=(0, (6, 4)), linewidth=1.2, label="round the target")
    return [*robots, target, *tints]


def _dots(picture: np.ndarray, places: np.ndarray, colour: str) -> None:
    """Blends robots of 3 x 3 pixels into the picture; many of them in one place cover more."""
    height, width = picture.shape[:2]
    counts = np.zeros((height, width), np.int32)
    for down, right in product(range(_SIDE), repeat=2):
        y, x = places[:, 0] + down - 1, places[:, 1] + right - 1
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        np.add.at(counts, (y[inside], x[inside]), 1)
    there = counts > 0
    cover = (1 - (1 - _DOT) ** counts[there])[:, None]
    picture[there] = (1 - cover) * picture[there] + cover * _rgb(colour)


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], np.float32)
