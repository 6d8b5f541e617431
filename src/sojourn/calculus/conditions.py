"""Sufficient conditions that can be read off a formula: bounded, of polynomial growth; None: nothing is known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

_BOUNDED = (sp.sin, sp.cos, sp.tanh, sp.atan, sp.erf, sp.sign)


def growth(expression: Any, states: Iterable[sp.Symbol], time: sp.Symbol) -> sp.Expr | None:
    """A power p with |expression| <= K (1 + |x|^p) for all states x and all t in any [0, T]; None where none is found.

    The states are real, and those declared positive or nonnegative stay so.
    """
    places: dict[Any, Any] = {
        s: sp.Dummy(s.name, nonnegative=True) if s.is_nonnegative else sp.Dummy(s.name, real=True) for s in states
    }
    moving = frozenset(places.values())
    places[time] = sp.Dummy("t", nonnegative=True)
    expression = sp.sympify(expression)
    if expression.has(AppliedUndef, sp.Derivative, sp.Integral):
        return None
    return _growth(expression.xreplace(places), moving, places[time])


def deterministic(expression: Any, states: Iterable[sp.Symbol], time: sp.Symbol) -> bool:
    """Whether it depends on time alone, and is bounded on every [0, T]."""
    expression = sp.sympify(expression)
    return not expression.free_symbols & set(states) and growth(expression, states, time) == 0


def exponential_polynomial(expression: Any, states: Iterable[sp.Symbol], time: sp.Symbol) -> bool:
    """Whether it is a sum of products of powers of states and exponentials linear in them: such have finite means under
    every Gaussian law."""
    x = list(states)
    for term in sp.Add.make_args(sp.expand(expression)):
        for factor in sp.Mul.make_args(term):
            if isinstance(factor, sp.exp) and factor.has(*x):
                slopes = [sp.diff(factor.args[0], s) for s in x]
                if not all(deterministic(a, x, time) for a in slopes):
                    return False
                factor = sp.exp(
                    sp.expand(factor.args[0] - sum((a * s for a, s in zip(slopes, x, strict=True)), sp.S.Zero))
                )
            if factor.has(*x) and factor.is_polynomial(*x):
                continue
            if not deterministic(factor, x, time):
                return False
    return True


def _growth(e: Any, moving: frozenset[Any], t: sp.Symbol) -> sp.Expr | None:
    if e.is_Symbol:
        return sp.S.One if e in moving else sp.S.Zero
    if not e.free_symbols & {*moving, t}:
        return sp.S.Zero if e.is_finite is not False else None
    if isinstance(e, (sp.Add, sp.Max, sp.Min)):
        return _all([_growth(a, moving, t) for a in e.args], sp.Max)
    if isinstance(e, sp.Mul):
        return _all([_growth(a, moving, t) for a in e.args], sp.Add)
    if isinstance(e, sp.exp):
        of_time = not e.args[0].free_symbols & moving and _growth(e.args[0], moving, t) is not None
        return sp.S.Zero if of_time or e.args[0].is_nonpositive else None
    if isinstance(e, sp.Pow):
        base, n = e.args
        if not n.is_number or not n.is_real:
            return None
        if n.is_negative:
            return sp.S.Zero if _above_zero(base) else None
        inside = _growth(base, moving, t)
        return None if inside is None or not (n.is_integer or base.is_nonnegative) else n * inside
    if isinstance(e, _BOUNDED):
        return sp.S.Zero if e.args[0].is_real else None
    if isinstance(e, sp.Abs):
        return _growth(e.args[0], moving, t)
    return None


def _all(parts: list[Any], join: Any) -> sp.Expr | None:
    return None if any(p is None for p in parts) else join(*parts)


def _above_zero(e: Any) -> bool:
    """Whether it stays above a positive number: its constants, without what bounded terms can take away."""
    lowest: Any = sp.S.Zero
    for term in sp.Add.make_args(e):
        size, rest = term.as_coeff_Mul()
        if not term.has(sp.Dummy):
            lowest += term
        elif isinstance(rest, (sp.sin, sp.cos, sp.tanh, sp.erf)) and rest.args[0].is_real:
            lowest -= sp.Abs(size)
        elif not term.is_nonnegative:
            return False
    return bool(lowest.is_positive)
