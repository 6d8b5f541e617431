"""Martingales: the stochastic exponential, and whether f(t, X) is a local martingale or a martingale.

Z_t = exp(X_t - X_0 - 1/2 [X]_t) solves dZ = Z dX. f(t, X) is a local martingale where its drift is 0; it is a
martingale where moreover its stochastic integral is square-integrable, which is enough but not needed.

Sources: Protter, II.8; Karatzas and Shreve, 5.3.15 (moments under linear growth); Delbaen and Shirakawa, No arbitrage
condition for positive diffusion price processes (2002), and Kotani (2006), for dX = B(X) dW on (0, oo).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from sojourn.calculus.conditions import deterministic, exponential_polynomial, growth
from sojourn.calculus.differential import Differential, chain, covariation
from sojourn.calculus.girsanov import time_integral
from sojourn.calculus.names import unused
from sojourn.calculus.process import ItoProcess
from sojourn.calculus.shown import Shown
from sojourn.calculus.steps import Derived, Form, Step
from sojourn.calculus.tidy import brief
from sojourn.errors import InputError


@dataclass(frozen=True, eq=False, repr=False)
class MartingaleTest(Shown):
    """Whether f(t, X) is a local martingale, and a martingale; true in a condition only where it is proved to be one.

    Attributes:
        local: True where the drift is 0, False where it is not, None where that is not decided.
        martingale: True or False where it is proved, None where it is open.
        drift: the drift of f, with jumps compensated.
        differential: df.
        notes: why, and what is to be checked further.
    """

    local: bool | None
    martingale: bool | None
    drift: sp.Expr
    differential: Differential
    notes: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.martingale is True

    @property
    def steps(self) -> tuple[Step, ...]:
        """The derivation of df."""
        return self.differential.steps

    @property
    def process(self) -> ItoProcess:
        """The process of df."""
        return self.differential.process

    @property
    def lines(self) -> tuple[Step, ...]:
        """The differential and the verdict."""
        left = Form.of([(1, self.differential.value)], self.process.states)
        return (Step("", left, self.differential.form), Step("", None, self.verdict))

    @property
    def verdict(self) -> str:
        """In words."""
        if self.martingale:
            return "a martingale"
        if self.local is None:
            return "not decided: it is open whether the drift is 0"
        if not self.local:
            return "not a martingale: it has a drift"
        return "a local martingale, " + ("not a martingale" if self.martingale is False else "perhaps a martingale")

    def __repr__(self) -> str:
        return "; ".join([super().__repr__(), *self.notes])


def doleans_dade(process: ItoProcess | Differential) -> Derived:
    """The stochastic exponential Z of X, dZ = Z dX with Z_0 = 1: exp(X - X_0 - 1/2 [X]), with jumps of a fixed size c
    times (1 + c)^N exp(-c N).

    Raises:
        InputError: X has several states, or its jumps are not of fixed size.
    """
    if isinstance(process, ItoProcess):
        if len(process.states) != 1:
            raise InputError(f"the process has {len(process.states)} states; say which exponential with X.of(x)")
        process = chain(process, process.states[0])
    X, states, t = process, process.process.states, process.time
    starts = process.process.starts
    places: Any = {t: 0} | dict(zip(states, starts or (), strict=False))
    begin = X.value.subs(places) if starts else sp.Symbol(f"{X.value}_0", real=True)
    rate = covariation(X, X).value
    bracket = time_integral(rate, X.process, t)
    value = sp.exp(X.value - begin - bracket / 2)
    for N, c in X.jumps.items():
        if c.free_symbols & {*states, t} or N.mark in c.free_symbols:
            raise InputError(f"jumps of {N} have the size {c}, which is not fixed; only fixed sizes have a closed form")
        value *= (1 + c) ** N * sp.exp(-c * N)
    Z = sp.Symbol(unused("Z Y", X.process), positive=True)
    steps = (
        *covariation(X, X).steps,
        Step("the quadratic variation of the continuous part", sp.Symbol("[X]"), bracket),
        Step("the stochastic exponential", Z, value),
        Step("which solves", Form.of([(1, Z)], (Z,)), Form.of([(Z, X.value)], (Z, *states))),
    )
    notes: tuple[str, ...] = ()
    if brief(X.compensated_drift) == 0:
        notes = ("Z is a local martingale, and a martingale where E Z = 1, for which Novikov's condition is enough",)
        if deterministic(rate, states, t) and not X.jumps:
            notes = ("Z is a martingale: [X] is a bounded function of time on every [0, T] (Novikov)",)
    return Derived(value, steps, notes)


def martingale_test(process: ItoProcess, f: Any) -> MartingaleTest:
    """Whether f(t, X) is a (local) martingale.

    Raises:
        InputError: f is no single expression; take a state of a system.
    """
    if isinstance(f, tuple):
        raise InputError(f"the process has the states {', '.join(map(str, f))}; name one, or a function of them")
    df = chain(process, f)
    drift = brief(df.compensated_drift)
    local = _is_zero(drift, df)
    if not local:
        return MartingaleTest(local, None if local is None else False, drift, df, _drift_notes(drift, local))
    martingale, note = _is_true(df)
    if df.jumps and any(N.mean(c).has(sp.Integral) for N, c in df.jumps.items()):
        return MartingaleTest(None, None, drift, df, ("the compensator has an integral that was not found",))
    return MartingaleTest(True, martingale, drift, df, (note,))


def _is_zero(drift: sp.Expr, df: Differential) -> bool | None:
    """Whether the drift vanishes for all states; checked at numbers where SymPy does not find that it does."""
    if drift == 0:
        return True
    if drift.has(sp.Integral, sp.Derivative, sp.core.function.AppliedUndef):
        return None
    symbols = sorted(drift.free_symbols, key=str)
    for k in range(3):
        places: Any = {s: sp.Rational(7 + 4 * i + 3 * k, 9 + k) for i, s in enumerate(symbols)}
        value = sp.N(drift.subs(places), 30)
        if value.is_number and value.is_finite and abs(value) > 1e-15:
            return False
    return None


def _drift_notes(drift: sp.Expr, local: bool | None) -> tuple[str, ...]:
    if local is None:
        return ("the drift was neither simplified to 0 nor found to differ from it",)
    if drift.is_nonnegative:
        return ("the drift is never negative: if it is integrable, this is a submartingale",)
    if drift.is_nonpositive:
        return ("the drift is never positive: if it is integrable, this is a supermartingale",)
    return ()


def _is_true(df: Differential) -> tuple[bool | None, str]:
    """Whether a local martingale is a martingale, and why."""
    states, t, process = df.process.states, df.time, df.process
    parts = list(df.diffusion.values())
    jumps = [N.rate * N.mean(c**2) for N, c in df.jumps.items()]
    if all(deterministic(e, states, t) for e in (*parts, *jumps)):
        return (
            True,
            "its integrands are bounded functions of time, so its integral is square-integrable on every [0, T]",
        )
    powers = [growth(e, states, t) for e in parts]
    jump_powers = [growth(e, states, t) for e in jumps]
    if all(p == 0 for p in (*powers, *jump_powers)):
        return True, "its integrands are bounded, so its integral is square-integrable on every [0, T]"
    if _gaussian(process, t) and all(exponential_polynomial(e, states, t) for e in parts):
        return (
            True,
            "X is Gaussian, and the second moments of its integrands are finite, where X_0 is fixed or Gaussian",
        )
    known = all(p is not None for p in (*powers, *jump_powers)) and _linear(process, t)
    if known and not process.jump_columns:
        return True, "the coefficients grow at most linearly, so X has all moments, where X_0 has them"
    if known and all(p is not None and p <= 1 for p in powers) and all(p is not None and p <= 2 for p in jump_powers):
        return True, "the coefficients grow at most linearly, so X has second moments, where X_0 has them"
    verdict = _positive_diffusion(df)
    if verdict is not None:
        return verdict
    return None, "it is to be checked that E sup |f| is finite, or that its integrand is square-integrable"


def _gaussian(process: ItoProcess, t: sp.Symbol) -> bool:
    """Whether the drift is linear and the noise additive."""
    slopes = [sp.diff(a, s) for a in process.drifts for s in process.states]
    levels = [a.subs(dict.fromkeys(process.states, 0)) for a in process.drifts]
    entries = [e for column in process.columns.values() for e in column]
    return not process.jump_columns and all(deterministic(e, process.states, t) for e in (*slopes, *levels, *entries))


def _linear(process: ItoProcess, t: sp.Symbol) -> bool:
    """Whether all coefficients are of linear growth, those of jumps in mean square."""
    entries = [*process.drifts, *(e for column in process.columns.values() for e in column)]
    found = [growth(e, process.states, t) for e in entries]
    squares = [N.rate * N.mean(e**2) for N, column in process.jump_columns.items() for e in column]
    jumps = [growth(e, process.states, t) for e in squares]
    return all(p is not None and p <= 1 for p in found) and all(p is not None and p <= 2 for p in jumps)


def _positive_diffusion(df: Differential) -> tuple[bool, str] | None:
    """dX = c X^p dW on (0, oo) is a martingale exactly where int^oo x^(1 - 2p) dx diverges, that is, p <= 1."""
    process = df.process
    if len(process.states) != 1 or process.jump_columns or len(df.diffusion) != 1:
        return None
    x, b = process.states[0], next(iter(df.diffusion.values()))
    c, power = b.as_independent(x, as_Add=False)
    base, p = power.as_base_exp()
    plain = df.value == x and base == x and p.is_number and not c.has(df.time) and process.drifts[0] == 0
    if not plain or not x.is_positive:
        return None
    if p <= 1:
        return True, f"X is positive and int x/B(x)^2 dx over [1, oo) diverges (B = c x^p with p = {p} <= 1)"
    return (
        False,
        f"X is positive and int x/B(x)^2 dx over [1, oo) is finite (B = c x^p with p = {p} > 1): E X_t decreases",
    )
