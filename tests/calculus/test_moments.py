"""Moment equations and explicit solutions: textbook means and variances, an ODE solver, Ito's formula and isometry."""

import numpy as np
import pytest
import sympy as sp
from scipy import integrate

from sojourn.calculus import ItoProcess, brownian
from sojourn.calculus.linear import ItoIntegral, at, mean, variance
from sojourn.calculus.noises import poisson
from sojourn.errors import InputError

t, s, kappa, theta, sigma, mu, lam, omega, T, K = sp.symbols("t s kappa theta sigma mu lambda omega T K", positive=True)
x, y, v, rho, X0 = sp.symbols("x y v rho X_0", real=True)
x_0 = sp.Symbol("x_0", real=True)
S = sp.symbols("S", positive=True)
W = brownian("W")
W1, W2 = brownian("W1 W2", correlation=rho)

OU = ItoProcess(x, kappa * (theta - x), {W: sigma}, initial=X0)
GBM = ItoProcess(S, mu * S, {W: sigma * S}, initial=X0)
CIR = ItoProcess(S, kappa * (theta - S), {W: sigma * sp.sqrt(S)}, initial=X0)
DAMPED = ItoProcess([x, v], [v, -kappa * v - omega**2 * x], {W: [0, sigma]})


def same(left, right):
    return sp.simplify(sp.expand(sp.sympify(left) - sp.sympify(right)).rewrite(sp.exp)) == 0


# -------------------------------------------------------------------------------------------------- moment equations


def test_ornstein_uhlenbeck():
    """Gardiner, Handbook of Stochastic Methods, section 3.8.4."""
    m = OU.moments(2).solve()
    decay = sp.exp(-kappa * t)
    assert same(m[(1,)], theta + (X0 - theta) * decay)
    assert same(OU.moments(2).covariance(m)[0], sigma**2 / (2 * kappa) * (1 - decay**2))


def test_stationary_gaussian_moments():
    """Third central moment 0 and fourth 3 V^2, V = sigma^2 / 2 kappa."""
    m = OU.moments(4).stationary()
    V = sigma**2 / (2 * kappa)
    assert [same(m[(k,)], e) for k, e in ((1, theta), (2, theta**2 + V), (3, theta**3 + 3 * theta * V))] == [True] * 3
    assert same(m[(4,)], theta**4 + 6 * theta**2 * V + 3 * V**2)


def test_geometric_brownian_motion():
    """E S^k = S_0^k exp(k mu t + k (k-1) sigma^2 t / 2)."""
    m = GBM.moments(3).solve()
    for k in (1, 2, 3):
        assert same(m[(k,)], X0**k * sp.exp(k * mu * t + sp.Rational(k * (k - 1), 2) * sigma**2 * t))


def test_cox_ingersoll_ross():
    """Cox, Ingersoll and Ross (1985), equation (19)."""
    equations = CIR.moments(2)
    m, e = equations.solve(), sp.exp(-kappa * t)
    assert same(m[(1,)], X0 * e + theta * (1 - e))
    assert same(
        equations.covariance(m)[0], X0 * sigma**2 / kappa * (e - e**2) + theta * sigma**2 / (2 * kappa) * (1 - e) ** 2
    )


def test_cross_moment_of_two_prices():
    a, b, c, d = sp.symbols("a b c d", positive=True)
    m = ItoProcess([x, y], [a * x, b * y], {W1: [c * x, 0], W2: [0, d * y]}, initial=[2, 3]).moments(2).solve()
    assert same(m[(1, 1)], 6 * sp.exp((a + b + rho * c * d) * t))


def test_heterozygosity_decays():
    """Wright-Fisher diffusion: E X(1 - X) = x (1 - x) exp(-t)."""
    m = ItoProcess(x, 0, {W: sp.sqrt(x * (1 - x))}, initial=X0).moments(2).solve()
    assert same(m[(1,)] - m[(2,)], X0 * (1 - X0) * sp.exp(-t))


def test_compound_poisson_process():
    """Mean lambda t E Y and variance lambda t E Y^2."""
    p, Y = sp.symbols("p Y", positive=True)
    N = poisson("N", rate=lam, mark=Y, law={2: p, -1: 1 - p})
    equations = ItoProcess(x, 0, {}, jumps={N: Y}, initial=0).moments(2)
    m = equations.solve()
    assert same(m[(1,)], lam * t * (3 * p - 1))
    assert same(equations.covariance(m)[0], lam * t * (3 * p + 1))


def test_shot_noise():
    """Campbell's theorem: mean lambda / kappa, variance lambda / 2 kappa, third cumulant lambda / 3 kappa."""
    m = ItoProcess(x, -kappa * x, {}, jumps={poisson("N", rate=lam): 1}).moments(3).stationary()
    one, two, three = (m[(k,)] for k in (1, 2, 3))
    assert same(one, lam / kappa)
    assert same(two - one**2, lam / (2 * kappa))
    assert same(three - 3 * two * one + 2 * one**3, lam / (3 * kappa))


def test_linear_birth_and_death_rate():
    """A state-dependent rate: births at rate mu x, mean x exp(mu t) (Yule)."""
    m = ItoProcess(x, 0, {}, jumps={poisson("N", rate=mu * x): 1}, initial=X0).moments(2).solve()
    assert same(m[(1,)], X0 * sp.exp(mu * t))
    assert same(m[(2,)] - m[(1,)] ** 2, X0 * sp.exp(mu * t) * (sp.exp(mu * t) - 1))


def test_equipartition():
    """<v^2> = sigma^2 / 2 kappa, <x^2> = <v^2> / omega^2, <x v> = 0."""
    m = DAMPED.moments(2).stationary()
    assert same(m[(0, 2)], sigma**2 / (2 * kappa))
    assert same(m[(2, 0)], sigma**2 / (2 * kappa * omega**2))
    assert m[(1, 1)] == 0


def test_undamped_oscillator_heats():
    """Energy grows as sigma^2 t / 2."""
    m = ItoProcess([x, v], [v, -(omega**2) * x], {W: [0, sigma]}, initial=[1, 0]).moments(2).solve()
    assert same(m[(0, 2)] / 2 + omega**2 * m[(2, 0)] / 2, omega**2 / 2 + sigma**2 * t / 2)


def test_forcing_that_depends_on_time():
    m = ItoProcess(x, -x + sp.sin(t), {W: sp.exp(-t)}, initial=0).moments(2).solve()
    assert same(m[(1,)], (sp.exp(-t) + sp.sin(t) - sp.cos(t)) / 2)
    assert same(m[(2,)] - m[(1,)] ** 2, t * sp.exp(-2 * t))


def test_against_an_ode_solver():
    """Two states, multiplicative correlated noise: the closed form against scipy's integrator on the moments' ODEs."""
    process = ItoProcess(
        [x, y], [-x + y / 2, x / 3 - 2 * y + 1], {W1: [x / 2, 0.3], W2: [0.2 * y, y / 4]}, initial=[1, -1]
    ).subs({rho: sp.Rational(2, 5)})
    # by hand: d[x]/dt = x^2/4 + 0.04 y^2 + 0.08 x y ; d[y] ; d[x, y]
    r = 0.4

    def rates(_, m):
        ex, ey, xx, xy, yy = m
        qxx = xx / 4 + 0.04 * yy + 2 * r * 0.5 * 0.2 * xy
        qyy = 0.09 + yy / 16 + 2 * r * 0.3 * ey / 4
        qxy = 0.5 * 0.3 * ex + 0.2 * yy / 4 + r * (xy / 8 + 0.3 * 0.2 * ey)
        return [
            -ex + ey / 2, ex / 3 - 2 * ey + 1, 2 * (-xx + xy / 2) + qxx,
            -xy + yy / 2 + xx / 3 - 2 * xy + ex + qxy, 2 * (xy / 3 - 2 * yy + ey) + qyy,
        ]  # fmt: skip

    equations = process.moments(2)
    order = [(1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]
    functions = [equations.moment(*k) for k in order]
    right = {e.lhs.expr: e.rhs for e in equations.equations}
    ours = sp.lambdify(functions, [right[f] for f in functions])
    point = [0.3, -0.7, 1.9, 0.4, 2.2]
    assert ours(*point) == pytest.approx(rates(0, point), rel=1e-12)
    end = integrate.solve_ivp(rates, (0, 1), [1, -1, 1, -1, 1], rtol=1e-10, atol=1e-12).y[:, -1]
    flow = integrate.solve_ivp(lambda _, m: ours(*m), (0, 1), [1, -1, 1, -1, 1], rtol=1e-10, atol=1e-12).y[:, -1]
    assert flow == pytest.approx(end, rel=1e-8)


def test_blocks_against_an_ode_solver():
    numbers = {kappa: 0.4, omega: 1.7, sigma: 0.9}
    equations = DAMPED.moments(2)
    solved = equations.solve([sp.Rational(1, 2), -1])

    def rates(_, m):
        ex, ev, xx, xv, vv = m
        k, w2, s2 = 0.4, 1.7**2, 0.81
        return [ev, -k * ev - w2 * ex, 2 * xv, vv - k * xv - w2 * xx, -2 * k * vv - 2 * w2 * xv + s2]

    end = integrate.solve_ivp(rates, (0, 0.8), [0.5, -1, 0.25, -0.5, 1], rtol=1e-11, atol=1e-13).y[:, -1]
    ours = [complex(sp.N(solved[k].subs(numbers).subs(t, 0.8))) for k in [(1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]]
    assert np.real(ours) == pytest.approx(end, rel=1e-8)
    assert np.abs(np.imag(ours)).max() < 1e-12


def test_what_is_missing():
    well = ItoProcess(x, x - x**3, {W: sigma}).moments(2)
    assert not well.closed
    assert well.missing == ((3,), (4,))
    with pytest.raises(InputError, match=r"cannot be solved: they need the higher moments \[\(3,\), \(4,\)\]"):
        well.solve()
    assert OU.moments(5).closed


def test_initial_moments_of_a_random_start():
    """Started from its stationary law, an OU process stays there."""
    equations = OU.moments(2)
    stationary = equations.stationary()
    m = equations.solve(stationary)
    assert all(same(m[k], stationary[k]) for k in m)


# ------------------------------------------------------------------------------------------------- explicit solutions


def test_solution_of_geometric_brownian_motion_by_itos_formula():
    """f(t, W) solves the SDE if f_W = sigma f and f_t + f_WW / 2 = mu f."""
    f = GBM.solve().value
    assert same(sp.diff(f, W), sigma * f)
    assert same(sp.diff(f, t) + sp.diff(f, W, 2) / 2, mu * f)
    assert same(f.subs({t: 0, W: 0}), X0)


def test_two_noises_by_itos_formula():
    a, b = sp.symbols("a b", positive=True)
    f = ItoProcess(S, mu * S, {W1: a * S, W2: b * S}, initial=X0).solve().value
    drift = sp.diff(f, t) + (sp.diff(f, W1, 2) + sp.diff(f, W2, 2)) / 2 + rho * sp.diff(f, W1, W2)
    assert same(drift, mu * f)
    assert same(sp.diff(f, W2), b * f)


def test_ornstein_uhlenbeck_solution():
    f = OU.solve().value
    noise = ItoIntegral(sigma * sp.exp(kappa * s), s, t, W)
    assert same(f - sp.exp(-kappa * t) * noise, theta + (X0 - theta) * sp.exp(-kappa * t))


def test_bridge_solution():
    """X = x_0 (1 - t/T) + b t/T + (T - t) int dW / (T - s) (Karatzas and Shreve, equation (5.6.23))."""
    b = sp.symbols("b", real=True)
    bridge = ItoProcess(x, (b - x) / (T - t), {W: 1}, initial=X0)
    noise = next(iter(bridge.solve().value.atoms(ItoIntegral)))
    f = sp.expand(bridge.solve().value)
    weight = f.coeff(noise)
    assert same(weight * noise.args[0], (T - t) / (T - s))
    assert same(f - sp.expand(weight * noise), X0 * (1 - t / T) + b * t / T)
    assert same(variance(bridge), t * (T - t) / T)


def test_additive_and_multiplicative_noise():
    """dX = mu X dt + sigma X dW1 + dW2, rho = 0: variance by hand from V' = (2 mu + sigma^2) V + sigma^2 m^2 + 1."""
    B1, B2 = brownian("B1 B2")
    process = ItoProcess(x, mu * x, {B1: sigma * x, B2: 1}, initial=X0)
    V = variance(process)
    m = X0 * sp.exp(mu * t)
    assert same(mean(process), m)
    assert same(sp.diff(V, t), (2 * mu + sigma**2) * V + sigma**2 * m**2 + 1)
    assert same(V.subs(t, 0), 0)
    assert process.solve().value.has(at(B1, s))


def test_isometry_of_a_vector_solution():
    """The covariance from the Ito integrals' integrands is that of the moment equations."""
    numbers = {kappa: sp.Rational(5, 2), omega: 1, sigma: 1}
    process = DAMPED.subs(numbers)
    value = process.solve().value
    weights = [next(iter(row.atoms(ItoIntegral))).args[0] for row in value]
    upper = 0.7
    moments = process.moments(2)
    expected = moments.covariance(moments.solve([0, 0])).subs(t, upper)
    for i in range(2):
        for j in range(2):
            f = sp.lambdify(s, (weights[i] * weights[j]).subs(t, upper))
            assert integrate.quad(f, 0, upper)[0] == pytest.approx(float(expected[i, j]), rel=1e-9)


def test_time_dependent_coefficients():
    """dX = -X/(1+t) dt + dW: X = (X_0 + int (1+s) dW)/(1+t), variance ((1+t)^3 - 1) / (3 (1+t)^2)."""
    process = ItoProcess(x, -x / (1 + t), {W: 1}, initial=X0)
    assert same(mean(process), X0 / (1 + t))
    assert same(variance(process), ((1 + t) ** 3 - 1) / (3 * (1 + t) ** 2))


# ------------------------------------------------------------------------------------------------------------ bad input


def test_bad_input():
    with pytest.raises(InputError, match="order=0 of moments is not a whole number >= 1"):
        OU.moments(0)
    with pytest.raises(InputError, match="no polynomial in the states"):
        ItoProcess(x, sp.sin(x), {W: 1}).moments()
    with pytest.raises(InputError, match="depend on t, so that there are no stationary moments"):
        ItoProcess(x, -t * x, {W: 1}).moments().stationary()
    with pytest.raises(InputError, match="no single stationary value"):
        ItoProcess(x, 0, {W: 1}).moments(1).stationary()
    with pytest.raises(InputError, match=r"initial has no moment \(2,\)"):
        OU.moments().solve({(1,): 0})
    with pytest.raises(InputError, match=r"drift x\*\*2 is not linear in x"):
        ItoProcess(x, x**2, {W: 1}).solve()
    with pytest.raises(InputError, match="for several states give additive noise"):
        ItoProcess([x, y], [x, y], {W: [y, x]}).solve()
