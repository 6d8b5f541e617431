"""The law that a sampler gives to Gaussian data, exactly: with the exact denoiser a step is affine in x and the noise.

So a chain's map is known from its values at the origin and at every basis vector of (x_T, z_1, z_2, ...).
"""

from __future__ import annotations

import torch
from torch import Tensor

from sojourn.diffusion import DDPM, ContinuousSchedule, GaussianMixture

DOUBLE = torch.float64

MEAN = torch.tensor([0.5, -1.0], dtype=DOUBLE)
COVARIANCE = torch.tensor([[0.5, 0.2], [0.2, 0.1]], dtype=DOUBLE)
GAUSSIAN = GaussianMixture.gaussian(MEAN, COVARIANCE)
SCHEDULE = ContinuousSchedule.from_log_snr(
    lambda t: 5 - 10 * t, name="straight"
)  # equal steps in t are equal in lambda


class ChosenNoise:
    """Noise that says 1 in one place of one draw and 0 elsewhere, for each member another draw and place.

    The first `known` members hear zeros only; `draws` lists the draws in the order in which they were first asked for.
    """

    def __init__(self, known: int, draws: list[tuple[str, int]], stream: str = "") -> None:
        self.known, self.draws, self.stream = known, draws, stream

    def split(self, name: str | int) -> ChosenNoise:
        return ChosenNoise(self.known, self.draws, f"{self.stream}/{name}")

    def normal(self, t: int, ensemble: int, shape: tuple[int, ...], dtype=DOUBLE, device="cpu") -> Tensor:
        key = (self.stream, t)
        if key not in self.draws:
            self.draws.append(key)
        first, (d,) = self.known + self.draws.index(key) * shape[0], shape
        out = torch.zeros(ensemble, d, dtype=dtype)
        if first + d <= ensemble:
            out[first : first + d] = torch.eye(d, dtype=dtype)
        return out


def exact_model(law: GaussianMixture = GAUSSIAN, schedule=SCHEDULE, **options) -> DDPM:
    return DDPM(law.network(schedule), schedule, levels=None, **options)


def law_at(t: float, schedule=SCHEDULE, mean: Tensor = MEAN, covariance: Tensor = COVARIANCE) -> tuple[Tensor, Tensor]:
    """Mean and covariance of x_t for Gaussian data."""
    alpha, sigma = schedule.scales(t)
    return alpha * mean, alpha**2 * covariance + sigma**2 * torch.eye(len(mean), dtype=DOUBLE)


def pushed(process, start: tuple[Tensor, Tensor], steps: int) -> tuple[Tensor, Tensor]:
    """Mean and covariance of x after so many steps of an affine process, from a Gaussian start of that law."""
    mean, covariance = start
    d, draws = len(mean), []
    process.advance(
        process.start(torch.zeros(1, d, dtype=DOUBLE)), 0, steps, ChosenNoise(1, draws)
    )  # which are asked for
    places = torch.zeros(1 + d + d * len(draws), d, dtype=DOUBLE)
    places[1 : 1 + d] = torch.eye(d, dtype=DOUBLE)
    x = process.advance(process.start(places), 0, steps, ChosenNoise(1 + d, draws))["x"]
    origin, columns = x[0], (x[1:] - x[0]).T
    on_x, on_noise = columns[:, :d], columns[:, d:]
    return origin + on_x @ mean, on_x @ covariance @ on_x.T + on_noise @ on_noise.T


def distance(found: tuple[Tensor, Tensor], law: tuple[Tensor, Tensor]) -> float:
    """The greatest difference in mean and covariance."""
    return max(float((a - b).abs().max()) for a, b in zip(found, law, strict=True))
