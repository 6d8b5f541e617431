"""VTP: networks as VTK's PolyData, for ParaView and from ParaView, VMTK and others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sojourn.errors import InputError
from sojourn.formats.vessels.parts import (
    BOUNDARY_COLUMNS,
    Boundaries,
    Found,
    boundaries_from,
    boundary_values,
    build,
    cone,
    data_columns,
    is_network,
    unit_after,
)
from sojourn.formats.vessels.vtk_xml import PolyData, read_polydata, write_polydata
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.units import si

_DIAMETERS = {"diameter": 1.0, "diameters": 1.0, "radius": 2.0, "radii": 2.0, "maximuminscribedsphereradius": 2.0}


def read_vtp(
    path: str | Path, *, boundaries: Boundaries = None, unit: str = "um", pieces: str = "refuse"
) -> VesselNetwork:
    """Lines as vessels, one between each two points in succession; points at one place are one node.

    Widths are an array of cells, or else of points, called diameter, radius or MaximumInscribedSphereRadius, with a
    unit as in diameter_um or without. Between two points a vessel resists as the cone between their widths does,
    D^4 = 3 d_1^3 d_2^3 / (d_1^2 + d_1 d_2 + d_2^2). An array `length` of cells is used where each line is one vessel.

    Args:
        path: the file: text, base64 or raw bytes, compressed by zlib or LZMA or not.
        boundaries: in place of the file's, which only `write_vtp` has written: a list of `Boundary`, or a function of
            an end's number and place (x, y, z) in metres that returns one. Nodes are numbered as points are, those
            without a line and those at a place that came before left out.
        unit: of places, and of arrays without a unit in their names; the format has none.
        pieces: what to do with a network in several pieces: "refuse" it, or keep the "largest", of the most vessels.

    Raises:
        InputError: no such file (the message names the line of the array), no widths, two lines over one another, or no
            network of vessels.
    """
    data, name = read_polydata(path), Path(path).name
    scale = si(f"1 {unit}", "m", name="unit")
    pairs = [np.stack([line[:-1], line[1:]], 1) for line in data.lines]
    segments = np.concatenate([*pairs, np.zeros((0, 2), np.int64)])
    cell = np.repeat(np.arange(len(pairs)), [len(pair) for pair in pairs])
    _, first, same = np.unique(data.points + 0.0, axis=0, return_index=True, return_inverse=True)
    joined = first[same.reshape(-1)]  # each point's first at its place
    apart = joined[segments[:, 0]] != joined[segments[:, 1]]
    segments, cell = segments[apart], cell[apart]
    used, vessels = np.unique(joined[segments], return_inverse=True)
    vessels = vessels.reshape(-1, 2)
    diameter = _diameter(data, segments, cell, scale, name)
    length = _array(data.cell_data, "length", scale)
    whole = length is not None and len(np.unique(cell)) == len(cell)
    if not whole:
        _check_single(vessels, cell, name)
    names = _texts(data, "names")
    columns = {c: _array(data.point_data, c, 1.0, unit) for c, unit in BOUNDARY_COLUMNS.items()}
    held = {c: values[used] for c, values in columns.items() if values is not None}
    found = Found(
        scale * data.points[used],
        vessels,
        diameter,
        length[cell] if whole and length is not None else None,
        [kinds[i] for i in cell.tolist()] if (kinds := _kinds(data)) else (),
        names if len(names) == len(vessels) else (),
        boundaries_from(held, name),
    )
    return build(name, found, boundaries, pieces)


def write_vtp(
    path: str | Path,
    network: VesselNetwork,
    *,
    vessel_data: dict[str, Any] | None = None,
    node_data: dict[str, Any] | None = None,
) -> None:
    """Writes nodes as points and vessels as lines, places and lengths in micrometres, for ParaView and `read_vtp`.

    Cells have diameter_um, length_um and kind, a number into the texts `kinds` of the field data; points have the
    boundaries, in SI units, nan where there is none.

    Args:
        path: the file, which appears when it is whole.
        network: what is written.
        vessel_data, node_data: further arrays, name -> one number or vector a vessel or node, such as a flow's; put the
            unit in the name, as in "flow_m^3/s".

    Raises:
        InputError: data of another length or kind, no network, no folder to write to.
    """
    is_network(network)
    kinds = list(dict.fromkeys(network.kinds))
    number = {kind: i for i, kind in enumerate(kinds)}
    cells = {
        "diameter_um": 1e6 * network.diameter.detach().numpy(),
        "length_um": 1e6 * network.length.detach().numpy(),
        "kind": np.array([number[kind] for kind in network.kinds], dtype=np.int32),
    }
    columns = {f"{c}_{unit}" if unit else c: unit for c, unit in BOUNDARY_COLUMNS.items()}
    values = boundary_values(network)
    points = {c: values[key] for c, key in zip(columns, BOUNDARY_COLUMNS, strict=True) if key in values}
    write_polydata(
        path,
        PolyData(
            1e6 * network.nodes.detach().numpy(),
            list(network.vessels.numpy()),
            points | data_columns(node_data, len(network.nodes), "node"),
            cells | data_columns(vessel_data, len(network.vessels), "vessel"),
            {"kinds": kinds, "names": list(network.names)},
        ),
    )


def _texts(data: PolyData, name: str) -> list[str]:
    """Texts of the field data; of numbers, nothing."""
    found = data.field_data.get(name)
    return found if isinstance(found, list) else []


def _kinds(data: PolyData) -> list[str]:
    """A kind for each line, where there are numbers into the texts `kinds`."""
    texts, kind = _texts(data, "kinds"), data.cell_data.get("kind")
    if not texts or kind is None or kind.ndim > 1 or not np.isin(kind, np.arange(len(texts))).all():
        return []
    return [texts[i] for i in kind.astype(int).tolist()]


def _diameter(data: PolyData, segments: np.ndarray, cell: np.ndarray, scale: float, name: str) -> np.ndarray:
    for called, factor in _DIAMETERS.items():
        if (widths := _array(data.cell_data, called, scale)) is not None:
            return factor * widths[cell]
        if (widths := _array(data.point_data, called, scale)) is not None:
            return cone(*(factor * widths[segments]).T)
    found = ", ".join([*data.cell_data, *data.point_data]) or "none"
    raise InputError(f"{name} has no array of diameters or radii, only {found}; call one diameter or radius")


def _array(arrays: dict[str, np.ndarray], called: str, scale: float, unit: str = "m") -> np.ndarray | None:
    """An array in SI units: by the unit in its name, or else by `scale`."""
    for column, values in arrays.items():
        try:
            factor = scale if column.lower() == called else unit_after(column, called, unit, "")
        except InputError:  # another array, such as radius_error
            continue
        if factor is not None and values.ndim == 1:
            return factor * values.astype(float)
    return None


def _check_single(vessels: np.ndarray, cell: np.ndarray, name: str) -> None:
    """No two vessels between the same nodes: centrelines of VMTK run over one another up to where they part."""
    _, first, same = np.unique(np.sort(vessels, 1), axis=0, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[same.reshape(-1)] != np.arange(len(vessels)))
    if len(again):
        one, other = cell[first[same.reshape(-1)[again[0]]]], cell[again[0]]
        raise InputError(
            f"{name}: lines {one} and {other} run over one another, which would be two vessels; merge them, as "
            "vmtkcenterlinemerge does"
        )
