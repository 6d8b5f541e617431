"""The generator of a process, and its adjoint.

L f = sum_i a_i f_i + 1/2 sum_ik S_ik f_ik + sum_l lambda_l E[f(x + c_l) - f(x)],   S = B rho B^T
L* p = -sum_i d_i(a_i p) + 1/2 sum_ik d_i d_k (S_ik p) + jumps
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.calculus.steps import Derived, Step
from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.calculus.process import ItoProcess


def generator(X: ItoProcess, f: Any) -> Derived:
    """L f of an expression f in t and the states; f_t is added where f depends on t.

    A name, "f", stands for an unknown function of the states, and its derivatives stay symbols; so does an undefined
    function, which may be applied to time too: `Function("u")(t, x)`.

    Source: Oksendal, Stochastic Differential Equations, theorem 7.3.3; Applebaum, Levy Processes, section 6.7.
    """
    f = function(f, X.states)
    a, S, x = X.drifts, X.covariance(), X.states
    first = sum((a[i] * sp.diff(f, x[i]) for i in range(len(x))), sp.S.Zero)
    second = sum((S[i, k] * sp.diff(f, x[i], x[k]) for i in range(len(x)) for k in range(len(x))), sp.S.Zero) / 2
    steps = [
        Step("drift: sum_i a_i f_i", sp.Symbol("L_drift"), first),
        Step("noise: 1/2 sum_ik (B rho B^T)_ik f_ik", sp.Symbol("L_noise"), second),
    ]
    value = first + second
    if X.time in f.free_symbols:
        value += sp.diff(f, X.time)
        steps.append(Step("f depends on time: f_t", sp.Symbol("L_time"), sp.diff(f, X.time)))
    for N, column in X.jump_columns.items():
        moved = f.subs(dict(zip(x, (y + c for y, c in zip(x, column, strict=True)), strict=True)), simultaneous=True)
        jump = N.rate * N.mean(moved - f)
        value += jump
        steps.append(Step(f"jumps of {N}: rate times E[f(x + c) - f(x)]", sp.Symbol(f"L_{N}"), jump))
    return Derived(expanded(value), tuple(steps))


def adjoint(X: ItoProcess, p: Any) -> Derived:
    """L* p for a density p(t, x), with int f L* p dx = int p L f dx for f that vanish near the boundary.

    A name, "p", stands for an unknown function of time and the states.

    Raises:
        InputError: a jump x -> x + c(x) is not affine in the state, so that where it comes from is not known.

    Source: Risken, The Fokker-Planck Equation, section 4.7; Gardiner, Handbook of Stochastic Methods, section 3.4.
    """
    p = function(p, (X.time, *X.states))
    J = flux(X, p)
    divergence = sum((sp.diff(j, y) for j, y in zip(J.value, X.states, strict=True)), sp.S.Zero)
    steps = [*J.steps, Step("L* p = -div J", sp.Symbol("L^*"), -divergence)]
    value = -divergence
    for N in X.jump_columns:
        jump = _jumps_into(X, N, p)
        value += jump
        steps.append(Step(f"jumps of {N}: those that arrive less those that leave", sp.Symbol(f"L^*_{N}"), jump))
    return Derived(expanded(value.doit()), tuple(steps))


def flux(X: ItoProcess, p: Any = "p") -> Derived:
    """The probability flux J_i = a_i p - 1/2 sum_k d_k (S_ik p) of the continuous part: a column vector."""
    p = function(p, (X.time, *X.states))
    S, x = X.covariance(), X.states
    rows = [
        a * p - sum((sp.diff(S[i, k] * p, x[k]) for k in range(len(x))), sp.S.Zero) / 2 for i, a in enumerate(X.drifts)
    ]
    J = sp.Matrix([expanded(row) for row in rows])
    return Derived(J, (Step("flux: J_i = a_i p - 1/2 sum_k d_k (S_ik p)", sp.Symbol("J"), J),))


def function(f: Any, arguments: Sequence[sp.Symbol]) -> sp.Expr:
    """The expression that f stands for: a name or an undefined function is applied to the arguments."""
    if isinstance(f, str):
        if not f.isidentifier():
            raise InputError(
                f"{f!r} is no name of a function; give a name such as 'f', or an expression made of symbols"
            )
        f = sp.Function(f)
    if isinstance(f, sp.core.function.UndefinedFunction):
        return f(*arguments)
    try:
        return sp.sympify(f, strict=True)
    except sp.SympifyError:
        raise InputError(f"{f!r} is not an expression, a name or a function; make it from symbols") from None


def expanded(e: Any) -> Any:
    """Multiplied out where it is short; a long density would take minutes."""
    return sp.expand(e) if e.count_ops() < 200 else e


def _jumps_into(X: ItoProcess, N: Any, p: sp.Expr) -> sp.Expr:
    """rate(y) p(y) |dy/dx| - rate(x) p(x), where y is the state from which the jump leads to x."""
    x, c = sp.Matrix(X.states), sp.Matrix(X.jump_columns[N])
    landing = x + c
    slope = landing.jacobian(x)
    if slope.free_symbols & set(X.states) or sp.simplify(slope.det()) == 0:
        raise InputError(
            f"the jump of {N} leads from x to {list(landing)}, which is not affine and invertible in the states; the "
            f"adjoint is known for such jumps only"
        )
    shift = sp.simplify(landing - slope * x)
    before = slope.inv() * (x - shift)
    places = dict(zip(X.states, before, strict=True))
    arriving = (N.rate * p).subs(places, simultaneous=True)
    determinant = sp.simplify(slope.det())
    return N.mean(arriving / sp.Abs(determinant)) - N.rate * p
