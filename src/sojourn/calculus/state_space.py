"""The interval in which a process of one state lives, as its coefficients tell: between zeros of B^2 and poles of a."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.calculus.process import ItoProcess


LARGEST = 30  # operations in a coefficient that is no fraction and still is simplified


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
    return _short(a, x), _short(sp.powdenest(v), x)


def _short(e: Any, x: sp.Symbol) -> Any:
    if e.is_rational_function(x):
        return sp.factor(e)
    return sp.expand_log(sp.simplify(e) if e.count_ops() < LARGEST else e)


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

    Without a number for the initial value it is an interval with B^2 > 0 (other symbols taken as positive): a finite
    one, else the highest. `where` says so.

    Raises:
        InputError: the singular points are not found or not in a known order, or B^2 < 0 at the initial value.
    """
    D = diffusion(X)
    intervals = _intervals(D)
    start = X.starts[0] if X.starts else None
    if start is not None and start.is_number:
        for low, high in intervals:
            if sp.Le(low, start) == sp.true and sp.Lt(start, high) == sp.true:
                if inside(D, D.variance, low, high).is_negative:
                    raise InputError(f"B^2 = {D.back(D.variance)} is negative at the initial {D.state} = {start}")
                return low, high
    possible = [part for part in intervals if inside(D, D.variance, *part).is_positive]
    if possible:
        finite = [part for part in possible if all(sp.sympify(place).is_finite for place in part)]
        return (finite or possible)[-1]
    raise InputError(
        f"no interval is found in which B^2 = {D.back(D.variance)} is positive; give numbers to parameters"
    )


def where(X: ItoProcess) -> tuple[str, ...]:
    """Notes on the interval of `state_space`: that the start decides on it, and what is assumed of parameters."""
    D, (low, high) = diffusion(X), state_space(X)
    possible = [part for part in _intervals(D) if inside(D, D.variance, *part).is_positive]
    known = X.starts is not None and X.starts[0].is_number
    notes: tuple[str, ...] = ()
    if len(possible) > 1 and not known:
        notes += (f"{D.state} starts between {low} and {high}; from elsewhere it has other ends.",)
    below = {e for place in (low, high) for e in sp.denom(sp.together(place)).free_symbols if not e.is_nonzero}
    notes += tuple(f"{e} is not zero." for e in sorted(below, key=str))
    if D.variance.free_symbols != {D.x} and not _is_positive(D, low, high):
        notes += (f"B^2 is positive between {low} and {high}.",)
    return notes


def _is_positive(D: Diffusion, low: Any, high: Any) -> bool:
    """Whether B^2 >= 0 is seen between the ends, with all of the interval as the image of z > 0."""
    z = sp.Dummy("z", positive=True)
    low, high = sp.sympify(low), sp.sympify(high)
    if low.is_infinite and high.is_infinite:
        return bool(D.variance.is_nonnegative)
    x = high - z if low.is_infinite else low + z if high.is_infinite else low + (high - low) * z / (1 + z)
    e = D.variance.subs(D.x, x)
    return bool(e.is_nonnegative or sp.factor(sp.together(e)).is_nonnegative)


def _intervals(D: Diffusion) -> list[tuple[sp.Expr, sp.Expr]]:
    """Those between singular points, without negative ones where x is positive."""
    found = list(pairwise([-sp.oo, *singular_points(D), sp.oo]))
    return [(low, high) for low, high in found if not (D.x.is_positive and sp.sympify(high).is_nonpositive)]


def singular_points(D: Diffusion) -> list[sp.Expr]:
    """Zeros and poles of B^2 and poles of a, in order.

    Raises:
        InputError: they cannot be listed, as those of tan x, or parameters decide whether there are any.
    """
    x = sp.Dummy(D.x.name, real=True)  # 0 may be such a point
    D = Diffusion(D.state, x, D.drift.subs(D.x, x), D.variance.subs(D.x, x))
    variance, drift = (sp.factor(sp.together(e)) for e in (D.variance, D.drift))
    return _sorted(_zeros(variance, D) | _poles(variance, D) | _poles(drift, D))


_ENTIRE = (sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.atan, sp.asinh, sp.erf, sp.exp, sp.Abs, sp.sign)
_ONE_ZERO = (sp.sinh, sp.tanh, sp.atan, sp.asinh, sp.erf, sp.Abs, sp.sign)  # functions whose zero is that of x


def _poles(e: Any, D: Diffusion) -> set[Any]:
    """Where e is not defined or infinite, at an end of where it is real too."""
    if not e.has(D.x) or e == D.x:
        return set()
    if isinstance(e, (sp.Add, sp.Mul, sp.Max, sp.Min, *_ENTIRE)):
        return set[Any]().union(*(_poles(part, D) for part in e.args))
    if isinstance(e, sp.log):
        return _poles(e.args[0], D) | _zeros(e.args[0], D)
    if isinstance(e, sp.Pow):
        base, exponent = e.args
        if exponent.has(D.x):
            if base.is_positive and not base.has(D.x):
                return _poles(exponent, D)
            raise _not_found(e, D)
        harmless = exponent.is_nonnegative and (exponent.is_integer or isinstance(base, sp.Abs))
        return _poles(base, D) | (set() if harmless else _zeros(base, D))
    raise _not_found(e, D)


def _zeros(e: Any, D: Diffusion) -> set[Any]:
    """The real x with e = 0."""
    if e == D.x:
        return {sp.S.Zero}
    if not e.has(D.x) or e.is_positive or e.is_negative or isinstance(e, sp.exp):
        return set()
    if e.is_polynomial(D.x):
        return _real_roots(e, D)
    if isinstance(e, sp.Mul):
        return set[Any]().union(*(_zeros(part, D) for part in e.args))
    if isinstance(e, sp.Pow) and not e.args[1].has(D.x):
        return set() if e.args[1].is_negative else _zeros(e.args[0], D)
    if isinstance(e, _ONE_ZERO):
        return _zeros(e.args[0], D)
    if isinstance(e, sp.log):
        return _zeros(e.args[0] - 1, D)
    raise _not_found(e, D)


def _not_found(e: Any, D: Diffusion) -> InputError:
    return InputError(
        f"the singular points of drift {D.back(D.drift)} and B^2 = {D.back(D.variance)} are not found, for where "
        f"{D.back(e)} vanishes or ends is not known here"
    )


def _real_roots(polynomial: Any, D: Diffusion) -> set[Any]:
    """The real zeros of a polynomial; linear factors in symbols are taken to depend on x."""
    free = sp.Dummy("x")  # without assumptions, so that no root is dropped for them
    found: set[Any] = set()
    numbers = {f: sp.nsimplify(f, rational=True) for f in polynomial.atoms(sp.Float)}
    for factor, _ in sp.factor_list(polynomial.xreplace({**numbers, D.x: free}), free)[1]:
        p = sp.Poly(factor, free)
        c = p.all_coeffs()
        if len(c) == 2:
            found.add(-c[1] / c[0])
            continue
        if all(e.is_Rational for e in c):
            found |= set(sp.real_roots(p))
            continue
        discriminant = sp.factor(c[1] ** 2 - 4 * c[0] * c[2]) if len(c) == 3 else sp.nan
        if discriminant.is_negative or factor.subs(free, D.x).is_positive:
            continue
        if not discriminant.is_nonnegative:
            raise InputError(
                f"whether {D.back(polynomial)} has zeros depends on its parameters; give numbers to them, or symbols "
                f"with positive=True where they are positive"
            )
        found |= {(-c[1] + sign * sp.sqrt(discriminant)) / (2 * c[0]) for sign in (-1, 1)}
    return {sp.simplify(root) for root in found}


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
