"""How a drug leaves a robot.

first order   m(t) / m_0 = 1 - exp(-k t)
Higuchi       Q = sqrt(D (2 A - C_s) C_s t)
"""

from __future__ import annotations

from typing import Any

import torch

from sojourn.errors import InputError
from sojourn.processes.blood.checks import at_least_zero
from sojourn.processes.blood.units import Quantity, alike, positive, tensors


def first_order_release(t: Quantity, rate: Quantity) -> Any:
    """1 - exp(-k t): the share of the drug that has left after t seconds, at the rate k, 1/s.

    Raises:
        InputError: a time or rate below zero, units of something else.
    """
    k, time = tensors(at_least_zero(rate, "1/s", name="rate", remedy="a drug only leaves"), _time(t))
    return alike(-torch.expm1(-k * time), t, rate)


def higuchi_release(t: Quantity, diffusivity: Quantity, loading: Quantity, solubility: Quantity) -> Any:
    """Q = sqrt(D (2 A - C_s) C_s t), kg/m^2: what a plane matrix has released into a perfect sink, per area.

    Args:
        t: s.
        diffusivity: D of the drug in the matrix, m^2/s.
        loading: A, all drug that the matrix holds, dissolved or not, kg/m^3.
        solubility: C_s, of the drug in the matrix, at most A, kg/m^3.

    While undissolved drug remains, the profile in the emptied layer taken as a line. Low, by 11 % at A = C_s and 1 % at
    A = 8 C_s, beside the exact moving front. Source: Higuchi, J. Pharm. Sci. 50 (1961), 874.

    Raises:
        InputError: a loading below the solubility, a time below zero, anything else that is not above it.
    """
    d, a, s, time = tensors(
        positive(diffusivity, "m^2/s", name="diffusivity"),
        positive(loading, "kg/m^3", name="loading"),
        positive(solubility, "kg/m^3", name="solubility"),
        _time(t),
    )
    if bool((a < s).any()):
        given = f"loading={float(a.detach().min()):g} is below solubility={float(s.detach().max()):g}"
        raise InputError(f"{given}, so all is dissolved; choose first_order_release")
    return alike(torch.sqrt(d * (2 * a - s) * s * time), t, diffusivity, loading, solubility)


def _time(t: Quantity) -> Any:
    return at_least_zero(t, "s", name="t", remedy="count from the beginning of the release")
