"""The calculus of an equation at a glance: its forms, its operators, its law and moments, as far as they are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from sojourn.calculus.names import unused
from sojourn.calculus.process import ItoProcess
from sojourn.calculus.steps import Form, Mean, Step
from sojourn.calculus.tidy import simple
from sojourn.errors import InputError


@dataclass(frozen=True)
class Section:
    """A title, equations, and the notes under which they hold."""

    title: str
    lines: tuple[Any, ...]
    notes: tuple[str, ...] = ()


LONGEST = 30  # terms of a coefficient multiplied out: of longer ones no boundary, law, solution or moments are sought


def overview(process: ItoProcess) -> list[Section]:
    """The sections that are known of a process; what has no answer, or would take long, is left out."""
    parts: list[Callable[[ItoProcess], Section | None]] = [
        _equation,
        _stratonovich,
        _generator,
        _backward,
        _forward,
    ]
    if _short(process):
        parts += [_solution, _law, _moments]
    found = []
    for part in parts:
        try:
            section = part(process)
        except InputError:  # this room has no answer for this process
            continue
        if section is not None:
            found.append(section)
    return found


def _equation(X: ItoProcess) -> Section:
    pairs = [(W, V) for i, W in enumerate(X.noises) for V in X.noises[i + 1 :] if W.correlation(V) != 0]
    known = tuple(Step("", Form.of([(1, (W, V))]), Form.of([(W.correlation(V), X.time)])) for W, V in pairs)
    return Section("Ito equation", (X, *known))


def _stratonovich(X: ItoProcess) -> Section | None:
    return Section("Stratonovich form", (X.to_stratonovich(),)) if X.noises else None


def _generator(X: ItoProcess) -> Section:
    name = unused("f g h", X)
    f = sp.Function(name)(*X.states)
    value = X.generator(f).value if X.jump_columns else _operator(X, f)
    return Section("Generator", (Step("", sp.Symbol(f"L {name}"), value),))


def _short(X: ItoProcess) -> bool:
    """Whether its coefficients are short enough for whatever may be asked."""
    return all(simple(e, LONGEST) for e in (*X.drifts, *X.covariance()))


def _backward(X: ItoProcess) -> Section:
    found = X.kolmogorov_backward() if X.jump_columns or _short(X) else None
    u = sp.Function(unused("u v w", X))(X.time, *X.states)
    line = found if X.jump_columns else sp.Eq(sp.Derivative(u, X.time) + _operator(X, u), 0, evaluate=False)
    return Section("Kolmogorov backward equation", (line,), found.notes if found else ())


def _forward(X: ItoProcess) -> Section:
    found = X.kolmogorov_forward() if X.jump_columns or _short(X) else None
    line = found if X.jump_columns else _conserved(X)
    return Section("Kolmogorov forward equation (Fokker-Planck)", (line,), found.notes if found else ())


def _operator(X: ItoProcess, f: Any) -> Any:
    """sum a_i f_i + 1/2 sum C_ik f_ik, with its coefficients as they were given."""
    x, C = X.states, X.covariance()
    terms = [a * sp.Derivative(f, s) for a, s in zip(X.drifts, x, strict=True)]
    terms += [C[i, i] * sp.Derivative(f, (s, 2)) / 2 for i, s in enumerate(x)]
    terms += [C[i, k] * sp.Derivative(f, x[i], x[k]) for k in range(len(x)) for i in range(k)]
    return sp.Add(*terms)


def _conserved(X: ItoProcess) -> Any:
    """p_t = -sum d_i (a_i p) + 1/2 sum d_i d_k (C_ik p), with the derivatives not carried out."""
    p, x, C = sp.Function(unused("p q", X))(X.time, *X.states), X.states, X.covariance()
    right = [-sp.Derivative(a * p, s) for a, s in zip(X.drifts, x, strict=True) if a != 0]
    right += [sp.Derivative(C[i, i] * p, (s, 2)) / 2 for i, s in enumerate(x) if C[i, i] != 0]
    right += [sp.Derivative(C[i, k] * p, x[i], x[k]) for k in range(len(x)) for i in range(k) if C[i, k] != 0]
    return sp.Eq(sp.Derivative(p, X.time), sp.Add(*right), evaluate=False)


def _solution(X: ItoProcess) -> Section:
    found = X.solve()
    value: Any = found.value if isinstance(found.value, sp.MatrixBase) else [found.value]
    lines = tuple(Step("", s, e) for s, e in zip(X.states, value, strict=True))
    return Section("Solution", lines, found.notes)


def _law(X: ItoProcess) -> Section:
    found = X.law()
    return Section(f"Law: {found.name} ({found.process})", found.lines[1:], found.notes)


def _moments(X: ItoProcess) -> Section | None:
    found = X.moments(2)
    if not found.closed:
        return None
    lines = tuple(
        Step("", sp.Derivative(_mean_of(X, k), X.time), sum((c * _mean_of(X, i) for i, c in row.items()), sp.S.Zero))
        for k, row in found.rates.items()
    )
    return Section("Moments", lines)


def _mean_of(X: ItoProcess, powers: tuple[int, ...]) -> Any:
    product = sp.Mul(*(s**k for s, k in zip(X.states, powers, strict=True)))
    return Mean(product) if any(powers) else sp.S.One
