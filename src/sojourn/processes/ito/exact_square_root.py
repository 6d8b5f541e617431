"""Exact steps of square-root diffusions, whose law is a non-central chi-squared one.

dX = (k - l X) dt + s sqrt(X) dW:   X(t+h) = c Q,  Q ~ chi'^2(4 k / s^2, X(t) e^(-l h) / c),
                                    c = s^2 (1 - e^(-l h)) / (4 l)
dX = (a / X - l X) dt + s dW:       X^2 is such a process, with k = 2 a + s^2, and 2 l, 2 s in the places of l, s
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
import torch
from scipy.special import chndtrix, ndtr

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import State
from sojourn.processes.ito.coefficients import Coefficients
from sojourn.processes.ito.discretised import Discretised, plain_number
from sojourn.processes.ito.schemes import square_root
from sojourn.processes.ito.schemes.scheme import Scheme

_GRAIN = 2000  # quantiles worth a thread: five milliseconds


@dataclass(frozen=True)
class ExactSquareRoot(Discretised):
    """A Cox-Ingersoll-Ross, Bessel or radial Ornstein-Uhlenbeck process stepped by its law, whatever the step.

    The quantile of the law is taken where the increment of the Brownian motion lies in its own, so that it goes the way
    of the other schemes' paths. A step takes a core 5 microseconds where X = 25 s^2 h, 130 where X = 25000 s^2 h;
    it has no gradients.

    Raises:
        InputError: the equation has another form, k or s^2 is not positive, a parameter is a tensor that asks for its
            gradient or has one number a member, or the process is to follow substeps.
    """

    scheme: str = "exact"

    @property
    def method(self) -> Scheme:
        return LAW

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.substeps > 1:
            raise InputError(f"substeps={self.substeps}: the law of a step is no function of its parts; use substeps=1")
        for name, value in self.parameters.items():
            if not plain_number(value):
                raise InputError(
                    f"scheme='exact' of a square-root process takes one number for {name}, without a gradient; use "
                    f"scheme='square-root'"
                )
        k, _, s = self._numbers
        if not (k > 0 and s != 0):
            raise InputError(f"scheme='exact' needs k > 0 and s != 0 in dX = (k - l X) dt + s sqrt(X) dW, not {k}, {s}")

    def step(self, state: State, t: int, noise: Noise) -> State:
        from sojourn.kernels.threads import share

        ((name, x),) = state.items()
        if x.device.type != "cpu" or x.requires_grad:
            raise InputError(f"scheme='exact' of {name} runs on the CPU and has no gradients; use scheme='square-root'")
        k, rate, s = self._numbers
        c = s * s * (-np.expm1(-rate * self.dt) / rate if rate else self.dt) / 4
        values = x.double().numpy() ** (2 if self._bessel else 1)
        if (values < 0).any():
            raise InputError(f"{name} = {values.min():.4g} is negative; a square-root process starts at 0 or above")
        w = self.increments(t, len(x), noise, torch.float64, "cpu").W[0].numpy()
        new = np.empty_like(values)

        def quantile(begin: int, end: int) -> None:
            u, centre = ndtr(w[begin:end] / self.dt**0.5), values[begin:end] * np.exp(-rate * self.dt) / c
            new[begin:end] = c * chndtrix(u, 4 * k / (s * s), centre)

        share(quantile, len(values), _GRAIN)
        return {name: torch.from_numpy(np.sqrt(new) if self._bessel else new).to(x.dtype)}

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        for j in range(t, t + steps):
            state = self.step(state, j, noise)
        return state

    @cached_property
    def _bessel(self) -> bool:
        return square_root.form(self.coefficients, 0) is None

    @cached_property
    def _numbers(self) -> tuple[float, float, float]:
        """k, l, s of the square-root process."""
        found = form(self.coefficients)
        assert found is not None
        places = {s: sp.Float(float(self.parameters[s.name]), 17) for s in self.coefficients.parameters}
        k, rate, s = (float(sp.N(e.xreplace(places))) for e in found)
        return k, rate, s


def _is_one(coefficients: Coefficients) -> None:
    if form(coefficients) is None:
        raise InputError(
            f"no square-root process: drift {coefficients.drift[0]}, diffusion {coefficients.diffusion[0]}"
        )


def _no_arithmetic(*arguments: Any) -> list[Any]:
    raise InputError("scheme='exact' of a square-root process is its law, not arithmetic; use scheme='square-root'")


LAW = Scheme(
    "exact",
    _no_arithmetic,
    "W",
    strong=1.0,
    weak=float("inf"),
    reference="Cox, Ingersoll and Ross, Econometrica 53 (1985)",
    check=_is_one,
)


def form(coefficients: Coefficients) -> tuple[sp.Expr, sp.Expr, sp.Expr] | None:
    """(k, l, s) of one equation with one noise, of X or of X^2 where X is a Bessel process; None if it is neither."""
    if len(coefficients.states) != 1 or coefficients.noises != 1:
        return None
    if found := square_root.form(coefficients, 0):
        return found
    x, variable = coefficients.states[0], {*coefficients.states, coefficients.time}
    s: Any = coefficients.diffusion[0][0]
    times: Any = sp.expand(coefficients.drift[0] * x)  # a - l x^2
    a, rate = times.subs(x, 0), -times.coeff(x, 2)
    if sp.simplify(times - a + rate * x**2) != 0 or (s.free_symbols | a.free_symbols | rate.free_symbols) & variable:
        return None
    return None if a == 0 else (2 * a + s**2, 2 * rate, 2 * s)
