"""Increments of Brownian motions: their joint law, term by term, and that joining them keeps it.

Most laws are checked without sampling: increments are polynomials in normal numbers, whose moments are known.
"""

import math
from functools import partial

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.calculus import ItoProcess, brownian, symbols
from sojourn.noise import Noise
from sojourn.processes.ito.discretised import brownian_increments
from sojourn.processes.ito.increments import Increments, from_normals, from_values, join, levy_terms, normals, size


def symbolic(kind, m, terms=1, h=1, prefix="x"):
    """Increments over a step of length h as polynomials in normal numbers, and those numbers."""
    xi = sp.symbols(f"{prefix}0:{normals(kind, m, terms)}")
    return from_normals(kind, m, terms, xi, h, sp.sqrt(h), None), xi


def expectation(expression, xi):
    """Over independent standard normal numbers xi, exactly where the rest is exact; other symbols stay."""
    total = sp.S.Zero
    for powers, c in sp.Poly(sp.expand(expression), *xi).terms():
        if all(p % 2 == 0 for p in powers):
            total += c * math.prod(math.prod(range(1, p, 2)) for p in powers)
    return total


def close(found, wanted):
    """Equality of polynomials up to rounding of their coefficients."""
    gap = sp.Poly(sp.expand(found - wanted), *(sp.sympify(found - wanted).free_symbols or {sp.Symbol("none")}))
    return all(abs(float(c)) < 1e-12 for c in gap.coeffs())


def test_time_integral():
    """W and Z = int W ds: variances h and h^3 / 3, covariance h^2 / 2."""
    h = sp.Rational(3, 7)
    made, xi = symbolic("WZ", 2, h=h)
    for i in (0, 1):
        assert close(expectation(made.W[i] ** 2, xi), h)
        assert close(expectation(made.Z[i] * made.W[i], xi), h**2 / 2)
        assert close(expectation(made.Z[i] ** 2, xi), h**3 / 3)
        assert expectation(made.Z[i] * made.W[1 - i], xi) == 0


@pytest.mark.parametrize("terms", [1, 3])
def test_areas_given_the_increments(terms):
    """E[A_ij | W] = 0, E[A_ij A_kl | W] = h^2/12 (d_ik d_jl) + h/12 (d_ik W_j W_l + d_jl W_i W_k - ...), m = 3.

    In particular the variance h^2/12 + h (W_i^2 + W_j^2)/12; whatever the number of terms, because of the rests.
    """
    h = sp.Rational(1, 2)
    made, xi = symbolic("WA", 3, terms, h)
    W, rest = made.W, xi[3:]

    def bridge(i, k):  # E[a_i a_k], A_ij = 1/2 (W_j a_i - W_i a_j) + ...
        return h / 3 if i == k else 0

    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert close(expectation(made.area(i, j), rest), 0)
        for k, n in ((0, 1), (0, 2), (1, 2)):
            along = (
                W[j] * W[n] * bridge(i, k)
                - W[j] * W[k] * bridge(i, n)
                - W[i] * W[n] * bridge(j, k)
                + W[i] * W[k] * bridge(j, n)
            )
            wanted = along / 4 + (h**2 / 12 if (i, j) == (k, n) else 0)
            assert close(expectation(made.area(i, j) * made.area(k, n), rest), wanted)


@pytest.mark.parametrize("terms", [1, 2])
def test_fourth_cumulant_of_the_area_given_the_increments(terms):
    """From Levy's E[exp(iuA) | W] = y / sinh y exp(-|W|^2 / 2h (y coth y - 1)), y = hu/2: h^4/120 + h^3 |W|^2 / 60.

    A series of p terms and a normal rest has that times sum_(r <= p) r^-4 / zeta(4).
    """
    h, u = sp.symbols("h u", positive=True)
    y, w2 = h * u / 2, sp.Symbol("w2")
    logarithm = sp.series(sp.log(y / sp.sinh(y)), u, 0, 6).removeO() - w2 / (2 * h) * (
        sp.series(y * sp.coth(y), u, 0, 6).removeO() - 1
    )
    levy = sp.expand(sp.expand(logarithm).coeff(u, 4) * 24)
    assert sp.expand(levy - (h**4 / 120 + h**3 * w2 / 60)) == 0
    half = sp.Rational(1, 2)
    made, xi = symbolic("WA", 2, terms, half)
    rest, A = xi[2:], made.area(0, 1)
    found = expectation(A**4, rest) - 3 * expectation(A**2, rest) ** 2
    part = sum(1 / r**4 for r in range(1, terms + 1)) / float(sp.zeta(4))
    assert close(found, part * levy.subs({w2: made.W[0] ** 2 + made.W[1] ** 2, h: half}))


def test_areas_have_levys_law():
    """E[cos(u A)] = 1 / cosh(h u / 2); three times 5.2 standard errors: a false alarm has probability 6e-7."""
    h, n, terms = 0.5, 100_000, 12
    xi = Noise(11).normal(0, n, (normals("WA", 2, terms),), torch.float64).unbind(1)
    A = from_normals("WA", 2, terms, xi, h, h**0.5, None).area(0, 1)
    for u in (2.0, 5.0, 10.0):
        value = torch.cos(u * A)
        assert abs(float(value.mean()) - 1 / math.cosh(h * u / 2)) < 5.2 * float(value.std()) / math.sqrt(n)


numbers = st.lists(st.floats(-3, 3), min_size=9, max_size=9)


@pytest.mark.parametrize("kind", ["WZ", "WA"])
@settings(max_examples=50, deadline=None)
@given(numbers, numbers, numbers)
def test_joining_is_associative(kind, one, two, three):
    a, b, c = (from_values(kind, 3, values[: size(kind, 3)]) for values in (one, two, three))
    left = join(join(a, b, 0.2), c, 0.3)
    right = join(a, join(b, c, 0.3), 0.5)
    np.testing.assert_allclose(left.values, right.values, atol=1e-12)


def test_joined_pieces_are_the_integrals_of_the_path():
    """Along broken lines, whose own areas are 0: Z by the trapezoidal rule, A by int (W_i dW_j - W_j dW_i) / 2."""
    rng, h, n, m = np.random.default_rng(0), 0.1, 50, 3
    d = rng.normal(size=(n, m))
    for kind in ("WZ", "WA"):
        pieces = [
            Increments(kind, list(step), list(step * h / 2) if kind == "WZ" else [], [0.0] * 3 if kind == "WA" else [])
            for step in d
        ]
        total = pieces[0]
        for piece in pieces[1:]:
            total = join(total, piece, h)
        path = np.vstack([np.zeros(m), np.cumsum(d, 0)])
        middle = (path[1:] + path[:-1]) / 2
        np.testing.assert_allclose(total.W, path[-1], atol=1e-12)
        if kind == "WZ":
            np.testing.assert_allclose(total.Z, middle.sum(0) * h, atol=1e-12)
        else:
            for i in range(m):
                for j in range(m):
                    area = (middle[:, i] @ d[:, j] - middle[:, j] @ d[:, i]) / 2
                    assert total.area(i, j) == pytest.approx(area, abs=1e-12)


@pytest.mark.parametrize("kind", ["WZ", "WA"])
def test_joined_halves_have_the_law_of_the_whole(kind):
    """Second moments, and E[A^2 W_i^2], of h/2 and h/2 joined, against those of h."""
    whole, xi = symbolic(kind, 2)
    half, first = symbolic(kind, 2, h=sp.Rational(1, 2), prefix="u")
    other, second = symbolic(kind, 2, h=sp.Rational(1, 2), prefix="v")
    joined, both = join(half, other, sp.Rational(1, 2)), (*first, *second)
    for i, a in enumerate(whole.values):
        for j, b in enumerate(whole.values[: i + 1]):
            assert close(expectation(a * b, xi), expectation(joined.values[i] * joined.values[j], both))
    if kind == "WA":
        found = expectation(joined.pairs[0] ** 2 * joined.W[0] ** 2, both)
        assert close(found, expectation(whole.pairs[0] ** 2 * whole.W[0] ** 2, xi))


def test_milstein_follows_the_area_of_the_joined_path():
    """dX = dW1, dY = dW2, dZ = (X dW2 - Y dW1) / 2 has Z = A_12; one step over 32 increments is the 32 steps.

    The law of (W, A) is that of (W, -A), so only this, not a law, can tell a sign that a scheme takes the wrong way.
    """
    x, y, z = symbols("x y z")
    W1, W2 = brownian("W1 W2")
    process = ItoProcess([x, y, z], [0, 0, 0], {W1: [1, 0, -y / 2], W2: [0, 1, x / 2]}, initial=[0, 0, 0])
    noise = Noise(3)
    once = process.discretise(0.5, "milstein-levy", substeps=32)
    cut = process.discretise(0.5 / 32, "milstein-levy")
    one, many = once.step(once.initial(100, noise), 0, noise), cut.initial(100, noise)
    for k in range(32):
        many = cut.step(many, k, noise)
    area = once.increments(0, 100, noise, torch.float64, "cpu").area(0, 1)
    for state in (one, many):
        torch.testing.assert_close(state["z"], area, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["W", "WZ", "WA", "WV"])
@pytest.mark.parametrize("m", [1, 2, 4])
def test_values_go_there_and_back(kind, m):
    xi = Noise(0).normal(0, 5, (normals(kind, m, 2),), torch.float64).unbind(1)
    made = from_normals(kind, m, 2, xi, 0.1, 0.1**0.5, torch.sign)
    assert len(made.values) == size(kind, m)
    again = from_values(kind, m, made.values)
    for i in range(m):
        for j in range(m if made.pairs else 0):
            assert bool((torch.as_tensor(again.area(i, j)) == -torch.as_tensor(again.area(j, i))).all())
    assert again.values == made.values


def test_terms_of_the_series_keep_order_one():
    """The published bound on an area's error, sqrt(m/12) h / (pi p), is below h^(3/2), with as few terms as can be."""
    for m in (2, 5):
        for h in (0.1, 1e-3, 1e-5):
            p = levy_terms(m, h)
            bound = h * math.sqrt(m / 12) / math.pi
            assert bound / p <= h**1.5 * (1 + 1e-12)
            assert p == 1 or bound / (p - 1) > h**1.5


def test_a_brownian_path_is_the_same_whatever_a_scheme_needs():
    """W of each kind, also over joined substeps, to the bit."""
    noise = Noise(3)
    for substeps in (1, 3):
        draw = partial(brownian_increments, m=2, h=0.1, substeps=substeps, t=5, ensemble=4, noise=noise)
        path = draw("W", dtype=torch.float64, device="cpu").W
        for kind in ("WZ", "WA", "WV") if substeps == 1 else ("WZ", "WA"):
            for mine, other in zip(path, draw(kind, dtype=torch.float64, device="cpu").W, strict=True):
                assert torch.equal(mine, other)


@pytest.mark.parametrize("kind", ["W", "WA"])
def test_a_large_ensemble_is_drawn_in_pieces(kind, monkeypatch):
    draw = partial(brownian_increments, kind, 2, 0.1, 2, 5, 50, Noise(3).members(7), torch.float64, "cpu")
    whole = draw().values
    monkeypatch.setattr("sojourn.processes.ito.discretised._ROOM", 60)
    for mine, other in zip(draw().values, whole, strict=True):
        assert torch.equal(mine, other)
