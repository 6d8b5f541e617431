"""Schedules: what changes with the progress of a training, as plain functions of the step."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["constant", "cosine", "linear", "inverse_sqrt"]


def rate_factor(
    schedule: Schedule, step: int, steps: int, warmup: int = 0, floor: float = 0.0, *, hold: int = 0
) -> float:
    """The factor on the learning rate at `step` of `steps`: a linear warm-up, then a decay from 1 to `floor`.

    constant: 1; linear: floor + (1 - floor)(1 - s); cosine: floor + (1 - floor)(1 + cos(pi s))/2, with s the share of
    the steps after `warmup`. inverse_sqrt: floor + (1 - floor)/sqrt(max(step/hold, 1)), which does not depend on
    `steps` (Karras et al. 2024, arXiv 2312.02696, where `hold` is t_ref).
    """
    if step < warmup:
        return (step + 1) / warmup
    s = (step - warmup) / max(steps - warmup, 1)
    match schedule:
        case "constant":
            return 1.0
        case "linear":
            share = 1.0 - s
        case "cosine":
            share = 0.5 * (1.0 + math.cos(math.pi * s))
        case "inverse_sqrt":
            share = max(step / hold, 1.0) ** -0.5
    return floor + (1.0 - floor) * share


def fade(progress: float, hold: float, end: float, power: float = 1.0) -> float:
    """1 until `hold`, then ((end - progress)/(end - hold))^power down to 0 at `end`; progress in [0, 1]."""
    return min(1.0, max(0.0, (end - progress) / (end - hold))) ** power
