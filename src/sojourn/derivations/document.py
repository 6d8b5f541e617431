"""A derivation's file as a document: what is given, the steps, and what is for the reader, each with its line."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

from sojourn.derivations import markup
from sojourn.derivations.notation import grammar, statements
from sojourn.derivations.notation.nodes import (
    Belongs,
    Call,
    Derivative,
    Differential,
    Distributed,
    Gradient,
    Mapping,
    Node,
    Relation,
    Symbol,
    key,
)
from sojourn.derivations.notation.tokens import Misread, Token
from sojourn.derivations.rows import rows
from sojourn.errors import InputError

LARGEST = 500_000  # characters of a file
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\u3000-\u303f\uff00-\uffef]")


@dataclass(frozen=True)
class Heading:
    line: int
    text: str
    level: int


@dataclass(frozen=True)
class Prose:
    line: int
    text: str


@dataclass(frozen=True)
class Given:
    """A list item: its text as it stands, and what its formulas say."""

    line: int
    source: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Step:
    """One printed line of a displayed formula.

    Attributes:
        line: where its first relation stands.
        source: the formula as it was written, on one line.
        relation: a `Relation`, whose first side is None where the line goes on from the one before; or a `Distributed`
            or `Belongs`.
        reason: text with formulas between dollars, in both languages if there are two; "" if there is none.
        block: the number of the displayed formula that it stands in.
    """

    line: int
    source: str
    relation: Node
    reason: str
    block: int


@dataclass(frozen=True)
class Document:
    """`kinds` tells what names are, as `grammar.Reader` wants it."""

    title: str
    entries: tuple[Heading | Prose | Given | Step, ...]
    name: str
    syntax: str
    kinds: dict[str, str]


def read(source: Path | str, *, name: str = "", syntax: str = "") -> Document:
    """Reads a derivation from a file, or from a text, in Markdown with LaTeX ("latex") or in Typst ("typst").

    Without `syntax`, a name that ends with .typ is Typst.

    Raises:
        InputError: it cannot be read; one line with file, line, what is wrong, the place and the remedy.
    """
    name = name or (str(source) if isinstance(source, Path) else "text")
    if isinstance(source, Path):
        syntax = syntax or ("typst" if source.suffix == ".typ" else "latex")
        try:
            source = source.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{name}: it cannot be read ({error}); give a text file in UTF-8") from None
    syntax = syntax or ("typst" if name.endswith(".typ") else "latex")
    if syntax not in grammar.SYNTAXES:
        raise InputError(f'syntax="{syntax}" is unknown; choose one of {", ".join(grammar.SYNTAXES)}')
    text = source.replace("\r\n", "\n").replace("\0", " ").lstrip("\ufeff")
    if len(text) > LARGEST:
        raise InputError(f"{name}: {len(text)} characters; at most {LARGEST} are read, split the file")
    try:
        document = _Reading(text, name, syntax, {}).document()
        called = _called_only(document)
        return _Reading(text, name, syntax, called).document() if called else document
    except Misread as error:
        raise InputError(_located(error, text, name)) from None


def in_language(text: str, lang: str) -> str:
    """The part of "English | 中文" in the language "en" or "zh"; all of a text without a bar outside its formulas."""
    bars = _bars(text)
    if not bars:
        return text.strip()
    bar = next((b for b in bars if not _CHINESE.search(text[:b]) and _CHINESE.search(text[b:])), bars[0])
    return (text[bar + 1 :] if lang == "zh" else text[:bar]).strip()


def _bars(text: str) -> list[int]:
    """Where bars stand outside formulas and code."""
    hidden = re.sub(
        r"\\.|\$(?:\\.|[^$\\])*\$|`[^`]*`|\\\(.*?\\\)", lambda found: " " * len(found[0]), text, flags=re.DOTALL
    )
    return [found.start() for found in re.finditer(r"\|", hidden)]


class _Reading:
    def __init__(self, text: str, name: str, syntax: str, kinds: dict[str, str]) -> None:
        self.text, self.name, self.syntax, self.kinds = text, name, syntax, dict(kinds)
        self.drawn: set[str] = set()  # letters with a law
        self.breaks = [i for i, character in enumerate(text) if character == "\n"]

    def document(self) -> Document:
        title, entries = "", []
        for block, piece in enumerate(markup.pieces(self.text, self.syntax)):
            inside = re.sub(r"\s+", " ", self.text[piece.start : piece.stop]).strip()
            if piece.kind == "heading" and not title:
                title = inside
            elif piece.kind == "heading":
                entries.append(Heading(self.line(piece.start), inside, piece.level))
            elif piece.kind == "prose":
                entries.append(Prose(self.line(piece.start), inside))
            elif piece.kind == "item":
                entries.append(Given(self.line(piece.start), inside, tuple(self.item(piece))))
            elif piece.kind == "given":
                entries.append(self.given(piece, inside))
            else:
                entries += self.steps(piece, block)
        return Document(title, tuple(entries), self.name, self.syntax, self.kinds)

    def line(self, at: int) -> int:
        return bisect_right(self.breaks, at - 1) + 1

    def tokens(self, start: int, stop: int) -> list[Token]:
        return grammar.SYNTAXES[self.syntax](self.text[start:stop])

    def item(self, piece: markup.Piece) -> Iterator[Node]:
        for start, stop in markup.inline(self.text[piece.start : piece.stop], self.syntax):
            yield from self.said(piece.start + start, piece.start + stop)

    def given(self, piece: markup.Piece, inside: str) -> Given:
        return Given(self.line(piece.start), f"${inside}$", tuple(self.said(piece.start, piece.stop)))

    def said(self, start: int, stop: int) -> Iterator[Node]:
        try:
            tokens = self.tokens(start, stop)
            for part in statements.split(tokens):
                self.claim(part)
            for node in statements.statements(tokens, self.kinds):
                self.learn(node)
                yield node
        except Misread as error:
            raise Misread(error.what, start + error.at, error.remedy) from None

    def claim(self, part: list[Token]) -> None:
        """Learns what an item defines before it is read: I = ... is no identity, E(z) = ... no mean, u(t) = u_0 - t no
        product although u_0 is a number."""
        first, texts = part[0], [token.text for token in part]
        if first.kind != "name" or first.style or len(part) < 2:
            return
        if first.text == "I" and part[1].kind == "relation" and texts[1] in ("=", "define"):
            self.kinds.setdefault("I", "number")
        called = len(part) > 4 and texts[1] == "(" and part[2].kind == "name" and texts[3] == ")"
        if called and part[4].kind == "relation" and texts[4] in ("=", "define") and texts[2] not in self.drawn:
            self.kinds[first.text] = "function"

    def steps(self, piece: markup.Piece, block: int) -> Iterator[Step]:
        inside = self.text[piece.start : piece.stop]
        try:
            tokens = self.tokens(piece.start, piece.stop)
            for row in rows(tokens, inside):
                first = next(t for t in row.tokens if t.kind == "relation")
                node = statements.step(row.tokens, self.kinds)
                self.learn(node)
                yield Step(
                    self.line(piece.start + first.at), _source(row.tokens, tokens, inside), node, row.reason, block
                )
        except Misread as error:
            raise Misread(error.what, piece.start + error.at, error.remedy) from None

    def learn(self, node: Node) -> None:
        """Keeps what a statement tells of its names."""
        match node:
            case Mapping(symbol=symbol, target=target):
                self.kinds[key(symbol)] = "function" if target is None else "field"
            case Belongs(symbols=symbols, kind=kind):
                self.call_all(symbols, "vector" if kind in ("vector", "matrix") else "number")
            case Distributed(symbols=symbols, law=law):
                self.drawn |= {part.name for part in symbols if isinstance(part, Symbol)}
                vectors = any(isinstance(part, Symbol) and self.kinds.get(key(part)) == "vector" for part in symbols)
                identity = any(getattr(part, "name", "") == "identity" for part in _walk(law))
                self.call_all(symbols, "vector" if vectors or identity else "number")
            case Relation(sides=sides, signs=signs):
                self.learn_relation(sides, signs)

    def learn_relation(self, sides: tuple[Node | None, ...], signs: tuple[str, ...]) -> None:
        first = sides[0]
        if signs[0] in ("=", "define") and isinstance(first, Call):
            self.kinds[key(first.head)] = "function"
        elif signs[0] in ("=", "define") and isinstance(first, Differential):
            for part in _walk(Relation(sides, signs)):
                if isinstance(part, Differential) and isinstance(part.body, Symbol) and part.body.name != "t":
                    self.kinds.setdefault(key(part.body), "process")
        elif isinstance(first, Symbol) and signs[0] in ("=", "define") and len(sides) == 2:
            right = grammar.Reader([], self.kinds).is_vector(sides[1])
            self.call_all((first,), "vector" if right else "number")
        else:
            self.call_all(tuple(s for s in sides if isinstance(s, Symbol)), "number")

    def call_all(self, symbols: tuple[Node, ...], kind: str) -> None:
        for symbol in symbols:
            if isinstance(symbol, Symbol):
                self.kinds.setdefault(key(symbol), kind)


def _walk(node: object) -> Iterator[object]:
    """A tree's nodes."""
    if isinstance(node, tuple):
        for part in node:
            yield from _walk(part)
    elif is_dataclass(node):
        yield node
        for part in fields(node):
            yield from _walk(getattr(node, part.name))


def _called_only(document: Document) -> dict[str, str]:
    """Names that nobody declared and that are nowhere without a bracket: functions, also of longer arguments."""
    called: set[str] = set()
    bare: set[str] = set()
    for entry in document.entries:
        trees = entry.nodes if isinstance(entry, Given) else entry.relation if isinstance(entry, Step) else ()
        acted_on = {id(n.body) for n in _walk(trees) if isinstance(n, Derivative | Gradient)}
        heads = {id(n.head) for n in _walk(trees) if isinstance(n, Call)}
        for part in _walk(trees):
            if isinstance(part, Call) and part.head.name not in ("N", "U"):
                called.add(key(part.head))
            elif isinstance(part, Symbol) and id(part) not in heads and id(part) not in acted_on:
                bare.add(key(part))
    return {name: "function" for name in called - bare if document.kinds.get(name) in (None, "function")}


def _source(row: list[Token], tokens: list[Token], text: str) -> str:
    """A row as it was written, without alignment and what ends the line."""
    first, last = min(row, key=lambda token: token.at), max(row, key=lambda token: token.at)
    after = next((token.at for token in tokens if token.at > last.at), len(text))
    raw = text[first.at : after]
    sized = re.search(r"\\(?:left|[bB]igg?l?)\s*$", text[: first.at])
    raw = re.sub(r"&|\\end\{[^}]*\}", " ", (sized[0] if sized else "") + raw)
    return re.sub(r"(?:\s|\\\\|\\q?quad\b|\\$|[,;]$|\.$)+$", "", re.sub(r"\s+", " ", raw).strip())


def _located(error: Misread, text: str, name: str) -> str:
    at = min(max(error.at, 0), max(len(text) - 1, 0))
    line = text.count("\n", 0, at) + 1
    near = (
        re.sub(r"\s+", " ", text[at : at + 40].split("\n")[0]).strip()
        or re.sub(r"\s+", " ", text[max(at - 30, 0) : at + 1]).strip()
    )
    return f'{name}:{line}: {error.what}, near "{near}"; {error.remedy}'
