"""Langevin dynamics driven by a score, as processes: with one noise, and through noises that fall.

Langevin            x' = x + dt s(x) + sqrt(2 dt) xi,   whose law tends to p up to O(dt)
AnnealedLangevin    x' = x + a_i s(x, sigma_i) + sqrt(2 a_i) xi,   a_i = rate sigma_i^2, for each sigma_i in turn

Source: Song and Ermon, Generative modeling by estimating gradients of the data distribution (2019), algorithm 1, whose
alpha_i / 2 is a_i here, and whose epsilon / sigma_L^2 is 2 rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.score.derivatives import check_like


@dataclass(frozen=True)
class Langevin(Process):
    """Unadjusted Langevin dynamics dX = s(X) dt + sqrt(2) dW by Euler's method; stationary at p as dt tends to 0.

    Args:
        score: x (n, *shape) -> grad log p(x).
        shape: of one state.
        dt: time of a step.
        spread: standard deviation of the normal law it starts from.
        dtype: of the state.
    """

    score: Callable[[Tensor], Tensor]
    shape: tuple[int, ...]
    dt: float = 0.01
    spread: float = 1.0
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        _check(self.shape, dt=self.dt, spread=self.spread)

    def fields(self) -> dict[str, Field]:
        return _fields(self.shape, self.dtype)

    def initial(self, ensemble: int, noise: Noise) -> State:
        return {"x": self.spread * noise.split("start").normal(0, ensemble, self.shape, self.dtype)}

    def step(self, state: State, t: int, noise: Noise) -> State:
        return {"x": _moved(state["x"], _value(self.score, state["x"]), self.dt, t, noise)}


@dataclass(frozen=True)
class AnnealedLangevin(Process):
    """Langevin dynamics at one noise after another, from the largest to the smallest, `steps` at each.

    Args:
        score: (x (n, *shape), sigma (n,)) -> the score of the data with noise sigma added.
        shape: of one state.
        sigmas: falling.
        steps: at each sigma.
        rate: a_i / sigma_i^2, below 1.
        dtype: of the state.
    """

    score: Callable[[Tensor, Tensor], Tensor]
    shape: tuple[int, ...]
    sigmas: tuple[float, ...]
    steps: int = 100
    rate: float = 0.1
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        _check(self.shape, rate=self.rate)
        falling = all(a > b for a, b in pairwise(self.sigmas))
        if not self.sigmas or not falling or not self.sigmas[-1] > 0:
            raise InputError(f"sigmas={self.sigmas} do not fall to a number above zero")
        if self.steps < 1 or not self.rate < 1:
            raise InputError(f"steps={self.steps}, rate={self.rate}: at least one step, at a rate below 1")

    @property
    def horizon(self) -> int:
        return len(self.sigmas) * self.steps

    def fields(self) -> dict[str, Field]:
        return _fields(self.shape, self.dtype)

    def initial(self, ensemble: int, noise: Noise) -> State:
        """Normal, with the deviation of the largest noise."""
        return {"x": self.sigmas[0] * noise.split("start").normal(0, ensemble, self.shape, self.dtype)}

    def step(self, state: State, t: int, noise: Noise) -> State:
        if t >= self.horizon:
            raise InputError(f"step {t} is beyond the last of {self.horizon}")
        x, sigma = state["x"], self.sigmas[t // self.steps]
        s = _value(self.score, x, x.new_full((len(x),), sigma))
        return {"x": _moved(x, s, self.rate * sigma**2, t, noise)}


def _value(score: Callable[..., Tensor], x: Tensor, *more: Tensor) -> Tensor:
    with torch.no_grad():
        s = score(x, *more)
    return check_like(s, x)


def _moved(x: Tensor, s: Tensor, dt: float, t: int, noise: Noise) -> Tensor:
    return x + dt * s + math.sqrt(2 * dt) * noise.normal(t, len(x), tuple(x.shape[1:]), x.dtype, x.device)


def _fields(shape: tuple[int, ...], dtype: torch.dtype) -> dict[str, Field]:
    names: Any = ("component",) if len(shape) == 1 else tuple(f"axis_{k}" for k in range(len(shape)))
    return {"x": Field(names, tuple(shape), dtype, long_name="state")}


def _check(shape: tuple[int, ...], **positive: float) -> None:
    if not shape or min(shape) < 1:
        raise InputError(f"shape={shape} is not the shape of a state; give whole numbers above zero")
    for name, value in positive.items():
        if not value > 0:
            raise InputError(f"{name}={value} is not above zero")
