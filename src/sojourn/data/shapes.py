"""Point clouds in the plane, most of each within [-1, 1]^2; where the law has a density in closed form, it is here too.

Points are drawn in float64 from `Noise`, so point i depends on the seed and i alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch

from sojourn.errors import InputError
from sojourn.noise import Noise

Points = torch.Tensor
"""Float64, shape (n, 2)."""


def sample(name: str, n: int, *, seed: int = 0) -> torch.Tensor:
    """n points of the shape called `name`, float32, (n, 2); see SHAPES for the names."""
    if n < 1:
        raise InputError(f"n={n} is below 1; ask for one point or more")
    return _shape(name).draw(n, Noise(seed).split("shapes")).float()


def log_density(name: str, x: torch.Tensor) -> torch.Tensor:
    """log p(x) of the shape called `name`, float64, (n,), for points (n, 2); -inf where there are none.

    Raises:
        InputError: the shape is not known, or its density has no closed form.
    """
    shape = _shape(name)
    if shape.log_density is None:
        known = ", ".join(other for other, it in SHAPES.items() if it.log_density)
        raise InputError(f"the density of {name!r} has no closed form; those that have one: {known}")
    return shape.log_density(x.double())


class Shape(NamedTuple):
    """How to draw points, and the logarithm of their density where there is a closed form."""

    draw: Callable[[int, Noise], Points]
    log_density: Callable[[Points], torch.Tensor] | None = None


def _shape(name: str) -> Shape:
    if name not in SHAPES:
        raise InputError(f"no shape is called {name!r}; there are: {', '.join(SHAPES)}")
    return SHAPES[name]


# Two half circles of radius 1/2 that reach into each other, blurred.
_MOON_RADIUS, _MOON_BLUR = 0.5, 0.05


def _moons(n: int, noise: Noise) -> Points:
    angle, upper = math.pi * _uniform(n, noise), _choice(2, n, noise) == 0
    arc = _MOON_RADIUS * _polar(angle)
    x = torch.where(upper[:, None], arc, torch.tensor([_MOON_RADIUS, _MOON_RADIUS / 2]) - arc)
    return x - torch.tensor([_MOON_RADIUS / 2, _MOON_RADIUS / 4]) + _MOON_BLUR * _normal(n, noise)


# The spiral r = a t, t from 3/2 pi to 9/2 pi: the Swiss roll seen from its end.
_ROLL_BLUR = 0.02


def _swiss_roll(n: int, noise: Noise) -> Points:
    t = 1.5 * math.pi * (1 + 2 * _uniform(n, noise))
    return (t / (4.5 * math.pi))[:, None] * _polar(t) + _ROLL_BLUR * _normal(n, noise)


# Uniform on those squares (i, j) of 4 x 4 for which i + j is even.
def _checkerboard(n: int, noise: Noise) -> Points:
    square = _choice(8, n, noise)
    row = square // 2
    column = 2 * (square % 2) + row % 2
    corner = torch.stack([column, row], dim=1)
    return (corner + noise.split("place").uniform(0, n, (2,)).double()) / 2 - 1


def _checkerboard_log_density(x: Points) -> torch.Tensor:
    square = ((x + 1) * 2).floor()
    dark = (x >= -1).all(dim=1) & (x < 1).all(dim=1) & (square.sum(dim=1) % 2 == 0)
    return torch.where(dark, math.log(1 / 2), -math.inf)


# Three circles; the signed distance from the origin is normal, so its size has a folded normal law.
_RINGS = torch.tensor([0.3, 0.6, 0.9], dtype=torch.float64)
_RING_BLUR = 0.03


def _rings(n: int, noise: Noise) -> Points:
    radius = _RINGS[_choice(len(_RINGS), n, noise)] + _RING_BLUR * _normal(n, noise)[:, 0]
    return radius[:, None] * _polar(2 * math.pi * _uniform(n, noise))


def _rings_log_density(x: Points) -> torch.Tensor:
    radius = x.norm(dim=1)
    both = torch.stack([radius, -radius])[..., None]
    folded = torch.logsumexp(_log_normal((both - _RINGS) / _RING_BLUR) - math.log(_RING_BLUR), dim=(0, 2))
    return folded - math.log(len(_RINGS)) - torch.log(2 * math.pi * radius)


# Five long Gaussians around the origin, turned by an angle that grows with the distance: this keeps areas.
_ARMS, _TWIST = 5, 3.0
_ARM_MEAN = torch.tensor([0.55, 0.0], dtype=torch.float64)
_ARM_SPREAD = torch.tensor([0.16, 0.04], dtype=torch.float64)


def _pinwheel(n: int, noise: Noise) -> Points:
    x = _ARM_MEAN + _ARM_SPREAD * _normal(n, noise)
    angle = 2 * math.pi / _ARMS * _choice(_ARMS, n, noise) + _TWIST * x.norm(dim=1)
    return _turned(x, angle)


def _pinwheel_log_density(x: Points) -> torch.Tensor:
    straight = _turned(x, -_TWIST * x.norm(dim=1))
    arms = [_turned(straight, torch.full((len(x),), -2 * math.pi / _ARMS * k)) for k in range(_ARMS)]
    scaled = (torch.stack(arms) - _ARM_MEAN) / _ARM_SPREAD
    each = _log_normal(scaled).sum(dim=-1) - _ARM_SPREAD.log().sum()
    return torch.logsumexp(each, dim=0) - math.log(_ARMS)


# Eight round Gaussians on a circle.
_CENTRES = 0.75 * torch.stack(
    [torch.tensor([math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)], dtype=torch.float64) for k in range(8)]
)
_CENTRE_BLUR = 0.06


def _eight_gaussians(n: int, noise: Noise) -> Points:
    return _CENTRES[_choice(8, n, noise)] + _CENTRE_BLUR * _normal(n, noise)


def _eight_gaussians_log_density(x: Points) -> torch.Tensor:
    each = _log_normal((x[:, None] - _CENTRES) / _CENTRE_BLUR).sum(dim=-1) - 2 * math.log(_CENTRE_BLUR)
    return torch.logsumexp(each, dim=1) - math.log(8)


SHAPES = {
    "moons": Shape(_moons),
    "swiss_roll": Shape(_swiss_roll),
    "checkerboard": Shape(_checkerboard, _checkerboard_log_density),
    "rings": Shape(_rings, _rings_log_density),
    "pinwheel": Shape(_pinwheel, _pinwheel_log_density),
    "eight_gaussians": Shape(_eight_gaussians, _eight_gaussians_log_density),
}
"""Name -> shape."""


def _uniform(n: int, noise: Noise) -> torch.Tensor:
    return noise.split("uniform").uniform(0, n, ()).double()


def _normal(n: int, noise: Noise) -> torch.Tensor:
    return noise.split("normal").normal(0, n, (2,), dtype=torch.float64)


def _choice(k: int, n: int, noise: Noise) -> torch.Tensor:
    """One of 0 ... k - 1; among 2^32 words the bias is below 2e-9."""
    return noise.split("choice").words(0, n, ()) % k


def _log_normal(z: torch.Tensor) -> torch.Tensor:
    return -0.5 * (z**2 + math.log(2 * math.pi))


def _polar(angle: torch.Tensor) -> Points:
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def _turned(x: Points, angle: torch.Tensor) -> Points:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos * x[:, 0] - sin * x[:, 1], sin * x[:, 0] + cos * x[:, 1]], dim=1)
