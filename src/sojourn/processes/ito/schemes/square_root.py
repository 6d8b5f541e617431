"""Square-root noise that stays positive: the drift-implicit Euler step of Y = sqrt(X).

dX = (k - l X) dt + s sqrt(X) dW,    dY = (c / Y - l Y / 2) dt + s/2 dW,    c = (4 k - s^2) / 8
(1 + l h / 2) Y'^2 - (Y + s/2 dW) Y' - c h = 0, of which Y' is the positive root; X' = Y'^2.
Positive for every dW if 4 k > s^2; strong order 1 if 4 k > 3 s^2 (else less), weak order 1.
"""

from typing import Any

import sympy as sp

from sojourn.errors import InputError
from sojourn.processes.ito.schemes.scheme import Scheme, strongest


def step(sde, t, x, h, increments):
    new = []
    for i in range(len(x)):
        k, rate, s = form(sde.coefficients, i)
        (moved,) = sde.let(sp.sqrt(x[i]) + s * increments.W[i] / 2)
        stretch = 1 + rate * h / 2
        root = (moved + sp.sqrt(moved**2 + (4 * k - s**2) * h * stretch / 2)) / (2 * stretch)
        new.append(root**2)
    return sde.let(*new)


def form(coefficients, i) -> Any:
    """(k, l, s) of the equation of state i; None if it has no such form."""
    x, a, b = coefficients.states[i], coefficients.drift[i], coefficients.diffusion[i][i]
    slope, rest = sp.diff(a, x), sp.simplify(a - x * sp.diff(a, x))
    s = sp.simplify(b.subs(x, sp.Symbol("x", positive=True)) / sp.sqrt(sp.Symbol("x", positive=True)))
    variable = {*coefficients.states, coefficients.time, sp.Symbol("x", positive=True)}
    return None if (slope.free_symbols | rest.free_symbols | s.free_symbols) & variable else (rest, -slope, s)


def square_roots(coefficients):
    """Raises InputError unless all states are dX_i = (k - l X_i) dt + s sqrt(X_i) dW_i."""
    for i, state in enumerate(coefficients.states):
        found = form(coefficients, i) if coefficients.diagonal else None
        if found is None:
            raise InputError(
                f"scheme='square-root' is for d{state} = (k - l {state}) dt + s sqrt({state}) dW with a noise of its "
                f"own, and the drift is {coefficients.drift[i]}, the diffusion "
                f"{', '.join(map(str, coefficients.diffusion[i]))}; use scheme={strongest(coefficients)!r}"
            )
        k, _, s = found
        if (4 * k - s**2).is_negative:
            raise InputError(
                f"scheme='square-root' needs 4 k >= s^2, and for {state} 4 k = {4 * k}, s^2 = {s**2}; use "
                f"scheme='euler' with diffusion s sqrt(Max({state}, 0))"
            )


SQUARE_ROOT = Scheme(
    "square-root",
    step,
    "W",
    strong=1.0,
    weak=1.0,
    reference="Alfonsi, Monte Carlo Methods Appl. 11 (2005); Stat. Probab. Lett. 83 (2013)",
    check=square_roots,
    checks_numbers=True,
)
