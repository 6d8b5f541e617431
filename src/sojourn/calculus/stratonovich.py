"""Stratonovich's form of a process: dX = a' dt + B o dW, with the ordinary chain rule.

a'_i = a_i - 1/2 sum_jkl rho_kl B_jl d_j B_ik,    g o dW = g dW + 1/2 dg dW

Sources: Kloeden and Platen, Numerical Solution of SDEs, 4.9; with jumps, whose part stays Ito's, Protter, V.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.calculus.derive import continuous_part, jump_name
from sojourn.calculus.differential import Differential, chain
from sojourn.calculus.names import unused
from sojourn.calculus.noises import Brownian
from sojourn.calculus.process import ItoProcess
from sojourn.calculus.shown import Shown
from sojourn.calculus.steps import Form, Partial, Step
from sojourn.calculus.tidy import tidy

if TYPE_CHECKING:
    from sojourn.processes.ito.discretised import Discretised


class StratonovichProcess(Shown):
    """dX = drift dt + diffusion o dW, for the arguments of `ItoProcess`."""

    def __init__(
        self,
        state: sp.Symbol | Sequence[sp.Symbol],
        drift: Any,
        diffusion: Mapping[Brownian, Any],
        *,
        initial: Any = None,
        jumps: Mapping[Any, Any] | None = None,
        values: Mapping[str, Any] | None = None,
        steps: tuple[Step, ...] = (),
    ) -> None:
        self.coefficients = ItoProcess(state, drift, diffusion, initial=initial, jumps=jumps, values=values)
        self.states, self.time = self.coefficients.states, self.coefficients.time
        self.steps = steps

    @property
    def drift(self) -> Any:
        """a': an expression, or a column vector."""
        return self.coefficients.drift

    @property
    def diffusion(self) -> dict[Brownian, Any]:
        """Brownian motion -> its column of B."""
        return self.coefficients.diffusion

    def to_ito(self) -> ItoProcess:
        """The same process as dX = (a' + 1/2 sum_jkl rho_kl B_jl d_j B_ik) dt + B dW."""
        c = self.coefficients
        return c._with(drift=[tidy(a + e) for a, e in zip(c.drifts, correction(c), strict=True)])

    def discretise(self, dt: float, scheme: str = "heun", **options: Any) -> Discretised:
        """The process in steps of `dt`, by way of Ito's form; see `ItoProcess.discretise`."""
        return self.to_ito().discretise(dt, scheme, **options)

    def of(self, f: Any) -> StratonovichDifferential:
        """df = f_t dt + sum_i f_i o dX_i, the ordinary chain rule."""
        return _ordinary_chain(self, f)

    @property
    def lines(self) -> tuple[Step, ...]:
        """The equations."""
        c = self.coefficients
        return tuple(Step("", Form.of([(1, s)], c.states), _form(c, i)) for i, s in enumerate(c.states))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StratonovichProcess) and self.coefficients == other.coefficients

    def __hash__(self) -> int:
        return hash(("stratonovich", self.coefficients))


@dataclass(frozen=True, eq=False)
class StratonovichDifferential:
    """df = drift dt + sum diffusion[W] o dW + sum jumps[N] dN; `to_ito()` is Ito's form of it."""

    value: sp.Expr
    drift: sp.Expr
    diffusion: dict[Brownian, sp.Expr]
    jumps: dict[Any, sp.Expr]
    process: StratonovichProcess
    time: sp.Symbol
    steps: tuple[Step, ...] = ()

    def to_ito(self) -> Differential:
        """The Ito differential of the same function, from g o dW = g dW + 1/2 dg dW, not from Ito's chain rule."""
        ito, extra = self.process.to_ito(), sp.S.Zero
        for W, g in self.diffusion.items():
            dg = chain(ito, g)
            extra += sum((b * V.correlation(W) for V, b in dg.diffusion.items()), sp.S.Zero) / 2
        return Differential(self.value, tidy(self.drift + extra), self.diffusion, self.jumps, ito, self.time)

    @property
    def lines(self) -> tuple[Step, ...]:
        """The equation."""
        states = self.process.states
        terms = [(self.drift, self.time), *((c, n) for n, c in (self.diffusion | self.jumps).items())]
        return (Step("", Form.of([(1, self.value)], states), Form.of(terms, states, stratonovich=True)),)

    def __repr__(self) -> str:
        from sojourn.calculus.show import text

        return text(self)


def from_ito(process: ItoProcess) -> StratonovichProcess:
    """The Stratonovich form of an Ito process, with the steps from the one to the other."""
    extra = correction(process)
    drift = [tidy(a - e) for a, e in zip(process.drifts, extra, strict=True)]
    steps = [
        Step("Ito's form", Form.of([(1, s)], process.states), _ito_form(process, i))
        for i, s in enumerate(process.states)
    ]
    for i, s in enumerate(process.states):
        subscript = "" if process.scalar else f"_{s.name}"
        for W, column in process.columns.items():
            if column[i] == 0:
                continue
            change = _cross(process, column[i], W)
            left = Form.of([(1, (column[i], W))], process.states)
            steps.append(
                Step(
                    "Stratonovich's g dW is Ito's plus 1/2 dg dW; by the table",
                    left,
                    Form.of([(change, process.time)], process.states),
                )
            )
        steps.append(Step("hence Stratonovich's drift is less half of it", sp.Symbol(f"a'{subscript}"), drift[i]))
    c = process._with(drift=drift)
    found = StratonovichProcess(process.state, c.drift, c.diffusion, initial=c.initial, jumps=c.jumps, values=c.values)
    lines = [Step("Stratonovich's form" if k == 0 else "", line.left, line.right) for k, line in enumerate(found.lines)]
    found.steps = (*steps, *lines)
    return found


def correction(process: ItoProcess) -> list[sp.Expr]:
    """1/2 sum_k dB_ik dW_k / dt, for every state: what Ito's drift has more than Stratonovich's."""
    return [
        sum((_cross(process, column[i], W) for W, column in process.columns.items()), sp.S.Zero) / 2
        for i in range(len(process.states))
    ]


def _cross(process: ItoProcess, g: sp.Expr, W: Brownian) -> sp.Expr:
    """dg dW / dt for a function g of the states."""
    out = sp.S.Zero
    for V, column in process.columns.items():
        rho = V.correlation(W)
        if rho != 0:
            out += rho * sum((b * sp.diff(g, s) for b, s in zip(column, process.states, strict=True)), sp.S.Zero)
    return out


def _ordinary_chain(process: StratonovichProcess, f: Any) -> StratonovichDifferential:
    c = process.coefficients
    f, time = c.read(f)
    name = unused("f g h", c, f)
    first = [sp.diff(f, s) for s in c.states]

    def along(column: Sequence[sp.Expr]) -> sp.Expr:
        return tidy(sum((b * g for b, g in zip(column, first, strict=True)), sp.S.Zero))

    diffusion = {W: along(column) for W, column in c.columns.items()}
    jumped = {N: {s: s + e for s, e in zip(c.states, column, strict=True)} for N, column in c.jump_columns.items()}
    jumps = {N: tidy(f.subs(places, simultaneous=True) - f) for N, places in jumped.items()}
    inside = [s for s in c.states if f.has(s)]
    left = Form.of([(1, f)], c.states)
    named = [(Partial(name, time), time)] if f.has(time) else []
    named += [(Partial(name, s), continuous_part(c, s)) for s in inside]
    leaps = [(jump_name(c, N, name), N) for N, e in jumps.items() if e != 0]
    value = {Partial(name, s): sp.diff(f, s) for s in (*inside, time)}
    steps = [Step("the ordinary chain rule", left, Form.of(named + leaps, c.states, stratonovich=True))]
    put = [(value[p], d) for p, d in named]
    steps.append(Step("", left, Form.of(put + leaps, c.states, stratonovich=True)))
    steps += [Step(f"the jump of {name}", leap, jumps[N]) for leap, N in leaps]
    found = StratonovichDifferential(
        f,
        tidy(sp.diff(f, time) + along(c.drifts)),
        {W: b for W, b in diffusion.items() if b != 0},
        {N: b for N, b in jumps.items() if b != 0},
        process,
        time,
    )
    steps += [Step("collect the terms", line.left, line.right) for line in found.lines]
    return StratonovichDifferential(found.value, found.drift, found.diffusion, found.jumps, process, time, tuple(steps))


def _form(process: ItoProcess, i: int) -> Form:
    return Form(_ito_form(process, i).terms, frozenset(process.states), stratonovich=True)


def _ito_form(process: ItoProcess, i: int) -> Form:
    columns = process.columns | process.jump_columns
    return Form.of([(process.drifts[i], process.time), *((c[i], n) for n, c in columns.items())], process.states)
