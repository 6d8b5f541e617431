"""A film of robots in a drawn network, one panel for each way of guiding them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.experiments.blood_figures import draw_network, limits
from sojourn.experiments.figures import BLUE, ORANGE, new
from sojourn.processes.blood.robots import BOUND, CAPTURED, MOVING

if TYPE_CHECKING:
    from sojourn.processes.blood.robots import BloodRobots
    from sojourn.trajectory import Trajectory

_DPI = 100
_DOT = 0.55  # how much of a pixel one robot covers
_SIDE = 3  # pixels
_COLOURS = {MOVING: BLUE, BOUND: "#000000", CAPTURED: ORANGE}
_WORDS = {MOVING: "on the way", BOUND: "bound to a wall", CAPTURED: "captured"}


def film(arms: Sequence[tuple[str, BloodRobots, Trajectory]]) -> Iterator[np.ndarray]:
    """Frames (height, width, 3), uint8, of runs with equal saved times: robots on their way, bound and captured."""
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
        2, len(arms), figsize=(wide * len(arms), wide * ratio + 1.1), dpi=_DPI, height_ratios=[wide * ratio, 0.35]
    )
    axes = np.asarray(axes).reshape(2, len(arms))
    for (title, process, _), axis in zip(arms, axes[0], strict=True):
        draw_network(axis, process.flow.network)
        axis.set_title(title, fontsize=13)
    for axis in axes[1, 1:]:
        axis.remove()
    times = arms[0][2].dataset["time"].to_numpy()
    clock = axes[1, 0]
    clock.set(xlim=(0, float(times[-1])), ylim=(0, 1), yticks=[], xlabel="time, s")
    clock.spines[["top", "left", "right"]].set_visible(False)
    for kind, colour in _COLOURS.items():
        clock.plot([], [], "s", color=colour, markersize=5, label=_WORDS[kind])
    figure.legend(loc="lower right", ncols=len(_WORDS), frameon=False, bbox_to_anchor=(0.98, 0.02))
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
