"""Formulas in Typst's mathematics: d X_(t) = mu X_(t) d t + sigma X_(t) d W_(t)."""

from __future__ import annotations

from typing import Any, ClassVar

import sympy as sp

from sojourn.calculus.writing import GREEK, Writer

_OPERATORS = {
    "arccos",
    "arcsin",
    "arctan",
    "cos",
    "cosh",
    "cot",
    "coth",
    "csc",
    "csch",
    "exp",
    "lim",
    "ln",
    "log",
    "max",
    "min",
    "sec",
    "sech",
    "sin",
    "sinh",
    "tan",
    "tanh",
}
_ARCS = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "Max": "max", "Min": "min"}


class Typst(Writer):
    """The notation between dollar signs in a Typst document."""

    relations: ClassVar = {"==": "=", "!=": "!=", "<=": "<=", ">=": ">="}

    curl, dee, gap = "partial", "dif", " "
    circle, times = "compose", "times"

    def letters(self, base: str, upper: list[str], lower: list[str]) -> str:
        stem = base.rstrip("'")
        text = self._stem(stem) + "'" * (len(base) - len(stem))
        if lower:
            text += "_(" + " comma ".join(self._stem(s) if " " not in s else s for s in lower) + ")"
        if upper:
            text += "^(" + " comma ".join(map(self._stem, upper)) + ")"
        return text

    def _stem(self, text: str) -> str:
        if text.lower() in GREEK:
            return text
        return text if (len(text) == 1 and text.isalnum()) or text.isdecimal() else self.words(text)

    def fraction(self, above: str, below: str, bare: bool) -> str:
        return f"frac({above}, {below})"

    def power(self, base: str, exponent: sp.Expr) -> str:
        return f"{base}^({self._print(exponent)})"

    def root(self, inside: sp.Expr, n: int) -> str:
        return f"sqrt({self._print(inside)})" if n == 2 else f"root({n}, {self._print(inside)})"

    def call(self, name: str, arguments: list[str]) -> str:
        inside = ", ".join(arguments)
        if name == "DiracDelta":
            return f"delta ({arguments[0]})"
        if name == "Heaviside":
            return f"bold(1)_({arguments[0]} > 0)"
        if name == "besseli":
            return f"I_({arguments[0]}) ({arguments[1]})"
        if name == "exp":
            return f"e^({inside})"
        if name == "Abs":
            return f"abs({inside})"
        if name == "Mean":
            return f"EE [{inside}]"
        if name == "gamma":
            return f"Gamma ({inside})"
        name = _ARCS.get(name, name)
        if name in _OPERATORS:
            return f"{name} ({inside})"
        shown = self.name(name, [])
        return f"op({shown}) ({inside})" if shown.startswith('"') else f"{shown} ({inside})"

    def differential(self, of: str, simple: bool, n: int) -> str:
        text = f"dif {of}" if simple else f"dif ({of})"
        return text if n == 1 else f"({text})^({n})"

    def words(self, text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def _print_Pi(self, expr: Any) -> str:
        return "pi"

    def _print_Infinity(self, expr: Any) -> str:
        return "infinity"

    def _print_NegativeInfinity(self, expr: Any) -> str:
        return "-infinity"

    def _print_BooleanTrue(self, expr: Any) -> str:
        return '"true"'

    def _print_BooleanFalse(self, expr: Any) -> str:
        return '"false"'

    def _print_Subs(self, expr: Any) -> str:
        pairs = zip(expr.variables, expr.point, strict=True)
        places = " comma ".join(f"{self._print(s)} = {self._print(p)}" for s, p in pairs)
        return f"lr({self._print(expr.expr)} |)_({places})"

    def _print_Integral(self, expr: Any) -> str:
        signs, ends = "", ""
        for s, *between in expr.limits:
            span = f"_({self._print(between[0])})^({self._print(between[1])})" if len(between) == 2 else ""
            signs, ends = f"integral{span} {signs}", f"{ends} dif {self._print(s)}"
        return f"{signs}{self._factors([expr.function])}{ends}"

    def _print_ItoIntegral(self, expr: Any) -> str:
        g, s, t, W = expr.args
        return f"integral_(0)^({self._print(t)}) {self._factors([g])} dif {self.name(W.name, [s.name])}"

    def _print_Sum(self, expr: Any) -> str:
        signs = "".join(f"sum_({self._print(s)} = {self._print(a)})^({self._print(b)}) " for s, a, b in expr.limits)
        return f"{signs}{self._factors([expr.function])}"

    def _print_Piecewise(self, expr: Any) -> str:
        rows = [
            f"{self._print(value)} & " + ('"otherwise"' if condition == sp.true else f'"if " {self._print(condition)}')
            for value, condition in expr.args
        ]
        return f"cases({', '.join(rows)})"

    def _print_MatrixBase(self, expr: Any) -> str:
        rows = [", ".join(self._print(e) for e in expr.row(i)) for i in range(expr.shape[0])]
        return f"mat({'; '.join(rows)})"
