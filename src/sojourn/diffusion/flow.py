"""The probability-flow ODE and the likelihood that it gives.

With l = log(alpha / sigma):   dx/dl = -alpha sigma v(x, l),   v = alpha epsilon - sigma x_0,   so from time t to T
log p_t(x) = log N(x_T; 0, I) - integral of alpha sigma div v dl   along the path that starts at x.

Source: Song et al. (2021), section 4.3 and appendix D.2; in l the integrand vanishes at both ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from sojourn.bounds.estimate import Estimate
from sojourn.diffusion.marginals import Time, as_times, spread
from sojourn.diffusion.modes import evaluating
from sojourn.diffusion.runge_kutta import integrate
from sojourn.diffusion.schedule import Schedule
from sojourn.diffusion.variational import check_data, estimate, terms
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.observers import ProgressBar

if TYPE_CHECKING:
    from sojourn.diffusion.ddpm import DDPM

Dequantise = Literal["gaussian", "uniform", "none"]


@dataclass(frozen=True, eq=False)
class Likelihood:
    """-log p(x_0) in bits per dimension.

    Attributes:
        bits_per_dim: the mean over the data with its interval.
        each: (n,) that of each datum.
        evaluations: how often the network was asked for a batch, without the divergence's backward passes.
    """

    bits_per_dim: Estimate
    each: np.ndarray
    evaluations: int


def likelihood(
    model: DDPM,
    x_0: Tensor,
    *,
    dequantise: Dequantise = "gaussian",
    condition: Tensor | None = None,
    probes: int | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    batch: int = 256,
    progress: bool = True,
) -> Likelihood:
    """The likelihood of data under the probability flow; never smaller in truth than stated, up to the ODE's error.

    How data x_0 become a place x from which the flow starts:
    - "gaussian": x_1 from q(x_1 | x_0), and -log p(x_0) <= E[-log p_1(x_1) - log p(x_0 | x_1) + log q(x_1 | x_0)],
      with the decoder of `bound`; for data with levels or without.
    - "uniform": x_0 + u, u uniform in the cell of its level, and -log P(x_0) <= E[-log p(x_0 + u)] - log of the
      cell's volume, with p at the first noisy time.
    - "none": the density at x_0 itself, of p at the first noisy time; for data without levels.

    Args:
        model: the diffusion model; the prediction of x_0 is not clamped here, so that the flow is smooth.
        x_0: (n, *shape), n >= 2.
        probes: how many random vectors estimate each divergence (Hutchinson), the same along a path; None: it is exact,
            with as many backward passes as there are dimensions.
        seed: of dequantisation and probes, which depend on seed and datum alone.
        rtol, atol: tolerances of the adaptive ODE solver.

    Raises:
        InputError: the data do not fit the model or the dequantisation.
    """
    check_data(model, x_0, least=2, condition=condition, batch=batch)
    _check_way(model, dequantise)
    noise, dimensions = Noise(seed).split("likelihood"), math.prod(model.shape)
    nats, calls = np.empty(len(x_0)), 0
    bar = ProgressBar("likelihood", 0, len(x_0), "data") if progress else None
    try:
        for first in range(0, len(x_0), batch):
            rows = slice(first, first + batch)
            data = x_0[rows].to(model.device)
            given = None if condition is None else condition[rows].to(model.device)
            here = noise.members(first)
            with evaluating(model), torch.no_grad():
                x, rest = _start(model, data, dequantise, here.split("dequantise"), given)
            found, asked = log_density(
                model, x, condition=given, probes=probes, noise=here.split("probes"), rtol=rtol, atol=atol
            )
            nats[rows], calls = (rest - found).cpu().numpy(), calls + asked
            if bar:
                bar.see(min(first + batch, len(x_0)), {})
    finally:
        if bar:
            bar.close()
    each = nats / (math.log(2) * dimensions)
    limits = ["the error of the ODE's steps"]
    if dequantise != "none":
        limits.append("the distance of this bound from -log p(x_0)")
    return Likelihood(estimate(each, confidence, *limits), each, calls)


def log_density(
    model: DDPM,
    x: Tensor,
    t: Time | None = None,
    *,
    condition: Tensor | None = None,
    probes: int | None = None,
    noise: Noise | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-5,
) -> tuple[Tensor, int]:
    """log p_t(x) of the probability flow in nats, (n,) float64, and how often the network was asked.

    Args:
        x: (n, *shape).
        t: time, one for all or one a member; by default the first noisy one.
        probes, noise: of Hutchinson's estimate of the divergence; with probes=None it is exact.
    """
    n, schedule = len(x), model.schedule
    start = as_times(schedule.first if t is None else t).expand(n)
    vectors = None if probes is None else _probes(model, x, probes, noise or Noise(0))

    def slope(half_log_snr: Tensor, y: Tensor, members: Tensor) -> Tensor:
        time = schedule.time_of(2 * half_log_snr)
        place = y[:, :-1].reshape(-1, *model.shape)
        given = None if condition is None else condition[members]
        v, divergence = velocity(model, place, time, given, None if vectors is None else vectors[:, members])
        alpha, sigma = schedule.scales(time)
        return -(alpha * sigma)[:, None] * torch.cat([v.flatten(1), divergence[:, None]], dim=1)

    y = torch.cat([x.flatten(1).to(torch.float64), torch.zeros(n, 1, dtype=torch.float64, device=x.device)], dim=1)
    ends = [schedule.log_snr(time).to(x.device) / 2 for time in (start, as_times(schedule.last).expand(n))]
    with evaluating(model):
        y, calls = integrate(slope, y, ends[0], ends[1], rtol=rtol, atol=atol)
    x_T, change = y[:, :-1], y[:, -1]
    return -0.5 * (x_T**2 + math.log(2 * math.pi)).sum(1) + change, calls


def velocity(
    model: DDPM, x: Tensor, t: Tensor, condition: Tensor | None, probes: Tensor | None
) -> tuple[Tensor, Tensor]:
    """v = alpha epsilon - sigma x_0 and its divergence in x, float64; exact, or the mean over probes (k, n, *shape)."""
    with torch.enable_grad():
        place = x.detach().to(model.dtype).requires_grad_()
        found = model.predict(place, t, condition)
        alpha, sigma = (spread(scale, place) for scale in model.schedule.scales(t))
        v = alpha * found.epsilon - sigma * found.x_0
        divergence = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        directions = len(probes) if probes is not None else math.prod(model.shape)
        for k in range(directions):
            along = probes[k] if probes is not None else _axis(v, k)
            (pulled,) = torch.autograd.grad(v, place, along, retain_graph=k + 1 < directions)
            divergence += (pulled.to(torch.float64) * along).flatten(1).sum(1)
    return v.detach().to(torch.float64), divergence / (1 if probes is None else directions)


def _axis(like: Tensor, k: int) -> Tensor:
    along = torch.zeros_like(like, memory_format=torch.contiguous_format)
    along.flatten(1)[:, k] = 1.0
    return along


def _probes(model: DDPM, x: Tensor, probes: int, noise: Noise) -> Tensor:
    """Signs, (probes, n, *shape)."""
    if probes < 1:
        raise InputError(f"probes={probes} is below 1; give 1 or more, or None for the exact divergence")
    words = torch.stack([noise.words(k, len(x), model.shape, device=x.device) for k in range(probes)])
    return 1 - 2 * (words & 1).to(model.dtype)


def _start(model: DDPM, x_0: Tensor, way: Dequantise, noise: Noise, condition: Tensor | None) -> tuple[Tensor, Tensor]:
    """Where the flow starts, and what must be added to minus its log density there, (n,)."""
    n, dimensions = len(x_0), math.prod(model.shape)
    if way == "none":
        return x_0, torch.zeros(n, dtype=torch.float64, device=x_0.device)
    if way == "uniform":
        cell = 2 / (model.levels - 1)  # type: ignore[operator]
        u = noise.uniform(0, n, model.shape, device=x_0.device)
        volume = torch.full((n,), dimensions * math.log(cell), dtype=torch.float64, device=x_0.device)
        return x_0 + (u - 0.5 + 2**-25) * cell, -volume
    epsilon = noise.normal(0, n, model.shape, dtype=model.dtype, device=x_0.device)
    one = torch.ones(n, dtype=torch.float64, device=x_0.device)
    decoder = terms(model, x_0.to(model.dtype), one, epsilon, condition)
    sigma = float(model.schedule.scales(1)[1])
    squares = (epsilon.to(torch.float64) ** 2).flatten(1).sum(1)
    log_q = -0.5 * squares - dimensions * (0.5 * math.log(2 * math.pi) + math.log(sigma))
    return model.schedule.noised(x_0.to(model.dtype), 1, epsilon), decoder + log_q


def _check_way(model: DDPM, way: str) -> None:
    if way not in ("gaussian", "uniform", "none"):
        raise InputError(f"dequantise={way!r} is not known; choose gaussian, uniform or none")
    if way == "gaussian" and not isinstance(model.schedule, Schedule):
        raise InputError('dequantise="gaussian" needs a schedule with steps; discretise it, or choose another')
    if (way == "uniform" and model.levels is None) or (way == "none" and model.levels is not None):
        raise InputError(f"dequantise={way!r} does not fit a model with levels={model.levels}; gaussian fits all")
