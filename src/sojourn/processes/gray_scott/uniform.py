"""Uniform states of Gray-Scott, where they exist and which small disturbances they survive.

Besides red, (u, v) = (1, 0), there are u v = F + k and F (1 - u) = (F + k) v:

    u = (1 -+ sqrt(1 - 4 (F + k)^2 / F)) / 2,   v = (F + k) / u

The one with the smaller u is called blue, after the colours of Pearson (Science 261, 1993); the other is a saddle.
"""

from __future__ import annotations

import numpy as np

from sojourn.errors import InputError


def saddle_node(feed_rate: np.ndarray | float) -> np.ndarray:
    """The largest k for which blue exists: (F + k)^2 = F / 4, so k = (sqrt F - 2 F) / 2."""
    feed = np.asarray(feed_rate, float)
    return (np.sqrt(feed) - 2 * feed) / 2


def hopf(kill_rate: np.ndarray | float) -> np.ndarray:
    """The F below which blue spirals away when it is disturbed uniformly; k is at most 1/16.

    The trace of the Jacobian at blue is k - v^2. It vanishes where v = sqrt k, so u = (F + k) / sqrt k, and then
    F (1 - u) = (F + k) v says (F + k)^2 = F sqrt k: F = (sqrt k - 2 k - sqrt(k - 4 k^(3/2))) / 2. The other root has a
    negative determinant: it belongs to the saddle.
    """
    kill = np.asarray(kill_rate, float)
    if ((kill < 0) | (kill > 1 / 16)).any():
        raise InputError(f"kill_rate={kill_rate}: the Hopf curve ends at k = 1/16; ask for 0 to 0.0625")
    return (np.sqrt(kill) - 2 * kill - np.sqrt(np.maximum(kill - 4 * kill**1.5, 0.0))) / 2


def blue_state(feed_rate: float, kill_rate: float) -> tuple[float, float] | None:
    """(u, v) of blue, or None beyond the saddle-node curve."""
    loss = feed_rate + kill_rate
    root = 1 - 4 * loss**2 / feed_rate if feed_rate > 0 else -1.0
    if root < 0:
        return None
    u = (1 - np.sqrt(root)) / 2
    return float(u), float(loss / u) if u > 0 else 0.0


def jacobian(u: float, v: float, feed_rate: float, kill_rate: float) -> np.ndarray:
    """Derivatives of the reaction: ((-v^2 - F, -2 u v), (v^2, 2 u v - F - k))."""
    return np.array([[-(v**2) - feed_rate, -2 * u * v], [v**2, 2 * u * v - feed_rate - kill_rate]])


def growth_rate(
    u: float,
    v: float,
    feed_rate: float,
    kill_rate: float,
    wavenumber: np.ndarray,
    diffusivities: tuple[float, float] = (2e-5, 1e-5),
) -> np.ndarray:
    """Rate at which a small wave on a uniform state grows: the largest real part of J - |q|^2 diag(D_u, D_v)."""
    waves = np.asarray(wavenumber, float)[..., None, None] ** 2 * np.diag(diffusivities)
    return np.linalg.eigvals(jacobian(u, v, feed_rate, kill_rate) - waves).real.max(-1)
