"""Which data a training step sees: a pure function of the step, so that a resumed training goes on exactly."""

from __future__ import annotations

from functools import lru_cache

import torch

from sojourn.errors import InputError
from sojourn.noise import Noise


def batch_indices(n: int, batch: int, *, step: int, seed: int) -> torch.Tensor:
    """Places batch * step, ..., batch * (step + 1) - 1 of an endless sequence of random permutations of 0 ... n - 1.

    So every n places hold each index once, whatever the size of a batch; a batch may reach from one permutation into
    the next. int64, (batch,), on the CPU.

    Args:
        n: number of data.
        batch: indices asked for.
        step: 0, 1, ...
        seed: of the permutations; another seed gives independent ones.
    """
    for name, value, least in (("n", n, 1), ("batch", batch, 1), ("step", step, 0)):
        if value < least:
            raise InputError(f"{name}={value} is below {least}")
    first, end = batch * step, batch * (step + 1)
    pieces = [
        permutation(n, epoch, seed)[max(first - n * epoch, 0) : end - n * epoch]
        for epoch in range(first // n, (end - 1) // n + 1)
    ]
    return torch.cat(pieces)


@lru_cache(maxsize=4)
def permutation(n: int, epoch: int, seed: int) -> torch.Tensor:
    """A random order of 0 ... n - 1, by sorting n random numbers of 62 bits; do not change it in place."""
    words = Noise(seed).split("permutation").words(epoch, n, (2,))
    return torch.argsort((words[:, 0] << 30) + (words[:, 1] >> 2), stable=True)
