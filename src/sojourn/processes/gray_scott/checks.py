"""What Gray-Scott's parameters must satisfy, each as one line that names the parameter, its value and the remedy."""

from __future__ import annotations

import itertools
import math
from numbers import Integral, Real
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch

from sojourn.errors import InputError
from sojourn.processes.gray_scott import stencils
from sojourn.processes.gray_scott.explicit import REAL_STABILITY
from sojourn.processes.gray_scott.starts import STARTS
from sojourn.processes.gray_scott.uniform import blue_state, jacobian

if TYPE_CHECKING:
    from sojourn.processes.gray_scott.gray_scott import GrayScott


def check(process: GrayScott) -> None:
    """Raises InputError unless the process can be simulated."""
    _choice(process, "boundary", get_args(stencils.Boundary))
    _choice(process, "scheme", ("euler", "heun", "rk4", "etdrk4"))
    _choice(process, "stencil", get_args(stencils.Stencil))
    _choice(process, "dealias", ("padded", "none"))
    _choice(process, "start", tuple(STARTS))
    _choice(process, "dtype", ("float32", "float64"))
    _shape(process)
    for name in ("feed_rate", "kill_rate"):
        _rate(process, name)
    for name in ("diffusivity_u", "diffusivity_v"):
        _at_least_zero(name, getattr(process, name), one=True)
    if not (isinstance(process.dt, Real) and 0 < process.dt < math.inf):
        raise InputError(f"dt={process.dt} is not a time step; choose a number above zero")
    if process.scheme == "etdrk4" and process.boundary == "dirichlet":
        raise InputError(
            'scheme="etdrk4" with boundary="dirichlet" does not go together: no series of waves fits these walls to '
            'high order; choose boundary="periodic" or "neumann", or scheme="rk4" with stencil="fourth"'
        )
    if process.stencil == "isotropic" and max(process.spacing) > min(process.spacing) * (1 + 1e-9):
        raise InputError(
            f'stencil="isotropic" needs one spacing along all axes, not {process.spacing}; '
            'make extent proportional to shape, or choose stencil="second"'
        )
    _stable(process)


def plain(rate: float | torch.Tensor) -> float | np.ndarray:
    """A parameter without PyTorch: a float, or an array of the process's shape."""
    if not isinstance(rate, torch.Tensor):
        return float(rate)
    return rate.detach().cpu().numpy() if rate.ndim else rate.detach().item()


def _choice(process: GrayScott, name: str, known: tuple[str, ...]) -> None:
    value = getattr(process, name)
    if value not in known:
        raise InputError(f"{name}={value!r} is not known; choose one of: {', '.join(known)}")


def _shape(process: GrayScott) -> None:
    shape, extent = process.shape, process.extent
    if not (isinstance(shape, tuple) and 1 <= len(shape) <= 3 and all(_whole(n) for n in shape)):
        raise InputError(f"shape={shape} is not (x,), (y, x) or (z, y, x) in whole numbers of cells above zero")
    spectral = process.scheme == "etdrk4"
    least = 4 if spectral else 2 * stencils.reach(process.stencil) + 1
    if min(shape) < least:
        what = 'scheme="etdrk4"' if spectral else f"stencil={process.stencil!r}"
        raise InputError(f"shape={shape} is too small for {what}; use {least} cells or more along every axis")
    if extent is None:
        return
    given = extent if isinstance(extent, tuple) else (extent,)
    if not all(isinstance(x, Real) and 0 < x < math.inf for x in given):
        raise InputError(f"extent={extent} is not a length; choose numbers above zero, or None for 2.5/256 a cell")
    if len(process.lengths) != len(shape):
        raise InputError(
            f"extent={extent} has {len(given)} lengths and shape={shape} has {len(shape)}; give one for each"
        )


def _whole(n: object) -> bool:
    return isinstance(n, Integral) and not isinstance(n, bool) and int(n) > 0


def _rate(process: GrayScott, name: str) -> None:
    rate = getattr(process, name)
    _at_least_zero(name, rate, one=False)
    if isinstance(rate, torch.Tensor) and rate.ndim and tuple(rate.shape) != process.shape:
        raise InputError(
            f"{name} has shape {tuple(rate.shape)}; a field in space needs the process's shape {process.shape}, "
            "and a rate that is the same everywhere is a number"
        )


def _at_least_zero(name: str, value: object, *, one: bool) -> None:
    if isinstance(value, torch.Tensor):
        if one and value.ndim:
            raise InputError(f"{name} has shape {tuple(value.shape)}; it is one number, the same everywhere")
        low, finite = float(value.detach().min()), bool(torch.isfinite(value.detach()).all())
    elif isinstance(value, Real) and not isinstance(value, bool):
        low, finite = float(value), math.isfinite(value)
    else:
        raise InputError(f"{name}={value!r} is not a number" + ("" if one else " or a tensor of numbers"))
    if low < 0 or not finite:
        shown = value if not isinstance(value, torch.Tensor) or value.ndim == 0 else f"tensor with least value {low:g}"
        raise InputError(f"{name}={shown} is negative or not finite; choose a number of 0 or more")


def largest_dt(process: GrayScott) -> tuple[float, str]:
    """The largest stable dt, and the species that sets it.

    Near a uniform state a wave obeys y_t = (J - lambda diag(D_u, D_v)) y, with J the reaction's Jacobian and lambda the
    eigenvalue of minus the discrete Laplacian; a Runge-Kutta method is stable for dt rate <= x where the fastest decay
    has this rate, x = 2 (Euler, Heun) or 2.785 (RK4). The states are (1, 0), which most of a pattern is near, and the
    blue one, where it exists. ETDRK4 takes diffusion exactly; the reaction as RK4 does.
    """
    spectral = process.scheme == "etdrk4"
    eigenvalue = 0.0 if spectral else stencils.largest_eigenvalue(process.stencil, process.spacing)
    diffusivities = np.array([plain(process.diffusivity_u), plain(process.diffusivity_v)])
    feeds, kills = ({float(np.min(r)), float(np.max(r))} for r in map(plain, (process.feed_rate, process.kill_rate)))
    worst, species = 0.0, "u"
    for feed, kill in itertools.product(feeds, kills):
        for state in ((1.0, 0.0), blue_state(feed, kill)):
            if state is not None:
                matrix = jacobian(*state, feed, kill) - eigenvalue * np.diag(diffusivities)
                rate = -float(np.linalg.eigvals(matrix).real.min())
                if rate > worst:
                    worst, species = rate, "uv"[int(matrix[1, 1] < matrix[0, 0])]
    limit = REAL_STABILITY["rk4" if spectral else process.scheme]
    return (limit / worst if worst > 0 else math.inf), species


def _stable(process: GrayScott) -> None:
    limit, species = largest_dt(process)
    if process.dt <= limit:
        return
    if process.scheme == "etdrk4":
        raise InputError(
            f"dt={process.dt:g} is above the stability limit {limit:.3g} of feed_rate and kill_rate so large; lower dt"
        )
    remedy = "lower dt" if process.boundary == "dirichlet" else 'lower dt or choose scheme="etdrk4"'
    diffusivity = plain(getattr(process, f"diffusivity_{species}"))
    raise InputError(
        f"dt={process.dt:g} is above the explicit stability limit {limit:.3g} for diffusivity {diffusivity:g} on "
        f"spacing {min(process.spacing):.4g} (scheme={process.scheme!r}, stencil={process.stencil!r}); {remedy}"
    )
