"""Tables of the UCI repository on which density models are compared, from files in the folder uci/ of the data folder.

Preparation as in Wenliang, Sutherland, Strathmann and Gretton (2019) and Song, Garg, Shi and Ermon (2019): columns that
say nearly the same are dropped, rounded columns are dequantised, and the rest is whitened.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from sojourn.data.idx import data_folder
from sojourn.errors import InputError

Name = Literal["parkinsons", "redwine", "whitewine"]
_MOST_ALIKE = 0.98
_MOST_TESTED = 1000


class _File(NamedTuple):
    name: str
    md5: str
    separator: str
    columns: slice
    rounded: bool
    where: str


_FILES: dict[str, _File] = {
    "parkinsons": _File(
        "parkinsons_updrs.data",
        "91da9c311fbe8f6a817f7138fa8f4b95",
        "\t",
        slice(3, None),
        False,
        "UCI data set 189, Parkinsons Telemonitoring",
    ),
    "redwine": _File(
        "winequality-red.csv", "018032169ce7925061ed2afd1d831dfe", ",", slice(0, -1), True, "UCI data set 186"
    ),
    "whitewine": _File(
        "winequality-white.csv", "58bc28437625381ad2ee4976708ff947", ",", slice(0, -1), True, "UCI data set 186"
    ),
}


@dataclass(frozen=True)
class Splits:
    """Whitened data, (n, D) each."""

    train: Tensor
    validation: Tensor
    test: Tensor


def load_table(name: Name) -> Tensor:
    """The columns of a table that density models are given, (n, D) in float64.

    parkinsons (5875, 15): voice measurements; the first three columns and four that correlate above 0.98 are left out.
    redwine (1599, 11), whitewine (4898, 11): without the quality.

    Raises:
        InputError: the file is missing, or another one than was published.
    """
    if name not in _FILES:
        raise InputError(f"name={name!r} is not known; choose one of: {', '.join(get_args(Name))}")
    file = _FILES[name]
    path = data_folder() / "uci" / file.name
    if not path.is_file():
        raise InputError(
            f"{path.parent} has no {file.name}; put it there (it is published at archive.ics.uci.edu, {file.where}), "
            "or name the folder above it in the environment variable SOJOURN_DATA"
        )
    raw = path.read_bytes()
    if (found := hashlib.md5(raw, usedforsecurity=False).hexdigest()) != file.md5:
        raise InputError(f"{path} has md5 {found}, not {file.md5}: another file, or changed on its way; get it anew")
    lines = raw.decode("ascii").splitlines()[1:]
    table = np.array([[float(cell) for cell in line.split(file.separator)] for line in lines])[:, file.columns]
    return torch.from_numpy(table[:, _unlike(table)])


def prepare(name: Name, seed: int, noise: float = 0.05) -> Splits:
    """A random split: test and validation of a tenth each, at most 1000; all whitened by the training rows.

    Args:
        seed: of the split, of what fills rounded columns, and of the noise.
        noise: standard deviation of what is added to whitened data.
    """
    table = load_table(name).numpy()
    generator = np.random.default_rng(seed)
    if _FILES[name].rounded:
        gap = np.array([np.median(np.diff(np.unique(column)).astype(float)) for column in table.T])
        table = table + generator.uniform(-gap, gap, table.shape)
    table = table[generator.permutation(len(table))]
    held = min(_MOST_TESTED, len(table) // 10)
    test, validation, train = np.split(table, [held, 2 * held])
    values, vectors = np.linalg.eigh(np.cov(train.T, bias=True))
    whiten = vectors / np.sqrt(values)
    parts = [
        (part - train.mean(0)) @ whiten + noise * generator.standard_normal(part.shape)
        for part in (train, validation, test)
    ]
    return Splits(*(torch.from_numpy(part) for part in parts))


def _unlike(table: np.ndarray) -> list[int]:
    """Columns left when the first that correlates above 0.98 with another is dropped, until none does."""
    alike, kept = np.abs(np.corrcoef(table.T)) > _MOST_ALIKE, list(range(table.shape[1]))
    while len(double := np.flatnonzero(alike[np.ix_(kept, kept)].sum(1) > 1)):
        del kept[double[0]]
    return kept
