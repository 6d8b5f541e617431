"""Run length encoded patterns (RLE): the two-state `b o` form and the many-state `. A..X pA..yO` form.

    x = 3, y = 3, rule = B3/S23
    bo$2bo$3o!

A number repeats the tag after it; `b` or `.` is a dead cell, `o` or `A` state 1, `B`..`X` states 2 to 24,
`pA`..`yO` states 25 to 255, `$` ends a row and `!` the pattern. Lines that begin with # are notes.

Source: Golly 3.3, Help > File Formats; https://conwaylife.com/wiki/Run_Length_Encoded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from sojourn.errors import InputError
from sojourn.formats.source import check_extent, read_source
from sojourn.processes.life.pattern import Pattern

LINE_LENGTH = 70


def read_rle(source: str | Path) -> Pattern:
    """Read a pattern in RLE, with or without the header line `x = .., y = .., rule = ..`.

    Notes are kept: #N the name, #O the author, #C the comments, #P and #R the position of the top left cell
    as x y, #r the rule, and #CXRLE Pos=x,y Gen=n position and generation.

    Args:
        source: the text itself, or a path. A string with a line break, a "!" or a "$" is text; any other a path.

    Returns:
        the pattern; its extent is the header's, or without a header the smallest that holds everything written.

    Raises:
        InputError: malformed text (the message names line, column and character), a missing "!", live cells outside
            the header's extent, or an extent above 2^31 cells.
    """
    text, where = read_source(source)
    notes = _Notes()
    extent: tuple[int, int] | None = None
    runs = _Runs(where)
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#"):
            notes.read(line.strip())
        elif extent is None and runs.untouched and re.match(r"\s*[xX]\s*=", line):
            extent, rule = _read_header(line, number, where)
            check_extent(*extent, where)
            notes.rule = rule or notes.rule
        elif runs.read_line(line, number, extent):
            break
    else:
        raise InputError(
            f'{where}ends after line {len(text.splitlines())} without the closing "!"; '
            'the file is cut short, or "!" is missing after its last row'
        )
    return Pattern(
        runs.cells(extent),
        notes.rule,
        notes.name,
        notes.author,
        tuple(notes.comments),
        notes.position,
        notes.generation,
    )


def write_rle(pattern: Pattern) -> str:
    """Write a pattern in RLE, body lines at most 70 characters: `b o` for two states, else `. A..X pA..yO`.

    Position and generation are written as `#CXRLE Pos=x,y Gen=n` when the pattern has them. `read_rle` gives
    the same pattern back.
    """
    many = bool(pattern.cells.size) and int(pattern.cells.max()) > 1
    lines = []
    if pattern.position is not None or pattern.generation:
        place = "" if pattern.position is None else f" Pos={pattern.position[1]},{pattern.position[0]}"
        lines.append(f"#CXRLE{place} Gen={pattern.generation}")
    lines += [f"#N {line}" for line in pattern.name.splitlines()[:1]]
    lines += [f"#O {line}" for line in pattern.author.splitlines()[:1]]
    lines += [f"#C {line}" for comment in pattern.comments for line in comment.splitlines() or [""]]
    rule = "" if pattern.rule is None else f", rule = {pattern.rule}"
    lines.append(f"x = {pattern.shape[1]}, y = {pattern.shape[0]}{rule}")
    line = ""
    for token in _tokens(pattern.cells, many):
        if len(line) + len(token) > LINE_LENGTH:
            lines.append(line)
            line = ""
        line += token
    return "\n".join([*lines, line]) + "\n"


@dataclass
class _Notes:
    """What the # lines and the header say."""

    rule: str | None = None
    name: str = ""
    author: str = ""
    comments: list[str] = field(default_factory=list)
    position: tuple[int, int] | None = None
    generation: int = 0

    def read(self, line: str) -> None:
        if line.startswith("#CXRLE"):
            place = re.search(r"Pos\s*=\s*(-?\d+)\s*,\s*(-?\d+)", line)
            generation = re.search(r"Gen\s*=\s*(\d+)", line)
            self.position = (int(place[2]), int(place[1])) if place else self.position
            self.generation = int(generation[1]) if generation else self.generation
            return
        kind, rest = line[1:2], line[2:].strip()
        place = re.match(r"(-?\d+)\s+(-?\d+)", rest)
        if kind == "N":
            self.name = rest
        elif kind == "O":
            self.author = rest
        elif kind == "r":
            self.rule = rest or None
        elif kind in ("P", "R") and place:
            self.position = (int(place[2]), int(place[1]))
        else:
            self.comments.append(rest if kind in ("C", "c", "D") else line[1:].strip())


class _Runs:
    """The live runs read so far, as (y, x, length, state)."""

    TOKEN = re.compile(r"(\d*)([b.$!oA-X]|[p-y][A-X])|\s+")

    def __init__(self, where: str) -> None:
        self.where = where
        self.live: list[tuple[int, int, int, int]] = []
        self.y = self.x = self.height = self.width = 0
        self.untouched = True

    def read_line(self, line: str, number: int, extent: tuple[int, int] | None) -> bool:
        """Read one line of runs; True when it holds the closing "!"."""
        at = 0
        while at < len(line):
            found = self.TOKEN.match(line, at)
            if not found:
                self.refuse(line, number, at)
            if tag := found[2]:
                self.untouched = False
                count = int(found[1][:18] or 1)  # 18 digits are beyond every extent already
                if count == 0:
                    raise InputError(f"{self.where}line {number}, column {at + 1}: a run of length 0; write 1 or more")
                if tag == "!":
                    return True
                self.add(tag, count, number, at + 1, extent)
            at = found.end()
        return False

    def add(self, tag: str, count: int, line: int, column: int, extent: tuple[int, int] | None) -> None:
        if tag == "$":
            self.y, self.x = self.y + count, 0
            return
        state = 0 if tag in "b." else _state(tag)
        if state > 255:
            raise InputError(
                f"{self.where}line {line}, column {column}: {tag} is state {state}; the highest is 255 (yO)"
            )
        if state:
            self.live.append((self.y, self.x, count, state))
        self.x += count
        self.height, self.width = max(self.height, self.y + 1), max(self.width, self.x)
        if extent is None:
            check_extent(self.height, self.width, self.where)
        elif state and (self.y >= extent[0] or self.x > extent[1]):
            raise InputError(
                f"{self.where}line {line}, column {column}: a live cell at x={self.x - 1}, y={self.y} lies "
                f"outside the header's x = {extent[1]}, y = {extent[0]}; correct the header or delete that line"
            )

    def refuse(self, line: str, number: int, at: int) -> NoReturn:
        column = at + len(line[at:]) - len(line[at:].lstrip("0123456789")) + 1
        if column > len(line) or line[column - 1].isspace():
            raise InputError(
                f"{self.where}line {number}, column {column}: the count {line[at : column - 1]} has no tag "
                "after it; put its b, o or $ directly behind it, on the same line"
            )
        raise InputError(
            f"{self.where}line {number}, column {column}: unexpected character {line[column - 1]!r}; an "
            "RLE body has b o $ ! and counts, or . A to X and pA to yO for many states; start notes with #"
        )

    def cells(self, extent: tuple[int, int] | None) -> np.ndarray:
        cells = np.zeros(extent or (self.height, self.width), dtype=np.uint8)
        for y, x, count, state in self.live:
            cells[y, x : x + count] = state
        return cells


def _read_header(line: str, number: int, where: str) -> tuple[tuple[int, int], str | None]:
    found = re.fullmatch(
        r"\s*x\s*=\s*(\d{1,18})\s*,\s*y\s*=\s*(\d{1,18})\s*(?:,\s*rule\s*=\s*(.*?))?[\s,]*", line, re.I
    )
    if not found:
        raise InputError(
            f"{where}line {number}: the header {line.strip()!r} is malformed; write x = 3, y = 3, rule = B3/S23"
        )
    return (int(found[2]), int(found[1])), found[3] or None


def _state(tag: str) -> int:
    if tag == "o":
        return 1
    return ord(tag[-1]) - ord("A") + 1 + (24 * (ord(tag[0]) - ord("p") + 1) if len(tag) == 2 else 0)


def _tag(state: int, many: bool) -> str:
    if not many:
        return "bo"[state]
    if state == 0:
        return "."
    group, letter = divmod(state - 1, 24)
    return ("" if group == 0 else chr(ord("p") + group - 1)) + chr(ord("A") + letter)


def _tokens(cells: np.ndarray, many: bool) -> Iterator[str]:
    """The runs of a body in order, dead cells at row ends and dead rows at the end left out."""
    pending = 0
    for row in cells:
        live = np.flatnonzero(row)
        if len(live):
            if pending:
                yield (str(pending) if pending > 1 else "") + "$"
            pending = 0
            row = row[: live[-1] + 1]
            starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
            for start, end in zip(starts, np.r_[starts[1:], len(row)], strict=True):
                yield (str(end - start) if end - start > 1 else "") + _tag(int(row[start]), many)
        pending += 1
    yield "!"
