"""Lamperti's transform of one state: Y = int dx / B, whose noise has the coefficient 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.calculus.integrals import antiderivative
from sojourn.calculus.shown import Shown
from sojourn.calculus.state_space import Diffusion
from sojourn.calculus.steps import Step
from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.calculus.process import ItoProcess

LARGEST = 60  # operations in a drift that is simplified


@dataclass(frozen=True, repr=False)
class Transformed(Shown):
    """A process seen through a map of its state.

    Attributes:
        map: y as an expression in the old state (and t).
        inverse: the old state as an expression in y; None where it is not found.
        process: that of y; None without an inverse.
        steps: how it was found.
    """

    map: sp.Expr
    inverse: sp.Expr | None
    process: ItoProcess | None
    steps: tuple[Step, ...]

    @property
    def lines(self) -> tuple[Step, ...]:
        """The map, and the new process where it is known."""
        from sojourn.calculus.show import forms

        own = () if self.process is None else forms(self.process)
        return (Step("", self.steps[0].left, self.map), *(Step("", left, right) for left, right in own))


def lamperti(X: ItoProcess, name: str = "Y") -> Transformed:
    """Y = F(t, X) with F = int dx / B: dY = (F_t + a / B - B_x / 2) dt + dW.

    Args:
        name: of the new state.

    Raises:
        InputError: the process has several states, jumps, or not exactly one noise.

    Source: Iacus, Simulation and Inference for SDEs, section 1.11.4.
    """
    from sojourn.calculus.process import ItoProcess

    if len(X.states) != 1 or X.jump_columns or len(X.noises) != 1:
        raise InputError(
            f"Lamperti's transform is of one state and one Brownian motion without jumps; this process has states "
            f"{X.states}, noises {X.noises}, jumps {tuple(X.jump_columns)}"
        )
    W, old = X.noises[0], X.states[0]
    D = Diffusion.of(X)
    B = X.columns[W][0].subs(old, D.x)
    F = antiderivative(sp.powsimp(1 / B), D.x)
    sign = {"positive": True} if F.is_positive else {"negative": True} if F.is_negative else {"real": True}
    y = sp.Symbol(name, **sign)
    if name in {s.name for s in (*X.parameters, X.time)}:
        raise InputError(f"name={name!r} is a parameter of the process; choose another name for the new state")
    rule = Step("F(t, x) = int dx / B", sp.Symbol(name), D.back(F))
    drift = _brief(sp.diff(F, X.time) + D.drift / B - sp.diff(B, D.x) / 2)
    steps = (rule, Step("drift: F_t + a / B - B_x / 2", sp.Symbol(f"a_{name}"), D.back(drift)))
    power = _power(F, D.x)
    inverse = (y / power[0]) ** (1 / power[1]) if power else _inverse(F, D.x, y)
    if inverse is None:
        return Transformed(D.back(F), None, None, steps)
    if power:
        p = sp.Dummy("p", positive=True)  # x^n, of which all is a power
        in_p: Any = sp.expand(sp.powdenest(sp.expand(drift.subs(D.x, p ** (1 / power[1]))), force=True))
        in_p = sp.Add(*map(sp.powsimp, sp.Add.make_args(in_p)))
        in_p = in_p.replace(lambda e: e.is_Pow and e.base == p, lambda e: p ** sp.cancel(e.exp))
        new = in_p.subs(p, y / power[0])
    else:
        new = _brief(drift.subs(D.x, inverse))
    start = None if X.starts is None else F.subs(D.x, X.starts[0]).subs(X.time, 0)
    process = ItoProcess(y, new, {W: 1}, initial=start, values=_kept(X, new, start))
    return Transformed(D.back(F), inverse, process, steps)


def _kept(X: ItoProcess, *expressions: Any) -> dict[str, Any]:
    names = {s.name for e in expressions if e is not None for s in e.free_symbols}
    return {name: value for name, value in X.values.items() if name in names}


def _power(F: sp.Expr, x: sp.Symbol) -> tuple[sp.Expr, sp.Expr] | None:
    """(k, n) with F = k x^n for positive x and a symbol in n."""
    k, g = F.as_independent(x, as_Add=False)
    base, n = g.as_base_exp()
    return (k, n) if base == x and x.is_positive and not n.has(x) and n.free_symbols else None


def _brief(e: Any) -> Any:
    return sp.simplify(e) if e.count_ops() < LARGEST else e


def _inverse(F: sp.Expr, x: sp.Symbol, y: sp.Symbol) -> sp.Expr | None:
    """x with F(x) = y; None where SymPy finds none that can be checked."""
    if F.has(sp.Integral):
        return None
    try:
        found = sp.solve(F - y, x, check=False)
    except NotImplementedError:
        found = []
    if not found:  # with assumptions on x a solution may be lost to them
        free = sp.Dummy("x")
        try:
            found = sp.solve(F.subs(x, free) - y, free, check=False)
        except NotImplementedError:
            return None
    for candidate in found:
        put_back: Any = sp.sympify(candidate).subs(y, F)
        back = sp.simplify(put_back)  # pyright: ignore[reportCallIssue, reportArgumentType]
        gaps: list[Any] = [sp.expand_log(back - x, force=True), sp.powdenest(back - x, force=True)]
        if any(sp.simplify(gap) == 0 for gap in gaps):
            return sp.simplify(candidate)
    return None
