"""A second look where ordinary points cannot tell: far out, at small differences, and where a bound is closest.

Rounding can be as large as what is looked for here, so that every failure is confirmed with 40 digits.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import sympy as sp

from sojourn.derivations.values.averages import Average
from sojourn.derivations.values.laws import Atoms
from sojourn.derivations.values.meaning import Meaning
from sojourn.derivations.values.points import inside, points
from sojourn.derivations.values.quadrature import evaluate

Wrong = tuple[dict[Any, float], float, float]

_DIGITS, _CONFIRMED, _ROUNDS, _POINTS = 40, 4, 5, 12
_GAPS = {"<=": 1, "<": 1, ">=": -1, ">": -1}


def failure(m: Meaning, left: Any, sign: str, right: Any, where: dict[Any, np.ndarray]) -> Wrong | None:
    """A place at which a relation fails though it seems to hold at the points tried, or None; integrals have none."""
    if left.has(Average) or right.has(Average):
        return None
    if sign == "=":
        return _confirmed(left, sign, right, where, _relative(left, right, where))
    dice = random.Random(f"{m.world.seed} far")
    wide = points(m, set(where), _POINTS, dice, far=True) if where else {}
    joined = {s: np.concatenate([a, wide[s]]) for s, a in where.items()}
    if not joined:
        return None
    if sign in ("<", ">") and (found := _equal(m, left, right, joined)) is not None:
        return found
    fixed = {
        s
        for s in joined
        if s in m.draws and isinstance(law := m.draws[s].law, Atoms) and all(v.is_number for v in law.values)
    }
    fixed |= {s for s in joined if m.free.get(s, ("", ()))[0] in m.scope.values}
    for _ in range(_ROUNDS):
        gap = _gap(m, left, sign, right, joined)
        if (found := _confirmed(left, sign, right, joined, gap)) is not None or not np.isfinite(gap).any():
            return found
        joined = _between(joined, gap, fixed)
    return None


def _equal(m: Meaning, left: Any, right: Any, where: dict[Any, np.ndarray]) -> Wrong | None:
    """A place at which a strict inequality is an equality, exactly."""
    (a, _), (b, _) = evaluate(left, where), evaluate(right, where)
    for k in np.flatnonzero((a == b) & lawful(m, where) & inside(m, where))[:_CONFIRMED]:
        at = {s: float(v[k]) for s, v in where.items()}
        if (left - right).xreplace({s: sp.Rational(v) for s, v in at.items()}).is_zero:
            return at, float(a[k]), float(b[k])
    return None


def _relative(left: Any, right: Any, where: dict[Any, np.ndarray]) -> np.ndarray:
    """Minus the relative difference where it is more than rounding, else 1."""
    (a, _), (b, _) = evaluate(left, where), evaluate(right, where)
    with np.errstate(all="ignore"):
        off = np.abs(a - b) / np.maximum(np.abs(a), np.abs(b))
    return np.where(np.isfinite(off) & (off > 1e-9), -off, 1.0)


def _gap(m: Meaning, left: Any, sign: str, right: Any, where: dict[Any, np.ndarray]) -> np.ndarray:
    """How far a bound is from failing, relative to its sides; below 0 it fails."""
    (a, _), (b, _) = evaluate(left, where), evaluate(right, where)
    with np.errstate(all="ignore"):
        gap = _GAPS[sign] * (b - a) / (np.abs(a) + np.abs(b))
    return np.where(np.isfinite(gap) & lawful(m, where) & inside(m, where), gap, np.inf)


def lawful(m: Meaning, where: dict[Any, np.ndarray]) -> np.ndarray:
    """Where the stand-ins for laws of which only range and variance are known have no negative chances."""
    good = np.ones(next(iter(where.values())).size if where else 1, bool)
    chances = {w for draw in m.draws.values() if isinstance(draw.law, Atoms) for w in draw.law.weights}
    for chance in chances:
        if chance.free_symbols and chance.free_symbols <= where.keys():
            good &= evaluate(chance, where)[0] >= 0
    return good


def _confirmed(left: Any, sign: str, right: Any, where: dict[Any, np.ndarray], gap: np.ndarray) -> Wrong | None:
    """The failure with the smallest numbers among the worst, if it is one in 40 digits."""
    for k in np.argsort(gap)[:_CONFIRMED]:
        if gap[k] >= 0:
            return None
        at = {s: float(v[k]) for s, v in where.items()}
        exact = {s: sp.Rational(v) for s, v in at.items()}
        a, b = (sp.N(side.xreplace(exact), _DIGITS) for side in (left, right))
        # Of a nought only noise is left, other noise with other digits.
        again = sp.N((left - right).xreplace(exact), 2 * _DIGITS)
        if not all(v.is_Number and v.is_finite for v in (a, b, again)) or abs(again - (a - b)) > 1e-9 * abs(again):
            continue
        if (abs(again) if sign == "=" else _GAPS[sign] * again) > 1e-12 * (abs(a) + abs(b)):
            return at, float(a), float(b)
    return None


def _between(where: dict[Any, np.ndarray], gap: np.ndarray, fixed: set[Any]) -> dict[Any, np.ndarray]:
    """The closest place, and places between it and all others: bounds of single letters hold there too."""
    best = int(np.argmin(gap))
    shares = np.array([0.0, 1 / 2, 1 / 8, 1 / 32, 1 / 128])[:, None]
    keep = np.argsort(gap)[:_POINTS]
    return {
        s: np.full(shares.size * keep.size, v[best]) if s in fixed else (v[best] + shares * (v[keep] - v[best])).ravel()
        for s, v in where.items()
    }
