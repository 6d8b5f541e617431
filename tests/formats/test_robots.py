"""Robots for ParaView: read back by a reader that shares no code with the writer."""

import base64
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import sojourn as sj
from sojourn.errors import InputError
from sojourn.formats.robots import write_robots
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots

TYPES = {"Float32": "<f4", "Int32": "<i4", "Int64": "<i8", "UInt8": "u1"}


@pytest.fixture(scope="module")
def run():
    network = VesselNetwork.honeycomb(columns=2, rows=1, diameter="20 um", length="60 um", inlet_velocity="2 mm/s")
    robots = BloodRobots(network.solve(viscosity="1.2 cP"), Robot("0.5 um"))
    return robots, sj.simulate(robots, steps=300, save_every=50, ensemble=40, seed=1, progress=False)


def arrays(element):
    """Name -> values, of base64 with a length of eight bytes before."""
    found = {}
    for array in element:
        content = base64.b64decode((array.text or "").strip())
        assert int.from_bytes(content[:8], "little") == len(content) - 8
        values = np.frombuffer(content[8:], TYPES[array.get("type")])
        found[array.get("Name")] = values.reshape(-1, int(array.get("NumberOfComponents", 1)))
    return found


def test_read_back(run, tmp_path):
    robots, trajectory = run
    write_robots(tmp_path / "out", trajectory, robots, stride=2)
    root = ET.parse(tmp_path / "out" / "robots.pvd").getroot()
    assert (root.tag, root.get("type")) == ("VTKFile", "Collection")
    entries = list(root.find("Collection"))
    times = trajectory.dataset["time"].values[::2]
    assert [float(entry.get("timestep")) for entry in entries] == times.tolist()
    listed = [entry.get("file") for entry in entries]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*listed, "robots.pvd"])
    for index, file in zip(range(0, len(trajectory), 2), listed, strict=True):
        root = ET.parse(tmp_path / "out" / file).getroot()
        assert (root.get("type"), root.get("byte_order"), root.get("header_type")) == (
            "PolyData",
            "LittleEndian",
            "UInt64",
        )
        piece = root.find("PolyData/Piece")
        assert (piece.get("NumberOfPoints"), piece.get("NumberOfVerts"), piece.get("NumberOfLines")) == (
            "40",
            "40",
            "0",
        )
        state, data = trajectory.state(index), arrays(piece.find("PointData"))
        assert data["vessel"].tolist() == state["vessel"][:, None].tolist()
        assert data["status"].tolist() == state["status"][:, None].tolist()
        np.testing.assert_allclose(data["axis"], state["axis"], atol=1e-7)
        np.testing.assert_allclose(data["shear_exposure"][:, 0], state["shear_exposure"], rtol=1e-6)
        verts = arrays(piece.find("Verts"))
        assert verts["connectivity"].ravel().tolist() == list(range(40))
        assert verts["offsets"].ravel().tolist() == list(range(1, 41))
        # Along the straight line between a vessel's nodes, and at right angles to it by `across`.
        network, vessel = robots.flow.network, state["vessel"].long()
        points = 1e-6 * arrays(piece.find("Points"))["Points"]
        first, second = (network.nodes[network.vessels[vessel, k]].numpy() for k in (0, 1))
        share = (state["along"] / network.length[vessel]).numpy()[:, None]
        off = points - (first + share * (second - first))
        r = state["across"].norm(dim=1).numpy()
        np.testing.assert_allclose(np.linalg.norm(off, axis=1), r, atol=1e-10)
        np.testing.assert_allclose((off * (second - first)).sum(1), 0, atol=1e-14)
        wide = network.diameter[vessel].numpy() / 2
        poiseuille = 2 * robots.flow.mean_velocity[vessel].abs().numpy() * (1 - (r / wide) ** 2)
        np.testing.assert_allclose(
            1e-6 * data["flow_speed_um/s"][:, 0], poiseuille, rtol=0.02
        )  # but for the robot's size


def test_whole_or_not_at_all(run, tmp_path):
    robots, trajectory = run
    other = BloodRobots(VesselNetwork.tube("20 um", "60 um").solve(viscosity="1.2 cP"), Robot("0.5 um"))
    with pytest.raises(InputError, match="vessels are numbered 0 to 0"):
        write_robots(tmp_path / "out", trajectory, other)
    assert list(tmp_path.iterdir()) == []
    write_robots(tmp_path / "out", trajectory, robots, stride=100)
    with pytest.raises(InputError, match=r"out' exists already; choose another place"):
        write_robots(tmp_path / "out", trajectory, robots)
    with pytest.raises(InputError, match="stride=0 is not a whole number from 1"):
        write_robots(tmp_path / "more", trajectory, robots, stride=0)
    with pytest.raises(InputError, match=r"^path=None is no path; give the name of the file to write$"):
        write_robots(None, trajectory, robots)
