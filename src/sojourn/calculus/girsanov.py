"""Girsanov's theorem: under another measure, dW + theta dt is a Brownian motion, and the drift changes by -B theta.

dQ/dP = Z_T,  Z_t = exp(-int phi . dW - 1/2 int phi . theta dt),  phi = rho^-1 theta,  W^Q = W + int theta dt

It needs E Z_T = 1. Novikov's condition E exp(1/2 int_0^T phi . theta dt) < oo is enough for that, and so is Benes's:
theta grows at most linearly in the largest |W| until t.
Sources: Karatzas and Shreve, Brownian Motion and Stochastic Calculus, 3.5; Oksendal, 8.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from sojourn.calculus.conditions import deterministic, growth
from sojourn.calculus.integrals import definite
from sojourn.calculus.linear import ItoIntegral
from sojourn.calculus.names import unused
from sojourn.calculus.noises import Brownian
from sojourn.calculus.process import ItoProcess
from sojourn.calculus.shown import Shown
from sojourn.calculus.steps import Form, Mean, Step
from sojourn.calculus.tidy import tidy
from sojourn.errors import InputError


@dataclass(frozen=True)
class Novikov:
    """Novikov's condition E exp(1/2 int_0^T phi . theta dt) < oo.

    Attributes:
        condition: the inequality.
        proved: True where it is known to hold; False where it is only stated, and is to be checked.
        reason: why it holds, or what is to be checked.
    """

    condition: Any
    proved: bool
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class ChangeOfMeasure(Shown):
    """A process under the measure Q that makes dW + theta dt a Brownian motion W^Q.

    Attributes:
        process: the same process, written with W^Q.
        original: the process as it was given.
        theta: Brownian motion -> its theta.
        motions: Brownian motion -> the one under Q.
        exponent: log dQ/dP up to the time t.
        novikov: a condition under which Q is a probability measure.
        proved: whether Q is known to be one, by Novikov's condition or by Benes's.
        steps: how the drift changes.
        notes: what is taken for granted.
    """

    process: ItoProcess
    original: ItoProcess
    theta: dict[Brownian, sp.Expr]
    motions: dict[Brownian, Brownian]
    exponent: sp.Expr
    novikov: Novikov
    proved: bool
    steps: tuple[Step, ...]
    notes: tuple[str, ...]

    @property
    def density(self) -> sp.Expr:
        """dQ/dP up to the time t."""
        return sp.exp(self.exponent)

    @property
    def lines(self) -> tuple[Step, ...]:
        """The process under Q and the density."""
        from sojourn.calculus.show import forms

        own = tuple(Step("", left, right) for left, right in forms(self.process))
        return (*own, Step("", sp.log(sp.Symbol(unused("Z Y", self.process, self.exponent))), self.exponent))


def change_measure(process: ItoProcess, theta: Mapping[Brownian, Any]) -> ChangeOfMeasure:
    """The process under the measure that makes dW + theta dt a Brownian motion; motions not named keep theta = 0.

    Raises:
        InputError: theta names a motion that the process does not have, or, for singular correlations, no such measure
            exists.
    """
    if not isinstance(theta, Mapping):
        raise InputError(f"theta={theta!r} does not say of which motion; write {{W: {theta!r}}}")
    t, given = process.time, {}
    for W, value in theta.items():
        if W not in process.noises:
            own = ", ".join(map(str, process.noises)) or "none"
            raise InputError(f"theta names {W}, which does not drive the process; its Brownian motions are {own}")
        given[W], t = process.read(value)
    vector = [given.get(W, sp.S.Zero) for W in process.noises]
    phi = _solve(process.correlation(), vector, process.noises)
    square = tidy(sum((f * h for f, h in zip(phi, vector, strict=True)), sp.S.Zero))
    drifts = [
        tidy(a - sum((process.columns[W][i] * h for W, h in zip(process.noises, vector, strict=True)), sp.S.Zero))
        for i, a in enumerate(process.drifts)
    ]
    motions = _under_q(process.noises)
    after = process._with(drift=drifts, diffusion={motions[W]: list(c) for W, c in process.columns.items()})
    exponent = -sum((_ito_integral(h, W, process, t) for h, W in zip(phi, process.noises, strict=True)), sp.S.Zero)
    exponent -= time_integral(square, process, t) / 2
    condition = novikov(square, vector, process, t)
    benes = not condition.proved and _benes(vector, process, t)
    notes = (f"Novikov's condition is {'proved' if condition.proved else 'not proved'}: {condition.reason}",)
    if benes:
        notes += (
            "Q is a probability measure by Benes's condition: theta and the drift grow at most linearly and the noise "
            "is constant, so |theta| <= K (1 + max |W|), where X_0 is fixed and X is a strong solution",
        )
    if process.jump_columns:
        notes += ("the rates of the Poisson processes are the same under both measures",)
    return ChangeOfMeasure(
        after,
        process,
        dict(zip(process.noises, vector, strict=True)),
        motions,
        exponent,
        condition,
        condition.proved or benes,
        _steps(process, vector, motions, after, t),
        notes,
    )


def novikov(square: sp.Expr, theta: list[sp.Expr], process: ItoProcess, t: sp.Symbol) -> Novikov:
    """Novikov's condition for phi . theta = square, proved where theta is deterministic or bounded."""
    T = sp.Symbol(unused("T", process, square), positive=True)
    condition = sp.Lt(Mean(sp.exp(time_integral(square, process, t, T) / 2)), sp.oo, evaluate=False)
    if all(deterministic(e, process.states, t) for e in theta):
        return Novikov(condition, True, "theta is a bounded function of time alone on every [0, T]")
    if growth(square, process.states, t) == 0:
        return Novikov(condition, True, "theta is bounded")
    return Novikov(condition, False, "theta depends on the state and is not known to be bounded; this is to be checked")


def _benes(theta: list[sp.Expr], process: ItoProcess, t: sp.Symbol) -> bool:
    """Whether |theta| <= K (1 + max |W|): by Gronwall's inequality, for linear growth and constant noise."""
    if process.jump_columns:
        return False
    moving = {t, *process.states}
    constant = all(not e.free_symbols & moving for column in process.columns.values() for e in column)
    powers = [growth(e, process.states, t) for e in (*theta, *process.drifts)]
    return constant and all(p is not None and p <= 1 for p in powers)


def _solve(rho: Any, theta: list[sp.Expr], noises: tuple[Brownian, ...]) -> list[sp.Expr]:
    """phi with rho phi = theta."""
    if not noises or rho.is_diagonal():
        return theta
    if sp.simplify(rho.det()) != 0:
        return [tidy(e) for e in rho.inv() * sp.Matrix(theta)]
    try:
        phi, free = rho.gauss_jordan_solve(sp.Matrix(theta))
    except ValueError:
        names = ", ".join(map(str, noises))
        raise InputError(
            f"no measure moves {names} by this theta: their correlations are singular; move them alike"
        ) from None
    return [tidy(e.subs(dict.fromkeys(free, 0))) for e in phi]


def _under_q(noises: tuple[Brownian, ...]) -> dict[Brownian, Brownian]:
    """Brownian motions of the same correlations with a Q in their names."""
    return {W: Brownian(f"{W.name}^Q", tuple(f"{n}^Q" for n in W.family), W.correlations) for W in noises}


def time_integral(e: sp.Expr, process: ItoProcess, t: sp.Symbol, end: sp.Symbol | None = None) -> sp.Expr:
    """int_0^t, or to `end`, of a function of time and state along the path."""
    end = t if end is None else end
    if e.free_symbols & set(process.states):
        along, s = _along(e, process, t)
        return sp.Integral(along, (s, 0, end))
    return definite(e, t, 0, end) if e.has(t) else e * end


def _ito_integral(e: sp.Expr, W: Brownian, process: ItoProcess, t: sp.Symbol) -> sp.Expr:
    """int_0^t of a function of time and state against dW."""
    along, s = _along(e, process, t)
    return ItoIntegral(along, s, t, W)


def _along(e: Any, process: ItoProcess, t: sp.Symbol) -> tuple[sp.Expr, sp.Symbol]:
    """The function at the time s of a path, and s, whose name is no symbol's of the process or the function."""
    s = sp.Symbol(unused("s r", process, e), positive=True)
    return e.xreplace({t: s} | {x: sp.Function(x.name, real=True)(s) for x in process.states}), s


def _steps(
    process: ItoProcess, theta: list[sp.Expr], motions: dict[Brownian, Brownian], after: ItoProcess, t: sp.Symbol
) -> tuple[Step, ...]:
    from sojourn.calculus.show import forms

    steps = [Step("the process", left, right) for left, right in forms(process)]
    put = {W: Form.of([(1, motions[W]), (-h, t)], process.states) for W, h in zip(process.noises, theta, strict=True)}
    steps += [Step("under Q", Form.of([(1, W)]), form) for W, form in put.items()]
    for i, s in enumerate(process.states):
        terms = [(process.drifts[i], t), *((column[i], put[W]) for W, column in process.columns.items())]
        terms += [(column[i], N) for N, column in process.jump_columns.items()]
        steps.append(Step("put in", Form.of([(1, s)], process.states), Form.of(terms, process.states)))
    steps += [Step("collect the terms", left, right) for left, right in forms(after)]
    return tuple(steps)
