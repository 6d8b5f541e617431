"""Guidance with exact networks: the tilted score in closed form, and Bayes' rule for a component of a mixture."""

import pytest
import torch
from torch import nn

from sojourn.diffusion import DDPM, GaussianMixture, Schedule
from sojourn.diffusion.guidance import Classifier, ClassifierFree
from sojourn.diffusion.reverse import Denoiser
from sojourn.diffusion.samplers import DDIM
from sojourn.errors import InputError
from sojourn.noise import Noise

DOUBLE = torch.float64
SCHEDULE = Schedule.linear(steps=1000)
WEIGHTS = torch.tensor([0.3, 0.7], dtype=DOUBLE)
MEANS = torch.tensor([[1.0, 0.0], [-0.5, 0.5]], dtype=DOUBLE)
COVARIANCES = torch.tensor([[[0.1, 0.02], [0.02, 0.1]], [[0.3, 0.1], [0.1, 0.2]]], dtype=DOUBLE)
MIXTURE = GaussianMixture(WEIGHTS, MEANS, COVARIANCES)
COMPONENTS = [GaussianMixture.gaussian(m, C) for m, C in zip(MEANS, COVARIANCES, strict=True)]
X = 1.5 * Noise(3).normal(0, 8, (2,), dtype=DOUBLE)


class Conditional(nn.Module):
    """The mixture's exact network without a condition; with condition k the network of its component k."""

    shape, outputs = (2,), 1

    def __init__(self):
        super().__init__()
        self.free = MIXTURE.network(SCHEDULE)
        self.components = [law.network(SCHEDULE) for law in COMPONENTS]

    def forward(self, x, time, condition=None):
        if condition is None:
            return self.free(x, time)
        found = torch.stack([network(x, time) for network in self.components])
        return found[condition, torch.arange(len(x))]


MODEL = DDPM(Conditional(), SCHEDULE, levels=None)


def _score(law, x, t):
    place = x.clone().requires_grad_()
    return torch.autograd.grad(law.log_density(place, *SCHEDULE.scales(t)).sum(), place)[0]


def _log_posterior(k):
    """log p(component k | x_t), the exact classifier."""

    def log_probability(x, t):
        scales = SCHEDULE.scales(t)
        return torch.log(WEIGHTS[k]) + COMPONENTS[k].log_density(x, *scales) - MIXTURE.log_density(x, *scales)

    return log_probability


@pytest.mark.parametrize("weight", [0.0, 1.0, 3.5])
@pytest.mark.parametrize("t", [20, 300, 900])
def test_classifier_free_guidance_tilts_the_score(weight, t):
    """grad log p(x)^(1 - w) p(x | y)^w, a member at a time: each has its own condition."""
    condition = torch.tensor([0, 1, 0, 1, 1, 1, 0, 0])
    found = Denoiser(MODEL, condition=condition, guidance=ClassifierFree(weight)).predict(X, t)
    per_class = torch.stack([_score(law, X, t) for law in COMPONENTS])[condition, torch.arange(8)]
    score = (1 - weight) * _score(MIXTURE, X, t) + weight * per_class
    alpha, sigma = SCHEDULE.scales(t)
    torch.testing.assert_close(-found.epsilon / sigma, score, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(alpha * found.x_0 + sigma * found.epsilon, X, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("k", [0, 1])
@pytest.mark.parametrize("t", [20, 300, 900])
def test_the_exact_classifier_with_weight_1_gives_the_component_s_denoiser(k, t):
    found = Denoiser(MODEL, guidance=Classifier(_log_posterior(k))).predict(X, t)
    alpha, sigma = SCHEDULE.scales(t)
    exact = COMPONENTS[k].mean_of_x_0(X, alpha, sigma)
    torch.testing.assert_close(found.x_0, exact, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found.epsilon, (X - alpha * exact) / sigma, rtol=1e-10, atol=1e-10)


def test_a_whole_chain_guided_by_bayes_rule_is_the_component_s():
    """Within `simulate`'s no_grad the classifier's gradient is still taken."""
    guided = MODEL.reverse(DDIM(25), guidance=Classifier(_log_posterior(1)))
    plain = MODEL.reverse(DDIM(25), condition=torch.tensor([1]))
    ends = [process.advance(process.start(X), 0, 25, Noise(0))["x"] for process in (guided, plain)]
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-9, atol=1e-9)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="classifier-free guidance needs a condition"):
        Denoiser(MODEL, guidance=ClassifierFree(2.0)).predict(X, 5)
    with pytest.raises(InputError, match="the condition has 3 members, the state 8; give one for all or one for each"):
        Denoiser(MODEL, condition=torch.tensor([0, 1, 1])).predict(X, 5)
