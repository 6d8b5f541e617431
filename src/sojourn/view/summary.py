"""A run as a person wants to read it in the terminal."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sojourn.bounds.estimate import Estimate
from sojourn.runs import Run

_COLOUR = {"finished": "green", "running": "cyan", "interrupted": "yellow", "failed": "red"}


def summary(run: Run) -> RenderableType:
    """Status, results, settings, what is on disk, and how to go on."""
    record, status = run.record, run.status
    head = Text.from_markup(
        f"[bold]{escape(record['experiment'])}[/] in {escape(str(run.path))}: "
        f"[{_COLOUR.get(status, 'white')}]{status}[/], {record['seconds']:.1f} s, {record['created']}, "
        f"source {record['source']}"
    )
    parts: list[RenderableType] = [head]
    if "error" in record:
        parts.append(Text(record["error"], style="red"))
    parts += [Text.from_markup(line) for line in record.get("summary", [])]  # as the experiment wrote them
    if record["results"]:
        parts.append(_table("Results", record["results"]))
    parts.append(_table("Settings", record["settings"]))
    parts.append(_table("On disk", _contents(run)))
    if status in ("interrupted", "failed", "new"):
        parts.append(Text.from_markup(f"go on with [bold]sojourn resume {escape(str(run.path))}[/]"))
    return Group(*parts)


def _table(title: str, values: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 1))
    for name, value in values.items():
        table.add_row(f"[cyan]{name}[/]", escape(_short(value)))
    return table


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict) and {"value", "interval", "guarantee"} <= value.keys():
        return _one_line(value)
    text = str(value)
    return text if len(text) <= 160 else f"{text[:150]} ... ({len(text)} characters)"


def _one_line(stored: dict[str, Any]) -> str:
    """What `Estimate.to_dict` stored, as the estimate prints itself."""
    low, high = stored["interval"] or (math.nan, math.nan)
    ends = {"low": -math.inf if low is None else low, "high": math.inf if high is None else high}
    words = {
        name: stored[name]
        for name in ("guarantee", "method", "confidence", "assumes", "family", "unit")
        if name in stored
    }
    return str(Estimate(math.nan if stored["value"] is None else stored["value"], **ends, **words))


def _contents(run: Run) -> dict[str, str]:
    found = {}
    metrics = run.metrics()
    if metrics:
        found["metrics.jsonl"] = f"{len(metrics)} lines; last: {metrics[-1]}"
    for path in sorted(run.path.iterdir()):
        if path.suffix == ".zarr":
            from sojourn.errors import InputError
            from sojourn.trajectory import Trajectory

            try:
                found[path.name] = str(Trajectory.open(path))
            except InputError as error:
                found[path.name] = f"unreadable: {error}"
        elif path.is_dir() and any(path.iterdir()):
            found[path.name + "/"] = ", ".join(sorted(p.name for p in path.iterdir()))
        elif path.suffix == ".json" and path.name != "run.json":
            found[path.name] = f"{path.stat().st_size:,} bytes"
    return found
