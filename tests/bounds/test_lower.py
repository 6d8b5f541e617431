"""Bounds from below, each at or below the exact tail to the last bit, and on the conditions under which they hold."""

import math
from fractions import Fraction

import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.bounds.exact import binomial, binomial_tail, normal_tail, two_point_tail, uniform_tail
from sojourn.bounds.lower import ash, mills, paley_zygmund, slud
from sojourn.bounds.normal_approximation import berry_esseen, berry_esseen_below
from sojourn.bounds.rounding import above, ball, below
from sojourn.errors import InputError

PROBABILITIES = [1e-6, 0.01, 0.1, 0.25, 0.3, 0.47, 0.5, 0.75, 0.99, 1 - 1e-6]
SIZES = [1, 2, 3, 5, 12, 40, 150, 1000]


@pytest.mark.parametrize("p", PROBABILITIES)
@pytest.mark.parametrize("n", SIZES)
def test_ash_and_slud_are_below_the_binomial_tail(n, p):
    for k in sorted({0, 1, n - 1, n, *range(0, n + 1, max(1, n // 25)), min(n, math.ceil(n * p))}):
        exact = binomial_tail(k, n, p=p).low
        assert ash(k, n=n, p=p) <= exact
        assert slud(k, n=n, p=p) <= exact


@given(n=st.integers(1, 400), p=st.floats(1e-6, 1 - 1e-6), share=st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_any_binomial_tail(n, p, share):
    t = share * n
    exact = binomial_tail(t, n, p=p).low
    assert ash(t, n=n, p=p) == ash(math.ceil(t), n=n, p=p) <= exact
    assert slud(t, n=n, p=p) <= exact


def test_one_term_of_the_binomial_law_is_above_ash():
    # C(n, k) q^k (1 - q)^(n - k) >= 1 / sqrt(8 n q (1 - q)), q = k/n: with any p both sides gain the same factor.
    # Squared and cleared of fractions, in whole numbers
    for n in range(2, 130):
        for k in range(1, n):
            assert 8 * k * (n - k) * (math.comb(n, k) * k**k * (n - k) ** (n - k)) ** 2 >= n * n ** (2 * n)
    assert ash(1, n=2, p=0.5) == 0.5  # the mass at 1; attained


def test_ash_at_the_ends():
    assert ash(5, n=5, p=0.5) == 2.0**-5 == ash(4.5, n=5, p=0.5)
    assert ash(6, n=5, p=0.5) == ash(1e300, n=5, p=0.5) == 0
    assert ash(0, n=100, p=0.5) == ash(50, n=100, p=0.5) == below(lambda: 1 / arb(200).sqrt())


def test_slud_says_nothing_where_it_can_fail():
    # beyond n (1 - p), for p > 1/4, the normal tail can be above the binomial one
    p = Fraction(0.47)
    normal = normal_tail(12 - 12 * p, 12, variance=p * (1 - p))
    assert binomial_tail(12, 12, p=p).high < normal.low
    assert slud(12, n=12, p=0.47) == 0
    assert slud(12, n=12, p=0.25) > 0
    assert slud(7, n=13, p=0.5) == 0  # 7 > 13/2
    assert slud(6, n=12, p=0.5) == 0.5
    assert slud(6, n=12, p=math.nextafter(0.5, 1)) == 0


def test_slud_over_its_whole_domain_for_small_n():
    for n in range(1, 41):
        for p in [j / 80 for j in range(1, 41)]:
            for k in range(math.ceil(n * Fraction(p)), n + 1):
                if p <= 0.25 or k <= n * (1 - Fraction(p)):
                    mean, spread = n * ball(p), (n * ball(p) * (1 - ball(p))).sqrt()
                    assert binomial(k, n, ball(p)) >= ((k - mean) / spread / arb(2).sqrt()).erfc() / 2 or (n, p) == (
                        1,
                        0.5,
                    )


# ----------------------------------------------------------------------------------------- a mean and a second moment


@given(p=st.floats(1e-9, 1), size=st.floats(1e-6, 1e6), theta=st.floats(0, 1))
def test_paley_zygmund_for_two_points(p, size, theta):
    # size with probability p, else 0: P(Z > t) = p for t < size
    mean, square = Fraction(p) * Fraction(size), Fraction(p) * Fraction(size) ** 2
    low, high = below(lambda: ball(mean)), above(lambda: ball(square))
    bound = paley_zygmund(theta * low, mean=low, second_moment=high)
    assert 0 <= Fraction(bound) <= Fraction(p) <= 1
    at_zero = paley_zygmund(0, mean=low, second_moment=high)
    assert at_zero == pytest.approx(p, rel=1e-9)  # attained


def test_paley_zygmund_for_the_exponential_law():
    # E Z = 1, E Z^2 = 2
    for j in range(33):
        t = j / 32
        assert paley_zygmund(t, mean=1, second_moment=2) == (1 - t) ** 2 / 2 <= math.exp(-t)
    assert paley_zygmund(1.5, mean=1, second_moment=2) == 0
    assert paley_zygmund(0, mean=0.1, second_moment=0.1**2) <= 1  # a constant; 0.1**2 is rounded
    assert paley_zygmund.deviation(0.125, mean=1, second_moment=2) == 0.5  # the greatest t with at least 1/8


# ----------------------------------------------------------------------------------------------------- normal laws


@pytest.mark.parametrize("n", [1, 4, 30, 400, 1000])
def test_berry_esseen_from_both_sides(n):
    # fair coins: variance 1/4, third moment 1/8, all exact; and uniform terms
    for k in range(n // 2 + 1, n + 1, max(1, n // 40)):
        t = k - Fraction(n, 2)
        exact = two_point_tail(t, n, mean=0.5)
        assert berry_esseen_below(t, n=n, variance=0.25, third_moment=0.125) <= exact.low
        assert exact.high <= berry_esseen(t, n=n, variance=0.25, third_moment=0.125)
    for j in range(0, 20 if n < 100 else 0):
        t = Fraction(n * j, 40) * 2
        exact = uniform_tail(t, n, range=(-1, 1))
        assert berry_esseen_below(t, n=n, variance=1 / 3, third_moment=0.25) <= exact.low * (1 + 1e-12)
        assert exact.high <= berry_esseen(t, n=n, variance=1 / 3, third_moment=0.25) * (1 + 1e-12)


def test_berry_esseen_of_skewed_coins_from_below():
    for p in (Fraction(1, 16), Fraction(3, 4), Fraction(15, 16)):  # variance and third moment are floats exactly
        variance, third = p * (1 - p), p * (1 - p) * (p**2 + (1 - p) ** 2)
        for n in (10, 100, 1000):
            for k in range(math.ceil(n * p), n + 1, max(1, n // 50)):
                t, hypotheses = k - n * p, {"n": n, "variance": float(variance), "third_moment": float(third)}
                exact = two_point_tail(t, n, mean=p)
                assert berry_esseen_below(t, **hypotheses) <= exact.low
                assert exact.high <= berry_esseen(t, **hypotheses)


def test_the_constant_of_berry_esseen_is_the_least_of_three():
    # r = 1: 0.3322 * 1.429 = 0.47471..., 0.3031 * 1.646 = 0.49890..., 0.4690; large r: 0.3031 (r + 0.646)
    assert berry_esseen(0, n=100, variance=1, third_moment=1) == above(lambda: ball(Fraction("0.5469")))
    assert berry_esseen(0, n=10**6, variance=1, third_moment=10) == above(
        lambda: ball(Fraction("0.5") + Fraction("0.3031") * Fraction("10.646") / 1000)
    )


@given(z=st.floats(0, 37), variance=st.floats(0.01, 100), n=st.integers(1, 50))
def test_mills_is_just_below_the_normal_tail(z, variance, n):
    t = z * math.sqrt(n * variance)
    exact = normal_tail(t, n, variance=variance)
    bound = mills(t, n=n, variance=variance)
    assert 0.79 * exact.high <= bound <= exact.low  # least at z = 0: sqrt(2/pi)


def test_deviations_from_below_are_the_greatest():
    for bound, hypotheses in (
        (mills, {"n": 4, "variance": 2}),
        (berry_esseen_below, {"n": 1000, "variance": 0.25, "third_moment": 0.125}),
        (paley_zygmund, {"mean": 1, "second_moment": 2}),
        (slud, {"n": 100, "p": 0.2}),
    ):
        t = bound.deviation(0.1, **hypotheses)
        assert bound(t, **hypotheses) >= 0.1 > bound(math.nextafter(t, math.inf), **hypotheses)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: paley_zygmund(0, mean=2, second_moment=3),
            r"second_moment=3 is below mean\^2 = 4, which no law allows",
        ),
        (lambda: paley_zygmund(0, mean=0, second_moment=3), "mean=0 is not positive"),
        (lambda: ash(1, n=0, p=0.5), "n=0 is below 1"),
        (lambda: ash(1, n=2, p=1), r"p=1 is not in \(0, 1\)"),
        (lambda: slud(-1, n=2, p=0.5), "t=-1.0 is negative"),
        (lambda: slud(1, n=2, p=math.nan), "p=nan is not finite"),
        (lambda: mills(1, variance=0), "variance=0 is not positive"),
        (lambda: berry_esseen_below(1, variance=-1, third_moment=1), "variance=-1 is not positive"),
        (lambda: ash.sample_size(0.1, 0.1, p=0.5), "ash.sample_size finds n, for a bound from above on a sum"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
