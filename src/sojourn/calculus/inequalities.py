"""Conditions on parameters in a short form: e > 0 without the factors of e whose sign is known.

-2 kappa / sigma^2 < 0 is kappa > 0. Parameters are real, and those in even powers or below a fraction are not zero.
"""

from __future__ import annotations

from typing import Any

import sympy as sp


def positive(e: Any, *, strict: bool = True) -> Any:
    """e > 0 (or e >= 0): true, false, or a relation."""
    f = sign_of(e)
    if f.is_number:
        return sp.sympify(bool(f > 0) if strict else bool(f >= 0))
    terms = sp.Add.make_args(f)
    right = sp.Add(*(-term for term in terms if term.could_extract_minus_sign()))
    left = f + right
    if left == 0:
        return sp.Lt(right, 0) if strict else sp.Le(right, 0)
    return sp.Gt(left, right) if strict else sp.Ge(left, right)


def sign_of(e: Any) -> Any:
    """An expression with the sign of e: a number, or a product without factors of known sign."""
    e = sp.factor(sp.together(sp.sympify(e)))
    if e.is_positive or e.is_negative or e.is_zero:
        return sp.Integer(0 if e.is_zero else 1 if e.is_positive else -1)
    sign: Any = sp.S.One
    kept: list[Any] = []
    for factor in sp.Mul.make_args(e):
        base, exponent = factor.as_base_exp()
        if factor.is_positive or factor.is_negative:
            sign *= 1 if factor.is_positive else -1
        elif exponent.is_Integer and base.is_extended_real is not False:
            kept += [base] if exponent % 2 else []
        else:
            kept.append(factor)
    if len(kept) == 1:
        return sp.expand(sign * kept[0])
    return sign * sp.Mul(*kept)
