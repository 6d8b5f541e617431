"""The ladder of levels s .. L: which is the first, what the samples say of the orders, how many paths to run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sojourn.errors import InputError
from sojourn.multilevel import antithetic
from sojourn.multilevel.intervals import PILOT, CentralLimit, EmpiricalBernstein, Samples
from sojourn.multilevel.levels import Level
from sojourn.multilevel.payoff import Payoff
from sojourn.noise import Noise
from sojourn.processes.ito.discretised import Discretised

RESOLVED = 4.0
"""Standard errors from zero at which the mean of a difference tells an order."""
_NOTHING = 1e-24
"""A share of the variance of f that is rounding."""
HOPELESS = 1024
"""Steps at which a value that is not finite is no longer blamed on the step."""


class Ladder:
    """Levels, the first of which is `start`; all below it were tried and left."""

    def __init__(
        self, process: Discretised, T: float, f: Payoff, noise: Noise, interval: CentralLimit | EmpiricalBernstein
    ) -> None:
        self.process, self.T, self.f, self.noise, self.interval = process, T, f, noise, interval
        self.levels: list[Level] = []
        self.start = 0

    @property
    def used(self) -> list[Level]:
        return self.levels[self.start :]

    @property
    def cost(self) -> float:
        """Steps of paths so far."""
        return sum(level.cost for level in self.levels)

    def add_level(self) -> None:
        """The next finer level, with its first paths."""
        self.levels.append(Level(len(self.levels), self.process, self.T, self.f, self.noise))
        self.levels[-1].sample(PILOT)
        self._leave_what_is_not_finite()

    def find_start(self, max_cost: float) -> None:
        """Levels from one step on, until the first level that is worth its work is two below the last."""
        while len(self.levels) < self._first_finite() + 3 or self._cheapest() > len(self.levels) - 3:
            cost = self.cost + PILOT * 1.5 * 2 ** len(self.levels)
            if cost > max_cost:
                dt = self.T / 2 ** max(0, len(self.levels) - 1)
                raise InputError(
                    f"f does not settle down to dt={dt:.3g}, and finer steps would take {cost:.1e} steps of paths, "
                    f"above max_cost={max_cost:.1e}; raise it or choose another scheme"
                )
            self.add_level()
        self.start = self._cheapest()
        self.used[0].be_first()

    def grow(self, needed: Any) -> bool:
        """Runs what is missing from `needed`; whether anything was."""
        grown = False
        for level, paths in zip(self.used, needed, strict=True):
            if paths > level.paths:
                level.sample(max(int(paths) - level.paths, level.paths // 16))
                grown = True
        self._leave_what_is_not_finite()
        return grown

    def double_last(self) -> None:
        """Twice the paths on the two levels that tell the bias."""
        for level in self.used[-2:]:
            level.sample(level.paths)
        self._leave_what_is_not_finite()

    # ---------------------------------------------------------------------------------------- what the samples say

    def means(self) -> np.ndarray:
        """Sample means of P_s, Y_(s+1), .., Y_L; their sum is the estimate."""
        first, *rest = self.used
        return np.array([first.values.mean, *(level.differences.mean for level in rest)])

    def paths(self) -> np.ndarray:
        return np.array([level.paths for level in self.used])

    def kurtoses(self) -> np.ndarray:
        first, *rest = self.used
        return np.array([first.values.kurtosis, *(level.differences.kurtosis for level in rest)])

    def sample_variances(self) -> np.ndarray:
        first, *rest = self.used
        return np.array([first.values.variance, *(level.differences.variance for level in rest)])

    def variances(self) -> np.ndarray:
        """Sample variances on the side of caution, for rare large differences (an indicator's are 0, 1 and -1).

        One standard error up, Var(S^2) = sigma^4 (kappa - 1) / n; where all differences are equal, as if one path and a
        half had differed by the range of f (the rule of three: with probability 95% an event that n trials did not show
        has a probability below 3 / n); and no less than half of what the level before and the order of decay promise.
        """
        v, order = self.sample_variances(), self._decay()
        up = 1 + np.sqrt(np.maximum(self.kurtoses() - 1, 0) / self.paths())
        for k, level in enumerate(self.used):
            known = self.f.range if self.f.bounds else level.values.range
            if v[k] <= _NOTHING * level.values.variance and (k or self.f.bounds):
                v[k] = 2.25 * known**2 / level.paths
        v *= up
        for k in range(2, len(v)):
            v[k] = max(v[k], v[k - 1] / 2 ** (order + 1))
        return v

    def _decay(self) -> float:
        """The order by which the variance is taken to fall from level to level."""
        fit = self.beta()
        return min(max(fit[0], 0.25), self.variance_order) if fit else self.variance_order

    def beta(self) -> tuple[float, float] | None:
        """The order of Var Y_l, fitted to the last differences, and its standard error."""
        v, n, kappa = self.sample_variances(), self.paths(), self.kurtoses()
        seen = [k for k in range(1, len(v)) if v[k] > _NOTHING * v[0]][-4:]
        return _slope(seen, np.log2(v[seen]), np.sqrt(np.maximum(kappa[seen] - 1, 0.1) / n[seen]) / math.log(2))

    def alpha(self) -> tuple[float, float] | None:
        """The order of |E Y_l|, fitted to the last differences clear of their noise, and its standard error."""
        m, se = np.abs(self.means()), self.standard_errors()
        seen = [k for k in range(1, len(m)) if m[k] > RESOLVED * se[k] and m[k] > 1e-12 * m[0]][-4:]
        return _slope(seen, np.log2(m[seen]), se[seen] / m[seen] / math.log(2))

    def standard_errors(self) -> np.ndarray:
        return np.sqrt(self.variances() / self.paths())

    @property
    def weak_order(self) -> float:
        """What the scheme's theory gives for |E Y_l|."""
        return min(self.process.method.weak, 4.0)  # infinity for steps that have the exact law

    @property
    def variance_order(self) -> float:
        """What the scheme's theory gives for Var Y_l where f is smooth."""
        return 2.0 if self.process.scheme == antithetic.SCHEME else min(2 * self.process.method.strong, 4.0)

    def order_of_bias(self) -> float:
        """The scheme's weak order, or the fitted one where that is clearly lower, down to 1/2."""
        fit = self.alpha()
        if fit and fit[0] + 2 * fit[1] < self.weak_order:
            return max(0.5, fit[0])
        return self.weak_order

    def bias(self, errors: float = 1.0) -> float:
        """|E P_L - E f(X_T)| if |E Y_l| goes on falling by 2^-alpha a level: E Y_L / (2^alpha - 1).

        The larger of what the last two differences give, each mean moved from zero by so many of its standard errors.
        """
        a, m, se = self.order_of_bias(), np.abs(self.means()), self.standard_errors()
        reach = [max(0.0, m[-1 - j] + errors * se[-1 - j]) * 2 ** (-a * j) for j in (0, 1)]
        return max(reach) / (2**a - 1)

    def samples(self) -> Samples:
        """What the interval needs to know."""
        numbers = np.arange(self.start, len(self.levels))
        works = np.array([level.work for level in self.used])
        return Samples(numbers, self.variances(), self.kurtoses(), self.paths(), works)

    # ------------------------------------------------------------------------------------------------ what to do next

    def paths_needed(self, half_width: float) -> np.ndarray:
        """Paths on every level for that half width of the sum."""
        return self.interval.paths_needed(self.samples(), half_width)

    def predict(self, half_width: float, bias: float) -> float:
        """Steps of paths in all, with the levels that are still missing for that bias."""
        ratio = self.bias(errors=-2.0) / bias
        missing = max(0, math.ceil(math.log2(ratio) / self.order_of_bias())) if ratio > 0 else 0
        s, more = self.samples(), np.arange(1, missing + 1)
        s = Samples(
            np.append(s.numbers, s.numbers[-1] + more),
            np.append(s.variances, s.variances[-1] / 2 ** (self._decay() * more)),
            np.append(s.kurtoses, np.full(missing, s.kurtoses[-1])),
            np.append(s.paths, np.full(missing, PILOT)),
            np.append(s.works, s.works[-1] * 2.0**more),
        )
        left = sum(level.cost for level in self.levels[: self.start])
        return left + float((self.interval.paths_needed(s, half_width) * s.works).sum())

    def _leave_what_is_not_finite(self) -> None:
        first = self._first_finite()
        if first > self.start:
            self.start = first
            while len(self.used) < 3:
                self.add_level()
            self.used[0].be_first()

    def _cheapest(self) -> int:
        """The s for which sqrt(Var P_s work) + sum over l > s of sqrt(Var Y_l work) is least: the root of the cost."""
        costs = {}
        for s in range(self._first_finite(), len(self.levels)):
            first, *rest = self.levels[s:]
            costs[s] = math.sqrt(first.values.variance * first.steps)
            costs[s] += sum(math.sqrt(level.differences.variance * level.work) for level in rest)
        return min(costs, key=costs.__getitem__)

    def _first_finite(self) -> int:
        """The first level from which on every value of f was finite."""
        fine = [k for k, level in enumerate(self.levels) if not level.values.finite]
        coarse = [k - 1 for k, level in enumerate(self.levels) if level.values.finite and not level.differences.finite]
        bad = fine + coarse
        if bad and self.levels[max(bad)].steps >= HOPELESS:
            raise InputError(
                f"f is not finite on some paths, down to dt={self.levels[max(bad)].fine.dt:.3g}; check f where the "
                f"states go, or choose another scheme"
            )
        return max(bad) + 1 if bad else 0


def _slope(levels: Sequence[int], logarithms: np.ndarray, errors: np.ndarray) -> tuple[float, float] | None:
    """-slope of a weighted line through the points, and its standard error: the given errors' or the scatter's."""
    if len(levels) < 2:
        return None
    x, w = np.array(levels, float), 1 / np.maximum(errors, 1e-3) ** 2
    x -= (w * x).sum() / w.sum()
    slope = float((w * x * logarithms).sum() / (w * x**2).sum())
    variance = 1 / float((w * x**2).sum())
    if len(levels) > 2:
        rest = logarithms - (w * logarithms).sum() / w.sum() - slope * x
        variance *= max(1.0, float((w * rest**2).sum()) / (len(levels) - 2))
    return -slope, math.sqrt(variance)
