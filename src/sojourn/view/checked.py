"""`sojourn derive check`: the lines of a derivation as they were found, in the terminal."""

from __future__ import annotations

from collections import Counter

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from sojourn.derivations.checking import Checked

_MARKS = {
    "proved": "[green]✓ proved[/]",
    "holds": "[cyan]✓ holds[/]",
    "defines": "[dim]  defines[/]",
    "not checked": "[yellow]? not checked[/]",
}


def lines(checked: Checked, title: str) -> RenderableType:
    """A line for each step: its number, its beginning and what was found."""
    table = Table(title=escape(title), title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 1))
    table.add_column(no_wrap=True, justify="right", min_width=3)
    table.add_column(no_wrap=True, min_width=13)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(no_wrap=True, overflow="ellipsis", min_width=18, max_width=40)
    for verdict in checked.verdicts:
        source, detail = " ".join(verdict.source.split()), escape(verdict.detail)
        table.add_row(f"[dim]{verdict.line}[/]", _MARKS[verdict.status], escape(source), f"[dim]{detail}[/]")
    return Group(table, summary(checked)) if checked.counterexample is None else table


def summary(checked: Checked) -> str:
    """How many lines were found what, in words."""
    counts = Counter(verdict.status for verdict in checked.verdicts)
    words = {
        "proved": "proved by SymPy",
        "holds": "hold at all numbers tried",
        "defines": "define a name",
        "not checked": "not checked",
    }
    return "[bold]Every line follows.[/] " + ", ".join(f"{counts[k]} {w}" for k, w in words.items() if counts[k]) + "."
