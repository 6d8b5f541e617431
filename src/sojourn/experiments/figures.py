"""What the pictures of all experiments share: figures without a screen, PNGs for print, and colours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by readers of every kind of colour vision
BLUE, ORANGE, GREEN, PINK, SKY, AMBER, YELLOW = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#F0E442",
)


def new(rows: int, columns: int, **options: Any) -> tuple[Figure, Any]:
    """A figure and its axes, drawn without a screen."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, layout="constrained", **options)


def save(figure: Figure, path: Path, *, dpi: int = 160) -> None:
    """Writes a PNG for print, atomically, and closes the figure."""
    import matplotlib.pyplot as plt

    beside = path.with_name(f".{path.stem}.partial.png")
    figure.savefig(beside, dpi=dpi)
    beside.replace(path)
    plt.close(figure)
