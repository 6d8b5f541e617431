"""Searches by bisection: for the first whole number, or the first float, from which on a condition holds."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable


def first(holds: Callable[[int], bool], low: int, high: int, *, near: int | None = None, step: int = 1) -> int:
    """The first whole number above `low` at which a condition that stays true holds; `high` if at none before it.

    Args:
        holds: the condition; it is not asked at low (taken as false) nor at high (taken as true).
        low, high: low < high.
        near: where it is sought first, in doubling steps from there on; None for bisection at once.
        step: the first of these steps.
    """
    if near is not None:
        at = min(max(near, low + 1), high - 1)
        while low < at < high:
            low, high, at = (low, at, at - step) if holds(at) else (at, high, at + step)
            step *= 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def first_float(reached: Callable[[float], bool]) -> float:
    """The least float t >= 0 at which a condition that stays true holds; inf if it holds at none."""
    if reached(0.0):
        return 0.0
    last = place_of(1.7976931348623157e308)
    found = first(lambda place: reached(float_at(place)), 0, last + 1)
    return float_at(found) if found <= last else math.inf


def place_of(x: float) -> int:
    """The place of a float >= 0 among all of them: 0 for 0.0, 1 for the least above it, and so on."""
    return struct.unpack("<q", struct.pack("<d", x))[0]


def float_at(place: int) -> float:
    """The float at a place."""
    return struct.unpack("<d", struct.pack("<q", place))[0]
