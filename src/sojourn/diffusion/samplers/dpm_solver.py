"""DPM-Solver++: exponential integrators for the flow and for the SDE, with the predicted x_0 as what is extrapolated.

With l = log(alpha / sigma) and h = l_s - l_t, the flow (k = 1) and the reverse SDE (k = 2) obey exactly

x_s = sigma_s / sigma_t e^{-(k-1) h} x_t + alpha_s int_0^{kh} e^{v - kh} x_0(l_t + v / k) dv
      + sigma_s sqrt(1 - e^{-2h}) z   (k = 2 alone).

Order 1 takes x_0 as constant, order 2 as a line, order 3 as a parabola through the latest predictions.
Source: Lu et al. (2022), DPM-Solver++, equations 8, 14, 18 and 19 (18 and 19: the SDE), algorithm 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sojourn.diffusion.samplers.sampler import Grid, SpacedSampler, check_order, normal_like
from sojourn.noise import Noise
from sojourn.process import State

if TYPE_CHECKING:
    from sojourn.diffusion.reverse import Denoiser


@dataclass(frozen=True)
class _Multistep(SpacedSampler):
    order: int = 2

    def __post_init__(self) -> None:
        check_order(self.order, 3)

    @property
    def memory(self) -> int:
        return self.order - 1


@dataclass(frozen=True)
class DPMSolverPP(_Multistep):
    """DPM-Solver++ 1S, 2M and 3M for the probability flow. Order 1 is DDIM without noise.

    The last step, to t = 0, gives the predicted x_0. The first steps are of lower order: with order 3 that leaves an
    error of second order, small as far as x_0 hardly changes in strong noise.

    Args:
        order: 1, 2 or 3, the order of convergence.

    Source: Lu et al. (2022), algorithm 2, for orders 1 and 2. Order 3 integrates the parabola exactly; programs in
        circulation give its second difference half that weight, and converge with order 2.
    """

    def step(self, state: State, i: int, grid: Grid, denoiser: Denoiser, noise: Noise) -> State:
        predictions = _predictions(state, i, grid, denoiser)
        return _next_state(_drift(state["x"], predictions, self.order, i, grid, 1), predictions, self.order)


@dataclass(frozen=True)
class DPMSolverPPSDE(_Multistep):
    """SDE-DPM-Solver++ 1, 2M and 3M: the same for the reverse SDE, with exact noise. Order 1 is DDIM with eta = 1.

    Args:
        order: 1, 2 or 3, of the polynomial. The law of samples converges with order 1 for order 1 and with order 2 for
            the others, measured where the denoiser is linear: what is extrapolated moves with the noise.

    Source: Lu et al. (2022), equations 18 and 19; order 3 as for the flow.
    """

    def step(self, state: State, i: int, grid: Grid, denoiser: Denoiser, noise: Noise) -> State:
        predictions = _predictions(state, i, grid, denoiser)
        x = _drift(state["x"], predictions, self.order, i, grid, 2)
        sigma = float(grid.sigma[i + 1])
        if sigma > 0:
            h = float(grid.half_log_snr[i + 1] - grid.half_log_snr[i])
            x = x + sigma * math.sqrt(-math.expm1(-2 * h)) * normal_like(x, i, noise)
        return _next_state(x, predictions, self.order)


def _predictions(state: State, i: int, grid: Grid, denoiser: Denoiser) -> list[Tensor]:
    """x_0 as predicted at grid.t[i], grid.t[i - 1], ..."""
    earlier = state["memory"].unbind(1) if "memory" in state else ()
    return [denoiser.predict(state["x"], float(grid.t[i])).x_0, *earlier]


def _next_state(x: Tensor, predictions: list[Tensor], order: int) -> State:
    return {"x": x} if order == 1 else {"x": x, "memory": torch.stack(predictions[: order - 1], dim=1)}


def _drift(x: Tensor, x_0: list[Tensor], order: int, i: int, grid: Grid, k: int) -> Tensor:
    """The step without noise: the integral of the polynomial through the latest predictions."""
    alpha, sigma = float(grid.alpha[i + 1]), float(grid.sigma[i + 1])
    if sigma == 0:
        return alpha * x_0[0]
    order, at = min(order, i + 1), [float(grid.half_log_snr[j]) for j in range(i + 1, max(i - 3, -1), -1)]
    h = at[0] - at[1]
    constant = -math.expm1(-k * h)
    linear = 1 - constant / (k * h)  # the integrals of e^{v - kh} (v / kh)^n, n = 0, 1, 2
    quadratic = 1 - 2 * linear / (k * h)
    x_s = sigma / float(grid.sigma[i]) * math.exp(-(k - 1) * h) * x + alpha * constant * x_0[0]
    if order == 1:
        return x_s
    slope = (x_0[0] - x_0[1]) / (at[1] - at[2])
    if order == 2:
        return x_s + alpha * constant / 2 * h * slope  # a half for linear / constant, as published; the order is 2 too
    bend = (slope - (x_0[1] - x_0[2]) / (at[2] - at[3])) / (at[1] - at[3])
    slope = slope + (at[1] - at[2]) * bend
    return x_s + alpha * (linear * h * slope + quadratic * h**2 * bend)
