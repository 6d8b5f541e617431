"""Linear SDEs have explicit solutions: dX = (a X + c) dt + sum_k (b_k X + e_k) dW_k.

X = F (X_0 + int F^-1 (c - sum b_k rho_kl e_l) ds + sum_k int F^-1 e_k dW_k),   F = exp(int a - 1/2 |b|^2 ds + int b dW)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.calculus.exponential import exponential
from sojourn.calculus.integrals import definite
from sojourn.calculus.moments import bound, start_of
from sojourn.calculus.noises import Brownian
from sojourn.calculus.steps import Derived, Step
from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.calculus.process import ItoProcess


class ItoIntegral(sp.Expr):
    """int_0^t f(s) dW_s, unevaluated: `ItoIntegral(f, s, t, W)`. In f, the motion at time s is `at(W, s)`."""

    def __new__(cls, f: Any, s: sp.Symbol, t: Any, W: Brownian) -> Any:
        f = sp.sympify(f)
        if not f.has(s):
            return f * W  # W is the motion at the upper end
        return sp.Expr.__new__(cls, f, s, sp.sympify(t), W)

    @property
    def free_symbols(self) -> set[Any]:
        f, s, t, W = self.args
        return (f.free_symbols - {s}) | t.free_symbols | {W}

    def _sympystr(self, printer: Any) -> str:
        f, s, t, W = map(printer._print, self.args)
        return f"ItoIntegral({f}, ({s}, 0, {t}), {W})"

    def _latex(self, printer: Any) -> str:
        f, s, t, W = map(printer._print, self.args)
        return rf"\int_{{0}}^{{{t}}} {f}\, d{W}_{{{s}}}"


def at(W: Brownian, s: Any) -> sp.Expr:
    """The value of a Brownian motion at another time than t."""
    return sp.Function(W.name, real=True)(s)


def solve(X: ItoProcess) -> Derived:
    """X_t as an expression in t, the Brownian motions at t, and integrals against them.

    One state: coefficients may depend on time, noises may be several and correlated. Several states: a constant matrix
    A with additive noise, X = e^(At) X_0 + int e^(A(t-s)) c ds + sum_k int e^(A(t-s)) B_k dW_k. The steps hold the
    integrating factor, and of one state mean and variance.

    Raises:
        InputError: the SDE is not linear; or of several states, and not of that kind.

    Source: Kloeden and Platen, Numerical Solution of SDEs, sections 4.2 and 4.8.
    """
    return _solve_scalar(X) if len(X.states) == 1 else _solve_vector(X)


@dataclass(frozen=True)
class ScalarLinear:
    """a, c, and of every noise b and e; |b|^2, b.e and |e|^2 with the correlations in them."""

    a: sp.Expr
    c: sp.Expr
    b: dict[Brownian, sp.Expr]
    e: dict[Brownian, sp.Expr]
    bb: sp.Expr
    be: sp.Expr
    ee: sp.Expr


def scalar_coefficients(X: ItoProcess) -> ScalarLinear:
    """The coefficients of a linear SDE of one state; InputError where it is not one."""
    if len(X.states) != 1:
        raise InputError(f"the process has {len(X.states)} states; this is known of one")
    if X.jump_columns:
        raise InputError(f"jumps of {', '.join(map(str, X.jump_columns))}: explicit solutions here have none")
    x = X.states[0]
    a, c = _affine(X.drifts[0], x, "drift")
    parts = {W: _affine(column[0], x, f"diffusion of {W}") for W, column in X.columns.items()}
    b = {W: part[0] for W, part in parts.items()}
    e = {W: part[1] for W, part in parts.items()}

    def dot(u: dict[Brownian, sp.Expr], v: dict[Brownian, sp.Expr]) -> sp.Expr:
        return sum((u[W] * v[V] * W.correlation(V) for W in u for V in v), sp.S.Zero)

    return ScalarLinear(a, c, b, e, dot(b, b), dot(b, e), dot(e, e))


def mean(X: ItoProcess) -> sp.Expr:
    """E[X_t] of a linear SDE of one state: m' = a m + c."""
    k = scalar_coefficients(X)
    return _ode(k.a, k.c, start_of(X)[0], X.time, bound(X))


def variance(X: ItoProcess) -> sp.Expr:
    """Var[X_t] of a linear SDE of one state: V' = (2 a + |b|^2) V + |b m + e|^2, with m the mean."""
    k = scalar_coefficients(X)
    m = mean(X)
    return _ode(2 * k.a + k.bb, k.bb * m**2 + 2 * k.be * m + k.ee, sp.S.Zero, X.time, bound(X))


def _ode(rate: sp.Expr, forcing: sp.Expr, start: sp.Expr, t: sp.Symbol, s: sp.Symbol) -> sp.Expr:
    """y with y' = rate(t) y + forcing(t), y(0) = start; s is the variable of integrals."""
    growth = definite(rate.subs(t, s), s, 0, t)
    inner = sp.powsimp(sp.expand((sp.exp(-growth) * forcing).subs(t, s)))
    added = definite(inner, s, 0, t)
    if added.has(sp.Integral):
        return sp.exp(growth) * (start + added)
    return collected(sp.exp(growth) * (start + added))


def collected(e: sp.Expr) -> sp.Expr:
    """A sum of exponentials, each written once: theta + (X_0 - theta) exp(-kappa t)."""
    e = sp.expand(sp.powsimp(sp.expand(e)), power_exp=False)
    waves = sorted(e.atoms(sp.exp), key=sp.default_sort_key)
    if not waves:
        return sp.simplify(e) if e.count_ops() < 60 else e
    parts = sp.collect(e, waves, evaluate=False)
    return sp.factor_terms(sp.Add(*(wave * (c if c.has(sp.exp) else _shortest(c)) for wave, c in parts.items())))


def _shortest(e: sp.Expr) -> sp.Expr:
    return min((e, sp.factor(e)), key=sp.count_ops) if e.count_ops() < 100 else e


def _affine(expression: sp.Expr, x: sp.Symbol, what: str) -> tuple[sp.Expr, sp.Expr]:
    slope = sp.simplify(sp.diff(expression, x))
    rest = sp.simplify(expression - slope * x)
    if slope.has(x) or rest.has(x):
        raise InputError(f"{what} {expression} is not linear in {x}; explicit solutions are known of linear SDEs")
    return slope, rest


def _solve_scalar(X: ItoProcess) -> Derived:
    k, t, x = scalar_coefficients(X), X.time, X.states[0]
    s = bound(X)
    drift = definite((k.a - k.bb / 2).subs(t, s), s, 0, t)
    noise = sum((ItoIntegral(b.subs(t, s), s, t, W) for W, b in k.b.items()), sp.S.Zero)
    F = sp.exp(drift + noise)
    inside = (1 / F).subs({W: at(W, s) for W in X.noises}).subs(t, s)
    lebesgue = sp.powsimp(sp.expand(inside * (k.c - k.be).subs(t, s))) if k.c != k.be else sp.S.Zero
    integral = sp.Integral(lebesgue, (s, 0, t)) if noise != 0 and lebesgue != 0 else definite(lebesgue, s, 0, t)
    ito = sum((ItoIntegral(sp.powsimp(inside * e.subs(t, s)), s, t, W) for W, e in k.e.items() if e != 0), sp.S.Zero)
    x0 = start_of(X)[0]
    value = F * (x0 + integral + ito)
    if noise == 0 and not integral.has(sp.Integral):
        value = collected(F * (x0 + integral)) + F * ito
    steps = (
        Step("integrating factor: dF = a F dt + sum b_k F dW_k, F(0) = 1", sp.Symbol("F"), F),
        Step("d(X/F) = (c - sum b_k rho_kl e_l)/F dt + sum e_k/F dW_k", sp.Symbol("X/F"), x0 + integral + ito),
        Step("mean: m' = a m + c", sp.Symbol(f"E[{x}]"), mean(X)),
        Step("variance: V' = (2 a + |b|^2) V + |b m + e|^2", sp.Symbol(f"Var[{x}]"), variance(X)),
    )
    return Derived(value, steps, (f"{x} at time 0 is {x0}.",))


@dataclass(frozen=True)
class VectorLinear:
    """A, c(t), and the columns B_k(t) of dX = (A X + c) dt + sum_k B_k dW_k."""

    A: sp.Matrix
    c: sp.Matrix
    columns: dict[Brownian, sp.Matrix]


def vector_coefficients(X: ItoProcess) -> VectorLinear:
    """The coefficients of a linear system with additive noise; InputError where it is not one."""
    if X.jump_columns:
        raise InputError(f"jumps of {', '.join(map(str, X.jump_columns))}: explicit solutions here have none")
    a, x = sp.Matrix(X.drifts), sp.Matrix(X.states)
    A = a.jacobian(x).applyfunc(sp.simplify)
    c = (a - A * x).applyfunc(sp.simplify)
    if (A.free_symbols | c.free_symbols) & set(X.states):
        raise InputError(
            f"drift {list(X.drifts)} is not linear in {X.states}; explicit solutions are known of linear SDEs"
        )
    if X.time in A.free_symbols:
        raise InputError(f"the matrix of the drift, {A.tolist()}, depends on t; it must be constant for several states")
    for W, column in X.columns.items():
        if any(e.free_symbols & set(X.states) for e in column):
            raise InputError(
                f"diffusion of {W} {list(column)} depends on the states; for several states give additive noise"
            )
    return VectorLinear(A, c, {W: sp.Matrix(column) for W, column in X.columns.items()})


def _solve_vector(X: ItoProcess) -> Derived:
    k, t, s = vector_coefficients(X), X.time, bound(X)
    flow = exponential(k.A, t)
    if sum(e.count_ops() for e in flow) > 400:
        raise InputError(
            f"the solution of a linear system with matrix {k.A.tolist()} is too long in symbols; give numbers to "
            f"parameters, or use law().frozen() for the law in numbers"
        )
    later = flow.subs(t, t - s)
    drifted = (later * k.c.subs(t, s)).applyfunc(lambda e: definite(sp.expand(e), s, 0, t))
    ito = sp.zeros(len(X.states), 1)
    for W, column in k.columns.items():
        ito += (later * column.subs(t, s)).applyfunc(lambda e, W=W: ItoIntegral(sp.powsimp(sp.expand(e)), s, t, W))
    start = sp.Matrix(start_of(X))
    steps = (
        Step("integrating factor: F' = A F, F(0) = I", sp.Symbol("F"), flow),
        Step("mean: m' = A m + c", sp.Symbol("E[X]"), flow * start + drifted),
    )
    return Derived(flow * start + drifted + ito, steps)
