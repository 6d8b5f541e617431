"""Commutativity of the noise, and the Ito-Taylor expansion up to a strong order.

X_h = sum_alpha f_alpha(t, X_0) I_alpha,  f_() = x, f_(j, alpha) = L^j f_alpha, I_(j1 .. jl) = int .. int dW_j1 .. dW_jl
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.calculus.shown import Shown
from sojourn.calculus.steps import Derived, Step
from sojourn.errors import InputError
from sojourn.processes.ito.coefficients import Coefficients

if TYPE_CHECKING:
    from sojourn.calculus.process import ItoProcess


def commutativity(X: ItoProcess) -> Derived:
    """True if all brackets [B_j, B_k] = L^j B_k - L^k B_j vanish, for independent motions; the steps show each.

    Then a scheme of strong order 1 needs no Levy areas.

    Source: Kloeden and Platen, Numerical Solution of SDEs, section 10.3, equation (3.13).
    """
    c = X.coefficients()
    steps = []
    for j in range(c.noises):
        for k in range(j + 1, c.noises):
            bracket = sp.Matrix([sp.simplify(c.L(j, row[k]) - c.L(k, row[j])) for row in c.diffusion])
            steps.append(
                Step(f"L^{j + 1} B_{k + 1} - L^{k + 1} B_{j + 1}", sp.Symbol(f"[B_{j + 1}, B_{k + 1}]"), bracket)
            )
    correlated = X.correlation() != sp.eye(len(X.noises))
    notes = ("The columns B_j belong to independent motions: correlations are folded into them.",) if correlated else ()
    return Derived(sp.true if all(step.right.is_zero_matrix for step in steps) else sp.false, tuple(steps), notes)


@dataclass(frozen=True)
class Term:
    """f_alpha I_alpha.

    Attributes:
        index: alpha, 0 for time and j for the j-th independent motion; the first is the innermost integral.
        coefficient: f_alpha, one expression for each state.
        integral: I_alpha as a symbol, such as I_(1,0).
    """

    index: tuple[int, ...]
    coefficient: tuple[sp.Expr, ...]
    integral: sp.Symbol


@dataclass(frozen=True, eq=False, repr=False)
class ItoTaylor(Shown):
    """The terms of an expansion; `terms[alpha]`, or all in `terms`, sorted by length.

    Attributes:
        order: the strong order, of which the set of multi-indices is the hierarchical set.
        terms: multi-index -> term, without the empty index, whose term is the state itself.
    """

    order: sp.Rational
    terms: dict[tuple[int, ...], Term]

    def __getitem__(self, index: int | tuple[int, ...]) -> tuple[sp.Expr, ...]:
        """The coefficient of a multi-index."""
        key = index if isinstance(index, tuple) else (index,)
        if key not in self.terms:
            raise InputError(f"multi-index {key} is not in the set of order {self.order}, which is {list(self.terms)}")
        return self.terms[key].coefficient

    @property
    def lines(self) -> tuple[Step, ...]:
        """The increment of every state."""
        return tuple(Step("", f"increment of order {self.order}", row) for row in self.increment)

    @property
    def increment(self) -> sp.Matrix:
        """sum_alpha f_alpha I_alpha, one row for each state."""
        d = len(next(iter(self.terms.values())).coefficient)
        return sp.Matrix(
            [sum((e.coefficient[i] * e.integral for e in self.terms.values()), sp.S.Zero) for i in range(d)]
        )


def ito_taylor(X: ItoProcess, order: Any = "3/2") -> ItoTaylor:
    """The expansion whose multi-indices alpha have l + n <= 2 order, or l = n = order + 1/2.

    l is the length of alpha and n the number of its zeros. Order 1/2 is Euler's scheme, 1 Milstein's, 3/2 Platen's.

    Args:
        order: 1/2, 1, 3/2, ...

    Raises:
        InputError: the order is no positive multiple of 1/2; the process has jumps.

    Source: Kloeden and Platen, Numerical Solution of SDEs, sections 5.5 and 10.6.
    """
    exact: Any
    try:
        exact = sp.nsimplify(order, rational=True)
    except (TypeError, ValueError, sp.SympifyError):
        exact = sp.nan
    if not (2 * exact).is_Integer or not exact.is_positive:
        raise InputError(
            f"order={order!r} is no strong order of an Ito-Taylor expansion; give a multiple of 1/2: 1/2, 1, 3/2, ..."
        )
    c = X.coefficients()
    terms = {}
    for length in range(1, int(2 * exact) + 1):
        for index in product(range(c.noises + 1), repeat=length):
            zeros = index.count(0)
            if length + zeros <= 2 * exact or length == zeros == exact + sp.Rational(1, 2):
                name = sp.Symbol("I_(" + ",".join(map(str, index)) + ")")
                terms[index] = Term(index, tuple(sp.simplify(coefficient(c, index, x)) for x in c.states), name)
    return ItoTaylor(exact, terms)


def coefficient(c: Coefficients, index: tuple[int, ...], f: sp.Expr) -> sp.Expr:
    """f_alpha = L^j1 ... L^jl f."""
    for j in reversed(index):
        f = c.L0(f) if j == 0 else c.L(j - 1, f)
    return f
