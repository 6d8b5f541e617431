"""Heun's method with churn, in the coordinates of EDM: y = x / alpha, s = sigma / alpha, dy/ds = epsilon(x, t)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sojourn.diffusion.samplers.sampler import Grid, SpacedSampler, Spacing, normal_like
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import State

if TYPE_CHECKING:
    from sojourn.diffusion.reverse import Denoiser


@dataclass(frozen=True)
class Heun(SpacedSampler):
    """Each step may first add noise, up to s_hat = (1 + gamma) s, and then goes down to s' with two evaluations:

    y_hat = y + sqrt(s_hat^2 - s^2) S_noise z,   y' = y_hat + (s' - s_hat) (epsilon(y_hat) + epsilon(y_hat + ...)) / 2.

    The last step, to s' = 0, has one evaluation. Without churn the order is 2. With it s_hat stays within the
    schedule: where s is the greatest there is, nothing is added.

    Args:
        S_churn: gamma = min(S_churn / steps, sqrt(2) - 1), where S_min <= s <= S_max, elsewhere 0.
        S_min, S_max: the noise levels s at which there is churn.
        S_noise: standard deviation of the noise added, relative to the level's.

    Source: Karras et al. (2022), algorithm 2.
    """

    spacing: Spacing | tuple[float, ...] = "karras"
    S_churn: float = 0.0
    S_min: float = 0.0
    S_max: float = math.inf
    S_noise: float = 1.0

    def __post_init__(self) -> None:
        if not (self.S_churn >= 0 and self.S_noise >= 0):
            raise InputError(f"S_churn={self.S_churn} and S_noise={self.S_noise} must not be negative")
        if not 0 <= self.S_min <= self.S_max:
            raise InputError(f"S_min={self.S_min} and S_max={self.S_max} need 0 <= S_min <= S_max")

    def step(self, state: State, i: int, grid: Grid, denoiser: Denoiser, noise: Noise) -> State:
        t, alpha, s = float(grid.t[i]), float(grid.alpha[i]), math.exp(-float(grid.half_log_snr[i]))
        y = state["x"] / alpha
        gamma = min(self.S_churn / self.steps, math.sqrt(2) - 1) if self.S_min <= s <= self.S_max else 0.0
        s_hat = min((1 + gamma) * s, math.exp(-float(grid.schedule.log_snr(grid.schedule.last)) / 2))
        if s_hat > s:
            y = y + math.sqrt(s_hat**2 - s**2) * self.S_noise * normal_like(y, i, noise)
            t, alpha, s = float(grid.schedule.time_of(-2 * math.log(s_hat))), 1 / math.hypot(1, s_hat), s_hat

        slope = denoiser.predict(alpha * y, t).epsilon
        alpha_next, s_next = float(grid.alpha[i + 1]), math.exp(-float(grid.half_log_snr[i + 1]))
        euler = y + (s_next - s) * slope
        if s_next == 0:
            return {"x": euler}
        slope_next = denoiser.predict(alpha_next * euler, float(grid.t[i + 1])).epsilon
        return {"x": alpha_next * (y + (s_next - s) * (slope + slope_next) / 2)}
