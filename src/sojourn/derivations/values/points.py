"""Numbers at which a line is tried: small fractions within the bounds of each symbol, so that they read well."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import numpy as np
import sympy as sp

from sojourn.derivations.notation import nodes as n
from sojourn.derivations.values.laws import Atoms
from sojourn.derivations.values.meaning import Meaning
from sojourn.derivations.values.quadrature import evaluate
from sojourn.derivations.values.scope import every, names
from sojourn.derivations.values.worlds import OutOfRange
from sojourn.errors import InputError

_TRIES = 400
_REALS = [sp.Rational(k, 4) for k in (-8, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 8)]
_ABOVE = [sp.Rational(k, 4) for k in (1, 2, 3, 4, 5, 6, 8, 10)]
_FAR = [*map(sp.Rational, ("1/1024", "1/32", 4, 12, 60))]
_FAR_BETWEEN = [*map(sp.Rational, ("1/1024", "1/32", "1/2", "31/32", "1023/1024"))]


def points(
    m: Meaning, symbols: set[Any], count: int, dice: random.Random, *, far: bool = False
) -> dict[Any, np.ndarray]:
    """Arrays of `count` numbers for each symbol, and for those on which bounds of theirs depend.

    Those that are `far` are some large, some small, some next to a bound.

    Raises:
        InputError: no numbers were found within the bounds.
    """
    ends, rest = _bounds(m, symbols)
    symbols = symbols | {s for pairs in ends.values() for _, _, end in pairs for s in end.free_symbols}
    symbols |= {s for relation in rest for s in relation.free_symbols}
    if symbols - ends.keys():
        more, further = _bounds(m, symbols)
        ends, rest = {**ends, **more}, [*rest, *(r for r in further if r not in rest)]
    order = _ordered(symbols, ends)
    rows: list[list[Any]] = []
    for _ in range(_TRIES * count):
        row: dict[Any, Any] = {}
        for s in order:
            row[s] = _drawn(m, s, dice)
            if row[s] is None:
                row[s] = _pick(ends.get(s, []), row, dice, far)
            if row[s] is None:
                break
        else:
            if all(r.xreplace(row) is sp.true for r in rest):
                rows.append([row[s] for s in order])
                if len(rows) == count:
                    return {s: np.array([float(r[k]) for r in rows]) for k, s in enumerate(order)}
    raise InputError(
        "no numbers were found that satisfy all bounds of the list items; see whether they contradict each other"
    )


def inside(m: Meaning, where: dict[Any, np.ndarray]) -> np.ndarray:
    """At which of these points all bounds hold."""
    ends, rest = _bounds(m, set(where))
    relations = [r for r in rest if r.free_symbols <= where.keys()]
    for s, pairs in ends.items():
        for side, strict, end in pairs:
            if end.free_symbols <= where.keys():
                low, high = (end, s) if side == "low" else (s, end)
                relations.append((sp.Lt if strict else sp.Le)(low, high))
    good = np.ones(next(iter(where.values())).size, bool)
    for relation in relations:
        good &= evaluate(relation, where)[0].astype(bool)
    return good


def _drawn(m: Meaning, s: Any, dice: random.Random) -> Any:
    """A value that a letter takes of which all values are listed, or a discrete random variable; else None."""
    if m.free.get(s, ("", ()))[0] in m.scope.values:
        return m.scalar(dice.choice(m.scope.values[m.free[s][0]]))
    law = m.draws[s].law if s in m.draws else None
    numbers = [v for v in law.values if v.is_number] if isinstance(law, Atoms) else []
    return dice.choice(numbers) if numbers else None


def _pick(ends: list[tuple[str, bool, Any]], row: dict[Any, Any], dice: random.Random, far: bool) -> Any:
    """A number between its bounds; None where there is none."""
    lows = [v for side, _, e in ends if side == "low" and (v := e.xreplace(row)).is_number and v.is_finite]
    highs = [v for side, _, e in ends if side == "high" and (v := e.xreplace(row)).is_number and v.is_finite]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None:
        if not low < high:
            return low if low == high and not any(strict for _, strict, _ in ends) else None
        return low + (high - low) * (dice.choice(_FAR_BETWEEN) if far else sp.Rational(dice.randint(1, 7), 8))
    step = dice.choice(_FAR if far else _ABOVE)
    if low is not None:
        return low + step
    if high is not None:
        return high - step
    return dice.choice((-1, 0, 1)) * step if far else dice.choice(_REALS)


def _ordered(symbols: set[Any], ends: dict[Any, list[tuple[str, bool, Any]]]) -> list[Any]:
    """Symbols after those on which their bounds depend, where that is possible."""
    left, out = sorted(symbols, key=str), []
    while left:
        ready = next(
            (s for s in left if not {u for _, _, e in ends.get(s, []) for u in e.free_symbols} & set(left)), left[0]
        )
        left.remove(ready)
        out.append(ready)
    return out


def _bounds(m: Meaning, symbols: set[Any]) -> tuple[dict[Any, list[tuple[str, bool, Any]]], list[Any]]:
    """For each symbol its bounds (side, strict, value), and the relations that are no such bounds."""
    ends: dict[Any, list[tuple[str, bool, Any]]] = {}
    rest: list[Any] = []
    known = {s: m.free.get(s) or ((d.name, d.indices) if (d := m.draws.get(s)) else (s.name, ())) for s in symbols}
    for relation in m.scope.bounds:
        sides, signs = relation.sides, relation.signs
        random_names = {name for side in sides for name in _names_of(m, side) if name in m.scope.laws}
        if set(signs) - {"<", "<=", ">", ">="} or random_names - {name for name, _ in known.values()}:
            continue
        if signs[0] in (">", ">="):
            sides, signs = sides[::-1], tuple("<" if s == ">" else "<=" for s in signs[::-1])
        for s, (name, indices) in known.items():
            for side in sides:
                bare = isinstance(side, n.Symbol) and m.scope.name(side) == name
                if not bare and name not in _names_of(m, side):
                    continue
                integers = _fit(m, side, name, indices)
                if integers is None:
                    continue
                with suppress(InputError, OutOfRange), m.where(integers):
                    for first, sign, second in zip(sides, signs, sides[1:], strict=False):
                        a, b = sp.sympify(m.scalar(first)), sp.sympify(m.scalar(second))
                        if b == s and first is not side:
                            ends.setdefault(s, []).append(("low", sign == "<", a))
                        elif a == s and second is not side:
                            ends.setdefault(s, []).append(("high", sign == "<", b))
                        elif side in (first, second) and not bare:
                            made = (sp.Lt if sign == "<" else sp.Le)(a, b)
                            if made not in rest and made is not sp.true:
                                rest.append(made)
    return ends, rest


def _names_of(m: Meaning, side: Any) -> set[str]:
    return set(names(side, m.scope))


def _fit(m: Meaning, side: Any, name: str, indices: tuple[int, ...]) -> dict[str, int] | None:
    """The numbers of indices for which a side speaks of this symbol."""
    for one in every(side):
        if isinstance(one, n.Symbol) and m.scope.name(one) == name:
            try:
                found = m.match(one, indices)
            except OutOfRange:
                continue
            if found is not None:
                return found
            if name in m.scope.vectors and not one.subscript:
                return {}
    return None
