"""The hashes at first use: a figure or value that changes afterwards is stale until the user accepts it."""

from __future__ import annotations

import json
from pathlib import Path

from sojourn.errors import InputError

_CHANGED = "{what} has changed since this report first used it ({old}, now {new}); look at it, then build with --update"
_GONE = 'run "{name}" was finished in this week and is gone; bring it back, or build with --update to drop it'


def read(path: Path) -> dict[str, str]:
    """What a lock file holds; nothing where there is no file.

    Raises:
        InputError: it cannot be read.
    """
    if not path.is_file():
        return {}
    try:
        return {str(key): str(value) for key, value in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path} cannot be read: {error}; delete it to begin anew") from None


def stale(locked: dict[str, str], hashes: dict[str, str], asked: dict[str, str]) -> dict[str, str]:
    """What is wrong, by the words of the need: hashes that changed, and finished runs of the week that are gone.

    Args:
        locked: what the lock holds.
        hashes: what was found, and `asked`: the need that it answers; "progress" for the runs of a whole week.
    """
    problems = {}
    for key, old in locked.items():
        kind, name, *rest = key.split("|")
        new = hashes.get(key)
        if new is None and kind == "progress" and "progress" in asked:
            problems[asked["progress"]] = _GONE.format(name=name)
        elif new is not None and new != old:
            what = f'{kind} "{rest[0]}" of run "{name}"' if rest else f'finished run "{name}"'
            problems[asked[key]] = _CHANGED.format(what=what, old=old[:8], new=new[:8])
    return problems
