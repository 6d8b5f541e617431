"""What a factor may begin with: numbers, brackets, functions, fractions; the rest is in `symbols`, `operators`."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from sojourn.derivations.notation import differentials, operators, symbols
from sojourn.derivations.notation.nodes import (
    Bracket,
    Constant,
    Divide,
    Function,
    Multiply,
    Node,
    Number,
    Power,
    Symbol,
    Transpose,
)
from sojourn.derivations.notation.tokens import Token

if TYPE_CHECKING:
    from sojourn.derivations.notation.grammar import Reader

CLOSES = {"(": ")", "[": "]", "{": "}", "<": ">"}


def number(reader: Reader, token: Token) -> Node:
    if token.text == "1" and reader.at("sign", "_"):
        return operators.indicator(reader, token)
    return Number(Fraction(token.text), token.text)


def close(reader: Reader, opening: Token) -> None:
    if not reader.at("close"):
        token = reader.peek()
        if token is None:
            raise reader.misread(f'"{opening.text}" is not closed', f'add "{CLOSES[opening.text]}"', opening)
        raise reader.misread("something does not fit in a bracket", "check signs and commas in it")
    if (token := reader.take()).text != CLOSES[opening.text]:
        raise reader.misread(
            f'"{opening.text}" is closed by "{token.text}"', f'close it with "{CLOSES[opening.text]}"', token
        )


def bracket(reader: Reader, token: Token) -> Node:
    """(a), [a], {a} as they stand, or the inner product <a, b>."""
    with reader.within(""):
        body = reader.sum()
        if token.text == "<":
            if not reader.at("sign", ","):
                raise reader.misread("angle brackets hold an inner product of two", r"write \langle a, b\rangle", token)
            reader.take()
            pair = Multiply((body, reader.sum()), "inner")
            close(reader, token)
            return pair
        if reader.at("sign", ","):
            raise reader.misread("a pair in brackets is not read", "write its elements one by one")
        close(reader, token)
    return Bracket(body, token.text)


def group(reader: Reader, token: Token) -> Node:
    reader.place -= 1
    inner = reader.group()
    if isinstance(inner, Symbol) and reader.at("sign", "_", "^", "'"):
        base, exponent = symbols.scripts(reader, inner)  # {x}_t
        return symbols.with_arguments(reader, base, exponent, token)
    return inner


def function(reader: Reader, token: Token) -> Node:
    """A function of everybody's: with brackets, or with the product that follows."""
    below: tuple[Node, ...] = ()
    exponent: Node | None = None
    extremum = token.text in ("max", "min", "sup", "inf")
    while reader.at("sign", "_", "^"):
        if reader.at("sign", "_"):
            reader.take()
            if extremum:
                return operators.extremum(reader, token)
            below = symbols.subscript(reader)
        else:
            exponent = reader.exponent()
    if extremum:
        found: Node = Function({"sup": "max", "inf": "min"}.get(token.text, token.text), several(reader, token))
    elif reader.at("open"):
        found = Function(token.text, (bracket(reader, reader.take()), *below))
    else:
        body = product_after(reader, token)
        if isinstance(body, Transpose):
            return Transpose(Function(token.text, (body.body, *below)))
        found = Function(token.text, (body, *below))
    return found if exponent is None else Power(found, exponent)


def several(reader: Reader, token: Token) -> tuple[Node, ...]:
    """(a, b, ...) or {a, b, ...}."""
    if not reader.at("open"):
        raise reader.misread(f"{token.text} has no bracket", f"write {token.text}(a, b)", token)
    return listed(reader)


def listed(reader: Reader) -> tuple[Node, ...]:
    """What stands between an opening bracket, commas and its end."""
    opening = reader.take()
    with reader.within(""):
        found = [reader.sum()]
        while reader.at("sign", ","):
            reader.take()
            found.append(reader.sum())
        close(reader, opening)
    return tuple(found)


def product_after(reader: Reader, token: Token) -> Node:
    """The factors that a function without brackets takes; a call, or another function, ends them."""
    if not reader.opens() and not reader.at("sign", "-"):
        raise reader.misread(f"{token.text} has no argument", "give it", token)
    factors = [reader.factor()]
    while not _complete(factors[-1]) and reader.opens() and not _starts_another(reader, token):
        if reader.at("open") or isinstance(factors[-1], Divide):
            raise reader.misread(f"the argument of {token.text} may end in two places", "write brackets round it")
        factors.append(reader.next_factor(factors[-1]))
    return factors[0] if len(factors) == 1 else Multiply(tuple(factors))


def _complete(factor: Node) -> bool:
    inner = factor.base if isinstance(factor, Power) else factor.body if isinstance(factor, Transpose) else factor
    return not isinstance(inner, Number | Symbol | Constant | Divide | Bracket) and not (
        isinstance(inner, Function) and inner.name == "sqrt"
    )


def _starts_another(reader: Reader, before: Token) -> bool:
    token = reader.peek()
    power_of_e = reader.at("name", "e") and not reader.kinds.get("e")
    return (power_of_e and before.kind == "function") or (
        token is not None and token.kind in ("function", "mean", "big", "nabla", "partial", "dif", "indicator")
    )


def fraction(reader: Reader, token: Token) -> Node:
    if (found := differentials.derivative(reader)) is not None:
        return found
    return Divide(reader.group(), reader.group())


def root(reader: Reader, token: Token) -> Node:
    following = reader.peek(1)
    if following is not None and following.kind == "end":
        reader.place += 2
        return Function("sqrt", (reader.group(),))
    degree = reader.group()
    return Function("sqrt", (reader.group(), degree))


def binomial(reader: Reader, token: Token) -> Node:
    return Function("binomial", (reader.group(), reader.group()))


def between_bars(reader: Reader, token: Token) -> Node:
    """|x|, or ||x|| with what stands below it."""
    following = reader.peek()
    double = (
        token.kind == "bar"
        and not token.text
        and following is not None
        and following.kind == "bar"
        and following.at == token.at + 1
    )
    if double:
        reader.take()
    kind = "bars" if token.kind == "bars" or double else "bar"
    with reader.within({"bar": "abs", "bars": "norm"}[kind]):
        body = reader.sum()
        for _ in range(2 if double else 1):
            if not reader.at("bars") and not reader.at("bar"):
                raise reader.misread("a bar has no partner", r"close it, or write \mid for a condition", token)
            reader.take()
    if kind == "bar":
        return Function("abs", (body,))
    if reader.at("sign", "_"):
        reader.take()
        return Function("norm", (body, *symbols.subscript(reader)))
    return Function("norm", (body,))


# Lambdas, because these modules import each other.
OPERANDS: dict[str, Callable[[Reader, Token], Node]] = {
    "number": number,
    "name": lambda reader, token: symbols.name(reader, token),
    "constant": lambda reader, token: Constant(token.text),
    "accent": lambda reader, token: symbols.accent(reader, token),
    "open": bracket,
    "begin": group,
    "function": function,
    "fraction": fraction,
    "root": root,
    "binomial": binomial,
    "bar": between_bars,
    "bars": between_bars,
    "mean": lambda reader, token: operators.mean(reader, token),
    "big": lambda reader, token: operators.big(reader, token),
    "nabla": lambda reader, token: differentials.nabla(reader, token),
    "partial": lambda reader, token: differentials.partial(reader, token),
    "dif": lambda reader, token: differentials.differential(reader, token),
    "indicator": lambda reader, token: operators.indicator(reader, token),
}
