"""Networks of vessels: straight round tubes between nodes, and what drives the blood at the ends.

A vessel leads from one node to another; its diameter is D, its length L at least the distance of its nodes. A network
is connected, and each end of it (a node of one vessel) has a boundary condition. It has vessels - nodes + 1 loops.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood import network_checks as checks
from sojourn.processes.blood.boundary import Boundary, plain
from sojourn.processes.blood.checks import narrow
from sojourn.processes.blood.units import Quantity, show, si

if TYPE_CHECKING:
    from networkx import MultiDiGraph

    from sojourn.processes.blood.solver import Flow


class Incidence(NamedTuple):
    """The vessels at each node: those of node i are `vessel[start[i]:start[i + 1]]`, in ascending order."""

    start: Tensor  # int64 (N + 1,)
    vessel: Tensor  # int64 (2 V,)
    end: Tensor  # int64 (2 V,): 0 where the vessel leads away from the node, 1 where it leads to it


@dataclass(frozen=True, eq=False)
class VesselNetwork:
    """A connected graph of vessels.

    Args:
        nodes: (N, 3) places, m.
        vessels: (V, 2) whole numbers, the nodes that a vessel leads from and to: the direction in which a flow counts
            as positive.
        diameter: (V,), or one for all, m. May ask for gradients.
        length: (V,), m, at least the distance of the nodes, and more where a vessel is tortuous; None: the distance.
        boundaries: one at each end, where a single vessel meets a node; at least one of them a pressure.
        kinds: (V,) texts such as "arteriole", "capillary", "tumour"; empty: "vessel" for all.
        names: (V,) texts for messages; empty: "vessel 0", "vessel 1", ...

    Numbers are SI; diameter and length may be text with units. All arrays become tensors, of float64 or int64.

    Raises:
        InputError: a graph that is not connected, a vessel without length or width, an end without a condition, an
            inlet without outlet, and what else no blood can flow through; the message names the vessel or node.
    """

    nodes: Any
    vessels: Any
    diameter: Quantity
    length: Quantity = None
    boundaries: Sequence[Boundary] = ()
    kinds: Sequence[str] = ()
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        nodes = _array(self.nodes, 3, "nodes", "places (x, y, z) in metres").double()
        vessels = _array(self.vessels, 2, "vessels", "pairs of node numbers")
        if not bool(torch.isfinite(nodes.detach()).all()):
            row = int((~torch.isfinite(nodes.detach())).any(1).nonzero()[0])
            raise InputError(f"node {row} is at {nodes[row].tolist()}, which is not finite; give metres")
        if vessels.is_floating_point() or vessels.dtype == torch.bool:
            raise InputError(f"vessels hold {vessels.dtype} values; give whole numbers, the nodes from and to")
        count = len(vessels)
        for name, default in (("kinds", ["vessel"] * count), ("names", [f"vessel {i}" for i in range(count)])):
            texts = tuple(getattr(self, name)) or tuple(default)
            if isinstance(getattr(self, name), str) or not all(isinstance(text, str) for text in texts):
                raise InputError(f"{name}={getattr(self, name)!r} are not texts; give one for each vessel, or none")
            if len(texts) != count:
                raise InputError(f"{len(texts)} {name} for {count} vessels; give one for each, or none")
            object.__setattr__(self, name, texts)
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "vessels", vessels.long())
        if not isinstance(self.boundaries, Sequence):
            raise InputError(f"boundaries={self.boundaries!r} are no list; give one Boundary for each end")
        object.__setattr__(self, "boundaries", tuple(self.boundaries))
        checks.check_vessels(self)
        object.__setattr__(self, "diameter", self._of_vessels(self.diameter, "diameter"))
        distance = self._span.norm(dim=1)
        length = distance if self.length is None else self._of_vessels(self.length, "length")
        object.__setattr__(self, "length", length)
        checks.check_lengths(self, distance.detach())
        checks.check_pieces(self)
        checks.check_boundaries(self)

    @classmethod
    def tube(
        cls,
        diameter: Quantity,
        length: Quantity,
        *,
        inlet_velocity: Quantity = "2 mm/s",
        hematocrit: Quantity = 0.45,
        outlet_pressure: Quantity = 0.0,
    ) -> VesselNetwork:
        """One vessel along x, from node 0, where blood enters at a mean velocity, to node 1, which has a pressure.

        Args:
            diameter, length: m.
            inlet_velocity: m/s, as in a venule of 20 um.
            hematocrit: of the blood that enters.
            outlet_pressure: Pa; a reference.
        """
        from sojourn.processes.blood import generate

        return generate.tube(diameter, length, inlet_velocity, hematocrit, outlet_pressure)

    @classmethod
    def murray_tree(
        cls,
        generations: int,
        diameter: Quantity,
        *,
        length_ratio: float = 20.0,
        asymmetry: float = 1.0,
        dimensions: int = 2,
        mirrored: bool = False,
        inlet_velocity: Quantity = "2 mm/s",
        hematocrit: Quantity = 0.45,
        outlet_pressure: Quantity = 0.0,
    ) -> VesselNetwork:
        """A tree in which every vessel divides in two by Murray's law, D^3 = D_1^3 + D_2^3, D_2 = asymmetry D_1.

        Vessel 0 is the trunk, from node 0 along x; vessels 2 i + 1 and 2 i + 2 are the daughters of vessel i. They
        leave to either side of x, first at Murray's angle for equal daughters, 37.5 degrees, then by half the distance
        of the generation before, so that branches do not cross.

        Args:
            generations: how often a vessel divides; 2^(generations + 1) - 1 vessels.
            diameter: of the trunk, m.
            length_ratio: length over diameter of every vessel; 20 is the median of the 546 segments of a rat's
                mesentery in NetFlow's network.dat (github.com/secomb/NetFlowV2).
            asymmetry: D_2 / D_1, in (0, 1].
            dimensions: 2: in the plane z = 0. 3: every other generation divides along z.
            mirrored: whether each last branch goes on as a "capillary" of its own diameter into the mirror image of the
                tree, of "venules", with one outlet; else every last branch is an outlet.
            inlet_velocity, hematocrit: of the blood that enters the trunk, m/s.
            outlet_pressure: Pa; a reference.

        Source: Murray, Proc. Natl. Acad. Sci. 12 (1926), 207, and J. Gen. Physiol. 9 (1926), 835, for the angle.

        Raises:
            InputError: generations outside 0 to 16, an asymmetry outside (0, 1], or other dimensions.
        """
        from sojourn.processes.blood import generate

        shape = generate.Tree(generations, length_ratio, asymmetry, dimensions)
        return generate.murray_tree(shape, diameter, mirrored, inlet_velocity, hematocrit, outlet_pressure)

    @classmethod
    def honeycomb(
        cls,
        columns: int = 8,
        rows: int = 6,
        *,
        diameter: Quantity = "20 um",
        length: Quantity = "200 um",
        inlet_velocity: Quantity = "2 mm/s",
        hematocrit: Quantity = 0.45,
    ) -> VesselNetwork:
        """Regular hexagons in the plane z = 0, as in microfluidic networks: equal vessels, loops = columns x rows.

        Every column is half a hexagon above or below its neighbours, and blood flows from left to right. One inlet
        leads to the leftmost corner of the middle hexagon of the first column; one outlet, of zero pressure, leads from
        the last column, such that the network turned by 180 degrees (an even number of columns) or mirrored (an odd
        one) is itself. Inside, three vessels meet at every node; on the rim two or three.

        Args:
            columns, rows: how many hexagons, at least 1.
            diameter, length: of every vessel, m.
            inlet_velocity, hematocrit: of the blood that enters, m/s; 2 mm/s as in a venule of 20 um.

        Raises:
            InputError: fewer than one column or row.
        """
        from sojourn.processes.blood import generate

        return generate.honeycomb(columns, rows, diameter, length, inlet_velocity, hematocrit)

    @classmethod
    def tumour_like(
        cls,
        vessels: int = 1000,
        *,
        inlets: int = 2,
        outlets: int = 2,
        inlet_pressure: Quantity = "50 mmHg",
        outlet_pressure: Quantity = "15 mmHg",
        hematocrit: Quantity = 0.45,
        seed: int = 0,
    ) -> VesselNetwork:
        """A flat irregular bed with a tumour in the middle, fed by arterioles from the left, drained to the right.

        The bed is the edges of a Voronoi diagram, with kinds "arteriole", "venule", "capillary" and "tumour".
        Arterioles and venules are trees that widen by Murray's law from last branches of 10 and 14 um, which end in
        turn every 0.4 mm, though not in the tumour's middle; two thirds of the capillaries that would leave them on
        their way are left out. Nodes are 67 um apart and capillaries 7 um wide in the mean. In the tumour the mean
        diameter is 10 um and spreads widely, vessels are tortuous, and a fifth or more is missing, which leaves gaps.
        Every vessel is on a way from an inlet to an outlet.

        Args:
            vessels: about how many, at least 100.
            inlets, outlets: how many trees of arterioles and of venules.
            inlet_pressure, outlet_pressure: Pa, the same at all inlets and at all outlets.
            hematocrit: of the blood that enters.
            seed: of the shape; the same gives the same network.

        Source: Less et al., Cancer Res. 51 (1991), 265, for lengths and diameters in a tumour.

        Raises:
            InputError: fewer than 100 vessels or than one inlet or outlet, or more of those than the rim has room for.
        """
        from sojourn.processes.blood import tumour_bed

        return tumour_bed.tumour_like(vessels, inlets, outlets, inlet_pressure, hematocrit, outlet_pressure, seed)

    def solve(self, *, viscosity: Any = "pries_in_vivo_1994", separation: str = "2005") -> Flow:
        """Pressures, flows and hematocrits: see `sojourn.processes.blood.solver.solve`."""
        from sojourn.processes.blood.solver import solve

        return solve(self, viscosity=viscosity, separation=separation)

    @cached_property
    def degree(self) -> Tensor:
        """(N,): how many vessels meet at a node."""
        return torch.bincount(self.vessels.flatten(), minlength=len(self.nodes))

    @cached_property
    def incident(self) -> Incidence:
        """The vessels at each node."""
        order = torch.argsort(self.vessels.flatten(), stable=True)
        start = torch.cat([torch.zeros_like(self.degree[:1]), torch.cumsum(self.degree, 0)])
        return Incidence(start, order // 2, order % 2)

    @cached_property
    def directions(self) -> Tensor:
        """(V, 3): unit vectors along the vessels."""
        return self._span / self._span.norm(dim=1, keepdim=True)

    @cached_property
    def frames(self) -> Tensor:
        """(V, 3, 3): a right-handed orthonormal frame of each vessel, its rows the tangent, n1 and n2.

        n1 is z x tangent, in the xy-plane, and n2 = z for a vessel in that plane; a vessel within 26 degrees of the z
        axis has x in the place of z.
        """
        tangent = self.directions
        axis = torch.zeros_like(tangent)
        steep = tangent[:, 2].abs() > 0.9
        axis[:, 2], axis[:, 0] = (~steep).double(), steep.double()
        first = torch.linalg.cross(axis, tangent)
        first = first / first.norm(dim=1, keepdim=True)
        return torch.stack([tangent, first, torch.linalg.cross(tangent, first)], 1)

    @property
    def volume(self) -> Tensor:
        """(V,): pi D^2 L / 4, m^3."""
        return torch.pi / 4 * self.diameter**2 * self.length

    @property
    def loops(self) -> int:
        """Independent loops: vessels - nodes + 1."""
        return len(self.vessels) - len(self.nodes) + 1

    def to_networkx(self) -> MultiDiGraph:
        """The graph, with `position` (m) on nodes, and `diameter`, `length` (m), `kind`, `name` on vessels, keyed by
        their number."""
        import networkx

        graph = networkx.MultiDiGraph()
        for node, place in enumerate(self.nodes.detach().tolist()):
            graph.add_node(node, position=tuple(place))
        columns = (
            self.vessels.tolist(),
            self.diameter.detach().tolist(),
            self.length.detach().tolist(),
            self.kinds,
            self.names,
        )
        for number, ((a, b), diameter, length, kind, name) in enumerate(zip(*columns, strict=True)):
            graph.add_edge(a, b, key=number, diameter=diameter, length=length, kind=kind, name=name)
        return graph

    def record(self) -> dict[str, Any]:
        """For a run's record: how many vessels there are, and digests of the arrays and of the boundaries to ten
        digits."""
        arrays = [_rounded(x.detach().cpu().numpy()) for x in (self.nodes, self.diameter, self.length)]
        ends = sorted(
            " ".join(f"{name}={plain(x):.9e}" for name, x in vars(b).items() if x is not None) for b in self.boundaries
        )
        vessels = _digest(*arrays, self.vessels.cpu().numpy().tobytes(), *(kind.encode() for kind in self.kinds))
        boundaries = _digest(*(end.encode() for end in ends))
        return {"vessels": f"{len(self.vessels)}, {vessels}", "boundaries": f"{len(ends)}, {boundaries}"}

    def __repr__(self) -> str:
        low, high = (show(float(x), "m") for x in self.diameter.detach().aminmax())
        width = low if low == high else f"{low} to {high}"
        length, volume = show(float(self.length.detach().sum()), "m"), show(float(self.volume.detach().sum()), "m^3")
        return (
            f"VesselNetwork({len(self.vessels)} vessels, {len(self.nodes)} nodes, {self.loops} loops, "
            f"{len(self.boundaries)} ends, diameter {width}, length {length} in all, volume {volume})"
        )

    @cached_property
    def _span(self) -> Tensor:
        return self.nodes[self.vessels[:, 1]] - self.nodes[self.vessels[:, 0]]

    def _of_vessels(self, value: Quantity, name: str) -> Tensor:
        """One number for each vessel, above zero."""
        if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
            numbers = [si(x, "m", name=f"{name}[{i}]") if isinstance(x, str) else x for i, x in enumerate(value)]
            value = torch.as_tensor(np.array(numbers, dtype=float))
        if not isinstance(value, Tensor):
            value = torch.as_tensor(si(value, "m", name=name), dtype=torch.float64)
        if value.ndim and value.shape != (len(self.vessels),):
            raise InputError(
                f"{name} has shape {tuple(value.shape)}; give one number, or {len(self.vessels)}, in metres"
            )
        value = value.to(self.nodes.device, torch.float64).expand(len(self.vessels)).contiguous()
        wrong = ~((value > 0) & torch.isfinite(value)).detach()
        if bool(wrong.any()):
            worst = int(wrong.nonzero()[0])
            given = float(value[worst].detach())
            raise InputError(f"{self.names[worst]} has {name}={given:g}, which is not above zero; give metres")
        if name == "diameter":
            widest = int(value.detach().argmax())
            narrow(float(value[widest].detach()), name=f"{self.names[widest]} has diameter")
        return value


def _rounded(values: np.ndarray) -> bytes:
    """Numbers as whole multiples of 1e-10 of the largest, and that to ten digits."""
    largest = float(np.abs(values).max())
    return f"{largest:.9e}".encode() + np.round(1e10 * values / largest).astype(np.int64).tobytes()


def _digest(*parts: bytes) -> str:
    """Sixteen letters and digits that stand for these bytes."""
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()[:16]


def _array(value: Any, columns: int, name: str, remedy: str) -> Tensor:
    """A tensor of rows, from what can be one."""
    try:
        found = value if isinstance(value, Tensor) else torch.as_tensor(np.array(value, order="C"))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} are not numbers in rows of {columns}; give {remedy}") from error
    if found.ndim != 2 or found.shape[1] != columns:
        raise InputError(f"{name} have shape {tuple(found.shape)}; give {remedy}, one row each")
    return found
