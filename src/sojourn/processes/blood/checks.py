"""What a physical quantity must satisfy beyond being one: a line that names it, the value given and the remedy."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.units import Quantity, in_a_body, show, si

_WIDEST = 0.1  # m; to catch slips, not physiology: three times the aorta


def within(value: Quantity, unit: str, *, name: str, low: float, high: float, remedy: str) -> Any:
    """As `units.si`, from `low` to `high`, both included.

    Raises:
        InputError: as `units.si`; outside. `remedy` ends the line.
    """
    number = si(value, unit, name=name)
    least, most = _ends(number)
    if least < low or most > high:
        worst = least if least < low else most
        raise InputError(f"{name}={worst:g} is outside [{low:g}, {high:g}]; {remedy}")
    return number


def at_least_zero(value: Quantity, unit: str, *, name: str, remedy: str) -> Any:
    """As `units.si`, and not below zero.

    Raises:
        InputError: as `units.si`; below zero; what `units.in_a_body` refuses. `remedy` ends the line.
    """
    number = si(value, unit, name=name)
    least, _ = _ends(number)
    if least < 0:
        raise InputError(f"{name}={least:g} is below zero; {remedy}")
    in_a_body(number, unit, name=name)
    return number


def narrow(value: float, *, name: str) -> None:
    """Raises InputError for a width in m that no vessel has, as a bare number in micrometres gives."""
    if value > _WIDEST:
        raise InputError(f"{name}={show(value, 'm')}, and the aorta 30 mm; give metres, or text such as '20 um'")


def whole(value: int, *, name: str, remedy: str) -> int:
    """A whole number as an int.

    Raises:
        InputError: anything else. `remedy` ends the line.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"{name}={value!r} is not a whole number; {remedy}")
    return int(value)


def _ends(number: float | Tensor) -> tuple[float, float]:
    if not isinstance(number, Tensor):
        return number, number
    if number.numel() == 0:
        return 0.0, 0.0
    values = number.detach()
    return float(values.min()), float(values.max())
