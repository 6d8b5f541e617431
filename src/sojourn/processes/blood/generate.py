"""Networks that are made: a tube, Murray's tree and a honeycomb. `VesselNetwork` offers them and says what they are.

Shapes are drawn for a unit of length and scaled, so that gradients of a diameter or a length reach every vessel.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.checks import whole
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.units import Quantity, one, positive, si

MURRAY_ANGLE = math.acos(2 ** (-1 / 3))  # of equal daughters to their parent's axis: cos = (D_0 / D_1)^2 / 2


def tube(
    diameter: Quantity, length: Quantity, velocity: Quantity, hematocrit: Quantity, pressure: Quantity
) -> VesselNetwork:
    """One vessel along x."""
    nodes = _scaled(np.array([[0.0, 0, 0], [1, 0, 0]]), one(positive(length, "m", name="length"), name="length"))
    ends = (Boundary(0, velocity=velocity, hematocrit=hematocrit), Boundary(1, pressure=pressure))
    return VesselNetwork(nodes, np.array([[0, 1]]), positive(diameter, "m", name="diameter"), boundaries=ends)


class Tree(NamedTuple):
    """The shape of Murray's tree; see `VesselNetwork.murray_tree`."""

    generations: int
    length_ratio: float
    asymmetry: float
    dimensions: int

    def draw(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Nodes, vessels and diameters, for a trunk of diameter 1; the vessel i leads to node i + 1."""
        count = 2 ** (self.generations + 1) - 1
        nodes, diameter = np.zeros((count + 1, 3)), np.ones(count)
        nodes[1, 0] = self.length_ratio
        larger = (1 + self.asymmetry**3) ** (-1 / 3)
        apart = math.sin(MURRAY_ANGLE) * self.length_ratio * 2 ** (-1 / 3)
        for generation in range(1, self.generations + 1):
            daughters = np.arange(2**generation - 1, 2 ** (generation + 1) - 1)
            parents = (daughters - 1) // 2
            above = daughters % 2 == 1
            # The larger daughter is above in one generation and below in the next.
            diameter[daughters] = diameter[parents] * np.where(
                above == (generation % 2 == 1), larger, self.asymmetry * larger
            )
            length = self.length_ratio * diameter[daughters]
            halvings, axis = divmod(generation - 1, self.dimensions - 1)
            # At most 60 degrees, where a daughter is too short to go as far.
            aside = np.minimum(apart / 2**halvings, math.sin(math.pi / 3) * length)
            nodes[daughters + 1] = nodes[parents + 1]
            nodes[daughters + 1, 0] += np.sqrt(length**2 - aside**2)
            nodes[daughters + 1, 1 + axis] += np.where(above, aside, -aside)
        vessels = np.arange(count)
        return nodes, np.stack([np.where(vessels > 0, (vessels - 1) // 2 + 1, 0), vessels + 1], 1), diameter


def murray_tree(
    tree: Tree, diameter: Quantity, mirrored: bool, velocity: Quantity, hematocrit: Quantity, pressure: Quantity
) -> VesselNetwork:
    """A tree, or a tree and its mirror image joined by capillaries."""
    _check_tree(tree)
    diameter = one(positive(diameter, "m", name="diameter"), name="diameter")
    nodes, vessels, relative = tree.draw()
    count, last = len(vessels), np.arange(2**tree.generations - 1, len(vessels))
    kinds = ["arteriole"] * count
    outlets = last + 1
    if mirrored:
        mirror = (nodes[last + 1, 0] + tree.length_ratio * relative[last] / 2).max()
        image = nodes * [-1, 1, 1] + [2 * mirror, 0, 0]
        across = np.stack([last + 1, last + 1 + len(nodes)], 1)
        vessels = np.concatenate([vessels, across, vessels[:, ::-1] + len(nodes)])
        relative = np.concatenate([relative, relative[last], relative])
        kinds += ["capillary"] * len(last) + ["venule"] * count
        outlets = np.array([len(nodes)])
        nodes = np.concatenate([nodes, image])
    ends = [Boundary(0, velocity=velocity, hematocrit=hematocrit)]
    ends += [Boundary(int(node), pressure=pressure) for node in outlets]
    width = _scaled(relative, diameter)
    return VesselNetwork(_scaled(nodes, diameter), vessels, width, boundaries=ends, kinds=kinds)


def honeycomb(
    columns: int, rows: int, diameter: Quantity, length: Quantity, velocity: Quantity, hematocrit: Quantity
) -> VesselNetwork:
    """Hexagons with corners to the left and right; places count in half a side along x and half a height along y."""
    for name, number in (("columns", columns), ("rows", rows)):
        if whole(number, name=name, remedy="it counts hexagons") < 1:
            raise InputError(f"{name}={number} is less than one hexagon; give 1 or more")
    column, row = (x.ravel() for x in np.meshgrid(np.arange(columns), np.arange(rows), indexing="ij"))
    centres = np.stack([3 * column, 2 * row + column % 2], 1)
    corners = centres[:, None] + np.array([[2, 0], [1, 1], [-1, 1], [-2, 0], [-1, -1], [1, -1]])
    last, first_row = columns - 1, (rows - 1) // 2
    last_row = first_row if columns % 2 else rows - 1 - first_row
    left, right = np.array([-2, 2 * first_row]), np.array([3 * last + 2, 2 * last_row + last % 2])
    inlet, outlet = np.stack([left - np.array([2, 0]), left]), np.stack([right, right + np.array([2, 0])])
    pairs = np.concatenate([np.stack([corners, np.roll(corners, -1, 1)], 2).reshape(-1, 2, 2), [inlet, outlet]])
    # Sorted by x, so that the inlet is node 0, the outlet the last, and every vessel leads to the right.
    places, numbers = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
    vessels = np.unique(np.sort(numbers.reshape(-1, 2), 1), axis=0)
    flat = (places - inlet[0]) * [0.5, math.sqrt(3) / 2]
    ends = (
        Boundary(0, velocity=velocity, hematocrit=hematocrit),
        Boundary(len(places) - 1, pressure=0.0),
    )
    nodes = _scaled(np.pad(flat, ((0, 0), (0, 1))), one(positive(length, "m", name="length"), name="length"))
    return VesselNetwork(nodes, vessels, positive(diameter, "m", name="diameter"), boundaries=ends)


def _check_tree(tree: Tree) -> None:
    whole(tree.generations, name="generations", remedy="give 0 to 16")
    for name in ("asymmetry", "length_ratio"):
        one(si(number := getattr(tree, name), "", name=name), name=name)
        if isinstance(number, str):
            raise InputError(f"{name}={number!r} is a text; give a number")
    if not 0 <= tree.generations <= 16:
        raise InputError(f"generations={tree.generations} is outside 0 to 16, which is 131071 vessels; choose fewer")
    if not 0 < tree.asymmetry <= 1:
        raise InputError(f"asymmetry={tree.asymmetry:g} is not in (0, 1]; give D_2 / D_1, the smaller over the larger")
    if not tree.length_ratio > 0:
        raise InputError(f"length_ratio={tree.length_ratio:g} is not above zero; give length over diameter, such as 20")
    if tree.dimensions not in (2, 3):
        raise InputError(f"dimensions={tree.dimensions} is neither 2 nor 3; choose one of them")


def _scaled(shape: np.ndarray, unit: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(shape, dtype=float)) * unit
