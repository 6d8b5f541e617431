"""The numbers of expressions, at many points at once; averages by Gauss's rules, one axis each.

A value comes with a second one from fewer places, whose distance says how far to trust it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache, reduce
from typing import Any

import numpy as np
import scipy.special
import sympy as sp

from sojourn.derivations.values.averages import Average

_JUMPS = (sp.Piecewise, sp.sign)
_CORNERS = (*_JUMPS, sp.Max, sp.Min, sp.Abs)
_MOST_NODES, _MOST_PLACES, _STEPS = 48, 250_000, 40
_SHIFT, _PART = 0.1, 0.41

_FUNCTIONS: dict[Any, Any] = {
    **{
        getattr(sp, name): getattr(np, name)
        for name in ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sign")
    },
    **{getattr(sp, name): getattr(scipy.special, name) for name in ("erf", "erfc", "gamma")},
    sp.asin: np.arcsin,
    sp.acos: np.arccos,
    sp.atan: np.arctan,
    sp.Abs: np.abs,
    sp.cot: lambda x: 1 / np.tan(x),
    sp.factorial: lambda x: scipy.special.gamma(x + 1),
    sp.binomial: scipy.special.binom,
    sp.Gt: np.greater,
    sp.Ge: np.greater_equal,
    sp.Lt: np.less,
    sp.Le: np.less_equal,
    sp.Eq: np.equal,
    sp.Ne: np.not_equal,
    sp.Not: np.logical_not,
}
_FOLDED: dict[Any, Any] = {
    sp.Add: np.add,
    sp.Mul: np.multiply,
    sp.Max: np.maximum,
    sp.Min: np.minimum,
    sp.And: np.logical_and,
    sp.Or: np.logical_or,
}


def rough(expression: Any) -> bool:
    """Whether an average is over something with jumps or corners, so that its value is rough."""
    return any(one.args[0].has(*_CORNERS) for one in expression.atoms(Average))


def depth(expression: Any) -> int:
    """How many averages stand inside one another."""
    found = expression.atoms(Average) if isinstance(expression, sp.Basic) else ()
    return max((1 + depth(a.args[0]) for a in found), default=0)


def evaluate(expression: Any, points: Mapping[Any, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Values at all points at once, and how far they may be off by quadrature; NaN where there is no real value."""
    count = next(iter(points.values())).size if points else 1
    inside = depth(expression)
    with np.errstate(all="ignore"):
        if not inside:
            return np.broadcast_to(_value(expression, dict(points), {}, 0), (count,)), np.zeros(count)
        steps = _STEPS if rough(expression) else 1
        most = int((_MOST_PLACES / count) ** (1 / inside)) // steps
        fine = max(8, min(_MOST_NODES, most))
        value, coarse = (
            np.broadcast_to(_value(expression, dict(points), {}, n), (count,)) for n in (fine, -max(6, fine * 3 // 4))
        )
    unseen = 1 / (steps * fine) if any(one.args[0].has(*_JUMPS) for one in expression.atoms(Average)) else 0.0
    return value, np.abs(value - coarse) + unseen


def _value(e: Any, known: dict[Any, np.ndarray], seen: dict[Any, Any], nodes: int) -> Any:
    """The value over arrays that broadcast; `seen` keeps those of parts that stand several times."""
    if e in seen:
        return seen[e]
    if e.is_Symbol:
        found: Any = known[e]
    elif e.is_Number or e.is_NumberSymbol:
        found = float(e)
    elif isinstance(e, Average):
        found = _average(e, known, nodes)
    elif e.is_Pow:
        found = _power(_value(e.base, known, seen, nodes), e.exp, known, seen, nodes)
    elif type(e) in _FOLDED:
        found = reduce(_FOLDED[type(e)], [_value(part, known, seen, nodes) for part in e.args])
    elif isinstance(e, sp.Piecewise):
        found = math.nan
        pieces: Any = e.args[::-1]
        for value, condition in pieces:
            found = np.where(_value(condition, known, seen, nodes), _value(value, known, seen, nodes), found)
    elif e in (sp.true, sp.false):
        found = bool(e)
    elif e.func in _FUNCTIONS:
        found = _FUNCTIONS[e.func](*(_value(part, known, seen, nodes) for part in e.args))
    else:
        found = math.nan  # no real number: infinities, I, functions that are not known
    seen[e] = found
    return found


def _power(base: Any, exponent: Any, known: dict[Any, np.ndarray], seen: dict[Any, Any], nodes: int) -> Any:
    if exponent.is_Integer:
        return np.power(np.asarray(base, dtype=np.float64), int(exponent))
    if exponent == sp.S.Half:
        return np.sqrt(base)
    return np.power(np.asarray(base, dtype=np.float64), _value(exponent, known, seen, nodes))


def _average(one: Average, known: dict[Any, np.ndarray], nodes: int) -> np.ndarray:
    """A sum over places: it adds an axis at the end and takes it away again."""
    body, x, kind, low, size = one.args
    if body.has(*_JUMPS):
        places, weights = _quantiles(str(kind), _STEPS * abs(nodes))
    elif body.has(*_CORNERS):
        places, weights = _steps(str(kind), _STEPS * abs(nodes))
    else:
        places, weights = _rule(str(kind), nodes)
    if str(kind) != "line":
        start, scale = (np.asarray(_value(part, known, {}, nodes))[..., None] for part in (low, size))
        places = start + scale * places
    deeper = {s: np.asarray(a)[..., None] for s, a in known.items() if s != x}
    inner = np.asarray(_value(body, {**deeper, x: places}, {}, nodes))
    inner = np.broadcast_to(inner, np.broadcast_shapes(inner.shape, places.shape))
    if str(kind) == "line":  # far out 0 times infinity may stand for 0
        inner = np.where(np.isfinite(inner), inner, 0.0)
    return inner @ weights


@cache
def _quantiles(kind: str, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Places at equal steps of probability, for what jumps."""
    u = (np.arange(nodes) + 0.5) / nodes
    if kind == "line":
        return _rule(kind, nodes // 16)
    places = {"normal": scipy.special.ndtri, "uniform": lambda u: u, "exponential": lambda u: -np.log1p(-u)}[kind](u)
    return places, np.full(nodes, 1 / nodes)


@cache
def _steps(kind: str, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Places at equal steps, for what has corners."""
    if kind != "normal":
        return _quantiles(kind, nodes)
    z = np.linspace(-8.5, 8.5, nodes)
    weights = np.exp(-(z**2) / 2)
    return z, weights / weights.sum()


@cache
def _rule(kind: str, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights: Gauss's rules, and for the line the trapezoid after x = sinh(sinh(u) pi / 2).

    Below 0 nodes they lie askew, so that the two halves of an integral that diverges do not cancel in both rules.
    """
    askew, nodes = nodes < 0, abs(nodes)
    if kind == "normal":
        x, w = np.polynomial.hermite_e.hermegauss(nodes)
        w /= math.sqrt(2 * math.pi)
        return (x + _SHIFT, w * np.exp(-_SHIFT * x - _SHIFT**2 / 2)) if askew else (x, w)
    if kind == "uniform":
        x, w = np.polynomial.legendre.leggauss(nodes)
        x, w = (x + 1) / 2, w / 2
        if askew:
            x, w = np.concatenate([_PART * x, _PART + (1 - _PART) * x]), np.concatenate([_PART * w, (1 - _PART) * w])
        return x, w
    if kind == "exponential":
        return np.polynomial.laguerre.laggauss(nodes)
    u, step = np.linspace(-3.2, 3.2, 16 * nodes + 1, retstep=True)
    inner = math.pi / 2 * np.sinh(u)
    keep = inner < (18 if askew else 20)
    return np.sinh(inner[keep]), (step * np.cosh(inner) * math.pi / 2 * np.cosh(u))[keep]
