"""The training loop: it finds known minima, equals PyTorch's own optimiser by hand, and resumes to the bit."""

import pytest
import torch
from torch import nn

import sojourn as sj
from sojourn.runs import Run
from sojourn.training import checkpoint, loop
from sojourn.training.loop import Training, train
from sojourn.training.schedules import fade, rate_factor

TARGET = torch.linspace(-1, 1, 6)


class Point(nn.Module):
    def __init__(self):
        super().__init__()
        self.x = nn.Parameter(torch.zeros(6))


def noisy_bowl(model, step):
    """A quadratic with minimum at TARGET, plus noise that is a function of the step, plus PyTorch's own randomness."""
    tilt = sj.Noise(3).normal(step, 1, (6,))[0] + 0.1 * torch.randn(6)
    return 0.5 * (model.x - TARGET).square().sum() + 0.01 * (tilt * model.x).sum()


def test_finds_the_minimum():
    model = Point()
    train(
        model, lambda m, _: 0.5 * (m.x - TARGET).square().sum(), Training(steps=400, learning_rate=0.05), progress=False
    )
    torch.testing.assert_close(model.x.detach(), TARGET, atol=1e-5, rtol=0)


def test_ends_when_it_is_told_to_and_is_finished_then(tmp_path):
    """As though it had so few steps; and a second call finds it finished."""
    run, settings = Run.create("x", {}, tmp_path / "run"), Training(steps=50, learning_rate=0.1, schedule="constant")
    model, asked = Point(), []

    def until(_, step):
        asked.append(step)
        return step == 6

    train(model, noisy_bowl, settings, run=run, until=until, progress=False)
    assert asked == list(range(7))
    again = Point()
    train(again, noisy_bowl, settings, run=run, until=until, progress=False)
    assert len(asked) == 7
    assert torch.equal(again.x, model.x)
    x = nn.Parameter(torch.zeros(6))
    optimiser = torch.optim.AdamW([x], lr=0.1, weight_decay=0.0)
    for _ in range(7):
        optimiser.zero_grad()
        (0.5 * (x - TARGET).square().sum()).backward()
        optimiser.step()
    plain = Point()
    train(
        plain,
        lambda m, _: 0.5 * (m.x - TARGET).square().sum(),
        settings,
        until=lambda _, step: step == 6,
        progress=False,
    )
    torch.testing.assert_close(plain.x, x)


def test_equals_adamw_by_hand():
    settings = Training(
        steps=30,
        learning_rate=0.1,
        warmup=5,
        floor=0.1,
        weight_decay=0.02,
        betas=(0.8, 0.95),
        clip=0.7,
        average_half_life=4.0,
    )
    model = Point()
    train(model, lambda m, _: 0.5 * (m.x - TARGET).square().sum(), settings, progress=False)
    x, first, second, mean = (torch.zeros(6, dtype=torch.float64) for _ in range(4))
    for k in range(30):
        gradient = x - TARGET.double()
        gradient *= min(1.0, 0.7 / (float(gradient.norm()) + 1e-6))
        rate = 0.1 * rate_factor("cosine", k, 30, 5, 0.1)
        first = 0.8 * first + 0.2 * gradient
        second = 0.95 * second + 0.05 * gradient**2
        x = x * (1 - rate * 0.02)
        x = x - rate * (first / (1 - 0.8 ** (k + 1))) / ((second / (1 - 0.95 ** (k + 1))).sqrt() + 1e-8)
        mean = x + 0.5**0.25 * (mean - x)
    torch.testing.assert_close(model.x.detach().double(), mean, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("stop_at", [1, 37, 80, 199])
def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path, monkeypatch, stop_at):
    settings = Training(steps=200, learning_rate=0.03, average_half_life=20, checkpoint_seconds=0.0, log_every=7)
    torch.manual_seed(1)
    whole = Run.create("whole", {}, tmp_path / "whole")
    expected = Point()
    train(expected, noisy_bowl, settings, run=whole, progress=False)

    def trip(model, step):
        if step == stop_at:
            raise KeyboardInterrupt

    torch.manual_seed(1)
    broken = Run.create("broken", {}, tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        train(Point(), noisy_bowl, settings, run=broken, after_step=trip, progress=False)
    torch.manual_seed(99)  # whatever the new process's random state is
    model = Point()
    train(model, noisy_bowl, settings, run=broken, progress=False)
    assert torch.equal(model.x, expected.x)
    assert broken.metrics() == whole.metrics()
    again = Point()
    train(again, lambda m, _: pytest.fail("a finished training must not train"), settings, run=broken, progress=False)
    assert torch.equal(again.x, expected.x)


def test_schedules():
    assert [rate_factor("linear", k, 10, 2) for k in (0, 1, 2, 6)] == [0.5, 1.0, 1.0, 0.5]
    assert rate_factor("cosine", 5, 10) == pytest.approx(0.5)
    assert rate_factor("cosine", 10, 10, floor=0.1) == pytest.approx(0.1)
    assert rate_factor("constant", 9, 10) == 1.0
    assert [fade(p, 0.2, 0.6, 2) for p in (0.0, 0.2, 0.4, 0.6, 1.0)] == pytest.approx([1, 1, 0.25, 0, 0])


def test_checkpoint_round_trip_and_bad_files(tmp_path):
    tensors = {"a": torch.arange(3), "b": torch.tensor(2.5)}
    checkpoint.save(tmp_path / "c.safetensors", tensors, step=4, name="x")
    loaded, values = checkpoint.load(tmp_path / "c.safetensors")
    assert values == {"step": 4, "name": "x"}
    checkpoint.save(tmp_path / "e.safetensors", many := {f"t{k}": torch.full((k + 1,), k) for k in range(40)})
    assert checkpoint.digest(checkpoint.load(tmp_path / "e.safetensors")[0]) == checkpoint.digest(
        dict(sorted(many.items()))
    )
    assert all(torch.equal(loaded[k], v) for k, v in tensors.items())
    (tmp_path / "d.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(sj.InputError, match="cannot be read as a checkpoint"):
        checkpoint.load(tmp_path / "d.safetensors")
    for options, words in (
        ({"steps": 0}, "steps=0 is below 1"),
        ({"clip": -1.0}, "clip=-1.0 is not above zero; leave it out"),  # else the gradient's sign would change
        ({"average_half_life": 0}, "average_half_life=0 is not above zero"),
        ({"warmup": -1}, "warmup=-1 is below 0"),
        ({"log_every": 0}, "log_every=0 is below 1"),
    ):
        with pytest.raises(sj.InputError, match=words):
            Training(**{"steps": 1} | options)
    assert loop.Training(steps=1).learning_rate == 1e-3
