"""Kolmogorov's equations and Feynman and Kac's.

backward: u_t + L u = 0, u(T, x) = f(x);    forward: p_t = L* p = -div J;    Feynman-Kac: u_t + L u - r u + g = 0
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.calculus.generator import adjoint, function, generator
from sojourn.calculus.inequalities import sign_of
from sojourn.calculus.integrals import split, total
from sojourn.calculus.one_dimensional import End, end, feller, speed_density
from sojourn.calculus.state_space import diffusion, state_space, where
from sojourn.calculus.steps import Derived, Step
from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.calculus.process import ItoProcess


def backward(X: ItoProcess, u: Any = "u") -> Derived:
    """u_t + L u = 0, the equation of u(t, x) = E[f(X_T) | X_t = x], with u(T, x) = f(x).

    Source: Oksendal, Stochastic Differential Equations, theorem 8.1.1.
    """
    u = _unknown(X, u)
    L = _generator_without_time(X, u)
    equation = sp.Eq(sp.diff(u, X.time) + L.value, 0)
    notes = (f"{u.func} at the final time T is f: {_at(X, u, sp.Symbol('T'))} = f({_listed(X)}).",)
    return Derived(equation, (*L.steps, Step("backward equation: u_t + L u = 0", None, equation)), notes)


def forward(X: ItoProcess, p: Any = "p") -> Derived:
    """p_t = L* p, the Fokker-Planck equation of the density p(t, x); the steps hold the flux J with p_t = -div J.

    The notes give the conditions at the boundary; of one state those that Feller's test asks for. Where one state has a
    stationary density without flux it is a step.

    Source: Gardiner, Handbook of Stochastic Methods, sections 5.1 and 5.2.
    """
    p = _unknown(X, p)
    right = adjoint(X, p)
    equation = sp.Eq(sp.diff(p, X.time), right.value)
    steps = [*right.steps, Step("forward equation: p_t = L* p", None, equation)]
    if len(X.states) > 1 or X.jump_columns or not X.noises:
        notes: tuple[str, ...] = (
            "At a reflecting boundary the flux across it is zero, n . J = 0; at an absorbing boundary p = 0.",
        )
        return Derived(equation, tuple(steps), notes)
    try:
        notes = where(X)
        notes += tuple(_boundary_note(X, place, kind) for place, kind in zip(state_space(X), feller(X), strict=True))
    except InputError:
        notes = ("At a reflecting boundary the flux is zero, J = 0; at an absorbing boundary p = 0.",)
    try:
        rest = stationary_density(X)
    except InputError:
        return Derived(equation, tuple(steps), notes)
    steps.append(Step("J = 0 in the stationary state: p = C m with the speed density m", sp.Symbol("p_oo"), rest.value))
    notes += (f"The stationary density is {_shown(rest.value, X)}.", *rest.notes)
    return Derived(equation, tuple(steps), notes)


def stationary_density(X: ItoProcess) -> Derived:
    """The density p(x) with zero flux, of one state: p = C m, with m the speed density and int p dx = 1.

    Where the integral is not found it stays, unevaluated, in the constant.

    Raises:
        InputError: several states, jumps, coefficients that depend on time; or m has no finite integral.

    Source: Gardiner, Handbook of Stochastic Methods, section 5.2.2.
    """
    D, (low, high) = diffusion(X), state_space(X)
    try:
        ends = end(X, low, above=True), end(X, high, above=False)
    except InputError:  # the leading powers are not known
        ends = ()
    finite = [e.mass_is_finite for e in ends]
    m = speed_density(X)
    mass = sp.powsimp(m.value.subs(X.states[0], D.x))
    parsed = split(mass, D.x)
    pure_power = (
        parsed is not None and not parsed[2].has(D.x) and (low, high) == (0, sp.oo)
    )  # infinite at one end or both
    if sp.false in finite or pure_power or (ends and _exclude_each_other(*ends)):
        raise InputError(f"the speed density {m.value} has no finite integral, so there is no stationary density")
    size = total(mass, D.x, low, high)
    if size == sp.oo:
        raise InputError(f"the speed density {m.value} has no finite integral, so there is no stationary density")
    if not ends and size.has(sp.Integral):
        raise InputError(
            f"whether the speed density {m.value} has a finite integral from {low} to {high} is not decided here, so "
            f"that a stationary density is not given"
        )
    value = sp.powsimp(mass / size)
    conditions = [c for c in finite if c != sp.true] if ends else ["int m dx is finite"]
    notes = [f"It exists if {' and '.join(map(str, dict.fromkeys(conditions)))}."] if conditions else []
    steps = (
        *m.steps,
        Step(f"C = 1 / int m dx over ({low}, {high})", sp.Symbol("C"), D.back(1 / size)),
        Step("J = a p - (B^2 p)'/2 = 0, for (B^2 m)'/(B^2 m) = 2 a/B^2", sp.Symbol("J"), sp.S.Zero),
    )
    return Derived(D.back(value), steps, tuple(notes))


def _shown(density: sp.Expr, X: ItoProcess) -> str:
    """A density in a note; up to a constant where this is no closed form."""
    free, shape = density.as_independent(X.states[0], as_Add=False)
    return f"a constant times {shape}" if free.has(sp.Integral) else str(density)


def _exclude_each_other(low: End, high: End) -> bool:
    """Whether m is never integrable at both ends: p > 0 and q > 0 although p + c q <= 0 for a c > 0."""
    p, q = sign_of(low.mass_exponent), sign_of(high.mass_exponent)
    for symbol in p.free_symbols & q.free_symbols:
        ratio = sp.cancel(sp.diff(p, symbol) / sp.diff(q, symbol))
        if not ratio.has(symbol) and ratio.is_negative and sign_of(p - ratio * q).is_nonpositive:
            return True
    return False


def feynman_kac(X: ItoProcess, payoff: Any, *, discount: Any = 0, source: Any = 0, u: Any = "u") -> Derived:
    """u_t + L u - r u + g = 0 with u(T, x) = payoff(x).

    Its solution is u(t, x) = E[exp(-int_t^T r ds) payoff(X_T) + int_t^T exp(-int_t^s r) g ds | X_t = x]. With
    dS = r S dt + sigma S dW and discount r it is the equation of Black and Scholes.

    Args:
        payoff: an expression in the states.
        discount: the rate r(t, x).
        source: g(t, x).
        u: the name of the solution, or an undefined function.

    Raises:
        InputError: the payoff depends on time.

    Source: Karatzas and Shreve, Brownian Motion and Stochastic Calculus, theorem 5.7.6.
    """
    u = _unknown(X, u)
    payoff, rate, g = function(payoff, X.states), sp.sympify(discount), sp.sympify(source)
    if X.time in payoff.free_symbols:
        raise InputError(
            f"payoff {payoff} depends on t; it is paid at the final time T: give an expression in the states"
        )
    L = _generator_without_time(X, u)
    equation = sp.Eq(sp.expand(sp.diff(u, X.time) + L.value - rate * u + g), 0)
    steps = (
        *L.steps,
        Step("discounted u plus what the source paid is a martingale: its drift is zero", None, equation),
        Step("terminal condition", _at(X, u, sp.Symbol("T")), payoff),
    )
    notes = (
        f"{_at(X, u, sp.Symbol('T'))} = {payoff}.",
        "The payoff and the source grow at most polynomially, and the discount is bounded below.",
    )
    return Derived(equation, steps, notes)


def _unknown(X: ItoProcess, u: Any) -> sp.Expr:
    """The undefined function u(t, states) that was asked for by name, as a function, or applied."""
    applied = function(u, (X.time, *X.states))
    if not isinstance(applied, sp.core.function.AppliedUndef) or not set(applied.args) <= {X.time, *X.states}:
        raise InputError(f"{u!r} is not an unknown function of t and the states; give a name, such as 'u'")
    return applied


def _generator_without_time(X: ItoProcess, u: sp.Expr) -> Derived:
    L = generator(X, u)
    steps = tuple(step for step in L.steps if "f_t" not in step.rule)
    return Derived(sp.expand(L.value - sp.diff(u, X.time)), steps)


def _at(X: ItoProcess, u: sp.Expr, time: Any) -> Any:
    return u.subs(X.time, time)


def _listed(X: ItoProcess) -> str:
    return ", ".join(map(str, X.states))


def _boundary_note(X: ItoProcess, place: Any, kind: Derived) -> str:
    asks = {
        "regular": "is regular: choose reflecting, J = 0, or absorbing, p = 0",
        "exit": "is an exit: it is reached, and what reaches it does not come back: the interval loses mass",
        "entrance": "is an entrance: it is never reached, J = 0",
        "natural": "is natural: it is never reached, no condition is needed and J = 0",
    }
    value = kind.value
    cases: Any = value.args if isinstance(value, sp.Piecewise) else ((value, sp.true),)
    said = [asks[str(case[0])] + ("" if case[1] == sp.true else f", if {case[1]}") for case in cases]
    return f"The end {X.states[0]} = {place} " + "; else it ".join(said) + "."
