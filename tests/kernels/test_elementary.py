"""Elementary functions of generated kernels against mpmath, in units of the last place, and at their edges."""

import mpmath
import numpy as np
import pytest
from numba import njit

from sojourn.kernels import vector_functions as functions
from sojourn.kernels.float_vectors import load, store
from sojourn.kernels.vector_functions import power, spread

mpmath.mp.dps = 40


def applied(function, values, *others):
    """function of a whole array."""
    lanes = 64 // values.itemsize
    padded = np.resize(values, -(-len(values) // lanes) * lanes)
    out = np.empty_like(padded)
    if others:

        @njit
        def run(x, y, out):
            for k in range(0, len(x), 64 // x.itemsize):
                store(out, k, function(load(x, k), load(y, k)))

        run(padded, np.resize(others[0], len(padded)), out)
    else:

        @njit
        def run(x, out):
            for k in range(0, len(x), 64 // x.itemsize):
                store(out, k, function(load(x, k)))

        run(padded, out)
    return out[: len(values)]


def units(got, expected):
    """The largest error in units of the last place of the expected (mpmath) values."""
    eps, tiny = np.finfo(got.dtype).eps, float(np.finfo(got.dtype).tiny)
    worst = 0.0
    for a, b in zip(got, expected, strict=True):
        size = max(abs(b), tiny)
        unit = mpmath.mpf(2) ** int(mpmath.floor(mpmath.log(size, 2))) * float(eps)
        worst = max(worst, float(abs(mpmath.mpf(float(a)) - b) / unit))
    return worst


def samples(low, high, dtype, count=3000):
    """Evenly spread, and towards zero by orders of magnitude."""
    random = np.random.default_rng(1)
    small = np.exp(random.uniform(-40, 0, count // 3)) * random.choice([-1, 1], count // 3)
    both = np.concatenate([random.uniform(low, high, count), small * (high - low) / 2])
    return both[(both >= low) & (both <= high)].astype(dtype)


CASES = {  # function: range in float32, in float64, bound on the error
    "exp": ((-87, 88), (-708, 709), 1.5),
    "log": ((0, 1e6), (0, 1e6), 2),
    "sin": ((-100, 100), (-100, 100), 2),
    "cos": ((-100, 100), (-100, 100), 2),
    "tan": ((-100, 100), (-100, 100), 4),
    "sinh": ((-88, 88), (-709, 709), 3),
    "cosh": ((-88, 88), (-709, 709), 3),
    "tanh": ((-12, 12), (-25, 25), 3),
    "atan": ((-1e3, 1e3), (-1e3, 1e3), 3),
    "erf": ((-4, 4), (-6, 6), 4),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_functions_are_right_to_a_few_units(name, dtype):
    single, double, bound = CASES[name]
    x = samples(*(single if dtype == np.float32 else double), dtype)
    x = np.concatenate([x, samples(*((-2, 2) if name != "log" else (0.3, 3)), dtype)])
    expected = [getattr(mpmath, name)(mpmath.mpf(float(v))) for v in x]
    error = units(applied(getattr(functions, name), x), expected)
    assert error <= bound, error


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_at_the_edges(dtype):
    big, tiny = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    edges = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, big, -big, tiny, 800.0, -800.0], dtype)
    with np.errstate(all="ignore"):
        for name in ("exp", "log", "sinh", "cosh", "tanh"):
            got, expected = applied(getattr(functions, name), edges), getattr(np, name)(edges)
            np.testing.assert_allclose(got, expected, rtol=1e-6 if dtype == np.float32 else 1e-14, err_msg=name)
        np.testing.assert_allclose(applied(functions.atan, edges), np.arctan(edges), rtol=1e-6)
    finite = edges[np.isfinite(edges)]
    np.testing.assert_allclose(applied(functions.erf, edges)[[0, 1, 4, 5, 6]], [0, 0, 1, -1, np.nan])
    for name in ("sin", "cos", "tan"):
        assert np.isnan(applied(getattr(functions, name), edges)[4:7]).all()
    assert np.isfinite(applied(functions.exp, -np.abs(finite))).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers(dtype):
    random = np.random.default_rng(2)
    x, y = np.exp(random.uniform(-5, 5, 1000)).astype(dtype), random.uniform(-4, 4, 1000).astype(dtype)
    expected = [mpmath.mpf(float(a)) ** mpmath.mpf(float(b)) for a, b in zip(x, y, strict=True)]
    got = applied(power, x, y)
    assert units(got, expected) < (1 if dtype == np.float32 else 2 + 2 * 20)
    bases, exponents = (
        np.array([-2.0, -2.0, -2.0, 0.0, 0.0, np.nan, 3.0], dtype),
        np.array([3, 2, 0.5, 2, 0, 1, 0], dtype),
    )
    np.testing.assert_allclose(applied(power, bases, exponents), [-8, 4, np.nan, 0, 1, np.nan, 1], rtol=1e-6)

    @njit
    def seventh(x, out):
        store(out, 0, functions.whole_power(load(x, 0), 7) + functions.whole_power(load(x, 0), -2))

    base = np.linspace(-2, 2, 64 // np.dtype(dtype).itemsize).astype(dtype)
    out = np.empty_like(base)
    seventh(base, out)
    np.testing.assert_allclose(out, base.astype(float) ** 7 + base.astype(float) ** -2.0, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_choices_and_extremes(dtype):
    x = np.array([1.0, -1.0, np.nan, 2.0, 0.0, 5.0, -np.inf, np.inf] * 2, dtype)[: 64 // np.dtype(dtype).itemsize]
    y = np.roll(x, 1)
    np.testing.assert_array_equal(applied(functions.maximum, x, y), np.maximum(x, y))
    np.testing.assert_array_equal(applied(functions.minimum, x, y), np.minimum(x, y))
    np.testing.assert_array_equal(applied(functions.sign, x), np.nan_to_num(np.sign(x), nan=0))

    @njit
    def pieces(x, out):
        v = load(x, 0)
        store(out, 0, functions.choose((v > 0.0) & (v < 3.0), spread(x, 1.0), v / 2.0))

    out = np.empty_like(x)
    pieces(x, out)
    np.testing.assert_array_equal(out, np.where((x > 0) & (x < 3), 1, x / 2))


def test_angles_far_out():
    x = np.random.default_rng(3).uniform(-1e6, 1e6, 4000)
    expected = np.array([float(mpmath.sin(mpmath.mpf(v))) for v in x])
    assert np.abs(applied(functions.sin, x) - expected).max() < 2.3e-16
    x = (x / 10).astype(np.float32)
    expected = [mpmath.cos(mpmath.mpf(float(v))) for v in x]
    assert units(applied(functions.cos, x), expected) <= 2
