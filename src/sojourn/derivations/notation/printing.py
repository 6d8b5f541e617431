"""Trees -> Typst mathematics, as an author would write it. What `grammar` reads from the result is the same tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sojourn.derivations.notation import nodes as n
from sojourn.derivations.notation.tokens import GREEK, PREFIX

# How tightly what is printed holds together: a looser one goes into brackets where a tighter one is wanted.
_RELATION, _SUM, _PRODUCT, _SLASH, _SIDE, _FACTOR, _ATOM = range(7)
_SIGNS = {"=": "=", "<=": "<=", ">=": ">=", "<": "<", ">": ">", "!=": "!=", "approx": "approx", "define": ":="}
_SIGNS |= {"law": '=^"d"', "proportional": "prop"}
_GREEK = set(GREEK.values())
_GREEK_VARIANTS = {"varphi": "phi.alt", "vartheta": "theta.alt", "top": "top", "cdot": "dot.c"}
_FUNCTIONS = {"trace": "tr", "sign": 'op("sgn")', "erf": 'op("erf")', "gamma": "Gamma", "Phi": "Phi"}
_OVER = {"bar": "macron", "tilde": "tilde", "hat": "hat", "dot": "dot"}
_MEANS = {"E": "EE", "Var": 'op("Var")', "Cov": 'op("Cov")', "P": "PP"}


def math(node: n.Node) -> str:
    """A tree as Typst mathematics, without the dollars."""
    return _printed(node)[0]


def _at(node: n.Node, level: int) -> str:
    """What is printed, in brackets if it is looser than `level`."""
    text, own = _printed(node)
    return text if own >= level else f"({text})"


def _printed(node: n.Node) -> tuple[str, int]:
    return _PRINTERS[type(node)](node)


def _script(sign: str, text: str) -> str:
    """_x, _(t - 1)."""
    simple = text.isalnum() and (len(text) == 1 or text.isdigit() or text in _GREEK or text in ("infinity", "top"))
    return f"{sign}{text}" if simple or (text[:1] == text[-1:] == '"' and text.count('"') == 2) else f"{sign}({text})"


def _letter(symbol: n.Symbol) -> str:
    name = symbol.name
    if name in _GREEK_VARIANTS:
        text = _GREEK_VARIANTS[name]
    elif len(name) == 4 and name.startswith("cal"):
        text = f"cal({name[3]})"
    elif symbol.style == "cal":
        text = f"cal({name})"
    else:
        text = name if (len(name) == 1 and name.isascii()) or name in _GREEK or name == "ell" else f'"{name}"'
    return f"bold({text})" if symbol.style == "bold" else text


def _symbol(symbol: n.Symbol) -> tuple[str, int]:
    text, above = _letter(symbol), ""
    increment = False
    for accent in symbol.accent.split():
        if accent in _OVER:
            text = f"{_OVER[accent]}({text})"
        elif accent == "prime":
            text += "'"
        elif accent == "star":
            above += "*"
        else:
            increment = True
    if symbol.subscript:
        text += _script("_", ", ".join(map(math, symbol.subscript)))
    if above:
        text += f"^({' '.join(above)})" if len(above) > 1 else "^*"
    return (f"Delta {text}", _SIDE) if increment else (text, _ATOM)


def _sum(node: n.Add) -> tuple[str, int]:
    out = ""
    for index, term in enumerate(node.terms):
        negative = isinstance(term, n.Negative)
        text = _at(term.body if isinstance(term, n.Negative) else term, _PRODUCT)
        if isinstance(term, n.Dots):
            text = "dots.c"
        out += (" - " if negative else " + ") + text if index else ("-" if negative else "") + text
    return out, _SUM


def _product(node: n.Multiply) -> tuple[str, int]:
    if node.sign == "inner":
        return f"lr(chevron.l {', '.join(map(math, node.factors))} chevron.r)", _ATOM
    if node.sign:
        parts = [_at(f, _SLASH) for f in node.factors[:-1]] + [_at(node.factors[-1], _SLASH)]
        parts[:-1] = [
            f"({p})" if _swallows(f, None) and node.sign != "dot" else p
            for p, f in zip(parts[:-1], node.factors, strict=False)
        ]
        return f" {node.sign} ".join(parts), _PRODUCT
    parts = []
    for index, factor in enumerate(node.factors):
        text = _at(factor, _FACTOR)
        following = node.factors[index + 1] if index + 1 < len(node.factors) else None
        if following is not None and _swallows(factor, following):
            text = f"({text})"
        parts.append(text)
    return " ".join(parts), _SIDE


def _swallows(factor: n.Node, following: n.Node | None) -> bool:
    """Whether what follows would be read as part of this factor."""
    if isinstance(factor, n.Power | n.Transpose):
        factor = factor.base if isinstance(factor, n.Power) else factor.body
        return isinstance(factor, n.Function) and _swallows(factor, following)
    if isinstance(factor, n.Function) and factor.name in PREFIX and len(factor.arguments) == 1:
        if isinstance(factor.arguments[0], n.Bracket):
            return False
        return not (
            isinstance(following, n.Mean | n.Big | n.Gradient | n.Differential)
            or _is_prefix(following)
            or _ends(factor.arguments[0])
        )
    if isinstance(factor, n.Big):
        return factor.kind != "integral"
    return (
        isinstance(factor, n.Derivative)
        and not factor.below
        and not _fits_above(factor.body)
        and not isinstance(factor.body, n.Bracket)
    )


def _is_prefix(node: n.Node | None) -> bool:
    return isinstance(node, n.Function) and node.name in PREFIX


def _ends(argument: n.Node) -> bool:
    """Whether a function's argument without brackets ends by itself."""
    return isinstance(argument, n.Call | n.Function | n.Mean) and not _is_prefix(argument)


def _divide(node: n.Divide) -> tuple[str, int]:
    if node.inline:
        return rf"{_at(node.numerator, _SIDE)} \/ {_at(node.denominator, _FACTOR)}", _SLASH
    return f"frac({math(node.numerator)}, {math(node.denominator)})", _FACTOR


def _power(node: n.Power) -> tuple[str, int]:
    exponent = _script("^", math(node.exponent))
    base = node.base
    if isinstance(base, n.Function) and base.name in PREFIX and len(base.arguments) == 1:
        return f"{_FUNCTIONS.get(base.name, base.name)}{exponent} {_argument(base.arguments[0])}", _FACTOR
    if isinstance(base, n.Symbol) and "star" in base.accent:
        return f"({math(base)}){exponent}", _FACTOR
    return f"{_at(base, _ATOM)}{exponent}", _FACTOR


def _transpose(node: n.Transpose) -> tuple[str, int]:
    lifted = isinstance(node.body, n.Gradient) or (isinstance(node.body, n.Derivative) and node.body.below)
    return f"{_at(node.body, _FACTOR if lifted else _ATOM)}^top", _FACTOR


def _argument(node: n.Node) -> str:
    """A function's argument where it is not in brackets already."""
    return math(node) if isinstance(node, n.Bracket) else _at(node, _SIDE)


def _function(node: n.Function) -> tuple[str, int]:
    first, name = node.arguments[0], node.name
    if name == "sqrt":
        return (
            f"sqrt({math(first)})" if len(node.arguments) == 1 else f"root({math(node.arguments[1])}, {math(first)})"
        ), _ATOM
    if name in ("abs", "norm"):
        below = _script("_", math(node.arguments[1])) if len(node.arguments) > 1 else ""
        return f"{name}({math(first)}){below}", _ATOM
    if name == "factorial":
        return f"{_at(first, _ATOM)}!", _ATOM
    if name == "binomial":
        return f"binom({math(first)}, {math(node.arguments[1])})", _ATOM
    if name == "indicator":
        return f"bold(1){{{math(first)}}}", _ATOM
    if name in ("max", "min"):
        return f"{name}({', '.join(map(math, node.arguments))})", _ATOM
    below = _script("_", math(node.arguments[1])) if len(node.arguments) > 1 else ""
    text = f"{_FUNCTIONS.get(name, name)}{below}"
    if isinstance(first, n.Bracket):
        return f"{text}{' ' if below else ''}{math(first)}", _FACTOR
    return f"{text} {_argument(first)}", _FACTOR


def _call(node: n.Call) -> tuple[str, int]:
    inside = ", ".join(map(math, node.arguments))
    if node.given:
        inside += f" mid(|) {', '.join(map(math, node.given))}"
    if node.parameters:
        inside += f"; {', '.join(map(math, node.parameters))}"
    head = math(
        n.Symbol(
            node.head.name,
            " ".join([node.head.accent, *["prime"] * node.primes]).strip(),
            node.head.subscript,
            node.head.style,
        )
    )
    return f"{head}{' ' if node.head.subscript else ''}({inside})", _ATOM


def _big(node: n.Big) -> tuple[str, int]:
    variable = math(node.variable)
    if node.kind == "integral":
        bounds = (_script("_", math(node.low)) if node.low is not None else "") + (
            _script("^", math(node.high)) if node.high is not None else ""
        )
        return f"integral{bounds} {_at(node.body, _SUM)} dif {variable}", _FACTOR
    sign = {
        "sum": "sum",
        "product": "product",
        "minimum": "min",
        "maximum": "max",
        "infimum": "inf",
        "supremum": "sup",
    }[node.kind]
    below = [f"{variable} = {math(node.low)}"] if node.low is not None else []
    named = any(
        isinstance(c, n.Relation | n.Belongs) and node.variable in (c.sides if isinstance(c, n.Relation) else c.symbols)
        for c in node.conditions
    )
    if not below and not named:
        below = [variable]
    below += map(math, node.conditions)
    above = _script("^", math(node.high)) if node.high is not None else ""
    return f"{sign}{_script('_', ', '.join(below))}{above} {_at(node.body, _PRODUCT)}", _FACTOR


def _mean(node: n.Mean) -> tuple[str, int]:
    over = f"{_script('_', ', '.join(map(math, node.over)))} " if node.over else ""
    inside = ", ".join(map(math, node.bodies)) + (f" mid(|) {', '.join(map(math, node.given))}" if node.given else "")
    left, right = "()" if node.kind == "P" else "[]"
    return f"{_MEANS[node.kind]}{over}{left}{inside}{right}", _ATOM


def _derivative(node: n.Derivative) -> tuple[str, int]:
    first, times = node.variables[0], len(node.variables)
    same = all(variable == first for variable in node.variables)
    order = f"^{times}" if times > 1 else ""
    if node.below:
        below = f"{_script('_', math(first))}{order}" if same else _script("_", " ".join(map(math, node.variables)))
        return f"partial{below} {_at(node.body, _FACTOR)}", _FACTOR
    d = "partial" if node.partial else "dif"
    bottom = f"{d} {math(first)}{order}" if same else " ".join(f"{d} {math(v)}" for v in node.variables)
    if _fits_above(node.body):
        return f"frac({d}{order} {math(node.body)}, {bottom})", _FACTOR
    return f"frac({d}{order}, {bottom}) {_at(node.body, _SIDE)}", _FACTOR


def _fits_above(body: n.Node) -> bool:
    return isinstance(body, n.Symbol | n.Call)


def _gradient(node: n.Gradient) -> tuple[str, int]:
    below = _script("_", math(node.variable)) if node.variable is not None else ""
    sign = {"gradient": f"nabla{below}", "divergence": f"nabla{below} dot", "laplacian": f"nabla{below}^2"}[node.kind]
    return f"{sign} {_at(node.body, _FACTOR)}", _FACTOR


def _relation(node: n.Relation) -> tuple[str, int]:
    out = math(node.sides[0]) if node.sides[0] is not None else ""
    for sign, side in zip(node.signs, node.sides[1:], strict=True):
        out += f" {_SIGNS[sign]} {math(side)}"
    return out.strip(), _RELATION


def _belongs(node: n.Belongs) -> tuple[str, int]:
    low, high = (math(part) if part is not None else "" for part in (node.low, node.high))
    sets = {
        "real": "RR",
        "natural": "NN",
        "vector": f"RR{_script('^', low)}",
        "matrix": f"RR^({low} times {high})",
        "interval": f"{node.ends[0]}{low}, {high}{node.ends[1]}",
        "integers": f"{{{low}, dots, {high}}}" if low else "ZZ",
        "values": f"{{{', '.join(map(math, node.values))}}}",
    }
    return f"{', '.join(map(math, node.symbols))} in {sets[node.kind]}", _RELATION


def _mapping(node: n.Mapping) -> tuple[str, int]:
    def space(size: n.Node | None) -> str:
        return "RR" if size is None else f"RR{_script('^', math(size))}"

    source = " times ".join(space(size) for size in (node.source, *node.others))
    return f"{math(node.symbol)}: {source} -> {space(node.target)}", _RELATION


def _number(node: n.Number) -> tuple[str, int]:
    if node.text or node.value.denominator == 1:
        return node.text or str(node.value), _ATOM if node.value >= 0 else _SUM
    return f"frac({node.value.numerator}, {node.value.denominator})", _FACTOR


_PRINTERS: dict[type, Callable[[Any], tuple[str, int]]] = {
    n.Number: _number,
    n.Constant: lambda c: ("I" if c.name == "identity" else c.name, _ATOM),
    n.Symbol: _symbol,
    n.Dots: lambda _: ("dots", _ATOM),
    n.Range: lambda r: (f"{math(r.low)} : {math(r.high)}", _RELATION),
    n.Bracket: lambda b: (f"{b.left}{math(b.body)}{ {'(': ')', '[': ']', '{': '}'}[b.left] }", _ATOM),
    n.Negative: lambda m: (f"-{_at(m.body, _PRODUCT)}", _SUM),
    n.Add: _sum,
    n.Multiply: _product,
    n.Divide: _divide,
    n.Power: _power,
    n.Transpose: _transpose,
    n.Function: _function,
    n.Call: _call,
    n.Big: _big,
    n.Mean: _mean,
    n.Divergence: lambda d: (f'D_"KL" ({math(d.first)} parallel {math(d.second)})', _ATOM),
    n.Derivative: _derivative,
    n.At: lambda a: (f"lr({_at(a.body, _SIDE)}|)_({math(a.symbol)} = {math(a.value)})", _FACTOR),
    n.Gradient: _gradient,
    n.Differential: lambda d: (f"dif {_at(d.body, _FACTOR)}", _FACTOR),
    n.Relation: _relation,
    n.Belongs: _belongs,
    n.Distributed: lambda d: (f"{', '.join(map(math, d.symbols))} ~ {math(d.law)}", _RELATION),
    n.Mapping: _mapping,
}
