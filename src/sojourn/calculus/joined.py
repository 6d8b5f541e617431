"""Processes side by side as one process, and Brownian motions and Poisson processes as states of it."""

from __future__ import annotations

from typing import Any

import sympy as sp

from sojourn.calculus.noises import Brownian, Poisson
from sojourn.calculus.process import ItoProcess
from sojourn.errors import InputError


def joined(X: ItoProcess, Y: ItoProcess) -> ItoProcess:
    """One process with the states of both, which may share some of them.

    Raises:
        InputError: they give one name to different states, or one parameter different values.
    """
    if X == Y:
        return X
    for i, s in enumerate(Y.states):
        if s in X.states and _row(X, X.states.index(s)) != _row(Y, i):
            raise InputError(f"both processes call a state {s}, with different equations; rename one of them")
    for name, value in X.values.items():
        if name in Y.values and Y.values[name] is not value and not _equal(value, Y.values[name]):
            raise InputError(
                f"{name} is {value} in one process and {Y.values[name]} in the other; give them symbols of their own"
            )
    extra = [i for i, s in enumerate(Y.states) if s not in X.states]
    if not extra:
        return X

    def columns(mine: dict[Any, Any], other: dict[Any, Any]) -> dict[Any, list[sp.Expr]]:
        zeros, more = [sp.S.Zero] * len(X.states), [sp.S.Zero] * len(extra)
        return {
            n: [*mine.get(n, zeros), *([other[n][i] for i in extra] if n in other else more)]
            for n in dict.fromkeys((*mine, *other))
        }

    starts = None if X.starts is None or Y.starts is None else [*X.starts, *(Y.starts[i] for i in extra)]
    return ItoProcess(
        [*X.states, *(Y.states[i] for i in extra)],
        [*X.drifts, *(Y.drifts[i] for i in extra)],
        columns(X.columns, Y.columns),
        jumps=columns(X.jump_columns, Y.jump_columns),
        initial=starts,
        values=X.values | Y.values,
    )


def with_noises(process: ItoProcess, f: sp.Expr) -> ItoProcess:
    """The process with the noises in f as further states."""
    noises = [n for n in noises_in(f) if n not in process.states]
    return joined(process, driven_by(noises)) if noises else process


def driven_by(noises: list[Any]) -> ItoProcess:
    """The process whose states are the noises themselves, from 0."""
    n = len(noises)
    own = {N: [sp.S.One if k == i else sp.S.Zero for k in range(n)] for i, N in enumerate(noises)}
    return ItoProcess(
        noises,
        [0] * n,
        {W: column for W, column in own.items() if isinstance(W, Brownian)},
        jumps={N: column for N, column in own.items() if isinstance(N, Poisson)},
        initial=[0] * n,
    )


def noises_in(f: sp.Expr) -> list[Any]:
    """The Brownian motions and Poisson processes in an expression, by name."""
    return sorted((s for s in f.free_symbols if isinstance(s, (Brownian, Poisson))), key=lambda s: s.name)


def _equal(one: Any, other: Any) -> bool:
    return not hasattr(one, "shape") and not hasattr(other, "shape") and bool(one == other)


def _row(X: ItoProcess, i: int) -> tuple[sp.Expr, dict[Any, sp.Expr]]:
    """Drift and coefficients of the i-th state."""
    return X.drifts[i], {n: c[i] for n, c in (X.columns | X.jump_columns).items() if c[i] != 0}
