"""The bibliography of a report: the papers that Sojourn cites, and the user's own BibTeX file beside the report."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from sojourn.errors import InputError

Entry = dict[str, str]


@cache
def shipped() -> tuple[Entry, ...]:
    """The papers that Sojourn cites."""
    return tuple(parse(files("sojourn.report").joinpath("papers.bib").read_text(encoding="utf-8"), "papers.bib"))


def gather(folder: Path) -> list[Entry]:
    """The entries that a report can cite: its references.bib, then the shipped ones that it does not replace."""
    own = parse(_own(folder), str(folder / "references.bib"))
    keys = {entry["key"].lower() for entry in own}
    return own + [entry for entry in shipped() if entry["key"].lower() not in keys]


def text(folder: Path) -> str:
    """The same as BibTeX, and the user's own file as it stands, so that Typst's errors have its lines."""
    own = _own(folder)
    keys = {entry["key"].lower() for entry in parse(own, str(folder / "references.bib"))}
    return own + "\n" + "\n".join(entry["source"] for entry in shipped() if entry["key"].lower() not in keys)


def _own(folder: Path) -> str:
    path = folder / "references.bib"
    try:
        return path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8; save it so") from None


def find(entries: list[Entry], name: str) -> dict[str, Any]:
    """What a report shows of the paper with this key, arXiv number or DOI.

    Raises:
        InputError: there is none.
    """
    wanted = re.sub(r"^(arxiv:|doi:|https?://(dx\.)?(arxiv\.org/abs|doi\.org)/)", "", name.strip().lower())
    wanted = re.sub(r"(?<=\d)v\d+$", "", wanted)
    for entry in entries:
        if wanted in (entry["key"].lower(), entry.get("eprint", "").lower(), entry.get("doi", "").lower()):
            return {
                "key": entry["key"],
                "authors": [_family(author) for author in re.split(r"\s+and\s+", entry.get("author", ""))],
                "year": entry.get("year", entry.get("date", ""))[:4],
                "title": _plain(entry.get("title", "")),
            }
    raise InputError(f'no paper "{name}" is known; add its BibTeX entry to references.bib beside the report')


def parse(bibtex: str, place: str) -> list[Entry]:
    """The entries of BibTeX text: fields in lower case, with "key" and "source", the entry itself.

    Raises:
        InputError: braces that do not close, a field that cannot be read, or two entries of one key; with the line.
    """
    found: list[Entry] = []
    for match in re.finditer(r"@(\w+)\s*\{", bibtex):
        if found and match.start() < int(found[-1]["end"]):
            continue  # an @ within the entry before
        line = bibtex.count("\n", 0, match.start()) + 1
        end = _closing(bibtex, match.end())
        if end is None:
            raise InputError(f"{place}:{line}: the braces of this entry do not close")
        if match[1].lower() in ("comment", "preamble", "string"):
            continue
        key, comma, body = bibtex[match.end() : end].partition(",")
        if not comma or not key.strip():
            raise InputError(f"{place}:{line}: this entry has no key; write @article{{key, title = {{...}}, ...}}")
        if any(entry["key"].lower() == key.strip().lower() for entry in found):
            raise InputError(f"{place}:{line}: two entries have the key {key.strip()}; rename one")
        source = bibtex[match.start() : end + 1] + "\n"
        found.append(_fields(body) | {"key": key.strip(), "source": source, "end": str(end)})
    return found


def _closing(text: str, start: int) -> int | None:
    depth = 1
    for k in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[k], 0) if text[k - 1] != "\\" else 0
        if depth == 0:
            return k
    return None


def _fields(body: str) -> Entry:
    found: Entry = {}
    place = 0
    while match := re.compile(r"\s*,?\s*([\w-]+)\s*=\s*").match(body, place):
        start = match.end()
        if body[start : start + 1] == "{":
            place = (_closing(body, start + 1) or len(body) - 1) + 1
            value = body[start + 1 : place - 1]
        elif body[start : start + 1] == '"':
            end = re.compile(r'(?:[^{}"]|\{(?:[^{}]|\{[^{}]*\})*\})*').match(
                body, start + 1
            )  # quotes in braces are text
            place = (end.end() if end else start) + 1
            value = body[start + 1 : place - 1]
        else:
            end = re.compile(r"[,\s]|$").search(body, start)
            place = end.start() if end else len(body)
            value = body[start:place]
        found[match[1].lower()] = " ".join(value.split())
    return found


_ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "=": "\u0304", ".": "\u0307"}
_ACCENTS |= {"c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "r": "\u030a"}
_LETTERS = {
    "\\o": "ø",
    "\\O": "Ø",
    "\\l": "ł",
    "\\L": "Ł",
    "\\ss": "ß",
    "\\ae": "æ",
    "\\aa": "å",
    "\\i": "i",
    "\\&": "&",
}


def _plain(latex: str) -> str:
    """BibTeX's words without braces, commands of accents as letters."""
    latex = re.sub(r"\\(o|O|l|L|ss|ae|aa|i|&)(?![A-Za-z])\s*", lambda m: _LETTERS["\\" + m[1]], latex)
    accent = r"\\([`'^~\"=.]|[cvuHr](?![A-Za-z]))\s*\{?\s*([A-Za-z])\}?"
    latex = re.sub(accent, lambda m: unicodedata.normalize("NFC", m[2] + _ACCENTS[m[1]]), latex)
    latex = re.sub(r"\\(?:text\w\w|emph)\s*(?=\{)", "", latex)
    latex = re.sub(r"\\([A-Za-z]+)", r"\1", latex)  # of any other command, as \TeX, its name
    return latex.replace("{", "").replace("}", "").replace("--", "–").replace("~", "\u00a0")


def _family(author: str) -> str:
    """The family name; the whole name of an institution in braces, and of a person with a Chinese name."""
    family, comma, given = author.partition(",")
    if re.search("[\u4e00-\u9fff]", family):
        return "".join(_plain(family + given).split())
    words = _plain(family).split(" ")
    return " ".join(words) if comma or author.startswith("{") else words[-1]
