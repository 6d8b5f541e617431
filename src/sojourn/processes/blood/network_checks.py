"""Through which networks blood can flow: each check ends in one line with the name of a vessel or a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.units import show

if TYPE_CHECKING:
    from sojourn.processes.blood.network import VesselNetwork


def check_vessels(network: VesselNetwork) -> None:
    """Every vessel joins two nodes that there are."""
    ends, count = network.vessels, len(network.nodes)
    if not len(ends):
        raise InputError("the network has no vessels; give at least one")
    if (i := _first(((ends < 0) | (ends >= count)).any(1))) is not None:
        a, b = ends[i].tolist()
        raise InputError(f"{network.names[i]} joins nodes {a} and {b}, but nodes are numbered 0 to {count - 1}")
    if (i := _first(ends[:, 0] == ends[:, 1])) is not None:
        raise InputError(f"{network.names[i]} joins node {int(ends[i, 0])} to itself; leave it out or divide it in two")


def check_lengths(network: VesselNetwork, distance: Tensor) -> None:
    """Every vessel is as long as its nodes are apart, or longer."""
    length = network.length.detach()
    if (i := _first(distance == 0)) is not None:
        a, b = network.vessels[i].tolist()
        raise InputError(f"{network.names[i]} has no length: its nodes {a} and {b} are at one place; join or move them")
    if (i := _first(length < distance * (1 - 1e-9))) is not None:
        given, least = show(float(length[i]), "m"), show(float(distance[i]), "m")
        raise InputError(
            f"{network.names[i]} has length={given}, less than the {least} between its nodes; give at least that"
        )


def check_pieces(network: VesselNetwork) -> None:
    """Every node is reached from every other."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if (lonely := _first(network.degree == 0)) is not None:
        raise InputError(f"{_place(network, lonely)} has no vessel; leave it out")
    a, b = network.vessels.T.cpu().numpy()
    size = len(network.nodes)
    pieces, label = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(size, size)), directed=False)
    if pieces > 1:
        largest = np.bincount(label).argmax()
        reached, lost = int((label == largest).argmax()), int((label != largest).argmax())
        raise InputError(
            f"{_place(network, lost)} is not reached from {_place(network, reached)}: the network is in {pieces} "
            f"pieces, the largest of {int((label == largest).sum())} nodes; join them, or keep one"
        )


def check_boundaries(network: VesselNetwork) -> None:
    """Every end has one condition, nothing else has, and one of them is a pressure."""
    held: dict[int, Boundary] = {}
    for boundary in network.boundaries:
        if not isinstance(boundary, Boundary):
            raise InputError(f"boundaries hold {boundary!r}; give Boundary(node, pressure=...) or the like")
        node = boundary.node
        if not 0 <= node < len(network.nodes):
            raise InputError(f"a boundary is at node {node}, but nodes are numbered 0 to {len(network.nodes) - 1}")
        if (degree := int(network.degree[node])) != 1:
            raise InputError(
                f"{_place(network, node)} has a boundary and {degree} vessels; put it at an end, where one vessel is"
            )
        if node in held:
            raise InputError(f"{_place(network, node)} has two boundaries; give one")
        held[node] = boundary
    for node in (network.degree == 1).nonzero().flatten().tolist():
        if node not in held:
            name = network.names[int(network.incident.vessel[network.incident.start[node]])]
            raise InputError(
                f"{name} ends at {_place(network, node)} without a boundary, so no blood flows there; give "
                f"Boundary({node}, pressure=...), or leave the vessel out"
            )
    inlets = [node for node, boundary in held.items() if boundary.enters]
    if len(held) < 2 or len(inlets) == len(held):
        where = f"{_place(network, inlets[0])} is an inlet" if inlets else f"the network has {len(held)} ends,"
        raise InputError(f"{where} without outlet; blood that enters must leave: give another end a pressure")
    if all(boundary.pressure is None for boundary in held.values()):
        raise InputError(
            f"no boundary is a pressure, and flows alone leave all pressures open; give {_place(network, min(held))} "
            "or another end a pressure"
        )


def _place(network: VesselNetwork, node: int) -> str:
    x, y, z = (f"{1e6 * x:.5g}" for x in network.nodes[node].tolist())
    return f"node {node} (at {x}, {y}, {z} um)"


def _first(wrong: Tensor) -> int | None:
    return int(wrong.nonzero()[0]) if bool(wrong.any()) else None
