"""Which times a training looks at: uniform ones, or more of those whose loss varies most.

The loss of a member is divided by T p(t), so its expectation is the mean over uniform t either way.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sojourn.diffusion.schedule import Schedule
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.training import distributed

if TYPE_CHECKING:
    from sojourn.diffusion.marginals import Marginals


def uniform_times(schedule: Marginals, step: int, first: int, count: int, batch: int, noise: Noise) -> Tensor:
    """Times of the members from `first` on of a batch, (count,) float64, uniform and stratified over the batch.

    One uniform number u0 serves a step: member i has u_i = (u0 + i / batch) mod 1. Of T steps t = 1 + floor(T u),
    else t = first + (last - first) u.

    Source: Kingma et al. (2021), appendix I.1, for the stratification.
    """
    u0 = noise.uniform(step, 1, ())[0].to(torch.float64)
    u = (u0 + torch.arange(first, first + count, dtype=torch.float64) / batch) % 1
    if isinstance(schedule, Schedule):
        return 1 + torch.floor(schedule.steps * u)
    return schedule.first + (schedule.last - schedule.first) * u


class ImportanceSampler(nn.Module):
    """p(t) proportional to sqrt(E L_t^2) over the last losses of each t; uniform until every t has that many.

    Its history is part of a training's checkpoint.

    Args:
        schedule: of T steps.
        history: losses kept of each t.
        least: share of p that stays uniform.

    Source: Nichol and Dhariwal (2021), section 3.3.
    """

    losses: Tensor
    seen: Tensor

    def __init__(self, schedule: Marginals, *, history: int = 10, least: float = 0.001) -> None:
        super().__init__()
        if not isinstance(schedule, Schedule):
            raise InputError("importance-sampled times need a schedule with steps; discretise it, or use uniform times")
        if distributed.place()[1] > 1:
            raise InputError("importance-sampled times keep one history; train with one process, or with uniform times")
        if history < 1 or not 0 < least <= 1:
            raise InputError(f"history={history} must be 1 or more, and least={least} in (0, 1]")
        self.least = least
        self.register_buffer("losses", torch.zeros(schedule.steps, history, dtype=torch.float64))
        self.register_buffer("seen", torch.zeros(schedule.steps, dtype=torch.int64))

    def probabilities(self) -> Tensor:
        """p(t) for t = 1, ..., T, (T,) float64."""
        steps, history = self.losses.shape
        if bool((self.seen < history).any()):
            return torch.full((steps,), 1 / steps, dtype=torch.float64, device=self.losses.device)
        size = torch.sqrt((self.losses**2).mean(1))
        return (1 - self.least) * size / size.sum() + self.least / steps

    def draw(self, step: int, batch: int, noise: Noise) -> tuple[Tensor, Tensor]:
        """Times (batch,) and the weights 1 / (T p(t)) of their losses."""
        p = self.probabilities().cpu()
        u = noise.uniform(step, batch, ()).to(torch.float64)
        k = torch.searchsorted(torch.cumsum(p, 0), u).clamp(max=len(p) - 1)
        return (k + 1).to(torch.float64), 1 / (len(p) * p[k])

    def learn(self, t: Tensor, losses: Tensor) -> None:
        """Puts the finite ones of these losses into the histories of their times."""
        history = self.losses.shape[1]
        for time, loss in zip(t.long().tolist(), losses.detach().to(torch.float64).tolist(), strict=True):
            if math.isfinite(loss):
                self.losses[time - 1, self.seen[time - 1] % history] = loss
                self.seen[time - 1] += 1
