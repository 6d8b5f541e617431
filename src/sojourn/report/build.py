"""`sojourn report build`: ask the text what it needs, find it, and typeset.

1. Typst is asked for every <sojourn-need> of the text. 2. Runs, papers and derivations answer; what is wrong is handed
back to Typst, which stops at the call that asked for it, so that the error names its line. 3. data.json and copies of
the figures go into sojourn/ beside the text, so that an editor's preview shows the same. 4. The pages are set.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sojourn.errors import InputError
from sojourn.report import lock, papers
from sojourn.report.answers import LIBRARY, Answers
from sojourn.report.fonts import Chinese, chinese
from sojourn.report.typesetting import Document, Format
from sojourn.runs import write_json, write_text

FORMATS: tuple[Format, ...] = ("pdf", "png", "svg")


@dataclass(frozen=True)
class Report:
    """What a build made.

    Attributes:
        files: the PDF and pages.
        warnings: Typst's, a line each.
        read: files of runs and the user's derivations, which a rebuild depends on.
    """

    files: tuple[Path, ...]
    warnings: tuple[str, ...]
    read: frozenset[Path]


def build(place: str | Path, *, formats: Sequence[Format] = ("pdf",), update: bool = False) -> Report:
    """Typesets the week.typ of a report's folder, or another .typ file in it, beside itself.

    Args:
        formats: of "pdf", "png" (200 pixels an inch) and "svg"; the last two give one file a page.
        update: accept figures and values that have changed since the report first used them.

    Raises:
        InputError: one line with file, line and remedy, for all that is missing, stale, double or misspelt.
    """
    path = document(place)
    folder = path.parent
    if not all(os.access(place, os.W_OK) for place in (folder, folder / LIBRARY)):
        raise InputError(f"{folder} cannot be written to; copy it to where it can, and build it there")
    found_fonts = chinese(folder / "fonts")
    own = [folder / "fonts"] if (folder / "fonts").is_dir() else []
    text = Document(path, tuple(dict.fromkeys([*own, *found_fonts.folders])))
    prepare(folder, found_fonts)
    needs = text.needs()
    answers = _answered(path, needs, found_fonts)
    hashes = lock.read(_lock(path))
    if not update:
        answers.problems |= lock.stale(hashes, answers.hashes, answers.asked)
    if answers.problems:
        text.needs(answers.problems)
        raise InputError(f"{path}: {next(iter(answers.problems.values()))}")
    _publish(folder, path.stem, answers, found_fonts)
    # the PDF comes first whatever is wanted: only its standard looks for characters that no font has
    pages, warnings = text.typeset("pdf")
    files = [_write(path.with_suffix(".pdf"), pages[0])] if "pdf" in formats else []
    for form in FORMATS[1:]:
        if form in formats:
            files += _pages(path, form, text.typeset(form)[0])
    write_json(_lock(path), dict(sorted((({} if update else hashes) | answers.hashes).items())))
    return Report(tuple(files), tuple(warnings), frozenset(answers.read))


def document(place: str | Path) -> Path:
    """The .typ file that a place means.

    Raises:
        InputError: there is none, or its folder was not made by `sojourn report new`.
    """
    given = Path(place)
    path = given / "week.typ" if given.is_dir() else given
    if not path.is_file() or path.suffix != ".typ":
        others = ", ".join(sorted(p.name for p in given.glob("*.typ"))) if given.is_dir() else ""
        hint = f"it has {others}; name one of them" if others else "`sojourn report new` makes one"
        raise InputError(f"no report at {given}; {hint}")
    if not (path.parent / LIBRARY / "report.typ").is_file():
        raise InputError(f"{path.parent} has no {LIBRARY}/report.typ; `sojourn report new` makes a folder that has")
    return path


def prepare(folder: Path, fonts: Chinese) -> None:
    """Makes the files that the Typst library reads, where there are none yet."""
    data = folder / LIBRARY / "data.json"
    if not data.is_file():
        write_json(data, {"fonts": _families(fonts), "found": {}, "used": {}})
    if _read(data)["fonts"] != _families(fonts):
        write_json(data, _read(data) | {"fonts": _families(fonts)})
    write_text(folder / LIBRARY / "references.bib", papers.text(folder))


def _answered(path: Path, needs: list[list[str]], fonts: Chinese) -> Answers:
    if not needs or needs[0][0] != "report":
        raise InputError(
            f'{path}: it never calls report; begin with #show: report.with(week: "2025-09-08", lang: "en")'
        )
    _, week, lang = needs[0]
    if lang not in ("zh", "en"):
        raise InputError(f'{_call(path)}: lang: "{lang}" is not here; write "zh" or "en"')
    if lang == "zh" and not fonts.song:
        raise InputError(f"{_call(path)}: there is no Chinese font here; pip install 'sojourn[zh]' brings one")
    try:
        monday = date.fromisoformat(week)
    except ValueError:
        raise InputError(f'{_call(path)}: week: "{week}" is not a day such as 2025-09-08') from None
    answers = Answers(path.parent, monday - timedelta(days=monday.weekday()), lang)
    for words in dict.fromkeys(map(tuple, needs)):
        answers.answer(list(words))
    return answers


def _call(path: Path) -> str:
    """The place of the call of report, which Typst does not tell of show rules."""
    before, call, _ = path.read_text(encoding="utf-8").partition("report.with(")
    return f"{path}:{before.count(chr(10)) + 1}" if call else str(path)


def _publish(folder: Path, stem: str, answers: Answers, fonts: Chinese) -> None:
    """Writes data.json, and removes copies of figures that no document of the folder uses any more."""
    data = folder / LIBRARY / "data.json"
    before = _read(data)
    used = {name: keys for name, keys in before["used"].items() if (folder / f"{name}.typ").is_file()}
    used[stem] = sorted(answers.found)
    needed = {key for keys in used.values() for key in keys}
    found = {key: value for key, value in sorted((before["found"] | answers.found).items()) if key in needed}
    after = {"fonts": _families(fonts), "found": found, "used": used}
    if after != before:
        write_json(data, after)
    kept = json.dumps(found, ensure_ascii=False)
    for kind in ("figures", "derivations"):
        for path in (folder / LIBRARY / kind).glob("*"):
            if f"{kind}/{path.name}" not in kept:
                path.unlink()


def _pages(path: Path, form: str, pages: list[bytes]) -> list[Path]:
    """One file a page; pages of an earlier, longer report go."""
    digits = len(str(len(pages)))
    files = [_write(path.with_name(f"{path.stem}-{k:0{digits}}.{form}"), page) for k, page in enumerate(pages, 1)]
    for old in path.parent.glob(f"{path.stem}-*.{form}"):
        if old not in files and re.fullmatch(rf"{re.escape(path.stem)}-\d+\.{form}", old.name):
            old.unlink()
    return files


def _write(path: Path, content: bytes) -> Path:
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    beside.write_bytes(content)
    os.replace(beside, path)
    return path


def _lock(path: Path) -> Path:
    return path.with_suffix(".lock.json")


def _families(fonts: Chinese) -> dict[str, str]:
    return {"song": fonts.song, "hei": fonts.hei, "kai": fonts.kai}


def _read(data: Path) -> dict[str, Any]:
    try:
        return json.loads(data.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{data} cannot be read: {error}; delete it, a build makes it anew") from None
