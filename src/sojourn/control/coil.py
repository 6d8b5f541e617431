"""What coils can do: a wish for a field B and a gradient G becomes what is possible.

    size    B -> B min(1, B_max / |B|),   G -> S min(1, G_max / |S|_2),   S = (G + G^T)/2 - tr(G)/3
    rate    |B' - B| <= r d,   |G' - G|_2 <= r d G_max / B_max,   d the interval
    ramp    from B to B' and from G to G' in a straight line, T = max(|B' - B|, |G' - G|_2 B_max / G_max) / r

|S|_2 is the largest singular value: a moment m is pulled by |S|_2 m at most. Both are shortened, not cut component by
component, so a wish keeps its direction; one within the limits stays as it is. Gradients pass through either way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from sojourn.control.checks import check_kind, numbers
from sojourn.control.ramp import Made, no_current
from sojourn.control.schedule import Schedule, check_step_out
from sojourn.errors import InputError
from sojourn.processes.blood import time_step
from sojourn.processes.blood.magnetic import MagneticField, Vector
from sojourn.processes.blood.robots import BloodRobots
from sojourn.processes.blood.units import Quantity, positive, show, si


@dataclass(frozen=True, repr=False)
class Coil:
    """Limits of what makes the field.

    Args:
        field_limit: B_max, of |B| at the origin, T.
        gradient_limit: G_max, of |G|_2, T/m.
        rate_limit: r, of |dB/dt|, T/s. Currents ramp alike, so G may cross its range in the time in which B may.

    Raises:
        InputError: a limit that is not above zero, units of something else.
    """

    field_limit: Quantity
    gradient_limit: Quantity
    rate_limit: Quantity

    def __post_init__(self) -> None:
        for name, unit in (("field_limit", "T"), ("gradient_limit", "T/m"), ("rate_limit", "T/s")):
            object.__setattr__(self, name, float(positive(getattr(self, name), unit, name=name)))

    def possible(self, field: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """The wish within the limits of size: field (..., 3), T, and gradient (..., 3, 3), T/m."""
        return _shortened(field, self.field_limit), _softened(symmetric_traceless(gradient), self.gradient_limit)

    def towards(self, last: Made, wish: Made, seconds: float) -> Made:
        """How far the coils get in that time from the last field (3,) and gradient (3, 3) to those wished for."""
        field, gradient = self.possible(*wish)
        reach = self.rate_limit * seconds
        share = reach / self.field_limit * self.gradient_limit
        return last[0] + _shortened(field - last[0], reach), last[1] + _softened(gradient - last[1], share)

    def duration(self, last: Made, new: Made) -> Tensor:
        """T, (), s: how long the currents need from the last field and gradient to the new ones, all in proportion."""
        field = torch.linalg.vector_norm(new[0] - last[0])
        gradient = torch.linalg.matrix_norm(new[1] - last[1], 2)
        return torch.maximum(field, gradient / self.gradient_limit * self.field_limit) / self.rate_limit

    def follow(self, fields: Any, gradients: Any, *, interval: Quantity) -> Schedule:
        """The schedule that wishes become, one an interval, from coils without current.

        Args:
            fields: (n, 3), T; a tensor, which may ask for gradients, or nested lists.
            gradients: (n, 3, 3), T/m.
            interval: s.

        Raises:
            InputError: wishes of other shapes or not finite, an interval that is not above zero.
        """
        seconds = positive(interval, "s", name="interval")
        fields, gradients = numbers(fields, "T", name="fields"), numbers(gradients, "T/m", name="gradients")
        if fields.ndim != 2 or fields.shape[1:] != (3,) or gradients.shape != (len(fields), 3, 3) or not len(fields):
            raise InputError(
                f"wishes have shapes {tuple(fields.shape)} and {tuple(gradients.shape)}; give fields (n, 3) and "
                "gradients (n, 3, 3)"
            )
        now, path, ramp = no_current(), [], []
        for wish in zip(fields, gradients, strict=True):
            last, now = now, self.towards(now, wish, seconds)
            path.append(now)
            ramp.append(self.duration(last, now))
        field, gradient = (torch.stack(parts) for parts in zip(*path, strict=True))
        return Schedule(field, gradient, seconds, ramp=torch.stack(ramp))

    def rotating(self, B: Quantity, frequency: Quantity, axis: Vector, *, robots: BloodRobots) -> MagneticField:
        """A turning field of size B, shortened to the limit, that these robots can follow.

        Args:
            B, frequency, axis: as in `MagneticField.rotating`: T, 1/s.
            robots: in their blood; what turns about `axis` is a moment across it, so C is that of their tumbling.

        Raises:
            InputError: a frequency above the step-out m B C / (2 pi) or above what the rate limit allows, r / (2 pi B).
        """
        size = min(float(si(B, "T", name="B")), self.field_limit)
        f = abs(float(si(frequency, "1/s", name="frequency")))
        field = MagneticField.rotating(size, frequency, axis)
        check_step_out(robots, field)
        if 2 * math.pi * f * size > self.rate_limit * (1 + 1e-12):
            fastest = self.rate_limit / (2 * math.pi * size)
            raise InputError(
                f"frequency={show(f, '1/s')} at {show(size, 'T')} needs more than "
                f"rate_limit={show(self.rate_limit, 'T/s')}; give at most {show(fastest, '1/s')}"
            )
        return field

    def __repr__(self) -> str:
        units = {"field_limit": "T", "gradient_limit": "T/m", "rate_limit": "T/s"}
        return f"Coil({', '.join(f'{name}={show(getattr(self, name), unit)!r}' for name, unit in units.items())})"

    def strongest(self, field: MagneticField) -> MagneticField:
        """`field` with the strongest steady part and gradient in the place of its own."""
        axis = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
        return replace(field, steady=self.field_limit * axis, jacobian=self.gradient_limit * pull(axis))

    def fit(self, robots: BloodRobots, *, interval: Quantity) -> BloodRobots:
        """These robots with the longest safe dt that divides an interval, whatever field the coils make."""
        check_kind(robots, BloodRobots, name="robots", remedy="BloodRobots")
        seconds = positive(interval, "s", name="interval")
        strongest = self.strongest(robots.field)
        longest = time_step.choose(
            robots.flow.network, robots.vessels, robots.body, strongest, None, robots.margination
        )
        return replace(robots, dt=seconds / math.ceil(seconds / longest * (1 - 1e-12)))


def symmetric_traceless(gradient: Tensor) -> Tensor:
    """S = (G + G^T)/2 - tr(G)/3, the nearest to G, (..., 3, 3), that obeys div B = 0 and rot B = 0."""
    even = (gradient + gradient.mT) / 2
    identity = torch.eye(3, dtype=gradient.dtype, device=gradient.device)
    return even - even.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] * identity


def from_five(parts: Tensor) -> Tensor:
    """The symmetric traceless matrix, (..., 3, 3), with these entries xx, yy, xy, xz, yz, (..., 5)."""
    xx, yy, xy, xz, yz = parts.unbind(-1)
    rows = ((xx, xy, xz), (xy, yy, yz), (xz, yz, -xx - yy))
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def to_five(gradient: Tensor) -> Tensor:
    """Its entries xx, yy, xy, xz, yz, (..., 5)."""
    return torch.stack([gradient[..., i, j] for i, j in ((0, 0), (1, 1), (0, 1), (0, 2), (1, 2))], -1)


def pull(direction: Tensor) -> Tensor:
    """The gradient of size 1 that pulls a moment along a unit vector n forwards: 3/2 n n^T - 1/2."""
    identity = torch.eye(3, dtype=direction.dtype, device=direction.device)
    return 1.5 * direction[..., :, None] * direction[..., None, :] - 0.5 * identity


def _shortened(vector: Tensor, limit: float) -> Tensor:
    length = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    return vector * (limit / length.clamp(min=limit))


def _softened(matrix: Tensor, limit: float) -> Tensor:
    length = torch.linalg.matrix_norm(matrix, 2)[..., None, None]
    return matrix * (limit / length.clamp(min=limit))
