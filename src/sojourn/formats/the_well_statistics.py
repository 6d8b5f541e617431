"""`stats.yaml` beside The Well's files: what its reader scales every field by, over all training trajectories.

mean, std = sqrt(mean (f - mean)^2), rms = sqrt(mean f^2); and the same of the differences of consecutive frames.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from sojourn.errors import InputError
from sojourn.formats import the_well

Statistics = dict[str, dict[str, float]]
"""Name of the statistic -> field -> number."""


def write_statistics(folder: str | Path) -> Statistics:
    """Computes the statistics of `folder/data/train`, block by block in double, and writes `folder/stats.yaml`.

    Raises:
        InputError: there is no training file, or a file is not The Well's.
    """
    folder = Path(folder)
    files = sorted((folder / "data" / "train").glob("*.hdf5"))
    if not files:
        raise InputError(f"{folder / 'data' / 'train'} holds no .hdf5 files; write the training split first")
    found: Statistics = {name: {} for name in ("mean", "std", "rms", "mean_delta", "std_delta", "rms_delta")}
    first = the_well.read(files[0]).dataset
    for field in first.data_vars:
        values, changes = _moments(files, str(field))
        label = the_well.FIELDS[str(field)] if first.attrs["process"] == "GrayScott" else str(field)
        for ending, (mean, square) in (("", values), ("_delta", changes)):
            found["mean" + ending][label] = mean
            found["std" + ending][label] = math.sqrt(max(0.0, square - mean**2))
            found["rms" + ending][label] = math.sqrt(square)
    lines = [f"{name}:\n" + "".join(f"  {field}: {x:.6E}\n" for field, x in of.items()) for name, of in found.items()]
    beside = folder / ".stats.yaml.partial"
    beside.write_text("".join(lines), encoding="utf-8")
    os.replace(beside, folder / "stats.yaml")
    return found


def _moments(files: list[Path], field: str) -> list[tuple[float, float]]:
    """The mean and the mean square of a field, and of its change from frame to frame."""
    sums = [[0, 0.0, 0.0], [0, 0.0, 0.0]]
    for path in files:
        array = the_well.read(path).dataset[field]
        for members, times in the_well.blocks(array.shape):
            last = slice(times.start, times.stop + 1)  # one frame more, for the change that leads out of the block
            block = array.isel(ensemble=members, time=last).values.astype("float64")
            changes = block[:, 1:] - block[:, :-1]
            for total, part in zip(sums, (block[:, : times.stop - times.start], changes), strict=True):
                flat = part.reshape(-1)
                total[0] += flat.size
                total[1] += float(flat.sum())
                total[2] += float(flat @ flat)
    return [(first / max(n, 1), second / max(n, 1)) for n, first, second in sums]
