"""Formulas in one line of Unicode, as in a terminal: (μ - σ²/2) dt + σ dW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import sympy as sp
from sympy.core.function import AppliedUndef

from sojourn.calculus.writing import GREEK, Writer

_LOWER = dict(zip(GREEK, "αβγδεζηθικλμνξοπρστυφχψω", strict=True))
_GREEK = _LOWER | {name.capitalize(): letter.upper() for name, letter in _LOWER.items()}
_UP = str.maketrans("0123456789-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ⁿ")
_DOWN = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def plain(expression: Any, moving: Iterable[sp.Symbol] = ()) -> str:
    """A formula in Unicode."""
    return Plain(moving).doprint(expression)


class Plain(Writer):
    """The notation of a terminal; states carry no index t."""

    relations: ClassVar = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥"}

    stacks = False
    thick = ""

    def _print_Symbol(self, expr: Any) -> str:
        return self.name(expr.name, [])

    _print_Dummy = _print_Symbol

    def letters(self, base: str, upper: list[str], lower: list[str]) -> str:
        stem = base.rstrip("'")
        text = _GREEK.get(stem, stem) + "′" * (len(base) - len(stem))
        low = "".join(_GREEK.get(s, s) for s in lower)
        if low:
            text += low.translate(_DOWN) if low.isdecimal() else f"_{low}"
        return text + "".join("ᶜ" if u == "c" else f"^{_GREEK.get(u, u)}" for u in upper)

    def fraction(self, above: str, below: str, bare: bool) -> str:
        if (above, below) == ("1", "2"):
            return "½"
        return f"{above}/{below}" if bare else f"{above}/({below})"

    def power(self, base: str, exponent: sp.Expr) -> str:
        if exponent.is_Integer or str(exponent) == "n":
            return base + str(exponent).translate(_UP)
        text = self._print(exponent)
        return f"{base}^{text}" if isinstance(exponent, sp.Symbol) else f"{base}^({text})"

    def root(self, inside: sp.Expr, n: int) -> str:
        text = self._print(inside)
        simple = isinstance(inside, (sp.Symbol, sp.Integer, sp.NumberSymbol, AppliedUndef)) and not text.startswith("-")
        return ("√" if n == 2 else "∛") + (text if simple else f"({text})")

    def call(self, name: str, arguments: list[str]) -> str:
        if name == "DiracDelta":
            return f"δ({arguments[0]})"
        if name == "Heaviside":
            return f"1[{arguments[0]} > 0]"
        if name == "besseli":
            return f"I[{arguments[0]}]({arguments[1]})"
        if name == "Abs":
            return f"|{arguments[0]}|"
        if name == "Mean":
            return f"E[{arguments[0]}]"
        shown = {"Max": "max", "Min": "min", "gamma": "Γ"}.get(name) or self.name(name, [])
        return f"{shown}({', '.join(arguments)})"

    def differential(self, of: str, simple: bool, n: int) -> str:
        text = (f"d {of}" if of.endswith(")") else f"d{of}") if simple else f"d({of})"
        return text if n == 1 else f"({text}){str(n).translate(_UP)}"

    def words(self, text: str) -> str:
        return text

    def _print_Pi(self, expr: Any) -> str:
        return "π"

    def _print_Infinity(self, expr: Any) -> str:
        return "∞"

    def _print_NegativeInfinity(self, expr: Any) -> str:
        return "-∞"

    def _print_BooleanTrue(self, expr: Any) -> str:
        return "true"

    def _print_BooleanFalse(self, expr: Any) -> str:
        return "false"

    def _print_Subs(self, expr: Any) -> str:
        pairs = zip(expr.variables, expr.point, strict=True)
        places = ", ".join(f"{self._print(s)} = {self._print(p)}" for s, p in pairs)
        return f"[{self._print(expr.expr)}] at {places}"

    def _print_Integral(self, expr: Any) -> str:
        signs, ends = "", ""
        for s, *between in expr.limits:
            span = f"[{self._print(between[0])}, {self._print(between[1])}]" if len(between) == 2 else ""
            signs, ends = f"∫{span} {signs}", f"{ends} d{self._print(s)}"
        return f"{signs}{self._factors([expr.function])}{ends}"

    def _print_ItoIntegral(self, expr: Any) -> str:
        g, s, t, W = expr.args
        return f"∫[0, {self._print(t)}] {self._factors([g])} d{self._print(W)}({self._print(s)})"

    def _print_Sum(self, expr: Any) -> str:
        signs = " ".join(f"Σ[{self._print(s)} = {self._print(a)} .. {self._print(b)}]" for s, a, b in expr.limits)
        return f"{signs} {self._factors([expr.function])}"

    def _print_Piecewise(self, expr: Any) -> str:
        parts = [
            f"{self._print(value)} {'otherwise' if condition == sp.true else 'if ' + self._print(condition)}"
            for value, condition in expr.args
        ]
        return "{ " + "; ".join(parts) + " }"

    def _print_MatrixBase(self, expr: Any) -> str:
        if expr.shape[1] == 1:
            return "(" + ", ".join(self._print(e) for e in expr) + ")ᵀ"
        rows = [", ".join(self._print(e) for e in expr.row(i)) for i in range(expr.shape[0])]
        return "[" + "; ".join(rows) + "]"
