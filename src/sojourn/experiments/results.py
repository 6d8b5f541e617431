"""Results of experiments: measures that are kept in the run, and tables as lines."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from sojourn.runs import Run, write_json


def kept(run: Run, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `measure` finds, from <name>.json of the run if it was found before."""
    path = run.path / f"{name}.json"
    if not path.exists():
        write_json(path, measure())
    return json.loads(path.read_text(encoding="utf-8"))


def lines(table: Table) -> list[str]:
    """A table as lines for the end of a run."""
    console = Console(width=130, file=io.StringIO())
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip().replace("[", "\\[") for line in capture.get().splitlines()]
