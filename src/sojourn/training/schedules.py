"""Learning-rate schedules: the factor on the base rate as a function of progress in [0, 1]."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["constant", "cosine", "linear"]


def factor(schedule: Schedule, step: int, steps: int, warmup: int = 0) -> float:
    """The factor at `step` of `steps`: linear warm-up over `warmup` steps, then the schedule's decay to zero.

    constant: 1; linear: 1 - s; cosine: (1 + cos(pi s)) / 2, with s the share of the steps after warm-up.
    """
    if step < warmup:
        return (step + 1) / warmup
    s = (step - warmup) / max(steps - warmup, 1)
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return 1.0 - s
    return 0.5 * (1.0 + math.cos(math.pi * s))
