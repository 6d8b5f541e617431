"""The interval in which a process of one state lives, as its coefficients tell: between zeros of B^2 and poles of a."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.calculus.process import ItoProcess


@dataclass(frozen=True)
class Diffusion:
    """a and B^2 of one state in a symbol x that is real, or positive where the state is.

    Attributes:
        state: the process's own symbol.
        x: the symbol in `drift` and `variance`.
        drift, variance: a(t, x) and the rate B rho B^T of the continuous part.
    """

    state: sp.Symbol
    x: sp.Symbol
    drift: sp.Expr
    variance: sp.Expr

    @classmethod
    def of(cls, X: ItoProcess) -> Diffusion:
        if len(X.states) != 1 or X.jump_columns:
            what = (
                f"{len(X.states)} states" if len(X.states) != 1 else f"jumps of {', '.join(map(str, X.jump_columns))}"
            )
            raise InputError(f"the process has {what}; this is known of one state without jumps")
        state = X.states[0]
        positive = state.is_positive or _is_half_line(X)
        x = sp.Dummy(state.name, positive=True) if positive else sp.Dummy(state.name, real=True)
        return cls(state, x, *coefficients(X, x))

    def back(self, expression: Any) -> Any:
        """An expression in the process's own symbol."""
        return expression.subs(self.x, self.state)


def coefficients(X: ItoProcess, x: sp.Symbol) -> tuple[Any, Any]:
    """Drift and B rho B^T of one state, with x in its place."""
    put: dict[Any, Any] = {X.states[0]: x}
    a, v = (e.subs(put) for e in list[Any]((X.drifts[0], X.covariance()[0, 0])))
    v: Any = sp.powdenest(v)
    return sp.expand_log(sp.simplify(a)), sp.expand_log(sp.simplify(v))


def diffusion(X: ItoProcess) -> Diffusion:
    """a and B^2 of a process of one state with noise, whose coefficients do not depend on time; else InputError."""
    D = Diffusion.of(X)
    if D.variance == 0:
        raise InputError(f"{D.state} has no noise; scale, speed and Feller's test are of processes with noise")
    if X.time in D.drift.free_symbols | D.variance.free_symbols:
        raise InputError(
            f"the coefficients of {D.state} depend on t: drift {D.back(D.drift)}, B^2 = {D.back(D.variance)}; this is "
            f"known of coefficients without t"
        )
    return D


def state_space(X: ItoProcess) -> tuple[sp.Expr, sp.Expr]:
    """The ends of the interval between singular points that holds the initial value.

    Without a number for the initial value it is the highest interval with B^2 > 0 (other symbols taken as positive).

    Raises:
        InputError: the order of the singular points is not known, or the coefficients are not algebraic.
    """
    D = diffusion(X)
    points = singular_points(D)
    ends = [-sp.oo, *points, sp.oo]
    intervals = list(pairwise(ends))
    start = X.starts[0] if X.starts else None
    if start is not None and start.is_number:
        for low, high in intervals:
            if sp.Le(low, start) == sp.true and sp.Lt(start, high) == sp.true:
                return low, high
    for low, high in reversed(intervals):
        if D.x.is_positive and sp.sympify(high).is_nonpositive:
            continue
        if inside(D, D.variance, low, high).is_positive:
            return low, high
    raise InputError(
        f"no interval is found in which B^2 = {D.back(D.variance)} is positive; give numbers to parameters"
    )


def singular_points(D: Diffusion) -> list[sp.Expr]:
    """Zeros and poles of B^2 and poles of a, in order."""
    found: set[Any] = set()
    free = sp.Dummy("x")  # without assumptions, so that no root is dropped for them
    for expression, zeros in ((D.variance, True), (D.drift, False)):
        for factor in sp.Mul.make_args(sp.factor(sp.together(expression))):
            base, exponent = factor.as_base_exp()
            if not factor.has(D.x):
                continue
            if isinstance(factor, sp.exp) or (isinstance(base, sp.Abs) and exponent.is_positive and not zeros):
                continue
            if not zeros and not exponent.is_negative:
                found |= _poles_inside(base, D.x, free)
                continue
            base = base.args[0] if isinstance(base, sp.Abs) else base
            if not base.is_polynomial(D.x):
                raise InputError(
                    f"singular points of {D.back(expression)} are not found, for {D.back(base)} is no polynomial in "
                    f"{D.state}"
                )
            found |= _real_roots(base, D.x, free)
    return _sorted(found)


def _poles_inside(base: sp.Expr, x: sp.Symbol, free: sp.Symbol) -> set[Any]:
    """Where negative powers or logarithms inside a sum are singular."""
    out: set[Any] = set()
    for part in base.atoms(sp.Pow, sp.log):
        inner = part.args[0]
        if inner.has(x) and inner.is_polynomial(x) and (isinstance(part, sp.log) or not part.args[1].is_nonnegative):
            out |= _real_roots(inner, x, free)
    return out


def _real_roots(polynomial: sp.Expr, x: sp.Symbol, free: sp.Symbol) -> set[Any]:
    p = sp.Poly(polynomial.subs(x, free), free)
    roots = sp.roots(p)
    if sum(roots.values()) < p.degree() and p.free_symbols_in_domain:
        raise InputError(f"the zeros of {polynomial} are not found in symbols; give numbers to its parameters")
    if sum(roots.values()) < p.degree():
        return set(sp.real_roots(p))
    linear = p.degree() == 1
    return {r for r in roots if r.is_real or (linear and r.is_real is None)}


def _sorted(points: set[sp.Expr]) -> list[sp.Expr]:
    out: list[sp.Expr] = []
    for point in points:
        place = 0
        for other in out:
            above = (point - other).is_positive
            if above is None:
                raise InputError(
                    f"whether {point} is above {other} is not known; give numbers, or symbols positive=True"
                )
            place += bool(above)
        out.insert(place, point)
    return out


def inside(D: Diffusion, expression: sp.Expr, low: Any, high: Any) -> sp.Expr:
    """The value of an expression in the middle of the interval, with all symbols but x taken as 1, 2, ..."""
    symbols = (expression.free_symbols | sp.sympify(low).free_symbols | sp.sympify(high).free_symbols) - {D.x}
    ones = {s: i + 1 for i, s in enumerate(sorted(symbols, key=str))}
    a, b = (sp.sympify(end).subs(ones) for end in (low, high))
    below, above = (b - 1 if b < sp.oo else -1), (a + 1 if a > -sp.oo else 1)
    middle = (a + b) / 2 if (b - a).is_finite else above if a > -sp.oo else below
    return sp.sympify(expression.subs({**ones, D.x: middle}))


def _is_half_line(X: ItoProcess) -> bool:
    """Whether the state space is found to lie in the positive numbers."""
    x = sp.Dummy("x", real=True)
    D = Diffusion(X.states[0], x, *coefficients(X, x))
    try:
        points = singular_points(D)
    except InputError:
        return False
    start = X.starts[0] if X.starts else None
    if start is not None and start.is_number and start.is_negative:
        return False
    return any(point.is_nonnegative for point in points[:1])
