"""Resume: nothing changes unseen. Dropout, skipped steps and averages go on to the bit; other settings are refused."""

import json

import pytest
import torch
from torch import nn

import sojourn as sj
from sojourn.runs import Run
from sojourn.training import checkpoint
from sojourn.training.averages import PowerAverage, reconstruct
from sojourn.training.loop import Training, train


def network(width=8):
    return nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Dropout(0.3), nn.Linear(width, 1))


def start(seed=0, **shape):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return network(**shape)


def rough(model, step):
    """Regression with dropout; every fourth gradient is not finite."""
    x = sj.Noise(4).normal(step, 16, (3,))
    loss = (model(x)[:, 0] - x.prod(1)).square().mean()
    return loss / 0.0 if step % 4 == 1 else loss


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def interrupted(settings, run, stop_at, objective=rough):
    def trip(model, step):
        if step == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(start(), objective, settings, run=run, after_step=trip, progress=False)


@pytest.mark.parametrize("stop_at", [6, 50, 99])
def test_dropout_skips_and_power_averages_resume_to_the_bit(tmp_path, stop_at):
    settings = Training(
        steps=100, learning_rate=0.01, clip=1.0, average=PowerAverage(0.08), checkpoint_seconds=0.0, log_every=5
    )
    torch.manual_seed(1)
    whole = Run.create("whole", {}, tmp_path / "whole")
    expected = start()
    train(expected, rough, settings, run=whole, progress=False)
    after = torch.randn(3)
    torch.manual_seed(1)
    broken = Run.create("broken", {}, tmp_path / "broken")
    interrupted(settings, broken, stop_at)
    torch.manual_seed(99)
    model = start()
    train(model, rough, settings, run=broken, progress=False)
    assert torch.equal(weights(model), weights(expected))
    assert torch.equal(torch.randn(3), after)
    assert broken.metrics() == whole.metrics()
    assert [row["skipped"] for row in whole.metrics()][-1] == 25
    for sigma_rel in (0.06, 0.12):
        one, other = (reconstruct(run, sigma_rel=sigma_rel) for run in (whole, broken))
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_logging_and_checkpointing_more_often_changes_nothing(tmp_path):
    ends = []
    for log_every, seconds in [(1, 0.0), (50, 1e9)]:
        torch.manual_seed(1)
        model, run = start(), Run.create("r", {}, tmp_path / str(log_every))
        settings = Training(steps=60, log_every=log_every, checkpoint_seconds=seconds)
        train(model, rough, settings, run=run, measure=lambda m, s: {"draw": float(torch.rand(()))}, progress=False)
        ends.append(weights(model))
    assert torch.equal(*ends)


@pytest.mark.parametrize("schedule", ["constant", "inverse_sqrt"])
def test_a_rate_that_does_not_look_ahead_can_go_on_for_longer(tmp_path, schedule):
    def settings(steps):
        return Training(
            steps=steps, learning_rate=0.01, schedule=schedule, warmup=10, hold=20, average=PowerAverage(0.1)
        )

    torch.manual_seed(1)
    expected = start()
    train(expected, rough, settings(90), run=Run.create("whole", {}, tmp_path / "whole"), progress=False)
    run = Run.create("longer", {}, tmp_path / "longer")
    torch.manual_seed(1)
    train(start(), rough, settings(40), run=run, progress=False)
    model = start()
    train(model, rough, settings(90), run=run, progress=False)
    assert torch.equal(weights(model), weights(expected))
    with pytest.raises(
        sj.InputError, match="was trained with steps=90 and is now asked for steps=30; resume with the old"
    ):
        train(start(), rough, settings(30), run=run, progress=False)


def test_a_resume_as_something_else_is_refused(tmp_path):
    run = Run.create("r", {}, tmp_path / "r")
    old = {"steps": 20, "learning_rate": 0.01, "betas": (0.9, 0.99), "checkpoint_seconds": 0.0}
    interrupted(Training(**old), run, 10)
    cases = [
        (
            {"learning_rate": 0.02},
            r"trained with learning_rate=0.01 and is now asked for learning_rate=0.02; resume with",
        ),
        (
            {"betas": (0.9, 0.95), "clip": 1.0},
            r"betas=\[0.9, 0.99\], clip=None and is now .* betas=\[0.9, 0.95\], clip=1.0",
        ),
        ({"average": PowerAverage(0.1)}, r"average=None and is now asked for average=\{'sigma_rel': 0.1\}"),
        ({"steps": 30}, r"steps=20 .* steps=30; .*the past of a cosine rate depends on steps"),
    ]
    for change, message in cases:
        with pytest.raises(sj.InputError, match=message) as caught:
            train(start(), rough, Training(**old | change), run=run, progress=False)
        assert "\n" not in str(caught.value)
    with pytest.raises(sj.InputError, match=r"0.weight is float32 \(8, 3\) there and float32 \(9, 3\) here; make the"):
        train(start(width=9), rough, Training(**old), run=run, progress=False)
    with pytest.raises(sj.InputError, match=r"4.weight is missing there and float32 \(1, 1\) here"):
        train(start().append(nn.Linear(1, 1)), rough, Training(**old), run=run, progress=False)
    with pytest.raises(sj.InputError, match=r"3.bias is float32 \(1,\) there and missing here"):
        train(start()[:3], rough, Training(**old), run=run, progress=False)
    train(start(), rough, Training(**old | {"log_every": 1, "checkpoint_seconds": 3.0}), run=run, progress=False)


def test_checkpoints_from_before_settings_were_stored_are_still_read(tmp_path):
    def smooth(model, step):
        x = sj.Noise(4).normal(step, 16, (3,))
        return (model[3](model[1](model[0](x)))[:, 0] - x.prod(1)).square().mean()

    settings = Training(steps=30, average_half_life=5.0, checkpoint_seconds=0.0)
    expected = start()
    train(expected, smooth, settings, run=Run.create("w", {}, tmp_path / "w"), progress=False)
    run = Run.create("old", {}, tmp_path / "old")
    interrupted(settings, run, 15, smooth)
    path = run.path / "checkpoints" / "training.safetensors"
    tensors, values = checkpoint.load(path)
    assert json.loads(json.dumps(values["settings"]))["average_half_life"] == 5.0
    checkpoint.save(path, tensors | {"random": torch.get_rng_state()}, step=values["step"])
    model = start()
    train(model, smooth, settings, run=run, progress=False)
    assert torch.equal(weights(model), weights(expected))
