"""What is compared in place of two sides: of laws means of some functions, of densities their ratio's derivative."""

from __future__ import annotations

from typing import Any

import sympy as sp

from sojourn.derivations.notation import nodes as n
from sojourn.derivations.values import calls, means
from sojourn.derivations.values.meaning import Meaning
from sojourn.derivations.values.scope import every
from sojourn.errors import InputError


def laws(m: Meaning, left: Any, right: Any) -> list[tuple[Any, Any, str]]:
    """Means of powers and of a cosine: they are the same for equal laws."""
    first = m.value(left)
    dice = m.dice("law")
    weights = [sp.Rational(dice.choice([-6, -3, 2, 5]), 4) for _ in range(calls.column(first).rows)]

    def tests(value: Any) -> list[Any]:
        number = sum((w * v for w, v in zip(weights, calls.column(value), strict=True)), sp.S.Zero)
        return [number, number**2, number**3, number**4, sp.cos(number), sp.sin(number)]

    if (isinstance(right, n.Call) and means.is_law(m, right)) or (
        isinstance(right, n.Symbol) and right.name == "Rademacher"
    ):
        size = calls.column(first).rows
        its = means.law(m, right, size, "the right side")
        y = tuple(sp.Dummy("y", real=True) for _ in range(size))
        seconds = [its.out(test, y) for test in tests(sp.Matrix(y))]
    else:
        second = m.value(right)
        seconds = [means.close(m, test, means.draws(m, test), set()) for test in tests(second)]
    firsts = [means.close(m, test, means.draws(m, test), set()) for test in tests(first)]
    return [(a, b, "the laws differ") for a, b in zip(firsts, seconds, strict=True)]


def ratio(m: Meaning, chain: Any, left: Any, right: Any) -> list[tuple[Any, Any, str]]:
    """d/dx of log left - log right, for the variable of the density on the left."""
    density = next((one for one in every(chain) if isinstance(one, n.Call) and one.arguments), None)
    if density is None or not isinstance(density.arguments[0], n.Symbol):
        raise InputError(
            "the sign ∝ needs a density such as q(x | y) where its chain begins, whose x says what the factor is free "
            "of"
        )
    x = density.arguments[0]
    difference = n.Add((n.Function("log", (left,)), n.Negative(n.Function("log", (right,)))))
    value = m.value(n.Gradient("gradient", x, difference))
    entries = value if isinstance(value, sp.MatrixBase) else [value]
    return [(entry, sp.S.Zero, "the derivative of the logarithm of their ratio is not 0") for entry in entries]
