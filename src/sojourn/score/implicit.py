"""Autoencoders whose encoder has no known density, trained through the score of that density.

z = g(x, eps), eps ~ N(0, 1):   grad H(q) = -E s(z | x)^T grad z,   s(z | x) = grad_z log q(z | x), learned by SSM-VR

ImplicitVAE     maximises E [log p(x | z) + log p(z)] + H(q(z | x)), the evidence lower bound
WAE             minimises E |x - m(z)|^2 + weight KL(q(z) || p(z)),  z = g(x), q the law of all z together
GaussianVAE     maximises the bound with q(z | x) normal, where its entropy is known

Each loss is one number: the objective of the score at fixed z, and the rest at a fixed score. So one backward pass
gives every weight its own gradient, and one optimiser serves both where it treats each weight by itself, as Adam does
while gradients are not clipped by their joint norm.

The score has to keep up with q: while it lags, codes shrink together, as their entropy hardly pushes back. So the
network sees white codes, v = W u with E v v^T = 1 in each batch, where u is z less the mean of q or, of q(z | x), less
g(x, 0); s(z) = W^T s(v). With s(v) = -v, where `ScoreNetwork` begins, the entropy is that of a normal law, and what
remains to be learned does not change with the size of codes, or of what one x gives.

Source: Song, Garg, Shi and Ermon, Sliced score matching (2019), sections 4.2 and 5.2, whose networks begin anywhere,
and who update in turns by RMSprop with Gaussian directions; Kingma and Welling (2013); Tolstikhin et al., Wasserstein
auto-encoders (2018).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.score.derivatives import Score, call, check_like
from sojourn.score.normal import log_normal
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

    Args:
        encoder: (x (n, D), eps (n, d)) -> z (n, d), with d as its attribute `latent`; such as `ImplicitEncoder`.
        decoder: a network with `log_likelihood(x, z)`, log p(x | z), (n,); such as `BernoulliDecoder`.
        score: (v, x) -> like v, that of white codes v; such as `ScoreNetwork`.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, score: nn.Module) -> None:
        super().__init__()
        self.encoder: Any = encoder
        self.decoder: Any = decoder
        self.score = score

    def loss(self, x: Tensor, *, noise: Noise, step: int = 0) -> Tensor:
        """To minimise; a training gives its step, from which eps and directions are drawn."""
        eps = noise.split("eps").normal(step, len(x), (self.encoder.latent,), x.dtype, x.device)
        z = self.encoder(x, eps)
        with torch.no_grad():
            centre = self.encoder(x, torch.zeros_like(eps))
        learn_score, entropy = _entropy(self.score, z - centre, x, noise.split("directions"), step)
        return -(self.decoder.log_likelihood(x, z) + log_normal(z)).mean() + entropy + learn_score


class WAE(nn.Module):
    """An autoencoder whose codes together follow p(z): the penalty is KL(q(z) || p(z)), q the law of encoder(x).

    Args:
        encoder: x (n, D) -> z (n, d), such as `network([D, 256, 256, d])`.
        decoder: `mean(z)` is m(z), (n, D); such as `BernoulliDecoder`.
        score: v -> like v, that of white codes v; such as `ScoreNetwork`.
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
        learn_score, entropy = _entropy(self.score, z - z.detach().mean(0), None, noise.split("directions"), step)
        mean = self.decoder.mean(z)
        if mean.shape != x.shape:
            raise InputError(f"x has shape {tuple(x.shape)}; this decoder gives {mean.shape[-1]} numbers a datum")
        error = (x - mean).square().sum(1).mean()
        return error + self.weight * (entropy - log_normal(z).mean()) + learn_score


class GaussianVAE(nn.Module):
    """An autoencoder with q(z | x) = N(mean, exp(2 log_deviation)), both from the encoder.

    Args:
        encoder: x (n, D) -> (n, 2 d), the means and then the logs of the standard deviations.
        decoder: as in `ImplicitVAE`.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder: Any = decoder

    def loss(self, x: Tensor, *, noise: Noise, step: int = 0) -> Tensor:
        """Minus the mean evidence lower bound, in nats."""
        found = self.encoder(x)
        if found.ndim != 2 or found.shape[1] % 2:
            raise InputError(f"the encoder gives {tuple(found.shape)}; needed are means and log deviations, (n, 2 d)")
        mean, log_deviation = found.chunk(2, dim=1)
        eps = noise.split("eps").normal(step, len(x), tuple(mean.shape[1:]), x.dtype, x.device)
        z = mean + log_deviation.exp() * eps
        divergence = ((mean.square() + (2 * log_deviation).exp() - 1) / 2 - log_deviation).sum(1)
        return (divergence - self.decoder.log_likelihood(x, z)).mean()


class ImplicitEncoder(nn.Module):
    """z = eps + g(x, eps) with one network g of both: no density is known.

    Args:
        data: D.
        latent: d, of z and of eps.
        hidden: width of the two layers.
    """

    def __init__(self, data: int, latent: int, hidden: int = 256) -> None:
        super().__init__()
        self.latent = latent
        self.network = network([data + latent, hidden, hidden, latent])

    def forward(self, x: Tensor, eps: Tensor) -> Tensor:
        return eps + self.network(torch.cat((x, eps), 1))


class ScoreNetwork(nn.Module):
    """s(v) = g(v) - v, or s(v | x) = g(v, x) - v, with one network g.

    Args:
        latent: d.
        data: D of the condition, 0 where there is none.
        hidden: width of the two layers.
    """

    def __init__(self, latent: int, data: int = 0, hidden: int = 256) -> None:
        super().__init__()
        if data < 0:
            raise InputError(f"data={data} is below 0; give the numbers of the condition, 0 where there is none")
        self.network = network([latent + data, hidden, hidden, latent])

    def forward(self, v: Tensor, x: Tensor | None = None) -> Tensor:
        return self.network(v if x is None else torch.cat((v, x), 1)) - v


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


def network(widths: list[int]) -> nn.Sequential:
    """Dense layers with tanh between them."""
    if len(widths) < 2 or min(widths) < 1:
        raise InputError(f"widths={widths}: give two or more, from input to output, each at least 1")
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def _entropy(score: nn.Module, u: Tensor, condition: Tensor | None, noise: Noise, step: int) -> tuple[Tensor, Tensor]:
    """SSM-VR of a score of white codes, and the negative entropy of u by it (see `negative_entropy`)."""
    W = _whitening(u.detach())
    learn_score = sliced(score, u.detach() @ W.T, condition=condition, noise=noise, step=step)
    return learn_score, negative_entropy(lambda y, *given: score(y @ W.T, *given) @ W, u, condition)


def _whitening(u: Tensor) -> Tensor:
    """W with W (u^T u / n) W^T = 1, of u (n, d)."""
    n, d = u.shape
    if n <= d:
        raise InputError(f"a batch of {n} data has no covariance of {d} numbers; give more than {d} at a time")
    moments = u.T @ u / n
    floor = 1e-6 * moments.diagonal().mean() * torch.eye(d, dtype=u.dtype, device=u.device)
    root, failed = torch.linalg.cholesky_ex(moments + floor)
    if bool(failed):
        raise InputError("the codes are all alike, or hold NaN or infinity; mend the data or the encoder")
    return torch.linalg.inv(root)
