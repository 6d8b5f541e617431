"""A field on its way: what a coil of limited rate makes of two values, from the beginning of an interval on.

    B(t) = B' + s(t) (B - B'),   s(t) = min(1, (t - t_0) / T),   t in the middle of a step
    G    = G' + mean of s (G - G'),   the mean over the interval d:  1 - T / (2 d)

Robots turn with B within a few steps, so B is followed from step to step. G is its mean for the whole interval, so that
the kernel takes all the steps in one call: the pull of a steady moment is right in the mean, but while G changes the
field at x is off by |x| |G - G'|_2 at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sojourn.processes.blood.magnetic import MagneticField

Made = tuple[Tensor, Tensor]
"""What coils make: field (3,), T, and gradient (3, 3), T/m."""

_NO_TIME = 1e-30  # s, in the place of a T of zero


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Ramp(MagneticField):
    """A field whose steady part goes in a straight line from `before` to `steady`.

    Args:
        before: B', (3,), T.
        begin: t_0, s.
        duration: T, (), s.
    """

    before: Tensor
    begin: float
    duration: Tensor

    def field(self, x: Tensor, t: float | Tensor) -> Tensor:
        """B(x, t), as `MagneticField.field`."""
        time = torch.as_tensor(t, dtype=x.dtype, device=x.device)
        left = 1 - ((time - self.begin) / self.duration.to(x).clamp(min=_NO_TIME)).clamp(0, 1)
        return super().field(x, t) - left[..., None] * (self.steady - self.before).to(x)


def no_current() -> Made:
    """What is there before anything is made: zeros."""
    return torch.zeros(3, dtype=torch.float64), torch.zeros(3, 3, dtype=torch.float64)


def on_the_way(
    own: MagneticField, before: Made, after: Made, *, duration: Tensor, begin: float, interval: float, dt: float
) -> Ramp:
    """What robots meet in one interval.

    Args:
        own: their field, whose turning part stays.
        before, after: what is there at the beginning and at the end.
        duration: T, (), s, at most the interval.
        begin, interval: t_0 and d, s.
        dt: the robots' step, s.
    """
    return Ramp(
        steady=after[0],
        cosine=own.cosine,
        sine=own.sine,
        frequency=own.frequency,
        jacobian=after[1] - duration / (2 * interval) * (after[1] - before[1]),
        before=before[0],
        begin=begin - dt / 2,
        duration=duration,
    )
