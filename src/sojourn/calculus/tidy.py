"""Expressions in a short form, quickly: sums in high powers stay, and `simplify` is tried on small expressions only."""

from __future__ import annotations

from math import comb
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

LONGEST = 300  # terms of an expression multiplied out
DEEPEST = 4  # functions within each other that are still given to `simplify`, whose time doubles and more with each


def tidy(expression: Any) -> sp.Expr:
    """The shortest of a few equal forms; functions in it are taken as they stand.

    Sums in high powers are taken as they stand too, where multiplied out they would be long.
    """
    expression = sp.sympify(expression)
    if not isinstance(expression, sp.Expr) or expression.is_Atom:
        return expression
    whole = expression.atoms(sp.Function, sp.Derivative, sp.Integral, sp.Sum, sp.Subs, sp.Piecewise)
    names: dict[Any, Any] = {f: sp.Dummy(positive=f.is_positive, real=f.is_real) for f in whole}
    bare = expression.xreplace(names)  # what is outermost becomes a name, so that exponents are not taken apart
    sums: dict[Any, Any] = {}
    if terms(bare) > LONGEST:
        bases = {p.base for p in bare.atoms(sp.Pow) if isinstance(p.base, sp.Add) and abs(_whole(p.exp)) > 2}
        sums = {b: sp.Dummy(positive=b.is_positive, real=b.is_real) for b in bases}
        bare = bare.xreplace(sums)
    bare = sp.powsimp(bare, combine="exp")
    forms = [bare]
    if terms(bare) <= LONGEST:
        expanded = sp.powsimp(sp.expand(bare, power_exp=False, power_base=False), combine="exp")
        forms = [sp.factor_terms(expanded), expanded, bare]
        if bare.count_ops() < 200:
            forms.append(sp.cancel(bare))
    found = min(forms, key=sp.count_ops)
    for named in (sums, names):
        found = found.xreplace({name: part for part, name in named.items()})
    return min((found, brief(found)), key=sp.count_ops) if names else found


def brief(expression: Any) -> Any:
    """`sympy.simplify` of what is small enough for it; other expressions stay as they are."""
    hard = (sp.Derivative, sp.Integral, sp.Sum, sp.Subs, sp.Piecewise, AppliedUndef)
    if expression.count_ops() < 40 and not expression.has(*hard) and simple(expression):
        return sp.simplify(expression)
    return expression


def simple(expression: Any, longest: int = LONGEST) -> bool:
    """Whether SymPy's searches end soon: not many terms when multiplied out, few functions within each other."""
    return depth(expression) <= DEEPEST and terms(expression) <= longest


def terms(expression: Any) -> int:
    """How many terms it has, at most, when its products and whole powers are multiplied out."""
    if isinstance(expression, sp.Add):
        return sum(map(terms, expression.args))
    if isinstance(expression, sp.Mul):
        product = 1
        for factor in expression.args:
            product *= terms(factor)
        return product
    if isinstance(expression, sp.Pow):
        inside, n = terms(expression.base), abs(_whole(expression.exp))
        return comb(inside + n - 1, n) if inside > 1 and n else 1
    return max(map(terms, expression.args), default=1)


def depth(expression: Any) -> int:
    """How many functions stand within each other."""
    return isinstance(expression, sp.Function) + max(map(depth, expression.args), default=0)


def _whole(exponent: Any) -> int:
    return int(exponent) if exponent.is_Integer else 0
