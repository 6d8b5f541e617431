"""A result that remembers how it was found: a value and the steps that led to it, each with the rule it uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy as sp


@dataclass(frozen=True)
class Step:
    """One line of a derivation.

    Args:
        rule: which rule was used, in words, such as "chain rule" or "dW1 dW2 = rho dt".
        left: what stands on the left, an expression or an unevaluated one; None where the line goes on from the last.
        right: what it equals.
    """

    rule: str
    left: Any
    right: Any


@dataclass(frozen=True, eq=False)
class Derived:
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

    def __repr__(self) -> str:
        from sojourn.calculus.show import text

        return text(self)

    def latex(self) -> str:
        """The value in LaTeX."""
        from sojourn.calculus.show import latex

        return latex(self)

    def typst(self) -> str:
        """The value in Typst's mathematics."""
        from sojourn.calculus.show import typst

        return typst(self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"
