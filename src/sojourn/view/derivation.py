"""Ito's calculus as a person wants to read it in the terminal, or to copy it as text, LaTeX or Typst."""

from __future__ import annotations

from typing import Any

import sympy as sp
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sojourn.calculus.names import unused
from sojourn.calculus.overview import Section, overview
from sojourn.calculus.process import ItoProcess
from sojourn.calculus.show import derivation as written
from sojourn.calculus.show import equation, equations, latex, text, typst, writer
from sojourn.calculus.steps import Derived, Step

LONGEST = 24  # characters of a left side that gets a column of its own


def derivation(result: Any) -> RenderableType:
    """The steps of a result: each rule, and under it what it gives; the result in bold; notes."""
    write = writer("text", result)
    parts: list[RenderableType] = []
    rows: list[tuple[str, str]] = []

    def close() -> None:
        if rows:
            parts.append(_aligned(rows, ""))
            rows.clear()

    for step in result.steps:
        if step.rule:
            close()
            parts.append(Text(step.rule, style="cyan"))
        rows.append(equation(step, write))
    shown = equations(result, write)
    repeated = rows == shown
    if not repeated:
        close()
        parts.append(Text(""))
    parts.append(_aligned(shown, "bold"))
    return Group(*parts, *_notes(getattr(result, "notes", ())))


def named(process: ItoProcess, f: Any) -> Derived:
    """The generator applied to f, as an equation: L f = ..."""
    found = process.generator(f)
    letter = sp.Symbol(unused("f g h", process))
    name = sp.Symbol(f"L {letter}")
    steps = (
        Step("the function", letter, f),
        *found.steps,
        Step("together", name, found.value),
    )
    return Derived(sp.Eq(name, found.value, evaluate=False), steps, found.notes)


def glance(process: ItoProcess) -> RenderableType:
    """The calculus of an equation, a section for each part of it."""
    parts: list[RenderableType] = []
    for section in overview(process):
        parts.append(Text(section.title, style="bold cyan"))
        parts.append(_aligned(_lines(section, "text", process), ""))
        parts += [*_notes(section.notes), Text("")]
    return Group(*parts[:-1])


def source(shown: Any, kind: str) -> str:
    """A derivation, or the sections of a process, in one of the formats of `show`.

    Raises:
        InputError: there is no such format.
    """
    if not isinstance(shown, ItoProcess):
        return written(shown, kind)  # pyright: ignore[reportArgumentType]
    writer(kind)
    whole = {"text": text, "latex": latex, "typst": typst}[kind]
    out = []
    for section in overview(shown):
        mark = {"text": "", "latex": "% ", "typst": "// "}[kind]
        out.append(mark + section.title)
        out += [whole(line) for line in section.lines]
        out += [f"{mark}Note: {note}" for note in section.notes]
        out.append("")
    return "\n".join(out[:-1])


def _lines(section: Section, kind: str, process: ItoProcess) -> list[tuple[str, str]]:
    write = writer(kind, process)
    return [pair for line in section.lines for pair in equations(line, write)]


def _aligned(rows: list[tuple[str, str]], style: str) -> RenderableType:
    """Equations under each other, their right sides in one column."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for left, right in rows:
        if len(left) > LONGEST:
            return Padding(Group(*(Text(left + right, style=style) for left, right in rows)), (0, 0, 0, 4))
        table.add_row(Text(left, style=style), Text(right.strip(), style=style))
    return Padding(table, (0, 0, 0, 4))


def _notes(notes: tuple[str, ...]) -> list[RenderableType]:
    return [Padding(Text(f"note: {note}", style="dim"), (0, 0, 0, 4)) for note in dict.fromkeys(notes)]
