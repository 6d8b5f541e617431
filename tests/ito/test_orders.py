"""Measured orders of convergence: along the Brownian path (strong), and of expectations without any sampling (weak).

Strong: the root of the mean square distance between steps of h and of h/2 on one path, over five step sizes; the slope
of a line through the logarithms, batch by batch. Weak: a scheme takes E[x x^T] to E[x x^T] where the SDE is linear, and
in one dimension any E[f(X_h) | x] is an integral over normal numbers; both are computed by Gauss-Hermite quadrature
with the very step that is simulated.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.interpolate
import scipy.linalg
import scipy.stats
import sympy as sp
import torch

from sojourn.calculus import ItoProcess, brownian, symbols
from sojourn.noise import Noise
from sojourn.process import Process
from sojourn.processes.ito import increments as inc
from sojourn.processes.ito.printing import torch_step
from sojourn.processes.ito.schemes import SCHEMES
from sojourn.processes.ito.schemes.milstein_levy import MILSTEIN_LEVY

X, Y = symbols("X Y")
T = symbols("t", positive=True)
W1, W2 = brownian("W1 W2")
FALSE_ALARM = 1e-6


@pytest.fixture(autouse=True)
def _one_thread():
    """Numba's start gives PyTorch a thread a core, and with small tensors these wait for each other."""
    Noise(0).normal(0, 1, (1,))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# ------------------------------------------------------------------------------------------------------------ examples


def geometric():
    return ItoProcess(X, -X, {W1: X / 2}, initial=1.0)


def diagonal():
    """Diagonal noise, coupled by the drift."""
    drift = [-X + Y / (1 + Y**2), -Y + X / 2]
    return ItoProcess([X, Y], drift, {W1: [X / 2, 0], W2: [0, sp.sqrt(1 + Y**2) / 2]}, initial=[1, 1])


def additive():
    """Additive noise that depends on time, and drift with curvature."""
    drift = [1 / (Y**2 + 0.2) - 2 * X, X / (X**2 + 0.2) - Y]
    return ItoProcess([X, Y], drift, {W1: [1, 0], W2: [sp.sin(3 * T) / 2, 1]}, initial=[0.5, 0])


def ornstein():
    return ItoProcess(X, 1 - 2 * X, {W1: 1}, initial=1.0)


def crossed():
    """Noise that does not commute: L1 B2 - L2 B1 = (0, X / 2)."""
    return ItoProcess([X, Y], [-X, -Y], {W1: [X / 2, 0], W2: [0, X]}, initial=[1.0, 0.0])


def linear():
    """Linear in two states, with noises that do not commute."""
    return ItoProcess(
        [X, Y], [-X + Y / 2, -Y - X / 3], {W1: [X / 2 + Y / 4, Y / 3], W2: [Y / 2, -X / 2]}, initial=[1, 1]
    )


def cubic():
    """Drift that grows faster than linearly."""
    return ItoProcess(X, X - X**3, {W1: X / 2}, initial=1.0)


def square_root():
    return ItoProcess(X, 2 - X, {W1: sp.sqrt(X) / 2}, initial=1.0)


def circle():
    """Coefficients of period 2 pi, so that expectations live on a circle."""
    return ItoProcess(X, sp.sin(X) + sp.Rational(1, 2), {W1: (2 + sp.cos(X)) / 3}, initial=1.0)


def circle_additive():
    return ItoProcess(X, sp.sin(X) + sp.Rational(1, 2), {W1: sp.Rational(2, 3)}, initial=1.0)


# -------------------------------------------------------------------------------------------------------------- strong


def strong_order(process, scheme, *, levels=(3, 4, 5, 6, 7), members=4000, batches=20, seed=1):
    """Slope of log2 of the root mean square distance at time 1, with half its interval at FALSE_ALARM."""
    logs = []
    for level in levels:
        ends = []
        for finer in (0, 1):
            p = process.discretise(2.0 ** -(level + finer), scheme, substeps=2 - finer)
            end = at_time_one(p, members, Noise(seed))
            ends.append(torch.stack([end[s.name] for s in process.states]))
        square = ((ends[0] - ends[1]) ** 2).sum(0).reshape(batches, -1).mean(1)
        logs.append(torch.log2(square).numpy() / 2)
    return interval(levels, logs)


def at_time_one(process, members, noise):
    """The state at time 1, by `step`."""
    return Process.advance(process, process.initial(members, noise), 0, round(1 / process.dt), noise)


COARSE, FINE = (3, 4, 5, 6, 7), (5, 6, 7, 8, 9)
STRONG = [
    ("euler", geometric, 0.5, FINE),
    ("euler", additive, 1.0, COARSE),
    ("milstein", geometric, 1.0, COARSE),
    ("milstein", diagonal, 1.0, COARSE),
    ("milstein-levy", crossed, 1.0, COARSE),
    ("milstein-levy", linear, 1.0, COARSE),
    ("sra1", additive, 1.5, COARSE),
    ("sri", geometric, 1.5, COARSE),
    ("sri", diagonal, 1.5, COARSE),
    ("milstein-truncated", crossed, 0.5, FINE),
    ("heun", diagonal, 1.0, COARSE),
    ("heun", crossed, 0.5, COARSE),
    ("implicit", geometric, 0.5, FINE),
    ("implicit", crossed, 0.5, COARSE),
    ("tamed", cubic, 0.5, FINE),
    ("exact", ornstein, 1.0, COARSE),
    ("square-root", square_root, 1.0, COARSE),
]


@pytest.mark.parametrize(("scheme", "example", "order", "levels"), STRONG, ids=lambda v: getattr(v, "__name__", None))
def test_strong_order(scheme, example, order, levels):
    slope, half = strong_order(example(), scheme, levels=levels)
    print(f"strong {scheme} {example.__name__}: {slope:.3f} +- {half:.3f}, theory {order}")
    assert half < 0.1
    assert abs(slope - order) < 0.1


def test_a_wrong_sign_of_the_levy_area_lowers_the_order(monkeypatch):
    """Milstein with A_kj for A_jk has order 1/2 where the noise does not commute; `test_strong_order` would see it."""

    def transposed(sde, t, x, h, increments):
        return MILSTEIN_LEVY.step(sde, t, x, h, replace(increments, pairs=[-area for area in increments.pairs]))

    monkeypatch.setitem(SCHEMES, "transposed", replace(MILSTEIN_LEVY, name="transposed", step=transposed))
    slope, half = strong_order(crossed(), "transposed", levels=(5, 6, 7, 8), members=2000)
    print(f"strong transposed crossed: {slope:.3f} +- {half:.3f}")
    assert abs(slope - 0.5) < 0.1
    assert slope + half < 0.9


@pytest.mark.parametrize(
    ("scheme", "order"), [("euler", 0.5), ("implicit", 0.5), ("milstein", 1.0), ("heun", 1.0), ("sri", 1.5)]
)
def test_strong_order_against_the_solution(scheme, order):
    """Geometric Brownian motion: X_0 exp((m - s^2 / 2) t + s W_t) on the same path."""
    levels, members, batches, logs = (4, 5, 6, 7, 8), 4000, 20, []
    process, noise = geometric(), Noise(2)
    for level in levels:
        p = process.discretise(2.0**-level, scheme)
        end = at_time_one(p, members, noise)["X"]
        W = sum(p.increments(k, members, noise, torch.float64, "cpu").W[0] for k in range(2**level))
        true = torch.exp(-1 - 1 / 8 + W / 2)
        logs.append(torch.log2(((end - true) ** 2).reshape(batches, -1).mean(1)).numpy() / 2)
    slope, half = interval(levels, logs)
    print(f"strong {scheme} against the solution: {slope:.3f} +- {half:.3f}, theory {order}")
    assert half < 0.1
    assert abs(slope - order) < 0.1


def interval(levels, logs):
    """The slope of -log2(error) over levels, from batches, and half its interval at FALSE_ALARM (Student)."""
    slopes = -np.polyfit(levels, np.array(logs), 1)[0]
    quantile = scipy.stats.t.ppf(1 - FALSE_ALARM / 2, len(slopes) - 1)
    return slopes.mean(), quantile * slopes.std(ddof=1) / math.sqrt(len(slopes))


# ---------------------------------------------------------------------------------------------------------------- weak


def quadrature(process, points):
    """Increments over a step, (nodes,) each, and weights; exact up to degree 2 points - 1 in each normal."""
    kind, m, terms, h = process.method.kind, process.coefficients.noises, process.levy_terms, process.dt
    x, w = np.polynomial.hermite_e.hermegauss(points)
    count = inc.normals(kind, m, terms)
    rules = [(x, w / w.sum())] * count
    if kind == "WV":  # signs of normals
        rules = rules[:m] + [(np.array([-1.0, 1.0]), np.array([0.5, 0.5]))] * (count - m)
    xi = [torch.as_tensor(v.ravel()) for v in np.meshgrid(*(rule[0] for rule in rules), indexing="ij")]
    weights = torch.as_tensor(np.prod(np.meshgrid(*(rule[1] for rule in rules), indexing="ij"), axis=0).ravel())
    return inc.from_normals(kind, m, terms, xi, h, h**0.5, torch.sign).values, weights


def stepped(process, x, values):
    """The step from x, d tensors, as it is simulated."""
    h = torch.tensor(process.dt, dtype=torch.float64)
    new = torch_step(process.program)(0 * h, h, [], x, values)
    return torch.stack(torch.broadcast_tensors(*map(torch.as_tensor, new)))


def second_moments(process):
    """E[M (x) M] for the random matrix M of a step of a linear SDE, (d^2, d^2)."""
    values, weights = quadrature(process, 3 if process.method.kind == "WA" else 5)
    unit = torch.eye(len(process.coefficients.states), dtype=torch.float64)
    M = torch.stack([stepped(process, list(e), values) for e in unit], 1)  # d, d, nodes
    d = len(unit)
    return torch.einsum("ikn,jln,n->ijkl", M, M, weights).reshape(d * d, d * d).numpy()


def generator_of_second_moments(process):
    """d/dt E[x (x) x] = (A (x) 1 + 1 (x) A + sum_k B_k (x) B_k) E[x (x) x]."""
    c = process.coefficients()
    A, *B = (
        np.array(sp.Matrix(column).jacobian(c.states), dtype=float)
        for column in (c.drift, *(c.column(k) for k in range(c.noises)))
    )
    one = np.eye(len(A))
    return np.kron(A, one) + np.kron(one, A) + sum(np.kron(b, b) for b in B)


def last_slope(levels, errors):
    return -np.polyfit(levels[-3:], np.log2(errors[-3:]), 1)[0]


@pytest.mark.parametrize(
    ("scheme", "example", "order", "levels"),
    [
        ("euler", linear, 1, (3, 4, 5, 6)),
        ("milstein", geometric, 1, (3, 4, 5, 6)),
        ("milstein-levy", linear, 1, (2, 3, 4, 5)),
        ("milstein-truncated", linear, 1, (4, 5, 6, 7)),
        ("heun", linear, 1, (4, 5, 6, 7)),
        ("implicit", linear, 1, (4, 5, 6, 7)),
        ("weak2", linear, 2, (3, 4, 5, 6)),
        ("weak2", geometric, 2, (3, 4, 5, 6)),
        ("sri", geometric, 2, (3, 4, 5, 6)),
    ],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_weak_order_of_second_moments(scheme, example, order, levels):
    process, errors = example(), []
    start = np.ones(len(process.states) ** 2)
    true = scipy.linalg.expm(generator_of_second_moments(process)) @ start
    for level in levels:
        P = second_moments(process.discretise(2.0**-level, scheme))
        errors.append(np.linalg.norm(np.linalg.matrix_power(P, 2**level) @ start - true))
    slope = last_slope(levels, errors)
    print(f"weak {scheme} {example.__name__}: {slope:.3f}, theory {order}")
    assert abs(slope - order) < 0.1


@pytest.mark.parametrize(
    ("scheme", "example", "order"),
    [
        ("euler", circle, 1),
        ("milstein", circle, 1),
        ("heun", circle, 1),
        ("implicit", circle, 1),
        ("tamed", circle, 1),
        ("weak2", circle, 2),
        ("sri", circle, 1.5),
        ("sra1", circle_additive, 2),
    ],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_weak_order_on_a_circle(scheme, example, order):
    """x -> E[sin(X_1) | X_0 = x] against exp(L) in Fourier collocation; the maximum of the error over x."""
    process, n, errors = example(), 64, []
    grid = 2 * np.pi * np.arange(n) / n
    waves = np.fft.fftfreq(n, 1 / n)
    to_modes = np.exp(-1j * np.outer(waves, grid)) / n
    modes = np.exp(1j * np.outer(grid, waves))
    D1, D2 = ((modes * (1j * waves) ** k) @ to_modes for k in (1, 2))
    c = process.coefficients()
    a, b = (np.broadcast_to(sp.lambdify(X, g)(grid), n) for g in (c.drift[0], c.diffusion[0][0]))
    f = np.sin(grid)
    true = scipy.linalg.expm(np.diag(a) @ D1 + 0.5 * np.diag(b**2) @ D2) @ f
    levels = (3, 4, 5, 6)
    for level in levels:
        p = process.discretise(2.0**-level, scheme)
        values, weights = quadrature(p, 24)
        new = stepped(p, [torch.as_tensor(grid)[:, None]], [v[None] for v in values])[0].numpy()
        P = np.einsum("ijk,j->ik", np.exp(1j * new[..., None] * waves), weights.numpy()) @ to_modes
        errors.append(abs(np.linalg.matrix_power(P, 2**level) @ f - true).max())
    slope = last_slope(levels, errors)
    print(f"weak {scheme} {example.__name__}: {slope:.3f}, theory {order}")
    assert abs(slope - order) < 0.1


def test_weak_order_of_the_square_root_step():
    """E[X_1^2] of dX = (2 - X) dt + sqrt(X) / 2 dW; a cubic spline in sqrt(x) carries x -> E[f(X_h) | x]."""
    process, levels, errors = square_root(), (3, 4, 5, 6), []
    moments = np.array([[0, 0, 0], [2, -1, 0], [0, 4 + 0.25, -2]])  # of 1, x, x^2
    true = (scipy.linalg.expm(moments) @ np.ones(3))[2]
    root = np.linspace(0, 6, 601)
    for level in levels:
        p = process.discretise(2.0**-level, "square-root")
        values, weights = quadrature(p, 20)
        new = stepped(p, [torch.as_tensor(root**2)[:, None]], [v[None] for v in values])[0].sqrt().numpy()
        u = root**4
        for _ in range(2**level):
            u = scipy.interpolate.CubicSpline(root, u)(new) @ weights.numpy()
        errors.append(abs(u[100] - true))
    slope = last_slope(levels, errors)
    print(f"weak square-root: {slope:.3f}, theory 1")
    assert abs(slope - 1) < 0.1
