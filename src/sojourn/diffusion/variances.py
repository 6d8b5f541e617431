"""The variance of p(x_s | x_t): fixed small, fixed large, or learned between the two.

small: beta_tilde = (1 - alpha_bar_s) / (1 - alpha_bar_t) beta,   large: beta = 1 - alpha_bar_t / alpha_bar_s,
learned_range: exp(f log beta + (1 - f) log beta_tilde), with f in [0, 1] given by the network.

At the last step beta_tilde is 0; the decoder there uses that of the step before, as Ho's program does.
Source: Ho, Jain and Abbeel (2020), section 3.2; Nichol and Dhariwal (2021), equation 15.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from sojourn.diffusion.marginals import Marginals, Time, spread
from sojourn.errors import InputError

Variance = Literal["fixed_small", "fixed_large", "learned_range"]


def check_variance(variance: str) -> None:
    """Raises InputError unless the variance is known."""
    if variance not in ("fixed_small", "fixed_large", "learned_range"):
        raise InputError(f"variance={variance!r} is not known; choose fixed_small, fixed_large or learned_range")


def log_variance(
    variance: Variance, schedule: Marginals, x: Tensor, t: Time, s: Time, fraction: Tensor | None = None
) -> Tensor:
    """log of the variance of p(x_s | x_t) for s < t, shaped to multiply x (n, ...); the small one is -inf at s = 0."""
    large = torch.log(schedule.beta_between(t, s))
    small = torch.log(schedule.posterior_coefficients(t, s)[2])
    return interpolated(variance, spread(small, x), spread(large, x), fraction)


def interpolated(variance: Variance, small: Tensor, large: Tensor, fraction: Tensor | None) -> Tensor:
    """Which of two log variances, or what lies between them."""
    if variance == "fixed_small":
        return small
    if variance == "fixed_large":
        return large
    if fraction is None:
        raise InputError('variance="learned_range" needs a network with outputs=2')
    return torch.lerp(small, large, fraction)
