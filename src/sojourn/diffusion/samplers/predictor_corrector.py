"""Predictor-corrector sampling: each step of a sampler, then Langevin dynamics at the new noise level."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sojourn.diffusion.marginals import Marginals
from sojourn.diffusion.samplers.ancestral import Ancestral
from sojourn.diffusion.samplers.sampler import Grid, Sampler, normal_like
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import State

if TYPE_CHECKING:
    from sojourn.diffusion.reverse import Denoiser


@dataclass(frozen=True)
class PredictorCorrector(Sampler):
    """A step of the predictor from t to s; then, where s > 0, `corrections` times

    x <- x + e score + sqrt(2 e) z,   e = 2 (snr sigma_s)^2.

    This is the paper's step 2 (snr |z| / |score|)^2 with the norms that noise and the score of noise have,
    |z| = sqrt(d) and |score| = sqrt(d) / sigma: norms of the batch at hand would make a member depend on its
    companions. The paper's factor alpha_i, near 1, is left out. As e falls, the true law is stationary.

    Args:
        predictor: any sampler, such as `Ancestral` or `ReverseDiffusion`; it says how many steps there are and where.
        corrections: a step.
        snr: r, below 1; the size of a correction.

    Source: Song et al. (2021), algorithms 3 and 5.
    """

    predictor: Sampler = field(default_factory=Ancestral)
    corrections: int = 1
    snr: float = 0.16

    def __post_init__(self) -> None:
        if self.corrections < 1:
            raise InputError(f"corrections={self.corrections} is below 1; without any, use the predictor by itself")
        if not 0 < self.snr < 1:
            raise InputError(f"snr={self.snr} is not in (0, 1)")

    @property
    def steps(self) -> int:  # type: ignore[override]
        return self.predictor.steps

    @property
    def memory(self) -> int:
        return self.predictor.memory

    def grid(self, schedule: Marginals) -> Grid:
        return self.predictor.grid(schedule)

    def step(self, state: State, i: int, grid: Grid, denoiser: Denoiser, noise: Noise) -> State:
        state = self.predictor.step(state, i, grid, denoiser, noise)
        t, sigma = float(grid.t[i + 1]), float(grid.sigma[i + 1])
        if t == 0:
            return state
        x, size = state["x"], 2 * (self.snr * sigma) ** 2
        for k in range(self.corrections):
            z = normal_like(x, i, noise.split(f"correction {k}"))
            x = x - size / sigma * denoiser.predict(x, t).epsilon + math.sqrt(2 * size) * z
        return {**state, "x": x}
