"""Shares of robots as exact intervals, many that hold together; and the share that has arrived by each of 50 times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import xarray as xr

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import clopper_pearson
from sojourn.bounds.rounding import above, ball, below

ASSUMES = "the robots are independent and of one law"
LIMITS = ("the error of the model and of its time step",)
TIMES = 50


def share(count: int, n: int, confidence: float, family: int = 1) -> Estimate:
    """Clopper and Pearson's interval for the probability that a robot is one of the `count` among n.

    Args:
        family: how many such intervals hold together, by a union bound.
    """
    return replace(_exact(int(count), n, confidence, family), assumes=ASSUMES, limits=LIMITS)


def shares(counts: Iterable[int], n: int, confidence: float, family: int) -> dict[str, np.ndarray]:
    """Counts over n as arrays "share", "low" and "high"; `family` as in `share`."""
    found = [share(count, n, confidence, family) for count in counts]
    return {
        "share": np.array([x.value for x in found]),
        "low": np.array([x.low for x in found]),
        "high": np.array([x.high for x in found]),
    }


def arrival_curve(arrivals: np.ndarray, n: int, end: float, confidence: float) -> xr.Dataset:
    """P(arrived by t) at 50 times up to the end, in a band that holds at all of them together.

    The interval at each time is Clopper and Pearson's with 1/50 of the error. In between the curve, which rises, is at
    least the `low` before and at most the `high` after. Where less than a fifth have arrived, this is narrower than the
    band of Dvoretzky, Kiefer and Wolfowitz: at 1 %, four times.

    Args:
        arrivals: the times of those who arrived.
        n: how many there are of all.
        end: up to when arrivals were seen.

    Returns:
        Dataset over time, s, with share, low and high.
    """
    times = end * np.arange(1, TIMES + 1) / TIMES
    # An arrival at the end of a step counts as by then, whatever the rounding of its time.
    counts = np.searchsorted(np.sort(arrivals), times * (1 + 1e-12), side="right")
    bands = shares(counts.tolist(), n, confidence, TIMES)
    about = {"confidence": confidence, "guarantee": "at this n", "method": "Clopper-Pearson", "family": TIMES}
    about |= {"observations": n, "assumes": ASSUMES, "limits": "; ".join(LIMITS)}
    time = xr.Variable("time", times, {"units": "s"})
    return xr.Dataset({name: ("time", values) for name, values in bands.items()}, {"time": time}, about)


def scaled(estimate: Estimate, factor: float, unit: str) -> Estimate:
    """The estimate of `factor` times the quantity, its ends rounded outwards."""
    ends = {
        "low": below(lambda: ball(estimate.low) * ball(factor)),
        "high": above(lambda: ball(estimate.high) * ball(factor)),
    }
    return replace(estimate, value=estimate.value * factor, unit=unit, **ends)


@lru_cache(maxsize=4096)
def _exact(count: int, n: int, confidence: float, family: int) -> Estimate:
    return clopper_pearson(count, n, confidence=confidence, family=family)
