"""Is a generated member a copy of a training one? Distances to the nearest, beside those of held-out data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.special import betaincinv

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import clopper_pearson
from sojourn.diffusion.quality.samples import two_sets

_AT_ONCE = 1 << 24  # distances


@dataclass(frozen=True)
class Memorisation:
    """What `memorisation` found.

    Attributes:
        share: of generated members nearer to the training set than `threshold`.
        expected: the probability that new real data are that near.
        threshold: a distance.
        distances: (n,) float64, of each generated member to its nearest training one.
        indices: (n,) int64, which that is; for a picture of `train[indices]` beside `generated`.
    """

    share: Estimate
    expected: Estimate
    threshold: float
    distances: torch.Tensor
    indices: torch.Tensor

    @property
    def found(self) -> bool:
        """Whether copies are proved: the interval of `share` lies above that of `expected`.

        Where generated members have the law of real ones, this is true with probability at most 1 - confidence.
        """
        return self.share.low > self.expected.high


def memorisation(
    train: torch.Tensor,
    held_out: torch.Tensor,
    generated: torch.Tensor,
    *,
    quantile: float = 0.05,
    confidence: float = 0.95,
) -> Memorisation:
    """Compares how near generated and held-out data come to the training data; all (n, ...), Euclidean distances.

    The threshold is the k-th smallest distance from held-out data to the training data, k about quantile times their
    number. The probability that new real data are nearer is a Beta(k, h + 1 - k) variable whatever their law (h: the
    number held out), which gives `expected`; `share` has Clopper and Pearson's interval.

    Args:
        train: what the model learned from.
        held_out: real data that it did not see.
        generated: what it draws.
        quantile: share of held-out data that counts as near.

    Raises:
        InputError: shapes differ, values are not finite, or quantile is not in (0, 1).

    Source: the order statistics of S. S. Wilks, Ann. Math. Statist. 12 (1941), 91.
    """
    checks.inside("quantile", quantile)
    near, _ = nearest_neighbours(held_out, train)
    h = len(near)
    k = min(max(round(quantile * h), 1), h)
    threshold = float(near.sort().values[k - 1])
    distances, indices = nearest_neighbours(generated, train)
    share = clopper_pearson(int((distances < threshold).sum()), len(distances), confidence=confidence)
    error = (1 - checks.inside("confidence", confidence)) / 2
    low, high = float(betaincinv(k, h + 1 - k, error)), float(betaincinv(k, h + 1 - k, 1 - error))
    expected = Estimate(
        k / (h + 1),
        low,
        high,
        confidence,
        "at this n",
        f"order statistic {k} of {h}",
        "held-out data are independent draws of the law of real data, with no two distances equal",
        observations=h,
    )
    return Memorisation(share, expected, threshold, distances, indices)


def nearest_neighbours(x: torch.Tensor, among: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Distance of each member of `x`, (n, ...), to its nearest among (m, ...), float64 (n,), and which, int64 (n,)."""
    x, among = two_sets(x, among, least=1, names=("x", "among"))
    squares = among.square().sum(dim=1)
    rows = x.split(max(1, _AT_ONCE // len(among)))
    indices = torch.cat([(squares - 2 * piece @ among.T).argmin(dim=1) for piece in rows])
    return (x - among[indices]).norm(dim=1), indices  # anew: a difference of squares would lose the digits of a copy
