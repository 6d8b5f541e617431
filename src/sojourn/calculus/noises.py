"""Brownian motions with correlations, and Poisson processes: symbols whose differentials multiply by the Ito table.

dW_i dW_j = rho_ij dt,    dt dW = dt dt = 0,    dN dN = dN,    dN dt = dN dW = 0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
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
        InputError: the matrix is not a correlation matrix: its shape, its diagonal, its symmetry, or an eigenvalue
            below zero.
    """
    listed = tuple(names.replace(",", " ").split()) if isinstance(names, str) else ()
    if not listed or len(set(listed)) < len(listed):
        raise InputError(f"brownian({names!r}) needs different names, such as brownian('W1 W2')")
    n = len(listed)
    matrix = correlation_matrix(n, correlation)
    check_correlation(matrix, listed)
    # a family is the names and the whole matrix, so that motions of one name made apart are different symbols
    made = [Brownian(name, listed, tuple(matrix.row(i))) for i, name in enumerate(listed)]
    return made[0] if n == 1 else tuple(made)


class Poisson(sp.Symbol):
    """A Poisson process N, N(0) = 0, as a symbol; each jump carries a mark drawn from a law, independently.

    Attributes:
        rate: the intensity lambda; it may depend on the state and time.
        mark: the symbol of the mark, which may stand in the sizes of jumps; None without marks.
        law: ((value, probability), ...), or (density, low, high).
    """

    __slots__ = ("law", "mark", "rate")

    rate: sp.Expr
    mark: sp.Symbol | None
    law: tuple[Any, ...]

    def __new__(cls, name: str, rate: sp.Expr, mark: sp.Symbol | None, law: tuple[Any, ...]) -> Poisson:
        self = sp.Symbol.__xnew__(cls, name, integer=True, nonnegative=True)
        self.rate, self.mark, self.law = rate, mark, law
        return self

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.rate, self.mark, self.law)

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.name, self.rate, self.mark, self.law), {}

    def mean(self, expression: Any) -> sp.Expr:
        """The expectation of an expression over the mark; an unevaluated integral where SymPy finds none.

        An integral that converges for some values of its parameters only is given without that condition.
        """
        expression = sp.sympify(expression)
        if self.mark is None or self.mark not in expression.free_symbols:
            return expression
        if _is_finite(self.law):
            return sum((p * _put(expression, self.mark, value) for value, p in self.law), sp.S.Zero)
        density, low, high = self.law
        if expression.has(sp.core.function.AppliedUndef):
            return sp.Integral(expression * density, (self.mark, low, high))
        total = sp.S.Zero
        for term in sp.Add.make_args(sp.expand(expression)):
            outside, inside = term.as_independent(self.mark, as_Add=False)
            total += outside if inside == 1 else outside * _integral(inside * density, (self.mark, low, high))
        return total

    @property
    def parameters(self) -> set[Any]:
        """The symbols in the rate and the mark's law, without the mark."""
        parts = [e for pair in self.law for e in pair] if _is_finite(self.law) else list(self.law)
        return set().union(self.rate.free_symbols, *(sp.sympify(e).free_symbols for e in parts)) - {self.mark}


def poisson(name: str, *, rate: Any, mark: sp.Symbol | None = None, law: Any = None) -> Poisson:
    """A Poisson process, `N = poisson("N", rate=lam)`, with marks where jumps are of random size.

    Args:
        name: of the symbol.
        rate: the intensity, an expression.
        mark: the symbol of a jump's mark; `jumps={N: Y}` then gives a compound Poisson process.
        law: of the mark: {value: probability, ...}, or (density in the mark, low, high).

    Raises:
        InputError: a negative rate, a mark without a law, or a law whose total is not 1.
    """
    intensity = sp.sympify(rate)
    if intensity.is_negative:
        raise InputError(f"rate={rate} of {name} is negative; give the mean number of jumps in a unit of time")
    if mark is None and law is None:
        return Poisson(name, intensity, None, ())
    if not isinstance(mark, sp.Symbol) or law is None:
        raise InputError(f"{name} needs mark and law together: mark=symbols('Y'), law={{1: p, -1: 1 - p}}")
    if isinstance(law, Mapping):
        kept = tuple((sp.sympify(value), sp.sympify(p)) for value, p in law.items())
        negative = next((p for _, p in kept if p.is_negative), None)
        if negative is not None:
            raise InputError(f"law of {mark} has the probability {_short(negative)}; probabilities are 0 or more")
        total = sum((p for _, p in kept), sp.S.Zero)
    elif isinstance(law, (tuple, list)) and len(law) == 3:
        kept = tuple(map(sp.sympify, law))
        total = _integral(kept[0], (mark, kept[1], kept[2]))
    else:
        raise InputError(f"law={law!r} is neither {{value: probability}} nor (density, low, high)")
    off = sp.simplify(total - 1)
    if off.is_number and abs(complex(off)) > 1e-9:
        raise InputError(f"law of {mark} has the total {_short(total)}; it must be 1")
    return Poisson(name, intensity, mark, kept)


def correlation_matrix(n: int, correlation: Any) -> sp.ImmutableMatrix:
    """The matrix of correlations that `brownian` was asked for."""
    if correlation is None:
        return sp.ImmutableMatrix(sp.eye(n))
    if isinstance(correlation, (Iterable, sp.MatrixBase)):
        try:
            matrix = sp.ImmutableMatrix(sp.Matrix(correlation))
        except (TypeError, ValueError):
            raise InputError(f"correlation={correlation!r} is neither a number, nor a symbol, nor a matrix") from None
        if matrix.shape != (n, n):
            raise InputError(f"correlation has shape {matrix.shape}; {n} Brownian motions need ({n}, {n})")
        return matrix
    rho = sp.sympify(correlation)
    return sp.ImmutableMatrix(n, n, lambda i, j: sp.S.One if i == j else rho)


def check_correlation(matrix: Any, names: tuple[str, ...]) -> None:
    """Raises InputError unless the diagonal is ones, the matrix symmetric and, in numbers, positive semi-definite."""
    for i, name in enumerate(names):
        if matrix[i, i] != 1:
            raise InputError(f"correlation of {name} with itself is {_short(matrix[i, i])}; it must be 1")
        for j in range(i):
            if sp.simplify(matrix[i, j] - matrix[j, i]) != 0:
                raise InputError(
                    f"correlation of {name} and {names[j]} is {_short(matrix[i, j])} one way and "
                    f"{_short(matrix[j, i])} the other; "
                    f"give a symmetric matrix"
                )
    if matrix.free_symbols:
        return
    if any(not e.is_real for e in matrix):
        raise InputError(f"correlation {matrix.tolist()} is not real")
    for j, k in combinations(range(len(names)), 2):
        if abs(float(matrix[j, k])) > 1 + 1e-12:
            raise InputError(f"correlation of {names[j]} and {names[k]} is {_short(matrix[j, k])}, outside [-1, 1]")
    import numpy as np

    lowest = float(np.linalg.eigvalsh(np.array(matrix.tolist(), dtype=float)).min())
    if lowest < -1e-12 * len(names):
        raise InputError(
            f"correlation is not positive semi-definite: its lowest eigenvalue is {lowest:.3g}; bring the correlations "
            f"nearer to zero"
        )


def substitute(noises: Iterable[Any], places: Any) -> dict[Any, Any]:
    """Each motion or Poisson process -> the same with expressions put into its correlations, rate and law."""
    out = {}
    for noise in noises:
        if isinstance(noise, Poisson):
            law = sp.sympify(noise.law).subs({s: e for s, e in dict(places).items() if s != noise.mark})
            changed = Poisson(noise.name, noise.rate.subs(places), noise.mark, _plain(law))
        else:
            changed = Brownian(noise.name, noise.family, tuple(rho.subs(places) for rho in noise.correlations))
        out[noise] = noise if changed == noise else changed
    return out


def square_root(correlation: Any) -> sp.Matrix:
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


def _short(number: sp.Expr) -> str:
    return sp.sstr(number, full_prec=False)


def _is_finite(law: tuple[Any, ...]) -> bool:
    return bool(law) and isinstance(law[0], tuple)


def _plain(law: Any) -> tuple[Any, ...]:
    return tuple(tuple(pair) if isinstance(pair, sp.Tuple) else pair for pair in law)


def _put(expression: sp.Expr, symbol: sp.Symbol, value: sp.Expr) -> sp.Expr:
    return sp.sympify(expression).subs(symbol, value)


def _integral(integrand: sp.Expr, limits: tuple[Any, Any, Any]) -> sp.Expr:
    """The integral without its conditions; unevaluated where none is found."""
    try:
        found = sp.integrate(integrand, limits, conds="none")
    except (NotImplementedError, ValueError, TypeError):
        found = None
    if found is None or found.has(sp.Integral):
        return sp.Integral(integrand, limits)
    return sp.simplify(found.replace(sp.erfc, lambda z: 1 - sp.erf(z)))
