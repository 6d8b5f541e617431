"""`network.dat` of Secomb's programs (NetFlow, Greens, AngioAdapt): segments, nodes and boundary nodes.

    title
    5 lines of numbers for other programs
    104   total number of segments
    name type from to diam flow hd        heading
    1 5 1 2 15.5 10 0.4                   um; flow and hematocrit are results, and are left
    92    total number of nodes
    name x y z                            heading
    1 170 0 213                           um
    17    total number of boundary nodes
    node bctyp press/flow HD              heading
    1 2 10 0.4                            0: a pressure in mmHg; 2: a flow into the network in nl/min

Source: the notes with NetFlow, github.com/secomb/NetFlowV2.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sojourn.errors import InputError
from sojourn.formats.vessels.parts import Boundaries, Found, as_path, build, numbers, read_lines, whole
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.units import si

_FLOWING = (4, 5)


def read_secomb(path: str | Path, *, boundaries: Boundaries = None, pieces: str = "refuse") -> VesselNetwork:
    """Segments of type 4 and 5, as in the programs; others, and nodes without segments, are left out.

    Nodes are numbered in the order of the file, vessels are called "segment 12" by its names. The hematocrit of a
    boundary is kept where blood may enter.

    Args:
        path: the file.
        boundaries: in place of the file's: a list of `Boundary`, or a function of an end's number and place (x, y, z)
            in metres that returns one.
        pieces: what to do with a network in several pieces: "refuse" it, or keep the "largest", of the most vessels.

    Raises:
        InputError: a line that is not as above (the message names it), or no network of vessels.
    """
    path = as_path(path, to="read")
    name = path.name
    lines = read_lines(path)
    at = 5 + (lines[:1] != [] and lines[0][0] == 1)  # the title may be an empty line
    segments, at = _rows(lines, at, 5, name, "segments")
    nodes, at = _rows(lines, at, 4, name, "nodes")
    ends, _ = _rows(lines, at, 3, name, "boundary nodes")
    kept = [row for row in segments if whole(row[1][1], _at(name, row)) in _FLOWING]
    places = {row[1][0]: row for row in nodes}
    for row in kept:
        for node in row[1][2:4]:
            if node not in places:
                raise InputError(f"{_at(name, row)}segment {row[1][0]} is at node {node}, which is not among the nodes")
    used = {node for row in kept for node in row[1][2:4]}
    number = {node: i for i, node in enumerate(node for node in places if node in used)}
    given = [_boundary(row, number, name) for row in ends if row[1][0] in number] if boundaries is None else None
    found = Found(
        1e-6 * np.array([numbers(places[node][1][1:4], _at(name, places[node])) for node in number]).reshape(-1, 3),
        np.array([[number[node] for node in row[1][2:4]] for row in kept], dtype=np.int64).reshape(-1, 2),
        1e-6 * np.array([numbers(row[1][4:5], _at(name, row))[0] for row in kept]),
        names=[f"segment {row[1][0]}" for row in kept],
        boundaries=given,
    )
    return build(name, found, boundaries, pieces)


_Row = tuple[int, list[str]]  # the line's number and its fields


def _rows(lines: list[tuple[int, str]], at: int, fields: int, name: str, what: str) -> tuple[list[_Row], int]:
    """A count, a heading and as many rows; and where they end."""
    if at >= len(lines):
        raise InputError(f"{name} ends before the number of {what}")
    line, text = lines[at]
    count = whole(text.split()[0], f"{name}, line {line}: the number of {what}, ")
    found = lines[at + 2 : at + 2 + count]
    if len(found) < count:
        raise InputError(f"{name}, line {line}: {count} {what} are announced, and {len(found)} lines follow")
    rows = [(number, row.split()) for number, row in found]
    for number, row in rows:
        if len(row) < fields:
            raise InputError(
                f"{name}, line {number}: {len(row)} fields for one of the {what}, which has {fields} or more"
            )
    return rows, at + 2 + count


def _boundary(row: _Row, number: dict[str, int], name: str) -> Boundary:
    where, (node, kind, *fields) = _at(name, row), row[1]
    value, *rest = numbers([x for x in fields[:2] if x != "*"], where)
    hematocrit = rest[0] if rest else None
    try:
        if kind == "0":
            return Boundary(number[node], pressure=value * si("1 mmHg", "Pa", name="pressure"), hematocrit=hematocrit)
        if kind == "2":
            hematocrit = hematocrit if value > 0 else None
            return Boundary(number[node], flow=value * 1e-12 / 60, hematocrit=hematocrit)
    except InputError as error:
        raise InputError(f"{where}{error}") from error
    raise InputError(f"{where}boundary type {kind} is neither 0, a pressure, nor 2, a flow")


def _at(name: str, row: _Row) -> str:
    return f"{name}, line {row[0]}: "
