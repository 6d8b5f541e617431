"""A schedule learned so that the loss varies least from draw to draw (Kingma et al. 2021).

In continuous time the bound's steps are, with the rate r(t) = -d log SNR / dt and t uniform on [0, 1],

E l,   l = r(t) / 2 |epsilon - predicted epsilon|^2,

the integral over log SNR of a function of log SNR alone: the path between the ends changes the variance of l, not E l.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sojourn.data.batches import batch_indices
from sojourn.diffusion.continuous import ContinuousSchedule
from sojourn.diffusion.losses import Simple
from sojourn.diffusion.variational import check_data
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.training import distributed
from sojourn.training.checkpoint import digest
from sojourn.training.loop import Training, train

if TYPE_CHECKING:
    from sojourn.diffusion.ddpm import DDPM
    from sojourn.runs import Run

_UNITS = 32


class LearnedSchedule(nn.Module):
    """A falling function of t in [0, 1] with weights, float64:

    log SNR(t) = greatest - (greatest - least) (h(t) - h(0)) / (h(1) - h(0)),
    h(t) = t + sum_k w_k logistic(a_k (t - c_k)),   w_k > 0, a_k > 0.

    Args:
        greatest: log SNR at t = 0.
        least: log SNR at t = 1.

    Raises:
        InputError: unless both are finite, and least < greatest.

    Source: Kingma et al. (2021), appendix H; the ends are fixed here.
    """

    def __init__(self, greatest: float, least: float) -> None:
        super().__init__()
        if not -math.inf < least < greatest < math.inf:
            raise InputError(f"greatest={greatest} and least={least} must be finite, with least < greatest")
        self.greatest, self.least = greatest, least
        one = torch.ones(_UNITS, dtype=torch.float64)
        self.log_weight = nn.Parameter(-math.log(_UNITS) * one)
        self.log_slope = nn.Parameter(math.log(_UNITS) * one)
        self.centre = nn.Parameter((torch.arange(_UNITS, dtype=torch.float64) + 0.5) / _UNITS)

    def forward(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """log SNR and its rate r = -d log SNR / dt > 0 at times t (n,), each (n,)."""
        weight, slope = torch.exp(self.log_weight), torch.exp(self.log_slope)
        ends = torch.tensor([0.0, 1.0], dtype=torch.float64, device=t.device)
        s = torch.sigmoid(slope * (torch.cat([ends, t])[:, None] - self.centre))
        low, high = s[:2] @ weight
        factor = (self.greatest - self.least) / (1 + high - low)
        s = s[2:]
        return (
            self.greatest - factor * (t + s @ weight - low),
            factor * (1 + (s * (1 - s)) @ (weight * slope)),
        )

    def frozen(self) -> ContinuousSchedule:
        """The schedule as it is now."""
        path = copy.deepcopy(self).requires_grad_(False)
        name = f"learned({self.greatest:.6g}, {self.least:.6g}, weights {digest(path.state_dict())[:8]})"

        def log_snr(t: Tensor) -> Tensor:
            return path.to(t.device)(t.reshape(-1))[0].reshape(t.shape)

        return ContinuousSchedule.from_log_snr(log_snr, name=name)


def fit_schedule(
    model: DDPM,
    x_0: Tensor,
    settings: Training,
    *,
    batch: int = 512,
    condition: Tensor | None = None,
    seed: int = 0,
    run: Run | None = None,
    stage: str = "schedule",
    progress: bool = True,
) -> ContinuousSchedule:
    """The path between the ends of the model's schedule along which the loss of this model varies least.

    Minimises E l^2 (see the first lines of the module), per dimension; the model stays as it is. The optimum has
    r(t) proportional to 1 / sqrt(E |epsilon - predicted epsilon|^4). A new model is then trained with the schedule, or
    with its `discretise(steps)`; networks know times, so this model's would misread those of the new schedule.

    Args:
        model: trained, with any schedule.
        x_0: (n, *shape).
        settings: how to train; 2000 steps at a learning rate of 0.02 do for most.
        batch: members of a step, over all processes.
        condition: (n, ...), for a conditional model.
        seed: of batches, times and noise.

    Raises:
        InputError: the data do not fit the model.
    """
    check_data(model, x_0)
    if condition is not None and len(condition) != len(x_0):
        raise InputError(f"there are {len(x_0)} data and {len(condition)} conditions; give one for each")
    schedule = model.schedule
    first, count = distributed.share(batch)
    noise = Noise(seed).members(first)
    model.eval()

    def objective(path: nn.Module, step: int) -> Tensor:
        rows = batch_indices(len(x_0), batch, step=step, seed=seed)[first : first + count]
        u = noise.split("time").uniform(step, count, ()).to(torch.float64)
        log_snr, rate = path(u)
        here, rate_here = log_snr.detach(), rate.detach()
        with torch.no_grad():
            data = x_0[rows].to(model.device, model.dtype)
            epsilon = noise.split("epsilon").normal(step, count, model.shape, dtype=model.dtype, device=model.device)
            given = None if condition is None else condition[rows].to(model.device)
            error = Simple()(model, data, schedule.time_of(here).to(model.device), epsilon, given)
        # E l^2 is the integral of r error^2 / 4 over log SNR, so the errors are constants and the gradient is that of r
        # where the path has this log SNR. That time moves with the weights: one Newton step, whose value is u.
        time = u + (log_snr - here) / rate_here
        return (rate_here * path(time)[1] * error.to(u) ** 2).mean() / 4

    path = LearnedSchedule(float(schedule.log_snr(schedule.first)), float(schedule.log_snr(schedule.last)))
    train(path, objective, settings, run=run, stage=stage, progress=progress)
    return path.frozen()
