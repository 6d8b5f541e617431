"""`sojourn doctor`: what is installed, which device, which threads, which fonts."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version

from rich.table import Table

_PACKAGES = (
    "sojourn",
    "torch",
    "numba",
    "numpy",
    "scipy",
    "xarray",
    "zarr",
    "safetensors",
    "matplotlib",
    "tyro",
    "rich",
    "typst",
)


def report() -> Table:
    """A table of what Sojourn finds on this machine."""
    import matplotlib.font_manager
    import numba
    import psutil
    import torch

    from sojourn.report.fonts import chinese

    table = Table(
        title="Sojourn on this machine", title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 1)
    )

    def row(name: str, value: str) -> None:
        table.add_row(f"[cyan]{name}[/]", value)

    row("system", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}")
    for name in _PACKAGES:
        try:
            row(name, version(name))
        except PackageNotFoundError:
            row(name, "[red]missing[/]: pip install -e .")
    row("cores", f"{os.cpu_count()}")
    row("threads", f"PyTorch {torch.get_num_threads()}, Numba {numba.get_num_threads()}")
    memory = psutil.virtual_memory()
    row("memory", f"{memory.available / 1e9:.1f} GB free of {memory.total / 1e9:.1f} GB")
    row("disk", f"{shutil.disk_usage('.').free / 1e9:.1f} GB free here")
    row(
        "device",
        torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu (no CUDA device; all works without)",
    )
    fonts = {font.name for font in matplotlib.font_manager.fontManager.ttflist}
    row("fonts", f"{len(fonts)} families")
    found = chinese()
    faces = {"Song": found.song, "Hei": found.hei, "Kai": found.kai or "none, so emphasis is Hei"}
    places = ", ".join(map(str, found.folders))
    words = ", ".join(f"{name}: {family}" for name, family in faces.items()) + f"; in {places}"
    row("Chinese fonts", words if found.song else "[yellow]none[/]: pip install 'sojourn\\[zh]' brings one for reports")
    return table
