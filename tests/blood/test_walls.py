"""Mobility near walls by exact series, Stokes flow computed anew and published numbers; the drift for uniform laws."""

import math

import numpy as np
import pytest
import torch
from scipy.special import eval_legendre, iv, kv
from scipy.stats import chi2

from sojourn.errors import InputError
from sojourn.processes.blood.walls import (
    normal_mobility,
    normal_slope,
    parallel_mobility,
    parallel_slope,
    radial_drift,
    roll_mobility,
    spin_mobility,
    tube_axis_mobility,
)

from .near import near
from .stokes import resistance, sphere, walled

# Drag of a sphere that moves along a wall without turning, over 6 pi mu a U, by h/a: Goldman, Cox and Brenner (1967).
PUBLISHED = {
    10.0677: 1.0591,
    3.7622: 1.1738,
    2.3524: 1.3079,
    1.5431: 1.5675,
    1.1276: 2.1514,
    1.0453: 2.6475,
    1.003202: 4.0223,
}


def brenner(gap):
    """The exact drag towards a plane wall over Stokes's, for a = 1: Brenner, Chem. Eng. Sci. 16 (1961), 242."""
    alpha = math.acosh(1 + gap)
    total, n = 0.0, 1
    while True:
        ratio = 2 * math.sinh((2 * n + 1) * alpha) + (2 * n + 1) * math.sinh(2 * alpha)
        ratio = ratio / (4 * math.sinh((n + 0.5) * alpha) ** 2 - (2 * n + 1) ** 2 * math.sinh(alpha) ** 2) - 1
        total += n * (n + 1) / ((2 * n - 1) * (2 * n + 3)) * ratio
        if (2 * n + 1) * alpha > 45:
            return 4 / 3 * math.sinh(alpha) * total
        n += 1


@pytest.mark.parametrize("gap", [1e-4, 1e-3, 0.01, 0.06, 0.3, 1.0, 5.4, 10.0, 30.0])
def test_towards_the_wall_is_brenners_series(gap):
    assert normal_mobility(gap * 2e-6, 2e-6) * brenner(gap) == pytest.approx(1, abs=8e-3)


def test_along_the_wall_beside_published_numbers():
    """The errors that the docstring owns to, in per cent."""
    error = {h: 100 * (parallel_mobility((h - 1) * 1e-6, 1e-6) * drag - 1) for h, drag in PUBLISHED.items()}
    assert [round(e, 1) for e in error.values()] == [0.0, 0.0, -0.1, -1.0, -4.2, -1.0, 31.9]
    assert parallel_mobility(0, 1e-6) == pytest.approx(0.32422, abs=5e-6)


@pytest.mark.parametrize(("height", "errors"), [(1.3, (-2.6, 2.2)), (1.5431, (-1.06, 0.61)), (2.3524, (-0.1, 0.04))])
def test_point_forces_by_a_wall(height, errors):
    """The mobility of a free sphere by a wall, computed anew, agrees with the exact series and the published drag."""
    centre = np.array([0.0, 0.0, height])
    focus = height - math.sqrt(height**2 - 1)
    r, _ = resistance(centre + sphere(700), centre + (0.3 + 0.7 * focus) * sphere(350), centre, walled)
    assert r[2, 2] / (6 * math.pi) == near(brenner(height - 1), rel=1e-5)
    if height in PUBLISHED:
        assert r[0, 0] / (6 * math.pi) == pytest.approx(PUBLISHED[height], abs=1e-4)
    m = np.linalg.inv(r)
    along, roll, spin = 6 * math.pi * m[0, 0], 8 * math.pi * m[3, 3], 8 * math.pi * m[5, 5]
    gap = height - 1
    assert 100 * (parallel_mobility(gap, 1.0) / along - 1) == pytest.approx(errors[0], abs=0.05)
    assert 100 * (roll_mobility(gap, 1.0) / roll - 1) == pytest.approx(errors[1], abs=0.05)
    assert spin_mobility(gap, 1.0) == near(spin, rel=3e-3)


@pytest.mark.parametrize(("height", "error"), [(1.0001, 0.052), (1.1, 0.0122), (1.3, 0.00225), (3.0, 1.9e-6)])
def test_spinning_beside_jefferys_sum(height, error):
    """1 / sum of (sinh b / sinh n b)^3, cosh b = h / a."""
    b = math.acosh(height)
    exact = 1 / sum((math.sinh(b) / math.sinh(n * b)) ** 3 for n in range(1, int(300 / b)) if n * b < 300)
    assert spin_mobility(height - 1, 1.0) / exact - 1 == near(error, rel=0.02)


def test_slopes_are_derivatives():
    gap = torch.tensor([0.0, 1e-9, 1e-7, 1e-6, 2e-5], dtype=torch.float64, requires_grad=True)
    for mobility, slope in ((parallel_mobility, parallel_slope), (normal_mobility, normal_slope)):
        (found,) = torch.autograd.grad(mobility(gap, 1e-6).sum(), gap)
        torch.testing.assert_close(slope(gap.detach(), 1e-6), found, rtol=1e-10, atol=0)
    assert normal_mobility(0, 1e-6) == 0
    assert normal_slope(0, 1e-6) == near(1e6)
    assert spin_mobility("1 mm", "1 um") == near(1)


def on_the_axis(ratio):
    """The mobility of a sphere on the axis of a tube with R = 1, without any coefficient of the series.

    Point forces and dipoles at its centre and their even derivatives in z, each with what the wall sends back (Fourier
    integrals in z), are made to fit no slip on the sphere.
    """
    x, w = np.polynomial.legendre.leggauss(80)
    k = 40 * ((x + 1) / 2) ** 3
    w = 60 * ((x + 1) / 2) ** 2 * w
    angle = np.linspace(0.01, math.pi / 2, 30)
    z, rho = ratio * np.cos(angle), ratio * np.sin(angle)
    wall, inner = [iv(n, k) for n in range(3)], [iv(n, np.outer(rho, k)) for n in range(3)]
    cos, sin = np.cos(np.outer(z, k)) * w, np.sin(np.outer(z, k)) * w
    columns = []

    def add(free_z, free_r, wall_z, wall_r):
        determinant = wall[0] * wall[2] - wall[1] ** 2
        p = (wall_r * wall[1] - wall_z * wall[2]) / determinant
        b = (wall_z * wall[1] - wall_r * wall[0]) / determinant
        back_z = ((p * inner[0] + b * rho[:, None] * inner[1]) * cos).sum(1)
        back_r = ((p * inner[1] + b * rho[:, None] * inner[2]) * sin).sum(1)
        columns.append(np.concatenate((free_z + back_z, free_r + back_r)))

    for n in range(0, 16, 2):
        g = [(-1) ** j * math.factorial(j) * eval_legendre(j, z / ratio) / ratio ** (j + 1) for j in range(n, n + 3)]
        scale = (-1) ** (n // 2) * k**n * 2 / math.pi
        add(
            2 * g[0] - z * g[1] - (n + 1) * g[0],
            -rho * g[1],
            scale * (2 * kv(0, k) - k * kv(1, k)),
            scale * k * kv(0, k),
        )
        source = (-(n + 2) * g[1] - z * g[2]) / rho
        add(g[2], source, -scale * k**2 * kv(0, k), scale * k**2 * kv(1, k))
    matrix = np.stack(columns, -1)
    size = np.linalg.norm(matrix, axis=0)
    still = np.concatenate((np.ones(30), np.zeros(30)))
    fitted = np.linalg.lstsq(matrix / size, still, rcond=1e-13)[0]
    assert np.abs(matrix / size @ fitted - still).max() < 1e-6
    return 0.75 * ratio / (fitted[0] / size[0])


@pytest.mark.parametrize(("ratio", "relative"), [(0.05, 1e-6), (0.2, 1e-4), (0.4, 1e-3), (0.5, 5e-3), (0.6, 5e-3)])
def test_on_the_axis_of_a_tube(ratio, relative):
    exact = on_the_axis(ratio)
    assert tube_axis_mobility(ratio) == near(exact, rel=relative)
    if ratio == 0.05:  # how far the plane wall is off there
        assert (round(exact, 3), round(parallel_mobility(0.95, 0.05), 3)) == (0.895, 0.972)


def test_the_drift_is_the_divergence_of_the_tensor():
    """d/dx_j of D_ij = D_t delta_ij + (D_n - D_t) x_i x_j / r^2, in Cartesian coordinates and by autograd."""
    a, radius = 0.5, 5.0

    def tensor(x):
        r = torch.linalg.vector_norm(x)
        gap = radius - r - a
        normal, parallel = normal_mobility(gap, a), parallel_mobility(gap, a)
        return parallel * torch.eye(2, dtype=torch.float64) + (normal - parallel) * torch.outer(x, x) / r**2

    for x in ([1.0, 2.0], [-4.0, 0.3], [0.1, 0.05]):
        x = torch.tensor(x, dtype=torch.float64)
        divergence = torch.einsum("ijj->i", torch.autograd.functional.jacobian(tensor, x))
        r = torch.linalg.vector_norm(x)
        gap = radius - r - a
        normal, parallel, slope = normal_mobility(gap, a), parallel_mobility(gap, a), -normal_slope(gap, a)
        torch.testing.assert_close(divergence, radial_drift(normal, slope, parallel, r) * x / r)


def test_a_uniform_law_stays_uniform_between_walls():
    """20,000 points in a slit for its time of relaxation: 20 equal bins, chi-square with a false alarm of 1e-6.

    Without the drift they gather where they move least.
    """
    width, d, dt, steps, count = 4.0, 1.0, 0.01, 500, 20_000

    def spread(x, drifting):
        generator = torch.Generator().manual_seed(8)
        for _ in range(steps):
            below, above = normal_mobility(x, 1.0), normal_mobility(width - x, 1.0)
            slope = normal_slope(x, 1.0) * above - below * normal_slope(width - x, 1.0)
            z = torch.randn(count, dtype=torch.float64, generator=generator)
            x = x + drifting * d * slope * dt + torch.sqrt(2 * d * below * above * dt) * z
            x = width - (width - x.abs()).abs()
        seen = torch.histc(x, 20, 0.0, width)
        return float(((seen - count / 20) ** 2 / (count / 20)).sum())

    start = (torch.arange(count, dtype=torch.float64) + 0.5) * width / count
    assert spread(start, 1.0) < chi2.isf(1e-6, 19)
    assert spread(start, 0.0) > 100 * chi2.isf(1e-6, 19)


def test_bad_input():
    with pytest.raises(
        InputError, match=r"gap=-1e-07 is below zero; the sphere is inside the wall: keep its centre a radius"
    ):
        parallel_mobility(torch.tensor([1e-6, -1e-7]), 1e-6)
    with pytest.raises(InputError, match=r"radius='0 um' is not above zero"):
        normal_mobility("1 um", "0 um")
    with pytest.raises(
        InputError, match=r"ratio=0\.7 is outside \[0, 0\.6\]; the series holds for spheres up to 0\.6 of the tube"
    ):
        tube_axis_mobility(0.7)
    with pytest.raises(InputError, match=r"r=0 is not above zero"):
        radial_drift(1e-12, 0.0, 1e-12, 0)
