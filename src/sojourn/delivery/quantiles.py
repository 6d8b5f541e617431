"""Quantiles by order statistics: whatever the law, X_(l) <= q_p <= X_(u) where

P(Bin(n, p) <= l - 1) <= error,   P(Bin(n, p) >= u) <= error.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals.binomial import lower_end, upper_end
from sojourn.bounds.search import first
from sojourn.bounds.sides import checked, some
from sojourn.errors import InputError


def quantile(
    values: np.ndarray, p: float, *, range: tuple[float, float], confidence: float = 0.95, family: int = 1
) -> Estimate:
    """The p-quantile inf {x: F(x) >= p} of the law of n independent values, between two of them.

    #{X <= q_p} is at least as large as Bin(n, p) and #{X < q_p} at most, for a law with jumps too; so each end fails
    with the probability (1 - confidence) / (2 family) at most. Where no order statistic will do, the end is that of
    the range.

    Args:
        values: the observations.
        p: in (0, 1).
        range: the least and the greatest value that can occur; may be infinite.
        confidence: of all `family` intervals together.

    Source: H. A. David and H. N. Nagaraja, Order Statistics, 3rd ed. (2003), section 7.1.

    Raises:
        InputError: no values, a p or confidence outside (0, 1).
    """
    error = checked(confidence, "both", family)
    if not 0 < p < 1:
        raise InputError(f"p={p} is not in (0, 1); give the share of the law below the quantile")
    x = np.sort(some(values))
    n = x.size
    # P(Bin(n, p) <= k) <= error where p is beyond Clopper's and Pearson's upper end of k, and so for the lower.
    low = first(lambda k: p < upper_end(k, n, error), -1, n, near=int(binom.ppf(float(error), n, p)))
    high = first(lambda k: p <= lower_end(k, n, error), 0, n + 1, near=int(binom.isf(float(error), n, p)) + 1)
    return Estimate(
        float(np.quantile(x, p, method="inverted_cdf")),
        float(x[low - 1]) if low > 0 else range[0],
        float(x[high - 1]) if high <= n else range[1],
        confidence,
        "at this n",
        "order statistics",
        "the values are independent and of one law",
        observations=n,
        family=family,
    )
