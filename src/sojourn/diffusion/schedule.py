"""Schedules of T steps, indexed as in the paper: t = 1, ..., T, and alpha_bar_0 = 1.

beta_t = 1 - alpha_t,   alpha_bar_t = alpha_1 ... alpha_t,   x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) epsilon_t.
"""

from __future__ import annotations

import math
import operator

import torch
from torch import Tensor

from sojourn.diffusion.marginals import Marginals, Time, as_times
from sojourn.errors import InputError

_LARGEST_BETA = 0.999


class Schedule(Marginals):
    """A noise schedule of T steps, float64; between whole times log alpha_bar is linear.

    Make one with `linear`, `cosine`, `sigmoid`, `from_snr`, `from_beta` or `from_alpha_bar`.

    Attributes:
        steps: T.
        beta, alpha, alpha_bar: (T + 1,) each, entry t for the time t; beta_0 = 0.
        posterior_variance: (T + 1,), beta_tilde_t = (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) beta_t; 0 up to t = 1.
    """

    def __init__(self, log_alpha_bar: Tensor, name: str = "schedule") -> None:
        self.name, self.steps = name, len(log_alpha_bar) - 1
        self.first, self.last = 1.0, float(self.steps)
        self._log_alpha_bar = log_alpha_bar
        _check(log_alpha_bar, name)
        differences = torch.diff(log_alpha_bar, prepend=torch.zeros(1, dtype=torch.float64))
        self.beta, self.alpha, self.alpha_bar = (
            -torch.expm1(differences),
            torch.exp(differences),
            torch.exp(log_alpha_bar),
        )
        noise = -torch.expm1(log_alpha_bar)
        self.posterior_variance = torch.zeros_like(noise)
        self.posterior_variance[1:] = noise[:-1] / noise[1:] * self.beta[1:]

    @classmethod
    def linear(cls, first: float = 1e-4, last: float = 0.02, *, steps: int = 1000) -> Schedule:
        """beta_t from `first` at t = 1 to `last` at t = T in equal steps.

        Source: Ho, Jain and Abbeel (2020), section 4.
        """
        if not 0 < first <= last < 1:
            raise InputError(f"linear({first}, {last}) needs 0 < first <= last < 1")
        return cls.from_beta(
            torch.linspace(first, last, whole_steps(steps), dtype=torch.float64), f"linear({first}, {last})"
        )

    @classmethod
    def cosine(cls, *, steps: int = 1000, offset: float = 0.008) -> Schedule:
        """alpha_bar_t = f(t) / f(0), f(t) = cos^2((t/T + offset) / (1 + offset) pi / 2); no beta above 0.999.

        Source: Nichol and Dhariwal (2021), equation 17.
        """
        if not 0 <= offset < 1:
            raise InputError(f"offset={offset} is not in [0, 1)")
        u = torch.arange(whole_steps(steps) + 1, dtype=torch.float64) / steps
        return cls._clipped(torch.cos((u + offset) / (1 + offset) * math.pi / 2) ** 2, f"cosine(offset={offset})")

    @classmethod
    def sigmoid(cls, *, steps: int = 1000, start: float = -3.0, end: float = 3.0, tau: float = 1.0) -> Schedule:
        """alpha_bar_t proportional to s(end / tau) - s((start + (end - start) t/T) / tau), s the logistic function.

        Source: Jabri, Fleet and Chen (arXiv 2212.11972), figure 8; Chen (arXiv 2301.10972) for start, end and tau.
        """
        if not (start < end and tau > 0):
            raise InputError(f"sigmoid(start={start}, end={end}, tau={tau}) needs start < end and tau > 0")
        u = torch.arange(whole_steps(steps) + 1, dtype=torch.float64) / steps
        s = torch.sigmoid((start + (end - start) * u) / tau)
        return cls._clipped(s[-1] - s, f"sigmoid({start}, {end}, tau={tau})")

    @classmethod
    def from_snr(cls, snr: Tensor) -> Schedule:
        """Of signal-to-noise ratios alpha_bar_t / (1 - alpha_bar_t) at t = 1, ..., T, which must fall."""
        snr = torch.as_tensor(snr, dtype=torch.float64)
        if snr.ndim != 1 or not bool((snr > 0).all()):
            raise InputError("from_snr needs a vector of numbers above zero, one for each of t = 1, ..., T")
        return cls(_with_zero(-torch.log1p(1 / snr)), "from_snr")

    @classmethod
    def from_beta(cls, beta: Tensor, name: str = "from_beta") -> Schedule:
        """Of beta_1, ..., beta_T, each in (0, 1)."""
        beta = torch.as_tensor(beta, dtype=torch.float64)
        if beta.ndim != 1 or not bool(((beta > 0) & (beta < 1)).all()):
            raise InputError("from_beta needs a vector of numbers in (0, 1), one for each of t = 1, ..., T")
        return cls(_with_zero(torch.cumsum(torch.log1p(-beta), 0)), name)

    @classmethod
    def from_alpha_bar(cls, alpha_bar: Tensor) -> Schedule:
        """Of alpha_bar_1, ..., alpha_bar_T, falling within (0, 1); a leading alpha_bar_0 = 1 may be given too."""
        alpha_bar = torch.as_tensor(alpha_bar, dtype=torch.float64)
        if alpha_bar.ndim == 1 and len(alpha_bar) and alpha_bar[0] == 1:
            alpha_bar = alpha_bar[1:]
        if alpha_bar.ndim != 1 or not bool(((alpha_bar > 0) & (alpha_bar < 1)).all()):
            raise InputError("from_alpha_bar needs a vector of numbers in (0, 1), one for each of t = 1, ..., T")
        return cls(_with_zero(torch.log(alpha_bar)), "from_alpha_bar")

    @classmethod
    def _clipped(cls, f: Tensor, name: str) -> Schedule:
        """alpha_bar proportional to `f`, which may end at 0: no beta above 0.999."""
        return cls.from_beta(torch.clamp(1 - f[1:] / f[:-1], max=_LARGEST_BETA), name)

    def log_alpha_bar(self, t: Time) -> Tensor:
        t = as_times(t)
        if not bool(((t >= 0) & (t <= self.steps)).all()):
            raise InputError(f"the time t={t.tolist()} is not in [0, {self.steps}], the times of this schedule")
        table = self._log_alpha_bar.to(t.device)
        below = torch.clamp(t.floor().long(), max=self.steps - 1)
        return torch.lerp(table[below], table[below + 1], t - below)

    def time_of(self, log_snr: Time) -> Tensor:
        wanted = torch.nn.functional.logsigmoid(as_times(log_snr))
        table = self._log_alpha_bar.to(wanted.device)
        above = torch.clamp(torch.searchsorted(-table, -wanted.contiguous()), 1, self.steps)
        share = (wanted - table[above - 1]) / (table[above] - table[above - 1])
        return above - 1 + share.clamp(0, 1)

    def network_time(self, t: Tensor) -> Tensor:
        """t - 1: networks count from 0."""
        return t - 1

    def before(self, t: Time) -> Time:
        return t - 1

    def __repr__(self) -> str:
        return f"Schedule.{self.name}, {self.steps} steps, alpha_bar_T = {float(self.alpha_bar[-1]):.3g}"


def whole_steps(steps: int) -> int:
    """The number of steps, if it is a whole number of 1 or more."""
    try:
        found = 0 if isinstance(steps, bool) else operator.index(steps)
    except TypeError:
        found = 0
    if found < 1:
        raise InputError(f"steps={steps!r} is not a whole number of 1 or more")
    return found


def _with_zero(log_alpha_bar: Tensor) -> Tensor:
    return torch.cat([torch.zeros(1, dtype=torch.float64), log_alpha_bar])


def _check(log_alpha_bar: Tensor, name: str) -> None:
    if len(log_alpha_bar) < 2:
        raise InputError(f"the schedule {name} has no steps; give one number for each of t = 1, ..., T")
    rises = torch.nonzero(~(torch.diff(log_alpha_bar) < 0))
    if len(rises):
        t = int(rises[0]) + 1
        a, b = (float(torch.exp(log_alpha_bar[k])) for k in (t - 1, t))
        raise InputError(
            f"the schedule {name} is not monotone: alpha_bar goes from {a:.6g} at t={t - 1} to {b:.6g} at t={t}; "
            f"it must fall at every step"
        )
