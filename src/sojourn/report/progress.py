"""What happened in a week, from the records of the runs alone: what ran, what improved, what failed."""

from __future__ import annotations

import fnmatch
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sojourn.catalogue import BETTER
from sojourn.report.places import Places, leaves
from sojourn.report.writing import digest, ends, point, written
from sojourn.runs import Run


def progress(places: Places, monday: date, names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, str]]:
    """The week that begins on `monday`, midnight UTC, as plain data; and a digest for every finished run that it shows.

    - "ran": the runs called `names`, or without names those created in the week. Of these a finished run that is made
      of runs is left out for them.
    - "better", "worse", "same", "open": measures of the newest finished run of each experiment, beside the newest
      finished run of it before the week, or failing that, before that run. Only measures whose better direction is
      known (`catalogue.BETTER`) are compared: better or worse where the intervals do not overlap, the same where they
      do, open where one of them has no interval. Whole numbers are exact.
    - "failed": the runs that failed or were interrupted.

    Raises:
        InputError: there is no run of one of the names.
    """
    runs = dict(sorted(places.all().items(), key=lambda item: (item[1].record["created"], item[0])))
    whole = {name for name in runs if any(other.startswith(name + "/") for other in runs)}
    shown = {name: run for name, run in runs.items() if name not in whole or run.status != "finished"}
    start = datetime(monday.year, monday.month, monday.day, tzinfo=UTC)
    if names:
        week = {name: places.run(name) for name in names}
        shown |= week
    else:
        week = {name: run for name, run in shown.items() if start <= _created(run) < start + timedelta(days=7)}
    finished = {name: run for name, run in week.items() if run.status == "finished"}
    found: dict[str, Any] = {"ran": [_line(name, run) for name, run in week.items()], "failed": []}
    found |= {kind: [] for kind in ("better", "worse", "same", "open")}
    for name, run in week.items():
        if run.status in ("failed", "interrupted"):
            error = run.record.get("error", "").splitlines()
            found["failed"].append({"run": name, "status": run.status, "error": error[0] if error else ""})
    for experiment, name in {run.record["experiment"]: name for name, run in finished.items()}.items():
        earlier = [
            other
            for other, run in shown.items()
            if run.record["experiment"] == experiment
            and run.status == "finished"
            and (_created(run), other) < (_created(week[name]), name)
        ]
        earlier.sort(key=lambda other: (_created(shown[other]), other))
        before = [other for other in earlier if _created(shown[other]) < start] or earlier
        if before:
            for kind, change in _changes(experiment, shown[before[-1]], week[name]):
                found[kind].append({"run": name, "before_run": before[-1], "experiment": experiment} | change)
    return found, {name: digest(run.record["results"]) for name, run in finished.items()}


def _changes(experiment: str, old: Run, new: Run) -> list[tuple[str, dict[str, Any]]]:
    before = dict(leaves(old.record["results"]))
    found = []
    for metric, value in leaves(new.record["results"]):
        directions = (d for pattern, d in BETTER.get(experiment, {}).items() if fnmatch.fnmatchcase(metric, pattern))
        direction = next(directions, None)
        if direction is None or point(value) is None or point(before.get(metric)) is None:
            continue
        change = {"metric": metric, "before": written(before[metric]), "now": written(value)}
        found.append((_verdict(before[metric], value, direction), change))
    return found


def _verdict(before: Any, now: Any, direction: str) -> str:
    old, new = ends(before), ends(now)
    if before == now:
        return "same"
    if old is None or new is None:
        return "open"
    above, below = new[0] > old[1], new[1] < old[0]
    if not above and not below:
        return "same"
    return "better" if above == (direction == "higher") else "worse"


def _line(name: str, run: Run) -> dict[str, Any]:
    record = run.record
    return {
        "run": name,
        "experiment": record["experiment"],
        "day": f"{_created(run):%m-%d}",
        "seconds": record["seconds"],
        "status": run.status,
        "hash": digest(record["results"])[:8],
    }


def _created(run: Run) -> datetime:
    created = datetime.fromisoformat(run.record["created"])
    return created.astimezone(UTC) if created.tzinfo else created.replace(tzinfo=UTC)
