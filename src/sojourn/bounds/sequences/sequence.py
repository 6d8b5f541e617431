"""What all confidence sequences share: they take observations in batches, and may be looked at any time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Self

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.sides import Side, checked, error_of


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
        checked(self.confidence, self.side, self.family)

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
