"""`recover_gray_scott`: F, k, D_u and D_v from a few frames, or from one picture of a stationary pattern."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sojourn.errors import InputError
from sojourn.learning.recover import image, trajectory
from sojourn.learning.recover.forward import NAMES, frames_from
from sojourn.learning.recover.found import RecoveredGrayScott, estimates, invariant_gradient, invariants
from sojourn.learning.recover.frames import Frames, read_frames
from sojourn.learning.recover.intervals import Intervals, blocks, excess_of_long_waves
from sojourn.learning.recover.regression import first_guess, smoothed
from sojourn.learning.recover.waves import Waves
from sojourn.processes.gray_scott.checks import largest_dt
from sojourn.processes.gray_scott.gray_scott import GrayScott
from sojourn.processes.gray_scott.presets import THE_WELL

UNSTEADY = 0.03
"""A picture whose smoothed fields move faster than this share of the reaction's own speed is not called stationary."""


def recover_gray_scott(source: Any, *, boundary: str | None = None, confidence: float = 0.95) -> RecoveredGrayScott:
    """The parameters of u_t = D_u lap u - u v^2 + F (1 - u), v_t = D_v lap v + u v^2 - (F + k) v, from data.

    Several frames, at any times: maximum likelihood for white noise in all of them (`trajectory`). One frame of a
    pattern at rest, of u and v or of v alone: see `image`. The solver that is fitted is the one that the recording
    names; otherwise ETDRK4 (for Dirichlet walls RK4 on fourth-order differences).

    Args:
        source: a Trajectory, or an xarray Dataset with `u` and `v` (one frame may hold `v` alone) over x, (y, x) or
            (z, y, x), with their places as coordinates, and with `time` and `ensemble` where there are such axes.
            Members share the parameters.
        boundary: "periodic", "neumann" or "dirichlet"; what the recording says, else "periodic".
        confidence: of the intervals, in (0, 1). They are asymptotic, for noise that is independent from cell to cell;
            where blocks of space show more spread than such noise, they widen. Measured coverage is in
            docs/recovering-gray-scott.md.

    Returns:
        RecoveredGrayScott; a parameter that the data do not determine says so.

    Raises:
        InputError: unusable frames, a uniform picture, one that moves, or frames that no parameters explain.
    """
    if not (isinstance(confidence, float) and 0 < confidence < 1):
        raise InputError(f"confidence={confidence} is not in (0, 1); 0.95 is usual")
    frames = read_frames(source, boundary)
    waves = frames.waves
    noise = np.array([_noise(waves, frames.away[:, :, i]) if i or frames.sees_u else 0.0 for i in range(2)])
    if len(frames.times) == 1:
        return _from_picture(frames, waves, noise, confidence)
    return _from_frames(frames, waves, noise, confidence)


def _noise(waves: Waves, values: np.ndarray) -> float:
    return max(waves.noise_floor(values), 1e-7 * float(values.std()), 1e-12)


def _from_frames(frames: Frames, waves: Waves, noise: np.ndarray, confidence: float) -> RecoveredGrayScott:
    scale = _scale(waves, frames.fields, noise)
    active = _active(waves, frames.away, noise)
    if not active.any():
        raise InputError(
            "the frames hold u = 1, v = 0 or their like, the same everywhere and at all times: nothing is determined; "
            "give frames in which something happens"
        )
    windows = trajectory.cut(frames)
    try:
        fit = trajectory.fit(frames.solver, waves, windows, _start(frames, waves, noise, scale), noise, scale, active)
    except ArithmeticError as error:
        raise InputError(
            f"no parameters near the first guess explain the frames ({error}); save frames closer in time"
        ) from None
    spread = np.array([max(float(frames.fields[:, :, i].std()), 1e-300) for i in range(2)])
    misfit = excess_of_long_waves(waves, fit.linear.residuals)
    if not fit.settled or (misfit > 2 and max(fit.sigma / spread) > 0.05):
        raise InputError(
            f"the best fit leaves {100 * max(fit.sigma / spread):.2g}% of the fields' spread, and not as noise; the "
            "frames are too far apart in time, or other than Gray-Scott made them: save frames closer in time"
        )
    flat = [g.reshape(4, -1) for g in fit.linear.efficient]
    information = sum((g @ g.T for g in flat), np.zeros((4, 4)))
    inverse = trajectory.inverse(information, scale, active)
    scores = [(g * r).sum(axis=(2, 3)) for g, r in zip(fit.linear.efficient, fit.linear.residuals, strict=True)]
    shift = {}
    if not frames.known:
        other = [_other(frames.solver, fit.theta, w.start, w.gaps) for w in windows]
        made = [frames_from(frames.solver, fit.theta, w.start, w.gaps) for w in windows]
        unit = fit.sigma.reshape(2, *[1] * len(waves.shape))
        pull = sum((g @ ((o - m) / unit).ravel() for g, o, m in zip(flat, other, made, strict=True)), np.zeros(4))  # type: ignore[operator]
        shift = dict(zip(NAMES, map(float, inverse @ pull), strict=True))
    intervals = Intervals(inverse, inverse, information, blocks(scores, 8), scale, active, confidence, frames.rounding)
    left = {"noise": fit.sigma, "residual": fit.sigma / spread, "misfit": misfit, "unsteadiness": None}
    return _result(frames, fit.theta, intervals, confidence, shift, kind="frames", **left)


def _from_picture(frames: Frames, waves: Waves, noise: np.ndarray, confidence: float) -> RecoveredGrayScott:
    picture, active = frames.fields[:, 0], np.ones(4, bool)
    for i, name in enumerate("uv"):
        if (i or frames.sees_u) and not waves.has_structure(frames.away[:, 0, i], noise[i]):
            raise InputError(
                f"the picture is uniform: {name} varies by {picture[:, i].std():.2g} about {picture[:, i].mean():.3g}, "
                "no more than noise; one picture needs a pattern in it, and a uniform state frames in time"
            )
    scale = _scale(waves, frames.fields, noise)
    peak = float((picture[:, 1] ** 2).max())
    clean = noise[1] < 1e-4 * picture[:, 1].std()
    solver = frames.solver if frames.known else replace(frames.solver, dt=min(1.0, 0.1 / peak))
    time = max(1, round((0.4 if clean else 4.0) / peak / solver.dt)) * solver.dt
    try:
        if frames.sees_u:
            guess = np.maximum(first_guess(waves, smoothed(waves, frames.fields, noise), frames.times), 1e-3 * scale)
        else:
            guess = image.search(solver, waves, smoothed(waves, np.nan_to_num(picture, nan=1.0), noise)[:, 1])
        fit = image.fit_still(image.Still(solver, waves, picture, noise, frames.sees_u, time), guess, scale)
    except ArithmeticError as error:
        raise InputError(
            f"no stationary state near the picture was found ({error}); one picture tells parameters only of a pattern "
            "at rest: give two frames or more"
        ) from None
    if not fit.settled:
        raise InputError(
            f"the fit did not come to rest (at F={fit.theta[0]:.3g}, k={fit.theta[1]:.3g}): the picture shows too "
            "little to tell the parameters apart; give a larger one, u and v, or two frames or more"
        )
    if fit.unsteadiness > UNSTEADY:
        loud = noise[1] / picture[:, 1].std()
        noisy = f", and noise of {100 * loud:.2g}% of the pattern may be why" if loud > 0.15 else ""
        raise InputError(
            "the picture is not stationary: for the best parameters it still moves at "
            f"{100 * fit.unsteadiness:.2g}% of the speed of its reaction (at most {100 * UNSTEADY:g}% is allowed{noisy}"
            "); give two frames or more of it"
        )
    flat = fit.sensitivity.reshape(4, -1)
    information = flat @ flat.T
    inverse = trajectory.inverse(information, scale, active)
    unit = (fit.noise / fit.sigma).reshape(2, *[1] * len(waves.shape))
    moved = (fit.influence * unit).reshape(4, -1)
    scores = [(fit.sensitivity * fit.residuals).sum(axis=2)]
    shift = {}
    if not frames.known:
        other, made = (f(solver, fit.theta, fit.state, (time,)) for f in (_other, frames_from))
        seen = np.array([float(frames.sees_u), 1.0]).reshape(2, *[1] * len(waves.shape))
        pull = flat @ (seen * (other - made)[:, 1] / fit.sigma.reshape(seen.shape)).ravel()  # type: ignore[operator,index]
        shift = dict(zip(NAMES, map(float, inverse @ pull), strict=True))
    intervals = Intervals(
        inverse @ (moved @ moved.T) @ inverse, inverse, information, blocks(scores, 16), scale, active, confidence,
        frames.rounding, fit.drift,
    )  # fmt: skip
    residual = fit.sigma / np.maximum(fit.state.std(axis=(0, *range(2, fit.state.ndim))), 1e-300)
    if not frames.sees_u:
        residual[0] = 0.0
    left = {"noise": fit.noise, "residual": residual, "misfit": 1.0, "unsteadiness": fit.unsteadiness}
    kind = "picture" if frames.sees_u else "picture of v"
    return _result(frames, fit.theta, intervals, confidence, shift, kind=kind, **left)


def _scale(waves: Waves, fields: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(4,) a notable change of each parameter: rates of the size of max v^2, and diffusivities that match them here."""
    rate = 0.5 * max(float((fields[:, :, 1] ** 2).max()), 1e-6)
    still = smoothed(waves, np.nan_to_num(fields, nan=1.0), noise)
    bend = np.sqrt((waves.laplacian(still[:, :, 1]) ** 2).mean() / max(float(still[:, :, 1].var()), 1e-300))
    diffusivity = rate / bend if bend > 0 else float(np.prod(waves.spacing)) ** (2 / len(waves.spacing))
    return np.array([rate, rate, diffusivity, diffusivity])


def _active(waves: Waves, away: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(4,) which parameters leave a trace: rates unless u = 1 or v = 0, diffusivities where there is a pattern."""
    rest = [float(np.abs(away[:, :, i]).mean()) for i in range(2)]
    present = [r > 2 * n for r, n in zip(rest, noise, strict=True)]
    pattern = [waves.has_structure(away[:, :, i], noise[i]) for i in range(2)]
    return np.array([present[0], present[1], pattern[0], pattern[1] and present[1]])


def _start(frames: Frames, waves: Waves, noise: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The regression's guess, or its diffusivities with the rates of a known pattern, whichever comes nearest."""
    still = smoothed(waves, frames.fields, noise)
    guess = np.maximum(first_guess(waves, still, frames.times), 1e-3 * scale)
    candidates = [guess, *(np.array([*rates, *guess[2:]]) for rates in THE_WELL.values())]
    gaps = tuple(np.diff(frames.times))[: 3 if len(frames.times) > 3 else None]
    costs = []
    for theta in candidates:
        made = frames_from(frames.solver, theta, still[:, 0], gaps)
        away = np.inf if made is None else (made - still[:, : len(gaps) + 1]) ** 2
        costs.append(float(np.mean(away)))
    if not np.isfinite(min(costs)):
        raise InputError(
            f"the solver cannot run near the first guess F={guess[0]:.3g}, k={guess[1]:.3g}, D_u={guess[2]:.3g}, "
            f"D_v={guess[3]:.3g}; save frames closer in time"
        )
    return candidates[int(np.argmin(costs))]


def _other(solver: GrayScott, theta: np.ndarray, start: np.ndarray, gaps: tuple[float, ...]) -> np.ndarray:
    """The frames as second-order differences would make them from the same start."""
    rough = replace(solver, scheme="rk4", stencil="second", dt=1e-9)
    limit = largest_dt(replace(rough, **dict(zip(NAMES, map(float, theta), strict=True))))[0]
    found = frames_from(replace(rough, dt=min(1.0, limit / 2)), theta, start, gaps)
    if found is None:
        raise InputError("the fitted parameters do not run on second-order differences; refine the grid")
    return found


def _solver_name(frames: Frames) -> str:
    s = frames.solver
    how = "its spectral form (ETDRK4)" if s.scheme == "etdrk4" else f"scheme {s.scheme}, stencil {s.stencil}"
    whose = "the scheme that made the data" if frames.known else "a stand-in for the unknown scheme"
    return f"{whose}: {how}, {s.boundary}"


def _result(frames: Frames, theta, intervals: Intervals, confidence: float, shift, **rest: Any) -> RecoveredGrayScott:
    lost = intervals.lost
    known = np.where(lost, np.nan, theta)
    derived = invariants(known)
    words = {
        "confidence": confidence,
        "method": "maximum likelihood" if rest["kind"] == "frames" else "least squares of a pattern at rest",
        "assumes": "Gray-Scott's equation made the data, and noise is independent from cell to cell",
        "limits": (
            "another equation, boundary or unit of length",
            *([] if frames.known else ["the discretisation, which the recording does not name"]),
            "errors of second order in the noise",
        ),
    }
    return RecoveredGrayScott(
        *estimates(known, intervals.half(np.eye(4), theta), **words),
        *estimates(derived, intervals.half(invariant_gradient(np.where(lost, 1.0, theta)), derived), **words),
        covariance=np.where(lost | lost[:, None], np.nan, intervals.noise),
        confidence=confidence,
        condition=intervals.condition,
        discretisation=shift,
        solver=_solver_name(frames),
        **{k: tuple(map(float, v)) if isinstance(v, np.ndarray) else v for k, v in rest.items()},
    )
