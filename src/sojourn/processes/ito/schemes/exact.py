"""Steps whose law is known: Brownian motion with drift and its bridge, Ornstein-Uhlenbeck, geometric Brownian motion.

dX = (k - l X) dt + s . dW:   X e^(-l h) + k (1 - e^(-l h)) / l + sqrt((1 - e^(-2 l h)) / (2 l h)) s . dW
dX = X (m dt + s . dW):       X exp((m - |s|^2 / 2) h + s . dW)
dX = (b - X) / (T - t) dt + s . dW:   X + (b - X) h / (T - t) + sqrt((T - t - h) / (T - t)) s . dW
The second, and the first with l = 0, are exact along the path too. With l != 0 the integral of e^(l s) dW is no
function of dW; the step has its law, and follows the path with strong order 1. So has the bridge. Square-root
diffusions have a class of their own, `exact_square_root`.
"""

from typing import Any

import sympy as sp

from sojourn.errors import InputError
from sojourn.processes.ito.schemes.scheme import Scheme, strongest


def step(sde, t, x, h, increments):
    new = []
    for i in range(len(x)):
        kind, k, rate, s = form(sde.coefficients, i)
        noise = sum(b * dW for b, dW in zip(s, increments.W, strict=True))
        if kind == "geometric":
            new.append(x[i] * sp.exp((k - sum(b * b for b in s) / 2) * h + noise))
        elif kind == "bridge":
            left = rate.subs(sde.coefficients.time, t)
            span = sp.Max(left, h)  # from T on the bridge rests at its end
            new.append(x[i] + (k - x[i]) * h / span + sp.sqrt(sp.Max(left - h, 0) / span) * noise)
        else:
            root, half, whole = sp.exp(-rate * h / 2), _growth(sde, rate * h / 2), _growth(sde, rate * h)
            new.append(x[i] * sp.exp(-rate * h) + root * (k * h * half + sp.sqrt(whole) * noise))
    return sde.let(*new)


def _growth(sde, y):
    """sinh(y) / y, exact to rounding for small y too; 1 at 0, with a gradient there."""
    zero = sp.Eq(y, 0)
    (safe,) = sde.let(sp.Piecewise((1, zero), (y, True)))  # named, or SymPy would put the two choices together
    return sp.Piecewise((1, zero), (sp.sinh(safe) / safe, True))


def form(coefficients, i) -> Any:
    """("geometric", m, 0, s) or ("normal", k, l, s) or ("bridge", b, T - t, s) of state i; None if it is none."""
    x, a, row = coefficients.states[i], coefficients.drift[i], coefficients.diffusion[i]
    variable = {*coefficients.states, coefficients.time}
    slope: Any = sp.diff(a, x)
    rest: Any = sp.simplify(a - x * slope)
    additive = not any(b.free_symbols & variable for b in row)
    if additive and not slope.is_zero:
        left: Any = sp.simplify(-1 / slope)
        end: Any = sp.simplify(-rest / slope)
        if sp.simplify(sp.diff(left, coefficients.time)) == -1 and not end.free_symbols & variable:
            return ("bridge", end, left, row) if x not in left.free_symbols else None
    if (slope.free_symbols | rest.free_symbols) & variable:
        return None
    if additive:
        return "normal", rest, -slope, row
    relative = tuple(sp.simplify(b / x) for b in row)
    if rest == 0 and not any(b.free_symbols & variable for b in relative):
        return "geometric", slope, sp.S.Zero, relative
    return None


def known_law(coefficients):
    """Raises InputError unless every state has a law that is known, and so have they together."""
    forms = [form(coefficients, i) for i in range(len(coefficients.states))]
    for i, found in enumerate(forms):
        if found is None:
            raise InputError(
                f"scheme='exact' knows Brownian motion and its bridge, Ornstein-Uhlenbeck, geometric Brownian motion "
                f"and single square-root diffusions, and the equation of {coefficients.states[i]} has "
                f"drift {coefficients.drift[i]} and diffusion "
                f"{', '.join(map(str, coefficients.diffusion[i]))}; use scheme={strongest(coefficients)!r}"
            )
        for j, other in enumerate(forms[:i]):
            together = sp.simplify(sum((b * c for b, c in zip(found[3], other[3], strict=True)), sp.S.Zero))
            if together != 0 and sp.simplify(found[2] - other[2]) != 0:
                raise InputError(
                    f"scheme='exact' needs one rate for states that share noise, and {coefficients.states[j]} returns "
                    f"at {other[2]}, {coefficients.states[i]} at {found[2]}; use scheme={strongest(coefficients)!r}"
                )


EXACT = Scheme(
    "exact",
    step,
    "W",
    strong=1.0,
    weak=float("inf"),
    reference="Gillespie, Phys. Rev. E 54 (1996)",
    check=known_law,
)
