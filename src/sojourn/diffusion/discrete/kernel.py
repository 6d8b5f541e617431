"""The forward kernel of categorical diffusion, with its closed forms named as in the paper.

Q_t = (1 - beta_t) I + beta_t 1 pi^T,     Q_bar_t = Q_1 ... Q_t = alpha_bar_t I + (1 - alpha_bar_t) 1 pi^T,
where pi is the law that redrawn cells come from: uniform over the states, or all of it on a mask state.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from sojourn.errors import InputError

_LEAST = 1e-30  # no state that is possible is given less


@dataclass(frozen=True, eq=False)
class Kernel:
    """Noise that redraws cells; make one with `uniform` or `absorbing`.

    Args:
        states: K, the number of states of a cell of data, 0 to K - 1.
        stationary: pi (S,) float64, S = K, or K + 1 where state K is the mask.
        alpha_bar: (T + 1,), falling from 1; see `schedules`.

    Probabilities have the states on their last axis; times are whole numbers, one for all or one a member.

    Raises:
        InputError: fewer than two states, a schedule that does not fall from 1 to 0 or above.

    Source: Austin et al. (2021), section 3.1 and appendix A.2.
    """

    states: int
    stationary: Tensor = field(repr=False)
    alpha_bar: Tensor = field(repr=False)

    def __post_init__(self) -> None:
        if not 2 <= self.states <= 254:
            raise InputError(f"states={self.states} is not in 2..254, the numbers of states a cell can have here")
        alpha_bar = self.alpha_bar.to(torch.float64)
        falls = alpha_bar.ndim == 1 and len(alpha_bar) > 1 and bool((torch.diff(alpha_bar) < 0).all())
        if not falls or alpha_bar[0] != 1 or alpha_bar[-1] < 0:
            raise InputError("alpha_bar must fall at every step, from 1 at t = 0 to 0 or above at t = T")
        object.__setattr__(self, "alpha_bar", alpha_bar)

    @classmethod
    def uniform(cls, states: int, alpha_bar: Tensor) -> Kernel:
        """Redrawn cells take any state with probability 1/K."""
        return cls(states, uniform_law(states), alpha_bar)

    @classmethod
    def absorbing(cls, states: int, alpha_bar: Tensor) -> Kernel:
        """Redrawn cells become masks, state K, and remain so."""
        return cls(states, mask_law(states), alpha_bar)

    @property
    def steps(self) -> int:
        """T."""
        return len(self.alpha_bar) - 1

    @property
    def symbols(self) -> int:
        """S: the states of a noised cell, K of data and perhaps the mask."""
        return len(self.stationary)

    def Q(self, t: int) -> Tensor:
        """(S, S), [Q_t]_ij = q(x_t = j | x_{t-1} = i); for t = 1, ..., T."""
        return self._matrix(float(self.alpha_bar[self.check(t)] / self.alpha_bar[t - 1]))

    def Q_bar(self, t: int) -> Tensor:
        """(S, S), [Q_bar_t]_ij = q(x_t = j | x_0 = i); for t = 0, ..., T."""
        return self._matrix(float(self.alpha_bar[t if t == 0 else self.check(t)]))

    def q_x_t(self, x_0: Tensor, t: int | Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
        """q(x_t | x_0) = x_0 Q_bar_t: (n, *lattice, S) of states x_0 (n, *lattice)."""
        kept, pi = self._at(t, x_0, dtype), self._pi(x_0, dtype)
        return kept * _one_hot(x_0, self.symbols, dtype) + (1 - kept) * pi

    def posterior(self, x_t: Tensor, x_0: Tensor, t: int | Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
        """q(x_{t-1} | x_t, x_0) = x_t Q_t^T * x_0 Q_bar_{t-1} / (x_0 Q_bar_t x_t^T), for t = 1, ..., T.

        Where x_0 holds probabilities p(x_0) instead of states, this is the mean of q(x_{t-1} | x_t, x_0) under them:
        the reverse law p_theta(x_{t-1} | x_t) of a network that says p(x_0 | x_t). States x_0 from which x_t cannot
        come have no part in it. (The paper weights each term by q(x_t | x_0) as well. With the absorbing kernel that
        is the same; with the uniform one it counts the evidence of x_t twice when p is the true p(x_0 | x_t).)

        Args:
            x_t: (n, *lattice), states 0 to S - 1, such as can occur at t; NaN where x_t cannot (a cell that is no mask
                where alpha_bar_t = 0).
            x_0: (n, *lattice) states 0 to K - 1, or (n, *lattice, K) probabilities, whose dtype is then used.
            t: time.

        Returns:
            (n, *lattice, S).
        """
        p = x_0 if x_0.is_floating_point() else _one_hot(x_0, self.states, dtype)
        dtype = p.dtype
        before, now = self._at(t - 1, x_t, dtype), self._at(t, x_t, dtype)
        ratio = now / before
        pi, here = self._pi(x_t, dtype), _one_hot(x_t, self.symbols, dtype)
        drawn = pi[x_t.long()][..., None]  # pi at x_t
        likelihood = now * here[..., : self.states] + (1 - now) * drawn  # q(x_t | x_0), (..., K)
        p = torch.where(likelihood > 0, p.clamp(min=_LEAST), 0)
        p = p / p.sum(-1, keepdim=True)
        w = torch.where(likelihood > 0, p / torch.where(likelihood > 0, likelihood, 1), 0)
        kept = torch.nn.functional.pad(w, (0, self.symbols - self.states))
        found = (ratio * here + (1 - ratio) * drawn) * (before * kept + (1 - before) * pi * w.sum(-1, keepdim=True))
        return found / found.sum(-1, keepdim=True)

    def check(self, t: int) -> int:
        """t, if it is a step of this kernel; else InputError."""
        if not 1 <= t <= self.steps:
            raise InputError(f"t={t} is not a step of this kernel; its steps are 1 to {self.steps}")
        return t

    def record(self) -> dict:
        """What a run's record says of this kernel."""
        return {
            "states": self.states,
            "stationary": [float(p) for p in self.stationary],
            "alpha_bar": self.alpha_bar,
        }

    def _matrix(self, kept: float) -> Tensor:
        return kept * torch.eye(self.symbols, dtype=torch.float64) + (1 - kept) * self.stationary

    def _pi(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return self.stationary.to(x.device, dtype)

    def _at(self, t: int | Tensor, x: Tensor, dtype: torch.dtype) -> Tensor:
        """alpha_bar_t with one axis for each of x, and one for the states."""
        times = torch.as_tensor(t, device=x.device)
        if bool(((times < 0) | (times > self.steps)).any()):
            raise InputError(f"a time from {int(times.min())} to {int(times.max())} is not in 0..{self.steps}")
        found = self.alpha_bar.to(x.device)[times].to(dtype)
        return found.reshape(-1, *[1] * x.ndim)


def uniform_law(states: int) -> Tensor:
    """pi of the uniform kernel, (K,)."""
    return torch.full((states,), 1 / states, dtype=torch.float64)


def mask_law(states: int) -> Tensor:
    """pi of the absorbing kernel, (K + 1,)."""
    return torch.nn.functional.pad(torch.zeros(states, dtype=torch.float64), (0, 1), value=1.0)


def draw(p: Tensor, u: Tensor) -> Tensor:
    """States (...) uint8 of probabilities p (..., S), by uniform numbers u (...); never one of probability 0."""
    total = torch.cumsum(p, -1)
    return (total <= (u.to(p.dtype) * total[..., -1])[..., None]).sum(-1).to(torch.uint8)


def kl(q: Tensor, p: Tensor) -> Tensor:
    """KL(q || p) in nats over the last axis."""
    return (torch.xlogy(q, q) - torch.xlogy(q, p)).sum(-1)


def _one_hot(x: Tensor, states: int, dtype: torch.dtype) -> Tensor:
    return (x[..., None] == torch.arange(states, device=x.device)).to(dtype)
