"""Functions and densities of a derivation: f(x), q(x_t | x_{t-1}), N(x; m, v), and stand-ins for unknown ones.

A density is known by the names of its arguments, as on paper: q(x_t | x_0) and q(x_t | x_{t-1}) are two. Where p is
only said to be a density, its arguments are coordinates of one mixture of normal laws, so that its marginals and
conditionals agree.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from sojourn.derivations.notation import nodes as n
from sojourn.derivations.values import generic
from sojourn.derivations.values.laws import Mixed, Normal
from sojourn.derivations.values.meaning import Meaning
from sojourn.errors import InputError


def call(m: Meaning, node: n.Call) -> Any:
    """The value of a call."""
    from sojourn.derivations.values import derivatives, means

    if node.primes:
        return derivatives.prime(m, node)
    if node.parameters or means.is_law(m, node):
        return _named_density(m, node)
    name, head = m.key(node.head)
    definition = found(m, node)
    if definition is not None:
        integers, bound, body = definition
        return _inside(m, integers, bound, body, node)
    if is_product(m, node):
        return m.value(n.Multiply((node.head, n.Bracket(node.arguments[0]))))
    if name in m.scope.definitions:
        raise InputError(f"{name}(...) is defined for other arguments; define it for these in a list item")
    if is_density(m, node):
        return density(m, node)
    if node.given:
        raise InputError(f"the density {name}(...) is not known; define it in a list item")
    return _smooth(m, name, head, node)


def is_product(m: Meaning, node: Any) -> bool:
    """Whether a(b) is a times b: a stands alone elsewhere, and no function of this name is known."""
    if not (isinstance(node, n.Call) and len(node.arguments) == 1) or node.given or node.parameters or node.primes:
        return False
    name = m.scope.name(node.head)
    calls = any(isinstance(one.pattern, n.Call) for one in m.scope.definitions.get(name, ()))
    return not calls and name not in m.scope.functions and name in m.scope.letters and name not in m.scope.drawn_from()


def found(m: Meaning, node: n.Call) -> tuple[dict[str, int], dict[Any, Any], Any] | None:
    """The definition that a call asks for: numbers of its indices, values of its parameters, its body."""
    name, head = m.key(node.head)
    loose = []
    for one in m.scope.definitions.get(name, ()):
        pattern = one.pattern
        if not isinstance(pattern, n.Call):
            continue
        if (len(pattern.arguments), len(pattern.given)) != (len(node.arguments), len(node.given)):
            continue
        integers = m.match(pattern.head, head)
        if integers is None:
            continue
        exact = _literal(m, pattern, node, integers)
        if exact is not None:
            return exact, {}, one.body
        loose.append((integers, pattern, one.body))
    loose = [one for one in loose if all(isinstance(a, n.Symbol) for a in (*one[1].arguments, *one[1].given))]
    if len(loose) > 1 and any(part.subscript for part in loose[0][1].arguments):
        raise InputError(f"{name}(...) fits several definitions; use the arguments' own names")
    if not loose:
        return None
    integers, pattern, body = loose[0]
    bound = {}
    for part, argument in zip((*pattern.arguments, *pattern.given), (*node.arguments, *node.given), strict=True):
        value = m.value(argument)
        if isinstance(part, n.Symbol) and not part.subscript and part.name in m.scope.indices:
            integers = {**integers, part.name: m.integer(argument)}
        else:
            bound[_key(m, part, integers)] = value
    return integers, bound, body


def _literal(m: Meaning, pattern: n.Call, node: n.Call, integers: dict[str, int]) -> dict[str, int] | None:
    """The numbers of indices for which the arguments are, name by name, those of the pattern."""
    for part, argument in zip((*pattern.arguments, *pattern.given), (*node.arguments, *node.given), strict=True):
        if isinstance(part, n.Range) or isinstance(argument, n.Range):
            return None
        if not (isinstance(part, n.Symbol) and isinstance(argument, n.Symbol)):
            return None
        if _has_range(part) or _has_range(argument):
            if m.scope.name(part) != m.scope.name(argument) or span(m, part) != span(m, argument):
                return None
            continue
        name, indices = m.key(argument)
        if m.scope.name(part) != name:
            return None
        if not part.subscript and part.name in m.scope.indices:
            integers = {**integers, part.name: m.integer(argument)}
            continue
        here = m.match(part, indices)
        if here is None or any(integers.get(letter, number) != number for letter, number in here.items()):
            return None
        integers = {**integers, **here}
    return integers


def _key(m: Meaning, part: Any, integers: dict[str, int]) -> tuple[str, tuple[int, ...]]:
    with m.where(integers):
        return m.key(part)


def _has_range(part: n.Symbol) -> bool:
    return any(isinstance(one, n.Range) for one in part.subscript)


def span(m: Meaning, part: n.Symbol) -> list[int]:
    """The numbers of x_{1:T}."""
    one = next(one for one in part.subscript if isinstance(one, n.Range))
    return list(range(m.integer(one.low), m.integer(one.high) + 1))


def _inside(m: Meaning, integers: dict[str, int], bound: dict[Any, Any], body: Any, node: n.Call) -> Any:
    from sojourn.derivations.values import means

    with m.where(integers, bound):
        if isinstance(body, n.Call) and not body.parameters and means.is_law(m, body):
            body = n.Call(body.head, (node.arguments[0],), (), body.arguments)  # q(x | y) = N(m, v)
        return m.value(body)


def _named_density(m: Meaning, node: n.Call) -> Any:
    from sojourn.derivations.values import means

    if not node.parameters:
        raise InputError(
            f"a law such as {node.head.name}(...) is no number; write its density {node.head.name}(x; ...)"
        )
    x = column(m.value(node.arguments[0]))
    law = means.law(m, n.Call(node.head, node.parameters), x.rows, "the density")
    return law.density(x)


def column(value: Any) -> Any:
    """A number as a column of one."""
    return value if isinstance(value, sp.MatrixBase) else sp.Matrix([value])


def is_density(m: Meaning, node: n.Call) -> bool:
    """Whether an unknown function is taken for a density: p and q are, and whatever a variable is drawn from."""
    name = m.scope.name(node.head)
    return name in m.scope.drawn_from() or (
        node.head.name in ("p", "q", "pi", "rho") and name not in m.scope.bounded_names()
    )


def density(m: Meaning, node: n.Call) -> Any:
    """The value of a density of which nothing is known: joint over conditions."""
    name = m.scope.name(node.head)
    values = [m.value(argument) for argument in (*node.arguments, *node.given)]
    keys = coordinates(m, node)
    below: Any = sp.S.One
    if node.given:
        k = len(node.arguments)
        below = mixed(m, name, keys[k:], values[k:]).density(sp.Matrix.vstack(*map(column, values[k:])))
    return mixed(m, name, keys, values).density(sp.Matrix.vstack(*map(column, values))) / below


def coordinates(m: Meaning, node: n.Call) -> list[Any]:
    """What tells the arguments of a density apart: their names, or nothing where it only ever has one."""
    name = m.scope.name(node.head)
    if name not in m.scope.joint:
        return [""]
    parts = (*node.arguments, *node.given)
    if not all(isinstance(part, n.Symbol) and not _has_range(part) for part in parts):
        raise InputError(f"the arguments of the unknown density {name}(...) must be letters; define it in a list item")
    return [m.key(part) for part in parts]


def mixed(m: Meaning, name: str, keys: list[Any], values: list[Any]) -> Mixed:
    """The stand-in for a density over these coordinates."""
    rng = m.dice("weights", name)
    share = sp.Rational(rng.randint(2, 6), 8)
    rows = [column(v).rows for v in values]
    parts = []
    for component in range(2):
        means: list[Any] = []
        variances: list[Any] = []
        for key, size in zip(keys, rows, strict=True):
            places, deviations = generic.components(size, m.dice("density", name, key))
            means += places[component]
            variances += [s**2 for s in deviations[component]]
        parts.append(Normal(sp.Matrix(means), sp.diag(*variances)))
    return Mixed((share, 1 - share), tuple(parts))


def conditional(m: Meaning, node: n.Call) -> Mixed:
    """The stand-in for the law of the arguments, given the conditions."""
    name, keys = m.scope.name(node.head), coordinates(m, node)
    k = len(node.arguments)
    shapes = [m.value(part) for part in (*node.arguments, *node.given)]
    free, fixed = mixed(m, name, keys[:k], shapes[:k]), mixed(m, name, keys[k:], shapes[k:])
    if not node.given:
        return free
    at = sp.Matrix.vstack(*map(column, shapes[k:]))
    weights = [w * part.density(at) for w, part in zip(fixed.weights, fixed.parts, strict=True)]
    return Mixed(tuple(w / sp.Add(*weights) for w in weights), free.parts)


def _smooth(m: Meaning, name: str, head: tuple[int, ...], node: n.Call) -> Any:
    values = [m.value(argument) for argument in node.arguments]
    flat = [entry for value in values for entry in (value if isinstance(value, sp.MatrixBase) else [value])]
    _, target = m.scope.functions.get(name, (None, None))
    first = values[0]
    vector = isinstance(first, sp.MatrixBase) and name not in m.scope.functions
    size = first.rows if vector else m.dimension(target)
    if size == 1 and not (vector or target is not None):
        return generic.smooth(flat, m.dice("function", name, head))
    rows = [generic.smooth(flat, m.dice("function", name, head[1:], k)) for k in range(size)]
    if head:
        if not 1 <= head[0] <= size:
            raise InputError(f"{name} has {size} components, and number {head[0]} is asked for")
        return rows[head[0] - 1]
    return sp.Matrix(rows)
