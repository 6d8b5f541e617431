"""Random variables and expectations: E, Var, Cov, P, and the Kullback-Leibler divergence."""

from __future__ import annotations

from typing import Any

import sympy as sp

from sojourn.derivations.notation import nodes as n
from sojourn.derivations.values import calls, generic
from sojourn.derivations.values.functions import logarithm
from sojourn.derivations.values.laws import Atoms, Draw, Mixed, Normal, Standard, averaged
from sojourn.derivations.values.meaning import Meaning
from sojourn.errors import InputError

_LAWS = {
    "N": "normal", "Normal": "normal", "U": "uniform", "Uniform": "uniform", "Unif": "uniform", "Exp": "exponential",
    "Exponential": "exponential", "Bernoulli": "bernoulli", "Ber": "bernoulli", "Rademacher": "rademacher",
    "Poisson": "poisson", "Binomial": "binomial", "Bin": "binomial",
}  # fmt: skip
_POISSON_TERMS = 60


def is_law(m: Meaning, node: n.Call) -> bool:
    """Whether a call is a known law, such as N(0, 1)."""
    name = node.head.name
    return (
        name in _LAWS
        and not node.given
        and m.scope.name(node.head) not in m.scope.definitions
        and (len(name) > 1 or len(node.arguments) == 2 or bool(node.parameters))
    )


def drawn(m: Meaning, name: str, indices: tuple[int, ...], integers: dict[str, int], law_node: Any) -> Draw:
    """The random variable `name` with these indices, whose law was given."""
    size = m.dimension(m.scope.vectors[name][0]) if name in m.scope.vectors else 1
    before = m.integers, m.bound
    m.integers = {**m.integers, **integers}
    m.bound = {
        key: v for key, v in m.bound.items() if key[0] not in m.scope.laws
    }  # what a density integrates is no draw
    try:
        its = _any(m, name) if _is_any(law_node) else law(m, law_node, size, name)
    finally:
        m.integers, m.bound = before
    symbols = tuple(sp.Symbol(label, real=True) for label in m.labels(name, indices, size))
    draw = Draw(name, indices, symbols, its)
    m.draws |= dict.fromkeys(symbols, draw)
    return draw


def _is_any(node: Any) -> bool:
    return isinstance(node, n.Symbol) and node.name == "any"


def law(m: Meaning, node: Any, size: int, whose: str) -> Normal | Standard | Atoms | Mixed:
    """The law that a tree names, for a vector of this size."""
    if isinstance(node, n.Symbol) and node.name in _LAWS:
        node = n.Call(node, ())
    if isinstance(node, n.Symbol):
        name = m.scope.name(node)
        bodies = [d.body for d in m.scope.definitions.get(name, ()) if isinstance(d.pattern, n.Call)]
        if bodies and isinstance(bodies[0], n.Call) and bodies[0].parameters:
            return law(m, n.Call(bodies[0].head, bodies[0].parameters), size, whose)
        if bodies:
            raise InputError(f"the law of {whose} is the density {name}, which is no known one; write the law itself")
        return calls.mixed(m, name, [""], [sp.zeros(size, 1)])
    if not isinstance(node, n.Call):
        raise InputError(
            f"the law of {whose} is not known; known are N(m, v), U(a, b), Exp(rate), Bernoulli(p), Rademacher, "
            "Poisson(rate), Binomial(n, p), any"
        )
    if not is_law(m, node):
        found = of_density(m, node)
        if found is None:
            raise InputError(
                f"the law {m.scope.name(node.head)}(...) of {whose} is not known; define it in a list item"
            )
        return found
    kind, values = _LAWS[node.head.name], [m.value(argument) for argument in node.arguments]
    wanted = {"normal": 2, "uniform": 2, "binomial": 2, "rademacher": 0}.get(kind, 1)
    if len(values) != wanted:
        raise InputError(f"{node.head.name} takes {wanted} parameters, and {len(values)} were given")
    if kind == "normal":
        return _normal(values[0], values[1], size, whose)
    if kind == "uniform":
        return Standard("uniform", values[0], values[1] - values[0])
    if kind == "exponential":
        return Standard("exponential", sp.S.Zero, 1 / values[0])
    if kind == "bernoulli":
        return Atoms((sp.S.One, sp.S.Zero), (values[0], 1 - values[0]))
    if kind == "rademacher":
        return Atoms((sp.S.One, -sp.S.One), (sp.S.Half, sp.S.Half))
    if kind == "binomial":
        count, p = values
        if not getattr(count, "is_Integer", False) or count < 0:
            raise InputError(
                f"the number of trials {count} of {whose} is no whole number; write {count} \\in \\mathbb{{N}}"
            )
        weights = [sp.binomial(count, k) * p**k * (1 - p) ** (count - k) for k in range(int(count) + 1)]
        return Atoms(tuple(map(sp.Integer, range(int(count) + 1))), tuple(weights))
    rate = values[0]
    weights = [sp.exp(-rate) * rate**k / sp.factorial(k) for k in range(_POISSON_TERMS)]
    return Atoms(tuple(map(sp.Integer, range(_POISSON_TERMS))), tuple(weights))


def _normal(mean: Any, covariance: Any, size: int, whose: str) -> Normal:
    if not isinstance(mean, sp.MatrixBase):
        if size > 1 and mean != 0:
            raise InputError(f"the mean of the vector {whose} is a number; write a vector")
        mean = sp.Matrix([mean] * size)
    if not isinstance(covariance, sp.MatrixBase):
        covariance = covariance * sp.eye(size)
    if covariance.shape != (size, size) or mean.shape != (size, 1):
        raise InputError(
            f"the law of {whose} has a mean of {mean.rows} and a covariance of {covariance.rows} rows for a size "
            f"of {size}; give the vector's size, x \\in \\mathbb{{R}}^d"
        )
    return Normal(mean, covariance)


def _any(m: Meaning, name: str) -> Any:
    """A law of which only the range, and perhaps mean and variance, are known."""
    low, high = _range(m, name)
    moments = {what: m.scalar(node) for what, node in m.scope.moments.get(name, {}).items()}
    mean, variance = moments.get("mean"), moments.get("variance")
    if "square" in moments:
        variance = moments["square"] - (mean or 0) ** 2
    if high is None or (low is None and variance is None):
        raise InputError(f"{name} has any law, but no range; add one in a list item, such as {name} in [a, b]")
    return generic.bounded(low, high, mean, variance, m.world.seed, m.dice("any", name))


def _range(m: Meaning, name: str) -> tuple[Any, Any]:
    """The ends of a variable from a <= X <= b, |X| <= c or X <= b."""
    low: Any = None
    high: Any = None
    for relation in m.scope.bounds:
        sides, signs = relation.sides, relation.signs
        if signs[0] in (">", ">="):
            sides = sides[::-1]
        for k, side in enumerate(sides):
            size = isinstance(side, n.Function) and side.name == "abs"
            inner = side.arguments[0] if isinstance(side, n.Function) and size else side
            if not (isinstance(inner, n.Symbol) and m.scope.name(inner) == name):
                continue
            if k + 1 < len(sides):
                high = m.scalar(sides[k + 1])
                low = -high if size else low
            if k > 0:
                low = m.scalar(sides[k - 1])
    return low, high


def of_density(m: Meaning, node: n.Call) -> Any:
    """The law that a density's definition names, in the values of its conditions; None where it names none."""
    if is_law(m, node) and not node.parameters:
        return None
    definition = calls.found(m, node) if not node.parameters else ({}, {}, node)
    if definition is None:
        name = m.scope.name(node.head)
        return calls.conditional(m, node) if name not in m.scope.definitions and calls.is_density(m, node) else None
    integers, bound, body = definition
    if not isinstance(body, n.Call):
        return None
    with m.where(integers, bound):
        size = sum(calls.column(m.value(a)).rows for a in node.arguments)
        if body.parameters:
            return law(m, n.Call(body.head, body.parameters), size, "a density")
        return law(m, body, size, "a density") if is_law(m, body) else of_density(m, body)


def mean(m: Meaning, node: n.Mean) -> Any:
    """E, Var, Cov or P."""
    if node.kind == "P":
        event = n.Multiply(tuple(n.Function("indicator", (body,)) for body in node.bodies))
        return expectation(m, event, node)
    if node.kind == "E":
        return expectation(m, node.bodies[0], node)
    first, second = node.bodies[0], node.bodies[-1]
    a, b = expectation(m, first, node), expectation(m, second, node)
    if isinstance(a, sp.MatrixBase):
        return expectation(m, n.Multiply((n.Bracket(first), n.Transpose(n.Bracket(second)))), node) - a * b.T
    return expectation(m, n.Multiply((n.Bracket(first), n.Bracket(second))), node) - a * b


def expectation(m: Meaning, body: Any, node: n.Mean) -> Any:
    """E body, over what the subscript says, or over all that is random."""
    events = [given for given in node.given if isinstance(given, n.Relation)]
    if events:
        rest = tuple(given for given in node.given if given not in events)
        happens = n.Multiply(tuple(n.Function("indicator", (one,)) for one in events))
        both = n.Multiply((n.Bracket(body), happens))
        return expectation(m, both, n.Mean("E", node.over, (both,), rest)) / expectation(
            m, happens, n.Mean("E", node.over, (happens,), rest)
        )
    for given in node.given:
        _no_mixture(m, given)
    fixed = set().union(*(_symbols(m, given) for given in node.given)) if node.given else set()
    densities = [over for over in node.over if isinstance(over, (n.Call, n.Distributed))]
    names = [over for over in node.over if isinstance(over, n.Symbol)]
    if len(densities) == 1 and not names:
        over = densities[0]
        return _over_density(m, body, over) if isinstance(over, n.Call) else _over_law(m, body, over)
    if densities:
        inner = n.Mean("E", (densities[-1],), (body,))
        rest = tuple(over for over in node.over if over is not densities[-1])
        return expectation(m, inner, n.Mean("E", rest, (inner,), node.given))
    value = m.value(body)
    here = draws(m, value)
    if not names:
        return close(m, value, here, fixed)
    chosen = []
    for symbol in names:
        if _names_density(m, symbol):
            first = m.scope.first_calls.get(m.scope.name(symbol))
            if not here and first is not None:
                return _over_density(m, body, first)
            return close(m, value, here, fixed)
        mine = _named(m, symbol, here)
        if not mine and not _is_drawn(m, symbol):
            raise InputError(
                f"{m.scope.name(symbol)} is not random; give its law in a list item, "
                f"such as {m.scope.name(symbol)} ~ N(0, 1)"
            )
        chosen += mine
    return close(m, value, chosen, fixed)


def _no_mixture(m: Meaning, given: Any) -> None:
    """Refuses a condition that mixes several variables: given it, these are not known."""
    value = m.value(given) if not _ranged(given) else sp.S.Zero
    for entry in value if isinstance(value, sp.MatrixBase) else [value]:
        if len(sp.sympify(entry).free_symbols & m.draws.keys()) > 1:
            raise InputError(
                "the mean given a mixture of several random variables is not evaluated; condition on one that was "
                "drawn, or define the conditional law"
            )


def _over_density(m: Meaning, body: Any, over: n.Call) -> Any:
    """E over the arguments of a density, its conditions fixed."""
    its = None if any(_ranged(a) for a in over.arguments) else of_density(m, over)
    if its is None:
        chosen = [d for a in over.arguments for d in _argument_draws(m, a)]
        if not chosen:
            raise InputError(
                f"no law of {m.scope.name(over.head)}(...) is known; define it, or give the law of its arguments in a "
                "list item"
            )
        fixed = {s for given in over.given for s in _symbols(m, given)}
        if any(fixed & set(d.symbols) for d in chosen) or any(
            d.needs() & _sym(chosen) - fixed for g in over.given for d in _argument_draws(m, g)
        ):
            raise InputError(
                f"the law of {m.scope.name(over.head)}(...) is not known given later variables; define it in a list "
                "item"
            )
        return close(m, m.value(body), chosen, fixed)
    return _with_law(m, body, over.arguments, its)


def _over_law(m: Meaning, body: Any, over: n.Distributed) -> Any:
    """E over x ~ law, as it stands in a subscript."""
    if len(over.symbols) != 1:
        raise InputError("a subscript draws one variable, as x ~ p; give the laws of several in list items")
    name = m.scope.name(over.symbols[0])
    size = m.dimension(m.scope.vectors[name][0]) if name in m.scope.vectors else 1
    return _with_law(m, body, over.symbols, law(m, over.law, size, name))


def _with_law(m: Meaning, body: Any, arguments: tuple[Any, ...], its: Any) -> Any:
    """E body where these letters are drawn from one law."""
    bound: dict[Any, Any] = {}
    symbols: list[Any] = []
    for argument in arguments:
        if not isinstance(argument, n.Symbol):
            raise InputError("an expectation is over letters; write E_{q(x | y)}")
        key = m.key(argument)
        vector = key[0] in m.scope.vectors and len(key[1]) == m.scope.vectors[key[0]][1]
        size = m.dimension(m.scope.vectors[key[0]][0]) if vector else 1
        mine = [sp.Dummy(key[0], real=True) for _ in range(size)]
        bound[key] = sp.Matrix(mine) if vector else mine[0]
        symbols += mine
    with m.where(bound=bound):
        value = m.value(body)

    def out(entry: Any) -> Any:
        return its.out(entry, tuple(symbols))

    return value.applyfunc(out) if isinstance(value, sp.MatrixBase) else out(value)


def close(m: Meaning, value: Any, chosen: list[Draw], fixed: set[Any]) -> Any:
    """Averages over these variables, and over those on whose values their laws depend."""
    outside = _sym(draws(m, value)) - _sym(chosen)
    todo = [d for d in chosen if not set(d.symbols) & fixed]
    while todo:
        value = averaged(value, todo)
        todo = [d for d in draws(m, value) if not set(d.symbols) & (fixed | outside)]
    return value


def draws(m: Meaning, value: Any) -> list[Draw]:
    symbols = sorted(sp.sympify(value).free_symbols & m.draws.keys(), key=str)
    return list({(d.name, d.indices): d for d in (m.draws[s] for s in symbols)}.values())


def _sym(draws: list[Draw]) -> set[Any]:
    return {s for d in draws for s in d.symbols}


def _symbols(m: Meaning, node: Any) -> set[Any]:
    return {s for draw in _argument_draws(m, node) for s in draw.symbols}


def _ranged(node: Any) -> bool:
    return isinstance(node, n.Symbol) and any(isinstance(part, n.Range) for part in node.subscript)


def _argument_draws(m: Meaning, node: Any) -> list[Draw]:
    if not isinstance(node, n.Symbol):
        return draws(m, m.value(node))
    name = m.scope.name(node)
    if _ranged(node):
        return [d for k in calls.span(m, node) if (d := m.draw(name, (k,))) is not None]
    draw = m.draw(*m.key(node))
    return [draw] if draw is not None else []


def _named(m: Meaning, symbol: n.Symbol, here: list[Draw]) -> list[Draw]:
    name = m.scope.name(symbol)
    if _ranged(symbol):
        return _argument_draws(m, symbol)
    indices = m.key(symbol)[1]
    return [d for d in here if d.name == name and (not indices or d.indices == indices)]


def _is_drawn(m: Meaning, symbol: n.Symbol) -> bool:
    return m.scope.name(symbol) in m.scope.laws


def _names_density(m: Meaning, symbol: n.Symbol) -> bool:
    name = m.scope.name(symbol)
    return name not in m.scope.laws and (
        name in m.scope.first_calls or name in m.scope.functions or symbol.name in ("p", "q")
    )


def divergence(m: Meaning, node: n.Divergence) -> Any:
    """KL(q || p) = E_q [log q - log p]."""
    first, second = (_as_call(m, side) for side in (node.first, node.second))
    if is_law(m, first) and not first.parameters:
        x = n.Symbol("x", "kl")
        first, second = (n.Call(c.head, (x,), (), c.arguments) for c in (first, second))
        values = [calls.column(m.value(p)).rows for p in first.parameters]
        its = law(m, n.Call(first.head, first.parameters), max(values), "a divergence")
        return _kl_of_laws(m, its, law(m, n.Call(second.head, second.parameters), max(values), "a divergence"))
    logarithms = n.Add((n.Function("log", (first,)), n.Negative(n.Function("log", (second,)))))
    return _over_density(m, logarithms, first)


def _kl_of_laws(m: Meaning, first: Any, second: Any) -> Any:
    x = [sp.Dummy("x", real=True) for _ in range(first.mean.rows if isinstance(first, Normal) else 1)]
    inside = logarithm(first.density(sp.Matrix(x))) - logarithm(second.density(sp.Matrix(x)))
    return first.out(inside, tuple(x))


def _as_call(m: Meaning, side: Any) -> n.Call:
    while isinstance(side, n.Bracket):
        side = side.body
    if isinstance(side, n.Symbol) and m.scope.name(side) in m.scope.first_calls:
        return m.scope.first_calls[m.scope.name(side)]
    if not isinstance(side, n.Call):
        raise InputError("a divergence is between densities, as KL(q(x | y) || p(x))")
    return side
