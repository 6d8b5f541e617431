"""Coverage under laws that are hard: rare large values, heavy tails, probabilities near 0; and at the worst time.

20,000 repetitions each with a fixed seed. A method that covers with 95% or more is refused with a probability of 1e-7
(`ALLOWED` is that quantile of the binomial law), below 1e-6 for any one test; one that covers with 94% is refused in
nine of ten cases. Laws on two points at a fixed n are in test_intervals.py, by the binomial law itself.
"""

import math

import numpy as np
import pytest
from scipy import stats

from sojourn.bounds.heavy_tails import catoni, median_of_means
from sojourn.bounds.intervals import hoeffding_interval, maurer_pontil_half_width
from sojourn.bounds.sequences.catoni import Catoni
from sojourn.bounds.sequences.empirical_bernstein import EmpiricalBernstein
from sojourn.bounds.sequences.hoeffding import Hoeffding
from sojourn.bounds.sequences.normal_mixture import NormalMixture
from sojourn.bounds.sequences.stitched import Stitched
from sojourn.bounds.sides import error_of
from sojourn.kernels.bounds_running import LARGEST_LOW, LEAST_HIGH, predict

REPETITIONS = 20_000
ALLOWED = stats.binom.isf(1e-7, REPETITIONS, 0.05)
ERROR = error_of(0.95, "both", 1)


def assert_covers(missed):
    assert missed.shape == (REPETITIONS,)
    assert missed.sum() <= ALLOWED


def bernoulli(p):
    return lambda rng, n: (rng.random((REPETITIONS, n)) < p).astype(float), p, p * (1 - p)


def beta(a, b):
    return lambda rng, n: rng.beta(a, b, (REPETITIONS, n)), a / (a + b), a * b / ((a + b) ** 2 * (a + b + 1))


BOUNDED = {
    "p=1e-4": bernoulli(1e-4),
    "p=0.05": bernoulli(0.05),
    "p=0.5": bernoulli(0.5),
    "beta": beta(0.3, 3.0),
    "rare large": bernoulli(0.01),
}
bounded = pytest.mark.parametrize("law", BOUNDED.values(), ids=BOUNDED)


def two_points(q):
    """Mean 0, variance 1, the large value with probability q."""
    return lambda rng, n: np.where(rng.random((REPETITIONS, n)) < q, math.sqrt((1 - q) / q), -math.sqrt(q / (1 - q)))


HEAVY = {
    "student": lambda rng, n: rng.standard_t(3, (REPETITIONS, n)) / math.sqrt(3),
    "pareto": lambda rng, n: (rng.pareto(2.5, (REPETITIONS, n)) - 1 / 1.5) / math.sqrt(2.5 / (1.5**2 * 0.5)),
    "two points": two_points(0.01),
    "two points, rarer": two_points(0.0005),
    "normal": lambda rng, n: rng.standard_normal((REPETITIONS, n)),
}
heavy = pytest.mark.parametrize("law", HEAVY.values(), ids=HEAVY)


@bounded
@pytest.mark.parametrize("n", [20, 200])
def test_intervals_of_bounded_values(law, n):
    draw, mean, _ = law
    x = draw(np.random.default_rng(n), n)
    off = np.abs(x.mean(axis=1) - mean)
    assert_covers(off > hoeffding_interval(np.full(n, 0.5), range=(-9.5, 10.5)).half_width / 20)
    fixed = maurer_pontil_half_width(0, n, width=1, error=ERROR)
    by_deviation = maurer_pontil_half_width(1, n, width=1, error=ERROR) - fixed
    assert_covers(off > by_deviation * x.std(axis=1, ddof=1) + fixed)


@heavy
@pytest.mark.parametrize("n", [20, 500])
def test_intervals_for_heavy_tails(law, n):
    """Catoni's estimate is beyond 0 by h exactly if the sum of influences is above 0 at h."""
    x = law(np.random.default_rng(n), n)
    h = catoni(np.zeros(n), variance=1).half_width
    log = -math.log(float(ERROR))
    alpha = math.sqrt(2 * log * (n - 2 * log)) / n

    def influences(theta):
        u = alpha * (x - theta)
        return (np.sign(u) * np.log1p(np.abs(u) + u * u / 2)).sum(axis=1)

    assert_covers((influences(h) > 0) | (influences(-h) < 0))
    h = median_of_means(np.zeros(n), variance=1).half_width
    k = next(
        k
        for k in range(1, n, 2)
        if math.isclose(
            math.sqrt((1 / stats.beta.ppf(float(ERROR), (k + 1) // 2, (k + 1) // 2) - 1) / (n // k)), h, rel_tol=1e-9
        )
    )
    means = np.stack([part.mean(axis=1) for part in np.array_split(x, k, axis=1)])
    assert_covers(np.abs(np.median(means, axis=0)) > h)


def widths(make, n):
    """Half widths after 1, ..., n observations: they do not depend on the observations."""
    running = make()
    return np.array([running.update([0.0]).estimate().high for _ in range(n)])


def missed_at_any_time(x, mean, width):
    """Whether any of the intervals (mean of the first t) ± width[t] misses."""
    t = np.arange(1, x.shape[1] + 1)
    return (np.abs(np.cumsum(x - mean, axis=1) / t) > width).any(axis=1)


@bounded
@pytest.mark.parametrize("n", [50, 600])
def test_sequences_of_bounded_values_at_the_worst_time(law, n):
    draw, mean, variance = law
    x = draw(np.random.default_rng(n), n)
    assert_covers(missed_at_any_time(x, mean, widths(lambda: NormalMixture(variance_proxy=0.25, tightest_at=50), n)))
    assert_covers(missed_at_any_time(x, mean, widths(lambda: Stitched(variance_proxy=0.25), n)))
    by_variance = widths(lambda: Stitched(range=(-0.5, 0.5), variance=variance), n)  # the range cuts at 1/2
    assert_covers(missed_at_any_time(x, mean, np.where(by_variance < 0.5, by_variance, 1)))


@pytest.mark.parametrize("n", [50, 600])
@pytest.mark.parametrize("side", ["both", "upper"])
def test_sequences_of_normal_values_at_the_worst_time(n, side):
    """The normal law is the one for which sub-Gaussian bounds are sharp."""
    x = HEAVY["normal"](np.random.default_rng(n), n)
    for make in (
        lambda: NormalMixture(variance_proxy=1, tightest_at=50, side=side),
        lambda: Stitched(variance_proxy=1, side=side),
    ):
        if side == "both":
            assert_covers(missed_at_any_time(x, 0, widths(make, n)))
        else:
            over = np.cumsum(x, axis=1) / np.arange(1, n + 1)
            assert_covers((-over > widths(make, n)).any(axis=1))
    weights = np.minimum(
        np.sqrt(2 * -math.log(float(ERROR)) / (np.arange(1, n + 1) * np.log1p(np.arange(1, n + 1)))), 0.5
    )
    off = np.abs(np.cumsum(weights * x, axis=1) / np.cumsum(weights))
    assert_covers((off > widths(lambda: Hoeffding(variance_proxy=1), n)).any(axis=1))


@bounded
@pytest.mark.parametrize("n", [50, 600])
def test_empirical_bernstein_at_the_worst_time(law, n):
    """The running intersection holds the mean exactly if every interval did."""
    draw, mean, _ = law
    x = draw(np.random.default_rng(n), n)
    log = EmpiricalBernstein(range=(0, 1))._log
    ends = np.empty((REPETITIONS, 2))
    for row, end in zip(x, ends, strict=True):
        now = np.array([0.0, 0.0, 0.0, 0.0, 1.0])
        predict(row, 0.0, 1.0, log, np.zeros((4, 3)), now)
        end[:] = now[LARGEST_LOW], now[LEAST_HIGH]
    found = EmpiricalBernstein(range=(0, 1)).update(x[-1]).estimate()
    assert (found.low, found.high) == tuple(ends[-1])
    assert_covers((ends[:, 0] > mean) | (ends[:, 1] < mean))


@heavy
@pytest.mark.parametrize("n", [50, 600])
def test_catoni_sequence_at_the_worst_time(law, n):
    """An interval misses 0 exactly if the sum of influences at 0 is beyond the threshold."""
    x = law(np.random.default_rng(n), n)
    running = Catoni(variance=1.0)
    running.update(x[0])
    t = np.arange(1, n + 1)
    lam = np.sqrt(2 * running._log / (t * np.log1p(t) + 2 * running._log))
    u = lam * x
    threshold = running._log + np.cumsum(np.log1p(lam**2 / 2))
    beyond = np.abs(np.cumsum(np.sign(u) * np.log1p(np.abs(u) + u * u / 2), axis=1)) >= threshold
    for row in range(40):  # the class agrees at the last time
        assert (0.0 not in Catoni(variance=1.0).update(x[row]).estimate()) == beyond[row, -1]
    assert_covers(beyond.any(axis=1))
