"""What every sampler is: a grid of falling times, and a step between two of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from sojourn.diffusion.marginals import Marginals
from sojourn.diffusion.schedule import Schedule, whole_steps
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import State

if TYPE_CHECKING:
    from sojourn.diffusion.reverse import Denoiser

Spacing = Literal["uniform", "quadratic", "log_snr", "karras"]


@dataclass(frozen=True)
class Grid:
    """Times of a reverse chain and their coefficients, float64; the last is t = 0, where there is no noise.

    Attributes:
        t: (steps + 1,) falling to 0.
        alpha, sigma: x_t = alpha x_0 + sigma epsilon.
        half_log_snr: log(alpha / sigma), the lambda of DPM-Solver; infinite at the end.
        schedule: whose times they are.
    """

    t: Tensor
    alpha: Tensor
    sigma: Tensor
    half_log_snr: Tensor
    schedule: Marginals


class Sampler(ABC):
    """A way to walk from noise to data; a subclass is a frozen dataclass.

    Attributes:
        steps: of the chain.
    """

    steps: int

    @property
    def memory(self) -> int:
        """How many earlier fields of x's shape a step needs: predictions, as a rule."""
        return 0

    @abstractmethod
    def grid(self, schedule: Marginals) -> Grid:
        """The times of the chain for this schedule."""

    @abstractmethod
    def step(self, state: State, i: int, grid: Grid, denoiser: Denoiser, noise: Noise) -> State:
        """The state at grid.t[i + 1] from that at grid.t[i]."""


@dataclass(frozen=True)
class SpacedSampler(Sampler):
    """A sampler whose times are a choice of its own.

    Args:
        steps: of the chain.
        spacing: of the times: "uniform" and "quadratic" in t (whole times where the schedule has steps), "log_snr"
            uniform in the log of the signal-to-noise ratio, "karras" uniform in (sigma / alpha)^(1/7); or the times
            themselves, falling, without the last one, 0.
    """

    steps: int = 50
    spacing: Spacing | tuple[float, ...] = "uniform"

    def grid(self, schedule: Marginals) -> Grid:
        return make_grid(_times(schedule, self.steps, self.spacing), schedule)


def make_grid(t: Tensor, schedule: Marginals) -> Grid:
    """The grid of these times."""
    alpha, sigma = schedule.scales(t)
    return Grid(t, alpha, sigma, schedule.log_snr(t) / 2, schedule)


def normal_like(x: Tensor, i: int, noise: Noise) -> Tensor:
    """Standard normals of step i, of the shape and type of x (n, ...), where it is."""
    return noise.normal(i, len(x), tuple(x.shape[1:]), dtype=x.dtype, device=x.device)


def check_order(order: int, greatest: int) -> None:
    """Raises InputError unless the order of a multistep method is known."""
    if order not in range(1, greatest + 1):
        raise InputError(f"order={order!r} is not known; choose a whole number from 1 to {greatest}")


def _times(schedule: Marginals, steps: int, spacing: Spacing | tuple[float, ...]) -> Tensor:
    whole_steps(steps)
    first, last = schedule.first, schedule.last
    if isinstance(spacing, (tuple, list)):
        t = torch.tensor(spacing, dtype=torch.float64)
        if len(t) != steps or not bool((torch.diff(t) < 0).all()) or t[-1] <= 0 or t[0] > last:
            raise InputError(f"spacing must be steps={steps} falling times in (0, {last:g}]; {len(t)} were given")
        return torch.cat([t, torch.zeros(1, dtype=torch.float64)])
    if spacing in ("uniform", "quadratic"):
        u = torch.arange(steps, 0, -1, dtype=torch.float64) / steps
        t = last * (u if spacing == "uniform" else u**2)
        if isinstance(schedule, Schedule):
            if steps > last:
                raise InputError(
                    f"steps={steps} is more than the {last:g} of the schedule; lower it, or space by log_snr"
                )
            t = torch.maximum(t.round(), torch.arange(steps, 0, -1, dtype=torch.float64))  # whole, and all different
    elif spacing in ("log_snr", "karras"):
        ends = np.array([float(schedule.log_snr(last)), float(schedule.log_snr(first))])
        if spacing == "log_snr":
            log_snr = np.linspace(ends[0], ends[1], steps)
        else:
            roots = np.exp(-ends / 14)  # (sigma / alpha)^(1/7)
            log_snr = -14 * np.log(np.linspace(roots[0], roots[1], steps))
        t = schedule.time_of(torch.from_numpy(log_snr))
        t[0] = last
        if steps > 1:
            t[-1] = first
    else:
        raise InputError(f"spacing={spacing!r} is not known; choose uniform, quadratic, log_snr, karras, or the times")
    if not bool((torch.diff(t) < 0).all()):
        raise InputError(f"spacing={spacing!r} finds no {steps} different times on {schedule!r}; lower steps")
    return torch.cat([t, torch.zeros(1, dtype=torch.float64)])
