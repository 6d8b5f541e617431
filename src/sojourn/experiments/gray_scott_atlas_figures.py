"""The pictures of `sojourn run gray-scott-atlas`: every pattern at its place in the (k, F) plane, and its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.experiments.figures import AMBER, BLUE, GREEN, ORANGE, PINK, SKY, YELLOW, new
from sojourn.experiments.gray_scott_sweep import BRIGHTEST
from sojourn.learning.morphology import CLASSES
from sojourn.processes.gray_scott.presets import MUNAFO, THE_WELL
from sojourn.processes.gray_scott.uniform import hopf, saddle_node

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESTLESS = 1e-3  # relative rate per time unit above which a lasting pattern is marked

_SHOWN = 0.45  # the v of the brightest colour
_GREEK = {"lambda": "lamda"}  # as Unicode spells it
_COLOURS = dict(
    zip(CLASSES, ("#F4EFEA", "#C3CCD6", BLUE, SKY, GREEN, AMBER, YELLOW, PINK, ORANGE), strict=True)
)  # pale for uniform states


def atlas(plane: np.ndarray) -> Figure:
    """Every point's last v as a tile at its place, under the curves where blue begins and where it starts to swing."""
    from matplotlib.patheffects import withStroke

    figure, axis = new(1, 1, figsize=(10.4, 9.6))
    tiles = plane["thumbnail"][::-1].transpose(0, 2, 1, 3)
    picture = tiles.reshape(tiles.shape[0] * tiles.shape[1], -1) * (BRIGHTEST / 255)
    image = axis.imshow(picture, cmap="magma", vmin=0, vmax=_SHOWN, extent=_extent(plane), aspect="auto")
    figure.colorbar(image, ax=axis, label="v", shrink=0.5, pad=0.015, extend="max")
    outline = [withStroke(linewidth=2.2, foreground="black")]
    _curves(axis, "white", path_effects=outline)
    for name, (feed, kill) in MUNAFO.items():
        _write(axis, name, feed, kill, color="white", path_effects=[withStroke(linewidth=3, foreground="black")])
    _frame(axis, plane, "The patterns of Gray and Scott's reaction: v at each feed rate F and kill rate k")
    legend = axis.legend(loc="lower right", fontsize=9, facecolor="black", labelcolor="white", framealpha=0.7)
    legend.get_frame().set_edgecolor("0.5")
    return figure


def class_map(plane: np.ndarray, classes: np.ndarray) -> Figure:
    """The measured class of every point; dots where a lasting pattern still trembles; letters at the named points."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    figure, axis = new(1, 1, figsize=(10.4, 8.0))
    number = {name: k for k, name in enumerate(CLASSES)}
    codes = np.vectorize(number.get)(classes)
    axis.imshow(
        codes[::-1],
        cmap=ListedColormap(list(_COLOURS.values())),
        vmin=-0.5,
        vmax=len(CLASSES) - 0.5,
        extent=_extent(plane),
        aspect="auto",
        interpolation="nearest",
    )
    _curves(axis, "0.15")
    lasting = (plane["rate"] > RESTLESS) & ~np.isin(classes, ["red", "blue", "waves", "chaotic spots"])
    axis.plot(plane["kill_rate"][lasting], plane["feed_rate"][lasting], "k.", ms=2.5)
    for name, (feed, kill) in MUNAFO.items():
        _write(axis, name, feed, kill, color="black")
    well = np.array(list(THE_WELL.values()))
    axis.plot(well[:, 1], well[:, 0], "+", color="black", ms=6)
    handles = [
        Patch(facecolor=_COLOURS[name], edgecolor="0.4", lw=0.5, label=f"{name} ({(classes == name).sum()})")
        for name in CLASSES
    ]
    handles += [
        *axis.get_legend_handles_labels()[0],
        _mark("k.", 4, "trembles: relative rate above 0.001"),
        _mark("k+", 6, "a pattern of The Well; letters: Munafo's"),
    ]
    figure.legend(handles=handles, loc="outside right center", fontsize=9, frameon=False)
    _frame(axis, plane, "The measured class at each feed rate F and kill rate k")
    return figure


def _curves(axis: Any, colour: str, **style: Any) -> None:
    kill, feed = np.linspace(1e-4, 1 / 16, 400), np.linspace(1e-4, 0.2, 800)
    begins = r"saddle-node: uniform $v>0$ exists to the left, $k=\sqrt{F}/2-F$"
    swings = r"Hopf: it oscillates below, $(F+k)^2=F\sqrt{k}$"
    axis.plot(saddle_node(feed), feed, color=colour, lw=1, label=begins, **style)
    axis.plot(kill, hopf(kill), color=colour, lw=1, ls="--", label=swings, **style)


def _frame(axis: Any, plane: np.ndarray, title: str) -> None:
    left, right, bottom, top = _extent(plane)
    axis.set(xlim=(left, right), ylim=(bottom, top), xlabel="kill rate k", ylabel="feed rate F", title=title)


def _extent(plane: np.ndarray) -> tuple[float, float, float, float]:
    """Left, right, bottom and top, half a step beyond the outermost points."""
    feed, kill = plane["feed_rate"][:, 0], plane["kill_rate"][0]
    df, dk = (feed[-1] - feed[0]) / (len(feed) - 1) / 2, (kill[-1] - kill[0]) / (len(kill) - 1) / 2
    return float(kill[0] - dk), float(kill[-1] + dk), float(feed[0] - df), float(feed[-1] + df)


def _write(axis: Any, name: str, feed: float, kill: float, **style: Any) -> None:
    """Munafo's letter at its point; the U-skate's left of pi, which is at the same place."""
    import unicodedata

    letter = "U" if name == "u-skate" else unicodedata.lookup(f"GREEK SMALL LETTER {_GREEK.get(name, name).upper()}")
    offset = (-12, 0) if name == "u-skate" else (0, 0)
    place = {"xytext": offset, "textcoords": "offset points", "ha": "center", "va": "center"}
    axis.annotate(letter, (kill, feed), **place, fontsize=13, weight="bold", **style)


def _mark(style: str, size: float, label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color="black", marker=style[1], ls="", ms=size, label=label)
