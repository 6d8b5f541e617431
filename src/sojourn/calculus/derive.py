"""The steps of Ito's rules, as a textbook writes them: derivatives, the rule, the table, putting in, collecting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.calculus.names import unused
from sojourn.calculus.noises import Brownian, Poisson
from sojourn.calculus.steps import Form, Partial, Step
from sojourn.calculus.tidy import tidy

if TYPE_CHECKING:
    from sojourn.calculus.differential import Differential
    from sojourn.calculus.process import ItoProcess


def chain_steps(found: Differential) -> tuple[Step, ...]:
    """Of df(t, X)."""
    process, f, t = found.process, found.value, found.time
    x, moving, name = process.states, process.states, unused("f g h", process, f)
    inside = [s for s in x if f.has(s)]
    left = Form.of([(1, f)], moving)
    steps = [Step("the function", sp.Symbol(name), f)]
    names: list[tuple[Partial, sp.Expr]] = []
    if f.has(t):
        names.append((Partial(name, t), sp.diff(f, t)))
    names += [(Partial(name, s), sp.diff(f, s)) for s in inside]
    pairs = [(s, v) for i, s in enumerate(inside) for v in inside[i:] if _moves(process, s, v)]
    names += [(Partial(name, s, v), sp.diff(f, s, v)) for s, v in pairs]
    steps += [Step("its partial derivatives" if k == 0 else "", *pair) for k, pair in enumerate(names)]

    # the rule, with names for the derivatives; then with the derivatives
    value = dict(names)
    continuous = {s: continuous_part(process, s) for s in inside}
    rule: list[tuple[Any, Any]] = [(Partial(name, t), t)] if f.has(t) else []
    rule += [(Partial(name, s), continuous[s]) for s in inside]
    rule += [
        (Partial(name, s, v) * (sp.Rational(1, 2) if s == v else 1), (continuous[s], continuous[v])) for s, v in pairs
    ]
    rule = [(c, d) for c, d in rule if c.subs(value) != 0]
    jumps: list[tuple[Any, Any]] = [(jump_name(process, N, name), N) for N in found.jumps]
    title = "Ito's formula with jumps" if found.jumps else "Ito's formula"
    steps.append(Step(title, left, Form.of(rule + jumps, moving)))
    steps.append(Step("with the derivatives", left, Form.of([(c.subs(value), d) for c, d in rule + jumps], moving)))
    steps += [Step(f"the jump of {name}", jump_name(process, N, name), size) for N, size in found.jumps.items()]

    # squares and products by the table
    covariance = process.covariance()
    second = [(s, v) for s, v in pairs if value[Partial(name, s, v)] != 0]
    table: dict[Step, None] = {}
    for s, v in second:
        left_noises, right_noises = ([W for W in process.noises if process.columns[W][x.index(e)] != 0] for e in (s, v))
        table |= dict.fromkeys(_table_steps(left_noises, right_noises, t, []))
    steps += [Step(step.rule if k == 0 else "", step.left, step.right) for k, step in enumerate(table)]
    squares = [(s, v) for s, v in second if not (isinstance(s, Brownian) and isinstance(v, Brownian))]
    for k, (s, v) in enumerate(squares):
        pair = Form.of([(1, (continuous[s], continuous[v]))], moving)
        steps.append(Step("hence" if k == 0 else "", pair, Form.of([(covariance[x.index(s), x.index(v)], t)], moving)))
    put: list[tuple[Any, Any]] = []
    for c, d in rule:
        c = c.subs(value)
        if d == t:
            put.append((c, t))
        elif isinstance(d, tuple):
            i, j = (x.index(s) for s in (_state(continuous, e) for e in d))
            put.append((c, Form.of([(covariance[i, j], t)], moving)))
        else:
            put.append((c, _own_form(process, _state(continuous, d), t)))
    put += [(size, N) for N, size in found.jumps.items()]
    equations = [s for s in inside if not isinstance(s, (Brownian, Poisson))]
    if equations:
        steps.append(Step("put in " + " and ".join(f"d{s}" for s in equations), left, Form.of(put, moving)))
    steps.append(Step("collect the terms", left, found.form))
    if found.jumps:
        terms: list[tuple[Any, Any]] = [(found.compensated_drift, t), *((b, W) for W, b in found.diffusion.items())]
        terms += [(sp.S.One, Form.of([(c, N), (-tidy(N.rate * N.mean(c)), t)], moving)) for N, c in found.jumps.items()]
        steps.append(
            Step("compensated: each bracket is a martingale where it is integrable", left, Form.of(terms, moving))
        )
    return tuple(steps)


def product_steps(X: Differential, Y: Differential, cross: sp.Expr, found: Differential) -> tuple[Step, ...]:
    """Of d(XY)."""
    f, g, moving = X.value, Y.value, found.process.states
    left = Form.of([(1, f * g)], moving)
    together = [(sp.S.One, (f, g))]
    steps = [Step("product rule", left, Form.of([(f, g), (g, f), *together], moving))]
    steps += _given(X, Y)
    table = _table_form(X, Y, cross)
    steps += _used(X, Y)
    steps.append(Step("hence", Form.of(together, moving), table))
    put = [(f, Y.form), (g, X.form), (sp.S.One, table)]
    steps.append(Step("put in", left, Form.of(put, moving)))
    return (*steps, Step("collect the terms", left, found.form))


def quotient_steps(
    X: Differential, Y: Differential, cross: sp.Expr, square: sp.Expr, found: Differential
) -> tuple[Step, ...]:
    """Of d(X/Y)."""
    f, g, t, moving = X.value, Y.value, found.time, found.process.states
    left = Form.of([(1, f / g)], moving)
    rule = [(1 / g, f), (-f / g**2, g), (-1 / g**2, (f, g)), (f / g**3, (g, g))]
    steps = [Step("quotient rule" + (" for the continuous parts" if found.jumps else ""), left, Form.of(rule, moving))]
    steps += _given(X, Y)
    steps += list(dict.fromkeys((*_used(X, Y), *_used(Y, Y))))
    steps.append(Step("hence", Form.of([(1, (f, g))], moving), Form.of([(cross, t)], moving)))
    steps.append(Step("", Form.of([(1, (g, g))], moving), Form.of([(square, t)], moving)))
    if not found.jumps:
        put = [(1 / g, X.form), (-f / g**2, Y.form), (-cross / g**2, t), (f * square / g**3, t)]
        steps.append(Step("put in", left, Form.of(put, moving)))
    for N in found.jumps:
        before = (f + X.jumps.get(N, sp.S.Zero)) / (g + Y.jumps.get(N, sp.S.Zero))
        steps.append(Step(f"a jump of {N} takes the quotient to", None, before))
    return (*steps, Step("collect the terms", left, found.form))


def sum_steps(X: Differential, Y: Differential, sign: int, found: Differential) -> tuple[Step, ...]:
    """Of d(X + Y)."""
    moving = found.process.states
    left = Form.of([(1, found.value)], moving)
    both = Form.of([(1, X.value), (sign, Y.value)], moving)
    return (Step("a differential is linear", left, both), *_given(X, Y), Step("collect the terms", left, found.form))


def covariation_steps(X: Differential, Y: Differential, value: sp.Expr) -> tuple[Step, ...]:
    """Of dX dY."""
    moving = X.process.states
    pair = Form.of([(1, (X.value, Y.value))], moving)
    return (*_given(X, Y), *_used(X, Y), Step("hence", pair, Form.of([(value, X.time)], moving)))


def _given(X: Differential, Y: Differential) -> list[Step]:
    """The equations that are put in."""
    parts = [X] if X.value == Y.value else [X, Y]
    moving = X.process.states
    return [Step("where" if k == 0 else "", Form.of([(1, d.value)], moving), d.form) for k, d in enumerate(parts)]


def _table_form(X: Differential, Y: Differential, cross: sp.Expr) -> Form:
    both = [(X.jumps[N] * Y.jumps[N], N) for N in X.jumps if N in Y.jumps]
    return Form.of([(cross, X.time), *both], X.process.states)


def _used(X: Differential, Y: Differential) -> list[Step]:
    """The entries of the table that dX dY needs."""
    return _table_steps(list(X.diffusion), list(Y.diffusion), X.time, [N for N in X.jumps if N in Y.jumps])


def _table_steps(left: list[Brownian], right: list[Brownian], t: sp.Symbol, jumps: list[Poisson]) -> list[Step]:
    pairs = dict.fromkeys(tuple(sorted((W, V), key=lambda s: s.name)) for W in left for V in right)
    lines = [(Form.of([(1, pair)]), Form.of([(pair[0].correlation(pair[1]), t)])) for pair in pairs]
    lines += [(Form.of([(1, (N, N))]), Form.of([(1, N)])) for N in jumps]
    return [
        Step("by the table, in which all products with dt are 0" if k == 0 else "", *e) for k, e in enumerate(lines)
    ]


def _moves(process: ItoProcess, s: sp.Symbol, v: sp.Symbol) -> bool:
    i, k = process.states.index(s), process.states.index(v)
    return process.covariance()[i, k] != 0


def continuous_part(process: ItoProcess, s: sp.Symbol) -> Any:
    """The symbol of the state's continuous part: the state itself where it does not jump."""
    i = process.states.index(s)
    jumps = any(column[i] != 0 for column in process.jump_columns.values())
    return sp.Symbol(f"{s.name}^c") if jumps else s


def _state(continuous: dict[sp.Symbol, Any], name: Any) -> sp.Symbol:
    return next(s for s, c in continuous.items() if c == name)


def _own_form(process: ItoProcess, s: sp.Symbol, t: sp.Symbol) -> Any:
    """The continuous part of dX_i; the symbol itself for a Brownian motion."""
    if isinstance(s, Brownian):
        return s
    i = process.states.index(s)
    terms = [(process.drifts[i], t), *((column[i], W) for W, column in process.columns.items())]
    return Form.of(terms, process.states)


def jump_name(process: ItoProcess, N: Poisson, of: str) -> sp.Symbol:
    return sp.Symbol(f"Delta {of}") if len(process.jump_columns) == 1 else sp.Symbol(f"Delta_{N.name} {of}")
