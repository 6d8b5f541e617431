"""Power-function averages: the closed forms against quadrature and sums, and averages that nobody tracked."""

import numpy as np
import pytest
import torch
from scipy import integrate
from torch import nn

import sojourn as sj
from sojourn.runs import Run
from sojourn.training.averages import Averages, PowerAverage, combine, inner_product, power, reconstruct
from sojourn.training.loop import Training, train


class Walker(nn.Module):
    def __init__(self):
        super().__init__()
        self.x = nn.Parameter(torch.zeros(5))
        self.y = nn.Parameter(torch.ones(2, 3))


def wander(model, step):
    """A loss whose minimum walks about, so that the weights have a history worth averaging."""
    draw = sj.Noise(8).normal(step, 1, (11,))[0]
    return (model.x - draw[:5]).square().sum() + (model.y - draw[5:].view(2, 3) - 0.01 * step).square().sum()


def walk(settings, run=None, objective=wander):
    """The model trained, and its history of weights after every update."""
    model, history = Walker(), []
    train(
        model,
        objective,
        settings,
        run=run,
        after_step=lambda m, _: history.append(m.x.detach().clone()),
        progress=False,
    )
    return model, torch.stack(history).double()


@pytest.mark.parametrize("sigma_rel", [0.01, 0.05, 0.1, 0.2, 0.288])
def test_the_power_belongs_to_its_relative_width(sigma_rel):
    gamma = power(sigma_rel)

    def moment(k):
        return integrate.quad(lambda u: u**k * (gamma + 1) * u**gamma, 0, 1)[0]

    assert gamma >= 0
    assert moment(0) == pytest.approx(1)
    assert (moment(2) - moment(1) ** 2) ** 0.5 == pytest.approx(sigma_rel, rel=1e-6)


@pytest.mark.parametrize(("t", "s"), [(1.0, 1.0), (3.0, 7.0), (900.0, 20.0)])
def test_inner_products_against_quadrature(t, s):
    g, h = power(0.05), power(0.13)
    by_quadrature = integrate.quad(
        lambda u: (g + 1) * u**g / t ** (g + 1) * (h + 1) * u**h / s ** (h + 1), 0, min(t, s), epsabs=0, limit=200
    )[0]
    assert inner_product(t, g, s, h) == pytest.approx(by_quadrature, rel=1e-9)
    assert inner_product(s, h, t, g) == pytest.approx(by_quadrature, rel=1e-9)


@pytest.mark.parametrize("sigma_rel", [0.03, 0.1, 0.25])
def test_the_tracked_average_is_the_weighted_sum_of_the_history(sigma_rel):
    model, history = walk(Training(steps=150, learning_rate=0.1, average=PowerAverage(sigma_rel)))
    edges = (torch.arange(151, dtype=torch.float64) / 150) ** (power(sigma_rel) + 1)
    expected = (edges.diff()[:, None] * history).sum(0)  # each bin's share of the profile
    torch.testing.assert_close(model.x.detach().double(), expected, atol=2e-6, rtol=0)


def test_foreach_averages_are_those_of_one_tensor_at_a_time_to_the_bit():
    model = Walker()
    averages = Averages(dict(model.named_parameters()), None, 7.0, stored=False)
    expected = [p.detach().clone() for p in model.parameters()]
    for k in range(40):
        with torch.no_grad():
            for p in model.parameters():
                p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(k)))
        averages.update(k + 1)
        for mean, p in zip(expected, model.parameters(), strict=True):
            mean.lerp_(p.detach(), 1.0 - 0.5 ** (1.0 / 7.0))
    assert all(torch.equal(a, b) for a, b in zip(averages.means["average"], expected, strict=True))


def test_any_width_is_reconstructed_from_what_was_stored(tmp_path):
    def settings(sigma_rel):
        return Training(steps=400, learning_rate=0.1, schedule="constant", average=PowerAverage(sigma_rel))

    run = Run.create("averages", {}, tmp_path / "run")
    tracked, _ = walk(settings(0.05), run)
    stored = sorted(p.name for p in (run.path / "checkpoints" / "training-averages").iterdir())
    assert len(stored) == 32
    assert stored[-2:] == ["0000000400-0.05.safetensors", "0000000400-0.1.safetensors"]
    for sigma_rel, scale in [(0.04, 0.02), (0.08, 0.005), (0.15, 0.02), (0.2, 0.05)]:
        directly, history = walk(settings(sigma_rel))
        found = reconstruct(run, sigma_rel=sigma_rel)
        # Cauchy-Schwarz: |sum x_i mean_i - mean| <= |sum x_i p_i - p| |theta|, theta less any constant
        spread = (history - history.mean(0)).square().sum(0).sqrt()
        gamma = power(sigma_rel)
        widths = np.tile([0.05, 0.1], 16)
        _, error = combine(np.repeat(np.arange(1, 17) * 25.0, 2), np.array([power(w) for w in widths]), 400.0, gamma)
        norm = float(inner_product(400.0, gamma, 400.0, gamma)) ** 0.5
        gap = (found["x"] - directly.x.detach()).double().abs()
        assert bool((gap <= error * norm * spread + 1e-6).all())
        assert float(gap.max()) < scale
    for sigma_rel, expected in [(0.05, tracked), (0.1, walk(settings(0.1))[0])]:
        found = reconstruct(run, sigma_rel=sigma_rel)
        torch.testing.assert_close(found["x"], expected.x.detach(), rtol=2e-7, atol=1e-8)
        torch.testing.assert_close(found["y"], expected.y.detach(), rtol=2e-7, atol=1e-8)


def test_what_stopped_moving_is_reconstructed_exactly(tmp_path):
    run = Run.create("still", {}, tmp_path / "run")
    train(
        Walker(),
        lambda m, _: 0.0 * m.x.sum() + 0.0 * m.y.sum(),
        Training(steps=50, average=PowerAverage(0.07)),
        run=run,
        progress=False,
    )
    for sigma_rel in (0.04, 0.07, 0.2):
        torch.testing.assert_close(reconstruct(run, sigma_rel=sigma_rel)["y"], torch.ones(2, 3), rtol=1e-7, atol=0)


def test_the_clock_of_an_average_stands_still_in_a_skipped_step():
    def objective(model, step):
        return wander(model, step) * (float("nan") if step % 5 == 2 else 1.0)

    model, history = walk(Training(steps=100, learning_rate=0.1, average=PowerAverage(0.1)), objective=objective)
    assert len(history) == 80
    edges = (torch.arange(81, dtype=torch.float64) / 80) ** (power(0.1) + 1)
    expected = (edges.diff()[:, None] * history).sum(0)
    torch.testing.assert_close(model.x.detach().double(), expected, atol=2e-6, rtol=0)


def test_bad_input(tmp_path):
    run = Run.create("none", {}, tmp_path / "run")
    with pytest.raises(
        sj.InputError, match=r"training-averages holds no averages; train with average=PowerAverage\(\)"
    ):
        reconstruct(run, sigma_rel=0.08)
    train(Walker(), wander, Training(steps=30, average=PowerAverage()), run=run, progress=False)
    with pytest.raises(sj.InputError, match=r"sigma_rel=0.005 is out of reach of the 30 stored averages: .*% away"):
        reconstruct(run, sigma_rel=0.005)
    for bad in (0.0, 0.3, float("nan")):
        with pytest.raises(sj.InputError, match=r"is not in \[0.001, 0.2887\)"):
            PowerAverage(bad)
    with pytest.raises(sj.InputError, match="average_half_life and average are both set"):
        Training(steps=1, average_half_life=3.0, average=PowerAverage())
