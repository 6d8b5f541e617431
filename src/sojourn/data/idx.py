"""MNIST and Fashion-MNIST from IDX files, gzipped or not, in folders mnist/ and fashion-mnist/ of the data folder.

An IDX file: two zero bytes, the type (8: unsigned bytes), the number of axes, their lengths as big-endian 32-bit
integers, and the data. Sources: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits" (1998);
H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST" (arXiv 1708.07747).
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from sojourn.data.images import Images, from_levels
from sojourn.errors import InputError
from sojourn.folders import cache_folder

Split = Literal["train", "test"]

_FILES = {"train": "train", "test": "t10k"}
_COUNTS = {"train": 60000, "test": 10000}
_CLASSES = 10
_WHERE = {
    "mnist": "they are published at yann.lecun.com/exdb/mnist and its mirrors",
    "fashion-mnist": "they are published in the GitHub repository zalandoresearch/fashion-mnist, under data/fashion",
}
_MD5 = {  # of the unpacked files
    ("mnist", "train-images-idx3-ubyte"): "6bbc9ace898e44ae57da46a324031adb",
    ("mnist", "train-labels-idx1-ubyte"): "a25bea736e30d166cdddb491f175f624",
    ("mnist", "t10k-images-idx3-ubyte"): "2646ac647ad5339dbf082846283269ea",
    ("mnist", "t10k-labels-idx1-ubyte"): "27ae3e4e09519cfbb04c329615203637",
}


def load_mnist(split: Split = "train") -> Images:
    """60,000 (train) or 10,000 (test) handwritten digits, (n, 1, 28, 28) with 256 grey levels, and their classes.

    Raises:
        InputError: a file is missing, cut short or another one than was published.
    """
    return _load("mnist", split)


def load_fashion_mnist(split: Split = "train") -> Images:
    """60,000 (train) or 10,000 (test) pieces of clothing, in the format of MNIST; see `load_mnist`."""
    return _load("fashion-mnist", split)


def data_folder() -> Path:
    """$SOJOURN_DATA, or sojourn/data under the platform's folder for caches."""
    return cache_folder("SOJOURN_DATA", "data")


def _load(name: str, split: str) -> Images:
    if split not in _FILES:
        raise InputError(f"split={split!r} is not known; choose one of: {', '.join(_FILES)}")
    n = _COUNTS[split]
    images = _read(name, f"{_FILES[split]}-images-idx3-ubyte", (n, 28, 28))
    classes = _read(name, f"{_FILES[split]}-labels-idx1-ubyte", (n,))
    if classes.max() >= _CLASSES:
        raise InputError(f"the labels of {name} ({split}) go up to {classes.max()}, not 9: another file; get it anew")
    # a table of 256 numbers instead of 47 million divisions
    table = from_levels(torch.arange(256), 256).numpy()
    return Images(torch.from_numpy(table[images])[:, None], torch.from_numpy(classes.astype(np.int64)), 256, name)


def _read(name: str, file: str, shape: tuple[int, ...]) -> np.ndarray:
    folder = data_folder() / name
    path = next((p for p in (folder / file, folder / f"{file}.gz") if p.is_file()), None)
    if path is None:
        raise InputError(
            f"{folder} has no {file} or {file}.gz; put the four files of {name} there ({_WHERE[name]}), "
            "or name the folder above it in the environment variable SOJOURN_DATA"
        )
    array = read_idx(path)
    if array.shape != shape:
        raise InputError(f"{path} holds an array of shape {array.shape}, not {shape}: another file; get it anew")
    expected = _MD5.get((name, file))
    # the header's 4 + 4 axes bytes are part of the file that was published
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    if expected and (found := hashlib.md5(header + array.tobytes(), usedforsecurity=False).hexdigest()) != expected:
        raise InputError(f"{path} unpacked has md5 {found}, not {expected}: it was changed on its way; get it anew")
    return array


def read_idx(path: Path) -> np.ndarray:
    """The array of bytes in an IDX file, gzipped if its name ends in .gz.

    Raises:
        InputError: the file cannot be read, is no IDX file of bytes, or has another length than it says.
    """
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}; get it anew") from None
    if len(data) < 4 or data[:3] != b"\0\0\x08" or not 1 <= data[3] <= 8 or len(data) < 4 + 4 * data[3]:
        raise InputError(f"{path} is not an IDX file of bytes: it begins with {data[:4].hex(' ') or 'nothing'}")
    axes = data[3]
    shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    rest = len(data) - 4 - 4 * axes
    if rest != math.prod(shape):
        raise InputError(f"{path} holds {rest} bytes of data, not the {math.prod(shape)} of its header; get it anew")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)
