"""Finite-difference Laplacians: stencils as offsets and weights, boundaries as extensions of the array.

    (lap f)_i = sum_o w_o f_{i+o}

Grid points lie in the middle of cells that fill the extent; a wall is a cell face.
"""

from __future__ import annotations

import itertools
import math
from typing import Literal

import torch

Stencil = Literal["second", "isotropic", "fourth"]
Boundary = Literal["periodic", "neumann", "dirichlet"]

Weights = dict[tuple[int, ...], float]
"""Offset in cells along each axis -> weight."""


def weights(stencil: Stencil, spacing: tuple[float, ...]) -> Weights:
    """The weights of a Laplacian on a grid of this spacing.

    second: (1, -2, 1)/h^2 along every axis: 3, 5 or 7 points, error (h^2/12) sum_i d_i^4.
    isotropic: the same order with error (h^2/12) lap^2, which has no preferred direction; one spacing for all axes.
        2-D: 9 points (1 4 1; 4 -20 4; 1 4 1)/6h^2. 3-D: 19 points, faces 1/3, edges 1/6, centre -4 (over h^2).
    fourth: (-1, 16, -30, 16, -1)/12h^2 along every axis, error -(h^4/90) sum_i d_i^6.
    """
    d = len(spacing)
    if stencil == "isotropic" and d > 1:
        by_distance = {2: (-20 / 6, 4 / 6, 1 / 6), 3: (-4, 1 / 3, 1 / 6, 0.0)}[d]
        offsets = itertools.product((-1, 0, 1), repeat=d)
        found = {o: by_distance[sum(map(abs, o))] / spacing[0] ** 2 for o in offsets}
        return {o: w for o, w in found.items() if w}
    line = (-1 / 12, 16 / 12, -30 / 12, 16 / 12, -1 / 12) if stencil == "fourth" else (1.0, -2.0, 1.0)
    found: Weights = {}
    for axis, h in enumerate(spacing):
        for place, w in enumerate(line):
            offset = tuple((place - len(line) // 2) * (a == axis) for a in range(d))
            found[offset] = found.get(offset, 0.0) + w / h**2
    return found


def reach(stencil: Stencil) -> int:
    """How many cells away the stencil looks."""
    return 2 if stencil == "fourth" else 1


def largest_eigenvalue(stencil: Stencil, spacing: tuple[float, ...]) -> float:
    """The largest eigenvalue of minus the Laplacian: its symbol at the worst corner of wavenumbers 0 and pi/h.

    The symbol is linear in each cosine (or, for "fourth", falls along each axis), so the extremes are at corners.
    """
    found = weights(stencil, spacing)
    corners = itertools.product((0.0, math.pi), repeat=len(spacing))
    return max(
        -sum(w * math.cos(math.fsum(map(math.prod, zip(o, k, strict=True)))) for o, w in found.items()) for k in corners
    )


def extend(f: torch.Tensor, axis: int, cells: int, boundary: Boundary, wall: float) -> torch.Tensor:
    """`f` with `cells` more cells at both ends of `axis`.

    periodic: what is at the other end; neumann: even reflection about the wall, no flux through it; dirichlet: odd
    reflection about the value `wall` on it.
    """
    n = f.shape[axis]
    first, last = f.narrow(axis, 0, cells), f.narrow(axis, n - cells, cells)
    if boundary == "periodic":
        return torch.cat([last, f, first], axis)
    first, last = first.flip(axis), last.flip(axis)
    if boundary == "dirichlet":
        first, last = 2 * wall - first, 2 * wall - last
    return torch.cat([first, f, last], axis)


def laplacian(
    f: torch.Tensor, *, stencil: Stencil, spacing: tuple[float, ...], boundary: Boundary, wall: float
) -> torch.Tensor:
    """The Laplacian of `f` (ensemble, *shape) on a grid of this spacing."""
    r, shape = reach(stencil), f.shape[1:]
    extended = f
    for axis in range(1, f.ndim):
        extended = extend(extended, axis, r, boundary, wall)
    total = torch.zeros_like(f)
    for offset, w in weights(stencil, spacing).items():
        where = tuple(slice(r + o, r + o + n) for o, n in zip(offset, shape, strict=True))
        total = total + w * extended[(slice(None), *where)]
    return total
