"""Pictures and film of `sojourn run ddpm-gray-scott`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.data.gray_scott import V_MOST
from sojourn.experiments.ddpm_figures import tiled, under_a_line
from sojourn.experiments.figures import BLUE, ORANGE, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 6  # states a row
_BRIGHTEST = 0.45  # of v in pictures


def states(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """v of true states and of drawn ones, (n, 2, size, size) each, a row a pair (F, k)."""
    figure, axes = new(len(found), 2, figsize=(8.2, 0.78 * len(found) + 0.4), squeeze=False)
    for row, (title, pair) in zip(axes, found.items(), strict=True):
        for axis, x in zip(row, pair, strict=True):
            axis.imshow(tiled(_coloured(V_MOST * (x[:_SIDE, 1] + 1) / 2), _SIDE, gap=2), interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(title.replace(", ", "\n"), fontsize=7, rotation=0, ha="right", va="center")
    axes[0, 0].set_title("true process: v", fontsize=10)
    axes[0, 1].set_title("drawn by the diffusion model: v", fontsize=10)
    return figure


def spectra(found: dict[str, dict[str, Any]]) -> Figure:
    """Mean energy of v in shells of wavenumber with 95% intervals, true and drawn, a panel a pair (F, k)."""
    figure, axes = new(2, -(-len(found) // 2), figsize=(10.0, 5.4), sharex=True, sharey=True, squeeze=False)
    for axis, (title, two) in zip(axes.flat, found.items(), strict=False):
        for (name, judged), colour, style in zip(two.items(), (BLUE, ORANGE), ("-", "--"), strict=True):
            value, low, high = np.array(judged["spectrum"]).T
            axis.plot(judged["wavenumber"], value, style, color=colour, lw=1.6, label=name)
            axis.fill_between(judged["wavenumber"], np.maximum(low, 1e-12), high, color=colour, alpha=0.2, lw=0)
        axis.set(yscale="log", ylim=(1e-8, None))
        axis.set_title(title, fontsize=9, loc="left")
        axis.grid(alpha=0.25)
    for axis in axes[-1]:
        axis.set_xlabel("wavenumber (1/cell)")
    for axis in axes[:, 0]:
        axis.set_ylabel("energy of v in a shell")
    axes[0, 0].legend(frameon=False)
    figure.suptitle("Energy spectra: mean over states, bands are 95% intervals of each shell", fontsize=10)
    return figure


def film(parts: list[tuple[np.ndarray, np.ndarray]], scale: int = 3) -> Iterator[np.ndarray]:
    """Frames of reverse chains of v (members, time, size, size) in [-1, 1], then of the true process that follows."""
    chains, onward = (np.concatenate(side) for side in zip(*parts, strict=True))
    for k in range(chains.shape[1]):
        picture = tiled(_coloured(V_MOST * (chains[:, k] + 1) / 2), len(parts), scale=scale, gap=2)
        yield under_a_line(picture, f"reverse chain, step {k} of {chains.shape[1] - 1}")
    for k in range(onward.shape[1]):
        picture = tiled(_coloured(onward[:, k]), len(parts), scale=scale, gap=2)
        yield under_a_line(picture, f"the true process goes on, time {25 * k}")


def _coloured(v: np.ndarray) -> np.ndarray:
    """v (n, size, size) as RGB bytes."""
    from matplotlib import colormaps

    return (colormaps["magma"](np.clip(v / _BRIGHTEST, 0, 1))[..., :3] * 255).astype(np.uint8)
