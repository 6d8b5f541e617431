"""Counting what follows each 3 by 3 neighbourhood in recorded boards, in time order and in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sojourn.errors import InputError

BOUNDARIES = ("torus", "dead", "interior")
_READ_CELLS = 1 << 25  # cells read at once
_PIECE_CELLS = 1 << 20  # cells counted at once
_PIECES = 16  # about so many pieces at least, so that early ones can predict later ones


@dataclass(frozen=True, eq=False)
class Transitions:
    """What followed each neighbourhood.

    Args:
        counts: int64 (512, 2), how often neighbourhood k was followed by outcome 0 and 1.
        contradictions: neighbourhood -> (member, time, y, x) of the first observation that differs from an earlier
            one; `time` is the index of the frame before the step.
        trials: observations that were predicted, see `misses`.
        misses: predicted observations that came out otherwise. The prediction is the majority among all earlier
            pieces of the data (0 at a tie); the first piece is not predicted.
    """

    counts: np.ndarray
    contradictions: dict[int, tuple[int, int, int, int]]
    trials: int
    misses: int


def count_transitions(boards: "Boards", boundary: str) -> Transitions:
    """Count the outcomes of all neighbourhoods of all consecutive frames.

    Args:
        boards: the recorded boards.
        boundary: "torus", "dead" (cells outside are dead) or "interior" (only cells with all eight neighbours inside).

    Raises:
        InputError: a cell that is neither 0 nor 1.
    """
    counts = np.zeros((512, 2), dtype=np.int64)
    contradictions: dict[int, tuple[int, int, int, int]] = {}
    trials = misses = 0
    for member, time, top, before, after in _pieces(boards, boundary):
        number = neighbourhoods(before, boundary)
        left = 1 if boundary == "interior" else 0
        key = (2 * number + after[:, :, left : left + number.shape[2]]).ravel()
        found = np.bincount(key, minlength=1024).reshape(512, 2)
        if counts.any():
            majority = counts[:, 1] > counts[:, 0]
            trials += len(key)
            misses += int(np.where(majority, found[:, 0], found[:, 1]).sum())
        both = (counts + found > 0).all(axis=1)
        fresh = [int(k) for k in np.flatnonzero(both) if int(k) not in contradictions]
        if fresh:
            first = np.full(1024, -1)
            first[key[::-1]] = np.arange(len(key))[::-1]  # among equal keys the last assignment holds
            for k in fresh:
                known = np.flatnonzero(counts[k])
                at = first[2 * k + 1 - known[0]] if len(known) else first[2 * k : 2 * k + 2].max()
                inside, y, x = np.unravel_index(at, number.shape)
                contradictions[k] = (member + int(inside), time, top + int(y), left + int(x))
        counts += found
    return Transitions(counts, contradictions, trials, misses)


def neighbourhoods(rows: np.ndarray, boundary: str) -> np.ndarray:
    """Numbers 256 NW + 128 N + ... + SE of the inner rows of (members, rows + 2, width) uint8, as uint16.

    The width shrinks by 2 for "interior".
    """
    if boundary == "torus":
        rows = np.concatenate([rows[:, :, -1:], rows, rows[:, :, :1]], axis=2)
    elif boundary == "dead":
        rows = np.pad(rows, ((0, 0), (0, 0), (1, 1)))
    rows = rows.astype(np.uint16)
    three = 4 * rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    return 64 * three[:, :-2] + 8 * three[:, 1:-1] + three[:, 2:]


class Boards:
    """Recorded boards (ensemble, time, y, x), read in blocks, and what is known of their boundary.

    Args:
        source: an object with a `.dataset`, an xarray Dataset with a variable `cell`, or an array.

    Attributes:
        one_step: (frames - 1,) bool, whether a frame and the next are one step apart; others show no single step.

    Raises:
        InputError: no boards in `source`, or fewer than two frames.
    """

    def __init__(self, source: Any) -> None:
        dataset = getattr(source, "dataset", source)
        self.boundary: str | None = None
        if hasattr(dataset, "data_vars"):
            if "cell" not in dataset or set(dataset["cell"].dims) != {"ensemble", "time", "y", "x"}:
                raise InputError(
                    "the data set has no variable 'cell' of dimensions (ensemble, time, y, x); its variables are "
                    f"{sorted(map(str, dataset.data_vars))}"
                )
            self.cells = dataset["cell"].transpose("ensemble", "time", "y", "x")
            parameters = dataset.attrs.get("parameters")
            known = parameters if isinstance(parameters, dict) else {}
            self.boundary = dataset.attrs.get("boundary", known.get("boundary"))
        else:
            self.cells = np.asarray(source)
            if self.cells.ndim == 3:
                self.cells = self.cells[None]
        self.shape = tuple(self.cells.shape)
        if len(self.shape) != 4:
            raise InputError(
                f"boards have shape {self.shape}; give (ensemble, time, y, x) or, for one member, (time, y, x)"
            )
        if self.shape[1] < 2 or 0 in self.shape:
            raise InputError(f"boards of shape {self.shape} show no step; give at least two frames in time")
        times = np.arange(self.shape[1])
        if hasattr(dataset, "data_vars") and "time" in dataset.coords:
            times = np.asarray(dataset["time"].values)
        self.one_step = np.diff(times) == 1

    def read(self, members: slice, times: slice) -> np.ndarray:
        """The boards of some members and frames as uint8."""
        cells = np.asarray(self.cells[members, times])
        alive = cells == 1
        if not (alive | (cells == 0)).all():
            member, time, y, x = (int(i) for i in np.argwhere(~(alive | (cells == 0)))[0])
            raise InputError(
                f"the cell at member {member + members.start}, time {time + times.start}, y {y}, x {x} is "
                f"{cells[member, time, y, x]}; only boards of two states, 0 and 1, can be identified"
            )
        return alive.astype(np.uint8)


def _pieces(boards: Boards, boundary: str) -> Iterator[tuple[int, int, int, np.ndarray, np.ndarray]]:
    """(first member, time, first row, rows with one more above and below, the same rows one step later)."""
    members, frames, height, width = boards.shape
    edge = 1 if boundary == "interior" else 0
    piece = max(1, min(_PIECE_CELLS, members * (frames - 1) * height * width // _PIECES))
    group, strip = max(1, piece // (height * width)), max(1, min(height, piece // width))
    block = max(group, min(members, _READ_CELLS // (2 * height * width)))
    span = max(1, _READ_CELLS // (block * height * width) - 1)
    for start in range(0, frames - 1, span):
        if not boards.one_step[start : start + span].any():
            continue
        for head in range(0, members, block):
            cells = boards.read(slice(head, head + block), slice(start, min(start + span, frames - 1) + 1))
            for time in np.flatnonzero(boards.one_step[start : start + cells.shape[1] - 1]):
                for member in range(0, len(cells), group):
                    for top in range(edge, height - edge, strip):
                        bottom = min(top + strip, height - edge)
                        rows = np.arange(top - 1, bottom + 1)
                        before = cells[member : member + group, time][:, rows % height]
                        if boundary == "dead":
                            before[:, (rows < 0) | (rows >= height)] = 0
                        after = cells[member : member + group, time + 1, top:bottom]
                        yield head + member, start + int(time), top, before, after
