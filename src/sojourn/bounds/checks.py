"""What bounds and intervals are given, checked: one line with the name, the value and the remedy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sojourn.errors import InputError


def finite(name: str, value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InputError(f"{name}={value!r} is not a number")
    if not math.isfinite(value):
        raise InputError(f"{name}={value} is not finite; give a finite number")
    return float(value)


def positive(name: str, value: Any) -> float:
    """A finite number above zero."""
    if finite(name, value) <= 0:
        raise InputError(f"{name}={value} is not positive; give a number above zero")
    return float(value)


def not_negative(name: str, value: Any) -> float:
    """A finite number at or above zero."""
    if finite(name, value) < 0:
        raise InputError(f"{name}={value} is negative; give a number that is zero or more")
    return float(value)


def inside(name: str, value: Any, low: float = 0.0, high: float = 1.0) -> float:
    """A number strictly between two others: a probability, a confidence."""
    if not low < finite(name, value) < high:
        raise InputError(f"{name}={value} is not in ({low:g}, {high:g})")
    return float(value)


def count(name: str, value: Any, least: int = 1) -> int:
    """A whole number, at least 1 unless said otherwise."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole and not (isinstance(value, (float, np.floating)) and float(value).is_integer()):
        raise InputError(f"{name}={value!r} is not a whole number")
    if value < least:
        raise InputError(f"{name}={value} is below {least}; give a whole number that is {least} or more")
    return int(value)


def bracket(name: str, value: Any) -> tuple[float, float]:
    """A range (a, b) with a < b, both finite."""
    try:
        a, b = value
    except (TypeError, ValueError):
        raise InputError(f"{name}={value!r} is not a pair (a, b)") from None
    a, b = finite(f"{name}[0]", a), finite(f"{name}[1]", b)
    if a >= b:
        raise InputError(f"{name}=({a:g}, {b:g}) is empty; give (a, b) with a < b")
    return a, b


def scalable(name: str, value: Any) -> tuple[float, float]:
    """A range whose width is a float too, so that observations can be scaled to [0, 1]."""
    a, b = bracket(name, value)
    if math.isinf(b - a):
        raise InputError(f"{name}=({a:g}, {b:g}) is wider than the greatest float; give observations in a larger unit")
    return a, b


def observations(values: Any, range: tuple[float, float] | None = None) -> np.ndarray:
    """Observations as a flat array of doubles: finite, and in the range where there is one. It may be empty."""
    try:
        x = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise InputError(f"the observations are not numbers: {str(values)[:60]}") from None
    if not np.isfinite(x).all():
        place = int(np.flatnonzero(~np.isfinite(x))[0])
        raise InputError(f"observation {place} is {x[place]}; leave out what is not a finite number, and say why")
    if range is not None and x.size:
        for end, outside in ((x.min(), x.min() < range[0]), (x.max(), x.max() > range[1])):
            if outside:
                place = int(np.flatnonzero(x == end)[0])
                raise InputError(
                    f"observation {place} is {end:.9g}, outside range=({range[0]:g}, {range[1]:g}); "
                    f"give a range that holds every value that can occur"
                )
    return x
