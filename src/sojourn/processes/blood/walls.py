"""A sphere of radius a near a wall, the gap d between them: its mobility over that in unbounded fluid.

    along the wall     1 - 9/16 e + e^3/8 - 45/256 e^4 - e^5/16,   e = a / (a + d)
    towards the wall   (6 d^2 + 2 a d) / (6 d^2 + 9 a d + 2 a^2)
    about the normal   1 - e^3/8;   about an axis along the wall   1 - 5/16 e^3

and the slopes in d, from which comes the Ito drift div D of a diffusivity that depends on place.

These walls are plane. In a tube of radius R they hold where the gap and a are well below R. Further in, the wall is on
all sides: at a/R = 0.05 the mobility along the axis is 0.895 (`tube_axis_mobility`), by the plane wall 0.972.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from sojourn.processes.blood.checks import at_least_zero, within
from sojourn.processes.blood.units import Quantity, alike, positive, si, tensors


def parallel_mobility(gap: Quantity, radius: Quantity) -> Any:
    """Along the wall: 1 - 9/16 e + e^3/8 - 45/256 e^4 - e^5/16, e = a / (a + d).

    Args:
        gap: d, from the sphere's surface to the wall, m, at least zero.
        radius: a, m.

    A series for far walls: low by 0.1 % at d = 1.4 a, 1 % at 0.5 a and 4 % at 0.1 a, then high, by 32 % at 0.003 a;
    0.324 at contact, where the truth vanishes as 1 / ln(a/d). Source: Faxen, Ark. Mat. Astron. Fys. 17 (1923); the
    errors, beside Goldman, Cox and Brenner, Chem. Eng. Sci. 22 (1967), 637.

    Raises:
        InputError: a gap below zero, a radius that is not above it.
    """
    e = _nearness(gap, radius)
    return alike(1 + e * (-9 / 16 + e**2 * (1 / 8 + e * (-45 / 256 - e / 16))), gap, radius)


def parallel_slope(gap: Quantity, radius: Quantity) -> Any:
    """The derivative of `parallel_mobility` in the gap, 1/m. Arguments and errors as there."""
    e, a = _nearness(gap, radius), positive(radius, "m", name="radius")
    slope = -9 / 16 + e**2 * (3 / 8 + e * (-45 / 64 - 5 / 16 * e))
    return alike(-slope * e**2 / a, gap, radius)


def normal_mobility(gap: Quantity, radius: Quantity) -> Any:
    """Towards the wall: (6 d^2 + 2 a d) / (6 d^2 + 9 a d + 2 a^2).

    Args:
        gap, radius: as in `parallel_mobility`.

    Brenner's exact series to within 0.8 % at every gap: d/a near contact, where it vanishes, and 1 - 9/8 a/d far away.
    Source: Bevan and Prieve, J. Chem. Phys. 113 (2000), 1228.

    Raises:
        InputError: as `parallel_mobility`.
    """
    d, a = _gap_and_radius(gap, radius)
    return alike(2 * d * (3 * d + a) / _resisted(d, a), gap, radius)


def normal_slope(gap: Quantity, radius: Quantity) -> Any:
    """The derivative of `normal_mobility` in the gap, 1/m: 1/a at contact. Arguments and errors as there."""
    d, a = _gap_and_radius(gap, radius)
    return alike(2 * a * (21 * d**2 + 12 * a * d + 2 * a**2) / _resisted(d, a) ** 2, gap, radius)


def spin_mobility(gap: Quantity, radius: Quantity) -> Any:
    """Turning about the wall's normal: 1 - e^3/8, e = a / (a + d).

    Args:
        gap, radius: as in `parallel_mobility`.

    High by 1.2 % at d = 0.1 a and 5 % at contact, where the truth is 1 / zeta(3) = 0.832. Source: Jeffery, Proc. Lond.
    Math. Soc. 14 (1915), 327, whose sum for the drag begins with 1 + e^3/8.

    Raises:
        InputError: as `parallel_mobility`.
    """
    return alike(1 - _nearness(gap, radius) ** 3 / 8, gap, radius)


def roll_mobility(gap: Quantity, radius: Quantity) -> Any:
    """Turning about an axis along the wall: 1 - 5/16 e^3, e = a / (a + d).

    Args:
        gap, radius: as in `parallel_mobility`.

    The first term for far walls: high by 0.6 % at d = 0.5 a and 8 % at 0.13 a; 0.688 at contact, where the truth
    vanishes as 1 / ln(a/d). Source: Goldman, Cox and Brenner, Chem. Eng. Sci. 22 (1967), 637.

    Raises:
        InputError: as `parallel_mobility`.
    """
    return alike(1 - 5 / 16 * _nearness(gap, radius) ** 3, gap, radius)


def tube_axis_mobility(ratio: Quantity) -> Any:
    """Along a tube, for a sphere on its axis, with x = a/R:

        1 - 2.10444 x + 2.08877 x^3 - 0.94813 x^5 - 1.372 x^6 + 3.87 x^8 - 4.19 x^10

    Args:
        ratio: a/R, from 0 to 0.6.

    To 0.1 % up to 0.4 and 0.5 % up to 0.6, where its use ends. Source: Bohlin, Trans. R. Inst. Technol. Stockholm 155
    (1960).

    Raises:
        InputError: a ratio outside [0, 0.6].
    """
    remedy = "the series holds for spheres up to 0.6 of the tube"
    (x,) = tensors(within(ratio, "", name="ratio", low=0.0, high=0.6, remedy=remedy))
    far = 1 - 2.10444 * x + 2.08877 * x**3 - 0.94813 * x**5
    return alike(far - 1.372 * x**6 + 3.87 * x**8 - 4.19 * x**10, ratio)


def radial_drift(normal: Quantity, slope: Quantity, parallel: Quantity, r: Quantity) -> Any:
    """The radial part of div D in a tube: dD_n/dr + (D_n - D_t) / r, m/s, for D = D_n rr + D_t (tt + zz).

    Args:
        normal: D_n, towards the wall, m^2/s.
        slope: dD_n/dr, m/s: minus the slope in the gap.
        parallel: D_t, round the axis, m^2/s.
        r: the distance from the axis, m, above zero.

    With dx = div D dt + sqrt(2 D) dW (Ito) a uniform law stays uniform; without div D robots gather at the walls. On
    the axis all directions across are alike, so that D_n meets D_t there. Plane walls leave a difference, and a drift
    that is singular on the axis.

    Raises:
        InputError: an r that is not above zero, or units of something else.
    """
    n = si(normal, "m^2/s", name="normal")
    p = si(parallel, "m^2/s", name="parallel")
    n, s, p, x = tensors(n, si(slope, "m/s", name="slope"), p, positive(r, "m", name="r"))
    return alike(s + (n - p) / x, normal, slope, parallel, r)


def _resisted(d: Tensor, a: Tensor) -> Tensor:
    return 6 * d**2 + 9 * a * d + 2 * a**2


def _nearness(gap: Quantity, radius: Quantity) -> Tensor:
    """e = a / (a + d), 1 at contact."""
    d, a = _gap_and_radius(gap, radius)
    return a / (a + d)


def _gap_and_radius(gap: Quantity, radius: Quantity) -> tuple[Tensor, Tensor]:
    remedy = "the sphere is inside the wall: keep its centre a radius away, or lower dt"
    d, a = tensors(at_least_zero(gap, "m", name="gap", remedy=remedy), positive(radius, "m", name="radius"))
    return d, a
