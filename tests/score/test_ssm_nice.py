"""The experiment on a few small images: what it keeps and says, exact resume, and what it refuses."""

import json

import pytest
import torch

from sojourn.data import Images
from sojourn.errors import InputError
from sojourn.experiments import ssm_nice
from sojourn.experiments.ssm_nice import SsmNice, logits
from sojourn.noise import Noise
from sojourn.runs import Run

SMALL = {"epochs": 1, "batch": 20, "hidden": 8, "evaluated": 20, "projections": 2}


@pytest.fixture(autouse=True)
def images(monkeypatch):
    def load(split):
        levels = torch.randint(256, (60, 1, 28, 28), generator=torch.Generator().manual_seed(len(split)))
        return Images(2 * levels / 255 - 1, None, 256, "mnist")

    monkeypatch.setattr(ssm_nice, "load_mnist", load)
    monkeypatch.setattr(ssm_nice, "_TRAINED", 60)


def test_objectives_are_measured_beside_the_published_ones(tmp_path):
    names = ("likelihood", "sliced_reduced", "sliced", "denoising", "curvature_propagation")
    experiment = SsmNice(objectives=names, **SMALL)
    run = Run.create("ssm-nice", experiment.settings(), tmp_path / "run")
    story = "\n".join(experiment.run(run))
    for word in ("-8054", "-3355", "SSM-VR", "CP", "epochs: 1"):
        assert word in story
    found = {name: json.loads((tmp_path / "run" / f"measured-{name}.json").read_text()) for name in names}
    assert len({row["loss"]["value"] for row in found.values()}) == len(names)
    assert all(row["log_likelihood"]["interval"][0] < row["log_likelihood"]["value"] for row in found.values())
    assert all((tmp_path / "run" / "figures" / f"{name}.png").stat().st_size > 10_000 for name in names)
    (tmp_path / "run" / "measured-sliced.json").unlink()
    experiment.run(run)  # from its checkpoint
    assert json.loads((tmp_path / "run" / "measured-sliced.json").read_text()) == found["sliced"]


def test_logits_are_those_of_the_protocol():
    x = torch.rand(50, 784)
    y = torch.sigmoid(logits(x, Noise(0), 3))
    assert float(y.min()) >= 1e-3 - 1e-6
    assert float(y.max()) <= 1 - 1e-3 + 1e-6
    inside = (x > 0.01) & (x < 0.99)
    assert float((y - x)[inside].abs().max()) <= 1 / 512 + 1e-6


def test_wrong_settings_are_refused():
    with pytest.raises(InputError, match=r"objectives=\['exact'\] is not known; choose from sliced_reduced"):
        SsmNice(objectives=("exact",))
    with pytest.raises(InputError, match="epochs=0 is below 1"):
        SsmNice(epochs=0)
    with pytest.raises(InputError, match="rate=0 is not a finite number above zero"):
        SsmNice(rate=0)
    with pytest.raises(InputError, match="sigma=inf is not a finite number above zero"):
        SsmNice(sigma=float("inf"))
    with pytest.raises(InputError, match="evaluated=20000 is above the 10,000 test images"):
        SsmNice(evaluated=20_000)
