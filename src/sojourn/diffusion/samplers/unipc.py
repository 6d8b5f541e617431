"""UniPC: a predictor of order p, and a corrector that lifts it to p + 1 without further evaluations.

With l = log(alpha / sigma), h = l_s - l_t, B = e^{-h} - 1, and other predictions x_0^k at l_k, r_k = (l_k - l_t) / h,

x_s = sigma_s / sigma_t x_t - alpha_s B x_0 - alpha_s B sum_k rho_k (x_0^k - x_0) / r_k,
sum_k r_k^{j-1} rho_k = j! phi_{j+1} / B,   phi_1 = B,   phi_{j+1} = -phi_j / h - 1 / j!.

The predictor takes p - 1 earlier places, the corrector p - 1 earlier ones and s itself (r = 1).
Source: Zhao et al. (2023), UniPC, section 3, with B_2(h) and data prediction (appendix).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sojourn.diffusion.samplers.sampler import Grid, SpacedSampler, check_order
from sojourn.noise import Noise
from sojourn.process import State

if TYPE_CHECKING:
    from sojourn.diffusion.reverse import Denoiser


@dataclass(frozen=True)
class UniPC(SpacedSampler):
    """UniPC-p: a step corrects x_t, by the prediction made there, and predicts x_s. One evaluation a step.

    The prediction is not made again at the corrected place. Memory: the corrected x of the step before, and p
    predictions. The first steps, and the last one to t = 0, which gives the predicted x_0, are of lower order.

    Args:
        order: p, 1 to 3; the order of convergence is p + 1.

    Source: Zhao et al. (2023), algorithms 1 and 2.
    """

    order: int = 2

    def __post_init__(self) -> None:
        check_order(self.order, 3)

    @property
    def memory(self) -> int:
        return self.order + 1

    def step(self, state: State, i: int, grid: Grid, denoiser: Denoiser, noise: Noise) -> State:
        x, (before, *earlier) = state["x"], state["memory"].unbind(1)
        predicted = denoiser.predict(x, float(grid.t[i])).x_0
        if i > 0:
            places = [*range(i - 2, i - 1 - min(self.order, i), -1), i]
            x = _update(before, earlier[0], [*earlier[1 : len(places)], predicted], places, i - 1, grid)
        memory = torch.stack([x, predicted, *earlier[:-1]], dim=1)
        places = list(range(i - 1, i - min(self.order, i + 1), -1))
        return {"x": _update(x, predicted, earlier[: len(places)], places, i, grid), "memory": memory}


def _update(x: Tensor, x_0: Tensor, others: list[Tensor], places: list[int], i: int, grid: Grid) -> Tensor:
    """x at grid.t[i + 1], from x and x_0 at grid.t[i] and other predictions at grid.t[places]."""
    alpha, sigma = float(grid.alpha[i + 1]), float(grid.sigma[i + 1])
    if sigma == 0:
        return alpha * x_0
    at = grid.half_log_snr.numpy()
    h = at[i + 1] - at[i]
    r = (at[places] - at[i]) / h
    B = math.expm1(-h)
    change = B * x_0
    for rho, r_k, other in zip(_weights(r, h), r, others, strict=True):
        change = change + float(B * rho / r_k) * (other - x_0)
    return sigma / float(grid.sigma[i]) * x - alpha * change


def _weights(r: np.ndarray, h: float) -> np.ndarray:
    """rho; where there is one, its limit for small h, 1/2, as published, which does not change the order."""
    if len(r) < 2:
        return np.full(len(r), 0.5)
    B = phi = math.expm1(-h)
    right = []
    for j in range(1, len(r) + 1):
        phi = -phi / h - 1 / math.factorial(j)
        right.append(math.factorial(j) * phi / B)
    return np.linalg.solve(np.vander(r, increasing=True).T, np.array(right))
