"""The variational bound of Ho, Jain and Abbeel (2020), equation 5, term by term.

-log p(x_0) <= E_q[ L_T + sum_{t=2}^T L_{t-1} + L_0 ],
L_T = KL(q(x_T | x_0) || N(0, I)),   L_{t-1} = KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)),   L_0 = -log p(x_0 | x_1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sojourn.bounds import intervals
from sojourn.bounds.estimate import Estimate
from sojourn.data.images import check_images
from sojourn.diffusion.decoder import log_density, log_level_probability
from sojourn.diffusion.marginals import Marginals, spread
from sojourn.diffusion.modes import evaluating
from sojourn.diffusion.prediction import Prediction
from sojourn.diffusion.reverse import clamped
from sojourn.diffusion.schedule import Schedule
from sojourn.diffusion.variances import interpolated, log_variance
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.observers import ProgressBar

if TYPE_CHECKING:
    from sojourn.diffusion.ddpm import DDPM


@dataclass(frozen=True, eq=False)
class Bound:
    """The bound's terms, each the mean over the data with its interval, in bits per dimension.

    Attributes:
        prior: L_T.
        steps: L_{t-1} for t = 2, ..., T, in this order.
        decoder: L_0; of data without levels minus a log density, which may be below 0.
        bits_per_dim: their sum; its interval is that of the sums of each datum.
        each: (n,) the sum of each datum.
    """

    prior: Estimate
    steps: tuple[Estimate, ...]
    decoder: Estimate
    bits_per_dim: Estimate
    each: np.ndarray

    def __str__(self) -> str:
        steps = sum(step.value for step in self.steps)
        return (
            f"{self.bits_per_dim}\n  prior L_T    {self.prior.value:.6f}\n  steps        {steps:.6f}  "
            f"(sum of {len(self.steps)})\n  decoder L_0  {self.decoder.value:.6f}"
        )


def bound(
    model: DDPM,
    x_0: Tensor,
    *,
    condition: Tensor | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    batch: int = 512,
    progress: bool = True,
) -> Bound:
    """The variational bound of the model on data, every term estimated with one draw of noise a datum and time.

    Args:
        model: with a schedule of T steps; its reverse steps clamp x_0 to `model.limits`, as sampling does.
        x_0: (n, *shape), n >= 2; for a model with levels, those levels from -1 to 1.
        condition: (n, ...), for a conditional model.
        seed: of the noise, which depends on seed, datum and time alone.
        confidence: of each interval, by itself.
        batch: network evaluations at once; T n are needed in all.

    Raises:
        InputError: the data do not fit the model, or the schedule has no steps.
    """
    schedule = with_steps(model.schedule)
    check_data(model, x_0, least=2, condition=condition, batch=batch)
    n, noise = len(x_0), Noise(seed).split("bound")
    nats = torch.empty(schedule.steps, n, dtype=torch.float64)
    bar = ProgressBar("bound", 0, schedule.steps * n, "evaluations") if progress else None
    try:
        with evaluating(model), torch.no_grad():
            for first in range(0, n, batch):
                rows = slice(first, min(first + batch, n))
                together = max(1, batch // (rows.stop - first))  # times in one batch
                for t in range(1, schedule.steps + 1, together):
                    times = range(t, min(t + together, schedule.steps + 1))
                    given = None if condition is None else condition[rows].to(model.device)
                    found = _at_times(model, x_0[rows].to(model.device), times, noise.members(first), given)
                    nats[t - 1 : times.stop - 1, rows] = found
                    if bar:
                        bar.see(first * schedule.steps + (times.stop - 1) * (rows.stop - first), {})
            prior = prior_term(schedule, x_0)
    finally:
        if bar:
            bar.close()
    unit = math.log(2) * math.prod(model.shape)
    at_times, prior = (nats / unit).numpy(), (prior / unit).cpu().numpy()
    total = at_times.sum(0) + prior

    return Bound(
        prior=estimate(prior, confidence),
        steps=tuple(estimate(row, confidence) for row in at_times[1:]),
        decoder=estimate(at_times[0], confidence),
        bits_per_dim=estimate(total, confidence, "the distance of the bound from -log p(x_0)"),
        each=total,
    )


def _at_times(model: DDPM, x_0: Tensor, times: range, noise: Noise, condition: Tensor | None) -> Tensor:
    """The terms at several times, (len(times), n) nats, in one evaluation of the network."""
    n, k = len(x_0), len(times)
    epsilon = torch.cat([noise.normal(t, n, model.shape, dtype=model.dtype, device=x_0.device) for t in times])
    t = torch.tensor(list(times), dtype=torch.float64, device=x_0.device).repeat_interleave(n)
    given = None if condition is None else condition.repeat(k, *[1] * (condition.ndim - 1))
    return terms(model, x_0.to(model.dtype).repeat(k, *[1] * (x_0.ndim - 1)), t, epsilon, given).reshape(k, n).cpu()


def terms(model: DDPM, x_0: Tensor, t: Tensor, epsilon: Tensor, condition: Tensor | None = None) -> Tensor:
    """L_{t-1} of each member in nats, (n,) float64, differentiable: L_0 where t is 1, a divergence elsewhere.

    Args:
        x_0, epsilon: (n, *shape); x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) epsilon.
        t: (n,) whole times from 1 to T.
    """
    x_t = model.schedule.noised(x_0, t, epsilon)
    return terms_of(model, model.predict(x_t, t, condition), x_0, x_t, t)


def terms_of(model: DDPM, found: Prediction, x_0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """`terms` for a prediction that is at hand.

    The two means differ by c (x_0 - predicted x_0), c the posterior's factor of x_0, so with variances q and p
    KL = 1/2 sum_i [q/p - 1 - log(q/p) + c^2 (x_0 - predicted x_0)_i^2 / p].
    """
    schedule = with_steps(model.schedule)
    if model.limits is not None:
        alpha, sigma = schedule.scales(t)
        found = clamped(found, x_t, alpha, sigma, model.limits)
    error = x_0.to(torch.float64) - found.x_0.to(torch.float64)
    fraction = None if found.fraction is None else found.fraction.to(torch.float64)
    if schedule.steps == 1:
        return -_log_decoder(model, x_0, found.x_0, fraction)
    later = t.clamp(min=2)
    on_x_0, _, small = (spread(c, error) for c in schedule.posterior_coefficients(later, later - 1))
    ours = log_variance(model.variance, schedule, error, later, later - 1, fraction)
    log_ratio = torch.log(small) - ours
    divergence = 0.5 * (torch.expm1(log_ratio) - log_ratio + (on_x_0 * error) ** 2 * torch.exp(-ours))
    divergence = divergence.expand_as(error).flatten(1).sum(1)
    at_one = t == 1
    if not bool(at_one.any()):
        return divergence
    return torch.where(at_one, -_log_decoder(model, x_0, found.x_0, fraction), divergence)


def _log_decoder(model: DDPM, x_0: Tensor, mean: Tensor, fraction: Tensor | None) -> Tensor:
    """log p(x_0 | x_1); the small variance, 0 at t = 1, is that of t = 2 (see `variances`)."""
    schedule = with_steps(model.schedule)
    large = torch.log(schedule.beta[1])
    small = torch.log(schedule.posterior_variance[2]) if schedule.steps > 1 else large
    one = torch.ones_like(x_0, dtype=torch.float64)
    ours = interpolated(model.variance, small * one, large * one, fraction)
    if model.levels is None:
        return log_density(x_0, mean, ours)
    return log_level_probability(x_0, mean, ours, model.levels)


def prior_term(schedule: Schedule, x_0: Tensor) -> Tensor:
    """L_T of each datum in nats, (n,) float64: 1/2 sum_i [alpha_bar (x_i^2 - 1) - log(1 - alpha_bar)] at t = T."""
    alpha_bar = float(schedule.alpha_bar[-1])
    return 0.5 * (alpha_bar * (x_0.to(torch.float64) ** 2 - 1) - math.log1p(-alpha_bar)).flatten(1).sum(1)


def with_steps(schedule: Marginals) -> Schedule:
    """The schedule, if it has steps; else InputError."""
    if not isinstance(schedule, Schedule):
        raise InputError(
            "the bound is a sum over steps; give the model a schedule with steps: schedule.discretise(1000)"
        )
    return schedule


def check_data(model: DDPM, x_0: Tensor, least: int = 1, *, condition: Tensor | None = None, batch: int = 1) -> None:
    """Raises InputError unless `x_0` holds at least so many data of the model's shape and levels, and as many
    conditions, if any; and `batch` is 1 or more."""
    for name, value in (("x_0", x_0), ("condition", condition)):
        if value is not None and not isinstance(value, Tensor):
            raise InputError(f"{name} is of the type {type(value).__name__}; give a tensor, such as images.x")
    if condition is not None and condition.shape[:1] != x_0.shape[:1]:
        raise InputError(f"there are {len(x_0)} data and {len(condition)} conditions; give one for each")
    if batch < 1:
        raise InputError(f"batch={batch} is below 1")
    if tuple(x_0.shape[1:]) != model.shape or len(x_0) < least:
        wanted = ", ".join(["n", *map(str, model.shape)])
        raise InputError(f"x_0 has shape {tuple(x_0.shape)}; needed is ({wanted}) with n >= {least}")
    if model.levels is not None:
        check_images(x_0, model.levels)
    elif not bool(torch.isfinite(x_0).all()):
        raise InputError("the data hold NaN or infinity; leave such members out")


def estimate(values: np.ndarray, confidence: float, *limits: str) -> Estimate:
    """The mean of independent values, in bits per dimension, with Student's interval and what it does not cover."""
    found = intervals.student(values, confidence=confidence)
    return replace(found, unit="bits/dim", limits=(*found.limits, *limits))
