"""Data whose every denoiser is known: Gaussian mixtures. What can be checked exactly is checked on these.

x_0 ~ sum_k w_k N(m_k, C_k)   =>   x_t ~ sum_k w_k N(alpha m_k, alpha^2 C_k + sigma^2 I).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sojourn.diffusion.marginals import Marginals, Time, spread
from sojourn.errors import InputError
from sojourn.noise import Noise


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of K Gaussians in d dimensions; with K = 1 a Gaussian.

    Args:
        weights: (K,), above zero, of sum 1.
        means: (K, d).
        covariances: (K, d, d), symmetric, positive semidefinite.

    Raises:
        InputError: shapes that do not fit, weights that are no probabilities, a matrix that is no covariance.
    """

    weights: Tensor
    means: Tensor
    covariances: Tensor

    def __post_init__(self) -> None:
        if self.means.ndim != 2:
            raise InputError(f"means has shape {tuple(self.means.shape)}; needed is (K, d), a row for each Gaussian")
        K, d = self.means.shape
        if self.weights.shape != (K,) or self.covariances.shape != (K, d, d):
            raise InputError(
                f"{K} means in {d} dimensions need weights of shape ({K},) and covariances of shape ({K}, {d}, {d}), "
                f"not {tuple(self.weights.shape)} and {tuple(self.covariances.shape)}"
            )
        if not bool((self.weights > 0).all()) or abs(float(self.weights.sum()) - 1) > 1e-9:
            raise InputError(f"weights={self.weights.tolist()} must be above zero, of sum 1")
        for name in ("weights", "means", "covariances"):
            object.__setattr__(self, name, getattr(self, name).to(torch.float64))
        lowest = float(torch.linalg.eigvalsh(self.covariances).min())
        asymmetry = float((self.covariances - self.covariances.mT).abs().max())
        if lowest < -1e-12 or asymmetry > 1e-12:
            raise InputError("covariances must be symmetric, without negative eigenvalues")

    @classmethod
    def gaussian(cls, mean: Tensor, covariance: Tensor) -> GaussianMixture:
        """One Gaussian: mean (d,), covariance (d, d)."""
        return cls(torch.ones(1, dtype=torch.float64), mean[None], covariance[None])

    def sample(self, n: int, noise: Noise) -> Tensor:
        """n draws, (n, d) float64."""
        K, d = self.means.shape
        u = noise.split("component").uniform(0, n, ()).to(torch.float64)
        k = torch.searchsorted(torch.cumsum(self.weights, 0), u).clamp(max=K - 1)
        values, vectors = torch.linalg.eigh(self.covariances)
        z = noise.split("place").normal(0, n, (d,), dtype=torch.float64)
        roots = vectors * torch.sqrt(values.clamp(min=0))[:, None, :]
        return self.means[k] + torch.einsum("nij,nj->ni", roots[k], z)

    def log_density(self, x: Tensor, alpha: Tensor | float = 1.0, sigma: Tensor | float = 0.0) -> Tensor:
        """log density of alpha x_0 + sigma epsilon at x (n, d); the scales one for all or one a member."""
        return torch.logsumexp(self._joint(x, *_scales(x, alpha, sigma))[0], dim=1)

    def mean_of_x_0(self, x: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
        """E[x_0 | alpha x_0 + sigma epsilon = x], (n, d)."""
        alpha, sigma = _scales(x, alpha, sigma)
        log_joint, projected, values, vectors = self._joint(x, alpha, sigma)
        gain = alpha[:, None, None] * values / ((alpha**2)[:, None, None] * values + (sigma**2)[:, None, None])
        means = self.means + torch.einsum("kij,nkj->nki", vectors, gain * projected)
        return torch.einsum("nk,nki->ni", torch.softmax(log_joint, dim=1), means)

    def network(self, schedule: Marginals) -> ExactNetwork:
        """The exact denoiser as a network that predicts epsilon, for `DDPM(..., predicts="epsilon", levels=None)`."""
        return ExactNetwork(self, schedule)

    def _joint(self, x: Tensor, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """log w_k N(x; ...) (n, K), V^T (x - alpha m_k) (n, K, d), eigenvalues (K, d), eigenvectors (K, d, d)."""
        values, vectors = torch.linalg.eigh(self.covariances)
        values = values.clamp(min=0)
        projected = torch.einsum("kij,nki->nkj", vectors, x[:, None, :] - alpha[:, None, None] * self.means)
        spreads = (alpha**2)[:, None, None] * values + (sigma**2)[:, None, None]
        log_normal = -0.5 * (projected**2 / spreads + torch.log(2 * math.pi * spreads)).sum(-1)
        return torch.log(self.weights) + log_normal, projected, values, vectors


class ExactNetwork(nn.Module):
    """epsilon = (x - alpha E[x_0 | x]) / sigma of a Gaussian mixture; float64, without parameters."""

    outputs = 1

    def __init__(self, law: GaussianMixture, schedule: Marginals) -> None:
        super().__init__()
        self.law, self.schedule = law, schedule
        self.shape = (law.means.shape[1],)

    def forward(self, x: Tensor, time: Tensor, condition: Tensor | None = None) -> Tensor:
        alpha, sigma = self.schedule.scales(self._t(time))
        return (x - spread(alpha, x) * self.law.mean_of_x_0(x, alpha, sigma)) / spread(sigma, x)

    def _t(self, time: Tensor) -> Time:
        """The schedule's time of what a network is given: `network_time` is affine."""
        zero, one = (self.schedule.network_time(torch.tensor(k, dtype=torch.float64)) for k in (0.0, 1.0))
        return (time.to(torch.float64) - zero) / (one - zero)


def _scales(x: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> tuple[Tensor, Tensor]:
    one = torch.ones(len(x), dtype=torch.float64)
    return one * torch.as_tensor(alpha, dtype=torch.float64), one * torch.as_tensor(sigma, dtype=torch.float64)
