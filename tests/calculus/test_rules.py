"""Ito's rules against results written out in textbooks, against moments, and against the sums along simulated paths."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn import InputError
from sojourn.calculus import ItoProcess, StratonovichProcess, brownian, isometry, ito, poisson, symbols, table
from sojourn.calculus.differential import covariation, product, quotient
from sojourn.calculus.isometry import brownian_mean
from sojourn.calculus.joined import driven_by, joined, noises_in
from sojourn.calculus.linear import ItoIntegral
from sojourn.calculus.martingales import doleans_dade, martingale_test
from sojourn.calculus.show import derivation

t, T, S, R, V, x0 = symbols("t T S R V x_0", positive=True)
a, b, c, r, u, beta = symbols("a b c r u beta", positive=True)
mu, nu, sigma, eta, kappa, theta, xi, lam, p = symbols("mu nu sigma eta kappa theta xi lam p", positive=True)
x, y, Y, A, rho = symbols("x y Y A rho", real=True)
n = symbols("n", integer=True, positive=True)
exp, log, sqrt, sin, cos = sp.exp, sp.log, sp.sqrt, sp.sin, sp.cos

W, B = brownian("W"), brownian("B")
B1, B2, B3 = brownian("B1 B2 B3")
W1, W2 = brownian("W1 W2", correlation=rho)
N = poisson("N", rate=lam)
coin = poisson("M", rate=lam, mark=Y, law={1: p, -1: 1 - p})

GBM = ItoProcess(S, mu * S, {W1: sigma * S})
SECOND = ItoProcess(V, nu * V, {W2: eta * V})
OU = ItoProcess(x, kappa * (theta - x), {W: sigma})
CIR = ItoProcess(V, kappa * (theta - V), {W: xi * sqrt(V)})
VASICEK = ItoProcess(R, a - beta * R, {W: sigma})
HESTON = ItoProcess([S, V], [mu * S, kappa * (theta - V)], {W1: [sqrt(V) * S, 0], W2: [0, xi * sqrt(V)]})
BRIDGE = ItoProcess(x, -x / (1 - t), {W: 1})
LOGISTIC = ItoProcess(R, r * R * (1 - R), {W: sigma * R * (1 - R)})
CEV = ItoProcess(S, mu * S, {W: sigma * S**beta})
THREE_HALVES = ItoProcess(V, kappa * V * (theta - V), {W: xi * V ** sp.Rational(3, 2)})
MERTON = ItoProcess(S, mu * S, {W: sigma * S}, jumps={coin: S * (exp(Y) - 1)})
RADIUS = sqrt(B1**2 + B2**2 + B3**2)
PLANE = sqrt(B1**2 + B2**2)
Q = S * V  # the product of both geometric Brownian motions


def same(left, right):
    return sp.simplify(sp.expand(left - right)) == 0 or sp.simplify(left - right) == 0


# the differential of f: its name and source, f or df, drift, coefficients by noise
DIFFERENTIALS = [
    # Oksendal, chapter 4, examples and exercises 4.1 to 4.11
    ("Oksendal 3.1.9: W^2", ito(W**2), 1, {W: 2 * W}),
    ("Oksendal 4.1b", ito(2 + t + exp(W)), 1 + exp(W) / 2, {W: exp(W)}),
    ("Oksendal 4.1c", ito(B1**2 + B2**2), 2, {B1: 2 * B1, B2: 2 * B2}),
    ("Oksendal 4.1e", ito(B2**2 - B1 * B3), 1, {B1: -B3, B2: 2 * B2, B3: -B1}),
    ("Oksendal 4.2", ito(W**3 / 3), W, {W: W**2}),
    ("Oksendal 4.1.2: t W", ito(t * W), W, {W: t}),
    ("Oksendal 4.6a", ito(exp(c * t + a * W)), (c + a**2 / 2) * exp(c * t + a * W), {W: a * exp(c * t + a * W)}),
    (
        "Oksendal 4.6b",
        ito(exp(c * t + a * B1 + b * B2)),
        (c + a**2 / 2 + b**2 / 2) * exp(c * t + a * B1 + b * B2),
        {B1: a * exp(c * t + a * B1 + b * B2), B2: b * exp(c * t + a * B1 + b * B2)},
    ),
    ("powers", ito(W**n), n * (n - 1) / 2 * W ** (n - 2), {W: n * W ** (n - 1)}),
    # Kloeden and Platen 4.4: explicitly solvable equations, from their solutions
    ("Kloeden-Platen: sin", ito(sin(a * W)), -(a**2) / 2 * sin(a * W), {W: a * cos(a * W)}),
    ("Kloeden-Platen: sinh", ito(sp.sinh(a * W)), a**2 / 2 * sp.sinh(a * W), {W: a * sp.cosh(a * W)}),
    (
        "Kloeden-Platen: tan",
        ito(sp.tan(a * W)),
        a**2 * sp.tan(a * W) * (1 + sp.tan(a * W) ** 2),
        {W: a * (1 + sp.tan(a * W) ** 2)},
    ),
    ("Kloeden-Platen: tanh", ito(sp.tanh(W)), -sp.tanh(W) * (1 - sp.tanh(W) ** 2), {W: 1 - sp.tanh(W) ** 2}),
    ("Kloeden-Platen: square", ito((W + a) ** 2), 1, {W: 2 * (W + a)}),
    ("Kloeden-Platen: cube", ito((W / 3 + a) ** 3), (W / 3 + a) / 3, {W: (W / 3 + a) ** 2}),
    # Karatzas and Shreve 3.3: Bessel processes and their harmonic functions
    ("Bessel, 3.3.20", ito(RADIUS), 1 / RADIUS, {B1: B1 / RADIUS, B2: B2 / RADIUS, B3: B3 / RADIUS}),
    ("1/R, 3.3.36", ito(1 / RADIUS), 0, {B1: -B1 / RADIUS**3, B2: -B2 / RADIUS**3, B3: -B3 / RADIUS**3}),
    ("log R in the plane", ito(log(PLANE)), 0, {B1: B1 / PLANE**2, B2: B2 / PLANE**2}),
    # Shreve II, chapter 4: geometric Brownian motion, Vasicek, CIR
    ("log S", GBM.of(log(S)), mu - sigma**2 / 2, {W1: sigma}),
    ("discounted S", GBM.of(exp(-r * t) * S), (mu - r) * exp(-r * t) * S, {W1: sigma * exp(-r * t) * S}),
    ("S^p", GBM.of(S**p), p * (mu + (p - 1) * sigma**2 / 2) * S**p, {W1: p * sigma * S**p}),
    ("1/S", GBM.of(1 / S), (sigma**2 - mu) / S, {W1: -sigma / S}),
    ("Vasicek, 4.4.10", VASICEK.of(exp(beta * t) * R), a * exp(beta * t), {W: sigma * exp(beta * t)}),
    (
        "CIR, 4.4.11",
        CIR.of(exp(kappa * t) * V),
        kappa * theta * exp(kappa * t),
        {W: xi * exp(kappa * t) * sqrt(V)},
    ),
    (
        "CIR squared, 4.4.11",
        CIR.of(V**2),
        (2 * kappa * theta + xi**2) * V - 2 * kappa * V**2,
        {W: 2 * xi * V ** sp.Rational(3, 2)},
    ),
    ("root of CIR", CIR.of(sqrt(V)), (4 * kappa * theta - xi**2) / (8 * sqrt(V)) - kappa * sqrt(V) / 2, {W: xi / 2}),
    ("OU squared", OU.of(x**2), 2 * kappa * (theta - x) * x + sigma**2, {W: 2 * sigma * x}),
    ("OU, 5.6.8", OU.of((x - theta) * exp(kappa * t)), 0, {W: sigma * exp(kappa * t)}),
    ("bridge, 5.6.23", BRIDGE.of(x / (1 - t)), 0, {W: 1 / (1 - t)}),
    ("logit", LOGISTIC.of(log(R / (1 - R))), r + sigma**2 * (R - sp.Rational(1, 2)), {W: sigma}),
    (
        "CEV is a CIR process",
        CEV.of(S ** (2 * (1 - beta))),
        2 * (1 - beta) * mu * S ** (2 * (1 - beta)) + (1 - beta) * (1 - 2 * beta) * sigma**2,
        {W: 2 * (1 - beta) * sigma * S ** (1 - beta)},
    ),
    ("1/V of the 3/2 model", THREE_HALVES.of(1 / V), kappa + xi**2 - kappa * theta / V, {W: -xi / sqrt(V)}),
    ("log S of Heston", HESTON.of(log(S)), mu - V / 2, {W1: sqrt(V)}),
    (
        "S V of Heston",
        HESTON.of(S * V),
        mu * S * V + kappa * (theta - V) * S + rho * xi * S * V,
        {W1: S * V ** sp.Rational(3, 2), W2: xi * S * sqrt(V)},
    ),
    # products and quotients of processes apart; Margrabe (1978) for the quotient
    ("product", product(GBM, SECOND), (mu + nu + rho * sigma * eta) * Q, {W1: sigma * Q, W2: eta * Q}),
    (
        "quotient",
        quotient(GBM, SECOND),
        (mu - nu + eta**2 - rho * sigma * eta) * S / V,
        {W1: sigma * S / V, W2: -eta * S / V},
    ),
    ("product with itself", product(GBM, GBM), (2 * mu + sigma**2) * S**2, {W1: 2 * sigma * S**2}),
    ("quotient by itself", quotient(GBM, GBM), 0, {}),
    ("correlated motions", ito(W1 * W2), rho, {W1: W2, W2: W1}),
    (
        "sum",
        GBM.of(S**2) + 3 * GBM.of(t * S),
        (2 * mu + sigma**2) * S**2 + 3 * S * (1 + mu * t),
        {W1: 2 * sigma * S**2 + 3 * sigma * t * S},
    ),
    ("Tanaka, Karatzas-Shreve 3.6.22", ito(sp.Abs(W)), sp.DiracDelta(W), {W: sp.sign(W)}),
    ("with a motion in f", GBM.of(S * W1), mu * S * W1 + sigma * S, {W1: S + sigma * S * W1}),
    ("with a motion apart", GBM.of(S * W2), mu * S * W2 + rho * sigma * S, {W1: sigma * S * W2, W2: S}),
    # jumps: Shreve II, 11.5; Protter II.7
    ("N^2", ito(N**2), 0, {N: 2 * N + 1}),
    ("exp(u N)", ito(exp(u * N)), 0, {N: (exp(u) - 1) * exp(u * N)}),
    ("N W", ito(N * W), 0, {N: W, W: N}),
    ("log of Merton's S", MERTON.of(log(S)), mu - sigma**2 / 2, {W: sigma, coin: Y}),
    (
        "S^2 of Merton's S",
        MERTON.of(S**2),
        (2 * mu + sigma**2) * S**2,
        {W: 2 * sigma * S**2, coin: (exp(2 * Y) - 1) * S**2},
    ),
    (
        "product with jumps",
        product(MERTON, MERTON),
        (2 * mu + sigma**2) * S**2,
        {W: 2 * sigma * S**2, coin: (exp(2 * Y) - 1) * S**2},
    ),
    ("quotient with jumps", quotient(MERTON, MERTON), 0, {}),
    ("products share the jumps of N", product(ito(N), ito(N**2)), 0, {N: 3 * N**2 + 3 * N + 1}),
]


@pytest.mark.parametrize(("name", "found", "drift", "coefficients"), DIFFERENTIALS, ids=[d[0] for d in DIFFERENTIALS])
def test_differentials_are_those_of_the_textbooks(name, found, drift, coefficients):
    assert same(found.drift, sp.sympify(drift))
    have = found.diffusion | found.jumps
    assert set(have) == {noise for noise, e in coefficients.items() if e != 0}
    for noise, e in coefficients.items():
        assert same(have[noise], sp.sympify(e)), noise


VALUES = [
    # quadratic covariation
    ("d[S, V] of Heston", HESTON.covariation().value[0, 1], rho * xi * S * V),
    ("d[S] of Heston", HESTON.covariation().value[0, 0], S**2 * V),
    ("d[cos W, sin W]", covariation(ito(cos(W)), ito(sin(W))).value, -sin(W) * cos(W)),
    ("d[S, V] of two processes", covariation(GBM, SECOND).value, rho * sigma * eta * S * V),
    ("of processes apart", covariation(OU, ItoProcess(y, 0, {B: 1})).value, 0),
    # Ito's isometry, Oksendal 3.1
    ("Var int W dW", isometry({W: W}).value, T**2 / 2),
    ("Var int t dW", isometry({W: t}).value, T**3 / 3),
    ("Var int W^2 dW", isometry({W: W**2}).value, T**3),
    ("Var int exp(W) dW", isometry({W: exp(W)}).value, (exp(2 * T) - 1) / 2),
    ("Var int cos W dW", isometry({W: cos(W)}).value, T / 2 + (1 - exp(-2 * T)) / 4),
    (
        "Var of OU",
        isometry({W: sigma * exp(-kappa * (T - t))}).value,
        sigma**2 * (1 - exp(-2 * kappa * T)) / (2 * kappa),
    ),
    ("Cov of two motions", isometry({W1: 1}, {W2: t}).value, rho * T**2 / 2),
    ("Cov int W1 dW1, int W2 dW2", isometry({W1: W1}, {W2: W2}).value, rho**2 * T**2 / 2),
    ("of independent motions", isometry({B1: 1}, {B2: 1}).value, 0),
    (
        "Var int S dW",
        isometry({W1: S}, process=GBM.starting(x0)).value,
        x0**2 * (exp((2 * mu + sigma**2) * T) - 1) / (2 * mu + sigma**2),
    ),
    ("Var int sqrt(V) dW", isometry({W: sqrt(V)}, process=CIR.starting(theta)).value, theta * T),
    ("Var W1 - W2", isometry({W1: 1, W2: -1}).value, 2 * T * (1 - rho)),
    # means of Gaussian functions
    ("E W^4", brownian_mean(W**4, t), 3 * t**2),
    ("E W^6", brownian_mean(W**6, t), 15 * t**3),
    ("E W1^2 W2^2", brownian_mean(W1**2 * W2**2, t), t**2 * (1 + 2 * rho**2)),
    ("E exp(a W)", brownian_mean(exp(a * W), t), exp(a**2 * t / 2)),
    ("E W exp(a W)", brownian_mean(W * exp(a * W), t), a * t * exp(a**2 * t / 2)),
    ("E W^2 exp(a W)", brownian_mean(W**2 * exp(a * W), t), (t + a**2 * t**2) * exp(a**2 * t / 2)),
    ("E cos W", brownian_mean(cos(W), t), exp(-t / 2)),
    ("E exp(a W1 + b W2)", brownian_mean(exp(a * W1 + b * W2), t), exp(t * (a**2 + 2 * rho * a * b + b**2) / 2)),
    # stochastic exponentials, Protter II.8
    ("of a W", doleans_dade(ItoProcess(x, 0, {W: a}, initial=0)).value, exp(x - a**2 * t / 2)),
    ("of t W'", doleans_dade(ItoProcess(x, 0, {W: t}, initial=0)).value, exp(x - t**3 / 6)),
    ("of c N", doleans_dade(ItoProcess(x, 0, {}, jumps={N: c}, initial=0)).value, exp(x) * (1 + c) ** N * exp(-c * N)),
    # mean of marks
    ("E exp(Y) - 1", coin.mean(exp(Y) - 1), p * sp.E + (1 - p) / sp.E - 1),
    ("compensated Merton", MERTON.of(log(S)).compensated_drift, mu - sigma**2 / 2 + lam * (2 * p - 1)),
]


@pytest.mark.parametrize(("name", "found", "value"), VALUES, ids=[v[0] for v in VALUES])
def test_values_are_those_of_the_textbooks(name, found, value):
    assert same(found, sp.sympify(value))


MARTINGALES = [
    (W, True),
    (W**2 - t, True),
    (W**3 - 3 * t * W, True),
    (W**4 - 6 * t * W**2 + 3 * t**2, True),
    (W1 * W2 - rho * t, True),
    (exp(a * W - a**2 * t / 2), True),
    (exp(t / 2) * cos(W), True),  # Oksendal 4.11a
    (exp(t / 2) * sin(W), True),  # Oksendal 4.11b
    ((W + t) * exp(-W - t / 2), True),  # Oksendal 4.11c
    (N - lam * t, True),
    ((N - lam * t) ** 2 - lam * t, True),
    (W * N - lam * t * W, True),
    (exp(u * N - lam * t * (exp(u) - 1)), None),  # a martingale, but its integrand grows faster than is checked here
    (1 / RADIUS, None),  # a strict local martingale; nothing is claimed
    (W**2, False),
    (W + 2 * t, False),
    (t**2 * W, False),
    (N, False),
]


@pytest.mark.parametrize(("f", "true"), MARTINGALES, ids=[str(m[0]) for m in MARTINGALES])
def test_martingales(f, true):
    f = sp.sympify(f)
    found = martingale_test(driven_by(noises_in(f)), f)
    assert found.martingale is true
    assert found.local is (true is not False)
    assert bool(found) is (true is True)


def test_strict_local_martingales_are_told_apart():
    """Delbaen and Shirakawa (2002): dS = S^p dW on (0, oo) is a martingale exactly for p <= 1."""
    for power, true in ((sp.Rational(1, 2), True), (1, True), (sp.Rational(3, 2), False), (2, False)):
        found = ItoProcess(S, 0, {W: sigma * S**power}).is_martingale()
        assert (found.local, found.martingale) == (True, true)
    assert ItoProcess(x, 0, {W: x**2}).is_martingale().martingale is None  # on the line nothing is claimed
    assert (
        ItoProcess([S, V], [0, kappa * (theta - V)], {W1: [sqrt(V) * S, 0], W2: [0, xi * sqrt(V)]})
        .is_martingale(S)
        .martingale
        is None
    )


@pytest.mark.parametrize(
    ("X", "drift"),
    [
        (GBM, [(mu - sigma**2 / 2) * S]),
        (OU, [kappa * (theta - x)]),
        (CIR, [kappa * (theta - V) - xi**2 / 4]),
        (HESTON, [(mu - V / 2 - rho * xi / 4) * S, kappa * (theta - V) - xi**2 / 4]),
        (ItoProcess([x, y], [-x / 2, -y / 2], {W: [-y, x]}), [0, 0]),  # Brownian motion on the circle
        (ItoProcess(S, a**2 * S * (1 + S**2), {W: a * (1 + S**2)}), [0]),  # tan(a W)
        (
            ItoProcess([S, V], [mu * S, nu * V], {W1: [sigma * S, 0], W2: [0, eta * V]}),
            [(mu - sigma**2 / 2) * S, (nu - eta**2 / 2) * V],
        ),
        (ItoProcess([x, y], [0, 0], {W1: [y, 0], W2: [0, x]}), [-rho * x / 2, -rho * y / 2]),
    ],
)
def test_stratonovich_and_back(X, drift):
    form = X.to_stratonovich()
    assert all(same(have, want) for have, want in zip(form.coefficients.drifts, drift, strict=True))
    back = form.to_ito()
    assert back.columns == X.columns
    assert all(same(have, want) for have, want in zip(back.drifts, X.drifts, strict=True))


@pytest.mark.parametrize(
    ("X", "f"),
    [
        (GBM, log(S)),
        (GBM, S**3 * exp(-r * t)),
        (CIR, sqrt(V)),
        (HESTON, S * V**2),
        (HESTON, log(S) / V),
        (MERTON, S**2),
    ],
)
def test_the_ordinary_chain_rule_gives_the_same_differential(X, f):
    """Ito -> Stratonovich -> ordinary chain rule -> Ito is Ito's chain rule."""
    there, here = X.to_stratonovich().of(f).to_ito(), X.of(f)
    assert same(there.drift, here.drift)
    assert all(same(there.diffusion[k], here.diffusion[k]) for k in here.diffusion)
    assert there.jumps == here.jumps


def test_a_stratonovich_process_may_be_declared():
    """Sources: Kloeden and Platen 4.9, the Kubo oscillator."""
    X = StratonovichProcess([x, y], [0, 0], {W: [-y, x]})
    assert X.to_ito() == ItoProcess([x, y], [-x / 2, -y / 2], {W: [-y, x]})
    assert X.of(x**2 + y**2).diffusion == {}


def test_jumps_are_not_converted():
    """Only the products with dW are Stratonovich's."""
    assert repr(ItoProcess(x, 0, {W: x}, jumps={N: x}).to_stratonovich()) == "dx = -x/2 dt + x ∘ dW + x dN"
    steps = derivation(ItoProcess(x, 0, {W: x}, jumps={N: x}).to_stratonovich().of(x**2))
    assert "d(x²) = 2 x ∘ dxᶜ + Δ f dN" in steps
    assert "d(x²) = -x² dt + 2 x² ∘ dW + 3 x² dN" in steps


@pytest.mark.parametrize("X", [GBM, OU, CIR, HESTON, LOGISTIC])
def test_the_stratonovich_drift_is_that_of_independent_noise(X):
    """`Coefficients` folds the correlations into B first and differentiates after."""
    other = X.coefficients().stratonovich_drift
    assert all(same(a, b) for a, b in zip(X.to_stratonovich().coefficients.drifts, other, strict=True))


@pytest.mark.parametrize(
    ("X", "f"),
    [(GBM, S**3), (HESTON, log(S) * V**2), (CIR, V**2 * exp(-kappa * t)), (MERTON, S**2), (BRIDGE, x**3 / (1 - t))],
)
def test_the_compensated_drift_is_the_generator(X, f):
    assert same(X.of(f).compensated_drift, X.generator(f).value)


@pytest.mark.parametrize("X", [GBM, OU, HESTON.of(log(S)), ItoProcess(x, mu, {W: a}, jumps={N: c})])
def test_the_stochastic_exponential_solves_its_equation(X):
    """dZ = Z dX, by the chain rule."""
    Z, dX = doleans_dade(X).value, X if not isinstance(X, ItoProcess) else X.of(X.state)
    Z = Z.replace(lambda e: isinstance(e, sp.Integral), lambda e: A)  # int q ds as a state of its own
    q = covariation(dX, dX).value
    process = joined(dX.process, ItoProcess(A, q, {})) if Z.has(A) else dX.process
    dZ = process.of(Z)
    assert same(dZ.drift, Z * dX.drift)
    for noise, e in (dX.diffusion | dX.jumps).items():
        assert same((dZ.diffusion | dZ.jumps)[noise], Z * e)


MONOMIALS = st.lists(
    st.tuples(st.integers(-3, 3), *[st.integers(0, 2)] * 3, st.integers(0, 1)).map(
        lambda k: k[0] * t ** k[1] * W1 ** k[2] * W2 ** k[3] * exp(k[4] * (W1 - t) / 2)
    ),
    min_size=1,
    max_size=2,
).map(sum)


@settings(max_examples=5, deadline=None, derandomize=True)
@given(MONOMIALS, MONOMIALS)
def test_the_product_rule_is_the_chain_rule_of_a_product(f, g):
    f, g = sp.sympify(f) + W1, sp.sympify(g) + W2
    by_product, by_chain = product(ito(f), ito(g)), ito(f * g)
    assert sp.expand(by_product.drift - by_chain.drift) == 0
    for motion in (W1, W2):
        assert sp.expand(by_product.diffusion.get(motion, 0) - by_chain.diffusion.get(motion, 0)) == 0


def test_the_rules_agree_with_each_other():
    f, g = S**2 * exp(-t), log(S)
    by_product, by_chain = product(GBM.of(f), GBM.of(g)), GBM.of(f * g)
    assert same(by_product.drift, by_chain.drift)
    assert same(by_product.diffusion[W1], by_chain.diffusion[W1])
    by_quotient, by_chain = quotient(MERTON.of(f), MERTON.of(S)), MERTON.of(f / S)
    assert same(by_quotient.drift, by_chain.drift)
    assert same(by_quotient.jumps[coin], by_chain.jumps[coin])


@pytest.mark.parametrize(
    ("found", "drift", "noise"),
    [
        (GBM.of(log(S)).as_process(Y), mu - sigma**2 / 2, sigma),
        (CIR.of(sqrt(V)).as_process(R), (4 * kappa * theta - xi**2) / (8 * R) - kappa * R / 2, xi / 2),
        (THREE_HALVES.of(1 / V).as_process(R), kappa + xi**2 - kappa * theta * R, -xi * sqrt(R)),
        (OU.of(exp(x)).as_process(R), R * (kappa * (theta - log(R)) + sigma**2 / 2), sigma * R),
        (ito(exp(W)).as_process(R), R / 2, R),
        (ito(sp.sinh(W)).as_process(Y), Y / 2, sqrt(1 + Y**2)),
    ],
)
def test_closed_equations_of_functions(found, drift, noise):
    assert same(found.drift, drift)
    assert same(next(iter(found.diffusion.values())), noise)


def test_closed_equations_keep_what_belongs_to_them():
    X = ItoProcess(S, mu * S, {W: sigma * S}, initial=2, values={"mu": 0.1}, jumps={coin: S * (exp(Y) - 1)})
    L = X.of(log(S)).as_process("Z")
    assert (L.initial, L.values, L.jumps) == (log(2), {"mu": 0.1}, {coin: Y})
    both = product(GBM, SECOND).as_process("P")
    assert same(both.drift, (mu + nu + rho * sigma * eta) * both.state)


def test_the_density_of_girsanov_is_a_martingale_and_moves_the_drift():
    """Under P, Z and (W_i + theta_i t) Z have no drift, which is what makes W_i + theta_i t a motion under Q."""
    A, D = symbols("A D", real=True)
    X = ItoProcess([A, D], [0, 0], {W1: [1, 0], W2: [0, 1]}, initial=[0, 0])
    change = X.girsanov({W1: a, W2: b})
    Z = change.density
    for f in (1, W1 + a * t, W2 + b * t):
        assert sp.cancel(ito(Z * f).drift / Z) == 0
    assert same(change.exponent.subs({W1: 0, W2: 0}), -t * (a**2 - 2 * rho * a * b + b**2) / (2 * (1 - rho**2)))
    assert list(change.process.drifts) == [-a, -b]
    assert change.motions[W1].correlation(change.motions[W2]) == rho


def test_bound_variables_capture_no_symbol_of_the_process():
    """A parameter s and a state s: the variable of the integrals has another name."""
    s = symbols("s", positive=True)
    X = ItoProcess(x, 0, {W: s * t}, initial=0)
    assert X.doleans_dade() == exp(x - s**2 * t**3 / 6)
    change = X.girsanov({W: s * t})
    (noise,) = change.exponent.find(ItoIntegral)
    assert same(change.exponent + noise, -(s**2) * t**3 / 6)
    assert repr(change) == "dx = -s² t² dt + s t dW^Q; log(Z) = -s² t³/6 - ∫[0, t] r s dW(r)"
    assert repr(ItoProcess(x, 0, {W: s * x}, initial=0).doleans_dade()) == "exp(x - ½ ∫[0, t] s² x(r)² dr)"
    assert repr(ItoProcess(s, 0, {W: r * s}, initial=1).doleans_dade()) == "exp(s - ½ ∫[0, t] r² s(s′)² ds′ - 1)"
    condition = ItoProcess(x, 0, {W: T}).girsanov({W: T}).novikov.condition
    assert condition.lhs.args[0] == exp(T**2 * symbols("T'", positive=True) / 2)


def test_girsanov_of_the_textbooks():
    risk_neutral = GBM.girsanov({W1: (mu - r) / sigma})  # Shreve II, 5.2
    assert same(risk_neutral.process.drift, r * S)
    assert risk_neutral.novikov.proved
    pulled = ItoProcess(x, 0, {W: 1}).girsanov({W: kappa * x})  # Oksendal 8.6: a motion becomes an OU process
    assert same(pulled.process.drift, -kappa * x)
    assert not pulled.novikov.proved
    assert pulled.proved  # Benes, Karatzas and Shreve 3.5.16
    assert not ItoProcess(x, 0, {W: 1}).girsanov({W: x**2}).proved
    assert OU.girsanov({W: sin(x) / (2 + cos(x))}).novikov.proved
    assert OU.girsanov({W: sin(x) / (1 + cos(x))}).novikov.proved is False
    assert OU.girsanov({W: sp.tanh(x) * exp(-t)}).novikov.proved
    assert OU.girsanov({W: 1 / t}).novikov.proved is False
    assert OU.girsanov({W: 1 / (1 + x**2)}).novikov.proved
    heston = HESTON.girsanov({W1: (mu - r) / sqrt(V), W2: lam * sqrt(V)})
    assert same(heston.process.drifts[0], r * S)
    assert same(heston.process.drifts[1], kappa * (theta - V) - lam * xi * V)
    assert not heston.novikov.proved
    assert not heston.proved


def test_the_table():
    entries = table(W1, W2, N).entries
    time = next(iter(entries))[0]
    assert entries[W1, W2] == (rho, time)
    assert entries[W1, W1] == (1, time)
    assert entries[N, N] == (1, N)
    assert entries[W1, N] is entries[time, W1] is entries[time, time] is None


@pytest.mark.parametrize("f", [W1**2 * W2, exp(W1 - t / 2) * cos(W2), t * W1 / (1 + W2**2), W1 * W2 * N + N**2])
def test_sums_along_paths_converge_to_f(f):
    """df summed along simulated paths is the change of f: the error of left sums is of order sqrt(h)."""
    f, paths, steps, correlation = sp.sympify(f), 400, 4096, 0.6
    rng, h = np.random.default_rng(7), 1 / 4096
    noise = rng.standard_normal((2, steps, paths)) * np.sqrt(h)
    noise[1] = correlation * noise[0] + np.sqrt(1 - correlation**2) * noise[1]
    moved = {W1: noise[0], W2: noise[1], N: rng.poisson(2 * h, (steps, paths)).astype(float)}
    df = ito(f)
    arguments = (t, W1, W2, N)
    times = h * np.arange(steps + 1)[:, None] + np.zeros((1, paths))
    values = [times, *(np.vstack([np.zeros((1, paths)), np.cumsum(moved[s], axis=0)]) for s in arguments[1:])]
    before = [v[:-1] for v in values]

    def at(expression, places):
        return sp.lambdify(arguments, expression.subs(rho, correlation), "numpy")(*places)

    total = np.sum(at(df.drift, before) * h + np.zeros((steps, paths)), axis=0)
    for noise, coefficient in (df.diffusion | df.jumps).items():
        total += np.sum(at(coefficient, before) * moved[noise], axis=0)
    error = at(f, [v[-1] for v in values]) - at(f, [v[0] for v in values]) - total
    second = np.sum(at(df.drift - sp.diff(f, t), before) * h + np.zeros((steps, paths)), axis=0)
    size = np.sqrt(np.mean(error**2))
    assert size < 0.05
    assert np.sqrt(np.mean((error + second) ** 2)) > 10 * size  # what the ordinary chain rule would leave


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ItoProcess(Y, 0, {}, jumps={coin: Y}), "the mark Y of M is also a state"),
        (lambda: ItoProcess(x, 0, {W: 1}, jumps={poisson("W", rate=1): 1}), "two noises share a name in W, W"),
        (lambda: ito(a * t), "a*t has no Brownian motion in it"),
        (lambda: GBM.of(symbols("S") ** 2), "S in S**2 is not the state S: their assumptions differ"),
        (lambda: BRIDGE.of(symbols("t") * x), "two different symbols are called t"),
        (lambda: GBM.of("S**2"), "'S**2' is not an expression"),
        (lambda: product(HESTON, GBM), "the process has the states S, V; say of which with X.of(S)"),
        (lambda: product(GBM, CEV), "both processes call a state S, with different equations; rename one"),
        (lambda: product(GBM(mu=1), ItoProcess(x, mu * x, {W: 1})(mu=2)), "mu is 1 in one process and 2 in the other"),
        (lambda: GBM.of(S) * S, "S is no constant"),
        (lambda: ito(W**2).as_process(), "W**2 has no single inverse in W"),
        (lambda: OU.of(t + x**2).as_process(), "has no single inverse in x"),
        (lambda: HESTON.of(S).as_process(), "the coefficients of d(S) depend on more than its value"),
        (lambda: table(S), "S is no Brownian motion or Poisson process"),
        (lambda: isometry({S: 1}), "S is no Brownian motion"),
        (lambda: isometry(W), "W does not say against which motion it stands; write {W: W}"),
        (lambda: isometry({W: t}, until=-1), "until=-1 is no time after 0; give T >= 0"),
        (lambda: GBM.girsanov({B: 1}), "theta names B, which does not drive the process; its Brownian motions are W1"),
        (lambda: GBM.girsanov(1), "theta=1 does not say of which motion; write {W: 1}"),
        (lambda: HESTON.is_martingale(), "the process has the states S, V; name one"),
        (lambda: HESTON.doleans_dade(), "the process has 2 states"),
        (lambda: MERTON.doleans_dade(), "which is not fixed; only fixed sizes have a closed form"),
        (lambda: quotient(GBM, ItoProcess(x, 0, {W: 1}).of(0)), "the denominator of the quotient is 0"),
        (lambda: covariation(3, GBM), "3 is neither an ItoProcess nor a Differential"),
    ],
)
def test_bad_input_is_told_in_one_line(call, message):
    with pytest.raises(InputError) as error:
        call()
    assert message in str(error.value)
    assert "\n" not in str(error.value)
