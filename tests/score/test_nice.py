"""NICE: its density is one, its inverse an inverse, and its score is matched like any other."""

import pytest
import torch

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.score import NICE, DensityScore, objectives


def made(dimension=4, **options):
    torch.manual_seed(0)
    flow = NICE(dimension, hidden=16, **options).double()
    with torch.no_grad():
        flow.log_scale.copy_(0.3 * torch.randn(dimension))
    return flow


def test_decoding_undoes_coding_and_the_density_is_that_of_the_change_of_variables():
    flow = made(couplings=3)
    x = torch.randn(5, 4, dtype=torch.float64)
    assert torch.allclose(flow.decode(flow.code(x)), x, atol=1e-12)
    for k in range(5):
        jacobian = torch.autograd.functional.jacobian(lambda y: flow.code(y[None])[0], x[k])
        normal = torch.distributions.Normal(0.0, 1.0).log_prob(flow.code(x[k : k + 1])).sum()
        assert torch.allclose(flow(x[k : k + 1])[0], normal + torch.linalg.slogdet(jacobian)[1])


def test_the_density_integrates_to_one():
    flow = made(2)
    grid = torch.linspace(-9, 9, 601, dtype=torch.float64)
    points = torch.cartesian_prod(grid, grid)
    with torch.no_grad():
        total = flow(points).exp().sum() * (grid[1] - grid[0]) ** 2
    assert total == pytest.approx(1, abs=1e-6)


def test_every_objective_takes_it():
    flow = made(depth=3)
    score, x = DensityScore(flow), torch.randn(6, 4, dtype=torch.float64)
    exact = objectives.exact(score, x)
    for terms in (
        objectives.sliced(score, x, projections=4000, noise=Noise(0), reduction="none"),
        objectives.curvature_propagation(score, x.repeat(4000, 1), noise=Noise(1), reduction="none").view(4000, 6),
    ):
        means = terms.detach().mean(1)
        assert abs(means.mean() - exact) < 6 * means.std() / len(means) ** 0.5  # false alarms: 2e-9


def test_a_standardised_flow_has_codes_of_mean_0_and_variance_1():
    flow, x = made(couplings=3), 3 + torch.randn(50, 4, dtype=torch.float64).exp()
    flow.standardise(x)
    z = flow.code(x).detach()
    assert torch.allclose(z.mean(0), torch.zeros(4).double(), atol=1e-12)
    assert torch.allclose(z.std(0), torch.ones(4).double(), atol=1e-12)
    with pytest.raises(InputError, match="a coordinate of the data does not vary"):
        flow.standardise(torch.ones(5, 4).double())
    with pytest.raises(InputError, match="the data hold NaN or infinity"):
        flow.standardise(x / 0)
    with pytest.raises(InputError, match="one coupling shifts half of the coordinates"):
        made(couplings=1).standardise(x)


def test_bad_flows_are_refused():
    with pytest.raises(InputError, match="dimension=3 is not even"):
        NICE(3)
    with pytest.raises(InputError, match="depth=1"):
        NICE(4, depth=1)
    with pytest.raises(InputError, match=r"x has shape \(2, 6\); this flow takes \(n, 4\)"):
        made()(torch.zeros(2, 6))
