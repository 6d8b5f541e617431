"""An Ito SDE stepped by a scheme, as a process: one declaration gives the PyTorch step and the fast kernel."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
import sympy as sp
import torch

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.processes.ito import increments as inc
from sojourn.processes.ito.coefficients import Coefficients
from sojourn.processes.ito.printing import torch_step
from sojourn.processes.ito.program import Program, record
from sojourn.processes.ito.schemes import find
from sojourn.processes.ito.schemes.scheme import Scheme

_ROOM = 2**23  # normals drawn at once, which bounds the memory


@dataclass(frozen=True)
class Discretised(Process):
    """dX = a(t, X) dt + B(t, X) dW, stepped by `scheme`.

    The Brownian path belongs to the seed and the member, not to the scheme: with `substeps=n`, a step of `dt` follows
    the sum of n increments of dt / n, which are those that a process of that dt (and substeps=1) would see.

    Args:
        coefficients: a and B.
        parameters: a number for every parameter by name; or a tensor, of one number or one a member, which may ask for
            its gradient.
        start: where every state begins, by name; a number or a tensor of one a member.
        dt: time step.
        scheme: a name from `schemes`.
        substeps: increments to a step.
        dtype: "float64" or "float32".

    State: one field a state symbol, (ensemble,).
    """

    coefficients: Coefficients
    parameters: Mapping[str, Any]
    start: Mapping[str, Any]
    dt: float = 0.01
    scheme: str = "euler"
    substeps: int = 1
    dtype: Literal["float64", "float32"] = "float64"

    time_unit = "1"

    def __post_init__(self) -> None:
        check_steps(self.dt, self.substeps, self.dtype)
        for symbol in self.coefficients.parameters:
            if symbol.name not in self.parameters:
                raise InputError(
                    f"the SDE depends on {symbol}, which has no value; give it one, such as X({symbol}=1.0)"
                )
            _check_parameter(symbol.name, self.parameters[symbol.name])
        self.method.check(self.coefficients)
        if self.method.checks_numbers:
            self.method.check(self._with_numbers())
        if self.substeps > 1 and self.method.kind == "WV":
            raise InputError(f"scheme={self.scheme!r} is right in law only and cannot follow a path; use substeps=1")

    @property
    def method(self) -> Scheme:
        """The scheme itself: its orders, what it needs, where it is from."""
        return find(self.scheme)

    def _with_numbers(self) -> Coefficients:
        """The coefficients with exact fractions for those parameters that are one number."""
        c = self.coefficients
        places = {
            s: sp.Rational(float(self.parameters[s.name]))
            for s in c.parameters
            if plain_number(self.parameters[s.name])
        }

        def put(expression: Any) -> Any:
            return sp.sympify(expression).xreplace(places)

        return Coefficients(
            c.time,
            c.states,
            tuple(put(a) for a in c.drift),
            tuple(tuple(put(b) for b in row) for row in c.diffusion),
        )

    @cached_property
    def program(self) -> Program:
        """The step in symbols."""
        return _program(self.method, self.coefficients)

    @cached_property
    def levy_terms(self) -> int:
        """Terms of the Levy areas' series; 0 where there are no areas."""
        return _terms(self.method.kind, self.coefficients.noises, self.dt / self.substeps)

    def fields(self) -> dict[str, Field]:
        return {s.name: Field((), (), getattr(torch, self.dtype), "1", s.name) for s in self.coefficients.states}

    def initial(self, ensemble: int, noise: Noise) -> State:
        state = {}
        for symbol in self.coefficients.states:
            if symbol.name not in self.start:
                raise InputError(f"no initial value of {symbol}; give one: ItoProcess(..., initial=...), or a state")
            value = torch.as_tensor(self.start[symbol.name], dtype=getattr(torch, self.dtype))
            if value.ndim and value.shape != (ensemble,):
                raise InputError(f"initial {symbol} has shape {tuple(value.shape)}; needed is () or ({ensemble},)")
            state[symbol.name] = value.expand(ensemble).clone()
        return state

    def step(self, state: State, t: int, noise: Noise) -> State:
        x = [state[symbol.name] for symbol in self.coefficients.states]
        dtype, device = x[0].dtype, x[0].device
        p = [self._parameter(s.name, len(x[0]), dtype, device) for s in self.coefficients.parameters]
        w = self.increments(t, len(x[0]), noise, dtype, device).values
        time = torch.tensor(t * self.dt, dtype=dtype)
        new = torch_step(self.program)(time, torch.tensor(self.dt, dtype=dtype), p, x, w)
        return {
            symbol.name: torch.as_tensor(value, dtype=dtype).expand(len(x[0]))
            for symbol, value in zip(self.coefficients.states, new, strict=True)
        }

    def _parameter(self, name: str, ensemble: int, dtype: torch.dtype, device: Any) -> torch.Tensor:
        value = torch.as_tensor(self.parameters[name], dtype=dtype, device=device)
        if value.ndim and len(value) != ensemble:
            raise InputError(f"{name} has {len(value)} values for an ensemble of {ensemble}; give one, or one a member")
        return value

    def diagnose(self, state: State, t: int, member: int) -> str:
        """Names a root, logarithm or power that is not real where the path has gone."""
        c = self.coefficients
        places: dict[Any, float] = {s: float(state[s.name][member]) for s in c.states}
        places[c.time] = t * self.dt
        for symbol in c.parameters:
            value = torch.as_tensor(self.parameters[symbol.name]).expand(len(state[c.states[0].name]))
            places[symbol] = float(value[member])
        for coefficient in (*c.drift, *(entry for row in c.diffusion for entry in row)):
            for part in sp.preorder_traversal(coefficient):
                if not (isinstance(part, sp.log) or _is_root(part)):
                    continue
                base: Any = part.args[0]
                value = complex(base.subs(places))
                if value.imag == 0 and value.real < 0:
                    at = ", ".join(f"{s} = {places[s]:.4g}" for s in c.states if base.has(s))
                    whole = part.xreplace({base: sp.Symbol(f"Max({base}, 0)")})
                    # SymPy takes Max(v, 0) of a symbol declared positive for v itself
                    declared = [s.name for s in c.states if base.has(s) and s.is_nonnegative]
                    first = f"declare {' and '.join(declared)} real, not positive, and " if declared else ""
                    return f"{part} is not real at {at}; {first}write {whole}, or lower dt={self.dt}"
        return ""

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        """The state after steps t .. t + steps - 1 by a kernel made for this SDE and scheme; equals `step` to rounding.

        `step` itself runs where a state or a parameter asks for its gradient or is not on the CPU, where a parameter is
        one number a member, and where the SDE has a function that the kernel lacks.
        """
        from sojourn.processes.ito.numba_source import advance

        x = [state[symbol.name] for symbol in self.coefficients.states]
        p = [self.parameters[s.name] for s in self.coefficients.parameters]
        if (
            steps
            and all(value.device.type == "cpu" and not value.requires_grad for value in x)
            and all(map(plain_number, p))
        ):
            plain = list(map(float, p))
            new = advance(self.program, self.levy_terms, x, plain, t, steps, self.dt, self.substeps, streams(noise))
            if new is not None:
                return {symbol.name: value for symbol, value in zip(self.coefficients.states, new, strict=True)}
        return super().advance(state, t, steps, noise)

    def increments(self, t: int, ensemble: int, noise: Noise, dtype: torch.dtype, device: Any) -> inc.Increments:
        """What step t sees of the Brownian motion; each value (ensemble,)."""
        m, h = self.coefficients.noises, self.dt / self.substeps
        return brownian_increments(self.method.kind, m, h, self.substeps, t, ensemble, noise, dtype, device)


def check_steps(dt: Any, substeps: Any, dtype: Any) -> None:
    """Raises InputError unless these are a step, a number of increments to it, and a type."""
    if not (isinstance(dt, (int, float)) and 0 < dt < float("inf")):
        raise InputError(f"dt={dt} is not a positive number")
    if not (isinstance(substeps, int) and substeps >= 1):
        raise InputError(f"substeps={substeps} is not a whole number of 1 or more")
    if dtype not in ("float64", "float32"):
        raise InputError(f"dtype={dtype!r} is not float64 or float32")


def brownian_increments(
    kind: inc.Kind,
    m: int,
    h: float,
    substeps: int,
    t: int,
    ensemble: int,
    noise: Noise,
    dtype: torch.dtype,
    device: Any,
) -> inc.Increments:
    """What step t of `substeps` times h sees of m Brownian motions under a process's noise; each value (ensemble,)."""
    terms = _terms(kind, m, h)
    room = max(1, _ROOM // inc.normals(kind, m, terms))
    if ensemble > room:
        parts = [
            brownian_increments(
                kind, m, h, substeps, t, min(room, ensemble - first), noise.members(first), dtype, device
            ).values
            for first in range(0, ensemble, room)
        ]
        return inc.from_values(kind, m, [torch.cat(values) for values in zip(*parts, strict=True)])
    path, within, total = (*streams(noise), None)
    more = inc.normals(kind, m, terms) - m
    for k in range(t * substeps, (t + 1) * substeps):
        xi = path.sequence(k, ensemble, m, dtype, device).unbind(1)
        if more:
            xi = (*xi, *within.sequence(k, ensemble, more, dtype, device).unbind(1))
        part = inc.from_normals(kind, m, terms, xi, h, h**0.5, _sign)
        total = part if total is None else inc.join(total, part, h)
    assert total is not None
    return total


def _terms(kind: inc.Kind, m: int, h: float) -> int:
    return inc.levy_terms(m, h) if kind == "WA" else 0


def streams(noise: Noise) -> tuple[Noise, Noise]:
    """The streams of the Brownian motion W and of what happens within its steps, under a process's noise.

    Two, so that W is the same whatever else a scheme asks for.
    """
    path, within = (_stream(noise.seed, noise.stream, name) for name in ("brownian", "within"))
    return replace(noise, stream=path), replace(noise, stream=within)


@lru_cache(maxsize=256)
def _stream(seed: int, stream: int, name: str) -> int:
    return Noise(seed, stream).split(name).stream


@lru_cache(maxsize=256)
def _program(scheme: Scheme, coefficients: Coefficients) -> Program:
    return record(scheme, coefficients)


def _is_root(part: Any) -> bool:
    return isinstance(part, sp.Pow) and part.exp.is_number and not part.exp.is_integer


def _sign(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x < 0, -torch.ones_like(x), torch.ones_like(x))


def _check_parameter(name: str, value: Any) -> None:
    if isinstance(value, torch.Tensor) and value.ndim <= 1:
        return
    if isinstance(value, torch.Tensor) or not isinstance(value, (numbers.Real, np.number)):
        what = f"of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else f"a {type(value).__name__}"
        raise InputError(f"{name} is {what}; needed is a number, or a tensor of one number or one a member")


def plain_number(value: Any) -> bool:
    """Whether a parameter is one number that asks for nothing."""
    return not isinstance(value, torch.Tensor) or (
        value.ndim == 0 and not value.requires_grad and value.device.type == "cpu"
    )
