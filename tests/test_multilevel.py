"""Multilevel Monte Carlo against closed forms: values, coverage, orders of decay, cost, refusals.

Single runs ask for a confidence of 1 - 1e-6, so a right implementation fails one of them with a probability of 1e-6,
if its bias is no larger than estimated; seeds are fixed.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
import sympy as sp
import torch
from scipy import stats
from scipy.integrate import quad

from sojourn.bounds.estimate import Estimate
from sojourn.calculus import ItoProcess, brownian, symbols
from sojourn.errors import InputError
from sojourn.multilevel import antithetic, expectation
from sojourn.multilevel.intervals import PILOT, EmpiricalBernstein, Samples
from sojourn.multilevel.levels import CHUNK, Level, Sums
from sojourn.multilevel.payoff import payoff
from sojourn.noise import Noise

SURE = 1 - 1e-6
S, x, y, t = symbols("S", positive=True), *symbols("x y t", real=True)
mu, sigma, kappa, theta = symbols("mu sigma kappa theta", positive=True)
W = brownian("W")
GBM = ItoProcess(S, mu * S, {W: sigma * S}, initial=100)(mu=0.05, sigma=0.2)
OU = ItoProcess(x, kappa * (theta - x), {W: sigma}, initial=2)(kappa=2.0, theta=1.0, sigma=0.5)
CIR = ItoProcess(S, kappa * (theta - S), {W: sigma * sp.sqrt(S)}, initial=0.06)(kappa=2.0, theta=0.04, sigma=0.3)
W1, W2 = brownian("W1 W2")
AREA = ItoProcess(
    [x, y], [0, 0], {W1: [1, 0], W2: [0, x]}, initial=[0, 0]
)  # y = int W1 dW2: the noise does not commute

MIXED = ItoProcess(  # the noise does not commute and depends on time
    [x, y], [-x * (1 + t), sp.sin(t)], {W1: [1, sp.Rational(3, 10) * x], W2: [y / 5, x + t]}, initial=[1, sp.S.Half]
)

CALL = sp.exp(-mu * t) * sp.Max(S - 100, 0)
D1 = (0.05 + 0.02) / 0.2
BLACK_SCHOLES = 100 * stats.norm.cdf(D1) - 100 * math.exp(-0.05) * stats.norm.cdf(D1 - 0.2)
ABOVE = stats.norm.cdf(D1 - 0.2)
OU_SQUARE = (1 + math.exp(-2)) ** 2 + 0.25 / 4 * (1 - math.exp(-4))
CIR_MEAN = 0.04 + 0.02 * math.exp(-2)
CIR_SQUARE = CIR_MEAN**2 + 0.06 * 0.09 / 2 * (math.exp(-2) - math.exp(-4)) + 0.04 * 0.09 / 4 * (1 - math.exp(-2)) ** 2


@pytest.mark.parametrize(
    ("f", "process", "truth", "tolerance", "scheme"),
    [
        (S, GBM, 100 * math.exp(0.05), 0.3, None),
        (S**2, GBM, 1e4 * math.exp(0.1 + 0.04), 60.0, None),
        (x, OU, 1 + math.exp(-2), 0.01, None),
        (x**2, OU, OU_SQUARE, 0.02, None),
        (S, CIR, CIR_MEAN, 1e-3, None),
        (S**2, CIR, CIR_SQUARE, 1e-4, None),
        (CALL, GBM, BLACK_SCHOLES, 0.2, None),
        (CALL, GBM, BLACK_SCHOLES, 0.2, "euler"),
        (S > 100, GBM, ABOVE, 0.02, None),
        (S > 100, GBM, ABOVE, 0.02, "euler"),
        (y**2, AREA, 0.5, 0.02, None),
        (y**2, AREA, 0.5, 0.05, "euler"),
        (lambda state: torch.cos(state["x"]), AREA, math.exp(-0.5), 0.01, None),
    ],
)
def test_the_interval_holds_the_closed_form(f, process, truth, tolerance, scheme):
    found = expectation(f, process, 1.0, tolerance=tolerance, confidence=SURE, scheme=scheme, seed=1)
    assert truth in found
    assert found.half_width <= tolerance


@pytest.mark.parametrize(
    ("f", "process", "truth", "tolerance"),
    [(CALL, GBM, BLACK_SCHOLES, 0.8), (S > 100, GBM, ABOVE, 0.04), (S > 150, GBM, stats.norm.cdf(-1.877326), 0.01)],
)
def test_intervals_cover_as_often_as_they_say(f, process, truth, tolerance):
    found = [expectation(f, process, 1.0, tolerance=tolerance, seed=seed) for seed in range(200)]
    hits = sum(truth in e for e in found)
    assert hits >= stats.binom.ppf(1e-6, 200, 0.95)
    assert 0.6 < np.mean([e.half_width for e in found]) / tolerance <= 1


def heston_call(kappa, theta, sigma, rho, v, r, S, K):
    """Heston's price of a call of one year, by Fourier inversion of the characteristic function of log S_1."""

    def phi(u):
        d = np.sqrt((rho * sigma * 1j * u - kappa) ** 2 + sigma**2 * (1j * u + u * u))
        c = kappa - rho * sigma * 1j * u
        g, decay = (c - d) / (c + d), np.exp(-d)
        C = kappa * theta / sigma**2 * (c - d - 2 * np.log((1 - g * decay) / (1 - g)))
        D = (c - d) / sigma**2 * (1 - decay) / (1 - g * decay)
        return np.exp(1j * u * (np.log(S) + r) + C + D * v)

    def probability(shift):
        def integrand(u):
            return (np.exp(-1j * u * np.log(K)) * phi(u - 1j * shift) / phi(-1j * shift) / (1j * u)).real

        return 0.5 + quad(integrand, 1e-9, 300, limit=500)[0] / np.pi

    return S * probability(1) - K * np.exp(-r) * probability(0)


def test_a_call_under_heston_costs_what_fourier_inversion_says():
    V = symbols("V", real=True)
    B1, B2 = brownian("B1 B2", correlation=-0.5)
    root = sp.sqrt(sp.Max(V, 0))
    heston = ItoProcess(
        [S, V], [mu * S, kappa * (theta - V)], {B1: [root * S, 0], B2: [0, sigma * root]}, initial=[100, 0.04]
    )(mu=0.05, kappa=2.0, theta=0.04, sigma=0.3)
    found = expectation(CALL, heston, 1.0, tolerance=0.15, confidence=SURE, seed=3)
    assert found.scheme == "milstein-truncated"
    assert heston_call(2.0, 0.04, 0.3, -0.5, 0.04, 0.05, 100.0, 100.0) in found


def ladder_of(process, scheme, f, depth, paths):
    start = process.discretise(1.0, scheme)
    levels = [Level(k, start, 1.0, payoff(f, process, 1.0), Noise(3)) for k in range(depth)]
    for level in levels:
        level.sample(paths)
    return levels


@pytest.mark.parametrize(
    ("scheme", "f", "order", "slack"),
    [
        ("milstein", S, 2.0, 0.15),
        ("milstein", CALL, 2.0, 0.2),
        ("milstein", S > 100, 1.0, 0.25),
        ("euler", S, 1.0, 0.15),
        ("euler", CALL, 1.0, 0.2),
        ("euler", S > 100, 0.5, 0.2),
    ],
)
def test_variances_of_the_differences_fall_as_the_theory_says(scheme, f, order, slack):
    levels = ladder_of(GBM(sigma=0.5), scheme, f, 8, 20_000)[3:]
    v = [level.differences.variance for level in levels]
    slope = np.polyfit(range(len(v)), np.log2(v), 1)[0]
    assert abs(-slope - order) < slack


@pytest.mark.parametrize(
    ("process", "f", "order", "slack"),
    [(AREA, y**2, 2.0, 0.25), (MIXED, y**2, 2.0, 0.25), (MIXED, sp.Abs(y - 0.5), 1.5, 0.6)],
)
def test_twins_give_noise_that_does_not_commute_variances_of_order_two(process, f, order, slack):
    v, plain = (
        [level.differences.variance for level in ladder_of(process, scheme, f, 7, 20_000)[3:]]
        for scheme in ("milstein-truncated", "euler")
    )
    assert abs(-np.polyfit(range(len(v)), np.log2(v), 1)[0] - order) < slack
    assert v[-1] < plain[-1] / 10


def test_a_twin_takes_the_increments_of_each_pair_of_steps_in_the_other_order():
    process, noise = MIXED.discretise(0.25, "milstein-truncated"), Noise(6)
    twin = antithetic.run_twin(process, 4, 3, noise)
    swapped = process.initial(3, noise)
    for k in range(4):
        time = torch.full((3,), 0.25 * k, dtype=torch.float64)
        a, b = swapped["x"], swapped["y"]
        dW1, dW2 = process.increments(k ^ 1, 3, noise, torch.float64, "cpu").W
        B = [[1 + 0 * a, b / 5], [0.3 * a, a + time]]
        I11, I12, I22 = (dW1**2 - 0.25) / 2, dW1 * dW2 / 2, (dW2**2 - 0.25) / 2
        # Lj B_k = B_1j dB_k/dx + B_2j dB_k/dy, with dB_1/dx = (0, 0.3), dB_2/dx = (0, 1), dB_2/dy = (1/5, 0)
        L = {(j, k): ((B[1][j] / 5, B[0][j]) if k else (0 * a, 0.3 * B[0][j])) for j in (0, 1) for k in (0, 1)}
        swapped = {
            name: value
            + drift * 0.25
            + B[i][0] * dW1
            + B[i][1] * dW2
            + L[0, 0][i] * I11
            + L[1, 1][i] * I22
            + (L[0, 1][i] + L[1, 0][i]) * I12
            for i, (name, value, drift) in enumerate((("x", a, -a * (1 + time)), ("y", b, torch.sin(time))))
        }
    for name in ("x", "y"):
        assert torch.allclose(twin[name], swapped[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("scheme", "f"), [("milstein", S), ("euler", S), ("milstein", CALL)])
def test_means_of_the_differences_fall_with_weak_order_one(scheme, f):
    levels = ladder_of(GBM(mu=0.5), scheme, f, 6, 40_000)[2:]
    m = [level.differences.mean for level in levels]
    assert abs(-np.polyfit(range(len(m)), np.log2(np.abs(m)), 1)[0] - 1) < 0.25


@pytest.mark.parametrize(("process", "scheme", "f"), [(GBM, "milstein", CALL), (MIXED, "milstein-truncated", y**2)])
def test_the_coarse_path_of_a_level_has_the_law_of_the_fine_path_below(process, scheme, f):
    levels = ladder_of(process, scheme, f, 5, 20_000)
    bound = stats.norm.isf(0.5e-6 / 4)
    for below, level in pairwise(levels):
        coarse = level.values.mean - level.differences.mean
        error = math.sqrt(2 * below.values.variance / below.paths)
        assert abs(coarse - below.values.mean) <= bound * error


def test_fine_and_coarse_follow_one_brownian_path():
    drifting = ItoProcess(x, 1, {W: 2}, initial=0)  # solved exactly by every scheme: no difference but rounding
    for level in ladder_of(drifting, "euler", x, 5, 100)[1:]:
        assert level.differences.lowest > -1e-13
        assert level.differences.highest < 1e-13


def test_more_paths_are_new_members_and_old_sums_stay():
    once, twice = (Level(2, GBM.discretise(1.0, "milstein"), 1.0, payoff(S, GBM, 1.0), Noise(0)) for _ in range(2))
    once.sample(CHUNK + 900)
    for paths in (400, 100, CHUNK, 400):
        twice.sample(paths)
    assert once.paths == twice.paths
    for a, b in ((once.values, twice.values), (once.differences, twice.differences)):
        for name in ("mean", "variance", "kurtosis", "lowest", "highest"):
            assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-9)


@pytest.mark.parametrize("law", [stats.bernoulli(0.02), stats.beta(0.3, 2.0)])
def test_the_bernstein_half_width_holds_the_mean(law):
    draws = law.rvs((4000, PILOT), random_state=np.random.default_rng(2))
    bound = EmpiricalBernstein(0.5, 1.0)  # one level, one size: it spends 1/4 of 1/2, and less than 4000 / 8 may miss
    one = np.ones(1)
    widths = [bound.half_width(Samples(0 * one, d.var(ddof=1) * one, 3 * one, np.array([PILOT]), one)) for d in draws]
    misses = np.abs(draws.mean(1) - law.mean()) > widths
    assert misses.sum() <= stats.binom.ppf(1 - 1e-6, 4000, 1 / 8)


def test_bounds_turn_the_limit_theorem_into_an_inequality():
    found = expectation(S > 150, GBM, 1.0, tolerance=0.02, bounds=(0, 1))
    assert "probability of at least 0.95" in found.statement
    assert found.guarantee == "asymptotic"  # the bias is no inequality's
    assert found.half_width <= 0.02
    assert stats.norm.cdf(-1.877326) in found
    assert found.cost > 2 * expectation(S > 150, GBM, 1.0, tolerance=0.02).cost


def test_sums_give_the_moments_of_all_the_numbers():
    numbers = 1e3 + stats.gamma(0.5).rvs(5000, random_state=np.random.default_rng(0))
    sums = Sums()
    for piece in np.split(numbers, [7, 1000, 1001]):
        sums.add(piece)
    assert sums.mean == pytest.approx(numbers.mean())
    assert sums.variance == pytest.approx(numbers.var(ddof=1))
    assert sums.kurtosis == pytest.approx(stats.kurtosis(numbers, fisher=False))


def test_the_result_is_a_function_of_its_arguments():
    first, second = (expectation(CALL, GBM, 1.0, tolerance=0.5, seed=4) for _ in range(2))
    assert first == second
    assert first.value != expectation(CALL, GBM, 1.0, tolerance=0.5, seed=5).value


def test_work_grows_as_the_inverse_square_of_the_tolerance():
    costs = [expectation(S, GBM, 1.0, tolerance=tolerance, seed=0).cost for tolerance in (0.4, 0.1)]
    assert 10 < costs[1] / costs[0] < 25  # 16, and plain Monte Carlo's 64


def test_steps_at_which_the_scheme_is_unstable_are_left_out():
    stiff = OU(kappa=60.0)
    found = expectation(x, stiff, 1.0, tolerance=0.01, confidence=SURE)
    assert found.levels[0].dt <= 2 / 60
    assert 1 in found
    assert any("tried and left" in limit for limit in found.limits)


def test_steps_at_which_paths_leave_the_domain_are_left_out():
    found = expectation(S, CIR, 1.0, tolerance=2e-3)
    assert found.levels[0].dt < 1
    assert math.isfinite(found.value)


def test_a_discontinuous_payoff_is_told_by_its_variances():
    found = expectation(S > 100, GBM, 1.0, tolerance=0.01, scheme="euler")
    assert found.beta is not None
    assert found.beta[0] < 0.8
    assert any("jumps" in check for check in found.checks)


def test_a_payoff_that_every_path_agrees_on_is_said_to_be_one():
    found = expectation(sp.Piecewise((1, S > 1e6), (0, True)), GBM, 1.0, tolerance=0.01)
    assert found.value == 0
    assert any("every path gave the same value" in limit for limit in found.limits)


def test_a_probability_of_what_no_path_did_has_the_width_of_the_rule_of_three():
    found = expectation(S > 1e6, GBM, 1.0, tolerance=0.001)
    assert found.value == 0
    assert found.statistical >= 2.9 / found.levels[0].paths


def test_a_process_without_noise_has_no_statistical_error():
    decay = ItoProcess(x, -x, {}, initial=1)
    found = expectation(x, decay, 1.0, tolerance=1e-3)
    assert found.statistical < 1e-12
    assert math.exp(-1) in found


def test_the_initial_value_may_be_an_expression_in_parameters():
    begins = ItoProcess(S, mu * S, {W: sigma * S}, initial=2 * theta)(mu=0.05, sigma=0.2, theta=50.0)
    assert expectation(S, begins, 1.0, tolerance=0.5).value == expectation(S, GBM, 1.0, tolerance=0.5).value


def test_it_is_an_estimate_whose_interval_is_the_sum_of_its_two_parts():
    found = expectation(CALL, GBM, 1.0, tolerance=0.5)
    assert isinstance(found, Estimate)
    assert found.half_width == pytest.approx(found.statistical + found.bias, rel=1e-12)
    assert found.observations == sum(row.paths for row in found.levels)
    assert found.to_dict()["interval"] == [found.low, found.high]
    assert "\n" not in str(found)


def test_it_explains_the_table_and_says_what_holds():
    found = expectation(CALL, GBM, 1.0, tolerance=0.5)
    text = found.explain()
    assert text.startswith(f"{found}: ")
    assert "Assumes that the differences go on falling" in text
    assert "variance" in text
    assert "extrapolation, not a bound" in " ".join(text.split())
    assert "Not covered: " in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tolerance": 0}, "tolerance=0 is not a positive number"),
        ({"tolerance": float("nan")}, "tolerance=nan is not a positive number"),
        ({"confidence": 1.0}, "confidence=1.0 is not between 0 and 1"),
        ({"T": -1.0}, "T=-1.0 is not a positive number"),
        ({"max_cost": 0}, "max_cost=0 is not a positive number"),
        ({"tolerance": 1e-6}, "above max_cost=1.0e+09; raise max_cost, or ask for a tolerance of about"),
        ({"f": S > 100, "tolerance": 1e-12}, "raise max_cost, or ask for a tolerance of about"),
        ({"tolerance": 1e-300}, "tolerance=1e-300 is below 1e-100"),
        ({"max_cost": 10}, "above max_cost=1.0e+01; raise it"),
        ({"f": sp.I * S}, "f=I*S is not real"),
        ({"f": sp.Function("g")(S)}, "f has the unknown function g(S)"),
        ({"bounds": (1, 0)}, "bounds=(1, 0) are not two finite numbers in order"),
        ({"bounds": 1}, "bounds=1 are not two numbers"),
        ({"bounds": (0, 120)}, "outside bounds=(0, 120); give wider ones"),
        ({"scheme": "weak2"}, "cannot follow a path"),
        ({"process": AREA, "f": x, "scheme": "milstein-levy"}, "the levels' means would not add up"),
        ({"f": "S"}, "neither an expression in the states nor a function"),
        ({"f": theta * S}, "f depends on theta, which is no state and has no value"),
        ({"f": lambda state: state["S"].mean()}, "needed is a tensor of shape"),
        ({"f": sp.log(S - 100)}, "f is not finite on some paths"),
        ({"process": ItoProcess(S, mu * S, {W: S}, initial=1)}, "mu has no value; give it one"),
        ({"process": ItoProcess(S, 0, {W: S})}, "the process has no initial value"),
        ({"process": GBM(mu=torch.ones(7))}, "mu is not one number"),
        ({"process": 3}, "expectation needs an ItoProcess"),
        ({"scheme": "eulre"}, "scheme='eulre' is not known"),
        ({"process": AREA, "f": x, "scheme": "milstein"}, "needs noise that commutes"),
    ],
)
def test_refusals_name_the_thing_and_the_remedy(change, message):
    arguments = {"f": S, "process": GBM, "T": 1.0, "tolerance": 0.5} | change
    with pytest.raises(InputError) as caught:
        expectation(**arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
