"""Symbols as operands: their accents, subscripts, labels and exponents, and their calls f(x), q(x | y), N(x; m, v)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sojourn.derivations.notation import differentials, operands, operators
from sojourn.derivations.notation.nodes import Bracket, Call, Constant, Function, Node, Number, Power, Range, Symbol
from sojourn.derivations.notation.tokens import Token, closing

if TYPE_CHECKING:
    from sojourn.derivations.notation.grammar import Reader


def name(reader: Reader, token: Token) -> Node:
    """A letter, with what letters mean that nobody has declared: d, e, I, P, E, D_KL, Delta, Gamma, Phi, pi."""
    letter, free = token.text, not reader.kinds.get(token.text)
    if letter == "top":
        if reader.at("end"):
            return Symbol("top")
        raise reader.misread("a transpose sign stands alone", r"write x^\top", token)
    if letter == "d" and reader.differentials and not token.style and reader.opens():
        return differentials.differential(reader, token)
    if letter in ("E", "P") and free and not token.style and operators.bracket_follows(reader):
        return operators.mean(reader, token)
    if letter == "D" and operators.divergence_follows(reader):
        return operators.divergence(reader, token)
    if letter == "Delta" and free and (found := differentials.laplacian_or_increment(reader)) is not None:
        return found
    if free and letter in ("Gamma", "Phi") and reader.at("open", "("):
        return Function({"Gamma": "gamma", "Phi": "Phi"}[letter], (operands.bracket(reader, reader.take()),))
    if letter == "I" and free and operators.relation_follows(reader):
        return operators.indicator(reader, token)
    base, exponent = scripts(reader, Symbol(letter, style=token.style))
    if free and base == Symbol("e"):
        return Constant("e") if exponent is None else Power(Constant("e"), exponent)
    found = with_arguments(reader, base, exponent, token)
    return _constant(found) if free else found


def _constant(node: Node) -> Node:
    """pi and I as constants, unless they are called."""
    match node:
        case Symbol("pi", "", ()):
            return Constant("pi")
        case Symbol("I", ""):
            return Constant("identity")
        case Power(base=Symbol() as base, exponent=exponent):
            return Power(_constant(base), exponent)
    return node


def accent(reader: Reader, token: Token) -> Node:
    """An accent over one symbol, which may have scripts of its own."""
    inner = reader.group()
    if not isinstance(inner, Symbol):
        raise reader.misread("an accent stands over more than one symbol", "give it a name of its own", token)
    accents = " ".join(filter(None, (inner.accent, token.text)))
    base, exponent = scripts(reader, Symbol(inner.name, accents, inner.subscript, inner.style))
    return with_arguments(reader, base, exponent, token)


def scripts(reader: Reader, base: Symbol) -> tuple[Symbol, Node | None]:
    """A symbol with its subscripts, labels such as ^{(i)}, primes and stars, and its exponent if there is one."""
    accents, below, label = base.accent.split(), base.subscript, ()
    exponent: Node | None = None
    while (sign := reader.peek()) is not None and reader.at("sign", "_", "'", "^"):
        if sign.text == "'":
            reader.take()
            accents.append("prime")
        elif sign.text == "_":
            if below:
                raise reader.misread("a symbol has two subscripts", "write one, with a comma", sign)
            reader.take()
            below = subscript(reader)
        elif marks := _marks(reader):
            accents += marks
        elif exponent is not None:
            raise reader.misread("a symbol has two exponents", "write one, in braces", sign)
        else:
            exponent = reader.exponent()
            if isinstance(exponent, Bracket) and exponent.left == "(" and not label and base.name != "e":
                label, exponent = (exponent.body,), None
    return Symbol(base.name, " ".join(accents), (*below, *label), base.style), exponent


def _marks(reader: Reader) -> list[str]:
    """The primes and stars of ^*, ^{**}, ^\\prime, passed over; none if the exponent is another one."""
    place = reader.place + 2
    marks: list[str] = []
    while (
        place < reader.limit
        and reader.tokens[place].kind == "sign"
        and reader.tokens[place].text in ("'", "star", "dot")
    ):
        marks.append("prime" if reader.tokens[place].text == "'" else "star")
        place += 1
    if not marks or place >= reader.limit or reader.tokens[place].kind != "end":
        return []
    reader.place = place + 1
    return marks


def subscript(reader: Reader) -> tuple[Node, ...]:
    """The parts of a subscript, between commas; 1:T is a `Range`."""
    parts: list[Node] = []

    def read(inside: Reader) -> Node:
        parts.append(ranged(inside))
        while inside.at("sign", ",", ";"):
            inside.take()
            parts.append(ranged(inside))
        return parts[0]

    reader.group(read)
    return tuple(parts)


def ranged(reader: Reader) -> Node:
    """An expression, low:high, or an event."""
    low = reader.sum()
    if reader.at("sign", ":"):
        reader.take()
        return Range(low, reader.sum())
    return low


def with_arguments(reader: Reader, base: Symbol, exponent: Node | None, token: Token) -> Node:
    """A symbol, or its call where a round bracket follows that is no factor."""
    call = base
    kind = reader.kind(base)
    following = reader.peek()
    if following is not None and reader.at("open", "(") and (exponent is None or kind in ("function", "field")):
        hint = following.spaced and not base.subscript and not kind
        law = base.style == "cal" or (base.name == "N" and not kind)
        if (
            kind in ("function", "field")
            or law
            or (not kind and "prime" in base.accent)
            or _called(reader, simple=not kind and not hint)
        ):
            call = arguments(reader, base)
    if exponent is None:
        return call
    if call is not base and not isinstance(exponent, Number):
        raise reader.misread("a function's name has an exponent that is no number", "write (f(x))^n", token)
    return reader.raised(call, exponent, token)


def _called(reader: Reader, *, simple: bool) -> bool:
    """Whether the bracket that follows a letter holds arguments: a bar alone, a comma or a semicolon; or, if `simple`,
    one symbol or number.

    So x(1 - x) and x(1 + |y|) are products, and f(x), f(0) and q(x | y) are calls.
    """
    depth, bars, end = 0, 0, min(closing(list(reader.tokens), reader.place), reader.limit)
    inside = reader.tokens[reader.place + 1 : end]
    for token in inside:
        depth += {"open": 1, "begin": 1, "close": -1, "end": -1}.get(token.kind, 0)
        if depth == 0 and (token.kind == "given" or (token.kind == "sign" and token.text in (";", ","))):
            return True
        bars += depth == 0 and token.kind == "bar"
        simple = simple and (depth > 0 or token.kind in ("name", "number", "accent", "end") or token.text in ("_", "^"))
    return bars % 2 == 1 or (simple and sum(t.kind in ("name", "number") for t in _outside(inside)) == 1)


def _outside(tokens: Sequence[Token]) -> list[Token]:
    """The tokens outside groups; what an accent stands over counts."""
    out, depth = [], 0
    for index, token in enumerate(tokens):
        depth += {"begin": 1, "end": -1}.get(token.kind, 0)
        if depth == 0 or (depth == 1 and index > 1 and tokens[index - 2].kind == "accent"):
            out.append(token)
    return out


def arguments(reader: Reader, head: Symbol) -> Node:
    """head(a, b | c; m): the bracket that follows, as a call."""
    primes = head.accent.split().count("prime")
    lists: dict[str, list[Node]] = {"": [], "given": [], ";": []}
    opening, part = reader.take(), ""
    with reader.within("given"):
        while not reader.at("close"):
            lists[part].append(argument(reader))
            if reader.at("sign", ","):
                reader.take()
            elif reader.at("given") or reader.at("bar"):
                reader.take()
                part = "given"
            elif reader.at("sign", ";"):
                reader.take()
                part = ";"
            elif not reader.at("close"):
                raise reader.misread(
                    "a bracket of arguments is not closed", f'add "{operands.CLOSES[opening.text]}"', opening
                )
        operands.close(reader, opening)
    if not lists[""]:
        raise reader.misread("a function is called without arguments", "give them", opening)
    plain = Symbol(head.name, " ".join(a for a in head.accent.split() if a != "prime"), head.subscript, head.style)
    return Call(plain, tuple(lists[""]), tuple(lists["given"]), tuple(lists[";"]), primes)


def argument(reader: Reader) -> Node:
    following = reader.peek(1)
    if reader.at("sign", "dot") and following is not None and following.kind in ("close", "given", "bar", "sign"):
        reader.take()
        return Symbol("cdot")  # q(\cdot | x)
    return reader.chain(ranged(reader))
