"""One step: gradients that are not finite are skipped, bfloat16 learns as float32 does, fused AdamW repeats itself."""

import math

import pytest
import torch
from torch import nn

import sojourn as sj
from sojourn.observers import NonFiniteError
from sojourn.runs import Run
from sojourn.training import checkpoint
from sojourn.training.loop import MOST_SKIPPED, Training, train
from sojourn.training.schedules import rate_factor


class Point(nn.Module):
    def __init__(self):
        super().__init__()
        self.x = nn.Parameter(torch.zeros(6))


def bowl(model, step):
    return (model.x - sj.Noise(2).normal(step, 1, (6,))[0]).square().sum()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_a_step_that_is_not_finite_leaves_no_trace(tmp_path, bad, clip):
    settings = {"learning_rate": 0.05, "schedule": "constant", "clip": clip, "average_half_life": 3.0}
    skipped, called = {0, 4, 5, 11}, []
    taken = [step for step in range(20) if step not in skipped]

    def broken(model, step):
        loss = bowl(model, step)
        return loss + (bad * model.x[2] if step in skipped else 0.0)

    run, model, expected = Run.create("r", {}, tmp_path / "r"), Point(), Point()
    train(
        model,
        broken,
        Training(steps=20, log_every=4, **settings),
        run=run,
        after_step=lambda m, s: called.append(s),
        progress=False,
    )
    train(expected, lambda m, k: bowl(m, taken[k]), Training(steps=16, **settings), progress=False)
    assert torch.equal(model.x, expected.x)
    assert called == taken
    assert [row["skipped"] for row in run.metrics()] == [1, 3, 4, 4, 4]
    assert all(math.isfinite(row["loss"]) for row in run.metrics())


def test_a_training_that_only_skips_ends_with_one_line(tmp_path):
    def objective(model, step):
        return bowl(model, step) * (float("nan") if step >= 7 else 1.0)

    run = Run.create("r", {}, tmp_path / "r")
    settings = Training(steps=100, checkpoint_seconds=0.0)
    for _ in range(2):  # the count goes on from the checkpoint
        with pytest.raises(NonFiniteError) as caught:
            train(Point(), objective, settings, run=run, progress=False)
        assert str(caught.value) == (
            "the gradient of training was not finite in 20 steps up to step 27; "
            "lower learning_rate=0.001, set clip, or mend the data"
        )
    values = checkpoint.load(run.path / "checkpoints" / "training.safetensors")[1]
    assert (values["step"], values["skipped"], values["in_a_row"]) == (26, MOST_SKIPPED - 1, MOST_SKIPPED - 1)


def test_bfloat16_learns_nearly_as_well_and_keeps_float32_weights(tmp_path):
    def fit(model, step):
        x = 2 * sj.Noise(6).uniform(step, 128, (1,)) - 1
        seen.add(model[0](x).dtype)
        return (model(x).float() - torch.sin(3 * x)).square().mean()

    losses, seen = {}, set()
    for precision in ("float32", "bfloat16"):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(1, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
        run = Run.create("r", {}, tmp_path / precision)
        settings = Training(steps=600, learning_rate=5e-3, precision=precision, average_half_life=10.0)
        train(model, fit, settings, run=run, progress=False)
        tensors = checkpoint.load(run.path / "checkpoints" / "training.safetensors")[0]
        assert {t.dtype for t in tensors.values()} == {torch.float32}
        x = torch.linspace(-1, 1, 201)[:, None]
        losses[precision] = float((model(x).detach() - torch.sin(3 * x)).square().mean())
    assert seen == {torch.float32, torch.bfloat16}
    assert losses["float32"] < 1e-3
    assert losses["bfloat16"] < 1e-3


def test_a_training_is_the_same_to_the_bit_with_any_number_of_threads():
    ends, threads = [], torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            model = nn.ParameterList([torch.zeros(n) for n in (100_003, 17)])
            draw = sj.Noise(1).normal(0, 1, (100_003,))[0]
            train(
                model,
                lambda m, k, d=draw: (m[0] * d).sin().sum() + (m[1] - k).square().sum(),
                Training(steps=5, weight_decay=0.1, average_half_life=2.0),
                progress=False,
            )
            ends.append(torch.cat([p.detach() for p in model]))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(ends[0], ends[1])
    assert torch.equal(ends[0], ends[2])


def test_warm_up_then_constant_and_the_inverse_square_root():
    assert [rate_factor("constant", k, 10, 4) for k in (0, 1, 3, 4, 9)] == [0.25, 0.5, 1.0, 1.0, 1.0]
    found = [rate_factor("inverse_sqrt", k, 10, 4, hold=25) for k in (1, 10, 25, 100, 400)]
    assert found == pytest.approx([0.5, 1.0, 1.0, 0.5, 0.25])


def test_bad_settings():
    for bad, message in [
        ({"schedule": "cosin"}, "schedule='cosin' is not known; choose from constant, cosine, linear, inverse_sqrt"),
        ({"precision": "float16"}, "precision='float16' is not known; choose from float32, bfloat16"),
        ({"schedule": "inverse_sqrt", "warmup": 9}, "hold=0 ends before the warm-up does; choose at least 9"),
    ]:
        with pytest.raises(sj.InputError) as caught:
            Training(steps=10, **bad)
        assert str(caught.value) == message
