"""Scale, speed, exits, Feller's boundaries and Lamperti's transform, against textbooks and a boundary value solver."""

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, special

from sojourn.calculus import ItoProcess, brownian
from sojourn.calculus.inequalities import positive
from sojourn.calculus.one_dimensional import exit_probability, feller, mean_exit_time
from sojourn.calculus.state_space import state_space, where
from sojourn.errors import InputError

t, kappa, theta, sigma, mu, delta, a, b = sp.symbols("t kappa theta sigma mu delta a b", positive=True)
x = sp.symbols("x", real=True)
S = sp.symbols("S", positive=True)
W = brownian("W")
half = sp.Rational(1, 2)

DRIFTED = ItoProcess(x, mu, {W: sigma})
OU = ItoProcess(x, kappa * (theta - x), {W: sigma})
GBM = ItoProcess(S, mu * S, {W: sigma * S})
CIR = ItoProcess(S, kappa * (theta - S), {W: sigma * sp.sqrt(S)})
BESSEL = ItoProcess(S, (delta - 1) / (2 * S), {W: 1})
FISHER = ItoProcess(S, 0, {W: sp.sqrt(S * (1 - S))})
LOGISTIC = ItoProcess(S, mu * S * (1 - S), {W: sigma * S})
ALL = {"drifted": DRIFTED, "OU": OU, "GBM": GBM, "CIR": CIR, "Bessel": BESSEL, "Fisher": FISHER, "logistic": LOGISTIC}


def same(left, right):
    return sp.simplify(sp.sympify(left) - sp.sympify(right)) == 0


# ---------------------------------------------------------------------------------------------------- scale and speed


@pytest.mark.parametrize("name", ALL)
def test_scale_function_is_harmonic(name):
    """L s = 0 with s' > 0, written out here."""
    process = ALL[name]
    z = process.state
    first = sp.diff(process.scale_function().value, z)
    second = sp.diff(first, z)
    B2 = next(iter(process.diffusion.values())) ** 2
    places = {kappa: 1.3, theta: 0.6, sigma: 0.7, mu: 0.9, delta: 2.6}
    for place in (0.31, 0.77):
        slope, bend = (complex(sp.N(e.subs(places).subs(z, place), 30)) for e in (first, second))
        drift, square = (float(e.subs(places).subs(z, place)) for e in (process.drift, B2))
        assert abs(slope.imag) < 1e-12
        assert slope.real > 0
        assert drift * slope.real + square * bend.real / 2 == pytest.approx(0, abs=1e-9 * abs(slope.real))


def test_scale_functions_of_textbooks():
    """Karlin and Taylor, section 15.4; Borodin and Salminen, appendix 1."""
    s = DRIFTED.scale_function(0).value
    assert same(s, sigma**2 / (2 * mu) * (1 - sp.exp(-2 * mu * x / sigma**2)))
    assert same(GBM.scale_function(1).value, (S ** (1 - 2 * mu / sigma**2) - 1) / (1 - 2 * mu / sigma**2))
    assert same(BESSEL.scale_function(1).value, (1 - S ** (2 - delta)) / (delta - 2))
    assert same(BESSEL.subs({delta: 2}).scale_function(1).value, sp.log(S))
    assert same(ItoProcess(x, 0, {W: 1}).scale_function().value, x)
    assert same(sp.diff(OU.scale_function(theta).value, x), sp.exp(kappa * (x - theta) ** 2 / sigma**2))


def test_speed_densities_of_textbooks():
    """Borodin and Salminen, appendix 1, with m = 2 / (B^2 s')."""
    assert same(ItoProcess(x, 0, {W: 1}).speed_density().value, 2)
    assert same(BESSEL.speed_density(1).value, 2 * S ** (delta - 1))
    assert same(DRIFTED.speed_density(0).value, 2 / sigma**2 * sp.exp(2 * mu * x / sigma**2))
    assert same(FISHER.speed_density().value, 2 / (S * (1 - S)))


def test_correlated_noises_add():
    rho = sp.symbols("rho", real=True)
    W1, W2 = brownian("W1 W2", correlation=rho)
    both = ItoProcess(x, mu, {W1: a, W2: b})
    square = a**2 + 2 * rho * a * b + b**2
    assert same(both.speed_density(0).value, 2 / square * sp.exp(2 * mu * x / square))


# -------------------------------------------------------------------------------------------------------------- exits


def test_gamblers_ruin_with_drift():
    """Karlin and Taylor, A First Course, theorem 7.5.1 and the mean exit time after it."""
    low, high = -a, b
    P = exit_probability(DRIFTED, low, high).value
    q = 2 * mu / sigma**2
    expected = (1 - sp.exp(-q * (x + a))) / (1 - sp.exp(-q * (a + b)))
    assert same(P, expected)
    T = mean_exit_time(DRIFTED, low, high).value
    assert same(T, ((a + b) * expected - (x + a)) / mu)


def test_brownian_motion_exits():
    motion = ItoProcess(x, 0, {W: sigma})
    assert same(exit_probability(motion, -a, b).value, (x + a) / (a + b))
    assert same(mean_exit_time(motion, -a, b).value, (x + a) * (b - x) / sigma**2)


def test_fixation():
    """Kimura: a neutral allele; mean time to loss or fixation -2 (x log x + (1-x) log(1-x)), here up to the ends."""
    e = sp.Rational(1, 10**6)
    T = mean_exit_time(FISHER, e, 1 - e).value
    for place in (0.2, 0.5):
        expected = -2 * (place * np.log(place) + (1 - place) * np.log(1 - place))
        assert float(sp.N(T.subs(S, place))) == pytest.approx(expected, abs=5e-5)


def test_bessel_exit_from_a_shell():
    """Three dimensions: P(reach b before a) = (1/a - 1/x) / (1/a - 1/b); from a ball T = (b^2 - x^2) / 3 as a falls."""
    ball = BESSEL.subs({delta: 3})
    assert same(exit_probability(ball, 1, 2).value, (1 - 1 / S) * 2)
    T = mean_exit_time(ball, sp.Rational(1, 10**8), 2).value
    assert float(T.subs(S, 1.2)) == pytest.approx((4 - 1.44) / 3, abs=1e-6)


@pytest.mark.parametrize(("process", "low", "high", "numbers"), [
    (OU, -0.5, 1.4, {kappa: 1.2, theta: 0.3, sigma: 0.8}),
    (CIR, 0.2, 1.5, {kappa: 1.2, theta: 0.7, sigma: 0.8}),
    (GBM, 0.5, 2, {mu: 0.3, sigma: 0.9}),
    (ItoProcess(x, x - x**3, {W: 1}), -0.5, 1.2, {}),
], ids=["OU", "CIR", "GBM", "double well"])  # fmt: skip
def test_exits_against_a_boundary_value_solver(process, low, high, numbers):
    """a T' + B^2 T'' / 2 = -1 and its homogeneous twin, by collocation."""
    z = process.state
    drift = sp.lambdify(z, process.drift.subs(numbers))
    square = sp.lambdify(z, (next(iter(process.diffusion.values())) ** 2).subs(numbers) + 0 * z)

    def solve(right, ends):
        def slope(y, u):
            return np.vstack([u[1], 2 * (right - drift(y) * u[1]) / (square(y) + 0 * y)])

        grid = np.linspace(low, high, 50)
        guess = np.vstack([np.linspace(*ends, 50), np.ones(50)])
        found = integrate.solve_bvp(slope, lambda p, q: [p[0] - ends[0], q[0] - ends[1]], grid, guess, tol=1e-9)
        return found.sol(0.6)[0]

    ends = sp.Rational(str(low)), sp.Rational(str(high))
    for found, right, conditions in ((exit_probability, 0, (0, 1)), (mean_exit_time, -1, (0, 0))):
        value = sp.lambdify(z, found(process, *ends).value.subs(numbers), ["scipy", {"hyper": hyper}])(0.6)
        assert value == pytest.approx(solve(right, conditions), rel=1e-6)


def hyper(upper, lower, z):
    """1F1, for lambdify."""
    return special.hyp1f1(*upper, *lower, z)


# --------------------------------------------------------------------------------------------------------- boundaries


def kinds(process):
    return tuple(str(end.value) for end in feller(process))


@pytest.mark.parametrize(("process", "expected"), [
    (ItoProcess(x, 0, {W: 1}), ("natural", "natural")),
    (OU, ("natural", "natural")),
    (GBM, ("natural", "natural")),
    (FISHER, ("exit", "exit")),
    (BESSEL.subs({delta: 3}), ("entrance", "natural")),
    (BESSEL.subs({delta: 2}), ("entrance", "natural")),
    (BESSEL.subs({delta: sp.Rational(3, 2)}), ("regular", "natural")),
    (ItoProcess(S, 0, {W: 2 * sp.sqrt(S)}), ("exit", "natural")),  # squared Bessel of dimension 0 (Feller's diffusion)
    (ItoProcess(S, -1, {W: 2 * sp.sqrt(S)}), ("exit", "natural")),
    (ItoProcess(x, x**2, {W: 1}), ("entrance", "exit")),  # explodes
    (ItoProcess(x, -(x**3), {W: 1}), ("entrance", "entrance")),  # comes down from infinity
    (LOGISTIC, ("natural", "entrance")),
    (ItoProcess(S, mu * S, {W: sigma * S ** sp.Rational(3, 2)}), ("natural", "entrance")),  # Karlin-Taylor, CEV
    (ItoProcess(S, mu * S, {W: sigma * S ** sp.Rational(3, 4)}), ("exit", "natural")),
    (ItoProcess(S, mu * S, {W: sigma * S ** sp.Rational(1, 4)}), ("regular", "natural")),
])  # fmt: skip
def test_feller_classification(process, expected):
    """Karlin and Taylor, A Second Course, table 15.6.2 and examples; Linetsky (2004) for CEV."""
    assert kinds(process) == expected


def test_feller_condition_of_cir():
    low, high = feller(CIR)
    assert str(high.value) == "natural"
    entrance, regular = sp.symbols("entrance regular")
    for numbers, kind in (((2, 1, 1), entrance), ((1, sp.Rational(1, 2), 1), entrance), ((1, 1, 3), regular)):
        assert low.value.subs(dict(zip((kappa, theta, sigma), numbers, strict=True))) == kind


A, B, C, D = sp.symbols("A B C D", real=True)


@pytest.mark.parametrize(("process", "values", "expected"), [
    (ItoProcess(x, B * (x - x**3), {W: sigma}), {B: 0}, ("natural", "natural")),
    (ItoProcess(x, B * (x - x**3), {W: sigma}), {B: 1}, ("entrance", "entrance")),
    (ItoProcess(x, B * (x - x**3), {W: sigma}), {B: -1}, ("exit", "exit")),
    (ItoProcess(S, B * S * (1 - S), {W: sigma * S}), {B: 0}, ("natural", "natural")),  # GBM
    (ItoProcess(x, A * x + B, {W: C * x + D}), {A: 3, B: 3, C: 2, D: 2}, ("natural", "natural")),  # GBM of x + 1
    (ItoProcess(x, A * x + B, {W: C * x + D}), {A: 0, B: 3, C: 2, D: 2}, ("entrance", "natural")),
    (ItoProcess(x, A * x + B, {W: C * x + D}), {A: 0, B: -3, C: 2, D: 2}, ("exit", "natural")),
    (ItoProcess(x, A * x + B, {W: C * x + D}), {A: 0, B: 3, C: -2, D: 2}, ("entrance", "natural")),
], ids=str)  # fmt: skip
def test_cases_hold_at_their_values(process, values, expected):
    """The kinds in symbols, with numbers put in, and those of the process with these numbers from the same interval."""
    assert tuple(str(sp.sympify(end.value).subs(values)) for end in feller(process)) == expected
    low = state_space(process)[0].subs(values)
    assert kinds(process.subs(values).starting(low + 1 if low > -sp.oo else 0)) == expected


def test_a_product_of_parameters_at_zero():
    """At A = 0 the drift has a linear term, at B = 0 none: the ends are natural and natural, so they agree."""
    for end in feller(ItoProcess(x, -A * B * x**3 + B * x, {W: 1})):
        assert [str(end.value.subs({A: p, B: q})) for p, q in ((1, 1), (-1, 1), (0, 1), (1, 0))] == [
            "entrance", "exit", "natural", "natural",
        ]  # fmt: skip


@pytest.mark.parametrize("process", [
    ItoProcess(x, -sp.tan(x), {W: 1}),
    ItoProcess(x, 1 / sp.sin(x), {W: 1}),
    ItoProcess(x, 0, {W: sp.sin(x)}),
    ItoProcess(x, sp.sin(x), {W: sigma}),
    ItoProcess(x, sp.Function("a")(x), {W: sigma}),
    ItoProcess(x, 0, {W: x**2 + x + C}),
    ItoProcess(x, 0, {W: A + B * x + C * x**2}),
    ItoProcess(x, 0, {W: sp.sqrt(A + B * x + C * x**2)}),
    ItoProcess(x, 0, {W: A + B * x + C * x**3}),
], ids=str)  # fmt: skip
def test_nothing_is_claimed_where_singular_points_are_not_known(process):
    with pytest.raises(InputError, match=r"not found|depends on its parameters|leading powers"):
        feller(process)
    notes = process.kolmogorov_forward().notes
    assert notes == ("At a reflecting boundary the flux is zero, J = 0; at an absorbing boundary p = 0.",)


@pytest.mark.parametrize("c", [sp.Rational(1, 2), sp.Rational(1, 4), sp.Rational(-1, 2)])
def test_zeros_of_the_noise_with_numbers(c):
    """x^2 + x + c has zeros for c <= 1/4."""
    roots = sp.real_roots(sp.Poly(x**2 + x + c, x))
    low, high = state_space(ItoProcess(x, 0, {W: x**2 + x + c}, initial=0))
    below, above = [r for r in roots if r < 0], [r for r in roots if r > 0]
    assert (low, high) == (below[-1] if below else -sp.oo, above[0] if above else sp.oo)


def test_positive_coefficients_decide():
    p = ItoProcess(x, 0, {W: sp.sqrt(a + b * x**2)})
    assert state_space(p) == (-sp.oo, sp.oo)
    p = ItoProcess(S, 0, {W: a + b * S})
    assert state_space(p) == (-a / b, sp.oo)


def test_the_interval_is_named():
    jacobi = ItoProcess(x, 0, {W: sigma * x * (1 - x)})
    assert state_space(jacobi) == (0, 1)
    assert where(jacobi) == ("x starts between 0 and 1; from elsewhere it has other ends.",)
    assert where(jacobi.starting(sp.Rational(1, 2))) == where(OU) == where(CIR) == where(FISHER) == ()
    assert where(ItoProcess(x, 1, {W: sp.sqrt(A * x)})) == ("B^2 is positive between 0 and oo.",)
    assert "C is not zero." in where(ItoProcess(x, A * x + B, {W: C * x + D}))
    with pytest.raises(InputError, match=r"B\^2 = .* is negative at the initial S = 2"):
        state_space(FISHER.starting(2))


def test_conditions_are_short():
    real = sp.symbols("k s r h", real=True)
    k, s, r, h = real
    assert str(positive(2 * k / s**2)) == "k > 0"
    assert str(positive(-k / s)) == "k*s < 0"
    assert str(positive(2 * k * h / s**2 - 1, strict=False)) == "2*h*k >= s**2"
    assert str(positive(2 * r / s**2 - 1)) == "2*r > s**2"
    assert positive(kappa / s**2) == sp.true
    assert positive(-kappa - 1) == sp.false
    rng = np.random.default_rng(1)
    for e in (k / s - r, (k * s - r * h) / s**3, -(k**3) * r / (1 + s**2), 1 / k - 1 / r):
        for draw in rng.uniform(-2, 2, (20, 4)):
            places = dict(zip(real, draw, strict=True))
            assert bool(positive(e).subs(places)) == (float(e.subs(places)) > 0)


def test_state_spaces():
    assert state_space(OU) == (-sp.oo, sp.oo)
    assert state_space(CIR) == (0, sp.oo)
    assert state_space(FISHER) == (0, 1)
    assert state_space(ItoProcess(x, 0, {W: sp.sqrt(1 - x**2)})) == (-1, 1)
    assert state_space(ItoProcess(x, 0, {W: x}, initial=-2)) == (-sp.oo, 0)
    assert state_space(ItoProcess(x, 1 / (x - a), {W: 1})) == (a, sp.oo)
    assert state_space(ItoProcess(x, 0, {W: x**3 - 2 * x + 1}, initial=0)) == (
        -half - sp.sqrt(5) / 2,
        sp.sqrt(5) / 2 - half,
    )


# ----------------------------------------------------------------------------------------------------------- Lamperti


def test_lamperti_of_textbooks():
    """Iacus, Simulation and Inference for SDEs, section 1.11.4; CIR becomes a radial Ornstein-Uhlenbeck process."""
    Y = GBM.lamperti()
    assert same(Y.map, sp.log(S) / sigma)
    assert same(Y.process.drift, mu / sigma - sigma / 2)
    Y = CIR.lamperti()
    y = Y.process.state
    assert same(Y.map, 2 * sp.sqrt(S) / sigma)
    assert same(Y.process.drift, (4 * kappa * theta - sigma**2) / (2 * sigma**2 * y) - kappa * y / 2)
    Y = ItoProcess(x, 0, {W: sp.sqrt(1 + x**2)}).lamperti("Z")
    assert same(Y.map, sp.asinh(x))
    assert same(Y.process.drift, -sp.tanh(Y.process.state) / 2)


def test_lamperti_of_a_symbolic_power():
    """CKLS, with X = (sigma (1 - gamma) Y)^(1/(1 - gamma)) (Ait-Sahalia 1999, section 3)."""
    gamma = sp.symbols("gamma", positive=True)
    Y = ItoProcess(S, kappa * (theta - S), {W: sigma * S**gamma}).lamperti()
    y = Y.process.state
    p = sigma * (1 - gamma) * y
    expected = (kappa * theta * p ** (-gamma / (1 - gamma)) - kappa * p) / sigma - gamma * sigma / (2 * p)
    places = {gamma: sp.Rational(7, 10), kappa: 1.3, theta: 0.4, sigma: 0.7, y: 2.1}
    assert float(Y.process.drift.subs(places)) == pytest.approx(float(expected.subs(places)), rel=1e-12)
    assert Y.process.drift.count_ops() < 40


def test_lamperti_of_a_root_of_a_quadratic_in_symbols():
    """1 / B is the derivative of the map, for coefficients in no special relation."""
    F = ItoProcess(x, 0, {W: sp.sqrt(A + B * x + C * x**2)}).lamperti().map
    places = {A: 1.7, B: 0.3, C: 0.9}
    for place in (-0.4, 1.2):
        slope = complex(sp.N(sp.diff(F, x).subs(places).subs(x, place)))
        assert slope == pytest.approx((1.7 + 0.3 * place + 0.9 * place**2) ** -0.5, rel=1e-10)


@pytest.mark.parametrize("process", [GBM, CIR, FISHER, LOGISTIC, OU, ItoProcess(x, -x, {W: sp.exp(t) * sigma})])
def test_lamperti_by_itos_formula(process):
    """F_t + a F_x + B^2 F_xx / 2 is the new drift and B F_x = 1, at a point."""
    Y, z, B = process.lamperti(), process.state, next(iter(process.diffusion.values()))
    F, y = Y.map, Y.process.state
    places = {kappa: 1.3, theta: 0.4, sigma: 0.7, mu: 0.9, t: 0.35, z: 0.3}
    drift = sp.diff(F, t) + process.drift * sp.diff(F, z) + B**2 * sp.diff(F, z, 2) / 2
    assert float((B * sp.diff(F, z)).subs(places)) == pytest.approx(1, rel=1e-12)
    at = float(F.subs(places))
    assert float(Y.process.drift.subs(y, at).subs(places)) == pytest.approx(float(drift.subs(places)), rel=1e-9)
    assert float(Y.inverse.subs(y, at).subs(places)) == pytest.approx(0.3, rel=1e-12)
    assert list(Y.process.diffusion.values()) == [1]


# ---------------------------------------------------------------------------------------------------------- bad input


def test_bad_input():
    with pytest.raises(InputError, match="the process has 2 states; this is known of one state"):
        ItoProcess([x, S], [0, 0], {W: [1, 1]}).scale_function()
    with pytest.raises(InputError, match="coefficients of x depend on t"):
        ItoProcess(x, t, {W: 1}).scale_function()
    with pytest.raises(InputError, match="x has no noise"):
        ItoProcess(x, -x, {}).speed_density()
    with pytest.raises(InputError, match="needs finite ends, the first below the second"):
        exit_probability(OU, 2, 1)
    with pytest.raises(InputError, match="singular at 0, in the interval from -1 to 1; keep it out"):
        mean_exit_time(ItoProcess(x, 0, {W: x}), -1, 1)
    with pytest.raises(InputError, match="Lamperti's transform is of one state and one Brownian motion"):
        ItoProcess(x, 0, dict.fromkeys(brownian("W1 W2"), 1)).lamperti()
    with pytest.raises(InputError, match="name='mu' is a parameter"):
        GBM.lamperti("mu")
