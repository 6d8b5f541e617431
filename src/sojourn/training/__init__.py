"""One training loop for everything that is learned: `train(model, objective, Training(steps=...))`."""

from sojourn.training.averages import PowerAverage
from sojourn.training.loop import Training, train

__all__ = ["PowerAverage", "Training", "train"]
