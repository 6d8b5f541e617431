"""Points in the plane: densities integrate to one, and points follow them. False alarms: below 1e-6 a test."""

import math

import pytest
import torch
from scipy import stats

from sojourn import InputError
from sojourn.data import shapes

WITH_DENSITY = [name for name, shape in shapes.SHAPES.items() if shape.log_density]
SIDE, REACH, BINS = 960, 1.5, 12


@pytest.mark.parametrize("name", WITH_DENSITY)
def test_density_integrates_to_one_and_points_follow_it(name):
    # midpoints of SIDE x SIDE cells over [-REACH, REACH]^2; the lines at -1, -1/2, ... are edges of cells
    line = ((torch.arange(SIDE, dtype=torch.float64) + 0.5) / SIDE * 2 - 1) * REACH
    log_p = shapes.log_density(name, torch.cartesian_prod(line, line))
    p = log_p.exp() * (2 * REACH / SIDE) ** 2
    assert float(p.sum()) == pytest.approx(1, abs=1e-6)

    points = shapes.sample(name, 50_000, seed=5)
    place = ((points / REACH + 1) / 2 * BINS).floor().long()
    assert int(place.min()) >= 0
    assert int(place.max()) < BINS
    block = SIDE // BINS
    means = p.reshape(BINS, block, BINS, block).sum(dim=(1, 3)).flatten() * len(points)
    counts = torch.bincount(place[:, 0] * BINS + place[:, 1], minlength=BINS**2).double()
    often = means > 10
    seldom = float(means[~often].sum())
    squared = float(((counts - means)[often] ** 2 / means[often]).sum())
    assert stats.chi2.sf(squared, int(often.sum())) > 1e-7
    assert abs(float(counts[~often].sum()) - seldom) <= 5.5 * math.sqrt(seldom) + 10

    entropy = -float(torch.where(log_p > -700, log_p * p, 0.0).sum())
    found = shapes.log_density(name, points)
    assert abs(float(found.mean()) + entropy) <= 5.3 * float(found.std()) / math.sqrt(len(found)) + 1e-6


def test_moons_lie_on_two_half_circles():
    x = shapes.sample("moons", 20_000, seed=1).double() + torch.tensor([0.25, 0.125])
    upper, lower = x.norm(dim=1), (torch.tensor([0.5, 0.25]) - x).norm(dim=1)
    # within six blurs of one of the circles: of a blur's two coordinates one exceeds 5.9 with probability 4e-9
    assert float(torch.minimum((upper - 0.5).abs(), (lower - 0.5).abs()).max()) < 0.32
    assert float(x.abs().max()) < 1.4


def test_the_swiss_roll_is_a_spiral():
    x = shapes.sample("swiss_roll", 20_000, seed=1).double()
    radius, angle = x.norm(dim=1) * 4.5 * math.pi, torch.atan2(x[:, 1], x[:, 0])
    turn = torch.round((radius - angle) / (2 * math.pi)) * 2 * math.pi + angle  # t, up to blur
    assert float(((radius - turn).abs() / (4.5 * math.pi)).max()) < 0.15
    # t is uniform on [3/2 pi, 9/2 pi], blurred by 1% of its range: Kolmogorov's distance below 1.95/sqrt(n) + blur
    u = ((turn / math.pi - 1.5) / 3).sort().values
    assert float((u - torch.linspace(0, 1, len(u), dtype=torch.float64)).abs().max()) < 2.7 / math.sqrt(len(u)) + 0.01


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_a_point_depends_on_the_seed_and_its_place_alone(name):
    few, many = shapes.sample(name, 7, seed=3), shapes.sample(name, 20, seed=3)
    assert torch.equal(few, many[:7])
    assert not torch.equal(few, shapes.sample(name, 7, seed=4))
    assert float(many.abs().max()) < 1.4


def test_bad_input():
    with pytest.raises(InputError, match="no shape is called 'moon'; there are: moons, swiss_roll"):
        shapes.sample("moon", 3)
    with pytest.raises(InputError, match="n=0 is below 1"):
        shapes.sample("moons", 0)
    with pytest.raises(InputError, match="the density of 'moons' has no closed form; those that have one: checkerb"):
        shapes.log_density("moons", torch.zeros(1, 2))
