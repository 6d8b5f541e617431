"""Schemes as arithmetic: one step against the Ito-Taylor expansion, term by term; exact laws; what each one refuses.

A step is run on power series in s = sqrt(h) whose coefficients are polynomials in the normal numbers, for an SDE whose
coefficients are polynomials with random rational numbers: an order condition that fails, fails there.
"""

import math
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
import torch

from sojourn.calculus import ItoProcess, brownian, symbols
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.ito.coefficients import Coefficients
from sojourn.processes.ito.increments import Increments
from sojourn.processes.ito.printing import torch_step
from sojourn.processes.ito.schemes import SCHEMES, find

X, Y = symbols("X Y")
T = symbols("t", positive=True)
RING, *GENERATORS = sp.ring("w0 w1 z0 z1 v", sp.QQ)
w, z, v = GENERATORS[:2], GENERATORS[2:4], GENERATORS[4]
DEGREE = 5


class Series:
    """A Laurent series in s, cut after DEGREE, with coefficients in RING."""

    def __init__(self, terms):
        self.terms = {k: RING(c) for k, c in terms.items() if k <= DEGREE and c != 0}

    def __add__(self, other):
        other = series(other)
        return Series({k: self.at(k) + other.at(k) for k in self.terms.keys() | other.terms.keys()})

    def __mul__(self, other):
        out = {}
        for i, a in self.terms.items():
            for j, b in series(other).terms.items():
                out[i + j] = out.get(i + j, RING(0)) + a * b
        return Series(out)

    def __truediv__(self, other):
        if isinstance(other, int):
            return self * Fraction(1, other)
        ((k, one),) = other.terms.items()  # a power of s
        assert one == 1
        return Series({j - k: c for j, c in self.terms.items()})

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -series(other)

    def __rsub__(self, other):
        return series(other) - self

    __radd__, __rmul__ = __add__, __mul__

    def at(self, k):
        return self.terms.get(k, RING(0))


def series(value):
    if isinstance(value, Series):
        return value
    return Series({0: sp.QQ(Fraction(value).numerator, Fraction(value).denominator)})


H, ROOT = Series({2: 1}), Series({1: 1})


class OnSeries:
    """What a scheme sees of an SDE with polynomial coefficients, in series."""

    def __init__(self, coefficients):
        self.c, self.noises = coefficients, coefficients.noises

    def value(self, g, t, x):
        total = series(0)
        for powers, c in sp.Poly(g, T, *self.c.states).terms():
            term = series(Fraction(int(c.p), int(c.q)))
            for base, power in zip((t, *x), powers, strict=True):
                for _ in range(power):
                    term = term * base
            total = total + term
        return total

    def drift(self, t, x):
        return [self.value(a, t, x) for a in self.c.drift]

    def stratonovich_drift(self, t, x):
        return [self.value(a, t, x) for a in self.c.stratonovich_drift]

    def diffusion(self, t, x):
        return [[self.value(b, t, x) for b in row] for row in self.c.diffusion]

    def L0_drift(self, t, x):
        return [self.value(self.c.L0(a), t, x) for a in self.c.drift]

    def L0_diffusion(self, t, x, j):
        return [self.value(self.c.L0(b), t, x) for b in self.c.column(j)]

    def L_drift(self, t, x, j):
        return [self.value(self.c.L(j, a), t, x) for a in self.c.drift]

    def L_diffusion(self, t, x, j, k):
        return [self.value(self.c.L(j, b), t, x) for b in self.c.column(k)]

    def let(self, *values):
        return list(values)

    def sqrt(self, value):
        assert value is H
        return ROOT


def polynomial(rng, symbols, degree):
    """A random polynomial with small rational coefficients."""
    monomials = sp.itermonomials(symbols, degree)
    return sum(
        sp.Rational(rng.choice([-3, -2, -1, 1, 2, 3]), rng.choice([2, 3])) * m for m in sorted(monomials, key=str)
    )


def example(noise, seed):
    """Coefficients with every derivative that the order conditions ask for."""
    rng = random.Random(seed)
    states = (X,) if noise in ("one", "linear") else (X, Y)
    drift = tuple(polynomial(rng, states if noise == "general" else (T, *states), 2) for _ in states)
    if noise == "general":
        B = tuple(tuple(polynomial(rng, states, 2) for _ in range(2)) for _ in states)
    elif noise == "additive":
        B = tuple(tuple(polynomial(rng, (T,), 2) for _ in range(2)) for _ in states)
    elif noise == "shared":
        B = tuple((polynomial(rng, (T, *states), 3),) for _ in states)
    elif noise == "linear":
        B = ((polynomial(rng, states, 1),),)
    else:
        B = tuple(
            tuple(polynomial(rng, (T, x), 3) if i == j else sp.S.Zero for j in range(len(states)))
            for i, x in enumerate(states)
        )
    return Coefficients(T, states, drift, B)


def one_step(scheme, c):
    """The step from t = 0, X = 0, as series."""
    m, method = c.noises, find(scheme)
    Z = [Series({3: z[j]}) for j in range(m)] if method.kind == "WZ" else []
    pairs = [Series({2: v})] if method.kind in ("WA", "WV") and m == 2 else []
    increments = Increments(method.kind, [Series({1: w[j]}) for j in range(m)], Z, pairs)
    return method.step(OnSeries(c), series(0), [series(0)] * len(c.states), H, increments)


def expectation(polynomial):
    """Over w normal, z = (w + u / sqrt 3) / 2 with u normal too, and v = -1 or 1."""
    total = sp.QQ(0)
    for powers, c in polynomial.terms():
        for j in (0, 1):
            c = c * moment_of_pair(powers[j], powers[2 + j])
        total += c if powers[4] % 2 == 0 else 0
    return total


def moment_of_pair(a, b):
    """E[w^a z^b]."""
    even = [k for k in range(0, b + 1, 2) if (a + b - k) % 2 == 0]
    return sum(
        (sp.QQ(math.comb(b, k), 2**b * 3 ** (k // 2)) * odd_product(k) * odd_product(a + b - k) for k in even), sp.QQ(0)
    )


def odd_product(n):
    """E[normal^n] for even n: 1 3 5 ... (n - 1)."""
    return math.prod(range(1, n, 2))


def at_origin(c, g):
    return sp.Rational(sp.sympify(g).subs({T: 0, X: 0, Y: 0}))


def rational(value):
    return sp.QQ(int(value.p), int(value.q))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("scheme", "noise"), [("sri", "one"), ("sri", "shared"), ("sri", "diagonal"), ("sra1", "additive")]
)
def test_strong_order_one_and_a_half(scheme, noise, seed):
    """Equal to the Ito-Taylor expansion up to h^(3/2) along the path, and at h^2 in expectation."""
    c = example(noise, seed)
    m = range(c.noises)
    for i, new in enumerate(one_step(scheme, c)):
        a, row = c.drift[i], c.diffusion[i]
        terms = {1: RING(0), 2: RING(rational(at_origin(c, a))), 3: RING(0)}
        for j in m:
            number = [
                rational(at_origin(c, g))
                for g in (row[j], c.L(j, row[j]), c.L(j, a), c.L0(row[j]), c.L(j, c.L(j, row[j])))
            ]
            terms[1] += number[0] * w[j]
            terms[2] += number[1] * (w[j] ** 2 - 1) / 2
            terms[3] += number[2] * z[j] + number[3] * (w[j] - z[j]) + number[4] * (w[j] ** 3 - 3 * w[j]) / 6
        for k, wanted in terms.items():
            assert new.at(k) == wanted, (k, i)
        assert expectation(new.at(4)) == rational(at_origin(c, c.L0(a))) / 2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("scheme", "noise"),
    [
        ("milstein-levy", "general"),
        ("milstein", "diagonal"),
        ("milstein", "shared"),
        ("heun", "diagonal"),
        ("heun", "shared"),
    ],
)
def test_strong_order_one(scheme, noise, seed):
    """Equal to the expansion up to h along the path. I_jk = int W_j dW_k: its factor differentiates B_k along B_j."""
    c = example(noise, seed)
    m = range(c.noises)
    for i, new in enumerate(one_step(scheme, c)):
        B = [[rational(at_origin(c, b)) for b in row] for row in c.diffusion]
        first, second = RING(0), RING(rational(at_origin(c, c.drift[i])))
        for j in m:
            first += B[i][j] * w[j]
            for k in m:
                slope = sum(
                    B[n][j] * rational(at_origin(c, sp.diff(c.diffusion[i][k], s))) for n, s in enumerate(c.states)
                )
                iterated = (w[j] * w[k] - (j == k)) / 2 + (k - j) * v  # A_01 = h v, A_10 = -h v
                second += slope * iterated
        assert new.at(1) == first
        assert new.at(2) == second


def test_heun_without_noise_is_of_order_two():
    c = replace(example("diagonal", 0), diffusion=((sp.S.Zero,) * 2,) * 2)
    for i, new in enumerate(one_step("heun", c)):
        assert new.at(2) == rational(at_origin(c, c.drift[i]))
        assert new.at(4) == rational(at_origin(c, c.L0(c.drift[i]))) / 2


def moment_gaps(scheme, c, highest):
    """Powers of s at which E[product of increments] of a step is not exp(h L) of it up to h^2 -> which products."""
    new, gaps = one_step(scheme, c), {}
    products = {sp.S.One: series(1)}
    monomials = sorted(sp.itermonomials(c.states, highest), key=lambda p: sp.Poly(p, *c.states).total_degree())
    for powers in monomials[1:]:
        state = next(n for n, x in enumerate(c.states) if powers.has(x))
        product = products[powers] = products[powers / c.states[state]] * new[state]
        first = sp.expand(c.L0(powers))
        wanted = {2: at_origin(c, first), 4: at_origin(c, c.L0(first)) / 2}
        for k in range(1, 6):
            gap = expectation(product.at(k)) - rational(sp.Rational(wanted.get(k, 0)))
            if gap != 0:
                gaps.setdefault(k, []).append(powers)
    return gaps


@pytest.mark.parametrize(
    ("scheme", "noise", "first"),
    [
        ("weak2", "general", None),
        ("weak2", "one", None),
        ("sra1", "additive", None),
        ("sri", "linear", None),
        ("sri", "one", 5),
        ("milstein", "one", 4),
        ("heun", "one", 4),
        ("euler", "one", 4),
    ],
)
def test_moments_of_a_step(scheme, noise, first):
    """Moments up to the fifth, right to h^2 with an error of h^3, are weak order 2 (Kloeden and Platen, Thm 14.5.2).

    The first wrong power of s = sqrt(h): 5 for weak order 3/2, 4 for weak order 1, none for 2.
    """
    assert min(moment_gaps(scheme, example(noise, 0), 5), default=None) == first


# ---------------------------------------------------------------------------------------------------------- exact laws


def test_an_exact_step_has_the_law():
    """Mean and variance of an Ornstein-Uhlenbeck step, and independence of how time was cut; at l = 0 too."""
    W = brownian("W")
    k, rate, s = symbols("k l s")
    x = symbols("x")
    for value in (1.7, 1e-9, 0.0, -0.4):
        process = ItoProcess(x, k - rate * x, {W: s}, initial=0.3)(k=0.9, l=value, s=0.6)
        for h in (0.5, 1e-6):
            p = process.discretise(h, "exact")
            numbers = [double(process.values[symbol.name]) for symbol in p.coefficients.parameters]
            step = torch_step(p.program)
            mean, moved = (
                float(step(double(0.0), double(h), numbers, [double(0.3)], [double(w)])[0]) for w in (0.0, h**0.5)
            )
            y = value * h
            growth = -math.expm1(-y) / value if value else h
            spread = -math.expm1(-2 * y) / (2 * value) if value else h
            assert mean == pytest.approx(0.3 * math.exp(-y) + 0.9 * growth, rel=1e-13)
            assert (moved - mean) ** 2 == pytest.approx(0.36 * spread, rel=1e-8)


def double(value):
    return torch.tensor(value, dtype=torch.float64)


def test_an_exact_step_has_gradients_at_a_rate_of_zero():
    W = brownian("W")
    x, rate = symbols("x l")
    gradients = []
    for value in (0.0, 1e-5):
        number = torch.tensor(value, dtype=torch.float64, requires_grad=True)
        p = ItoProcess(x, 1 - rate * x, {W: 1}, initial=2.0)(l=number).discretise(0.5, "exact")
        p.step(p.initial(3, Noise(1)), 0, Noise(1))["x"].sum().backward()
        gradients.append(float(number.grad))
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-4)


def test_exact_geometric_brownian_motions_are_functions_of_the_path():
    """S_i = S_i(0) exp((m - s^2 / 2) t + s W_i), with correlation; the same in one step or in eight."""
    W1, W2 = brownian("W1 W2", correlation=0.6)
    S, R = symbols("S R")
    process = ItoProcess([S, R], [0.1 * S, -0.2 * R], {W1: [0.3 * S, 0], W2: [0, 0.5 * R]}, initial=[1.0, 2.0])
    noise, once, cut = Noise(5), process.discretise(1.0, "exact", substeps=8), process.discretise(1 / 8, "exact")
    one = once.step(once.initial(20_000, noise), 0, noise)
    many = cut.initial(20_000, noise)
    for k in range(8):
        many = cut.step(many, k, noise)
    for name in "SR":
        torch.testing.assert_close(one[name], many[name], rtol=1e-12, atol=0)
    # correlation of the logarithms: normal, of standard deviation (1 - 0.36) / sqrt(n); five of them are 6e-7
    found = np.corrcoef(one["S"].log(), one["R"].log())[0, 1]
    assert abs(found - 0.6) < 5 * 0.64 / math.sqrt(20_000)


def test_the_square_root_step_stays_positive_where_euler_does_not():
    W = brownian("W")
    x = symbols("x")
    process = ItoProcess(x, 0.3 - x, {W: sp.sqrt(sp.Max(x, 0))}, initial=0.05)
    lowest = {}
    for scheme, declared in (
        ("euler", process),
        ("square-root", ItoProcess(x, 0.3 - x, {W: sp.sqrt(x)}, initial=0.05)),
    ):
        p = declared.discretise(0.1, scheme)
        state = p.initial(2000, Noise(3))
        for k in range(20):
            state = p.step(state, k, Noise(3))
            lowest[scheme] = min(lowest.get(scheme, 1), float(state["x"].min()))
    assert lowest["square-root"] > 0 > lowest["euler"]


# ------------------------------------------------------------------------------------------------------------ gradients


@pytest.mark.parametrize("scheme", SCHEMES)
def test_gradients_are_the_slopes_of_differences(scheme):
    """Of one step, in the state and in a parameter."""
    W1, W2 = brownian("W1 W2")
    x, y, s = symbols("x y s")
    noise = {
        "sra1": ([s, 0], [s, 1]),
        "sri": ([s * x, 0], [0, y]),
        "milstein": ([s * x, 0], [0, y]),
        "exact": ([s * x, 0], [0, y]),
        "square-root": ([s * sp.sqrt(x), 0], [0, sp.sqrt(y)]),
    }.get(scheme, ([s * y, x], [x, y]))
    drift = {"exact": [s * x, -y], "square-root": [1 - s * x, 1 - y]}.get(scheme, [-(x**3) + s * y, -y])
    process = ItoProcess([x, y], drift, dict(zip((W1, W2), noise, strict=True)), initial=[0, 0])

    def step(first, second, number):
        p = process(s=number).discretise(0.1, scheme)
        new = p.step({"x": first, "y": second}, 3, Noise(1))
        return new["x"], new["y"]

    inputs = [torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in ([1.0, 2.0], [0.7, 1.5], 0.8)]
    assert torch.autograd.gradcheck(step, inputs)


# --------------------------------------------------------------------------------------------------- stiff and growing


def test_implicit_steps_solve_their_equation():
    """Y = X + a(Y) h + B dW to rounding, for a stiff system and a cubic one, at steps where Euler explodes."""
    W = brownian("W")
    x, y = symbols("x y")
    systems = [
        (ItoProcess([x, y], [-500 * x + 499 * y, 499 * x - 500 * y], {W: [1, y]}, initial=[2.0, 1.0]), 0.1),
        (ItoProcess([x, y], [y, 5 * (1 - x**2) * y - x], {W: [0, 0.5]}, initial=[2.0, 0.0]), 0.02),
        (ItoProcess(x, x - x**3, {W: 1}, initial=1.0), 0.1),
    ]
    for process, h in systems:
        p, noise = process.discretise(h, "implicit"), Noise(1)
        state = p.initial(500, noise)
        for k in range(50):
            before, state = state, p.step(state, k, noise)
            w = p.increments(k, 500, noise, torch.float64, "cpu").W[0]
            names = [s.name for s in process.states]
            a = sp.lambdify(process.states, process.drifts, "numpy")(*(state[n].numpy() for n in names))
            b = sp.lambdify(process.states, process.columns[W], "numpy")(*(before[n].numpy() for n in names))
            for n, drift, noise_size in zip(names, a, b, strict=True):
                wanted = before[n].numpy() + drift * h + noise_size * w.numpy()
                np.testing.assert_allclose(state[n].numpy(), wanted, atol=1e-6)


def test_tamed_steps_survive_where_euler_explodes():
    W = brownian("W")
    x = symbols("x")
    process = ItoProcess(x, x - x**3, {W: 1}, initial=10.0)
    ends = {}
    for scheme in ("euler", "tamed"):
        p = process.discretise(0.1, scheme)
        state = p.initial(1000, Noise(1))
        for k in range(100):
            state = p.step(state, k, Noise(1))
        ends[scheme] = state["x"]
    assert not bool(torch.isfinite(ends["euler"]).any())
    assert float(ends["tamed"].abs().max()) < 10


# ------------------------------------------------------------------------------------------------------------- refusals


def declared(drift, *columns):
    noises = brownian("W1 W2")
    return ItoProcess([X, Y], drift, dict(zip(noises, columns, strict=False)), initial=[1.0, 1.0])


@pytest.mark.parametrize(
    ("scheme", "process", "message"),
    [
        ("sra1", declared([X, Y], [X, 0], [0, Y]), r"'sra1' needs noise that does not depend on the state.*'sri'"),
        ("sra1", declared([X, Y], [X, 0], [0, X]), r"'sra1' needs.*use scheme='milstein-levy'"),
        ("sri", declared([X, Y], [X, 0], [0, X]), r"'sri' needs one noise, or diagonal.*2 noises.*'milstein-levy'"),
        ("sri", declared([X, Y], [1, 0], [T, 1]), r"'sri' needs one noise, or diagonal.*use scheme='sra1'"),
        ("milstein", declared([X, Y], [X, 0], [0, X]), r"commutes, and L1 B2 - L2 B1 = X in the equation of Y.*levy"),
        ("exact", declared([X * Y, Y], [1, 0]), r"'exact' knows .* equation of X has drift X\*Y.*use scheme='sra1'"),
        ("exact", declared([-X, -2 * Y], [1, 1]), r"one rate for states that share noise, and X returns at 1, Y at 2"),
        ("square-root", declared([-X, -Y], [X, 0], [0, Y]), r"is for dX = \(k - l X\) dt \+ s sqrt\(X\) dW.*'sri'"),
        (
            "square-root",
            ItoProcess(X, 0.1 - X, {brownian("W"): sp.sqrt(X)}, initial=1.0),
            r"needs 4 k >= s\^2, and for X 4 k = 0.4.*, s\^2 = 1",
        ),
    ],
)
def test_refusals_name_a_scheme_that_works(scheme, process, message):
    with pytest.raises(InputError, match=message) as error:
        process.discretise(0.1, scheme)
    assert "\n" not in str(error.value)
    named = str(error.value).rpartition("use scheme='")[2].partition("'")[0]
    if named:
        process.discretise(0.1, named)


def test_every_scheme_is_found_by_its_name():
    for name, scheme in SCHEMES.items():
        assert find(name) is scheme
        assert scheme.name == name
    with pytest.raises(InputError, match="scheme='rk4' is not known; there are: euler, milstein, milstein-levy"):
        find("rk4")
