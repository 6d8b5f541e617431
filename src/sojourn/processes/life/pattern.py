"""A pattern: a rectangle of cell states with what its file says about it."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from sojourn.errors import InputError


@dataclass(frozen=True, eq=False)
class Pattern:
    """A rectangle of cells, and the notes that travel with it.

    Args:
        cells: (height, width), states 0 to 255; kept as a uint8 copy. y runs down.
        rule: the rule as written, or None when the source names none.
        name: title, or "".
        author: author and date, or "".
        comments: the remaining notes, one line each.
        position: (y, x) of the top left cell on the unbounded plane, or None when the source says nothing.
        generation: the number of steps already taken.

    Raises:
        InputError: `cells` is not a rectangle of whole numbers from 0 to 255.
    """

    cells: np.ndarray
    rule: str | None = None
    name: str = ""
    author: str = ""
    comments: tuple[str, ...] = ()
    position: tuple[int, int] | None = None
    generation: int = 0

    def __post_init__(self) -> None:
        cells = np.asarray(self.cells)
        if cells.ndim != 2:
            raise InputError(f"the cells of a pattern have shape {cells.shape}; give a rectangle (height, width)")
        if cells.size and cells.dtype not in (np.uint8, np.bool_):
            states = cells.dtype.kind in "uif" and cells.min() >= 0 and cells.max() <= 255
            if not states or (cells != cells.astype(np.uint8)).any():
                raise InputError("the cells of a pattern are whole numbers from 0 to 255; these are not")
        object.__setattr__(self, "cells", cells.astype(np.uint8))  # a copy

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in cells."""
        return self.cells.shape[0], self.cells.shape[1]

    @property
    def population(self) -> int:
        """Number of cells that are not in state 0."""
        return int(np.count_nonzero(self.cells))

    def rotate(self, quarter_turns: int = 1) -> Self:
        """The pattern turned clockwise by quarter turns, about its top left corner's place."""
        return replace(self, cells=np.rot90(self.cells, -quarter_turns))

    def flip_left_right(self) -> Self:
        """The mirror image with left and right exchanged."""
        return replace(self, cells=self.cells[:, ::-1])

    def flip_up_down(self) -> Self:
        """The mirror image with top and bottom exchanged."""
        return replace(self, cells=self.cells[::-1])

    def trim(self) -> Self:
        """The pattern without empty rows and columns at its borders; the live cells keep their place."""
        rows, columns = np.flatnonzero(self.cells.any(axis=1)), np.flatnonzero(self.cells.any(axis=0))
        if not len(rows):
            return replace(self, cells=np.zeros((0, 0), dtype=np.uint8))
        top, left = int(rows[0]), int(columns[0])
        position = None if self.position is None else (self.position[0] + top, self.position[1] + left)
        return replace(self, cells=self.cells[top : rows[-1] + 1, left : columns[-1] + 1], position=position)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Pattern) and np.array_equal(self.cells, other.cells) and self._notes() == other._notes()
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.cells.tobytes(), self._notes()))

    def _notes(self) -> tuple:
        return self.rule, self.name, self.author, self.comments, self.position, self.generation
