"""The spectral form of Gray-Scott: which transform, exact diffusion of each wave, and the reaction without aliasing."""

from __future__ import annotations

from functools import lru_cache

import torch

from sojourn.processes.gray_scott import etdrk4
from sojourn.processes.gray_scott.explicit import reaction
from sojourn.processes.gray_scott.transforms import Cosine, Fourier, Transform


@lru_cache(maxsize=32)
def transform(boundary: str, shape: tuple[int, ...], lengths: tuple[float, ...], factor: int) -> Transform:
    """Fourier where the domain is periodic, cosine between Neumann walls; values on `factor` times the points."""
    return (Fourier if boundary == "periodic" else Cosine)(shape, lengths, factor)


def diffusion(
    waves: Transform, diffusivities: tuple, dt: float, dtype: torch.dtype, device: torch.device
) -> etdrk4.Coefficients:
    """ETDRK4's coefficients for L = -D |k|^2, shape (2, *waves): u first, then v."""
    if any(isinstance(d, torch.Tensor) and d.requires_grad for d in diffusivities):
        return _diffusion(waves, diffusivities, dt, dtype, device)
    return _diffusion_of_numbers(waves, tuple(map(float, diffusivities)), dt, dtype, device)


def _diffusion(waves: Transform, diffusivities, dt, dtype, device) -> etdrk4.Coefficients:
    squared = waves.squared_wavenumbers(device)
    return etdrk4.coefficients(torch.stack([-d * squared for d in diffusivities]), dt, dtype)


_diffusion_of_numbers = lru_cache(maxsize=8)(_diffusion)


def spectral_reaction(modes: torch.Tensor, waves: Transform, feed_rate, kill_rate) -> torch.Tensor:
    """Coefficients (ensemble, 2, *waves) -> those of the reaction, evaluated at the points of `waves`.

    With twice the points along every axis no product of three waves is mistaken for a shorter one, so each coefficient
    is that of the true cubic term. Rates that vary in space make a quadratic term of their own, evaluated there too.
    """
    u, v = waves.backward(modes).unbind(1)
    if isinstance(feed_rate, torch.Tensor) or isinstance(kill_rate, torch.Tensor):
        f, k = (_on_points(rate, waves) for rate in (feed_rate, kill_rate))
        return waves.forward(torch.stack(reaction(u, v, f, k), dim=1))
    eaten = waves.forward(u * v * v)
    mu, mv = modes.unbind(1)
    fed = -feed_rate * mu
    fed[(..., *[0] * len(waves.shape))] += feed_rate  # the wave that is constant
    return torch.stack([fed - eaten, eaten - (feed_rate + kill_rate) * mv], dim=1)


def _on_points(rate, waves: Transform):
    """A field in space at the points of the finer grid."""
    if not isinstance(rate, torch.Tensor) or rate.ndim == 0 or waves.factor == 1:
        return rate
    own = transform("periodic" if isinstance(waves, Fourier) else "neumann", waves.shape, waves.lengths, 1)
    return waves.backward(own.forward(rate))
