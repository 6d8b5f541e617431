"""Integrals by a table and by SymPy's rules for hand integration: found in a moment, or left as an `Integral`.

SymPy's general integrator is not called, because it may search for minutes. Exponents and rates that are not known to
be zero are taken to be different from zero, as a textbook does.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.integrals.manualintegrate import manualintegrate
from sympy.simplify.fu import TR5, TR7, TR8

from sojourn.calculus.names import unused

LARGEST = 60  # operations in an expression that is still given to the rules for hand integration


def antiderivative(f: Any, x: Any) -> Any:
    """int f dx without a constant; an `Integral` where no rule is found."""
    f = sp.sympify(f)
    if f.has(sp.sin, sp.cos):
        f = sp.expand(TR8(TR7(TR5(sp.expand(f)))))  # products of waves as sums
    if f.is_rational_function(x):
        f = sp.factor(f)
        if _is_hard(f, x):
            return sp.Integral(f, x)
        f = sp.apart(f, x)
    f = sp.expand_mul(f)
    parts = [_term(term, x) for term in sp.Add.make_args(f)]
    if all(part is not None for part in parts):
        return sp.Add(*parts)
    whole = _by_hand(f, x) if len(parts) > 1 else None
    return sp.Integral(f, x) if whole is None else whole


def definite(f: Any, x: Any, low: Any, high: Any) -> Any:
    """int_low^high f dx between finite ends, where f has no pole; an `Integral` where no rule is found."""
    if x in sp.sympify(low).free_symbols | sp.sympify(high).free_symbols:  # then the bound symbol is another
        y = another(x, f, low, high)
        return definite(sp.sympify(f).subs(x, y), y, low, high)
    F = antiderivative(f, x)
    if not F.has(sp.Integral):
        value = F.subs(x, high) - F.subs(x, low)
        if not value.has(sp.nan, sp.zoo, sp.oo):
            return value
    return sp.Integral(f, (x, low, high))


def another(x: Any, *taken: Any) -> Any:
    """A variable of integration of the kind of x, with a name that these expressions do not have."""
    kind = {"positive": True} if x.is_positive else {"real": True} if x.is_real else {}
    return sp.Symbol(unused("y z u v", x, *map(sp.sympify, taken)), **kind)


def total(f: Any, x: Any, low: Any, high: Any) -> Any:
    """int f dx > 0 over a whole state space, for parameters with which it is finite; an `Integral` where none is found.

    Known are, up to a factor: exp(-A x^2 + B x) on the line; x^p exp(-q x^r) on the half-line; exp(-A log(x)^2) x^p on
    the half-line; (x - low)^p (high - x)^q between two finite ends.
    """
    f = sp.powsimp(sp.powdenest(sp.factor_terms(f), force=True))
    c, g = f.as_independent(x, as_Add=False)
    found = None
    if (low, high) == (-sp.oo, sp.oo):
        found = _gauss_total(g, x)
    elif (low, high) == (0, sp.oo):
        found = _gamma_total(g, x)
    elif sp.sympify(low).is_finite and sp.sympify(high).is_finite:
        found = _beta_total(g, x, low, high)
    if found is None:
        return sp.Integral(f, (x, low, high))
    return sp.oo if found == sp.oo else c * found


def split(g: Any, x: Any) -> tuple[Any, Any, Any] | None:
    """(c, p, E) with g = c x^p exp(E), where c does not depend on x; None if g is no such product."""
    c: Any = sp.S.One
    p: Any = sp.S.Zero
    E: Any = sp.S.Zero
    for factor in sp.Mul.make_args(sp.powsimp(g)):
        base, exponent = factor.as_base_exp()
        if not factor.has(x):
            c *= factor
        elif isinstance(factor, sp.exp):
            E += factor.args[0]
        elif not base.has(x):
            E += exponent * sp.log(base)
        elif base == x and not exponent.has(x):
            p += exponent
        elif base == x:
            E += exponent * sp.log(x)
        else:
            return None
    return c, sp.simplify(p), E


def generic(expression: Any) -> Any:
    """The general case of every Piecewise: the first that asks for no equality of parameters."""
    return sp.sympify(expression).replace(
        lambda e: isinstance(e, sp.Piecewise),
        lambda e: next((value for value, condition in e.args if not condition.has(sp.Eq)), e.args[0][0]),
    )


def _is_hard(f: Any, x: Any) -> bool:
    """Whether the denominator holds, in symbols, a cubic factor or a power of a quadratic one: its integral is long."""
    for base, exponent in (factor.as_base_exp() for factor in sp.Mul.make_args(sp.denom(f))):
        if base.free_symbols > {x} and sp.degree(base, x) * exponent > 2 and sp.degree(base, x) > 1:
            return True
    return False


def _term(term: Any, x: Any) -> Any:
    if not term.has(x):
        return term * x
    c, g = sp.powsimp(sp.factor_terms(term)).as_independent(x, as_Add=False)
    parsed = split(g, x)
    if parsed is not None:
        factor, p, E = parsed
        found = _power_times_exponential(p, sp.expand(E), x)
        if found is not None:
            return c * factor * found
    base, exponent = g.as_base_exp()
    slope = sp.diff(base, x)
    if base.has(x) and not exponent.has(x) and not slope.has(x) and slope != 0:
        if sp.simplify(exponent + 1) == 0:
            return c * sp.log(-base if base.is_negative else base) / slope
        return c * base ** (exponent + 1) / (exponent + 1) / slope
    found = _damped_wave(g, x) or _root_of_quadratic(g, x) or _by_hand(g, x)
    return None if found is None else c * found


def _damped_wave(g: Any, x: Any) -> Any:
    """int exp(q x + r) sin(w x + u) dx, and with the cosine, which is the sine of w x + u + pi/2."""
    waves = [factor for factor in sp.Mul.make_args(g) if isinstance(factor, (sp.sin, sp.cos))]
    rest = sp.powsimp(g / sp.Mul(*waves))
    if len(waves) != 1 or not (isinstance(rest, sp.exp) or rest == 1):
        return None
    E, phase = sp.expand(sp.log(rest) if rest == 1 else rest.args[0]), sp.expand(waves[0].args[0])
    if not (E.is_polynomial(x) and phase.is_polynomial(x)) or sp.degree(E, x) > 1 or sp.degree(phase, x) != 1:
        return None
    q, w = _coeff(E, x, 1), _coeff(phase, x, 1)
    sine, cosine = sp.sin(phase), sp.cos(phase)
    value = q * sine - w * cosine if isinstance(waves[0], sp.sin) else q * cosine + w * sine
    return rest * value / (q**2 + w**2)


def _root_of_quadratic(g: Any, x: Any) -> Any:
    """int (alpha x^2 + beta x + gamma)^(-1/2) dx for alpha < 0, between the zeros."""
    Q = sp.expand(sp.powsimp(g ** (-2), force=True))
    if not Q.is_polynomial(x) or sp.degree(Q, x) != 2 or not _coeff(Q, x, 2).is_negative:
        return None
    alpha, beta, gamma = _coeff(Q, x, 2), _coeff(Q, x, 1), _coeff(Q, x, 0)
    return sp.asin(sp.simplify((-2 * alpha * x - beta) / sp.sqrt(beta**2 - 4 * alpha * gamma))) / sp.sqrt(-alpha)


def exponential(E: Any) -> Any:
    """exp(E), with exp(p log y) written as y^p."""
    out: Any = sp.S.One
    rest: Any = sp.S.Zero
    for term in sp.Add.make_args(sp.expand(E)):
        logs = [factor for factor in sp.Mul.make_args(term) if isinstance(factor, sp.log)]
        if len(logs) == 1:
            out *= logs[0].args[0] ** (term / logs[0])
        else:
            rest += term
    return out * sp.exp(rest)


def _power_times_exponential(p: Any, E: Any, x: Any) -> Any:
    """int x^p exp(E) dx for E = 0, linear, quadratic (p = 0) or a constant plus q x^r."""
    if not E.has(x):
        scale = sp.exp(E)
        return scale * sp.log(x) if p == -1 else scale * x ** (p + 1) / (p + 1)
    r0, rest = E.as_independent(x, as_Add=True)
    if rest.is_polynomial(x) and sp.degree(rest, x) == 1 and p.is_Integer and p >= 0:
        q, n = rest.coeff(x, 1), int(p)
        series = sum(((-1) ** k * sp.ff(n, k) * x ** (n - k) / q ** (k + 1) for k in range(n + 1)), sp.S.Zero)
        return sp.exp(E) * series
    if rest.is_polynomial(x) and sp.degree(rest, x) == 2 and p == 0:
        A, B = -rest.coeff(x, 2), rest.coeff(x, 1)
        front = sp.exp(r0 + B**2 / (4 * A))
        if A.is_negative:
            root = sp.sqrt(-A)
            return front * sp.sqrt(sp.pi) / (2 * root) * sp.erfi(root * x + B / (2 * root))
        root = sp.sqrt(A)
        return front * sp.sqrt(sp.pi) / (2 * root) * sp.erf(root * x - B / (2 * root))
    q, power = rest.as_independent(x, as_Add=False)
    base, r = power.as_base_exp()
    if base != x or r.has(x):
        return None
    shape = sp.simplify((p + 1) / r)
    if shape.is_Integer and shape > 0 and shape <= 6:  # an elementary function, by y = x^r
        n = int(shape) - 1
        y = x**r
        series = sum(((-1) ** k * sp.ff(n, k) * y ** (n - k) / q ** (k + 1) for k in range(n + 1)), sp.S.Zero)
        return sp.exp(E) * series / r
    if q.is_negative and shape.is_positive:
        return -sp.exp(r0) * (-q) ** (-shape) * sp.uppergamma(shape, -q * x**r) / r
    if shape.is_Integer and shape <= 0:
        return None
    return sp.exp(r0) * x ** (p + 1) / (p + 1) * sp.hyper([shape], [shape + 1], q * x**r)


def _coeff(f: Any, x: Any, n: int) -> Any:
    return f.coeff(x, n)


def _by_hand(f: Any, x: Any) -> Any:
    if f.count_ops() > LARGEST or f.has(sp.Integral, sp.Derivative, sp.erf, sp.erfi, sp.hyper, sp.uppergamma):
        return None
    exponents: list[Any] = [e.args[0] for e in f.atoms(sp.exp)]
    if any(E.is_polynomial(x) and sp.degree(E, x) > 2 for E in exponents if E.has(x)):
        return None  # it would try for seconds
    found = generic(manualintegrate(f, x))
    return found if not found.has(sp.Integral) and _is_derivative(f, found, x) else None


def _is_derivative(f: Any, F: Any, x: Any) -> bool:
    """Whether F' = f at a point, with unequal numbers for the symbols: a special case may have been taken."""
    symbols = sorted(f.free_symbols | F.free_symbols | {x}, key=sp.default_sort_key)
    places = {s: sp.Rational(37 + 16 * i, 41) for i, s in enumerate(symbols)}
    left, right = (sp.N(e.subs(places), 20) for e in (sp.diff(F, x), f))
    return bool(left.is_number and right.is_number and abs(left - right) < 1e-9 * (1 + abs(right)))


def _gauss_total(g: Any, x: Any) -> Any:
    parsed = split(g, x)
    if parsed is None or parsed[1] != 0:
        return None
    E = sp.expand(parsed[2])
    if not E.is_polynomial(x) or sp.degree(E, x) != 2:
        return None
    A, B, C = -_coeff(E, x, 2), _coeff(E, x, 1), _coeff(E, x, 0)
    if A.is_nonpositive:
        return sp.oo
    return parsed[0] * sp.sqrt(sp.pi) / sp.sqrt(A) * sp.exp(B**2 / (4 * A) + C)


def _gamma_total(g: Any, x: Any) -> Any:
    parsed = split(g, x)
    if parsed is None:
        return None
    c, p, E = parsed
    constant, rest = sp.expand(E).as_independent(x, as_Add=True)
    y = sp.Dummy("y", real=True)
    logarithmic = sp.expand(rest.subs(sp.log(x), y))
    if rest.has(sp.log) and not logarithmic.has(x):  # in y = log x a Gaussian
        found = _gauss_total(sp.exp(logarithmic + (p + 1) * y), y)
        return found if found in (None, sp.oo) else c * sp.exp(constant) * found
    q, power = rest.as_independent(x, as_Add=False)
    base, r = power.as_base_exp()
    if base != x or r.has(x) or not (r.is_positive or r.is_negative):
        return None
    shape = (p + 1) / r
    return c * sp.exp(constant) * sp.gamma(shape) / (sp.Abs(r) * (-q) ** shape)


def _beta_total(g: Any, x: Any, low: Any, high: Any) -> Any:
    c: Any = sp.S.One
    p: Any = sp.S.Zero
    q: Any = sp.S.Zero
    for factor in sp.Mul.make_args(sp.factor(g)):
        base, exponent = factor.as_base_exp()
        if not factor.has(x):
            c *= factor
        elif base.is_polynomial(x) and sp.degree(base, x) == 1 and not exponent.has(x):
            slope = sp.diff(base, x)
            root = sp.simplify(x - base / slope)
            if sp.simplify(root - low) == 0:
                c, p = c * slope**exponent, p + exponent
            elif sp.simplify(root - high) == 0:
                c, q = c * (-slope) ** exponent, q + exponent
            else:
                return None
        else:
            return None
    both = sp.gamma(p + 1) * sp.gamma(q + 1) / sp.gamma(p + q + 2)
    return c * both * (high - low) ** (p + q + 1)
