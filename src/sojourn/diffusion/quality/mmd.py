"""The maximum mean discrepancy: MMD^2 = E k(X, X') + E k(Y, Y') - 2 E k(X, Y), zero only for equal laws.

Source: A. Gretton et al., J. Mach. Learn. Res. 13 (2012), 723.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import betting, normal
from sojourn.diffusion.quality.samples import two_sets
from sojourn.errors import InputError

Kernel = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""kernel((..., n, d), (..., m, d)) -> (..., n, m)."""

_AT_ONCE = 1 << 24  # entries of a kernel matrix


@dataclass(frozen=True)
class Gaussian:
    """k(x, y) = exp(-|x - y|^2 / (2 bandwidth^2))."""

    bandwidth: float

    def __post_init__(self) -> None:
        if not 0 < self.bandwidth < math.inf:
            raise InputError(f"bandwidth={self.bandwidth} is not a length above zero; see `median_bandwidth`")

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        squared = x.square().sum(-1)[..., :, None] + y.square().sum(-1)[..., None, :] - 2 * x @ y.mT
        return torch.exp(-squared.clamp(min=0) / (2 * self.bandwidth**2))


@dataclass(frozen=True)
class Polynomial:
    """k(x, y) = (x . y / d + 1)^degree; of degree 3 on features of a classifier, MMD^2 is the KID.

    Source: M. Binkowski et al., arXiv 1801.01401.
    """

    degree: int = 3

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x @ y.mT / x.shape[-1] + 1) ** self.degree


def median_bandwidth(x: torch.Tensor) -> float:
    """The median of the distances between the first 1000 members of a set (n, ...): the usual choice of a bandwidth."""
    some, _ = two_sets(x, x)
    median = float(torch.pdist(some[:1000]).median())
    if median == 0:
        raise InputError("more than half of the distances are zero, so their median is no bandwidth; choose one")
    return median


def mmd_squared(real: torch.Tensor, generated: torch.Tensor, *, kernel: Kernel, confidence: float = 0.95) -> Estimate:
    """The unbiased estimate of MMD^2 from all pairs in two sets, (n, ...) and (m, ...), which may be negative.

        sum_(i != j) k(x_i, x_j) / n(n-1) + sum_(i != j) k(y_i, y_j) / m(m-1) - 2 sum k(x_i, y_j) / n m

    The interval is normal, with the variance of the jackknife that leaves out one member, which is too large on average
    rather than too small (B. Efron and C. Stein, Ann. Statist. 9 (1981), 586). Cost: (n + m)^2 kernels.

    Args:
        kernel: `Gaussian(median_bandwidth(real))`, or `Polynomial()` on features.

    Raises:
        InputError: the sets do not match, have fewer than 3 members or are not finite.
    """
    x, y = two_sets(real, generated, least=3)
    n, m = len(x), len(y)
    own_x, own_y = (_row_sums(kernel, z, z) - kernel(z[:, None], z[:, None])[:, 0, 0] for z in (x, y))
    cross_x, cross_y = _row_sums(kernel, x, y), _row_sums(kernel, y, x)
    inside_x, inside_y, across = own_x.sum(), own_y.sum(), cross_x.sum()
    value = inside_x / (n * (n - 1)) + inside_y / (m * (m - 1)) - 2 * across / (n * m)
    without_x = (inside_x - 2 * own_x) / ((n - 1) * (n - 2)) - 2 * (across - cross_x) / ((n - 1) * m)
    without_y = (inside_y - 2 * own_y) / ((m - 1) * (m - 2)) - 2 * (across - cross_y) / ((m - 1) * n)
    variance = sum((w - w.mean()).square().sum() * (len(w) - 1) / len(w) for w in (without_x, without_y))
    found = normal(float(value), float(variance) ** 0.5, confidence=confidence)
    return dataclasses.replace(
        found,
        method="normal, variance by the jackknife",
        assumes="the members of both sets are independent draws",
        limits=("laws that (nearly) agree, where the estimate is not normal; `mmd_linear` covers there too",),
        observations=n + m,
    )


def mmd_linear(real: torch.Tensor, generated: torch.Tensor, *, kernel: Gaussian, confidence: float = 0.95) -> Estimate:
    """MMD^2 with an interval that covers at this n, whatever the laws: independent pairs and bets.

    Members 2 i and 2 i + 1 of both sets give k(x, x') + k(y, y') - k(x, y') - k(x', y). These numbers are independent,
    have mean MMD^2, and lie in [-2, 2] with a kernel in [0, 1], so the betting interval is valid. It is wider than that
    of `mmd_squared`, which promises less. Members past the last whole pair of the smaller set are not used.

    Args:
        kernel: with a bandwidth chosen without a look at these sets, such as `Gaussian(median_bandwidth(others))`.

    Raises:
        InputError: the sets do not match, have fewer than 2 members or are not finite; the kernel has no bound.

    Source: Gretton et al. (2012), section 6.
    """
    if not isinstance(kernel, Gaussian):
        raise InputError(f"kernel={kernel!r} may exceed 1, and bets need a bound; give a Gaussian, or use mmd_squared")
    x, y = two_sets(real, generated)
    n = min(len(x), len(y)) // 2
    x, y = (z[: 2 * n].reshape(n, 2, 1, -1).unbind(1) for z in (x, y))  # pairs of (n, 1, d)
    terms = kernel(x[0], x[1]) + kernel(y[0], y[1]) - kernel(x[0], y[1]) - kernel(x[1], y[0])
    found = betting(terms.flatten().numpy(), range=(-2.0, 2.0), confidence=confidence)
    return dataclasses.replace(
        found,
        method="betting on pairs",
        assumes="the members of both sets are independent draws, and the bandwidth was chosen without a look at them",
    )


def _row_sums(kernel: Kernel, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """sum_j k(x_i, y_j), (n,), in pieces that fit memory."""
    return torch.cat([kernel(piece, y).sum(dim=1) for piece in x.split(max(1, _AT_ONCE // len(y)))])
