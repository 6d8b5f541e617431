"""Topology and shape of sets of cells on a torus: pieces, Euler characteristic, perimeter, width.

A set is closed (cells that touch at a corner are connected) and its complement open (there they are not), so that

    chi = cells - edges + corners = b0 - b1 + b2

holds exactly. On a torus n discs have chi = n, a torus with n holes has chi = -n, and bands around it have chi = 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage


class Pieces(NamedTuple):
    """The connected pieces of a set of cells on a torus, one entry for each."""

    label: np.ndarray  # (y, x): 1, 2, ... in the pieces, 0 elsewhere
    area: np.ndarray  # in cells
    perimeter: np.ndarray  # in cells' sides, right on average over directions
    radius: np.ndarray  # of the largest disc inside, in cells' sides, up to a quarter of the torus
    chi: np.ndarray  # 1 if the piece can be shrunk to a point

    @property
    def roundness(self) -> np.ndarray:
        """4 pi area / perimeter^2 of pieces that can be shrunk to a point: 1 for a disc; of others 0."""
        return np.where(self.chi == 1, 4 * np.pi * self.area / np.maximum(self.perimeter, 1.0) ** 2, 0.0)

    def mean(self, values: np.ndarray) -> float:
        """Mean over the cells of the set of what each piece has; 0 of an empty set."""
        return float((self.area * values).sum() / self.area.sum()) if len(self.area) else 0.0


def euler_characteristic(cells: np.ndarray) -> int:
    """chi of the union of closed cells (y, x) on a torus."""
    return int(pieces(cells).chi.sum())


def pieces(cells: np.ndarray, *, closed: bool = True) -> Pieces:
    """The connected pieces of a set of cells (y, x) on a torus.

    Args:
        cells: which cells belong to the set.
        closed: whether edges and corners of its cells belong to the set (True), or only those that have its cells all
            around (False: the complement of a closed set).
    """
    cells = np.asarray(cells, bool)
    label = _label(cells, closed)
    count = int(label.max(initial=0))

    def tally(where: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(where.ravel(), None if weight is None else weight.ravel(), count + 1)[1:]

    join = np.maximum if closed else np.minimum  # an edge or corner has the label of its cells, or none
    left, above = np.roll(label, 1, 1), np.roll(label, 1, 0)
    edges = join(label, left), join(label, above)
    corner = join(edges[0], np.roll(edges[0], 1, 0))
    area = tally(label)
    chi = area - tally(edges[0]) - tally(edges[1]) + tally(corner)
    sides = np.sum([~np.roll(cells, shift, axis) for axis in (0, 1) for shift in (-1, 1)], axis=0)
    perimeter = np.pi / 4 * tally(label, sides)  # a digital disc of radius r has 8 r sides where a round one has 2 pi r
    radius = ndimage.maximum(_depth(cells), label, np.arange(1, count + 1)) if count else ()
    return Pieces(label, area, perimeter, np.asarray(radius, float), chi)


def _label(cells: np.ndarray, closed: bool) -> np.ndarray:
    """Pieces in the plane, joined where they meet across the seams."""
    label = np.asarray(ndimage.label(cells, np.ones((3, 3)) if closed else None)[0])  # type: ignore[index]
    count = int(label.max(initial=0))
    parent = list(range(count + 1))

    def root(k: int) -> int:
        while parent[k] != k:
            k = parent[k]
        return k

    for first, last in ((label[0], label[-1]), (label[:, 0], label[:, -1])):
        for shift in (-1, 0, 1) if closed else (0,):
            pairs = np.stack([first, np.roll(last, shift)], 1)
            for a, b in np.unique(pairs[(pairs > 0).all(1)], axis=0):
                parent[root(int(a))] = root(int(b))
    number = np.unique([root(k) for k in range(count + 1)], return_inverse=True)[1]
    return number[label.astype(np.int64)]


def _depth(cells: np.ndarray) -> np.ndarray:
    """Distance of every cell of the set to the nearest cell outside, up to a quarter of the torus."""
    limit = min(cells.shape) / 4
    if cells.all():
        return np.full(cells.shape, limit)
    pad = [(n // 4 + 1,) * 2 for n in cells.shape]
    depth = np.asarray(ndimage.distance_transform_edt(np.pad(cells, pad, mode="wrap")))
    inside = tuple(slice(p, p + n) for (p, _), n in zip(pad, cells.shape, strict=True))
    return np.minimum(depth[inside], limit)
