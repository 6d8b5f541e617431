"""What a training minimises: weights on the error of the predicted x_0, or the bound itself.

Means over dimensions of w(t) |x_0 - predicted x_0|^2, computed on the scale of the network's output.
With SNR = alpha^2 / sigma^2, w is
simple SNR;   min-SNR min(SNR, gamma);   target k, the weight of the output's own error;
variational, with the small variance, T/2 [SNR(t-1) - SNR(t)];   sliced as simple, in mean and without epsilon.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from sojourn.diffusion.marginals import spread
from sojourn.diffusion.variational import terms, terms_of, with_steps
from sojourn.errors import InputError
from sojourn.forward_mode import jvp

if TYPE_CHECKING:
    from sojourn.diffusion.ddpm import DDPM

Weight = Callable[[Tensor, Tensor], Tensor]
"""(SNR, k) -> w."""


class Loss(Protocol):
    """A loss of each member, (n,): x_0 and epsilon (n, *shape), t (n,)."""

    def __call__(self, model: DDPM, x_0: Tensor, t: Tensor, epsilon: Tensor, condition: Tensor | None) -> Tensor: ...


@dataclass(frozen=True)
class Simple:
    """|epsilon - predicted epsilon|^2, whatever is predicted (Ho, Jain and Abbeel 2020, equation 14)."""

    def __call__(self, model, x_0, t, epsilon, condition=None):
        return _weighted(model, x_0, t, epsilon, condition, lambda snr, own: snr)


@dataclass(frozen=True)
class Target:
    """|target - output|^2, the error of what is predicted: of v, of EDM's F, ..."""

    def __call__(self, model, x_0, t, epsilon, condition=None):
        return _weighted(model, x_0, t, epsilon, condition, lambda snr, own: own)


@dataclass(frozen=True)
class MinSNR:
    """min(SNR, gamma) on the error of x_0 (Hang et al. 2023, section 3.4)."""

    gamma: float = 5.0

    def __post_init__(self) -> None:
        if not self.gamma > 0:
            raise InputError(f"gamma={self.gamma} is not above zero")

    def __call__(self, model, x_0, t, epsilon, condition=None):
        return _weighted(model, x_0, t, epsilon, condition, lambda snr, own: snr.clamp(max=self.gamma))


@dataclass(frozen=True)
class Variational:
    """T L_{t-1} in nats a dimension; its mean over uniform t is the bound without L_T."""

    def __call__(self, model, x_0, t, epsilon, condition=None):
        steps = with_steps(model.schedule).steps
        return steps / math.prod(model.shape) * terms(model, x_0, t, epsilon, condition)


@dataclass(frozen=True)
class Hybrid:
    """Simple + weight T L_{t-1}, where the bound teaches the variance alone: the mean is detached in it.

    Source: Nichol and Dhariwal (2021), equation 16; their weight for L_{t-1} summed over T steps is 0.001.
    """

    weight: float = 1e-3

    def __call__(self, model, x_0, t, epsilon, condition=None):
        if model.variance != "learned_range":
            raise InputError('the hybrid loss teaches a variance; make the model with variance="learned_range"')
        x_t = model.schedule.noised(x_0, t, epsilon)
        output, fraction = model.output(x_t, t, condition)
        simple = _error(model, output, x_0, t, epsilon, lambda snr, own: snr)
        found = model.read(output.detach(), x_t, t, fraction)
        steps = with_steps(model.schedule).steps
        bound = steps / math.prod(model.shape) * terms_of(model, found, x_0, x_t, t)
        return simple + self.weight * bound


@dataclass(frozen=True)
class Sliced:
    """[|e|^2 - 2 sigma v^T grad e v] / D of the predicted epsilon e: 2 sigma^2 times sliced score matching at x_t.

    v are random signs. In mean it is `Simple` less E |epsilon|^2 / D = 1, although the network is not told epsilon, so
    what any objective of `sojourn.score` learns is a diffusion model too.

    Source: Song, Garg, Shi and Ermon (2019), equation 8.
    """

    def __call__(self, model, x_0, t, epsilon, condition=None):
        x_t = model.schedule.noised(x_0, t, epsilon)
        v = torch.randint_like(x_t, 2) * 2 - 1
        found, turned = jvp(lambda x: model.predict(x, t, condition).epsilon, x_t, v)
        sigma = spread(model.schedule.scales(t)[1], x_0).to(found)
        return (found.square() - 2 * sigma * v * turned).flatten(1).mean(1)


def _weighted(model: DDPM, x_0: Tensor, t: Tensor, epsilon: Tensor, condition: Tensor | None, weight: Weight) -> Tensor:
    output, _ = model.output(model.schedule.noised(x_0, t, epsilon), t, condition)
    return _error(model, output, x_0, t, epsilon, weight)


def _error(model: DDPM, output: Tensor, x_0: Tensor, t: Tensor, epsilon: Tensor, weight: Weight) -> Tensor:
    """weight(SNR, k) |x_0 - predicted x_0|^2, as weight / k times |target - output|^2."""
    ways = model.parameterisation
    alpha, sigma = model.schedule.scales(t)
    own = ways.error_factor(alpha, sigma)
    factor = weight((alpha / sigma) ** 2, own) / own
    target = ways.target(x_0, epsilon, spread(alpha, x_0), spread(sigma, x_0))
    return factor.to(output) * ((target - output) ** 2).flatten(1).mean(1)
