"""Floats on the safe side of a formula: the nearest one, whatever its size, and from every thread the same."""

import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.bounds import hoeffding
from sojourn.bounds.rounding import above, ball, below


@given(st.integers(-(10**40), 10**40), st.integers(1, 10**40))
def test_the_nearest_float_on_each_side(numerator, denominator):
    exact = Fraction(numerator, denominator)
    up, down = above(lambda: ball(exact)), below(lambda: ball(exact))
    assert Fraction(down) <= exact <= Fraction(up)
    assert up == down or math.nextafter(down, math.inf) == up


@pytest.mark.parametrize(
    ("exponent", "up", "down"),
    [(-1e6, 5e-324, 0.0), (-745.5, 5e-324, 0.0), (1e6, math.inf, 1.7976931348623157e308), (0.0, 1.0, 1.0)],
)
def test_beyond_the_doubles(exponent, up, down):
    assert above(lambda: ball(exponent).exp()) == up
    assert below(lambda: ball(exponent).exp()) == down
    assert below(lambda: -ball(exponent).exp()) == -up
    assert above(lambda: -ball(exponent).exp()) == -down
    assert math.copysign(1, below(lambda: ball(0.0))) == 1  # no minus in front of zero


def test_what_is_not_finite_says_nothing():
    assert above(lambda: ball(1.0) / ball(0.0)) == math.inf
    assert below(lambda: ball(1.0) / ball(0.0)) == -math.inf


def test_threads_agree():
    """FLINT's precision belongs to all threads; each answer is the one that a thread alone gives."""
    ranges = [(0.0, 1 + k / 7) for k in range(200)]
    alone = [hoeffding.deviation(0.05, n=100, range=r) for r in ranges]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda r: hoeffding.deviation(0.05, n=100, range=r), ranges)) == alone
