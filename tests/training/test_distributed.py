"""Two processes under torchrun train what one process trains."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

import sojourn as sj
from sojourn.runs import Run
from sojourn.training import checkpoint, distributed
from sojourn.training.averages import PowerAverage
from sojourn.training.loop import Training, train


def network():
    with torch.random.fork_rng():
        torch.manual_seed(3 + distributed.place()[0])  # process 0's weights are those that count
        model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 4), nn.Linear(1, 1))  # the last is never used
        model[2].weight.data = model[2].weight.data.T.contiguous().T
        return model


def objective(model, step):
    """Score matching, which needs a second derivative; of step 5 a gradient of the other process is not finite."""
    first, count = distributed.share(32)
    x = sj.Noise(9).members(first).normal(step, count, (4,)).requires_grad_()
    score = model[:3](x)
    slope = torch.autograd.grad(score.sum(), x, create_graph=True)[0]
    loss = (0.5 * score.square().sum(1) + slope.sum(1)).mean()
    return loss * float("nan") if step == 5 and first + count == 32 else loss


def train_once(run, steps):
    settings = Training(
        steps=steps,
        learning_rate=3e-3,
        schedule="constant",
        clip=1.0,
        weight_decay=0.01,
        average=PowerAverage(0.1),
        log_every=10,
    )
    model = network()
    train(model, objective, settings, run=run, progress=False)
    return model


def main(folder, way):
    """What each process does: train, go on for longer, and keep what it has; or meet a checkpoint of other settings."""
    rank, _ = distributed.place()
    if way == "refuse":
        run = Run.open(folder / "run") if rank == 0 else None
        try:
            train(network(), objective, Training(steps=60, learning_rate=1.0), run=run, progress=False)
        except sj.InputError as error:
            (folder / f"refused-{rank}.txt").write_text(str(error))
        return
    run = Run.create("two", {}, folder / "run") if rank == 0 else None
    train_once(run, 25)
    model = train_once(run, 60)
    checkpoint.save(folder / f"end-{rank}.safetensors", dict(model.state_dict()))


def two_processes(folder, way):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, __file__, str(folder), way], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_processes_train_what_one_does(tmp_path):
    two_processes(tmp_path, "train")
    alone = Run.create("one", {}, tmp_path / "alone")
    train_once(alone, 25)
    expected = train_once(alone, 60).state_dict()
    ends = [checkpoint.load(tmp_path / f"end-{rank}.safetensors")[0] for rank in (0, 1)]
    start = network().state_dict()
    for name, tensor in expected.items():
        assert torch.equal(ends[0][name], ends[1][name])
        torch.testing.assert_close(ends[0][name], tensor, rtol=1e-4, atol=1e-5)
    assert float((expected["0.weight"] - start["0.weight"]).abs().max()) > 0.05
    assert torch.equal(ends[0]["3.weight"], start["3.weight"])
    pairs = list(zip(Run.open(tmp_path / "run").metrics(), alone.metrics(), strict=True))
    assert len(pairs) == 7
    for two, one in pairs:
        assert (two["step"], two["skipped"]) == (one["step"], one["skipped"])
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-3, abs=1e-4)
    two_processes(tmp_path, "refuse")
    refusals = [(tmp_path / f"refused-{rank}.txt").read_text() for rank in (0, 1)]
    assert "learning_rate=0.003" in refusals[0]
    assert "learning_rate=0.003" in refusals[1]


def test_shares_partition_the_batch(monkeypatch):
    assert distributed.share(7) == (0, 7)
    monkeypatch.setenv("WORLD_SIZE", "4")
    found = []
    for rank in range(4):
        monkeypatch.setenv("RANK", str(rank))
        first, count = distributed.share(12)
        found += range(first, first + count)
    assert found == list(range(12))
    with pytest.raises(sj.InputError, match="batch=10 cannot be shared equally by 4 processes; choose a multiple of 4"):
        distributed.share(10)


if __name__ == "__main__":
    from pathlib import Path

    main(Path(sys.argv[1]), sys.argv[2])
