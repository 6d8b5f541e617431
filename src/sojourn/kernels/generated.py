"""Kernels whose source is written by a program: kept as files of the user's cache, so that one is compiled only once.

The folder is $SOJOURN_CACHE, or sojourn/kernels under the platform's folder for caches. A file is named after its
source and that of every file beside this one; Numba keeps the machine code next to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from sojourn.folders import cache_folder

KEPT = 200  # sources


@lru_cache(maxsize=256)
def module(source: str) -> ModuleType:
    """The module of this source text; compiled code is cached if the folder can be written."""
    name = "sojourn_kernel_" + hashlib.sha256((_kernels() + source).encode()).hexdigest()[:24]
    path = folder() / f"{name}.py"
    try:
        _write(path, source)
    except OSError:
        made = ModuleType(name)
        exec(compile(source.replace("cache=True, ", ""), f"<{name}>", "exec"), made.__dict__)  # our own text
        return made
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made  # Numba finds a cached function's globals through its module
    spec.loader.exec_module(made)
    return made


def folder() -> Path:
    """Where generated kernels are kept."""
    return cache_folder("SOJOURN_CACHE", "kernels")


@lru_cache
def _kernels() -> str:
    here = Path(__file__).parent
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))).hexdigest()


def _write(path: Path, source: str) -> None:
    if path.exists():
        os.utime(path)  # `_prune` drops what was not used for longest
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(source)
    os.replace(beside, path)
    with contextlib.suppress(OSError):
        _prune(path.parent)


def _prune(here: Path) -> None:
    """Leaves the KEPT sources that were used last, and their machine code."""
    sources = sorted(here.glob("sojourn_kernel_*.py"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in sources[KEPT:]:
        path.unlink(missing_ok=True)
    names = {path.stem for path in sources[:KEPT]}
    for path in (here / "__pycache__").glob("sojourn_kernel_*"):
        if path.name.split(".")[0] not in names:
            path.unlink(missing_ok=True)
    for path in here.glob(".*.tmp"):  # of a process that was killed
        if path.stat().st_mtime < time.time() - 3600:
            path.unlink(missing_ok=True)
