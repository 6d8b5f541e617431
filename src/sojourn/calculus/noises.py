"""Brownian motions with correlations, and Poisson processes: symbols whose differentials multiply by the Ito table.

dW_i dW_j = rho_ij dt,    dt dW = dt dt = 0,    dN dN = dN,    dN dt = dN dW = 0
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp

from sojourn.errors import InputError


class Brownian(sp.Symbol):
    """A Brownian motion W, W(0) = 0, as a symbol; it knows its correlations with those it was made with.

    It may stand in expressions: `ito(W**2)` is d(W^2).
    """

    __slots__ = ("correlations", "family")

    family: tuple[str, ...]
    correlations: tuple[sp.Expr, ...]

    def __new__(cls, name: str, family: tuple[str, ...], correlations: tuple[sp.Expr, ...]) -> Brownian:
        self = sp.Symbol.__xnew__(cls, name, real=True)
        self.family, self.correlations = family, correlations
        return self

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.family, self.correlations)

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.name, self.family, self.correlations), {}

    def correlation(self, other: Brownian) -> sp.Expr:
        """rho with dW dW' = rho dt; 1 with itself, 0 with one that was made apart."""
        if self == other:
            return sp.S.One
        if self.family == other.family and other.name in self.family:
            return self.correlations[self.family.index(other.name)]
        return sp.S.Zero


def brownian(names: str, *, correlation: Any = None) -> Any:
    """One Brownian motion, `W = brownian("W")`, or several, `W1, W2 = brownian("W1 W2", correlation=0.3)`.

    Args:
        names: names between spaces or commas.
        correlation: a number or symbol, the same for every pair; or a square matrix. None: independent.

    Raises:
        InputError: the matrix is not a correlation matrix: its shape, its diagonal, its symmetry, or an eigenvalue below
            zero.
    """
    listed = tuple(names.replace(",", " ").split())
    if not listed or len(set(listed)) < len(listed):
        raise InputError(f"brownian({names!r}) needs different names, such as brownian('W1 W2')")
    n = len(listed)
    matrix = correlation_matrix(n, correlation)
    check_correlation(matrix, listed)
    # a family is the names and the whole matrix, so that motions of one name made apart are different symbols
    made = [Brownian(name, listed, tuple(matrix.row(i))) for i, name in enumerate(listed)]
    return made[0] if n == 1 else tuple(made)


def correlation_matrix(n: int, correlation: Any) -> sp.ImmutableMatrix:
    """The matrix of correlations that `brownian` was asked for."""
    if correlation is None:
        return sp.ImmutableMatrix(sp.eye(n))
    if isinstance(correlation, Iterable) or isinstance(correlation, sp.MatrixBase):
        matrix = sp.ImmutableMatrix(sp.Matrix(correlation))
        if matrix.shape != (n, n):
            raise InputError(f"correlation has shape {matrix.shape}; {n} Brownian motions need ({n}, {n})")
        return matrix
    rho = sp.sympify(correlation)
    return sp.ImmutableMatrix(n, n, lambda i, j: sp.S.One if i == j else rho)


def check_correlation(matrix: sp.ImmutableMatrix, names: tuple[str, ...]) -> None:
    """Raises InputError unless the matrix has ones on its diagonal, is symmetric and, where numeric, is semi-definite."""
    for i, name in enumerate(names):
        if matrix[i, i] != 1:
            raise InputError(f"correlation of {name} with itself is {matrix[i, i]}; it must be 1")
        for j in range(i):
            if sp.simplify(matrix[i, j] - matrix[j, i]) != 0:
                raise InputError(
                    f"correlation of {name} and {names[j]} is {matrix[i, j]} one way and {matrix[j, i]} the other; give "
                    f"a symmetric matrix"
                )
    if matrix.free_symbols:
        return
    import numpy as np

    lowest = float(np.linalg.eigvalsh(np.array(matrix.tolist(), dtype=float)).min())
    if lowest < -1e-12 * len(names):
        raise InputError(
            f"correlation is not positive semi-definite: its lowest eigenvalue is {lowest:.3g}; bring the correlations "
            f"nearer to zero"
        )


def substitute(noises: tuple[Brownian, ...], places: Any) -> dict[Brownian, Brownian]:
    """Each motion -> the same with expressions put into its correlations."""
    out = {}
    for W in noises:
        correlations = tuple(rho.subs(places) for rho in W.correlations)
        out[W] = W if correlations == W.correlations else Brownian(W.name, W.family, correlations)
    return out


def square_root(correlation: sp.Matrix) -> sp.Matrix:
    """The lower triangular L with L L^T = correlation; columns of zeros where it is singular."""
    n = correlation.shape[0]
    L = sp.zeros(n, n)
    for j in range(n):
        pivot = sp.simplify(correlation[j, j] - sum(L[j, k] ** 2 for k in range(j)))
        if pivot.is_number and abs(float(pivot)) < 1e-12:
            continue
        root = sp.sqrt(pivot)
        L[j, j] = root
        for i in range(j + 1, n):
            L[i, j] = sp.simplify((correlation[i, j] - sum(L[i, k] * L[j, k] for k in range(j))) / root)
    return L
