"""An energy network learns a mixture by sliced score matching; quadrature normalises it."""

import math

import pytest
import torch

from sojourn.data import batch_indices
from sojourn.diffusion import GaussianMixture
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.score import DensityScore, objectives
from sojourn.score.energy import EnergyNetwork
from sojourn.training import Training, train

LAW = GaussianMixture(
    torch.tensor([0.4, 0.6]),
    torch.tensor([[-0.9, 0.4], [0.8, -0.5]]),
    torch.tensor([[[0.20, 0.05], [0.05, 0.15]], [[0.15, -0.03], [-0.03, 0.25]]]),
)


def grid(half_width, n):
    """Points of the plane, and the area of each."""
    g = torch.linspace(-half_width, half_width, n)
    return torch.cartesian_prod(g, g), (2 * half_width / (n - 1)) ** 2


def test_sliced_score_matching_learns_a_mixture():
    x, noise = LAW.sample(20_000, Noise(0)).float(), Noise(1)
    torch.manual_seed(0)
    network = EnergyNetwork(2, 32, 2)

    def loss(model, step):
        rows = batch_indices(len(x), 256, step=step, seed=0)
        return objectives.sliced(DensityScore(model), x[rows], noise=noise, step=step)

    train(network, loss, Training(200, 2e-2, clip=10.0), progress=False)
    network.requires_grad_(False)
    points, area = grid(10.0, 401)
    logs = network(points).double()
    log_z = torch.logsumexp(logs, 0) + math.log(area)
    distance = (torch.exp(logs - log_z) - torch.exp(LAW.log_density(points.double()))).abs().sum() * area / 2
    assert distance < 0.05  # total variation
    held = LAW.sample(20_000, Noise(2))
    gaps = LAW.log_density(held) - (network(held.float()).double() - log_z)  # in mean the divergence from the truth
    assert -0.005 < gaps.mean() < 0.015  # nats; the standard error is 0.0006


def test_the_correction_is_bounded_and_the_base_is_normal():
    torch.manual_seed(0)
    network = EnergyNetwork(3, 8, base=1.5).double().requires_grad_(False)
    network.alpha.normal_(0, 2)
    x = 100 * torch.randn(1000, 3, dtype=torch.float64)
    assert network.correction(x).abs().max() <= network.alpha.abs().sum()
    assert torch.allclose(network.log_base(x), torch.distributions.Normal(0.0, 1.5).log_prob(x).sum(1))
    assert torch.allclose(network(x), network.correction(x) + network.log_base(x))


def test_curvature_can_be_propagated_through_it():
    """In mean it is the exact objective; Student with 49 degrees, false alarm 2e-7 two-sided at 6 deviations."""
    torch.manual_seed(0)
    network = EnergyNetwork(2, 6, 2).double().requires_grad_(False)
    network.alpha.normal_()
    x, score = torch.randn(200, 2, dtype=torch.float64), DensityScore(network)
    found = torch.stack([objectives.curvature_propagation(score, x, noise=Noise(0), step=k) for k in range(50)])
    gap = found.mean() - objectives.exact(score, x)
    assert gap.abs() < 6 * found.std() / math.sqrt(50)


def test_bad_networks_are_refused():
    with pytest.raises(InputError, match="hidden=0 is below 1"):
        EnergyNetwork(2, 0)
    with pytest.raises(InputError, match=r"base=-1\.0 is not a finite number above zero"):
        EnergyNetwork(2, base=-1.0)
    with pytest.raises(InputError, match=r"x has shape \(5, 3\); this network takes \(n, 2\)"):
        EnergyNetwork(2)(torch.zeros(5, 3))
