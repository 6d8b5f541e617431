"""Networks of several steps: the search's loss against PyTorch, what it learns, and that it sees only futures."""

import numpy as np
import pytest
import torch

import sojourn as sj
from sojourn.experiments.base import Experiment
from sojourn.experiments.springer_kenyon import SpringerKenyon
from sojourn.kernels import tied_search
from sojourn.learning import many_steps
from sojourn.learning.many_steps import fits, futures, learn_many_steps, repeat, sharpen
from sojourn.learning.networks import LifeNetwork, LifeNetworks
from sojourn.runs import Run

FOUND = np.array(
    [-0.25, 1.31, -4.73, -0.38, -0.43, 1.25, -10.24, -5.61, 1.19], np.float32
)  # one search's result, n = 5


def test_the_futures_are_the_futures():
    data = futures("B3/S23", 3, boards=8, side=12, seed=4)
    for before, after in zip(data.before, data.after, strict=True):
        later = sj.Life(shape=(12, 12)).advance({"cell": torch.from_numpy(before)}, 0, 3, sj.Noise(0))["cell"]
        np.testing.assert_array_equal(after, later.numpy())
    assert 0.02 < data.before[0].mean() < 0.3 < data.before[1].mean() < 0.7


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_search_loss_is_one_minus_r_squared_of_the_network(steps):
    noise = sj.Noise(5)
    height, width = 9, 13
    cells = sj.Life(shape=(height, width)).initial(6, noise)["cell"].numpy()
    target = sj.Life(shape=(height, width)).initial(6, noise.split("y"))["cell"].numpy()
    x, y = (np.zeros((6, (height + 2) * (width + 2)), np.float32) for _ in range(2))
    for k in range(6):
        tied_search._flatten(cells[k], x[k])
        tied_search._flatten(target[k], y[k])
    field, sums = np.zeros(x.shape[1], np.float32), np.zeros(x.shape[1], np.float32)
    for trial in range(5):
        theta = FOUND + 0.05 * trial * noise.normal(trial, 1, (9,))[0].numpy()
        ours = tied_search._loss(theta, x, y, steps, height, width, field, sums)
        network = LifeNetworks(1, noise=None)
        many_steps._write(network, theta)
        stages = repeat(network.pick(0), steps)
        with torch.no_grad():
            stages.readout.weight.fill_(1.0)
            stages.readout.bias.fill_(0.0)
            value = stages(torch.from_numpy(cells).float()[:, None])[:, 0].double().numpy()
        weight = np.where(target == 1, 0.5 / target.sum(), 0.5 / (1 - target).sum())
        mean, label = (weight * value).sum(), (weight * target).sum()
        variance = (weight * (value - mean) ** 2).sum()
        covariance = (weight * (value - mean) * (target - label)).sum()
        expected = 1 - covariance**2 / ((variance + 1e-6) * 0.25) if variance > 1e-9 else 2.0
        assert ours == pytest.approx(expected, abs=2e-4)


def test_sharpening_keeps_the_rule_and_brings_margins():
    sharp = sharpen(FOUND)
    certificate = sj.certify(repeat(sharp, 5), "B3/S23")
    assert certificate.exact
    assert certificate.margin > 3.9
    assert fits(repeat(sharp, 3), futures("B3/S23", 3, boards=16))
    assert not fits(repeat(sharp, 3), futures("B36/S23", 3, boards=16))


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "count"), [(2, 8), (3, 6), (5, 3)])
def test_all_networks_are_learned_and_proved(steps, count):
    data = futures("B3/S23", steps, boards=128, seed=steps)
    found = learn_many_steps(count, steps, data, noise=sj.Noise(steps))
    certificates = [sj.certify(f.network, "B3/S23") for f in found]
    assert all(c.exact and c.kind == "compositional" for c in certificates)
    assert all(f.network.parameter_count == 23 * steps + 2 for f in found)
    (again,) = learn_many_steps(2, steps, data, noise=sj.Noise(steps), first=1)  # alone, or among all: the same
    assert again.network.digest == found[1].network.digest
    assert again.trials == found[1].trials


def test_a_budget_that_runs_out_is_said():
    (found,) = learn_many_steps(1, 5, futures("B3/S23", 5, boards=8), noise=sj.Noise(0), trials=1)
    assert found.network is None
    assert found.trials > 0


@pytest.mark.slow
def test_the_experiment_resumes_to_the_same_results(tmp_path, monkeypatch):
    experiment = SpringerKenyon(networks=3, steps=(1, 2), widths=(1,), seed=1)
    whole, broken = (Run.create("springer-kenyon", experiment.settings(), tmp_path / n) for n in ("whole", "broken"))
    lines = experiment.run(whole)
    text = "\n".join(lines)
    assert "3 of 3: 100.0% [29.2, 100.0]" in text  # (0.05 / 2)^(1/3)
    assert "95%, Clopper-Pearson, at this n, each by itself" in text
    cell = whole.record["results"]["cells"][0]
    assert cell["exact_rate"]["interval"] == [pytest.approx(0.025 ** (1 / 3)), 1.0]
    assert cell["exact_rate"]["limits"] == ["other training boards, which all networks share"]
    save, saved = LifeNetwork.save, []

    def trip(network, path):
        if len(saved) == 2:
            raise KeyboardInterrupt
        saved.append(path)
        save(network, path)

    with monkeypatch.context() as tripped:
        tripped.setattr(LifeNetwork, "save", trip)
        with pytest.raises(KeyboardInterrupt):
            experiment.run(broken)
    restored: Experiment = SpringerKenyon.from_settings(Run.open(tmp_path / "broken").record["settings"])
    assert restored.run(Run.open(tmp_path / "broken")) == [line.replace("whole", "broken") for line in lines]
    assert Run.open(tmp_path / "broken").record["results"] == whole.record["results"]
    assert Run.open(tmp_path / "broken").metrics() == whole.metrics()
