"""Intervals for bounded observations in every unit: nothing depends on where the range lies, nothing true is lost."""

import math

import numpy as np
import pytest

from sojourn.bounds.intervals import betting, empirical_bernstein, hoeffding_interval
from sojourn.bounds.sequences import Betting, EmpiricalBernstein, Hoeffding, NormalMixture, Stitched
from sojourn.errors import InputError

FIXED = (betting, empirical_bernstein, hoeffding_interval)
SEQUENCES = (Betting, EmpiricalBernstein, Hoeffding, NormalMixture, Stitched)


def interval(method, x, range):
    return method(x, range=range) if method in FIXED else method(range=range).update(x).estimate()


@pytest.mark.parametrize("method", [*FIXED, *SEQUENCES], ids=lambda m: m.__name__)
def test_a_constant_is_never_excluded(method):
    """Where all observations are c, no bet against c wins: c is in the interval, for any c in any range."""
    generator, refused = np.random.default_rng(1), 0
    for _ in range(120):
        low = float(generator.choice([0.0, -1.0, 1.0])) * 10.0 ** generator.uniform(-320, 307)
        high = low + 10.0 ** generator.uniform(-320, 307)
        if not low < high < math.inf:
            continue
        c = min(max(low + generator.choice([0, 1, 1e-17, generator.random()]) * (high - low), low), high)
        try:
            found = interval(method, np.full(generator.integers(1, 200), c), (low, high))
        except InputError:  # its weights' squares must be floats
            refused += 1
            continue
        assert c in found
    assert refused == 0 or method is Hoeffding


@pytest.mark.parametrize("method", [*FIXED, *SEQUENCES], ids=lambda m: m.__name__)
def test_another_unit_gives_the_same_interval(method):
    """Units are powers of two and observations dyadic, so that only the ends can be rounded."""
    generator = np.random.default_rng(2)
    for _ in range(60):
        unit = 2.0 ** int(generator.integers(-450, 450))
        low = float(generator.integers(-1000, 1000)) * unit
        x = np.round(generator.beta(0.5, 2, generator.integers(1, 200)) * 2**20) / 2**20
        here, there = interval(method, x, (0.0, 1.0)), interval(method, low + unit * x, (low, low + unit))
        room = 1e-8 * unit + 4 * math.ulp(abs(low) + unit)
        assert abs(low + unit * here.low - there.low) <= room
        assert abs(low + unit * here.high - there.high) <= room
