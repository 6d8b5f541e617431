"""Programs as Python source: for PyTorch, and (in `numba_source`) for Numba.

Names in the source are our own (x0, p0, v12), so nothing that a user calls a symbol is ever executed.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy.printing.str import StrPrinter

from sojourn.errors import InputError
from sojourn.processes.ito.program import Program

_FUNCTIONS = {
    sp.exp: "exp",
    sp.log: "log",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.tanh: "tanh",
    sp.atan: "atan",
    sp.Abs: "abs",
    sp.sign: "sign",
    sp.erf: "erf",
}
_KINDS = (sp.Symbol, sp.Add, sp.Mul, sp.Pow, sp.Max, sp.Min, sp.Piecewise, sp.Function)


class CodePrinter(StrPrinter):
    """Expressions as Python; a subclass says how powers, functions and choices read in its library."""

    def __init__(self, names: dict[sp.Symbol, str]) -> None:
        super().__init__()
        self.names = names

    def power(self, base: str, exponent: sp.Expr) -> str:
        raise NotImplementedError

    def call(self, name: str, *arguments: str) -> str:
        raise NotImplementedError

    def choose(self, condition: str, yes: str, no: str) -> str:
        raise NotImplementedError

    def doprint(self, expr: Any) -> str:
        return self._print(sp.sympify(expr))

    def _print(self, expr: Any, **settings: Any) -> str:
        if isinstance(expr, sp.Expr) and expr.is_number:
            value = _float(expr)
            return f"({value!r})" if value < 0 else repr(value)
        if isinstance(expr, sp.Expr) and not isinstance(expr, _KINDS):
            raise self._unknown(expr)
        return super()._print(expr, **settings)

    def _print_Symbol(self, expr: Any) -> str:
        return self.names[expr]

    _print_Dummy = _print_Symbol

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        return "(" + " + ".join(self._print(a) for a in expr.args) + ")"

    def _print_Mul(self, expr: Any) -> str:
        numerator, denominator = expr.as_numer_denom()
        if denominator != 1 and not denominator.is_number:
            return f"({self._print(numerator)} / {self._print(denominator)})"
        return "(" + " * ".join(self._print(a) for a in expr.args) + ")"

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        base, exponent = expr.args
        if exponent == -1:
            return f"(1.0 / {self._print(base)})"
        return self.power(self._print(base), exponent)

    def _print_Max(self, expr: Any) -> str:
        return self._fold("maximum", expr)

    def _print_Min(self, expr: Any) -> str:
        return self._fold("minimum", expr)

    def _print_Piecewise(self, expr: Any) -> str:
        *pieces, (last, condition) = expr.args
        if condition != True and sp.Or(*(c for _, c in expr.args)) != True:  # noqa: E712
            raise InputError(f"{expr} has no value where no condition holds; end it with (value, True)")
        text = self._print(last)
        for value, condition in reversed(pieces):
            text = self.choose(self._print(condition), self._print(value), text)
        return text

    def _print_Heaviside(self, expr: Any) -> str:  # as the derivative of Max: 0 at 0, unless 1 is asked for
        x, at_zero = expr.args
        return self._print(sp.Piecewise((1, x >= 0 if at_zero == 1 else x > 0), (0, True)))

    def _print_Not(self, expr: Any) -> str:
        plain = sp.to_nnf(expr, simplify=False)
        if isinstance(plain, sp.Not):
            raise self._unknown(expr)
        return self._print(plain)

    _print_ITE = _print_Not

    def _print_Relational(self, expr: Any) -> str:
        return f"({self._print(expr.lhs)} {expr.rel_op} {self._print(expr.rhs)})"

    def _print_Function(self, expr: Any) -> str:
        if expr.func not in _FUNCTIONS:
            raise self._unknown(expr)
        return self.call(_FUNCTIONS[expr.func], *map(self._print, expr.args))

    _print_exp = _print_log = _print_Abs = _print_sign = _print_Function

    def _print_ExpBase(self, expr: Any) -> str:
        return self._print_Function(expr)

    def _unknown(self, expr: Any) -> InputError:
        known = ", ".join(sorted(_FUNCTIONS.values()))
        return InputError(f"{expr} has no numerical form here; write it with {known}, powers, Max, Min or Piecewise")

    def _fold(self, name: str, expr: Any) -> str:
        first, *others = sorted(expr.args, key=lambda a: bool(a.is_number))  # a number is never first
        text = self._print(first)
        for argument in others:
            text = self.call(name, text, self._print(argument))
        return text


def _float(number: sp.Expr) -> float:
    try:
        value = complex(number)
    except (TypeError, OverflowError):
        value = complex(math.nan)
    if value.imag or not math.isfinite(value.real):
        raise InputError(f"{number} in an SDE is not a finite real number")
    return value.real


class _Torch(CodePrinter):
    def power(self, base: str, exponent: sp.Expr) -> str:
        if exponent.is_Integer and 1 < int(exponent) <= 4:
            return "(" + " * ".join([base] * int(exponent)) + ")"
        return f"({base} ** {self._print(exponent)})"

    def call(self, name: str, *arguments: str) -> str:
        if name in ("maximum", "minimum"):
            bound = "min" if name == "maximum" else "max"
            return f"torch.clamp({arguments[0]}, {bound}={arguments[1]})"
        return f"torch.{name}({', '.join(arguments)})"

    def choose(self, condition: str, yes: str, no: str) -> str:
        if _is_number(yes) and _is_number(no):  # of two plain numbers torch.where would make float32
            yes = f"x0.new_tensor({yes})"
        return f"torch.where({condition}, {yes}, {no})"


def _is_number(text: str) -> bool:
    return text.strip("()-")[:1].isdigit() and text.strip("()-+.e0123456789") == ""


def names_of(program: Program) -> dict[sp.Symbol, str]:
    """A name in the source for every symbol of a program: t, h, x0.., p0.., w0.., v0.. ."""
    c = program.coefficients
    names = {program.time: "t", program.step_size: "h"}
    for letter, symbols in (
        ("x", c.states),
        ("p", c.parameters),
        ("w", program.increments),
        ("v", [name for name, _ in program.statements]),
    ):
        names |= {symbol: f"{letter}{k}" for k, symbol in enumerate(symbols)}
    return names


def torch_source(program: Program) -> str:
    """The source of step(t, h, p, x, w) -> new x, on sequences of tensors."""
    names = names_of(program)
    printer = _Torch(names)
    lines = ["def step(t, h, p, x, w):"]
    for letter, symbols in (
        ("p", program.coefficients.parameters),
        ("x", program.coefficients.states),
        ("w", program.increments),
    ):
        if symbols:
            lines.append("    " + "".join(f"{names[s]}, " for s in symbols) + f"= {letter}")
    lines += [f"    {names[name]} = {printer.doprint(value)}" for name, value in program.statements]
    lines.append("    return [" + ", ".join(printer.doprint(value) for value in program.result) + "]")
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=256)
def torch_step(program: Program) -> Any:
    """The PyTorch function of a program."""
    return _compile(torch_source(program), "step")


@lru_cache(maxsize=256)
def torch_function(symbols: tuple[sp.Symbol, ...], expression: sp.Expr) -> Any:
    """The expression as a function of one tensor for each symbol, in that order.

    Raises:
        InputError: it depends on something else.
    """
    if unknown := expression.free_symbols - set(symbols):
        known = ", ".join(map(str, symbols))
        raise InputError(f"{expression} depends on {', '.join(sorted(map(str, unknown)))}; known here are {known}")
    names = {symbol: f"x{k}" for k, symbol in enumerate(symbols)}
    body = _Torch(names).doprint(expression)
    return _compile(f"def value({', '.join(names.values())}):\n    return {body}\n", "value")


def _compile(source: str, name: str) -> Any:
    """The function of that name in our own source; see `names_of`."""
    import torch

    space: dict[str, Any] = {"torch": torch}
    exec(compile(source, "<an SDE>", "exec"), space)
    return space[name]
