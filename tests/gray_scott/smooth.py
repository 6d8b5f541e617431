"""Smooth states of Gray-Scott on any grid, for tests of accuracy."""

import math

import torch

import sojourn as sj

SMOOTH = {"feed_rate": 0.04, "kill_rate": 0.06, "diffusivity_u": 2e-3, "diffusivity_v": 1e-3, "dtype": "float64"}


def smooth_state(process: sj.GrayScott, walls: bool | None = None) -> dict[str, torch.Tensor]:
    """u = 0.6 + waves, v = 0.25 + waves: trigonometric, so that every grid samples the same functions."""
    walls = process.boundary != "periodic" if walls is None else walls
    u = torch.zeros(process.shape, dtype=torch.float64)
    v = torch.zeros(process.shape, dtype=torch.float64)
    for axis, (x, length) in enumerate(zip(process.coordinates().values(), process.lengths, strict=True)):
        s = torch.from_numpy(x) / length + 0.5
        s = s.reshape(-1, *[1] * (len(process.shape) - 1 - axis))
        wave = (math.pi if walls else 2 * math.pi) * s
        u = u + 0.1 * torch.cos(wave) + (0.0 if walls else 0.05) * torch.sin(2 * wave)
        v = v + 0.08 * torch.cos(2 * wave) - (0.0 if walls else 0.04) * torch.sin(wave)
    return {"u": (0.6 + u)[None], "v": (0.25 + v)[None]}


def run(process: sj.GrayScott, state, steps: int):
    """`steps` applications of the definition."""
    for t in range(steps):
        state = process.step(state, t, sj.Noise(0))
    return state


def difference(a, b) -> float:
    """Largest difference of two states."""
    return max(float((a[name] - b[name]).abs().max()) for name in a)
