"""Normalising constants against quadrature: coverage of their intervals, guaranteed and asymptotic."""

import math

import pytest
import torch
from scipy import stats

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.score import NICE, DeepKernelExponentialFamily
from sojourn.score.energy import EnergyNetwork
from sojourn.score.partition import log_likelihood, log_partition


def most_misses(runs, error):
    """Of intervals that each miss with probability `error`, more than this many do with 1e-6 at most."""
    return stats.binom.isf(1e-6, runs, error)


def quadrature(log_density, dimension):
    """log Z by a sum over a grid within eight deviations of the base."""
    n = 4001 if dimension == 1 else 401
    g = torch.linspace(-16, 16, n, dtype=torch.float64)
    with torch.no_grad():
        logs = log_density(torch.cartesian_prod(*[g] * dimension).view(-1, dimension))
    return float(torch.logsumexp(logs, 0)) + dimension * math.log(32 / (n - 1))


@pytest.fixture(scope="module")
def family():
    """Bounded by 1.1: so few nats that the bound gives an upper end."""
    torch.manual_seed(0)
    made = DeepKernelExponentialFamily(torch.randn(6, 1, dtype=torch.float64), kernels=2, hidden=5, outputs=4)
    made.alpha = torch.tensor([0.5, -1.0, 0.6, -0.4, -0.8, -0.3], dtype=torch.float64)
    return made, quadrature(made.log_density, 1)


@pytest.fixture(scope="module")
def network():
    """Bounded by 20 nats, of which no number of draws makes an upper end."""
    torch.manual_seed(0)
    made = EnergyNetwork(2, 16, 2).double().requires_grad_(False)
    made.alpha.normal_(0, 1.5)
    return made, quadrature(made, 2)


def test_intervals_of_the_family_are_guaranteed_and_hold(family):
    model, truth = family
    found = [log_partition(model, draws=500, noise=Noise(k), confidence=0.9) for k in range(100)]
    assert {f.log_z.guarantee for f in found} == {"at this n"}
    assert sum(truth not in f.log_z for f in found) <= most_misses(100, 0.1)
    assert all(f.log_z.half_width < 0.2 for f in found)
    assert all(300 < f.effective < 500 for f in found)


def test_where_few_draws_make_the_mean_there_is_no_upper_end(family, network):
    """Ten draws of the family, or 270 in effect of the network: the bound is useless, and Student would guess."""
    for (model, truth), draws in ((family, 10), (network, 8000)):
        found = log_partition(model, draws=draws, noise=Noise(0)).log_z
        assert found.guarantee == "at this n"
        assert found.low < min(found.value, truth)
        assert found.high == math.inf


def test_of_a_network_the_lower_end_holds_and_the_upper_nearly(network):
    """Each end has 0.05; with some 1000 draws in effect Student's failed in 0.062 of 500 runs, and 0.08 is allowed."""
    model, truth = network
    found = [log_partition(model, draws=32_000, noise=Noise(k), confidence=0.9).log_z for k in range(40)]
    assert {f.guarantee for f in found} == {"asymptotic"}
    assert sum(f.low > truth for f in found) <= most_misses(40, 0.05)
    assert sum(f.high < truth for f in found) <= most_misses(40, 0.08)


def test_a_path_of_temperatures_makes_weights_equal(network):
    model, truth = network
    plain = log_partition(model, draws=400, noise=Noise(0))
    annealed = log_partition(model, draws=1200, temperatures=40, noise=Noise(0), confidence=1 - 1e-6)
    assert annealed.log_z.observations == 1125  # a sixteenth scouts
    assert annealed.effective > 0.5 * 1125 > 9 * plain.effective
    assert truth in annealed.log_z  # Student's, which fails with 1e-6


def test_a_likelihood_is_a_mean_and_a_constant(network):
    """Of data from the base the mean of log p is E log q0 + E correction - log Z; both intervals enter."""
    model, truth = network
    x = model.base * torch.randn(4000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    log_z = log_partition(model, draws=40_000, noise=Noise(0), confidence=0.975).log_z
    found = log_likelihood(model, x, log_z)
    mean = float(model(x).mean())
    assert found.value == pytest.approx(mean - log_z.value)
    assert found.confidence == pytest.approx(0.95)
    assert found.high - found.low > log_z.high - log_z.low
    assert found.low < mean - truth < found.high
    assert found.unit == "nats"


def test_one_draw_is_refused(network):
    with pytest.raises(InputError, match="draws=1 are too few"):
        log_partition(network[0], draws=1, noise=Noise(0))


def test_what_cannot_be_normalised_is_refused(family):
    network, model = EnergyNetwork(2), family[0]
    with pytest.raises(InputError, match="NICE is neither a DeepKernelExponentialFamily nor an EnergyNetwork"):
        log_partition(NICE(2, 4), noise=Noise(0))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="draws=2 are too few; give 3 or more"):
        log_partition(network, noise=Noise(0), draws=2, temperatures=10)
    found = log_partition(network, noise=Noise(0), draws=10, confidence=0.4)
    with pytest.raises(InputError, match="log_z is a LogPartition; give an Estimate"):
        log_likelihood(network, torch.zeros(3, 2), found)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"x has shape \(3, 5\); this model takes \(n, 1\)"):
        log_likelihood(model, torch.zeros(3, 5, dtype=torch.float64), log_partition(model, noise=Noise(0)).log_z)
    with pytest.raises(InputError, match=r"log_z has confidence 0\.4"):
        log_likelihood(network, torch.zeros(3, 2), found.log_z)
