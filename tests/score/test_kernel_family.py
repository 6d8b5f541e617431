"""The deep kernel exponential family: its closed forms against the general objectives, and its best weights."""

import pytest
import torch

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.score import DeepKernelExponentialFamily, DensityScore, fit_kernel_family, objectives


def made(d, seed=0):
    """Few and narrow networks, so that both ways to the Gram matrix are taken: D is above or below 3 * 4."""
    torch.manual_seed(seed)
    family = DeepKernelExponentialFamily(torch.randn(7, d, dtype=torch.float64), kernels=3, hidden=5, outputs=4)
    family.alpha = torch.randn(7, dtype=torch.float64)
    with torch.no_grad():
        family.logits.copy_(torch.tensor([0.3, -0.2, 0.1]))
    return family, torch.randn(9, d, dtype=torch.float64)


@pytest.mark.parametrize("d", [2, 20])
def test_the_score_is_the_gradient_of_the_log_density(d):
    family, x = made(d)

    class LogDensity(torch.nn.Module):
        def forward(self, x):
            return family.log_density(x)

    assert torch.allclose(family(x), DensityScore(LogDensity())(x), atol=1e-12)
    base = torch.distributions.Normal(0.0, family.base).log_prob(x).sum(1)
    assert torch.allclose(family.log_base(x), base)


@pytest.mark.parametrize("d", [2, 20])
def test_the_quadratics_are_the_objectives(d):
    family, x = made(d)
    alpha, noise = family.alpha, Noise(4)
    assert torch.allclose(family.exact(x).value(alpha), objectives.exact(family, x), atol=1e-10)
    v = objectives.draw("gaussian", x, 3, noise, 0)
    for reduced in (False, True):
        ours = family.sliced(x, v, reduced_variance=reduced).value(alpha)
        general = objectives.sliced(
            family, x, projections=3, directions="gaussian", reduced_variance=reduced, noise=noise
        )
        assert torch.allclose(ours, general, atol=1e-10)
    epsilon = noise.normal(0, len(x), (d,), torch.float64)
    general = objectives.denoising(family, x, sigma=0.3, noise=noise)
    assert torch.allclose(family.denoising(x, epsilon, 0.3).value(alpha), general, atol=1e-10)


@pytest.mark.parametrize("d", [3, 40])  # 40 is above the 3 (4 + 5) rows of the weights, where their products serve
def test_propagated_curvature_is_the_exact_objective_in_mean(d):
    family, x = made(d)
    torch.manual_seed(1)
    n, exact = 20_000, family.exact(x[:1])
    signs = torch.randint(2, (n, 3, 1 + 4 + 10), dtype=torch.float64) * 2 - 1
    vectors = torch.stack(
        [family.curvature_propagation(x[:1].expand(n // 100, -1), part).vector for part in signs.chunk(100)]
    )
    error = (vectors.mean(0) - exact.vector).abs()
    assert (error < 6 * vectors.std(0) / 10).all()  # Student with 99 degrees: false alarms 2 * 7 * 3e-8
    one = family.curvature_propagation(x[:1], signs[:1])
    assert torch.allclose(one.matrix, exact.matrix)
    assert torch.allclose(one.constant, exact.constant)


def test_the_best_weights_have_no_slope_and_gradients_flow_through_them():
    family, x = made(3)
    form = family.exact(x)
    alpha = family.weigh(form)
    assert torch.equal(family.alpha, alpha)
    slope = form.matrix @ alpha + form.vector + family.log_ridge.exp() * alpha
    assert slope.abs().max() < 1e-10
    held = torch.randn(5, 3, dtype=torch.float64)

    def outer(ridge):
        alpha = family.exact(x).least(torch.tensor(ridge, dtype=torch.float64))
        return float(family.exact(held).value(alpha).detach())

    loss = family.exact(held).value(alpha)
    (found,) = torch.autograd.grad(loss, family.log_ridge)
    ridge, step = float(family.log_ridge.detach().exp()), 1e-5
    expected = ridge * (outer(ridge * (1 + step)) - outer(ridge * (1 - step))) / (2 * ridge * step)
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_bad_families_are_refused():
    x = torch.randn(250, 2)
    for options, words in (
        ({"objective": "mle"}, "objective='mle' is not known"),
        ({"half": 200}, "250 training data are fewer than 2 half=400"),
    ):
        with pytest.raises(InputError, match=words):
            fit_kernel_family(x, x, progress=False, **options)
    with pytest.raises(InputError, match="the data hold NaN or infinity"):
        fit_kernel_family(x, x / 0, progress=False)
    with pytest.raises(InputError, match=r"points has shape \(3,\)"):
        DeepKernelExponentialFamily(torch.zeros(3))
    with pytest.raises(InputError, match="base=0 is not a finite number above zero"):
        DeepKernelExponentialFamily(torch.zeros(3, 2), base=0)
