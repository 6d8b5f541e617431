"""Inpainting against the conditional law of a Gaussian, and interpolation against the flow of a Gaussian."""

import math

import pytest
import torch

from sojourn.diffusion import DDPM, ContinuousSchedule, GaussianMixture, Schedule
from sojourn.diffusion.inpainting import Inpaint, _walk
from sojourn.diffusion.interpolation import interpolate, spherical
from sojourn.diffusion.samplers import DDIM, Ancestral, DPMSolverPP
from sojourn.errors import InputError
from sojourn.noise import Noise

from .pushed_law import COVARIANCE, DOUBLE, GAUSSIAN, MEAN, exact_model, pushed

SCHEDULE = Schedule.linear(steps=1000)
PAIR = GaussianMixture.gaussian(MEAN, torch.tensor([[0.5, 0.4], [0.4, 0.5]], dtype=DOUBLE))
KNOWN, MASK = torch.tensor([[1.5, math.nan]], dtype=DOUBLE), torch.tensor([True, False])


def _gap(sampler):
    """Of the unknown number: error of its mean in conditional standard deviations, and ratio of variances."""
    process = exact_model(PAIR, SCHEDULE).reverse(sampler)
    start = torch.zeros(2, dtype=DOUBLE), torch.eye(2, dtype=DOUBLE)
    mean, covariance = pushed(process, start, process.horizon)
    torch.testing.assert_close(mean[0], KNOWN[0, 0], rtol=0, atol=1e-12)
    assert float(covariance[0].abs().max()) < 1e-12
    true_mean, true_variance = -1 + 0.4 / 0.5 * (1.5 - 0.5), 0.5 - 0.4**2 / 0.5
    return float(mean[1] - true_mean) / math.sqrt(true_variance), float(covariance[1, 1]) / true_variance


def test_repeats_bring_the_mean_nearer_to_the_conditional_one_and_never_quite_there():
    """Exact means, by the affine map of the chain. RePaint's gap is stated, not hidden."""
    gaps = [_gap(Inpaint(Ancestral(20), KNOWN, MASK, jump=1, repeats=k))[0] for k in (1, 2, 4)]
    assert -0.9 < gaps[0] < 1.3 * gaps[1] < 1.3**2 * gaps[2] < -0.2


def test_longer_jumps_keep_the_variance():
    ratios = [_gap(Inpaint(Ancestral(20), KNOWN, MASK, jump=jump, repeats=4))[1] for jump in (1, 4)]
    assert ratios[0] < 0.85
    assert 0.9 < ratios[1] < 1.1


def test_of_independent_numbers_the_unknown_one_has_its_own_law_as_without_inpainting():
    apart = exact_model(GaussianMixture.gaussian(MEAN, torch.diag(torch.tensor([0.5, 0.3], dtype=DOUBLE))), SCHEDULE)
    start = torch.zeros(2, dtype=DOUBLE), torch.eye(2, dtype=DOUBLE)
    plain = pushed(apart.reverse(DDIM(20)), start, 20)
    inpainted = pushed(apart.reverse(Inpaint(DDIM(20), KNOWN, MASK, repeats=1)), start, 20)
    torch.testing.assert_close(inpainted[0][1], plain[0][1], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(inpainted[1][1, 1], plain[1][1, 1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("steps", "jump", "repeats"), [(250, 10, 10), (25, 5, 3), (7, 3, 2), (10, 1, 4), (6, 5, 2)])
def test_the_walk_is_that_of_the_paper_s_appendix(steps, jump, repeats):
    """There times count from steps - 1 to -1, and the walk turns at 0, jump, 2 jump, ..., below steps - jump."""
    left = dict.fromkeys(range(0, steps - jump, jump), repeats - 1)
    times, t = [], steps
    while t >= 1:
        t -= 1
        times.append(t)
        if left.get(t, 0) > 0:
            left[t] -= 1
            for _ in range(jump):
                t += 1
                times.append(t)
    assert _walk(steps, jump, repeats) == [steps - 1 - time for time in [*times, -1]]


def test_bad_input_to_inpainting_is_named():
    image = torch.zeros(1, 2, dtype=DOUBLE)
    for sampler, known, mask, options, words in (
        (DPMSolverPP(20), image, MASK, {}, "DPMSolverPP remembers earlier steps"),
        (DDIM(20), image, torch.ones(2), {}, "the mask is torch.float32; give a tensor of torch.bool"),
        (DDIM(20), image, [True, False], {}, "the mask is list; give a tensor of torch.bool"),
        (DDIM(20), image, torch.ones(3) > 0, {}, r"the mask has shape \(3,\), which does not broadcast to \(1, 2\)"),
        (DDIM(20), KNOWN, ~MASK, {}, "known holds NaN or infinity where the mask is true"),
        (DDIM(10), image, MASK, {}, "jump=10 must be 1 or more and below the sampler's steps=10"),
        (DDIM(10), image, MASK, {"jump": 2, "repeats": 0}, "and repeats=0 1 or more"),
    ):
        with pytest.raises(InputError, match=words):
            Inpaint(sampler, known, mask, **options)
    process = exact_model(PAIR, SCHEDULE).reverse(Inpaint(DDIM(20), image.expand(3, 2), MASK))
    with pytest.raises(InputError, match=r"known has shape \(3, 2\); needed is \(2, 2\), or one member for all"):
        process.step(process.start(torch.zeros(2, 2, dtype=DOUBLE)), 0, Noise(0))


STRAIGHT = ContinuousSchedule.from_log_snr(lambda t: 14 - 24 * t, name="straight to noise")


def test_of_gaussian_data_interpolants_are_those_of_the_linear_flow():
    """x_T = alpha m + M (x_0 - m), M = (alpha^2 + sigma^2 C^-1)^(1/2); interpolants are images of the great arc."""
    model = exact_model(schedule=STRAIGHT)
    a, b, weights = GAUSSIAN.sample(12, Noise(1)), GAUSSIAN.sample(12, Noise(2)), [0.0, 0.3, 1.0]
    alpha, sigma = STRAIGHT.scales(1.0)
    values, vectors = torch.linalg.eigh(COVARIANCE)
    up = vectors @ torch.diag(torch.sqrt(alpha**2 + sigma**2 / values)) @ vectors.T
    ends = [alpha * MEAN + (x - MEAN) @ up for x in (a, b)]
    sharp = torch.cosine_similarity(*ends) > -0.5  # an arc between opposite vectors of other lengths is ill-conditioned
    a, b, ends = a[sharp], b[sharp], [x[sharp] for x in ends]
    exact = torch.stack([MEAN + (_arc(*ends, weight) - alpha * MEAN) @ torch.linalg.inv(up) for weight in weights])
    torch.testing.assert_close(exact[[0, 2]], torch.stack([a, b]))
    errors = [float((interpolate(model, a, b, weights=weights, steps=n) - exact).abs().max()) for n in (50, 100)]
    assert abs(math.log2(errors[0] / errors[1]) - 1) < 0.2
    assert errors[1] < 0.1


def _arc(x, y, weight):
    """A great circle in the plane of two vectors, by the angle; lengths multiply as the slerp's do."""
    lengths = x.norm(dim=1, keepdim=True), y.norm(dim=1, keepdim=True)
    p, q = x / lengths[0], y / lengths[1]
    angle = 2 * torch.atan2((p - q).norm(dim=1, keepdim=True), (p + q).norm(dim=1, keepdim=True))
    return torch.sin((1 - weight) * angle) / torch.sin(angle) * x + torch.sin(weight * angle) / torch.sin(angle) * y


def test_spherical_interpolation_keeps_lengths_and_angles_and_ends():
    x = torch.tensor([[3.0, 0.0, 0.0], [1.0, 2.0, 2.0], [1.0, 1.0, 1.0]], dtype=DOUBLE)
    y = torch.tensor([[0.0, 3.0, 0.0], [2.0, -2.0, 1.0], [2.0, 2.0, 2.0]], dtype=DOUBLE)
    assert torch.equal(spherical(x, y, 0.0), x)
    assert torch.equal(spherical(x, y, 1.0), y)
    third = spherical(x, y, 1 / 3)
    torch.testing.assert_close(third[0], torch.tensor([3 * math.cos(math.pi / 6), 1.5, 0], dtype=DOUBLE))
    torch.testing.assert_close(third[:2].norm(dim=1), x[:2].norm(dim=1))
    torch.testing.assert_close(third[2], x[2] * 4 / 3)  # parallel: a straight line


def test_bad_input_to_interpolation_is_named():
    model, x = exact_model(schedule=STRAIGHT), torch.zeros(3, 2, dtype=DOUBLE)
    assert isinstance(model, DDPM)
    for a, b, weights, words in (
        (x, x[:2], [0.5], r"a has shape \(3, 2\) and b \(2, 2\); both must be \(n, 2\)"),
        (x[:, :1], x[:, :1], [0.5], r"both must be \(n, 2\)"),
        (x, x, [1.5], r"weights=\[1.5\] must be one or more numbers in \[0, 1\]"),
        (x, x, [], r"weights=\[\] must be"),
    ):
        with pytest.raises(InputError, match=words):
            interpolate(model, a, b, weights=weights)
