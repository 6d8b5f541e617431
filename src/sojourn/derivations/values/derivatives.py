"""Derivatives, gradients and Ito's differentials.

The variable of a derivative becomes a symbol of its own for the time, so one may differentiate by a letter that is
defined or random. d f(t, X) = f_t dt + f_x dX + f_xx (dX)^2 / 2, with dW_i dW_j = rho_ij dt and all other products 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from sojourn.derivations.notation import nodes as n
from sojourn.derivations.values.laws import entries, replaced
from sojourn.derivations.values.meaning import Meaning, symbols_in
from sojourn.derivations.values.scope import every
from sojourn.errors import InputError


def derivative(m: Meaning, node: n.Derivative) -> Any:
    """The derivative by each of the variables in turn."""
    if not node.variables:
        raise InputError("a derivative says not by what; write one such as \\frac{d}{dx}")
    variable, *rest = node.variables
    body = _called(m, node.body, node.variables)
    body = n.Derivative(body, tuple(rest), node.partial) if rest else body
    if not isinstance(variable, n.Symbol):
        raise InputError("derivatives are by letters, such as d/dx")
    if variable.name in m.scope.indices and not variable.subscript:
        vector = _vector(m, body)
        variable = n.Symbol(vector.name, vector.accent, (*vector.subscript, variable))
    if variable.name == m.scope.time and m.scope.rates:
        return _total(m, variable, body)
    return _by(m, variable, body, None)


def _called(m: Meaning, body: Any, variables: tuple[Any, ...]) -> Any:
    r"""The u of \frac{du}{dr} or \nabla u as u(r), where a definition says that r is what u is a function of."""
    if not isinstance(body, n.Symbol) or m.key(body) in m.bound:
        return body
    name, indices = m.key(body)
    call = m.function(name, indices)
    letter = name in m.scope.laws or any(isinstance(d.pattern, n.Symbol) for d in m.scope.definitions.get(name, ()))
    if call is None or call.given or letter or not all(isinstance(a, n.Symbol) for a in call.arguments):
        return body
    return replace(call, head=body) if set(variables) <= set(call.arguments) else body


def prime(m: Meaning, node: n.Call) -> Any:
    """f'(a): the derivative of f, then taken at a."""
    if len(node.arguments) != 1:
        raise InputError(f"{m.scope.name(node.head)}' has several arguments; write by which it is differentiated")
    place = n.Symbol("place", str(node.primes))
    inner = replace(node, arguments=(place,), primes=node.primes - 1)
    return _by(m, place, inner, m.value(node.arguments[0]))


def _by(m: Meaning, variable: n.Symbol, body: Any, at: Any) -> Any:
    """The derivative of a body by one letter, or by a component of a vector."""
    name, indices = m.key(variable)
    vector = name in m.scope.vectors
    component = vector and len(indices) == m.scope.vectors[name][1] + 1
    whole = indices[:-1] if component else indices
    at = m.element(name, whole) if at is None and (vector or (name, whole) not in m.bound) else at
    at = m.bound[name, whole] if at is None else at
    if vector and not component:
        raise InputError(f"{name} is a vector; write a gradient, \\nabla_{name}, or a component of it")
    size = at.rows if isinstance(at, sp.MatrixBase) else 1
    own = [sp.Dummy(name, real=True, positive=_sign(at)) for _ in range(size)]
    stands = sp.Matrix(own) if isinstance(at, sp.MatrixBase) else own[0]
    value = m.with_bound(name, whole, stands, body)
    by = own[indices[-1] - 1] if component else own[0]
    _draw_again(m, own)
    return replaced(_diff(value, by), dict(zip(own, entries(at), strict=True)))


def at(m: Meaning, node: n.At) -> Any:
    """f |_{x = a}."""
    name, indices = m.key(node.symbol)
    value = m.value(node.value)
    own = [sp.Dummy(name, real=True) for _ in range(value.rows if isinstance(value, sp.MatrixBase) else 1)]
    stands = sp.Matrix(own) if isinstance(value, sp.MatrixBase) else own[0]
    body = m.with_bound(name, indices, stands, node.body)
    return replaced(body, dict(zip(own, entries(value), strict=True)))


def _draw_again(m: Meaning, own: list[Any]) -> None:
    """Laws that were written down with the variable of a derivative get the letter itself back."""
    for name, indices in {(d.name, d.indices) for d in m.draws.values() if d.needs() & set(own)}:
        m.draw(name, indices)


def _sign(value: Any) -> bool | None:
    return True if getattr(value, "is_positive", None) else None


def _diff(value: Any, by: Any) -> Any:
    if isinstance(value, sp.MatrixBase):
        return value.applyfunc(lambda entry: sp.diff(entry, by))
    return sp.diff(value, by)


def _total(m: Meaning, time: n.Symbol, body: Any) -> Any:
    """d/dt where the rates of some quantities were given."""
    value = sp.sympify(m.value(body))
    total = _diff(value, m.symbol(time))
    for name, rate in m.scope.rates.items():
        total = total + _diff(value, m.element(name, ())) * m.scalar(rate)
    return total


def gradient(m: Meaning, node: n.Gradient) -> Any:
    """The gradient, Jacobian, divergence or Laplacian; in one dimension derivatives."""
    node = replace(node, body=_called(m, node.body, () if node.variable is None else (node.variable,)))
    variable = node.variable if node.variable is not None else _vector(m, node.body, any_letter=True)
    if not isinstance(variable, n.Symbol):
        raise InputError("a gradient is by a letter; write \\nabla_x")
    key = m.key(variable)
    at = m.bound[key] if key in m.bound else m.element(*key)
    if not isinstance(at, sp.MatrixBase):
        first = _by(m, variable, node.body, None)
        if node.kind == "laplacian":
            return _by(m, variable, n.Derivative(node.body, (variable,)), None)
        return first
    own = [sp.Dummy(key[0], real=True) for _ in entries(at)]
    value = m.with_bound(*key, sp.Matrix(own), node.body)
    _draw_again(m, own)
    back = dict(zip(own, entries(at), strict=True))
    if node.kind == "laplacian":
        return replaced(sum((_diff(_diff(value, one), one) for one in own), sp.S.Zero), back)
    if not isinstance(value, sp.MatrixBase):
        if node.kind == "divergence":
            raise InputError("a divergence is of a vector field, and a number stands behind it")
        return replaced(sp.Matrix([sp.diff(value, one) for one in own]), back)
    jacobian = replaced(sp.Matrix([[sp.diff(entry, one) for one in own] for entry in entries(value)]), back)
    return jacobian.trace() if node.kind == "divergence" else jacobian


def _vector(m: Meaning, body: Any, *, any_letter: bool = False) -> n.Symbol:
    """The vector that a gradient without a variable is by: the argument of the functions behind it."""
    inside = [a for one in every(body) if isinstance(one, n.Call) for a in (*one.arguments[:1],)]
    letters = [s for a in inside for s in symbols_in(a)] or symbols_in(body)
    vectors = [s for s in letters if m.scope.name(s) in m.scope.vectors]
    for s in (*vectors, *(letters if any_letter else ())):
        return s
    raise InputError("a derivative by a component says not of which vector; write \\partial_{x_i} or \\nabla_x")


def differential(m: Meaning, node: n.Differential) -> Any:
    """The Ito differential of a body, as a polynomial in dt and the dW."""
    body = node.body
    while isinstance(body, n.Bracket):
        body = body.body
    if isinstance(body, n.Symbol):
        name = m.scope.name(body)
        if name in m.scope.processes:
            return m.value(m.scope.processes[name])
        if name not in m.scope.definitions:
            return sp.Symbol("d" + "_".join([name, *map(str, m.key(body)[1])]), real=True)
    value = sp.sympify(m.value(body))
    moves = {}
    for s in sorted(value.free_symbols, key=str):
        plain = s.name if isinstance(s, sp.Symbol) else str(s)
        if plain in m.scope.processes:
            moves[s] = m.value(m.scope.processes[plain])
        elif plain == m.scope.time or any(plain == b or plain.startswith(b + "_") for b in m.scope.brownian):
            moves[s] = sp.Symbol("d" + plain, real=True)
    total: Any = sp.S.Zero
    for s, move in moves.items():
        total += sp.diff(value, s) * move
    for s, move in moves.items():
        for v, other in moves.items():
            total += sp.diff(value, s, v) * move * other / 2
    return by_table(m, total)


def by_table(m: Meaning, value: Any) -> Any:
    """Products of differentials by Ito's table: dW_i dW_j = rho_ij dt, dt dt = dt dW = 0."""
    value = sp.sympify(value)
    dt = sp.Symbol(f"d{m.scope.time}", real=True)
    noises = [s for s in value.free_symbols if s != dt and s.name in {f"d{b}" for b in _motions(m, value)}]
    small = [s for s in (dt, *noises) if value.has(s)]
    if not small:
        return value
    value = sp.expand(value)
    if not value.is_polynomial(*small):
        raise InputError("differentials stand in a denominator or a function; write sums of terms times dt and dW")
    total: Any = sp.S.Zero
    for powers, coefficient in sp.Poly(value, *small).terms():
        present = [s for s, power in zip(small, powers, strict=True) for _ in range(power)]
        if len(present) <= 1:
            total += coefficient * sp.Mul(*present)
        elif len(present) == 2 and dt not in present:
            total += coefficient * _correlation(m, *present) * dt
    return total


def _motions(m: Meaning, value: Any) -> list[str]:
    names = {s.name[1:] for s in value.free_symbols if s.name.startswith("d")}
    return [name for name in names if any(name == b or name.startswith(b + "_") for b in m.scope.brownian)]


def _correlation(m: Meaning, first: Any, second: Any) -> Any:
    if first == second:
        return sp.S.One
    pair = {first.name[1:], second.name[1:]}
    for left, right, value in m.scope.correlations:
        if {left, right} == pair:
            rate = m.value(value)
            return sp.diff(sp.sympify(rate), sp.Symbol(f"d{m.scope.time}", real=True))
    return sp.S.Zero
