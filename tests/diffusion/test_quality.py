"""Measures between two sets: closed forms, brute force on tiny sets, and what their intervals promise.

False alarms of the counts of coverage: below 1e-6 each, with fixed seeds.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import linalg, optimize, stats

from sojourn import InputError
from sojourn.diffusion import quality
from sojourn.diffusion.quality import sliced
from sojourn.noise import Noise


def normals(name: str, n: int, d: int, seed: int = 0) -> torch.Tensor:
    return Noise(seed).split(name).normal(0, n, (d,), dtype=torch.float64)


def enough(covered: list[bool], promised: float) -> bool:
    """Whether the share that was covered agrees with a probability of `promised` or more, at false alarm 5e-7."""
    return sum(covered) >= stats.binom.ppf(5e-7, len(covered), promised)


# Fréchet


def test_frechet_of_known_gaussians():
    a, b = torch.tensor([4.0, 9.0, 0.0]), torch.tensor([1.0, 9.0, 2.25])
    shift = torch.tensor([1.0, 2.0, -2.0])
    turn = torch.from_numpy(stats.ortho_group.rvs(3, random_state=1)).float()
    exact = 9 + (2 - 1) ** 2 + 0 + 1.5**2  # commuting covariances: (sqrt a - sqrt b)^2 along each axis
    found = quality.gaussian_distance(torch.zeros(3), turn @ a.diag() @ turn.T, turn @ shift, turn @ b.diag() @ turn.T)
    assert found == pytest.approx(exact, rel=1e-5)
    point = quality.gaussian_distance(torch.zeros(3), torch.zeros(3, 3), shift, b.diag())
    assert point == pytest.approx(9 + 12.25)


def test_frechet_equals_the_definition_with_a_general_square_root():
    x, y = normals("x", 60, 5) @ normals("mix", 5, 5), 0.5 + normals("y", 80, 5)
    first, second = (np.cov(z.numpy().T) for z in (x, y))
    shift = (x.mean(0) - y.mean(0)).square().sum()
    expected = float(shift) + np.trace(first + second - 2 * linalg.sqrtm(first @ second).real)
    assert quality.fitted_distance(x, y) == pytest.approx(expected, rel=1e-9)
    assert quality.fitted_distance(x, x.flip(0)) == pytest.approx(0, abs=1e-10)
    assert f"biased upwards, is {expected:.6g}" in quality.frechet_distance(x, y).limits[0]


def test_the_jackknife_removes_the_bias_of_the_frechet_distance():
    plain, mended = [], []
    for seed in range(60):
        x, y = normals("x", 200, 10, seed), normals("y", 200, 10, seed)
        plain.append(quality.fitted_distance(x, y))
        mended.append(quality.frechet_distance(x, y).value)
    # to order 1/n: 2 d/n from the means, and E |S_1 - S_2|^2 / 4 = 2 d (d + 1)/4n from the covariances
    assert np.mean(plain) == pytest.approx(2 * 10 / 200 + 2 * 110 / (4 * 200), rel=0.05)
    assert abs(np.mean(mended)) < 0.1 * np.mean(plain)


def test_frechet_interval_covers_where_laws_differ():
    scale = torch.tensor([0.5, 1.0, 1.5, 2.0])
    exact, covered = 1 + float((scale - 1).square().sum()), []
    for seed in range(200):
        x, y = normals("x", 300, 4, seed), 0.5 + scale * normals("y", 400, 4, seed)
        covered.append(exact in quality.frechet_distance(x, y))
    assert enough(covered, 0.92)


# Sliced Wasserstein


@pytest.mark.parametrize(("n", "m"), [(1, 4), (3, 5), (4, 4), (6, 4)])
def test_wasserstein_on_the_line_is_the_optimal_transport(n, m):
    x, y = normals("x", 2, n), normals("y", 2, m)
    for p, row in itertools.product((1, 2), range(2)):
        cost = (x[row][:, None] - y[row]).abs().pow(p).numpy()
        sums = [np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))]
        masses = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
        best = optimize.linprog(cost.ravel(), A_eq=np.concatenate(sums), b_eq=masses).fun
        assert float(sliced.wasserstein(x, y, p=p)[row]) == pytest.approx(best, rel=1e-8)


@pytest.mark.parametrize("p", [1, 2])
def test_sliced_distance_of_a_shifted_set(p):
    x, shift = normals("x", 30, 6), torch.tensor([1.0, -2.0, 0, 0, 2.0, 0])
    mean = 1 / 6 if p == 2 else math.gamma(3) / (math.sqrt(math.pi) * math.gamma(3.5))  # E |theta_1|^p in 6 dimensions
    found = quality.sliced_wasserstein(x, x + shift, p=p, confidence=1 - 1e-7)
    assert 3 * mean ** (1 / p) in found
    assert found.half_width < 0.25
    same = quality.sliced_wasserstein(x, x.flip(0), p=p)
    assert same.high < 1e-9


def test_sliced_distance_of_laws_covers():
    shift, covered = torch.tensor([1.0, 0.5, 0.0]), []
    theta = sliced.directions(10, 3, 0)
    exact = math.sqrt(float((theta @ shift.double()).square().mean()) + 0.25)  # W_2^2 = (theta.a)^2 + (1 - 1.5)^2
    for seed in range(100):
        x, y = normals("x", 300, 3, seed), shift + 1.5 * normals("y", 200, 3, seed)
        covered.append(exact in quality.sliced_wasserstein_of_laws(x, y, projections=10))
    assert enough(covered, 0.9)


# MMD


def closed_form(shift: torch.Tensor, bandwidth: float) -> float:
    """MMD^2 of N(0, I) and N(shift, I): a difference D has variance 2, and E exp(-|D|^2 / 2 b^2) is known."""
    inside = (bandwidth**2 / (bandwidth**2 + 2)) ** (len(shift) / 2)
    return 2 * inside * (1 - math.exp(-float(shift.square().sum()) / (2 * (bandwidth**2 + 2))))


def by_hand(x, y, kernel) -> float:
    def mean(a, b, pairs):
        return np.mean([float(kernel(a[i : i + 1], b[j : j + 1])[0, 0]) for i, j in pairs])

    n, m = range(len(x)), range(len(y))
    inside = mean(x, x, itertools.permutations(n, 2)) + mean(y, y, itertools.permutations(m, 2))
    return inside - 2 * mean(x, y, itertools.product(n, m))


@pytest.mark.parametrize("kernel", [quality.Gaussian(1.3), quality.Polynomial()])
def test_mmd_and_its_jackknife_by_brute_force(kernel):
    x, y = normals("x", 6, 2), 0.3 + normals("y", 5, 2)
    found = quality.mmd_squared(x, y, kernel=kernel)
    assert found.value == pytest.approx(by_hand(x, y, kernel), rel=1e-9)
    without_x = [by_hand(torch.cat([x[:i], x[i + 1 :]]), y, kernel) for i in range(6)]
    without_y = [by_hand(x, torch.cat([y[:i], y[i + 1 :]]), kernel) for i in range(5)]
    variance = np.var(without_x) * 5 + np.var(without_y) * 4
    assert found.half_width == pytest.approx(stats.norm.ppf(0.975) * math.sqrt(variance), rel=1e-6)


def test_kernels_are_what_they_say():
    x, y = normals("x", 3, 4), normals("y", 2, 4)
    expected = [[math.exp(-float((a - b).square().sum()) / (2 * 0.7**2)) for b in y] for a in x]
    assert quality.Gaussian(0.7)(x, y).tolist() == [pytest.approx(row) for row in expected]
    expected = [[(float(a @ b) / 4 + 1) ** 3 for b in y] for a in x]
    assert quality.Polynomial()(x, y).tolist() == [pytest.approx(row) for row in expected]
    assert quality.median_bandwidth(torch.tensor([[0.0], [1.0], [3.0]])) == 2


def test_mmd_covers_its_closed_form():
    shift, wide, exact = torch.tensor([0.8, -0.4]), [], []
    kernel = quality.Gaussian(1.0)
    truth = closed_form(shift, 1.0)
    for seed in range(200):
        x, y = normals("x", 120, 2, seed), shift + normals("y", 150, 2, seed)
        exact.append(truth in quality.mmd_squared(x, y, kernel=kernel))
        wide.append(truth in quality.mmd_linear(x, y, kernel=kernel))
    assert enough(exact, 0.93)
    assert enough(wide, 0.95)


def test_equal_laws():
    kernel, values, covered = quality.Gaussian(1.0), [], []
    for seed in range(200):
        x, y = normals("x", 60, 2, seed), normals("y", 60, 2, seed)
        values.append(quality.mmd_squared(x, y, kernel=kernel).value)
        covered.append(0 in quality.mmd_linear(x, y, kernel=kernel))
    assert enough(covered, 0.95)
    assert min(values) < 0
    assert abs(np.mean(values)) < 5.3 * np.std(values) / math.sqrt(len(values))  # unbiased


# Nearest neighbours


def test_nearest_by_brute_force():
    x, among = normals("x", 20, 3), normals("y", 50, 3)
    distances, indices = quality.nearest_neighbours(x, among)
    table = (x[:, None] - among).norm(dim=2)
    assert torch.equal(indices, table.argmin(dim=1))
    torch.testing.assert_close(distances, table.amin(dim=1), atol=0, rtol=1e-12)
    copies, which = quality.nearest_neighbours(1e6 + among[7:9], 1e6 + among)
    assert copies.tolist() == [0, 0]  # to the bit, which a difference of squares would not give
    assert which.tolist() == [7, 8]


def test_copies_are_found_and_fresh_data_are_not():
    train, held_out, fresh = (normals(name, n, 4) for name, n in (("train", 500), ("held", 200), ("fresh", 300)))
    assert not quality.memorisation(train, held_out, fresh, confidence=1 - 1e-7).found
    some = torch.cat([fresh[:150], train[100:250] + 1e-3])
    result = quality.memorisation(train, held_out, some, confidence=1 - 1e-7)
    assert result.found
    assert result.indices[150:].tolist() == list(range(100, 250))
    assert result.share.value == pytest.approx(0.5 + float((result.distances[:150] < result.threshold).sum()) / 300)


def test_the_expected_share_covers_and_equal_laws_are_seldom_called_copies():
    covered, alarms = [], []
    train = torch.zeros(1, 1)  # the distance of x is |x|, and P(|x| < r) = erf(r / sqrt 2)
    for seed in range(300):
        held_out, generated = normals("held", 60, 1, seed), normals("made", 80, 1, seed)
        result = quality.memorisation(train, held_out, generated, quantile=0.1, confidence=0.8)
        covered.append(math.erf(result.threshold / math.sqrt(2)) in result.expected)
        alarms.append(result.found)
    assert enough(covered, 0.8)
    assert enough([not alarm for alarm in alarms], 0.8)


def test_bad_input():
    x = torch.zeros(50, 3)
    with pytest.raises(
        InputError, match=r"real has shape \(50, 3\) and generated \(50, 2\); they differ beyond axis 0"
    ):
        quality.frechet_distance(x, torch.zeros(50, 2))
    with pytest.raises(InputError, match="among has 0 members; this measure needs 1 or more"):
        quality.nearest_neighbours(torch.zeros(5, 3), torch.zeros(0, 3))
    with pytest.raises(InputError, match="generated has 39 members; this measure needs 40 or more"):
        quality.frechet_distance(x, x[:39])
    with pytest.raises(InputError, match="real holds values that are not finite"):
        quality.mmd_squared(x / 0, x, kernel=quality.Polynomial())
    with pytest.raises(InputError, match=r"generated is \(50,\); give a tensor \(n, ...\)"):
        quality.sliced_wasserstein(x, x[:, 0])
    with pytest.raises(InputError, match="p=3 is not 1 or 2"):
        quality.sliced_wasserstein(x, x, p=3)
    with pytest.raises(InputError, match="projections=1 is below 2"):
        quality.sliced_wasserstein(x, x, projections=1)
    with pytest.raises(InputError, match="a covariance has the eigenvalue -1; give a positive semidefinite"):
        quality.gaussian_distance(x[0], torch.eye(3), x[0], -torch.eye(3))
    with pytest.raises(InputError, match="bandwidth=0 is not a length above zero"):
        quality.Gaussian(0)
    with pytest.raises(InputError, match="more than half of the distances are zero"):
        quality.median_bandwidth(x)
    with pytest.raises(InputError, match=r"kernel=Polynomial\(degree=3\) may exceed 1"):
        quality.mmd_linear(x, x, kernel=quality.Polynomial())
    with pytest.raises(InputError, match=r"quantile=1.5 is not in \(0, 1\)"):
        quality.memorisation(x, x, x, quantile=1.5)
