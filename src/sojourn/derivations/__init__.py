"""Derivations as data: read from LaTeX or Typst, checked line by line, printed in Typst.

`sojourn derive check FILE` and a report's `#derivation("ddpm/posterior")` both come here. Only checking needs SymPy.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sojourn.errors import InputError
from sojourn.folders import cache_folder

if TYPE_CHECKING:
    from sojourn.derivations.checking import Checked
    from sojourn.derivations.document import Document

LIBRARY = Path(__file__).parent / "library"


def shipped() -> list[str]:
    """The names of the derivations that come with Sojourn, such as "ddpm/posterior"."""
    return sorted(path.relative_to(LIBRARY).with_suffix("").as_posix() for path in LIBRARY.rglob("*.md"))


def find(name: str | Path) -> Path:
    """The file of a shipped derivation, or of one's own.

    Raises:
        InputError: there is none.
    """
    path = Path(name)
    if path.is_file():
        return path
    if str(name) in shipped():
        return LIBRARY / f"{name}.md"
    raise InputError(f"no derivation at {name}; name a file (.md or .typ), or one of {', '.join(shipped())}")


def read(name: str | Path) -> Document:
    """Reads a derivation.

    Raises:
        InputError: there is none, or it cannot be read; the message begins with file and line.
    """
    from sojourn.derivations import document

    path = find(name)
    return document.read(path, name=str(name) if str(name) in shipped() else str(path))


def check(name: str | Path) -> Checked:
    """Checks a derivation up to the first line that does not follow.

    Raises:
        InputError: it cannot be read or evaluated; the message begins with file and line.
    """
    from sojourn.derivations.checking import check as check_document

    return check_document(read(name))


def typeset(name: str | Path, lang: str) -> str:
    """A checked derivation as Typst markup, with a line on how it was checked.

    What was found is remembered in the user's cache folder under a digest of the file and of the checker, so that a
    text is checked once.

    Raises:
        InputError: a line cannot be read, or does not follow; the message begins with file and line.
    """
    from sojourn.derivations import typesetting

    document = read(name)
    return typesetting.document(document, lang, _statuses(find(name), document))


def _statuses(path: Path, document: Document) -> dict[int, str]:
    """Line -> what was found of it."""
    from sojourn.runs import write_json

    digest = hashlib.sha256(path.read_bytes())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    folder = cache_folder("SOJOURN_CHECKED", "derivations")
    kept = folder / f"{digest.hexdigest()[:32]}.json"
    try:
        return {int(line): str(status) for line, status in json.loads(kept.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        pass
    from sojourn.derivations.checking import check as check_document

    checked = check_document(document)
    if checked.counterexample is not None:
        raise InputError(f"{document.name}:{checked.counterexample.line}: {checked.counterexample}")
    statuses = {verdict.line: verdict.status for verdict in checked.verdicts}
    with contextlib.suppress(OSError):  # a folder that cannot be written costs time only
        folder.mkdir(parents=True, exist_ok=True)
        write_json(kept, statuses)
    return statuses
