"""How blood flows: its viscosity in tubes and vessels, where its red cells go, and how shear thins it.

Diameters in metres, hematocrits as shares of the volume. A hematocrit is that of the discharge, H_d, unless it is
called the tube's, H_t. Numbers give numbers, tensors give tensors of the joint shape, and gradients pass.

    pries_in_vitro_1992, pries_in_vivo_1994, pries_in_vivo_2005     apparent viscosity over the plasma's
    fahraeus_1992, fahraeus_2005                                    H_t / H_d
    separation_1989, separation_2005 -> cell_share                  the share of the red cells that a daughter gets
    casson_stress, carreau_viscosity                                blood in bulk
"""

from __future__ import annotations

import math
from typing import Generic, NamedTuple

import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.units import Value, alike, show, tensors

PLASMA_VISCOSITY = 1.2e-3  # Pa s, human, 37 degC; 1.10 to 1.30 is normal: Kesmarky et al., Clin. Hemorheol. 39 (2008)
_LAYER_BEGINS, _LAYER_PEAKS = 2.4, 10.5  # um, of the endothelial surface layer


def pries_in_vitro_1992(diameter: Value, hematocrit: Value) -> Value:
    """Relative apparent viscosity of human blood in glass tubes, with D in um and H = H_d:

        mu = 1 + (mu_45 - 1) [(1 - H)^C - 1] / [(1 - 0.45)^C - 1]
        mu_45 = 220 e^(-1.3 D) + 3.2 - 2.44 e^(-0.06 D^0.645)
        C = (0.8 + e^(-0.075 D)) (x - 1) + x,   x = 1 / (1 + 10 (D / 10)^12)

    Args:
        diameter: D, m.
        hematocrit: H_d, in [0, 1).

    Measured at 3.3 to 1978 um, H up to 0.9, mean velocities above 50 diameters a second. At 8.05 um, where C = 0, the
    fraction has the limit ln(1 - H) / ln(0.55). Source: Pries, Neuhaus and Gaehtgens, Am. J. Physiol. 263 (1992).

    Raises:
        InputError: a diameter that is not above zero, a hematocrit outside [0, 1).
    """
    d, h = _checked(diameter, hematocrit)
    return alike(_in_vitro(d, h), diameter, hematocrit)


def pries_in_vivo_1994(diameter: Value, hematocrit: Value) -> Value:
    """Relative apparent viscosity in living vessels, with D in um, and C as in `pries_in_vitro_1992`:

        mu = [1 + (mu_45 - 1) f [(1 - H)^C - 1] / [(1 - 0.45)^C - 1]] f,   f = (D / (D - 1.1))^2
        mu_45 = 6 e^(-0.085 D) + 3.2 - 2.44 e^(-0.06 D^0.645)

    Fitted to networks of the rat's mesentery; without red cells it is f, not 1, because the layer on the wall remains.
    Source: Pries et al., Circ. Res. 75 (1994), 904.

    Raises:
        InputError: a diameter of 1.1 um or less, a hematocrit outside [0, 1).
    """
    d, h = _checked(diameter, hematocrit, above=1.1)
    at_45 = 6 * torch.exp(-0.085 * d) + 3.2 - 2.44 * torch.exp(-0.06 * d**0.645)
    narrowed = (d / (d - 1.1)) ** 2
    return alike((1 + (at_45 - 1) * narrowed * _by_hematocrit(d, h)) * narrowed, diameter, hematocrit)


def pries_in_vivo_2005(diameter: Value, hematocrit: Value) -> Value:
    """Relative apparent viscosity in living vessels, by the width of the layer on their endothelium, with D in um:

        mu = mu_vitro(D_ph) (D / D_eff)^4
        D_ph = D - 2 (W_as + 0.6 W_peak),   D_eff = D - 2 (W_as + W_peak (1 + 1.18 H))
        W_as = 2.6 (D - 2.4) / (D + 100 - 4.8)
        W_peak = 1.1 (D - 2.4) / (10.5 - 2.4) to D = 10.5, then 1.1 e^(-0.03 (D - 10.5));   both 0 up to D = 2.4

    Continuous, with corners at 2.4 and 10.5 um; mu_vitro is `pries_in_vitro_1992`. Fitted to networks of the rat's
    mesentery. Source: Pries and Secomb, Am. J. Physiol. 289 (2005), H2657.

    Raises:
        InputError: a diameter that is not above zero, a hematocrit outside [0, 1).
    """
    d, h = _checked(diameter, hematocrit)
    beyond = (d - _LAYER_BEGINS).clamp(min=0)
    rising = 1.1 * beyond / (_LAYER_PEAKS - _LAYER_BEGINS)
    falling = 1.1 * torch.exp(-0.03 * (d - _LAYER_PEAKS).clamp(min=0))
    peak = torch.where(d <= _LAYER_PEAKS, rising, falling)
    everywhere = 2.6 * beyond / (beyond + 100 - _LAYER_BEGINS)
    physical = d - 2 * (everywhere + 0.6 * peak)
    effective = d - 2 * (everywhere + peak * (1 + 1.18 * h))
    return alike(_in_vitro(physical, h) * (d / effective) ** 4, diameter, hematocrit)


def fahraeus_1992(diameter: Value, hematocrit: Value) -> Value:
    """H_t / H_d = H_d + (1 - H_d) (1 + 1.7 e^(-0.35 D) - 0.6 e^(-0.01 D)) in glass tubes, D in um.

    Red cells keep to the middle of a tube, so they pass faster than the plasma and there are fewer of them in it. Below
    3.06 um the formula gives more than 1. Source: Pries, Neuhaus and Gaehtgens (1992).

    Raises:
        InputError: as `pries_in_vitro_1992`.
    """
    d, h = _checked(diameter, hematocrit)
    return alike(_fahraeus(d, h, 0.35, 0.01), diameter, hematocrit)


def fahraeus_2005(diameter: Value, hematocrit: Value) -> Value:
    """H_t / H_d as in `fahraeus_1992`, with rates of 0.415 and 0.011 an um; above 1 below 2.58 um.

    In a living vessel D is what the layer on its wall leaves. Source: Pries et al., Circ. Res. 67 (1990), 826; again in
    Pries and Secomb, Am. J. Physiol. 289 (2005), H2657.

    Raises:
        InputError: as `pries_in_vitro_1992`.
    """
    d, h = _checked(diameter, hematocrit)
    return alike(_fahraeus(d, h, 0.415, 0.011), diameter, hematocrit)


class Separation(NamedTuple, Generic[Value]):
    """How a bifurcation shares its red cells: logit F_cells = A + B logit((F_flow - X0) / (1 - 2 X0))."""

    A: Value  # preference for daughter alpha
    B: Value  # steepness; 1 where cells follow the flow
    X0: Value  # share of the flow up to which a daughter gets plasma only


def separation_2005(feeding: Value, alpha: Value, beta: Value, hematocrit: Value) -> Separation[Value]:
    """The constants of a bifurcation, with k = (1 - H) / D_F, D_F in um, and r = D_alpha / D_beta:

        A = -13.29 k (r^2 - 1) / (r^2 + 1),   B = 1 + 6.98 k,   X0 = 0.964 k

    Args:
        feeding, alpha, beta: diameters of the vessel that comes in and of the two that leave, m.
        hematocrit: H_d of the one that comes in.

    Source: Pries and Secomb, Am. J. Physiol. 289 (2005), H2657, by the rat's mesentery.

    Raises:
        InputError: as `pries_in_vitro_1992`.
    """
    d, a, b, h = _bifurcation(feeding, alpha, beta, hematocrit)
    k = (1 - h) / d
    preference = 13.29 * k * (b**2 - a**2) / (a**2 + b**2)
    return _separation((preference, 1 + 6.98 * k, 0.964 * k), feeding, alpha, beta, hematocrit)


def separation_1989(feeding: Value, alpha: Value, beta: Value, hematocrit: Value) -> Separation[Value]:
    """The older constants: A = -6.96 ln(D_alpha / D_beta) / D_F, B = 1 + 6.98 (1 - H) / D_F, X0 = 0.4 / D_F, in um.

    Arguments as in `separation_2005`. Source: Pries et al., Microvasc. Res. 38 (1989), 81.

    Raises:
        InputError: as `pries_in_vitro_1992`.
    """
    d, a, b, h = _bifurcation(feeding, alpha, beta, hematocrit)
    preference = 6.96 * torch.log(b / a) / d
    return _separation((preference, 1 + 6.98 * (1 - h) / d, 0.4 / d), feeding, alpha, beta, hematocrit)


def cell_share(flow_share: Value, separation: Separation[Value]) -> Value:
    """The share of the red cells that daughter alpha gets with the share F_flow of the blood; beta gets the rest.

    Exchanging the daughters (A -> -A, F_flow -> 1 - F_flow) gives one minus it. Nothing up to X0, everything from
    1 - X0. Where X0 is 1/2 or more, which only vessels below 2 um reach, the larger flow has all cells.

    Args:
        flow_share: F_flow, in [0, 1].
        separation: of `separation_2005` or `separation_1989`.

    Raises:
        InputError: a share outside [0, 1].
    """
    share, a, b, least = tensors(flow_share, *separation)
    _within("flow_share", share, 0.0, 1.0, "give a share of the flow from 0 to 1")
    inside = (share > least) & (share < 1 - least)
    scaled = (share - least) / torch.where(least < 0.5, 1 - 2 * least, torch.ones_like(least))
    # Outside, a number whose logit is finite, or its gradient would be nan.
    y = torch.where(inside, scaled, torch.full_like(scaled, 0.5))
    divided = torch.sigmoid(a + b * (torch.log(y) - torch.log1p(-y)))
    return alike(torch.where(inside, divided, (1 + torch.sign(share - 0.5)) / 2), flow_share, *separation)


def casson_stress(shear_rate: Value, *, viscosity: Value, yield_stress: Value = 0.004) -> Value:
    """The stress tau at a shear rate g: sqrt(tau) = sqrt(tau_y) + sqrt(mu g); tau_y at rest, below which nothing flows.

    Args:
        shear_rate: g, 1/s, at least zero.
        viscosity: mu, Pa s, which tau / g tends to at high rates.
        yield_stress: tau_y, Pa; 0.004 at a hematocrit near 0.40: Merrill, Physiol. Rev. 49 (1969), 863.

    For rates below about 100 1/s. Source: Casson (1959).

    Raises:
        InputError: a negative rate, viscosity or yield stress.
    """
    g, mu, least = tensors(shear_rate, viscosity, yield_stress)
    for name, x in (("shear_rate", g), ("viscosity", mu), ("yield_stress", least)):
        _within(name, x, 0.0, math.inf, "give a number of 0 or more")
    return alike(least + mu * g + 2 * torch.sqrt(least) * torch.sqrt(mu * g), shear_rate, viscosity, yield_stress)


def carreau_viscosity(
    shear_rate: Value,
    *,
    at_rest: float = 0.056,
    at_high_rates: float = 0.00345,
    time: float = 3.313,
    exponent: float = 0.3568,
) -> Value:
    """mu = mu_inf + (mu_0 - mu_inf) [1 + (lambda g)^2]^((n - 1) / 2), Pa s, at the shear rate g in 1/s, of either sign.

    Args:
        at_rest, at_high_rates: mu_0 and mu_inf, Pa s.
        time: lambda, s.
        exponent: n, 1 where shear does not thin.

    The defaults are of whole blood: Cho and Kensey, Biorheology 28 (1991), 241.
    """
    (g,) = tensors(shear_rate)
    thinned = (1 + (time * g) ** 2) ** ((exponent - 1) / 2)
    return alike(at_high_rates + (at_rest - at_high_rates) * thinned, shear_rate)


def _in_vitro(d: Tensor, h: Tensor) -> Tensor:
    at_45 = 220 * torch.exp(-1.3 * d) + 3.2 - 2.44 * torch.exp(-0.06 * d**0.645)
    return 1 + (at_45 - 1) * _by_hematocrit(d, h)


def _by_hematocrit(d: Tensor, h: Tensor) -> Tensor:
    """[(1 - H)^C - 1] / [(1 - 0.45)^C - 1], 0 at H = 0 and 1 at H = 0.45."""
    x = 1 / (1 + 10 * (d / 10) ** 12)
    c = (0.8 + torch.exp(-0.075 * d)) * (x - 1) + x
    logarithm, reference = torch.log1p(-h), math.log(0.55)
    return logarithm * _relative_growth(c * logarithm) / (reference * _relative_growth(c * reference))


def _relative_growth(z: Tensor) -> Tensor:
    """(e^z - 1) / z, with its limit 1 at zero."""
    small = z.abs() < 1e-4
    return torch.where(small, 1 + z / 2 + z**2 / 6, torch.expm1(z) / torch.where(small, torch.ones_like(z), z))


def _fahraeus(d: Tensor, h: Tensor, near: float, far: float) -> Tensor:
    return h + (1 - h) * (1 + 1.7 * torch.exp(-near * d) - 0.6 * torch.exp(-far * d))


def _separation(constants: tuple[Tensor, Tensor, Tensor], *given: Value) -> Separation[Value]:
    return Separation(*(alike(x, *given) for x in torch.broadcast_tensors(*constants)))


def _bifurcation(feeding: float | Tensor, alpha: float | Tensor, beta: float | Tensor, hematocrit: float | Tensor):
    """Three diameters in um, and the hematocrit."""
    d, a, b, h = tensors(feeding, alpha, beta, hematocrit)
    _above("alpha", a, 0.0)
    _above("beta", b, 0.0)
    d, h = _checked(d, h, name="feeding")
    return d, 1e6 * a, 1e6 * b, h


def _checked(
    diameter: float | Tensor, hematocrit: float | Tensor, *, above: float = 0.0, name: str = "diameter"
) -> tuple[Tensor, Tensor]:
    """The diameter in um, and the hematocrit."""
    d, h = tensors(diameter, hematocrit)
    _above(name, d, above * 1e-6)
    if not bool(((h >= 0) & (h < 1)).all()):
        given = _worst(h, 0.0, 1.0)
        raise InputError(f"hematocrit={given:g} is not in [0, 1); give a share of the volume, such as 0.45")
    return 1e6 * d, h


def _above(name: str, diameter: Tensor, least: float) -> None:
    if not bool((diameter > least).all()):
        given = float(diameter.detach().min())
        raise InputError(f"{name}={given:g} is not above {show(least, 'm')}; give a diameter in metres, such as 8e-6")


def _within(name: str, x: Tensor, low: float, high: float, remedy: str) -> None:
    if not bool(((x >= low) & (x <= high)).all()):
        raise InputError(f"{name}={_worst(x, low, high):g} is outside [{low:g}, {high:g}]; {remedy}")


def _worst(x: Tensor, low: float, high: float) -> float:
    lowest, highest = float(x.detach().min()), float(x.detach().max())
    return lowest if not lowest >= low else highest
