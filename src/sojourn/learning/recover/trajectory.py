"""Parameters from several frames: maximum likelihood for the parameters and the unknown true starts together.

    minimise  sum_j |frame_j - Phi_j(y0; theta)|^2 / sigma^2   over theta and y0,   Phi_0(y0) = y0

so the noise of the first frame is part of the model like that of the others. Gauss-Newton, with the starts eliminated:
with J = dPhi/dtheta, M = dPhi/dy0 and A = M^T M (well conditioned: it contains the identity of the first frame),

    J~ = J - M A^-1 M^T J,   S = J~^T J~,   dtheta = S^-1 J~^T r,   dy0 = A^-1 M^T (r - J dtheta),

A^-1 by conjugate gradients. S is the Fisher information about theta once the starts are unknown. Long recordings are
cut into windows of a few frames, each with a start of its own.

Source: the elimination is that of "variable projection", G. Golub and V. Pereyra, SIAM J. Numer. Anal. 10 (1973);
fitting the start with the model is 4D-Var, F.-X. Le Dimet and O. Talagrand, Tellus 38A (1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sojourn.learning.recover.forward import Tangent, frames_from, sensitivities
from sojourn.learning.recover.frames import Frames
from sojourn.learning.recover.substrate import ratio
from sojourn.learning.recover.waves import Waves
from sojourn.processes.gray_scott.gray_scott import GrayScott

_WINDOW = 6  # frames that share one start


@dataclass
class Window:
    """Frames of one pattern of times, (ensemble, time, 2, *shape), and what is known about their starts."""

    data: np.ndarray
    gaps: tuple[float, ...]
    start: np.ndarray  # (ensemble, 2, *shape)
    shared: np.ndarray | None = None  # dy0/dtheta, (4, ensemble, 2, *shape), where the next solution starts from


@dataclass
class Linear:
    """The fit linearised at one point: J~ and r in units of sigma, for each window, and the step of its start."""

    efficient: list[np.ndarray]  # (4, ensemble, time, 2, *shape)
    residuals: list[np.ndarray]
    towards: list[tuple[np.ndarray, np.ndarray]]  # A^-1 M^T r and A^-1 M^T J

    @property
    def information(self) -> np.ndarray:
        flat = [x.reshape(len(x), -1) for x in self.efficient]
        return sum((x @ x.T for x in flat), np.zeros((4, 4)))

    @property
    def score(self) -> np.ndarray:
        pairs = zip(self.efficient, self.residuals, strict=True)
        return sum((x.reshape(len(x), -1) @ r.ravel() for x, r in pairs), np.zeros(4))


@dataclass
class Fit:
    """The end of the iteration: theta, sigma (2,), the last linearisation, and whether it settled."""

    theta: np.ndarray
    sigma: np.ndarray
    linear: Linear
    windows: list[Window]
    settled: bool


def cut(frames: Frames) -> list[Window]:
    """Windows of 2 to 6 frames, those with equal gaps together."""
    fields, times = frames.fields, frames.times
    together: dict[tuple[float, ...], list[np.ndarray]] = {}
    for index in np.array_split(np.arange(len(times)), -(-len(times) // _WINDOW)):
        gaps = tuple(float(f"{g:.9g}") for g in np.diff(times[index]))
        together.setdefault(gaps, []).append(fields[:, index])
    return [Window(data := np.concatenate(parts), gaps, data[:, 0].copy()) for gaps, parts in together.items()]


def fit(solver: GrayScott, waves: Waves, windows: list[Window], theta, sigma, scale, active, rounds: int = 30) -> Fit:
    """Gauss-Newton from theta, over the parameters that are `active`; scale (4,) is the size of a notable change."""
    theta, sigma = theta.copy(), sigma.copy()
    frames = _simulate(solver, windows, theta)
    if frames is None:
        raise ArithmeticError("the solver cannot run at the first guess")
    settled, reweighted = False, 0
    linear = _linearise(solver, waves, windows, theta, frames, sigma, scale, active)
    for _ in range(rounds):
        step = solve(linear.information, linear.score, scale, active)
        moved = _search(solver, windows, theta, frames, sigma, linear, step)
        if moved is None:
            settled = True
        else:
            theta, frames, fraction = moved
            spread = np.sqrt(np.diag(inverse(linear.information, scale, active)))
            small = np.abs(step) <= np.maximum(0.01 * spread, 1e-10 * np.abs(theta))
            settled = bool(small[active].all()) and fraction == 1.0
        fresh = residual_sigma(linear)
        if settled and reweighted < 3 and np.any(np.abs(np.log(fresh)) > 0.03):
            sigma = np.maximum(sigma * fresh, 1e-14)
            settled, reweighted = False, reweighted + 1
        linear = _linearise(solver, waves, windows, theta, frames, sigma, scale, active)
        if settled:
            break
    return Fit(theta, sigma, linear, windows, settled)


def residual_sigma(linear: Linear) -> np.ndarray:
    """(2,) root mean square of what is left of u and of v, in units of sigma, after the starts took their share."""
    square = sum(((r**2).sum(axis=(0, 1, *range(3, r.ndim))) for r in linear.residuals), np.zeros(2))
    free = sum(r[:, 1:, 0].size for r in linear.residuals) - 2
    return np.maximum(np.sqrt(square / max(free, 1)), 1e-8)


def solve(information: np.ndarray, score: np.ndarray, scale: np.ndarray, active: np.ndarray) -> np.ndarray:
    """S^-1 g in the active parameters."""
    return inverse(information, scale, active) @ score


def inverse(information: np.ndarray, scale: np.ndarray, active: np.ndarray) -> np.ndarray:
    """S^-1 in the active parameters, without directions of which S knows nothing to rounding."""
    d = np.where(active, scale, 0.0)
    return d[:, None] * np.linalg.pinv(d[:, None] * information * d, rcond=1e-13, hermitian=True) * d


def _simulate(solver, windows, theta) -> list[np.ndarray] | None:
    found = [frames_from(solver, theta, w.start, w.gaps) for w in windows]
    return None if any(f is None for f in found) else found  # type: ignore[return-value]


def _cost(windows, frames, sigma) -> float:
    unit = sigma.reshape(2, *[1] * (frames[0].ndim - 3))
    return sum(float((((w.data - f) / unit) ** 2).sum()) for w, f in zip(windows, frames, strict=True))


def _search(solver, windows, theta, frames, sigma, linear: Linear, step):
    """Theta, starts and frames after the longest step 1, 1/2, 1/4, ... that lowers the cost; None if none does."""
    before, starts = _cost(windows, frames, sigma), [w.start for w in windows]
    unit = sigma.reshape(2, *[1] * (frames[0].ndim - 3))
    full = [unit * (own - np.tensordot(step, shared, 1)) for own, shared in linear.towards]
    for halvings in range(12):
        fraction = 0.5**halvings
        trial = np.maximum(theta + fraction * step, 0.0)
        for w, start, change in zip(windows, starts, full, strict=True):
            w.start = start + fraction * change
        after = _simulate(solver, windows, trial)
        if after is not None and _cost(windows, after, sigma) < before:
            return trial, after, fraction
    for w, start in zip(windows, starts, strict=True):
        w.start = start
    return None


def _linearise(solver, waves, windows, theta, frames, sigma, scale, active, tolerance=1e-2) -> Linear:
    unit = sigma.reshape(2, *[1] * (frames[0].ndim - 3))
    linear = Linear([], [], [])
    for w, f in zip(windows, frames, strict=True):
        r = (w.data - f) / unit
        j = sensitivities(lambda t, w=w: frames_from(solver, t, w.start, w.gaps), theta, f, scale)
        if j is None:
            raise ArithmeticError("the solver cannot run beside the fit")
        j = j * active.reshape(4, *[1] * (j.ndim - 1)) / unit
        tangent = Tangent(solver, waves, theta, f, w.gaps, sigma)
        columns = np.concatenate([r[None], j])  # (5, ensemble, time, 2, *shape)
        size = np.sqrt((columns**2).mean(axis=tuple(range(1, columns.ndim)))) + 1e-300
        whole = size.reshape(-1, *[1] * (columns.ndim - 1))
        columns = (columns / whole).astype(np.float32)
        right = columns[:, :, 0] + tangent.adjoint([columns[:, :, i] for i in range(1, columns.shape[2])])
        guess = np.zeros_like(right)
        if w.shared is not None:
            guess[1:] = w.shared / unit / whole[1:, 0]
        x = _conjugate_gradients(tangent, right, guess, tolerance)
        left = [x, *tangent.apply(x)]
        explained = whole[1:] * np.stack([p[1:] for p in left], axis=2)
        linear.efficient.append(j - explained)
        linear.residuals.append(r)
        linear.towards.append((size[0] * x[0], whole[1:, 0] * x[1:]))
        w.shared = linear.towards[-1][1] * unit
    return linear


def _conjugate_gradients(tangent: Tangent, right: np.ndarray, x: np.ndarray, tolerance: float, rounds: int = 60):
    """Solves (1 + sum_j M_j^T M_j) x = right for each leading index, from a guess x, preconditioned in waves."""
    axes = tuple(range(1, right.ndim))
    whole = (slice(None), *[None] * (right.ndim - 1))
    r = right - (x + tangent.adjoint(tangent.apply(x))) if x.any() else right.copy()
    target = tolerance**2 * (right * right).sum(axes)
    z = tangent.precondition(r)
    p, rz = z, (r * z).sum(axes)
    for _ in range(rounds):
        if ((r * r).sum(axes) <= target).all():
            break
        ap = p + tangent.adjoint(tangent.apply(p))
        alpha = ratio(rz, (p * ap).sum(axes))
        x = x + alpha[whole] * p
        r = r - alpha[whole] * ap
        z = tangent.precondition(r)
        before, rz = rz, (r * z).sum(axes)
        p = z + ratio(rz, before)[whole] * p
    return x
