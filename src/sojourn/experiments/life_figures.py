"""The pictures of `sojourn run life`: learning curve, the 512 neighbourhoods, truth beside learned, and a film."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.experiments.figures import BLUE, ORANGE, new
from sojourn.learning.intervals import NEIGHBOURHOODS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def learning_curve(rows: list[dict[str, Any]], title: str) -> Figure:
    """Loss of the networks, and the share that is right on every neighbourhood seen, against training steps."""
    figure, (upper, lower) = new(2, 1, figsize=(6.8, 5.2), sharex=True)
    steps, last = [row["step"] for row in rows], rows[-1]["step"]
    low, high = [r["loss_best"] for r in rows], [r["loss_worst"] for r in rows]
    upper.fill_between(steps, low, high, color=BLUE, alpha=0.2, lw=0, label="best to worst")
    upper.plot(steps, [r["loss_median"] for r in rows], color=BLUE, label="median")
    upper.set(yscale="log", ylabel="class-balanced log loss", title=title)
    upper.legend(frameon=False, loc="lower left")
    lower.plot(steps, [100 * r["right"] for r in rows], color=ORANGE)
    lower.set(
        xlabel="training step",
        ylabel="networks right on all\nneighbourhoods seen (%)",
        ylim=(0, 104),
        xlim=(0, 1.02 * last),
    )
    for begin, end, what in (
        (0.0, 0.5, "noise and penalty fade"),
        (0.5, 0.8, "units sharpen"),
        (0.8, 1.0, "plain ReLU"),
    ):
        for axis in (upper, lower):
            axis.axvline(end * last, color="0.75", lw=0.8, zorder=0)
        lower.text((begin + end) / 2 * last, 96, what, ha="center", va="top", fontsize=9, color="0.35")
    return figure


def neighbourhoods(logits: np.ndarray, title: str) -> Figure:
    """Every 3x3 neighbourhood as a tile, by centre and number of live neighbours; hue is the network's answer."""
    from matplotlib.colors import to_rgb

    figure, axes = new(2, 1, figsize=(8.6, 5.4))
    strength = np.log1p(np.abs(logits)) / np.log1p(np.abs(logits).max())
    for centre, axis in enumerate(axes):
        pixels = np.ones((_ROWS * 4 + 1, 9 * _PITCH, 3))
        for count in range(9):
            members = [i for i in range(512) if NEIGHBOURHOODS[i, 4] == centre and _around(i) == count]
            for place, index in enumerate(sorted(members, key=lambda i: logits[i])):
                row, column = divmod(place, _COLUMNS)
                width = min(_COLUMNS, len(members)) * 4
                y, x = 1 + 4 * (_ROWS - 1 - row), count * _PITCH + (_PITCH - width) // 2 + 4 * column
                hue = np.array(to_rgb(BLUE if logits[index] > 0 else ORANGE))
                tint = 1.0 - (0.2 + 0.35 * strength[index]) * (1.0 - hue)
                cells = NEIGHBOURHOODS[index].reshape(3, 3, 1)
                pixels[y : y + 3, x : x + 3] = np.where(cells == 1, 0.6 * hue, tint)
        axis.imshow(pixels, interpolation="nearest", aspect="equal")
        axis.set_xticks([(k + 0.5) * _PITCH for k in range(9)], [str(k) for k in range(9)])
        axis.set_yticks([])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        axis.set_title(f"centre {'alive' if centre else 'dead'}", loc="left", fontsize=10)
    least = float(np.abs(logits).min())
    axes[1].set_xlabel(
        f"live neighbours (dark cells are alive; a stronger tint is a larger |logit|, the least is {least:.3g})"
    )
    figure.suptitle(title)
    figure.text(0.99, 0.93, "the network says ALIVE", ha="right", va="top", color=BLUE, weight="bold")
    figure.text(0.99, 0.89, "the network says DEAD", ha="right", va="top", color=ORANGE, weight="bold")
    return figure


def rollout(soup: np.ndarray, truth: np.ndarray, learned: np.ndarray, steps: int, window: int = 128) -> Figure:
    """A soup, the true and the learned board after `steps`, and where they differ; a window of them is drawn."""
    figure, axes = new(1, 4, figsize=(11.0, 3.1))
    differing = int((truth != learned).sum())
    boards = [
        (soup, "an unseen soup"),
        (truth, f"the true rule, {steps:,} steps on"),
        (learned, f"the learned network, {steps:,} steps on"),
        (truth ^ learned, f"they differ in {differing:,} of {truth.size:,} cells"),
    ]
    for axis, (board, title) in zip(axes, boards, strict=True):
        axis.imshow(board[:window, :window], cmap="Greys", vmin=0, vmax=1.15, interpolation="nearest")
        axis.set_title(title, fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    side = min(window, soup.shape[0])
    axes[0].set_xlabel(f"{side} x {side} cells of {soup.shape[0]} x {soup.shape[1]}", fontsize=8)
    return figure


def side_by_side(truth: Iterator[np.ndarray], learned: Iterator[np.ndarray], scale: int = 3) -> Iterator[np.ndarray]:
    """Film frames: the true board left, the learned one right, differing cells in orange, and a line that says so."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=16)
    for generation, (true, ours) in enumerate(zip(truth, learned, strict=True)):
        gap = np.full((true.shape[0], 8, 3), 200, np.uint8)
        left = np.repeat((255 - 220 * true)[..., None], 3, axis=2).astype(np.uint8)
        right = np.repeat((255 - 220 * ours)[..., None], 3, axis=2).astype(np.uint8)
        right[true != ours] = (213, 94, 0)
        boards = np.concatenate([left, gap, right], axis=1).repeat(scale, 0).repeat(scale, 1)
        head = Image.new("RGB", (boards.shape[1], 28), "white")
        draw = ImageDraw.Draw(head)
        draw.text((6, 4), f"the true rule, generation {generation}", "black", font=font)
        draw.text((boards.shape[1] // 2 + 18, 4), f"the learned network, step {generation}", "black", font=font)
        yield np.concatenate([np.asarray(head), boards], axis=0)


_COLUMNS, _ROWS = 5, 14  # tiles in a column of the picture of neighbourhoods: 70 = 8 over 4
_PITCH = 4 * _COLUMNS + 4


def _around(index: int) -> int:
    return int(NEIGHBOURHOODS[index].sum() - NEIGHBOURHOODS[index, 4])
