"""A first guess: the equation is linear in D_u, F and in D_v, F + k, so least squares over cells gives them.

Between two frames,  (u' - u)/T + mean(u v^2) = D_u mean(lap u) + F mean(1 - u),  and alike for v; means are over the
two frames (the trapezoidal rule). All fields are smoothed first, so that noise is not amplified; what this guess lacks
in accuracy the fit of the frames themselves repairs.
"""

from __future__ import annotations

import numpy as np

from sojourn.learning.recover.waves import Waves


def smoothed(waves: Waves, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """y (..., 2, *shape) without the waves that noise fills."""
    fields = []
    for i, part in enumerate(np.moveaxis(y, -1 - len(waves.shape), 0)):
        wall = 1.0 - i if waves.boundary == "dirichlet" else 0.0
        kept = kept_waves(waves, part, i, noise[i])
        fields.append(waves.backward(waves.forward(part - wall) * kept) + wall)
    return np.stack(fields, axis=-1 - len(waves.shape))


def kept_waves(waves: Waves, part: np.ndarray, field: int, noise: float) -> np.ndarray:
    """Which waves of u (field 0) or v (1) stand out: up to the last shell whose power white noise does not reach.

    All of them where the spectrum has no floor: a pattern as fine as the grid, whose noise does not show.
    """
    wall = 1.0 - field if waves.boundary == "dirichlet" else 0.0
    power, modes = waves.power(part - wall)
    if waves.still_falling(power, modes):
        return np.ones(waves.shells.shape, bool)
    clear = np.flatnonzero(power > waves.clear_of(noise, modes, 1))
    return waves.shells <= (clear[-1] if len(clear) else 0)


def terms(waves: Waves, y: np.ndarray) -> dict[str, np.ndarray]:
    """lap u, lap v, u v^2, 1 - u and v of y (..., 2, *shape)."""
    u, v = np.moveaxis(y, -1 - len(waves.shape), 0)
    wall = 1.0 if waves.boundary == "dirichlet" else 0.0
    return {"lap_u": waves.laplacian(u - wall), "lap_v": waves.laplacian(v), "uvv": u * v * v, "fed": 1 - u, "v": v}


def first_guess(waves: Waves, frames: np.ndarray, times: np.ndarray) -> np.ndarray:
    """theta = (F, k, D_u, D_v) from smoothed frames (ensemble, time, 2, *shape); one frame counts as stationary."""
    t = terms(waves, frames)
    if frames.shape[1] > 1:
        gap = np.diff(times).reshape(-1, *[1] * len(waves.shape))
        du, dv = np.moveaxis(np.diff(frames, axis=1), 2, 0) / gap
        t = {name: (x[:, 1:] + x[:, :-1]) / 2 for name, x in t.items()}
    else:
        du = dv = np.zeros_like(t["v"])
    left = [(du + t["uvv"]).ravel(), (dv - t["uvv"]).ravel()]
    zero = np.zeros_like(left[0])
    columns = [
        [t["fed"].ravel(), zero, t["lap_u"].ravel(), zero],
        [-t["v"].ravel(), -t["v"].ravel(), zero, t["lap_v"].ravel()],
    ]
    a = np.concatenate([np.stack(c, axis=1) for c in columns])
    size = np.sqrt((a**2).mean(0))
    size[size == 0] = 1.0
    found = np.linalg.lstsq(a / size, np.concatenate(left), rcond=1e-10)[0] / size
    return found
