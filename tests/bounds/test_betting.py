"""The betting interval and sequence: the kernel against its definition, exact coverage, widths, bad input.

Statistical tests fix their seeds; each says that a coverage of 95% or more fails it with probability below 1e-6.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.bounds.intervals.binomial import clopper_pearson
from sojourn.bounds.intervals.wagers import betting
from sojourn.bounds.sequences.betting import Betting
from sojourn.errors import InputError
from sojourn.kernels import betting as kernel

LAWS = {
    "Bernoulli(1/2)": (lambda g, n: (g.random(n) < 0.5) * 1.0, 0.5),
    "Bernoulli(0.01)": (lambda g, n: (g.random(n) < 0.01) * 1.0, 0.01),
    "uniform": (lambda g, n: g.random(n), 0.5),
    "Beta(0.1, 0.1)": (lambda g, n: g.beta(0.1, 0.1, n), 0.5),
    "Beta(10, 30)": (lambda g, n: g.beta(10, 30, n), 0.25),
    "Beta(1, 50)": (lambda g, n: g.beta(1, 50, n), 1 / 51),
    "narrow": (lambda g, n: 0.495 + 0.01 * g.random(n), 0.5),
    "mostly 0.2, rarely 1": (lambda g, n: np.where(g.random(n) < 0.02, 1.0, 0.2), 0.02 + 0.98 * 0.2),
}


@pytest.mark.parametrize("horizon", [0, 250])
@pytest.mark.parametrize("law", ["Bernoulli(1/2)", "Beta(1, 50)", "narrow"])
def test_the_kernel_never_overstates_wealth(horizon, law):
    """Wealth against single candidates, replayed in extended precision, is above the chord, and has reached the target
    where the kernel rejects."""
    y = LAWS[law][0](np.random.default_rng(5), 250)
    target, most = math.log(40), 0.9
    cells, products, now = kernel.start()
    candidates = np.concatenate([np.linspace(0.001, 0.999, 41), LAWS[law][1] + np.linspace(-0.03, 0.03, 20)])
    candidates = candidates[(candidates > 0) & (candidates < 1)]
    over, under = np.zeros(len(candidates), np.longdouble), np.zeros(len(candidates), np.longdouble)
    gone = np.zeros(len(candidates), bool)
    kernel.play(y[:0], cells, products, now, target, True, True, most, horizon)
    for x in y:
        before = cells.copy(), now.copy()
        kernel.play(np.array([x]), cells, products, now, target, True, True, most, horizon)
        if horizon:
            kernel._bet_star(x, *before, target, True, True, most, horizon)  # leaves the bets in their rows
        old, new = before[0][:, : int(before[1][kernel.CELLS])], cells[:, : int(now[kernel.CELLS])]
        for k, m in enumerate(candidates):
            if gone[k]:
                continue
            j = int(np.searchsorted(old[kernel.M2], m))
            assert old[kernel.M1, j] <= m <= old[kernel.M2, j]
            step = np.longdouble(x) - np.longdouble(m)
            over[k] += np.log1p(old[kernel.BET_OVER, j] * step)
            under[k] += np.log1p(-old[kernel.BET_UNDER, j] * step)
            j = int(np.searchsorted(new[kernel.M2], m))
            inside = j < new.shape[1] and new[kernel.LOW, j] <= m <= new[kernel.HIGH, j]
            if not inside:
                gone[k] = True
                assert max(over[k], under[k]) >= target
                continue
            share = (m - new[kernel.M1, j]) / (new[kernel.M2, j] - new[kernel.M1, j])
            for ends, exact in (((kernel.OVER1, kernel.OVER2), over[k]), ((kernel.UNDER1, kernel.UNDER2), under[k])):
                assert (1 - share) * new[ends[0], j] + share * new[ends[1], j] <= exact + 1e-10
    assert gone.any()
    assert not gone.all()


def test_coverage_is_exact_for_ten_coins():
    """All 1024 outcomes: the probability that the interval holds p, summed exactly, is 95% or more for every p tried.

    The sequence's last interval lies within all earlier ones, so this covers stopping at any time, too.
    """
    outcomes = np.array(list(itertools.product((0.0, 1.0), repeat=10)))
    for intervals in (
        [betting(x, range=(0, 1)) for x in outcomes],
        [Betting(range=(0, 1)).update(x).estimate() for x in outcomes],
    ):
        low, high = np.array([(e.low, e.high) for e in intervals]).T
        ones = outcomes.sum(1)
        for p in np.concatenate([np.geomspace(1e-6, 0.5, 60), 1 - np.geomspace(1e-6, 0.5, 60), low[low > 0] - 1e-12]):
            weights = p**ones * (1 - p) ** (10 - ones)
            assert weights[(low <= p) & (p <= high)].sum() >= 0.95


def test_coverage_of_a_rare_event():
    """Bernoulli(1e-4), n = 20: outcomes with at most two ones have all but 1.2e-9 of the probability."""
    p, covered = 1e-4, {"fixed": 0.0, "sequence": 0.0}
    for places in [(), *itertools.combinations(range(20), 1), *itertools.combinations(range(20), 2)]:
        x = np.zeros(20)
        x[list(places)] = 1.0
        weight = p ** len(places) * (1 - p) ** (20 - len(places))
        covered["fixed"] += weight * (p in betting(x, range=(0, 1)))
        covered["sequence"] += weight * (p in Betting(range=(0, 1)).update(x).estimate())
    assert min(covered.values()) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("law", list(LAWS))
def test_coverage_of_other_laws(law):
    """At 60 observations, and for the sequence at any time up to 60 at once: 95% is not refuted at a level of 1e-6.

    (`sojourn run tail-bounds` repeats this often enough to tell 94% from 95%.)
    """
    draw, mean = LAWS[law]
    generator, repetitions = np.random.default_rng(7), 1500
    fixed = sequence = 0
    for _ in range(repetitions):
        x = draw(generator, 60)
        fixed += mean in betting(x, range=(0, 1))
        sequence += mean in Betting(range=(0, 1)).update(x).estimate()
    for covered in (fixed, sequence):
        assert clopper_pearson(covered, repetitions, confidence=1 - 1e-6, side="upper").high >= 0.95


@pytest.mark.parametrize("p", [0.5, 0.2, 0.05, 0.01, 0.001])
def test_width_beside_clopper_pearson(p):
    """Within 5% at Bernoulli n = 1000, on average over 30 samples of fixed seeds."""
    generator, ours, exact = np.random.default_rng(3), 0.0, 0.0
    for _ in range(30):
        x = (generator.random(1000) < p) * 1.0
        ours += betting(x, range=(0, 1)).half_width
        exact += clopper_pearson(int(x.sum()), 1000).half_width
    assert ours <= 1.05 * exact


@pytest.mark.parametrize("law", list(LAWS))
@pytest.mark.parametrize("n", [10, 100, 1000])
def test_narrower_than_maurer_and_pontil(law, n):
    x = LAWS[law][0](np.random.default_rng(n), n)
    L = math.log(4 / 0.05)
    half = math.sqrt(2 * x.var(ddof=1) * L / n) + 7 * L / (3 * (n - 1))
    theirs = min(x.mean() + half, 1.0) - max(x.mean() - half, 0.0)
    found = betting(x, range=(0, 1))
    assert found.high - found.low < theirs


@given(st.lists(st.floats(0, 1), max_size=60), st.data())
@settings(max_examples=40, deadline=None)
def test_batches_do_not_matter(values, data):
    whole = Betting(range=(0, 1)).update(values).estimate()
    parts, at = Betting(range=(0, 1)), 0
    while at < len(values):
        step = data.draw(st.integers(1, len(values) - at))
        parts.update(values[at : at + step])
        parts.estimate()
        at += step
    assert parts.estimate() == whole


def test_batches_do_not_matter_beyond_the_first_512():
    x = np.random.default_rng(2).beta(2, 5, 5000)
    parts = Betting(range=(0, 1))
    for first in range(0, 5000, 37):
        parts.update(x[first : first + 37])
    assert parts.estimate() == Betting(range=(0, 1)).update(x).estimate()


def test_reflection_and_scale():
    """1 - X has the reflected interval to rounding, and X in another unit the scaled one."""
    x = np.random.default_rng(4).beta(2, 5, 400)
    for make in (lambda v, r: betting(v, range=r), lambda v, r: Betting(range=r).update(v).estimate()):
        found, mirrored, scaled = make(x, (0, 1)), make(1 - x, (0, 1)), make(8 * x - 3, (-3, 5))
        np.testing.assert_allclose([1 - mirrored.high, 1 - mirrored.low], [found.low, found.high], atol=1e-9)
        np.testing.assert_allclose([scaled.low, scaled.high], [8 * found.low - 3, 8 * found.high - 3], atol=1e-8)


def test_one_side_and_families():
    x = np.random.default_rng(6).beta(2, 5, 300)
    for make in (
        lambda **w: betting(x, range=(0, 1), **w),
        lambda **w: Betting(range=(0, 1), **w).update(x).estimate(),
    ):
        both, lower, upper, ten = make(), make(side="lower"), make(side="upper"), make(family=10)
        assert both.low < lower.low < x.mean() < upper.high < both.high
        assert (lower.high, upper.low) == (1.0, 0.0)
        assert ten.low < both.low < both.high < ten.high
        assert ten.family == 10


def test_a_refuted_assumption_is_reported():
    found = Betting(range=(0, 1)).update([0.0] * 3000 + [1.0] * 3000).estimate()
    assert found.empty
    assert found.to_dict()["interval"] == []
    assert "[0, 1] and has the same mean given those before it is refuted" in str(found)


def test_before_anything_was_seen():
    found = Betting(range=(-2, 3)).estimate()
    assert (found.low, found.high, found.observations) == (-2.0, 3.0, 0)


def test_memory_does_not_grow():
    sequence = Betting(range=(0, 1))
    for seed in range(20):
        sequence.update(np.random.default_rng(seed).random(50_000))
    assert sequence._bets.cells.nbytes + sequence._bets.products.nbytes < 300_000
    assert sequence._bets.now[kernel.CELLS] < 200
    assert 0.5 in sequence.estimate()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: betting([0.5, 1.5], range=(0, 1)), r"observation 1 is 1.5, outside range=\(0, 1\)"),
        (lambda: betting([0.5, -0.1], range=(0, 1)), "observation 1 is -0.1, outside"),
        (lambda: betting([0.5, math.nan], range=(0, 1)), "observation 1 is nan"),
        (lambda: betting([], range=(0, 1)), "n=0"),
        (lambda: betting([0.5], range=(1, 0)), "is empty"),
        (lambda: betting([0.5], range=(-1e308, 1e308)), "wider than the greatest float"),
        (lambda: Betting(range=(-1e308, 1e308)), "wider than the greatest float"),
        (lambda: betting([0.5], range=(0, 1), confidence=1.0), r"confidence=1.0 is not in \(0, 1\)"),
        (lambda: betting([0.5], range=(0, 1), side="left"), "side='left'"),  # type: ignore[arg-type]
        (lambda: betting([0.5], range=(0, 1), family=0), "family=0 is below 1"),
        (lambda: Betting(range=(0, 1)).update([2.0]), "outside range"),
        (lambda: Betting(range=(0, 1)).update(["a"]), "not numbers"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
