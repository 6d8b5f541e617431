"""What a scheme is: its step, its orders of convergence, and what it asks of an SDE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sojourn.processes.ito.coefficients import Coefficients
from sojourn.processes.ito.increments import Increments, Kind

Step = Callable[[Any, Any, list[Any], Any, Increments], list[Any]]
"""step(sde, t, x, h, increments) -> the new x: arithmetic on a list of d numbers, tensors or symbols."""


@dataclass(frozen=True)
class Scheme:
    """One numerical scheme.

    Args:
        name: what a user calls it.
        step: the step.
        kind: which increments it needs; see `increments`.
        strong, weak: orders of convergence for the SDEs that it accepts; infinity where the law is exact.
        reference: where it is from.
        check: raises InputError where the SDE is not one that the scheme is for.
        checks_numbers: whether `check` is to see the SDE with its parameters' numbers too.
        one_where: kind of noise with which a scheme of strong order 1/2 has order 1.
    """

    name: str
    step: Step
    kind: Kind
    strong: float
    weak: float
    reference: str
    check: Callable[[Coefficients], None] = lambda coefficients: None
    checks_numbers: bool = False
    one_where: Literal["additive", "commuting"] | None = None

    def strong_for(self, coefficients: Coefficients) -> float:
        """The strong order for this SDE."""
        if self.one_where == "additive":
            return 1.0 if coefficients.additive else self.strong
        return 1.0 if self.one_where == "commuting" and coefficients.commutator is None else self.strong


def strongest(coefficients: Coefficients) -> str:
    """The scheme of the highest strong order that accepts this SDE."""
    if coefficients.additive:
        return "sra1"
    if coefficients.noises == 1 or coefficients.diagonal:
        return "sri"
    return "milstein-levy" if coefficients.commutator else "milstein"
