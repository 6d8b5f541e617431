"""An SDE given as text, as a process: what `sojourn simulate sde` runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sojourn.calculus.process import ItoProcess
from sojourn.calculus.text import parse_process, parse_values
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.processes.ito.discretised import Discretised


def written(equation: str, values: str, start: str) -> ItoProcess:
    """The process of an equation, with its parameters and its start, all as text; see `ItoEquation`."""
    X = parse_process(equation)
    begin = parse_values(start, "start")
    for state in X.states:
        if state.name not in begin:
            raise InputError(f"start={start!r} has no {state}; write {state}=1 or the like")
    if unknown := set(begin) - {state.name for state in X.states}:
        raise InputError(f"start={start!r} names {', '.join(sorted(unknown))}, which the equation does not have")
    begun = X.starting(begin[X.states[0].name] if X.scalar else [begin[state.name] for state in X.states])
    numbers = parse_values(values, "values")
    if missing := [s.name for s in X.parameters if s.name not in numbers]:
        raise InputError(f'the SDE depends on {missing[0]}, which has no value; add it to --values "{missing[0]}=1.0"')
    return begun(**numbers)


@dataclass(frozen=True)
class ItoEquation(Process):
    """An Ito SDE, or a system of them, written as text and stepped by a scheme.

    Args:
        equation: such as "dX = mu*X*dt + sigma*X*dW"; equations of a system, and correlations such as
            "dW1*dW2 = 0.3*dt", between semicolons.
        values: numbers for the parameters, as "mu=0.05, sigma=0.2".
        start: where the states begin, as "X=1".
        dt: time step.
        scheme: see `docs/choosing-an-sde-scheme.md`.
        dtype: "float64" or "float32".

    State: one field a state of the equation, (ensemble,).
    """

    equation: str = "dX = -X*dt + dW"
    values: str = ""
    start: str = "X=1"
    dt: float = 0.001
    scheme: str = "euler"
    dtype: Literal["float64", "float32"] = "float64"

    time_unit = "1"

    def __post_init__(self) -> None:
        _ = self.discretised

    @cached_property
    def discretised(self) -> Discretised:
        """The process that this text describes."""
        return written(self.equation, self.values, self.start).discretise(self.dt, self.scheme, dtype=self.dtype)

    def fields(self) -> dict[str, Field]:
        return self.discretised.fields()

    def initial(self, ensemble: int, noise: Noise) -> State:
        return self.discretised.initial(ensemble, noise)

    def step(self, state: State, t: int, noise: Noise) -> State:
        return self.discretised.step(state, t, noise)

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        return self.discretised.advance(state, t, steps, noise)

    def diagnose(self, state: State, t: int, member: int) -> str:
        return self.discretised.diagnose(state, t, member)
