"""Exact tails against sums in rational arithmetic and closed forms."""

import math
from fractions import Fraction

import pytest

from sojourn.bounds.exact import binomial_tail, normal_tail, two_point_tail, uniform_tail
from sojourn.errors import InputError


def test_exact_tails_against_rationals():
    for n, p in ((1, Fraction(1, 3)), (7, Fraction(1, 10)), (30, Fraction(1, 2)), (30, Fraction(99, 100))):
        law = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
        for k in range(-1, n + 2):
            exact = sum(law[max(k, 0) :], Fraction(0))
            low, high = binomial_tail(k, n, p=p)
            assert Fraction(low) <= exact <= Fraction(high)
            assert low == high or math.nextafter(low, 2) == high
            t = k - n * p
            if t > 0:
                assert two_point_tail(2 * t, n, mean=2 * p - 1, range=(-1, 1)) == (low, high)
    assert uniform_tail(Fraction(1, 2), 2) == (0.125, 0.125)  # a triangle's corner
    assert uniform_tail(0, 7) == (0.5, 0.5)
    assert uniform_tail(-1, 2) == (1, 1)
    assert uniform_tail(3, 2, range=(-3, 3)) == (0.125, 0.125)
    assert normal_tail(0, 5) == (0.5, 0.5)
    low, high = normal_tail(196, 100, variance=100)
    assert low < 0.024997895148220435 * (1 + 1e-15)
    assert high > 0.024997895148220435 * (1 - 1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: binomial_tail(1, 2, p=1.5), r"p=1.5 is not in \[0, 1\]"),
        (lambda: two_point_tail(1, 2, mean=3), r"mean=3 is outside range=\(0, 1\)"),
        (lambda: uniform_tail(1, 0), "n=0 is below 1"),
        (lambda: normal_tail(1, variance=0), "variance=0.0 is not positive"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
