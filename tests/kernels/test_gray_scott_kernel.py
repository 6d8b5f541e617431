"""The Gray-Scott kernels against the definition in NumPy: padded arrays, shifted slices, textbook schemes."""

import itertools

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.kernels.gray_scott import advance

BOUNDARIES, STENCILS, SCHEMES = (
    ("periodic", "neumann", "dirichlet"),
    ("second", "isotropic", "fourth"),
    ("euler", "heun", "rk4"),
)
SHAPES = [(3,), (17,), (100,), (1025,), (3, 33), (33, 5), (64, 64), (100, 17), (5, 6, 33), (9, 17, 5)]
WALLS = np.array([1.0, 0.0])  # u and v at a Dirichlet wall


def pad(y, axis, width, boundary):
    """y (2, ensemble, *shape) with `width` ghost cells on both sides of an axis."""
    n = y.shape[axis]
    cells = np.arange(-width, n + width)
    if boundary == "periodic":
        return y.take(cells % n, axis)
    inside = np.where(cells < 0, -1 - cells, np.where(cells < n, cells, 2 * n - 1 - cells))
    padded = y.take(inside, axis)
    if boundary == "dirichlet":
        outside = ((cells < 0) | (cells >= n)).reshape([-1 if i == axis else 1 for i in range(y.ndim)])
        wall = WALLS.astype(y.dtype).reshape(2, *[1] * (y.ndim - 1))
        padded = np.where(outside, 2 * wall - padded, padded)
    return padded


def laplacian(y, spacing, boundary, stencil):
    axes, width = len(spacing), 2 if stencil == "fourth" else 1
    padded = y
    for axis in range(2, 2 + axes):
        padded = pad(padded, axis, width, boundary)

    def shifted(*offsets):
        return padded[(..., *(slice(width + o, width + o + n) for o, n in zip(offsets, y.shape[2:], strict=True)))]

    if stencil == "isotropic" and axes > 1:
        weights = {2: (-20 / 6, 4 / 6, 1 / 6), 3: (-4, 1 / 3, 1 / 6, 0)}[axes]
        offsets = itertools.product((-1, 0, 1), repeat=axes)
        return sum(y.dtype.type(weights[np.abs(o).sum()] / spacing[0] ** 2) * shifted(*o) for o in offsets)
    weights = {"fourth": (-1 / 12, 4 / 3, -5 / 2, 4 / 3, -1 / 12)}.get(stencil, (1, -2, 1))
    total = 0
    for axis, h in enumerate(spacing):
        for o, weight in zip(range(-width, width + 1), weights, strict=True):
            offsets = [o if a == axis else 0 for a in range(axes)]
            total = total + y.dtype.type(weight / h**2) * shifted(*offsets)
    return total


def reference(
    u, v, *, feed_rate, kill_rate, diffusivity_u, diffusivity_v, spacing, dt, boundary, stencil, scheme, steps
):
    number = u.dtype.type
    feed, loss = np.asarray(feed_rate, u.dtype), np.add(feed_rate, kill_rate).astype(u.dtype)
    dt = number(dt)

    def f(y):
        u, v = y
        lap_u, lap_v = laplacian(y, spacing, boundary, stencil)
        reaction = u * v * v
        k_u = number(diffusivity_u) * lap_u - reaction + feed * (1 - u)
        return np.stack([k_u, number(diffusivity_v) * lap_v + reaction - loss * v])

    y = np.stack([u, v])
    for _ in range(steps):
        k1 = f(y)
        if scheme == "euler":
            y = y + dt * k1
        elif scheme == "heun":
            y = y + dt / 2 * (k1 + f(y + dt * k1))
        else:
            k2 = f(y + dt / 2 * k1)
            k3 = f(y + dt / 2 * k2)
            y = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + f(y + dt * k3))
    return tuple(y)


def problem(ensemble, shape, dtype=np.float64, *, seed=0, varying=False, equal=True, **choices):
    """Arguments of `advance`: random fields, stable steps."""
    random = np.random.default_rng(seed)
    u, v = random.random((2, ensemble, *shape)).astype(dtype)
    rates = (0.03, 0.06) if not varying else (0.1 * random.random(shape), 0.1 * random.random(shape))
    settings = {
        "feed_rate": rates[0],
        "kill_rate": rates[1],
        "diffusivity_u": 0.16,
        "diffusivity_v": 0.08,
        "spacing": (1.25,) * len(shape) if equal else (1.0, 1.25, 0.9)[: len(shape)],
        "dt": 0.5,
        "boundary": "periodic",
        "stencil": "second",
        "scheme": "euler",
        "steps": 30,
    }
    return (u, v), {**settings, **choices}


def difference(results, expected):
    return max(float(np.abs(a - b).max()) for a, b in zip(results, expected, strict=True))


@pytest.mark.parametrize("varying", [False, True], ids=["numbers", "arrays"])
@pytest.mark.parametrize("stencil", STENCILS)
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_equals_the_definition(axes, stencil, varying):
    for shape in (shape for shape in SHAPES if len(shape) == axes):
        if stencil == "fourth" and min(shape) < 5:
            continue
        for boundary, scheme, ensemble in itertools.product(BOUNDARIES, SCHEMES, (1, 3)):
            choices = {"boundary": boundary, "scheme": scheme, "stencil": stencil, "varying": varying}
            fields, settings = problem(ensemble, shape, equal=stencil == "isotropic", **choices)
            error = difference(advance(*fields, **settings), reference(*fields, **settings))
            assert error < 1e-13, (shape, boundary, scheme, ensemble)


@pytest.mark.parametrize("stencil", STENCILS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("shape", [(100,), (70, 100), (20, 10, 33)])
def test_single_precision_and_equal_spacing(shape, scheme, stencil):
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-13)):
        for boundary in BOUNDARIES:
            fields, settings = problem(2, shape, dtype, scheme=scheme, stencil=stencil, boundary=boundary)
            results = advance(*fields, **settings)
            assert results[0].dtype == results[1].dtype == dtype
            assert difference(results, reference(*fields, **settings)) < tolerance


# Heights and widths around the sizes of vectors, chunks, strips and bands.
HEIGHTS, WIDTHS = st.sampled_from([5, 6, 7, 8, 9, 31, 64, 150, 400]), st.sampled_from([5, 15, 16, 17, 40, 600])


@given(
    st.integers(1, 3),
    HEIGHTS,
    WIDTHS,
    st.sampled_from(BOUNDARIES),
    st.sampled_from(SCHEMES),
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_neither_threads_nor_calls_nor_members_matter(ensemble, height, width, boundary, scheme, parts, threads):
    choices = {"boundary": boundary, "scheme": scheme, "steps": sum(parts)}
    fields, settings = problem(ensemble, (height, width), np.float32, **choices)
    whole = advance(*fields, **settings)
    assert difference(whole, reference(*fields, **settings)) < 1e-5
    most = numba.get_num_threads()
    numba.set_num_threads(min(threads, most))
    try:
        for member in range(ensemble):
            piece = [x[member : member + 1] for x in fields]
            for steps in parts:
                piece = advance(*piece, **{**settings, "steps": steps})
            assert all(np.array_equal(a[0], b[member]) for a, b in zip(piece, whole, strict=True))
    finally:
        numba.set_num_threads(most)


LARGE = [(1, 700, 1025), (3, 400, 256), (1, 2050, 130), (1, 64, 40, 100), (5, 20000)]


@pytest.mark.parametrize("shape", LARGE)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("scheme", "stencil"), [("euler", "second"), ("heun", "fourth"), ("rk4", "fourth")])
def test_one_call_equals_single_steps_for_any_number_of_threads(shape, boundary, scheme, stencil):
    choices = {"boundary": boundary, "scheme": scheme, "stencil": stencil, "steps": 13}
    fields, settings = problem(shape[0], shape[1:], np.float32, **choices)
    single = fields
    for _ in range(13):
        single = advance(*single, **{**settings, "steps": 1})
    most = numba.get_num_threads()
    try:
        for threads in range(1, most + 1):
            numba.set_num_threads(threads)
            assert all(np.array_equal(a, b) for a, b in zip(advance(*fields, **settings), single, strict=True))
    finally:
        numba.set_num_threads(most)
    one = {**settings, "steps": 1}
    assert difference(advance(*fields, **one), reference(*fields, **one)) < 1e-5


@pytest.mark.parametrize("stencil", STENCILS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("shape", [(21,), (20, 21), (10, 9, 21)])
def test_the_trivial_state_stays_to_the_last_bit(shape, scheme, stencil):
    for boundary, dtype in itertools.product(BOUNDARIES, (np.float32, np.float64)):
        _, settings = problem(1, shape, scheme=scheme, stencil=stencil, boundary=boundary)
        u, v = np.ones((1, *shape), dtype), np.zeros((1, *shape), dtype)
        results = advance(u, v, **settings)
        assert np.array_equal(results[0], u)
        assert np.array_equal(results[1], v)


def test_inputs_are_left_alone_and_may_be_strided():
    fields, settings = problem(2, (33, 40), np.float32)
    copies = [x.copy() for x in fields]
    strided = [np.asfortranarray(x) for x in fields]
    expected = advance(*fields, **settings)
    assert all(np.array_equal(a, b) for a, b in zip(fields, copies, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(advance(*strided, **settings), expected, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(advance(*fields, **{**settings, "steps": 0}), fields, strict=True))


def test_a_value_that_is_not_finite_spreads_by_one_cell_a_step():
    fields, settings = problem(1, (40, 50), steps=3)
    fields[0][0, 20, 25] = np.nan
    spoiled = np.isnan(advance(*fields, **settings)[0][0])
    rows, columns = np.indices(spoiled.shape)
    assert np.array_equal(spoiled, abs(rows - 20) + abs(columns - 25) <= 3)
