"""Where Gray-Scott starts: Pearson's square, seeds, and the two random families of The Well.

Each is a function start(process, ensemble, noise) -> (u, v), float64, (ensemble, *shape); members draw their own
numbers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch

from sojourn.noise import Noise

if TYPE_CHECKING:
    from sojourn.processes.gray_scott.gray_scott import GrayScott

Start = Literal["pearson", "seeds", "gaussian", "fourier"]


def pearson(process: GrayScott, ensemble: int, noise: Noise) -> tuple[torch.Tensor, torch.Tensor]:
    """(u, v) = (1/2, 1/4) in a cube of side extent/12.8 in the middle of (1, 0); everything 1% up or down at random.

    Source: Pearson (Science 261, 1993): 20 x 20 of 256 x 256 points.
    """
    inside = torch.ones(process.shape, dtype=torch.bool)
    for axis, (x, length) in enumerate(zip(process.coordinates().values(), process.lengths, strict=True)):
        near = torch.from_numpy(x).abs() <= length / 25.6
        inside &= _along(near, axis, len(process.shape))
    return _perturbed(inside.expand(ensemble, *process.shape), process, ensemble, noise)


def seeds(process: GrayScott, ensemble: int, noise: Noise) -> tuple[torch.Tensor, torch.Tensor]:
    """(1/2, 1/4) in balls of four to eight cells' radius, one for every 48^d cells, anywhere; 1% as in `pearson`."""
    d = len(process.shape)
    count = max(1, round(math.prod(process.shape) / 48**d))
    centres = noise.split("centres").uniform(0, ensemble, (count, d)).double()
    radii = 4 + 4 * noise.split("radii").uniform(0, ensemble, (count,)).double()
    inside = torch.zeros((ensemble, *process.shape), dtype=torch.bool)
    for k in range(count):
        squared = torch.zeros((ensemble, *process.shape), dtype=torch.float64)
        for axis, n in enumerate(process.shape):
            away = (torch.arange(n) + 0.5 - n * centres[:, k, axis, None]).abs()
            if process.boundary == "periodic":
                away = torch.minimum(away, n - away)
            squared += _along(away**2, axis + 1, d + 1)
        inside |= squared <= (radii[:, k] ** 2).reshape(-1, *[1] * d)
    return _perturbed(inside, process, ensemble, noise)


def gaussian(process: GrayScott, ensemble: int, noise: Noise) -> tuple[torch.Tensor, torch.Tensor]:
    """u = 1 - G, v = G' with G and G' sums of 10 to 100 Gaussian bumps, scaled to [0, 1] on the grid.

    A bump is A exp(-s r^2), A uniform in [1, 3], s in [150, 300] for a domain of length 2 (it scales with the extent),
    its centre uniform; a periodic domain sees it and its images one period away. Source: the generator of The Well's
    data, which scales by the extremes between the grid points too.
    """
    u = _rescaled(1 - _bumps(process, ensemble, noise.split("u")))
    return u, _rescaled(_bumps(process, ensemble, noise.split("v")))


def fourier(process: GrayScott, ensemble: int, noise: Noise) -> tuple[torch.Tensor, torch.Tensor]:
    """u = ubar + du (R - 1/2)/2, v alike, with R a trigonometric interpolation of 32^d uniform numbers.

    (ubar, vbar, du, dv) = (1, 0, 1, 1), so v starts negative in places; where k < (sqrt(F) - 2F)/2, the uniform state
    with v > 0 is used: A = sqrt(F)/(F + k), ubar = (A - sqrt(A^2 - 4))/2A, vbar = sqrt(F)(A + sqrt(A^2 - 4))/2,
    du = 0.9 min(ubar, 1 - ubar), dv alike. Source: the generator of The Well's data.
    """
    feed, kill = (float(torch.as_tensor(r).detach().mean()) for r in (process.feed_rate, process.kill_rate))
    ubar, vbar, du, dv = 1.0, 0.0, 1.0, 1.0
    if kill < (math.sqrt(feed) - 2 * feed) / 2:
        a = math.sqrt(feed) / (feed + kill)
        root = math.sqrt(a * a - 4)
        ubar, vbar = (a - root) / (2 * a), math.sqrt(feed) * (a + root) / 2
        du, dv = 0.9 * min(ubar, 1 - ubar), 0.9 * min(vbar, 1 - vbar)
    u = ubar + 0.5 * du * (_smooth(process, ensemble, noise.split("u")) - 0.5)
    return u, vbar + 0.5 * dv * (_smooth(process, ensemble, noise.split("v")) - 0.5)


STARTS = {"pearson": pearson, "seeds": seeds, "gaussian": gaussian, "fourier": fourier}


def _perturbed(inside, process: GrayScott, ensemble: int, noise: Noise) -> tuple[torch.Tensor, torch.Tensor]:
    def shaken(level_inside: float, level_outside: float, name: str) -> torch.Tensor:
        draw = noise.split(name).uniform(0, ensemble, tuple(process.shape)).double()
        level = torch.where(inside, level_inside, level_outside).double()
        return level * (1 + 0.01 * (2 * draw - 1))

    return shaken(0.5, 1.0, "u"), shaken(0.25, 0.0, "v")


def _bumps(process: GrayScott, ensemble: int, noise: Noise) -> torch.Tensor:
    d, most = len(process.shape), 100
    count = 10 + (91 * noise.split("count").uniform(0, ensemble, (1,)).double()).floor()
    height = 1 + 2 * noise.split("height").uniform(0, ensemble, (most,)).double()
    height = height * (torch.arange(most) < count)
    sharpness = 150 + 150 * noise.split("sharpness").uniform(0, ensemble, (most,)).double()
    centre = noise.split("centre").uniform(0, ensemble, (most, d)).double() - 0.5
    shifts = (-1, 0, 1) if process.boundary == "periodic" else (0,)
    lines = []
    for axis, (x, length) in enumerate(zip(process.coordinates().values(), process.lengths, strict=True)):
        away = torch.from_numpy(x)[None, None] / length - centre[:, :, axis, None]
        lines.append(sum(torch.exp(-4 * sharpness[..., None] * (away + shift) ** 2) for shift in shifts))
    letters = "xyz"[:d]
    equation = ",".join(["eb", *(f"eb{a}" for a in letters)]) + f"->e{letters}"
    return torch.einsum(equation, height, *lines)


def _smooth(process: GrayScott, ensemble: int, noise: Noise, side: int = 32) -> torch.Tensor:
    """Uniform numbers on side^d points, interpolated by trigonometric polynomials at the cells."""
    d = len(process.shape)
    waves = torch.fft.fftn(noise.uniform(0, ensemble, (side,) * d).double(), dim=tuple(range(1, d + 1)), norm="forward")
    k = torch.fft.fftfreq(side, 1 / side, dtype=torch.float64)
    values = waves
    for axis, (x, length) in enumerate(zip(process.coordinates().values(), process.lengths, strict=True)):
        angle = 2 * math.pi * torch.outer(torch.from_numpy(x) / length + 0.5, k)
        basis = torch.polar(torch.ones_like(angle), angle)
        basis[:, side // 2] = angle[:, side // 2].cos().to(basis.dtype)  # the wave whose sign the points do not know
        values = torch.movedim(torch.movedim(values, axis + 1, -1) @ basis.T, -1, axis + 1)
    return values.real


def _rescaled(values: torch.Tensor) -> torch.Tensor:
    flat = values.flatten(1)
    low, high = flat.amin(1), flat.amax(1)
    shape = (-1, *[1] * (values.ndim - 1))
    return (values - low.reshape(shape)) / (high - low).reshape(shape)


def _along(line: torch.Tensor, axis: int, ndim: int) -> torch.Tensor:
    """A line (..., n) placed along `axis` of an array of `ndim` axes; leading axes stay in front."""
    return (
        line.reshape(*line.shape, *[1] * (ndim - 1 - axis))
        if line.ndim == 1
        else line.reshape(line.shape[0], *[1] * (axis - 1), line.shape[1], *[1] * (ndim - 1 - axis))
    )
