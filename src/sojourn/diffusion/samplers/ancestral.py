"""Ancestral sampling: a draw from p(x_s | x_t) at every step; with fewer steps than T, on a respaced chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sojourn.diffusion.samplers.sampler import Grid, SpacedSampler, normal_like
from sojourn.diffusion.variances import log_variance
from sojourn.noise import Noise
from sojourn.process import State

if TYPE_CHECKING:
    from sojourn.diffusion.reverse import Denoiser


@dataclass(frozen=True)
class Ancestral(SpacedSampler):
    """x_s = mean of q(x_s | x_t, predicted x_0) + sqrt(variance) z; the last step adds no noise.

    The variance is the model's: small, large, or learned between the two, of the respaced chain.

    Source: Ho, Jain and Abbeel (2020), algorithm 2; Nichol and Dhariwal (2021), section 4, for respacing.
    """

    steps: int = 1000

    def step(self, state: State, i: int, grid: Grid, denoiser: Denoiser, noise: Noise) -> State:
        x, t, s = state["x"], grid.t[i], grid.t[i + 1]
        found = denoiser.predict(x, float(t))
        mean, _ = grid.schedule.posterior(x, found.x_0, t, s)
        if s == 0:
            return {"x": mean}
        variance = torch.exp(log_variance(denoiser.model.variance, grid.schedule, x, t, s, found.fraction))
        z = normal_like(x, i, noise)
        return {"x": mean + torch.sqrt(variance) * z}
