"""Martingales: every bound against the exact law of the whole path, all paths enumerated in rationals."""

import itertools
import math
import sys
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy.stats import norm

from sojourn.bounds.martingales import (
    azuma,
    azuma_hoeffding,
    de_la_pena,
    delyon,
    fan_grama_liu,
    freedman,
    freedman_bennett,
    mcdiarmid,
    pinelis,
)
from sojourn.bounds.suprema import (
    bousquet,
    doob,
    doob_lp,
    doob_norm,
    hajek_renyi,
    kolmogorov,
    marshall,
    reflection,
    ville,
)
from sojourn.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))
from enumerated import tails, up

HALF = Fraction(1, 2)

# ------------------------------------------------------------------------------- martingales, path by path


def fair(path):
    return [(HALF, 1), (HALF, -1)]


def skew(path):
    """Rarely far up: the law for which Bennett's inequality is sharpest."""
    return [(Fraction(1, 4), 3), (Fraction(3, 4), -1)]


def rare(path):
    return [(Fraction(1, 16), Fraction(15, 16)), (Fraction(15, 16), Fraction(-1, 16))]


def doubling(path):
    """Doubles the stake after each loss, up to 4, and stops once it is ahead."""
    if sum(path) > 0:
        return [(Fraction(1), 0)]
    losses = sum(1 for _ in itertools.takewhile(lambda d: d < 0, reversed(path)))
    stake = 2 ** min(losses, 2)
    return [(HALF, stake), (HALF, -stake)]


def moody(path):
    """Small symmetric steps after a rise, skewed ones after anything else."""
    if path and path[-1] > 0:
        return [(Fraction(1, 4), 1), (Fraction(1, 4), -1), (HALF, 0)]
    return [(Fraction(1, 6), 2), (Fraction(1, 3), -1), (HALF, 0)]


def urn(path):
    """The share of red balls in Polya's urn, started with one of two."""
    balls, red = len(path) + 2, (HALF + sum(path)) * (len(path) + 2)
    up, down = (balls - red) / (balls * (balls + 1)), -red / (balls * (balls + 1))
    return [(red / balls, up), (1 - red / balls, down)]


def cautious(path):
    """Symmetric, of a size that depends on the place: large below, small above."""
    size = Fraction(1) if sum(path) > 0 else Fraction(2)
    return [(Fraction(3, 8), size), (Fraction(3, 8), -size), (Fraction(1, 4), 0)]


MARTINGALES = {fair: 10, skew: 9, rare: 9, doubling: 10, moody: 7, urn: 9, cautious: 7}


def paths(law, n):
    """All paths of n steps: (probability, places, [M]_k, <M>_k), k = 1 ... n."""
    every = [(Fraction(1), ())]
    for _ in range(n):
        every = [(p * q, (*path, Fraction(d))) for p, path in every for q, d in law(path)]
    found = []
    for p, path in every:
        given = [sum(q * d**2 for q, d in law(path[:k])) for k in range(n)]
        assert all(sum(q * d for q, d in law(path[:k])) == 0 for k in range(n))
        sums = [list(itertools.accumulate(x)) for x in (path, [d**2 for d in path], given)]
        found.append((p, *sums))
    assert sum(p for p, *_ in found) == 1
    return found


ALL = {law: paths(law, n) for law, n in MARTINGALES.items()}


def steps(law):
    return [d for _, places, _, _ in ALL[law] for d in np.diff([Fraction(0), *places])]


def maxima(law):
    return tails((p, max(places)) for p, places, _, _ in ALL[law])


@pytest.mark.parametrize("law", MARTINGALES, ids=lambda law: law.__name__)
def test_azuma_is_above_the_law_of_the_maximum(law):
    n, c = MARTINGALES[law], up(max(map(abs, steps(law))))
    for t, exact in maxima(law):
        bound = azuma(t, n=n, increment=c)
        assert Fraction(bound) >= exact
        assert bound == azuma_hoeffding(t, n=n, width=2 * c) == azuma(t, n=n, increment=[c] * n)


def test_intervals_that_move_with_the_path_need_only_their_width():
    n = MARTINGALES[urn]
    widths = [up(Fraction(1, k + 3)) for k in range(n)]
    increments = [up(max(abs(d) for q in ALL[urn] for d in [np.diff([0, *q[1]])[k]])) for k in range(n)]
    for t, exact in maxima(urn):
        bound = azuma_hoeffding(t, n=n, width=widths)
        assert Fraction(bound) >= exact
        assert bound <= azuma(t, n=n, increment=increments)


@pytest.mark.parametrize("law", MARTINGALES, ids=lambda law: law.__name__)
def test_freedman_is_above_the_law_of_the_maximum_while_the_variation_is_small(law):
    n, b = MARTINGALES[law], up(max(steps(law)))
    variations = sorted({v for *_, given in ALL[law] for v in given})
    for v in variations[:: max(1, len(variations) // 8)] + variations[-1:]:
        best = (
            (p, max([m for m, variation in zip(places, given, strict=True) if variation <= v], default=0))
            for p, places, _, given in ALL[law]
        )
        for t, exact in tails(best):
            bernstein = freedman(t, variation=up(v), largest=b)
            bennett = freedman_bennett(t, variation=up(v), largest=b)
            finite = fan_grama_liu(t, n=n, variation=up(v), largest=b)
            assert exact <= Fraction(finite) <= Fraction(bennett) <= Fraction(bernstein)


@pytest.mark.parametrize("law", MARTINGALES, ids=lambda law: law.__name__)
def test_delyon_needs_no_bound_on_the_steps(law):
    variation = [[(a + 2 * b) / 3 for a, b in zip(square, given, strict=True)] for _, _, square, given in ALL[law]]
    values = sorted({v for path in variation for v in path})
    for v in values[:: max(1, len(values) // 8)] + values[-1:]:
        best = (
            (p, max([m for m, x in zip(places, path, strict=True) if x <= v], default=0))
            for (p, places, _, _), path in zip(ALL[law], variation, strict=True)
        )
        for t, exact in tails(best):
            assert Fraction(delyon(t, variation=up(v))) >= exact


def test_delyon_rests_on_an_inequality_that_holds():
    # ln(1 + x + x^2/3) - x + x^2/6 has the derivative (x^3/9)/(1 + x + x^2/3), so its least value is 0, at 0
    for x in np.linspace(-30, 30, 4001):
        assert mpmath.exp(mpmath.mpf(x) - mpmath.mpf(x) ** 2 / 6) <= 1 + mpmath.mpf(x) + mpmath.mpf(x) ** 2 / 3


@pytest.mark.parametrize("law", [fair, doubling, cautious], ids=lambda law: law.__name__)
def test_symmetric_steps_need_only_their_squares(law):
    values = sorted({v for _, _, square, _ in ALL[law] for v in square})
    for v in values:
        best = (
            (p, max([m for m, x in zip(places, square, strict=True) if x <= v], default=0))
            for p, places, square, _ in ALL[law]
        )
        for t, exact in tails(best):
            assert Fraction(de_la_pena(t, variation=up(v))) >= exact


def test_skewed_steps_need_more_than_their_squares():
    # skewed steps can break the bound for symmetric ones: so it is right that de_la_pena asks for symmetry
    law, v = [(Fraction(1, 100), -99), (Fraction(99, 100), 1)], 10
    assert sum(q * d for q, d in law) == 0
    exact = Fraction(99, 100) ** 10  # ten steps up
    assert exact > Fraction(de_la_pena(10, variation=v))
    assert exact <= Fraction(delyon(10, variation=up((10 + 2 * 10 * Fraction(99)) / 3)))


@pytest.mark.parametrize("law", MARTINGALES, ids=lambda law: law.__name__)
def test_moments_of_the_end_bound_the_maximum(law):
    every, n = ALL[law], MARTINGALES[law]
    variances = [sum(p * (g[k] - (g[k - 1] if k else 0)) for p, _, _, g in every) for k in range(n)]
    variances = [up(v) for v in variances]
    weights = [1 / k for k in range(1, n + 1)]
    positive = up(sum(p * max(m[-1], 0) for p, m, _, _ in every))
    for t, exact in maxima(law):
        assert Fraction(marshall(t, n=n, variance=variances)) >= exact
        assert Fraction(doob(t, positive_part=positive)) >= exact
    for t, exact in tails((p, max(map(abs, m))) for p, m, _, _ in every):
        assert Fraction(kolmogorov(t, n=n, variance=variances)) >= exact
        for q in (1, 2, 3, 6):
            assert Fraction(doob_lp(t, p=q, moment=up(sum(p * abs(m[-1]) ** q for p, m, _, _ in every)))) >= exact
    means = ((p, max(Fraction(c) * abs(x) for c, x in zip(weights, m, strict=True))) for p, m, _, _ in every)
    for t, exact in tails(means):
        assert Fraction(hajek_renyi(t, n=n, variance=variances, weights=weights)) >= exact
    for q in (2, 3, 4):
        norm_of_end = float(sum(p * abs(m[-1]) ** q for p, m, _, _ in every)) ** (1 / q)
        norm_of_maximum = float(sum(p * max(map(abs, m)) ** q for p, m, _, _ in every)) ** (1 / q)
        assert norm_of_maximum <= doob_norm(q, norm_of_end)


def test_the_norm_of_a_walk_in_the_plane():
    # four directions; steps of length 2 inside the circle of radius 2, of length 1 outside it
    every = [(Fraction(1), ((0, 0),))]
    for _ in range(6):
        grown = []
        for p, path in every:
            x, y = path[-1]
            size = 2 if x * x + y * y < 4 else 1
            grown += [(p / 4, (*path, (x + size * i, y + size * j))) for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        every = grown
    for square, exact in tails((p, max(x * x + y * y for x, y in path)) for p, path in every):
        t = math.sqrt(square)
        t = t if Fraction(t) ** 2 <= square else math.nextafter(t, 0)
        assert Fraction(pinelis(t, n=6, increment=2)) >= exact


# ------------------------------------------------------------------------------------------- attained bounds


def test_the_doubling_martingale_attains_ville_and_doob():
    # M_k = 2^k with probability 2^-k, else 0
    for k in range(60):
        assert ville(2**k) == 2.0**-k == doob(2**k, positive_part=1)


def test_a_martingale_that_stops_at_one_attains_kolmogorov():
    # D_k = 1 or -1 with probability 1/4 each while M = 0: Var D_k = 2^-k, and max |M_k| >= 1 unless all n steps are 0
    n = 20
    assert kolmogorov(1, n=n, variance=[2.0**-k for k in range(1, n + 1)]) == 1 - 2.0**-n


@pytest.mark.parametrize("v", [1, 3, 7, 0.25])
def test_two_points_attain_marshall(v):
    # 1 with probability v/(1+v), -v with 1/(1+v)
    assert marshall(1, variance=v) == up(Fraction(v) / (1 + Fraction(v)))


def test_two_points_attain_fan_grama_liu_at_the_end():
    # n independent steps, 3 with probability 1/4, -1 with 3/4: all of them are 3
    for n in (1, 2, 5, 20):
        bound = fan_grama_liu(3 * n, n=n, variation=3 * n, largest=3)
        assert 4.0**-n <= bound <= math.nextafter(4.0**-n, 1)


def test_reflection_is_exact():
    for t in (0.0, 1e-8, 0.3, 1.0, 2.5, 8.0, 30.0):
        for variance in (0.01, 1.0, 7.3):
            with mpmath.workdps(60):
                exact = mpmath.erfc(mpmath.mpf(t) / mpmath.sqrt(2 * mpmath.mpf(variance)))
                found = reflection(t, variance=variance)
                assert found >= exact
                assert found <= 5e-324 or math.nextafter(found, 0) < exact
            assert found == pytest.approx(2 * norm.sf(t / math.sqrt(variance)), rel=1e-12)


def test_mcdiarmid_on_empty_bins():
    bins, balls = 4, 6
    empty = [bins - len(set(places)) for places in itertools.product(range(bins), repeat=balls)]
    mean = Fraction(sum(empty), len(empty))
    assert mean == bins * Fraction(bins - 1, bins) ** balls
    for sign in (1, -1):
        for t, exact in tails((Fraction(1, len(empty)), sign * (e - mean)) for e in empty):
            assert Fraction(mcdiarmid(t, n=balls, difference=1)) >= exact


def test_mcdiarmid_ends_where_f_does():
    # a sum of three signs: t = 3 is reached with probability 1/8, more is not
    assert mcdiarmid(3, n=3, difference=2) >= 1 / 8
    assert mcdiarmid(math.nextafter(6, 7), n=3, difference=2) == 0.0
    assert azuma(3, n=3, increment=1) >= 1 / 8
    assert azuma(math.nextafter(3, 4), n=3, increment=1) == 0.0


# ------------------------------------------------------------------------------- inverses, rounding, errors

EACH = [
    (azuma, {"n": 100, "increment": 1}),
    (azuma_hoeffding, {"n": 3, "width": [0.1, 0.2, 0.7]}),
    (mcdiarmid, {"n": 50, "difference": 0.02}),
    (pinelis, {"n": 100, "increment": 0.3}),
    (freedman, {"variation": 2.5, "largest": 0.1}),
    (freedman_bennett, {"variation": 1e-6, "largest": 1}),
    (fan_grama_liu, {"n": 40, "variation": 3, "largest": 0.7}),
    (delyon, {"variation": 12.5}),
    (de_la_pena, {"variation": 0.3}),
    (kolmogorov, {"n": 7, "variance": 0.1}),
    (marshall, {"n": 7, "variance": 0.1}),
    (hajek_renyi, {"n": 3, "variance": [1, 2, 3], "weights": [1, 0.5, 0.1]}),
    (doob, {"positive_part": 0.7}),
    (doob_lp, {"p": 2.5, "moment": 0.7}),
    (ville, {}),
    (bousquet, {"n": 100, "variance": 0.1, "expectation": 3}),
    (reflection, {"variance": 2}),
]


@pytest.mark.parametrize(("inequality", "hypotheses"), EACH, ids=lambda x: getattr(x, "name", ""))
def test_the_inverse_is_the_least_float_that_reaches(inequality, hypotheses):
    for p in (0.5, 0.05, 1e-9):
        t = inequality.deviation(p, **hypotheses)
        assert inequality(t, **hypotheses) <= p < inequality(math.nextafter(t, 0), **hypotheses)


@pytest.mark.parametrize(("inequality", "hypotheses"), EACH, ids=lambda x: getattr(x, "name", ""))
def test_nothing_is_said_at_zero_and_less_further_out(inequality, hypotheses):
    assert inequality(0, **hypotheses) == 1.0
    values = [inequality(t, **hypotheses) for t in np.logspace(-12, 12, 40)]
    assert all(0 <= b <= a <= 1 for a, b in itertools.pairwise(values))


def test_sample_size():
    n = azuma.sample_size(0.1, 0.05, increment=1)
    assert n == math.ceil(2 * math.log(20) / 0.01)
    assert azuma(Fraction(n) * Fraction(0.1), n=n, increment=1) <= 0.05


def test_bounds_are_the_formula_to_the_last_bit():
    with mpmath.workdps(60):
        for t, v, b in [(5, 4, 1), (0.1, 1e-9, 1e-3), (1e-3, 1e3, 0.7), (60, 2, 1)]:
            t_, v_, b_ = map(mpmath.mpf, (t, v, b))
            u = b_ * t_ / v_
            bennett = mpmath.exp(-(v_ / b_**2) * ((1 + u) * mpmath.log1p(u) - u))
            bernstein = mpmath.exp(-(t_**2) / (2 * (v_ + b_ * t_ / 3)))
            for found, exact in [
                (freedman_bennett(t, variation=v, largest=b), bennett),
                (freedman(t, variation=v, largest=b), bernstein),
            ]:
                assert math.nextafter(found, 0) < exact <= found


def test_no_variation_and_no_steps():
    assert freedman_bennett(1, variation=0, largest=1) == 0.0 == fan_grama_liu(1, n=3, variation=0, largest=1)
    assert azuma(1e-300, n=5, increment=0) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: azuma(1, n=2, increment=-1), "increment=-1 is negative; give a number that is zero or more"),
        (lambda: azuma(1, n=3, increment=[1, 2]), "increment has 2 entries for n=3 terms; give one for all, or 3"),
        (lambda: azuma(-1, n=3, increment=1), "t=-1.0 is negative; give a number that is zero or more"),
        (lambda: mcdiarmid(1, n=0, difference=1), "n=0 is below 1; give a whole number that is 1 or more"),
        (lambda: freedman(1, variation=1, largest=0), "largest=0 is not positive; give a number above zero"),
        (lambda: freedman(1, variation=math.nan, largest=1), "variation=nan is not finite; give a finite number"),
        (lambda: delyon(1, variation=0), "variation=0 is not positive; give a number above zero"),
        (
            lambda: hajek_renyi(1, n=2, variance=1, weights=[1, 2]),
            "weights[1]=2 is above weights[0]=1; weights must not rise",
        ),
        (lambda: doob_lp(1, p=0.5, moment=1), "p=0.5 is below 1; |X|^p is a submartingale for p of 1 or more"),
        (lambda: doob_norm(1, 1), "p=1 is not above 1; for p = 1 the norm of the maximum may be infinite"),
        (lambda: reflection(1, variance=0), "variance=0 is not positive; give a number above zero"),
    ],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value) == message
