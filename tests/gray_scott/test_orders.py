"""Orders of convergence, in space and in time, and what the spectral scheme does exactly."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import sojourn as sj
from sojourn.processes.gray_scott import stencils
from sojourn.processes.gray_scott.transforms import Cosine, Fourier

sys.path.insert(0, str(Path(__file__).parent))
from smooth import SMOOTH, difference, run, smooth_state

ORDER = {"second": 2, "isotropic": 2, "fourth": 4}


def wave(n, boundary, d):
    """A product of one wave an axis that fits the boundary, and minus its exact Laplacian's factor."""
    extra = 0.0 if boundary == "periodic" else 0.5
    x = (torch.arange(n, dtype=torch.float64) + extra) / n
    k = 2 * math.pi if boundary == "periodic" else math.pi
    line = {"periodic": torch.sin(k * x + 0.3), "neumann": torch.cos(k * x), "dirichlet": torch.sin(k * x)}[boundary]
    total = line
    for _ in range(d - 1):
        total = total[..., None] * line
    return total[None], d * k**2


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("boundary", ["periodic", "neumann", "dirichlet"])
@pytest.mark.parametrize("stencil", ["second", "isotropic", "fourth"])
def test_laplacians_converge_at_their_orders(stencil, boundary, d):
    errors = []
    for n in (12, 24):
        f, factor = wave(n, boundary, d)
        found = stencils.laplacian(f, stencil=stencil, spacing=(1 / n,) * d, boundary=boundary, wall=0.0)
        errors.append(float((found + factor * f).abs().max()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(ORDER[stencil], abs=0.15)


@pytest.mark.parametrize("stencil", ["second", "isotropic", "fourth"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_largest_eigenvalue_is_that_of_the_matrix(stencil, d):
    n, spacing = 6, (0.3,) * d if stencil == "isotropic" else (0.3, 0.5, 0.4)[:d]
    unit = torch.eye(n**d, dtype=torch.float64).reshape(-1, *(n,) * d)
    matrix = stencils.laplacian(unit, stencil=stencil, spacing=spacing, boundary="periodic", wall=0.0)
    values = np.linalg.eigvalsh(matrix.reshape(n**d, n**d).numpy())
    assert stencils.largest_eigenvalue(stencil, spacing) == pytest.approx(-values.min(), rel=1e-12)
    assert values.max() == pytest.approx(0.0, abs=1e-10)


def test_the_isotropic_stencil_has_no_preferred_direction():
    """-k^2 + h^2 k^4/12 + O(h^4) whatever the direction; that of the 5-point stencil depends on it."""
    spread = {}
    for stencil in ("second", "isotropic"):
        found = stencils.weights(stencil, (1.0, 1.0))
        angle = np.linspace(0, math.pi / 2, 30)
        k = 0.2 * np.stack([np.sin(angle), np.cos(angle)])
        symbol = sum(w * np.cos(o[0] * k[0] + o[1] * k[1]) for o, w in found.items())
        spread[stencil] = np.ptp(symbol + 0.04)
        assert np.abs(symbol + 0.04 - 0.04**2 / 12).max() < (1e-6 if stencil == "isotropic" else 1e-3)
    assert spread["isotropic"] < 0.01 * spread["second"]


@pytest.mark.parametrize(
    ("scheme", "order"), [("euler", 1), ("heun", 2), ("rk4", 4), ("etdrk4", 4)], ids=["euler", "heun", "rk4", "etdrk4"]
)
def test_orders_in_time(scheme, order):
    def end(steps):
        process = sj.GrayScott(shape=(8, 8), extent=1.0, scheme=scheme, dt=4.0 / steps, **SMOOTH)
        return run(process, smooth_state(process), steps)

    coarse, middle, fine = (end(steps) for steps in (8, 16, 32))
    assert math.log2(difference(coarse, middle) / difference(middle, fine)) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
def test_the_spectral_scheme_converges_faster_than_any_power(boundary):
    def end(n):
        process = sj.GrayScott(shape=(n,), extent=1.0, boundary=boundary, scheme="etdrk4", dt=0.25, **SMOOTH)
        modes = (Fourier if boundary == "periodic" else Cosine)((n,), (1.0,))
        state = run(process, smooth_state(process), 40)
        return {name: modes.forward(field)[0, :4] for name, field in state.items()}

    exact = end(64)
    errors = [difference(end(n), exact) for n in (8, 16, 32)]
    assert errors[1] < errors[0] / 50  # the eighth power would be 256 times less at each doubling; here it accelerates
    assert errors[2] < errors[1] / 1e5 or errors[2] < 1e-13


@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
@pytest.mark.parametrize("shape", [(16,), (15,), (12, 10), (6, 9, 8)])
def test_transforms_invert_and_know_the_waves(boundary, shape):
    lengths = (1.0, 0.7, 1.3)[: len(shape)]
    kind = Fourier if boundary == "periodic" else Cosine
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(2, *shape)))
    own, fine = kind(shape, lengths), kind(shape, lengths, 2)
    torch.testing.assert_close(own.backward(own.forward(values)), values, rtol=0, atol=1e-13)
    kept = fine.forward(fine.backward(own.forward(values)))  # all but the waves whose sign the grid does not know
    torch.testing.assert_close(fine.forward(fine.backward(kept)), kept, rtol=0, atol=1e-13)
    even = [axis for axis, n in enumerate(shape) if n % 2 == 0] if boundary == "periodic" else []
    if not even:
        torch.testing.assert_close(kept, own.forward(values), rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
@pytest.mark.parametrize("n", [8, 9])
def test_padding_removes_all_aliasing_of_the_cubic_product(boundary, n):
    """Coefficients of u v^2 on the padded grid are those on a grid eight times finer; on its own grid they are not."""
    kind = Fourier if boundary == "periodic" else Cosine
    noise = np.random.default_rng(1)
    grids = {factor: kind((n, n), (1.0, 1.0), factor) for factor in (1, 2, 8)}
    start = torch.from_numpy(noise.normal(size=(2, n, n)))
    modes = grids[2].forward(grids[2].backward(grids[1].forward(start)))

    def product(factor):
        u, v = grids[factor].backward(modes)
        return grids[factor].forward((u * v * v)[None])

    exact = product(8)
    torch.testing.assert_close(product(2), exact, rtol=0, atol=1e-12)
    assert float((product(1) - exact).abs().max()) > 0.01


@pytest.mark.parametrize("stencil", ["second", "fourth"])
@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
def test_finite_differences_and_waves_agree_as_the_orders_predict(stencil, boundary):
    """A long smooth run: the difference falls by 2^order for half the spacing, and is small."""
    differences = []
    for n in (32, 64):
        common = {**SMOOTH, "shape": (n,), "extent": 1.0, "boundary": boundary, "dt": 0.05}
        a = sj.GrayScott(scheme="rk4", stencil=stencil, **common)
        b = sj.GrayScott(scheme="etdrk4", **common)
        start = smooth_state(a)
        differences.append(difference(run(a, start, 2000), run(b, start, 2000)))
    assert math.log2(differences[0] / differences[1]) == pytest.approx(ORDER[stencil], abs=0.3)
    assert differences[1] < (2e-3 if stencil == "second" else 2e-5)


@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
def test_diffusion_is_exact_for_every_wave(boundary):
    process = sj.GrayScott(
        0.0, 0.0, 0.01, 0.02, shape=(10, 12), extent=1.0, boundary=boundary, scheme="etdrk4", dt=3.0, dtype="float64"
    )
    waves = torch.from_numpy(process.coordinates()["y"])[:, None] + 0.5
    k = 2 * math.pi if boundary == "periodic" else math.pi
    state = {"u": torch.cos(k * waves).expand(1, 10, 12).clone(), "v": torch.zeros(1, 10, 12, dtype=torch.float64)}
    after = process.step(state, 0, sj.Noise(0))
    torch.testing.assert_close(after["u"], state["u"] * math.exp(-0.01 * k**2 * 3.0), rtol=0, atol=1e-13)


@pytest.mark.parametrize("scheme", ["heun", "rk4", "etdrk4"])
def test_a_uniform_state_follows_the_ordinary_equation(scheme):
    process = sj.GrayScott(0.03, 0.055, shape=(5, 5), extent=0.05, scheme=scheme, dt=0.1, dtype="float64")
    state = {"u": torch.full((1, 5, 5), 0.5, dtype=torch.float64), "v": torch.full((1, 5, 5), 0.4, dtype=torch.float64)}

    def rate(t, y):
        return [-y[0] * y[1] ** 2 + 0.03 * (1 - y[0]), y[0] * y[1] ** 2 - 0.085 * y[1]]

    exact = solve_ivp(rate, (0, 20), [0.5, 0.4], rtol=1e-12, atol=1e-14).y[:, -1]
    after = run(process, state, 200)
    tolerance = 1e-4 if scheme == "heun" else 1e-8
    for name, value in zip("uv", exact, strict=True):
        np.testing.assert_allclose(after[name].numpy(), value, atol=tolerance)
