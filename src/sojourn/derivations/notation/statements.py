r"""What is said of symbols: x \in S, x \sim law, f: A \to B, relations; several in one formula, between commas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from sojourn.derivations.notation import grammar, nodes, operands, symbols
from sojourn.derivations.notation.nodes import (
    Belongs,
    Constant,
    Distributed,
    Dots,
    Multiply,
    Node,
    Number,
    Relation,
    Symbol,
)
from sojourn.derivations.notation.tokens import Misread, Token

if TYPE_CHECKING:
    from sojourn.derivations.notation.grammar import Reader


def statements(tokens: Sequence[Token], kinds: Mapping[str, str]) -> tuple[Node, ...]:
    r"""The statements of one inline formula, none if it only mentions something; "t = 1, \dots, T" is a `Belongs`.

    Raises:
        Misread: a statement cannot be read.
    """
    out: list[Node] = []
    pending: list[Node] = []  # x in "x, y \in S"
    segments = list(split(tokens))
    while segments:
        segment = segments.pop(0)
        if not has_relation(segment):
            pending += _mention(segment, kinds) if any(has_relation(later) for later in segments) else []
            continue
        found = _statement(segment, kinds, pending)
        dots = next((i for i, s in enumerate(segments[:4]) if s[0].kind == "dots"), None)
        if dots is not None and dots + 1 < len(segments) and not any(has_relation(s) for s in segments[: dots + 2]):
            last = grammar.expression(segments[dots + 1], kinds)
            out.append(_listed(segment, found, pending, last))
            del segments[: dots + 2]
        else:
            out += found
        pending = []
    return tuple(out)


def split(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The parts between commas, semicolons, wide blanks and words outside brackets."""
    depth, part = 0, []
    for index, token in enumerate(tokens):
        depth += {"open": 1, "begin": 1, "close": -1, "end": -1}.get(token.kind, 0)
        ends = token.kind in ("quad", "align", "row", "then") or (token.kind == "sign" and token.text in (",", ";"))
        last = index == len(tokens) - 1
        if token.kind == "word" and not (grammar.is_name(token.text) and _in_formula(tokens, index)):
            ends = True
        if depth == 0 and (ends or (token.kind == "stop" and last)):
            if part:
                yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


def _in_formula(tokens: Sequence[Token], index: int) -> bool:
    """Whether a word stands where a symbol may: beside a sign, a relation or a bracket."""
    around = [tokens[i] for i in (index - 1, index + 1) if 0 <= i < len(tokens)]
    return any((t.kind == "sign" and t.text not in (",", ";", ".")) or t.kind in ("relation", "open") for t in around)


def has_relation(tokens: Sequence[Token]) -> bool:
    """Whether a relation stands outside brackets."""
    depth = 0
    for token in tokens:
        depth += {"open": 1, "begin": 1, "close": -1, "end": -1}.get(token.kind, 0)
        if depth == 0 and token.kind == "relation":
            return True
    return False


def event(reader: Reader) -> Node:
    """A relation, membership or law inside brackets, or an expression."""
    first = symbols.ranged(reader)
    if reader.at("relation", "in"):
        return membership(reader, (first,))
    if reader.at("relation", "~"):
        reader.take()
        return Distributed((first,), reader.sum())
    return reader.chain(first)


def membership(reader: Reader, symbols: tuple[Node, ...]) -> Belongs:
    r"""The set after \in."""
    token = reader.take()
    if reader.at("set"):
        kind, low, high = _numbers(reader)
        return Belongs(symbols, kind, low, high)
    if reader.at("open", "{"):
        return _listed_set(reader, symbols)
    if not reader.at("open", "(", "["):
        raise reader.misread(
            "a set is not known", r"write \mathbb{R}, \mathbb{R}^d, [a, b], \{1, \dots, T\} or \mathbb{N}", token
        )
    opening = reader.take()
    with reader.within(""):
        low = reader.sum()
        if opening.text == "[" and reader.at("close", "]"):
            reader.take()
            return Belongs(symbols, "integers", Number(Fraction(1), "1"), low)  # i \in [n]
        reader.expect("sign", ",", what="the comma of an interval")
        high = reader.sum()
        closing = reader.expect("close", ")", "]", what="the end of an interval")
    return Belongs(symbols, "interval", low, high, ends=opening.text + closing.text)


def _numbers(reader: Reader) -> tuple[str, Node | None, Node | None]:
    r"""R, R^d, R^{m \times n}, R_+, R_{>0}, N, Z: kind and sizes or bounds."""
    letter = reader.take().text
    zero, infinity = Number(Fraction(0), "0"), Constant("infinity")
    kind: tuple[str, Node | None, Node | None] = {"R": "real", "N": "natural", "Z": "integers"}[letter], None, None
    while reader.at("sign", "_", "^"):
        raising = reader.take().text == "^"
        inner = reader.peek(1)
        if inner is not None and (inner.kind == "relation" or inner.text == "+"):
            reader.expect("begin", what="an argument")
            while not reader.at("end"):
                reader.take()
            reader.take()
            kind = ("interval", zero, infinity) if letter == "R" else ("natural", None, None)
            continue
        size = reader.group()
        if not raising or letter != "R":
            continue  # \mathbb{N}_0
        if isinstance(size, Multiply) and size.sign == "times" and len(size.factors) == 2:
            kind = ("matrix", size.factors[0], size.factors[1])
        else:
            kind = ("vector", size, None)
    return kind


def _listed_set(reader: Reader, symbols: tuple[Node, ...]) -> Belongs:
    found = operands.listed(reader)
    if Dots() in found:
        return Belongs(symbols, "integers", found[0], found[-1])
    return Belongs(symbols, "values", values=found)


def _mention(segment: list[Token], kinds: Mapping[str, str]) -> list[Node]:
    """A symbol of a list, or nothing if it is something else."""
    try:
        return [grammar.expression(segment, kinds)]
    except Misread:
        return []


def _statement(segment: list[Token], kinds: Mapping[str, str], pending: list[Node]) -> list[Node]:
    reader = grammar.Reader(segment, kinds)
    if segment[0].kind == "dif" or (segment[0].kind == "name" and segment[0].text == "d" and len(segment) > 1):
        reader.differentials = reader.differentials or segment[1].kind in ("name", "accent")
    found = _read(reader, pending)
    if (token := reader.peek()) is not None:
        raise reader.misread(f"{grammar.described(token)} does not fit here", "check brackets and signs before it")
    return found


def _read(reader: Reader, pending: list[Node]) -> list[Node]:
    first = reader.sum()
    symbols = (*pending, first)
    if reader.at("sign", ":"):
        reader.take()
        return _mappings(reader, symbols)
    if reader.at("relation", "in"):
        return [membership(reader, symbols)]
    if reader.at("relation", "~"):
        reader.take()
        law = reader.sum()
        defined = reader.chain(law)
        return [Distributed(symbols, law), *([defined] if defined is not law else [])]
    relation = reader.chain(first)
    if not isinstance(relation, Relation):
        raise reader.misread("a statement is not read", r"write x \in S, x \sim law, f: A \to B or a relation")
    if reader.at("relation", "in"):  # 0 < a \in R
        return [relation, membership(reader, (relation.sides[-1],))]
    mentioned = {nodes.key(first)} if isinstance(first, Symbol) else set()
    others = [
        p
        for p in pending
        if not any(isinstance(s, Symbol) and nodes.key(s) in mentioned for s in getattr(p, "subscript", ()))
    ]
    if any(isinstance(p, Dots) for p in others):
        raise reader.misread("a relation of a list with dots", r"write x_i > 0, with 1 \le i \le n")
    return [*(Relation((p, *relation.sides[1:]), relation.signs) for p in others), relation]


def _mappings(reader: Reader, symbols: tuple[Node, ...]) -> list[Node]:
    sources = [_space(reader)]
    while reader.at("sign", "times"):
        reader.take()
        sources.append(_space(reader))
    reader.expect("relation", "to", what=r"\to")
    target = _space(reader)
    if any(not isinstance(symbol, Symbol) for symbol in symbols):
        raise reader.misread("what maps is no symbol", r"write f: \mathbb{R} \to \mathbb{R}")
    return [nodes.Mapping(s, sources[0], target, tuple(sources[1:])) for s in symbols if isinstance(s, Symbol)]


def _space(reader: Reader) -> Node | None:
    """The size of a space: None for the real line and its intervals, a product for matrices."""
    if reader.at("set"):
        kind, low, high = _numbers(reader)
        if kind == "matrix" and low is not None and high is not None:
            return Multiply((low, high), "times")
        return low if kind == "vector" else None
    if reader.at("open", "(", "["):
        reader.place -= 1
        membership(reader, ())
        return None
    raise reader.misread("a space is not known", r"write \mathbb{R}, \mathbb{R}^d or [a, b]")


def _listed(segment: list[Token], found: list[Node], pending: list[Node], last: Node) -> Node:
    """t = 1, ..., T."""
    first = found[-1]
    if not isinstance(first, Relation) or first.signs != ("=",):
        raise Misread(
            "dots follow what is no equation", segment[0].at, r"write t = 1, \dots, T or t \in \{1, \dots, T\}"
        )
    low, high = first.sides[1], last
    if isinstance(high, Number) and not isinstance(low, Number):
        low, high = high, low  # t = T, ..., 1
    return Belongs((*pending, first.sides[0]), "integers", low, high)


def step(tokens: Sequence[Token], kinds: Mapping[str, str]) -> Node:
    """The relation of a step, whose first side is None where it begins with a sign; or x \\sim law, x \\in S.

    Raises:
        Misread: it cannot be read.
    """
    reader = grammar.Reader(tokens, kinds)

    def read(inside: Reader) -> Node:
        if inside.at("relation") and not inside.at("relation", "in", "~", "to"):
            return inside.chain(None)
        found = event(inside)
        if not isinstance(found, Relation | Distributed | Belongs):
            raise inside.misread("there is no relation", "a step needs one, such as = or <=")
        return found

    return reader.whole(read)
