"""From a start and parameters to the frames, what they owe to each parameter, and to the start.

theta = (F, k, D_u, D_v). Frames come from the solver itself; their derivatives with respect to theta from forward
differences of it. Derivatives with respect to the start (and their adjoints) come from the equation linearised about
the solution, d' = D lap d + A(t) d, by Strang's splitting: diffusion exactly in waves, reaction by the exponential of
its 2 x 2 matrix in each cell. It needs far fewer steps than the solver, and its adjoint is exact.

Source of the splitting: G. Strang, SIAM J. Numer. Anal. 5 (1968).
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from sojourn.errors import InputError
from sojourn.learning.recover.waves import Waves
from sojourn.noise import Noise
from sojourn.processes.gray_scott.gray_scott import GrayScott

NAMES = ("feed_rate", "kill_rate", "diffusivity_u", "diffusivity_v")
_SMALL = 1.0  # largest step of the linearised reaction, in units of 1/rate


def solver_at(solver: GrayScott, theta: np.ndarray) -> GrayScott | None:
    """The solver with these parameters; None where it cannot run (a negative rate, an unstable step)."""
    try:
        return replace(solver, **dict(zip(NAMES, map(float, theta), strict=True)))
    except InputError:
        return None


def steps_between(solver: GrayScott, gap: float) -> tuple[float, int]:
    """The time step and the number of steps that cover `gap`: the solver's own dt where it divides it, else shorter."""
    steps = max(1, math.ceil(gap / solver.dt - 1e-6))
    return gap / steps, steps


def advance(process: GrayScott, y: np.ndarray, steps: int) -> np.ndarray | None:
    """y (ensemble, 2, *shape) after `steps` steps; None if it did not stay finite."""
    state = {"u": torch.from_numpy(y[:, 0].copy()), "v": torch.from_numpy(y[:, 1].copy())}
    with torch.no_grad():
        state = process.advance(state, 0, steps, Noise(0))
    found = np.stack([state["u"].numpy(), state["v"].numpy()], axis=1)
    return found if np.isfinite(found).all() else None


def frames_from(solver: GrayScott, theta: np.ndarray, start: np.ndarray, gaps: tuple[float, ...]) -> np.ndarray | None:
    """The frames (ensemble, 1 + len(gaps), 2, *shape) that follow `start`; None where the solver cannot run."""
    frames = [start]
    for gap in gaps:
        dt, steps = steps_between(solver, gap)
        process = solver_at(replace(solver, dt=dt), theta)
        after = None if process is None else advance(process, frames[-1], steps)
        if after is None:
            return None
        frames.append(after)
    return np.stack(frames, axis=1)


def sensitivities(run, theta: np.ndarray, frames: np.ndarray, scale: np.ndarray) -> np.ndarray | None:
    """d frames / d theta, (4, *frames.shape), by forward differences of run(theta)."""
    columns = []
    for k in range(len(theta)):
        moved = theta.copy()
        moved[k] += 1e-6 * scale[k]
        after = run(moved)
        if after is None:  # at the edge of what the solver can run
            moved[k] -= 2e-6 * scale[k]
            after = run(moved)
        if after is None:
            return None
        columns.append((after - frames) / (moved[k] - theta[k]))
    return np.stack(columns)


class Tangent:
    """The frames' derivative M with respect to the start: M_0 = 1, M_1, ..., and its adjoint.

    Args:
        frames: those that `solver` makes at `theta` (ensemble, time, 2, *shape).
        sigma: (2,) units of u and v, so that M maps numbers in these units to numbers in them.
    """

    def __init__(
        self, solver: GrayScott, waves: Waves, theta: np.ndarray, frames: np.ndarray, gaps: tuple[float, ...], sigma
    ) -> None:
        self.waves, self.legs = waves, []
        feed, kill, *diffusivities = theta
        strength = -np.multiply.outer(np.array(diffusivities), waves.eigenvalues)
        for j, gap in enumerate(gaps):
            dt, steps = steps_between(solver, gap)
            process = solver_at(replace(solver, dt=dt), theta)
            peak = max(feed + kill, float((frames[:, j : j + 2, 1] ** 2).max()), 1e-12)
            pieces = min(steps, max(1, math.ceil(gap * peak / _SMALL)))
            ends = [round(steps * i / pieces) for i in range(pieces + 1)]
            state, halves, reactions = frames[:, j], [], []
            for a, b in pairwise(ends):
                after = advance(process, state, b - a) if process is not None else None
                after = state if after is None else after
                tau = (b - a) * dt
                halves.append(tau / 2)
                reactions.append(_exponential(tau, (state + after) / 2, feed, kill, sigma).astype(np.float32))
                state = after
            times = [halves[0], *(p + q for p, q in pairwise(halves)), halves[-1]]
            table = {t: np.exp(t * strength).astype(np.float32) for t in set(times)}
            self.legs.append(([table[t] for t in times], reactions))
        past = np.cumsum(gaps)
        self.weights = (1 / (1 + np.exp(2 * np.multiply.outer(past, strength)).sum(axis=0))).astype(np.float32)

    def apply(self, d: np.ndarray) -> list[np.ndarray]:
        """[M_1 d, M_2 d, ...] of d (any, ensemble, 2, *shape)."""
        found = []
        for smoothing, reactions in self.legs:
            d = self._smooth(smoothing[0], d)
            for e, r in zip(smoothing[1:], reactions, strict=True):
                d = self._smooth(
                    e, np.stack([r[0] * d[:, :, 0] + r[1] * d[:, :, 1], r[2] * d[:, :, 0] + r[3] * d[:, :, 1]], 2)
                )
            found.append(d)
        return found

    def adjoint(self, ends: list[np.ndarray]) -> np.ndarray:
        """sum_j M_j^T ends[j-1]."""
        d = np.zeros_like(ends[-1])
        for (smoothing, reactions), end in zip(reversed(self.legs), reversed(ends), strict=True):
            d = self._smooth(smoothing[-1], d + end)
            for e, r in zip(reversed(smoothing[:-1]), reversed(reactions), strict=True):
                d = self._smooth(
                    e, np.stack([r[0] * d[:, :, 0] + r[2] * d[:, :, 1], r[1] * d[:, :, 0] + r[3] * d[:, :, 1]], 2)
                )
        return d

    def precondition(self, d: np.ndarray) -> np.ndarray:
        """(1 + sum_j M_j^T M_j)^-1 d if there were no reaction."""
        return self._smooth(self.weights, d)

    def _smooth(self, e: np.ndarray, d: np.ndarray) -> np.ndarray:
        return self.waves.backward(e * self.waves.forward(d))


def _exponential(tau: float, y: np.ndarray, feed: float, kill: float, sigma) -> np.ndarray:
    """exp(tau A) of A = ((-v^2 - F, -2uv), (v^2, 2uv - F - k)) in each cell, in the units sigma: its four entries."""
    u, v = y[:, 0], y[:, 1]
    a, b = -(v**2) - feed, -2 * u * v * sigma[1] / sigma[0]
    c, d = v**2 * sigma[0] / sigma[1], 2 * u * v - feed - kill
    middle, half = tau * (a + d) / 2, tau * (a - d) / 2
    square = half**2 + tau**2 * b * c
    root = np.sqrt(np.abs(square))
    safe = np.where(root > 1e-8, root, 1.0)
    cosine = np.where(square >= 0, np.cosh(root), np.cos(root))
    sine = np.where(root > 1e-8, np.where(square >= 0, np.sinh(safe), np.sin(safe)) / safe, 1.0)
    grow = np.exp(middle)
    return np.stack(
        [grow * (cosine + sine * half), grow * sine * tau * b, grow * sine * tau * c, grow * (cosine - sine * half)]
    )
