"""Martingale tools on paths: variations and first passage over all paths of a walk, Brownian motion by reflection."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
import xarray as xr
from scipy.stats import binom, norm

import sojourn as sj
from sojourn.bounds.passage import FirstPassage, first_passage
from sojourn.bounds.trajectories import doob_bound, freedman_bound, predictable_variation, quadratic_variation
from sojourn.calculus import ItoProcess, brownian, symbols
from sojourn.errors import InputError

N = 12
WALKS = np.cumsum([(0, *signs) for signs in itertools.product((1, -1), repeat=N)], axis=1)  # all of them


def brownian_motion(rng, ensemble, times, sigma=1.0, drift=0.0):
    steps = np.diff(times)
    moves = drift * steps + sigma * np.sqrt(steps) * rng.standard_normal((ensemble, len(steps)))
    return np.concatenate([np.zeros((ensemble, 1)), np.cumsum(moves, axis=1)], axis=1)


# ------------------------------------------------------------------------------------------------ variations


def test_the_quadratic_variation_of_a_walk_is_its_steps():
    np.testing.assert_array_equal(quadratic_variation(WALKS), np.tile(np.arange(N + 1.0), (len(WALKS), 1)))


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e140, 1e-150, 1e-160])
def test_quadratic_variation_is_rounded_up_and_hardly(scale):
    x = np.random.default_rng(0).standard_normal((20, 30)) * scale
    x[:10] = x[:10].astype(np.float32) if scale == 1 else np.round(x[:10], 3)
    found = quadratic_variation(x)
    for path, sums in zip(x, found, strict=True):
        steps = [(Fraction(b) - Fraction(a)) ** 2 for a, b in itertools.pairwise(path)]
        for k, exact in enumerate(itertools.accumulate(steps, initial=Fraction(0))):
            assert (
                exact <= Fraction(sums[k]) <= exact * (1 + (k + 3) * Fraction(2) ** -52) + 2 * k * Fraction(2) ** -1074
            )


def test_squares_too_large_for_floats_are_infinite():
    assert quadratic_variation(np.array([[0.0, 1e200, 1e305]]))[0].tolist() == [0.0, math.inf, math.inf]


def test_both_variations_have_the_mean_of_the_square():
    # X_{k+1} = X_k (1 + xi/2), xi = 1 or -1: over all paths E[M]_n = E<M>_n = E X_n^2 - X_0^2 = (5/4)^n - 1
    n = 10
    x = np.cumprod([(1.0, *(1 + s / 2 for s in signs)) for signs in itertools.product((1, -1), repeat=n)], axis=1)
    square, given = quadratic_variation(x), predictable_variation(x, lambda before: before**2 / 4)
    for k in range(n + 1):
        exact = Fraction(5, 4) ** k - 1
        assert sum(map(Fraction, square[:, k])) / 2**n == exact == sum(map(Fraction, given[:, k])) / 2**n
        assert sum(Fraction(v) ** 2 for v in x[:, k]) / 2**n - 1 == exact


def test_the_conditional_variance_may_be_a_number_or_an_array():
    given = np.arange(12.0).reshape(3, 4)
    x = np.zeros((3, 5))
    np.testing.assert_array_equal(predictable_variation(x, 0.5), np.tile(np.arange(5) / 2, (3, 1)))
    np.testing.assert_array_equal(predictable_variation(x, given)[:, 1:], np.cumsum(given, axis=1))


def test_axes_and_coordinates_stay():
    field = xr.DataArray(
        np.random.default_rng(1).integers(-3, 4, (2, 5, 4)),
        {"time": [0.0, 0.1, 0.2, 0.3, 0.5], "x": [1, 2, 3, 4]},
        ("ensemble", "time", "x"),
        attrs={"units": "m"},
    )
    found = quadratic_variation(field.transpose("x", "time", "ensemble"))
    assert (found.dims, found.name, found.attrs) == (field.dims, "quadratic_variation", {})
    xr.testing.assert_equal(found.coords["time"], field["time"])
    np.testing.assert_array_equal(found[:, 1:], (field.diff("time") ** 2).cumsum("time").values)
    np.testing.assert_array_equal(quadratic_variation(field.to_dataset(name="u")), found)
    np.testing.assert_array_equal(quadratic_variation(field.values), found)


# ------------------------------------------------------------------------------------------------ bounds


def test_doob_bound_covers():
    """25 ensembles of 100 walks each: the true E[X_n^+]/level is missed with 5% at most; false alarm below 1e-6."""
    level, rng = 5.0, np.random.default_rng(2)
    ends = np.maximum(WALKS[:, -1], 0)
    truth, exact = ends.mean() / level, (WALKS.max(1) >= level).mean()
    missed = 0
    for _ in range(25):
        found = doob_bound(WALKS[rng.integers(len(WALKS), size=100)], level, range=(-N, N))
        missed += truth > found.high
        assert found.low == 0.0 < found.value < found.high <= 1
    assert exact < truth
    assert missed <= binom.isf(1e-6, 25, 0.05)


def test_freedman_bound_sees_what_no_path_reached():
    # 200 paths of 100 steps; P(max >= 45) = P(S >= 45) + P(S > 45) is about 5e-6
    n, level, v = 100, 45, 100
    walks = np.cumsum(np.random.default_rng(3).choice([-1, 1], (200, n + 1)), axis=1)
    found = freedman_bound(walks, level, variance=1.0, variation=v, largest=1)
    exact = binom.sf((n + level) / 2 - 1, n, 0.5) + binom.sf((n + level) / 2, n, 0.5)
    assert exact <= found.value <= math.exp(-(level**2) / (2 * n))
    assert found.high == pytest.approx(1 - 0.05 ** (1 / 200) + found.value, rel=1e-12)
    assert freedman_bound(walks, level, variance=1.0, variation=99.5, largest=1).high == 1.0
    assert "95%, Freedman, Clopper-Pearson, at this n" in str(found)


def test_freedman_bound_counts_the_paths_with_a_large_variation():
    # the walk of 1-steps that takes 2-steps below zero: over all paths both parts are known exactly
    paths = []
    for signs in itertools.product((1, -1), repeat=N):
        places = [0]
        for s in signs:
            places.append(places[-1] + s * (2 if places[-1] < 0 else 1))
        paths.append(places)
    paths = np.array(paths, dtype=np.float64)
    given = np.where(paths[:, :-1] < 0, 4.0, 1.0).sum(1)
    found = freedman_bound(paths, 11, variance=lambda x: np.where(x < 0, 4.0, 1.0), variation=30, largest=2)
    inside = freedman_bound(paths, 11, variance=1.0, variation=30, largest=2).value
    assert found.value == pytest.approx((given > 30).mean() + inside, rel=1e-14)
    assert (paths.max(1) >= 11).mean() <= found.value


# ------------------------------------------------------------------------------------------------ first passage


@pytest.mark.parametrize("level", [-4, 1, 3, 6, N, N + 1])
def test_first_passage_of_a_walk_has_its_exact_law(level):
    # reflection, for |level|: P(max_{j<=k} S_j >= a) = P(S_k >= a) + P(S_k > a)
    found = first_passage(WALKS, level, direction="up" if level > 0 else "down")
    curve = found.survival()
    for k in range(1, N + 1):
        reach = [math.comb(k, j) for j in range(k + 1) if 2 * j - k >= abs(level)]
        beyond = [math.comb(k, j) for j in range(k + 1) if 2 * j - k > abs(level)]
        exact = Fraction(sum(reach) + sum(beyond), 2**k)
        assert found.probability(k).value == exact
        assert found.probability(k + 0.5 if k < N else k).value == exact
        assert curve["survival"][k] == 1 - exact
    assert found.probability().value in found.probability()


def test_paths_that_start_beyond_have_passed():
    found = first_passage(np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 0.5]]), 1.0)
    assert found.times.tolist() == [0.0, 1.0, math.inf]
    assert first_passage(np.array([[2.0, 0.0]]), 1.0, sigma=1e-3).times.tolist() == [0.0]


def passage_law(level, times, sigma, drift):
    """P(max_{s<=t} W_s >= level) of Brownian motion with a drift."""
    spread = sigma * np.sqrt(times)
    back = np.exp(2 * drift * level / sigma**2) * norm.sf((level + drift * times) / spread)
    return norm.sf((level - drift * times) / spread) + back


@pytest.mark.parametrize("drift", [0.0, -0.8, 0.8])
def test_bridges_make_few_frames_enough(drift):
    """Counts of passages are binomial with the exact law at each of 5 frames; false alarm below 1e-6 in all.

    Without bridges they are fewer, which 40,000 paths show by more than ten standard deviations.
    """
    times, level, sigma, ensemble = np.array([0.0, 0.2, 0.5, 1.0, 1.1, 2.0]), 0.9, 0.7, 40_000
    x = brownian_motion(np.random.default_rng(4), ensemble, times, sigma, drift)
    data = xr.DataArray(x, {"time": times}, ("ensemble", "time"))
    found = first_passage(data, level, sigma=sigma, seed=5)
    for t in times[1:]:
        exact = passage_law(level, t, sigma, drift)
        count = round(found.probability(t).value * ensemble)
        assert min(binom.cdf(count, ensemble, exact), binom.sf(count - 1, ensemble, exact)) > 3e-8
    missed = first_passage(data, level).probability().value
    exact = passage_law(level, 2.0, sigma, drift)
    assert missed < exact - 10 * math.sqrt(exact * (1 - exact) / ensemble)
    below = first_passage(-data, -level, direction="down", sigma=sigma, seed=5)
    np.testing.assert_array_equal(below.times, found.times)


def test_higher_levels_are_passed_later():
    times = np.linspace(0, 1, 6)
    x = xr.DataArray(brownian_motion(np.random.default_rng(6), 500, times), {"time": times}, ("ensemble", "time"))
    passages = [first_passage(x, level, sigma=1.0, seed=7).times for level in (0.3, 0.6, 0.9)]
    assert all((a <= b).all() for a, b in itertools.pairwise(passages))
    assert (passages[0] <= first_passage(x, 0.3).times).all()


def test_a_simulated_trajectory():
    """Brownian motion from an SDE, at ten frames: the interval holds 2(1 - Phi(a/sigma)) but once in 1e6."""
    X, W = symbols("X"), brownian("W")
    process = ItoProcess(X, drift=0 * X, diffusion={W: sp.Rational(1, 2)}, initial=0).discretise(dt=0.01)
    path = sj.simulate(process, steps=100, save_every=10, ensemble=4000, seed=8)
    found = first_passage(path, 0.6, sigma=0.5, seed=8)
    assert 2 * norm.sf(1.2) in found.probability(confidence=1 - 1e-6)
    assert found.frames == pytest.approx(np.arange(11) / 10)
    variation = quadratic_variation(path)[:, -1]  # its mean is sigma^2 T, its variance 2 sigma^4 T^2 / 10 for 10 steps
    assert abs(float(variation.mean()) - 0.25) < 6 * math.sqrt(2 * 0.25**2 / 10 / 4000)
    text = found.probability().explain()
    assert "each Brownian motion with constant drift and sigma=0.5" in text
    assert "crossings between saved frames" in first_passage(path, 0.6).probability().explain()
    assert str(found).startswith("P(passes 0.6 up by time 1) = 0.2")


def test_the_band_holds_the_whole_curve():
    """400 samples of 30 geometric times: the curve leaves the band in 10% at most; false alarm below 1e-6."""
    rng, frames, stay = np.random.default_rng(9), np.arange(41.0), 0.93
    truth, left = stay**frames, 0
    for _ in range(400):
        times = np.floor(np.log(rng.random(30)) / math.log(stay)) + 1  # P(time > k) = stay^k
        band = FirstPassage(np.where(times > 40, np.inf, times), frames, 1.0, "up", None).survival(confidence=0.9)
        left += bool(((truth < band["low"]) | (truth > band["high"])).any())
    assert left <= binom.isf(1e-6, 400, 0.1)


def test_the_band_is_rounded_outwards():
    found = first_passage(WALKS[:101], 2)
    band = found.survival(confidence=0.99, family=3)
    alpha = (1 - Fraction(0.99)) / 3
    width = math.sqrt(math.log(2 / alpha) / 202)
    for s, low, high, t in zip(band["survival"], band["low"], band["high"], found.frames, strict=True):
        exact = Fraction(int((found.times > t).sum()), 101)
        assert float(s) == float(exact)
        assert float(low) == pytest.approx(max(0.0, float(exact) - width), abs=1e-14)
        assert float(high) == pytest.approx(min(1.0, float(exact) + width), abs=1e-14)
        assert Fraction(float(low)) <= exact <= Fraction(float(high))
    assert (band.attrs["guarantee"], band.attrs["observations"]) == ("at all times", 101)


# ------------------------------------------------------------------------------------------------ errors

TWO = xr.Dataset({"X": (("ensemble", "time"), np.zeros((2, 3))), "Y": (("ensemble", "time"), np.zeros((2, 3)))})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quadratic_variation(TWO), "the paths hold X, Y; give one of them, such as dataset['X']"),
        (lambda: quadratic_variation(np.zeros(3)), "the paths have shape (3,); give (ensemble, time), one path as"),
        (lambda: quadratic_variation(TWO["X"][0]), "needed are the axes ensemble and time, not empty"),
        (lambda: quadratic_variation(np.array([[0.0], [math.nan]])), "path 1 is not finite throughout; leave it out"),
        (lambda: first_passage(np.zeros((2, 3, 4)), 1), "give one number at each of two frames or more"),
        (lambda: first_passage(np.zeros((2, 3)), math.inf), "level=inf is not finite; give a finite number"),
        (lambda: first_passage(np.zeros((2, 3)), 1, direction="left"), "direction='left' is not up or down"),
        (lambda: first_passage(np.zeros((2, 3)), 1, sigma=0), "sigma=0 is not positive; give a number above zero"),
        (
            lambda: first_passage(TWO["X"].assign_coords(time=[0, 2, 1]), 1),
            "the times of the frames do not rise; sort the paths by time",
        ),
        (
            lambda: first_passage(np.zeros((2, 3)), 1).probability(by=4),
            "by=4 is not in [0, 2], the times of the paths",
        ),
        (
            lambda: predictable_variation(np.zeros((2, 3)), np.zeros((2, 3))),
            "variance has shape (2, 3); needed is (2, 2), one for each step of each path",
        ),
        (lambda: predictable_variation(np.zeros((2, 3)), -1.0), "variance holds -1.0; variances are zero or more"),
        (
            lambda: freedman_bound(WALKS, 3, variance=1, variation=12, largest=0.5),
            "path 0 steps by 1 at frame 1, above largest=0.5; give a number that no step can exceed",
        ),
        (lambda: doob_bound(WALKS, 3, range=(-9, 9)), "observation 4095 is -12, outside range=(-9, 9); give a range"),
        (lambda: doob_bound(-np.ones((2, 2)), 3, range=(-9, 0)), "has no values above zero; then level=3 is never"),
        (lambda: doob_bound(WALKS, 0, range=(-12, 12)), "level=0 is not positive; give a number above zero"),
    ],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(InputError) as caught:
        call()
    assert message in str(caught.value)
