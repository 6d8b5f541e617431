"""What the intervals share: how much error an end has, and which ends there are."""

from __future__ import annotations

from fractions import Fraction

from sojourn.bounds import checks
from sojourn.bounds.sequences.sequence import Side, error_of
from sojourn.errors import InputError


def checked(confidence: float, side: Side, family: int) -> Fraction:
    """The probability with which one end may fail, with all three checked."""
    checks.inside("confidence", confidence)
    checks.count("family", family)
    if side not in ("both", "lower", "upper"):
        raise InputError(f"side={side!r} is not one of both, lower, upper")
    return error_of(confidence, side, family)
