"""One row of one stage of an explicit Gray-Scott scheme, in vectors.

    k_u = D_u lap u - u v^2 + F (1 - u),   k_v = D_v lap v + u v^2 - (F + k) v,   out = start + c k

A stencil is a named tuple of its weights, which contain D; its type selects the code. Differences are formed before
weights are applied: a constant field has a Laplacian of exactly zero, so (u, v) = (1, 0) stays for ever.
"""

from typing import NamedTuple

from numba import njit, types
from numba.extending import overload

from sojourn.kernels.float_vectors import fma, load, store


class Second1(NamedTuple):
    """D / h^2 for each axis."""

    x: float


class Second2(NamedTuple):
    y: float
    x: float


class Second3(NamedTuple):
    z: float
    y: float
    x: float


class Equal2(NamedTuple):
    """Second order with equal spacing: D / h^2."""

    weight: float


class Equal3(NamedTuple):
    weight: float


class Isotropic2(NamedTuple):
    """Nine and nineteen points: D / 6 h^2."""

    weight: float


class Isotropic3(NamedTuple):
    weight: float


class Fourth1(NamedTuple):
    """-D / 12 h^2 for each axis."""

    x: float


class Fourth2(NamedTuple):
    y: float
    x: float


class Fourth3(NamedTuple):
    z: float
    y: float
    x: float


def choose_stencil(name, diffusivity, spacing):
    """The named tuple for `name` ("second", "isotropic", "fourth") on a grid with this spacing on each axis."""
    axes, equal = len(spacing), len(set(spacing)) == 1
    if name == "fourth":
        return (Fourth1, Fourth2, Fourth3)[axes - 1](*(-diffusivity / (12 * h * h) for h in spacing))
    if axes == 1 or not equal:
        return (Second1, Second2, Second3)[axes - 1](*(diffusivity / (h * h) for h in spacing))
    if name == "isotropic":
        return (Isotropic2, Isotropic3)[axes - 2](diffusivity / (6 * spacing[0] ** 2))
    return (Equal2, Equal3)[axes - 2](diffusivity / spacing[0] ** 2)


class Euler(NamedTuple):
    """start = z, the field that k is taken of."""

    c: float


class Onward(NamedTuple):
    """start = y, the field at the beginning of the step."""

    c: float


class HeunEnd(NamedTuple):
    """y + dt/2 (k1 + k2) = (y + z)/2 + dt/2 k2, where z = y + dt k1."""

    c: float


class RungeKuttaEnd(NamedTuple):
    """y + dt/6 (k1 + 2 k2 + 2 k3 + k4) = y + ((y1 - y) + 2 (y2 - y) + (z - y))/3 + dt/6 k4, where z = y3."""

    c: float


def choose_scheme(name, dt):
    """The stages of "euler", "heun" or "rk4"."""
    return {
        "euler": (Euler(dt),),
        "heun": (Euler(dt), HeunEnd(dt / 2)),
        "rk4": (Euler(dt / 2), Onward(dt / 2), Onward(dt), RungeKuttaEnd(dt / 6)),
    }[name]


class Places(NamedTuple):
    """Where in the workspace things begin that a row needs: the slabs at -2..2, and those of the stages before."""

    below2: int
    below: int
    here: int
    above: int
    above2: int
    y: int
    y1: int
    y2: int
    rates: int
    out: int
    pitch: int  # from row to row
    field: int  # from u to v


@njit(error_model="numpy", forceinline=True)
def advance_row(space, rates, stage, stencil_u, stencil_v, places, at, vectors, lanes):
    """Write start + c k for `vectors` vectors of a row, which begin `at` numbers after their slabs do."""
    for j in range(vectors):
        x = at + j * lanes
        u, v = load(space, places.here + x), load(space, places.here + places.field + x)
        feed, loss = _rate(rates, 0, places.rates + x), _rate(rates, 1, places.rates + places.field + x)
        reaction = u * (v * v)
        k_u = _diffuse(stencil_u, space, places, x, u, fma(-feed, u, feed) - reaction)
        k_v = _diffuse(stencil_v, space, places, places.field + x, v, fma(-loss, v, reaction))
        start_u = _start(stage, space, places, x, u)
        start_v = _start(stage, space, places, places.field + x, v)
        store(space, places.out + x, fma(stage.c, k_u, start_u))
        store(space, places.out + places.field + x, fma(stage.c, k_v, start_v))


def _rate(rates, which, offset):
    """F or F + k: one number for all cells, or one for each."""


@overload(_rate)
def _choose_rate(rates, which, offset):
    if isinstance(rates, types.Array):
        return lambda rates, which, offset: load(rates, offset)
    return lambda rates, which, offset: rates[which]


def _start(stage, space, near, x, z):
    """What c k is added to."""


@overload(_start)
def _choose_start(stage, space, near, x, z):
    return _STARTS[stage.instance_class]


def _start_euler(stage, space, near, x, z):
    return z


def _start_onward(stage, space, near, x, z):
    return load(space, near.y + x)


def _start_heun_end(stage, space, near, x, z):
    return fma(0.5, load(space, near.y + x), 0.5 * z)


def _start_runge_kutta_end(stage, space, near, x, z):
    y, y1, y2 = load(space, near.y + x), load(space, near.y1 + x), load(space, near.y2 + x)
    return fma(1 / 3, fma(2.0, y2 - y, (y1 - y) + (z - y)), y)


_STARTS = {
    Euler: _start_euler,
    Onward: _start_onward,
    HeunEnd: _start_heun_end,
    RungeKuttaEnd: _start_runge_kutta_end,
}


# ------------------------------------------------------------------------------------------------ stencils
#
# Each returns q + D lap at the vector `x` of slab `near.here`, whose values are c.


def _diffuse(stencil, space, near, x, c, q):
    """q + D lap."""


@overload(_diffuse)
def _choose_diffuse(stencil, space, near, x, c, q):
    return _STENCILS[stencil.instance_class]


@njit
def _pair(space, offset, distance):
    return load(space, offset - distance) + load(space, offset + distance)


@njit
def _second(near, c):
    return fma(-2.0, c, near)


def _second1(stencil, space, near, x, c, q):
    return fma(stencil.x, _second(_pair(space, near.here + x, 1), c), q)


def _second2(stencil, space, near, x, c, q):
    q = fma(stencil.x, _second(_pair(space, near.here + x, 1), c), q)
    return fma(stencil.y, _second(load(space, near.below + x) + load(space, near.above + x), c), q)


def _second3(stencil, space, near, x, c, q):
    q = fma(stencil.x, _second(_pair(space, near.here + x, 1), c), q)
    q = fma(stencil.y, _second(_pair(space, near.here + x, near.pitch), c), q)
    return fma(stencil.z, _second(load(space, near.below + x) + load(space, near.above + x), c), q)


def _equal2(stencil, space, near, x, c, q):
    faces = _pair(space, near.here + x, 1) + (load(space, near.below + x) + load(space, near.above + x))
    return fma(stencil.weight, fma(-4.0, c, faces), q)


def _equal3(stencil, space, near, x, c, q):
    plane = _pair(space, near.here + x, 1) + _pair(space, near.here + x, near.pitch)
    z = load(space, near.below + x) + load(space, near.above + x)
    return fma(stencil.weight, fma(-4.0, c, plane) + _second(z, c), q)


def _isotropic2(stencil, space, near, x, c, q):
    faces = _pair(space, near.here + x, 1) + (load(space, near.below + x) + load(space, near.above + x))
    corners = _pair(space, near.below + x, 1) + _pair(space, near.above + x, 1)
    return fma(stencil.weight, fma(4.0, fma(-4.0, c, faces), fma(-4.0, c, corners)), q)


def _isotropic3(stencil, space, near, x, c, q):
    here, below, above, pitch = near.here + x, near.below + x, near.above + x, near.pitch
    plane = _pair(space, here, 1) + _pair(space, here, pitch)
    faces = fma(-4.0, c, plane) + _second(load(space, below) + load(space, above), c)
    xy = fma(-4.0, c, _pair(space, here - pitch, 1) + _pair(space, here + pitch, 1))
    xz = fma(-4.0, c, _pair(space, below, 1) + _pair(space, above, 1))
    yz = fma(-4.0, c, _pair(space, below, pitch) + _pair(space, above, pitch))
    return fma(stencil.weight, fma(2.0, faces, xy + (xz + yz)), q)


@njit
def _fourth(near, far, c):
    return fma(-16.0, _second(near, c), _second(far, c))


@njit
def _fourth_across(space, near, x, c):
    return _fourth(
        load(space, near.below + x) + load(space, near.above + x),
        load(space, near.below2 + x) + load(space, near.above2 + x),
        c,
    )


@njit
def _fourth_within(space, offset, distance, c):
    return _fourth(_pair(space, offset, distance), _pair(space, offset, 2 * distance), c)


def _fourth1(stencil, space, near, x, c, q):
    return fma(stencil.x, _fourth_within(space, near.here + x, 1, c), q)


def _fourth2(stencil, space, near, x, c, q):
    q = fma(stencil.x, _fourth_within(space, near.here + x, 1, c), q)
    return fma(stencil.y, _fourth_across(space, near, x, c), q)


def _fourth3(stencil, space, near, x, c, q):
    q = fma(stencil.x, _fourth_within(space, near.here + x, 1, c), q)
    q = fma(stencil.y, _fourth_within(space, near.here + x, near.pitch, c), q)
    return fma(stencil.z, _fourth_across(space, near, x, c), q)


_STENCILS = {
    Second1: _second1,
    Second2: _second2,
    Second3: _second3,
    Equal2: _equal2,
    Equal3: _equal3,
    Isotropic2: _isotropic2,
    Isotropic3: _isotropic3,
    Fourth1: _fourth1,
    Fourth2: _fourth2,
    Fourth3: _fourth3,
}
