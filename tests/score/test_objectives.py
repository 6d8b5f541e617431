"""The objectives against closed forms, against each other in mean, and their variances against theory."""

import math

import pytest
import torch
from torch import nn

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.score import DensityScore, objectives

SIGMAS = 6  # a normal number is further from its mean with probability 2e-9


def symmetric(d, seed=0):
    a = torch.randn(d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (a + a.T) / 2


def data(n, *shape, seed=1):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(d=3, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(d, 8), nn.Tanh(), nn.Linear(8, 8), nn.Softplus(), nn.Linear(8, d)).double()


class Density(nn.Module):
    def __init__(self, d=3, seed=0, activation=nn.Softplus):
        super().__init__()
        torch.manual_seed(seed)
        self.layers = nn.Sequential(nn.Linear(d, 8), activation(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)).double()
        if activation is nn.ReLU:
            self.layers[3] = nn.ReLU()

    def forward(self, x, condition=None):
        return self.layers(x)[:, 0] * (1 if condition is None else condition)


def by_hand(score, x):
    """tr grad s + |s|^2 / 2, a datum at a time with the whole Jacobian."""
    jacobians = torch.stack([torch.autograd.functional.jacobian(lambda z: score(z[None])[0], row) for row in x])
    return jacobians.diagonal(dim1=1, dim2=2).sum(1) + score(x).square().sum(1) / 2


# --------------------------------------------------------------------------------------------------------- the exact


def test_exact_is_its_definition_for_scores_and_for_densities():
    for score in (network(), DensityScore(Density())):
        x = data(5, 3)
        found = objectives.exact(score, x, reduction="none")
        assert found.shape == (1, 5)
        assert torch.allclose(found[0], by_hand(score, x), atol=1e-12)
        assert torch.allclose(objectives.exact(score, x), found.mean())


def test_exact_of_a_linear_score_and_of_images():
    a = symmetric(12)
    x = data(7, 3, 2, 2)

    def score(z):
        return -(z.flatten(1) @ a).view_as(z)

    expected = -a.trace() + (x.flatten(1) @ a).square().sum(1).mean() / 2
    assert torch.allclose(objectives.exact(score, x), expected, atol=1e-12)


def test_chunks_change_neither_values_nor_gradients(monkeypatch):
    score, x = network(), data(6, 3)
    whole = objectives.exact(score, x)
    gradients = torch.autograd.grad(whole, score.parameters(), allow_unused=True)
    monkeypatch.setattr(objectives, "_CHUNK", 2 * x.numel())
    again = objectives.exact(score, x)
    assert torch.allclose(again, whole, atol=1e-12)
    for a, b in zip(torch.autograd.grad(again, score.parameters(), allow_unused=True), gradients, strict=True):
        assert (a is None and b is None) or torch.allclose(a, b, atol=1e-12)


def test_the_least_value_is_that_of_the_true_score():
    """For p = N(0, C) the true score has J = -tr C^-1 / 2 on average, and any other has more."""
    a = symmetric(3) + 4 * torch.eye(3, dtype=torch.float64)  # C^-1
    x = data(20_000, 3) @ torch.linalg.cholesky(torch.linalg.inv(a)).T
    terms = objectives.exact(lambda z: -z @ a, x, reduction="none")
    assert abs(terms.mean() + a.trace() / 2) < SIGMAS * terms.std() / math.sqrt(x.shape[0])
    excess = objectives.exact(lambda z: -1.2 * z @ a, x, reduction="none") - terms
    assert excess.mean() > SIGMAS * excess.std() / math.sqrt(x.shape[0])


# ------------------------------------------------------------------------------------------------------ in the mean


@pytest.mark.parametrize("directions", ["rademacher", "gaussian", "sphere"])
@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize("score", [network(), DensityScore(Density())], ids=["score", "density"])
def test_slices_are_the_exact_objective_in_mean(score, reduced, directions):
    x = data(4, 3)
    terms = objectives.sliced(
        score,
        x,
        projections=20_000,
        reduced_variance=reduced,
        directions=directions,
        noise=Noise(3),
        reduction="none",
    ).detach()
    expected = by_hand(score, x).detach()
    error = terms.mean(0) - expected
    # a Rademacher direction may leave nothing to vary; rounding then
    assert (error.abs() <= SIGMAS * terms.std(0) / math.sqrt(len(terms)) + 1e-12).all()


@pytest.mark.parametrize("score", [network(), DensityScore(Density())], ids=["score", "density"])
def test_gradients_are_those_of_the_exact_objective_in_mean(score):
    x, weights = data(4, 3), list(score.parameters())[:3]
    expected = torch.autograd.grad(objectives.exact(score, x), weights)
    for reduced in (False, True):
        samples = [
            torch.autograd.grad(
                objectives.sliced(score, x, projections=8, reduced_variance=reduced, noise=Noise(0), step=k), weights
            )
            for k in range(400)
        ]
        for k, exact in enumerate(expected):
            drawn = torch.stack([sample[k] for sample in samples])
            error = (drawn.mean(0) - exact).abs()
            assert (error <= SIGMAS * drawn.std(0) / math.sqrt(len(drawn)) + 1e-12).all()


def test_every_direction_has_covariance_one():
    x = data(2000, 5)
    for directions in ("rademacher", "gaussian", "sphere"):
        v = objectives.draw(directions, x, 4, Noise(1), 0).flatten(0, 1)
        error = (v.T @ v / len(v) - torch.eye(5)).abs().max()
        assert error < SIGMAS * math.sqrt(2 / len(v))
        if directions == "sphere":
            assert torch.allclose(v.square().sum(1), torch.tensor(5.0, dtype=torch.float64))


class Coupled(nn.Module):
    """Two additive couplings, a normal law at their end, and every elementwise function with a rule."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.shift = nn.Sequential(nn.Linear(2, 6), nn.Softplus(), nn.Linear(6, 6), nn.SiLU(), nn.Linear(6, 2)).double()
        self.back = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 6), nn.Sigmoid(), nn.Linear(6, 2)).double()

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        b = b + self.shift(a)
        a = a - 0.5 * self.back(b)
        z = torch.cat((a, b), 1)
        return -(z[:, :2] ** 2).T.sum(0) / 2 + nn.functional.logsigmoid(z[:, 2:]).sum(1) - (0.1 * z).exp().sum(1)


@pytest.mark.parametrize("density", [Density(4), Coupled()], ids=["layers", "couplings"])
def test_propagated_curvature_is_the_exact_objective_in_mean(density):
    score, x = DensityScore(density), data(4, 4)
    weights = [p for p in score.parameters() if p.ndim == 2][:2]
    repeated = x.repeat(20_000, 1)
    terms = objectives.curvature_propagation(score, repeated, noise=Noise(1), reduction="none").detach().view(-1, 4)
    error = (terms.mean(0) - by_hand(score, x).detach()).abs()
    assert (error <= SIGMAS * terms.std(0) / math.sqrt(len(terms)) + 1e-12).all()
    expected = torch.autograd.grad(objectives.exact(score, x), weights)
    samples = []
    for k in range(300):
        loss = objectives.curvature_propagation(score, x.repeat(20, 1), noise=Noise(2), step=k)
        samples.append(torch.autograd.grad(loss, weights))
    for k, exact in enumerate(expected):
        drawn = torch.stack([sample[k] for sample in samples])
        assert ((drawn.mean(0) - exact).abs() <= SIGMAS * drawn.std(0) / math.sqrt(len(drawn)) + 1e-12).all()


def test_curvature_propagation_refuses_what_it_has_no_rule_for():
    class Product(nn.Module):
        def forward(self, x):
            return (x * x.tanh()).sum(1)

    class Sine(nn.Module):
        def forward(self, x):
            return torch.sin(x).sum(1)

    class Quotient(nn.Module):
        def forward(self, x):
            return torch.div(2.0, x.square() + 1).sum(1)

    class Power(nn.Module):
        def forward(self, x):
            return torch.pow(2.0, x).sum(1)

    for density, name in ((Product(), "mul"), (Sine(), "sin"), (Quotient(), "div"), (Power(), "pow")):
        with pytest.raises(InputError, match=f"no rule for {name}"):
            objectives.curvature_propagation(DensityScore(density), data(2, 3), noise=Noise(0))
    with pytest.raises(InputError, match="give a DensityScore"):
        objectives.curvature_propagation(network(), data(2, 3), noise=Noise(0))


# ------------------------------------------------------------------------------------------------------- variances


@pytest.mark.parametrize(
    ("directions", "variance"),
    [
        ("rademacher", lambda a: 2 * (a.square().sum() - a.diagonal().square().sum())),
        ("gaussian", lambda a: 2 * a.square().sum()),
        ("sphere", lambda a: 2 * (len(a) * a.square().sum() - a.trace() ** 2) / (len(a) + 2)),
    ],
)
def test_the_variance_over_directions_is_that_of_theory(directions, variance):
    """Of v^T A v, whose estimate from 4000 draws of a datum has a relative deviation below 8 / sqrt(4000 n)."""
    a, x = symmetric(6), data(40, 6)
    terms = objectives.sliced(
        lambda z: -z @ a, x, projections=4000, directions=directions, noise=Noise(5), reduction="none"
    )
    found = objectives.spread(terms)
    assert abs(found.directions / variance(a) - 1) < SIGMAS * 8 / math.sqrt(terms.numel())
    assert torch.allclose(found.total, terms.var(), rtol=0.02)


def test_reduced_variance_is_what_it_says():
    """The estimate (v . s)^2 / 2 has a variance of its own, |s|^4 / 2 for Gaussian directions."""
    score, x = network(), data(50, 3)
    plain, reduced = (
        objectives.spread(
            objectives.sliced(
                score,
                x,
                projections=2000,
                reduced_variance=which,
                directions="gaussian",
                noise=Noise(2),
                reduction="none",
            )
        )
        for which in (False, True)
    )
    assert reduced.directions < plain.directions
    assert reduced.total < plain.total


def test_a_standard_error_from_the_spread_is_that_of_repeats():
    score, x = network(), data(400, 3)
    terms = objectives.sliced(score, x, projections=4, noise=Noise(0), reduction="none").detach()
    found, n = objectives.spread(terms), terms.shape[1]
    formula = (found.total - found.directions) / n + found.directions / terms.numel()
    assert torch.allclose(formula, terms.mean(0).var() / n, rtol=1e-10)


# ---------------------------------------------------------------------------------------------- its other relatives


def test_finite_differences_are_exact_for_linear_scores_and_of_second_order_else():
    a, x = symmetric(5), data(6, 5)
    options = {"noise": Noise(4), "projections": 3, "reduction": "none"}
    linear = objectives.finite_difference(lambda z: -z @ a, x, distance=0.5, **options)
    assert torch.allclose(linear, objectives.sliced(lambda z: -z @ a, x, **options), atol=1e-10)
    score, x = network().requires_grad_(False), data(6, 3)
    limit = objectives.sliced(score, x, **options)
    errors = [
        float((objectives.finite_difference(score, x, distance=d, **options) - limit).abs().max())
        for d in (0.1, 0.05, 0.025)
    ]
    assert [math.log2(errors[k] / errors[k + 1]) for k in range(2)] == pytest.approx([2, 2], abs=0.1)


def test_denoising_is_the_objective_of_the_noised_law():
    """Of N(0, 1 + sigma^2) with its true score: -D / 2 (1 + sigma^2)."""
    sigma, x = 0.7, data(40_000, 2)
    terms = objectives.denoising(lambda y: -y / (1 + sigma**2), x, sigma=sigma, noise=Noise(9), reduction="none")
    assert abs(terms.mean() + 1 / (1 + sigma**2)) < SIGMAS * terms.std() / math.sqrt(terms.numel())


def test_conditions_reach_the_score():
    x, condition = data(4, 3), torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    density = Density()
    one = objectives.sliced(DensityScore(density), x, noise=Noise(0), condition=condition, reduction="none")
    alone = [
        objectives.sliced(
            DensityScore(density),
            x[k : k + 1],
            noise=Noise(0).members(k),
            condition=condition[k : k + 1],
            reduction="none",
        )
        for k in range(4)
    ]
    assert torch.allclose(one, torch.cat(alone, 1))
    score = network()
    for objective in (objectives.exact, objectives.sliced, objectives.finite_difference):
        options = {} if objective is objectives.exact else {"noise": Noise(0)}
        told = objective(lambda z, c: score(z) * c[:, None], x, condition=torch.ones(4), **options)
        assert torch.allclose(told, objective(score, x, **options))


# --------------------------------------------------------------------------------------------------------- bad input


def test_bad_input_is_refused_in_a_line():
    score, x, noise = network(), data(4, 3), Noise(0)
    with pytest.raises(InputError, match="projections=0 is below 1"):
        objectives.sliced(score, x, projections=0, noise=noise)
    with pytest.raises(InputError, match=r"the score has shape \(4, 2\) for data of shape \(4, 3\)"):
        objectives.exact(lambda z: z[:, :2], x)
    with pytest.raises(InputError, match=r"the score has shape \(4, 2\) for data of shape \(4, 3\)"):
        objectives.sliced(lambda z: z[:, :2], x, noise=noise)
    with pytest.raises(InputError, match="directions='cauchy' is not known"):
        objectives.sliced(score, x, directions="cauchy", noise=noise)
    with pytest.raises(InputError, match="sigma=0 is not above zero"):
        objectives.denoising(score, x, sigma=0, noise=noise)
    with pytest.raises(InputError, match="distance=-1 is not above zero"):
        objectives.finite_difference(score, x, distance=-1, noise=noise)
    with pytest.raises(InputError, match=r"x has shape \(4,\)"):
        objectives.exact(score, x[:, 0])
    with pytest.raises(InputError, match="reduction='sum' is not known"):
        objectives.exact(score, x, reduction="sum")
    with pytest.raises(InputError, match="1 data are too few"):
        objectives.spread(torch.zeros(2, 1))
    for reduced in (False, True):
        flat = DensityScore(Density(activation=nn.ReLU))
        with pytest.raises(InputError, match="use softplus, SiLU or tanh in place of ReLU"):
            objectives.sliced(flat, x, noise=noise, reduced_variance=reduced)
    with pytest.raises(InputError, match="in place of ReLU"):
        objectives.exact(DensityScore(Density(activation=nn.ReLU)), x)
