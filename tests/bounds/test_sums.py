"""Bounds on sums of independent terms, each beside the exact tail of laws that meet its hypotheses, to the last bit."""

import itertools
import math
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.bounds.convex_order import bentkus, bentkus_variance
from sojourn.bounds.exact import binomial, binomial_tail, two_point_tail, uniform_tail
from sojourn.bounds.martingales import fan_grama_liu, freedman
from sojourn.bounds.moments import cantelli
from sojourn.bounds.normal_approximation import berry_esseen, berry_esseen_independent
from sojourn.bounds.rounding import above, ball
from sojourn.bounds.sums import (
    bennett,
    bernstein,
    chernoff_bernoulli,
    hoeffding,
    hoeffding_variance,
    sub_gamma,
    sub_gaussian,
)
from sojourn.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))
from enumerated import up

PROBABILITIES = [1e-6, 1e-3, 0.01, 0.1, 0.25, 0.5, 0.7, 0.9, 0.99, 1 - 1e-6]
SIZES = [1, 2, 3, 7, 20, 100, 333, 1000]


def levels(n, p, most=16):
    """Levels k above np: the first, the last and some between."""
    first = math.floor(n * Fraction(p)) + 1
    return sorted(
        {first, min(first + 1, n), n - 1, n, *np.linspace(first, n, most, dtype=int).tolist()} - set(range(first))
    )


def binomial_law(n, p):
    return [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


# ------------------------------------------------------------------------------------------------- binomial sums


@pytest.mark.parametrize("p", PROBABILITIES)
@pytest.mark.parametrize("n", SIZES)
def test_every_bound_is_above_the_binomial_tail(n, p):
    p = Fraction(p)
    variance, largest, third = up(p * (1 - p)), up(1 - p), up(p * (1 - p) * (p**2 + (1 - p) ** 2))
    mean = float(p)
    for k in levels(n, p):
        t = k - n * p
        exact = binomial_tail(k, n, p=p).high
        kl, two = chernoff_bernoulli(t, n=n, mean=mean), hoeffding_variance(t, n=n, variance=variance, largest=largest)
        sharp, sharp_two = bentkus(t, n=n, mean=mean), bentkus_variance(t, n=n, variance=variance, largest=largest)
        poisson, gamma = (
            bennett(t, n=n, variance=variance, largest=largest),
            bernstein(t, n=n, variance=variance, largest=largest),
        )
        between = sub_gamma(t, n=n, proxy=variance, scale=up(Fraction(largest) / 3))
        flat = hoeffding(t, n=n, range=(0, 1))
        assert exact <= sharp <= kl <= flat
        assert exact <= sharp_two <= two <= poisson <= gamma
        assert poisson <= between <= gamma or gamma == 0
        assert sharp <= sharp_two <= min(1.0, cantelli(t, n=n, variance=variance))
        assert kl <= two
        assert exact <= sub_gaussian(t, n=n, proxy=0.25)
        # the variance is rounded here, and berry_esseen asks for the variance itself
        assert exact <= berry_esseen(t, n=n, variance=float(p * (1 - p)), third_moment=third) * (1 + 1e-12)
    for bound in (kl, two, sharp, sharp_two):  # k = n: the tail is p^n, and these attain it
        assert bound == pytest.approx(float(p) ** n, rel=1e-9)


@given(
    n=st.integers(1, 300),
    p=st.floats(1e-6, 1 - 1e-6),
    share=st.floats(0, 1),
    ends=st.tuples(st.floats(-100, 100), st.floats(1e-3, 1e3)),
)
@settings(max_examples=60, deadline=None)
def test_two_points_anywhere(n, p, share, ends):
    a, b = ends[0], ends[0] + ends[1]
    mean = min(max(a + p * (b - a), a), b)
    t = share * n * (b - mean)
    exact = two_point_tail(t, n, mean=mean, range=(a, b)).high
    assert exact <= bentkus(t, n=n, mean=mean, range=(a, b)) <= chernoff_bernoulli(t, n=n, mean=mean, range=(a, b))
    assert exact <= hoeffding(t, n=n, range=(a, b))
    below, above = Fraction(mean) - Fraction(a), Fraction(b) - Fraction(mean)
    if below > 0 and above > 0:
        given = {"n": n, "variance": up(below * above), "largest": up(above)}
        assert exact <= bentkus_variance(t, **given) <= hoeffding_variance(t, **given) <= bennett(t, **given)
        assert bennett(t, **given) <= bernstein(t, **given)


def interpolated(x, n, p):
    """Log-linear interpolation of the binomial tail between whole numbers."""
    low = math.floor(x)
    left, right = binomial(low, n, ball(p)), binomial(low + 1, n, ball(p))
    return left if low in (x, n) else left * (right / left) ** ball(x - low)


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (5, 0.5), (20, 0.1), (20, 0.9), (100, 0.5), (100, 0.01), (400, 0.3)])
def test_bentkus_is_below_the_published_constants(n, p):
    # e P°(T >= x) at whole x and e^2/2 P°(T >= x) at all x; at x off the whole numbers e P° holds as well
    e = arb(1).exp()
    p = Fraction(p)
    for quarter in range(4 * math.floor(n * p) + 4, 4 * n + 1, max(1, n // 20)):
        x = Fraction(quarter, 4)
        t = x - n * p
        published = interpolated(x, n, p)
        assert bentkus(t, n=n, mean=float(p)) <= min(above(lambda published=published: e * published), 1)
        b, v = float(1 - p), float(p * (1 - p))
        if Fraction(b) == 1 - p:
            sharp = bentkus_variance(t, n=n, variance=v, largest=b)
            assert sharp <= min(above(lambda published=published: e**2 / 2 * published), 1) * (1 + 1e-12)


@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(1, 8), Fraction(7, 8)])
def test_bentkus_is_the_infimum_in_rationals(p):
    n = 6
    law = binomial_law(n, p)
    grid = [Fraction(j, 32) for j in range(-64, 32 * n)]
    for x in [n * p + Fraction(j, 8) * (n - n * p) for j in range(1, 9)]:
        first = min(sum(q * max(k - h, 0) for k, q in enumerate(law)) / (x - h) for h in grid if h < x)
        second = min(sum(q * max(k - h, 0) ** 2 for k, q in enumerate(law)) / (x - h) ** 2 for h in grid if h < x)
        one = bentkus(x - n * p, n=n, mean=float(p))
        two = bentkus_variance(x - n * p, n=n, variance=float(p * (1 - p)), largest=float(1 - p))
        assert one == pytest.approx(float(first), rel=1e-12)  # the whole numbers are on the grid
        assert float(second) * 0.98 <= two <= float(second) * (1 + 1e-12)


# ------------------------------------------------------------------------------------- other laws, enumerated


LAWS = {
    "three points": ((Fraction(1, 8), 2), (Fraction(1, 4), -1), (Fraction(5, 8), 0)),
    "fair": ((Fraction(1, 2), 1), (Fraction(1, 2), -1)),
    "skew": ((Fraction(1, 4), 3), (Fraction(3, 4), -1)),
    "left": ((Fraction(3, 4), 1), (Fraction(1, 4), -3)),
    "rare": ((Fraction(1, 64), Fraction(63, 64)), (Fraction(63, 64), Fraction(-1, 64))),
}


def convolved(laws):
    total = {Fraction(0): Fraction(1)}
    for law in laws:
        new = {}
        for (s, q), (r, x) in itertools.product(total.items(), law):
            new[s + x] = new.get(s + x, 0) + q * r
        total = new
    tail, found = Fraction(0), []
    for s in sorted(total, reverse=True):
        tail += total[s]
        found.append((s, tail))
    return found


def of(law, power):
    return sum(q * abs(Fraction(x)) ** power for q, x in law)


MIXES = [
    (*["three points"] * 8,),
    (*["left"] * 8,),
    ("three points", "fair", "skew", "left", "rare") * 2,
    ("rare",) * 12,
]


@pytest.mark.parametrize("names", MIXES, ids=lambda names: "+".join(sorted(set(names))))
def test_terms_of_different_laws(names):
    laws, n = [LAWS[name] for name in names], len(names)
    variances, b = [up(of(law, 2)) for law in laws], up(Fraction(max(x for law in laws for _, x in law)))
    ranges = [(float(min(x for _, x in law)), float(max(x for _, x in law))) for law in laws]
    thirds = [up(of(law, 3)) for law in laws]
    around = (min(a for a, _ in ranges), max(b for _, b in ranges))
    for t, exact in convolved(laws):
        if t <= 0:
            continue
        everything = {"n": n, "variance": variances, "largest": b}
        by_variance = hoeffding_variance(t, **everything), bennett(t, **everything), bernstein(t, **everything)
        assert exact <= Fraction(by_variance[0]) <= Fraction(by_variance[1]) <= Fraction(by_variance[2])
        assert exact <= Fraction(bentkus_variance(t, n=n, variance=max(variances), largest=b))
        assert exact <= Fraction(hoeffding(t, n=n, range=ranges))
        assert exact <= Fraction(sub_gaussian(t, n=n, proxy=[(b - a) ** 2 / 4 for a, b in ranges]))
        assert exact <= Fraction(bentkus(t, n=n, mean=0, range=around))
        assert exact <= Fraction(berry_esseen_independent(t, n=n, variance=variances, third_moment=thirds))


def test_means_that_differ_count_as_their_mean():
    # 0 or 1 with different probabilities; Hoeffding's Theorem 1 takes the mean of the means
    for chances in ([Fraction(k, 16) for k in (1, 3, 8, 15)], [Fraction(1, 16)] * 3 + [Fraction(13, 16)] * 5):
        n, mean = len(chances), sum(chances) / len(chances)
        for s, exact in convolved([((p, 1), (1 - p, 0)) for p in chances]):
            if (t := s - n * mean) > 0:
                sharp = bentkus(t, n=n, mean=float(mean))
                assert exact <= Fraction(sharp) <= Fraction(chernoff_bernoulli(t, n=n, mean=float(mean)))


@pytest.mark.parametrize("n", [1, 2, 5, 12, 50])
def test_uniform_sums(n):
    third = 1 / 32  # E |U - 1/2|^3
    for j in range(1, 40):
        t = Fraction(n, 2) * Fraction(j, 40)
        exact = uniform_tail(t, n)
        assert exact.low <= exact.high <= math.nextafter(exact.low, 2)
        for bound in (
            hoeffding(t, n=n, range=(0, 1)),
            bentkus(t, n=n, mean=0.5),
            bentkus_variance(t, n=n, variance=up(Fraction(1, 12)), largest=0.5),
            bennett(t, n=n, variance=up(Fraction(1, 12)), largest=0.5),
            sub_gaussian(t, n=n, proxy=up(Fraction(1, 12))),  # the uniform law is strictly sub-Gaussian
            berry_esseen(t, n=n, variance=1 / 12, third_moment=third) * (1 + 1e-12),
        ):
            assert exact.high <= bound


def test_exponential_terms_are_sub_gamma():
    # E exp(u (X - 1)) = e^-u / (1 - u): v = c = 1; the sum of n is a gamma variable
    from scipy.stats import gamma

    for n in (1, 5, 30):
        for t in (0.1, 1.0, 5.0, 20.0, 60.0):
            assert sub_gamma(t, n=n, proxy=1, scale=1) >= gamma.sf(n + t, n)


@pytest.mark.parametrize("p", [1e-6, 0.01, 0.3, 0.5, 0.8, 1 - 1e-6])
def test_hoeffdings_lemma(p):
    # the hypothesis of sub_gaussian for a range: E exp(u (X - p)) <= exp(u^2/8); and of sub_gamma with c = b/3
    q, p = 1 - arb(p), arb(p)
    for u in [s * 2.0**j for s in (1, -1) for j in range(-20, 9)]:
        generating = (p * (u * q).exp() + q * (-u * p).exp()).log()
        assert not generating > arb(u) ** 2 / 8
        if 0 < u * q / 3 < 1:
            assert not generating > arb(u) ** 2 * p * q / (2 * (1 - u * q / 3))


# ----------------------------------------------------------------------------------------------- closed forms


def test_textbook_values():
    assert hoeffding(50, n=1000, range=(0, 1)) == above(lambda: arb(-5).exp())
    assert bernstein(3, n=4, variance=0.5, largest=1) == above(lambda: arb(-1.5).exp())
    assert bennett(2, n=4, variance=0.5, largest=1) == above(lambda: (arb(2) - 4 * arb(2).log()).exp())
    assert sub_gaussian(2, n=2, proxy=[1, 3]) == above(lambda: arb(-0.5).exp())
    # KL(3/4 || 1/2) = ln 2 - H(1/4)
    assert chernoff_bernoulli(1, n=4, mean=0.5) == above(lambda: arb(16) / 27)


@given(n=st.integers(1, 60), v=st.floats(1e-3, 1e3), b=st.floats(1e-2, 1e2), share=st.floats(1e-6, 1))
def test_the_same_as_for_martingales(n, v, b, share):
    t = share * n * b
    ours, theirs = hoeffding_variance(t, n=n, variance=v, largest=b), fan_grama_liu(t, n=n, variation=n * v, largest=b)
    assert ours == pytest.approx(theirs, rel=1e-12)
    assert bernstein(t, n=n, variance=v, largest=b) == pytest.approx(freedman(t, variation=n * v, largest=b), rel=1e-12)


def test_at_zero_and_beyond_what_can_be():
    for n in (1, 5):
        for bound, hypotheses in (
            (hoeffding, {"range": (0, 1)}),
            (chernoff_bernoulli, {"mean": 0.25}),
            (bentkus, {"mean": 0.25}),
            (hoeffding_variance, {"variance": 0.1875, "largest": 0.75}),
            (bentkus_variance, {"variance": 0.1875, "largest": 0.75}),
            (bennett, {"variance": 0.1875, "largest": 0.75}),
            (bernstein, {"variance": 0.1875, "largest": 0.75}),
        ):
            assert bound(0, n=n, **hypotheses) == 1
            assert bound(1e308, n=n, **hypotheses) == 0
            reach = n * (1 if bound is hoeffding else 0.75)
            assert bound(math.nextafter(reach, 9), n=n, **hypotheses) == 0
            assert bound(math.nextafter(reach, 0), n=n, **hypotheses) >= (0.25**n if bound is not hoeffding else 0)
    assert hoeffding(5, n=5, range=(0, 1)) == 0  # only a term that is always 1 could, and its mean is 1
    assert chernoff_bernoulli(1e-300, n=5, mean=0) == bentkus(1e-300, n=5, mean=0) == 0  # a constant
    assert chernoff_bernoulli(0, n=5, mean=1) == bentkus(0, n=5, mean=1) == 1
    assert hoeffding_variance(1, n=5, variance=0, largest=1) == bennett(1, n=5, variance=0, largest=1) == 0
    assert bentkus_variance(1, n=5, variance=0, largest=1) == 0
    # the end of what can be, which needs more digits than a float has: there the tail is p^n
    t = 3 * (1 - Fraction(1e-30))
    for bound in (bentkus, chernoff_bernoulli):
        assert bound(t, n=3, mean=1e-30) == up(Fraction(1e-30) ** 3)


@pytest.mark.parametrize(
    ("bound", "hypotheses"),
    [
        (hoeffding, {"n": 100, "range": (0, 1)}),
        (chernoff_bernoulli, {"n": 100, "mean": 0.1}),
        (bentkus, {"n": 30, "mean": 0.1}),
        (bentkus_variance, {"n": 30, "variance": 0.09, "largest": 0.9}),
        (hoeffding_variance, {"n": 100, "variance": 0.09, "largest": 0.9}),
        (bennett, {"n": 100, "variance": 0.09, "largest": 0.9}),
        (bernstein, {"n": 100, "variance": 0.09, "largest": 0.9}),
        (sub_gaussian, {"n": 100, "proxy": 0.25}),
        (sub_gamma, {"n": 100, "proxy": 0.25, "scale": 0.3}),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_deviations_are_the_least(bound, hypotheses):
    for probability in (0.9, 0.05, 1e-6):
        t = bound.deviation(probability, **hypotheses)
        assert bound(t, **hypotheses) <= probability < bound(math.nextafter(t, 0), **hypotheses)


def test_the_inverse_of_sub_gamma_is_the_textbooks():
    x, v, c = -math.log(0.01), 25.0, 0.3
    assert sub_gamma.deviation(0.01, proxy=v, scale=c) == pytest.approx(math.sqrt(2 * v * x) + c * x, rel=1e-14)
    # bernstein's own inverse is longer, sqrt(2vx + (cx)^2) + cx: the textbook's belongs to sub_gamma
    t = bernstein.deviation(0.01, n=100, variance=v / 100, largest=3 * c)
    assert t == pytest.approx(math.sqrt(2 * v * x + (c * x) ** 2) + c * x, rel=1e-14)


def test_sample_sizes():
    assert hoeffding.sample_size(0.05, 0.01, range=(0, 1)) == math.ceil(-math.log(0.01) / (2 * 0.05**2))
    for bound, hypotheses in (
        (hoeffding, {"range": (0, 1)}),
        (chernoff_bernoulli, {"mean": 0.2}),
        (bentkus, {"mean": 0.2}),
        (bentkus_variance, {"variance": 0.16, "largest": 0.8}),
        (bernstein, {"variance": 0.16, "largest": 0.8}),
    ):
        n = bound.sample_size(0.05, 0.01, **hypotheses)
        assert bound(n * Fraction(0.05), n=n, **hypotheses) <= 0.01
        assert bound((n // 2) * Fraction(0.05), n=n // 2, **hypotheses) > 0.01


def test_bentkus_with_a_thousand_million_terms():
    n, t = 10**9, 2 * 10**5
    exact = binomial_tail(Fraction(n) * Fraction(0.3) + t, n, p=0.3)
    assert exact.high <= bentkus(t, n=n, mean=0.3) <= math.e * exact.high
    assert bentkus(t, n=n, mean=0.3) <= chernoff_bernoulli(t, n=n, mean=0.3) / 10


# ------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bennett(1, variance=-1, largest=1), "variance=-1 is negative"),
        (lambda: bennett(1, variance=1, largest=0), "largest=0 is not positive; give a number above zero"),
        (lambda: bentkus_variance(1, variance=-1, largest=1), "variance=-1 is negative"),
        (lambda: hoeffding_variance(1, n=0, variance=1, largest=1), "n=0 is below 1"),
        (lambda: bentkus(1, n=0, mean=0.5), "n=0 is below 1"),
        (lambda: chernoff_bernoulli(1, n=1.5, mean=0.5), "n=1.5 is not a whole number"),
        (lambda: chernoff_bernoulli(1, mean=2), r"mean=2 is outside range=\(0, 1\); give the mean of what lies in the"),
        (lambda: bentkus(1, mean=-0.1), r"mean=-0.1 is outside range=\(0, 1\)"),
        (lambda: bentkus(1, mean=math.nan), "mean=nan is not finite"),
        (lambda: hoeffding(1, range=(1, 0)), r"range=\(1, 0\) is empty"),
        (lambda: hoeffding(1, n=3, range=[(0, 1)] * 2), "range has 2 entries for n=3 terms"),
        (lambda: hoeffding(math.inf, range=(0, 1)), "t=inf is not finite"),
        (lambda: sub_gaussian(1, proxy=-1), "proxy=-1 is negative"),
        (lambda: sub_gamma(1, proxy=1, scale=-1), "scale=-1 is negative"),
        (
            lambda: berry_esseen(1, variance=1, third_moment=0.5),
            r"third_moment=0.5 is below variance\^\(3/2\) = 1, which",
        ),
        (lambda: berry_esseen(1, variance=0, third_moment=0.5), "variance=0 is not positive"),
        (lambda: berry_esseen_independent(1, n=2, variance=0, third_moment=0), "variance=0 in every term"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
