"""The rows of `sojourn run blood-validation`: a closed form, what was measured, and whether the two agree.

Where chance plays a part a row has an interval, and all of them hold together with CONFIDENCE: a false alarm has 1e-6.
Half the time step, by other draws, may move a figure by more than its interval reaches; chance alone does so with a
probability of 6e-5 in each of the rows that are drawn twice, under 2e-3 in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.table import Table
from scipy import stats

from sojourn.bounds import intervals
from sojourn.bounds.estimate import Estimate

CONFIDENCE = 1 - 1e-6
FAMILY = 49
"""Intervals: one a row, but of the noise's covariance one for each of its 21 entries; four are in a figure only."""

TOGETHER: dict[str, Any] = {"confidence": CONFIDENCE, "family": FAMILY}


@dataclass(frozen=True)
class Row:
    """One closed form beside what was measured; plain numbers, so that a run keeps it.

    Attributes:
        what: the quantity, with its unit.
        exact: by the closed form.
        measured: by what `how` says.
        within: how far the two may be apart where nothing is random; else 0.
        ends: of the interval; empty where nothing is random.
        halved: what half the time step gives; None where there is no step.
        how: how it was measured, or which interval it is.
    """

    what: str
    exact: float
    measured: float
    within: float = 0.0
    ends: tuple[float, ...] = ()
    halved: float | None = None
    how: str = ""

    @property
    def reach(self) -> float:
        """From what was measured to the further end of its interval, or to the end of what is allowed."""
        return max((abs(end - self.measured) for end in self.ends), default=self.within)

    @property
    def agrees(self) -> bool:
        if self.ends:
            return self.ends[0] <= self.exact <= self.ends[1]
        return abs(self.measured - self.exact) <= self.within

    @property
    def steady(self) -> bool:
        """Whether half the time step changes less than the interval leaves open."""
        return self.halved is None or abs(self.halved - self.measured) < self.reach

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Row:
        """The row that a run kept as plain data."""
        return cls(**{**kept, "ends": tuple(kept["ends"])})


def sure(what: str, exact: float, measured: float, relative: float, how: str, *, halved: float | None = None) -> Row:
    """A row without chance: the two may differ by `relative` times the exact value (times 1 where that is 0)."""
    return Row(what, float(exact), float(measured), relative * (abs(float(exact)) or 1.0), (), halved, how)


def drawn(what: str, exact: float, found: Estimate, *, halved: float | None = None) -> Row:
    """A row with an interval."""
    return Row(what, float(exact), found.value, 0.0, (found.low, found.high), halved, found.method)


def twice(measure: Callable[[float], dict[str, Estimate]], dt: float, exact: dict[str, float]) -> list[Row]:
    """What `measure` finds with the time step dt, and as `halved` with half of it; `measure` draws anew for each dt."""
    found, half = measure(dt), measure(dt / 2)
    return [drawn(what, exact[what], found[what], halved=half[what].value) for what in exact]


def distance(values: np.ndarray, cdf: Callable[[Any], Any]) -> Estimate:
    """Kolmogorov's distance from a law: that of the sample, -+ the band of Dvoretzky, Kiefer and Wolfowitz."""
    seen, n = float(stats.kstest(values, cdf).statistic), len(values)
    w = intervals.dvoretzky_kiefer_wolfowitz(n, error=(1 - TOGETHER["confidence"]) / TOGETHER["family"])
    ends = max(seen - w, 0.0), min(seen + w, 1.0)
    return Estimate(seen, *ends, guarantee="at this n", method="Dvoretzky-Kiefer-Wolfowitz", observations=n, **TOGETHER)


def plain(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as plain data."""
    return [asdict(row) for row in rows]


def table(title: str, rows: Sequence[Row]) -> Table:
    """The rows as a table for a person."""
    found = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    found.add_column("")
    for name in ("exact", "measured", "error or interval", "dt/2"):
        found.add_column(name, justify="right", no_wrap=True)
    found.add_column("", no_wrap=True)
    for row in rows:
        found.add_row(row.what, *_numbers(row), "holds" if row.agrees and row.steady else "[bold red]FAILS[/]")
    return found


def _numbers(row: Row) -> tuple[str, str, str, str]:
    """Exact, measured, the interval, and the change by half the step as a share of what the interval leaves open."""
    half = "" if row.halved is None else f"{abs(row.halved - row.measured) / row.reach:.2f}"
    if not row.ends:
        return f"{row.exact:.6g}", f"{row.measured:.6g}", f"{abs(row.measured - row.exact):.0e}", half
    measured, interval = str(Estimate(row.measured, row.ends[0], row.ends[1])).split(" (")[0].split(" ", 1)
    decimals = len(measured.partition(".")[2]) + 1
    return f"{round(row.exact, decimals) + 0.0:.{decimals}f}", measured, interval, half
