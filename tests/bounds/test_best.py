"""The tightest bound: what follows from assumptions, order by hand, exact tails of laws that meet them, inverses."""

import math
from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn import InputError
from sojourn.bounds.assumptions import DEPENDENCES, Assumptions
from sojourn.bounds.best import best_bound, best_deviation, best_sample_size, shown
from sojourn.bounds.candidates import CANDIDATES
from sojourn.bounds.extremal import attained_tail
from sojourn.view.bound import figure

UNIT = Assumptions(n=1000, mean=0.5, range=(0, 1))


def binomial(n, p):
    """P(B = k) for k = 0 .. n, as exact fractions."""
    return [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


def bernoulli_tail(known, t, side="upper"):
    """The exact tail of a sum of terms on the two ends of the range."""
    (low, high), n = (Fraction(end) for end in known.range), known.n
    p = (Fraction(known.mean) - low) / (high - low)
    off = [(high - low) * (k - n * p) for k in range(n + 1)]
    counts = {"upper": lambda d: d >= t, "lower": lambda d: -d >= t, "both": lambda d: abs(d) >= t}[side]
    return sum(weight for d, weight in zip(off, binomial(n, p), strict=True) if counts(d))


def values(best):
    return {row.name: row.value for row in best.rows}


def ordered(best, *names):
    """The named inequalities, in the order in which they stand in the answer."""
    return [row.name for row in best.rows if row.name in names]


# What follows from what


def test_range_and_mean_give_variance_largest_and_increment_rounded_up():
    facts = Assumptions(mean=0.3, range=(-0.1, 1.7)).facts()
    a, b, m = Fraction(-0.1), Fraction(1.7), Fraction(0.3)
    for name, exact in {"variance": (b - m) * (m - a), "largest": b - m, "increment": b - m}.items():
        assert Fraction(facts[name].value) >= exact
        assert Fraction(math.nextafter(facts[name].value, 0)) < exact
    assert facts["variance"].why == "Bhatia-Davis"


def test_a_range_alone_gives_popovicius_variance_and_its_width():
    facts = Assumptions(range=(-1, 3)).facts()
    assert (facts["variance"].value, facts["variance"].why) == (4.0, "Popoviciu")
    assert facts["largest"].value == facts["increment"].value == 4.0
    assert "mean" not in facts


def test_an_increment_places_the_centred_terms():
    facts = Assumptions(increment=2.0).facts()
    assert (facts["range"].value, facts["mean"].value, facts["variance"].value) == ((-2.0, 2.0), 0.0, 4.0)


def test_range_increment_and_largest_are_met_together():
    facts = Assumptions(mean=0.25, range=(0, 10), increment=4, largest=0.5).facts()
    assert facts["range"].value == (0.0, 0.75)
    assert facts["variance"].value == 0.125
    assert facts["range"].why == "mean and range and increment and largest"


def test_the_smaller_variance_counts():
    assert Assumptions(mean=0.5, range=(0, 1), variance=7).facts()["variance"].value == 0.25
    assert Assumptions(mean=0.5, range=(0, 1), variance=0.1).facts()["variance"].why == ""


def test_largest_says_nothing_of_the_other_side():
    known = Assumptions(mean=1, largest=2, variance=3)
    assert known.reflected() == Assumptions(mean=-1, variance=3)
    assert "bennett" in values(best_bound(known, 1))
    assert best_bound(known, 1, side="lower").left_out["bennett"] == "needs a largest deviation"
    assert best_bound(known, 1, side="both").left_out["bennett"] == "needs a largest deviation"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mean": 2, "range": (0, 1)}, r"mean=2 is not inside range=\(0, 1\)"),
        ({"range": (1, 1)}, r"range=\(1, 1\) is empty"),
        ({"variance": -1}, "variance=-1 is negative"),
        ({"n": 0}, "n=0 is below 1"),
        ({"mean": float("nan")}, "mean=nan is not finite"),
        ({"increment": 0}, "increment=0 is not positive"),
        ({"dependence": "some"}, "dependence='some' is not known; there are: iid, independent"),
        ({"unimodal": 1}, "unimodal=1 is not True or False"),
        ({"variance": 1, "third_moment": 0.5}, r"third_moment=0.5 is below variance\^\(3/2\) = 1"),
        ({"mean": 0.5, "range": (0, 1), "variance": 1, "third_moment": 2}, "variance=1 is above 0.25, the most"),
    ],
)
def test_contradictions_are_refused_in_one_line(given, message):
    with pytest.raises(InputError, match=message) as refused:
        Assumptions(**given)
    assert "\n" not in str(refused.value)


# Order by hand


def test_one_variable_with_a_variance():
    # sigma = 1, t = 2: Cantelli 1/5, Chebyshev 1/4; both sides: Chebyshev 1/4, Cantelli twice 2/5.
    known = Assumptions(variance=1)
    one, both = best_bound(known, 2), best_bound(known, 2, side="both")
    assert ordered(one, "cantelli", "chebyshev") == ["cantelli", "chebyshev"]
    assert (one.best.value, values(one)["chebyshev"]) == (0.2, 0.25)
    assert ordered(both, "cantelli", "chebyshev") == ["chebyshev", "cantelli"]
    assert (both.best.value, values(both)["cantelli"]) == (0.25, 0.4)
    assert one.at_least.value == math.nextafter(0.2, 0)  # Cantelli's is attained: 1/5 lies between two floats
    assert one.at_least.law == "X - E X = 2 with probability 0.2, otherwise -0.5"


def test_a_fair_coin_a_thousand_times():
    # t = 50: KL e^-5.0084, Hoeffding e^-5, Bennett e^-(500 h(0.1)) = e^-4.841, Bernstein e^-(2500/(2 (250 + 25/3)))
    # = e^-4.839, Cantelli 1/11, Chebyshev 1/10, Markov 10/11. The exact tail is 0.000865.
    best = best_bound(UNIT, 0.05)
    names = "chernoff_bernoulli", "hoeffding", "bennett", "bernstein", "cantelli", "chebyshev", "markov_of_sum"
    assert ordered(best, *names) == list(names)
    found = values(best)
    assert found["hoeffding"] == pytest.approx(math.exp(-5), rel=1e-3)  # 0.05 is a float
    assert found["bernstein"] == pytest.approx(math.exp(-2500 / (2 * (250 + 25 / 3))), rel=1e-3)
    assert found["cantelli"] == pytest.approx(1 / 11, rel=1e-9)
    assert found["markov_of_sum"] == pytest.approx(10 / 11, rel=1e-9)
    assert best.best.value < 0.0068
    assert best.at_least.value == pytest.approx(0.000865268, rel=1e-5)


def test_a_rare_event():
    # p = 0.01, n = 1000, t = 20: v = 9.9, b = 0.99. Bernstein e^-(400/33) = 5.4e-6, Chebyshev 9.9/400 = 0.02475,
    # Cantelli 9.9/409.9 = 0.02415, Markov 10/30, Hoeffding e^-0.8 = 0.449.
    best = best_bound(Assumptions(n=1000, mean=0.01, range=(0, 1)), 0.02)
    names = "chernoff_bernoulli", "bennett", "bernstein", "cantelli", "chebyshev", "markov_of_sum", "hoeffding"
    assert ordered(best, *names) == list(names)
    found = values(best)
    assert found["bernstein"] == pytest.approx(math.exp(-400 / 33), rel=1e-6)
    assert found["hoeffding"] == pytest.approx(math.exp(-0.8), rel=1e-6)


def test_with_any_dependence_markov_and_cantelli_remain_and_are_attained():
    known = Assumptions(n=50, mean=0.2, range=(0, 1), dependence="any")
    best = best_bound(known, 0.3)
    assert best.best.name == "markov_of_sum"
    assert best.best.value == pytest.approx(0.4, rel=1e-12)
    assert best.at_least.value == pytest.approx(0.4, rel=1e-12)  # all terms the same: 0.5 with probability 0.4
    assert best.left_out["hoeffding"] == "needs martingale differences"
    small = best_bound(replace(known, variance=0.01), 0.3)
    assert small.best.name == "cantelli"
    assert small.best.value == pytest.approx(0.1, rel=1e-9)
    assert "the mean as one variable" in small.best.uses
    assert small.at_least.value == pytest.approx(0.1, rel=1e-9)


# Nothing below an exact tail


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 0.5)])
@pytest.mark.parametrize("side", ["upper", "lower", "both"])
def test_no_row_is_below_the_exact_tail_of_bernoulli_sums(low, high, side):
    for n, share in product((1, 2, 7, 30), (0.001, 0.125, 0.5, 0.9)):
        known = Assumptions(n=n, mean=low + share * (high - low), range=(low, high))
        p = (Fraction(known.mean) - Fraction(low)) / (Fraction(high) - Fraction(low))
        for k in {0, n // 3, n // 2, n - 1, n}:
            t = float(abs(k - n * p) * (Fraction(high) - Fraction(low)))
            exact = bernoulli_tail(known, Fraction(t), side)
            best = best_bound(known, t, of="sum", side=side)
            assert best.rows
            for row in best.rows:
                assert Fraction(row.value) >= exact, (row, known, t)
            if best.at_least is not None:
                assert exact <= Fraction(math.nextafter(best.at_least.value, 1)), (best.at_least, known, t)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 40),
    st.floats(1e-6, 1 - 1e-6),
    st.floats(-50, 50),
    st.floats(0.01, 100),
    st.floats(0, 1.1),
    st.sampled_from(["upper", "lower", "both"]),
)
def test_no_row_is_below_the_exact_bernoulli_tail(n, p, low, width, share, side):
    high = low + width
    mean = low + p * width
    if not low < mean < high:
        return
    known = Assumptions(n=n, mean=mean, range=(low, high))
    deviation = share * (high - mean)
    exact = bernoulli_tail(known, n * Fraction(deviation), side)
    best = best_bound(known, deviation, side=side)
    for row in best.rows:
        assert Fraction(row.value) >= exact, row


@settings(deadline=None, max_examples=100)
@given(
    st.integers(1, 300),
    st.floats(0.01, 3),
    st.sampled_from([None, (0.0, 1.0), (-2.0, 5.0)]),
    st.sampled_from([None, 0.4]),
    st.sampled_from([None, 0.03, 1.0]),
    st.sampled_from([None, 0.3, 2.0]),
    st.sampled_from([None, 0.2]),
    st.sampled_from([None, 0.5]),
    st.sampled_from(DEPENDENCES),
    st.sampled_from(["upper", "lower", "both"]),
    st.booleans(),
)
def test_no_row_is_below_what_a_law_attains(
    n, scale, ends, mean, variance, increment, largest, proxy, dependence, side, maximal
):
    known = Assumptions(
        n=n,
        range=ends,
        mean=mean,
        variance=variance,
        increment=increment,
        largest=largest,
        sub_gaussian=proxy,
        dependence=dependence,
    )
    best = best_bound(known, scale * 0.5 / math.sqrt(n), side=side, maximal=maximal)
    assert sorted([*values(best), *best.left_out]) == sorted(candidate.inequality.name for candidate in CANDIDATES)
    if best.at_least is not None:
        for row in best.rows:
            assert row.value >= best.at_least.value, (row, best.at_least)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.floats(0.05, 0.6), st.floats(0.1, 3), st.sampled_from(["upper", "lower", "both"]))
def test_no_row_is_below_the_law_that_has_the_third_moment(n, p, scale, side):
    exact = p * (1 - p) * (p**2 + (1 - p) ** 2)
    known = Assumptions(n=n, variance=p * (1 - p), third_moment=exact * (1 + 1e-9))
    best = best_bound(known, scale * math.sqrt(n * p * (1 - p)), of="sum", side=side)
    assert "berry_esseen" in values(best)
    if best.at_least is not None:
        for row in best.rows:
            assert row.value >= best.at_least.value, (row, best.at_least)


def test_what_is_attained_is_the_exact_tail_of_the_law_it_names():
    # One term with mean 1/2 in [0, 1], t = 1/4: Markov's 2/3, by 3/4 with probability 2/3 and otherwise 0.
    one = attained_tail(Assumptions(mean=0.5, range=(0, 1)), Fraction(1, 4))
    assert 2 / 3 - 1e-12 < one.value <= 2 / 3
    # n = 100, variance 1, width 10, t = 20: 9.9 with probability 1/100, else -0.1: P(B >= 3) = 0.0793732
    many = attained_tail(Assumptions(n=100, variance=1, range=(-5, 5)), Fraction(20))
    assert many.value == pytest.approx(float(sum(binomial(100, Fraction(1, 100))[3:])), rel=1e-9)
    # Normal terms, where only a variance proxy is known and n t is large: at least erfc(t / sqrt(2 n s)) / 2.
    normal = attained_tail(Assumptions(n=4, sub_gaussian=1, unimodal=True), Fraction(6))
    assert normal.value == pytest.approx(math.erfc(3 / math.sqrt(2)) / 2, rel=1e-14)
    assert attained_tail(Assumptions(mean=1), Fraction(1)) is None
    assert attained_tail(Assumptions(mean=0.5, range=(0, 1)), Fraction(0)) is None


# Sides, maxima, what is left out


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 200), st.floats(-2, 3), st.floats(0.001, 2))
def test_a_lower_tail_is_the_upper_tail_of_the_reflected_terms(n, mean, deviation):
    known = Assumptions(n=n, mean=mean, range=(-2.5, 3.5), variance=2)
    mirror = Assumptions(n=n, mean=-mean, range=(-3.5, 2.5), variance=2)
    assert values(best_bound(known, deviation, side="lower")) == values(best_bound(mirror, deviation))
    assert values(best_bound(known, deviation, side="both")) == values(best_bound(mirror, deviation, side="both"))


def test_a_maximum_is_bounded_by_what_holds_for_maxima():
    last, largest = best_bound(UNIT, 0.05), best_bound(UNIT, 0.05, maximal=True)
    assert all("max" in row.event or "some k" in row.event for row in largest.rows)
    assert largest.left_out["hoeffding"] == "bounds the last sum, not the maximum"
    assert last.best.value <= largest.best.value
    assert last.left_out["kolmogorov"] == "never below chebyshev here"
    single = Assumptions(mean=0.5, range=(0, 1))
    assert values(best_bound(single, 0.3, maximal=True)) == values(best_bound(single, 0.3))


def test_each_inequality_that_is_left_out_says_why():
    left = best_bound(Assumptions(n=10, range=(0, 1)), 0.2).left_out
    assert left["markov_of_sum"] == "needs the mean"
    assert left["vysochanskij_petunin"] == "needs a sum with one mode"
    assert left["berry_esseen"] == "needs a third moment"
    left = best_bound(Assumptions(n=10, increment=2, third_moment=5), 0.2).left_out
    assert left["berry_esseen"] == "needs the variance itself, not a bound for it"
    left = best_bound(Assumptions(n=10, mean=1, dependence="uncorrelated"), 0.2).left_out
    assert left["cantelli"] == left["chebyshev"] == "needs a variance"
    assert left["azuma_hoeffding"] == "needs martingale differences"
    with pytest.raises(InputError, match=r"no inequality bounds P.* give more of what is known"):
        str(best_bound(Assumptions(mean=1), 0.2).best)


def test_one_mode_makes_chebyshev_smaller():
    found = values(best_bound(Assumptions(variance=1, unimodal=True), 3, side="both"))
    assert found["vysochanskij_petunin"] == pytest.approx(4 / 81, rel=1e-12)
    assert found["vysochanskij_petunin"] < found["chebyshev"]


# Inverses


@pytest.mark.parametrize("side", ["upper", "both"])
@pytest.mark.parametrize("of", ["mean", "sum"])
def test_deviations_are_the_least_with_their_bound(side, of):
    known = Assumptions(n=60, mean=0.3, range=(0, 1))
    best = best_deviation(known, 0.02, side=side, of=of)
    assert best.rows
    for row in best.rows:
        assert values(best_bound(known, row.value, side=side, of=of))[row.name] <= 0.02
        assert values(best_bound(known, row.value * (1 - 1e-9), side=side, of=of))[row.name] > 0.02
    assert best.at_least.value < best.best.value
    assert best_bound(known, best.at_least.value, side=side, of=of).at_least.value > 0.02


def test_numbers_of_terms_keep_their_promise_and_one_less_may_not():
    known = Assumptions(mean=0.1, range=(0, 1))
    best = best_sample_size(known, 0.05, 0.01)
    assert best.rows
    for row in best.rows:
        assert values(best_bound(replace(known, n=int(row.value)), 0.05))[row.name] <= 0.01
        assert values(best_bound(replace(known, n=int(row.value) - 1), 0.05))[row.name] > 0.01
    n = int(best.at_least.value)
    assert attained_tail(replace(known, n=n), n * Fraction(0.05)).value > 0.01
    assert n < best.best.value


def test_a_bound_that_does_not_come_down_is_left_out():
    left = best_sample_size(Assumptions(mean=0.1, range=(0, 1)), 0.05, 0.01).left_out
    assert left["markov_of_sum"] == "never comes down to this probability"
    known = Assumptions(n=100, variance=1, third_moment=2)
    assert best_deviation(known, 0.001).left_out["berry_esseen"] == "never comes down to this probability"


def test_bad_questions():
    with pytest.raises(InputError, match="side='left' is not known; there are: upper, lower, both"):
        best_bound(UNIT, 0.1, side="left")
    with pytest.raises(InputError, match="of='median' is not known; there are: mean, sum"):
        best_deviation(UNIT, 0.1, of="median")
    with pytest.raises(InputError, match="deviation=-1 is negative"):
        best_bound(UNIT, -1)
    with pytest.raises(InputError, match="probability=1 is not in"):
        best_deviation(UNIT, 1)


# How it is shown


def test_printed_bounds_are_rounded_up_and_what_is_attained_down():
    assert shown(0.123411) == "0.1235"
    assert shown(0.123411, up=False) == "0.1234"
    assert shown(1.00001e-9) == "1.001e-09"
    assert shown(0.0) == "0"
    assert shown(12345) == "12345"


def test_the_text_is_a_table():
    lines = str(best_bound(UNIT, 0.05)).splitlines()
    assert lines[0] == "P(S/n - E X >= 0.05), n = 1000 iid terms, mean 0.5, range (0, 1)"
    assert any(line.startswith("no bound can be below 0.0008652: it is attained by X = 1 with") for line in lines)
    assert lines[-1].startswith("left out: ")
    rows = [line for line in lines[1:] if line.startswith("  ")]
    names = [row.name for row in best_bound(UNIT, 0.05).rows]
    places = {line.index(f" {name} ") for line, name in zip(rows, names, strict=True)}
    assert len(places) == 1


def test_the_picture_holds_every_curve_and_the_attained_tail():
    deviations = [0.02, 0.05, 0.1]
    best = [best_bound(UNIT, d) for d in deviations]
    drawn = {line.get_label(): list(line.get_ydata()) for line in figure(UNIT, deviations).axes[0].lines}
    assert drawn.pop("attained") == [one.at_least.value for one in best]
    assert drawn == {name.replace("_", " "): [values(one)[name] for one in best] for name in values(best[0])}
