"""Sums, products and integrals, and the dots of X_1 + ... + X_n."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction
from typing import Any

import mpmath
import sympy as sp

from sojourn.derivations.notation import nodes as n
from sojourn.derivations.values.averages import Average, average
from sojourn.derivations.values.laws import replaced
from sojourn.derivations.values.meaning import Meaning
from sojourn.derivations.values.scope import children, every
from sojourn.derivations.values.worlds import OutOfRange
from sojourn.errors import InputError

_TERMS, _ACCELERATED, _MOST_TERMS = 200, (40, 30), 10_000


def value(m: Meaning, node: n.Big) -> Any:
    """The value of a sum, product or integral."""
    if node.kind == "integral":
        return _integral(m, node)
    if node.kind not in ("sum", "product"):
        raise InputError(f"a {node.kind} over {node.variable.name} is not evaluated; say for which value it is reached")
    values = []
    for integers in _terms(m, node):
        with m.where(integers):
            values.append(m.value(node.body))
    if node.kind == "product":
        total: Any = sp.S.One
        for one in values:
            total = total * one
        if node.high is not None and m.value(node.high) == sp.oo and not isinstance(total, sp.MatrixBase):
            total = total * sp.Piecewise((1, sp.Abs(values[-1] - 1) < sp.Float(1e-10)), (sp.nan, True))
        return total
    total = m.total(values) if values else sp.S.Zero
    return _settled(total, values) if node.high is not None and m.value(node.high) == sp.oo else total


def _settled(total: Any, values: list[Any]) -> Any:
    """A series from its first terms: accelerated where they are numbers, else no number where they do not vanish."""
    if isinstance(total, sp.MatrixBase):
        return total
    numbers = [sp.N(v, 60) for v in values] if total.is_number else []
    if numbers and all(v.is_Float or v.is_Integer for v in numbers):
        with mpmath.workdps(60):
            terms = [mpmath.mpf(str(v)) for v in numbers]
            with contextlib.suppress(ZeroDivisionError):
                limit, other = (mpmath.levin(variant="u").update(terms[:k])[0] for k in _ACCELERATED)
                if abs(terms[-1]) < abs(terms[-2]) and abs(limit - other) < 1e-12 * (1 + abs(limit)):
                    return sp.Float(limit, 30)
    return total + sp.Piecewise((0, sp.Abs(values[-1]) < sp.Float(1e-10)), (sp.nan, True))


def _terms(m: Meaning, node: n.Big) -> list[dict[str, int]]:
    """The numbers of the variables, for each term."""
    letters = {node.variable.name: None} | {
        s.name: None
        for condition in node.conditions
        for s in every(condition)
        if isinstance(s, n.Symbol) and not s.subscript and s.name in m.scope.indices and s.name not in m.integers
    }
    terms: list[dict[str, int]] = [{}]
    for letter in letters:
        own = letter == node.variable.name
        said = (
            letter if any(m.scope.indices.get(letter, ())) or own else node.variable.name
        )  # j of i < j ends as i does
        low, high = (_end(m, end if own else None, said, k) for k, end in enumerate((node.low, node.high)))
        if high == sp.oo:
            high = low + _TERMS
        if (high - low) * len(terms) > _MOST_TERMS:
            raise InputError(f"a {node.kind} has {high - low} terms; at most {_MOST_TERMS} are evaluated")
        terms = [{**term, letter: k} for term in terms for k in range(int(low), int(high) + 1)]
    return [term for term in terms if all(_holds(m, term, condition) for condition in node.conditions)]


def _holds(m: Meaning, term: dict[str, int], condition: Any) -> bool:
    with m.where(term):
        if isinstance(condition, n.Relation) and condition.signs == ("!=",):
            return m.value(condition.sides[0]) != m.value(condition.sides[1])
        return m.value(condition) == 1


def spelled(m: Meaning, terms: tuple[Any, ...]) -> list[Any]:
    """The terms of a sum or factors of a product, with those that dots leave out: X_1 + ... + X_n."""
    out: list[Any] = []
    for k, term in enumerate(terms):
        if not isinstance(term, n.Dots):
            out.append(term)
            continue
        if not 0 < k < len(terms) - 1:
            raise InputError("dots stand between a first and a last term, as in X_1 + ... + X_n")
        places = list(_differing(terms[k - 1], terms[k + 1]))
        if not places:
            raise InputError("the terms on both sides of the dots must differ in an index only")
        low, high = m.integer(places[0][0]), m.integer(places[0][1])
        if high <= low:  # X_1 + ... + X_n with n = 1 is X_1
            if high < low:
                raise OutOfRange
            out.pop()
        for number in range(low + 1, high):
            out.append(_with(terms[k - 1], terms[k + 1], n.Number(Fraction(number))))
    return out


def _differing(first: Any, second: Any) -> Iterator[tuple[Any, Any]]:
    """Pairs of indices in which two terms differ."""
    if first == second:
        return
    if isinstance(first, n.Symbol) and isinstance(second, n.Symbol) and len(first.subscript) == len(second.subscript):
        if (first.name, first.accent) == (second.name, second.accent):
            yield from ((a, b) for a, b in zip(first.subscript, second.subscript, strict=True) if a != b)
        return
    if type(first) is type(second):
        for a, b in zip(children(first), children(second), strict=False):
            yield from _differing(a, b)


def _with(first: Any, second: Any, number: n.Number) -> Any:
    """The first term with `number` where the two differ."""
    if first == second:
        return first
    if isinstance(first, n.Symbol) and isinstance(second, n.Symbol):
        pairs = zip(first.subscript, second.subscript, strict=True)
        return replace(first, subscript=tuple(number if a != b else a for a, b in pairs))
    changed = {}
    for one in fields(first):
        a, b = getattr(first, one.name), getattr(second, one.name, None)
        if isinstance(a, tuple) and isinstance(b, tuple):
            changed[one.name] = tuple(_with(x, y, number) for x, y in zip(a, b, strict=True))
        elif is_dataclass(a):
            changed[one.name] = _with(a, b, number)
    return replace(first, **changed)


def _end(m: Meaning, node: Any, letter: str, which: int) -> Any:
    """The end of a sum; where none is written, that of the index, or 1 and the dimension."""
    if node is None:
        node = m.scope.indices.get(letter, (None, None))[which]
    if node is not None:
        found = m.value(node)
        if found == sp.oo or getattr(found, "is_Integer", False):
            return found
        raise InputError(f"a sum ends at {found}, which is no whole number; say in a list item what it is")
    sizes = {m.dimension(size) for size, _ in m.scope.vectors.values()}
    if which == 0:
        return sp.S.One
    if len(sizes) == 1:
        return sp.Integer(sizes.pop())
    raise InputError(
        f"a sum over {letter} says not where it ends; write its bounds, or 1 <= {letter} <= n in a list item"
    )


def _integral(m: Meaning, node: n.Big) -> Any:
    """The integral over the line or a box of it; between ends it is an average over a uniform variable."""
    name, indices = m.key(node.variable)
    if name in m.scope.brownian:
        raise InputError(f"the stochastic integral over {name} is not evaluated; write the line with differentials")
    size = m.dimension(m.scope.vectors[name][0]) if name in m.scope.vectors else 1
    x = [sp.Dummy(name, real=True) for _ in range(size)]
    body = m.with_bound(name, indices, sp.Matrix(x) if name in m.scope.vectors else x[0], node.body)
    body = sp.sympify(body)
    if node.low is None and node.high is None:
        for one in x:
            body = Average(body, one, sp.Symbol("line"))
        return body
    low = m.scalar(node.low) if node.low is not None else -sp.oo
    high = m.scalar(node.high) if node.high is not None else sp.oo
    z, one = sp.Dummy("u", real=True), x[0]
    if low == -sp.oo and high == sp.oo:
        return Average(body, one, sp.Symbol("line"))
    if low == -sp.oo or high == sp.oo:
        end, sign = (low, 1) if high == sp.oo else (high, -1)
        return Average(replaced(body, {one: end + sign * sp.exp(z)}) * sp.exp(z), z, sp.Symbol("line"))
    return (high - low) * average(body, one, "uniform", low, high - low)
