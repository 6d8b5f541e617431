"""Coefficients of an Ito SDE in symbols, driven by independent Brownian motions, and the operators of its calculus.

dX_i = a_i(t, X) dt + sum_j B_ij(t, X) dW_j
L0 g = g_t + sum_i a_i g_i + 1/2 sum_ik (B B^T)_ik g_ik,    Lj g = sum_i B_ij g_i
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import sympy as sp


@dataclass(frozen=True)
class Coefficients:
    """dX = a dt + B dW with W independent.

    Args:
        time: the symbol of time.
        states: X_1 .. X_d.
        drift: a, d expressions.
        diffusion: B, d rows of m expressions.
        parameters: the symbols that need a number before anything can be simulated.
    """

    time: sp.Symbol
    states: tuple[sp.Symbol, ...]
    drift: tuple[sp.Expr, ...]
    diffusion: tuple[tuple[sp.Expr, ...], ...]
    parameters: tuple[sp.Symbol, ...] = ()

    @property
    def noises(self) -> int:
        """m, the number of Brownian motions."""
        return len(self.diffusion[0])

    def column(self, j: int) -> tuple[sp.Expr, ...]:
        """B_.j, what the j-th Brownian motion moves."""
        return tuple(row[j] for row in self.diffusion)

    def L0(self, g: sp.Expr) -> sp.Expr:
        """g_t + a . grad g + 1/2 B B^T : hess g."""
        a, x = self.drift, self.states
        second = sum(
            (self.covariance[i, k] * sp.diff(g, x[i], x[k]) for i in range(len(x)) for k in range(len(x))), sp.S.Zero
        )
        first = sum((a[i] * sp.diff(g, x[i]) for i in range(len(x))), sp.S.Zero)
        return sp.diff(g, self.time) + first + second / 2

    def L(self, j: int, g: sp.Expr) -> sp.Expr:
        """sum_i B_ij dg/dx_i."""
        return sum((b * sp.diff(g, x) for b, x in zip(self.column(j), self.states, strict=True)), sp.S.Zero)

    @cached_property
    def covariance(self) -> sp.Matrix:
        """B B^T."""
        B = sp.Matrix(self.diffusion)
        return B * B.T

    @cached_property
    def stratonovich_drift(self) -> tuple[sp.Expr, ...]:
        """a_i - 1/2 sum_j Lj B_ij."""
        m = range(self.noises)
        return tuple(
            a - sum((self.L(j, row[j]) for j in m), sp.S.Zero) / 2
            for a, row in zip(self.drift, self.diffusion, strict=True)
        )

    @cached_property
    def additive(self) -> bool:
        """Whether B does not depend on the state."""
        return all(not (entry.free_symbols & set(self.states)) for row in self.diffusion for entry in row)

    @cached_property
    def diagonal(self) -> bool:
        """Whether B is square and X_i alone is moved by W_i, by an amount that depends on no other state."""
        if self.noises != len(self.states):
            return False
        for i, row in enumerate(self.diffusion):
            if any(entry != 0 for j, entry in enumerate(row) if j != i):
                return False
            if row[i].free_symbols & (set(self.states) - {self.states[i]}):
                return False
        return True

    @cached_property
    def commutator(self) -> tuple[int, int, int, sp.Expr] | None:
        """The first (i, j, k) with Lj B_ik - Lk B_ij != 0, and that difference; None if the noise commutes."""
        for j in range(self.noises):
            for k in range(j + 1, self.noises):
                for i, row in enumerate(self.diffusion):
                    bracket = sp.simplify(self.L(j, row[k]) - self.L(k, row[j]))
                    if bracket != 0:
                        return i, j, k, bracket
        return None
