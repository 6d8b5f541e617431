"""Exact steps of square-root processes and bridges against SciPy's and SymPy's laws, whatever the step."""

import numpy as np
import pytest
import sympy as sp
import torch
from scipy import stats

import sojourn as sj
from sojourn.calculus import ItoProcess, brownian, symbols
from sojourn.processes.ito.exact_square_root import ExactSquareRoot

t, x, k, rate, s = symbols("t x k l s", positive=True)
y = sp.Symbol("y", real=True)
W = brownian("W")
FALSE_ALARM = 1e-6


def ends(process, dt, steps, seed=1, n=4000):
    path = sj.simulate(process.discretise(dt, "exact"), steps=steps, ensemble=n, seed=seed, progress=False)
    return next(iter(path.dataset.data_vars.values())).values[:, -1]


@pytest.mark.parametrize("start", [0.0, 0.4])
@pytest.mark.parametrize("numbers", [{"k": 1.0, "l": 2.0, "s": 0.5}, {"k": 0.05, "l": 1.0, "s": 1.0}])
def test_square_root_steps_have_the_law_of_the_process(numbers, start):
    """Three steps of 0.3 against the law at 0.9, above and below Feller's condition; Kolmogorov and Smirnov."""
    X = ItoProcess(x, k - rate * x, {W: s * sp.sqrt(x)}, initial=start)(**numbers)
    c = numbers["s"] ** 2 * (1 - np.exp(-numbers["l"] * 0.9)) / (4 * numbers["l"])
    law = stats.ncx2(4 * numbers["k"] / numbers["s"] ** 2, start * np.exp(-numbers["l"] * 0.9) / c, scale=c)
    assert stats.kstest(ends(X, 0.3, 3), law.cdf).pvalue > FALSE_ALARM


def test_bessel_steps_are_the_length_of_a_brownian_motion():
    """|B| of a Brownian motion in three dimensions from (0.5, 0, 0): dX = dt / X + dW."""
    X = ItoProcess(x, 1 / x, {W: 1}, initial=0.5)
    found = ends(X, 0.25, 4)
    brownian_motion = np.random.default_rng(0).normal([0.5, 0, 0], size=(4000, 3))
    assert stats.ks_2samp(found, np.linalg.norm(brownian_motion, axis=1)).pvalue > FALSE_ALARM


def test_radial_ornstein_uhlenbeck():
    """The length of two independent Ornstein-Uhlenbeck processes: dX = (s^2 / (2 X) - l X) dt + s dW."""
    X = ItoProcess(x, s**2 / (2 * x) - rate * x, {W: s}, initial=1.0)(s=0.8, l=1.5)
    spread = 0.8 * np.sqrt((1 - np.exp(-2 * 1.5)) / (2 * 1.5))
    pairs = np.random.default_rng(0).normal([np.exp(-1.5), 0], spread, size=(4000, 2))
    assert stats.ks_2samp(ends(X, 0.5, 2), np.linalg.norm(pairs, axis=1)).pvalue > FALSE_ALARM


def test_a_bridge_has_its_law_and_arrives():
    """From 1 to 3 in time 2 with s = 1/2: mean 1 + t, variance s^2 t (T - t) / T; at T it is 3 to rounding."""
    X = ItoProcess(y, (3 - y) / (2 - t), {W: 0.5}, initial=1.0)
    middle = ends(X, 0.25, 5)
    assert stats.kstest(middle, stats.norm(2.25, 0.5 * np.sqrt(1.25 * 0.75 / 2)).cdf).pvalue > FALSE_ALARM
    np.testing.assert_allclose(ends(X, 0.25, 8), 3.0, rtol=1e-12)
    np.testing.assert_allclose(ends(X, 0.1, 23), 3.0, rtol=1e-12)  # T is no multiple in binary; later it rests


def test_the_exact_path_follows_the_brownian_path():
    """Its distance to the drift-implicit scheme on the same path falls with the step, as strong order 1 says."""
    X = ItoProcess(x, k - rate * x, {W: s * sp.sqrt(x)}, initial=1.0)(k=2.0, l=1.0, s=0.5)
    apart = []
    for steps in (8, 64):
        pair = [
            sj.simulate(X.discretise(1 / steps, scheme), steps=steps, ensemble=500, seed=3, progress=False)
            for scheme in ("exact", "square-root")
        ]
        a, b = (run.dataset["x"].values[:, -1] for run in pair)
        apart.append(np.sqrt(np.mean((a - b) ** 2)))
    assert apart[0] < 0.05
    assert 5 < apart[0] / apart[1] < 13  # 8, for order 1


def test_what_it_refuses_is_said():
    X = ItoProcess(x, k - rate * x, {W: s * sp.sqrt(x)}, initial=1.0)
    assert isinstance(X(k=1.0, l=1.0, s=1.0).discretise(0.1, "exact"), ExactSquareRoot)
    for make, told in (
        (lambda: X(k=-1.0, l=1.0, s=1.0).discretise(0.1, "exact"), "needs k > 0"),
        (lambda: X(k=1.0, l=1.0, s=1.0).discretise(0.1, "exact", substeps=2), "substeps=2"),
        (lambda: X(k=torch.ones(5), l=1.0, s=1.0).discretise(0.1, "exact"), "takes one number for k"),
        (lambda: X(k=torch.tensor(1.0, requires_grad=True), l=1.0, s=1.0).discretise(0.1, "exact"), "without a grad"),
        (lambda: ItoProcess(x, -(x**3), {W: 1}).discretise(0.1, "exact"), "single square-root diffusions"),
        (lambda: X(k=0.1, l=1.0, s=1.0).discretise(0.1, "square-root"), "4 k >= s"),
        (lambda: ItoProcess(y, -y, {W: sp.sqrt(sp.Max(y, 0))}).discretise(0.1, "weak2"), "second derivatives"),
    ):
        with pytest.raises(sj.InputError, match=told):
            make()
