"""How sums, products, quotients and powers are written, for every notation: constants before states, no leading minus.

A notation (`plain`, `latex`, `typst`) is a subclass of `Writer` that says how each kind of thing looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.conventions import split_super_sub
from sympy.printing.printer import Printer

from sojourn.calculus.linear import ItoIntegral
from sojourn.calculus.noises import Brownian, Poisson
from sojourn.calculus.steps import Form, Mean, Partial

GREEK = (
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
    "pi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
)
_SPELT = {"lam": "lambda", "lamda": "lambda", "varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi"}
_LONG = (ItoIntegral, sp.Integral, sp.Sum, sp.Derivative, sp.Piecewise, sp.Subs)
_BESIDE = (sp.Add, AppliedUndef, Partial, Mean, *_LONG)  # what a number stands before, and not above


class Writer(Printer):
    """An expression as text. Subclasses give the look.

    `moving` symbols carry the index t of a process; these and `states` stand behind constants in a product.
    """

    def __init__(self, moving: Iterable[sp.Symbol] = (), states: Iterable[sp.Symbol] = ()) -> None:
        super().__init__()
        self.moving, self.states = frozenset(moving), frozenset(states)

    # ------------------------------------------------------------------------------- what a notation has to say

    minus, plus, thin, thick, circle, times = " - ", " + ", " ", " ", "∘", "×"
    curl, dee, gap, thin_gap = "∂", "d", "", " "  # signs of derivatives, and what stands behind and between them
    relations: ClassVar[dict[str, str]] = {}  # Python's sign -> the notation's, where it is another
    stacks = True  # whether a fraction has its own two lines

    def letters(self, base: str, upper: list[str], lower: list[str]) -> str:
        """A symbol with its indices; `base` is a Greek name or letters, primes included."""
        raise NotImplementedError

    def fraction(self, above: str, below: str, bare: bool) -> str:
        """`bare`: below is a single factor."""
        raise NotImplementedError

    def power(self, base: str, exponent: sp.Expr) -> str:
        raise NotImplementedError

    def root(self, inside: sp.Expr, n: int) -> str:
        raise NotImplementedError

    def juxtapose(self, factors: list[str]) -> str:
        return " ".join(factors)

    def brackets(self, inside: str) -> str:
        return f"({inside})"

    def call(self, name: str, arguments: list[str]) -> str:
        """A function known by its name in SymPy."""
        raise NotImplementedError

    def differential(self, of: str, simple: bool, n: int) -> str:
        """d of something, to the power n."""
        raise NotImplementedError

    def words(self, text: str) -> str:
        """Words between formulas."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------ arithmetic

    def doprint(self, expr: Any) -> str:
        return self._print(expr)

    def emptyPrinter(self, expr: Any) -> str:
        return self.words(str(expr))

    def _print_Add(self, expr: Any) -> str:
        terms = list(expr.as_ordered_terms()) if len(expr.args) < 200 else list(expr.args)
        if expr.has(sp.Derivative):
            terms.sort(key=_differentiated)
        elif _negative(terms[0]):  # a term with a plus goes first where there is one
            first = next((k for k, term in enumerate(terms) if not _negative(term)), 0)
            terms.insert(0, terms.pop(first))
        return self.join_terms([(_negative(term), self._term(-term if _negative(term) else term)) for term in terms])

    def join_terms(self, terms: list[tuple[bool, str]]) -> str:
        """Terms with their signs."""
        out = ""
        for negative, text in terms:
            if out:
                out += self.minus if negative else self.plus
            elif negative:
                out = self.minus.lstrip().rstrip() if len(self.minus.strip()) == 1 else self.minus.strip() + " "
            out += text
        return out

    def _term(self, expr: Any) -> str:
        text = self._print(expr)
        return self.brackets(text) if isinstance(expr, (sp.Add, sp.Piecewise)) else text

    def _print_Mul(self, expr: Any) -> str:
        if _negative(expr):
            return self.join_terms([(True, self._term(-expr))])
        number: Any = sp.S.One
        above: list[Any] = []
        below: list[Any] = []
        for factor in sp.Mul.make_args(expr):
            if isinstance(factor, sp.Rational):
                number *= factor
                continue
            base, exponent = factor.as_base_exp()
            if not isinstance(factor, sp.exp) and base != sp.E and _negative(exponent):
                below.append(sp.Pow(base, -exponent))
            else:
                above.append(factor)
        if not below and number.q > 1 and above and any(isinstance(f, _BESIDE) for f in above):
            return self.juxtapose([self.fraction(str(number.p), str(number.q), True), self._factors(above)])
        if number.p != 1 or not above:
            above.insert(0, sp.Integer(number.p))
        if number.q != 1:
            below.insert(0, sp.Integer(number.q))
        if not below:
            return self._factors(above)
        return self.fraction(self._factors(above, True), self._factors(below, True), len(below) == 1)

    def _factors(self, factors: list[Any], alone: bool = False) -> str:
        """A product; `alone` where its place already sets it apart."""
        if len(factors) == 1 and alone and self.stacks:
            return self._print(factors[0])
        ordered = sorted(factors, key=self._place)
        if len(ordered) == 1:
            return self._factor(ordered[0], True)
        return self.juxtapose([self._factor(f, k == len(ordered) - 1) for k, f in enumerate(ordered)])

    def _factor(self, expr: Any, last: bool) -> str:
        text = self._print(expr)
        if isinstance(expr, (sp.Add, sp.Piecewise, sp.core.relational.Relational)) or _negative(expr):
            return self.brackets(text)
        if isinstance(expr, (ItoIntegral, sp.Integral, sp.Sum)) and not last:
            return self.brackets(text)
        return text

    def _place(self, factor: Any) -> tuple[Any, ...]:
        """Numbers, constants, states, functions; each by name."""
        base = factor.as_base_exp()[0]
        if factor.is_number and not isinstance(factor, sp.Add):
            return (0, 0, "", "")
        if isinstance(base, sp.Symbol):
            name = base.name
            state = base in self.moving or base in self.states
            return (1, state, name[:1].isupper() != state, name)
        if isinstance(factor, _LONG):
            return (4, 0, "", str(factor))
        if isinstance(base, sp.Add):
            return (2, 0, "", str(factor))
        return (3, isinstance(base, AppliedUndef), "", str(factor))

    def _print_Pow(self, expr: Any) -> str:
        base, exponent = expr.args
        if base == sp.E:
            return self._print_exp(sp.exp(exponent, evaluate=False))
        if _negative(exponent):
            return self.fraction("1", self._factors([sp.Pow(base, -exponent)], True), True)
        if exponent.is_Rational and exponent.p == 1 and exponent.q <= 3:
            return self.root(base, int(exponent.q))
        text = self._print(base)
        simple = isinstance(base, (sp.Symbol, sp.Integer, AppliedUndef)) and not _negative(base)
        return self.power(text if simple else self.brackets(text), exponent)

    def _print_exp(self, expr: Any) -> str:
        return self.call("exp", [self._print(expr.args[0])])

    _print_ExpBase = _print_exp

    def _print_Exp1(self, expr: Any) -> str:
        return "e"

    def _print_Integer(self, expr: Any) -> str:
        return self.join_terms([(expr < 0, str(abs(int(expr))))])

    _print_Zero = _print_One = _print_NegativeOne = _print_Integer

    def _print_int(self, expr: Any) -> str:
        return self._print(sp.Integer(expr))

    def _print_Rational(self, expr: Any) -> str:
        return self.join_terms([(expr.p < 0, self.fraction(str(abs(expr.p)), str(expr.q), True))])

    _print_Half = _print_Rational

    def _print_Float(self, expr: Any) -> str:
        mantissa, _, exponent = f"{float(expr):.12g}".partition("e")
        if not exponent:
            return mantissa.replace("-", self.minus.strip())
        return self.juxtapose([mantissa, self.times, self.power("10", sp.Integer(exponent))])

    def _print_float(self, expr: Any) -> str:
        return self._print_Float(expr)

    # --------------------------------------------------------------------------------- derivatives and differentials

    def _print_Derivative(self, expr: Any) -> str:
        of, sign = expr.expr, self.dee if _ordinary(expr) else self.curl
        order = sum(n for _, n in expr.variable_count)
        above = sign if order == 1 else self.power(sign, sp.sympify(order))
        by = [(self._print(s), n) for s, n in expr.variable_count]
        below = self.thin_gap.join(sign + self.gap + (s if n == 1 else self.power(s, sp.sympify(n))) for s, n in by)
        if isinstance(of, (AppliedUndef, sp.Symbol, Mean)):
            return self.fraction(above + self.gap + self._print(_bare_name(of)), below, len(by) == 1)
        return self.juxtapose([self.fraction(above, below, len(by) == 1), self.brackets(self._print(of))])

    def _print_Form(self, form: Any) -> str:
        if not form.terms:
            return "0"
        kept, self.moving = self.moving, self.moving | form.moving
        terms = []
        for c, ds in form.terms:
            negative = _negative(c)
            c = -c if negative else c
            parts = [] if c == 1 else [self._factor(c, False)]
            if form.stratonovich and not any(isinstance(d, (Form, Poisson)) or d.name == "t" for d in ds):
                parts.append(self.circle)
            counted = {d: ds.count(d) for d in ds}
            parts += [self._d(d, n, c == 1 and not negative) for d, n in counted.items()]
            terms.append((negative, self.thin.join(parts)))
        self.moving = kept
        return self.join_terms(terms)

    def _d(self, of: Any, n: int, alone: bool) -> str:
        if isinstance(of, Form):
            short = len(of.terms) == 1 and (of.terms[0][0] == 1 or (alone and not _negative(of.terms[0][0])))
            return self._print(of) if short else self.brackets(self._print(of))
        moving = isinstance(of, (Brownian, Poisson)) or any(of == sp.Symbol(f"{s.name}^c") for s in self.moving)
        kept, self.moving = self.moving, self.moving | ({of} if moving else set())
        text = self.differential(self._print(of), isinstance(of, (sp.Symbol, sp.Function)), n)
        self.moving = kept
        return text

    # -------------------------------------------------------------------------------------- symbols and functions

    def _print_tuple(self, expr: Any) -> str:
        return self.brackets(", ".join(map(self._print, expr)))

    _print_Tuple = _print_list = _print_tuple

    def _print_ImaginaryUnit(self, expr: Any) -> str:
        return "i"

    def _print_factorial(self, expr: Any) -> str:
        return f"{self._factor(expr.args[0], False)}!"

    def _print_Relational(self, expr: Any) -> str:
        return f"{self._print(expr.lhs)} {self.relations.get(expr.rel_op, expr.rel_op)} {self._print(expr.rhs)}"

    def _print_And(self, expr: Any) -> str:
        return " and ".join(sorted(map(self._print, expr.args)))

    def _print_Or(self, expr: Any) -> str:
        return " or ".join(sorted(map(self._print, expr.args)))

    def _print_Symbol(self, expr: Any) -> str:
        return self.name(expr.name, ["t"] if expr in self.moving else [])

    _print_Dummy = _print_Symbol

    def name(self, name: str, more: list[str]) -> str:
        """A symbol's name with its indices, and `more` of them."""
        if name.startswith("Delta ") or name.startswith("Delta_"):  # the jump of f
            jump, _, of = name.partition(" ")
            upper, lower = ([], [jump.removeprefix("Delta_")]) if "_" in jump else ([], [])
            return self.juxtapose([self.letters("Delta", upper, lower), self.name(of, [])])
        if " " in name:  # an operator before its function, such as L f
            return self.juxtapose([self.name(part, []) for part in name.split()])
        primes = len(name) - len(name.rstrip("'"))
        split: Any = split_super_sub(name.rstrip("'"))
        base, upper, lower = split
        return self.letters((_SPELT.get(base) or base) + "'" * primes, upper, [*lower, *more])

    def _print_Partial(self, expr: Any) -> str:
        return self.letters(expr.of, [], [self.thick.join(self.name(s.name, []) for s in expr.by)])

    def _print_Function(self, expr: Any) -> str:
        return self.call(type(expr).__name__, [self._print(a) for a in expr.args])

    _print_Max = _print_Min = _print_log = _print_Abs = _print_Function

    def _print_Application(self, expr: Any) -> str:
        return self._print_Function(expr)


def _differentiated(term: Any) -> tuple[bool, bool, int]:
    """An order for differential equations: u_t, u_x, u_xx, u."""
    found = term.atoms(sp.Derivative)
    if not found:
        return (True, False, 0)
    variables = max((d.variables for d in found), key=len)
    return (False, not any(s.name == "t" for s in variables), len(variables))


def _ordinary(expr: Any) -> bool:
    """Whether all that is differentiated has one variable."""
    functions = expr.expr.atoms(AppliedUndef)
    return isinstance(expr.expr, Mean) or (bool(functions) and all(len(f.args) == 1 for f in functions))


def _bare_name(expr: Any) -> Any:
    """What is differentiated, without its arguments where these are symbols."""
    plain = isinstance(expr, AppliedUndef) and all(a.is_Symbol for a in expr.args)
    return sp.Symbol(type(expr).__name__) if plain else expr


def _negative(expr: Any) -> bool:
    """Whether a minus stands before it."""
    expr = sp.sympify(expr)
    if isinstance(expr, sp.Add):
        return False
    c, _ = expr.as_coeff_Mul()
    return bool(c.is_number and c.is_extended_negative)
