"""Physical parameters: text with units to SI numbers and back; numbers and tensors treated alike.

si("7.8 um", "m", name="diameter") = 7.8e-06          show(7.8e-06, "m") = "7.8 um"
"""

from __future__ import annotations

import math
import re
from functools import cache, lru_cache
from numbers import Real
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor

from sojourn.errors import InputError

Quantity: TypeAlias = Any  # a plain SI number, a tensor of such, or text as "7.8 um"
Value = TypeVar("Value", bound=float | Tensor)

# SI unit: what it measures, the unit in words, text that would do
_KINDS = {
    "": ("a share", "a number", "45 %"),
    "m": ("a length", "metres", "20 um"),
    "s": ("a time", "seconds", "5 ms"),
    "K": ("a temperature", "kelvins", "36.85 degC"),
    "m/s": ("a speed", "metres a second", "2 mm/s"),
    "1/s": ("a rate", "the number a second", "1 Hz"),
    "m^3/s": ("a flow", "cubic metres a second", "10 nl/min"),
    "kg/m^3": ("a density", "kilograms a cubic metre", "1.06 g/cm^3"),
    "Pa": ("a pressure or stress", "pascals", "2.5 dyn/cm^2"),
    "Pa/m": ("a pressure gradient", "pascals a metre", "10 mmHg/mm"),
    "Pa s": ("a viscosity", "pascal seconds", "1.2 cP"),
    "T": ("a magnetic field", "teslas", "3 mT"),
    "A m^2": ("a magnetic moment", "ampere square metres", "1e-15 A m^2"),
    "m^2/s": ("a diffusivity", "square metres a second", "0.4 um^2/s"),
    "N": ("a force", "newtons", "1 pN"),
    "kg": ("a mass", "kilograms", "1 fg"),
}
# SI unit: the most that can be meant in a body, and why; bounds to catch slips. 10 m/s is twice a jet through a valve
# that is very severely narrowed (5 m/s: Rosenhek et al., Circulation 121 (2010), 151); the strongest magnet for a whole
# body has 11.7 T (Boulant et al., Nat. Methods 21 (2024), 2013).
_MOST = {
    "m/s": (10.0, "is faster than blood anywhere"),
    "T": (12.0, "is above the 11.7 T of the strongest magnet for a body"),
}
_COLD, _FREEZING = 1.0, 273.15  # K
_PREFIXES = {-7: "z", -6: "a", -5: "f", -4: "p", -3: "n", -2: "u", -1: "m", 0: "", 1: "k", 2: "M", 3: "G"}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
# Names with exponents of one digit, and what joins them: pint would work out 9^9^9, for minutes.
_UNIT = re.compile(r"(?:[^\W\d_]+(?:\^-?\d(?![\d^]))?|1(?= */)|[ */·()°%])*")
_FIRST = re.compile(r"([A-Za-z]+)(?:\^(\d))?(?![A-Za-z])")


def si(value: Quantity, unit: str, *, name: str) -> Any:
    """The number of SI units `unit` that `value` is, as a float; a tensor stays as it is.

    Args:
        value: a plain SI number, a tensor of such, or text with a unit: "7.8 um", "2.5 dyn/cm^2", "36.85 degC".
        unit: the SI unit: "m", "Pa s", "A m^2"; "" for a number without one, such as "45 %".
        name: the parameter's, for the message.

    A decimal is read exactly: "7.8 um" is the float nearest to 7.8e-6.

    Raises:
        InputError: not a number, not finite, an unknown unit, or a unit of something else.
    """
    if isinstance(value, Tensor):
        if not bool(torch.isfinite(value.detach()).all()):
            raise InputError(f"{name} holds values that are not finite; {_remedy(unit)}")
        return value
    if isinstance(value, Real) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise InputError(f"{name}={value} is not finite; {_remedy(unit)}")
        return float(value)
    if not isinstance(value, str):
        raise InputError(f"{name}={value!r} is not {_kind(unit)}; {_remedy(unit)}")
    found = _parsed(value, unit)
    if isinstance(found, str):
        raise InputError(f"{name}={value!r} {found}; {_remedy(unit)}")
    return found


def positive(value: Quantity, unit: str, *, name: str) -> Any:
    """As `si`, and above zero.

    Raises:
        InputError: as `si`; zero or less; what `in_a_body` refuses.
    """
    number = si(value, unit, name=name)
    least = float(number.detach().min()) if isinstance(number, Tensor) else number
    if least <= 0:
        given = f"={value!r} is" if not isinstance(value, Tensor) else f" holds {least:g}, which is"
        raise InputError(f"{name}{given} not above zero; {_remedy(unit)}")
    in_a_body(number, unit, name=name)
    return number


def in_a_body(number: float | Tensor, unit: str, *, name: str) -> None:
    """Refuses a speed, field or temperature that no body has, as a bare number in the wrong unit gives.

    Temperatures below 1 K pass: they are how Brownian motion is switched off.

    Raises:
        InputError: more than 10 m/s or 12 T; a temperature from 1 K on at which water is frozen.
    """
    values = torch.as_tensor(number).detach()
    if unit == "K":
        wrong = (values >= _COLD) & (values < _FREEZING)
        if bool(wrong.any()):
            given = float(values[wrong].flatten()[0])
            remedy = (
                f"did you mean {given + _FREEZING:g} K or '{given:g} degC'?" if given < 60 else "a body has 310.15 K"
            )
            raise InputError(f"{name}={given:g} K is below freezing; {remedy}")
    elif unit in _MOST and values.numel():
        most, why = _MOST[unit]
        if (given := float(values.abs().max())) > most:
            raise InputError(f"{name}={show(given, unit)} {why}; {_remedy(unit)}")


def one(value: Any, *, name: str) -> Any:
    """The value, if it is a single number; a tensor of one loses its dimensions.

    Raises:
        InputError: a tensor of several or of none.
    """
    if not isinstance(value, Tensor):
        return value
    if value.numel() != 1:
        raise InputError(f"{name} has shape {tuple(value.shape)}; give one number")
    return value.reshape(())


def show(value: float, unit: str) -> str:
    """`value` SI units as text of five digits, with a prefix on the first unit: show(2e-05, "m") = "20 um".

    A prefix holds for the power too, so a diffusivity of 3.79e-13 m^2/s is "0.379 um^2/s". Seconds get no k, kelvins no
    prefix at all, and a mass is shown in grams.
    """
    if unit == "kg":
        return show(1000 * value, "g")
    first = _FIRST.match(unit)
    if first is None or first[1] in ("kg", "K") or not value:
        return f"{value:.5g} {unit}".strip()
    power = int(first[2] or 1)
    thousands = math.floor((math.log10(abs(float(f"{value:.5g}"))) + power - 1 + 1e-9) / (3 * power))
    thousands = max(min(_PREFIXES), min(thousands, 0 if first[1] == "s" else max(_PREFIXES)))
    return f"{value / 10.0 ** (3 * power * thousands):.5g} {_PREFIXES[thousands]}{unit}"


def tensors(*values: float | Tensor) -> list[Tensor]:
    """Numbers and tensors as tensors: of the type and place of those given, else of float64."""
    like = next((value for value in values if isinstance(value, Tensor)), torch.empty((), dtype=torch.float64))
    return [v if isinstance(v, Tensor) else torch.as_tensor(v, dtype=like.dtype, device=like.device) for v in values]


def alike(result: Tensor, *given: Value) -> Value:
    """A law's result as its arguments were: a number where all of them were numbers."""
    plain: Any = result if result.ndim or any(isinstance(value, Tensor) for value in given) else result.item()
    return plain


@lru_cache(maxsize=256)
def _parsed(text: str, unit: str) -> float | str:
    """The number of `unit`s, or what is wrong with the text."""
    from decimal import Decimal

    import pint

    text = text.strip()
    number = _NUMBER.match(text)
    written = text[number.end() :].strip().replace("**", "^") if number else ""
    if number is None or not _UNIT.fullmatch(written):
        return "is not a number with a unit"
    registry = _registry()
    try:
        quantity = registry.Quantity(Decimal(number[0]), registry.parse_units(written))
    except pint.UndefinedUnitError:
        return "has an unknown unit"
    except Exception:  # pint raises what its tokenizer does, an AssertionError or a TokenError among others
        return "is not a number with a unit"
    try:
        found = float(quantity.m_as(registry.parse_units(unit)))
    except (pint.DimensionalityError, pint.OffsetUnitCalculusError):
        return f"is not {_kind(unit)}"
    return found if math.isfinite(found) else "is not finite"


@cache
def _registry() -> Any:
    """The one registry, which counts in decimals; made when text is first read, for that takes a second."""
    from decimal import Decimal

    import pint

    decimal: Any = Decimal
    return pint.UnitRegistry(non_int_type=decimal)


def _kind(unit: str) -> str:
    return _KINDS[unit][0] if unit in _KINDS else f"in {unit}"


def _remedy(unit: str) -> str:
    _, words, example = _KINDS.get(unit, ("", f"it in {unit}", f"1 {unit}"))
    return f"give {words} or text such as {example!r}"
