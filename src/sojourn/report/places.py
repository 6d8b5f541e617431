"""Where a report's runs, figures and results lie: by the names that the user writes, nearest place first."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from sojourn.errors import InputError
from sojourn.report.writing import is_estimate, is_plain
from sojourn.runs import Run

PICTURES = (".png", ".svg", ".jpg", ".jpeg")
FILMS = (".mp4", ".gif")
TABLES = (".csv", ".json")


class Places:
    """The runs that a report can name: those of <report>/runs, then of the runs/ of each folder above it, then ./runs.

    Args:
        folder: the report's.
    """

    def __init__(self, folder: Path) -> None:
        folder = folder.resolve()
        above = [place / "runs" for place in (folder, *folder.parents)]
        self.roots = [root for root in dict.fromkeys([*above, Path("runs").resolve()]) if root.is_dir()]

    def run(self, name: str) -> Run:
        """The run called `name`, such as "life" or "ssm-1/ssm-nice" (a run within a run).

        Raises:
            InputError: there is none.
        """
        path = next((root / name for root in self.roots if _is_run(root / name)), None)
        if not name or ".." in Path(name).parts or Path(name).is_absolute() or path is None:
            known = [run for root in self.roots for run in _names(root)]
            raise InputError(f'no run "{name}"; ' + _there("runs here", known, name, "there are no runs here yet"))
        return Run.open(path)

    def finished(self, name: str) -> Run:
        """As `run`, but refuses a run that is not finished."""
        run = self.run(name)
        if run.status != "finished":
            raise InputError(
                f'run "{name}" is not finished but {run.status}; `sojourn resume {_short(run.path)}` goes on'
            )
        return run

    def all(self) -> dict[str, Run]:
        """All runs by name; a run that is made of runs is there as well as its parts."""
        found: dict[str, Run] = {}
        for root in self.roots:
            for name in _names(root):
                found.setdefault(name, Run.open(root / name))
        return found


def picture(run: Run, name: str, run_name: str) -> Path:
    """The picture `name` of a run, with or without its ending."""
    return _one(run, name, run_name, PICTURES, "figure")


def film(run: Run, name: str, run_name: str) -> Path:
    """The film `name` of a run."""
    return _one(run, name, run_name, FILMS, "film")


def result(run: Run, path: str, run_name: str) -> Any:
    """The entry of the results at a dotted path, such as "bound.test" or "cases.0.error"; of the settings, where the
    path begins with "settings."; or "seconds", how long the run took.

    Raises:
        InputError: there is none, the run looked for it and found none, or it is not one number or word.
    """
    value = lookup(run.record["results"], path)
    if value is None:
        value = lookup({name: run.record[name] for name in ("settings", "seconds")}, path)
    if value is None:
        if path in dict(leaves(run.record["results"])):
            raise InputError(f'run "{run_name}" did not find a "{path}": its value is empty; say so in words instead')
        known = [name for name, leaf in leaves(run.record["results"]) if leaf is not None]
        raise InputError(f'run "{run_name}" has no result "{path}"; ' + _there("it has", known, path, "it has none"))
    if not is_plain(value):
        inside = ", ".join(map(str, value)) if isinstance(value, dict) else f"0 to {len(value) - 1}"
        raise InputError(f'"{path}" of run "{run_name}" is not one value; go on with one of: {inside}')
    return value


def lookup(node: Any, path: str) -> Any:
    """The value at a dotted path of nested dicts and lists, whose names may hold dots; None where there is none."""
    if isinstance(node, list):
        head, _, rest = path.partition(".")
        inside = node[int(head)] if head.isdigit() and int(head) < len(node) else None
        return lookup(inside, rest) if rest else inside
    if not isinstance(node, dict) or is_estimate(node):
        return None
    if path in node:
        return node[path]
    parts = path.split(".")
    heads = ((".".join(parts[:k]), ".".join(parts[k:])) for k in range(len(parts) - 1, 0, -1))
    return next((found for head, rest in heads if (found := lookup(node.get(head), rest)) is not None), None)


def leaves(node: Any, path: str = "") -> list[tuple[str, Any]]:
    """All values of nested dicts and lists by their dotted paths."""
    if is_plain(node):
        return [(path, node)]
    inside = node.items() if isinstance(node, dict) else enumerate(node)
    return [leaf for name, value in inside for leaf in leaves(value, f"{path}.{name}" if path else str(name))]


def _one(run: Run, name: str, run_name: str, endings: tuple[str, ...], kind: str) -> Path:
    folder = run.path / "figures"
    there = sorted(p for p in folder.rglob("*") if p.suffix in endings) if folder.is_dir() else []
    names = [p.relative_to(folder).as_posix() for p in there]
    fits = [p for p, n in zip(there, names, strict=True) if name in (n, n.removesuffix(p.suffix))]
    if len(fits) > 1:
        files = " and ".join(p.name for p in fits)
        raise InputError(f'run "{run_name}" has {files}, both called "{name}"; write the ending too')
    if not fits:
        hint = _there(f"its {kind}s", names, name, f"it has no {kind}s")
        raise InputError(f'run "{run_name}" has no {kind} "{name}"; {hint}')
    return fits[0]


def _names(root: Path) -> list[str]:
    """Runs of a folder and the runs within them, two levels deep."""
    places = sorted(p.parent for pattern in ("*/run.json", "*/*/run.json") for p in root.glob(pattern))
    return [place.relative_to(root).as_posix() for place in places]


def _is_run(path: Path) -> bool:
    return (path / "run.json").is_file()


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _there(what: str, known: list[str], wanted: str, none: str) -> str:
    """What there is, the names like the wanted one first; eight at most."""
    if not known:
        return none
    near = difflib.get_close_matches(wanted, known, n=3)
    names = list(dict.fromkeys([*near, *known]))
    return f"{what}: {', '.join(names[:8])}" + (f" and {len(names) - 8} more" if len(names) > 8 else "")
