"""Plain text patterns (.cells): one line a row, `.` dead and `O` alive, notes on lines that begin with "!".

    !Name: Glider
    .O.
    ..O
    OOO

Source: https://conwaylife.com/wiki/Plaintext.
"""

from pathlib import Path

import numpy as np

from sojourn.errors import InputError
from sojourn.formats.source import check_extent, read_source
from sojourn.processes.life.pattern import Pattern


def read_plaintext(source: str | Path) -> Pattern:
    """Read a two-state pattern in plain text; short rows are filled up with dead cells.

    `!Name:` and `!Author:` give name and author, other lines that begin with "!" comments. "*" is read as "O".

    Args:
        source: the text itself, or a path. A string with a line break, a "!" or a "$" is text; any other a path.

    Raises:
        InputError: a character that is none of `.O*` (the message names line and column), or an extent above
            2^31 cells.
    """
    text, where = read_source(source)
    notes: dict[str, str] = {}
    comments: list[str] = []
    rows: list[np.ndarray] = []
    width = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("!"):
            kind, _, value = line[1:].partition(":")
            if kind.strip() in ("Name", "Author") and kind.strip() not in notes:
                notes[kind.strip()] = value.strip()
            else:
                comments.append(line[1:].strip())
            continue
        line = line.rstrip()
        wrong = next((at for at, character in enumerate(line) if character not in ".O*"), None)
        if wrong is not None:
            raise InputError(
                f"{where}line {number}, column {wrong + 1}: unexpected character {line[wrong]!r}; plain text "
                "has . for dead, O for alive, and notes on lines that begin with !"
            )
        rows.append(np.array([character != "." for character in line], dtype=np.uint8))
        width = max(width, len(line))
        check_extent(len(rows), width, where)
    cells = np.zeros((len(rows), width), dtype=np.uint8)
    for y, row in enumerate(rows):
        cells[y, : len(row)] = row
    return Pattern(cells, name=notes.get("Name", ""), author=notes.get("Author", ""), comments=tuple(comments))


def write_plaintext(pattern: Pattern) -> str:
    """Write a two-state pattern in plain text. The format has no place for rule, position and generation.

    Raises:
        InputError: the pattern has states above 1; write it with `write_rle`.
    """
    if pattern.cells.size and pattern.cells.max() > 1:
        raise InputError(f"plain text holds two states; this pattern has state {pattern.cells.max()}: use write_rle")
    lines = [f"!Name: {pattern.name}"] if pattern.name else []
    lines += [f"!Author: {pattern.author}"] if pattern.author else []
    lines += [f"!{line}" for comment in pattern.comments for line in comment.splitlines() or [""]]
    lines += ["".join(".O"[cell] for cell in row) for row in pattern.cells]
    return "".join(line + "\n" for line in lines)
