"""Reading a pattern whatever its format."""

import re
from pathlib import Path

from sojourn.errors import InputError
from sojourn.formats.life_lists import read_life105, read_life106
from sojourn.formats.plaintext import read_plaintext
from sojourn.formats.rle import read_rle
from sojourn.formats.source import read_source
from sojourn.processes.life.pattern import Pattern


def read_pattern(source: str | Path) -> Pattern:
    """Read a pattern in RLE, plain text, Life 1.06 or Life 1.05; the content decides which.

    "#Life 1.06" and "#Life 1.05" announce themselves; plain text has a first line with "!" or only the
    characters `.O*`; everything else is read as RLE.

    Args:
        source: the text itself, or a path. A string with a line break, a "!" or a "$" is text; any other a path.

    Raises:
        InputError: as the reader of the format found; Macrocell and MCell files are refused by name.
    """
    text, where = read_source(source)
    first = text.lstrip().splitlines()[0] if text.strip() else ""
    for start, kind in {"[M": "Macrocell", "#MCell": "MCell"}.items():
        if first.startswith(start):
            raise InputError(f"{where}a {kind} file is not read; save it as RLE with Golly or MCell")
    if first.startswith("#Life"):
        reader = read_life105 if first.strip() == "#Life 1.05" else read_life106
    elif first.startswith("!") or re.fullmatch(r"\s*[.O*][.O*\s]*", text):
        reader = read_plaintext
    else:
        reader = read_rle
    return reader(source)
