"""Where headings, items, displayed formulas and prose stand in a Markdown or Typst text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sojourn.derivations.notation.tokens import Misread


@dataclass(frozen=True)
class Piece:
    """`kind` is "heading" (with its level), "item", "given" (a displayed formula in an item), "display" or "prose";
    text[start:stop] is its part of the file, for formulas without their marks."""

    kind: str
    start: int
    stop: int
    level: int = 0


_ENVIRONMENT = r"\\begin\{(?P<env>(?:align|equation|gather|aligned|split|multline|alignat)\*?)\}.*?\\end\{(?P=env)\}"
_FORMULA = {
    "latex": re.compile(
        r"(?P<skip>\\[^\[(b]|\\b(?!egin)|`[^`\n]*`)"
        r"|\$\$(?P<dollars>(?:\\(?:text|mbox)\{[^{}$]*(?:\$[^$\n]*\$[^{}$]*)+\}|\\.|[^\\$])*)\$\$"
        r"|\\\[(?P<square>.*?)\\\]|(?P<bare>" + _ENVIRONMENT + ")"
        r"|\$(?P<inline>(?:\\.|[^\\$\n]|\n(?!\s*\n))+)\$|\\\((?P<round>.*?)\\\)|(?P<open>\$\$|\\\[)",
        re.DOTALL,
    ),
    "typst": re.compile(
        r'(?P<skip>\\.|`[^`\n]*`)|\$(?P<dollars>(?:"(?:\\.|[^"\\])*"|\\.|[^\\$"])*)\$|(?P<open>\$)', re.DOTALL
    ),
}
_HIDDEN = {
    "latex": re.compile(r"\A---\n.*?\n---[ \t]*$|<!--.*?-->", re.DOTALL | re.MULTILINE),
    "typst": re.compile(r"(?<![:\w/])//[^\n]*|/\*.*?\*/|^[ \t]*#[^\n]*", re.DOTALL | re.MULTILINE),
}
_FENCE = re.compile(
    r"^[ \t]*(?P<fence>```+|~~~+)[ \t]*(?P<info>[^\n]*)\n(?P<body>.*?)^[ \t]*(?P=fence)[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
_HEADING = {
    "latex": re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*$"),
    "typst": re.compile(r"(={1,6})\s+(.*?)\s*(?:<[\w:-]+>)?\s*$"),
}
_ITEM = {"latex": re.compile(r"\s*[-*]\s+"), "typst": re.compile(r"\s*-\s+")}
_MARK = "\0"  # stands where a displayed formula was


def pieces(text: str, syntax: str) -> list[Piece]:
    """The pieces of a text, in order; code, comments and Typst's # lines are none.

    Raises:
        Misread: a displayed formula is not closed.
    """
    found: list[Piece] = []
    masked = text

    def mask(start: int, stop: int, by: str) -> None:
        nonlocal masked
        masked = masked[:start] + re.sub(r"[^\n]", by, masked[start:stop]) + masked[stop:]

    for fence in _FENCE.finditer(text):
        if fence["info"].strip().lower() == "math":
            found.append(Piece("display", fence.start("body"), fence.end("body")))
            mask(fence.start(), fence.end(), _MARK)
        else:
            mask(fence.start(), fence.end(), " ")
    for hidden in _HIDDEN[syntax].finditer(masked):
        mask(hidden.start(), hidden.end(), " ")
    for formula in _FORMULA[syntax].finditer(masked):
        if formula["open"]:
            what = "a displayed formula is not closed" if syntax == "latex" else "a formula is not closed"
            raise Misread(what, formula.start(), f'add "{formula["open"].replace("[", "]")}" at its end')
        for name in ("dollars", "square", "bare"):
            inside = formula.groupdict().get(name)
            shown = syntax == "latex" or (inside is not None and inside[:1].isspace() and inside[-1:].isspace())
            if inside is not None and shown:
                found.append(Piece("display", formula.start(name), formula.end(name)))
                mask(formula.start(), formula.end(), _MARK)
    lines = list(_lines(masked, syntax))
    givens = [(p.start, p.stop) for p in lines if p.kind == "given"]
    shown = [
        Piece("given", p.start, p.stop) if any(start <= p.start < stop for start, stop in givens) else p for p in found
    ]
    return sorted([*shown, *(p for p in lines if p.kind != "given")], key=lambda p: p.start)


def inline(text: str, syntax: str) -> list[tuple[int, int]]:
    """Where the inline formulas of a piece stand, without their marks."""
    found = []
    for formula in _FORMULA[syntax].finditer(text):
        for name in ("inline", "round") if syntax == "latex" else ("dollars",):
            if formula.groupdict().get(name) is not None:
                found.append((formula.start(name), formula.end(name)))
    return found


def _lines(masked: str, syntax: str) -> Iterator[Piece]:
    """Headings, items and prose of a text whose displayed formulas are masked; "given" where these are an item's."""
    kind, start, stop = "", 0, 0
    place = 0

    def flush() -> Iterator[Piece]:
        nonlocal kind
        if kind:
            yield Piece(kind, start, stop)
        kind = ""

    in_item = False
    for chunk in re.findall(
        r"[^\n\0]*\0+|[^\n\0]*\n|[^\n\0]+\Z", masked
    ):  # lines, and parts of them up to a displayed formula
        fresh = place == 0 or masked[place - 1] == "\n"
        heading = _HEADING[syntax].match(chunk) if fresh and _MARK not in chunk else None
        item = _ITEM[syntax].match(chunk) if fresh else None
        words = chunk[item.end() if item else 0 :].replace(_MARK, "").strip()
        if not re.search(r"\w|\$", words):
            words = ""
        if heading:
            yield from flush()
            in_item, words = False, ""
            yield Piece("heading", place + heading.start(2), place + heading.end(2), len(heading[1]))
        elif item:
            yield from flush()
            in_item = True
            if words:
                kind, start = "item", place + item.end()
        elif not chunk.strip():
            yield from flush()
        elif fresh and not chunk[0].isspace() and (kind != "item" or _MARK in chunk or syntax == "typst"):
            if kind == "item":
                yield from flush()
            in_item = False
        if words and not kind:
            kind, start = "item" if in_item else "prose", place + len(chunk) - len(chunk.lstrip())
        if words:
            stop = place + len(chunk.rstrip("\0 \t\n"))
        if _MARK in chunk:
            yield from flush()
            if in_item:
                yield Piece("given", place, place + len(chunk))
        place += len(chunk)
    yield from flush()
