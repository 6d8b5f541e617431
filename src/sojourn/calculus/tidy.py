"""Expressions in a short form, quickly: SymPy's `simplify` is tried on small ones only."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef


def tidy(expression: Any) -> sp.Expr:
    """The shortest of a few equal forms; functions in it are taken as they stand."""
    expression = sp.sympify(expression)
    if not isinstance(expression, sp.Expr) or expression.is_Atom:
        return expression
    whole = expression.atoms(sp.Function, sp.Derivative, sp.Integral, sp.Sum, sp.Subs, sp.Piecewise)
    names = {f: sp.Dummy(positive=f.is_positive, real=f.is_real) for f in whole}
    bare = expression.xreplace(names)  # what is outermost becomes a name, so that exponents are not taken apart
    expanded = sp.expand(bare, power_exp=False, power_base=False)
    forms = [sp.factor_terms(expanded), expanded, bare]
    if bare.count_ops() < 200:
        forms.append(sp.cancel(bare))
    back = {name: f for f, name in names.items()}
    found = min(forms, key=sp.count_ops).xreplace(back)
    hard = (sp.Derivative, sp.Integral, sp.Sum, sp.Subs, sp.Piecewise, AppliedUndef)
    if names and found.count_ops() < 40 and not found.has(*hard):
        found = min((found, sp.simplify(found)), key=sp.count_ops)
    return found
