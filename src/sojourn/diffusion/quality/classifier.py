"""A small classifier that the program trains itself, whose last hidden layer gives features to measure distances in.

These are NOT the features of Inception-v3: distances in them compare with each other, under one classifier, and with
no published FID.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import nn
from torch.nn import functional

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import clopper_pearson
from sojourn.data.batches import batch_indices
from sojourn.data.images import Images, check_images
from sojourn.diffusion.quality.frechet import frechet_distance
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.runs import Run
from sojourn.training.loop import Training, train

_BATCH = 128
_AT_ONCE = 1000


class Classifier(nn.Module):
    """Two convolutions 3x3, each with ReLU and a pooling by two, then a hidden layer and the classes' logits.

    Args:
        shape: (channels, height, width) of an image; height and width 4 or more.
        classes: how many.
        width: channels of the first convolution; the second has twice as many.
        features: units of the hidden layer.

    Raises:
        InputError: images that are too small.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int, *, width: int = 16, features: int = 64) -> None:
        super().__init__()
        channels, height, breadth = shape
        if height < 4 or breadth < 4:
            raise InputError(f"images of {height} x {breadth} pixels are too small to halve twice; use 4 x 4 or more")
        self.shape = shape
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.hidden = nn.Linear(2 * width * (height // 4) * (breadth // 4), features)
        self.logits = nn.Linear(features, classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """The last hidden layer, (n, features)."""
        return functional.relu(self.hidden(self.convolutions(x).flatten(1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits(self.features(x))


def train_classifier(
    images: Images,
    *,
    steps: int = 1500,
    seed: int = 0,
    run: Run | None = None,
    stage: str = "classifier",
    progress: bool = True,
) -> Classifier:
    """A classifier of labelled images, trained with batches of 128 on the cross-entropy.

    With a `run`, its weights stay in checkpoints/<stage>.safetensors, and a second call takes them from there.

    Raises:
        InputError: the images have no classes, or are outside [-1, 1].
    """
    check_images(images.x)
    labels = _classes(images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Noise(seed).split("classifier").stream)
        network = Classifier(tuple(images.x.shape[1:]), int(labels.max()) + 1)  # type: ignore[arg-type]
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 1.8 times as fast on one core

    def objective(model: nn.Module, step: int) -> torch.Tensor:
        chosen = batch_indices(len(labels), _BATCH, step=step, seed=seed)
        x = images.x[chosen].contiguous(memory_format=torch.channels_last)
        return functional.cross_entropy(model(x), labels[chosen])

    settings = Training(steps=steps, learning_rate=2e-3, warmup=steps // 20, weight_decay=0.01)
    train(network, objective, settings, run=run, stage=stage, progress=progress)
    return network.eval()


@torch.no_grad()
def features(network: Classifier, x: torch.Tensor) -> torch.Tensor:
    """Features of images (n, channels, height, width), float32 (n, features), in pieces of 1000.

    Raises:
        InputError: the images have another shape than the classifier's, or are not in [-1, 1].
    """
    _check(network, x)
    return torch.cat([network.features(piece) for piece in x.split(_AT_ONCE)])


@torch.no_grad()
def accuracy(network: Classifier, images: Images, *, confidence: float = 0.95) -> Estimate:
    """The probability that the classifier is right on images like these, which it did not learn from."""
    _check(network, images.x)
    answers = torch.cat([network(piece).argmax(dim=1) for piece in images.x.split(_AT_ONCE)])
    return clopper_pearson(int((answers == _classes(images)).sum()), len(answers), confidence=confidence)


def classifier_frechet(
    network: Classifier, real: torch.Tensor, generated: torch.Tensor, *, confidence: float = 0.95
) -> Estimate:
    """`frechet_distance` in the features of `network`, of images (n, ...) and (m, ...); it says so in its limits."""
    found = frechet_distance(features(network, real), features(network, generated), confidence=confidence)
    note = "comparison with a published FID: the features are those of the program's own classifier, not of Inception"
    return dataclasses.replace(found, limits=(note, *found.limits))


def _classes(images: Images) -> torch.Tensor:
    if images.labels is None or images.labels.is_floating_point():
        raise InputError(f"the images of {images.name!r} have no classes; give a set whose labels are whole numbers")
    if images.labels.shape != (len(images),) or int(images.labels.min()) < 0:
        raise InputError(
            f"the labels of {images.name!r} have shape {tuple(images.labels.shape)} and begin at "
            f"{int(images.labels.min())}; give a class 0, 1, ... for each of the {len(images)} images"
        )
    return images.labels


def _check(network: Classifier, x: torch.Tensor) -> None:
    check_images(x)
    if tuple(x.shape[1:]) != tuple(network.shape):
        raise InputError(f"images have shape {tuple(x.shape)}; this classifier knows (n, {str(network.shape)[1:]}")
