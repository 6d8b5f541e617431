"""The forward process of a variance-preserving diffusion, in closed form.

q(x_t | x_0) = N(sqrt(alpha_bar_t) x_0, (1 - alpha_bar_t) I),      alpha_bar falling from 1 at t = 0 towards 0.

Any other scaling of signal and noise is this one times a number (variance exploding: y = x_t / sqrt(alpha_bar_t)).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from sojourn.errors import InputError

Time = int | float | Tensor
"""One time for all members, or a tensor (n,) of one for each."""


class Marginals(ABC):
    """What discrete and continuous schedules share; every coefficient is computed in float64.

    Attributes:
        first, last: the times of the least and the greatest noise that a network meets.
    """

    first: float
    last: float

    @abstractmethod
    def log_alpha_bar(self, t: Time) -> Tensor:
        """log alpha_bar at real times, float64, on the CPU or where `t` is."""

    @abstractmethod
    def time_of(self, log_snr: Time) -> Tensor:
        """The time at which log(alpha_bar / (1 - alpha_bar)) has this value, float64."""

    @abstractmethod
    def network_time(self, t: Tensor) -> Tensor:
        """The number that a network is given for the time `t`."""

    @abstractmethod
    def before(self, t: Time) -> Time:
        """The time of the step before `t`, where steps are part of the schedule."""

    def record(self) -> dict[str, Any]:
        """What a run's record says of this schedule: its name, and log alpha_bar at 10,001 times."""
        t = torch.linspace(self.first, self.last, 10_001, dtype=torch.float64).clamp(max=self.last)
        return {"name": repr(self), "log_alpha_bar": self.log_alpha_bar(t).to(torch.float32)}

    def log_snr(self, t: Time) -> Tensor:
        """log of the signal-to-noise ratio alpha_bar / (1 - alpha_bar), float64; infinite at t = 0."""
        log_alpha_bar = self.log_alpha_bar(t)
        return log_alpha_bar - torch.log(-torch.expm1(log_alpha_bar))

    def scales(self, t: Time) -> tuple[Tensor, Tensor]:
        """sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t), float64: x_t = alpha x_0 + sigma epsilon."""
        log_alpha_bar = self.log_alpha_bar(t)
        return torch.exp(log_alpha_bar / 2), torch.sqrt(-torch.expm1(log_alpha_bar))

    def marginal(self, x_0: Tensor, t: Time) -> tuple[Tensor, Tensor]:
        """Mean and variance of q(x_t | x_0); the variance has one entry a member.

        Source: Ho, Jain and Abbeel (2020), equation 4.
        """
        alpha, sigma = self.scales(t)
        return spread(alpha, x_0) * x_0, spread(sigma**2, x_0)

    def noised(self, x_0: Tensor, t: Time, epsilon: Tensor) -> Tensor:
        """x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) epsilon."""
        alpha, sigma = self.scales(t)
        return spread(alpha, x_0) * x_0 + spread(sigma, x_0) * epsilon

    def posterior(self, x_t: Tensor, x_0: Tensor, t: Time, s: Time | None = None) -> tuple[Tensor, Tensor]:
        """Mean and variance of q(x_s | x_t, x_0) for s < t, by default the step before t.

        With alpha = alpha_bar_t / alpha_bar_s and beta = 1 - alpha:
        mean = [sqrt(alpha_bar_s) beta x_0 + sqrt(alpha) (1 - alpha_bar_s) x_t] / (1 - alpha_bar_t),
        variance = (1 - alpha_bar_s) / (1 - alpha_bar_t) beta.

        Args:
            x_t, x_0: (n, ...).
            t, s: times, one for all or one a member.

        Raises:
            InputError: x_t and x_0 differ in shape; s is not below t.

        Source: Ho, Jain and Abbeel (2020), equations 6 and 7, for s = t - 1.
        """
        if x_t.shape != x_0.shape:
            raise InputError(f"x_t has shape {tuple(x_t.shape)} and x_0 {tuple(x_0.shape)}; they must be the same")
        s = self.before(t) if s is None else s
        on_x_0, on_x_t, variance = self.posterior_coefficients(t, s)
        return spread(on_x_0, x_t) * x_0 + spread(on_x_t, x_t) * x_t, spread(variance, x_t)

    def posterior_coefficients(self, t: Time, s: Time) -> tuple[Tensor, Tensor, Tensor]:
        """The factors of x_0 and x_t in the posterior's mean, and its variance, float64."""
        at_t, at_s = self.log_alpha_bar(t), self.log_alpha_bar(s)
        if bool((at_s <= at_t).any()):
            raise InputError(f"the posterior at s={s} given t={t} needs 0 <= s < t")
        beta, noise_t, noise_s = -torch.expm1(at_t - at_s), -torch.expm1(at_t), -torch.expm1(at_s)
        return (
            torch.exp(at_s / 2) * beta / noise_t,
            torch.exp((at_t - at_s) / 2) * noise_s / noise_t,
            noise_s / noise_t * beta,
        )

    def beta_between(self, t: Time, s: Time) -> Tensor:
        """1 - alpha_bar_t / alpha_bar_s, the variance of q(x_t | x_s), float64."""
        return -torch.expm1(self.log_alpha_bar(t) - self.log_alpha_bar(s))


def spread(values: Tensor, x: Tensor) -> Tensor:
    """One value for all, or one a member (n,), shaped to multiply `x` (n, ...), in its type and on its device."""
    values = values.to(device=x.device, dtype=x.dtype)
    return values if values.ndim == 0 else values.reshape(-1, *[1] * (x.ndim - 1))


def as_times(t: Time) -> Tensor:
    """Times as a float64 tensor."""
    return t.to(torch.float64) if isinstance(t, Tensor) else torch.tensor(t, dtype=torch.float64)
