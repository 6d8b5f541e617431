"""Generators, adjoints, Kolmogorov equations: against textbook forms, duality by quadrature, and known solutions."""

import math

import pytest
import sympy as sp
from scipy import integrate, stats

from sojourn.calculus import ItoProcess, brownian
from sojourn.calculus.generator import flux
from sojourn.calculus.kolmogorov import stationary_density
from sojourn.calculus.noises import poisson
from sojourn.errors import InputError

t, kappa, theta, sigma, mu, r, T, K, lam = sp.symbols("t kappa theta sigma mu r T K lambda", positive=True)
x, y = sp.symbols("x y", real=True)
S, V = sp.symbols("S V", positive=True)
rho = sp.symbols("rho", real=True)
W = brownian("W")
W1, W2 = brownian("W1 W2", correlation=rho)

OU = ItoProcess(x, kappa * (theta - x), {W: sigma})
GBM = ItoProcess(S, mu * S, {W: sigma * S})
CIR = ItoProcess(V, kappa * (theta - V), {W: sigma * sp.sqrt(V)})
HESTON = ItoProcess([S, V], [mu * S, kappa * (theta - V)], {W1: [sp.sqrt(V) * S, 0], W2: [0, sigma * sp.sqrt(V)]})
NUMBERS = {kappa: 1.3, theta: 0.7, sigma: 0.6, mu: 0.4, r: 0.05, T: 1.5, K: 1.1, lam: 0.8, rho: -0.3}


def same(left, right):
    """Whether two expressions are equal: exactly after simplification."""
    return sp.simplify(sp.sympify(left) - sp.sympify(right)) == 0


def vanishes(expression, *points, tolerance=1e-12):
    """Whether an expression is zero at given points, in 30 digits."""
    exact = {s: sp.nsimplify(v, rational=True) for s, v in NUMBERS.items()}
    return all(abs(sp.N(expression.subs(exact).subs(point), 30)) < tolerance for point in points)


# ------------------------------------------------------------------------------------------------------- generator


def test_ornstein_uhlenbeck_of_a_square():
    assert same(OU.generator(x**2), 2 * kappa * x * (theta - x) + sigma**2)


def test_logarithm_of_geometric_brownian_motion():
    assert same(GBM.generator(sp.log(S)), mu - sigma**2 / 2)


def test_discounted_geometric_brownian_motion_has_no_drift():
    assert same(GBM.generator(sp.exp(-mu * t) * S), 0)


def test_product_of_correlated_motions():
    assert same(ItoProcess([x, y], [0, 0], {W1: [1, 0], W2: [0, 1]}).generator(x * y), rho)


def test_harmonic_functions_of_plane_motion():
    plane = ItoProcess([x, y], [0, 0], dict(zip(brownian("B1 B2"), ([1, 0], [0, 1]), strict=True)))
    assert same(plane.generator(sp.log(x**2 + y**2)), 0)
    assert same(plane.generator(sp.exp(x) * sp.cos(y)), 0)


def test_heston_generator():
    """Gatheral, The Volatility Surface, equation (1.4) without discounting."""
    u = sp.Function("u")(S, V)
    expected = (
        mu * S * u.diff(S)
        + kappa * (theta - V) * u.diff(V)
        + V * S**2 * u.diff(S, 2) / 2
        + rho * sigma * V * S * u.diff(S, V)
        + sigma**2 * V * u.diff(V, 2) / 2
    )
    assert same(HESTON.generator("u"), expected)
    assert same(HESTON.generator(sp.Function("u")), expected)


def test_poisson_counts():
    N = poisson("N", rate=lam)
    count = ItoProcess(x, 0, {}, jumps={N: 1})
    assert same(count.generator(x), lam)
    assert same(count.generator(x**2), lam * (2 * x + 1))
    f = sp.Function("f")
    assert same(count.generator(f), lam * (f(x + 1) - f(x)))


def test_merton_jumps():
    """E[exp(Y) - 1] = exp(m + d^2/2) - 1 for a normal mark (Merton 1976)."""
    m, Y = sp.symbols("m Y", real=True)
    d = sp.symbols("d", positive=True)
    N = poisson(
        "N", rate=lam, mark=Y, law=(sp.exp(-((Y - m) ** 2) / (2 * d**2)) / sp.sqrt(2 * sp.pi) / d, -sp.oo, sp.oo)
    )
    merton = ItoProcess(S, mu * S, {W: sigma * S}, jumps={N: S * (sp.exp(Y) - 1)})
    assert same(merton.generator(S), S * (mu + lam * (sp.exp(m + d**2 / 2) - 1)))


def test_levy_exponent():
    """L exp(q x) = psi(q) exp(q x) with the Laplace exponent of drift, noise and two-sided jumps."""
    q, p = sp.symbols("q p", positive=True)
    Y = sp.symbols("Y", real=True)
    N = poisson("N", rate=lam, mark=Y, law={1: p, -1: 1 - p})
    levy = ItoProcess(x, mu, {W: sigma}, jumps={N: Y})
    psi = mu * q + sigma**2 * q**2 / 2 + lam * (p * sp.exp(q) + (1 - p) * sp.exp(-q) - 1)
    assert same(levy.generator(sp.exp(q * x)), psi * sp.exp(q * x))


# --------------------------------------------------------------------------------------------------------- adjoint


def test_ornstein_uhlenbeck_adjoint():
    """Risken, The Fokker-Planck Equation, section 5.3."""
    p = sp.Function("p")(t, x)
    assert same(OU.adjoint("p"), kappa * p + kappa * (x - theta) * p.diff(x) + sigma**2 * p.diff(x, 2) / 2)


def test_kramers_flux():
    """Risken, equation (10.1): position and velocity in a potential U."""
    v = sp.symbols("v", real=True)
    U, p = sp.Function("U")(x), sp.Function("p")(t, x, v)
    kramers = ItoProcess([x, v], [v, -kappa * v - U.diff(x)], {W: [0, sigma]})
    J = flux(kramers).value
    assert same(J[0], v * p)
    assert same(J[1], -(kappa * v + U.diff(x)) * p - sigma**2 * p.diff(v) / 2)
    assert same(kramers.adjoint("p"), -J[0].diff(x) - J[1].diff(v))


@pytest.mark.parametrize(("process", "low", "f", "p"), [
    (OU, -sp.oo, lambda z: z**3 + z, lambda z: sp.exp(-((z - 1) ** 2))),
    (GBM, 0, lambda z: z**2, lambda z: z * sp.exp(-z)),
    (CIR, 0, lambda z: z**2 + z, lambda z: z**2 * sp.exp(-2 * z)),
    (ItoProcess(x, -sp.sin(x), {W1: 1, W2: sp.cos(x)}), -sp.oo, lambda z: z**2, lambda z: sp.exp(-(z**2))),
    (ItoProcess(x, 0, {}, jumps={poisson("N", rate=lam): 1 - x / 2}), -sp.oo, lambda z: z**2, lambda z: sp.exp(-z * z)),
    (ItoProcess(x, 0, {}, jumps={poisson("N", rate=1 + x**2): 1}), -sp.oo, lambda z: z**2, lambda z: sp.exp(-(z**2))),
], ids=["OU", "GBM", "CIR", "two noises", "affine jumps", "state-dependent rate"])  # fmt: skip
def test_duality(process, low, f, p):
    """int f L* p = int p L f, by numerical quadrature."""
    z = process.state
    left = f(z) * process.adjoint(p(z)).value
    right = p(z) * process.generator(f(z)).value
    values = [
        integrate.quad(sp.lambdify(z, e.subs(NUMBERS)), -8 if low else 0, 8 if low else 60, epsabs=1e-12)[0]
        for e in (left, right)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-8)


# ---------------------------------------------------------------------------------------------- equations and solutions


def residual(equation, name, solution):
    """The two sides' difference, with a solution in the place of the unknown function."""
    u = next(e for e in equation.atoms(sp.core.function.AppliedUndef) if e.func.__name__ == name)
    return (equation.lhs - equation.rhs).subs(u, solution).doit()


def test_black_scholes():
    risk_neutral = ItoProcess(S, r * S, {W: sigma * S})
    u = sp.Function("u")(t, S)
    found = risk_neutral.feynman_kac(sp.Max(S - K, 0), discount=r)
    assert same(found.value.lhs, u.diff(t) + r * S * u.diff(S) + sigma**2 * S**2 * u.diff(S, 2) / 2 - r * u)
    assert found.steps[-1].right == sp.Max(S - K, 0)

    def normal(z):
        return (1 + sp.erf(z / sp.sqrt(2))) / 2

    d1 = (sp.log(S / K) + (r + sigma**2 / 2) * (T - t)) / (sigma * sp.sqrt(T - t))
    price = S * normal(d1) - K * sp.exp(-r * (T - t)) * normal(d1 - sigma * sp.sqrt(T - t))
    assert vanishes(residual(found.value, "u", price), {S: 1.2, t: 0.3}, {S: 0.8, t: 1.1})


def test_vasicek_bond():
    """Vasicek (1977), equation (27): exp(A - B x) with B = (1 - exp(-kappa tau)) / kappa."""
    tau = T - t
    B = (1 - sp.exp(-kappa * tau)) / kappa
    A = (theta - sigma**2 / (2 * kappa**2)) * (B - tau) - sigma**2 * B**2 / (4 * kappa)
    equation = OU.feynman_kac(1, discount=x).value
    assert vanishes(residual(equation, "u", sp.exp(A - B * x)), {x: 0.3, t: 0.2}, {x: -0.5, t: 1.0})


def test_cox_ingersoll_ross_bond():
    """Cox, Ingersoll and Ross (1985), equation (23)."""
    tau, h = T - t, sp.sqrt(kappa**2 + 2 * sigma**2)
    low = (h + kappa) * (sp.exp(h * tau) - 1) + 2 * h
    A = (2 * h * sp.exp((kappa + h) * tau / 2) / low) ** (2 * kappa * theta / sigma**2)
    B = 2 * (sp.exp(h * tau) - 1) / low
    equation = CIR.feynman_kac(1, discount=V).value
    assert vanishes(residual(equation, "u", A * sp.exp(-B * V)), {V: 0.3, t: 0.2}, {V: 1.5, t: 1.0})


def test_source_is_integrated():
    """E int_t^T W_s^2 ds = x^2 (T - t) + (T - t)^2 / 2."""
    equation = ItoProcess(x, 0, {W: 1}).feynman_kac(0, source=x**2).value
    assert same(residual(equation, "u", x**2 * (T - t) + (T - t) ** 2 / 2), 0)


def test_backward_equation_holds_for_a_conditional_mean():
    decay = sp.exp(-kappa * (T - t))
    second = (theta + (x - theta) * decay) ** 2 + sigma**2 / (2 * kappa) * (1 - decay**2)
    found = OU.kolmogorov_backward("v")
    assert same(residual(found.value, "v", second), 0)
    assert found.notes == ("v at the final time T is f: v(T, x) = f(x).",)


def test_forward_equation_of_the_standard_gaussian():
    heat = ItoProcess(x, 0, {W: 1}).kolmogorov_forward()
    assert same(residual(heat.value, "p", sp.exp(-(x**2) / (2 * t)) / sp.sqrt(2 * sp.pi * t)), 0)


# ------------------------------------------------------------------------------------------------- stationary densities

STATIONARY = {
    "OU": (OU, lambda n: stats.norm(n[theta], n[sigma] / (2 * n[kappa]) ** 0.5)),
    "CIR": (
        CIR,
        lambda n: stats.gamma(2 * n[kappa] * n[theta] / n[sigma] ** 2, scale=n[sigma] ** 2 / (2 * n[kappa])),
    ),
    "Jacobi": (
        ItoProcess(V, kappa * (theta - V), {W: sigma * sp.sqrt(V * (1 - V))}),
        lambda n: stats.beta(
            2 * n[kappa] * n[theta] / n[sigma] ** 2, 2 * n[kappa] * (1 - n[theta]) / n[sigma] ** 2
        ),
    ),
    "logistic growth": (  # gamma with shape 2 mu / sigma^2 - 1 (May 1973)
        ItoProcess(V, mu * V * (1 - V / K), {W: sigma * V}),
        lambda n: stats.gamma(2 * n[mu] / n[sigma] ** 2 - 1, scale=n[sigma] ** 2 * n[K] / (2 * n[mu])),
    ),
    "GARCH diffusion": (  # inverse gamma (Nelson 1990)
        ItoProcess(V, kappa * (theta - V), {W: sigma * V}),
        lambda n: stats.invgamma(
            1 + 2 * n[kappa] / n[sigma] ** 2, scale=2 * n[kappa] * n[theta] / n[sigma] ** 2
        ),
    ),
    "radial OU in three dimensions": (
        ItoProcess(V, 1 / V - kappa * V, {W: 1}),
        lambda n: stats.maxwell(scale=(2 * n[kappa]) ** -0.5),
    ),
    "log price reverting": (  # log V is an OU process around log theta
        ItoProcess(V, V * (sigma**2 / 2 + kappa * (sp.log(theta) - sp.log(V))), {W: sigma * V}),
        lambda n: stats.lognorm(n[sigma] / (2 * n[kappa]) ** 0.5, scale=n[theta]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STATIONARY)
def test_stationary_density(name):
    process, reference = STATIONARY[name]
    density = stationary_density(process).value.subs(NUMBERS)
    for place in (0.21, 0.55, 0.83):
        assert float(density.subs(process.state, place)) == pytest.approx(reference(NUMBERS).pdf(place), rel=1e-10)


def test_unknown_constants_stay_integrals():
    well = stationary_density(ItoProcess(x, x - x**3, {W: 1})).value
    assert well.has(sp.Integral)
    assert same(well.diff(x) / well, 2 * (x - x**3))
    constant = float(sp.N(well.subs(x, 0)))
    assert integrate.quad(lambda z: constant * math.exp(z**2 - z**4 / 2), -6, 6)[0] == pytest.approx(1, rel=1e-10)


@pytest.mark.parametrize("process", [
    ItoProcess(x, mu, {W: sigma}),
    GBM,
    ItoProcess(x, kappa * x, {W: sigma}),
    ItoProcess(V, mu * V, {W1: sigma * V, W2: K * V}),
    ItoProcess(x, sp.sin(x), {W: sigma}),
    ItoProcess(x, lam * (1 - x**2), {W: sigma * (1 - x**2)}),  # atanh(x) is pushed outwards
    ItoProcess(V, V * sp.log(V), {W: V}),  # log(V) is
])  # fmt: skip
def test_no_stationary_density(process):
    with pytest.raises(InputError, match=r"no stationary density|a stationary density is not given"):
        stationary_density(process)


def test_conditions_at_the_boundary():
    notes = CIR.kolmogorov_forward().notes
    assert notes[0] == (
        "The end V = 0 is an entrance: it is never reached, J = 0, if 2*kappa*theta >= sigma**2; else it is regular: "
        "choose reflecting, J = 0, or absorbing, p = 0."
    )
    assert notes[1].startswith("The end V = oo is natural")
    k, s, m = sp.symbols("k s m", real=True)
    notes = ItoProcess(x, k * (m - x), {W: s}).kolmogorov_forward().notes
    assert notes[3] == "It exists if k > 0."
    density = sp.sympify(notes[2].removeprefix("The stationary density is ").removesuffix("."))
    at = density.subs({"k": 0.7, "m": 0.2, "s": 0.9, "x": 0.5})
    assert float(at) == pytest.approx(stats.norm(0.2, 0.9 / 1.4**0.5).pdf(0.5), rel=1e-12)


# ------------------------------------------------------------------------------------------------------------ bad input


def test_bad_input():
    N = poisson("N", rate=1)
    with pytest.raises(InputError, match="is no name of a function"):
        OU.generator("two words")
    with pytest.raises(InputError, match="which is not affine and invertible"):
        ItoProcess(x, 0, {W: 1}, jumps={N: x**2}).adjoint("p")
    with pytest.raises(InputError, match="not an unknown function of t and the states"):
        OU.kolmogorov_backward(x**2)
    with pytest.raises(InputError, match="depends on t; it is paid at the final time"):
        OU.feynman_kac(x * t)
