"""How a model runs: without dropout where something is measured or drawn, and on threads that do not fight.

Dropout is for training. The U-Net brings threads of its own to a CPU; PyTorch's would spin beside them, waiting for
work, and on two cores that costs from a third to ten times, so it gets one there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from torch import nn

from sojourn.kernels.threads import one_thread


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in its evaluation mode inside, and in the mode that it had before afterwards."""
    training = model.training
    model.eval()
    try:
        with undisturbed(model):
            yield
    finally:
        model.train(training)


def undisturbed(model: Any) -> Any:
    """A context in which PyTorch has one thread, if the model's network brings its own (`brings_threads`)."""
    weight = next(model.parameters(), None)
    own = getattr(model.network, "brings_threads", False) and weight is not None and weight.device.type == "cpu"
    return one_thread() if own else nullcontext()
