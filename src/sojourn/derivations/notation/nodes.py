"""Mathematics as it was written: trees of nodes, which `grammar` reads from LaTeX or Typst and `meaning` evaluates.

A tree keeps what a reader sees, brackets included, so that `printing` can print it; what symbols stand for is decided
later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

Node = Any  # one of the classes below


@dataclass(frozen=True)
class Number:
    """2, 0.5 (as 1/2; `text` is as written)."""

    value: Fraction
    text: str = ""


@dataclass(frozen=True)
class Constant:
    """pi, e, infinity, or the identity matrix: "pi", "e", "infinity", "identity"."""

    name: str


@dataclass(frozen=True)
class Symbol:
    r"""A letter with accents and subscripts: \bar\alpha_{t-1} is Symbol("alpha", "bar", (Add(t, -1),)).

    `name` is a letter ("x", "L") or a Greek letter's name ("alpha", "varepsilon" and "epsilon" are both "epsilon");
    `accent` is "", "bar", "tilde", "hat", "dot", "prime" (x'), "star" (x^*) or "Delta" (\Delta t, an increment);
    several are joined by a space. `subscript` has one node for each part between commas; x^{(i)} has i as a last one.
    Words (\text{const}, \mathrm{SNR}, several letters in Typst quotes) are names too. \mathcal{L} is the name "calL",
    but \mathcal{N} and \mathcal{U} are "N" and "U", because laws are written both ways. `style` is for printing alone:
    "", "bold", "cal" or "word"; bold x and x are one symbol.
    """

    name: str
    accent: str = ""
    subscript: tuple[Node, ...] = ()
    style: str = field(default="", compare=False)


def key(symbol: Symbol) -> str:
    r"""What a symbol is called in `kinds`: accent and name, then subscripts that are words or letters, but no indices.

    \bar\alpha_t is "bar alpha", p_\theta(x) is "p_theta", D_{\mathrm{KL}} is "D_KL", x_{t-1} is "x". A subscript of one
    Greek letter or one word is part of the name, one of a Latin letter, a number or a term is an index.
    """
    words = [s.name for s in symbol.subscript if isinstance(s, Symbol) and not s.subscript and len(s.name) > 1]
    return "_".join([" ".join(filter(None, (symbol.accent, symbol.name))), *words])


@dataclass(frozen=True)
class Dots:
    r"""\dots in X_1 + \dots + X_n or X_1, \dots, X_n: an element between its neighbours."""


@dataclass(frozen=True)
class Range:
    """1:T, as a subscript of x_{1:T}."""

    low: Node
    high: Node


@dataclass(frozen=True)
class Bracket:
    """Round, square or curly brackets round a body: left is "(", "[" or "{"."""

    body: Node
    left: str = "("


@dataclass(frozen=True)
class Negative:
    body: Node


@dataclass(frozen=True)
class Add:
    """A sum; subtracted terms are `Negative`."""

    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Multiply:
    r"""A product; `sign` is "" (side by side), "dot" (\cdot) or "times"; for vectors "dot" is their inner product,
    "inner" is \langle a, b\rangle."""

    factors: tuple[Node, ...]
    sign: str = ""


@dataclass(frozen=True)
class Divide:
    """A fraction; `inline` where it was written with a slash."""

    numerator: Node
    denominator: Node
    inline: bool = False


@dataclass(frozen=True)
class Power:
    base: Node
    exponent: Node


@dataclass(frozen=True)
class Transpose:
    body: Node


@dataclass(frozen=True)
class Function:
    r"""A function that everybody knows: log (ln too), exp, sqrt, sin, cos, tan, sinh, cosh, tanh, erf, Phi, abs, norm,
    max, min, trace, det, sign, factorial, binomial, gamma (\Gamma(n)), indicator (of a `Relation`).

    A second argument of log is its base, of sqrt the degree of the root, of norm what stands below it. Brackets that
    were written are kept: \log(x) is Function("log", (Bracket(x),)), \log x is Function("log", (x,)); of several
    arguments they are not.
    """

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Call:
    r"""A function of the derivation's own: f(x, t) or q(x_t \mid x_{t-1}, x_0), where `given` is what follows the bar.

    N(x; m, v), with a semicolon, is Call(Symbol("N"), (x,), parameters=(m, v)). f'(x) has one prime: the derivative of
    f at x.
    """

    head: Symbol
    arguments: tuple[Node, ...]
    given: tuple[Node, ...] = ()
    parameters: tuple[Node, ...] = ()
    primes: int = 0


@dataclass(frozen=True)
class Big:
    r"""\sum, \prod or \int: kind "sum", "product" or "integral". `conditions` are further ones below it, such as t > 1
    alone.

    An integral has its variable from dx; without bounds low and high are None, which means the whole line. \sum_{t > 1}
    has no bounds and one condition; \sum_{i < j} has the variable i. Kinds "minimum", "maximum", "infimum", "supremum"
    are \min_x f(x) and the like.
    """

    kind: str
    variable: Symbol
    low: Node | None
    high: Node | None
    body: Node
    conditions: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Mean:
    r"""Expectations and their kin, \mathbb{E}_{q}[...]: kind "E", "Var", "Cov" (two bodies) or "P" (of a `Relation`).

    `over` is the subscript, part by part: symbols, a `Call` such as q(x_t | x_0), or a `Distributed`. Commas between
    the events of P mean "and".
    """

    kind: str
    over: tuple[Node, ...]
    bodies: tuple[Node, ...]
    given: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Divergence:
    r"""D_{KL}(q \| p), KL(q \| p)."""

    first: Node
    second: Node


@dataclass(frozen=True)
class Derivative:
    r"""\frac{d}{dx} f, \frac{df}{dx}, \frac{\partial^2 f}{\partial x^2}, \partial_x f; partial: with round d.

    `below` is for printing alone: the variables stood below the sign (\partial_x).
    """

    body: Node
    variables: tuple[Node, ...]
    partial: bool = True
    below: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class At:
    r"""f |_{x = 0}: the value of the body where a symbol has a value."""

    body: Node
    symbol: Symbol
    value: Node


@dataclass(frozen=True)
class Gradient:
    r"""\nabla_x f (kind "gradient"; of a vector its Jacobian matrix), \nabla\cdot s ("divergence"), \Delta f or
    \nabla^2 f ("laplacian").

    `variable` is None where none was written.
    """

    kind: str
    variable: Node | None
    body: Node


@dataclass(frozen=True)
class Differential:
    r"""dX, d(XY), d\log X in stochastic calculus; dt and dW are the differentials of t and W."""

    body: Node


@dataclass(frozen=True)
class Relation:
    r"""A chain a = b <= c: sides, and the signs between them.

    Signs are "=", "<=", ">=", "<", ">", "law" (\overset{d}{=}), "proportional" (\propto), "approx", "!=", "define" (:=,
    \equiv, \triangleq).

    In a step that goes on from the line before, the first side is None.
    """

    sides: tuple[Node | None, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Belongs:
    r"""x \in set, with "x_1, x_2 \in ..." as several symbols. `kind`: "real", "vector" (R^d: size is the node d),
    "interval" (low, high), "integers" ({1, ..., T}: low, high; all of them without bounds), "natural", "matrix" (size
    rows, size columns), "values" ({-1, 1}).

    A vector's size stands in low, a matrix' sizes in low and high; `values` is for the kind "values", `ends` ("[]",
    "(]", ...) for intervals. `symbols` may hold `Dots`: X_1, \dots, X_n. "t = 1, \dots, T" is read as t \in {1, ...,
    T}.
    """

    symbols: tuple[Node, ...]
    kind: str
    low: Node | None = None
    high: Node | None = None
    values: tuple[Node, ...] = ()
    ends: str = field(default="[]", compare=False)


@dataclass(frozen=True)
class Distributed:
    r"""x \sim law, a `Call` such as N(0, 1), U(a, b), Bernoulli(p), Exp(lambda), Rademacher, or a density's own name (a
    `Symbol`)."""

    symbols: tuple[Node, ...]
    law: Node


@dataclass(frozen=True)
class Mapping:
    r"""f: \mathbb{R}^d \to \mathbb{R}: a smooth function, otherwise unknown. Sizes are None for the real line.

    `others` are the sizes of further arguments, as in R^d \times [0, T] \to R^d.
    """

    symbol: Symbol
    source: Node | None
    target: Node | None
    others: tuple[Node | None, ...] = ()
