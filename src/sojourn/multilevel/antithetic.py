"""The antithetic twin of a fine path: the same Brownian increments, but those of each pair of steps exchanged.

Y_l = (P_l + P_l') / 2 - P_(l-1). The twin has the law of the fine path, so E Y_l is E P_l - E P_(l-1). Exchanging the
two increments changes the sign of what the pair of steps adds to the Levy areas, so the areas that the truncated
Milstein scheme lacks cancel to leading order: Var Y_l falls with order 2 for smooth f, and the strong order is but 1/2.

Source: Giles and Szpruch, Annals of Applied Probability 24 (2014).
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from sojourn.noise import Noise
from sojourn.process import State
from sojourn.processes.ito.discretised import Discretised

SCHEME = "milstein-truncated"
"""The scheme that goes with a twin."""


def run_twin(process: Discretised, steps: int, ensemble: int, noise: Noise) -> State:
    """The twin's state after an even number of steps."""
    clocked = with_clock(process)
    state = clocked.initial(ensemble, noise)
    for k in range(steps):
        state = clocked.advance(state, k ^ 1, 1, noise)  # step k sees the increments of its neighbour
    return {name: state[name] for name in process.fields()}


def with_clock(process: Discretised) -> Discretised:
    """The same process with time as one more state, so that a step is not told its time by its number."""
    c = process.coefficients
    expressions = [*c.drift, *(entry for row in c.diffusion for entry in row)]
    if not any(e.has(c.time) for e in expressions):
        return process
    clock = sp.Symbol("clock of the twin", **c.time.assumptions0)
    places = {c.time: clock}
    coefficients = replace(
        c,
        time=sp.Symbol("no time"),
        states=(*c.states, clock),
        drift=(*(a.xreplace(places) for a in c.drift), sp.S.One),
        diffusion=(*(tuple(b.xreplace(places) for b in row) for row in c.diffusion), (sp.S.Zero,) * c.noises),
    )
    return replace(process, coefficients=coefficients, start={**process.start, clock.name: 0.0})
