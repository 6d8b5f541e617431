"""The program's own classifier: it learns, its features tell real from spoilt images, its weights stay in the run."""

import dataclasses

import pytest
import torch

from sojourn import InputError, data
from sojourn.data import idx
from sojourn.diffusion import quality
from sojourn.noise import Noise
from sojourn.runs import Run

HAS_MNIST = (idx.data_folder() / "mnist").is_dir()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run.create("test", {}, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def classifier(run):
    return quality.train_classifier(data.load_digits("train"), steps=400, run=run, progress=False)


def test_it_learns_the_digits(classifier):
    assert quality.accuracy(classifier, data.load_digits("test")).value > 0.97


def test_it_is_taken_from_the_run(classifier, run):
    again = quality.train_classifier(data.load_digits("train"), steps=400, run=run, progress=False)
    for name, weight in classifier.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
    rows = run.metrics("classifier")
    assert [row["step"] for row in rows] == [100, 200, 300, 400]


def test_features_are_what_the_logits_are_made_of(classifier):
    x = data.load_digits("test").x
    found = quality.features(classifier, x)
    torch.testing.assert_close(found[7:9], quality.features(classifier, x[7:9]), atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(classifier.logits(found), classifier(x), atol=1e-4, rtol=1e-4)


def test_distance_grows_with_the_damage(classifier):
    train, test = data.load_digits("train").x, data.load_digits("test").x
    noise = Noise(0).normal(0, len(test), (1, 8, 8))
    distances = [
        quality.classifier_frechet(classifier, train, (test + size * noise).clamp(-1, 1)) for size in (0.0, 0.6, 1.5)
    ]
    clean, some, much = distances
    assert clean.high < some.low
    assert some.high < much.low
    assert "not of Inception" in clean.limits[0]


def test_bad_input(classifier):
    digits = data.load_digits("test")
    with pytest.raises(InputError, match="the images of 'digits' have no classes; give a set whose labels are whole"):
        quality.train_classifier(dataclasses.replace(digits, labels=None), progress=False)
    assert digits.labels is not None
    for labels in (digits.labels[:5], digits.labels - 1):
        with pytest.raises(InputError, match=r"give a class 0, 1, \.\.\. for each of the 297 images"):
            quality.train_classifier(dataclasses.replace(digits, labels=labels), progress=False)
    with pytest.raises(InputError, match="images of 3 x 8 pixels are too small to halve twice"):
        quality.Classifier((1, 3, 8), 2)
    with pytest.raises(InputError, match=r"images have shape \(2, 1, 9, 9\); this classifier knows \(n, 1, 8, 8\)"):
        quality.features(classifier, torch.zeros(2, 1, 9, 9))
    with pytest.raises(InputError, match=r"outside \[-1, 1\]"):
        quality.features(classifier, digits.x + 1)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_MNIST, reason="MNIST is not in the data folder")
def test_it_learns_mnist():
    classifier = quality.train_classifier(data.load_mnist(), progress=False)
    assert quality.accuracy(classifier, data.load_mnist("test")).low > 0.985
