"""Currents of diffusions whose stationary law is known, and a score learned from paths."""

import math

import pytest
import torch

from sojourn.driver import simulate
from sojourn.errors import InputError
from sojourn.score import Langevin, current_velocity, entropy_production, stationary_score
from sojourn.training import Training

TURN = 1.5
A = torch.tensor([[1.0, TURN], [-TURN, 1.0]], dtype=torch.float64)  # dX = -A X dt + sqrt(2) dW: N(0, 1), and it turns


def drift(x):
    return -x @ A.T.to(x.dtype)


def diffusion(x):
    return math.sqrt(2) * torch.ones_like(x)


def paths(members, frames, seed):
    """States every half time unit, begun in the stationary law of the steps: bias dt / 2 = 1% of the variance."""
    process = Langevin(lambda x: -x @ A.T.to(x.dtype), (2,), dt=0.005)
    return simulate(process, steps=100 * frames, save_every=100, ensemble=members, seed=seed, progress=False)


def test_of_a_turning_normal_law_the_current_is_the_turning_part():
    x = torch.randn(50, 2, dtype=torch.float64)
    v = current_velocity(drift, diffusion, lambda y: -y, x)
    assert torch.allclose(v, -x @ (A - torch.eye(2)).T.to(x.dtype), atol=1e-12)


def test_with_noise_that_depends_on_the_state_a_reversible_process_has_no_current():
    """dX = a dt + b dW with p a normal law and a = (b^2 p)' / 2p: detailed balance, in two coordinates at once."""
    x = torch.randn(40, 2, dtype=torch.float64)

    def B(y):
        b = 1 + 0.3 * torch.sin(y)
        return torch.stack((torch.stack((b[:, 0], 0.2 * y[:, 1]), 1), torch.stack((0.1 * y[:, 0], b[:, 1]), 1)), 1)

    def S(y):
        return B(y) @ B(y).mT

    jacobian = torch.stack([torch.autograd.functional.jacobian(lambda y: S(y[None])[0], row) for row in x])  # i k j
    divergence = jacobian.diagonal(dim1=2, dim2=3).sum(2)
    a = (divergence - (S(x) @ x.unsqueeze(2)).squeeze(2)) / 2
    assert current_velocity(lambda y: a, B, lambda y: -y, x).abs().max() < 1e-12


def test_entropy_production_of_the_turning_law_is_covered():
    """2 turn^2, with the exact score; the steps' bias of 1% is within the interval's width."""
    found = entropy_production(drift, diffusion, lambda y: -y, paths(200, 10, seed=1))
    assert found.low - 0.02 * 2 * TURN**2 < 2 * TURN**2 < found.high + 0.02 * 2 * TURN**2


def test_a_score_learned_from_paths_gives_the_current():
    score = stationary_score(
        paths(400, 10, seed=2),
        inducing=30,
        kernels=1,
        width=10,
        settings=Training(120, 0.01, schedule="constant", clip=100.0),
        seed=0,
        progress=False,
    )
    x = torch.randn(2000, 2, dtype=torch.float64)
    assert (score(x) + x).square().sum(1).mean() < 0.05 * 2  # of E |s|^2 = 2
    v, exact = (current_velocity(drift, diffusion, s, x) for s in (score, lambda y: -y))
    assert (v - exact).square().mean() < 0.05 * exact.square().mean()


def test_bad_trajectories_are_refused():
    few = paths(4, 2, seed=0)
    with pytest.raises(InputError, match="4 members are too few"):
        stationary_score(few)
    with pytest.raises(InputError, match="skip=9 leaves none of 3 frames"):
        stationary_score(few, skip=9)
    with pytest.raises(InputError, match="no field 'y'; it has x"):
        stationary_score(few, ["y"])
    twin = paths(20, 12, seed=0).dataset
    with pytest.raises(InputError, match="the states lie in a plane"):
        stationary_score(twin.assign(y=twin["x"]))
    with pytest.raises(InputError, match=r"the score has shape \(3, 1\)"):
        current_velocity(drift, diffusion, lambda y: y[:, :1], torch.zeros(3, 2))
