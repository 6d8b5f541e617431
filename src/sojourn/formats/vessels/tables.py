"""Vessels as two tables of comma-separated values, with units in the headings.

    nodes:  node, x_um, y_um, z_um, boundary_pressure_mmHg, boundary_flow_nl/min, boundary_velocity_mm/s,
            boundary_hematocrit
    edges:  from, to, diameter_um, length_um, kind, name

z, length, kind, name and the columns of boundaries may be missing, cells of boundaries and lengths empty; other columns
are left. Numbers are read as decimals, so that what was written comes back to the last bit.
"""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from sojourn.errors import InputError
from sojourn.formats.vessels.parts import (
    BOUNDARY_COLUMNS,
    Boundaries,
    Found,
    as_path,
    boundaries_from,
    boundary_values,
    build,
    data_columns,
    is_network,
    numbers,
    read_bytes,
    unit_after,
    written,
)
from sojourn.processes.blood.network import VesselNetwork


def read_csv(
    nodes: str | Path, edges: str | Path, *, boundaries: Boundaries = None, pieces: str = "refuse"
) -> VesselNetwork:
    """The network of two tables.

    Nodes are numbered in the order of their table; what stands in the column `node`, numbers or words, is what `from`
    and `to` name.

    Args:
        nodes, edges: the files.
        boundaries: in place of the table's: a list of `Boundary`, or a function of an end's number and place (x, y, z)
            in metres that returns one.
        pieces: what to do with a network in several pieces: "refuse" it, or keep the "largest", of the most vessels.

    Raises:
        InputError: a column that is missing or has no unit, a cell that is no number, an edge to a node that is not
            there (the message names file and line), or no network of vessels.
    """
    table, other = _Table(nodes), _Table(edges)
    number: dict[str, int] = {}
    for line, cell in zip(table.lines, table.texts("node"), strict=True):
        if cell in number:
            raise InputError(f"{table.name}, line {line}: node {cell!r} was already given; name each once")
        number[cell] = len(number)
    places = np.stack([table.column(x, "m", optional=x == "z") for x in "xyz"], 1)
    vessels = np.empty((len(other.lines), 2), dtype=np.int64)
    for side, column in enumerate(("from", "to")):
        for row, (line, cell) in enumerate(zip(other.lines, other.texts(column), strict=True)):
            if cell not in number:
                raise InputError(f"{other.name}, line {line}: {cell!r} is no node of {table.name}")
            vessels[row, side] = number[cell]
    given = {c: table.column(c, unit, optional=True, empty=True) for c, unit in BOUNDARY_COLUMNS.items()}
    given = {name: values for name, values in given.items() if not np.isnan(values).all()}
    length = other.column("length", "m", optional=True, empty=True)
    span = np.linalg.norm(places[vessels[:, 1]] - places[vessels[:, 0]], axis=1)
    found = Found(
        places,
        vessels,
        other.column("diameter", "m"),
        np.where(np.isnan(length), span, length),
        other.texts("kind", optional=True),
        other.texts("name", optional=True),
        boundaries_from(given, table.name),
    )
    return build(other.name, found, boundaries, pieces)


def write_csv(
    nodes: str | Path,
    edges: str | Path,
    network: VesselNetwork,
    *,
    vessel_data: dict[str, Any] | None = None,
    node_data: dict[str, Any] | None = None,
) -> None:
    """Writes two tables that `read_csv` reads back to the last bit, lengths in um, boundaries in SI units.

    Args:
        nodes, edges: the files; each appears when it is whole.
        network: what is written.
        vessel_data, node_data: further columns, name -> one number a row; put the unit in the name, as flow_m^3/s.

    Raises:
        InputError: data of another length or kind, no network, no folder to write to.
    """
    is_network(network)
    places = network.nodes.detach().numpy()
    columns: dict[str, Any] = {"node": range(len(places))}
    columns |= {f"{axis}_um": [_micro(x) for x in places[:, i].tolist()] for i, axis in enumerate("xyz")}
    for name, values in boundary_values(network).items():
        unit = BOUNDARY_COLUMNS[name]
        columns[f"{name}_{unit}" if unit else name] = ["" if np.isnan(x) else repr(x) for x in values.tolist()]
    columns |= _flat(data_columns(node_data, len(places), "node"))
    _write(nodes, columns)
    ends = network.vessels.numpy()
    columns = {"from": ends[:, 0].tolist(), "to": ends[:, 1].tolist()}
    for name, values in (("diameter", network.diameter), ("length", network.length)):
        columns[f"{name}_um"] = [_micro(x) for x in values.detach().tolist()]
    columns |= {"kind": network.kinds, "name": network.names}
    columns |= _flat(data_columns(vessel_data, len(ends), "vessel"))
    _write(edges, columns)


class _Table:
    """The cells of a file, with the numbers of their lines."""

    def __init__(self, path: str | Path) -> None:
        path = as_path(path, to="read")
        self.name = path.name
        text = read_bytes(path).decode("utf-8-sig", errors="replace")
        reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
        self.heading: list[str] = []
        self.lines: list[int] = []
        self.rows: list[list[str]] = []
        try:
            for row in reader:
                if not any(cell.strip() for cell in row):
                    continue
                if not self.heading:
                    self.heading = [cell.strip() for cell in row]
                    continue
                if len(row) != len(self.heading):
                    raise InputError(
                        f"{self.name}, line {reader.line_num}: {len(row)} cells under {len(self.heading)} headings"
                    )
                self.lines.append(reader.line_num)
                self.rows.append([cell.strip() for cell in row])
        except csv.Error as error:
            raise InputError(f"{self.name}, line {reader.line_num}: {error}") from error

    def texts(self, name: str, *, optional: bool = False) -> tuple[str, ...]:
        """A column as it stands."""
        at = [i for i, column in enumerate(self.heading) if column.lower() == name]
        if not at and optional:
            return ()
        return tuple(row[self._only(at, name)] for row in self.rows)

    def column(self, name: str, unit: str, *, optional: bool = False, empty: bool = False) -> np.ndarray:
        """A column in SI units; nan where it may be empty and is, 0 where it may be missing and is."""
        scales = [unit_after(column, name, unit, f"{self.name}: ") for column in self.heading]
        at = [i for i, scale in enumerate(scales) if scale is not None]
        if not at and optional:
            return np.full(len(self.rows), np.nan if empty else 0.0)
        which = self._only(at, name + "_um" * bool(unit))
        scale = Decimal(repr(scales[which]))
        found = np.empty(len(self.rows))
        for row, (line, cells) in enumerate(zip(self.lines, self.rows, strict=True)):
            if empty and not cells[which]:
                found[row] = np.nan
                continue
            numbers([cells[which]], f"{self.name}, line {line}: {self.heading[which]} ")
            found[row] = float(Decimal(cells[which].replace("_", "")) * scale)
        return found

    def _only(self, at: list[int], name: str) -> int:
        if len(at) != 1:
            found = " ".join(", ".join(self.heading).split()) or "none"
            raise InputError(f"{self.name} has {len(at)} columns {name}; its headings are {found}, and it needs one")
        return at[0]


def _micro(metres: float) -> str:
    """Micrometres to the last bit: the shortest decimal of the metres, with the point moved."""
    return format(Decimal(repr(metres)).scaleb(6).normalize(), "f")


def _flat(data: dict[str, np.ndarray]) -> dict[str, list[Any]]:
    """Columns of one number a row; a vector becomes name_0, name_1, ..."""
    found: dict[str, list[Any]] = {}
    for name, values in data.items():
        parts = {name: values} if values.ndim == 1 else {f"{name}_{i}": part for i, part in enumerate(values.T)}
        found |= {part: column.tolist() for part, column in parts.items()}
    return found


def _write(path: str | Path, columns: dict[str, Any]) -> None:
    with written(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
