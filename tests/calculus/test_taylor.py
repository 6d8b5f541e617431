"""Ito-Taylor terms and brackets against Kloeden and Platen; reverse time against laws and the forward equation."""

import pytest
import sympy as sp

from sojourn.calculus import ItoProcess, brownian
from sojourn.calculus.reverse import probability_flow, reverse
from sojourn.errors import InputError

t, kappa, theta, sigma, mu, T, X0 = sp.symbols("t kappa theta sigma mu T X_0", positive=True)
x, y, rho = sp.symbols("x y rho", real=True)
S = sp.symbols("S", positive=True)
W = brownian("W")
W1, W2 = brownian("W1 W2")
OU = ItoProcess(x, kappa * (theta - x), {W: sigma}, initial=X0)
GBM = ItoProcess(S, mu * S, {W: sigma * S})


def same(left, right):
    return sp.simplify(sp.sympify(left) - sp.sympify(right)) == 0


# ------------------------------------------------------------------------------------------------- Ito-Taylor expansion


def test_coefficients_of_one_state():
    """Kloeden and Platen, section 10.4, with functions a and b."""
    a, b = sp.Function("a")(x), sp.Function("b")(x)
    terms = ItoProcess(x, a, {W: b}).ito_taylor()
    da, db = a.diff(x), b.diff(x)
    expected = {
        (0,): a,
        (1,): b,
        (1, 1): b * db,
        (1, 0): b * da,
        (0, 1): a * db + b**2 * b.diff(x, 2) / 2,
        (0, 0): a * da + b**2 * a.diff(x, 2) / 2,
        (1, 1, 1): b * (b * b.diff(x, 2) + db**2),
    }
    assert set(terms.terms) == set(expected)
    for index, value in expected.items():
        assert same(terms[index][0], value)


def test_coefficients_that_depend_on_time():
    """L^0 has the time derivative: d(b)/dt enters (0, 1)."""
    terms = ItoProcess(x, t * x, {W: sp.exp(t)}).ito_taylor()
    assert same(terms[0, 1][0], sp.exp(t))
    assert same(terms[0, 0][0], x + t**2 * x)
    assert same(terms[1, 0][0], t * sp.exp(t))


def test_hierarchical_sets():
    """Kloeden and Platen, section 5.4: for one and for two motions."""
    two = ItoProcess(x, x, {W1: x, W2: x**2})
    sizes = [(len(GBM.ito_taylor(order).terms), len(two.ito_taylor(order).terms)) for order in ("1/2", 1, 1.5)]
    assert sizes == [(2, 3), (3, 7), (7, 20)]
    # at order 2: l + n <= 4, without (0, 0, 0), whose length and zeros are 3, not 5/2
    assert set(GBM.ito_taylor(2).terms) == {
        (0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 1, 1)
    }  # fmt: skip


def test_expansion_of_an_exact_solution():
    """S exp((mu - sigma^2/2) h + sigma W) in powers of h^(1/2), W = h^(1/2) z, integrals by Hermite polynomials."""
    e, z = sp.symbols("e z")
    w, h = e * z, e**2
    integrals = {
        "I_(0)": h, "I_(1)": w, "I_(0,0)": h**2 / 2, "I_(1,1)": (w**2 - h) / 2, "I_(1,1,1)": (w**3 - 3 * h * w) / 6,
    }  # fmt: skip
    terms = GBM.ito_taylor("3/2")
    # both mixed coefficients are mu sigma S, and I_(0,1) + I_(1,0) = h W
    assert same(terms[0, 1][0], terms[1, 0][0])
    increment = terms.increment[0].subs({sp.Symbol("I_(0,1)"): h * w, sp.Symbol("I_(1,0)"): 0})
    increment = increment.subs({sp.Symbol(name): value for name, value in integrals.items()})
    exact = S * (sp.exp((mu - sigma**2 / 2) * h + sigma * w) - 1)
    difference = sp.expand(sp.series(exact, e, 0, 4).removeO() - increment)
    assert all(same(difference.coeff(e, k), 0) for k in range(4))


def test_correlations_are_folded_in():
    V1, V2 = brownian("V1 V2", correlation=rho)
    terms = ItoProcess([x, y], [0, 0], {V1: [x, 0], V2: [0, y]}).ito_taylor(1)
    assert terms[1] == (x, rho * y)
    assert same(terms[2][1], sp.sqrt(1 - rho**2) * y)
    assert same(terms[1, 1][1], rho**2 * y)


# -------------------------------------------------------------------------------------------------------- commutativity


def test_diagonal_and_additive_noise_commutes():
    assert ItoProcess([x, y], [y, x], {W1: [x**2, 0], W2: [0, sp.sin(y)]}).commutes() == True  # noqa: E712
    assert ItoProcess([x, y], [y, x], {W1: [1, 2], W2: [t, 1]}).commutes() == True  # noqa: E712
    assert GBM.commutes() == True  # noqa: E712


def test_heisenberg_noise_does_not():
    """dX = dW1, dY = X dW2: L^1 B_2 - L^2 B_1 = (0, 1)."""
    found = ItoProcess([x, y], [0, 0], {W1: [1, 0], W2: [0, x]}).commutes()
    assert found.value == sp.false
    assert found.steps[0].right == sp.Matrix([0, 1])


def test_heston_does_not():
    V = sp.symbols("V", positive=True)
    found = ItoProcess([S, V], [0, 0], {W1: [sp.sqrt(V) * S, 0], W2: [0, sigma * sp.sqrt(V)]}).commutes()
    assert same(found.steps[0].right[0], -sigma * S / 2)
    assert found.value == sp.false


def test_rotations():
    """Linear noises with matrices A, B: the bracket is (BA - AB) x."""
    z = sp.symbols("z", real=True)
    state = sp.Matrix([x, y, z])
    A = sp.Matrix([[0, -1, 0], [1, 0, 0], [0, 0, 0]])
    B = sp.Matrix([[0, 0, 0], [0, 0, -1], [0, 1, 0]])
    found = ItoProcess([x, y, z], [0, 0, 0], {W1: list(A * state), W2: list(B * state)}).commutes()
    assert found.steps[0].right == sp.expand((B * A - A * B) * state)


# --------------------------------------------------------------------------------------------------------- reverse time


def test_reverse_ornstein_uhlenbeck_reproduces_the_marginals():
    """Mean and variance of the forward law at T - t solve the moment equations of the reverse process."""
    backward = OU.reverse()
    equations = backward.moments(2)
    tau = T - t
    m = theta + (X0 - theta) * sp.exp(-kappa * tau)
    second = m**2 + sigma**2 / (2 * kappa) * (1 - sp.exp(-2 * kappa * tau))
    places = {equations.moment(1): m, equations.moment(2): second}
    for equation in equations.equations:
        assert same(equation.subs(places).doit().lhs, equation.rhs.subs(places))


def test_reverse_of_brownian_motion_is_a_bridge():
    assert same(ItoProcess(x, 0, {W: sigma}, initial=X0).reverse().drift, (X0 - x) / (T - t))


def test_reverse_of_geometric_brownian_motion():
    """log S backwards is the bridge of log S: drift of log by hand (log S_0 - log S) / (T - t)."""
    backward = ItoProcess(S, mu * S, {W: sigma * S}, initial=X0).reverse()
    logarithm = backward.drift / S - sigma**2 / 2
    assert same(logarithm, (sp.log(X0) - sp.log(S)) / (T - t))


@pytest.mark.parametrize("process", [
    OU,
    ItoProcess(S, kappa * (theta - S), {W: sigma * sp.sqrt(S)}),
    ItoProcess(S, mu * S * (1 - S), {W: sigma * S}),
    ItoProcess(x, x - x**3, {W: sigma}),
], ids=["OU", "CIR", "logistic", "double well"])  # fmt: skip
def test_stationary_diffusions_are_reversible(process):
    """With the stationary score, 2 a / B^2 - (B^2)' / B^2 (zero flux), the reverse drift is the forward drift."""
    z, B2 = process.state, next(iter(process.diffusion.values())) ** 2
    score = (2 * process.drift - sp.diff(B2, z)) / B2
    assert same(process.reverse(score).drift, process.drift)
    assert same(probability_flow(process, score).drift, 0)


def test_rotation_turns_back():
    """A stationary rotating OU process, A = -1 + w J: reversed, the rotation changes sign."""
    w = sp.symbols("w", positive=True)
    process = ItoProcess([x, y], [-x - w * y, w * x - y], {W1: [1, 0], W2: [0, 1]})
    backward = process.reverse([-2 * x, -2 * y])  # stationary N(0, 1/2)
    assert same(backward.drift[0], -x + w * y)
    assert same(backward.drift[1], -w * x - y)


LAWFUL = {
    "OU": OU,
    "GBM": ItoProcess(S, mu * S, {W: sigma * S}, initial=X0),
    "CIR": ItoProcess(S, kappa * (theta - S), {W: sigma * sp.sqrt(S)}, initial=X0),
    "Bessel": ItoProcess(S, 1 / S, {W: 1}, initial=X0),
    "bridge": ItoProcess(x, (2 - x) / (3 - t), {W: sigma}, initial=X0),
}
PLACES = {kappa: 1.2, theta: 0.6, sigma: 0.8, mu: 0.4, X0: 0.9}


@pytest.mark.parametrize("name", LAWFUL)
def test_densities_of_reverse_and_flow(name):
    """p(T - t, x) solves the forward equation of the reverse process; p(t, x) the continuity equation of the flow."""
    process = LAWFUL[name].subs({symbol: sp.nsimplify(value, rational=True) for symbol, value in PLACES.items()})
    p = process.law().density
    z = process.states
    at = dict(zip(z, (sp.Rational(7, 10), sp.Rational(-2, 5)), strict=False))
    backward = reverse(process)
    q = p.subs(t, T - t)
    residual = sp.diff(q, t) - backward.adjoint(q).value
    assert abs(sp.N(residual.subs({**at, T: 2, t: sp.Rational(13, 10)}), 30)) < 1e-20
    flow = probability_flow(process)
    leak = sp.diff(p, t) + sum(sp.diff(v * p, s) for v, s in zip(flow.drifts, z, strict=True))
    assert abs(sp.N(leak.subs({**at, t: sp.Rational(7, 10)}), 30)) < 1e-20


def test_reverse_of_a_linear_system():
    """With the law's m and V at T - t: -m' = a(m) and -V' = G V + V G^T + S, a the reverse drift, G its matrix."""
    process = ItoProcess([x, y], [-x + 1, x - 2 * y], {W1: [1, 0], W2: [sp.Rational(1, 2), 1]}, initial=[1, 0])
    law, backward = process.law(), reverse(process).subs({T: 2})
    S = process.covariance()
    tau = sp.Rational(7, 10)
    G = sp.Matrix(backward.drifts).jacobian([x, y]).subs(t, 2 - tau)
    m, dm, V, dV = (M.subs(t, tau) for M in (law.mean, law.mean.diff(t), law.variance, law.variance.diff(t)))
    drift = sp.Matrix(backward.drifts).subs(t, 2 - tau).subs({x: m[0], y: m[1]})
    assert max(abs(e) for e in sp.N(drift + dm, 30)) < 1e-20
    assert max(abs(e) for e in sp.N(G * V + V * G.T + S + dV, 30)) < 1e-20


def test_unknown_score_stays_a_function():
    backward = ItoProcess(x, -sp.sin(x), {W: sp.cos(x)}).reverse()
    score = sp.Function("score")(T - t, x)
    expected = sp.sin(x) - 2 * sp.sin(x) * sp.cos(x) + sp.cos(x) ** 2 * score
    assert same(backward.drift, expected)


def test_names_of_the_final_time():
    bridge = ItoProcess(x, -x / (T - t), {W: 1})
    assert "T_end" in {symbol.name for symbol in bridge.reverse().parameters}


# ------------------------------------------------------------------------------------------------------------ bad input


def test_bad_input():
    with pytest.raises(InputError, match="order=0 is no strong order"):
        GBM.ito_taylor(0)
    with pytest.raises(InputError, match=r"order=1\.2 is no strong order"):
        GBM.ito_taylor(1.2)
    with pytest.raises(InputError, match=r"multi-index \(1, 1\) is not in the set of order 1/2"):
        GBM.ito_taylor("1/2")[1, 1]
    with pytest.raises(InputError, match="score has 2 entries; 1 states need 1"):
        OU.reverse([x, x])
