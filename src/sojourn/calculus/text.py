"""Equations and expressions given as text: "dX = mu*X*dt + sigma*X*dW".

Nothing that is read is ever executed: Python's grammar gives a tree, of which a few kinds of nodes are accepted.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import sympy as sp

from sojourn.calculus.noises import brownian
from sojourn.calculus.process import ItoProcess
from sojourn.calculus.writing import GREEK
from sojourn.errors import InputError

TIME = sp.Symbol("t", positive=True)
FUNCTIONS: dict[str, Any] = {
    "exp": sp.exp,
    "log": sp.log,
    "ln": sp.log,
    "sqrt": sp.sqrt,
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "asin": sp.asin,
    "acos": sp.acos,
    "atan": sp.atan,
    "erf": sp.erf,
    "sign": sp.sign,
    "Abs": sp.Abs,
    "Max": sp.Max,
    "Min": sp.Min,
}
CONSTANTS = {"pi": sp.pi, "E": sp.E}
LONGEST = 4000  # characters of a text
LARGEST = 1000  # the largest number in an exponent
_LETTERS = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", GREEK, strict=True))


def parse_process(text: str) -> ItoProcess:
    """The process of an equation, or of a system with a semicolon between its equations.

    "dX = mu*X*dt + sigma*X*dW"; "dS = mu*S*dt + sqrt(v)*S*dW1; dv = ...; dW1*dW2 = rho*dt" with a correlation. Names
    that begin with dW or dB are Brownian motions, t is time, every other name is a parameter. Powers are ** or ^.
    Symbols are real; numbers are taken exactly, 0.3 as 3/10.

    Raises:
        InputError: the text is no such equation; the message says where.
    """
    entries = [entry.strip() for entry in re.split(r"[;\n]", _clean(text)) if entry.strip()]
    if not entries:
        raise InputError('the equation is empty; write one such as "dX = mu*X*dt + sigma*X*dW"')
    equations: dict[str, str] = {}
    products: list[tuple[str, str, str, str]] = []
    for entry in entries:
        left, equals, right = entry.partition("=")
        if not equals or "=" in right:
            raise InputError(
                f'"{entry}" is not an equation with one "="; write one such as "dX = mu*X*dt + sigma*X*dW"'
            )
        if pair := re.fullmatch(r"d([WB]\w*)\s*\*\s*d([WB]\w*)", left.strip()):
            products.append((_name(pair[1]), _name(pair[2]), right, entry))
        elif state := re.fullmatch(r"d([^\W\d]\w*)", left.strip()):
            name = _name(state[1])
            if name in equations:
                raise InputError(f'd{name} stands on the left twice; the second is "{entry}"')
            if name == "t":
                raise InputError('"dt = ..." makes time a state; call the state otherwise')
            equations[name] = right
        else:
            raise InputError(f'the left side "{left.strip()}" is not "dX" or "dW1*dW2"; write "dX = ..."')
    known: dict[str, sp.Symbol] = {"t": TIME} | {name: sp.Symbol(name, real=True) for name in equations}
    if not equations:
        raise InputError('there is no equation of a state; write one such as "dX = mu*X*dt + sigma*X*dW"')
    rows = [_row(name, right, known) for name, right in equations.items()]
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    motions = _motions(names, products, known)
    used: set[Any] = {s for drift, row in rows for e in (drift, *row.values()) for s in e.free_symbols}
    used = used.union(*(rho.free_symbols for W in motions.values() for rho in W.correlations))
    inside = {s.name for s in used}
    for name in (n for n in names if n in inside and n not in known):
        raise InputError(
            f'{name} stands in a coefficient, and d{name} is a Brownian motion; make it a state: add "dY = d{name}", '
            f"and write Y for {name}"
        )
    states = [known[name] for name in equations]
    diffusion = {motions[n]: [row.get(n, sp.S.Zero) for _, row in rows] for n in names}
    if len(states) == 1:
        return ItoProcess(states[0], rows[0][0], {W: column[0] for W, column in diffusion.items()})
    return ItoProcess(states, [drift for drift, _ in rows], diffusion)


def parse_expression(text: str, process: ItoProcess | None = None) -> sp.Expr:
    """An expression in the symbols of a process: its states, t, its parameters and Brownian motions; others are real.

    Raises:
        InputError: the text is no expression; the message says where.
    """
    known = {"t": TIME}
    if process is not None:
        known |= {s.name: s for s in (*process.parameters, process.time, *process.noises, *process.states)}
    return _expression(_clean(text), known)


def parse_function(text: str, process: ItoProcess) -> sp.Expr:
    """As `parse_expression`, of nothing but what the process has.

    Raises:
        InputError: the text is no expression, or has a name that is no state, parameter or Brownian motion, nor t.
    """
    f = parse_expression(text, process)
    known = [*process.states, *process.parameters, process.time, *process.noises]
    symbols: set[Any] = f.free_symbols
    unknown = sorted(s.name for s in symbols - {*known, TIME})
    if unknown:
        names = ", ".join(dict.fromkeys(s.name for s in known))
        raise InputError(f'"{unknown[0]}" in "{_short(text)}" does not stand in the equation; known are {names}')
    return f


def parse_values(text: str, what: str = "values") -> dict[str, float]:
    """Numbers by name, from "mu=0.05, sigma=1/5"; an empty text has none.

    Raises:
        InputError: an entry is not name=number.
    """
    out: dict[str, float] = {}
    example = '"X=1"' if what == "start" else '"mu=0.05, sigma=0.2"'
    for entry in filter(None, (e.strip() for e in re.split(r"[,;]", _clean(text)))):
        name, equals, right = (part.strip() for part in entry.partition("="))
        if "=" in right:
            raise InputError(f'{what}: "{_short(entry)}" has two "="; write commas between, as {example}')
        if not equals or not re.fullmatch(r"[^\W\d]\w*", name):
            raise InputError(f'{what}: "{entry}" is not name=number; write {what} as {example}')
        name = _name(name)
        if name in out:
            raise InputError(f"{what}: {name} is given twice")
        value = _expression(right, {})
        number = complex(value) if value.is_number else complex(math.nan)
        if number.imag or not math.isfinite(number.real):
            raise InputError(f'{what}: {name}="{right}" is not a finite real number')
        out[name] = number.real
    return out


def _row(name: str, right: str, known: dict[str, sp.Symbol]) -> tuple[sp.Expr, dict[str, sp.Expr]]:
    """Drift, and Brownian motion -> coefficient, of the right side of d(name)."""
    expression = _expression(right, known)
    dt = sp.Symbol("dt", real=True)
    symbols: set[Any] = expression.free_symbols
    differentials = sorted((s for s in symbols if s == dt or re.fullmatch(r"d[WB]\w*", s.name)), key=lambda s: s.name)
    coefficients = {}
    for d in differentials:
        c = sp.diff(expression, d)
        if c.free_symbols & set(differentials):
            raise InputError(f'the right side of d{name} is not linear in {d}: "{right.strip()}"; write a sum of terms')
        coefficients[d.name] = c
    strange = sorted(s.name for s in symbols if s.name[:1] == "d" and (s.name[1:2].isupper() or s.name[1:] in known))
    strange = [name for name in strange if sp.Symbol(name, real=True) not in differentials and name not in known]
    if strange:
        raise InputError(
            f'"{strange[0]}" in d{name} is no noise: Brownian motions begin with dW or dB, as in sigma*dW, '
            f"and jumps are written in Python, jumps={{poisson('N', rate=1): size}}"
        )
    if expression.has(sp.I):
        raise InputError(f'the right side of d{name} is not real: "{right.strip()}"')
    rest = expression.subs(dict.fromkeys(differentials, 0))
    if rest != 0:
        raise InputError(f'in d{name} the part "{sp.sstr(rest)}" has no dt and no dW; write it as ({sp.sstr(rest)})*dt')
    drift = coefficients.pop("dt", sp.S.Zero)
    return drift, {d[1:]: c for d, c in coefficients.items()}


def _motions(names: list[str], products: list[tuple[str, str, str, str]], known: dict[str, Any]) -> dict[str, Any]:
    """Name -> Brownian motion, with the correlations that were written."""
    if not names:
        if products:
            raise InputError(f'"{products[0][3]}" speaks of a Brownian motion that stands in no equation')
        return {}
    matrix = sp.eye(len(names))
    for first, second, right, entry in products:
        for name in (first, second):
            if name not in names:
                raise InputError(f'"{entry}" speaks of d{name}, which stands in no equation')
        value = _expression(right, known)
        rho = sp.diff(value, sp.Symbol("dt", real=True))
        if sp.simplify(value - rho * sp.Symbol("dt", real=True)) != 0:
            raise InputError(f'"{entry}" is not a number times dt; write "d{first}*d{second} = 0.3*dt"')
        i, k = names.index(first), names.index(second)
        if i == k and rho != 1:
            raise InputError(f'"{entry}": d{first}*d{first} is dt; leave the entry out')
        matrix[i, k] = matrix[k, i] = rho
    made = brownian(" ".join(names), correlation=matrix)
    return dict(zip(names, made if len(names) > 1 else (made,), strict=True))


def _clean(text: Any) -> str:
    if not isinstance(text, str):
        raise InputError(f"{text!r} is not a text; write it between quotation marks")
    if len(text) > LONGEST:
        raise InputError(f"the text has {len(text)} characters; at most {LONGEST} are read")
    return unicodedata.normalize("NFKC", text.replace("−", "-").replace("·", "*").replace("²", "**2"))


def _name(identifier: str) -> str:
    """Greek letters by their names, as in values: μ is mu."""
    first = _LETTERS.get(identifier[0])
    return first + identifier[1:] if first and not identifier[1:2].isalpha() else identifier


def _expression(text: str, known: Mapping[str, sp.Symbol]) -> sp.Expr:
    source, shown = re.sub(r"\blambda\b", "λ", text.strip().replace("^", "**")), _short(text)
    if not source:
        raise InputError("an expression is empty; write one such as mu*X")
    for word in re.findall(r"[^\W\d]\w*", source):
        if keyword.iskeyword(word):
            raise InputError(f'the name "{word}" in "{shown}" is a word of Python; call it otherwise, such as lam')
    try:
        tree = ast.parse(source, mode="eval").body
        return _Reader(source, known).read(tree)
    except SyntaxError as error:
        place = _where(source, (error.offset or 1) - 1)
        if "never closed" in error.msg:
            place = f'because a bracket is never closed: "{_short(source[(error.offset or 1) - 1 :])}"'
        elif product := re.search(r"(?<![\w.])(\d+\.?\d*)([^\W\d]\w*)", source):
            place = f'at "{product[0]}"; write {product[1]}*{product[2]}'
        raise InputError(f'"{shown}" cannot be read {place}') from None
    except (RecursionError, MemoryError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f'"{shown}" cannot be read; write it shorter and with fewer brackets') from None


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "..."


def _where(source: str, offset: int) -> str:
    """The place in words."""
    offset = max(0, min(offset, len(source)))
    before, after = source[:offset].strip()[-20:], source[offset:].strip()[:20]
    if not before:
        return f'at its beginning, "{after}"'
    return f'after "{before}"' + (f', at "{after}"' if after else ", where it ends") + "; write products with *"


class _Reader:
    """A tree of Python's grammar as an expression."""

    def __init__(self, source: str, known: Mapping[str, sp.Symbol]) -> None:
        self.source, self.known = source, known

    def read(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            return sp.Rational(str(node.value)) if math.isfinite(node.value) else self.refuse(node, "is too large")
        if isinstance(node, ast.Name):
            name = _name(node.id)
            if name in self.known:
                return self.known[name]
            if name in FUNCTIONS:
                return self.refuse(node, "is a function and needs its argument in brackets")
            return CONSTANTS.get(name) or sp.Symbol(name, real=True)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            value = self.read(node.operand)
            return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, ast.BinOp):
            return self.operation(node)
        if isinstance(node, ast.Call):
            return self.call(node)
        return self.refuse(node, "is not a number, a name, a sum, a product, a power or a function")

    def operation(self, node: ast.BinOp) -> sp.Expr:
        left, right = self.read(node.left), self.read(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return self.refuse(node, "divides by 0") if right == 0 else left / right
        if isinstance(node.op, ast.Pow):
            if right.is_number and abs(complex(right)) > LARGEST:
                return self.refuse(node, f"has an exponent above {LARGEST}")
            if left.is_Rational and right.is_number and max(abs(left.p), left.q).bit_length() * abs(right) > 9999:
                return self.refuse(node, "is too large")
            return self.refuse(node, "divides by 0") if left == 0 and right.is_negative else left**right
        return self.refuse(node, "uses a sign that is none of + - * / ^")

    def call(self, node: ast.Call) -> sp.Expr:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name not in FUNCTIONS:
            return self.refuse(node, f"calls no known function; known are {', '.join(FUNCTIONS)}; products need a *")
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            return self.refuse(node, "has more than plain arguments")
        wanted = "2 or more arguments" if name in ("Max", "Min") else "1 argument"
        if (len(node.args) < 2) if name in ("Max", "Min") else len(node.args) != 1:
            return self.refuse(node, f"has {len(node.args)} arguments; {name} takes {wanted}")
        value = FUNCTIONS[name](*map(self.read, node.args))
        return self.refuse(node, "is not finite") if value.has(sp.zoo, sp.oo, sp.nan) else value

    def refuse(self, node: ast.AST, why: str) -> Any:
        part = ast.get_source_segment(self.source, node) or self.source
        raise InputError(f'"{_short(part)}" in "{_short(self.source)}" {why}')
