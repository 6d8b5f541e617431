"""Two old formats: Life 1.06, a list of live cells, and Life 1.05, blocks of rows.

    #Life 1.06          #Life 1.05
    0 -1                #D Glider
    1 0                 #R 23/3
    -1 1                #P -1 -1
    0 1                 .*.
    1 1                 ..*
                        ***

Source: https://conwaylife.com/wiki/Life_1.06 and https://conwaylife.com/wiki/Life_1.05.
"""

import re
from pathlib import Path

import numpy as np

from sojourn.errors import InputError
from sojourn.formats.source import check_extent, read_source
from sojourn.processes.life.pattern import Pattern


def read_life106(source: str | Path) -> Pattern:
    """Read a list of live cells, one "x y" a line, into the smallest rectangle that holds them.

    The pattern's `position` is the rectangle's top left corner in the list's own coordinates.

    Args:
        source: the text itself, or a path. A string with a line break, a "!" or a "$" is text; any other a path.

    Raises:
        InputError: a missing first line "#Life 1.06", a line that is no pair of whole numbers, or an extent above
            2^31 cells.
    """
    text, where = read_source(source)
    lines = _after_header(text, "#Life 1.06", where)
    cells: list[tuple[int, int]] = []
    for number, line in lines:
        pair = re.fullmatch(r"\s*([+-]?\d{1,18})\s+([+-]?\d{1,18})\s*", line)
        if pair:
            cells.append((int(pair[2]), int(pair[1])))
        elif line.strip() and not line.startswith("#"):
            raise InputError(f"{where}line {number}: {line.strip()!r} is not a cell; write x and y, as in -1 4")
    return _from_cells(cells, where)


def write_life106(pattern: Pattern) -> str:
    """Write the live cells of a two-state pattern, counted from its `position` (or from 0 0), row by row.

    The format holds nothing else: no rule, name or extent.

    Raises:
        InputError: the pattern has states above 1; write it with `write_rle`.
    """
    if pattern.cells.size and pattern.cells.max() > 1:
        raise InputError(f"Life 1.06 holds two states; this pattern has state {pattern.cells.max()}: use write_rle")
    top, left = pattern.position or (0, 0)
    return "#Life 1.06\n" + "".join(f"{left + x} {top + y}\n" for y, x in np.argwhere(pattern.cells).tolist())


def read_life105(source: str | Path) -> Pattern:
    """Read blocks of `.` and `*`, each placed by "#P x y", into the smallest rectangle with all live cells.

    #N means Conway's rule, #R gives survival/birth, #D a comment.

    Args:
        source: the text itself, or a path. A string with a line break, a "!" or a "$" is text; any other a path.

    Raises:
        InputError: a missing first line "#Life 1.05", an unexpected character (the message names line and column),
            or an extent above 2^31 cells.
    """
    text, where = read_source(source)
    cells: list[tuple[int, int]] = []
    comments: list[str] = []
    rule = None
    y, left = 0, 0
    for number, line in _after_header(text, "#Life 1.05", where):
        kind, rest = line[:2], line[2:].strip()
        if kind == "#P":
            place = re.fullmatch(r"([+-]?\d{1,18})\s+([+-]?\d{1,18})", rest)
            if rest and not place:
                raise InputError(f"{where}line {number}: {line.strip()!r} is not a place; write #P x y")
            left, y = (int(place[1]), int(place[2])) if place else (0, 0)
        elif kind == "#N":
            rule = "B3/S23"
        elif kind == "#R":
            rule = rest or None
        elif line.startswith("#"):
            comments.append(rest)
        elif line.strip():
            wrong = re.search(r"[^.*\s]", line)
            if wrong:
                raise InputError(
                    f"{where}line {number}, column {wrong.start() + 1}: unexpected character {wrong[0]!r}; "
                    "a row has . for dead and * for alive"
                )
            cells += [(y, left + x) for x, character in enumerate(line) if character == "*"]
            y += 1
    found = _from_cells(cells, where)
    return Pattern(found.cells, rule=rule, comments=tuple(comments), position=found.position)


def _after_header(text: str, header: str, where: str) -> list[tuple[int, str]]:
    lines = list(enumerate(text.splitlines(), start=1))
    if not lines or lines[0][1].strip() != header:
        raise InputError(f'{where}the first line is not "{header}"; read other formats with read_pattern')
    return lines[1:]


def _from_cells(cells: list[tuple[int, int]], where: str) -> Pattern:
    if not cells:
        return Pattern(np.zeros((0, 0), dtype=np.uint8))
    places = np.array(cells, dtype=np.int64)
    top, left = (int(low) for low in places.min(axis=0))
    height, width = (int(high) + 1 for high in places.max(axis=0) - places.min(axis=0))
    check_extent(height, width, where)
    board = np.zeros((height, width), dtype=np.uint8)
    board[places[:, 0] - top, places[:, 1] - left] = 1
    return Pattern(board, position=(top, left))
