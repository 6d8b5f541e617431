"""Where the user's own files go: one folder of the platform for what can be made or fetched again."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder(variable: str, name: str) -> Path:
    """The folder that the environment variable names, or sojourn/`name` under the platform's folder for caches."""
    if given := os.environ.get(variable):
        return Path(given)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "sojourn" / name
