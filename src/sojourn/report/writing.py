"""How a report writes what a run recorded: numbers with the digits that their interval deserves, words as they are.

A number that came from chance is a dict with "value" and "interval" (`Estimate.to_dict`); any other number is exact.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Any

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_THIN = "\u202f"  # between thousands; it does not break


def is_estimate(value: Any) -> bool:
    """True for what `Estimate.to_dict` gives."""
    return isinstance(value, dict) and "value" in value and isinstance(value.get("interval"), list)


def is_plain(value: Any) -> bool:
    """True for what stands in one cell: a number, a word, true or false, or an estimate."""
    return value is None or isinstance(value, (bool, int, float, str)) or is_estimate(value)


def written(value: Any) -> str:
    """The value as text, with its interval and unit where it has them: "0.9962 [0.9930, 0.9982]"."""
    if is_estimate(value):
        return _estimate(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "✓" if value else "–"
    if isinstance(value, int):
        return _grouped(f"{value}")
    if isinstance(value, float):
        return _float(value)
    return re.sub(r"^([\d.]+) u(?=(m|s|g|l|L|N|T|Pa|mol|M)$)", "\\1\u00a0µ", str(value))  # a setting such as "25 us"


def percent(value: Any) -> str | None:
    """A share as text, "3.21% [2.87%, 3.58%]"; None for what is no number."""
    number = point(value)
    if number is None:
        return None
    if not is_estimate(value):
        return f"{_float(100.0 * number)}%"
    hundred = [None if end is None else 100 * end for end in value["interval"]]
    text = _estimate({**value, "value": 100 * number, "interval": hundred, "unit": ""})
    return f"{text}\u00a0%" if "×" in text else re.sub(r"(\d)(?=$|,|\]| \[)", r"\1%", text)


def digest(value: Any) -> str:
    """SHA-256 of plain data, whatever the order of a dict's names."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def ends(value: Any) -> tuple[float, float] | None:
    """The interval of a number: open ends are infinite, a whole number is its own; None where nothing is known."""
    if is_estimate(value):
        if len(value["interval"]) != 2 or value.get("guarantee") == "none":
            return None
        low, high = value["interval"]
        return (-math.inf if low is None else low, math.inf if high is None else high)
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, value)
    return None


def point(value: Any) -> float | None:
    """The number itself; None where there is none."""
    number = value["value"] if is_estimate(value) else value
    return None if isinstance(number, bool) or not isinstance(number, (int, float)) else number


def _estimate(value: dict[str, Any]) -> str:
    unit = f"\u00a0{value['unit']}" if value.get("unit") else ""
    number = value["value"]
    if value.get("guarantee") == "none" or number is None or len(value["interval"]) != 2:
        return written(number) + unit
    low, high = value["interval"]
    if low is None or high is None or not low < high:
        return f"{written(number)}{unit} [{_end(low, '−∞')},\u00a0{_end(high, '∞')}]"
    power = _power(max(abs(low), abs(high), abs(number)))
    scale = Decimal(10) ** power
    # two digits of the width: the ends never move inwards
    place = Decimal(1).scaleb(min(0, math.floor(math.log10(high - low)) - 1 - power))
    middle = (Decimal(str(number)) / scale).quantize(place, ROUND_HALF_EVEN)
    down = (Decimal(str(low)) / scale).quantize(place, ROUND_FLOOR)
    up = (Decimal(str(high)) / scale).quantize(place, ROUND_CEILING)
    times = f" × 10{str(power).translate(_RAISED)}".replace(" ", "\u00a0") if power else ""
    return f"{_signed(middle)} [{_signed(down)},\u00a0{_signed(up)}]{times}{unit}"


def _power(largest: float) -> int:
    """The power of ten to take out: none for numbers that read well as they are."""
    exponent = math.floor(math.log10(largest)) if largest > 0 else 0
    return exponent if exponent < -3 or exponent > 6 else 0


def _end(end: float | None, infinite: str) -> str:
    return infinite if end is None else written(float(end))


def _float(number: float) -> str:
    """Four digits, or fewer where the number itself has no more."""
    if not math.isfinite(number):
        return {math.inf: "∞", -math.inf: "−∞"}.get(number, "–")
    if number == int(number) and abs(number) < 1e7:
        return _grouped(f"{int(number)}")
    power = _power(abs(number))
    scaled = Decimal(repr(number)).scaleb(-power)
    rounded = Context(prec=max(4, scaled.adjusted() + 1)).create_decimal(scaled)
    times = f"\u00a0×\u00a010{str(power).translate(_RAISED)}" if power else ""
    return _signed(rounded.normalize() if rounded == scaled else rounded) + times


def _signed(number: Decimal) -> str:
    return _grouped(f"{number:f}")


def _grouped(digits: str) -> str:
    """A true minus, and thin spaces between thousands from five digits on."""
    whole, dot, rest = digits.partition(".")
    sign, whole = ("−", whole[1:]) if whole.startswith("-") else ("", whole)
    if len(whole) > 4:
        whole = f"{int(whole):,}".replace(",", _THIN)
    return f"{sign}{whole}{dot}{rest}"
