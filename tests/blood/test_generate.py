"""Networks that are made: counts in closed form, Murray's law, symmetries, planarity, and shapes by their seed."""

import math
from collections import Counter

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.errors import InputError
from sojourn.processes.blood.network import VesselNetwork

SIDES = st.integers(1, 7)


def places(nodes):
    """Places to a thousandth of a micrometre, as a set."""
    return {tuple(row) for row in np.round(np.asarray(nodes) * 1e9).astype(int).tolist()}


def joins(network, places_=None):
    """The vessels as pairs of places, in either direction."""
    where = np.round(np.asarray(network.nodes if places_ is None else places_) * 1e9).astype(int)
    return Counter(frozenset(map(tuple, where[pair].tolist())) for pair in network.vessels.numpy())


def crossings(network):
    """How many pairs of vessels cross in the plane z = 0, of those that share no node."""
    ends = network.vessels.numpy()
    a, b = network.nodes.numpy()[ends.T, :2]

    def side(p, q, r):
        (ax, ay), (bx, by) = np.moveaxis(q - p, -1, 0), np.moveaxis(r - p, -1, 0)
        return np.sign(ax * by - ay * bx)

    p, q, r, s = a[:, None], b[:, None], a[None], b[None]
    share = (ends[:, None, :, None] == ends[None, :, None, :]).any((2, 3))
    crossed = (side(p, q, r) * side(p, q, s) < 0) & (side(r, s, p) * side(r, s, q) < 0) & ~share
    return int(crossed.sum()) // 2


def test_a_tube():
    network = VesselNetwork.tube("20 um", "1 mm", inlet_velocity="1 mm/s", hematocrit=0.4, outlet_pressure="15 mmHg")
    assert network.nodes.tolist() == [[0, 0, 0], [1e-3, 0, 0]]
    assert (network.diameter.item(), network.length.item()) == (2e-5, 1e-3)
    inlet, outlet = network.boundaries
    assert (inlet.node, inlet.velocity, inlet.hematocrit, outlet.node) == (0, 1e-3, 0.4, 1)
    assert outlet.pressure == pytest.approx(15 * 133.322, rel=1e-5)


@given(SIDES, SIDES)
@settings(deadline=None)
def test_a_honeycomb_in_closed_form(columns, rows):
    """C x R hexagons with an inlet and an outlet: N = 2 R C + 2 C + 2 R + 2, V = 3 R C + 2 C + 2 R + 1, loops = R C."""
    network = VesselNetwork.honeycomb(columns, rows, diameter="20 um", length="200 um")
    assert len(network.nodes) == 2 * rows * columns + 2 * columns + 2 * rows + 2
    assert len(network.vessels) == 3 * rows * columns + 2 * columns + 2 * rows + 1
    assert network.loops == rows * columns
    assert network.length.tolist() == pytest.approx([2e-4] * len(network.vessels), rel=1e-12)
    rim, ends = 2 * columns + 2 * rows, 2
    assert network.degree.bincount(minlength=4).tolist() == [0, ends, rim, len(network.nodes) - rim - ends]
    assert (network.directions[:, 0] > 0.4).all()
    first, last = network.boundaries
    assert network.nodes[:, 0].argmin() == first.node
    assert network.nodes[:, 0].argmax() == last.node


@given(SIDES, SIDES)
@settings(deadline=None)
def test_a_honeycomb_meets_at_equal_angles(columns, rows):
    """Vessels at a node are 120 degrees apart; three of them add up to nothing, so only the rim has two."""
    network = VesselNetwork.honeycomb(columns, rows)
    outwards = torch.zeros_like(network.nodes)
    a, b = network.vessels.T
    outwards.index_add_(0, a, network.directions).index_add_(0, b, -network.directions)
    sizes = outwards.norm(dim=1)
    inside = network.degree == 3
    torch.testing.assert_close(sizes[inside], torch.zeros_like(sizes[inside]), rtol=0, atol=1e-12)
    torch.testing.assert_close(sizes[~inside], torch.ones_like(sizes[~inside]), rtol=0, atol=1e-12)


@given(SIDES, SIDES)
@settings(deadline=None)
def test_a_honeycomb_is_symmetric(columns, rows):
    """Turned by 180 degrees (even columns) or mirrored (odd), with inlet and outlet exchanged."""
    network = VesselNetwork.honeycomb(columns, rows)
    inlet, outlet = network.nodes[0].numpy(), network.nodes[-1].numpy()
    image = inlet + outlet - network.nodes.numpy()
    if columns % 2:
        image[:, 1] = network.nodes[:, 1]
    assert joins(network) == joins(network, image)


@given(st.integers(0, 7), st.floats(0.3, 1.0), st.sampled_from([2, 3]), st.booleans())
@settings(deadline=None, max_examples=60)
def test_murray_s_law_at_every_branch(generations, asymmetry, dimensions, mirrored):
    """D^3 = D_1^3 + D_2^3, D_2 = asymmetry D_1, L = 20 D, and the whole by its counts."""
    network = VesselNetwork.murray_tree(
        generations, "50 um", asymmetry=asymmetry, dimensions=dimensions, mirrored=mirrored
    )
    count, last = 2 ** (generations + 1) - 1, 2**generations
    diameter, length = network.diameter.numpy(), network.length.numpy()
    mothers = np.arange(count - last)
    daughters = np.stack([2 * mothers + 1, 2 * mothers + 2])
    np.testing.assert_allclose((diameter[daughters] ** 3).sum(0), diameter[mothers] ** 3, rtol=1e-12)
    ratio = diameter[daughters].min(0) / diameter[daughters].max(0)
    np.testing.assert_allclose(ratio, asymmetry, rtol=1e-12)
    np.testing.assert_allclose(length[:count], 20 * diameter[:count], rtol=1e-12)
    ends = network.vessels.numpy()
    assert (ends[daughters, 0] == ends[mothers, 1]).all()
    assert ends[0, 0] == 0
    if mirrored:
        assert (len(ends), network.loops) == (2 * count + last, last - 1)
        assert Counter(network.kinds) == {"arteriole": count, "capillary": last, "venule": count}
        image = network.nodes.numpy() * [-1, 1, 1] + [float(network.nodes[:, 0].max()), 0, 0]
        assert joins(network) == joins(network, image)
        assert len(network.boundaries) == 2
        assert (length[count : count + last] >= 20 * diameter[count : count + last] * (1 - 1e-12)).all()
    else:
        assert (len(ends), network.loops, len(network.boundaries)) == (count, 0, last + 1)
    assert (network.directions[:, 0] > 0).all()


def test_murray_s_angle():
    """Equal daughters leave at 37.47 degrees: cos = (r_0^4 + r_1^4 - r_2^4) / (2 r_0^2 r_1^2)."""
    network = VesselNetwork.murray_tree(1, 1e-4)
    trunk, up, down = network.directions.numpy()
    (r0, r1) = network.diameter[:2].tolist()
    assert up @ trunk == pytest.approx(r0**4 / (2 * r0**2 * r1**2))
    assert math.degrees(math.acos(up @ trunk)) == pytest.approx(37.467, abs=1e-3)
    assert (up * [1, -1, 1]).tolist() == pytest.approx(down.tolist())


@pytest.mark.parametrize("asymmetry", [1.0, 0.7, 0.4])
def test_branches_in_the_plane_do_not_cross(asymmetry):
    assert crossings(VesselNetwork.murray_tree(6, "50 um", asymmetry=asymmetry, mirrored=True)) == 0


def test_other_generations_divide_along_z():
    network = VesselNetwork.murray_tree(3, "50 um", dimensions=3)
    y, z = network.directions[1:, 1:].abs().T > 1e-9
    assert y.tolist() == [True] * 2 + [False] * 4 + [True] * 8
    assert (y != z).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("vessels", [100, 1000])
def test_a_bed_with_a_tumour(vessels, seed):
    network = VesselNetwork.tumour_like(vessels, inlets=2, outlets=3, seed=seed)
    assert len(network.vessels) == pytest.approx(vessels, rel=0.25)
    assert set(network.degree.tolist()) <= {1, 2, 3}
    assert set(network.kinds) == {"arteriole", "venule", "capillary", "tumour"}
    assert crossings(network) == 0
    inlets, outlets = network.boundaries[:2], network.boundaries[2:]
    assert len(outlets) == 3
    assert all(end.pressure == pytest.approx(50 * 133.322, rel=1e-5) and end.hematocrit == 0.45 for end in inlets)
    assert all(end.pressure == pytest.approx(15 * 133.322, rel=1e-5) for end in outlets)
    middle = network.nodes[:, 0].mean()
    assert all(network.nodes[end.node, 0] < middle for end in inlets)
    assert all(network.nodes[end.node, 0] > middle for end in outlets)
    assert (
        network.length >= (network.nodes[network.vessels[:, 1]] - network.nodes[network.vessels[:, 0]]).norm(dim=1)
    ).all()


def test_vessels_of_a_bed_are_as_described():
    """Means of some 7000 vessels against those of the laws that they are drawn from."""
    network = VesselNetwork.tumour_like(10_000, seed=3)
    kinds, micro = np.array(network.kinds), 1e6 * network.diameter.numpy()
    span = 1e6 * (network.nodes[network.vessels[:, 1]] - network.nodes[network.vessels[:, 0]]).norm(dim=1).numpy()
    bend = 1e6 * network.length.numpy() / span - 1
    assert span.mean() == pytest.approx(67, rel=1e-12)
    z = np.linspace(-8, 8, 100_001)
    weight = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    laws = {
        "tumour": (np.clip(10 * np.exp(0.4 * z - 0.08), 5, 30), 0.35),
        "capillary": (np.clip(7 * np.exp(0.15 * z - 0.15**2 / 2), 5, 10), 0.05),
    }
    assert [weight @ widths for widths, _ in laws.values()] == [pytest.approx(x, rel=0.02) for x in (10, 7)]
    for kind, (widths, bent) in laws.items():
        which = kinds == kind
        mean = weight @ widths
        spread = math.sqrt(weight @ (widths - mean) ** 2)
        # 5.5 standard errors, four times: false alarm below 2e-7.
        assert micro[which].mean() == pytest.approx(mean, abs=5.5 * spread / math.sqrt(which.sum()))
        assert bend[which].mean() == pytest.approx(bent, abs=5.5 * bent / math.sqrt(which.sum()))


@pytest.mark.parametrize("seed", range(5))
def test_blood_flows_in_every_vessel_of_a_bed(seed):
    """What hangs at one node would have the flow of rounding, 1e-15 of the largest; what is on a way has more."""
    flow = VesselNetwork.tumour_like(300, seed=seed).solve().flow.abs()
    assert float(flow.min() / flow.max()) > 1e-9


def test_arterioles_are_trees_by_murray_s_law():
    """D^3 is kept where an arteriole divides: seen along the flow, the inflow's D^3 is the sum of the branches' less a
    last branch that ends at the node."""
    network = VesselNetwork.tumour_like(1000, seed=1)
    graph = network.to_networkx().to_undirected()
    for kind, last in (("arteriole", 10e-6), ("venule", 14e-6)):
        wide = {i for i, k in enumerate(network.kinds) if k == kind}
        mine = graph.edge_subgraph([(a, b, k) for a, b, k in graph.edges(keys=True) if k in wide])
        trees = [mine.subgraph(nodes) for nodes in nx.connected_components(mine)]
        assert len(trees) == 2
        for tree in trees:
            assert tree.number_of_edges() == tree.number_of_nodes() - 1
            for node in tree:
                cubes = sorted((data["diameter"] / last) ** 3 for *_, data in tree.edges(node, data=True))
                if len(cubes) > 1:
                    ends_here = cubes[-1] - sum(cubes[:-1])
                    assert min(abs(ends_here), abs(ends_here - 1)) < 1e-9


def test_the_seed_is_the_shape():
    one, same, other = (VesselNetwork.tumour_like(300, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(one.nodes, same.nodes)
    assert torch.equal(one.diameter, same.diameter)
    assert one.kinds == same.kinds
    assert one.nodes.shape != other.nodes.shape or not torch.equal(one.nodes, other.nodes)


def test_gradients_of_sizes():
    """A network is its unit times a shape: d volume / d diameter = 3 volume / diameter where lengths scale with it."""
    diameter = torch.tensor(5e-5, dtype=torch.float64, requires_grad=True)
    volume = VesselNetwork.murray_tree(4, diameter, mirrored=True).volume.sum()
    (slope,) = torch.autograd.grad(volume, diameter)
    assert float(slope) == pytest.approx(3 * float(volume.detach()) / 5e-5)
    length = torch.tensor(2e-4, dtype=torch.float64, requires_grad=True)
    volume = VesselNetwork.honeycomb(2, 2, length=length).volume.sum()
    (slope,) = torch.autograd.grad(volume, length)
    assert float(slope) == pytest.approx(float(volume.detach()) / 2e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VesselNetwork.honeycomb(0, 3), "columns=0 is less than one hexagon; give 1 or more"),
        (lambda: VesselNetwork.honeycomb(3, -1), "rows=-1 is less than one hexagon"),
        (lambda: VesselNetwork.honeycomb(length=0), "length=0 is not above zero; give metres"),
        (lambda: VesselNetwork.tube("1 s", 1e-3), "diameter='1 s' is not a length"),
        (lambda: VesselNetwork.murray_tree(17, 1e-5), "generations=17 is outside 0 to 16, which is 131071 vessels"),
        (lambda: VesselNetwork.murray_tree(2, 1e-5, asymmetry=1.5), "asymmetry=1.5 is not in (0, 1]; give D_2 / D_1"),
        (lambda: VesselNetwork.murray_tree(2, 1e-5, length_ratio=0), "length_ratio=0 is not above zero"),
        (lambda: VesselNetwork.murray_tree(2, 1e-5, dimensions=4), "dimensions=4 is neither 2 nor 3"),
        (lambda: VesselNetwork.honeycomb(2.5, 2), "columns=2.5 is not a whole number; it counts hexagons"),
        (lambda: VesselNetwork.murray_tree("2", 1e-5), "generations='2' is not a whole number; give 0 to 16"),
        (lambda: VesselNetwork.murray_tree(2, 1e-5, length_ratio="20"), "length_ratio='20' is a text; give a number"),
        (lambda: VesselNetwork.tumour_like("300"), "vessels='300' is not a whole number; give 100 or more"),
        (lambda: VesselNetwork.tumour_like(300, seed=-1), "seed=-1 is below zero; give 0 or more"),
        (lambda: VesselNetwork.tumour_like(50), "vessels=50 is too few for a bed with a tumour; give 100 or more"),
        (
            lambda: VesselNetwork.tumour_like(300, outlets=0),
            "outlets=0 is outside 1 to 6, what 300 vessels have room for",
        ),
        (lambda: VesselNetwork.tumour_like(300, inlets=20), "inlets=20 is outside 1 to 6"),
    ],
)
def test_shapes_that_cannot_be(make, message):
    with pytest.raises(InputError) as error:
        make()
    assert message in str(error.value)
