"""Functions that everybody knows, and events: 1 where relations hold, else 0."""

from __future__ import annotations

from typing import Any

import sympy as sp

from sojourn.derivations.notation import nodes as n
from sojourn.derivations.values.averages import indicator
from sojourn.derivations.values.laws import entries
from sojourn.derivations.values.meaning import Meaning, shape
from sojourn.errors import InputError

FUNCTIONS: dict[str, Any] = {
    name: getattr(sp, name)
    for name in (
        *("log", "exp", "sqrt", "sin", "cos", "tan", "cot", "sinh", "cosh", "tanh"),
        *("erf", "erfc", "sign", "gamma", "factorial", "binomial"),
    )
} | {
    "arctan": sp.atan,
    "arcsin": sp.asin,
    "arccos": sp.acos,
    "max": sp.Max,
    "min": sp.Min,
    "Phi": lambda x: (1 + sp.erf(x / sp.sqrt(2))) / 2,
}


def value(m: Meaning, node: n.Function) -> Any:
    """The value of a function; norms, traces and determinants are of vectors and matrices."""
    name = node.name
    if name == "indicator":
        if not isinstance(node.arguments[0], n.Relation):
            raise InputError("what is between the brackets is no event; write a relation such as X >= a")
        return event(m, node.arguments[0])
    values = [m.value(argument) for argument in node.arguments]
    first = values[0]
    if name == "norm" and len(values) > 1:
        return _norm(node.arguments[1], first)
    if name in ("norm", "trace", "det", "abs"):
        values = values[:1]
    if name in ("log", "sqrt") and len(values) > 1:
        return logarithm(first) / sp.log(values[1]) if name == "log" else first ** (1 / values[1])
    if name == "norm":
        return sp.sqrt((first.T * first).trace()) if isinstance(first, sp.MatrixBase) else sp.Abs(first)
    if name == "trace":
        return first.trace() if isinstance(first, sp.MatrixBase) else first
    if name in ("det", "abs"):
        if isinstance(first, sp.MatrixBase) and not first.is_square:
            if name == "det":
                raise InputError(f"{shape(first)} has no determinant")
            return sp.sqrt((first.T * first).trace())
        return first.det() if isinstance(first, sp.MatrixBase) else first if name == "det" else sp.Abs(first)
    if name not in FUNCTIONS:
        raise InputError(f"the function {name} is not known; known are {', '.join(sorted(FUNCTIONS))}")
    if any(isinstance(v, sp.MatrixBase) for v in values):
        if name in ("max", "min") and len(values) == 1:
            return FUNCTIONS[name](*entries(first))
        raise InputError(f"{shape(first)} stands in {name}, which takes numbers")
    return logarithm(first) if name == "log" else FUNCTIONS[name](*values)


def _norm(kind: Any, of: Any) -> Any:
    """The norm with 1, 2 or infinity below it, of a matrix with F."""
    vector = not isinstance(of, sp.MatrixBase) or 1 in of.shape
    column = sp.Matrix([of]) if not isinstance(of, sp.MatrixBase) else of
    if isinstance(kind, n.Number) and kind.value == 1 and vector:
        return sum(map(sp.Abs, entries(column)), sp.S.Zero)
    if isinstance(kind, n.Constant) and kind.name == "infinity" and vector:
        return sp.Max(*map(sp.Abs, entries(column)))
    if (isinstance(kind, n.Symbol) and kind.name == "F") or (isinstance(kind, n.Number) and kind.value == 2 and vector):
        return sp.sqrt((column.T * column).trace())
    raise InputError("the norm is not known; below it stand 1, 2 or infinity for vectors and F for matrices")


def event(m: Meaning, relation: n.Relation) -> Any:
    """1 where the relations hold, else 0."""
    total: Any = sp.S.One
    values = [m.scalar(side) for side in relation.sides]
    for sign, left, right in zip(relation.signs, values, values[1:], strict=False):
        if sign in ("<", "<="):
            left, right, sign = right, left, {"<": ">", "<=": ">="}[sign]
        if sign == "=":
            total *= indicator(sp.Eq(left, right))
        elif sign in (">", ">="):
            total *= _above(left, right, sign)
        else:
            raise InputError(f"an event cannot use the sign {sign!r}")
    return total


def _above(left: Any, right: Any, sign: str) -> Any:
    """1 where left > right (or >=).

    Exponentials, sizes and maxima are taken apart, so that normal laws give exact chances.
    """
    relation = sp.Gt if sign == ">" else sp.Ge
    other = ">=" if sign == ">" else ">"
    if isinstance(left, sp.exp) and right.is_positive:
        return _above(left.args[0], logarithm(right), sign)
    if isinstance(right, sp.exp) and left.is_positive:
        return _above(logarithm(left), right.args[0], sign)
    if isinstance(left, sp.Abs):
        inner = left.args[0]
        above, below = indicator(relation(inner, right)), indicator(relation(-inner, right))
        return above + below - (0 if right.is_nonnegative else above * below)
    if isinstance(left, sp.Max):
        return 1 - sp.Mul(*(1 - _above(part, right, sign) for part in left.args))
    if isinstance(left, sp.Min):
        return sp.Mul(*(_above(part, right, sign) for part in left.args))
    if isinstance(right, (sp.Abs, sp.Max, sp.Min)):
        return 1 - _above(right, left, other)
    return indicator(relation(left, right))


def logarithm(value: Any) -> Any:
    """log, which takes exponentials and square roots out of products, so that log densities are polynomials."""
    value = sp.sympify(value)
    out, rest = [], []
    factor: Any
    for factor in sp.Mul.make_args(value):
        base, exponent = factor.as_base_exp()
        if isinstance(factor, sp.exp) or base == sp.E:
            out.append(exponent if base == sp.E else factor.args[0])
        elif base.is_positive or (exponent.is_Rational and exponent.q == 2):
            out.append(exponent * sp.log(base))
        else:
            rest.append(factor)
    return sp.Add(*out) + (sp.log(sp.Mul(*rest)) if rest else 0)
