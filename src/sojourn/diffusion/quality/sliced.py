"""The sliced Wasserstein distance: the mean over directions of the distance of one-dimensional projections.

SW_p^p = E W_p^p(theta . X, theta . Y), theta uniform on the sphere;  W_p^p = int |F^-1(q) - G^-1(q)|^p dq
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import student
from sojourn.diffusion.quality.samples import jackknife, root, two_sets
from sojourn.errors import InputError
from sojourn.noise import Noise

GROUPS = 20
"""Of the jackknife."""

_AT_ONCE = 1 << 24  # projected numbers


def sliced_wasserstein(
    real: torch.Tensor,
    generated: torch.Tensor,
    *,
    p: Literal[1, 2] = 2,
    projections: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """SW_p between two sets themselves, (n, ...) and (m, ...), by random directions.

    The interval is Student's over directions, for SW_p^p, and covers their choice only. Two sets from one law have
    SW_p > 0 too, of order n^(-1/2) or more: compare with the distance of two real sets of these sizes, or see
    `sliced_wasserstein_of_laws`.

    Args:
        p: 1 or 2.
        projections: number of directions.
        seed: of the directions.

    Raises:
        InputError: the sets do not match or are not finite.

    Source: N. Bonneel et al., J. Math. Imaging Vis. 51 (2015), 22.
    """
    real, generated = two_sets(real, generated)
    found = student(_along_directions(real, generated, p, projections, seed).numpy(), confidence=confidence)
    return dataclasses.replace(
        root(found, p),
        method=f"Student over {projections} directions",
        assumes="the directions are independent, and many",
        limits=("the choice of the members of the sets: it is the distance of these sets, not of their laws",),
    )


def sliced_wasserstein_of_laws(
    real: torch.Tensor,
    generated: torch.Tensor,
    *,
    p: Literal[1, 2] = 2,
    projections: int = 200,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """SW_p between the laws behind two sets, over the directions drawn: the jackknife over members.

    Arguments as in `sliced_wasserstein`. The directions stay the same throughout; the interval does not cover their
    choice. Where p = 2 and the laws differ, SW_2^2 is asymptotically normal (T. Manole, S. Balakrishnan and
    L. Wasserman, Electron. J. Stat. 16 (2022), 2252).
    """
    real, generated = two_sets(real, generated, least=2 * GROUPS)

    def statistic(a: torch.Tensor, b: torch.Tensor) -> float:
        return float(_along_directions(a, b, p, projections, seed).mean())

    found = jackknife(statistic, real, generated, groups=GROUPS, confidence=confidence)
    return dataclasses.replace(root(found, p), limits=(f"the choice of the {projections} directions", *found.limits))


def wasserstein(a: torch.Tensor, b: torch.Tensor, *, p: Literal[1, 2] = 2) -> torch.Tensor:
    """W_p^p of the empirical laws of sets of numbers, row by row: (rows, n) and (rows, m) -> (rows,).

    The quantile functions are steps at k/n and k/m, so the integral is a finite sum over the steps of both.
    """
    a, b = a.sort(dim=1).values, b.sort(dim=1).values
    n, m = a.shape[1], b.shape[1]
    ends = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()  # in units of 1/(n m)
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), ends[:-1]])
    gap = (a[:, starts // m] - b[:, starts // n]).abs()
    return (gap if p == 1 else gap**p) @ ((ends - starts).double() / (n * m))


def directions(count: int, d: int, seed: int) -> torch.Tensor:
    """`count` directions, float64 (count, d), uniform on the sphere."""
    drawn = Noise(seed).split("directions").normal(0, count, (d,), dtype=torch.float64)
    return drawn / drawn.norm(dim=1, keepdim=True)


def _along_directions(a: torch.Tensor, b: torch.Tensor, p: int, projections: int, seed: int) -> torch.Tensor:
    if p not in (1, 2):
        raise InputError(f"p={p} is not 1 or 2")
    if projections < 2:
        raise InputError(f"projections={projections} is below 2; give more directions")
    rows = max(1, _AT_ONCE // (len(a) + len(b)))
    pieces = directions(projections, a.shape[1], seed).split(rows)
    return torch.cat([wasserstein(piece @ a.T, piece @ b.T, p=p) for piece in pieces])  # type: ignore[arg-type]
