"""Tail bounds as a person wants to read them: the answer to a question in the terminal, and a picture of all bounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sojourn.bounds.assumptions import Assumptions
from sojourn.bounds.best import (
    BestBound,
    Of,
    best_bound,
    best_deviation,
    best_sample_size,
    least_possible,
    shown,
)
from sojourn.bounds.candidates import Side
from sojourn.errors import InputError
from sojourn.experiments.figures import save
from sojourn.experiments.tail_bounds_figures import bounds as figure


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of `sojourn bound`: the assumptions, and one of deviation, probability, or accuracy with both."""

    assumptions: Assumptions
    deviation: float | None = None
    probability: float | None = None
    accuracy: float | None = None
    of: Of = "mean"
    side: Side = "upper"
    maximal: bool = False
    picture: Path | None = None

    def answer(self) -> BestBound:
        """Bounds for a deviation, deviations for a probability, or numbers of terms for an accuracy.

        Raises:
            InputError: none of these was asked, or more than one; the picture is not a PNG file.
        """
        if self.picture is not None and self.picture.suffix.lower() != ".png":
            raise InputError(f"--picture {self.picture} is not a PNG file; give a name that ends in .png")
        if self.picture is not None and (self.accuracy is not None or self.deviation == 0):
            raise InputError("--picture shows bounds against the deviation; give --n and a --deviation above zero")
        if self.accuracy is not None and self.probability is not None and self.deviation is None:
            if self.assumptions.n != 1 or self.of == "sum":
                raise InputError("with --accuracy the number of terms is found, for their mean; leave out --n and --of")
            return best_sample_size(
                self.assumptions, self.accuracy, self.probability, side=self.side, maximal=self.maximal
            )
        asked = [value for value in (self.deviation, self.probability, self.accuracy) if value is not None]
        if len(asked) != 1 or self.accuracy is not None:
            raise InputError(
                "give --deviation (to bound its probability), --probability (to find the deviation), "
                "or --accuracy with --probability (to find n)"
            )
        if self.deviation is not None:
            return best_bound(self.assumptions, self.deviation, of=self.of, side=self.side, maximal=self.maximal)
        return best_deviation(self.assumptions, asked[0], of=self.of, side=self.side, maximal=self.maximal)

    def draw(self, best: BestBound) -> Path | None:
        """The picture that was asked for, to twice the deviation in question; None where none was."""
        if self.picture is None:
            return None
        furthest = 2 * (best.best.value if self.deviation is None else self.deviation)
        deviations = [furthest * k / 80 for k in range(1, 81)]
        save(figure(self.assumptions, deviations, of=self.of, side=self.side, maximal=self.maximal), self.picture)
        return self.picture


def table(best: BestBound) -> RenderableType:
    """All bounds from the tightest, what none can be below, and why others were left out."""
    parts: list[RenderableType] = [Text(best.question, style="bold")]
    rows = Table(box=None, padding=(0, 3, 0, 1), header_style="cyan")
    for heading in ("bound", "inequality", "uses", "source"):
        rows.add_column(heading, overflow="fold", no_wrap=heading in ("bound", "inequality"))
    for place, row in enumerate(best.rows):
        style = "bold" if place == 0 else ""
        rows.add_row(Text(shown(row.value), style), Text(row.name, style), row.uses, Text(row.source, "dim"))
    parts.append(rows if best.rows else Text(" no inequality applies; give more of what is known, such as --range"))
    if least := least_possible(best):
        parts.append(Text(least[0].upper() + least[1:]))
    if best.left_out:
        parts.append(Text("Left out", style="dim"))
        reasons: dict[str, list[str]] = {}
        for name, why in best.left_out.items():
            reasons.setdefault(why, []).append(name)
        grid = Table.grid(padding=(0, 3, 0, 0))
        for why, names in reasons.items():
            grid.add_row(Text(why, "dim"), Text(", ".join(names), "dim"))
        parts.append(Padding(grid, (0, 0, 0, 1)))
    return Group(*parts)
