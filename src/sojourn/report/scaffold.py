"""`sojourn report new`: the folder of one week, with a week.typ that opens with what was planned the week before."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

from sojourn.errors import InputError
from sojourn.report.answers import LIBRARY
from sojourn.report.build import prepare
from sojourn.report.fonts import chinese
from sojourn.runs import write_text

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")


def new(week: str | None = None, *, lang: str = "en", author: str = "", reports: str | Path = "reports") -> Path:
    """Makes <reports>/<Monday>/ with week.typ and the Typst library; the folder's path.

    Args:
        week: any day of it, as 2025-09-08; by default today.
        lang: "zh" or "en".
        author: for the first page and the headers.

    Raises:
        InputError: the week is no date, the language is not here, the folder cannot be made, or it is not empty:
            nothing is overwritten.
    """
    day = monday(week)
    if lang not in ("zh", "en"):
        raise InputError(f"lang={lang!r} is not here; choose zh or en")
    folder = Path(reports) / day.isoformat()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder} exists and is not empty; nothing was changed; build it, or choose another --week or --dir"
        )
    planned = last_plan(Path(reports), day)
    here = files("sojourn.report")
    text = here.joinpath("templates", f"week.{lang}.typ").read_text(encoding="utf-8")
    try:
        lay_library(folder)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{folder} cannot be made: {reason}; choose another --dir") from None
    text = text.replace("WEEK", day.isoformat()).replace("FOLDER", as_word(folder))
    text = text.replace("AUTHOR", json.dumps(author, ensure_ascii=False))
    write_text(folder / "week.typ", text.replace("PLANNED\n", _ticks(planned)))
    return folder


def as_word(path: Path) -> str:
    """A path as a command line takes it: in quotation marks where it holds blanks."""
    text = path.as_posix()
    return f'"{text}"' if re.search(r"[\s()&;]", text) else text


def lay_library(folder: Path) -> None:
    """Puts the Typst library into a report's folder, as sojourn/ beside its texts; files that are there stay."""
    library = folder / LIBRARY
    library.mkdir(parents=True, exist_ok=True)
    for source in files("sojourn.report").joinpath("typst").iterdir():
        if source.name.endswith(".typ") and not (library / source.name).exists():
            write_text(library / source.name, source.read_text(encoding="utf-8"))
    prepare(folder, chinese(folder / "fonts"))


def monday(week: str | None) -> date:
    """The Monday of the week of a day, by default of today.

    Raises:
        InputError: it is not a date.
    """
    try:
        day = date.fromisoformat(week) if week is not None else date.today()
    except ValueError:
        raise InputError(f"week={week!r} is not a day such as 2025-09-08") from None
    return day - timedelta(days=day.weekday())


def last_plan(reports: Path, before: date) -> list[str]:
    """The items of #plan in the newest earlier report of a folder, as lines of Typst; none where there is no report."""
    earlier = sorted(p for p in reports.glob("*/week.typ") if _DATED.fullmatch(p.parent.name))
    earlier = [path for path in earlier if path.parent.name < before.isoformat()]
    return [] if not earlier else plan_items(earlier[-1].read_text(encoding="utf-8"))


def plan_items(text: str) -> list[str]:
    """The list items within `#plan[...]` of a Typst text: their lines, without the marker of the first."""
    items: list[str] = []
    for body in _bodies(text):
        for line in body.splitlines():
            if match := re.match(r"\s*(?:[-+]|\d+\.)\s+(.*)", line):
                items.append(match[1].strip())
            elif line.strip() and items:
                items[-1] += "\n    " + line.strip()
    return [item for item in items if item]


def _bodies(text: str) -> list[str]:
    """What stands between the brackets of every #plan, comments taken out."""
    # strings, comments (not the // of a link), raw text, formulas and escaped characters may hold brackets that close
    # nothing
    opaque = r'"(?:\\.|[^"\\\n])*"|' r"(?<!:)//[^\n]*|/\*.*?\*/|`+.*?`+|\\.|\$(?:\\.|[^$\\])*\$"
    found = []
    for start in (m.end() for m in re.finditer(r"(?m)^\s*#plan\[", text)):
        depth, body = 1, ""
        for token in re.finditer(rf"{opaque}|.", text[start:], re.DOTALL):
            depth += {"[": 1, "]": -1}.get(token[0], 0)
            if depth == 0:
                found.append(body)
                break
            body += "" if token[0].startswith(("//", "/*")) else token[0]
    return found


def _ticks(items: list[str]) -> str:
    if not items:
        return ""
    return "\n#last-week-plan[\n" + "".join(f"  - [ ] {item}\n" for item in items) + "]\n"
