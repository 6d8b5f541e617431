"""What a derivation has said so far: definitions, laws, bounds, functions, indices, Ito processes.

Items and lines are taken in one after the other; what a symbol means is asked of the last one that speaks of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from fractions import Fraction
from typing import Any

from sojourn.derivations.notation import nodes as n
from sojourn.errors import InputError


@dataclass(frozen=True)
class Definition:
    """pattern = body (or pattern ~ body).

    `lowest` says where each index began at that time, if the body speaks of earlier ones.
    """

    pattern: n.Symbol | n.Call
    body: Any
    lowest: dict[str, Any] | None


@dataclass
class Scope:
    """See the module's first lines.

    Attributes:
        definitions, laws: name -> what was said of it, the last one first.
        bounds: relations between numbers, in the order given.
        indices: letter -> (lowest, highest) as nodes; None is open.
        sizes: letters for whole numbers that nothing defines: the T of t = 1..T, the d of R^d.
        vectors: name -> (dimension, number of subscripts that tell one vector from another).
        matrices: name -> (rows, columns).
        functions: name -> (source size, target size), for functions of which nothing else is known.
        values: name -> the values that a letter may take, where they were listed.
        processes: name -> the right side of its stochastic equation.
        rates: name -> the right side of d name / dt.
        correlations: (first, second, right side) of dW1 dW2 = rho dt.
        moments: name of a random variable of unknown law -> {"mean" or "variance": node}.
        time: the letter of time, in rates and stochastic equations.
        brownian: names of Brownian motions.
        joint: densities that somewhere have several arguments; first_calls: name -> the first call of a function.
        letters: names that somewhere stand without arguments.
        seen: names that some line has used.
    """

    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    laws: dict[str, list[Definition]] = field(default_factory=dict)
    bounds: list[n.Relation] = field(default_factory=list)
    indices: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    sizes: set[str] = field(default_factory=set)
    vectors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    matrices: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    functions: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    values: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    processes: dict[str, Any] = field(default_factory=dict)
    rates: dict[str, Any] = field(default_factory=dict)
    correlations: list[tuple[str, str, Any]] = field(default_factory=list)
    moments: dict[str, dict[str, Any]] = field(default_factory=dict)
    time: str = "t"
    brownian: set[str] = field(default_factory=set)
    joint: set[str] = field(default_factory=set)
    first_calls: dict[str, n.Call] = field(default_factory=dict)
    letters: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def knows_symbol(self, symbol: n.Symbol) -> bool:
        """Whether this symbol has a meaning: k_2 may have none yet where k_1 has one."""
        name, label = self.name(symbol), self.label(symbol)
        if not symbol.subscript or label == name:
            return self.knows(name)
        if label in self.seen or name in self.vectors or name in self.matrices:
            return True
        known = [*self.definitions.get(name, ()), *self.laws.get(name, ())]
        patterns = [one.pattern for one in known if isinstance(one.pattern, n.Symbol)]
        return any(p.subscript == symbol.subscript or any(True for _ in _in_subscripts(p)) for p in patterns)

    def fixes(self, name: str) -> bool:
        """Whether a letter without subscripts is defined."""
        return any(isinstance(d.pattern, n.Symbol) and not d.pattern.subscript for d in self.definitions.get(name, ()))

    def label(self, symbol: n.Symbol) -> str:
        """Its name with all subscripts."""
        return "_".join([f"{symbol.accent} {symbol.name}".strip(), *map(word, symbol.subscript)])

    def find_indices(self, statements: list[Any]) -> None:
        """Finds the letters that count, in all statements of a derivation, before any of them is taken in.

        They are those said to be whole numbers, the variables of sums and products, letters in subscripts with a bound,
        and letters in arithmetic in subscripts, as t in x_{t-1}.
        """
        below = {s.name for node in statements for s in _in_subscripts(node)}
        for node in (one for statement in statements for one in every(statement)):
            if isinstance(node, n.Big) and node.kind != "integral":
                self.indices.setdefault(node.variable.name, (None, None))
                inside = {s.name for s in _in_subscripts(node.body)}
                for one in (one for condition in node.conditions for one in every(condition)):
                    if isinstance(one, n.Symbol) and one.name in inside:  # the j of i < j
                        self.indices.setdefault(one.name, (None, None))
            elif isinstance(node, n.Belongs) and node.kind in ("integers", "natural"):
                for symbol in node.symbols:
                    self.indices[symbol.name] = (node.low, node.high)
            elif isinstance(node, n.Belongs):
                self._size(node.low if node.kind in ("vector", "matrix") else None)
                self._size(node.high if node.kind == "matrix" else None)
            elif isinstance(node, n.Mapping):
                self._size(node.source)
                self._size(node.target)
            elif isinstance(node, n.Symbol):
                for part in node.subscript:
                    if isinstance(part, (n.Add, n.Negative)):
                        for letter in every(part):
                            if isinstance(letter, n.Symbol):
                                self.indices.setdefault(letter.name, (None, None))
        for statement in statements:
            if isinstance(statement, n.Relation):
                self._bounded_index(statement, below)
        for low, high in self.indices.values():
            self._size(low)
            self._size(high)
        for node in (one for statement in statements for one in every(statement)):
            if (isinstance(node, n.Big) and node.kind != "integral") or isinstance(node, n.Range):
                self._size(node.low)
                self._size(node.high)

        if any(isinstance(node, n.Dots) for statement in statements for node in every(statement)):
            self.indices[EACH] = (n.Number(Fraction(1)), None)
        self._survey(statements)

    def _survey(self, statements: list[Any]) -> None:
        """Finds Brownian motions, the letter of time and how functions are called, once the indices are known."""
        moving = {
            self.name(s.sides[0].body)
            for s in statements
            if isinstance(s, n.Relation)
            and isinstance(s.sides[0], n.Differential)
            and isinstance(s.sides[0].body, n.Symbol)
        }
        for statement in statements:
            heads = {id(node.head) for node in every(statement) if isinstance(node, n.Call)}
            for node in every(statement):
                if isinstance(node, n.Symbol) and id(node) not in heads:
                    self.letters.add(self.name(node))
                if isinstance(node, n.Differential) and isinstance(node.body, n.Symbol):
                    name = self.name(node.body)
                    if name not in moving and name != self.time:
                        self.brownian.add(name)
                elif isinstance(node, n.Call):
                    name = self.name(node.head)
                    self.first_calls.setdefault(name, node)
                    if len(node.arguments) + len(node.given) > 1:
                        self.joint.add(name)

    def drawn_from(self) -> set[str]:
        """Names of densities from which something is drawn."""
        return {self.name(one.body) for laws in self.laws.values() for one in laws if isinstance(one.body, n.Symbol)}

    def bounded_names(self) -> set[str]:
        """Names of which a bound is given: numbers, not functions."""
        return {self.name(s) for relation in self.bounds for s in relation.sides if isinstance(s, n.Symbol)}

    def _bounded_index(self, statement: n.Relation, below: set[str]) -> None:
        """1 <= t <= T, t > 1, n >= 1 where t or n stands in subscripts."""
        sides, signs = statement.sides, statement.signs
        if set(signs) - {"<", "<="} and set(signs) - {">", ">="}:
            return
        if signs[0] in (">", ">="):
            sides, signs = sides[::-1], tuple({">": "<", ">=": "<="}[s] for s in signs[::-1])
        for k, side in enumerate(sides):
            if isinstance(side, n.Symbol) and not side.subscript and side.name in below:
                low, high = self.indices.get(side.name, (None, None))
                if k > 0:
                    step = n.Number(Fraction(1 if signs[k - 1] == "<" else 0))
                    low = n.Add((sides[k - 1], step)) if step.value else sides[k - 1]
                if k + 1 < len(sides):
                    step = n.Number(Fraction(1 if signs[k] == "<" else 0))
                    high = n.Add((sides[k + 1], n.Negative(step))) if step.value else sides[k + 1]
                self.indices[side.name] = (low, high)

    def _size(self, node: Any) -> None:
        for one in every(node):
            if isinstance(one, n.Symbol) and not one.subscript and one.name not in self.indices:
                self.sizes.add(one.name)

    def knows(self, name: str) -> bool:
        """Whether something was said of a name, or some line has used it."""
        places = (self.definitions, self.laws, self.indices, self.sizes, self.vectors, self.matrices, self.functions)
        return name in self.seen or name in self.processes or any(name in place for place in places)

    def take(self, statement: Any) -> None:
        """Takes in one statement of a list item.

        Raises:
            InputError: it says nothing that can be used.
        """
        if isinstance(statement, n.Belongs):
            self._belongs(statement)
        elif isinstance(statement, n.Distributed):
            for symbol in _spread(statement.symbols):
                if not isinstance(symbol, n.Symbol):
                    raise InputError("on the left of ~ stand letters, such as x ~ N(0, 1)")
                self._vector_by_law(symbol, statement.law)
                self.laws.setdefault(self.name(symbol), []).insert(
                    0, Definition(symbol, statement.law, self._lowest(symbol))
                )
        elif isinstance(statement, n.Mapping):
            self.functions[self.name(statement.symbol)] = (statement.source, statement.target)
        elif isinstance(statement, n.Relation):
            self._relation(statement)
        self.seen |= set(labels(statement, self))

    def _vector_by_law(self, symbol: n.Symbol, law: Any) -> None:
        """A letter with the law N(., I) is a vector where all vectors and matrices have one size."""
        identity = any(isinstance(one, n.Constant) and one.name == "identity" for one in every(law))
        sizes = {size for size, _ in self.vectors.values()} | {rows for rows, _ in self.matrices.values()}
        if identity and len(sizes) == 1:
            self.vectors.setdefault(self.name(symbol), (sizes.pop(), len(symbol.subscript)))

    def define(self, left: n.Symbol | n.Call, body: Any) -> None:
        """left = body from here on."""
        head = left.head if isinstance(left, n.Call) else left
        name = self.name(head)
        recursive = name in set(names(body, self))
        mine = Definition(left, body, self._lowest(left) if recursive else None)
        self.definitions.setdefault(name, []).insert(0, mine)

    def _lowest(self, pattern: Any) -> dict[str, Any]:
        return {s.name: self.indices[s.name][0] for s in _in_subscripts(pattern) if s.name in self.indices}

    def name(self, symbol: n.Symbol) -> str:
        """Its letter with accent and those subscripts that are no indices: epsilon_theta, bar alpha."""
        rest = [word(part) for part in symbol.subscript if not self.counts(part)]
        return "_".join([f"{symbol.accent} {symbol.name}".strip(), *rest])

    def counts(self, part: Any) -> bool:
        """Whether a subscript is an index: a number, a letter that counts, a range, or arithmetic with these."""
        if isinstance(part, n.Number):
            return part.value.denominator == 1
        if isinstance(part, n.Symbol):
            return (part.name in self.indices or part.name in self.sizes) and not part.subscript
        if isinstance(part, n.Range):
            return True
        return isinstance(part, (n.Add, n.Multiply, n.Negative, n.Bracket)) and all(
            self.counts(child) for child in children(part)
        )

    def _belongs(self, statement: n.Belongs) -> None:
        for symbol in _spread(statement.symbols):
            if not isinstance(symbol, n.Symbol):
                raise InputError("on the left of the element sign stand letters, such as x in R")
            name = self.name(symbol)
            if statement.kind in ("integers", "natural"):
                self.indices[symbol.name] = (statement.low, statement.high)
            elif statement.kind == "vector":
                self.vectors[name] = (statement.low, len(symbol.subscript))
            elif statement.kind == "matrix":
                self.matrices[name] = (statement.low, statement.high)
            elif statement.kind == "values":
                self.values[name] = statement.values
            elif statement.kind == "interval":
                self.bounds.append(n.Relation((statement.low, symbol, statement.high), ("<=", "<=")))

    def _relation(self, statement: n.Relation) -> None:
        left = statement.sides[0]
        if isinstance(left, n.Call) and left.primes == 1:
            left = n.Derivative(left.head, left.arguments)
        if any(sign in ("<", "<=", ">", ">=") for sign in statement.signs):
            middle = statement.sides[1 if len(statement.sides) > 2 else 0]
            if isinstance(middle, n.Symbol) and not middle.subscript and middle.name in self.indices:
                self._bounded_index(statement, {middle.name})
            else:
                self.bounds.append(statement)
            return
        if set(statement.signs) - {"=", "define"}:
            raise InputError(f"a list item cannot use the sign {statement.signs[0]!r}; write = or a bound")
        body = statement.sides[-1] if len(statement.sides) == 2 else statement.sides[1]
        for other in statement.sides[2:]:
            if isinstance(other, (n.Symbol, n.Call)):
                self.define(other, body)
        if isinstance(left, (n.Symbol, n.Call)):
            self.define(left, body)
        elif isinstance(left, n.Differential) and isinstance(left.body, n.Symbol):
            self.processes[self.name(left.body)] = body
        elif isinstance(left, n.Derivative) and isinstance(left.body, (n.Symbol, n.Call)):
            head = left.body.head if isinstance(left.body, n.Call) else left.body
            self.rates[self.name(head)] = body
            if left.variables and isinstance(left.variables[0], n.Symbol):
                self.time = left.variables[0].name
        elif isinstance(left, n.Multiply) and all(isinstance(f, n.Differential) for f in left.factors):
            first, second = (self.name(f.body) for f in left.factors)
            self.correlations.append((first, second, body))
        elif isinstance(left, n.Mean) and self._unknown(left):
            self._moment(left, body)
        elif isinstance(left, n.Mean) and isinstance(body, n.Symbol):
            self.define(body, left)
        else:
            raise InputError(
                'a list item with "=" defines what stands on its left, a symbol or f(x); write it as such a definition'
            )

    def _unknown(self, mean: n.Mean) -> bool:
        """Whether it is a mean or variance of one random variable of which only the range is known."""
        variable = _variable(mean)
        if variable is None or self.name(variable) not in self.laws:
            return False
        law = self.laws[self.name(variable)][0].body
        return isinstance(law, n.Symbol) and law.name == "any"

    def _moment(self, left: n.Mean, body: Any) -> None:
        variable = _variable(left)
        assert variable is not None
        squared = isinstance(_open(left.bodies[0]), n.Power)
        what = "square" if squared else "mean" if left.kind == "E" else "variance"
        self.moments.setdefault(self.name(variable), {})[what] = body


def _open(body: Any) -> Any:
    while isinstance(body, n.Bracket):
        body = body.body
    return body


def _variable(mean: n.Mean) -> n.Symbol | None:
    body = _open(mean.bodies[0])
    if isinstance(body, n.Power) and isinstance(body.exponent, n.Number) and body.exponent.value == 2:
        body = _open(body.base)
    return body if isinstance(body, n.Symbol) else None


def children(node: Any) -> Iterator[Any]:
    """The nodes directly below."""
    if not is_dataclass(node):
        return
    for one in fields(node):
        value = getattr(node, one.name)
        for part in value if isinstance(value, tuple) else (value,):
            if is_dataclass(part):
                yield part


def labels(node: Any, scope: Scope) -> Iterator[str]:
    """The names of all symbols in a tree, with and without the subscripts that are indices."""
    for one in every(node):
        if isinstance(one, n.Symbol):
            yield from (scope.name(one), scope.label(one))


def every(node: Any) -> Iterator[Any]:
    """A node and all nodes below it."""
    if is_dataclass(node):
        yield node
        for child in children(node):
            yield from every(child)


EACH = "each"  # the letter that counts in X_1, ..., X_n


def _spread(symbols: tuple[Any, ...]) -> list[Any]:
    """X_1, ..., X_n as X_k for every k."""
    if not any(isinstance(s, n.Dots) for s in symbols):
        return list(symbols)
    first = next(s for s in symbols if isinstance(s, n.Symbol))
    return [n.Symbol(first.name, first.accent, (*first.subscript[:-1], n.Symbol(EACH)), first.style)]


def _in_subscripts(node: Any) -> Iterator[n.Symbol]:
    for one in every(node):
        if isinstance(one, n.Symbol):
            for part in one.subscript:
                yield from (letter for letter in every(part) if isinstance(letter, n.Symbol))


def names(node: Any, scope: Scope) -> Iterator[str]:
    """The names of all symbols in a tree, subscripts included."""
    if isinstance(node, n.Symbol):
        yield scope.name(node)
    for child in children(node):
        yield from names(child, scope)


def word(part: Any) -> str:
    """A subscript that is part of a name, as text."""
    if isinstance(part, n.Symbol):
        return "_".join([f"{part.accent} {part.name}".strip(), *map(word, part.subscript)])
    if isinstance(part, n.Number):
        return str(part.value)
    return "".join(word(child) for child in children(part))
