r"""Derivatives as operands: \frac{d}{dx}, \partial_x, \nabla, \Delta, and the differentials of stochastic calculus."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from sojourn.derivations.notation import symbols
from sojourn.derivations.notation.nodes import (
    At,
    Derivative,
    Differential,
    Gradient,
    Multiply,
    Node,
    Number,
    Power,
    Symbol,
    Transpose,
)
from sojourn.derivations.notation.tokens import Token, closing

if TYPE_CHECKING:
    from sojourn.derivations.notation.grammar import Reader


def variable(reader: Reader) -> Symbol:
    """The symbol of dx, where d has been taken."""
    token = reader.take()
    found = symbols.accent(reader, token) if token.kind == "accent" else None
    if token.kind == "name":
        found, exponent = symbols.scripts(reader, Symbol(token.text, style=token.style))
        found = found if exponent is None else None
    if not isinstance(found, Symbol):
        raise reader.misread("d is followed by no symbol", "write dx with a symbol x", token)
    return found


def differential(reader: Reader, token: Token) -> Node:
    r"""dX, d(XY), d\log X, where d has been taken."""
    start = reader.peek()
    if start is None or not reader.opens():
        raise reader.misread("d is followed by nothing", "write dX or d(XY)", token)
    body = reader.operand()
    if isinstance(body, Power) and isinstance(body.base, Symbol):
        if body.base.name == "t" or body.base.name in ("W", "B"):
            return Power(Differential(body.base), body.exponent)
        raise reader.misread("dX^2 may be read in two ways", "write (dX)^2 or d(X^2)", token)
    return Differential(body)


def derivative(reader: Reader) -> Node | None:
    """The two groups of a fraction as d/dx, df/dx or with round d; None, with nothing taken, if they are others."""
    start = reader.place
    below = closing(list(reader.tokens), start) + 1
    if not (_is_d(reader, start + 1) and _is_d(reader, below + 1)):
        return None
    partial_ = reader.tokens[start + 1].kind == "partial"
    reader.place = below + 1
    variables: list[Node] = []
    while _is_d(reader, reader.place):
        reader.take()
        token = reader.peek()
        if token is None or token.kind not in ("name", "accent"):
            reader.place = start
            return None
        reader.take()
        found: Node = symbols.accent(reader, token) if token.kind == "accent" else _with_exponent(reader, token)
        base, times = (found.base, found.exponent) if isinstance(found, Power) else (found, None)
        variables += [base] * (int(times.value) if isinstance(times, Number) and 1 <= times.value <= 9 else 1)
    if not reader.at("end"):
        reader.place = start
        return None
    after = reader.place + 1
    reader.place = start + 2
    if reader.at("sign", "^"):
        reader.exponent()
    if reader.at("end"):
        reader.place = after
        if not reader.opens():
            raise reader.misread("a derivative has nothing to act on", "write what it is of")
        body = reader.factor() if reader.at("open") else reader.side()
        if isinstance(body, At):
            return At(Derivative(body.body, tuple(variables), partial_), body.symbol, body.value)
        return Derivative(body, tuple(variables), partial_)
    with reader.within(""), reader.until(below - 1):
        body = reader.sum()
        if reader.peek() is not None:
            raise reader.misread("something does not fit in a derivative", "check its numerator")
    reader.place = after
    return Derivative(body, tuple(variables), partial_)


def _is_d(reader: Reader, place: int) -> bool:
    if place >= reader.limit:
        return False
    token = reader.tokens[place]
    return token.kind in ("dif", "partial") or (token.kind == "name" and token.text == "d" and not token.style)


def _with_exponent(reader: Reader, token: Token) -> Node:
    base, exponent = symbols.scripts(reader, Symbol(token.text, style=token.style))
    return base if exponent is None else Power(base, exponent)


def partial(reader: Reader, token: Token) -> Node:
    r"""\partial_x f, \partial_x^2 f, \partial_{xx} f, \partial f / \partial x."""
    variables: tuple[Node, ...] = ()
    times = 1
    while reader.at("sign", "_", "^"):
        if reader.at("sign", "_"):
            reader.take()
            parts = symbols.subscript(reader)
            variables = tuple(v for p in parts for v in (p.factors if isinstance(p, Multiply) else (p,)))
        else:
            order = reader.exponent()
            times = int(order.value) if isinstance(order, Number) and 1 <= order.value <= 9 else 1
    if not reader.opens():
        raise reader.misread("a derivative has nothing to act on", "write what it is of", token)
    body = reader.factor()
    if not variables:
        reader.expect("sign", "slash", what=r"the variable, as in \partial_x or \frac{\partial f}{\partial x},")
        reader.expect("partial", what=r"\partial below")
        return Derivative(body, (variable(reader),) * times)
    if isinstance(body, Transpose):
        return Transpose(Derivative(body.body, variables * times, below=True))
    return Derivative(body, variables * times, below=True)


def nabla(reader: Reader, token: Token) -> Node:
    r"""\nabla_x f, \nabla\cdot s, \nabla^2 f."""
    below: Node | None = None
    kind = "gradient"
    while reader.at("sign", "_", "^"):
        if reader.at("sign", "_"):
            reader.take()
            parts = symbols.subscript(reader)
            below = parts[0] if len(parts) == 1 else None
        else:
            if reader.exponent() != Number(Fraction(2), "2"):
                raise reader.misread("nabla has an exponent other than 2", r"write \nabla^2 or \nabla", token)
            kind = "laplacian"
    if kind == "gradient" and reader.at("sign", "dot"):
        reader.take()
        kind = "divergence"
    if not reader.opens():
        raise reader.misread("nabla has nothing to act on", "write what it is of", token)
    body = reader.factor()
    if isinstance(body, Transpose):
        return Transpose(Gradient(kind, below, body.body))
    return Gradient(kind, below, body)


def laplacian_or_increment(reader: Reader) -> Node | None:
    r"""\Delta f of a function or bracket, the increment \Delta t of another symbol; None if \Delta stands alone."""
    token = reader.peek()
    if token is None or not reader.opens():
        return None
    if token.kind == "name":
        following = reader.peek(1)
        called = following is not None and following.kind == "open" and following.text == "("
        plain = reader.kinds.get(token.text, "")
        if plain not in ("function", "field") and (plain or not called):
            reader.take()
            base, exponent = symbols.scripts(reader, Symbol(token.text, "Delta", style=token.style))
            return base if exponent is None else reader.raised(base, exponent, token)
    elif token.kind not in ("open", "function", "big", "nabla", "accent", "fraction"):
        return None
    return Gradient("laplacian", None, reader.factor())
