"""SWC, Secomb's network.dat and CSV: published layouts, exact round trips, and bad lines by their number."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from sojourn.errors import InputError
from sojourn.formats.vessels import read_csv, read_secomb, read_swc, read_vtp, write_csv
from sojourn.formats.vessels.parts import cone
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.network import VesselNetwork

SWC = """# a tree of three branches, micrometres
 1 1  0 0 0  5.0 -1

 2 3  30 40 0  4.0 1
 7 3  30 40 60  2.0 2
 9 5  30 90 0  3.0 2
"""

SECOMB = """A bed of two capillaries
100. 100. 50.   box dimensions in microns
10 10 5   number of tissue points in x,y,z directions
20.   outer bound distance
50.   max. segment length
4   maximum number of segments per node
6   total number of segments
 name type from to diam flow hd
11 5 101 7 10. 0. 0.4 *
12 4 7 8 6.5 0. 0.4 *
13 5 7 8 5.0 0. 0.4
15 3 8 9 5.0 0. 0.4 capped, left out
14 5 8 102 12.0 0. 0.4 *
16 3 9 103 5.0 0. 0.4
7 total number of nodes
 name x y z
101 0 0 0 *
7 30 0 0 *
8 60 40 0 *
9 60 90 0
102 90 40 0
103 99 99 9
55 1 2 3
3 total number of boundary nodes
 node bctyp press/flow HD PO2
101 2 6.0 0.42 50 *
102 0 15.0
103 0 10.0 0.4
"""

NODES = """node, x_um, y_mm, boundary_pressure_mmHg, boundary_velocity_mm/s, boundary_hematocrit, remark
a, 0, 0,, 2.5, 0.4,
b, 30, 0.04, , , ,"a branch, of two"
c, 60, 0.04, 15, , ,
d, 30, 0.1, 15,,,
"""
EDGES = """from,to,diameter_um,length_mm,kind,name
a,b,10,,arteriole,one
b,c,6.5,0.05,capillary,two
b,d,7,,capillary,three
"""


def open_ends(node, place):
    """Blood at z = 0 or below 10 um of x is driven, elsewhere let out."""
    return Boundary(node, pressure="30 mmHg" if place[0] < 1e-5 else 0.0)


def saved(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_cones_resist_as_their_cylinders():
    """1 / D^4 is the mean of 1 / d^4 along a cone."""
    for first, second in ((3.0, 3.0), (1.0, 2.0), (5.0, 0.7)):
        mean, _ = quad(lambda s, a=first, b=second: (a + s * (b - a)) ** -4, 0, 1)
        assert cone(first, second) == pytest.approx(mean**-0.25)


def test_swc(tmp_path):
    network = read_swc(saved(tmp_path, "tree.swc", SWC), boundaries=open_ends)
    assert network.nodes.tolist() == pytest.approx(np.array([[0, 0, 0], [30, 40, 0], [30, 40, 60], [30, 90, 0]]) * 1e-6)
    assert network.vessels.tolist() == [[0, 1], [1, 2], [1, 3]]
    assert network.names == ("sample 2", "sample 7", "sample 9")
    assert network.kinds == ("type 3", "type 3", "type 5")
    assert network.length.tolist() == pytest.approx([5e-5, 6e-5, 5e-5])
    assert network.diameter.tolist() == pytest.approx([1e-6 * cone(a, b) for a, b in ((10, 8), (8, 4), (8, 6))])
    assert [end.node for end in network.boundaries] == [0, 2, 3]
    large = read_swc(tmp_path / "tree.swc", unit="mm", boundaries=[Boundary(i, pressure=i) for i in (0, 2, 3)])
    torch.testing.assert_close(large.nodes, 1000 * network.nodes)
    torch.testing.assert_close(large.diameter, 1000 * network.diameter)


@given(data=st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tree_as_swc(data, tmp_path):
    """Samples in any order and with any numbers: the tree is the same."""
    size = data.draw(st.integers(2, 12))
    parents = [-1] + [data.draw(st.integers(0, i - 1)) for i in range(1, size)]
    numbers = data.draw(st.permutations(range(1, size + 1)))
    order = data.draw(st.permutations(range(size)))
    places = np.random.default_rng(size).uniform(0, 100, (size, 3)).round(3)
    rows = [
        f"{numbers[i]} 0 {places[i, 0]} {places[i, 1]} {places[i, 2]} 4 {numbers[parents[i]] if i else -1}"
        for i in order
    ]
    path = saved(tmp_path, "any.swc", "\n".join(rows))
    network = read_swc(path, boundaries=lambda node, place: Boundary(node, pressure=0))
    pairs = {(order[a], order[b]) for a, b in network.vessels.tolist()}
    assert pairs == {(parents[i], i) for i in range(1, size)}
    np.testing.assert_allclose(network.nodes.numpy(), 1e-6 * places[order], rtol=1e-15)


def test_secomb(tmp_path):
    network = read_secomb(saved(tmp_path, "network.dat", SECOMB))
    assert network.names == ("segment 11", "segment 12", "segment 13", "segment 14")
    assert network.vessels.tolist() == [[0, 1], [1, 2], [1, 2], [2, 3]]
    assert network.nodes.tolist() == pytest.approx(np.array([[0, 0, 0], [30, 0, 0], [60, 40, 0], [90, 40, 0]]) * 1e-6)
    assert network.diameter.tolist() == pytest.approx([1e-5, 6.5e-6, 5e-6, 1.2e-5])
    assert network.length.tolist() == pytest.approx([3e-5, 5e-5, 5e-5, 3e-5])
    inlet, outlet = network.boundaries
    assert (inlet.node, inlet.hematocrit, outlet.node, outlet.hematocrit) == (0, 0.42, 3, None)
    # 6 nl/min = 1e-13 m^3/s; 15 mmHg of 13595.1 kg/m^3 under 9.80665 m/s^2
    assert inlet.flow == pytest.approx(1e-13)
    assert outlet.pressure == pytest.approx(0.015 * 13595.1 * 9.80665, rel=1e-6)
    other = read_secomb(tmp_path / "network.dat", boundaries=open_ends)
    assert [end.pressure for end in other.boundaries] == [pytest.approx(30 * 133.322, rel=1e-5), 0]
    untitled = saved(tmp_path, "untitled.dat", "\n" + SECOMB.split("\n", 1)[1])
    assert torch.equal(read_secomb(untitled).nodes, network.nodes)


def test_pieces(tmp_path):
    """Segment 15 leads to a piece of one segment once its own is gone: refused, or left out with its boundary."""
    text = (
        SECOMB.replace("16 3 9 103", "16 5 9 103")
        .replace("103 0 10.0 0.4", "103 0 10.0 0.4\n9 0 12.0")
        .replace("3 total number of boundary", "4 total number of boundary")
    )
    path = saved(tmp_path, "network.dat", text)
    with pytest.raises(InputError, match=r"node 3 \(at 60, 90, 0 um\) is not reached from node 0 .* in 2 pieces"):
        read_secomb(path)
    network = read_secomb(path, pieces="largest")
    assert network.names == ("segment 11", "segment 12", "segment 13", "segment 14")
    assert [end.node for end in network.boundaries] == [0, 3]
    with pytest.raises(InputError, match="pieces='smallest' is neither 'refuse' nor 'largest'; choose one"):
        read_secomb(path, pieces="smallest")


def test_csv(tmp_path):
    network = read_csv(saved(tmp_path, "nodes.csv", NODES), saved(tmp_path, "edges.csv", EDGES))
    assert network.nodes.tolist() == [[0, 0, 0], [3e-5, 4e-5, 0], [6e-5, 4e-5, 0], [3e-5, 1e-4, 0]]
    assert network.diameter.tolist() == [1e-5, 6.5e-6, 7e-6]
    assert network.length.tolist() == pytest.approx([5e-5, 5e-5, 6e-5])
    assert network.kinds == ("arteriole", "capillary", "capillary")
    assert network.names == ("one", "two", "three")
    assert network.boundaries[0] == Boundary(0, velocity=2.5e-3, hematocrit=0.4)
    assert [end.node for end in network.boundaries] == [0, 2, 3]
    assert network.boundaries[1].pressure == pytest.approx(15 * 133.322, rel=1e-5)


@given(data=st.data())
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_csv_round_trip_is_exact(data, tmp_path):
    """All floats of all sizes come back to the last bit, with lines, commas and quotes in the names."""
    size, width = st.floats(1e-9, 1e3), st.floats(1e-9, 0.1)
    nodes = np.array([[0, 0, 0], [data.draw(size), 0, 0], [data.draw(size), -data.draw(size), data.draw(size)]])
    vessels = [[0, 1], [2, 1]]
    span = np.linalg.norm(nodes[[1, 1]] - nodes[[0, 2]], axis=1)
    words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip)
    network = VesselNetwork(
        nodes,
        vessels,
        [data.draw(width), data.draw(width)],
        length=span * [1, data.draw(st.floats(1, 5))],
        boundaries=(
            Boundary(0, flow=data.draw(st.floats(-1e-9, 1e-9)), hematocrit=data.draw(st.floats(0, 0.99))),
            Boundary(2, pressure=data.draw(st.floats(-1e5, 1e5))),
        ),
        kinds=("a, b", 'say "c"'),
        names=(data.draw(words), data.draw(words)),
    )
    paths = tmp_path / "n.csv", tmp_path / "e.csv"
    write_csv(*paths, network, vessel_data={"flow_m^3/s": [1.0, 2.0]}, node_data={"velocity_m/s": np.ones((3, 2))})
    again = read_csv(*paths)
    for field in ("nodes", "vessels", "diameter", "length"):
        assert torch.equal(getattr(again, field), getattr(network, field))
    assert (again.boundaries, again.kinds, again.names) == (network.boundaries, network.kinds, network.names)


def test_results_stand_beside_the_vessels(tmp_path):
    network = VesselNetwork.tube("20 um", "1 mm")
    write_csv(
        tmp_path / "n.csv",
        tmp_path / "e.csv",
        network,
        vessel_data={"flow_m^3/s": torch.tensor([2.5e-13], dtype=torch.float64)},
        node_data={"place": [[1, 2], [3, 4]]},
    )
    assert (tmp_path / "e.csv").read_text() == (
        "from,to,diameter_um,length_um,kind,name,flow_m^3/s\n0,1,20,1000,vessel,vessel 0,2.5e-13\n"
    )
    heading, first, second = (tmp_path / "n.csv").read_text().splitlines()
    assert heading.endswith("place_0,place_1")
    assert (first[-4:], second[-4:]) == (",1,2", ",3,4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.csv", "n.csv"]
    with pytest.raises(InputError, match=r"vessel_data 'flow' has shape \(2,\) and type float64; give numbers, 1 rows"):
        write_csv(tmp_path / "n.csv", tmp_path / "e.csv", network, vessel_data={"flow": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("40 0  4.0 1", "40 0  4.0", "bad.swc, line 4: 6 fields; a sample is number, type, x, y, z, radius and parent"),
        ("30 40 60", "30 4O 60", "bad.swc, line 5: '4O' is not a number"),
        ("30 40 60", "30 nan 60", "bad.swc, line 5: 'nan' is not finite"),
        (" 9 5", " 9.5 5", "bad.swc, line 6: '9.5' is not a whole number"),
        (" 9 5", " 7 5", "bad.swc, line 6: sample 7 was already given; number each once"),
        ("2.0 2", "0.0 2", "bad.swc, line 5: sample 7 has radius=0, which is not above zero"),
        ("3.0 2", "3.0 3", "bad.swc, line 6: no sample is numbered 3, its parent; a root has -1"),
        ("30 40 60", "30 40 0", "bad.swc: sample 7 has no length: its nodes 1 and 2 are at one place"),
    ],
)
def test_bad_swc(tmp_path, old, new, message):
    with pytest.raises(InputError) as error:
        read_swc(saved(tmp_path, "bad.swc", SWC.replace(old, new)), boundaries=open_ends)
    assert message in str(error.value)


def test_what_a_tree_cannot_say(tmp_path):
    path = saved(tmp_path, "tree.swc", SWC)
    with pytest.raises(InputError) as error:
        read_swc(path)
    assert str(error.value) == (
        "tree.swc does not say what drives the blood; give boundaries= for 3 ends: nodes 0 at (0, 0, 0) um, "
        "2 at (30, 40, 60) um, 3 at (30, 90, 0) um"
    )
    with pytest.raises(InputError, match=r"point\.swc has 1 samples and no vessel; a vessel joins a sample to its"):
        read_swc(saved(tmp_path, "point.swc", "1 1 0 0 0 1 -1"))
    with pytest.raises(InputError, match=r"cannot read '.*none\.swc': No such file or directory; give the path"):
        read_swc(tmp_path / "none.swc")
    with pytest.raises(InputError, match="unit='1 s' is not a length"):
        read_swc(path, unit="s")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("6   total", "9   total", "bad.dat, line 16: 4 fields for one of the segments, which has 5 or more"),
        ("6   total", "99   total", "bad.dat, line 7: 99 segments are announced, and "),
        ("6   total", "six total", "bad.dat, line 7: the number of segments, 'six' is not a whole number"),
        ("12 4 7 8 6.5", "12 4 7 8", "bad.dat: segment 12 has diameter=0, which is not above zero"),
        ("12 4 7 8 6.5", "12 4 7 88 6.5", "bad.dat, line 10: segment 12 is at node 88, which is not among the nodes"),
        ("12 4 7 8 6.5", "12 x 7 8 6.5", "bad.dat, line 10: 'x' is not a whole number"),
        ("8 60 40 0", "8 60 forty 0", "bad.dat, line 19: 'forty' is not a number"),
        ("8 60 40 0 *", "8 60 40", "bad.dat, line 19: 3 fields for one of the nodes, which has 4 or more"),
        ("101 2 6.0", "101 3 6.0", "bad.dat, line 26: boundary type 3 is neither 0, a pressure, nor 2, a flow"),
        ("6.0 0.42", "6.0 42", "bad.dat, line 26: at node 0: hematocrit=42 is not in [0, 1)"),
        ("102 0 15.0", "102 2 -6", "bad.dat: no boundary is a pressure, and flows alone leave all pressures open"),
    ],
)
def test_bad_secomb(tmp_path, old, new, message):
    with pytest.raises(InputError) as error:
        read_secomb(saved(tmp_path, "bad.dat", SECOMB.replace(old, new, 1)))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_short_secomb(tmp_path):
    for end in (1, 8):
        with pytest.raises(InputError, match=r"short\.dat(, line 7: 6| ends before)"):
            read_secomb(saved(tmp_path, "short.dat", "\n".join(SECOMB.splitlines()[:end])))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("x_um", "x", "nodes.csv: column 'x' has no unit; write it as x_um, with the unit that it is in"),
        ("x_um", "x_s", "nodes.csv: column 'x_s'='1 s' is not a length"),
        ("x_um", "easting", "nodes.csv has 0 columns x_um; its headings are node, easting, y_mm,"),
        ("b, 30", "a, 30", "nodes.csv, line 3: node 'a' was already given; name each once"),
        ("b, 30", "b, 3o", "nodes.csv, line 3: x_um '3o' is not a number"),
        ("d, 30, 0.1, 15,,,", "d, 30, 0.1", "nodes.csv, line 5: 3 cells under 7 headings"),
        (
            "c, 60, 0.04, 15,",
            "c, 60, 0.04, 15, 1",
            "nodes.csv: at node 2: pressure and velocity given; give exactly one",
        ),
        ("c, 60, 0.04, 15,", "c, 60, 0.04, ,", "edges.csv: two ends at node 2 (at 60, 40, 0 um) without a boundary"),
        ("a,b,10", "a,e,10", "edges.csv, line 2: 'e' is no node of nodes.csv"),
        ("a,b,10", "a,b,0", "edges.csv: one has diameter=0, which is not above zero"),
        ("a,b,10", "a,b,", "edges.csv, line 2: diameter_um '' is not a number"),
        ("from,to", "from,from", "edges.csv has 2 columns from; its headings are from, from, diameter_um"),
        ("0.05", "0.01", "edges.csv: two has length=10 um, less than the 30 um between its nodes"),
    ],
)
def test_bad_csv(tmp_path, old, new, message):
    assert old in NODES + EDGES
    nodes, edges = (
        saved(tmp_path, name, text.replace(old, new)) for name, text in (("nodes.csv", NODES), ("edges.csv", EDGES))
    )
    with pytest.raises(InputError) as error:
        read_csv(nodes, edges)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("read", [read_swc, read_vtp, read_secomb, lambda path: read_csv(path, path)])
@pytest.mark.parametrize("path", [None, 3])
def test_no_path(read, path):
    with pytest.raises(InputError, match=f"^path={path} is no path; give the name of the file to read$"):
        read(path)
