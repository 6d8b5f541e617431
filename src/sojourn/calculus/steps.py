"""A result that remembers how it was found: a value and the steps that led to it, each with the rule it uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from sojourn.calculus.shown import Shown


@dataclass(frozen=True)
class Step:
    """One line of a derivation.

    Args:
        rule: which rule was used, in words, such as "chain rule" or "dW1 dW2 = rho dt"; "" goes on with the last rule.
        left: what stands on the left, an expression, a `Form` or words; None where the line goes on from the last.
        right: what it equals.
    """

    rule: str
    left: Any
    right: Any


@dataclass(frozen=True)
class Form:
    """A sum of terms in the order given, each an expression times differentials: mu X dt + sigma X dW.

    Args:
        terms: (coefficient, what stands behind d), such as (mu*X, (t,)) and (Y, (X, X)) for Y (dX)^2; in the place of a
            differential there may be another form, which is then written in brackets.
        moving: symbols that stand for the value of a process at time t.
        stratonovich: whether the products with dW are Stratonovich's.
    """

    terms: tuple[tuple[sp.Expr, tuple[Any, ...]], ...]
    moving: frozenset[sp.Symbol] = frozenset()
    stratonovich: bool = False

    @classmethod
    def of(
        cls, terms: Iterable[tuple[Any, Any]], moving: Iterable[sp.Symbol] = (), *, stratonovich: bool = False
    ) -> Form:
        """From (coefficient, differential or several); terms that are 0 are left out."""
        kept = [(sp.sympify(c), d if isinstance(d, tuple) else (d,)) for c, d in terms]
        return cls(tuple((c, d) for c, d in kept if c != 0), frozenset(moving), stratonovich)


class Partial(sp.Symbol):
    """The name of a partial derivative, f_xx; `by` are the symbols it is taken by."""

    __slots__ = ("by", "of")

    by: tuple[sp.Symbol, ...]
    of: str

    def __new__(cls, of: str, *by: sp.Symbol) -> Partial:
        self = sp.Symbol.__xnew__(cls, f"{of}_" + "".join(s.name for s in by))
        self.of, self.by = of, by
        return self

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.of, self.by)

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.of, *self.by), {}


class Mean(sp.Function):
    """E[...], where no value is known."""

    nargs = 1


@dataclass(frozen=True, eq=False, repr=False)
class Derived(Shown):
    """An expression or equation with its derivation; SymPy takes it for its value.

    Attributes:
        value: the expression or `sympy.Eq`.
        steps: how it was found.
        notes: hypotheses and boundary conditions under which it holds, each a sentence.
    """

    value: Any
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def _sympy_(self) -> Any:
        return self.value

    def __eq__(self, other: object) -> bool:
        return self.value == (other.value if isinstance(other, Derived) else sp.sympify(other))

    def __hash__(self) -> int:
        return hash(self.value)

    def __add__(self, other: Any) -> Any:
        return self.value + sp.sympify(other)

    def __sub__(self, other: Any) -> Any:
        return self.value - sp.sympify(other)

    def __mul__(self, other: Any) -> Any:
        return self.value * sp.sympify(other)

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Any) -> Any:
        return sp.sympify(other) - self.value
