"""DDIM: the same marginals with less noise, or none; without noise it can be run backwards, from data to noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sojourn.diffusion.marginals import Marginals
from sojourn.diffusion.samplers.sampler import Grid, SpacedSampler, make_grid, normal_like
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import State

if TYPE_CHECKING:
    from sojourn.diffusion.reverse import Denoiser


@dataclass(frozen=True)
class DDIM(SpacedSampler):
    """x_s = alpha_s x_0 + sqrt(sigma_s^2 - v) epsilon + sqrt(v) z,   v = eta^2 beta_tilde(s | t).

    Args:
        eta: 0 for the deterministic method; 1 for the small variance of ancestral sampling.

    Source: Song, Meng and Ermon (2021), equations 12 and 16.
    """

    eta: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise InputError(f"eta={self.eta} is not in [0, 1]")

    def step(self, state: State, i: int, grid: Grid, denoiser: Denoiser, noise: Noise) -> State:
        x = state["x"]
        found = denoiser.predict(x, float(grid.t[i]))
        alpha, sigma = grid.alpha[i + 1], grid.sigma[i + 1]
        if self.eta == 0 or sigma == 0:
            return {"x": float(alpha) * found.x_0 + float(sigma) * found.epsilon}
        variance = self.eta**2 * grid.schedule.posterior_coefficients(grid.t[i], grid.t[i + 1])[2]
        z = normal_like(x, i, noise)
        kept = torch.sqrt(sigma**2 - variance)
        return {"x": float(alpha) * found.x_0 + float(kept) * found.epsilon + float(torch.sqrt(variance)) * z}


@dataclass(frozen=True)
class DDIMInverse(SpacedSampler):
    """From data to noise: x_t = alpha_t x_0 + sigma_t epsilon, with the prediction made at s < t.

    It starts at data, `Reverse.start(images)`, which stand for x at the first noisy time.

    Source: Song, Meng and Ermon (2021), section 4.3.
    """

    def grid(self, schedule: Marginals) -> Grid:
        """The times of a sampler, rising from the first noisy time: no network was trained at 0.

        Where the sampler's last step starts at that time too, the first step here changes nothing.
        """
        t = super().grid(schedule).t.flip(0)
        t[0] = min(schedule.first, float(t[1]))
        return make_grid(t, schedule)

    def step(self, state: State, i: int, grid: Grid, denoiser: Denoiser, noise: Noise) -> State:
        found = denoiser.predict(state["x"], float(grid.t[i]))
        return {"x": float(grid.alpha[i + 1]) * found.x_0 + float(grid.sigma[i + 1]) * found.epsilon}
