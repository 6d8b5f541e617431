"""Schedules of categorical noise: alpha_bar_0 = 1, ..., alpha_bar_T, the probability that a cell was never redrawn."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sojourn.diffusion.schedule import whole_steps
from sojourn.errors import InputError


def linear(first: float = 0.02, last: float = 1.0, *, steps: int = 100) -> Tensor:
    """beta_t from `first` at t = 1 to `last` at t = T in equal steps; alpha_bar (T + 1,) float64.

    Raises:
        InputError: not 0 < first <= last <= 1.
    """
    if not 0 < first <= last <= 1:
        raise InputError(f"linear({first}, {last}) needs 0 < first <= last <= 1")
    beta = torch.linspace(first, last, whole_steps(steps), dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - beta, 0)])


def cosine(*, steps: int = 100, offset: float = 0.008) -> Tensor:
    """alpha_bar_t = f(t) / f(0), f(t) = cos((t/T + offset) / (1 + offset) pi/2); alpha_bar_T = 0.

    Source: Hoogeboom, Nielsen, Jaini, Forre and Welling (2021); Austin et al. (2021), section 3.2.
    """
    if not 0 <= offset < 1:
        raise InputError(f"offset={offset} is not in [0, 1)")
    u = torch.arange(whole_steps(steps) + 1, dtype=torch.float64) / steps
    f = torch.cos((u + offset) / (1 + offset) * math.pi / 2)
    f[-1] = 0.0
    return f / f[0]


def mutual_information(law: Tensor, stationary: Tensor, *, steps: int = 100) -> Tensor:
    """alpha_bar for which I(x_t; x_0) = (1 - t/T) H(x_0) at every t, for one cell with law `law`.

    With the absorbing kernel that is alpha_bar_t = 1 - t/T, so beta_t = 1 / (T - t + 1), for any law.

    Args:
        law: (K,), the probabilities of a cell's states in the data.
        stationary: (S,), what redrawn cells come from, of a `Kernel`; S = K, or K + 1 with a mask.
        steps: T.

    Raises:
        InputError: `law` is no law of two or more states.

    Source: Austin et al. (2021), section 3.2.
    """
    law, stationary = law.to(torch.float64), stationary.to(torch.float64)
    if law.ndim != 1 or not bool((law >= 0).all()) or abs(float(law.sum()) - 1) > 1e-9 or float(law.max()) == 1:
        raise InputError(f"law={law.tolist()} must be probabilities of a cell's states, more than one above zero")
    wanted = _entropy(law) * (1 - torch.arange(whole_steps(steps) + 1, dtype=torch.float64) / steps)
    low, high = torch.zeros_like(wanted), torch.ones_like(wanted)
    for _ in range(60):
        middle = (low + high) / 2
        above = _information(law, stationary, middle) > wanted
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    found = (low + high) / 2
    found[0], found[-1] = 1.0, 0.0
    return found


def _information(law: Tensor, stationary: Tensor, alpha_bar: Tensor) -> Tensor:
    """I(x_t; x_0) = H(x_t) - H(x_t | x_0) in nats, for each alpha_bar."""
    kept = torch.eye(len(law), len(stationary), dtype=torch.float64)
    given = alpha_bar[:, None, None] * kept + (1 - alpha_bar)[:, None, None] * stationary
    return _entropy(law @ given) - (law * _entropy(given)).sum(-1)


def _entropy(p: Tensor) -> Tensor:
    return -torch.xlogy(p, p).sum(-1)
