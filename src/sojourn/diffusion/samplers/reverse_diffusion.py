"""The reverse diffusion sampler: the forward chain's discretisation, run backwards."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sojourn.diffusion.samplers.sampler import Grid, SpacedSampler, normal_like
from sojourn.noise import Noise
from sojourn.process import State

if TYPE_CHECKING:
    from sojourn.diffusion.reverse import Denoiser


@dataclass(frozen=True)
class ReverseDiffusion(SpacedSampler):
    """x_s = (2 - sqrt(1 - beta)) x_t + beta score + sqrt(beta) z, with beta = 1 - alpha_bar_t / alpha_bar_s.

    The last step adds no noise. The law converges with order 1; beta must be small, so use many steps.

    Source: Song et al. (2021), algorithm 3 (predictor), appendix E.
    """

    steps: int = 1000

    def step(self, state: State, i: int, grid: Grid, denoiser: Denoiser, noise: Noise) -> State:
        x, beta = state["x"], float(grid.schedule.beta_between(grid.t[i], grid.t[i + 1]))
        epsilon = denoiser.predict(x, float(grid.t[i])).epsilon
        mean = (2 - math.sqrt(1 - beta)) * x - beta / float(grid.sigma[i]) * epsilon
        if grid.t[i + 1] == 0:
            return {"x": mean}
        return {"x": mean + math.sqrt(beta) * normal_like(x, i, noise)}
