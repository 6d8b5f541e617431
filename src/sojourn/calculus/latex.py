r"""Formulas in LaTeX: \mathrm{d}X_{t} = \mu X_{t}\,\mathrm{d}t + \sigma X_{t}\,\mathrm{d}W_{t}."""

from __future__ import annotations

from typing import Any, ClassVar

import sympy as sp

from sojourn.calculus.writing import GREEK, Writer

_COMMANDS = {
    "sin",
    "cos",
    "tan",
    "sec",
    "csc",
    "cot",
    "sinh",
    "cosh",
    "tanh",
    "coth",
    "arcsin",
    "arccos",
    "arctan",
    "exp",
    "log",
    "max",
    "min",
}
_ARCS = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "Max": "max", "Min": "min"}


class Latex(Writer):
    """LaTeX's notation; no package beyond amsmath and amssymb."""

    relations: ClassVar = {"==": "=", "!=": r"\neq", "<=": r"\leq", ">=": r"\geq"}

    curl, dee, gap, thin_gap = r"\partial", r"\mathrm{d}", " ", r"\,"
    thin, circle, times = r"\,", r"\circ", r"\times"

    def letters(self, base: str, upper: list[str], lower: list[str]) -> str:
        stem = base.rstrip("'")
        text = self._stem(stem) + "'" * (len(base) - len(stem))
        if lower:
            text += "_{" + ",".join(self._stem(s) if " " not in s else s for s in lower) + "}"
        if upper:
            text += "^{" + ",".join(map(self._stem, upper)) + "}"
        return text

    def _stem(self, text: str) -> str:
        if text.lower() in GREEK and text != "omicron":
            return {"Alpha": "A", "Beta": "B"}.get(text, "\\" + text)
        if len(text) > 1 and text.isalpha():
            return rf"\mathrm{{{text}}}"
        return text if text.startswith("\\") else text.replace("_", r"\_").replace("$", r"\$").replace("%", r"\%")

    def fraction(self, above: str, below: str, bare: bool) -> str:
        return rf"\frac{{{above}}}{{{below}}}"

    def power(self, base: str, exponent: sp.Expr) -> str:
        return f"{{{base}}}^{{{self._print(exponent)}}}" if "^" in base else f"{base}^{{{self._print(exponent)}}}"

    def root(self, inside: sp.Expr, n: int) -> str:
        return rf"\sqrt{{{self._print(inside)}}}" if n == 2 else rf"\sqrt[{n}]{{{self._print(inside)}}}"

    def brackets(self, inside: str) -> str:
        return rf"\left({inside}\right)"

    def call(self, name: str, arguments: list[str]) -> str:
        inside = ", ".join(arguments)
        if name == "DiracDelta":
            return rf"\delta\left({arguments[0]}\right)"
        if name == "Heaviside":
            return rf"\mathbf{{1}}_{{{arguments[0]} > 0}}"
        if name == "besseli":
            return rf"I_{{{arguments[0]}}}\left({arguments[1]}\right)"
        if name == "exp":
            return f"e^{{{inside}}}"
        if name == "Abs":
            return rf"\left|{inside}\right|"
        if name == "Mean":
            return rf"\mathbb{{E}}\left[{inside}\right]"
        name = _ARCS.get(name, name)
        if name == "gamma":
            return rf"\Gamma\left({inside}\right)"
        shown = f"\\{name}" if name in _COMMANDS else self.name(name, [])
        if len(name) > 1 and shown.startswith(r"\mathrm"):
            shown = rf"\operatorname{{{name}}}"
        return rf"{shown}\left({inside}\right)"

    def differential(self, of: str, simple: bool, n: int) -> str:
        text = rf"\mathrm{{d}}{of}" if simple else rf"\mathrm{{d}}\left({of}\right)"
        return text if n == 1 else rf"\left({text}\right)^{{{n}}}"

    def words(self, text: str) -> str:
        return rf"\text{{{text}}}"

    def _print_Pi(self, expr: Any) -> str:
        return r"\pi"

    def _print_Infinity(self, expr: Any) -> str:
        return r"\infty"

    def _print_NegativeInfinity(self, expr: Any) -> str:
        return r"-\infty"

    def _print_And(self, expr: Any) -> str:
        return r" \wedge ".join(sorted(map(self._print, expr.args)))

    def _print_Or(self, expr: Any) -> str:
        return r" \vee ".join(sorted(map(self._print, expr.args)))

    def _print_BooleanTrue(self, expr: Any) -> str:
        return r"\text{true}"

    def _print_BooleanFalse(self, expr: Any) -> str:
        return r"\text{false}"

    def _print_Subs(self, expr: Any) -> str:
        pairs = zip(expr.variables, expr.point, strict=True)
        places = ", ".join(f"{self._print(s)} = {self._print(p)}" for s, p in pairs)
        return rf"\left.{self._print(expr.expr)}\right|_{{{places}}}"

    def _print_Integral(self, expr: Any) -> str:
        signs, ends = "", ""
        for s, *between in expr.limits:
            span = f"_{{{self._print(between[0])}}}^{{{self._print(between[1])}}}" if len(between) == 2 else ""
            signs, ends = rf"\int{span} {signs}", rf"{ends}\,\mathrm{{d}}{self._print(s)}"
        return f"{signs}{self._factors([expr.function])}{ends}"

    def _print_ItoIntegral(self, expr: Any) -> str:
        g, s, t, W = expr.args
        noise = self.name(W.name, [s.name])
        return rf"\int_{{0}}^{{{self._print(t)}}} {self._factors([g])}\,\mathrm{{d}}{noise}"

    def _print_Sum(self, expr: Any) -> str:
        signs = "".join(
            rf"\sum_{{{self._print(s)} = {self._print(a)}}}^{{{self._print(b)}}} " for s, a, b in expr.limits
        )
        return f"{signs}{self._factors([expr.function])}"

    def _print_Piecewise(self, expr: Any) -> str:
        rows = [
            f"{self._print(value)} & "
            + (r"\text{otherwise}" if condition == sp.true else rf"\text{{if }} {self._print(condition)}")
            for value, condition in expr.args
        ]
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"

    def _print_MatrixBase(self, expr: Any) -> str:
        rows = [" & ".join(self._print(e) for e in expr.row(i)) for i in range(expr.shape[0])]
        return r"\begin{pmatrix} " + r" \\ ".join(rows) + r" \end{pmatrix}"
