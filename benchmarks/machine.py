"""What all benchmarks share: this machine in words, all of its cores at once, and how fast it copies."""

import os
import platform
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numba
import numpy as np


def seconds(function):
    """How long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def on_all_cores(function):
    """Seconds that `function(core)` takes on all cores at once."""
    helpers = [threading.Thread(target=function, args=(core,)) for core in range(numba.get_num_threads())]
    return seconds(lambda: [helper.start() for helper in helpers] and [helper.join() for helper in helpers])


def copy_bandwidth():
    """A function that measures bytes read and written per second by copying arrays that no cache holds."""
    cores, size = numba.get_num_threads(), 1 << 28
    pairs = [(np.ones(size, np.uint8), np.ones(size, np.uint8)) for _ in range(cores)]
    return lambda: 2 * cores * size / on_all_cores(lambda core: np.copyto(*pairs[core]))


def machine(*packages):
    """The processor, its cores, and the versions of Python and of these packages."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = models[0] if models else model
    found = [f"Python {platform.python_version()}", *(f"{name} {_version(name)}" for name in packages)]
    return f"{model}, {os.cpu_count()} cores, {numba.get_num_threads()} threads; {', '.join(found)}"


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
