"""How processes and results are shown: in Unicode, in LaTeX and in Typst, dX = (drift) dt + (diffusion) dW.

A result is shown as its equations; `derivation` adds the steps that led to it and the notes under which it holds.
"""

from __future__ import annotations

from typing import Any, Literal

import sympy as sp

from sojourn.calculus.differential import Differential
from sojourn.calculus.latex import Latex
from sojourn.calculus.plain import Plain
from sojourn.calculus.process import ItoProcess
from sojourn.calculus.steps import Derived, Form, Step
from sojourn.calculus.table import Table
from sojourn.calculus.typst import Typst
from sojourn.calculus.writing import Writer
from sojourn.errors import InputError

Format = Literal["text", "latex", "typst"]
_WRITERS: dict[str, type[Writer]] = {"text": Plain, "latex": Latex, "typst": Typst}


def text(shown: Any) -> str:
    """A process, a result or an expression in Unicode, its equations in one line."""
    if isinstance(shown, Table):
        return "\n".join(_rows(shown, writer("text")))
    return "; ".join(left + right for left, right in equations(shown, writer("text", shown)))


def latex(shown: Any) -> str:
    """A process, a result or an expression in LaTeX, without dollar signs."""
    if isinstance(shown, Table):
        rows = _rows(shown, writer("latex"))
        head = "c|" + "c" * len(shown.symbols)
        return rf"\begin{{array}}{{{head}}} {rows[0]} \\ \hline " + r" \\ ".join(rows[1:]) + r" \end{array}"
    lines = equations(shown, writer("latex", shown))
    if len(lines) == 1:
        return "".join(lines[0])
    return r"\begin{aligned} " + r" \\ ".join(f"{left}&{right}" for left, right in lines) + r" \end{aligned}"


def typst(shown: Any) -> str:
    """A process, a result or an expression in Typst's mathematics, without dollar signs."""
    if isinstance(shown, Table):
        rows = _rows(shown, writer("typst"))
        return "mat(delim: #none, augment: #(hline: 1, vline: 1), " + "; ".join(rows) + ")"
    lines = equations(shown, writer("typst", shown))
    if len(lines) == 1:
        return "".join(lines[0])
    return r" \ ".join(f"{left}&{right}" for left, right in lines)


def derivation(shown: Any, kind: Format = "text") -> str:
    """The steps of a result, a line each with its rule, then its notes.

    Raises:
        InputError: there is no such format.
    """
    write = writer(kind, shown)
    lines, rule = [], ""
    for step in getattr(shown, "steps", ()):
        if step.rule and step.rule != rule:
            rule = step.rule
            lines.append((rule, ""))
        lines.append(("", "".join(equation(step, write))))
    notes = getattr(shown, "notes", ())
    if kind == "text":
        out = [title or f"    {formula}" for title, formula in lines]
        return "\n".join([*out, *(f"Note: {note}" for note in notes)])
    if kind == "latex":
        rows = [rf"& \text{{{_escaped(title)}:}}" if title else rf"& \quad {formula}" for title, formula in lines]
        rows += [rf"& \text{{Note: {_escaped(note)}}}" for note in notes]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"
    rows = [f"& {write.words(title + ':')}" if title else f"& quad {formula}" for title, formula in lines]
    rows += [f"& {write.words('Note: ' + note)}" for note in notes]
    return " \\\n".join(rows)


def writer(kind: str, shown: Any = None) -> Writer:
    """The notation of a format, in which the states of what is shown stand behind constants."""
    if kind not in _WRITERS:
        raise InputError(f"format {kind!r} is not known; there are: {', '.join(_WRITERS)}")
    process = shown if isinstance(shown, ItoProcess) else getattr(shown, "process", None)
    return _WRITERS[kind]((), process.states if isinstance(process, ItoProcess) else ())


def equations(shown: Any, write: Writer) -> list[tuple[str, str]]:
    """(left side, " = right side") of every equation of a process or result."""
    if isinstance(shown, ItoProcess):
        return [equation(Step("", d, form), write) for d, form in forms(shown)]
    if isinstance(shown, Differential):
        left = Form.of([(1, shown.value)], shown.process.states)
        return [equation(Step("", left, shown.form), write)]
    if isinstance(shown, Step):
        return [equation(shown, write)]
    if isinstance(shown, Derived):
        return equations(shown.value, write)
    if hasattr(shown, "lines"):
        return [equation(line, write) for line in shown.lines]
    if isinstance(shown, dict):
        return [equation(Step("", left, right), write) for left, right in shown.items()]
    if isinstance(shown, (list, tuple)) and any(isinstance(e, sp.core.relational.Relational) for e in shown):
        return [pair for e in shown for pair in equations(e, write)]
    if isinstance(shown, sp.Eq):
        return [equation(Step("", shown.lhs, shown.rhs), write)]
    return [("", write.doprint(_printable(shown)))]


def equation(step: Step, write: Writer) -> tuple[str, str]:
    """(left side, " = right side") of one line; either may be words."""
    left, right = (_side(side, write) for side in (step.left, step.right))
    if not left:
        return "", right if isinstance(step.right, (str, sp.core.relational.Relational)) else f"= {right}"
    return left, f" = {right}" if right else ""


def forms(process: ItoProcess) -> list[tuple[Form, Form]]:
    """dX_i and what it equals, for every state."""
    out = []
    for i, s in enumerate(process.states):
        columns = process.columns | process.jump_columns
        terms = [(process.drifts[i], process.time), *((column[i], n) for n, column in columns.items())]
        out.append((Form.of([(1, s)], process.states), Form.of(terms, process.states)))
    return out


def _side(side: Any, write: Writer) -> str:
    if side is None:
        return ""
    return write.words(side) if isinstance(side, str) else write.doprint(_printable(side))


def _printable(side: Any) -> Any:
    return side if isinstance(side, Form) else sp.sympify(side)


def _rows(shown: Table, write: Writer) -> list[str]:
    """The table with its margins, a text for each row."""
    d = [write.doprint(Form.of([(1, s)])) for s in shown.symbols]
    body = []
    for a in shown.symbols:
        cells = [shown.entries[a, b] for b in shown.symbols]
        body.append(["0" if c is None else write.doprint(Form.of([(c[0], c[1])])) for c in cells])
    grid = [["", *d], *([name, *cells] for name, cells in zip(d, body, strict=True))]
    if isinstance(write, Plain):
        width = max(len(cell) for row in grid for cell in row)
        return ["  ".join(cell.ljust(width) for cell in row).rstrip() for row in grid]
    return [(" & " if isinstance(write, Latex) else ", ").join(row) for row in grid]


def _escaped(words: str) -> str:
    """Words for LaTeX: what is special there is marked."""
    for sign in "&%$#_{}":
        words = words.replace(sign, "\\" + sign)
    return words.replace("^", r"\^{}").replace("²", "$^2$").replace("√", r"$\surd$")
