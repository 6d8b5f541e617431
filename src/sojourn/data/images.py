"""What every source of images returns, and the map between grey levels 0 ... L - 1 and numbers in [-1, 1].

x = 2 k / (L - 1) - 1
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sojourn.errors import InputError


@dataclass(frozen=True)
class Images:
    """A set of images.

    Attributes:
        x: float32 in [-1, 1], shape (n, channels, height, width).
        labels: what belongs to each image: classes, int64 (n,), or numbers, float32 (n, k); None where nothing does.
        levels: number of grey levels, equally spaced from -1 to 1; None where values are continuous.
        name: of the set, for titles and records.
    """

    x: torch.Tensor
    labels: torch.Tensor | None
    levels: int | None
    name: str

    def __len__(self) -> int:
        return len(self.x)


def from_levels(k: torch.Tensor, levels: int) -> torch.Tensor:
    """Grey levels 0 ... levels - 1 as float32 numbers 2 k / (levels - 1) - 1."""
    return (2 * k.double() / (levels - 1) - 1).float()


def to_levels(x: torch.Tensor, levels: int) -> torch.Tensor:
    """The nearest grey level, int64, of numbers in [-1, 1]; what lies outside gets the first or the last."""
    return ((x.double().clamp(-1, 1) + 1) * (levels - 1) / 2).round().long()


def unit_rows(x: torch.Tensor) -> torch.Tensor:
    """Images with values in [-1, 1] as rows (n, d) with values in [0, 1]."""
    return (x.flatten(1) + 1) / 2


def check_images(x: torch.Tensor, levels: int | None = None) -> None:
    """Checks that all values are finite, in [-1, 1], and with `levels` among the grey levels.

    Raises:
        InputError: it names the first value that is none of these, its place and the remedy.
    """
    if not (isinstance(x, torch.Tensor) and x.is_floating_point()):
        kind = f"a tensor of {x.dtype}" if isinstance(x, torch.Tensor) else f"{type(x).__name__}"
        raise InputError(f"images are {kind}; give floating-point numbers in [-1, 1], such as x.float() / 127.5 - 1")
    if x.numel() == 0:
        raise InputError(f"images of shape {tuple(x.shape)} hold no values; give one image or more")
    if not bool((finite := torch.isfinite(x)).all()):
        raise InputError(f"images hold {_first(x, ~finite)}; remove or mend what is not finite")
    if bool((outside := x.abs() > 1).any()):
        raise InputError(
            f"images hold {_first(x, outside)}, outside [-1, 1]; rescale them, grey levels 0 ... 255 by x / 127.5 - 1"
        )
    if levels is None:
        return
    if levels < 2:
        raise InputError(f"levels={levels} is below 2; an image has two grey levels or more")
    between = (x - from_levels(to_levels(x, levels), levels).to(x)).abs() > 1e-3 / (levels - 1)
    if bool(between.any()):
        raise InputError(
            f"images hold {_first(x, between)}, which is none of the {levels} grey levels 2 k / {levels - 1} - 1; "
            "give the right number of levels, or None for continuous values"
        )


def _first(x: torch.Tensor, wrong: torch.Tensor) -> str:
    place = wrong.nonzero()[0].tolist()
    return f"{float(x[tuple(place)]):g} at {place}"
