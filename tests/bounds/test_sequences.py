"""Classical confidence sequences: their formulas, the inequalities they rest on, rounding, splitting into batches."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from sojourn.bounds.influence import crossing
from sojourn.bounds.rounding import ball
from sojourn.bounds.sequences.catoni import Catoni
from sojourn.bounds.sequences.empirical_bernstein import EmpiricalBernstein
from sojourn.bounds.sequences.hoeffding import Hoeffding
from sojourn.bounds.sequences.normal_mixture import NormalMixture
from sojourn.bounds.sequences.running import RunningSum
from sojourn.bounds.sequences.stitched import Stitched, stitched_boundary
from sojourn.errors import InputError

ALL = {
    "hoeffding": lambda **more: Hoeffding(range=(0, 1), **more),
    "mixture": lambda **more: NormalMixture(range=(0, 1), **more),
    "stitched": lambda **more: Stitched(range=(0, 1), **more),
    "stitched by variance": lambda **more: Stitched(range=(0, 1), variance=0.1, **more),
    "empirical bernstein": lambda **more: EmpiricalBernstein(range=(0, 1), **more),
    "catoni": lambda **more: Catoni(variance=0.1, **more),
}
every = pytest.mark.parametrize("make", ALL.values(), ids=ALL)


@every
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 700), max_size=6), seed=st.integers(0, 10**6))
def test_batches_do_not_matter(make, cuts, seed):
    x = np.random.default_rng(seed).beta(2, 3, 700)
    parts = make()
    for part in np.split(x, sorted(cuts)):
        parts.update(part)
    whole = make().update(x)
    assert parts.estimate() == whole.estimate()
    assert parts.observations == 700


@every
def test_before_and_after_few_observations(make):
    least, most = (-math.inf, math.inf) if make is ALL["catoni"] else (0, 1)
    nothing = make().estimate()
    assert (nothing.low, nothing.high, nothing.observations, nothing.guarantee) == (least, most, 0, "at all times")
    assert math.isnan(nothing.value)
    assert make().update([]).estimate().low == least
    one = make().update([0.5]).estimate()
    assert one.low < one.value == 0.5 < one.high
    assert least <= one.low
    assert one.high <= most


@every
def test_equal_observations(make):
    found = make().update(np.full(5000, 0.1)).estimate()
    assert found.value == pytest.approx(0.1, abs=1e-6 if make is ALL["catoni"] else 1e-13)
    assert found.low < 0.1 < found.high


@every
def test_one_side_is_nearer_and_the_other_open(make):
    x = np.random.default_rng(5).beta(2, 3, 400)
    both, lower, upper = (make(side=side).update(x).estimate() for side in ("both", "lower", "upper"))
    assert lower.low > both.low
    assert upper.high < both.high
    assert (upper.low, lower.high) == ((-math.inf, math.inf) if make is ALL["catoni"] else (0, 1))
    family = make(family=4, confidence=0.75).update(x).estimate()
    alone = make(confidence=0.9375).update(x).estimate()
    assert (family.low, family.high) == (alone.low, alone.high)


def test_sums_hold_the_exact_sum():
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.standard_normal(3000) * 10.0 ** rng.integers(-12, 12, 3000), [1e16, 1.0, -1e16, 1e-300]])
    running = RunningSum()
    running.add(x)
    exact = sum(Fraction(v) for v in x)
    with ctx.workprec(2000):
        found = running.ball()
        assert found.contains(ball(exact))
        assert float(found.rad()) <= 1e-27 * np.abs(x).sum()


def mixture(s, v, rho, two_sided):
    """The mixture's wealth at S = s by the normal law's own distribution function."""
    u = s / np.sqrt(v + rho)
    wealth = np.sqrt(rho / (v + rho)) * np.exp(u * u / 2)
    return wealth if two_sided else 2 * wealth * stats.norm.cdf(u)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 1 - 1e-6])
def test_normal_mixture_rejects_where_its_wealth_reaches_the_target(confidence):
    alpha = 1 - confidence
    for side in ("both", "upper"):
        for n in (1, 10, 1000, 20_000):
            found = NormalMixture(variance_proxy=2.0, tightest_at=1000, side=side, confidence=confidence)
            width = found.update(np.zeros(n)).estimate().high
            rho = 2.0 * 1000 / (-special.lambertw(-((alpha) ** 2) / math.e, -1).real - 1)
            wealth = mixture(n * width, 2.0 * n, rho, side == "both")
            assert wealth >= (1 - 1e-9) / alpha
            assert wealth <= (1 + 1e-9) / alpha if side == "both" else wealth <= 1.5 / alpha


def test_normal_mixture_is_tightest_where_told():
    def ratio(at):
        wide = NormalMixture(variance_proxy=1.0, tightest_at=at).update(np.zeros(1000)).estimate().high
        return wide

    assert ratio(1000) < min(ratio(900), ratio(1100))


@pytest.mark.parametrize("scale", [0.0, 1 / 3, 5.0])
def test_stitched_boundary_lies_above_the_line_of_every_epoch(scale):
    """Each line is crossed with the epoch's share of α (Ville), so a curve above all of them is crossed with α at most.

    In epoch k, 2ᵏ <= v < 2ᵏ⁺¹, the line is (r + ψ(λ) v) / λ with r = ln(ζ(1.4) (k + 1)^1.4 / α),
    ψ(λ) = λ² / (2 (1 - c λ)), and λ the root of ψ(λ) = r / 2^(k + 1/2).
    """
    alpha = 0.025
    for k in range(40):
        r = math.log(special.zeta(1.4) * (k + 1) ** 1.4 / alpha)
        level = r / 2 ** (k + 0.5)
        lam = -scale * level + math.sqrt((scale * level) ** 2 + 2 * level)
        assert lam**2 / (2 * (1 - scale * lam)) == pytest.approx(level, rel=1e-9)
        for v in 2.0 ** (k + np.linspace(0, 1, 41)):
            curve = float(stitched_boundary(ball(float(v)), ball(scale), ball(float(v)), ball(alpha)).mid())
            assert curve >= (r + level * v) / lam * (1 - 1e-12)
    assert sum(1 / (special.zeta(1.4) * (k + 1) ** 1.4) for k in range(10**4)) < 1


def test_stitched_takes_the_lesser_tail_of_a_small_variance():
    x = np.r_[np.ones(10), np.zeros(990)]
    assert Stitched(range=(0, 1), variance=0.01).update(x).estimate().high < 0.03
    assert Stitched(range=(0, 1)).update(x).estimate().high > 0.07
    log = 1.4 * math.log(math.log(2 * 1000) / math.log(2)) + math.log(special.zeta(1.4) / 0.025)
    width = math.sqrt((2**0.25 + 2**-0.25) ** 2 / 2 * 250 * log) / 1000
    assert Stitched(variance_proxy=0.25).update(np.zeros(1000)).estimate().high == pytest.approx(width, rel=1e-12)


def test_hoeffding_against_its_formula():
    x = np.random.default_rng(7).beta(2, 3, 2000)
    t, log = np.arange(1, 2001), math.log(40)
    lam = np.minimum(np.sqrt(8 * log / (t * np.log(1 + t))), 1)
    half = (log + np.sum(lam**2) / 8) / lam.sum()
    found = Hoeffding(range=(0, 1)).update(x).estimate()
    assert (found.low, found.high) == pytest.approx((lam @ x / lam.sum() - half, lam @ x / lam.sum() + half), rel=1e-12)


def test_the_inequality_behind_empirical_bernstein():
    """exp(λ ξ - ξ² ψ(λ)) <= 1 + λ ξ for ξ >= -1, so the mean of the left side is 1 at most when E ξ is moved out."""
    lam, xi = np.meshgrid(np.linspace(0, 0.5, 101), np.linspace(-1, 1, 401))
    assert (lam * xi - xi**2 * (-np.log1p(-lam) - lam) <= np.log1p(lam * xi) + 1e-15).all()


def test_empirical_bernstein_lies_outside_its_exact_value():
    """The same λ and μ̂, floats, with everything else in 300 bits: ends are outside, by 1e-13 of the range at most."""
    rng = np.random.default_rng(8)
    a, b = -3.0, 0.1
    x = a + (b - a) * rng.beta(0.5, 0.8, 400)
    log = -(arb(1) - arb(0.95)).log() + arb(2).log()
    log_float = float(log.mid())
    low, high, total, squares = arb(0), arb(1), 0.0, 0.0
    sums = [arb(0), arb(0), arb(0)]
    with ctx.workprec(300):
        log = -((1 - ball(Fraction(0.95))) / 2).log()
        for k, value in enumerate(x):
            t = k + 1.0
            mean, variance = (0.5 + total) / t, (0.25 + squares) / t
            lam = arb(min(math.sqrt(2 * log_float / (variance * t * math.log(1 + t))), 0.5))
            y = (arb(value) - arb(a)) / (arb(b) - arb(a))
            sums = [sums[0] + lam * y, sums[1] + (y - arb(mean)) ** 2 * (-(1 - lam).log() - lam), sums[2] + lam]
            low = max(low, (sums[0] - log - sums[1]) / sums[2], key=lambda e: float(e.mid()))
            high = min(high, (sums[0] + log + sums[1]) / sums[2], key=lambda e: float(e.mid()))
            rounded = (value - a) / (b - a)
            total += rounded
            squares += (rounded - (0.5 + total) / (t + 1)) ** 2
        low, high = (arb(a) + (arb(b) - arb(a)) * end for end in (low, high))
        found = EmpiricalBernstein(range=(a, b)).update(x).estimate()
        assert arb(found.low) < low
        assert high < arb(found.high)
        assert float((low - arb(found.low)).mid()) < 1e-13 * (b - a)
        assert float((arb(found.high) - high).mid()) < 1e-13 * (b - a)


def test_empirical_bernstein_never_widens_and_is_empty_where_refuted():
    x = np.r_[np.zeros(3000), np.ones(10000)]
    running, last = EmpiricalBernstein(range=(0, 1)), (0.0, 1.0)
    for part in np.split(x, 26):
        found = running.update(part).estimate()
        if found.empty:
            break
        assert last[0] <= found.low <= found.value <= found.high <= last[1]
        last = found.low, found.high
    assert found.empty
    assert math.isnan(found.low)
    assert "refuted" in str(found)
    assert EmpiricalBernstein(range=(0, 1), side="lower").update(x).estimate().high == 1


def test_influence_function():
    """-ln(1 - u + u²/2) <= φ(u) <= ln(1 + u + u²/2), and φ' changes by 1/4 of the distance at most."""
    u = np.linspace(-50, 50, 200_001)
    phi = np.sign(u) * np.log1p(np.abs(u) + u * u / 2)
    assert (phi <= np.log1p(u + u * u / 2) + 1e-12).all()
    assert (phi >= -np.log1p(-u + u * u / 2) - 1e-12).all()
    slope = (1 + np.abs(u)) / (1 + np.abs(u) + u * u / 2)
    assert np.abs(np.diff(slope) / np.diff(u)).max() <= 0.25 + 1e-9


@pytest.mark.parametrize("n", [1, 255, 256, 257, 1000, 30_000])
def test_catoni_in_constant_memory_holds_the_interval_of_all_observations(n):
    x = np.random.default_rng(n).standard_t(3, n) + 7
    found = Catoni(variance=3.0).update(x).estimate()
    t, log = np.arange(1, n + 1), -math.log(float(Catoni(variance=3.0).error))
    lam = np.sqrt(2 * log / (3.0 * (t * np.log(1 + t) + 2 * log)))
    threshold = log + np.log1p(lam**2 * 1.5).sum()
    low, high = crossing(x, lam, threshold)[1], crossing(x, lam, -threshold)[0]  # inwards of the exact ends
    assert found.low <= low + 1e-11
    assert high - 1e-11 <= found.high
    assert found.high - found.low <= 1.001 * (high - low)
    assert found.value == pytest.approx(sum(crossing(x, lam, 0.0)) / 2, abs=1e-3 * (high - low))


def test_catoni_bears_what_moves_the_mean_out_of_sight():
    x = np.random.default_rng(9).standard_t(3, 5000)
    x[3] = 1e6  # the mean moves by 200
    found = Catoni(variance=3.0).update(x).estimate()
    assert -1 < found.low < found.high < 2
    x[3] = 1e300
    assert Catoni(variance=3.0).update(x).estimate().high < 50
    early = Catoni(variance=1e-4).update(np.r_[np.zeros(256), np.full(2000, 5.0)]).estimate()  # far from the points
    assert early.low <= early.value <= early.high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Hoeffding(), "give either range"),
        (lambda: NormalMixture(range=(0, 1), variance_proxy=1), "give either range"),
        (lambda: NormalMixture(variance_proxy=-1), "variance_proxy=-1 is not positive"),
        (lambda: NormalMixture(variance_proxy=1, tightest_at=0), "tightest_at=0 is below 1"),
        (lambda: Stitched(variance_proxy=1, variance=1), "variance=1 bounds no tail by itself"),
        (lambda: Stitched(range=(0, 1), variance=0), "variance=0 is not positive"),
        (lambda: EmpiricalBernstein(range=(0, 0)), r"range=\(0, 0\) is empty"),
        (lambda: EmpiricalBernstein(range=(-1.5e308, 1.5e308)), "wider than the greatest float"),
        (lambda: EmpiricalBernstein(range=(0, 1)).update([0.1, 1.2]), "observation 1 is 1.2, outside range"),
        (lambda: EmpiricalBernstein(range=(0, 1), confidence=1.0), "confidence=1.0 is not in"),
        (lambda: Hoeffding(range=(0, 1)).update([-0.1]), "observation 0 is -0.1, outside range"),
        (lambda: Catoni(variance=0), "variance=0 is not positive"),
        (lambda: Catoni(variance=1e-320), "is below 1e-290; give the observations in a smaller unit"),
        (lambda: Catoni(variance=1).update([1.0, math.nan]), "observation 1 is nan"),
        (lambda: Catoni(variance=1, side="up"), "side='up' is not one of both, lower, upper"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_refused_observations_leave_a_sequence_as_it_was():
    running = EmpiricalBernstein(range=(0, 1)).update([0.5])
    before = running.estimate()
    with pytest.raises(InputError):
        running.update([0.5, 2.0])
    assert running.estimate() == before
