"""Expectations and integrals as SymPy expressions: exact where moments give them, else an `Average`.

`quadrature` has the number of an `Average`.
"""

from __future__ import annotations

from typing import Any

import sympy as sp


class Average(sp.Expr):
    """E body over x = low + size z, where z is N(0, 1), U(0, 1) or Exp(1); or the integral of body dx over the line.

    x is bound here: what happens to it outside does not reach the body.
    """

    is_commutative = True

    def __new__(cls, body: Any, x: Any, kind: Any, low: Any = sp.S.Zero, size: Any = sp.S.One) -> Any:
        return sp.Expr.__new__(cls, body, x, kind, sp.sympify(low), sp.sympify(size))

    @property
    def free_symbols(self) -> set[Any]:
        body, x, _, low, size = self.args
        return (body.free_symbols - {x}) | low.free_symbols | size.free_symbols

    def _eval_derivative(self, s: Any) -> Any:
        body, x, kind, low, size = self.args
        if low.has(s) or size.has(s):  # by the standard variable, whose law is free of s
            z = sp.Dummy("z", real=True)
            return average(sp.diff(body.xreplace({x: low + size * z}), s), z, str(kind))
        return average(sp.diff(body, s), x, str(kind), low, size)

    def _xreplace(self, rule: Any) -> tuple[Any, bool]:
        if self in rule:
            return rule[self], True
        body, x, kind, low, size = self.args
        rule = {old: new for old, new in rule.items() if old != x}
        if not any(self.has(old) for old in rule):
            return self, False
        if any(x in sp.sympify(new).free_symbols for new in rule.values()):
            own = sp.Dummy(str(x), real=True)
            body, x = body.xreplace({x: own}), own
        parts = [part.xreplace(rule) for part in (body, low, size)]
        return Average(parts[0], x, kind, *parts[1:]), True

    def _eval_is_extended_real(self) -> bool:
        return True

    def doit(self, **hints: Any) -> Any:
        return self


def average(body: Any, x: Any, kind: str, low: Any = sp.S.Zero, size: Any = sp.S.One) -> Any:
    """The expectation of `body` over x = low + size z: exact for polynomials, exponentials and events linear in x.

    For the kind "line" it is the integral over the whole line.
    """
    body = sp.sympify(body)
    if kind == "line":
        return Average(body, x, sp.Symbol(kind))
    if x not in body.free_symbols:
        return body
    if isinstance(body, sp.Add):
        parts = [average(term, x, kind, low, size) for term in body.args]
        exact, rest = sp.sift(
            zip(body.args, parts, strict=True), lambda pair: isinstance(pair[1], Average), binary=True
        )[::-1]
        left = [term for term, _ in rest]
        together = [Average(sp.Add(*left), x, sp.Symbol(kind), low, size)] if left else []
        return sp.Add(*(part for _, part in exact), *together)
    factor, rest = body.as_independent(x, as_Add=False)
    if rest.is_Mul and (chance := _all(rest, x, kind, low, size)) is not None:
        return factor * chance
    if isinstance(rest, sp.Piecewise) and (chance := _chance(rest, x, kind, low, size)) is not None:
        return factor * chance
    if rest.is_polynomial(x):
        coefficients = sp.Poly(rest, x).all_coeffs()[::-1]
        return factor * sum(c * _moment(kind, k, low, size) for k, c in enumerate(coefficients))
    if kind == "normal" and (found := _exponential(rest, x, low, size)) is not None:
        return factor * found
    if sp.count_ops(rest) < 60 and isinstance(whole := sp.expand(rest), sp.Add):
        return factor * average(whole, x, kind, low, size)
    return factor * Average(rest, x, sp.Symbol(kind), low, size)


def _moment(kind: str, k: int, low: Any, size: Any) -> Any:
    """E (low + size z)^k."""
    standard = {
        "normal": lambda j: sp.S.Zero if j % 2 else sp.factorial2(j - 1),
        "uniform": lambda j: sp.Rational(1, j + 1),
        "exponential": sp.factorial,
    }[kind]
    return sum((sp.binomial(k, j) * low ** (k - j) * size**j * standard(j) for j in range(k + 1)), sp.S.Zero)


def _exponential(body: Any, x: Any, low: Any, size: Any) -> Any:
    """E P(z) exp(b z + c) = exp(c + b^2 / 2) E P(z + b); P = 1 where the exponent has a square, a z^2 with a < 1/2."""
    exponents: list[Any] = [f for f in sp.Mul.make_args(body) if isinstance(f, sp.exp) and f.has(x)]
    rest = sp.Mul(*(f for f in sp.Mul.make_args(body) if f not in exponents))
    if not exponents or not rest.is_polynomial(x):
        return None
    exponent: Any = sp.Add(*(f.args[0] for f in exponents))
    if not exponent.is_polynomial(x) or sp.Poly(exponent, x).degree() > 2:
        return None
    z = sp.Dummy("z", real=True)
    line: Any = sp.expand(exponent.xreplace({x: low + size * z}))
    a, b, c = (line.coeff(z, k) for k in (2, 1, 0))
    if not (a.is_number and a < sp.Rational(1, 2)) or (a != 0 and rest != 1):
        return None
    scale = sp.exp(c + b**2 / (2 - 4 * a)) / sp.sqrt(1 - 2 * a)
    return scale * average(rest.xreplace({x: low + size * (x + b)}), x, "normal")


def _all(events: Any, x: Any, kind: str, low: Any, size: Any) -> Any:
    """The probability of several events that bound z from one side."""
    bounds = []
    for event in events.args:
        pieces: Any = event.args
        if not isinstance(event, sp.Piecewise) or len(pieces) != 2 or pieces[0][0] != 1 or pieces[1][0] != 0:
            return None
        if not isinstance(pieces[0][1], (sp.Ge, sp.Gt, sp.Le, sp.Lt)):
            return None
        line = sp.expand(pieces[0][1].gts - pieces[0][1].lts)
        if not line.is_polynomial(x) or sp.Poly(line, x).degree() != 1 or not line.coeff(x, 1).is_positive:
            return None
        bounds.append(-line.coeff(x, 0) / line.coeff(x, 1))
    return _chance(indicator(sp.Ge(x, sp.Max(*bounds))), x, kind, low, size)


def _chance(event: sp.Piecewise, x: Any, kind: str, low: Any, size: Any) -> Any:
    """The probability of an event a + b z >= 0."""
    pieces: Any = event.args
    if (
        len(pieces) != 2
        or pieces[0][0] != 1
        or pieces[1][0] != 0
        or not isinstance(pieces[0][1], (sp.Ge, sp.Gt, sp.Le, sp.Lt))
    ):
        return None
    relation, z = pieces[0][1], sp.Dummy("z", real=True)
    line: Any = sp.expand((relation.gts - relation.lts).xreplace({x: low + size * z}))
    if not line.is_polynomial(z) or sp.Poly(line, z).degree() != 1:
        return None
    a, b = line.coeff(z, 0), line.coeff(z, 1)
    if kind == "normal":
        return (1 + sp.erf(a / sp.Abs(b) / sp.sqrt(2))) / 2
    below = {
        "uniform": lambda u: sp.Max(0, sp.Min(1, u)),
        "exponential": lambda u: 1 - sp.exp(-sp.Max(0, u)),
    }[kind](-a / b)
    return sp.Piecewise((1 - below, b > 0), (below, True))


def indicator(condition: Any) -> Any:
    """1 where the condition holds, else 0."""
    if condition in (True, sp.true):
        return sp.Integer(1)
    if condition in (False, sp.false):
        return sp.Integer(0)
    return sp.Piecewise((1, condition), (0, True))


def depth(expression: Any) -> int:
    """How many averages stand inside one another."""
    found = expression.atoms(Average) if isinstance(expression, sp.Basic) else ()
    return max((1 + depth(a.args[0]) for a in found), default=0)
