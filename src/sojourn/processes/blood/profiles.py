"""Flow along a straight round tube of radius R: velocity u(r), shear rate |du/dr| and vorticity -du/dr.

The vorticity is the azimuthal component of rot u, positive where the axis leads; a small body turns at half of it.

    Poiseuille   u = 2 U (1 - (r/R)^2)
    Blunted      u = U (n + 2)/n (1 - (r/R)^n)
    Casson       a plug where the stress stays below the yield stress
    Womersley    the pressure gradient K cos(2 pi f t)

U is the mean over the cross-section; r is the distance from the axis in metres, 0 to R. Parameters are SI numbers, text
with units, or (but for Womersley's) tensors, which give tensors and pass gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import jve
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.units import Quantity, alike, positive, si, tensors


@dataclass(frozen=True)
class Poiseuille:
    """A Newtonian fluid in steady flow.

    Args:
        radius: R, m.
        mean_velocity: U, m/s; negative against the axis.
        viscosity: mu, Pa s.

    Raises:
        InputError: a radius or viscosity that is not above zero, or units of something else.
    """

    radius: Quantity
    mean_velocity: Quantity
    viscosity: Quantity

    def __post_init__(self) -> None:
        _keep(self, radius=positive(self.radius, "m", name="radius"))
        _keep(self, mean_velocity=si(self.mean_velocity, "m/s", name="mean_velocity"))
        _keep(self, viscosity=positive(self.viscosity, "Pa s", name="viscosity"))

    @property
    def peak_velocity(self) -> Any:
        """2 U, on the axis."""
        return 2 * self.mean_velocity

    @property
    def pressure_gradient(self) -> Any:
        """-dp/dx = 8 mu U / R^2, Pa/m."""
        return 8 * self.viscosity * self.mean_velocity / self.radius**2

    @property
    def wall_shear_stress(self) -> Any:
        """4 mu U / R, Pa, with the sign of the flow."""
        return self.viscosity * self.vorticity(self.radius)

    def velocity(self, r: float | Tensor) -> Any:
        """2 U (1 - (r/R)^2), m/s."""
        return self.peak_velocity * (1 - (r / self.radius) ** 2)

    def shear_rate(self, r: float | Tensor) -> Any:
        """|vorticity|, 1/s."""
        return abs(self.vorticity(r))

    def vorticity(self, r: float | Tensor) -> Any:
        """4 U r / R^2, 1/s."""
        return 2 * self.peak_velocity * r / self.radius**2


@dataclass(frozen=True)
class Blunted:
    """The flattened profile of blood in arterioles and venules; no fluid's law, so it has no pressure gradient.

    Args:
        radius: R, m.
        mean_velocity: U, m/s; negative against the axis.
        viscosity: mu, Pa s, of what flows at the wall.
        exponent: n, at least 2, which is Poiseuille; 2.3 to 4.0 in arterioles of 17 to 32 um: Tangelder et al., Circ.
            Res. 59 (1986), 505.

    Raises:
        InputError: a radius or viscosity that is not above zero, an exponent below 2, or units of something else.
    """

    radius: Quantity
    mean_velocity: Quantity
    viscosity: Quantity
    exponent: Quantity

    def __post_init__(self) -> None:
        _keep(self, radius=positive(self.radius, "m", name="radius"))
        _keep(self, mean_velocity=si(self.mean_velocity, "m/s", name="mean_velocity"))
        _keep(self, viscosity=positive(self.viscosity, "Pa s", name="viscosity"))
        _keep(self, exponent=si(self.exponent, "", name="exponent"))
        least = float(torch.as_tensor(self.exponent).detach().min())
        if least < 2:
            raise InputError(f"exponent={least:g} is below 2, sharper than Poiseuille's parabola; choose 2 or more")

    @property
    def peak_velocity(self) -> Any:
        """U (n + 2) / n, on the axis."""
        return self.mean_velocity * (self.exponent + 2) / self.exponent

    @property
    def wall_shear_stress(self) -> Any:
        """mu U (n + 2) / R, Pa, with the sign of the flow."""
        return self.viscosity * self.vorticity(self.radius)

    def velocity(self, r: float | Tensor) -> Any:
        """U (n + 2)/n (1 - (r/R)^n), m/s."""
        return self.peak_velocity * (1 - (r / self.radius) ** self.exponent)

    def shear_rate(self, r: float | Tensor) -> Any:
        """|vorticity|, 1/s."""
        return abs(self.vorticity(r))

    def vorticity(self, r: float | Tensor) -> Any:
        """U (n + 2) r^(n - 1) / R^n, 1/s."""
        return self.peak_velocity * self.exponent * (r / self.radius) ** (self.exponent - 1) / self.radius


@dataclass(frozen=True)
class Casson:
    """A Casson fluid in steady flow: a plug within r_c = 2 tau_y / G, and outside it

        du/dr = -(G / 2 mu) (sqrt(r) - sqrt(r_c))^2

    Args:
        radius: R, m.
        pressure_gradient: G = -dp/dx, Pa/m, above zero. With 2 tau_y / G >= R nothing flows.
        viscosity: mu, Pa s, at high shear rates.
        yield_stress: tau_y, Pa; see `rheology.casson_stress`.

    Source: Merrill et al., J. Appl. Physiol. 20 (1965), 954, for blood; the integrals are tested by quadrature.

    Raises:
        InputError: a parameter that is not above zero, or units of something else.
    """

    radius: Quantity
    pressure_gradient: Quantity
    viscosity: Quantity
    yield_stress: Quantity

    def __post_init__(self) -> None:
        _keep(self, radius=positive(self.radius, "m", name="radius"))
        _keep(self, pressure_gradient=positive(self.pressure_gradient, "Pa/m", name="pressure_gradient"))
        _keep(self, viscosity=positive(self.viscosity, "Pa s", name="viscosity"))
        _keep(self, yield_stress=positive(self.yield_stress, "Pa", name="yield_stress"))

    @property
    def plug_radius(self) -> Any:
        """2 tau_y / G, but R where nothing flows, m."""
        radius, plug = tensors(self.radius, 2 * self.yield_stress / self.pressure_gradient)
        return self._alike(torch.minimum(radius, plug))

    @property
    def peak_velocity(self) -> Any:
        """The plug's, m/s."""
        return self.velocity(self.plug_radius)

    @property
    def mean_velocity(self) -> Any:
        """G R^2 / 8 mu (1 - 16/7 sqrt(c) + 4/3 c - c^4 / 21), c = r_c / R, m/s."""
        c = self.plug_radius / self.radius
        newtonian = self.pressure_gradient * self.radius**2 / (8 * self.viscosity)
        return newtonian * (1 - 16 / 7 * c**0.5 + 4 / 3 * c - c**4 / 21)

    @property
    def wall_shear_stress(self) -> Any:
        """G R / 2, Pa, by the balance of forces; less than tau_y where nothing flows."""
        return self.pressure_gradient * self.radius / 2

    def velocity(self, r: float | Tensor) -> Any:
        """(G / 4 mu) [R^2 - s^2 - 8/3 sqrt(r_c) (R^1.5 - s^1.5) + 2 r_c (R - s)], s = max(r, r_c), m/s."""
        radius, plug, r_ = tensors(self.radius, self.plug_radius, r)
        s = torch.maximum(r_, plug)
        bracket = radius**2 - s**2 - 8 / 3 * plug**0.5 * (radius**1.5 - s**1.5) + 2 * plug * (radius - s)
        return self._alike(self.pressure_gradient / (4 * self.viscosity) * bracket, r)

    def shear_rate(self, r: float | Tensor) -> Any:
        """(G / 2 mu) (sqrt(s) - sqrt(r_c))^2, s = max(r, r_c), 1/s."""
        plug, r_ = tensors(self.plug_radius, r)
        s = torch.maximum(r_, plug)
        return self._alike(self.pressure_gradient / (2 * self.viscosity) * (s**0.5 - plug**0.5) ** 2, r)

    def vorticity(self, r: float | Tensor) -> Any:
        """The shear rate: the flow is along the axis, 1/s."""
        return self.shear_rate(r)

    def _alike(self, result: Tensor, *given: Any) -> Any:
        return alike(result, self.radius, self.pressure_gradient, self.viscosity, self.yield_stress, *given)


@dataclass(frozen=True)
class Womersley:
    """A Newtonian fluid under -dp/dx = K cos(w t), w = 2 pi f: the real part of u(r) e^(i w t),

        u(r) = K / (i w rho) [1 - J0(z r/R) / J0(z)],   z = i^(3/2) Wo,   Wo = R sqrt(w rho / mu)

    Args:
        radius: R, m.
        pressure_gradient: K, Pa/m.
        frequency: f, 1/s.
        viscosity: mu, Pa s.
        density: rho, kg/m^3.

    Wo is near 3 and above in arteries; near 0.015 in microvessels, where the flow is Poiseuille's at each time. r and t
    broadcast; no gradient passes. Source: Womersley, J. Physiol. 127 (1955), 553.

    Raises:
        InputError: a parameter that is not above zero, a tensor, or units of something else.
    """

    radius: Quantity
    pressure_gradient: Quantity
    frequency: Quantity
    viscosity: Quantity
    density: Quantity

    def __post_init__(self) -> None:
        units = {
            "radius": "m",
            "pressure_gradient": "Pa/m",
            "frequency": "1/s",
            "viscosity": "Pa s",
            "density": "kg/m^3",
        }
        for name, unit in units.items():
            value = positive(getattr(self, name), unit, name=name)
            if isinstance(value, Tensor):
                raise InputError(f"{name} is a tensor; pulsating flow passes no gradients, so give one number")
            _keep(self, **{name: value})

    @property
    def womersley_number(self) -> float:
        """Wo = R sqrt(w rho / mu)."""
        return self.radius * math.sqrt(2 * math.pi * self.frequency * self.density / self.viscosity)

    @property
    def quasi_steady_peak(self) -> float:
        """K R^2 / 4 mu, m/s: the amplitude on the axis, were the flow Poiseuille's at each time."""
        return self.pressure_gradient * self.radius**2 / (4 * self.viscosity)

    def amplitude(self, r: Any) -> np.ndarray:
        """u(r), complex, m/s: its argument is how the velocity leads the pressure gradient (it lags)."""
        s = np.asarray(r, dtype=float) / self.radius
        return self.quasi_steady_peak * (_even(self._z, s) if self.womersley_number < 1 else self._far(s))

    @property
    def mean_amplitude(self) -> complex:
        """K / (i w rho) [1 - 2 J1(z) / (z J0(z))], m/s: of the mean over the cross-section."""
        w = -(self._z**2) / 4
        if self.womersley_number < 1:
            terms = [k * w ** (k - 1) / (math.factorial(k) * math.factorial(k + 1)) for k in _ORDERS]
            return self.quasi_steady_peak * complex(sum(terms) / _j0(w))
        return self.quasi_steady_peak / w * (1 - 2 * jve(1, self._z) / (self._z * jve(0, self._z)))

    def velocity(self, r: float | Tensor, t: float | Tensor) -> Any:
        """Re u(r) e^(i w t), m/s."""
        return self._at(self.amplitude, r, t)

    def vorticity(self, r: float | Tensor, t: float | Tensor) -> Any:
        """-d/dr of the velocity: Re (K R / mu) J1(z r/R) / (z J0(z)) e^(i w t), 1/s."""
        return self._at(self._slope, r, t)

    def shear_rate(self, r: float | Tensor, t: float | Tensor) -> Any:
        """|vorticity|, 1/s."""
        return abs(self.vorticity(r, t))

    def wall_shear_stress(self, t: float | Tensor) -> Any:
        """mu times the vorticity at R, Pa."""
        return self.viscosity * self.vorticity(self.radius, t)

    def mean_velocity(self, t: float | Tensor) -> Any:
        """Re of the mean amplitude times e^(i w t), m/s."""
        return self._at(lambda _: self.mean_amplitude, 0.0, t)

    @property
    def _z(self) -> complex:
        return complex(-1, 1) / math.sqrt(2) * self.womersley_number

    def _far(self, s: np.ndarray) -> np.ndarray:
        """u / (K R^2 / 4 mu) for Wo of 1 or more, by Bessel functions that are scaled by e^-|Im z|."""
        z = self._z
        scale = np.exp(-abs(z.imag) * (1 - s))
        return -4 / z**2 * (1 - scale * jve(0, z * s) / jve(0, z))

    def _slope(self, r: np.ndarray) -> np.ndarray:
        z, s = self._z, r / self.radius
        scale = np.exp(-abs(z.imag) * (1 - s))
        return self.pressure_gradient * self.radius / self.viscosity * scale * jve(1, z * s) / (z * jve(0, z))

    def _at(self, amplitude: Any, r: Any, t: Any) -> Any:
        r_, t_ = (x.detach().cpu().double() for x in tensors(r, t))
        found = torch.from_numpy(np.asarray(amplitude(r_.numpy()))) * torch.exp(2j * math.pi * self.frequency * t_)
        return alike(found.real.to(next((x for x in (r, t) if isinstance(x, Tensor)), t_)), r, t)


_ORDERS = range(1, 12)


def _even(z: complex, s: np.ndarray) -> Any:
    """u / (K R^2 / 4 mu) for Wo below 1, where 1 - J0(z s) / J0(z) would cancel: its series, divided by w = -z^2 / 4.

    J0(z s) = sum of (w s^2)^k / k!^2
    """
    w = -(z**2) / 4
    return sum(w ** (k - 1) * (1 - s ** (2 * k)) / math.factorial(k) ** 2 for k in _ORDERS) / _j0(w)


def _j0(w: complex) -> complex:
    return 1 + sum(w**k / math.factorial(k) ** 2 for k in _ORDERS)


def _keep(profile: Any, **numbers: Any) -> None:
    """The parameters of a frozen profile as SI numbers, in the place of text."""
    for name, number in numbers.items():
        object.__setattr__(profile, name, number)
