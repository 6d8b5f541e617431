"""What the experiments with diffusion models share: the bound as plain data and as a table."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from sojourn.bounds.estimate import Estimate
from sojourn.diffusion.variational import Bound
from sojourn.experiments.results import lines

BANDS = 5
"""Into so many bands of t the table sums the steps."""


def plain(bound: Bound) -> dict[str, Any]:
    """A bound as plain data; its steps L_{t-1}, t = 2, ..., T, as [value, low, high]."""
    return {
        "prior": bound.prior.to_dict(),
        "steps": [[step.value, step.low, step.high] for step in bound.steps],
        "decoder": bound.decoder.to_dict(),
        "bits_per_dim": bound.bits_per_dim.to_dict(),
    }


def bands(steps: list[list[float]], count: int = BANDS) -> list[tuple[int, int, float, float, float]]:
    """(first t, last t, value, low, high) of the steps summed in `count` bands, from the last t to t = 2.

    A sum's standard error is at most the sum of the standard errors, so the sum of the intervals covers at least as
    well as they do.
    """
    size = -(-len(steps) // count)
    found = []
    for k in range(0, len(steps), size):
        band = steps[k : k + size]
        value, low, high = (sum(row[column] for row in band) for column in range(3))
        found.append((k + 2, k + 1 + len(band), value, low, high))
    return found[::-1]


def bound_table(bounds: dict[str, dict[str, Any]], title: str) -> list[str]:
    """Lines: the terms of each bound, one column a set of data, and their total."""
    found = Table(title=title, title_justify="left", box=None, padding=(0, 3, 0, 0))
    found.add_column("bits/dim")
    for name in bounds:
        found.add_column(name, justify="right")
    last = len(next(iter(bounds.values()))["steps"]) + 1
    found.add_row(f"prior L_T, T = {last}", *[interval(it["prior"]) for it in bounds.values()])
    for k, (first, end, *_) in enumerate(bands(next(iter(bounds.values()))["steps"])):
        found.add_row(f"steps t = {end} ... {first}", *[_numbers(*bands(it["steps"])[k][2:]) for it in bounds.values()])
    found.add_row("decoder L_0", *[interval(it["decoder"]) for it in bounds.values()])
    found.add_section()
    found.add_row("total", *[interval(it["bits_per_dim"]) for it in bounds.values()], style="bold")
    return lines(found)


def interval(estimate: Estimate | dict[str, Any]) -> str:
    """An estimate in short: value [low, high]."""
    given = estimate.to_dict() if isinstance(estimate, Estimate) else estimate
    return _numbers(given["value"], *given["interval"])


def _numbers(value: float, low: float, high: float) -> str:
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"
