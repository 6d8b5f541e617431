"""One magnetic field for all robots, and what it does to a moment m.

    B(x, t) = steady + cosine cos(2 pi f t) + sine sin(2 pi f t) + G x,   G_ij = dB_i/dx_j
    force F = (m . grad) B,   torque T = m x B

Where no current flows div B = 0 and rot B = 0, so that G is traceless and symmetric; a field of some hertz is as good
as steady in this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.checks import at_least_zero
from sojourn.processes.blood.units import Quantity, alike, in_a_body, one, positive, show, si, tensors

# T; to catch slips, and nobody's limit: magnets that steer catheters in a patient have about 0.1 T, most scanners more.
_LARGEST = 0.5

Vector: TypeAlias = Any  # three numbers or texts with units, or a tensor of shape (3,)
Matrix: TypeAlias = Any  # three such rows, or a tensor of shape (3, 3)


@dataclass(frozen=True, eq=False)
class MagneticField:
    """A field that is the same, steady or turning, everywhere, and may have a gradient.

    Args:
        steady: the steady part where x = 0, T.
        cosine, sine: the turning part, T; see `rotating`.
        frequency: f, whole turns a second, 1/s.
        jacobian: G_ij = dB_i/dx_j, T/m, (3, 3).

    Kept as float64 tensors; those given may ask for gradients.

    Raises:
        InputError: a G with a trace or an antisymmetric part; shapes or units of something else; above 12 T, and above
            0.5 T as a number without a unit.
    """

    steady: Vector = (0, 0, 0)
    cosine: Vector = (0, 0, 0)
    sine: Vector = (0, 0, 0)
    frequency: Quantity = 0.0
    jacobian: Matrix = ((0, 0, 0), (0, 0, 0), (0, 0, 0))

    def __post_init__(self) -> None:
        for name in ("steady", "cosine", "sine"):
            object.__setattr__(self, name, _vector(getattr(self, name), "T", name))
        if isinstance(self.frequency, str) and any(word in self.frequency for word in ("rpm", "rad", "rev", "deg")):
            raise InputError(f"frequency={self.frequency!r} counts angles; give whole turns a second, such as '10 Hz'")
        object.__setattr__(self, "frequency", one(si(self.frequency, "1/s", name="frequency"), name="frequency"))
        object.__setattr__(self, "jacobian", _jacobian(self.jacobian))

    @classmethod
    def none(cls) -> MagneticField:
        """No field."""
        return cls()

    @classmethod
    def uniform(cls, B: Vector) -> MagneticField:
        """The same B everywhere: uniform(("3 mT", 0, 0)). It turns moments, and pulls at none."""
        return cls(steady=B)

    @classmethod
    def gradient(cls, B: Vector, G: Matrix) -> MagneticField:
        """B + G x: B where x = 0, T, and G_ij = dB_i/dx_j, T/m, such as "0.4 T/m", traceless and symmetric."""
        return cls(steady=B, jacobian=G)

    @classmethod
    def rotating(cls, B: Quantity, frequency: Quantity, axis: Vector) -> MagneticField:
        """A field of size B that turns about the axis f times a second, right-handed.

        At t = 0 it points along the coordinate axis that is least along `axis`, made perpendicular to it.
        """
        n = _vector(axis, "", "axis")
        length = torch.linalg.vector_norm(n)
        if not float(length) > 0:
            raise InputError("axis=(0, 0, 0) has no direction; give a vector such as (0, 0, 1)")
        n = n / length
        start = torch.zeros_like(n)
        start[int(torch.argmin(n.detach().abs()))] = 1.0
        start = start - torch.dot(start, n) * n
        start = start / torch.linalg.vector_norm(start)
        size = one(at_least_zero(B, "T", name="B", remedy="turn the axis round instead"), name="B")
        _meant(B, "T", "B")
        return cls(cosine=size * start, sine=size * torch.linalg.cross(n, start), frequency=frequency)

    def field(self, x: Tensor, t: float | Tensor) -> Tensor:
        """B(x, t), T, (..., 3): x, (..., 3), m; t, one or (...,), s."""
        angle = 2 * math.pi * self.frequency * torch.as_tensor(t, dtype=x.dtype, device=x.device)[..., None]
        steady, cosine, sine, jacobian = (v.to(x) for v in (self.steady, self.cosine, self.sine, self.jacobian))
        return steady + cosine * torch.cos(angle) + sine * torch.sin(angle) + x @ jacobian.mT

    def record(self) -> dict[str, Any]:
        """For a run's record: every parameter in full."""
        return {name: torch.as_tensor(value).tolist() for name, value in vars(self).items()}

    def __repr__(self) -> str:
        parts = []
        if bool((self.steady != 0).any()):
            parts.append(f"steady={_shown(self.steady, 'T')}")
        if bool((self.cosine != 0).any()) or bool((self.sine != 0).any()):
            size = float(torch.linalg.vector_norm(self.cosine.detach()))
            parts.append(
                f"rotating={show(size, 'T')} at {show(float(torch.as_tensor(self.frequency).detach()), '1/s')}"
            )
        if bool((self.jacobian != 0).any()):
            parts.append("jacobian=" + "[" + ", ".join(_shown(row, "T/m") for row in self.jacobian) + "]")
        return f"MagneticField({', '.join(parts) or 'none'})"


def magnetic_force(moment: Tensor, jacobian: Tensor) -> Tensor:
    """F_i = m_j dB_i/dx_j, N: m, (..., 3), A m^2; G, (..., 3, 3), T/m."""
    return (jacobian @ moment[..., None])[..., 0]


def magnetic_torque(moment: Tensor, field: Tensor) -> Tensor:
    """T = m x B, N m: both (..., 3), A m^2 and T."""
    return torch.linalg.cross(*torch.broadcast_tensors(moment, field))


def step_out_rate(moment: Quantity, field: Quantity, mobility: Quantity) -> Any:
    """w_c = m B C, rad/s: the fastest field that a body can follow, its moment across the axis of the turning.

    Args:
        moment: m, A m^2.
        field: B, T.
        mobility: C, of turning about that axis, 1/(N m s).

    Raises:
        InputError: anything below zero, or units of something else.
    """
    m = at_least_zero(moment, "A m^2", name="moment", remedy="give its size")
    b = at_least_zero(field, "T", name="field", remedy="give its size")
    c = positive(mobility, "1/(N m s)", name="mobility")
    return m * b * c


def mean_rotation(rate: Quantity, step_out: Quantity) -> Any:
    """How fast a body turns in a field that turns at w: w up to w_c, then w - sqrt(w^2 - w_c^2), rad/s.

    The body lags by an angle a, da/dt = w - w_c sin a; past w_c it slips, and turns slower the faster the field.
    Without noise. Arguments broadcast; a w below zero turns the other way. Source: Adler, Proc. IRE 34 (1946), 351, of
    that equation.

    Raises:
        InputError: a step-out rate below zero.
    """
    limit = at_least_zero(step_out, "1/s", name="step_out", remedy="give m B C")
    w, c = torch.broadcast_tensors(*tensors(si(rate, "1/s", name="rate"), limit))
    slips = w.abs() > c
    excess = torch.sqrt(torch.where(slips, w**2 - c**2, torch.ones_like(w)))
    # w - sqrt(w^2 - c^2), without its cancellation.
    slipping = torch.sign(w) * c**2 / (w.abs() + excess)
    return alike(torch.where(slips, slipping, w), rate, step_out)


def _vector(value: Any, unit: str, name: str) -> Tensor:
    if isinstance(value, Tensor):
        found = si(value, unit, name=name)
    elif isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        raise InputError(f"{name}={value!r} is not a vector; give three components, such as (1, 0, 0) or a tensor")
    else:
        parts = tensors(*(one(si(x, unit, name=f"{name}[{i}]"), name=f"{name}[{i}]") for i, x in enumerate(value)))
        found = torch.stack([p.double() for p in parts]) if parts else torch.zeros(0)
    if found.shape != (3,):
        raise InputError(f"{name} has shape {tuple(found.shape)}; give three components, such as (1, 0, 0)")
    for i, x in enumerate(value):
        _meant(x, unit, f"{name}[{i}]")
    in_a_body(found, unit, name=name)
    return found.double()


def _meant(value: Any, unit: str, name: str) -> None:
    """Refuses a field above _LARGEST without its unit: it is 3 mT more often than 3 T."""
    if unit == "T" and isinstance(value, Real) and abs(number := float(value)) > _LARGEST:
        raise InputError(
            f"{name}={number:g} is {show(number, 'T')}, as in a scanner; write '{number:g} T' or '{number:g} mT'"
        )


def _jacobian(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        found = si(value, "T/m", name="jacobian").double()
    elif isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        raise InputError(f"jacobian={value!r} is not a matrix; give its three rows, or a tensor of shape (3, 3)")
    else:
        found = torch.stack([_vector(row, "T/m", f"jacobian[{i}]") for i, row in enumerate(value)])
    if found.shape != (3, 3):
        raise InputError(f"jacobian has shape {tuple(found.shape)}; give the rows of a (3, 3) matrix")
    matrix = found.detach()
    tolerance = 1e-9 * float(matrix.abs().max())
    trace, uneven = float(matrix.trace()), float((matrix - matrix.mT).abs().max())
    if abs(trace) > tolerance:
        raise InputError(f"jacobian has the trace {trace:g} T/m, but div B = 0; make its diagonal sum to zero")
    if uneven > tolerance:
        raise InputError(
            f"jacobian differs from its transpose by {uneven:g} T/m, but rot B = 0 in blood; give a symmetric matrix"
        )
    return found


def _shown(vector: Tensor, unit: str) -> str:
    return "(" + ", ".join(show(x, unit) for x in vector.tolist()) + ")"
