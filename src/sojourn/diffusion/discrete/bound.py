"""The variational bound of a discrete diffusion model, term by term, in bits per cell.

-log p(x_0) <= L_T + sum_{t=2}^T L_{t-1} + L_0,     L_T = KL(q(x_T | x_0) || pi),
L_{t-1} = E KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)),     L_0 = E[-log p(x_0 | x_1)].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import student
from sojourn.diffusion.discrete import losses
from sojourn.diffusion.discrete.d3pm import D3PM, check_states
from sojourn.diffusion.discrete.kernel import draw, kl
from sojourn.diffusion.modes import evaluating
from sojourn.errors import InputError
from sojourn.noise import Noise


@dataclass(frozen=True)
class DiscreteBound:
    """The terms as means over data, each with its interval, in bits per cell.

    Attributes:
        prior: L_T.
        steps: L_{t-1} for t = 2, ..., T, in this order.
        decoder: L_0.
        bits_per_cell: their sum, with the interval of the sum.
        each: (n,) the sum for every datum.
    """

    prior: Estimate
    steps: tuple[Estimate, ...]
    decoder: Estimate
    bits_per_cell: Estimate
    each: Tensor


def bound(
    model: D3PM,
    x_0: Tensor,
    *,
    condition: Tensor | None = None,
    noise: Noise,
    confidence: float = 0.95,
    batch: int = 64,
    progress: Callable[[int], None] | None = None,
) -> DiscreteBound:
    """The bound for data x_0, with one x_t drawn for each datum and t.

    Args:
        x_0: (n, *lattice) uint8, two or more independent data.
        condition: (n, ...), what the network is told of each.
        noise: of the draws; the result does not depend on `batch`.
        confidence: of each interval by itself.
        progress: called with the number of data done.

    Raises:
        InputError: fewer than two data, or states that the kernel does not know.
    """
    check_states(x_0, model.kernel.states)
    if batch < 1:
        raise InputError(f"batch={batch} is below 1")
    found = []
    with evaluating(model), torch.no_grad():
        for first in range(0, len(x_0), batch):
            some = slice(first, first + batch)
            told = None if condition is None else condition[some]
            found.append(_terms(model, x_0[some], told, noise.members(first)))
            if progress:
                progress(min(first + batch, len(x_0)))
    terms = torch.cat(found) / math.log(2)  # (n, T + 1): L_0, ..., L_{T-1}, L_T
    estimates = [_estimate(values, confidence) for values in terms.T]
    return DiscreteBound(
        estimates[-1], tuple(estimates[1:-1]), estimates[0], _estimate(terms.sum(1), confidence), terms.sum(1)
    )


def _terms(model: D3PM, x_0: Tensor, condition: Tensor | None, noise: Noise) -> Tensor:
    kernel = model.kernel
    terms = []
    for t in range(1, kernel.steps + 1):
        x_t = draw(kernel.q_x_t(x_0, t), noise.uniform(t, len(x_0), tuple(x_0.shape[1:]), device=x_0.device))
        terms.append(losses.variational(model, x_0, x_t, torch.full((len(x_0),), t), condition).double())
    last = kernel.q_x_t(x_0, kernel.steps)
    terms.append(kl(last, kernel.stationary.to(x_0.device)).flatten(1).mean(1))
    return torch.stack(terms, 1)


def _estimate(values: Tensor, confidence: float) -> Estimate:
    return replace(student(values.numpy(), confidence=confidence), unit="bits/cell")
