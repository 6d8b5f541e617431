"""Operands that act on what follows: means, divergences, indicators, sums, products, integrals, extrema."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from sojourn.derivations.notation import differentials, operands, statements, symbols
from sojourn.derivations.notation.nodes import (
    Belongs,
    Big,
    Differential,
    Distributed,
    Divergence,
    Divide,
    Function,
    Mean,
    Multiply,
    Node,
    Number,
    Power,
    Relation,
    Symbol,
)
from sojourn.derivations.notation.tokens import Token, closing

if TYPE_CHECKING:
    from sojourn.derivations.notation.grammar import Reader


# Means and divergences


def bracket_follows(reader: Reader) -> bool:
    """Whether a bracket comes, perhaps after scripts."""
    place = reader.place
    while place + 1 < reader.limit and reader.tokens[place].kind == "sign" and reader.tokens[place].text in ("_", "^"):
        place = closing(list(reader.tokens), place + 1) + 1
    return place < reader.limit and reader.tokens[place].kind == "open"


def mean(reader: Reader, token: Token) -> Node:
    r"""\mathbb{E}_{q}[a | b], \operatorname{Var}, Cov, P, or KL(q || p)."""
    if token.text == "KL":
        return divergence(reader, token) if bracket_follows(reader) else Symbol("KL", style="word")
    over: tuple[Node, ...] = ()
    exponent: Node | None = None
    while reader.at("sign", "_", "^"):
        if reader.at("sign", "_"):
            reader.take()
            over = _over(reader)
        else:
            exponent = reader.exponent()
    if reader.at("open", "(", "[", "{"):
        opening = reader.take()
        bodies, given = [], []
        with reader.within("given"):
            into = bodies
            while not reader.at("close"):
                into.append(statements.event(reader))
                if reader.at("given") or reader.at("bar"):
                    reader.take()
                    into = given
                elif reader.at("sign", ",", ";"):
                    reader.take()
                elif not reader.at("close"):
                    break
            operands.close(reader, opening)
        if not bodies or len(bodies) != {"Cov": 2, "P": len(bodies)}.get(token.text, 1):
            raise reader.misread(f"{token.text} of {len(bodies)} terms", "E and Var are of one, Cov of two", opening)
        if opening.text == "(" and token.text == "E" and reader.at("sign", "^"):
            raise reader.misread("E(...)^... may be read in two ways", "write E[(...)^2], or (E[...])^2", opening)
        found = Mean(token.text, over, tuple(bodies), tuple(given))
    elif token.text in ("E", "Var"):
        body = operands.product_after(reader, token)
        found = Mean(token.text, over, (body,))
    else:
        raise reader.misread(f"{token.text} has no bracket", f"write {token.text}(...)", token)
    return found if exponent is None else Power(found, exponent)


def _over(reader: Reader) -> tuple[Node, ...]:
    """The subscript of a mean: symbols, calls, x \\sim p."""
    parts: list[Node] = []

    def read(inside: Reader) -> Node:
        pending: list[Node] = []
        while True:
            pending.append(symbols.ranged(inside))
            if inside.at("relation", "~"):
                inside.take()
                parts.append(Distributed(tuple(pending), inside.sum()))
                pending = []
            if not inside.at("sign", ",", ";"):
                break
            inside.take()
        parts.extend(pending)
        return parts[0]

    reader.group(read)
    return tuple(parts)


def divergence_follows(reader: Reader) -> bool:
    """Whether D is D_KL(...)."""
    end = closing(list(reader.tokens), reader.place + 1) if reader.at("sign", "_") else 0
    return (
        bool(end) and "".join(t.text for t in reader.tokens[reader.place + 2 : end]) == "KL" and bracket_follows(reader)
    )


def divergence(reader: Reader, token: Token) -> Node:
    if reader.at("sign", "_"):
        reader.place = closing(list(reader.tokens), reader.place + 1) + 1
    opening = reader.take()
    with reader.within("divides"):
        first = reader.sum()
        if not (reader.at("bars") or reader.at("bar") or reader.at("given") or reader.at("sign", ",", ";")):
            raise reader.misread("a divergence is of two laws", r"write KL(q \| p)", opening)
        while reader.at("bars") or reader.at("bar") or reader.at("given") or reader.at("sign", ",", ";"):
            reader.take()
        second = reader.sum()
        operands.close(reader, opening)
    return Divergence(first, second)


def relation_follows(reader: Reader) -> bool:
    """Whether the bracket or subscript that comes holds a relation."""
    start = reader.place + (1 if reader.at("sign", "_") else 0)
    if start >= reader.limit or reader.tokens[start].kind not in ("open", "begin"):
        return False
    return any(
        t.kind == "relation" for t in reader.tokens[start : min(closing(list(reader.tokens), start), reader.limit)]
    )


def indicator(reader: Reader, token: Token) -> Node:
    r"""\mathbf{1}\{X \ge a\}, 1_{X \ge a}, I(X \ge a); alone, the vector of ones."""
    below = reader.at("sign", "_")
    if not below and not reader.at("open", "(", "[", "{"):
        return Symbol("1", style="bold")
    if below:
        reader.take()
        found: list[Node] = []

        def read(inside: Reader) -> Node:
            opening = inside.take() if inside.at("open", "{") else None
            found.append(statements.event(inside))
            if opening:
                operands.close(inside, opening)
            return found[0]

        event = reader.group(read)
    else:
        opening = reader.take()
        with reader.within(""):
            event = statements.event(reader)
            operands.close(reader, opening)
    return Function("indicator", (event,))


# Sums, products, integrals, extrema


def big(reader: Reader, token: Token) -> Node:
    below: tuple[list[Symbol], Node | None, Node | None, tuple[Node, ...]] | None = None
    low: Node | None = None
    high: Node | None = None
    while reader.at("sign", "_", "^"):
        if reader.at("sign", "^"):
            high = reader.exponent()
        elif token.text == "integral":
            reader.take()
            low = reader.group()
        else:
            reader.take()
            below = _below(reader)
    if token.text == "integral":
        return _integral(reader, token, low, high)
    if below is None:
        raise reader.misread(f"the {token.text} has nothing below it", "name its index, such as i = 1", token)
    variables, low, upper, conditions = below
    body = reader.product()
    for variable in reversed(variables):
        last = variable is variables[-1]
        body = Big(token.text, variable, low, high if high is not None else upper, body, conditions if last else ())
    return body


def extremum(reader: Reader, token: Token) -> Node:
    r"""\max_i a_i, \inf_{x > 0} f(x), where the sign _ has been taken."""
    variables, low, high, conditions = _below(reader)
    body = reader.product()
    kind = {"max": "maximum", "min": "minimum", "sup": "supremum", "inf": "infimum"}[token.text]
    for variable in reversed(variables):
        body = Big(kind, variable, low, high, body, conditions if variable is variables[-1] else ())
    return body


def _below(reader: Reader) -> tuple[list[Symbol], Node | None, Node | None, tuple[Node, ...]]:
    """Variables, bounds and conditions of what stands below a sign: i = 1; t > 1; i, j; 1 <= i <= n; i != j."""
    found: list[Node] = []

    def read(inside: Reader) -> Node:
        found.append(statements.event(inside))
        while inside.at("sign", ",", ";"):
            inside.take()
            found.append(statements.event(inside))
        return found[0]

    start = reader.peek()
    reader.group(read)
    variables: list[Symbol] = []
    low = high = None
    conditions: list[Node] = []
    for node in found:
        if isinstance(node, Symbol):
            variables.append(node)
            continue
        match node:
            case Relation(sides=(Symbol() as symbol, start_at), signs=("=",)):
                variables, low = [*variables, symbol], start_at
            case Relation(sides=(start_at, Symbol() as symbol, end_at), signs=("<=", "<=")):
                variables, low, high = [*variables, symbol], start_at, end_at
            case Relation(sides=sides) | Belongs(symbols=sides):
                conditions.append(node)
                variables = variables or [side for side in sides if isinstance(side, Symbol)][:1]
    if not variables:
        raise reader.misread("what stands below a sign names no index", "write such as i = 1", start)
    return variables, low, high, tuple(conditions)


def _integral(reader: Reader, token: Token, low: Node | None, high: Node | None) -> Node:
    place = _differential_place(reader)
    if place is None:  # \int \frac{dx}{x}
        before, reader.differentials = reader.differentials, True
        body = reader.product()
        reader.differentials = before
        body, variable = _without_differential(body)
        if variable is None:
            raise reader.misread("an integral has no dx", r"end it with \,dx", token)
        return Big("integral", variable, low, high, body)
    if place == reader.place:
        reader.take()
        variable = differentials.variable(reader)
        body = reader.product() if reader.opens() else Number(Fraction(1), "1")
        return Big("integral", variable, low, high, body)
    with reader.until(place):
        body = reader.sum()
        if reader.peek() is not None:
            raise reader.misread("something does not fit in an integral", "check signs and brackets before dx")
    reader.take()
    return Big("integral", differentials.variable(reader), low, high, body)


def _differential_place(reader: Reader) -> int | None:
    """Where the d of this integral's dx stands, outside brackets; inner integrals take theirs first."""
    depth, inner = 0, 0
    for place in range(reader.place, reader.limit):
        token = reader.tokens[place]
        depth += {"open": 1, "begin": 1, "close": -1, "end": -1}.get(token.kind, 0)
        if depth < 0 or (depth == 0 and token.kind in ("relation", "row")):
            return None
        if depth == 0 and token.kind == "big" and token.text == "integral":
            inner += 1
        following = reader.tokens[place + 1] if place + 1 < reader.limit else None
        is_d = token.kind == "dif" or (token.kind == "name" and token.text == "d" and not token.style)
        if depth == 0 and is_d and following is not None and following.kind in ("name", "accent"):
            if inner == 0:
                return place
            inner -= 1
    return None


def _without_differential(node: Node) -> tuple[Node, Symbol | None]:
    """The integrand without the dx in a numerator or among the factors, and x."""
    if isinstance(node, Differential) and isinstance(node.body, Symbol):
        return Number(Fraction(1), "1"), node.body
    if isinstance(node, Divide):
        top, variable = _without_differential(node.numerator)
        return Divide(top, node.denominator, node.inline), variable
    if isinstance(node, Multiply):
        for index, factor in enumerate(node.factors):
            rest, variable = _without_differential(factor)
            if variable is not None:
                kept = [
                    *node.factors[:index],
                    *([] if isinstance(factor, Differential) else [rest]),
                    *node.factors[index + 1 :],
                ]
                return (kept[0] if len(kept) == 1 else Multiply(tuple(kept), node.sign)), variable
    return node, None
