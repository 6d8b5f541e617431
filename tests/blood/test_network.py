"""The graph of vessels: topology against networkx, geometry by its identities, and bad graphs by their messages."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.errors import InputError
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.network import VesselNetwork

# Two vessels in parallel between nodes 1 and 2, one of them tortuous, between an inlet 0 and an outlet 3.
NODES = np.array([[0.0, 0, 0], [1, 0, 0], [2, 1, 2], [2, 1, 5]]) * 1e-4
VESSELS = [[0, 1], [1, 2], [2, 1], [2, 3]]
ENDS = (Boundary(0, velocity="1 mm/s"), Boundary(3, pressure=0))


def made(nodes=NODES, vessels=VESSELS, diameter="10 um", boundaries=ENDS, **others):
    return VesselNetwork(nodes, vessels, diameter, boundaries=boundaries, **others)


def random_networks():
    """Connected multigraphs: a tree grown at random, further vessels, and a pressure at every end."""

    @st.composite
    def draw(pick):
        size = pick(st.integers(3, 12))
        vessels = [[pick(st.integers(0, i - 1)), i] for i in range(1, size)]
        for _ in range(pick(st.integers(0, 6))):
            a, b = pick(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
            vessels.append([a, b])
        vessels += [[0, size], [size + 1, 1]]  # so that there are two ends at least
        nodes = np.random.default_rng(pick(st.integers(0, 99))).normal(size=(size + 2, 3)) * 1e-4
        ends = np.flatnonzero(np.bincount(np.ravel(vessels)) == 1)
        return VesselNetwork(nodes, vessels, 8e-6, boundaries=[Boundary(int(i), pressure=0) for i in ends])

    return draw()


def test_fields():
    network = made(length=[1e-4, 4e-4, 4e-4, 3e-4], kinds=("arteriole", "tumour", "tumour", "venule"))
    assert network.names == ("vessel 0", "vessel 1", "vessel 2", "vessel 3")
    assert network.diameter.dtype == network.length.dtype == network.nodes.dtype == torch.float64
    assert network.diameter.tolist() == [1e-5] * 4
    assert made().length.tolist() == pytest.approx([1e-4, 1e-4 * 6**0.5, 1e-4 * 6**0.5, 3e-4])
    assert made().volume.sum() == pytest.approx(np.pi / 4 * 1e-10 * (4e-4 + 2e-4 * 6**0.5))
    assert repr(network) == (
        "VesselNetwork(4 vessels, 4 nodes, 1 loops, 2 ends, diameter 10 um, length 1.2 mm in all, volume 94248 um^3)"
    )


@given(random_networks())
@settings(max_examples=40, deadline=None)
def test_topology_is_networkx_s(network):
    """Degrees, who meets whom, and the Euler characteristic: loops = the size of a cycle basis."""
    graph = network.to_networkx()
    assert network.degree.tolist() == [graph.degree(i) for i in range(len(network.nodes))]
    simple = nx.Graph(graph)  # parallel vessels are loops of their own
    assert network.loops == len(nx.cycle_basis(simple)) + graph.number_of_edges() - simple.number_of_edges()
    start, vessel, end = (x.tolist() for x in network.incident)
    for node in graph:
        mine = list(zip(vessel[start[node] : start[node + 1]], end[start[node] : start[node + 1]], strict=True))
        out = [(key, 0) for *_, key in graph.out_edges(node, keys=True)]
        into = [(key, 1) for *_, key in graph.in_edges(node, keys=True)]
        assert mine == sorted(out + into)


@given(random_networks())
@settings(max_examples=40, deadline=None)
def test_frames(network):
    """Rows are orthonormal, right-handed, begin with the tangent, and n1 lies across z, or across x where z is near."""
    identity = torch.eye(3, dtype=torch.float64).expand(len(network.vessels), 3, 3)
    torch.testing.assert_close(network.frames @ network.frames.mT, identity, rtol=0, atol=1e-14)
    torch.testing.assert_close(torch.linalg.det(network.frames), identity[:, 0, 0], rtol=0, atol=1e-14)
    a, b = network.vessels.T
    span = network.nodes[b] - network.nodes[a]
    torch.testing.assert_close(network.frames[:, 0] * network.length[:, None], span, rtol=1e-14, atol=1e-20)
    steep = network.directions[:, 2].abs() > 0.9
    across = torch.where(steep, network.frames[:, 1, 0], network.frames[:, 1, 2])
    torch.testing.assert_close(across, torch.zeros_like(across), rtol=0, atol=1e-15)


def test_frames_in_the_plane_keep_z():
    network = VesselNetwork.honeycomb(2, 2)
    torch.testing.assert_close(network.frames[:, 2], torch.tensor([0.0, 0, 1]).double().expand(len(network.vessels), 3))


def test_gradients_reach_diameters_and_places():
    diameter = torch.full((4,), 1e-5, dtype=torch.float64, requires_grad=True)
    nodes = torch.tensor(NODES, requires_grad=True)
    network = made(nodes=nodes, diameter=diameter)
    width, place = torch.autograd.grad(network.volume.sum(), (diameter, nodes))
    torch.testing.assert_close(width, (np.pi / 2 * 1e-5 * network.length).detach())
    # The end of the last vessel moves along it: dV/dz = pi D^2 / 4.
    assert place[3].tolist() == pytest.approx([0, 0, np.pi / 4 * 1e-10])
    torch.testing.assert_close(replace(network, diameter=2 * diameter).volume, 4 * network.volume)


def test_arrays_are_copied():
    """What is done to them later changes nothing, and views in any order will do."""
    nodes, vessels, diameter = NODES.copy(), np.array(VESSELS)[::-1, ::-1], np.full(4, 1e-5)
    network = made(nodes=nodes, vessels=vessels, diameter=diameter)
    nodes[:], vessels[:], diameter[:] = 0, 0, 0
    assert network.nodes.tolist() == NODES.tolist()
    assert network.vessels.tolist() == [[3, 2], [1, 2], [2, 1], [1, 0]]
    assert network.diameter.tolist() == [1e-5] * 4


def test_boundaries_hold_si_numbers():
    boundary = Boundary(np.int64(3), flow="6 nl/min", hematocrit="40 %")
    assert (boundary.node, boundary.hematocrit, boundary.enters) == (3, 0.4, True)
    assert boundary.flow == pytest.approx(1e-13)
    assert not Boundary(0, velocity=-1e-3).enters
    assert not Boundary(0, pressure=5e3).enters


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"diameter": 0.0}, "vessel 0 has diameter=0, which is not above zero; give metres"),
        ({"diameter": [1e-5, 1e-5, -1e-6, 1e-5]}, "vessel 2 has diameter=-1e-06, which is not above zero"),
        ({"diameter": "3 mT"}, "diameter='3 mT' is not a length; give metres or text such as '20 um'"),
        ({"diameter": [1e-5, 1e-5]}, "diameter has shape (2,); give one number, or 4, in metres"),
        ({"length": [1e-4, 4e-4, float("nan"), 3e-4]}, "vessel 2 has length=nan, which is not above zero"),
        ({"length": [1e-4, 2e-4, 4e-4, 3e-4]}, "vessel 1 has length=200 um, less than the 244.95 um between its nodes"),
        ({"vessels": []}, "vessels have shape (0,); give pairs of node numbers"),
        ({"vessels": np.zeros((0, 2), int)}, "the network has no vessels; give at least one"),
        ({"vessels": [[0, 1], [1, 2], [2, 1], [2, 4]]}, "vessel 3 joins nodes 2 and 4, but nodes are numbered 0 to 3"),
        ({"vessels": [[0, 1], [1, 2], [2, 2], [2, 3]]}, "vessel 2 joins node 2 to itself; leave it out or divide it"),
        ({"vessels": np.array(VESSELS) / 1}, "vessels hold torch.float64 values; give whole numbers"),
        ({"nodes": NODES[:, :2]}, "nodes have shape (4, 2); give places (x, y, z) in metres"),
        ({"nodes": [["a", "b", "c"]] * 4}, "nodes are not numbers in rows of 3; give places (x, y, z) in metres"),
        ({"nodes": [*NODES[:1], [np.inf, 0, 0], *NODES[2:]]}, "node 1 is at [inf, 0.0, 0.0], which is not finite"),
        (
            {"nodes": NODES[[0, 1, 1, 3]]},
            "vessel 1 has no length: its nodes 1 and 2 are at one place; join or move them",
        ),
        ({"kinds": ["a"]}, "1 kinds for 4 vessels; give one for each, or none"),
        ({"nodes": np.vstack([NODES, [[1, 1, 1]]])}, "node 4 (at 1e+06, 1e+06, 1e+06 um) has no vessel; leave it out"),
        (
            {"nodes": np.vstack([NODES, NODES[:2] + 1e-4]), "vessels": [*VESSELS, [4, 5]]},
            "node 4 (at 100, 100, 100 um) is not reached from node 0 (at 0, 0, 0 um): the network is in 2 pieces, the "
            "largest of 4 nodes",
        ),
        (
            {"boundaries": ENDS[:1]},
            "vessel 3 ends at node 3 (at 200, 100, 500 um) without a boundary, so no blood flows",
        ),
        ({"boundaries": [*ENDS, ENDS[0]]}, "node 0 (at 0, 0, 0 um) has two boundaries; give one"),
        ({"boundaries": [*ENDS, Boundary(1, pressure=0)]}, "node 1 (at 100, 0, 0 um) has a boundary and 3 vessels"),
        ({"boundaries": [*ENDS, Boundary(9, pressure=0)]}, "a boundary is at node 9, but nodes are numbered 0 to 3"),
        ({"boundaries": [0, 3]}, "boundaries hold 0; give Boundary(node, pressure=...)"),
        (
            {"boundaries": [ENDS[0], Boundary(3, flow=1e-13)]},
            "node 0 (at 0, 0, 0 um) is an inlet without outlet; blood that enters must leave: give another end",
        ),
        (
            {"boundaries": [ENDS[0], Boundary(3, velocity="-1 mm/s")]},
            "no boundary is a pressure, and flows alone leave all pressures open; give node 0 (at 0, 0, 0 um)",
        ),
        (
            {"vessels": [[0, 1], [1, 2], [2, 3], [3, 1]], "boundaries": ENDS[:1]},
            "node 0 (at 0, 0, 0 um) is an inlet without outlet",
        ),
        (
            {"vessels": [[0, 1], [1, 2], [2, 3], [3, 0]], "boundaries": ()},
            "the network has 0 ends, without outlet; blood that enters must leave",
        ),
    ],
)
def test_networks_without_flow_are_refused(changes, message):
    with pytest.raises(InputError) as error:
        made(**changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"node": 0}, "at node 0: no condition given; give exactly one of pressure, flow and velocity"),
        ({"node": 0, "pressure": 0, "flow": 0}, "at node 0: pressure and flow given; give exactly one"),
        ({"node": 0.5, "pressure": 0}, "the boundary's node=0.5 is not a whole number"),
        ({"node": 2, "velocity": "1 mmHg"}, "at node 2: velocity='1 mmHg' is not a speed"),
        (
            {"node": 2, "flow": "1 mm/s"},
            "at node 2: flow='1 mm/s' is not a flow; give cubic metres a second or text such",
        ),
        ({"node": 2, "velocity": 20}, "at node 2: velocity=20 m/s is faster than blood anywhere; give metres a second"),
        ({"node": 2, "flow": torch.ones(2)}, "at node 2: flow has shape (2,); give one number"),
        ({"node": 2, "pressure": 0, "hematocrit": torch.ones(2)}, "at node 2: hematocrit has shape (2,); give one"),
        ({"node": 2, "pressure": 0, "hematocrit": 45}, "at node 2: hematocrit=45 is not in [0, 1); give a share"),
    ],
)
def test_bad_boundaries(given, message):
    with pytest.raises(InputError) as error:
        Boundary(**given)
    assert message in str(error.value)


def test_diameters_may_be_a_list_of_text_and_numbers():
    nodes, vessels = [[0, 0, 0], [1e-4, 0, 0], [2e-4, 0, 0]], [[0, 1], [1, 2]]
    ends = (Boundary(0, velocity="1 mm/s"), Boundary(2, pressure=0))
    found = VesselNetwork(nodes, vessels, ["20 um", 1e-5], boundaries=ends)
    assert found.diameter.tolist() == [2e-5, 1e-5]
    with pytest.raises(InputError, match=r"diameter\[1\]='3 s' is not a length"):
        VesselNetwork(nodes, vessels, ["20 um", "3 s"], boundaries=ends)
    with pytest.raises(InputError, match="vessel 1 has diameter=20 m, and the aorta 30 mm; give metres, or text such"):
        VesselNetwork(nodes, vessels, [20e-6, 20.0], boundaries=ends)
    with pytest.raises(InputError, match="diameter=None is not a length"):
        VesselNetwork(nodes, vessels, None, boundaries=ends)


def test_words_and_ends_of_another_kind():
    nodes, vessels = [[0, 0, 0], [1e-4, 0, 0]], [[0, 1]]
    end = Boundary(0, pressure="10 mmHg")
    with pytest.raises(InputError, match=r"boundaries=Boundary\(0, pressure='1\.3332 kPa'\) are no list; give one"):
        VesselNetwork(nodes, vessels, "20 um", boundaries=end)
    for name in ("kinds", "names"):
        for words in ([1], "a"):
            with pytest.raises(InputError, match=f"{name}=.* are not texts; give one for each vessel, or none"):
                VesselNetwork(nodes, vessels, "20 um", boundaries=[end, Boundary(1, pressure=0)], **{name: words})


def test_a_boundary_is_shown_with_units():
    assert repr(Boundary(3, velocity="-2 mm/s", hematocrit=0.4)) == "Boundary(3, velocity='-2 mm/s', hematocrit=0.4)"
    given = Boundary(0, pressure="50 mmHg")
    assert eval(repr(given)).pressure == pytest.approx(given.pressure, rel=1e-4)
