"""Pictures, film and table of `sojourn run reverse-life`."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sojourn.bounds.estimate import Estimate
from sojourn.diffusion.discrete import DiscreteBound
from sojourn.diffusion.discrete.games import future
from sojourn.diffusion.discrete.predecessors import MASK
from sojourn.experiments.figures import AMBER, BLUE, GREEN, ORANGE, PINK, SKY, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WHITE, _BLACK, _WRONG, _MISSING = (255, 255, 255), (40, 40, 40), (213, 94, 0), (86, 180, 233)


def boards(found: dict[int, dict[str, Any]]) -> Figure:
    """For 1, 2, 3 and 5 generations one game: stop board, the two start boards found, their futures, what differs."""
    figure, axes = new(4, 5, figsize=(10.5, 8.8))
    for row, d in zip(axes, (1, 2, 3, 5), strict=True):
        game = found[d]
        alive = game["goal"].flatten(1).sum(1).float()
        k = int((alive - alive.median()).abs().argmin())  # a board of middling density
        goal = game["goal"][k].numpy()
        pictures = [(colours(goal), f"stop board, generation {d}")]
        for name, title in (("diffusion", "diffusion"), ("found", "found, annealed")):
            start, end = game[name][k].numpy(), future(game[name][k : k + 1], d)[0].numpy()
            pictures.append((colours(start), f"start: {title}"))
            pictures.append((colours(end, goal), f"its generation {d}: {int((end != goal).sum())} cells wrong"))
        for axis, (picture, title) in zip(row, pictures, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set_title(title, fontsize=8)
            axis.set_xticks([])
            axis.set_yticks([])
    figure.suptitle("Start boards for given stop boards: wrongly alive in orange, wrongly dead in blue", fontsize=11)
    return figure


def colours(board: np.ndarray, goal: np.ndarray | None = None) -> np.ndarray:
    """RGB of a board; with a goal, cells alive in vain are orange and cells that are missing are blue."""
    picture = np.empty((*board.shape, 3), np.uint8)
    picture[board == 0], picture[board == 1], picture[board == MASK] = _WHITE, _BLACK, (190, 190, 190)
    if goal is not None:
        picture[(board == 1) & (goal == 0)] = _WRONG
        picture[(board == 0) & (goal == 1)] = _MISSING
    return picture


def scores(table: dict[Any, dict[str, Estimate]], methods: dict[str, str]) -> Figure:
    """Mean share of wrong cells against the number of generations, with intervals."""
    figure, axis = new(1, 1, figsize=(8.2, 4.8))
    generations = [key for key in table if key != "all"]
    styles = zip(methods, (PINK, AMBER, "#999999", SKY, BLUE, GREEN, ORANGE, "black"), "vs^oD<>*", strict=True)
    for shift, (name, colour, marker) in enumerate(styles):
        estimates = [table[d][name] for d in generations]
        values = np.array([100 * e.value for e in estimates])
        ends = 100 * np.array([[e.value - e.low, e.high - e.value] for e in estimates]).T
        x = np.array(generations) + 0.06 * (shift - 3.5)
        axis.errorbar(x, values, ends, color=colour, marker=marker, ms=5, lw=1, elinewidth=0.8, label=methods[name])
    axis.set_xlabel("generations from start to stop")
    axis.set_ylabel("wrong cells (%)")
    axis.set_ylim(bottom=0)
    axis.set_xticks(generations)
    axis.set_title("Kaggle's reverse-Life score on unseen boards: mean and 95% betting interval", fontsize=10)
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def terms(bounds: list[DiscreteBound], reversal: str) -> Figure:
    """L_{t-1} against t for each label."""
    figure, axis = new(1, 1, figsize=(7.0, 4.0))
    what = "{} generations at once" if reversal == "jointly" else "generation {} to {}"
    for k, (bound, colour) in enumerate(zip(bounds, (BLUE, ORANGE, GREEN, PINK, AMBER), strict=True)):
        estimates = [bound.decoder, *bound.steps]
        t = np.arange(1, len(estimates) + 1)
        label = what.format(*((k + 1,) if reversal == "jointly" else (k + 1, k)))
        axis.plot(t, [1000 * e.value for e in estimates], color=colour, marker=".", label=label)
        axis.fill_between(
            t, [1000 * e.low for e in estimates], [1000 * e.high for e in estimates], color=colour, alpha=0.12, lw=0
        )
    axis.set_xlabel("t (t = 1 is the decoder's term, t = T the first step from pure masks)")
    axis.set_ylabel("term of the bound (10⁻³ bits per cell)")
    axis.set_ylim(bottom=0)
    axis.set_title("The bound on -log p(earlier board | later board), step by step; Student's 95%", fontsize=10)
    axis.legend(fontsize=8)
    return figure


def film(chain: np.ndarray, stop: np.ndarray, scale: int = 9) -> Iterator[np.ndarray]:
    """Frames of reverse chains (members, time, 25, 25): above the stop boards, below x_t, masks in grey."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=15)
    steps = chain.shape[1] - 1
    for k in [*range(steps + 1), *[steps] * 12]:
        rows = []
        for part, text in (
            (stop, "stop boards"),
            (chain[:, k], f"one generation earlier: t = {steps - k}, masks grey"),
        ):
            if k == steps and part is not stop:
                text = "one generation earlier: the reverse chain has ended"
            tiles = [np.pad(colours(board), ((1, 1), (1, 1), (0, 0)), constant_values=170) for board in part]
            picture = np.concatenate(tiles, 1).repeat(scale, 0).repeat(scale, 1)
            picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
            head = Image.new("RGB", (picture.shape[1], 26), "white")
            ImageDraw.Draw(head).text((6, 4), text, "black", font=font)
            rows += [np.asarray(head), picture]
        yield np.concatenate(rows, 0)


def table(estimates: dict[Any, dict[str, Estimate]], methods: dict[str, str], boards: int) -> list[str]:
    """Lines: a row a method, a column a number of generations, the mean of all; of the last method all intervals."""
    found = Table(
        title=f"Wrong cells, mean over {boards} unseen boards for each number of generations (Kaggle's score)",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
    )
    found.add_column("generations")
    for key in estimates:
        found.add_column(str(key), justify="right")
    found.add_column("all: 95%, betting, at this n")
    for name, title in methods.items():
        every = estimates["all"][name]
        values = [f"{row[name].value:.4f}" for row in estimates.values()]
        found.add_row(title, *values, escape(f"[{_down(every.low):.4f}, {_up(every.high):.4f}]"))
    last = [row[list(methods)[-1]] for row in estimates.values()]
    found.add_section()
    found.add_row("  its 95% interval, from", *[f"{_down(e.low):.4f}" for e in last], style="dim")
    found.add_row("  to", *[f"{_up(e.high):.4f}" for e in last], style="dim")
    console = Console(width=130, file=io.StringIO())
    with console.capture() as capture:
        console.print(found)
    return [escape(line.rstrip()) for line in capture.get().splitlines()]


def _down(end: float) -> float:
    return math.floor(1e4 * end) / 1e4


def _up(end: float) -> float:
    return math.ceil(1e4 * end) / 1e4
