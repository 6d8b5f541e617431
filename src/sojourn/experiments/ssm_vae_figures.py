"""Pictures of `sojourn run ssm-vae`: what the decoders draw, and likelihoods beside the published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.bounds.estimate import Estimate
from sojourn.experiments.ddpm_figures import grey, tiled
from sojourn.experiments.figures import BLUE, ORANGE, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def samples(drawn: dict[str, np.ndarray]) -> Figure:
    """Means of pixels (n, 1, height, width) in [0, 1] for n codes of the prior, a row each decoder."""
    figure, axes = new(len(drawn), 1, figsize=(7, 0.62 * len(drawn) + 0.4), squeeze=False)
    for axis, (name, x) in zip(axes[:, 0], drawn.items(), strict=True):
        axis.imshow(tiled(grey(2 * x - 1), len(x)), interpolation="nearest")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
        axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    figure.suptitle("Means of pixels for codes of the prior", fontsize=10)
    return figure


def likelihoods(
    found: dict[tuple[str, int], Estimate], published: dict[tuple[str, int], float], names: dict[str, str]
) -> Figure:
    """Points with intervals for ours, and squares for the published numbers; a panel for each size of the code."""
    sizes = sorted({latent for _, latent in found})
    figure, axes = new(1, len(sizes), figsize=(3.8 * len(sizes), 3.6), squeeze=False, sharey=True)
    for axis, size in zip(axes[0], sizes, strict=True):
        here = {name: estimate for (name, latent), estimate in found.items() if latent == size}
        for place, (name, e) in enumerate(here.items()):
            label: Any = {"label": "here, 95% over images"} if place == 0 else {}
            axis.errorbar(
                place - 0.1, e.value, [[e.value - e.low], [e.high - e.value]], fmt="o", color=BLUE, capsize=4, **label
            )
            if (name, size) in published:
                label = {"label": "published, 100,000 steps"} if place == 0 else {}
                axis.plot(place + 0.1, published[name, size], "s", color=ORANGE, **label)
        axis.set_xticks(range(len(here)), [names[name] for name in here])
        axis.set_xlim(-0.5, len(here) - 0.5)
        axis.set_title(f"{size} numbers a code")
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("-log p(x) in nats (lower is better)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure
