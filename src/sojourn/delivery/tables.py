"""Estimates in rows: as a table to read, with units, and as CSV."""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sojourn.bounds.estimate import Estimate
from sojourn.delivery.shares import scaled
from sojourn.processes.blood.units import show

_MOST = 12  # rows of a section that are shown


class Row(NamedTuple):
    """An estimate and what it is of."""

    section: str
    name: str
    estimate: Estimate
    percent: bool = False  # to be read as a share


def layout(title: str, rows: list[Row]) -> Table:
    """A table of three columns: what, the estimate with its unit and interval, and what that promises.

    What all of a section promise stands beside its name. Of a section with more than twelve rows the largest are shown.
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for name in ("", "estimate", "interval"):
        table.add_column(name, overflow="fold")
    for section, group in groupby(rows, key=lambda row: row.section):
        all_rows = list(group)
        largest = sorted(range(len(all_rows)), key=lambda i: all_rows[i].estimate.value, reverse=True)[:_MOST]
        shown_rows = [all_rows[i] for i in sorted(largest)]
        texts = [shown(row) for row in shown_rows]
        alike = len({words for _, words in texts}) == 1
        table.add_row(Text(section, "cyan"), "", texts[0][1] if alike else "")
        for row, (value, words) in zip(shown_rows, texts, strict=True):
            table.add_row(Text(f"  {row.name}"), Text(value), "" if alike else words)
        if len(shown_rows) < len(all_rows):
            table.add_row(Text(f"  and {len(all_rows) - len(shown_rows)} smaller ones"))
    return table


def text(table: Table) -> str:
    """The table as plain text."""
    console = Console(width=130, file=io.StringIO())
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def write(path: str | Path, rows: list[Row]) -> None:
    """Rows as CSV in SI units; the file appears when it is whole."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with beside.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(
            ["section", "quantity", "value", "low", "high", "unit", "confidence", "family", "method", "guarantee"]
        )
        for section, name, x, _ in rows:
            ends = ["", ""] if x.guarantee == "none" else [x.low, x.high]
            promise = ["", "", "", ""] if x.guarantee == "none" else [x.confidence, x.family, x.method, x.guarantee]
            lines.writerow([section, name, x.value, *ends, x.unit or "1", *promise])
    os.replace(beside, path)


def shown(row: Row) -> tuple[str, str]:
    """An estimate in a unit that reads well, and what its interval promises."""
    estimate = row.estimate
    largest = max(abs(x) for x in (estimate.value, estimate.high) if abs(x) < math.inf)
    factor, unit = (100.0, "%") if row.percent else _readable(largest, estimate.unit)
    found = scaled(estimate, factor, unit) if factor != 1 else replace(estimate, unit=unit)
    if found.guarantee == "none":
        return str(found), ""
    return str(found).removesuffix(f" ({found.words})"), found.words


def _readable(value: float, unit: str) -> tuple[float, str]:
    """By what to multiply a value in an SI unit, and the unit then: 1e-3 s in ms, kg in g, what has none as it is."""
    first = 1e3 if unit == "kg" else 1.0
    unit = "g" if unit == "kg" else unit
    if not unit or not value:
        return first, unit
    number, prefixed = show(first * value, unit).split(" ", 1)
    return first * 10.0 ** round(math.log10(float(number) / (first * value))), prefixed
