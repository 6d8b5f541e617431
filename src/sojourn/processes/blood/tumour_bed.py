"""A flat irregular bed of vessels with a tumour in its middle; see `VesselNetwork.tumour_like`.

The edges of a Voronoi diagram: three vessels meet at a node, and loops have all sizes. Lengths count in about the mean
length of a vessel until the end.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from networkx import Graph, biconnected_component_edges
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, dijkstra, minimum_spanning_tree
from scipy.spatial import Voronoi

from sojourn.errors import InputError
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.checks import whole
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.units import Quantity

_LENGTH = 67e-6  # m, and the tumour's mean diameter: Less et al., Cancer Res. 51 (1991), 265
# Diameters are log-normal: the mean and ends in um, the standard deviation of the logarithm.
_DIAMETERS = {"tumour": (10.0, 0.4, 5.0, 30.0), "capillary": (7.0, 0.15, 5.0, 10.0)}
_LAST = {"arteriole": 10e-6, "venule": 14e-6}  # diameters of the last branches
_APART = 6.0  # places where arterioles and venules end lie about so far apart
_RADIUS = 0.3  # of the tumour, over the side of the bed
_MISSING = 0.2  # the share of the tumour's vessels that is taken out
_PASSED_BY = 0.65  # the share taken out of the capillaries that would leave an arteriole or venule on its way
_LOST = 0.26  # about the share of all vessels that goes so, with the blind ends that are left
_BENT = {"arteriole": 0.02, "venule": 0.02, "capillary": 0.05, "tumour": 0.35}  # mean of length / distance - 1


class Bed(NamedTuple):
    """A plane graph."""

    nodes: np.ndarray  # (N, 2)
    vessels: np.ndarray  # (V, 2)

    def kept(self, which: np.ndarray) -> Bed:
        """Only the vessels of `lasting`."""
        return self.part(self.lasting(which))[0]

    def lasting(self, which: np.ndarray) -> np.ndarray:
        """Some of the vessels, less what then ends blindly, and what is not joined to the most; (V,)."""
        which = which.copy()
        while True:
            degree = np.bincount(self.vessels[which].ravel(), minlength=len(self.nodes))
            blind = which & (degree[self.vessels] <= 1).any(1)
            if not blind.any():
                break
            which &= ~blind
        _, label = connected_components(_graph(len(self.nodes), self.vessels[which]), directed=False)
        return which & (label[self.vessels[:, 0]] == np.bincount(label[self.vessels[which, 0]]).argmax())

    def carrying(self, which: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Some of the vessels, less those that are on no way from one end to another, as rings that hang at one node
        are; (V,)."""
        outside = len(self.nodes)  # joined to all ends; what is on such a way is on a circle with it
        pairs = [tuple(pair) for pair in self.vessels.tolist()]
        graph = Graph([pair for pair, kept in zip(pairs, which.tolist(), strict=True) if kept])
        graph.add_edges_from((end, outside) for end in ends.tolist())
        block = max(biconnected_component_edges(graph), key=lambda edges: sum(outside in edge for edge in edges))
        on_way = {frozenset(edge) for edge in block}
        return which & np.array([frozenset(pair) in on_way for pair in pairs])

    def part(self, which: np.ndarray) -> tuple[Bed, np.ndarray]:
        """Some of the vessels with the nodes that they need, and the new number of each node."""
        used = np.unique(self.vessels[which])
        number = np.full(len(self.nodes), -1)
        number[used] = np.arange(len(used))
        return Bed(self.nodes[used], number[self.vessels[which]]), number


def tumour_like(
    vessels: int,
    inlets: int,
    outlets: int,
    inlet: Quantity,
    hematocrit: Quantity,
    outlet: Quantity,
    seed: int,
) -> VesselNetwork:
    """The network that `VesselNetwork.tumour_like` describes."""
    whole(seed, name="seed", remedy="give 0 or more")
    if whole(vessels, name="vessels", remedy="give 100 or more") < 100:
        raise InputError(f"vessels={vessels} is too few for a bed with a tumour; give 100 or more")
    if seed < 0:
        raise InputError(f"seed={seed} is below zero; give 0 or more")
    random = np.random.default_rng(seed)
    side = math.sqrt(vessels / (3 - 3 * _LOST) * 1.5 * math.sqrt(3))  # three vessels to a hexagon of side 1
    for name, number in (("inlets", inlets), ("outlets", outlets)):
        if not 1 <= whole(number, name=name, remedy="it counts trees") <= side / 3:
            raise InputError(f"{name}={number} is outside 1 to {int(side / 3)}, what {vessels} vessels have room for")
    bed = _relaxed(_irregular(random, side))
    inside = _in_tumour(bed, side)
    bed = bed.kept(~_missing(random, bed, inside))
    kinds = np.where(_in_tumour(bed, side), "tumour", "capillary").astype("<U9")
    distance = np.linalg.norm(np.diff(bed.nodes[bed.vessels], axis=1)[:, 0], axis=1)
    mean, spread, low, high = np.array([_DIAMETERS[kind] for kind in kinds.tolist()]).T
    normal = random.standard_normal(len(kinds))
    diameter = 1e-6 * np.clip(mean * np.exp(spread * normal - spread**2 / 2), low, high)
    distance = np.where(kinds == "tumour", 4, 1) * distance  # larger vessels go round a tumour rather
    roots: dict[str, np.ndarray] = {}
    widths: dict[str, np.ndarray] = {}
    free = np.ones(len(bed.nodes), bool)
    for turn, (kind, number) in enumerate((("arteriole", inlets), ("venule", outlets))):
        roots[kind] = _rim(bed, free, number, turn, side)
        branches, widths[kind] = _tree(bed, free, roots[kind], _goals(side, turn), distance)
        wide = np.flatnonzero(branches)
        diameter[wide] = _LAST[kind] * np.cbrt(branches[wide])
        widths[kind] = _LAST[kind] * np.cbrt(widths[kind])
        kinds[wide] = kind
        free[bed.vessels[wide]] = False
        free[roots[kind]] = False
    ends = np.concatenate(list(roots.values()))
    which = bed.carrying(~_passed_by(random, bed, kinds, ends), ends)
    bed, number = bed.part(which)
    roots = {kind: number[nodes] for kind, nodes in roots.items()}
    return _network(random, bed, roots, widths, diameter[which], kinds[which], (inlet, hematocrit, outlet))


def _passed_by(random: np.random.Generator, bed: Bed, kinds: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which capillaries go that would leave an arteriole or venule on its way, (V,); none at a root.

    With all of them plasma would be skimmed off an arteriole every 67 um, and its last branches carry cells alone.
    """
    wide = (kinds == "arteriole") | (kinds == "venule")
    passed = np.bincount(bed.vessels[wide].ravel(), minlength=len(bed.nodes)) > 1
    passed[ends] = False
    spare = (kinds == "capillary") & passed[bed.vessels].any(1) & ~np.isin(bed.vessels, ends).any(1)
    return spare & (random.random(len(kinds)) < _PASSED_BY)


def _network(
    random: np.random.Generator,
    bed: Bed,
    roots: dict[str, np.ndarray],
    widths: dict[str, np.ndarray],
    diameter: np.ndarray,
    kinds: np.ndarray,
    blood: tuple[Quantity, Quantity, Quantity],
) -> VesselNetwork:
    """The bed with a vessel outwards at each root, in metres, with hills and bends."""
    inlet, hematocrit, outlet = blood
    into, out = roots["arteriole"], roots["venule"]
    sources, drains = np.split(len(bed.nodes) + np.arange(len(into) + len(out)), [len(into)])
    plane = np.concatenate([bed.nodes, bed.nodes[into] - [1, 0], bed.nodes[out] + [1, 0]])
    vessels = np.concatenate([bed.vessels, np.stack([sources, into], 1), np.stack([out, drains], 1)])
    kinds = np.concatenate([kinds, ["arteriole"] * len(into), ["venule"] * len(out)])
    diameter = np.concatenate([diameter, widths["arteriole"], widths["venule"]])
    right = plane[vessels[:, 0], 0] <= plane[vessels[:, 1], 0]
    vessels = np.where(right[:, None], vessels, vessels[:, ::-1])
    nodes = np.column_stack([plane, _field(random, plane, 12.0)])
    distance = np.linalg.norm(np.diff(nodes[vessels], axis=1)[:, 0], axis=1)
    nodes, distance = nodes * _LENGTH / distance.mean(), distance * _LENGTH / distance.mean()
    bent = random.exponential(1.0, len(vessels)) * np.array([_BENT[kind] for kind in kinds.tolist()])
    ends = [Boundary(int(i), pressure=inlet, hematocrit=hematocrit) for i in sources]
    ends += [Boundary(int(i), pressure=outlet) for i in drains]
    return VesselNetwork(
        nodes, vessels, diameter, length=distance * (1 + bent), boundaries=ends, kinds=tuple(kinds.tolist())
    )


def _irregular(random: np.random.Generator, side: float) -> Bed:
    """Edges inside a square of the Voronoi diagram of a lattice of triangles whose points have moved."""
    step = math.sqrt(3)
    columns, rows = int(side / (1.5)) + 6, int(side / step) + 6
    j, i = (x.ravel() for x in np.meshgrid(np.arange(rows), np.arange(columns)))
    points = np.stack([1.5 * (i - 2), step * (j - 2 + 0.5 * (i % 2))], 1)
    diagram = Voronoi(points + 0.3 * step * random.standard_normal(points.shape))
    edges, corners = np.array(diagram.ridge_vertices), np.array(diagram.vertices)
    within = np.abs(corners - side / 2) <= side / 2
    both = (edges >= 0) & (within[:, 0] & within[:, 1])[edges]  # -1 is at infinity
    return Bed(corners, edges).kept(both[:, 0] & both[:, 1])


def _relaxed(bed: Bed) -> Bed:
    """The nodes moved as by springs of length 1, since a Voronoi diagram has edges of almost no length."""
    nodes, count = bed.nodes.copy(), len(bed.vessels)
    rows = np.tile(np.arange(count), 2)
    span = coo_array((np.repeat([-1.0, 1.0], count), (rows, bed.vessels.T.ravel())), shape=(count, len(nodes))).tocsr()
    pull = span.T.tocsr()
    for _ in range(3):
        along = span @ nodes
        length = np.linalg.norm(along, axis=1, keepdims=True)
        nodes -= 0.15 * (pull @ (along * (1 - 1 / np.maximum(length, 0.05))))
    return Bed(nodes, bed.vessels)


def _missing(random: np.random.Generator, bed: Bed, inside: np.ndarray) -> np.ndarray:
    """Which vessels of the tumour go: none of a random tree that spans all, so that the rest stays in one piece."""
    count = len(bed.vessels)
    weight = random.uniform(1, 2, count)
    tree = minimum_spanning_tree(_graph(len(bed.nodes), bed.vessels, weight)).tocoo()
    spanned = {frozenset(pair) for pair in zip(tree.row.tolist(), tree.col.tolist(), strict=True)}
    spare = np.array([frozenset(pair) not in spanned for pair in bed.vessels.tolist()]) & inside
    middle = bed.nodes[bed.vessels].mean(1)
    score = np.where(spare, _field(random, middle, 6.0) + 0.3 * random.standard_normal(count), -np.inf)
    gone = np.zeros(count, bool)
    gone[np.argsort(-score)[: min(int(_MISSING * inside.sum()), int(spare.sum()))]] = True
    return gone


def _rim(bed: Bed, free: np.ndarray, number: int, turn: int, side: float) -> np.ndarray:
    """Nodes on the left (turn 0) or right of the bed, spread along it, each of two vessels."""
    free = free & (np.bincount(bed.vessels.ravel()) == 2)
    found = []
    for height in side * (np.arange(number) + 0.5) / number:
        inwards = bed.nodes[:, 0] if turn == 0 else side - bed.nodes[:, 0]
        cost = np.where(free, np.abs(bed.nodes[:, 1] - height) + 2 * inwards, np.inf)
        found.append(int(cost.argmin()))
        free[found] = False
    return np.array(found)


def _goals(side: float, turn: int) -> np.ndarray:
    """Where arterioles (turn 0) or venules end: every second place of a lattice, outside the tumour's inner half."""
    count = max(2, round(side / _APART))
    i, j = (x.ravel() for x in np.indices((count, count)))
    places = side / count * (np.stack([i, j], 1)[(i + j) % 2 == turn] + 0.5)
    return places[np.linalg.norm(places - side / 2, axis=1) > _RADIUS * side / 2]


def _tree(
    bed: Bed, free: np.ndarray, roots: np.ndarray, goals: np.ndarray, distance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The shortest ways from roots to goals: how many pass each vessel, and each root (at least 1).

    By Murray's law a vessel on n ways is as wide as n^(1/3) last branches.
    """
    usable = free[bed.vessels].all(1)
    graph = _graph(len(bed.nodes), bed.vessels[usable], distance[usable])
    far, before, _ = dijkstra(graph, directed=False, indices=roots, return_predecessors=True, min_only=True)
    number = {frozenset(pair): i for i, pair in enumerate(bed.vessels.tolist())}
    reached = np.flatnonzero(np.isfinite(far))
    ways, passing = np.zeros(len(bed.vessels)), dict.fromkeys(roots.tolist(), 0)
    nearest = np.linalg.norm(bed.nodes[reached] - goals[:, None], axis=2).argmin(1)
    for node in sorted(set(reached[nearest].tolist())):
        while node not in passing:
            ways[number[frozenset((node, int(before[node])))]] += 1
            node = int(before[node])
        passing[node] += 1
    return ways, np.maximum(1, list(passing.values()))


def _in_tumour(bed: Bed, side: float) -> np.ndarray:
    return (np.linalg.norm(bed.nodes - side / 2, axis=1) <= _RADIUS * side)[bed.vessels].all(1)


def _field(random: np.random.Generator, places: np.ndarray, wavelength: float) -> np.ndarray:
    """A smooth random function of the plane: plane waves of about one wavelength and a variance of 1/2 in all."""
    turn, phase = 2 * np.pi * random.uniform(size=(2, 8))
    waves = 2 * np.pi / wavelength * random.uniform(0.7, 1.3, 8) * np.stack([np.cos(turn), np.sin(turn)])
    return np.cos(places @ waves + phase).sum(1) / math.sqrt(8)


def _graph(nodes: int, vessels: np.ndarray, weight: np.ndarray | None = None) -> csr_array:
    ones = np.ones(len(vessels)) if weight is None else weight
    return coo_array((ones, (vessels[:, 0], vessels[:, 1])), shape=(nodes, nodes)).tocsr()
