"""The state of the bets of `kernels/betting.py`, for observations in any range, and the interval that they leave."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from sojourn.bounds.rounding import above, ball, below
from sojourn.bounds.sides import Side
from sojourn.kernels import betting as kernel

_SLICE = 1 << 16  # observations scaled at a time


class Bets:
    """Bets against the candidates in a range (a, b).

    Args:
        bracket: (a, b), which holds every observation.
        error: the probability with which an end may fail.
        side: which ends there are.
        most: the share of the wealth that one bet may lose at most.
        horizon: number of observations at which the bets aim; 0 for intervals at all times.
    """

    def __init__(
        self, bracket: tuple[float, float], error: Fraction, side: Side, most: float, horizon: int = 0
    ) -> None:
        self.range, self.most, self.horizon = bracket, most, horizon
        self.target = above(lambda: -ball(error).log())
        self.over, self.under = side != "upper", side != "lower"
        self.cells, self.products, self.now = kernel.start()

    def take(self, x: np.ndarray) -> None:
        """Bets on observations that were checked."""
        a, b = self.range
        for first in range(0, len(x), _SLICE):
            y = x[first : first + _SLICE]
            if (a, b) != (0.0, 1.0):
                y = (y - a) / (b - a)
            kernel.play(
                y,
                self.cells,
                self.products,
                self.now,
                self.target,
                self.over,
                self.under,
                self.most,
                self.horizon,
            )

    @property
    def mean(self) -> float:
        """The mean of what was seen; the middle of the range before."""
        a, b = self.range
        seen = self.now[kernel.SEEN]
        return a + (b - a) * float(self.now[kernel.TOTAL] / seen if seen else 0.5)

    def ends(self) -> tuple[float, float]:
        """The interval, rounded outwards; NaN where every candidate is rejected.

        Scaling to [0, 1] moves an observation by 3 u at most, u = 2^-53, and so does it the mean.
        """
        cells, products, now = self.cells.copy(), self.products.copy(), self.now.copy()
        kernel.gather(cells, products, now)
        kernel.look(cells, now, self.target, self.over, self.under, self.most)
        count = int(now[kernel.CELLS])
        if count == 0:
            return math.nan, math.nan
        a, b = (ball(end) for end in self.range)
        moved = 0.0 if self.range == (0.0, 1.0) else 2.0**-51
        low, high = float(cells[kernel.LOW, 0]) - moved, float(cells[kernel.HIGH, count - 1]) + moved
        return (
            max(self.range[0], below(lambda: a + (b - a) * ball(low))),
            min(self.range[1], above(lambda: a + (b - a) * ball(high))),
        )
