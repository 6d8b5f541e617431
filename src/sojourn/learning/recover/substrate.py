"""What v alone says of u at rest: the linear elliptic equation  -D_u lap w + (v^2 + F) w = v^2  for w = 1 - u."""

from __future__ import annotations

import numpy as np

from sojourn.learning.recover.waves import Waves


def substrate(waves: Waves, v: np.ndarray, feed: float, diffusivity: float, tolerance: float = 1e-12) -> np.ndarray:
    """The stationary u of v (ensemble, *shape) for F = feed and D_u = diffusivity."""
    return 1 - solve_elliptic(waves, v**2 + feed, v**2, diffusivity, tolerance)


def solve_elliptic(waves: Waves, c: np.ndarray, right: np.ndarray, diffusivity: float, tolerance: float) -> np.ndarray:
    """x with -D lap x + c x = right, c > 0: conjugate gradients, preconditioned by (-D lap + mean c)^-1 in waves."""
    damp = 1 / (diffusivity * waves.eigenvalues + c.mean())
    axes = tuple(range(-len(waves.shape), 0))

    def operate(x: np.ndarray) -> np.ndarray:
        return c * x - diffusivity * waves.laplacian(x)

    x = waves.backward(damp * waves.forward(right))
    r = right - operate(x)
    p = z = waves.backward(damp * waves.forward(r))
    rz = (r * z).sum(axes, keepdims=True)
    least = tolerance * np.sqrt((right**2).sum())
    for _ in range(200):
        if np.sqrt((r**2).sum()) <= least:
            break
        ap = operate(p)
        alpha = ratio(rz, (p * ap).sum(axes, keepdims=True))
        x, r = x + alpha * p, r - alpha * ap
        z = waves.backward(damp * waves.forward(r))
        before, rz = rz, (r * z).sum(axes, keepdims=True)
        p = z + ratio(rz, before) * p
    return x


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where b is not above 0."""
    return np.where(b > 0, a / np.where(b > 0, b, 1.0), 0.0)
