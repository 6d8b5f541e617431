"""Tables of a run, for a report: a CSV or JSON file, or an entry of the results, as heads and rows of text."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from sojourn.errors import InputError
from sojourn.report.places import TABLES, lookup
from sojourn.report.writing import is_estimate, is_plain, written
from sojourn.runs import Run


def read(run: Run, name: str, run_name: str) -> tuple[dict[str, Any], Any]:
    """The table `name` of a run, {"columns": [{"name", "numeric"}], "rows": [[text]]}, and what its hash is taken of.

    It is <name>.csv or <name>.json of the run's folder, or the results' entry at the dotted path `name`. Lists of dicts
    are rows; a dict of dicts is rows with their names in the first column; a dict of values is rows of name and value.

    Raises:
        InputError: there is no such table, two have the name, or it has no rows.
    """
    files = [p for ending in TABLES if (p := run.path / f"{name}{ending}").is_file() and p.name != "run.json"]
    files += [p] if (p := run.path / name).is_file() and p.suffix in TABLES and p.name != "run.json" else []
    entry = lookup(run.record["results"], name)
    found = [p.name for p in files] + ([f"the result {name}"] if entry is not None else [])
    if len(found) > 1:
        raise InputError(f'run "{run_name}" has {" and ".join(found)}, all called "{name}"; write the ending too')
    if not found:
        there = sorted(p.name for p in run.path.iterdir() if p.suffix in TABLES and p.name != "run.json")
        there += [key for key, value in run.record["results"].items() if not is_plain(value)]
        raise InputError(f'run "{run_name}" has no table "{name}"; it has: {", ".join(there) or "none"}')
    data = _load(files[0]) if files else entry
    rows = _rows(data)
    if not rows:
        raise InputError(f'the table "{name}" of run "{run_name}" has no rows of values')
    names = list(dict.fromkeys(key for row in rows for key in row))
    columns = [{"name": key, "numeric": all(_numeric(row.get(key)) for row in rows)} for key in names]
    return {"columns": columns, "rows": [[written(row.get(key)) for key in names] for row in rows]}, data


def _load(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".json":
            return json.loads(text)
        return [{key: _cell(word) for key, word in row.items()} for row in csv.DictReader(text.splitlines())]
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} cannot be read as a table: {error}") from None


def _cell(word: str) -> Any:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    return word or None


def _rows(data: Any) -> list[dict[str, Any]]:
    if isinstance(data, list):
        rows = [row if isinstance(row, dict) else {"value": row} for row in data]
    elif isinstance(data, dict) and not is_estimate(data) and any(isinstance(v, dict) for v in data.values()):
        rows = [
            {"": name} | (v if isinstance(v, dict) and not is_estimate(v) else {"value": v}) for name, v in data.items()
        ]
    elif isinstance(data, dict) and not is_estimate(data):
        rows = [{"": name, "value": value} for name, value in data.items()]
    else:
        rows = []
    plain = [{key: value for key, value in row.items() if is_plain(value)} for row in rows]
    return [row for row in plain if row]


def _numeric(value: Any) -> bool:
    return value is None or is_estimate(value) or (isinstance(value, (int, float)) and not isinstance(value, bool))
