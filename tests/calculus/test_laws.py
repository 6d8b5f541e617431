"""Exact laws against textbooks, quadrature, moment equations, the forward equation, and independent samplers.

Tests of samples are Kolmogorov-Smirnov tests that pass unless p < 1e-6, the false-alarm probability of each.
"""

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, linalg, stats

from sojourn.calculus import ItoProcess, brownian
from sojourn.calculus.linear import ItoIntegral
from sojourn.errors import InputError

t, kappa, theta, sigma, mu, T, delta, X0 = sp.symbols("t kappa theta sigma mu T delta X_0", positive=True)
x, y, b, rho = sp.symbols("x y b rho", real=True)
S = sp.symbols("S", positive=True)
W = brownian("W")
W1, W2 = brownian("W1 W2", correlation=rho)
NUMBERS = {"kappa": 1.2, "theta": 0.6, "sigma": 0.8, "mu": 0.4, "X_0": 0.9, "t": 0.7, "delta": 2.5, "T": 2.0, "b": -0.3}

PROCESSES = {
    "Brownian motion with drift": ItoProcess(x, mu, {W: sigma}, initial=X0),
    "Ornstein-Uhlenbeck process": ItoProcess(x, kappa * (theta - x), {W: sigma}, initial=X0),
    "Brownian bridge": ItoProcess(x, (b - x) / (T - t), {W: sigma}, initial=X0),
    "geometric Brownian motion": ItoProcess(S, mu * S, {W: sigma * S}, initial=X0),
    "CIR process": ItoProcess(S, kappa * (theta - S), {W: sigma * sp.sqrt(S)}, initial=X0),
    "squared Bessel process": ItoProcess(S, delta, {W: 2 * sp.sqrt(S)}, initial=X0),
    "Bessel process": ItoProcess(S, (delta - 1) / (2 * S), {W: 1}, initial=X0),
    "radial Ornstein-Uhlenbeck process": ItoProcess(S, (delta - 1) / (2 * S) - kappa * S, {W: 1}, initial=X0),
    "Ornstein-Uhlenbeck process with coefficients that depend on time": ItoProcess(
        x, -x + sp.sin(t), {W: sp.exp(-t / 3)}, initial=X0
    ),
}


def numbers_of(law):
    names = {s.name for s in law._symbols}
    return {name: value for name, value in NUMBERS.items() if name in names}


def put(expression):
    """An expression with the numbers put in, exactly."""
    return sp.sympify(expression).subs(
        {s: sp.nsimplify(NUMBERS[s.name], rational=True) for s in expression.free_symbols if s.name in NUMBERS}
    )


@pytest.fixture(params=PROCESSES)
def known(request):
    return request.param, PROCESSES[request.param].law()


# ------------------------------------------------------------------------------------------------- every law, five ways


def test_names(known):
    name, law = known
    assert law.process == name


def test_density_solves_the_forward_equation(known):
    """p_t = -(a p)' + (B^2 p)'' / 2, written out here, to 20 digits."""
    name, law = known
    process = PROCESSES[name]
    z, p = process.state, law.density
    B2 = next(iter(process.diffusion.values())) ** 2
    residual = sp.diff(p, t) + sp.diff(process.drift * p, z) - sp.diff(B2 * p, z, 2) / 2
    for place in (sp.Rational(3, 10), sp.Rational(11, 10)):
        assert abs(sp.N(put(residual.subs(z, place)), 30)) < 1e-20


def test_density_integrates_to_the_moments(known):
    """int p = 1, int x p and int x^2 p, by quadrature of the frozen density, held equal to the symbolic one."""
    _, law = known
    frozen = law.frozen(**numbers_of(law))
    z = law.states[0]
    for place in (0.4, 1.1):
        assert float(sp.N(put(law.density.subs(z, sp.nsimplify(place))))) == pytest.approx(frozen.pdf(place), rel=1e-9)
    low, high = (0, 200) if law.support[0] == 0 else (-12, 12)
    mass, first, second = (
        integrate.quad(lambda u, k=k: u**k * frozen.pdf(u), low, high, points=[0.3, 1, 2, 5, 20], limit=200)[0]
        for k in range(3)
    )
    assert mass == pytest.approx(1, abs=1e-8)
    assert float(sp.N(put(law.mean))) == pytest.approx(first, rel=1e-7)
    assert float(sp.N(put(law.variance))) == pytest.approx(second - first**2, rel=1e-6)


def test_cdf_is_the_integral_of_the_density(known):
    _, law = known
    frozen = law.frozen(**numbers_of(law))
    z = law.states[0]
    low = 0 if law.support[0] == 0 else -12
    for place in (0.4, 1.1):
        expected = integrate.quad(frozen.pdf, low, place, limit=200)[0]
        assert frozen.cdf(place) == pytest.approx(expected, rel=1e-7)
        assert frozen.ppf(expected) == pytest.approx(place, rel=1e-6)
    slope = put((sp.diff(law.cdf, z) - law.density).subs(z, sp.Rational(4, 5)))
    assert abs(sp.N(slope, 30)) < 1e-20


@pytest.mark.parametrize("name", [name for name in PROCESSES if "Bessel" not in name and "radial" not in name])
def test_moment_equations_agree(name):
    process = PROCESSES[name]
    law, equations = process.law(), process.moments(2)
    m = equations.solve()
    assert float(sp.N(put(law.mean - m[(1,)]), 30)) == pytest.approx(0, abs=1e-20)
    assert float(sp.N(put(law.variance - m[(2,)] + m[(1,)] ** 2), 30)) == pytest.approx(0, abs=1e-20)


def test_score_is_the_gradient_of_log_density(known):
    _, law = known
    z = law.states[0]
    ours, expected = law.score[0], sp.diff(law.density, z) / law.density
    assert abs(sp.N(put((ours - expected).subs(z, sp.Rational(4, 5))), 30)) < 1e-20


def test_samples_follow_the_law(known):
    _, law = known
    numbers = numbers_of(law)
    draws = law.sample(4000, seed=3, **numbers)
    assert stats.kstest(draws, law.frozen(**numbers).cdf).pvalue > 1e-6
    assert np.array_equal(draws, law.sample(4000, seed=3, **numbers))


# ------------------------------------------------------------------------------------------ independent samplers


def random(seed):
    return np.random.default_rng(seed)


def test_cir_as_a_sum_of_squares():
    """4 kappa theta / sigma^2 = 3: the squared norm of three OU processes dZ = -kappa Z / 2 dt + sigma / 2 dW."""
    k, s, start, time, n = 1.1, 0.8, 0.5, 0.6, 20000
    law = PROCESSES["CIR process"](kappa=k, sigma=s, theta=3 * s**2 / (4 * k), X_0=start).law(time)
    Z = np.zeros((n, 3))
    Z[:, 0] = np.sqrt(start)
    Z = Z * np.exp(-k * time / 2) + random(1).normal(size=(n, 3)) * np.sqrt(s**2 / (4 * k) * (1 - np.exp(-k * time)))
    assert stats.kstest((Z**2).sum(1), law.frozen().cdf).pvalue > 1e-6


def test_cir_as_a_poisson_mixture():
    """A non-central chi-squared variable is a gamma variable of shape df/2 + N, N Poisson(nc/2)."""
    k, th, s, start, time, n = 0.9, 0.3, 0.7, 0.4, 0.8, 20000
    law = PROCESSES["CIR process"](kappa=k, sigma=s, theta=th, X_0=start).law(time)
    c = s**2 * (1 - np.exp(-k * time)) / (4 * k)
    N = random(2).poisson(start * np.exp(-k * time) / c / 2, n)
    draws = 2 * c * random(3).gamma(2 * k * th / s**2 + N)
    assert stats.kstest(draws, law.frozen().cdf).pvalue > 1e-6


def test_bessel_as_a_norm():
    """Distance of a three-dimensional Brownian motion from the origin."""
    law = PROCESSES["Bessel process"](delta=3, X_0=0.7).law(0.9)
    Z = random(4).normal(size=(20000, 3)) * np.sqrt(0.9)
    Z[:, 0] += 0.7
    assert stats.kstest(np.linalg.norm(Z, axis=1), law.frozen().cdf).pvalue > 1e-6


def test_bridge_from_brownian_motion():
    """x_0 + W_t - (t/T) (W_T - (b - x_0)) has the bridge's law."""
    start, end, time, last, n = 0.2, -0.5, 0.6, 1.5, 20000
    law = PROCESSES["Brownian bridge"](b=end, T=last, sigma=1, X_0=start).law(time)
    first = random(5).normal(size=n) * np.sqrt(time)
    total = first + random(6).normal(size=n) * np.sqrt(last - time)
    assert stats.kstest(start + first - time / last * (total - (end - start)), law.frozen().cdf).pvalue > 1e-6


# -------------------------------------------------------------------------------------------------- textbook forms


def same(left, right):
    return sp.simplify(sp.sympify(left) - sp.sympify(right)) == 0


def test_three_dimensional_bessel_density():
    """(x / x_0) (phi(x - x_0) - phi(x + x_0)) / sqrt(t) (Revuz and Yor, chapter VI, section 3)."""
    p = PROCESSES["Bessel process"].subs({delta: 3}).law().density
    phi = lambda z: sp.exp(-(z**2) / (2 * t)) / sp.sqrt(2 * sp.pi * t)  # noqa: E731
    expected = S / X0 * (phi(S - X0) - phi(S + X0))
    for place in (sp.Rational(1, 3), 2):
        assert abs(sp.N(put((p - expected).subs(S, place)), 30)) < 1e-20


def test_laplace_transform_of_squared_bessel():
    """(1 + 2 u t)^(-delta/2) exp(-u x / (1 + 2 u t)) (Revuz and Yor, chapter XI, section 1)."""
    frozen = PROCESSES["squared Bessel process"](delta=2.5, X_0=0.9).law(0.7).frozen()
    u = 0.8
    found = integrate.quad(lambda z: np.exp(-u * z) * frozen.pdf(z), 0, 60, points=[0.5, 2])[0]
    assert found == pytest.approx((1 + 1.4 * u) ** -1.25 * np.exp(-u * 0.9 / (1 + 1.4 * u)), rel=1e-8)


def test_bessel_from_zero():
    """Started at 0 in three dimensions: Maxwell's law."""
    law = ItoProcess(S, 1 / S, {W: 1}, initial=0).law(2)
    assert same(law.density, sp.sqrt(2 / sp.pi) * S**2 / 2 ** sp.Rational(3, 2) * sp.exp(-(S**2) / 4))
    assert law.frozen().cdf(1.3) == pytest.approx(stats.maxwell(scale=2**0.5).cdf(1.3), rel=1e-12)


def test_black_scholes_from_the_law():
    """E (S - K)^+ by quadrature of the law is Black and Scholes's formula."""
    frozen = PROCESSES["geometric Brownian motion"](mu=0.05, sigma=0.3, X_0=1).law(1.5).frozen()
    K, s = 1.1, 0.3 * 1.5**0.5
    d1 = (np.log(1 / K) + (0.05 + 0.045) * 1.5) / s
    formula = np.exp(0.075) * stats.norm.cdf(d1) - K * stats.norm.cdf(d1 - s)
    found = integrate.quad(lambda z: (z - K) * frozen.pdf(z), K, 30, points=[2, 4])[0]
    assert found == pytest.approx(formula, rel=1e-8)


def test_chapman_kolmogorov():
    """CIR: the law at 1 is the law at 0.4 carried on for 0.6."""
    process = PROCESSES["CIR process"].subs({kappa: 1, theta: sp.Rational(1, 2), sigma: sp.Rational(7, 10)})
    first, last = (process.law(time).frozen(X_0=0.8) for time in (sp.Rational(2, 5), 1))
    later = process.law(sp.Rational(3, 5))
    found = integrate.quad(lambda z: first.pdf(z) * float(later.frozen(X_0=z).pdf(0.6)), 1e-9, 6, epsrel=1e-7)[0]
    assert found == pytest.approx(last.pdf(0.6), rel=1e-6)


def test_quantiles():
    for name in ("Ornstein-Uhlenbeck process", "geometric Brownian motion"):
        law = PROCESSES[name].law()
        frozen = law.frozen(**numbers_of(law))
        assert float(sp.N(put(law.quantile(sp.Rational(1, 5))))) == pytest.approx(frozen.ppf(0.2), rel=1e-10)
    with pytest.raises(InputError, match=r"no closed form; use frozen\(\).ppf\(u\)"):
        PROCESSES["CIR process"].law().quantile(0.5)


def test_the_quantile_of_a_parameter_u_is_no_capture():
    u, p = sp.symbols("u p", positive=True)
    law = ItoProcess(S, u * S, {W: u * S}, initial=1).law(1)
    expected = np.exp(0.3 - 0.045 + 0.3 * stats.norm.ppf(0.8))
    assert float(sp.N(law.quantile(p).subs({u: 0.3, p: 0.8}))) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(InputError, match="u=2 of a quantile is no probability"):
        law.quantile(2)


def test_textbook_forms():
    """As they stand in textbooks, not only equal to them."""
    law = PROCESSES["Ornstein-Uhlenbeck process"].law()
    assert law.mean == theta + (X0 - theta) * sp.exp(-kappa * t)
    assert law.variance == sigma**2 * (1 - sp.exp(-2 * kappa * t)) / (2 * kappa)
    assert PROCESSES["Brownian bridge"].law().variance == sigma**2 * t * (T - t) / T
    cir = PROCESSES["CIR process"].law().density
    bessel = next(iter(cir.atoms(sp.besseli)))
    assert not bessel.args[1].has(sp.Abs)
    assert str(PROCESSES["CIR process"].law().notes[-1]).startswith("0 is never reached if 2*kappa*theta >= sigma**2 (")


def test_names_of_parameters_are_not_captured():
    """Parameters s, r and X_0 beside the variable of integrals and the symbol of the start, against an ODE solver."""
    s, r, start = sp.symbols("s r X_0", real=True)
    X = sp.Symbol("X", real=True)
    process = ItoProcess(X, r * (start - X), {W: s * t})
    law, solution = process.law(), process.solve()
    begin = next(e for e in law.mean.free_symbols if e.name == "X_00")
    bound = next(iter(solution.value.atoms(ItoIntegral))).args[1]
    assert bound.name not in ("s", "r")
    hard = ItoProcess(X, r * sp.sin(t**2) * X, {W: s * t}).law().variance.atoms(sp.Integral)
    assert hard
    assert not {"s", "r"} & {e.name for i in hard for e in i.variables}

    def rates(time, y):
        rate = 0.8
        return [rate * (0.4 - y[0]), -2 * rate * y[1] + (0.7 * time) ** 2]

    m, v = integrate.solve_ivp(rates, (0, 1.5), [2.0, 0], rtol=1e-10, atol=1e-12).y[:, -1]
    places = {s: 0.7, r: 0.8, start: 0.4, begin: 2, t: 1.5}
    assert float(sp.N(law.mean.subs(places))) == pytest.approx(m, rel=1e-7)
    assert float(sp.N(law.variance.subs(places))) == pytest.approx(v, rel=1e-7)


def test_correlated_noises_add():
    two = ItoProcess(S, mu * S, {W1: sigma * S, W2: theta * S}, initial=X0).law()
    assert same(two.distribution.v, (sigma**2 + 2 * rho * sigma * theta + theta**2) * t)


# -------------------------------------------------------------------------------------------------- several states


def test_linear_system():
    """Density, covariance and the numbers of the matrix exponential, against the moment equations."""
    process = ItoProcess([x, y], [-x + y, -2 * y + 1], {W1: [1, 0], W2: [0, sigma]}, initial=[1, X0])
    law, equations = process.law(), process.moments(2)
    m = equations.solve()
    V = equations.covariance(m)
    places = {rho: -0.4, sigma: 0.8, X0: 0.9, t: 0.7}
    frozen = law.frozen(rho=-0.4, sigma=0.8, X_0=0.9, t=0.7)
    mean = [float(m[k].subs(places)) for k in ((1, 0), (0, 1))]
    assert frozen.mean == pytest.approx(mean, rel=1e-10)
    assert [float(e.subs(places)) for e in law.mean] == pytest.approx(mean, rel=1e-10)
    for i in range(2):
        for j in range(2):
            expected = float(V[i, j].subs(places))
            assert float(law.variance[i, j].subs(places)) == pytest.approx(expected, rel=1e-9)
            assert frozen.cov[i, j] == pytest.approx(expected, rel=1e-9)
    point = {x: 0.3, y: 0.6}
    assert float(law.density.subs(point).subs(places)) == pytest.approx(frozen.pdf([0.3, 0.6]), rel=1e-9)
    draws = law.sample(20000, 7, rho=-0.4, sigma=0.8, X_0=0.9, t=0.7)
    white = np.linalg.solve(np.linalg.cholesky(frozen.cov), (draws - frozen.mean).T)
    assert min(stats.kstest(row, "norm").pvalue for row in (*white, (white[0] + white[1]) / 2**0.5)) > 1e-6


def test_langevin_position():
    """Variance of the position of a free Brownian particle (Uhlenbeck and Ornstein 1930, equation (22))."""
    law = ItoProcess([x, y], [y, -kappa * y], {W: [0, sigma]}, initial=[0, 0]).law()
    e = sp.exp(-kappa * t)
    expected = sigma**2 / kappa**3 * (kappa * t - 2 * (1 - e) + (1 - e**2) / 2)
    assert same(law.variance[0, 0], expected)


def test_five_states_in_numbers():
    """Beyond closed forms the frozen law still is the matrix exponential: a chain against an ODE solver."""
    states = sp.symbols("a1:6", real=True)
    A = np.diag([-1.0, -2, -3, -4, -5]) + np.diag([1.0, 1, 1, 1], 1) + np.diag([0.5, 0.5, 0.5, 0.5], -1)
    drift = list(sp.Matrix(sp.nsimplify(sp.Matrix(A.tolist()), rational=True)) * sp.Matrix(states))
    frozen = ItoProcess(states, drift, {W: [1] * 5}, initial=[1, 0, 0, 0, 0]).law(sp.Rational(1, 2)).frozen()

    def rates(_, V):
        V = V.reshape(5, 5)
        return (A @ V + V @ A.T + np.ones((5, 5))).ravel()

    V = integrate.solve_ivp(rates, (0, 0.5), np.zeros(25), rtol=1e-10, atol=1e-13).y[:, -1].reshape(5, 5)
    assert frozen.cov == pytest.approx(V, rel=1e-7)


def test_long_systems_are_refused_in_symbols_and_known_in_numbers():
    """A cascade of four states with rates in symbols: at once refused; frozen with and without a forcing in time."""
    u, z = sp.symbols("u z", real=True)
    rates = sp.symbols("k1:5", positive=True)
    states = (x, y, z, u)
    drift = [-rates[0] * x] + [rates[i] * states[i] - rates[i + 1] * states[i + 1] for i in range(3)]
    values = {"k1": 1.0, "k2": 0.7, "k3": 0.4, "k4": 0.2, "t": 1.5}
    A = np.diag([-1.0, -0.7, -0.4, -0.2]) + np.diag([1.0, 0.7, 0.4], -1)
    for force in (sp.S.Zero, sp.sin(3 * t)):
        process = ItoProcess(states, [drift[0] + force, *drift[1:]], {W: [1, 0, 0, 0]}, initial=[1, 0, 0, 0])
        law = process.law()
        for ask in (lambda law=law: law.variance, lambda law=law: law.mean, process.solve):
            with pytest.raises(InputError, match=r"too long in symbols.*frozen\(\)"):
                ask()

        def slope(time, y, force=force):
            V = y[4:].reshape(4, 4)
            m = A @ y[:4] + np.array([1.0, 0, 0, 0]) * float(force.subs(t, time))
            return np.concatenate([m, (A @ V + V @ A.T + np.diag([1.0, 0, 0, 0])).ravel()])

        found = integrate.solve_ivp(slope, (0, 1.5), np.r_[1.0, np.zeros(19)], rtol=1e-9, atol=1e-12).y[:, -1]
        frozen = law.frozen(**values)
        assert frozen.mean == pytest.approx(found[:4], rel=1e-6)
        assert frozen.cov.ravel() == pytest.approx(found[4:], rel=1e-6)


@pytest.mark.parametrize(("A", "time"), [([[-1000.0, 1], [0, -1]], 2), ([[-1.0, 1], [0, -2]], 500)])
def test_stiff_and_long_in_numbers(A, time):
    """V - e^(At) V e^(A't) with the stationary V of Lyapunov's equation, where exp(-A t) has no number."""
    A = np.array(A)
    drift = [A[0, 0] * x + A[0, 1] * y, A[1, 0] * x + A[1, 1] * y]
    frozen = ItoProcess([x, y], drift, {W: [1, 1]}, initial=[0, 0]).law(time).frozen()
    V, flow = linalg.solve_continuous_lyapunov(A, -np.ones((2, 2))), linalg.expm(A * time)
    assert frozen.cov == pytest.approx(V - flow @ V @ flow.T, rel=1e-9)


def test_a_singular_law_has_no_density():
    law = ItoProcess([x, y], [-x, -x], {W: [1, 1]}, initial=[0, 0]).law(2)
    for ask in (lambda: law.density, lambda: law.score):
        with pytest.raises(InputError, match="is singular, so the law has no density"):
            ask()


# ------------------------------------------------------------------------------------------------- numbers and refusals


def test_bound_numbers_are_exact():
    process = PROCESSES["Ornstein-Uhlenbeck process"](kappa=0.5, theta=0.1, sigma=0.2, X_0=1.0)
    law = process.law(2)
    assert same(law.mean, sp.Rational(1, 10) + sp.Rational(9, 10) * sp.exp(-1))
    assert law.frozen().mean() == pytest.approx(0.1 + 0.9 * np.exp(-1), rel=1e-14)


def test_zero_reversion_is_another_law():
    assert PROCESSES["Ornstein-Uhlenbeck process"](kappa=0).law().process == "Brownian motion with drift"
    free = ItoProcess(S, b - kappa * S, {W: sigma * sp.sqrt(S)}, initial=X0)
    law = free(kappa=0).law()
    assert law.process == "squared Bessel process"
    assert same(law.mean, X0 + b * t)


def test_feller_condition_is_noted():
    assert "Feller's condition" in " ".join(PROCESSES["CIR process"].law().notes)
    holds = PROCESSES["CIR process"](kappa=2, theta=1, sigma=1).law().notes
    assert "0 is never reached (Feller's condition holds)." in holds
    broken = PROCESSES["CIR process"](kappa=1, theta=0.1, sigma=1).law().notes
    assert "0 is reached; the law is that of the process reflected there." in broken


@pytest.mark.parametrize(("drift", "noise", "notes"), [
    (-sp.sin(t) * x, 1, ()),
    (-t * x, 1, ()),
    (-sp.exp(-(t**2)) * x, 1, ()),
    (-x / (1 + t), 1, ()),
    (-b * x, 1, ("b is not zero.",)),
    (-kappa * x, 1, ()),
    (x / (t - T), sp.exp(t), ("0 < t < T.",)),
    (-x, 1 / (t - T), ("t is before the first zero of T - t.",)),
], ids=str)  # fmt: skip
def test_notes_say_what_is_needed(drift, noise, notes):
    assert ItoProcess(x, drift, {W: noise}).law().notes == notes


@pytest.mark.parametrize(("process", "message"), [
    (ItoProcess(x, sp.sign(x), {W: 1}), "is not known here"),
    (ItoProcess(x, 0, {W: sp.sign(x)}), "is not known here"),
    (ItoProcess(x, x - x**3, {W: 1}), "is not known here"),
    (ItoProcess(S, S, {W: sp.sqrt(S), brownian("V"): S}), "is not known here"),
    (ItoProcess(S, t - S, {W: sp.sqrt(S)}), "is not known here"),
    (ItoProcess(S, sp.Piecewise((S, S > 1), (0, True)), {W: S}), "is not known here"),
    (ItoProcess(x, x, {W: x}, initial=-1), "initial=-1 of x is not positive"),
    (ItoProcess(S, -S, {W: sp.sqrt(S)}), "the law is known here where it is positive"),
    (ItoProcess(x, -x, {}), "x has no noise"),
    (ItoProcess([x, y], [x * y, 0], {W: [1, 1]}), "is not linear"),
    (ItoProcess([x, y], [x, y], {W: [x, 1]}), "give additive noise"),
])  # fmt: skip
def test_when_in_doubt_it_refuses(process, message):
    with pytest.raises(InputError, match=message):
        process.law(1)


def test_bad_input():
    bridge = PROCESSES["Brownian bridge"]
    with pytest.raises(InputError, match="t=3 is not before the bridge's end 2"):
        bridge(T=2).law(3)
    with pytest.raises(InputError, match="t=0 of a law is not positive"):
        bridge.law(0)
    law = PROCESSES["Ornstein-Uhlenbeck process"].law(1)
    with pytest.raises(InputError, match="the law needs numbers for X_0, kappa, sigma, theta"):
        law.frozen()
    with pytest.raises(InputError, match="the law has no symbol 'mu'"):
        law.frozen(mu=1)
    with pytest.raises(InputError, match="t=-1 of a law is not positive"):
        PROCESSES["Ornstein-Uhlenbeck process"].law().frozen(kappa=1, theta=0, sigma=1, X_0=0, t=-1)
    with pytest.raises(InputError, match=r"degrees of freedom 4\*kappa\*theta/sigma\*\*2 is -4 at .*'theta': -1"):
        PROCESSES["CIR process"].law().frozen(kappa=1, theta=-1, sigma=1, X_0=1, t=1)
    with pytest.raises(InputError, match=r"the variance .* is -2.* the law needs it positive: 0 < t < T"):
        bridge.law().frozen(T=1, sigma=1, b=0, X_0=0, t=2)
    with pytest.raises(InputError, match="n=0 draws"):
        law.sample(0, 1)
