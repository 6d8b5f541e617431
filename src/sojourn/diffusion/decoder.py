"""L_0: the probability of grey levels under a Gaussian, to the last digits even far in its tails.

p(x_0 | x_1) = prod_i [Phi((x_i + h - mean_i) / sigma_i) - Phi((x_i - h - mean_i) / sigma_i)],   h = 1 / (levels - 1),
with the lowest level's left end at -inf and the highest one's right end at +inf.
Source: Ho, Jain and Abbeel (2020), equation 13.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def log_level_probability(x_0: Tensor, mean: Tensor, log_variance: Tensor, levels: int) -> Tensor:
    """log p(x_0 | x_1) in nats, (n,) float64, of images x_0 (n, ...) with that many levels from -1 to 1."""
    x_0, mean = x_0.to(torch.float64), mean.to(torch.float64)
    scale, half = torch.exp(0.5 * log_variance.to(torch.float64)), 1 / (levels - 1)
    low = torch.where(x_0 < -1 + half, -math.inf, (x_0 - half - mean) / scale)
    high = torch.where(x_0 > 1 - half, math.inf, (x_0 + half - mean) / scale)
    return log_normal_mass(low, high).flatten(1).sum(1)


def log_density(x_0: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(x_0; mean, variance) in nats, (n,) float64: the decoder of data without levels."""
    x_0, mean, log_variance = (value.to(torch.float64) for value in (x_0, mean, log_variance))
    each = (x_0 - mean) ** 2 * torch.exp(-log_variance) + log_variance + math.log(2 * math.pi)
    return -0.5 * each.flatten(1).sum(1)


def log_normal_mass(low: Tensor, high: Tensor) -> Tensor:
    """log(Phi(high) - Phi(low)) for low < high; either may be infinite.

    The interval is mirrored so that its middle is not above 0; then, with l = log Phi,
    l(high) + log(1 - exp(l(low) - l(high))) loses nothing: both terms are far from cancelling.
    """
    right = low + high > 0
    low, high = torch.where(right, -high, low), torch.where(right, -low, high)
    open_end = torch.isinf(low)
    log_high = torch.special.log_ndtr(high)
    log_low = torch.special.log_ndtr(torch.where(open_end, high - 1, low))  # finite, for the sake of gradients
    between = log_high + torch.log(-torch.expm1(log_low - log_high))
    return torch.where(open_end, log_high, between)
