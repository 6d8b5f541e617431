"""Dropout is for training: what is measured or drawn is measured and drawn without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in its evaluation mode inside, and in the mode that it had before afterwards."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
