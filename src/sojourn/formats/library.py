"""The patterns that come with Sojourn, as .rle files in the folder `patterns` beside this file.

Each file states its discoverer, its known fate and its page; tests/life/test_patterns.py checks the fates.
"""

import difflib
import re
from importlib.resources import files

from sojourn.errors import InputError
from sojourn.formats.rle import read_rle
from sojourn.processes.life.pattern import Pattern


def named(name: str) -> Pattern:
    """A pattern of the library by its name, such as "glider"; capitals, spaces and hyphens make no
    difference.

    Raises:
        InputError: no such pattern; the message names the nearest, and `names()` lists all.
    """
    known = {_plain(file_name): file_name for file_name in names()}
    if _plain(name) not in known:
        close = difflib.get_close_matches(_plain(name), known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(known[match] for match in close)}? " if close else ""
        raise InputError(
            f'there is no pattern named "{name}"; {hint}`sojourn list` and sojourn.formats.names() list all'
        )
    return read_rle(files("sojourn.formats").joinpath("patterns", f"{known[_plain(name)]}.rle").read_text())


def names() -> list[str]:
    """The names of all patterns of the library, sorted."""
    folder = files("sojourn.formats").joinpath("patterns")
    return sorted(file.name.removesuffix(".rle") for file in folder.iterdir() if file.name.endswith(".rle"))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
