"""The 1797 handwritten digits of 8 x 8 pixels that come with scikit-learn: small enough to train on in seconds.

Source: E. Alpaydin and C. Kaynak, "Optical recognition of handwritten digits", UCI repository (1998), its test part.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from sojourn.data.batches import permutation
from sojourn.data.images import Images, from_levels
from sojourn.errors import InputError

LEVELS = 17
"""A pixel counts the black ones among 4 x 4: 0 ... 16."""

_TRAIN = 1500


def load_digits(split: Literal["train", "test", "all"] = "all") -> Images:
    """The digits, (n, 1, 8, 8) with 17 grey levels, and their classes: 1500 for training, the other 297 for testing.

    The split is random and always the same, so that both parts have all writers.
    """
    if split not in ("train", "test", "all"):
        raise InputError(f"split={split!r} is not known; choose one of: train, test, all")
    from sklearn import datasets

    images, classes = datasets.load_digits(return_X_y=True)
    order = permutation(len(images), 0, 0)
    order = {"train": order[:_TRAIN], "test": order[_TRAIN:], "all": order}[split]
    k = torch.from_numpy(np.asarray(images)).reshape(-1, 1, 8, 8)[order]
    return Images(from_levels(k, LEVELS), torch.from_numpy(np.asarray(classes)).long()[order], LEVELS, "digits")
