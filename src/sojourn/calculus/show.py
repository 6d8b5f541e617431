"""How processes and results are shown: plain text here."""

from __future__ import annotations

from typing import Any


def text(process: Any) -> str:
    """The equations of a process, in one line."""
    lines = []
    for i, state in enumerate(process.states):
        terms = [f"({process.drifts[i]})*dt"]
        terms += [f"({column[i]})*d{W}" for W, column in process.columns.items() if column[i] != 0]
        terms += [f"({column[i]})*d{N}" for N, column in process.jump_columns.items() if column[i] != 0]
        lines.append(f"d{state} = " + " + ".join(terms))
    return "; ".join(lines)
