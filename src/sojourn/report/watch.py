"""`sojourn report watch`: build again whenever the text, or a run that it uses, is saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sojourn.errors import InputError
from sojourn.report.answers import LIBRARY
from sojourn.report.build import Report, build, document

_WATCHED = (".typ", ".bib", ".md", ".txt", ".csv", ".json", ".yaml", ".jpg", ".jpeg")
_EVERY = 0.2  # seconds between looks


def watch(place: str | Path, *, pause: Callable[[float], object] = time.sleep) -> Iterator[Report | InputError]:
    """Builds the PDF at once and after every change, for ever; what each build made, or the error that it met.

    Args:
        pause: called with seconds between two looks.
    """
    path = document(place)
    read: frozenset[Path] = frozenset()
    while True:
        before = _state(path, read)
        try:
            report = build(path)
            read = report.read
            yield report
        except InputError as error:
            yield error
        # files of runs that the build named only now count as seen
        before = _state(path, read) | before
        while _state(path, read) == before:
            pause(_EVERY)


def _state(path: Path, read: frozenset[Path]) -> dict[Path, tuple[int, int]]:
    """Sizes and times of all that a build reads: not what it writes."""
    folder = path.parent
    files = [p for p in folder.glob("*") if p.suffix in _WATCHED and not p.name.endswith(".lock.json")]
    files += [*(folder / LIBRARY).glob("*.typ"), *read]
    found = {}
    for file in files:
        try:
            info = file.stat()
        except OSError:
            continue  # saved by renaming, or deleted
        found[file] = (info.st_mtime_ns, info.st_size)
    return found
