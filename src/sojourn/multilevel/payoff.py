"""What is averaged: f of the final state, as an expression or a function, and its values as an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp
import torch

from sojourn.calculus.process import ItoProcess
from sojourn.errors import InputError
from sojourn.process import State

Payoff = Callable[[State], np.ndarray]
"""Final state -> the values of f, float64, (ensemble,)."""


def payoff(f: Any, process: ItoProcess, T: float) -> Payoff:
    """The values of f(X_T); an expression may hold t, which is T, and parameters that were given a number.

    Raises:
        InputError: f is neither an expression nor a function, or depends on a symbol without a value.
    """
    if isinstance(f, (sp.Basic, int, float)):
        return _of_expression(sp.sympify(f), process, T)
    if callable(f):
        return lambda state: _checked(f(state), len(next(iter(state.values()))))
    raise InputError(f"f={f!r} is neither an expression in the states nor a function of the final state")


def _of_expression(f: Any, process: ItoProcess, T: float) -> Payoff:
    states = {s.name: s for s in process.states}
    places: dict[Any, Any] = {}
    for symbol in f.free_symbols:
        if symbol.name in states:
            places[symbol] = states[symbol.name]
        elif symbol.name == process.time.name:
            places[symbol] = T
        elif symbol.name in process.values:
            places[symbol] = float(process.values[symbol.name])
        else:
            raise InputError(f"f depends on {symbol}, which is no state and has no value; put a number in its place")
    function = sp.lambdify(process.states, f.subs(places), ["numpy", "scipy"])

    def values(state: State) -> np.ndarray:
        with np.errstate(all="ignore"):  # what is not finite is found by who asked
            out = function(*(state[name].numpy() for name in states))
        return np.broadcast_to(np.asarray(out, dtype=np.float64), (len(next(iter(state.values()))),))

    return values


def _checked(values: Any, ensemble: int) -> np.ndarray:
    if not isinstance(values, torch.Tensor) or tuple(values.shape) != (ensemble,):
        shape = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
        raise InputError(f"f gives {shape} for {ensemble} members; needed is a tensor of shape ({ensemble},)")
    return values.detach().to(torch.float64).numpy()
