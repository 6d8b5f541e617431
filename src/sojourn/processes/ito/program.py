"""One step of a scheme as straight-line code: symbols assigned in order, from which PyTorch and Numba code is printed.

A scheme is written once, as arithmetic on what a `Recorder` or `functions.Evaluator` hands it. The recorder hands it
symbols and keeps what it computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sympy as sp

from sojourn.processes.ito.coefficients import Coefficients
from sojourn.processes.ito.increments import Kind, from_values, size


@dataclass(frozen=True)
class Program:
    """The state after a step, from the state before it.

    Args:
        coefficients: the SDE.
        kind: which increments the step uses; see `increments`.
        time, step_size: symbols of t and h.
        increments: symbols of the increments' values, in the order of `Increments.values`.
        statements: (symbol, expression) in order; an expression uses what stands before it.
        result: the new states.
    """

    coefficients: Coefficients
    kind: Kind
    time: sp.Symbol
    step_size: sp.Symbol
    increments: tuple[sp.Symbol, ...]
    statements: tuple[tuple[sp.Symbol, sp.Expr], ...]
    result: tuple[sp.Expr, ...]


def record(scheme: Any, coefficients: Coefficients) -> Program:
    """The program of a scheme (see `schemes`) for an SDE."""
    h = sp.Dummy("h", positive=True)
    m = coefficients.noises
    symbols = tuple(sp.Dummy(f"dW{k}", real=True) for k in range(size(scheme.kind, m)))
    recorder = Recorder(coefficients)
    result = scheme.step(
        recorder, coefficients.time, list(coefficients.states), h, from_values(scheme.kind, m, symbols)
    )
    return Program(
        coefficients,
        scheme.kind,
        coefficients.time,
        h,
        symbols,
        tuple(recorder.statements),
        tuple(map(sp.sympify, result)),
    )


class Recorder:
    """What a scheme sees of an SDE in symbols; what it evaluates is recorded as statements."""

    def __init__(self, coefficients: Coefficients) -> None:
        self.coefficients = coefficients
        self.statements: list[tuple[sp.Symbol, sp.Expr]] = []
        self.names: dict[sp.Expr, sp.Expr] = {}

    @property
    def noises(self) -> int:
        return self.coefficients.noises

    def drift(self, t: Any, x: Sequence[Any]) -> list[Any]:
        """a_i(t, x)."""
        return self.let(*self._at(t, x, self.coefficients.drift))

    def stratonovich_drift(self, t: Any, x: Sequence[Any]) -> list[Any]:
        """a_i - 1/2 sum_j Lj B_ij at (t, x)."""
        return self.let(*self._at(t, x, self.coefficients.stratonovich_drift))

    def diffusion(self, t: Any, x: Sequence[Any]) -> list[list[Any]]:
        """B_ij(t, x), rows i."""
        m = self.noises
        flat = self.let(*self._at(t, x, [entry for row in self.coefficients.diffusion for entry in row]))
        return [flat[i * m : (i + 1) * m] for i in range(len(x))]

    def L0_drift(self, t: Any, x: Sequence[Any]) -> list[Any]:
        """L0 a_i at (t, x)."""
        c = self.coefficients
        return self.let(*self._at(t, x, [c.L0(a) for a in c.drift]))

    def L0_diffusion(self, t: Any, x: Sequence[Any], j: int) -> list[Any]:
        """L0 B_ij at (t, x), for all i."""
        c = self.coefficients
        return self.let(*self._at(t, x, [c.L0(b) for b in c.column(j)]))

    def L_drift(self, t: Any, x: Sequence[Any], j: int) -> list[Any]:
        """Lj a_i at (t, x), for all i."""
        c = self.coefficients
        return self.let(*self._at(t, x, [c.L(j, a) for a in c.drift]))

    def L_diffusion(self, t: Any, x: Sequence[Any], j: int, k: int) -> list[Any]:
        """Lj B_ik at (t, x), for all i."""
        c = self.coefficients
        return self.let(*self._at(t, x, [c.L(j, b) for b in c.column(k)]))

    def jacobian(self, t: Any, x: Sequence[Any]) -> list[list[Any]]:
        """da_i/dx_k at (t, x), rows i."""
        c = self.coefficients
        flat = self.let(*self._at(t, x, [sp.diff(a, y) for a in c.drift for y in c.states]))
        return [flat[i * len(x) : (i + 1) * len(x)] for i in range(len(x))]

    def let(self, *expressions: Any) -> list[Any]:
        """Names for these expressions, evaluated once; what was evaluated before gets the name it has."""
        expressions = tuple(map(sp.sympify, expressions))
        symbols = iter(partial(sp.Dummy, "c", real=True), None)
        found: Any = sp.cse(expressions, symbols=symbols, order="none")
        shared, reduced = found
        named: dict[sp.Expr, sp.Expr] = {}
        for symbol, expression in shared:
            named[symbol] = self._name(expression.xreplace(named))
        return [self._name(expression.xreplace(named)) for expression in reduced]

    def sqrt(self, x: Any) -> Any:
        return sp.sqrt(x)

    def absolute(self, x: Any) -> Any:
        return sp.Abs(x)

    def _name(self, expression: sp.Expr) -> sp.Expr:
        """The name of an expression, in a new statement if it has none; numbers and names stay as they are."""
        if expression not in self.names:
            name = expression
            if not (expression.is_Symbol or expression.is_number):
                name = sp.Dummy("v", real=True)
                self.statements.append((name, expression))
            self.names[expression] = name
        return self.names[expression]

    def _at(self, t: Any, x: Sequence[Any], expressions: Sequence[sp.Expr]) -> list[Any]:
        """The expressions with t and x in the places of time and state."""
        c = self.coefficients
        places = dict(zip(c.states, x, strict=True)) | {c.time: t}
        places = {old: sp.sympify(new) for old, new in places.items() if old != new}
        return [sp.sympify(e).xreplace(places) if places else sp.sympify(e) for e in expressions]
