"""Intervals for quantiles by order statistics: what they cover exactly."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom

from sojourn.delivery.quantiles import quantile
from sojourn.errors import InputError

EVERYWHERE = (-math.inf, math.inf)


def order(n, p, **options):
    """(l, u): the ranks of the ends; 0 and n + 1 where there is none."""
    found = quantile(np.arange(1.0, n + 1), p, range=(0.0, n + 1.0), **options)
    return int(found.low), int(found.high)


@pytest.mark.parametrize("n", [1, 5, 6, 10, 37, 200])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("confidence", "family"), [(0.95, 1), (0.9, 3)])
def test_ranks(n, p, confidence, family):
    """Each end fails with half the error at most, and the next rank inwards with more, by the binomial law."""
    low, high = order(n, p, confidence=confidence, family=family)
    error = (1 - confidence) / (2 * family)
    assert binom.cdf(low - 1, n, p) <= error < binom.cdf(low, n, p)
    assert binom.sf(high - 1, n, p) <= error < binom.sf(high - 2, n, p)


def test_published_ranks():
    """Of the median at 95 %: none for n = 5, the extremes for 6, and the ranks of the sign test's tables."""
    assert [order(n, 0.5) for n in (5, 6, 10, 20, 50)] == [(0, 6), (1, 6), (2, 9), (6, 15), (18, 33)]


def test_coverage_with_ties():
    """All 3^7 samples of a law with jumps, whose 0.3-quantile is exactly at the top of one: covered as promised."""
    law, n, p = np.array([0.3, 0.45, 0.25]), 7, 0.3
    covered = 0.0
    for sample in itertools.combinations_with_replacement(range(3), n):
        counts = np.bincount(sample, minlength=3)
        chance = math.factorial(n) * np.prod(law**counts / [math.factorial(k) for k in counts])
        covered += chance * (0.0 in quantile(np.array(sample, float), p, range=EVERYWHERE, confidence=0.9))
    assert 0.9 <= covered <= 1


def test_value():
    x = np.random.default_rng(0).permutation(10).astype(float)
    found = [quantile(x, p, range=EVERYWHERE).value for p in (0.1, 0.11, 0.5, 0.9)]
    assert found == [0, 1, 4, 8]  # inf {x: F(x) >= p}
    assert quantile(x, 0.9, range=(0.0, math.inf)).high == math.inf


def test_bad_input():
    with pytest.raises(InputError, match=r"p=1 is not in \(0, 1\)"):
        quantile(np.ones(3), 1, range=EVERYWHERE)
    with pytest.raises(InputError, match="0 observations are too few"):
        quantile(np.ones(0), 0.5, range=EVERYWHERE)
