"""What is averaged: f of the final state, as an expression or a function, and its values as an array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
import torch
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanAtom, BooleanFunction

from sojourn.calculus.process import ItoProcess
from sojourn.errors import InputError
from sojourn.process import State


@dataclass(frozen=True)
class Payoff:
    """f(X_T) for a state at T, and between which numbers it lies, where that is known."""

    function: Callable[[State], np.ndarray]
    bounds: tuple[float, float] | None

    @property
    def range(self) -> float:
        """The length of the bounds; infinity where there are none."""
        return self.bounds[1] - self.bounds[0] if self.bounds else float("inf")

    def __call__(self, state: State) -> np.ndarray:
        """The values of f, float64, (ensemble,).

        Raises:
            InputError: a value is not within the bounds.
        """
        values = self.function(state)
        if self.bounds is not None:
            low, high = self.bounds
            outside = values[(values < low) | (values > high)]
            if len(outside):
                raise InputError(
                    f"f is {outside[0]:.6g} on a path, outside bounds=({low:g}, {high:g}); give wider ones"
                )
        return values


def payoff(f: Any, process: ItoProcess, T: float, bounds: Any = None) -> Payoff:
    """The values of f(X_T); an expression may hold t, which is T, and parameters that were given a number.

    Raises:
        InputError: f is neither an expression nor a function, or depends on a symbol without a value; bounds are not
            two numbers in order.
    """
    if bounds is not None:
        bounds = _checked_bounds(bounds)
    if isinstance(f, (sp.Basic, int, float)):
        f = sp.sympify(f)
        if bounds is None and isinstance(f, (Relational, BooleanFunction, BooleanAtom)):
            bounds = (0.0, 1.0)
        return Payoff(_of_expression(f, process, T), bounds)
    if callable(f):
        return Payoff(lambda state: _checked(f(state), len(next(iter(state.values())))), bounds)
    raise InputError(f"f={f!r} is neither an expression in the states nor a function of the final state")


def _of_expression(f: Any, process: ItoProcess, T: float) -> Callable[[State], np.ndarray]:
    if unknown := f.atoms(AppliedUndef):
        raise InputError(f"f has the unknown function {min(map(str, unknown))}; put an expression in its place")
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
        if np.iscomplexobj(out):
            raise InputError(f"f={f} is not real; give its real and imaginary parts one by one")
        return np.broadcast_to(np.asarray(out, dtype=np.float64), (len(next(iter(state.values()))),))

    return values


def _checked(values: Any, ensemble: int) -> np.ndarray:
    if not isinstance(values, torch.Tensor) or tuple(values.shape) != (ensemble,):
        shape = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
        raise InputError(f"f gives {shape} for {ensemble} members; needed is a tensor of shape ({ensemble},)")
    return values.detach().to(torch.float64).numpy()


def _checked_bounds(bounds: Any) -> tuple[float, float]:
    try:
        low, high = map(float, bounds)
    except (TypeError, ValueError):
        raise InputError(f"bounds={bounds!r} are not two numbers, such as (0, 1)") from None
    if not -np.inf < low < high < np.inf:
        raise InputError(f"bounds={bounds!r} are not two finite numbers in order, such as (0, 1)")
    return low, high
