"""Schedules in continuous time, t in [0, 1]: alpha_bar(t) as a function, without steps."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from sojourn.diffusion.marginals import Marginals, Time, as_times
from sojourn.diffusion.schedule import Schedule, whole_steps
from sojourn.errors import InputError


class ContinuousSchedule(Marginals):
    """A schedule given by log alpha_bar(t), a falling function on [0, 1], float64.

    Make one with `linear`, `cosine` or `from_log_snr`, or learn one (`fit_schedule`).

    Attributes:
        first: least time that a network meets; smaller ones are noiseless to it.
    """

    last = 1.0

    def __init__(
        self, log_alpha_bar: Callable[[Tensor], Tensor], *, first: float = 1e-4, name: str = "continuous"
    ) -> None:
        if not 0 < first < 1:
            raise InputError(f"first={first} is not in (0, 1)")
        self._function, self.first, self.name = log_alpha_bar, first, name
        grid = torch.linspace(first, 1, 1001, dtype=torch.float64)
        values = log_alpha_bar(grid)
        fine = bool(torch.isfinite(values).all() and (values < 0).all() and (torch.diff(values) < 0).all())
        if not fine:
            raise InputError(
                f"the schedule {name} must fall everywhere between t={first} and 1, with alpha_bar in (0, 1)"
            )

    @classmethod
    def linear(cls, first: float = 0.1, last: float = 20.0) -> ContinuousSchedule:
        """The variance-preserving SDE: log alpha_bar(t) = -first t - (last - first) t^2 / 2.

        Source: Song et al. (2021), equation 11.
        """
        if not 0 < first <= last:
            raise InputError(f"linear({first}, {last}) needs 0 < first <= last")
        return cls(lambda t: -first * t - (last - first) / 2 * t**2, name=f"linear({first}, {last})")

    @classmethod
    def cosine(cls, *, least: float = -15.0, greatest: float = 15.0) -> ContinuousSchedule:
        """log SNR(t) = -2 log tan(a + (b - a) t), from `greatest` at t = 0 to `least` at t = 1.

        Source: Hoogeboom, Heek and Salimans (2023), simple diffusion, section 3.1.
        """
        if not least < greatest:
            raise InputError(f"cosine(least={least}, greatest={greatest}) needs least < greatest")
        a, b = math.atan(math.exp(-greatest / 2)), math.atan(math.exp(-least / 2))
        return cls.from_log_snr(
            lambda t: -2 * torch.log(torch.tan(a + (b - a) * t)), name=f"cosine({least}, {greatest})"
        )

    @classmethod
    def from_log_snr(cls, log_snr: Callable[[Tensor], Tensor], *, name: str = "from_log_snr") -> ContinuousSchedule:
        """Of a falling function t -> log(alpha_bar / (1 - alpha_bar)) of float64 tensors."""
        return cls(lambda t: torch.nn.functional.logsigmoid(log_snr(t)), name=name)

    def discretise(self, steps: int) -> Schedule:
        """The schedule of `steps` steps with alpha_bar_i = alpha_bar(i / steps)."""
        u = torch.arange(1, whole_steps(steps) + 1, dtype=torch.float64) / steps
        return Schedule(torch.cat([torch.zeros(1, dtype=torch.float64), self._function(u)]), self.name)

    def log_alpha_bar(self, t: Time) -> Tensor:
        t = as_times(t)
        if not bool(((t >= 0) & (t <= 1)).all()):
            raise InputError(f"the time t={t.tolist()} is not in [0, 1], the times of this schedule")
        return torch.where(
            t > 0, self._function(t), torch.zeros_like(t)
        )  # no noise at 0, whatever the function's limit

    def time_of(self, log_snr: Time) -> Tensor:
        """By bisection, to the last bit."""
        wanted = torch.nn.functional.logsigmoid(as_times(log_snr))
        low, high = torch.zeros_like(wanted), torch.ones_like(wanted)
        for _ in range(54):
            middle = (low + high) / 2
            noisier = self._function(middle) < wanted
            low, high = torch.where(noisier, low, middle), torch.where(noisier, middle, high)
        return (low + high) / 2

    def network_time(self, t: Tensor) -> Tensor:
        """1000 t: the range of a discrete schedule of 1000 steps."""
        return 1000 * t

    def before(self, t: Time) -> Time:
        raise InputError("a schedule in continuous time has no step before t; say which time s is meant")

    def __repr__(self) -> str:
        return f"ContinuousSchedule.{self.name}"
