"""A run is one directory that anything can read: run.json, metrics.jsonl, trajectory.zarr, checkpoints/, figures/.

Files are written beside and renamed, so a reader never meets half a file; a lock tells a live run from a killed one.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sojourn.bounds.estimate import Estimate
from sojourn.errors import InputError


class Run:
    """One run on disk.

    Attributes:
        path: its directory.
        record: what run.json holds: experiment, settings, seed, versions, source revision, status, results.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self.path, self.record = path, record

    @classmethod
    def create(cls, experiment: str, settings: dict[str, Any], path: Path | None = None) -> Run:
        """A new directory, by default runs/<experiment>-<first free number>."""
        if path is None:
            path = _next_free(Path("runs"), experiment)
        elif path.exists() and any(path.iterdir()):
            raise InputError(f"{path} exists and is not empty; choose another place, or `sojourn resume {path}`")
        path.mkdir(parents=True, exist_ok=True)
        record = {
            "experiment": experiment,
            "settings": settings,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": _versions(),
            "source": _revision(),
            "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
            "status": "new",
            "seconds": 0.0,
            "results": {},
        }
        run = cls(path, record)
        run.save()
        return run

    @classmethod
    def open(cls, place: str | Path) -> Run:
        """The run at `place`, a directory or a name under runs/."""
        for path in (Path(place), Path("runs") / place):
            if (path / "run.json").is_file():
                return cls(path, _read_record(path / "run.json"))
        known = sorted(p.parent.name for p in Path("runs").glob("*/run.json"))
        there = f"runs here: {', '.join(known)}" if known else "there are no runs here yet"
        raise InputError(f"no run at {place}; {there}")

    @contextmanager
    def active(self) -> Iterator[None]:
        """Marks the run as running, and at the end as finished, interrupted or failed; one process at a time."""
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(f"{self.path} is running in another process; wait for it, or stop it first") from None
        began, before = time.monotonic(), self.record["seconds"]
        self.record["status"] = "running"
        self.save()
        status = "failed"
        try:
            yield
            status = "finished"
            self.record.pop("error", None)
        except KeyboardInterrupt:
            status = "interrupted"
            raise
        except Exception as error:
            self.record["error"] = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.record["status"] = status
            self.record["seconds"] = round(before + time.monotonic() - began, 3)
            self.save()
            lock.release()

    @property
    def status(self) -> str:
        """The recorded status; a run whose process is gone without a word counts as interrupted."""
        if self.record["status"] != "running":
            return self.record["status"]
        try:
            with FileLock(self.path / ".lock", timeout=0):
                return "interrupted"
        except Timeout:
            return "running"

    def save(self) -> None:
        """Writes run.json."""
        write_json(self.path / "run.json", self.record)

    def result(self, **values: Any) -> None:
        """Adds named results to run.json; of an Estimate its interval, guarantee and limits too."""
        plain = {name: value.to_dict() if isinstance(value, Estimate) else value for name, value in values.items()}
        self.record["results"].update(plain)
        self.save()

    def folder(self, name: str) -> Path:
        """A folder of the run, made if need be."""
        path = self.path / name
        path.mkdir(exist_ok=True)
        return path

    def log(self, stage: str, step: int, **values: float) -> None:
        """Appends one line to metrics.jsonl."""
        line = json.dumps({"stage": stage, "step": step, **values})
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def metrics(self, stage: str | None = None) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl (of one stage); a last line cut short by a kill is left out."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        *whole, _ = path.read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in whole if line]
        return [row for row in rows if stage in (None, row["stage"])]

    def rewind(self, stage: str, step: int) -> None:
        """Drops the metrics of `stage` after `step`: they will be logged again by the resumed stage."""
        kept = [row for row in self.metrics() if row["stage"] != stage or row["step"] <= step]
        write_text(self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in kept))


def write_text(path: Path, text: str) -> None:
    """Writes beside and renames: the file is old or new, never half."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def write_json(path: Path, data: Any) -> None:
    """Writes JSON as `write_text` does."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        missing = {"experiment", "settings", "status", "seconds", "results", "created", "source"} - set(record)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} cannot be read as a run's record: {error}") from None
    if missing:
        raise InputError(f"{path} is not a run's record: it has no {', '.join(sorted(missing))}")
    return record


def _next_free(parent: Path, experiment: str) -> Path:
    number = 1
    while True:
        path = parent / f"{experiment}-{number}"
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            number += 1


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for name in ("sojourn", "torch", "numba", "numpy", "zarr"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def _revision() -> str:
    """The git revision of a source checkout, with a plus when it has uncommitted changes; else "unknown"."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return "unknown"
    try:
        ask = ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--exclude=*"]
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip()
