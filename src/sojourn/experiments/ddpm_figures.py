"""Pictures and films of diffusion models: chains, losses, the bound step by step, neighbours, densities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.experiments.figures import AMBER, BLUE, GREEN, ORANGE, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[np.ndarray], np.ndarray]
"""Images (n, channels, height, width) as RGB bytes (n, height, width, 3)."""


def grey(x: np.ndarray) -> np.ndarray:
    """Images in [-1, 1] of one channel or three as RGB bytes; 1 is white."""
    levels = np.rint(127.5 * (np.clip(x, -1, 1) + 1)).astype(np.uint8).transpose(0, 2, 3, 1)
    return np.repeat(levels, 3, axis=-1) if levels.shape[-1] == 1 else levels


def tiled(pictures: np.ndarray, columns: int, *, scale: int = 1, gap: int = 1) -> np.ndarray:
    """Pictures (n, height, width, 3) as one, row by row, with white lines between them."""
    pictures = pictures.repeat(scale, 1).repeat(scale, 2)
    n, height, width, _ = pictures.shape
    rows = -(-n // columns)
    whole = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for k, picture in enumerate(pictures):
        top, left = k // columns * (height + gap) + gap, k % columns * (width + gap) + gap
        whole[top : top + height, left : left + width] = picture
    return whole


def image_grid(x: np.ndarray, title: str, draw: Draw = grey, *, columns: int = 10) -> Figure:
    """Images (n, channels, height, width), row by row."""
    rows = -(-len(x) // columns)
    figure, axis = new(1, 1, figsize=(0.55 * columns, 0.55 * rows + 0.4))
    axis.imshow(tiled(draw(x), columns, gap=2), interpolation="nearest")
    axis.set_title(title, fontsize=9)
    axis.axis("off")
    return figure


def image_chain(frames: np.ndarray, times: np.ndarray, title: str, draw: Draw = grey, *, rows: int = 6) -> Figure:
    """Reverse chains (members, time, channels, height, width), a row each, from noise at the left to data."""
    chosen = np.unique(np.rint(np.linspace(0, frames.shape[1] - 1, 9)).astype(int))
    figure, axes = new(1, len(chosen), figsize=(0.85 * len(chosen), 0.83 * rows + 0.7))
    figure.get_layout_engine().set(w_pad=0.02, wspace=0.0)  # type: ignore[union-attr]
    for axis, k in zip(axes, chosen, strict=True):
        axis.imshow(tiled(draw(frames[:rows, k]), 1), interpolation="nearest")
        axis.set_title(f"t = {times[k]:.0f}", fontsize=9)
        axis.axis("off")
    figure.suptitle(title, fontsize=10)
    return figure


def image_film(frames: np.ndarray, times: np.ndarray, draw: Draw = grey, *, columns: int, scale: int) -> Iterator:
    """Frames of reverse chains (members, time, channels, height, width), tiled, under a line with the time."""
    for k in [*range(frames.shape[1]), *[frames.shape[1] - 1] * 20]:
        yield under_a_line(tiled(draw(frames[:, k]), columns, scale=scale, gap=2), f"reverse chain, t = {times[k]:.0f}")


def point_chain(frames: np.ndarray, times: np.ndarray, data: np.ndarray, title: str) -> Figure:
    """Reverse chains of points (members, time, 2) at six times, and data at the right."""
    chosen = np.unique(np.rint((frames.shape[1] - 1) * np.array([0, 0.4, 0.6, 0.8, 0.9, 1])).astype(int))
    figure, axes = new(1, len(chosen) + 1, figsize=(1.75 * (len(chosen) + 1), 2.5), sharex=True, sharey=True)
    for axis, k in zip(axes, chosen, strict=False):
        axis.scatter(*frames[:, k].T, s=1.5, color=BLUE, lw=0, rasterized=True)
        axis.set_title(f"t = {times[k]:.0f}", fontsize=9)
    axes[-1].scatter(*data[: len(frames)].T, s=1.5, color=ORANGE, lw=0, rasterized=True)
    axes[-1].set_title("data", fontsize=9)
    for axis in axes:
        axis.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal")
        axis.tick_params(labelsize=7)
    figure.suptitle(title, fontsize=10)
    return figure


def point_film(frames: np.ndarray, times: np.ndarray, *, side: int = 480) -> Iterator[np.ndarray]:
    """Frames of reverse chains of points (members, time, 2): how many are in each pixel's neighbourhood."""
    from matplotlib import colormaps
    from scipy.ndimage import gaussian_filter

    for k in [*range(frames.shape[1]), *[frames.shape[1] - 1] * 20]:
        y, x = frames[:, k].T[::-1]
        count, _, _ = np.histogram2d(-y, x, bins=side, range=[(-1.8, 1.8)] * 2)
        blurred = gaussian_filter(count, 1.5)
        shade = np.sqrt(blurred / max(np.quantile(blurred[blurred > 0], 0.98), 1e-12)).clip(0, 1)
        yield under_a_line((colormaps["magma"](shade)[..., :3] * 255).astype(np.uint8), f"t = {times[k]:.0f}")


def densities(found: dict[str, np.ndarray], data: np.ndarray, extent: float) -> Figure:
    """Densities on a square grid, on one scale of colours, each with its name; at the left the data."""
    figure, axes = new(1, len(found) + 1, figsize=(3.6 * (len(found) + 1), 3.5), sharex=True, sharey=True)
    axes[0].scatter(*data.T, s=0.8, color=ORANGE, lw=0, rasterized=True)
    axes[0].set_title(f"{len(data):,} training points", fontsize=10)
    most = np.quantile(np.concatenate([p.ravel() for p in found.values()]), 0.998)
    for axis, (name, p) in zip(axes[1:], found.items(), strict=True):
        box = (-extent, extent, -extent, extent)
        image = axis.imshow(p, origin="lower", extent=box, cmap="magma", vmin=0, vmax=most)
        axis.set_title(name, fontsize=10)
    for axis in axes:
        axis.set(xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal", xlabel="x_1")
    axes[0].set_ylabel("x_2")
    figure.colorbar(image, ax=axes[1:], label="density", shrink=0.85)
    return figure


def loss(metrics: list[dict[str, Any]], title: str) -> Figure:
    """The loss of single batches, and its running median."""
    steps = np.array([row["step"] for row in metrics])
    losses = np.array([row["loss"] for row in metrics])
    half = max(1, len(losses) // 40)
    median = [np.median(losses[max(0, k - half) : k + half + 1]) for k in range(len(losses))]
    figure, axis = new(1, 1, figsize=(6.4, 3.6))
    axis.plot(steps, losses, ".", color="0.7", ms=4, label="one batch")
    axis.plot(steps, median, color=BLUE, lw=1.8, label=f"median of {2 * half + 1} of them")
    axis.set(yscale="log", xlabel="training step", ylabel="loss (per dimension)")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("{x:.2g}")
    axis.set_title(title, fontsize=10, loc="left")
    axis.grid(alpha=0.25, which="both")
    axis.legend(frameon=False, fontsize=9)
    return figure


def bound_terms(bounds: dict[str, dict[str, Any]], title: str) -> Figure:
    """L_{t-1} against t with pointwise intervals, on a log axis; and the bound summed from t = T down to t."""
    figure, (left, right) = new(1, 2, figsize=(10.0, 4.0))
    for (name, bound), colour in zip(bounds.items(), (BLUE, ORANGE, GREEN, AMBER), strict=False):
        value, low, high = np.array(bound["steps"]).T
        t = np.arange(2, len(value) + 2)
        left.plot(t, value, color=colour, lw=1.3, label=name)
        left.fill_between(t, np.maximum(low, value * 1e-3), high, color=colour, alpha=0.2, lw=0)
        so_far = bound["prior"]["value"] + np.cumsum(value[::-1])[::-1]
        right.plot(t, so_far, color=colour, lw=1.6, label=name)
        total = bound["bits_per_dim"]
        ends = np.abs(np.array([total["interval"]]).T - total["value"])
        right.errorbar([1], [total["value"]], ends, color=colour, marker="o", ms=4, capsize=3)
    left.set(yscale="log", xlabel="t", ylabel="L(t-1) (bits per dimension)")
    left.set_title("Each step's term; bands are 95%, pointwise", fontsize=10, loc="left")
    right.set(xlabel="t", ylabel="bits per dimension", xlim=right.get_xlim()[::-1])
    right.set_title("L_T and the steps from T down to t; the dot adds the decoder", fontsize=10, loc="left")
    for axis in (left, right):
        axis.grid(alpha=0.25)
        axis.legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def neighbours(generated: np.ndarray, nearest: np.ndarray, distances: np.ndarray, draw: Draw = grey) -> Figure:
    """The generated images nearest to the training set, above the training images that are nearest to them."""
    order = np.argsort(distances)[:12]
    figure, axes = new(2, len(order), figsize=(0.85 * len(order), 2.5))
    for row, images, name in zip(axes, (generated, nearest), ("generated", "training"), strict=True):
        for axis, picture in zip(row, draw(images[order]), strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, fontsize=9)
    for axis, k in zip(axes[0], order, strict=True):
        axis.set_title(f"{distances[k]:.2f}", fontsize=8)
    figure.suptitle(f"The {len(order)} of {len(generated)} images nearest to training images, and these", fontsize=10)
    return figure


def under_a_line(picture: np.ndarray, text: str) -> np.ndarray:
    """A picture of even sides with a line of text above it."""
    from PIL import Image, ImageDraw, ImageFont

    picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
    head = Image.new("RGB", (picture.shape[1], 26), "white")
    ImageDraw.Draw(head).text((6, 4), text, "black", font=ImageFont.load_default(size=15))
    return np.concatenate([np.asarray(head), picture])
