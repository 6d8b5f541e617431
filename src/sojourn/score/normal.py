"""The law that density models here are built on."""

from __future__ import annotations

import math

from torch import Tensor


def log_normal(z: Tensor, deviation: float = 1.0) -> Tensor:
    """log N(z; 0, deviation^2), (...), of z (..., d)."""
    d = z.shape[-1]
    return -z.square().sum(-1) / (2 * deviation**2) - d * (math.log(deviation) + math.log(2 * math.pi) / 2)
