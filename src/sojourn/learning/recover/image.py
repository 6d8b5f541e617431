"""Parameters from one picture of a stationary pattern, of u and v or of v alone.

A stationary pattern stays what it is: Phi_T(y) = y for every T. So, with S y the picture without the waves that noise
fills,

    minimise  |y - Phi_T(S y; theta)|^2 / sigma^2   over theta = (F, k, D_u, D_v),

whose derivative at T = 0 is the equation's own residual; with T > 0 no derivative of noise is ever taken. If v alone
was seen, u is what `substrate` makes of it.

White noise e in the picture moves theta by H^-1 J^T (1 - M S) e to first order, M = dPhi_T/dy and H = J^T J.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from sojourn.learning.recover.forward import Tangent, frames_from, sensitivities, solver_at
from sojourn.learning.recover.regression import kept_waves, smoothed, terms
from sojourn.learning.recover.substrate import solve_elliptic, substrate
from sojourn.learning.recover.trajectory import inverse
from sojourn.learning.recover.waves import Waves
from sojourn.processes.gray_scott.gray_scott import GrayScott

_ALL = np.ones(4, bool)
_HIDDEN = 2e-4  # drift that no picture is said to be free of, as a share of the reaction's speed


@dataclass
class StillFit:
    """The end of the iteration.

    Attributes:
        theta: (4,).
        sigma: (2,) root mean square of what is left of u and v, the unit of J and of the residuals.
        noise: (2,) standard deviation of white noise in the picture.
        state: (ensemble, 2, *shape), the smoothed picture with its u.
        sensitivity: J, (4, ensemble, 2, *shape); residuals: r, (ensemble, 2, *shape).
        influence: (1 - S M^T) J, the derivative of J^T r with respect to noise in the picture.
        unsteadiness: rms speed of the pattern, less what noise makes, over the standard deviation of u v^2.
        drift: norm of how far the pattern moves in units of sigma, where that stands out of noise; at least that of a
            speed of 2e-4 of the reaction's, because the fit itself hides a part of any drift.
        settled: whether the iteration came to rest.
    """

    theta: np.ndarray
    sigma: np.ndarray
    noise: np.ndarray
    state: np.ndarray
    sensitivity: np.ndarray
    residuals: np.ndarray
    influence: np.ndarray
    unsteadiness: float
    drift: float
    settled: bool


class Still:
    """A picture (ensemble, 2, *shape), u NaN where it was not seen, and what becomes of it in the time `time`."""

    def __init__(self, solver: GrayScott, waves: Waves, picture: np.ndarray, noise, sees_u: bool, time: float) -> None:
        self.solver, self.waves, self.noise, self.sees_u, self.time = solver, waves, noise, sees_u, time
        self.seen = np.array([float(sees_u), 1.0]).reshape(2, *[1] * len(waves.shape))
        self.picture = picture if sees_u else np.stack([np.ones_like(picture[:, 1]), picture[:, 1]], axis=1)
        self.smooth = smoothed(waves, self.picture, noise)

    def begin(self, theta: np.ndarray) -> np.ndarray:
        if self.sees_u:
            return self.smooth
        v = self.smooth[:, 1]
        return np.stack([substrate(self.waves, v, theta[0], theta[2]), v], axis=1)

    def later(self, theta: np.ndarray) -> np.ndarray | None:
        if (theta <= 0).any():
            return None
        found = frames_from(self.solver, theta, self.begin(theta), (self.time,))
        return None if found is None else found[:, 1] * self.seen

    def left(self, frame: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        return (self.picture * self.seen - frame) / sigma.reshape(self.seen.shape)


def fit_still(still: Still, theta: np.ndarray, scale: np.ndarray, rounds: int = 60) -> StillFit:
    """Gauss-Newton with Levenberg's damping from theta; ArithmeticError where the solver cannot run."""
    sigma, frame = np.maximum(still.noise, 1e-12), still.later(theta)
    if frame is None:
        raise ArithmeticError("the solver cannot run at the first guess")
    damping, settled, reweighted = 1e-3, False, 0
    for _ in range(rounds):
        j, r = _sensitivities(still, theta, frame, scale, sigma), still.left(frame, sigma)
        flat = j.reshape(4, -1)
        information, score = flat @ flat.T, flat @ r.ravel()
        before, theta_before = float((r**2).sum()), theta
        for _ in range(12):
            step = inverse(information + damping * np.diag(np.diag(information)), scale, _ALL) @ score
            trial = np.where(theta + step > 0, theta + step, 0.3 * theta)
            after = still.later(trial)
            if after is not None and float((still.left(after, sigma) ** 2).sum()) < before:
                theta, frame = trial, after
                break
            damping = max(4 * damping, 1e-4)
        moved = np.abs(theta - theta_before)
        damping = 0.0 if damping <= 1e-3 else damping / 10
        spread = np.sqrt(np.diag(inverse(information, scale, _ALL)))
        settled = bool((moved <= np.maximum(1e-2 * spread, 1e-10 * theta)).all()) and (
            damping == 0.0 or not moved.any()
        )
        if settled:
            fresh = np.sqrt((still.left(frame, sigma) ** 2).mean(axis=(0, *range(2, frame.ndim))))
            fresh = np.where(still.seen.ravel() > 0, np.maximum(fresh, 1e-8), 1.0)
            if reweighted == 2 or (np.abs(np.log(fresh)) < 0.3).all():
                break
            sigma, reweighted = np.maximum(sigma * fresh, 1e-14), reweighted + 1
    return _finish(still, theta, frame, sigma, scale, settled)


def search(solver: GrayScott, waves: Waves, v: np.ndarray) -> np.ndarray:
    """A first theta for v alone, (ensemble, *shape): F and D_u on a grid, u solved for, D_v and F + k regressed."""
    peak, bend = float((v**2).max()), np.sqrt((waves.laplacian(v) ** 2).mean() / v.var())
    best, theta = np.inf, None
    for f, d in itertools.product(np.geomspace(0.03, 3, 9), np.geomspace(0.06, 6, 9)):
        feed, diffusivity = f * peak, d * peak / bend
        u = substrate(waves, v, feed, diffusivity, 1e-6)
        columns = np.stack([waves.laplacian(v).ravel() * peak / bend, -v.ravel() * peak], axis=1)
        found, *_ = np.linalg.lstsq(columns, -(u * v * v).ravel(), rcond=None)
        cost = float(((columns @ found + (u * v * v).ravel()) ** 2).mean() / (u * v * v).var())
        diffusivity_v, drain = found[0] * peak / bend, found[1] * peak
        trial = np.array([feed, drain - feed, diffusivity, diffusivity_v])
        if cost < best and (trial > 0).all() and solver_at(solver, trial) is not None:
            best, theta = cost, trial
    if theta is None:
        raise ArithmeticError("no positive parameters fit that the solver can run")
    return theta


def _sensitivities(still: Still, theta, frame, scale, sigma) -> np.ndarray:
    j = sensitivities(still.later, theta, frame, np.minimum(scale, theta))
    if j is None:
        raise ArithmeticError("the solver cannot run beside the fit")
    return j / sigma.reshape(still.seen.shape)


def _finish(still: Still, theta, frame, sigma, scale, settled: bool) -> StillFit:
    waves, state, noise = still.waves, still.begin(theta), still.noise
    j, both = _sensitivities(still, theta, frame, scale, sigma), frames_from(still.solver, theta, state, (still.time,))
    if both is None:
        raise ArithmeticError("the solver cannot run at the fit")
    tangent = Tangent(still.solver, waves, theta, both, (still.time,), sigma)
    back = tangent.adjoint([j.astype(np.float32)]).astype(np.float64)
    if not still.sees_u:
        back[:, :, 1] += _through_u(still, state, theta, back[:, :, 0] / sigma[0]) * sigma[1]
        back[:, :, 0] = 0.0
    kept = np.stack([kept_waves(waves, still.picture[:, i], i, noise[i]) for i in range(2)])
    back = waves.backward(waves.forward(back) * kept)
    unit, steps = sigma.reshape(still.seen.shape), tuple(range(2, state.ndim))
    moved = (both[:, 1] - both[:, 0]) * still.seen
    shaken = _shaken(still, tangent, state, theta, kept, sigma)
    square, by_noise = ((x**2).mean(axis=(0, *steps)).sum() for x in (moved, shaken))
    speed = np.sqrt(max(float(square - by_noise), 0.0)) / still.time
    share = max(1 - 1.5 * float(by_noise / max(square, 1e-300)), 0.0)
    reaction = max(float(terms(waves, state)["uvv"].std()), 1e-300)
    hidden = float(np.linalg.norm(np.broadcast_to(_HIDDEN * reaction * still.time * still.seen / unit, moved.shape)))
    return StillFit(
        theta, sigma, noise, state, j, still.left(frame, sigma), j - back,
        unsteadiness=speed / reaction,
        drift=max(np.sqrt(share) * float(np.linalg.norm(moved / unit)), hidden),
        settled=settled,
    )  # fmt: skip


def _through_u(still: Still, state: np.ndarray, theta, x: np.ndarray) -> np.ndarray:
    """(du/dv)^T x of x (any, ensemble, *shape), du/dv = -(-D_u lap + v^2 + F)^-1 2 u v."""
    u, v = state[:, 0], state[:, 1]
    c = v**2 + theta[0]
    return np.stack([-2 * u * v * solve_elliptic(still.waves, c, one, theta[2], 1e-6) for one in x])


def _shaken(
    still: Still, tangent: Tangent, state: np.ndarray, theta, kept: np.ndarray, sigma, draws: int = 4
) -> np.ndarray:
    """How white noise in the picture moves in the time: (M - 1) S e for a few e, (draws * ensemble, 2, *shape)."""
    unit = still.noise.reshape(still.seen.shape)
    rng = np.random.default_rng(0)  # any draw will do: only its mean square is used
    e = unit * still.seen * rng.standard_normal((draws, *state.shape))
    e = still.waves.backward(still.waves.forward(e) * kept)
    if not still.sees_u:
        u, v = state[:, 0], state[:, 1]
        e[:, :, 0] = [
            -solve_elliptic(still.waves, v**2 + theta[0], 2 * u * v * one, theta[2], 1e-6) for one in e[:, :, 1]
        ]
    scaled = sigma.reshape(still.seen.shape)
    moved = scaled * tangent.apply((e / scaled).astype(np.float32))[0] - e
    return (still.seen * moved).reshape(-1, *state.shape[1:])
