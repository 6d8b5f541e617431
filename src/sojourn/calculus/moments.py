"""Moment equations: dE[X^k]/dt = E[L X^k] for all multi-indices |k| <= order, with L the generator.

They close where the drift is linear and B rho B^T at most quadratic in the states; else higher moments are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.calculus.exponential import exponential
from sojourn.calculus.generator import generator
from sojourn.calculus.integrals import definite
from sojourn.calculus.names import unused
from sojourn.calculus.shown import Shown
from sojourn.calculus.steps import Step
from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.calculus.process import ItoProcess

Index = tuple[int, ...]


def moment_equations(X: ItoProcess, order: int = 2) -> MomentEquations:
    """The equations of all moments E[X^k] with 1 <= |k| <= order.

    Raises:
        InputError: the order is below 1, or L X^k is no polynomial in the states.
    """
    if not isinstance(order, int) or order < 1:
        raise InputError(f"order={order!r} of moments is not a whole number >= 1; give the highest power, such as 2")
    d = len(X.states)
    listed = [k for k in product(range(order + 1), repeat=d) if 1 <= sum(k) <= order]
    rates: dict[Index, dict[Index, sp.Expr]] = {}
    for k in sorted(listed, key=lambda k: (sum(k), tuple(-i for i in k))):
        power = sp.Mul(*(x**i for x, i in zip(X.states, k, strict=True)))
        rate = generator(X, power).value
        try:
            polynomial = sp.Poly(sp.expand(sp.cancel(rate)), *X.states)
        except sp.PolynomialError:
            polynomial = None
        if polynomial is None or polynomial.free_symbols_in_domain & set(X.states):
            raise InputError(
                f"the generator of {power} is {rate}, which is no polynomial in the states, so its mean is no moment; "
                f"moment equations need polynomial coefficients"
            )
        rates[k] = {tuple(map(int, index)): sp.sympify(c) for index, c in polynomial.terms() if c != 0}
    return MomentEquations(X, order, rates)


@dataclass(frozen=True, eq=False, repr=False)
class MomentEquations(Shown):
    """dm_k/dt = sum_l rates[k][l] m_l, where m_0 = 1.

    Attributes:
        process: whose moments they are.
        order: the highest |k|.
        rates: k -> l -> the coefficient, which may depend on t.
    """

    process: ItoProcess
    order: int
    rates: dict[Index, dict[Index, sp.Expr]]

    def moment(self, *k: int) -> sp.Expr:
        """The symbol m_k(t) of E[X^k]; 1 for k = 0."""
        return sp.Function("m_" + "_".join(map(str, k)))(self.process.time) if any(k) else sp.S.One

    @property
    def equations(self) -> tuple[Any, ...]:
        """dm_k/dt = ..., in order of |k|."""
        t = self.process.time
        return tuple(
            sp.Eq(sp.Derivative(self.moment(*k), t), sum((c * self.moment(*i) for i, c in row.items()), sp.S.Zero))
            for k, row in self.rates.items()
        )

    @property
    def lines(self) -> tuple[Step, ...]:
        """The equations."""
        return tuple(Step("", e.lhs, e.rhs) for e in self.equations)

    @property
    def missing(self) -> tuple[Index, ...]:
        """The moments above the order that enter."""
        return tuple(sorted({i for row in self.rates.values() for i in row if any(i)} - set(self.rates)))

    @property
    def closed(self) -> bool:
        """Whether no higher moment enters."""
        return not self.missing

    def solve(self, initial: Any = None) -> dict[Index, sp.Expr]:
        """k -> E[X_t^k] in closed form.

        Args:
            initial: X_0, an expression or one for each state; or a mapping from every k to E[X_0^k]. None: the
                process's own initial value, or symbols X_0.

        Raises:
            InputError: the equations do not close, or moments that depend on each other have rates that depend on time.
        """
        self._need_closed("solved")
        t, s = self.process.time, bound(self.process)
        start = self._start(initial)
        known: dict[Index, sp.Expr] = {(0,) * len(self.process.states): sp.S.One}
        for block in self._blocks:
            G: Any = sp.Matrix([[self.rates[k].get(i, sp.S.Zero) for i in block] for k in block])
            forcing: Any = sp.Matrix(
                [sum((c * known[i] for i, c in self.rates[k].items() if i not in block), sp.S.Zero) for k in block]
            )
            m0 = sp.Matrix([start[k] for k in block])
            if len(block) == 1:
                growth = definite(G[0, 0].subs(t, s), s, 0, t)
                inner = (sp.exp(-growth) * forcing[0]).subs(t, s)
                value = sp.exp(growth) * (m0[0] + definite(sp.powsimp(sp.expand(inner)), s, 0, t))
                values = [sp.powsimp(sp.expand(value))]
            else:
                if t in G.free_symbols:
                    raise InputError(
                        f"moments {block} depend on each other with rates that depend on t: {G.tolist()}; they have no "
                        f"closed form here, integrate `.equations` numerically"
                    )
                flow = exponential(G, t)
                later = flow.subs(t, t - s) * forcing.subs(t, s)
                added = later.applyfunc(lambda e: definite(sp.expand(e), s, 0, t))
                values = [sp.powsimp(sp.expand(value)) for value in flow * m0 + added]
            known |= dict(zip(block, values, strict=True))
        return {k: known[k] for k in self.rates}

    def stationary(self) -> dict[Index, sp.Expr]:
        """k -> the constant m_k at which all rates vanish; whether the process reaches it is not said.

        Raises:
            InputError: the equations do not close, depend on time, or have no single solution.
        """
        self._need_closed("set to zero")
        if any(self.process.time in c.free_symbols for row in self.rates.values() for c in row.values()):
            raise InputError("the rates of the moments depend on t, so that there are no stationary moments")
        names = {k: sp.Dummy(f"m{k}") for k in self.rates}
        zero = (0,) * len(self.process.states)
        rows = [
            sum((c * (names[i] if i != zero else 1) for i, c in row.items()), sp.S.Zero) for row in self.rates.values()
        ]
        found: list[Any] = list(sp.linsolve(rows, *names.values()))
        if not found or any(e.free_symbols & set(names.values()) for e in found[0]):
            raise InputError(f"the moments up to order {self.order} have no single stationary value")
        return {k: sp.factor(e) for k, e in zip(self.rates, found[0], strict=True)}

    def covariance(self, moments: Mapping[Index, sp.Expr]) -> sp.Matrix:
        """The covariance matrix from moments as `solve` and `stationary` give them."""
        d = len(self.process.states)
        if self.order < 2:
            raise InputError("covariances need moments of order 2; ask for order=2")
        unit = [tuple(int(i == j) for j in range(d)) for i in range(d)]

        def entry(i: int, k: int) -> sp.Expr:
            both = tuple(a + b for a, b in zip(unit[i], unit[k], strict=True))
            return sp.powsimp(sp.expand(moments[both] - moments[unit[i]] * moments[unit[k]]))

        return sp.Matrix(d, d, entry)

    @cached_property
    def _blocks(self) -> list[list[Index]]:
        """The moments in an order in which each depends on earlier ones, and on those of its own block."""
        edges = [(k, i) for k, row in self.rates.items() for i in row if any(i)]
        return sp.utilities.iterables.strongly_connected_components((list(self.rates), edges))

    def _need_closed(self, what: str) -> None:
        if not self.closed:
            raise InputError(
                f"the moment equations of order {self.order} cannot be {what}: they need the higher moments "
                f"{list(self.missing)}; close them by an assumption of your own"
            )

    def _start(self, initial: Any) -> dict[Index, sp.Expr]:
        X = self.process
        if isinstance(initial, Mapping):
            lacking = [k for k in self.rates if k not in initial]
            if lacking:
                raise InputError(f"initial has no moment {lacking[0]}; give E[X_0^k] for every k in {list(self.rates)}")
            return {k: sp.sympify(initial[k]) for k in self.rates}
        places = start_of(X) if initial is None else tuple(map(sp.sympify, [initial] if X.scalar else initial))
        if len(places) != len(X.states):
            raise InputError(f"initial has {len(places)} values; {len(X.states)} states need {len(X.states)}")
        return {k: sp.Mul(*(x**i for x, i in zip(places, k, strict=True))) for k in self.rates}


def start_of(X: ItoProcess) -> tuple[sp.Expr, ...]:
    """The initial values of a process; symbols where it has none: X_0, or X_00 where X_0 is a parameter."""

    def symbol(x: sp.Symbol) -> sp.Symbol:
        name = unused(f"{x.name}_0 {x.name}_00", X)
        return sp.Symbol(name, positive=True) if x.is_positive else sp.Symbol(name, real=True)

    return X.starts or tuple(symbol(x) for x in X.states)


def bound(X: ItoProcess) -> sp.Symbol:
    """The variable of integrals over time: s, or another letter where the process has an s."""
    return sp.Symbol(unused("s r u v", X, *start_of(X)), positive=True)
