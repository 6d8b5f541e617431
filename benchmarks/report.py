"""Reports and derivations: seconds of a build beside Typst's own, seconds of a check, and which slips are named.

python benchmarks/report.py RUN [--rounds 5] [--output FILE]

RUN is a finished `sojourn run week`. A build is a fresh process, from its start to the PDF. Beside it stands the
PDF alone, set once more in a process where Typst remembers what it laid out. Derivations are checked in this process.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from machine import machine, seconds
from sojourn.derivations import check, shipped
from sojourn.report.build import document
from sojourn.report.fonts import chinese
from sojourn.report.typesetting import Document

CORPUS = Path(__file__).parents[1] / "tests" / "derivations" / "corpus"


def command(*words):
    """Seconds of `sojourn WORDS` as a process of its own."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sojourn", *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def builds(run, rounds):
    """Rows of (what, pages, median seconds of a build, of Typst's PDF again)."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "week"
        shutil.copytree(run, folder)
        command("report", "new", "--week", "2025-09-08", "--lang", "zh", "--dir", place)
        for name in ("week.typ", "week.en.typ"):
            path = folder / "report" / name
            command("report", "build", path, "--update")
            rows.append(row(f"the example, {name}", path, rounds))
        rows.append(row("what `report new` makes, zh", Path(place) / "2025-09-08" / "week.typ", rounds))
    return rows


def row(what, path, rounds):
    """One row of `builds`."""
    whole = statistics.median(command("report", "build", path) for _ in range(rounds))
    text = Document(document(path), tuple(chinese(path.parent / "fonts").folders))
    text.needs()  # the fonts are read once
    alone = statistics.median(seconds(lambda: text.typeset("pdf")) for _ in range(rounds))
    return what, len(text.typeset("svg")[0]), whole, alone


def checks():
    """Seconds and lines of each derivation that ships, and what becomes of the corpus."""
    rows = []
    for name in shipped():
        began = time.perf_counter()
        verdicts = check(name).verdicts
        took = time.perf_counter() - began
        proved = sum(verdict.status == "proved" for verdict in verdicts)
        rows.append((name, len(verdicts), proved, took))
    slips = json.loads((CORPUS / "slips.json").read_text(encoding="utf-8"))
    found = {name: check(CORPUS / "slips" / name).counterexample for name in slips}
    named = sum(one is not None and one.line == slips[name]["line"] for name, one in found.items())
    right = sorted((CORPUS / "right").iterdir())
    refused = sum(check(path).counterexample is not None for path in right)
    return rows, (named, len(slips), refused, len(right))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/report.md"))
    options = parser.parse_args()
    console = Console(record=True, width=110)
    console.print(machine("typst", "sympy"))
    table = Table(title="Seconds of a build, median")
    for heading in ("", "pages", "whole command", "Typst's PDF again"):
        table.add_column(heading, justify="left" if not heading else "right")
    for what, pages, whole, alone in builds(options.run, options.rounds):
        table.add_row(what, str(pages), f"{whole:.2f}", f"{alone:.2f}")
    console.print(table)
    table = Table(title="Checks of the derivations that ship, once each")
    for heading in ("", "lines", "proved by SymPy", "seconds"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows, (named, slips, refused, right) = checks()
    for name, lines, proved, took in rows:
        table.add_row(name, str(lines), str(proved), f"{took:.1f}")
    console.print(table)
    console.print(
        f"{named} of {slips} planted slips named at their line; {refused} of {right} right derivations refused."
    )
    words = (
        Path(options.output).read_text(encoding="utf-8").split("```")[0] if options.output.exists() else "# Reports\n\n"
    )
    options.output.write_text(f"{words}```\n{console.export_text()}```\n", encoding="utf-8")


if __name__ == "__main__":
    main()
