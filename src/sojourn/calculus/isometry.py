"""Ito's isometry: E[int g dW int h dV] = int rho E[g h] dt, and means of functions of Brownian motions.

Source: Oksendal, 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from sojourn.calculus.integrals import definite
from sojourn.calculus.noises import Brownian
from sojourn.calculus.process import ItoProcess
from sojourn.calculus.steps import Derived, Mean, Step
from sojourn.errors import InputError


def isometry(
    g: Mapping[Brownian, Any],
    h: Mapping[Brownian, Any] | None = None,
    *,
    process: ItoProcess | None = None,
    until: Any = None,
) -> Derived:
    """E[(int_0^T sum g_k dW_k) (int_0^T sum h_l dV_l)], the variance of the first where h is not given.

    Args:
        g: Brownian motion -> what is integrated against it: a function of t, Brownian motions, or states of `process`.
        h: the same for the second integral.
        process: whose states the integrands have; other symbols are constants.
        until: T, by default the symbol T.

    Products of powers and exponentials of Brownian motions are averaged, and polynomials in states whose moments
    close; of other integrands the mean is named, E[...].

    Raises:
        InputError: an integrand does not stand against a Brownian motion, or T is negative.
    """
    h = g if h is None else h
    for side in (g, h):
        if not isinstance(side, Mapping):
            raise InputError(f"{side!r} does not say against which motion it stands; write {{W: {side!r}}}")
    for W in (*g, *h):
        if not isinstance(W, Brownian):
            raise InputError(f"{W!r} is no Brownian motion; write the integrand as {{W: g}} with W = brownian('W')")
    left, right = ({W: sp.sympify(e) for W, e in side.items()} for side in (g, h))
    found: set[Any] = {s for side in (left, right) for e in side.values() for s in e.free_symbols if s.name == "t"}
    if process is not None and process.uses_time(sp.S.Zero):
        found.add(process.time)
    if len(found) > 1:
        raise InputError("two different symbols are called t; make it once, with symbols('t', positive=True)")
    t = found.pop() if found else sp.Symbol("t", positive=True)
    states = set() if process is None else set(process.states)
    T = sp.Symbol("T", positive=True) if until is None else sp.sympify(until)
    if T.is_extended_negative or T.is_extended_real is False:
        raise InputError(f"until={until} is no time after 0; give T >= 0, a number or a symbol")
    steps, total = [], sp.S.Zero
    for W, a in left.items():
        for V, b in right.items():
            rho = W.correlation(V)
            if rho == 0:
                continue
            product = sp.expand(a * b)
            random = {s for s in product.free_symbols if isinstance(s, Brownian) or s in states}
            shown = Mean(product) if random else product
            if random & states:
                mean = Mean(product) if process is None else _state_mean(product, process)
            else:
                mean = brownian_mean(product, t)
            if mean is None:
                mean = Mean(product)
            elif shown != mean:
                steps.append(Step("the mean of the integrand", shown, mean))
            unknown = isinstance(mean, Mean)
            value = sp.Integral(mean, (t, 0, T)) if unknown else definite(mean, t, 0, T)
            steps.append(Step("Ito's isometry", sp.Integral(rho * shown, (t, 0, T)), rho * value))
            total += rho * value
    return Derived(sp.expand(total), tuple(steps))


def brownian_mean(expression: Any, t: sp.Symbol) -> sp.Expr | None:
    """E of a sum of products of powers and exponentials of Brownian motions at time t; None for other functions.

    By Stein's identity, E[W_i h(W)] = t sum_j rho_ij E[d_j h(W)], until exponentials are left:
    E exp(a . W) = exp(t a rho a / 2).
    """
    expression = sp.sympify(expression)
    W = sorted((s for s in expression.free_symbols if isinstance(s, Brownian)), key=lambda s: s.name)
    if expression.has(sp.sin, sp.cos, sp.sinh, sp.cosh):
        expression = expression.rewrite(sp.exp)
    total: Any = sp.S.Zero
    for term in sp.Add.make_args(sp.expand(expression)):
        mean = _term_mean(term, W, t)
        if mean is None:
            return None
        total += mean
    return sp.simplify(total)


def _state_mean(expression: sp.Expr, process: ItoProcess) -> sp.Expr | None:
    """E of a polynomial in the states, where its moments close."""
    x = process.states
    if not expression.is_polynomial(*x) or any(isinstance(s, Brownian) for s in expression.free_symbols):
        return None
    polynomial = sp.Poly(expression, *x)
    try:
        found = process.moments(polynomial.total_degree()).solve()
    except InputError:
        return None
    return sum((c * found[k] if any(k) else c for k, c in polynomial.terms()), sp.S.Zero)


def _term_mean(term: sp.Expr, W: list[Brownian], t: sp.Symbol) -> sp.Expr | None:
    outside, inside = term.as_independent(*W, as_Add=False)
    polynomial: Any = sp.S.One
    exponent: Any = sp.S.Zero
    for factor in sp.Mul.make_args(inside):
        if isinstance(factor, sp.exp):
            exponent += factor.args[0]
        elif factor.is_polynomial(*W):
            polynomial *= factor
        else:
            return None
    slopes: list[Any] = [sp.diff(exponent, w) for w in W]
    if any(a.free_symbols & set(W) for a in slopes):
        return None
    rest = sp.expand(exponent - sum((a * w for a, w in zip(slopes, W, strict=True)), sp.S.Zero))
    mean = _stein(sp.Poly(polynomial, *W).as_expr() if W else polynomial, slopes, W, t)
    variance = sum(
        (a * b * v.correlation(w) for a, v in zip(slopes, W, strict=True) for b, w in zip(slopes, W, strict=True)),
        sp.S.Zero,
    )
    return outside * mean * sp.exp(rest + t * variance / 2)


def _stein(polynomial: sp.Expr, slopes: list[sp.Expr], W: list[Brownian], t: sp.Symbol) -> sp.Expr:
    """E[p(W) exp(a . W)] / E[exp(a . W)]."""
    polynomial = sp.expand(polynomial)
    total = sp.S.Zero
    for term in sp.Add.make_args(polynomial):
        w = next((s for s in W if term.has(s)), None)
        if w is None:
            total += term
            continue
        h = sp.cancel(term / w)
        moved = sum((w.correlation(v) * (sp.diff(h, v) + a * h) for v, a in zip(W, slopes, strict=True)), sp.S.Zero)
        total += t * _stein(moved, slopes, W, t)
    return sp.expand(total)
