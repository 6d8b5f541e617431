"""Bounds from moments against exact laws: attained by two points, by a uniform law with an atom, never below a tail."""

import builtins
import math
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.bounds.moments import cantelli, chebyshev, markov, markov_of_sum, moment, vysochanskij_petunin
from sojourn.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))
from enumerated import up

sizes = st.floats(1e-150, 1e150)


@pytest.mark.parametrize(("mean", "range"), [(0.25, (0.0, 1.0)), (-0.5, (-2.0, 3.0)), (0.75, (0.0, 1.0))])
def test_markov_of_a_sum_is_not_below_any_binomial_tail(mean, range):
    """Against sums of terms at the ends of the range, in rationals; attained by one term at its greatest."""
    a, b = (Fraction(end) for end in range)
    p = (Fraction(mean) - a) / (b - a)
    for n in (1, 2, 7):
        law = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in builtins.range(n + 1)]
        for k in builtins.range(math.floor(n * p) + 1, n + 1):
            bound = markov_of_sum((k - n * p) * (b - a), n=n, mean=mean, range=range)
            assert Fraction(bound) >= sum(law[k:])
            assert n > 1 or bound == up(p)
    assert markov_of_sum(4 * float(b - a), n=3, mean=mean, range=range) == 0


@given(mean=sizes, t=sizes)
def test_markov_is_the_tail_of_two_points_to_the_last_bit(mean, t):
    # 0 or t, with P(t) = mean/t
    exact = min(Fraction(mean) / Fraction(t), Fraction(1))
    bound = Fraction(markov(t, mean=mean))
    assert bound >= exact
    assert bound == 1 or Fraction(math.nextafter(float(bound), 0)) < exact


@given(variance=sizes, t=sizes)
def test_two_points_attain_cantelli_and_three_chebyshev(variance, t):
    v, square = Fraction(variance), Fraction(t) ** 2
    for bound, exact in (
        (cantelli(t, variance=variance), v / (v + square)),
        (chebyshev(t, variance=variance), min(v / square, Fraction(1))),
    ):
        assert Fraction(bound) >= exact
        assert Fraction(math.nextafter(bound, 0)) < exact


@given(variance=st.floats(0.01, 100), n=st.integers(1, 40), t=st.floats(0.01, 100))
def test_variances_of_terms_add(variance, n, t):
    for bound in (chebyshev, cantelli, vysochanskij_petunin):
        assert bound(t, n=n, variance=variance) == bound(t, n=n, variance=[variance] * n)
        assert bound(t, n=4, variance=variance) == bound(t, n=1, variance=4 * variance)


@given(t=st.floats(1.64, 1e6))
def test_an_atom_in_a_uniform_law_attains_vysochanskij_petunin_far_out(t):
    # 0 with probability 1 - 4/(3 t^2), else uniform on (-3t/2, 3t/2): variance 1, and a third of it lies beyond t
    square = Fraction(t) ** 2
    inside = 1 - 4 / (3 * square)
    assert (1 - inside) * (3 * Fraction(t) / 2) ** 2 / 3 == 1
    exact = (1 - inside) / 3
    bound = vysochanskij_petunin(t, variance=1)
    assert Fraction(math.nextafter(bound, 0)) < exact <= Fraction(bound)


@given(t=st.floats(1.0, 1.632))
def test_an_atom_at_t_attains_vysochanskij_petunin_close_by(t):
    # t with probability 4/(3 t^2) - 1/3, else uniform on (-t/2, t): E X^2 = 1. The theorem
    # holds about any point with the mean square from there, and here the point, 0, is not the mean
    r, exact = Fraction(t), 4 / (3 * Fraction(t) ** 2) - Fraction(1, 3)
    # uniform on (-r/2, r): second moment (r^3 + r^3/8) / (3 * 3r/2) = r^2/4
    assert exact * r**2 + (1 - exact) * r**2 / 4 == 1
    bound = vysochanskij_petunin(t, variance=1)
    assert Fraction(math.nextafter(bound, 0)) < exact <= Fraction(bound)


def test_one_mode_is_worth_four_ninths_of_chebyshev():
    assert vysochanskij_petunin(3, variance=1) == up(Fraction(4, 81))
    assert chebyshev(3, variance=1) == up(Fraction(1, 9))


@pytest.mark.parametrize("rate", [0.25, 1.0, 8.0])
def test_the_exponential_law_is_below_all_of_them(rate):
    # X with rate 1: mean 1, variance 1, E |X - 1|^3 = 12/e - 2, E (X - 1)^4 = 9; all scale with 1/rate
    for step in range(1, 200):
        x = step / 16 / rate
        tail = math.exp(-rate * x)
        assert markov(x, mean=1 / rate) >= tail
        beyond = math.exp(-rate * (x + 1 / rate))
        both = beyond + max(0.0, 1 - math.exp(-(1 - rate * x)) if rate * x <= 1 else 0.0)
        assert cantelli(x, variance=rate**-2) >= beyond
        assert chebyshev(x, variance=rate**-2) >= both
        assert vysochanskij_petunin(x, variance=rate**-2) >= both
        assert moment(x, p=4, moment=9 * rate**-4) >= both
        assert moment(x, p=3, moment=(12 / math.e - 2) * rate**-3 * (1 + 1e-12)) >= both


def test_moments_of_order_two_are_chebyshev():
    for t in (0.1, 1, 7.5, 1e100):
        assert moment(t, p=2, moment=3) == chebyshev(t, variance=3)


def test_at_zero_and_far_out():
    for bound in (chebyshev, cantelli, vysochanskij_petunin):
        assert bound(0, variance=0) == bound(0, variance=1) == 1
        assert bound(1e-300, variance=0) == 0
        assert bound(1e308, variance=1) == 5e-324  # the least float above zero, which the truth is
        assert bound(1e308, variance=1e308) < 1e-300
    assert markov(0, mean=0) == markov(0, mean=1) == 1
    assert markov(1, mean=0) == 0
    assert moment(0, p=3, moment=0) == 1


@given(probability=st.floats(1e-12, 0.99), variance=st.floats(1e-6, 1e6))
def test_inverses_are_the_least(probability, variance):
    for bound in (chebyshev, cantelli, vysochanskij_petunin):
        t = bound.deviation(probability, variance=variance)
        assert bound(t, variance=variance) <= probability < bound(math.nextafter(t, 0), variance=variance)


def test_sample_size_of_chebyshev_is_the_textbooks():
    assert chebyshev.sample_size(0.1, 0.05, variance=0.25) == 500  # 0.25 / (0.1^2 0.05), and 0.1 > 1/10 as a float
    n = cantelli.sample_size(0.1, 0.05, variance=0.25)
    assert (
        cantelli(n * Fraction(0.1), n=n, variance=0.25)
        <= 0.05
        < cantelli((n - 1) * Fraction(0.1), n=n - 1, variance=0.25)
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: chebyshev(1, variance=-1), "variance=-1 is negative; give a number that is zero or more"),
        (lambda: chebyshev(1, n=2, variance=[1, -1]), r"variance\[1\]=-1 is negative"),
        (lambda: cantelli(1, n=3, variance=[1, 1]), "variance has 2 entries for n=3 terms"),
        (lambda: cantelli(1, n=0, variance=1), "n=0 is below 1"),
        (lambda: cantelli(1, variance=math.nan), "variance=nan is not finite"),
        (lambda: cantelli(-1, variance=1), "t=-1.0 is negative"),
        (lambda: cantelli(math.nan, variance=1), "t=nan is not finite"),
        (lambda: markov(1, mean=-2), "mean=-2 is negative"),
        (lambda: markov_of_sum(1, mean=2, range=(0, 1)), r"mean=2 is outside range=\(0, 1\)"),
        (lambda: moment(1, p=0, moment=1), "p=0 is not positive"),
        (lambda: vysochanskij_petunin(1, variance="1"), "='1' is not a number"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
