"""What all confidence sequences share: they take observations in batches, and may be looked at any time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, Self

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.errors import InputError

Side = Literal["both", "lower", "upper"]
"""Which ends an interval has: both, or only a lower or an upper end, which then takes all of the error probability."""


@dataclass(kw_only=True)
class ConfidenceSequence(ABC):
    """Intervals for a mean that hold at all times at once: P(for every n, the mean is in the n-th) >= confidence.

    Memory does not grow with the number of observations, and results do not depend, to the bit, on how they were split
    into batches.

    Args:
        confidence: in (0, 1).
        side: "both", or "lower" or "upper" for one end.
        family: how many quantities, of which this is one, the confidence shall hold for together (Bonferroni's
            inequality: each may fail with probability (1 - confidence) / family).
    """

    confidence: float = 0.95
    side: Side = "both"
    family: int = 1
    observations: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        checks.inside("confidence", self.confidence)
        checks.count("family", self.family)
        if self.side not in ("both", "lower", "upper"):
            raise InputError(f"side={self.side!r} is not one of both, lower, upper")

    @property
    def error(self) -> Fraction:
        """The probability with which one end may fail: (1 - confidence) / family, halved where there are two ends."""
        return error_of(self.confidence, self.side, self.family)

    @abstractmethod
    def update(self, values: Any) -> Self:
        """Takes more observations, any number of them; InputError for what is not finite or outside the range."""

    @abstractmethod
    def estimate(self) -> Estimate:
        """The mean and its interval after all that was seen; before anything was, all that is possible."""


def error_of(confidence: float, side: Side, family: int) -> Fraction:
    """The probability with which one end of an interval may fail, exactly."""
    return (1 - Fraction(confidence)) / (family * (2 if side == "both" else 1))
