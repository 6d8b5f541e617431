"""What the calls in a report need, answered from runs, papers and derivations."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from sojourn.errors import InputError
from sojourn.report import films, papers, tables
from sojourn.report.places import Places, film, picture, result
from sojourn.report.progress import progress
from sojourn.report.writing import digest, percent, written
from sojourn.runs import Run, write_text

LIBRARY = "sojourn"
"""The folder beside week.typ with the Typst files, and with what builds put there."""


@dataclass
class Answers:
    """Answers for one document.

    Attributes:
        folder: the report's.
        week: its Monday.
        lang: "zh" or "en".
        found: the answers, by the words of the needs joined by bars, as data.json holds them.
        problems: what is wrong with needs, by their words.
        hashes: what is watched for changes: by words, the SHA-256 of a figure, film, table, value or finished run.
        asked: the needs that each of these answers, by the same words.
        read: files that were read.
    """

    folder: Path
    week: date
    lang: str
    found: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    read: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.places = Places(self.folder)
        self.papers = papers.gather(self.folder)

    def answer(self, words: list[str]) -> None:
        """Finds what one need asks for, or writes down the problem."""
        kind, *rest = words
        kinds: dict[str, Callable[..., None]] = {
            "value": self._value,
            "figure": self._figure,
            "film": self._film,
            "table": self._table,
            "paper": self._paper,
            "derivation": self._derivation,
            "progress": self._progress,
        }
        if kind in kinds:
            try:
                kinds[kind](*rest)
            except InputError as error:
                self.problems["|".join(words)] = str(error)

    def _value(self, run_name: str, path: str, form: str) -> None:
        run = self._run(run_name)
        value = result(run, path, run_name)
        text = percent(value) if form == "percent" else written(value)
        if text is None:
            raise InputError(f'"{path}" of run "{run_name}" is {written(value)}, no number; leave out percent: true')
        hashed = digest([run_name, path, value])
        found = {"text": text, "run": run_name, "file": path, "id": f"{hashed[:12]}-{form}"}
        self._keep(("value", run_name, path, form), hashed, found)

    def _figure(self, run_name: str, name: str) -> None:
        run = self._run(run_name)
        source = picture(run, name, run_name)
        found, hashed = self._file(source, run, run_name, name)
        copy = self._copy(source, f"{source.stem}-{hashed[:12]}{source.suffix}")
        self._keep(("figure", run_name, name), hashed, found | {"path": copy})

    def _film(self, run_name: str, name: str, frames: str) -> None:
        run = self._run(run_name)
        source = film(run, name, run_name)
        found, hashed = self._file(source, run, run_name, name)
        wanted = _frames(frames)
        folder = self.folder / LIBRARY / "figures"
        stem = f"{source.stem}-{hashed[:12]}-{frames.replace('%', '').replace(',', '+')}"
        strip = [folder / f"{stem}-{k}.jpg" for k in range(wanted if isinstance(wanted, int) else len(wanted))]
        if not strip or not all(path.is_file() for path in strip):
            folder.mkdir(exist_ok=True)
            strip = films.strip(source, wanted, folder, stem)
        found |= {"frames": [f"figures/{path.name}" for path in strip]}
        self._keep(("film", run_name, name, frames), hashed, found)

    def _table(self, run_name: str, name: str) -> None:
        run = self._run(run_name)
        table, data = tables.read(run, name, run_name)
        found = {"run": run_name, "file": name, "caption": f"{run.record['experiment']}: {name}"}
        self._keep(("table", run_name, name), digest(data), found | table)

    def _paper(self, name: str) -> None:
        self.found[f"paper|{name}"] = papers.find(self.papers, name)

    def _derivation(self, name: str, lang: str = "") -> None:
        """The Typst text of a derivation, from an earlier build where neither it nor the checker has changed.

        It is asked for by name, so that an error has its line, and then in the language of the text around it.
        """
        if f"derivation|{name}" in self.problems:
            return
        lang = lang if lang in ("zh", "en") else self.lang
        own = self.folder / name
        sources = [own] if own.is_file() else []
        self.read.update(sources)
        key = hashlib.sha256(f"{name}|{lang}|{_checker()}".encode())
        for source in sources:
            key.update(source.read_bytes())
        path = self.folder / LIBRARY / "derivations" / f"{Path(name).stem}-{key.hexdigest()[:12]}.typ"
        if not path.is_file():
            from sojourn.derivations import typeset

            path.parent.mkdir(exist_ok=True)
            write_text(path, typeset(str(own) if own.is_file() else name, lang))
        self.found[f"derivation|{name}|{lang}"] = {"path": f"derivations/{path.name}"}

    def _progress(self, *names: str) -> None:
        need = "|".join(["progress", *names])
        self.found[need], digests = progress(self.places, self.week, names)
        self.hashes |= {f"progress|{name}": hashed for name, hashed in digests.items()}
        self.asked |= {f"progress|{name}": need for name in digests}
        if not names:
            self.asked["progress"] = need

    def _run(self, name: str) -> Run:
        run = self.places.finished(name)
        self.read.add(run.path / "run.json")
        return run

    def _file(self, source: Path, run: Run, run_name: str, name: str) -> tuple[dict[str, Any], str]:
        self.read.add(source)
        found = {"run": run_name, "file": source.name, "caption": f"{run.record['experiment']}: {name}"}
        return found, hashlib.sha256(source.read_bytes()).hexdigest()

    def _copy(self, source: Path, name: str) -> str:
        target = self.folder / LIBRARY / "figures" / name
        if not target.is_file():
            target.parent.mkdir(exist_ok=True)
            beside = target.with_name(f".{name}.{os.getpid()}.partial")
            shutil.copyfile(source, beside)
            os.replace(beside, target)
        return f"figures/{name}"

    def _keep(self, words: tuple[str, ...], hashed: str, found: dict[str, Any]) -> None:
        key = "|".join(words)
        self.hashes[key], self.asked[key] = hashed, key
        self.found[key] = found | {"hash": hashed}


@cache
def _checker() -> str:
    """SHA-256 of all that checks and sets derivations, and of those that ship."""
    import sojourn

    folder = Path(sojourn.__file__).parent / "derivations"
    key = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        key.update(path.read_bytes())
    return key.hexdigest()


def _frames(words: str) -> int | tuple[float, ...]:
    """A number of frames, or their places: "4" or "0%,15%,100%"."""
    if words.isdigit():
        return int(words)
    try:
        places = tuple(float(word.removesuffix("%")) / 100 for word in words.split(",") if word)
    except ValueError:
        places = (-1.0,)
    if not all(0 <= place <= 1 for place in places) or words.count("%") != len(places):
        raise InputError(f"frames: {words} is neither a whole number of frames nor places such as (0%, 15%, 100%)")
    return places
