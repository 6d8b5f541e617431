"""Implicit encoders where everything is known: entropies of Gaussians, and posteriors of a linear-Gaussian decoder."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.score.implicit import (
    WAE,
    BernoulliDecoder,
    GaussianVAE,
    ImplicitEncoder,
    ImplicitVAE,
    ScoreNetwork,
    negative_entropy,
    network,
)
from sojourn.score.normal import log_normal
from sojourn.score.objectives import sliced
from sojourn.training.loop import Training, train


def white(n, d):
    """Normal numbers, moved and scaled so that their mean is 0 and their covariance 1 to rounding."""
    eps = Noise(0).normal(0, n, (d,), torch.float64)
    eps = eps - eps.mean(0)
    return eps @ torch.linalg.inv(torch.linalg.cholesky(eps.T @ eps / n)).T


def test_the_gradient_is_that_of_the_entropy():
    """Of z = m + L eps: d H / d L = d log det L / d L = L^-T, and d H / d m = 0."""
    eps = white(500, 3)
    m: Any = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    L: Any = torch.tensor([[1.0, 0, 0], [0.4, 0.5, 0], [-0.3, 0.7, 2]], dtype=torch.float64, requires_grad=True)
    z = m + eps @ L.T
    precision = torch.linalg.inv(L.detach() @ L.detach().T)
    negative_entropy(lambda y: -(y - m) @ precision, z).backward()
    assert torch.allclose(L.grad, -torch.linalg.inv(L.detach()).T, atol=1e-10)
    assert float(m.grad.abs().max()) < 1e-10


class Linear(nn.Module):
    """z = A x + L eps."""

    latent = 2

    def __init__(self):
        super().__init__()
        self.A = nn.Parameter(torch.zeros(2, 3))
        self.L = nn.Parameter(torch.eye(2))

    def forward(self, x, eps):
        return x @ self.A.T + eps @ self.L.T


class LinearGaussian(nn.Module):
    """p(x | z) = N(B z, sigma^2)."""

    B = torch.tensor([[1.0, 0.0], [0.5, -0.8], [-0.3, 0.6]])
    sigma = 0.7

    def log_likelihood(self, x, z):
        return -((x - z @ self.B.T) ** 2).sum(1) / (2 * self.sigma**2)


def test_a_learned_score_leads_to_the_posterior():
    """Of a linear-Gaussian decoder the posterior is N(S B^T x / sigma^2, S), S^-1 = 1 + B^T B / sigma^2. Batches of 128
    at rates that fall to zero leave errors of about 0.01."""
    torch.manual_seed(0)
    decoder = LinearGaussian()
    B, variance = decoder.B, decoder.sigma**2
    model = ImplicitVAE(Linear(), decoder, ScoreNetwork(2, 3, hidden=32))

    def loss(model, step):
        draws = Noise(1).normal(step, 128, (5,))
        return model.loss(draws[:, :2] @ B.T + decoder.sigma * draws[:, 2:], noise=Noise(2), step=step)

    train(model, loss, Training(450, 0.01), progress=False)
    S = torch.linalg.inv(torch.eye(2) + B.T @ B / variance)
    found = model.encoder.L.detach()
    assert torch.allclose(model.encoder.A.detach(), S @ B.T / variance, atol=0.05)
    assert torch.allclose(found @ found.T, S, atol=0.05)


def test_every_network_gets_its_own_gradient():
    torch.manual_seed(1)
    x = (torch.rand(40, 6) < 0.5).float()
    model = ImplicitVAE(ImplicitEncoder(6, 2, hidden=8), BernoulliDecoder(2, 6, hidden=8), ScoreNetwork(2, 6, hidden=8))
    model.loss(x, noise=Noise(3), step=5).backward()
    z = model.encoder(x, Noise(3).split("eps").normal(5, 40, (2,)))
    u = z - model.encoder(x, torch.zeros(40, 2)).detach()
    W = torch.linalg.inv(torch.linalg.cholesky(u.detach().T @ u.detach() / 40))
    v = u.detach() @ W.T
    score = sliced(model.score, v, condition=x, noise=Noise(3).split("directions"), step=5)
    rest = -(model.decoder.log_likelihood(x, z) + log_normal(z) - (model.score(v, x).detach() @ W * z).sum(1)).mean()
    for part, alone in ((model.score, score), (model.encoder, rest), (model.decoder, rest)):
        weights: Any = list(part.parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(alone, weights, retain_graph=True), strict=True):
            assert torch.allclose(weight.grad, gradient, rtol=1e-4, atol=1e-5)


def test_the_codes_of_a_wasserstein_autoencoder_follow_the_prior():
    """Data N(0, 2^2) in two dimensions: codes of any size allow a squared error of 0, so the penalty alone sets theirs.
    They begin with variances of 0.03 and 0.3 and end within 0.1 of 1."""
    torch.manual_seed(2)

    class Linear(nn.Linear):
        def mean(self, z):
            return self(z)

    model = WAE(nn.Linear(2, 2), Linear(2, 2), ScoreNetwork(2, hidden=16))

    def loss(model, step):
        return model.loss(2 * Noise(4).normal(step, 128, (2,)), noise=Noise(5), step=step)

    train(model, loss, Training(500, 0.01), progress=False)
    with torch.no_grad():
        codes = model.encoder(2 * Noise(6).normal(0, 20_000, (2,)))
    assert torch.allclose(torch.cov(codes.T), torch.eye(2), atol=0.15)
    assert float(codes.mean(0).abs().max()) < 0.1


def test_the_bound_of_a_gaussian_encoder():
    """With q(z | x) the exact posterior, minus the loss is log p(x) in mean; six standard errors, false alarms 2e-9."""
    n = 20_000
    x = torch.tensor([[1.5]]).expand(n, 1)

    class Posterior(nn.Module):  # of x = z + n: N(x / 2, 1 / 2)
        def forward(self, x):
            return torch.cat((x / 2, torch.full_like(x, -math.log(2) / 2)), 1)

    class Decoder(nn.Module):
        def log_likelihood(self, x, z):
            return log_normal(x - z)

    found = float(GaussianVAE(Posterior(), Decoder()).loss(x, noise=Noise(7)))
    exact = 1.5**2 / 4 + math.log(4 * math.pi) / 2
    deviation = 1.0  # above that of log p(x | z) under the posterior
    assert abs(found - exact) < 6 * deviation / math.sqrt(n)


def test_the_likelihood_is_that_of_independent_pixels():
    decoder = BernoulliDecoder(2, 5, hidden=4)
    x, z = (torch.rand(3, 5) < 0.5).float(), torch.randn(4, 3, 2)
    law = torch.distributions.Bernoulli(logits=decoder(z))
    assert torch.allclose(decoder.log_likelihood(x, z), law.log_prob(x.expand(4, 3, 5)).sum(-1), atol=1e-5)
    assert torch.allclose(decoder.mean(z), law.mean)


def test_with_the_score_of_a_normal_law_the_entropy_is_that_of_the_batch():
    """s(v) = -v of white codes: the gradient is that of -log det C / 2, C the covariance of the batch, however thin."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 3, dtype=torch.float64, generator=generator) @ torch.diag(
        torch.tensor([1.0, 0.3, 0.1]).double()
    )

    class Still(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones((), dtype=torch.float64))

        def forward(self, v):
            return -self.scale * v

    encoder, decoder = nn.Linear(3, 3).double(), BernoulliDecoder(3, 3, hidden=4).double()
    model = WAE(encoder, decoder, Still())
    weights: Any = list(encoder.parameters())
    found = torch.autograd.grad(model.loss(x, noise=Noise(0)), weights)
    z = encoder(x)
    error = (x - decoder.mean(z)).square().sum(1).mean()
    alone = error - model.weight * (torch.logdet(torch.cov(z.T)) / 2 + log_normal(z).mean())
    for gradient, expected in zip(found, torch.autograd.grad(alone, weights), strict=True):
        assert torch.allclose(gradient, expected, rtol=1e-3, atol=1e-2)  # a floor of 1e-6 keeps the root


def test_a_score_learns_the_same_from_codes_of_any_size():
    """From an encoder made a thousand times larger; only the score's objective moves its weights."""
    torch.manual_seed(4)
    x, encoder, score = torch.rand(40, 5), network([5, 8, 2]), ScoreNetwork(2, hidden=8)
    weights: Any = list(score.parameters())
    found = []
    for size in (1.0, 1000.0):
        model = WAE(nn.Sequential(encoder, _Times(size)), BernoulliDecoder(2, 5, hidden=4), score)
        found.append(torch.autograd.grad(model.loss(x, noise=Noise(0)), weights))
    for small, large in zip(*found, strict=True):
        assert torch.allclose(small, large, rtol=1e-3, atol=1e-4)


class _Times(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, z):
        return self.size * z


def test_encoder_and_score_begin_in_step():
    """With networks that give 0, z = eps and the score is that of N(0, 1): the entropy's gradient is exact."""
    x, eps = torch.rand(4, 5), torch.randn(4, 2)
    encoder, score = ImplicitEncoder(5, 2, hidden=4), ScoreNetwork(2, 5, hidden=4)
    for weight in (*encoder.parameters(), *score.parameters()):
        nn.init.zeros_(weight)
    assert torch.equal(encoder(x, eps), eps)
    assert torch.equal(score(eps, x), -eps)


def test_bad_input_is_refused():
    model = WAE(network([5, 3]), BernoulliDecoder(3, 5), ScoreNetwork(3))
    with pytest.raises(
        InputError, match="a batch of 3 data has no covariance of 3 numbers; give more than 3 at a time"
    ):
        model.loss(torch.rand(3, 5), noise=Noise(0))
    for x, size in ((torch.full((9, 5), torch.nan), 1.0), (torch.rand(9, 5), 0.0)):
        model.encoder = nn.Sequential(network([5, 3]), _Times(size))
        with pytest.raises(InputError, match="the codes are all alike, or hold NaN or infinity"):
            model.loss(x, noise=Noise(0))
    with pytest.raises(InputError, match=r"widths=\[784, 0, 0, 8\]: give two or more"):
        network([784, 0, 0, 8])
    with pytest.raises(InputError, match=r"widths=\[5\]: give two or more, from input to output, each at least 1"):
        network([5])
    with pytest.raises(InputError, match="data=-1 is below 0"):
        ScoreNetwork(2, -1)
    with pytest.raises(InputError, match=r"the encoder gives \(4, 3\); needed are means and log deviations"):
        GaussianVAE(network([5, 3]), BernoulliDecoder(1, 5)).loss(torch.zeros(4, 5), noise=Noise(0))
    with pytest.raises(InputError, match=r"x has shape \(4, 5\); this decoder gives 1 numbers a datum"):
        WAE(network([5, 2]), BernoulliDecoder(2, 1), ScoreNetwork(2)).loss(torch.rand(4, 5), noise=Noise(0))
    with pytest.raises(InputError, match="weight=0 is not above zero"):
        WAE(nn.Linear(2, 1), BernoulliDecoder(1, 2), ScoreNetwork(1), weight=0)
    with pytest.raises(InputError, match=r"x has shape \(3, 4\); this decoder gives 5 numbers a datum"):
        BernoulliDecoder(2, 5).log_likelihood(torch.zeros(3, 4), torch.zeros(3, 2))
    with pytest.raises(InputError, match=r"the score has shape \(3, 1\) for data of shape \(3, 2\)"):
        negative_entropy(lambda z: z[:, :1], torch.zeros(3, 2))
