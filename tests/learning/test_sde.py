"""Parameters of SDEs from paths: densities against SciPy, maxima and information in closed form, coverage, errors."""

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
import torch
import xarray as xr
from scipy.linalg import expm
from scipy.stats import binom, lognorm, multivariate_normal, ncx2, norm

import sojourn as sj
from sojourn.calculus import ItoProcess, brownian, symbols
from sojourn.errors import InputError
from sojourn.learning.sde.bessel import log_bessel_i
from sojourn.learning.sde.fit import fit_sde
from sojourn.learning.sde.learn import learn_sde
from sojourn.learning.sde.likelihoods import gaussian, likelihood, linear_moments
from sojourn.learning.sde.networks import _PRIOR, CoefficientNetworks, _cubature, moments, refit_drift
from sojourn.learning.sde.transitions import transitions
from sojourn.training.loop import Training

X, Y, m = symbols("X Y m", real=True)
S, kappa, theta, sigma, a, b = symbols("S kappa theta sigma a b", positive=True)
t = symbols("t", positive=True)
W = brownian("W")
W1, W2 = brownian("W1 W2", correlation=0.4)
OU = ItoProcess(X, kappa * (m - X), {W: sigma})
GBM = ItoProcess(S, m * S, {W: sigma * S})
CIR = ItoProcess(S, kappa * (theta - S), {W: sigma * sp.sqrt(S)})
WELL = ItoProcess(X, a * X - b * X**3, {W: sigma})


def data(times, **fields):
    return xr.Dataset({name: (("ensemble", "time"), np.atleast_2d(v)) for name, v in fields.items()}, {"time": times})


def log_density(process, values, dataset, kind=None):
    """(n,) of the transitions, at the parameters given by name."""
    sde = process.coefficients()
    law = likelihood(sde, kind)
    p = [torch.tensor(values[s.name], dtype=torch.float64) for s in sde.parameters]
    return law.log_density(p, transitions(dataset, [s.name for s in sde.states])).numpy()


# ------------------------------------------------------------------------------------------------ densities


@pytest.mark.parametrize("nu", [-0.9, 0.0, 0.3, 7.5, 49.0, 200.0, 3000.0])
def test_bessel_functions_are_those_of_mpmath(nu):
    z = [1e-3, 0.1, 1.0, 10.0, 40.0, 49.9, 50.1, 300.0, 1e4]
    found = log_bessel_i(torch.tensor(nu, dtype=torch.float64), torch.tensor(z, dtype=torch.float64))
    with mpmath.workdps(40):
        expected = [float(mpmath.log(mpmath.besseli(nu, x))) for x in z]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14, atol=1e-13)


def test_bessel_functions_have_the_gradient_in_order_and_argument():
    nu = torch.tensor(2.3, dtype=torch.float64, requires_grad=True)
    z = torch.tensor([0.5, 20.0, 49.0, 51.0, 400.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(log_bessel_i, (nu, z), rtol=1e-6)
    assert torch.autograd.gradgradcheck(log_bessel_i, (nu, z), rtol=1e-5)


def test_ornstein_uhlenbeck_density_at_irregular_times():
    times, x = np.array([0.0, 0.1, 0.5, 2.5, 30.0]), np.array([0.3, 0.1, 0.9, -0.2, 0.6])
    decay = np.exp(-1.3 * np.diff(times))
    expected = norm.logpdf(x[1:], 0.5 + (x[:-1] - 0.5) * decay, 0.7 * np.sqrt((1 - decay**2) / 2.6))
    values = {"kappa": 1.3, "m": 0.5, "sigma": 0.7}
    np.testing.assert_allclose(log_density(OU, values, data(times, X=x)), expected, rtol=1e-8)
    # and Runge-Kutta on the moment equations, exact for a linear SDE, where its steps are small
    p = [torch.tensor(values[s.name], dtype=torch.float64) for s in OU.parameters]
    found = gaussian(OU.coefficients(), 32).log_density(p, transitions(data(times[:4], X=x[:4])))
    np.testing.assert_allclose(found, expected[:3], rtol=1e-5)


@pytest.mark.parametrize("hypoelliptic", [False, True])
def test_linear_system_density(hypoelliptic):
    noise = {W1: [0, sigma]} if hypoelliptic else {W1: [0.2, sigma], W2: [0.3, 0]}
    process = ItoProcess([X, Y], [Y + m, -kappa * X - Y], noise)
    times, x, y = np.array([0.0, 0.3, 1.3, 9.0]), [1.0, 1.2, 0.4, 0.0], [0.0, -0.1, 0.5, 0.3]
    found = log_density(process, {"kappa": 2.0, "m": 0.4, "sigma": 0.5}, data(times, X=x, Y=y))
    M, c = np.array([[0, 1.0], [-2.0, -1.0]]), np.array([0.4, 0.0])
    cross = 0.4 * 0.5 * 0.3  # the second column times the correlation
    Q = np.diag([0, 0.25]) if hypoelliptic else np.array([[0.13, 0.1 + cross], [0.1 + cross, 0.25]])
    if not hypoelliptic:
        Q[0, 0] = 0.2**2 + 0.3**2 + 2 * 0.4 * 0.2 * 0.3
    for k, h in enumerate(np.diff(times)):
        block = expm(np.block([[M, Q], [np.zeros((2, 2)), -M.T]]) * h)  # Van Loan's
        E = expm(M * h)
        mean = E @ [x[k], y[k]] + np.linalg.solve(M, (E - np.eye(2)) @ c)
        expected = multivariate_normal.logpdf([x[k + 1], y[k + 1]], mean, block[:2, 2:] @ E.T)
        assert found[k] == pytest.approx(expected, rel=1e-8)


def test_linear_moments_are_stable_for_long_spans():
    M, h = torch.tensor([[-50.0]], dtype=torch.float64), torch.tensor([1e-6, 0.1, 40.0], dtype=torch.float64)
    E, shift, V = linear_moments(M, torch.tensor([2.0], dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64), h)
    np.testing.assert_allclose(E[:, 0, 0], np.exp(-50 * h.numpy()), rtol=1e-9)
    np.testing.assert_allclose(shift[:, 0], -2 / 50 * np.expm1(-50 * h.numpy()), rtol=1e-12)
    np.testing.assert_allclose(V[:, 0, 0], -np.expm1(-100 * h.numpy()) / 100, rtol=1e-12)


def test_geometric_brownian_motion_density():
    times, x = np.array([0.0, 0.5, 2.0]), np.array([1.0, 1.3, 0.8])
    h = np.diff(times)
    expected = lognorm.logpdf(x[1:], 0.4 * np.sqrt(h), scale=x[:-1] * np.exp((0.1 - 0.08) * h))
    np.testing.assert_allclose(log_density(GBM, {"m": 0.1, "sigma": 0.4}, data(times, S=x)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("level", "rate", "noise"), [(0.5, 1.0, 0.3), (0.02, 0.5, 0.4), (2.0, 3.0, 0.1), (1.0, 1e-5, 0.5)]
)
def test_square_root_density(level, rate, noise):
    """Feller's condition is broken by the second; the third needs the asymptotic series."""
    times, x = np.array([0.0, 0.05, 0.5, 3.0]), level * (1 + noise * np.array([0.0, 0.3, -0.6, 0.2]))
    h = np.diff(times)
    c = 2 * rate / (noise**2 * -np.expm1(-rate * h))
    expected = ncx2.logpdf(2 * c * x[1:], 4 * rate * level / noise**2, 2 * c * x[:-1] * np.exp(-rate * h)) + np.log(
        2 * c
    )
    values = {"kappa": rate, "theta": level, "sigma": noise}
    known = np.isfinite(expected)  # SciPy's is not at the end of the third
    assert known[:2].all()
    np.testing.assert_allclose(log_density(CIR, values, data(times, S=x))[known], expected[known], rtol=1e-7)
    clipped = ItoProcess(X, kappa * (theta - X), {W: sigma * sp.sqrt(sp.Max(X, 0))})
    np.testing.assert_allclose(log_density(clipped, values, data(times, X=x))[known], expected[known], rtol=1e-7)


@pytest.mark.parametrize(
    "process",
    [WELL, ItoProcess(X, X + t**2 - X**3, {W: 1 + X**2 / 2 + t}), ItoProcess(X, -X, {W: sp.Rational(1, 2) * X + 1})],
)
def test_moments_are_right_through_the_square_of_the_span(process):
    """Against Kessler's expansion, sum_k h^k L^k f / k! up to k = 5: the difference falls as h^3, or faster."""
    numbers = {a: sp.Rational(11, 10), b: sp.Rational(9, 10), sigma: sp.Rational(3, 5)}
    sde = process.subs({s: numbers[s] for s in process.parameters}).coefficients()

    def expansion(f, h):
        total, term = 0.0, f
        for k in range(6):
            total += h**k / math.factorial(k) * float(term.subs({X: 0.7, sde.time: 0.2}))
            term = sp.expand(sde.L0(term))
        return total

    errors = []
    for h in (0.02, 0.01):
        mean = expansion(X, h)
        variance = expansion(X**2, h) - mean**2
        errors.append(_moments(process, numbers, 0.7, 0.2, h) - np.array([mean, variance]))
    ratio = np.abs(errors[0] / errors[1])
    assert np.all((np.abs(np.array(errors)[1]) < 1e-9) | (ratio > 6.5))


def _moments(process, numbers, x, time, h):
    """Mean and variance of the normal density, from its values at three points."""
    values = {s.name: float(v) for s, v in numbers.items()}
    logs = [log_density(process, values, data([time, time + h], X=[x, x + d]), "gaussian")[0] for d in (-0.1, 0.0, 0.1)]
    curvature = (logs[0] - 2 * logs[1] + logs[2]) / 0.01
    slope = (logs[2] - logs[0]) / 0.2
    return np.array([x - slope / curvature, -1 / curvature])


# ------------------------------------------------------------------------------------- maxima in closed form


def test_maximum_of_ornstein_uhlenbeck_is_the_regression():
    x, h = ornstein_uhlenbeck(np.random.default_rng(1), 1, 500, 0.2), 0.2
    fit = fit_sde(OU, data(np.arange(501) * h, X=x), start={"kappa": 3.0, "m": 0.0, "sigma": 1.0})
    slope, level = np.polyfit(x[0, :-1], x[0, 1:], 1)
    residual = np.mean((x[0, 1:] - slope * x[0, :-1] - level) ** 2)
    rate = -np.log(slope) / h
    expected = {"kappa": rate, "m": level / (1 - slope), "sigma": np.sqrt(residual * 2 * rate / (1 - slope**2))}
    for name, value in expected.items():
        assert fit.estimates[name].value == pytest.approx(value, rel=1e-6)
    assert fit.process.discretise(0.1).parameters == {n: e.value for n, e in fit.estimates.items()}


@pytest.mark.parametrize("start", [1.0, 2.0, -1.0, -0.1])
def test_a_law_that_is_even_in_a_parameter_keeps_the_sign_of_the_guess(start):
    """dX = m dt + s dW: the maximum is at +- the root mean square of X's steps about their mean, over h."""
    s = symbols("s", real=True)
    steps = 0.2 * np.random.default_rng(0).normal(size=199)
    paths = data(np.arange(200) * 0.1, X=np.concatenate([[0.0], np.cumsum(steps)]))
    fitted = fit_sde(ItoProcess(X, m, {W: s}), paths, start={"m": 0.0, "s": start})
    assert fitted.estimates["s"].value == pytest.approx(math.copysign(steps.std() / 0.1**0.5, start), rel=1e-6)
    assert fitted.estimates["m"].value == pytest.approx(steps.mean() / 0.1, rel=1e-6)


def test_maximum_and_information_of_geometric_brownian_motion():
    rng, h, n = np.random.default_rng(2), 0.1, 400
    steps = 0.05 * h + 0.3 * np.sqrt(h) * rng.standard_normal(n)
    path = np.exp(np.concatenate([[0.0], np.cumsum(steps)]))
    fit = fit_sde(GBM, data(np.arange(n + 1) * h, S=path), start={"m": 1.0, "sigma": 1.0}, confidence=0.9)
    s = np.sqrt(np.var(steps) / h)
    assert fit.estimates["sigma"].value == pytest.approx(s, rel=1e-6)
    assert fit.estimates["m"].value == pytest.approx(np.mean(steps) / h + s**2 / 2, rel=1e-6)
    expected = [[s**2 / (n * h) + s**4 / (2 * n), s**2 / (2 * n)], [s**2 / (2 * n), 1 / (2 * n)]]  # of m and log sigma
    np.testing.assert_allclose(fit.covariance, expected, rtol=1e-4)
    low, high = fit.estimates["sigma"].low, fit.estimates["sigma"].high
    assert (low, high) == pytest.approx(
        (s * np.exp(-1.64485 / np.sqrt(2 * n)), s * np.exp(1.64485 / np.sqrt(2 * n))), rel=1e-4
    )


def test_euler_is_biased_by_h_as_it_says_and_the_moments_are_not():
    """E[log slope] of Euler on Ornstein-Uhlenbeck is (1 - exp(-kappa h)) / h; 1e-6 false alarms at 5 deviations."""
    x, h = ornstein_uhlenbeck(np.random.default_rng(3), 20, 1000, 0.4), 0.4
    paths, start = data(np.arange(1001) * h, X=x), {"kappa": 1.0, "m": 0.0, "sigma": 1.0}
    fits = {kind: fit_sde(OU, paths, start=start, likelihood=kind) for kind in ("exact", "gaussian", "euler")}
    rate = fits["exact"].estimates["kappa"].value
    assert fits["euler"].estimates["kappa"].value == pytest.approx(-np.expm1(-rate * h) / h, rel=1e-6)
    assert fits["gaussian"].estimates["kappa"].value == pytest.approx(rate, rel=1e-4)
    assert "bias of O(h)" in str(fits["euler"])
    assert "bias" not in str(fits["exact"])


def test_a_correlation_and_a_path_of_the_driver():
    """A system with a correlated noise, simulated here; 5 deviations, 1e-6 false alarms."""
    rho = symbols("rho", real=True)
    V1, V2 = brownian("V1 V2", correlation=rho)
    process = ItoProcess([X, Y], [-kappa * X, X - Y], {V1: [sigma, 0], V2: [0, 0.5]}, initial=[0, 0])
    truth = {"kappa": 1.0, "sigma": 0.7, "rho": -0.6}
    paths = sj.simulate(
        process(**truth).discretise(0.01), ensemble=10, steps=4000, save_every=20, seed=1, progress=False
    )
    fit = fit_sde(process, paths, start={"kappa": 2.0, "sigma": 0.2, "rho": 0.1}, confidence=1 - 6e-7)
    for name, value in truth.items():
        assert fit.estimates[name].low < value < fit.estimates[name].high
    assert fit.likelihood.kind == "exact"


# ------------------------------------------------------------------------------------------------ coverage


def ornstein_uhlenbeck(rng, paths, steps, h, rate=1.0, mean=0.5, noise=0.3):
    decay = np.exp(-rate * h)
    x = [mean + noise / np.sqrt(2 * rate) * rng.standard_normal(paths)]
    for _ in range(steps):
        x.append(
            mean + (x[-1] - mean) * decay + noise * np.sqrt((1 - decay**2) / (2 * rate)) * rng.standard_normal(paths)
        )
    return np.stack(x, 1)


def geometric(rng, paths, steps, h):
    grown = (0.1 - 0.3**2 / 2) * h + 0.3 * np.sqrt(h) * rng.standard_normal((paths, steps))
    return np.exp(np.concatenate([np.zeros((paths, 1)), np.cumsum(grown, 1)], 1))


def square_root(rng, paths, steps, h, rate=1.0, level=0.5, noise=0.3):
    x, c = [np.full(paths, level)], 2 * rate / (noise**2 * -np.expm1(-rate * h))
    for _ in range(steps):
        x.append(rng.noncentral_chisquare(4 * rate * level / noise**2, 2 * c * x[-1] * np.exp(-rate * h)) / (2 * c))
    return np.stack(x, 1)


def well(rng, paths, steps, h, noise=0.5, substeps=20):
    x, dt = [np.ones(paths)], h / substeps
    for _ in range(steps):
        y = x[-1]
        for _ in range(substeps):
            y = y + (y - y**3) * dt + noise * np.sqrt(dt) * rng.standard_normal(paths)
        x.append(y)
    return np.stack(x, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("process", "draw", "sets", "steps", "truth"),
    [
        (OU, ornstein_uhlenbeck, 120, 400, {"kappa": 1.0, "m": 0.5, "sigma": 0.3}),
        (GBM, geometric, 200, 300, {"m": 0.1, "sigma": 0.3}),
        (CIR, square_root, 50, 300, {"kappa": 1.0, "theta": 0.5, "sigma": 0.3}),
        (WELL, well, 30, 300, {"a": 1.0, "b": 1.0, "sigma": 0.5}),
    ],
    ids=["Ornstein-Uhlenbeck", "geometric", "square root", "double well"],
)
def test_intervals_cover_the_truth(process, draw, sets, steps, truth):
    """At 95%; the fewest hits allowed have a probability of 1e-6 for each parameter if coverage is what it says."""
    x = draw(np.random.default_rng(4), sets, steps, 0.2)
    hits = dict.fromkeys(truth, 0)
    for path in x:
        fit = fit_sde(process, data(np.arange(steps + 1) * 0.2, **{process.state.name: path}), start=truth)
        for name, value in truth.items():
            hits[name] += fit.estimates[name].low <= value <= fit.estimates[name].high
    assert min(hits.values()) >= binom.ppf(1e-6, sets, 0.95), hits


# ------------------------------------------------------------------------------------------------ bad input

PATH = data(np.arange(5) * 0.1, X=[1.0, 1.1, 0.9, 1.2, 1.0])
START = {"kappa": 1.0, "m": 0.0, "sigma": 1.0}


@pytest.mark.parametrize(
    ("process", "paths", "options", "message"),
    [
        (OU(kappa=1.0, m=0.0, sigma=1.0), PATH, {}, "no parameter without a value"),
        (OU, PATH, {"start": {"kappa": 1.0, "m": 0.0}}, "start has no guess for sigma"),
        (OU, PATH, {"start": {**START, "mu": 1.0}}, "start names 'mu'"),
        (OU, PATH, {"start": {**START, "kappa": -1.0}}, "start has kappa=-1.0; needed is a positive number"),
        (GBM, PATH, {}, "trajectory has no field 'S'; it has X"),
        (OU, PATH.isel(time=[0]), {}, "trajectory has 1 frame; two or more are needed"),
        (OU, PATH.isel(time=[0, 2, 1]), {}, "times of the trajectory do not increase"),
        (OU, PATH.where(PATH["time"] < 0.3), {}, "field 'X' holds values that are not finite"),
        (OU, PATH.rename(ensemble="member"), {}, r"field 'X' has dims \('member', 'time'\)"),
        (OU, np.ones(3), {}, "trajectory is ndarray"),
        (OU, PATH, {"likelihood": "kessler"}, "likelihood='kessler' is not exact, gaussian or euler"),
        (WELL, PATH, {"likelihood": "exact"}, "exact transition law of this SDE is not known"),
        (OU, PATH, {"confidence": 95}, "confidence=95 is not between 0 and 1"),
        (GBM, PATH.rename(X="S") - 1, {"start": {"m": 0.0, "sigma": 1.0}}, "the paths fall to -0.1"),
    ],
)
def test_bad_input_in_one_line(process, paths, options, message):
    with pytest.raises(InputError, match=message) as caught:
        fit_sde(process, paths, **{"start": START, **options})
    assert "\n" not in str(caught.value)


def test_parameters_that_paths_do_not_tell_apart_are_named():
    process = ItoProcess(X, -kappa * X, {W: sigma * sp.exp(m)})
    x = ornstein_uhlenbeck(np.random.default_rng(5), 1, 300, 0.2, mean=0.0)
    with pytest.raises(InputError, match=r"do not determine m, sigma apart.*such as process"):
        fit_sde(process, data(np.arange(301) * 0.2, X=x), start={**START, "sigma": 0.3})


def test_euler_needs_noise_in_every_direction():
    process = ItoProcess([X, Y], [Y, -kappa * X - Y], {W: [0, sigma]})
    with pytest.raises(InputError, match=r"B B\^T is singular.*likelihood='gaussian'"):
        fit_sde(process, data(np.arange(3) * 0.1, X=[1, 1, 1.0], Y=[0, 0.1, 0]), start=START, likelihood="euler")


# ------------------------------------------------------------------------------------------------ networks

SHORT = Training(steps=500, learning_rate=5e-3, weight_decay=1e-2, average_half_life=50)


@pytest.mark.parametrize(("d", "diagonal"), [(1, True), (1, False), (2, True), (2, False), (3, False)])
def test_moments_of_networks_are_kesslers_through_the_square_of_the_span(d, diagonal):
    """Against h a + h^2/2 L a and h Q + h^2/2 (J Q + Q J^T + L Q) by automatic differentiation: errors fall as h^3."""
    generator = torch.Generator().manual_seed(d)
    x = torch.randn(50, d, generator=generator, dtype=torch.float64)
    path = data(np.arange(50) * 0.1, **{f"x{k}": column for k, column in enumerate(x.T)})
    model = CoefficientNetworks(transitions(path), 2, 8, diagonal, 0).double()
    for parameter in model.parameters():
        parameter.data += 0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)

    def drift(z):
        return model(z[None, None])[0][1, 0]

    def covariance(z):
        B = model(z[None, None])[1][1, 0]
        B = torch.diag(B) if diagonal else B
        return B @ B.T

    def jacobian(function):
        return lambda z: torch.autograd.functional.jacobian(function, z, create_graph=True)

    z = x[3]
    a, Q, J = drift(z), covariance(z), jacobian(drift)(z)
    La = J @ a + torch.einsum("jk,ijk->i", Q, jacobian(jacobian(drift))(z)) / 2
    LQ = jacobian(covariance)(z) @ a + torch.einsum("ijkl,kl->ij", jacobian(jacobian(covariance))(z), Q) / 2
    errors = []
    for h in (2e-3, 1e-3):
        mean, cov = moments(model, z.expand(2, 1, d), torch.full((2, 1), h, dtype=torch.float64))
        off_mean = mean[1, 0] - h * a - h**2 / 2 * La
        off_covariance = cov[1, 0] - h * Q - h**2 / 2 * (J @ Q + Q @ J.T + LQ)
        errors.append([float(off_mean.detach().abs().max()), float(off_covariance.detach().abs().max())])
        assert bool((torch.linalg.eigvalsh(cov.detach()) > 0).all())
    ratio = np.divide(*errors)
    assert np.all(ratio > 6.5), ratio


@pytest.mark.parametrize("diagonal", [True, False])
def test_last_layer_of_the_drift_minimises_the_squares(diagonal):
    """Their gradient there is zero, by automatic differentiation, with covariances and points as they were before."""
    generator = torch.Generator().manual_seed(0)
    x, step = torch.randn(2, 300, 2, generator=generator, dtype=torch.float64)
    path, h = data(np.arange(300) * 0.1, X=x[:, 0], Y=x[:, 1]), 0.1
    model, spans = (
        CoefficientNetworks(transitions(path), 2, 4, diagonal, 0).double(),
        torch.full((300,), h, dtype=torch.float64),
    )
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    rows = torch.randint(300, (2, 200), generator=generator)
    with torch.no_grad():
        points = _cubature(model, x[rows], spans[rows])[3]
        covariance = moments(model, x[rows], spans[rows])[1]
    refit_drift(model, x, step, spans, rows)
    weights = [model.drift.weights[2], model.drift.biases[2]]
    mean = h / 2 * (model(x[rows])[0] + model(points)[0].reshape(2, 200, 4, 2).mean(2))
    residual = step[rows] - mean
    squares = (residual * torch.linalg.solve(covariance, residual[..., None])[..., 0]).sum()
    penalty = _PRIOR * sum((w**2).sum() for w in weights)
    size = float(torch.autograd.grad(squares, weights, retain_graph=True)[0].abs().max())
    assert size > 1e-3  # so that both parts count
    for gradient in torch.autograd.grad(squares + penalty, weights):
        assert float(gradient.abs().max()) < 1e-9


def test_networks_learn_the_double_well_from_frames_far_apart_and_simulate_it():
    """Frames 0.2 apart, where Euler's density would see a diffusion of 0.4 in place of 0.5 at x = +-1.

    The tolerance is five deviations of the bootstrap and more; drift within its interval at 1 - 1e-6.
    """
    x, h = well(np.random.default_rng(6), 20, 600, 0.2, substeps=20), 0.2
    x[10:] *= -1
    training = Training(steps=1000, learning_rate=5e-3, weight_decay=1e-2, average_half_life=50)
    learned = learn_sde(data(np.arange(601) * h, X=x), networks=4, training=training, progress=False)
    places = torch.tensor([-1.0, -0.6, 0.0, 0.6, 1.0], dtype=torch.float64)[:, None]
    low, high = learned.drift_interval(places, 1 - 1e-6)
    truth = places - places**3
    assert bool(((low <= truth) & (truth <= high)).all())
    np.testing.assert_allclose(learned.diffusion(places), 0.5, atol=0.04)
    with torch.no_grad():
        paths = sj.simulate(learned.discretise(0.1), ensemble=300, steps=50, seed=0, progress=False)
    last = paths.dataset["x"].values[:, -1, 0]
    assert 0.6 < np.mean(np.abs(last)) < 1.1  # 0.86 in the true well
    assert "bias of O(h^2)" in str(learned)


def test_networks_learn_noise_that_is_correlated():
    """Two states -X dt + B dW, B B^T = ((0.25, 0.15), (0.15, 0.25)); exact steps, frames 0.2 apart.

    Euler's density would see B B^T (1 - exp(-2 h)) / (2 h), 0.82 of it. Tolerance: five deviations, as above.
    """
    rng, h, n = np.random.default_rng(7), 0.2, 400
    B = np.linalg.cholesky([[0.25, 0.15], [0.15, 0.25]])
    x = [rng.standard_normal((20, 2)) @ B.T / np.sqrt(2)]
    for _ in range(n):
        x.append(x[-1] * np.exp(-h) + np.sqrt(-np.expm1(-2 * h) / 2) * rng.standard_normal((20, 2)) @ B.T)
    x = np.stack(x, 1)
    learned = learn_sde(
        data(np.arange(n + 1) * h, X=x[..., 0], Y=x[..., 1]),
        noise="general",
        networks=4,
        training=SHORT,
        progress=False,
    )
    factor = learned.diffusion(torch.zeros(1, 2, dtype=torch.float64))[0]
    np.testing.assert_allclose(factor @ factor.T, B @ B.T, atol=0.03)
    low, high = learned.drift_interval(torch.tensor([[0.3, -0.2]], dtype=torch.float64), 1 - 1e-6)
    assert bool((low <= torch.tensor([-0.3, 0.2])).all() & (high >= torch.tensor([-0.3, 0.2])).all())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": "scalar"}, "noise='scalar' is not diagonal or general"),
        ({"networks": 1}, "networks=1 is not a whole number of 2 or more"),
    ],
)
def test_what_cannot_be_learned_in_one_line(options, message):
    with pytest.raises(InputError, match=message):
        learn_sde(PATH, progress=False, **options)
    with pytest.raises(InputError, match="X never moves"):
        learn_sde(PATH * 0, progress=False)
