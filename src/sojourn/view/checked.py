"""`sojourn derive check`: the lines of a derivation as they were found, in the terminal."""

from __future__ import annotations

from collections import Counter

from rich.console import Group, RenderableType
from rich.text import Text

from sojourn.derivations.checking import Checked

_MARKS = {
    "proved": "[green]✓ proved[/]",
    "holds": "[cyan]✓ holds[/]",
    "defines": "[dim]  defines[/]",
    "not checked": "[yellow]? not checked[/]",
}
_WIDEST, _SHOWN = max(map(len, _MARKS)) + 1, 48


def lines(checked: Checked, title: str) -> RenderableType:
    """A line for each step: its number, what was found, how it begins, and how it was found."""
    out: list[RenderableType] = [Text(title, style="italic")]
    for verdict in checked.verdicts:
        line = Text.from_markup(f"[dim]{verdict.line:4}[/]  {_MARKS[verdict.status]}", overflow="ellipsis")
        line.no_wrap = True
        source = " ".join(verdict.source.split())
        shown = source if len(source) <= _SHOWN else source[: _SHOWN - 1] + "…"
        line.append(f"{'':{_WIDEST - len(verdict.status)}}{shown:{_SHOWN}}  ")
        out.append(line.append(verdict.detail, style="dim"))
    return Group(*out, Text.from_markup(summary(checked))) if checked.counterexample is None else Group(*out)


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
