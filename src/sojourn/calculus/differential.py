"""Ito's rules: the differential of a function, a product, a quotient of processes, step by step.

df = (f_t + sum_i a_i f_i + 1/2 sum_ik (B rho B^T)_ik f_ik) dt + sum_ik f_i B_ik dW_k + sum_l [f(x + c_l) - f(x)] dN_l

Sources: Oksendal, Stochastic Differential Equations, ch. 4; Protter, Stochastic Integration, ch. II.7, for jumps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from sojourn.calculus.derive import chain_steps, covariation_steps, product_steps, quotient_steps, sum_steps
from sojourn.calculus.joined import driven_by, joined, noises_in, with_noises
from sojourn.calculus.noises import Brownian, Poisson
from sojourn.calculus.process import ItoProcess
from sojourn.calculus.shown import Shown
from sojourn.calculus.steps import Derived, Form, Step
from sojourn.calculus.table import multiply
from sojourn.calculus.tidy import tidy
from sojourn.errors import InputError


@dataclass(frozen=True, eq=False, repr=False)
class Differential(Shown):
    """df = drift dt + sum diffusion[W] dW + sum jumps[N] dN, for a function f of a process.

    Attributes:
        value: f.
        drift: the coefficient of dt; jumps are not compensated in it.
        diffusion: Brownian motion -> its coefficient.
        jumps: Poisson process -> the size of f's jump, where the states are those just before the jump.
        process: the process whose states f is written in; Brownian motions and Poisson processes in f are states of it.
        time: the symbol of time.
        steps: how it was found.
    """

    value: sp.Expr
    drift: sp.Expr
    diffusion: dict[Brownian, sp.Expr]
    jumps: dict[Poisson, sp.Expr]
    process: ItoProcess
    time: sp.Symbol
    steps: tuple[Step, ...] = ()

    @property
    def form(self) -> Form:
        """drift dt + diffusion dW + jumps dN, to be shown."""
        return Form.of(
            [(self.drift, self.time), *((c, W) for W, c in (self.diffusion | self.jumps).items())], self.process.states
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of jumps, and of a function that has no second derivative somewhere."""
        found = []
        if not self.value.free_symbols & set(self.process.states):
            found.append(f"no state stands in f; the states are {', '.join(map(str, self.process.states))}")
        if self.jumps:
            found.append("the coefficient of a jump is taken just before it")
        if any(e.has(sp.DiracDelta) for e in (self.drift, self.value)):
            found.append("f has a kink, and the delta function is its local time: Tanaka's formula")
        return tuple(found)

    @property
    def compensated_drift(self) -> sp.Expr:
        """drift + sum rate E[jump]: the drift that is left when dN - rate dt, a martingale, stands for dN."""
        return tidy(self.drift + sum((N.rate * N.mean(c) for N, c in self.jumps.items()), sp.S.Zero))

    def as_process(self, name: str | sp.Symbol = "Y") -> ItoProcess:
        """The SDE of Y = f(t, X) by itself.

        Raises:
            InputError: f has no inverse in a state, or the coefficients need more than Y.
        """
        from sojourn.calculus.closed import closed

        return closed(self, name)

    def __add__(self, other: Differential) -> Differential:
        return _sum(self, other, 1)

    def __sub__(self, other: Differential) -> Differential:
        return _sum(self, other, -1)

    def __mul__(self, factor: Any) -> Differential:
        c = sp.sympify(factor)
        if not isinstance(c, sp.Expr) or c.has(self.time, *self.process.states):
            raise InputError(
                f"{factor} is no constant; d(XY) is product(X, Y), and a table is printed by table(W1, W2)"
            )
        return Differential(
            c * self.value,
            tidy(c * self.drift),
            {W: tidy(c * b) for W, b in self.diffusion.items()},
            {N: tidy(c * b) for N, b in self.jumps.items()},
            self.process,
            self.time,
        )

    __rmul__ = __mul__


def ito(f: Any) -> Differential:
    """df for a function of time, Brownian motions and Poisson processes alone: ito(W**2) is dt + 2 W dW.

    Raises:
        InputError: none of them stands in f.
    """
    f = sp.sympify(f)
    noises = noises_in(f)
    if not noises:
        raise InputError(f"{f} has no Brownian motion in it; make one with W = brownian('W'), or use X.of(f)")
    return chain(driven_by(noises), f)


def chain(process: ItoProcess, f: Any) -> Differential:
    """df(t, X) by Ito's chain rule; f may also contain Brownian motions and Poisson processes.

    Raises:
        InputError: f is no expression, or has a state's or time's name in a different symbol.
    """
    f, time = process.read(f)
    process = with_noises(process, f)
    x = process.states
    covariance = process.covariance()
    first = [sp.diff(f, s) for s in x]
    drift = sp.diff(f, time) + sum((a * g for a, g in zip(process.drifts, first, strict=True)), sp.S.Zero)
    for i in range(len(x)):
        for k in range(len(x)):
            if covariance[i, k] != 0:
                drift += covariance[i, k] * sp.diff(f, x[i], x[k]) / 2
    diffusion = {
        W: tidy(sum((b * g for b, g in zip(column, first, strict=True)), sp.S.Zero))
        for W, column in process.columns.items()
    }
    jumps = {N: tidy(_moved(f, x, column) - f) for N, column in process.jump_columns.items()}
    found = Differential(
        f,
        tidy(drift),
        {W: b for W, b in diffusion.items() if b != 0},
        {N: c for N, c in jumps.items() if c != 0},
        process,
        time,
    )
    return _stepped(found, chain_steps(found))


def product(X: ItoProcess | Differential, Y: ItoProcess | Differential) -> Differential:
    """d(XY) = X dY + Y dX + dX dY, also of differentials of functions; jumps multiply by dN dN = dN.

    Raises:
        InputError: a process has several states (take X.of(x1)), or both give one name to different states.
    """
    X, Y, process = _together(X, Y)
    f, g = X.value, Y.value
    cross = _cross(X, Y)
    found = Differential(
        f * g,
        tidy(f * Y.drift + g * X.drift + cross),
        _combined(X.diffusion, Y.diffusion, lambda b, c: f * c + g * b),
        _combined(X.jumps, Y.jumps, lambda b, c: f * c + g * b + b * c),
        process,
        X.time,
    )
    return _stepped(found, product_steps(X, Y, cross, found))


def quotient(X: ItoProcess | Differential, Y: ItoProcess | Differential) -> Differential:
    """d(X/Y) = dX/Y - X dY/Y^2 - dX dY/Y^2 + X (dY)^2/Y^3; a jump takes X/Y to (X + c)/(Y + c').

    Raises:
        InputError: as `product`; or Y is 0.
    """
    X, Y, process = _together(X, Y)
    f, g = X.value, Y.value
    if g == 0:
        raise InputError("the denominator of the quotient is 0; give a process that is not")
    cross, square = _cross(X, Y), _cross(Y, Y)
    found = Differential(
        f / g,
        tidy(X.drift / g - f * Y.drift / g**2 - cross / g**2 + f * square / g**3),
        _combined(X.diffusion, Y.diffusion, lambda b, c: b / g - f * c / g**2),
        _combined(X.jumps, Y.jumps, lambda b, c: (f + b) / (g + c) - f / g),
        process,
        X.time,
    )
    return _stepped(found, quotient_steps(X, Y, cross, square, found))


def covariation(X: ItoProcess | Differential, Y: ItoProcess | Differential) -> Derived:
    """d[X, Y]/dt of the continuous parts: sum_kl b_k c_l rho_kl; a matrix where X or Y has several states."""
    left, right = _parts(X), _parts(Y)
    joined = [[_together(x, y) for y in right] for x in left]
    entries = [[tidy(_cross(x, y)) for x, y, _ in row] for row in joined]
    jumping = {N for row in joined for x, y, _ in row for N in x.jumps if N in y.jumps}
    notes = tuple(f"a jump of {N} adds the product of the two jumps to [X, Y]" for N in sorted(jumping, key=str))
    if len(left) == len(right) == 1:
        return Derived(entries[0][0], covariation_steps(*joined[0][0][:2], entries[0][0]), notes)
    steps = tuple(
        s
        for i, row in enumerate(joined)
        for k, (x, y, _) in enumerate(row)
        if left is not right and (X != Y or k >= i)
        for s in covariation_steps(x, y, entries[i][k])
    )
    return Derived(sp.Matrix(entries), steps, notes)


def _moved(f: Any, states: tuple[sp.Symbol, ...], sizes: tuple[sp.Expr, ...]) -> sp.Expr:
    """f where the states have jumped."""
    places = {s: s + c for s, c in zip(states, sizes, strict=True) if c != 0}
    return f.subs(places, simultaneous=True) if f.has(sp.Derivative, sp.Integral) else f.xreplace(places)


def _cross(X: Differential, Y: Differential) -> sp.Expr:
    """dX dY / dt of the continuous parts."""
    out = sp.S.Zero
    for W, b in X.diffusion.items():
        for V, c in Y.diffusion.items():
            out += b * c * multiply(W, V)[0]
    return out


def _combined(left: dict[Any, sp.Expr], right: dict[Any, sp.Expr], rule: Any) -> dict[Any, sp.Expr]:
    """Noise -> rule(its coefficient on the left, on the right), without zeros."""
    noises = list(dict.fromkeys((*left, *right)))
    out = {n: tidy(rule(left.get(n, sp.S.Zero), right.get(n, sp.S.Zero))) for n in noises}
    return {n: c for n, c in out.items() if c != 0}


def _sum(X: Differential, Y: Differential, sign: int) -> Differential:
    X, Y, process = _together(X, Y)
    found = Differential(
        X.value + sign * Y.value,
        tidy(X.drift + sign * Y.drift),
        _combined(X.diffusion, Y.diffusion, lambda b, c: b + sign * c),
        _combined(X.jumps, Y.jumps, lambda b, c: b + sign * c),
        process,
        X.time,
    )
    return _stepped(found, sum_steps(X, Y, sign, found))


def _stepped(found: Differential, steps: tuple[Step, ...]) -> Differential:
    return Differential(found.value, found.drift, found.diffusion, found.jumps, found.process, found.time, steps)


def _parts(X: ItoProcess | Differential) -> list[Differential]:
    if isinstance(X, Differential):
        return [X]
    if not isinstance(X, ItoProcess):
        raise InputError(f"{X!r} is neither an ItoProcess nor a Differential; make one with X.of(f)")
    return [_differential_of(X, i) for i in range(len(X.states))]


def _differential_of(X: ItoProcess, i: int) -> Differential:
    """dX_i as the process gives it."""
    return Differential(
        X.states[i],
        X.drifts[i],
        {W: column[i] for W, column in X.columns.items() if column[i] != 0},
        {N: column[i] for N, column in X.jump_columns.items() if column[i] != 0},
        X,
        X.time,
    )


def _together(X: Any, Y: Any) -> tuple[Differential, Differential, ItoProcess]:
    """Both as differentials of functions of one process."""
    out = []
    for part in (X, Y):
        listed = _parts(part)
        if len(listed) > 1:
            names = ", ".join(map(str, part.states))
            raise InputError(f"the process has the states {names}; say of which with X.of({part.states[0]})")
        out.append(listed[0])
    left, right = out
    process = joined(left.process, right.process)
    time = left.time if left.process.uses_time(left.value) else right.time
    if left.time != right.time and left.process.uses_time(left.value) and right.process.uses_time(right.value):
        raise InputError("two different symbols are called t; make it once, with symbols('t', positive=True)")
    left, right = (Differential(d.value, d.drift, d.diffusion, d.jumps, process, time) for d in (left, right))
    return left, right, process
