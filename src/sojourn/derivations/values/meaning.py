"""What a tree means in one world, as a SymPy expression or matrix.

A world gives every index a number, every dimension a size and every unknown function a stand-in; all else stays
symbolic.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from sojourn.derivations.notation import nodes as n
from sojourn.derivations.values.laws import Draw
from sojourn.derivations.values.scope import Scope, children
from sojourn.derivations.values.worlds import OutOfRange, World
from sojourn.errors import InputError

_DEEPEST = 480


@dataclass
class Meaning:
    """Values of trees in a world.

    Attributes:
        bound: variables of integrals, derivatives and functions -> their values.
        integers: variables of sums, and indices of the definition at hand.
        draws: symbol -> the random variable that it belongs to.
        touched: whether something was evaluated that is not the same in every world.
    """

    scope: Scope
    world: World
    bound: dict[tuple[str, tuple[int, ...]], Any] = field(default_factory=dict)
    integers: dict[str, int] = field(default_factory=dict)
    draws: dict[Any, Draw] = field(default_factory=dict)
    free: dict[Any, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    depth: int = 0
    touched: bool = False
    known: dict[Any, Any] = field(default_factory=dict)

    def value(self, node: Any) -> Any:
        """The value of a tree; 1 x 1 matrices are numbers.

        Raises:
            InputError: it has no value, and why.
            OutOfRange: not in this world.
        """
        self.depth += 1
        if self.depth > _DEEPEST:
            raise InputError("the definitions go round in circles; each must rest on earlier ones")
        try:
            found = self._value(node)
        finally:
            self.depth -= 1
        if isinstance(found, sp.MatrixBase) and found.shape == (1, 1):
            return found[0]
        return found

    def dice(self, *key: Any) -> random.Random:
        """Random numbers of this world that belong to a name."""
        self.touched = True
        return self.world.dice(*key)

    def scalar(self, node: Any, what: str = "a number") -> Any:
        """The value of a tree that must be a number."""
        found = self.value(node)
        if isinstance(found, sp.MatrixBase):
            raise InputError(f"{shape(found)} stands where {what} is needed")
        return found

    def _value(self, node: Any) -> Any:
        from sojourn.derivations.values import big, calls, derivatives, functions, means

        match node:
            case n.Number():
                return sp.Rational(node.value.numerator, node.value.denominator)
            case n.Constant():
                return self._constant(node.name)
            case n.Symbol():
                return self.symbol(node)
            case n.Bracket():
                return self.value(node.body)
            case n.Negative():
                return -self.value(node.body)
            case n.Add():
                return self.total([self.value(term) for term in big.spelled(self, node.terms)])
            case n.Multiply():
                return self._product(node)
            case n.Divide():
                below = self.scalar(node.denominator, "a denominator")
                if below == 0:
                    raise InputError("a denominator is 0")
                return self.value(node.numerator) / below
            case n.Power():
                return self._power(node)
            case n.Transpose():
                body = self.value(node.body)
                return body.T if isinstance(body, sp.MatrixBase) else body
            case n.Function():
                return functions.value(self, node)
            case n.Call():
                return calls.call(self, node)
            case n.Big():
                return big.value(self, node)
            case n.Mean():
                return means.mean(self, node)
            case n.Divergence():
                return means.divergence(self, node)
            case n.Derivative():
                return derivatives.derivative(self, node)
            case n.Gradient():
                return derivatives.gradient(self, node)
            case n.Differential():
                return derivatives.differential(self, node)
            case n.Relation():
                return functions.event(self, node)
            case n.At():
                return derivatives.at(self, node)
        raise InputError(f"{type(node).__name__.lower()} has no value here")

    def _constant(self, name: str) -> Any:
        if name == "identity":
            sizes = {self.dimension(size) for size, _ in self.scope.vectors.values()}
            sizes |= {self.dimension(rows) for rows, columns in self.scope.matrices.values() if rows == columns}
            return sp.eye(sizes.pop()) if len(sizes) == 1 else sp.S.One
        return {"pi": sp.pi, "e": sp.E, "infinity": sp.oo}[name]

    def key(self, symbol: n.Symbol) -> tuple[str, tuple[int, ...]]:
        """Its name and the numbers in its subscripts."""
        return self.scope.name(symbol), tuple(k for part in symbol.subscript for k in self._numbers(part))

    def _numbers(self, part: Any) -> list[int]:
        if not self.scope.counts(part):
            return []
        if isinstance(part, n.Range):
            raise InputError("a range such as 1:T stands only in the arguments of a density")
        if isinstance(part, n.Multiply) and not part.sign and isinstance(part.factors[0], n.Symbol):
            return [self.integer(factor) for factor in part.factors]
        return [self.integer(part)]

    def integer(self, node: Any) -> int:
        """The value of a tree that must be a whole number."""
        found = self.value(node)
        if not getattr(found, "is_Integer", False):
            raise InputError(f"{found} stands where a whole number is needed")
        return int(found)

    def dimension(self, node: Any) -> int:
        """A size of vectors; None is the real line."""
        return 1 if node is None else self.integer(node)

    def symbol(self, node: n.Symbol) -> Any:
        """A letter's value: bound, an index, defined, random, or free."""
        name, indices = self.key(node)
        if (name, indices) in self.bound:
            return self.bound[name, indices]
        if not indices and not node.subscript:
            if node.name in self.integers and not node.accent:
                return sp.Integer(self.integers[node.name])
            if name in self.world.values:
                self.touched = True
                return sp.Integer(self.world.values[name])
            if name in self.scope.indices:
                raise InputError(
                    f"the index {name} is used outside of its sum; say its range in a list item, "
                    f"such as 1 <= {name} <= n"
                )
        if name == "pi" and not node.subscript and not self.scope.fixes(name):
            return sp.pi
        return self.element(name, indices)

    def element(self, name: str, indices: tuple[int, ...]) -> Any:
        """The value of a name with numbers for its subscripts; remembered where no variable is bound."""
        if self.bound:
            return self._element(name, indices)
        at = (name, indices, tuple(self.integers.items()))
        if at not in self.known:
            self.known[at] = self._element(name, indices)
        return self.known[at]

    def _element(self, name: str, indices: tuple[int, ...]) -> Any:
        scope = self.scope
        if name in scope.vectors and len(indices) == scope.vectors[name][1] + 1:
            whole = self.element(name, indices[:-1])
            return whole[self._within(indices[-1], whole.rows, name)]
        if name in scope.matrices and len(indices) == 2:
            whole = self.element(name, ())
            return whole[self._within(indices[0], whole.rows, name), self._within(indices[1], whole.cols, name)]
        for one in scope.definitions.get(name, ()):
            if isinstance(one.pattern, n.Symbol):
                values = self.match(one.pattern, indices, lowest=one.lowest)
                if values is not None:
                    with self.where(values):
                        return self.value(one.body)
        if name in scope.processes:
            return sp.Symbol(name, real=True, positive=self._positive(name, indices))
        drawn = self.draw(name, indices)
        if drawn is not None:
            return sp.Matrix(drawn.symbols) if name in scope.vectors else drawn.symbols[0]
        call = self.function(name, indices)
        if call is not None or name in scope.functions:
            own = [scope.name(a) if isinstance(a, n.Symbol) else "x" for a in call.arguments] if call else ["x"]
            raise InputError(f"the function {name} stands without its argument; write {name}({', '.join(own)})")
        return self._free(name, indices)

    def function(self, name: str, indices: tuple[int, ...]) -> n.Call | None:
        """The left side u(x, t) of the definition of a function; u_0 is none of u(t)."""
        calls = (one.pattern for one in self.scope.definitions.get(name, ()) if isinstance(one.pattern, n.Call))
        return next((c for c in calls if sum(map(self.scope.counts, c.head.subscript)) == len(indices)), None)

    @contextmanager
    def where(
        self, integers: Mapping[str, int] | None = None, bound: Mapping[Any, Any] | None = None
    ) -> Iterator[None]:
        """For the time, indices have these numbers and variables stand for these values."""
        before = self.integers, self.bound
        self.integers, self.bound = {**self.integers, **(integers or {})}, {**self.bound, **(bound or {})}
        try:
            yield
        finally:
            self.integers, self.bound = before

    def match(
        self, pattern: n.Symbol, indices: tuple[int, ...], *, lowest: dict[str, Any] | None = None
    ) -> dict[str, int] | None:
        """The numbers of the pattern's letters for which its subscripts are these indices, or None."""
        parts = [p for part in pattern.subscript if self.scope.counts(part) for p in _split(part)]
        if len(parts) != len(indices):
            return None
        found: dict[str, int] = {}
        for part, number in zip(parts, indices, strict=True):
            letter, shift = _linear(part)
            if letter is None or letter in self.scope.sizes:
                if self.integer(part) != number:
                    return None
            elif found.setdefault(letter, number - shift) != number - shift:
                return None
        if lowest is not None:
            shifts = {letter: shift for letter, shift in map(_linear, parts) if letter}
            for letter, number in found.items():
                low = 1 if lowest.get(letter) is None else self.integer(lowest[letter])
                if number + shifts[letter] < min(low, 0):  # x_{-1} is none, but x_0 of x_{n+1} = ... is free
                    raise OutOfRange
                if number < low:
                    return None
        return found

    def draw(self, name: str, indices: tuple[int, ...]) -> Draw | None:
        """The random variable of this name, if it is one."""
        from sojourn.derivations.values import means

        for one in self.scope.laws.get(name, ()):
            values = self.match(one.pattern, indices, lowest=one.lowest) if isinstance(one.pattern, n.Symbol) else None
            if values is not None:
                return means.drawn(self, name, indices, values, one.body)
        return None

    def labels(self, name: str, indices: tuple[int, ...], size: int) -> list[str]:
        """Readable names: x_1, and for vectors x_1[1], x_1[2]."""
        label = "_".join([name, *map(str, indices)])
        return [label] if name not in self.scope.vectors else [f"{label}[{k + 1}]" for k in range(size)]

    def _free(self, name: str, indices: tuple[int, ...]) -> Any:
        scope = self.scope
        if name in scope.matrices:
            rows, columns = (self.dimension(s) for s in scope.matrices[name])
            symbols = [sp.Symbol(f"{name}[{i + 1},{k + 1}]", real=True) for i in range(rows) for k in range(columns)]
            self.free |= dict.fromkeys(symbols, (name, ()))
            return sp.Matrix(rows, columns, symbols)
        size = self.dimension(scope.vectors[name][0]) if name in scope.vectors else 1
        positive = self._positive(name, indices)
        symbols = [sp.Symbol(label, real=True, positive=positive) for label in self.labels(name, indices, size)]
        self.free |= dict.fromkeys(symbols, (name, indices))
        return sp.Matrix(symbols) if name in scope.vectors else symbols[0]

    def _positive(self, name: str, indices: tuple[int, ...]) -> bool | None:
        """True where some item says that a number is above 0 (or above another number that is not negative)."""
        for relation in self.scope.bounds:
            sides, signs = relation.sides, relation.signs
            if signs[0] in (">", ">="):
                sides, signs = sides[::-1], tuple("<" if s == ">" else "<=" for s in signs[::-1])
            for k, low in enumerate(sides[:-1]):
                if not isinstance(low, n.Number) or low.value < 0 or (low.value == 0 and signs[k] != "<"):
                    continue
                above = [side for side in sides[k + 1 :] if isinstance(side, n.Symbol)]
                if any(self.scope.name(side) == name and self._fits(side, indices) for side in above):
                    return True
        return None

    def _fits(self, pattern: n.Symbol, indices: tuple[int, ...]) -> bool:
        try:
            return self.match(pattern, indices) is not None
        except OutOfRange:
            return False

    def _within(self, index: int, size: int, name: str) -> int:
        if not 1 <= index <= size:
            raise OutOfRange
        return index - 1

    def total(self, values: list[Any]) -> Any:
        shapes = {v.shape for v in values if isinstance(v, sp.MatrixBase)}
        if len(shapes) > 1 or (shapes and any(not isinstance(v, sp.MatrixBase) for v in values if v != 0)):
            raise InputError(f"a sum joins {', '.join(sorted({shape(v) for v in values}))}")
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total

    def _product(self, node: n.Multiply) -> Any:
        from sojourn.derivations.values import big

        total: Any = None
        for factor in big.spelled(self, node.factors):
            value = self.value(factor)
            if total is None:
                total = value
                continue
            matrices = isinstance(total, sp.MatrixBase) and isinstance(value, sp.MatrixBase)
            if matrices and node.sign in ("dot", "inner") and total.shape == value.shape and total.cols == 1:
                total = (total.T * value)[0]
            elif matrices and total.cols != value.rows:
                raise InputError(
                    f"a product joins {shape(total)} and {shape(value)}; transpose one, or write a dot for the "
                    "inner product"
                )
            else:
                total = total * value
            if isinstance(total, sp.MatrixBase) and total.shape == (1, 1):
                total = total[0]
        return total

    def _power(self, node: n.Power) -> Any:
        from sojourn.derivations.values import calls

        if calls.is_product(self, node.base):  # u(1 - u)^2
            head, body = node.base.head, n.Bracket(node.base.arguments[0])
            return self.value(n.Multiply((head, n.Power(body, node.exponent))))
        base, exponent = self.value(node.base), self.scalar(node.exponent, "an exponent")
        if isinstance(base, sp.MatrixBase):
            if base.is_square and exponent.is_Integer and abs(exponent) <= 8:
                return base**exponent
            if exponent == 2 and base.cols == 1:
                return (base.T * base)[0]
            raise InputError(f"{shape(base)} has no power {exponent}")
        if base == 0 and exponent.is_negative:
            raise InputError("a denominator is 0")
        return base**exponent

    def with_bound(self, name: str, indices: tuple[int, ...], symbol: Any, body: Any) -> Any:
        """The value of a body in which a variable stands for `symbol`."""
        with self.where(bound={(name, indices): symbol}):
            return self.value(body)


def _split(part: Any) -> list[Any]:
    if isinstance(part, n.Multiply) and not part.sign and isinstance(part.factors[0], n.Symbol):
        return list(part.factors)
    return [part]


def _linear(part: Any) -> tuple[str | None, int]:
    """(t, -1) of t - 1; (None, 0) where there is no letter."""
    if isinstance(part, n.Symbol):
        return part.name, 0
    if isinstance(part, n.Bracket):
        return _linear(part.body)
    if isinstance(part, n.Add) and len(part.terms) == 2:
        first, second = part.terms
        if isinstance(first, n.Number):
            first, second = second, first
        sign = -1 if isinstance(second, n.Negative) else 1
        second = second.body if isinstance(second, n.Negative) else second
        if isinstance(first, n.Symbol) and isinstance(second, n.Number):
            return first.name, sign * int(second.value)
    return None, 0


def shape(value: Any) -> str:
    if not isinstance(value, sp.MatrixBase):
        return "a number"
    if value.cols == 1:
        return f"a vector of {value.rows}"
    return f"a row of {value.cols}" if value.rows == 1 else f"a {value.rows} x {value.cols} matrix"


def symbols_in(node: Any) -> list[n.Symbol]:
    """All symbols of a tree that stand outside subscripts."""
    if isinstance(node, n.Symbol):
        return [node]
    return [s for child in children(node) for s in symbols_in(child)]
