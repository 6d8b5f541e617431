"""Random variables: their laws, and taking them out of an expression by averaging.

A drawn variable stands in expressions as a symbol. `Draw.out(f)` is E f over it alone, all else fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from sojourn.derivations.values.averages import average


@dataclass(frozen=True)
class Normal:
    """N(mean, covariance); mean a column, covariance a matrix."""

    mean: Any
    covariance: Any

    def out(self, body: Any, symbols: tuple[Any, ...]) -> Any:
        if self.covariance.is_diagonal():
            for x, mean, variance in zip(symbols, self.mean, self.covariance.diagonal(), strict=True):
                body = average(body, x, "normal", mean, sp.sqrt(variance))
            return body
        z = [sp.Dummy("z", real=True) for _ in symbols]
        places = self.mean + self.covariance.cholesky(hermitian=False) * sp.Matrix(z)
        body = replaced(body, dict(zip(symbols, places, strict=True)))
        for one in z:
            body = average(body, one, "normal")
        return body

    def density(self, x: Any) -> Any:
        off = x - self.mean
        if self.covariance.is_diagonal():
            exponent = sum(o**2 / v for o, v in zip(off, self.covariance.diagonal(), strict=True))
            size = sp.Mul(*(sp.sqrt(2 * sp.pi * v) for v in self.covariance.diagonal()))
            return sp.exp(-exponent / 2) / size
        exponent = (off.T * self.covariance.inv() * off)[0]
        return sp.exp(-exponent / 2) / sp.sqrt((2 * sp.pi) ** len(off) * self.covariance.det())


@dataclass(frozen=True)
class Standard:
    """U(low, high), or an exponential law with this rate, or of either a row of independent ones."""

    kind: str
    low: Any
    size: Any

    def out(self, body: Any, symbols: tuple[Any, ...]) -> Any:
        for symbol in symbols:
            body = average(body, symbol, self.kind, self.low, self.size)
        return body

    def density(self, x: Any) -> Any:
        from sojourn.derivations.values.averages import indicator

        inside = indicator(sp.Ge(x[0], self.low))
        if self.kind == "uniform":
            return inside * indicator(sp.Ge(self.low + self.size, x[0])) / self.size
        return inside * sp.exp(-(x[0] - self.low) / self.size) / self.size


@dataclass(frozen=True)
class Atoms:
    """Finitely many values with their probabilities, the same for each of the independent coordinates."""

    values: tuple[Any, ...]
    weights: tuple[Any, ...]

    def out(self, body: Any, symbols: tuple[Any, ...]) -> Any:
        for symbol in symbols:
            body = sum(
                (w * replaced(body, {symbol: v}) for v, w in zip(self.values, self.weights, strict=True)), sp.S.Zero
            )
        return body

    def density(self, x: Any) -> Any:
        return sum(
            (w * sp.Piecewise((1, sp.Eq(x[0], v)), (0, True)) for v, w in zip(self.values, self.weights, strict=True)),
            sp.S.Zero,
        )


@dataclass(frozen=True)
class Mixed:
    """A mixture of normal laws with these weights."""

    weights: tuple[Any, ...]
    parts: tuple[Normal, ...]

    def out(self, body: Any, symbols: tuple[Any, ...]) -> Any:
        return sum((w * part.out(body, symbols) for w, part in zip(self.weights, self.parts, strict=True)), sp.S.Zero)

    def density(self, x: Any) -> Any:
        return sum((w * part.density(x) for w, part in zip(self.weights, self.parts, strict=True)), sp.S.Zero)


@dataclass(frozen=True)
class Draw:
    """Symbols that are drawn together from one law; `name` and `indices` say which variable they are."""

    name: str
    indices: tuple[int, ...]
    symbols: tuple[Any, ...]
    law: Normal | Standard | Atoms | Mixed

    def out(self, body: Any) -> Any:
        """E body over this variable."""
        return self.law.out(body, self.symbols)

    def needs(self) -> set[Any]:
        """The symbols in the parameters of its law."""
        law = self.law
        parts: tuple[Any, ...] = ()
        if isinstance(law, Normal):
            parts = (law.mean, law.covariance)
        elif isinstance(law, Standard):
            parts = (law.low, law.size)
        elif isinstance(law, Atoms):
            parts = (*law.values, *law.weights)
        else:
            parts = (*law.weights, *(p.mean for p in law.parts), *(p.covariance for p in law.parts))
        found: set[Any] = set()
        for part in parts:
            found |= sp.sympify(part).free_symbols
        return found


def entries(value: Any) -> list[Any]:
    """The entries of a vector or matrix, or the one number."""
    return value.flat() if isinstance(value, sp.MatrixBase) else [value]


def replaced(body: Any, values: dict[Any, Any]) -> Any:
    """Body with the symbols replaced all at once, also in matrices."""
    if isinstance(body, sp.MatrixBase):
        return body.applyfunc(lambda entry: replaced(entry, values))
    return sp.sympify(body).xreplace({s: sp.sympify(v) for s, v in values.items()})


def averaged(body: Any, draws: list[Draw]) -> Any:
    """E body over these variables, those first on whose values no other one's law depends."""
    left = list(draws)
    while left:
        needed: set[Any] = set()
        for draw in left:
            needed |= draw.needs()
        last = next((d for d in left if not needed & set(d.symbols)), left[-1])
        left.remove(last)
        body = body.applyfunc(last.out) if isinstance(body, sp.MatrixBase) else last.out(body)
    return body
