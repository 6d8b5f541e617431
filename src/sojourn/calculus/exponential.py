"""The exponential of a matrix in symbols, by Newton's interpolation of exp(lambda t) at the eigenvalues.

exp(A t) = sum_k f[lambda_1 .. lambda_k] (A - lambda_1) .. (A - lambda_(k-1)),
f[..] divided differences of exp(lambda t)
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sympy as sp

from sojourn.errors import InputError

MOST = 3  # eigenvalues with symbols: four take seconds, and the covariance then fills pages


def exponential(A: Any, t: sp.Expr) -> Any:
    """exp(A t), a matrix; eigenvalues that are not known to be equal are taken to be different.

    Raises:
        InputError: the characteristic polynomial has a factor of degree 3 or more, or more than 3 eigenvalues hold
            symbols, so that the exponential is long and takes long.

    Source: Higham, Functions of Matrices, section 1.2.
    """
    fixed: Any = sp.ImmutableMatrix(A)
    return sp.Matrix(_exponential(fixed, t))


@lru_cache(64)
def _exponential(A: Any, t: sp.Expr) -> Any:
    n = A.shape[0]
    values, roots = eigenvalues(A)
    symbolic = {value for value in values if value.subs(roots).free_symbols}
    if len(symbolic) > MOST:
        raise InputError(
            f"the exponential of {A.tolist()} is too long in symbols, for {len(symbolic)} eigenvalues hold them; give "
            f"numbers to parameters, or use law().frozen() for the law in numbers"
        )
    waves: dict[Any, Any] = {value: sp.Dummy("e") for value in values}  # exp(value t), while the algebra is done
    out, product = sp.zeros(n, n), sp.eye(n)
    for k in range(n):
        out += _divided(values[: k + 1], waves, t) * product
        product = product * (A - values[k] * sp.eye(n))
    places = {wave: _wave(value.subs(roots), t) for value, wave in waves.items()}
    return out.applyfunc(lambda e: _put_back(e, places, roots))


def eigenvalues(A: Any) -> tuple[list[Any], dict[Any, Any]]:
    """Eigenvalues with multiplicity, equal ones side by side; symbols in them -> the square roots they stand for."""
    z = sp.Dummy("z")
    found: list[Any] = []
    roots: dict[Any, Any] = {}
    for factor, power in sp.factor_list(sp.Poly(A.charpoly().all_coeffs(), z).as_expr(), z)[1]:
        c = sp.Poly(factor, z).all_coeffs()
        if len(c) == 2:
            found += [-c[1] / c[0]] * power
        elif len(c) == 3:
            root = sp.Dummy("root")
            roots[root] = sp.sqrt(sp.together(sp.expand(c[1] ** 2 / 4 - c[0] * c[2]))) / c[0]
            middle = -c[1] / (2 * c[0])
            found += [middle + root] * power + [middle - root] * power
        else:
            raise InputError(
                f"the eigenvalues of {A.tolist()} are zeros of a polynomial of degree {len(c) - 1}, so that its "
                f"exponential has no short form; use numbers, as frozen() does"
            )
    return found, roots


def _divided(values: list[Any], waves: dict[Any, Any], t: sp.Expr) -> Any:
    """f[values] for f(lambda) = exp(lambda t); equal values are side by side."""
    if values[0] == values[-1]:
        k = len(values) - 1
        return t**k / sp.factorial(k) * waves[values[0]]
    return (_divided(values[1:], waves, t) - _divided(values[:-1], waves, t)) / (values[-1] - values[0])


def _wave(value: Any, t: sp.Expr) -> Any:
    """exp(value t), with cosine and sine where the value is known to be complex."""
    re, im = value.as_real_imag()
    if im == 0 or im.has(sp.re, sp.im, sp.arg, sp.atan2) or re.has(sp.re, sp.im, sp.arg, sp.atan2):
        return sp.exp(sp.expand(value) * t)
    return sp.exp(re * t) * (sp.cos(im * t) + sp.I * sp.sin(im * t))


def _put_back(e: sp.Expr, places: dict[Any, Any], roots: dict[Any, Any]) -> Any:
    parts = sp.collect(sp.expand(e), list(places), evaluate=False)
    squares = {root**2: sp.expand(value**2) for root, value in roots.items()}
    out = sp.S.Zero
    for wave, coefficient in parts.items():
        out += sp.cancel(sp.cancel(coefficient).subs(squares)).subs(roots) * sp.sympify(wave).subs(places)
    return sp.expand(out) if any(place.has(sp.I) for place in places.values()) else out
