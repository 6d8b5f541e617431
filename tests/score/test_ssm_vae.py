"""The experiment on a few small images: what it keeps and says, exact resume, and what it refuses."""

import json
import math
from typing import Any

import pytest
import torch

from sojourn.data import Images
from sojourn.errors import InputError
from sojourn.experiments import ssm_vae
from sojourn.experiments.ssm_vae import SsmVae, binary
from sojourn.noise import Noise
from sojourn.runs import Run
from sojourn.score.implicit import BernoulliDecoder
from sojourn.score.normal import log_normal

SMALL = {"steps": 3, "batch": 8, "hidden": 4, "latents": (2,), "evaluated": 6, "temperatures": 3, "chains": 3}


@pytest.fixture(autouse=True)
def images(monkeypatch):
    def load(split):
        levels = torch.randint(256, (10_000, 1, 28, 28), generator=torch.Generator().manual_seed(len(split)))
        return Images(2 * levels / 255 - 1, None, 256, "mnist")

    monkeypatch.setattr(ssm_vae, "load_mnist", load)
    monkeypatch.setattr(ssm_vae, "_CHAINS", 12)  # four images at a time


def results(folder):
    return json.loads((folder / "run.json").read_text())["results"]["nll"]


def test_models_are_measured_and_an_interruption_changes_nothing(tmp_path):
    experiment = SsmVae(**SMALL)
    run = Run.create("ssm-vae", experiment.settings(), tmp_path / "run")
    story = "\n".join(experiment.run(run))
    for word in (
        "VAE, ELBO",
        "VAE, SSM",
        "WAE, SSM",
        "6 test images, 3 steps",
        "above the truth in mean",
        "above ELBO",
    ):
        assert word in story
    found = results(tmp_path / "run")
    assert len({row["value"] for row in found.values()}) == 3
    assert all(row["interval"][0] < row["value"] < row["interval"][1] for row in found.values())
    for name in ("samples", "likelihoods"):
        assert (tmp_path / "run" / "figures" / f"{name}.png").stat().st_size > 5000
    (tmp_path / "run" / "likelihoods" / "ssm-2-0001.json").unlink()  # images 4 and 5, from the model's checkpoint
    experiment.run(run)
    assert results(tmp_path / "run") == found


def test_likelihoods_of_a_decoder_agree_with_quadrature():
    """Codes of one number: the integral over a fine grid, and mean weights whose logarithms vary by 0.1; six times that
    is crossed by an image with 2e-9."""
    torch.manual_seed(0)
    decoder: Any = BernoulliDecoder(1, 784, hidden=8).requires_grad_(False)
    decoder.network[-1].weight *= 4  # so that images tell their codes within 0.1 to 0.3
    z = torch.linspace(-6, 6, 2001)[:, None]
    x = torch.bernoulli(decoder.mean(torch.tensor([[-1.5], [0.2], [1.0]])))
    joint = log_normal(z)[:, None] + decoder.log_likelihood(x, z[:, None])
    exact = joint.logsumexp(0) + math.log(12 / 2000)
    found = SsmVae(temperatures=100, chains=128)._weigh(decoder, x, 1, Noise(1))["log_likelihood"]
    assert torch.allclose(torch.tensor(found), exact, atol=0.6)


def test_pixels_are_drawn_with_their_grey_levels():
    """Six standard errors of a binomial share: false alarms 2e-9 each."""
    levels = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
    share = binary(levels.expand(40_000, 5), Noise(0), 0).mean(0)
    assert bool(((share - levels).abs() <= 6 * (levels * (1 - levels) / 40_000).sqrt()).all())


def test_wrong_settings_are_refused():
    with pytest.raises(InputError, match=r"models=\['gan'\] is not known; choose from elbo, ssm, wae"):
        SsmVae(models=("gan",))
    with pytest.raises(InputError, match=r"latents=\(8, 0\): give numbers of a code, each 1 or more"):
        SsmVae(latents=(8, 0))
    with pytest.raises(InputError, match="chains=1 is below 2"):
        SsmVae(chains=1)
    with pytest.raises(InputError, match="temperatures=0 is below 1"):
        SsmVae(temperatures=0)
    with pytest.raises(InputError, match="evaluated=20000 is above the 10,000 test images"):
        SsmVae(evaluated=20_000)
    with pytest.raises(InputError, match="batch=8 has no covariance of 8 numbers; make it larger"):
        SsmVae(latents=(8,), batch=8)
