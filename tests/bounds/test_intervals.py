"""Intervals at a fixed n against exact laws: rational tails, the binomial law, Kolmogorov's, closed forms."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from sojourn.bounds.heavy_tails import catoni, median_of_means
from sojourn.bounds.influence import crossing
from sojourn.bounds.intervals import (
    clopper_pearson,
    dvoretzky_kiefer_wolfowitz,
    empirical_bernstein,
    hoeffding_interval,
    maurer_pontil_half_width,
    normal,
    student,
)
from sojourn.bounds.intervals.bounded import _squares_about
from sojourn.errors import InputError

ERROR = (1 - Fraction(0.95)) / 2


def upper_tail(p: float, k: int, n: int) -> Fraction:
    """P(Bin(n, p) >= k), exactly."""
    q = Fraction(p)
    return sum((math.comb(n, j) * q**j * (1 - q) ** (n - j) for j in range(k, n + 1)), Fraction(0))


@pytest.mark.parametrize("n", [1, 2, 7, 20])
def test_ends_of_clopper_pearson_are_the_last_floats_outside_the_solution(n):
    for k in range(n + 1):
        found = clopper_pearson(k, n)
        if k > 0:
            assert upper_tail(found.low, k, n) <= ERROR
            inside = math.nextafter(math.nextafter(found.low, 1), 1)  # one float more where the solution is a float
            assert upper_tail(inside, k, n) > ERROR
        else:
            assert found.low == 0
        if k < n:
            assert 1 - upper_tail(found.high, k + 1, n) <= ERROR
            inside = math.nextafter(math.nextafter(found.high, 0), 0)
            assert 1 - upper_tail(inside, k + 1, n) > ERROR
        else:
            assert found.high == 1


@pytest.mark.parametrize("n", [1, 3, 20, 60])
@pytest.mark.parametrize("side", ["both", "lower", "upper"])
def test_clopper_pearson_covers_every_probability(n, side):
    """Coverage by the binomial law itself, at 1000 probabilities and just beyond every end, where it is least."""
    found = [clopper_pearson(k, n, side=side) for k in range(n + 1)]
    ends = [p for e in found for p in (e.low, e.high)]
    beyond = [math.nextafter(p, to) for p in ends for to in (0, 1)]
    for p in np.concatenate([np.linspace(0, 1, 1001), [1e-4, 1e-9], beyond]):
        covered = sum(stats.binom.pmf(k, n, p) for k, e in enumerate(found) if p in e)
        assert covered >= 0.95 - 1e-12


def test_clopper_pearson_at_closed_forms_and_many_trials():
    for n in (1, 10, 1000, 10**9):
        assert clopper_pearson(0, n).high == pytest.approx(-math.expm1(math.log(float(ERROR)) / n), rel=1e-13)
        assert clopper_pearson(n, n).low == pytest.approx(float(ERROR) ** (1 / n), rel=1e-14)
    many = clopper_pearson(5 * 10**8, 10**9)  # the normal law's width, to 1/√n
    assert many.half_width == pytest.approx(1.959963985 * 0.5 / math.sqrt(10**9), rel=1e-4)
    poisson = clopper_pearson(1000, 10**9)
    assert poisson.low == pytest.approx(stats.gamma.ppf(0.025, 1000) / 1e9, rel=1e-6)
    assert poisson.high == pytest.approx(stats.gamma.ppf(0.975, 1001) / 1e9, rel=1e-6)


def test_family_divides_the_error():
    one = clopper_pearson(3, 10, confidence=1 - 2.0**-8)
    assert (one.low, one.high) == (
        clopper_pearson(3, 10, confidence=0.75, family=64).low,
        clopper_pearson(3, 10, confidence=0.75, family=64).high,
    )
    lower = clopper_pearson(3, 10, confidence=1 - 2.0**-9, side="lower")
    assert (lower.low, lower.high) == (one.low, 1.0)


@pytest.mark.parametrize("interval", [hoeffding_interval, empirical_bernstein])
@pytest.mark.parametrize("n", [1, 20, 100])
def test_intervals_of_bounded_values_cover_bernoulli(interval, n):
    """Coverage by the binomial law, each side by itself too, for values 2 and 5 with P(5) = p."""
    for side in ("both", "lower", "upper"):
        found = [
            interval(np.r_[np.full(k, 5.0), np.full(n - k, 2.0)], range=(2, 5), side=side, confidence=0.75)
            for k in range(n + 1)
        ]
        for p in (1e-4, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999, 1):
            mean = 2 + 3 * p
            covered = sum(
                stats.binom.pmf(k, n, p)
                for k, e in enumerate(found)
                if e.low <= mean + 1e-12 and mean - 1e-12 <= e.high
            )
            assert covered >= 0.75


def test_half_widths_of_the_facts_page():
    values = np.r_[np.ones(500), np.zeros(500)]
    assert hoeffding_interval(values, range=(0, 1)).half_width == pytest.approx(
        math.sqrt(math.log(40) / 2000), rel=1e-12
    )
    rare = np.r_[np.ones(10), np.zeros(990)]
    log, variance = math.log(80), rare.var(ddof=1)
    width = math.sqrt(2 * variance * log / 1000) + 7 * log / (3 * 999)
    assert empirical_bernstein(rare, range=(0, 1)).high == pytest.approx(0.01 + width, rel=1e-12)
    assert maurer_pontil_half_width(variance, 1000, width=1, error=ERROR) == pytest.approx(width, rel=1e-12)
    assert maurer_pontil_half_width(9 * variance, 1000, width=3, error=ERROR) == pytest.approx(3 * width, rel=1e-12)


def test_sums_are_bounded_from_the_safe_side():
    rng = np.random.default_rng(1)
    for scale in (1.0, 1e-160, 1e150):
        for shift in (0.0, 1.0, 1e9):
            x = (rng.standard_normal(50) + shift) * scale
            exact = [Fraction(v) for v in x]
            mean = sum(exact) / 50
            true = sum((v - mean) ** 2 for v in exact)
            found = _squares_about(x, float(mean))
            least, most = (
                Fraction(int(man)) * Fraction(2) ** int(exp)
                for man, exp in (found.lower().man_exp(), found.upper().man_exp())
            )
            assert least >= true
            assert most <= true * (1 + Fraction(1e-14)) + 50 * (
                Fraction(1, 10**32) * Fraction(shift * scale) ** 2 + Fraction(2) ** -1073
            )
    x = np.array([1e16, 1.0, -1e16] * 7)
    found = hoeffding_interval(x, range=(-1e16, 1e16))
    assert found.value == pytest.approx(1 / 3, rel=1e-12)


def test_intervals_stay_in_the_range():
    for interval in (hoeffding_interval, empirical_bernstein):
        found = interval([0.25] * 10, range=(-1, 0.25))
        assert (found.value, found.high) == (0.25, 0.25)
        assert found.low >= -1
        assert found.guarantee == "at this n"
        one = interval([0.2], range=(0, 1))
        assert (one.low, one.high) == (0, 1)


def test_student_and_normal_against_scipy():
    x = np.random.default_rng(2).exponential(size=30)
    found = student(x, confidence=0.9)
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.9, 29, x.mean(), stats.sem(x)), rel=1e-12)
    assert found.guarantee == "asymptotic"
    found = normal(1.0, 2.0, confidence=0.9, side="upper")
    assert (found.low, found.high) == (-math.inf, pytest.approx(1 + 2 * stats.norm.ppf(0.9), rel=1e-12))
    assert normal(0, 1, degrees=4).high == pytest.approx(stats.t.ppf(0.975, 4), rel=1e-12)


def test_band_against_kolmogorovs_exact_law():
    for n in (1, 2, 5, 30, 1000):
        for error in (0.5, 0.05, 1e-6):
            width = dvoretzky_kiefer_wolfowitz(n, error=error)
            assert stats.kstwo.sf(width, n) <= error
    assert stats.kstwo.sf(width, 1000) >= 0.9e-6  # and it is sharp


def test_catoni_is_a_root_and_its_distance_the_closed_form():
    x = np.random.default_rng(3).standard_t(3, 500)
    found = catoni(x, variance=3)
    log = math.log(1 / float(ERROR))
    assert found.half_width == pytest.approx(math.sqrt(3 * 2 * log / (500 - 2 * log)), rel=1e-9)
    alpha = math.sqrt(2 * log * (500 - 2 * log) / 3) / 500
    u = alpha * (x - found.value)
    assert abs(np.sum(np.sign(u) * np.log1p(np.abs(u) + u * u / 2))) < 1e-9
    wild = x.copy()
    wild[0] = 1e6
    assert abs(catoni(wild, variance=3).value - found.value) < 1  # the mean moves by 2000
    wild[0] = 1e300
    assert abs(catoni(wild, variance=3).value - found.value) < 50
    few = catoni(x[:7], variance=3)
    assert (few.low, few.high) == (-math.inf, math.inf)


def test_crossing_brackets_a_known_root():
    """φ is odd, so with symmetric observations the sum is 0 at their centre: whole numbers, exactly."""
    for centre in (0.0, 1.0, -3e8, 1e-300):
        x = centre + np.array([-4.0, -1.0, 1.0, 4.0])
        low, high = crossing(x, np.full(4, 0.5), 0.0)
        assert low < (x[0] + x[-1]) / 2 < high
        assert high - low < 1e-9 + 1e-15 * abs(centre)


def test_median_of_means_has_better_constants_than_published():
    x = np.random.default_rng(4).standard_normal(100_000)
    for confidence in (0.9, 0.99, 1 - 1e-9):
        log = math.log(2 / (1 - confidence))
        assert median_of_means(x, variance=1, confidence=confidence).half_width < math.sqrt(20 * log / 100_000)
    one = median_of_means([2.0], variance=4)  # Cantelli's inequality
    assert one.high == pytest.approx(2 + 2 * math.sqrt(1 / float(ERROR) - 1), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: clopper_pearson(3, 0), "n=0 is below 1"),
        (lambda: clopper_pearson(-1, 5), "successes=-1 is below 0"),
        (lambda: clopper_pearson(6, 5), "successes=6 is more than n=5 trials"),
        (lambda: clopper_pearson(2.5, 5), "successes=2.5 is not a whole number"),
        (lambda: clopper_pearson(2, 5, confidence=1), r"confidence=1 is not in \(0, 1\)"),
        (lambda: clopper_pearson(2, 5, side="left"), "side='left' is not one of both, lower, upper"),
        (lambda: clopper_pearson(2, 5, family=0), "family=0 is below 1"),
        (lambda: hoeffding_interval([], range=(0, 1)), "0 observations are too few; give 1 or more"),
        (lambda: hoeffding_interval([0.5, math.nan], range=(0, 1)), "observation 1 is nan"),
        (lambda: empirical_bernstein([0.5, 1.5], range=(0, 1)), r"observation 1 is 1.5, outside range=\(0, 1\)"),
        (lambda: empirical_bernstein([0.5], range=(1, 0)), r"range=\(1, 0\) is empty"),
        (lambda: maurer_pontil_half_width(1, 1, width=1, error=0.1), "n=1 is below 2"),
        (lambda: maurer_pontil_half_width(1, 5, width=1, error=0), r"error=0.0 is not in \(0, 1\)"),
        (lambda: dvoretzky_kiefer_wolfowitz(0, error=0.1), "n=0 is below 1"),
        (lambda: student([1.0]), "1 observations are too few; give 2 or more"),
        (lambda: normal(0, -1), "standard_error=-1 is negative"),
        (lambda: catoni([1.0], variance=0), "variance=0 is not positive"),
        (lambda: catoni([1e308] * 3, variance=1), "beyond the greatest float"),
        (lambda: median_of_means([], variance=1), "0 observations are too few"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
