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
)
_CHINESE = ("Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei", "SimHei")


def report() -> Table:
    """A table of what Sojourn finds on this machine."""
    import matplotlib.font_manager
    import numba
    import psutil
    import torch

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
    chinese = [name for name in _CHINESE if name in fonts]
    row("fonts", f"{len(fonts)} families; Chinese: {', '.join(chinese) or 'none found'}")
    return table
