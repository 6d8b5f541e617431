"""Losses of discrete diffusion, side by side; each (n,) in nats per cell, for x_t drawn from q(x_t | x_0).

variational    KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)), and -log p(x_0 | x_1) at t = 1
cross_entropy  -log p(x_0 | x_t)
hybrid         variational + weight cross_entropy

Source: Austin et al. (2021), section 3.4 and equation 5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sojourn.diffusion.discrete.d3pm import D3PM
from sojourn.diffusion.discrete.kernel import kl


def variational(model: D3PM, x_0: Tensor, x_t: Tensor, t: Tensor, condition: Any = None) -> Tensor:
    """L_{t-1}; T times its mean over uniform t is the bound without its prior term.

    At t = 1 the posterior is all on x_0, and the divergence is -log p(x_0 | x_1): one formula serves both.
    """
    log_p = model.predict(x_t, t, condition)
    return _divergence(model, log_p, x_0, x_t, t)


def cross_entropy(model: D3PM, x_0: Tensor, x_t: Tensor, t: Tensor, condition: Any = None) -> Tensor:
    """-log p(x_0 | x_t), over all cells."""
    return _cross_entropy(model.predict(x_t, t, condition), x_0)


def hybrid(model: D3PM, x_0: Tensor, x_t: Tensor, t: Tensor, condition: Any = None, *, weight: float = 0.001) -> Tensor:
    """variational + weight cross_entropy, with one evaluation of the network."""
    log_p = model.predict(x_t, t, condition)
    return _divergence(model, log_p, x_0, x_t, t) + weight * _cross_entropy(log_p, x_0)


def _divergence(model: D3PM, log_p: Tensor, x_0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    true = model.kernel.posterior(x_t, x_0, t, log_p.dtype)
    return kl(true, model.kernel.posterior(x_t, log_p.exp(), t)).flatten(1).mean(1)


def _cross_entropy(log_p: Tensor, x_0: Tensor) -> Tensor:
    return -torch.gather(log_p, -1, x_0.long()[..., None]).flatten(1).mean(1)
