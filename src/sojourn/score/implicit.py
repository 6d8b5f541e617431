"""Autoencoders whose encoder has no known density, trained through the score of that density.

z = g(x, eps), eps ~ N(0, 1):   grad H(q) = -E s(z | x)^T grad z,   s(z | x) = grad_z log q(z | x), learned by SSM-VR

ImplicitVAE     maximises E [log p(x | z) + log p(z)] + H(q(z | x)), the evidence lower bound
WAE             minimises E |x - m(z)|^2 + weight KL(q(z) || p(z)),  z = g(x), q the law of all z together
GaussianVAE     maximises the bound with q(z | x) normal, where its entropy is known

Each loss is one number: the objective of the score at fixed z, and the rest at a fixed score. So one backward pass
gives every weight its own gradient, and one optimiser serves both, as Adam treats each weight by itself.

Source: Song, Garg, Shi and Ermon, Sliced score matching (2019), sections 4.2 and 5.2, who update in turns by RMSprop
with Gaussian directions; Kingma and Welling (2013); Tolstikhin et al., Wasserstein auto-encoders (2018).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.score.derivatives import Score, call, check_like
from sojourn.score.objectives import sliced


def negative_entropy(score: Score, z: Tensor, condition: Tensor | None = None) -> Tensor:
    """E s(z) . z with s held fixed: its gradient in what made z is that of E log q(z) = -H(q). Its value means nothing.

    Args:
        score: grad_z log q(z), or with a condition grad_z log q(z | condition); see `sojourn.score.derivatives`.
        z: (n, d), differentiable in the weights of its encoder.
        condition: (n, ...).
    """
    with torch.no_grad():
        s = check_like(call(score, z.detach(), condition), z)
    return (s * z).flatten(1).sum(1).mean()


class ImplicitVAE(nn.Module):
    """An autoencoder with q(z | x) the law of encoder(x, eps).

    The score has to keep up with q: where it lags, as too plain a network or too high a rate makes it, q(z | x) shrinks
    to a point before its entropy pushes back.

    Args:
        encoder: (x (n, D), eps (n, k)) -> z (n, d), with k as its attribute `noise_size`; such as `ImplicitEncoder`.
        decoder: a network with `log_likelihood(x, z)`, log p(x | z), (n,); such as `BernoulliDecoder`.
        score: (z, x) -> like z; such as `ScoreNetwork`.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, score: nn.Module) -> None:
        super().__init__()
        self.encoder: Any = encoder
        self.decoder: Any = decoder
        self.score = score

    def loss(self, x: Tensor, *, noise: Noise, step: int = 0) -> Tensor:
        """To minimise; a training gives its step, from which eps and directions are drawn."""
        eps = noise.split("eps").normal(step, len(x), (self.encoder.noise_size,), x.dtype, x.device)
        z = self.encoder(x, eps)
        learn_score = sliced(self.score, z.detach(), condition=x, noise=noise.split("directions"), step=step)
        fit = -(self.decoder.log_likelihood(x, z) + log_prior(z)).mean()
        return fit + negative_entropy(self.score, z, x) + learn_score


class WAE(nn.Module):
    """An autoencoder whose codes together follow p(z): the penalty is KL(q(z) || p(z)), q the law of encoder(x).

    Args:
        encoder: x (n, D) -> z (n, d), such as `network([D, 256, 256, d])`.
        decoder: `mean(z)` is m(z), (n, D); such as `BernoulliDecoder`.
        score: z -> like z, such as `ScoreNetwork`.
        weight: of the penalty.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, score: nn.Module, weight: float = 10.0) -> None:
        super().__init__()
        if not weight > 0:
            raise InputError(f"weight={weight} is not above zero; without the penalty codes follow no known law")
        self.encoder = encoder
        self.decoder: Any = decoder
        self.score = score
        self.weight = weight

    def loss(self, x: Tensor, *, noise: Noise, step: int = 0) -> Tensor:
        """To minimise; a training gives its step, from which directions are drawn."""
        z = self.encoder(x)
        learn_score = sliced(self.score, z.detach(), noise=noise.split("directions"), step=step)
        error = (x - self.decoder.mean(z)).square().sum(1).mean()
        return error + self.weight * (negative_entropy(self.score, z) - log_prior(z).mean()) + learn_score


class GaussianVAE(nn.Module):
    """An autoencoder with q(z | x) = N(mean, exp(2 log_deviation)), both from the encoder.

    Args:
        encoder: x (n, D) -> (n, 2 d), the means and then the log deviations.
        decoder: as in `ImplicitVAE`.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder: Any = decoder

    def loss(self, x: Tensor, *, noise: Noise, step: int = 0) -> Tensor:
        """Minus the mean evidence lower bound, in nats."""
        mean, log_deviation = self.encoder(x).chunk(2, dim=1)
        eps = noise.split("eps").normal(step, len(x), tuple(mean.shape[1:]), x.dtype, x.device)
        z = mean + log_deviation.exp() * eps
        divergence = ((mean.square() + (2 * log_deviation).exp() - 1) / 2 - log_deviation).sum(1)
        return (divergence - self.decoder.log_likelihood(x, z)).mean()


class ImplicitEncoder(nn.Module):
    """z = g(x, eps) by one network of both: no density is known.

    Args:
        data: D.
        latent: d.
        noise: numbers of eps; d by default.
        hidden: width of the two layers.
    """

    def __init__(self, data: int, latent: int, noise: int | None = None, hidden: int = 256) -> None:
        super().__init__()
        self.noise_size = latent if noise is None else noise
        self.network = network([data + self.noise_size, hidden, hidden, latent])

    def forward(self, x: Tensor, eps: Tensor) -> Tensor:
        return self.network(torch.cat((x, eps), 1))


class ScoreNetwork(nn.Module):
    """s(z), or s(z | x), by one network of both.

    Args:
        latent: d.
        data: D of the condition, 0 where there is none.
        hidden: width of the two layers.
    """

    def __init__(self, latent: int, data: int = 0, hidden: int = 256) -> None:
        super().__init__()
        self.network = network([latent + data, hidden, hidden, latent])

    def forward(self, z: Tensor, x: Tensor | None = None) -> Tensor:
        return self.network(z if x is None else torch.cat((z, x), 1))


class BernoulliDecoder(nn.Module):
    """p(x | z) of independent pixels 0 and 1, whose logits a network gives.

    Args:
        latent: d.
        data: D.
        hidden: width of the two layers.
    """

    def __init__(self, latent: int, data: int, hidden: int = 256) -> None:
        super().__init__()
        self.network = network([latent, hidden, hidden, data])

    def forward(self, z: Tensor) -> Tensor:
        """Logits (..., D) of z (..., d)."""
        return self.network(z)

    def mean(self, z: Tensor) -> Tensor:
        """E [x | z], (..., D)."""
        return torch.sigmoid(self(z))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x | z), (...), of x (..., D) in {0, 1}."""
        logits = self(z)
        if logits.shape[-1] != x.shape[-1]:
            raise InputError(f"x has shape {tuple(x.shape)}; this decoder gives {logits.shape[-1]} numbers a datum")
        return (x * logits - F.softplus(logits)).sum(-1)


def log_prior(z: Tensor) -> Tensor:
    """log N(z; 0, 1), (...), of z (..., d)."""
    return -(z.square().sum(-1) + z.shape[-1] * math.log(2 * math.pi)) / 2


def network(widths: list[int]) -> nn.Sequential:
    """Dense layers with tanh between them."""
    if min(widths) < 1:
        raise InputError(f"widths={widths}: every layer has at least one number")
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    return nn.Sequential(*layers[:-1])
