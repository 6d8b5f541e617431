"""What the readers and writers of vessels share: text with line numbers, units in names, boundaries, whole files."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sojourn.errors import InputError
from sojourn.processes.blood.boundary import CONDITIONS, Boundary, plain
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.units import si

Boundaries: TypeAlias = Sequence[Boundary] | Callable[[int, np.ndarray], Boundary] | None
BOUNDARY_COLUMNS = {f"boundary_{name}": unit for name, unit in {**CONDITIONS, "hematocrit": ""}.items()}


def as_path(path: str | Path, *, to: str) -> Path:
    """The path of a file to "read" or "write", or InputError."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"path={path!r} is no path; give the name of the file to {to}")
    return Path(path)


def read_bytes(path: Path) -> bytes:
    """A file's content, or InputError."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {str(path)!r}: {reason}; give the path of a file that exists") from error


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a text that are not empty, with their numbers from 1."""
    text = read_bytes(path).decode("utf-8-sig", errors="replace")
    return [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]


def numbers(fields: Sequence[str], where: str) -> list[float]:
    """Finite numbers from texts."""
    found = []
    for text in fields:
        try:
            found.append(float(text))
        except ValueError:
            raise InputError(f"{where}{text!r} is not a number") from None
        if not math.isfinite(found[-1]):
            raise InputError(f"{where}{text!r} is not finite")
    return found


def whole(text: str, where: str) -> int:
    """A whole number from a text."""
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{where}{text!r} is not a whole number") from None


def unit_after(column: str, name: str, unit: str, where: str) -> float | None:
    """How many SI units one of a column's is: of "diameter_um" 1e-6; None if the column is not called `name`."""
    if column.lower() == name.lower():
        if unit:
            raise InputError(
                f"{where}column {column!r} has no unit; write it as {name}_um, with the unit that it is in"
            )
        return 1.0
    start, written = column[: len(name) + 1], column[len(name) + 1 :]
    if start.lower() != f"{name}_".lower() or not unit:
        return None
    return si(f"1 {written}", unit, name=f"{where}column {column!r}")


def cone(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The diameter of the cylinder that resists Poiseuille flow as a cone of two diameters does, at equal length.

    1 / D^4 is the mean of 1 / d(x)^4, so D^4 = 3 d_1^3 d_2^3 / (d_1^2 + d_1 d_2 + d_2^2).
    """
    narrow, wide = np.minimum(first, second), np.maximum(first, second)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not above zero is refused with the vessel's name
        ratio = narrow / np.where(wide == 0, 1, wide)
        return wide * (3 * ratio**3 / (1 + ratio + ratio**2)) ** 0.25


class Found(NamedTuple):
    """What a file says, in metres."""

    nodes: np.ndarray  # (N, 3)
    vessels: np.ndarray  # (V, 2)
    diameter: np.ndarray  # (V,)
    length: np.ndarray | None = None
    kinds: Sequence[str] = ()
    names: Sequence[str] = ()
    boundaries: Sequence[Boundary] | None = None

    def largest_piece(self) -> Found:
        """The piece of the most vessels, its nodes and vessels in the order that they had."""
        graph = coo_array((np.ones(len(self.vessels)), tuple(self.vessels.T)), shape=(len(self.nodes),) * 2)
        label = connected_components(graph, directed=False)[1][self.vessels[:, 0]]
        kept = np.flatnonzero(label == np.bincount(label).argmax())
        used, vessels = np.unique(self.vessels[kept], return_inverse=True)
        number = {node: i for i, node in enumerate(used.tolist())}
        held = [replace(b, node=number[b.node]) for b in self.boundaries or () if b.node in number]
        kinds, names = ([texts[i] for i in kept.tolist()] if texts else () for texts in (self.kinds, self.names))
        return Found(
            self.nodes[used],
            vessels.reshape(-1, 2),
            self.diameter[kept],
            None if self.length is None else self.length[kept],
            kinds,
            names,
            None if self.boundaries is None else held,
        )


def build(name: str, found: Found, boundaries: Boundaries, pieces: str) -> VesselNetwork:
    """The network of a file, whose name begins every message."""
    if pieces not in ("refuse", "largest"):
        raise InputError(f"pieces={pieces!r} is neither 'refuse' nor 'largest'; choose one")
    if pieces == "largest" and len(found.vessels):
        found = found.largest_piece()
    ends = np.flatnonzero(np.bincount(found.vessels.ravel(), minlength=len(found.nodes)) == 1)
    if boundaries is None and found.boundaries is None:
        places = [", ".join(f"{1e6 * x:.5g}" for x in found.nodes[i]) for i in ends[:4]]
        listed = ", ".join(f"{i} at ({place}) um" for i, place in zip(ends, places, strict=False))
        more = f" and {len(ends) - 4} more" if len(ends) > 4 else ""
        raise InputError(
            f"{name} does not say what drives the blood; give boundaries= for {len(ends)} ends: nodes {listed}{more}"
        )
    if callable(boundaries):
        boundaries = [boundaries(int(i), found.nodes[i]) for i in ends]
    elif boundaries is None:
        boundaries = found.boundaries
    elif not isinstance(boundaries, Sequence):
        raise InputError(f"boundaries={boundaries!r} are neither a list of Boundary nor a function that returns one")
    try:
        return VesselNetwork(**found._replace(boundaries=boundaries)._asdict())
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def boundary_values(network: VesselNetwork) -> dict[str, np.ndarray]:
    """Boundaries as columns of SI numbers, one row a node, nan where there is none; only columns with a number."""
    columns = {name: np.full(len(network.nodes), np.nan) for name in BOUNDARY_COLUMNS}
    for boundary in network.boundaries:
        for name, values in columns.items():
            value = getattr(boundary, name.removeprefix("boundary_"))
            if value is not None:
                values[boundary.node] = plain(value)
    return {name: values for name, values in columns.items() if not np.isnan(values).all()}


def boundaries_from(columns: dict[str, np.ndarray], name: str) -> list[Boundary] | None:
    """What `boundary_values` wrote; None where there is nothing."""
    conditions = [column for column in columns if column != "boundary_hematocrit"]
    if not conditions:
        return None
    nodes = np.flatnonzero(~np.isnan(np.stack([columns[column] for column in conditions])).all(0))
    try:
        return [
            Boundary(
                int(i),
                **{c.removeprefix("boundary_"): float(v[i]) for c, v in columns.items() if not np.isnan(v[i])},
            )
            for i in nodes
        ]
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def is_network(network: Any) -> None:
    """Raises InputError unless a network is to be written."""
    if not isinstance(network, VesselNetwork):
        raise InputError(f"network is a {type(network).__name__}; give a VesselNetwork, such as flow.network")


def data_columns(data: dict[str, Any] | None, rows: int, of: str) -> dict[str, np.ndarray]:
    """Arrays that a user hands in, one row a vessel or node."""
    if data is not None and not isinstance(data, Mapping):
        raise InputError(f"{of}_data is a {type(data).__name__}; give a dict such as {{'speed_m/s': speeds}}")
    found = {}
    for name, values in (data or {}).items():
        if not isinstance(name, str):
            raise InputError(f"{of}_data has the name {name!r}; give a text such as 'speed_m/s'")
        if isinstance(values, torch.Tensor):
            values = values.detach().cpu()
            values = (values.double() if values.is_floating_point() else values).numpy()
        try:
            array = np.asarray(values)
        except ValueError as error:
            raise InputError(f"{of}_data {name!r} holds rows of different lengths; give rows of one length") from error
        if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
            array = array.astype(float)
        if array.ndim not in (1, 2) or len(array) != rows or array.dtype.kind not in "fiub":
            raise InputError(
                f"{of}_data {name!r} has shape {array.shape} and type {array.dtype}; give numbers, {rows} rows"
            )
        found[name] = array.astype(np.uint8) if array.dtype.kind == "b" else array
    return found


@contextmanager
def written(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place when all is written."""
    path = as_path(path, to="write")
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield beside
        os.replace(beside, path)
    except OSError as error:
        raise InputError(
            f"cannot write {str(path)!r}: {error.strerror}; give a file in a folder that exists"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
