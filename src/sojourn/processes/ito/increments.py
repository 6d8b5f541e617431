"""What one step of a scheme sees of m independent Brownian motions, made from standard normal numbers.

Over a step of length h:
    W_i = int dW_i,    Z_i = int (W_i(s) - W_i(0)) ds,    A_ij = 1/2 int (W_i dW_j - W_j dW_i)  (the Levy area, i < j)
Written for anything that can be added and multiplied: PyTorch tensors, or SymPy symbols from which code is printed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scipy.special import polygamma

Kind = Literal["W", "WZ", "WA", "WV"]
"""W alone; with the time integrals Z; with Levy areas A; or with two-point stand-ins for them, right in law only."""


@dataclass(frozen=True)
class Increments:
    """Increments over one step: W (m), Z (m) where asked for, and area[i, j] for i != j where asked for."""

    kind: Kind
    W: list[Any]
    Z: list[Any]
    pairs: list[Any]

    @property
    def values(self) -> list[Any]:
        """All of them in one list: W, then Z, then the pairs (0, 1), (0, 2), ..., (1, 2), ..."""
        return [*self.W, *self.Z, *self.pairs]

    def area(self, i: int, j: int) -> Any:
        """A_ij = -A_ji."""
        if i == j:
            return 0
        place = _pairs(len(self.W)).index((min(i, j), max(i, j)))
        return self.pairs[place] if i < j else -self.pairs[place]


def from_values(kind: Kind, m: int, values: Sequence[Any]) -> Increments:
    """The inverse of `Increments.values`."""
    values = list(values)
    z = m if kind == "WZ" else 0
    return Increments(kind, values[:m], values[m : m + z], values[m + z :])


def size(kind: Kind, m: int) -> int:
    """How many values the increments over one step have."""
    return m + {"W": 0, "WZ": m, "WA": len(_pairs(m)), "WV": len(_pairs(m))}[kind]


def normals(kind: Kind, m: int, terms: int) -> int:
    """How many standard normal numbers make the increments over one step."""
    return {
        "W": m,
        "WZ": 2 * m,
        "WA": 2 * m + 2 * m * terms + len(_pairs(m)) if m > 1 else m,
        "WV": m + len(_pairs(m)),
    }[kind]


def levy_terms(m: int, h: float) -> int:
    """Terms of the Levy areas' series that keep strong order 1: ceil(sqrt(m) / (sqrt(12) pi sqrt(h))), at least 1.

    Source: Mrongowius and Roessler, Stoch. Anal. Appl. 40 (2022); Kastner and Roessler, arXiv:2201.08424.
    """
    return max(1, math.ceil(math.sqrt(m / (12 * h)) / math.pi))


def from_normals(kind: Kind, m: int, terms: int, xi: Sequence[Any], h: Any, root_h: Any, sign: Any) -> Increments:
    """Increments over a step of length h, root_h = sqrt(h), from `normals(...)` standard normals; sign(x) is -1 or 1.

    Areas by the Fourier series of the Brownian bridge, X and Y normal, r = 1, 2, ...:
        A_ij = 1/2 (W_j a_i - W_i a_j) + h / (2 pi) sum_r (X_ir Y_jr - Y_ir X_jr) / r
        a_i  = -sqrt(2 h) / pi  sum_r X_ir / r
    cut after `terms`; the rest of a_i is normal, and the rest of the double sum, which is uncorrelated with it and over
    pairs, is replaced by independent normals of its variance (Mrongowius and Roessler 2022).
    """
    W = [root_h * xi[i] for i in range(m)]
    if kind == "W" or (kind == "WA" and m == 1):
        return Increments(kind, W, [], [])
    if kind == "WZ":
        Z = [0.5 * h * (W[i] + root_h * xi[m + i] * (1 / math.sqrt(3))) for i in range(m)]
        return Increments(kind, W, Z, [])
    if kind == "WV":
        return Increments(kind, W, [], [h * sign(xi[m + k]) for k in range(len(_pairs(m)))])
    rest = float(polygamma(1, terms + 1))  # sum of 1/r^2 over r > terms
    X = [[xi[m + i * terms + r] for r in range(terms)] for i in range(m)]
    Y = [[xi[m + (m + i) * terms + r] for r in range(terms)] for i in range(m)]
    G, tail = xi[m + 2 * m * terms : 2 * m + 2 * m * terms], xi[2 * m + 2 * m * terms :]
    a = [
        root_h
        * (-math.sqrt(2) / math.pi)
        * sum((X[i][r] * (1 / (r + 1)) for r in range(terms)), math.sqrt(rest) * G[i])
        for i in range(m)
    ]
    pairs = []
    for k, (i, j) in enumerate(_pairs(m)):
        series = sum(
            ((X[i][r] * Y[j][r] - Y[i][r] * X[j][r]) * (1 / (r + 1)) for r in range(terms)),
            math.sqrt(2 * rest) * tail[k],
        )
        pairs.append(0.5 * (W[j] * a[i] - W[i] * a[j]) + h * (1 / (2 * math.pi)) * series)
    return Increments(kind, W, [], pairs)


def join(total: Increments, part: Increments, h: Any) -> Increments:
    """Increments over an interval, from those over its beginning (`total`) and over the part of length h that follows.

    W = W' + W'',  Z = Z' + Z'' + h W',  A_ij = A'_ij + A''_ij + 1/2 (W'_i W''_j - W'_j W''_i)   (Chen's relation)
    """
    W, w = total.W, part.W
    pairs = [
        total.pairs[k] + part.pairs[k] + 0.5 * (W[i] * w[j] - W[j] * w[i])
        for k, (i, j) in enumerate(_pairs(len(W)) if total.pairs else [])
    ]
    Z = [before + after + h * moved for before, after, moved in zip(total.Z, part.Z, W, strict=False)]
    return Increments(total.kind, [a + b for a, b in zip(W, w, strict=True)], Z, pairs)


def _pairs(m: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(m) for j in range(i + 1, m)]
