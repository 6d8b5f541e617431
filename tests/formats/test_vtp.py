"""VTP: every coding of arrays by an encoder of the tests' own, lines as vessels, round trips, bad files."""

import base64
import lzma
import re
import struct
import xml.etree.ElementTree as ElementTree
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sojourn.errors import InputError
from sojourn.formats.vessels import read_vtp, write_vtp
from sojourn.formats.vessels.parts import cone
from sojourn.formats.vessels.vtk_xml import read_polydata
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.network import VesselNetwork

POINTS = np.array([[0, 0, 0], [30, 40, 0], [60, 40, 0], [9, 9, 9], [30, 40, 0], [30, 90, 0]], dtype="f4")
LINES = [[0, 1, 2], [4, 5]]  # point 4 lies where point 1 does, point 3 nowhere
RADII = np.array([5, 4, 3, 9, 4, 2], dtype="f8")


def pressures(node, place):
    return Boundary(node, pressure="30 mmHg" if not place.any() else 0)


def encoded(values, coding, compressor, header, order):
    """An array as VTK's documentation describes it, by struct: bytes of a header and the data, raw or in base64."""
    code = {"UInt32": "I", "UInt64": "Q"}[header]
    data = np.asarray(values).astype(np.asarray(values).dtype.newbyteorder(order)).tobytes()
    if compressor is None:
        parts = [struct.pack(order + code, len(data)) + data]
    else:
        size = 16
        blocks = [data[i : i + size] for i in range(0, len(data), size)]
        packed = [compressor(block) for block in blocks]
        numbers = [len(blocks), size, len(data) % size, *map(len, packed)]
        parts = [struct.pack(f"{order}{len(numbers)}{code}", *numbers), b"".join(packed)]
    return b"".join(base64.b64encode(part) if coding != "raw" else part for part in parts)


def vtp(coding="ascii", compressor=None, header="UInt32", order="<", points=POINTS, lines=LINES, point=None, cell=None):
    """A file of lines; `coding` is ascii, inline, base64 or raw."""
    name = {
        None: "",
        zlib.compress: ' compressor="vtkZLibDataCompressor"',
        lzma.compress: ' compressor="vtkLZMADataCompressor"',
    }
    block = b""

    def array(called, values):
        nonlocal block
        values = np.asarray(values)
        kind = {"f4": "Float32", "f8": "Float64", "i4": "Int32", "i8": "Int64", "u1": "UInt8"}[values.dtype.str[1:]]
        start = (
            f'<DataArray type="{kind}" Name="{called}" NumberOfComponents="{values.shape[1] if values.ndim > 1 else 1}"'
        )
        if coding == "ascii":
            return f'{start} format="ascii">\n{" ".join(map(str, values.ravel().tolist()))}\n</DataArray>\n'
        content = encoded(values, coding, compressor, header, order)
        if coding == "inline":
            key = '<InformationKey name="L2_NORM_RANGE" location="vtkDataArray"/>'
            return f'{start} format="binary">\n  {content.decode()}\n  {key}\n</DataArray>\n'
        at, block = len(block), block + content
        return f'{start} format="appended" offset="{at}"/>\n'

    many = {"radius": RADII} if point is None and cell is None else point or {}
    text = f'<?xml version="1.0"?>\n<VTKFile type="PolyData" version="1.0" header_type="{header}"{name[compressor]}'
    text += f' byte_order="{"LittleEndian" if order == "<" else "BigEndian"}">\n<PolyData>\n'
    text += f'<Piece NumberOfPoints="{len(points)}" NumberOfVerts="0" NumberOfLines="{len(lines)}" NumberOfPolys="0">\n'
    text += "<PointData>\n" + "".join(array(*item) for item in many.items()) + "</PointData>\n"
    text += "<CellData>\n" + "".join(array(*item) for item in (cell or {}).items()) + "</CellData>\n"
    text += "<Points>\n" + array("Points", points) + "</Points>\n<Lines>\n"
    text += array("connectivity", np.concatenate([np.array(line, dtype="i8") for line in lines]))
    text += (
        array("offsets", np.cumsum([len(line) for line in lines]).astype("i8")) + "</Lines>\n</Piece>\n</PolyData>\n"
    )
    if coding not in ("base64", "raw"):
        return text.encode() + b"</VTKFile>\n"
    return (
        text.encode() + f'<AppendedData encoding="{coding}">\n_'.encode() + block + b"\n</AppendedData>\n</VTKFile>\n"
    )


def saved(tmp_path, content, name="lines.vtp"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("header", ["UInt32", "UInt64"])
@pytest.mark.parametrize("compressor", [None, zlib.compress, lzma.compress])
@pytest.mark.parametrize("coding", ["ascii", "inline", "base64", "raw"])
def test_all_codings(tmp_path, coding, compressor, header, order):
    path = saved(tmp_path, vtp(coding, compressor, header, order))
    network = read_vtp(path, boundaries=pressures)
    assert network.nodes.tolist() == pytest.approx(1e-6 * POINTS[[0, 1, 2, 5]].astype(float))
    assert network.vessels.tolist() == [[0, 1], [1, 2], [1, 3]]
    assert network.diameter.tolist() == pytest.approx([2e-6 * cone(a, b) for a, b in ((5, 4), (4, 3), (4, 2))])
    assert [end.node for end in network.boundaries] == [0, 2, 3]


def test_headers_that_are_encoded_by_themselves(tmp_path):
    """As some writers do, though VTK encodes header and data as one."""
    content = vtp("inline").decode()

    def split(match):
        data = base64.b64decode(match[1])
        return base64.b64encode(data[:4]).decode() + base64.b64encode(data[4:]).decode()

    path = saved(tmp_path, re.sub(r"(?<=>\n  )(\S+)(?=\n)", split, content).encode())
    assert read_vtp(path, boundaries=pressures).vessels.tolist() == [[0, 1], [1, 2], [1, 3]]


def test_widths_of_cells_with_units_and_names(tmp_path):
    """Cells come before points; a unit in the name before `unit`, which holds for places too."""
    path = saved(
        tmp_path, vtp(cell={"Diameter_um": np.array([8.0, 6]), "radius_error": np.ones(2)}, point={"radius": RADII})
    )
    network = read_vtp(path, boundaries=pressures, unit="mm")
    assert network.diameter.tolist() == pytest.approx([8e-6, 8e-6, 6e-6])
    assert network.length.tolist() == pytest.approx([0.05, 0.03, 0.05])
    vmtk = saved(tmp_path, vtp(point={"MaximumInscribedSphereRadius": RADII}))
    assert read_vtp(vmtk, boundaries=pressures).diameter[0] == pytest.approx(2e-6 * cone(5, 4))


def test_kinds_of_other_programs_are_left(tmp_path):
    """Numbers called kind, kinds and names say nothing that can be read."""
    field = b'<FieldData><DataArray type="Float64" Name="NAME" format="ascii">1 2</DataArray></FieldData>'
    cell = {"radius": np.array([4.0, 3]), "kind": np.array([0.5, 1])}
    for name in (b"kinds", b"names"):
        content = vtp(cell=cell).replace(b"<PolyData>\n", b"<PolyData>\n" + field.replace(b"NAME", name), 1)
        network = read_vtp(saved(tmp_path, content), boundaries=pressures)
        assert (network.kinds, network.names[0]) == (("vessel",) * 3, "vessel 0")


def test_a_length_of_lines_that_are_vessels(tmp_path):
    """Two ways between the same nodes are told by their lengths; without, centrelines lie over one another."""
    lines = [[0, 1], [1, 2], [2, 1], [2, 5]]
    path = saved(tmp_path, vtp(lines=lines, cell={"radius": np.full(4, 4.0), "length": np.array([50.0, 30, 99, 70])}))
    assert read_vtp(path, boundaries=pressures).length.tolist() == pytest.approx([5e-5, 3e-5, 9.9e-5, 7e-5])
    path = saved(tmp_path, vtp(lines=[[0, 1, 2], [0, 4, 5]]))
    with pytest.raises(
        InputError, match=r"lines\.vtp: lines 0 and 1 run over one another, which would be two vessels;"
    ):
        read_vtp(path, boundaries=pressures)


@pytest.mark.parametrize("seed", [0, 1])
def test_round_trip(tmp_path, seed):
    network = VesselNetwork.tumour_like(120, seed=seed)
    path = tmp_path / "bed.vtp"
    write_vtp(path, network)
    again = read_vtp(path)
    assert [path.name for path in tmp_path.iterdir()] == ["bed.vtp"]
    assert torch.equal(again.vessels, network.vessels)
    for field in ("nodes", "diameter", "length"):  # in micrometres and back: two roundings
        torch.testing.assert_close(getattr(again, field), getattr(network, field), rtol=4e-16, atol=0)
    assert (again.boundaries, again.kinds, again.names) == (network.boundaries, network.kinds, network.names)


@given(
    names=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=2, max_size=2),
    values=st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=3),
)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_names_and_boundaries_come_back(names, values, tmp_path):
    pressure, flow, velocity = values
    nodes = np.array([[0, 0, 0], [1e-4, 0, 0], [2e-4, 1e-4, 0], [2e-4, -1e-4, 0]])
    ends = (
        Boundary(0, flow=flow, hematocrit=0.3),
        Boundary(2, pressure=pressure),
        Boundary(3, velocity=1e-8 * velocity),
    )
    network = VesselNetwork(
        nodes, [[0, 1], [1, 2], [1, 3]], 1e-5, boundaries=ends, names=[*names, "x"], kinds=[*names, names[0]]
    )
    write_vtp(tmp_path / "x.vtp", network)
    again = read_vtp(tmp_path / "x.vtp")
    assert (again.boundaries, again.kinds, again.names) == (ends, network.kinds, network.names)


def test_arrays_are_where_a_reader_of_xml_finds_them(tmp_path):
    """By ElementTree and struct alone: 8 bytes of length, then the numbers."""
    network = VesselNetwork.honeycomb(2, 1)
    flow = torch.linspace(0, 1e-12, len(network.vessels), dtype=torch.float64)
    force = np.random.default_rng(0).normal(size=(len(network.nodes), 3)).astype("f4")
    write_vtp(
        tmp_path / "x.vtp", network, vessel_data={"flow_m^3/s": flow, "<on>": flow > 0}, node_data={"force": force}
    )
    root = ElementTree.parse(tmp_path / "x.vtp").getroot()
    assert root.attrib == {"type": "PolyData", "version": "1.0", "byte_order": "LittleEndian", "header_type": "UInt64"}
    piece = root.find("PolyData/Piece")
    assert (piece.get("NumberOfPoints"), piece.get("NumberOfLines")) == (
        str(len(network.nodes)),
        str(len(network.vessels)),
    )

    def numbers(element, code):
        data = base64.b64decode(element.text)
        assert struct.unpack("<Q", data[:8]) == (len(data) - 8,)
        return list(struct.unpack(f"<{(len(data) - 8) // struct.calcsize(code)}{code}", data[8:]))

    cells = {element.get("Name"): element for element in piece.find("CellData")}
    assert numbers(cells["flow_m^3/s"], "d") == flow.tolist()
    assert numbers(cells["<on>"], "B") == [0] + [1] * (len(flow) - 1)
    assert numbers(cells["diameter_um"], "d") == [pytest.approx(20)] * len(flow)
    (points,) = piece.find("Points")
    assert numbers(points, "d") == pytest.approx((1e6 * network.nodes).flatten().tolist())
    arrays = {element.get("Name"): element for element in piece.find("PointData")}
    assert arrays["force"].get("NumberOfComponents") == "3"
    assert numbers(arrays["force"], "f") == force.ravel().tolist()
    assert numbers(piece.find("Lines")[0], "q") == network.vessels.flatten().tolist()
    assert numbers(piece.find("Lines")[1], "q") == [2 * i + 2 for i in range(len(flow))]


def test_a_write_that_fails_leaves_the_file(tmp_path):
    network = VesselNetwork.tube("20 um", "1 mm")
    write_vtp(tmp_path / "x.vtp", network)
    before = (tmp_path / "x.vtp").read_bytes()
    with pytest.raises(InputError, match=r"node_data 'p' has shape \(3,\) and type int64; give numbers, 2 rows"):
        write_vtp(tmp_path / "x.vtp", network, node_data={"p": [1, 2, 3]})
    assert (tmp_path / "x.vtp").read_bytes() == before


def changed(old, new, **how):
    content = vtp(**how)
    assert old in content
    return content.replace(old, new, 1)


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(b"<VTKFile", BOMB + b"<VTKFile"), "bad.vtp, line 2: a document type declaration; take it out"),
        (
            changed(b"<VTKFile", BOMB + b"<VTKFile").decode().replace("1.0", "1.0", 1).encode("utf-16"),
            "bad.vtp, line 2: a document type declaration; take it out",
        ),
        (changed(b"</Piece>", b"</Peace>"), "bad.vtp is not XML: mismatched tag: line "),
        (b"", "bad.vtp is not XML: no element found: line 1"),
        (changed(b'"PolyData"', b'"ImageData"'), "bad.vtp holds ImageData, not PolyData; save lines as PolyData"),
        (changed(b"<Piece", b"<Pie/><Piece").replace(b"<Pie/>", b"<Piece/>"), "bad.vtp has 2 pieces; save it as one"),
        (
            changed(b'NumberOfPoints="6"', b'NumberOfPoints="7"'),
            "line 4: 7 points and 2 lines are announced, and 6 and 2 follow",
        ),
        (
            changed(b'NumberOfLines="2"', b'NumberOfLines="3"'),
            "line 4: 6 points and 3 lines are announced, and 6 and 2 follow",
        ),
        (changed(b'NumberOfLines="2"', b'NumberOfLines="two"'), "bad.vtp, line 4: 'two' is not a whole number"),
        (changed(b"<Points>", b"<Pints>").replace(b"</Points>", b"</Pints>"), "line 4: the piece has no Points"),
        (changed(b"0 1 2 4 5", b"0 1 2 4 6"), "bad.vtp, line 4: lines have points outside 0 to 5"),
        (
            changed(b"\n3 5\n", b"\n3 4\n"),
            "line 4: the offsets of the lines do not rise to 5, how many points they have",
        ),
        (changed(b"Float64", b"Float16"), "bad.vtp, line 6: array 'radius': the type 'Float16' is none of Float32,"),
        (
            changed(b"5.0 4.0", b"5.0 four"),
            "bad.vtp, line 6: array 'radius': could not convert string to float: 'four'",
        ),
        (
            changed(b'"ascii"', b'"hex"'),
            "bad.vtp, line 6: array 'radius': the format 'hex' is none of ascii, binary and",
        ),
        (changed(b'"radius"', b'"width"'), "bad.vtp has no array of diameters or radii, only width; call one diameter"),
        (changed(b"5.0 4.0 3.0", b"0.0 4.0 3.0"), "bad.vtp: vessel 0 has diameter=0, which is not above zero"),
        (
            changed(b"binary", b"appended", coding="inline"),
            "bad.vtp, line 6: array 'radius': invalid literal for int()",
        ),
        (vtp("raw")[:-90], "bytes are announced, and "),
        (
            vtp("base64", zlib.compress).replace(b"vtkZLib", b"vtkLZ4"),
            "it is compressed by vtkLZ4DataCompressor; save it",
        ),
        (vtp("base64", lzma.compress).replace(b"vtkLZMA", b"vtkZLib"), "array 'Points': Error -3 while decompressing"),
        (changed(b"Float64", b"Float32", coding="raw"), "array 'radius': 12 rows, where there are 6 points or cells"),
    ],
)
def test_files_that_are_refused(tmp_path, content, message):
    with pytest.raises(InputError) as error:
        read_vtp(saved(tmp_path, content, "bad.vtp"), boundaries=pressures)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_blocks_that_would_fill_the_memory(tmp_path):
    """A block unpacks to what its header says and no further; more than 2 GiB are not begun."""
    bomb = zlib.compress(bytes(10_000_000))

    def array(blocks, size, packed):
        header = base64.b64encode(struct.pack("<4I", blocks, size, 0, len(packed))).decode()
        return header + base64.b64encode(packed).decode()

    start = vtp("inline", zlib.compress).decode()
    first = re.search(r"(?<=>\n  )\S+(?=\n)", start)
    for content, message in (
        (array(1, 48, bomb), "array 'radius': a block of 48 bytes has 49 or more"),
        (array(1, 2**32 - 1, bomb), "array 'radius': an array of 4294967295 bytes is above the limit of 2147483648"),
        (array(2**31, 8, bomb), "array 'radius': 2147483648 blocks are more than the file has room for"),
    ):
        with pytest.raises(InputError) as error:
            read_vtp(saved(tmp_path, start.replace(first[0], content).encode()), boundaries=pressures)
        assert message in str(error.value)


def test_lines_do_not_say_what_drives_the_blood(tmp_path):
    with pytest.raises(
        InputError, match=r"give boundaries= for 3 ends: nodes 0 at \(0, 0, 0\) um, 2 at \(60, 40, 0\) um"
    ):
        read_vtp(saved(tmp_path, vtp()))


def test_arguments_of_another_kind(tmp_path):
    """One line each, and no file."""
    network, path = VesselNetwork.tube("20 um", "1 mm"), tmp_path / "a.vtp"
    data = "give numbers, 1 rows"
    for message, call in {
        "network is a Flow; give a VesselNetwork, such as flow.network": lambda: write_vtp(path, network.solve()),
        "network is a str; give a VesselNetwork": lambda: write_vtp(network, "a.vtp"),
        "path=None is no path": lambda: write_vtp(None, network),
        "cannot write .*No such file or directory; give a file in": lambda: write_vtp(
            tmp_path / "no" / "a.vtp", network
        ),
        "cannot write .*; give a file in a folder that exists": lambda: write_vtp(tmp_path, network),
        "vessel_data is a list; give a dict such as": lambda: write_vtp(path, network, vessel_data=[1.0]),
        "node_data has the name 3; give a text": lambda: write_vtp(path, network, node_data={3: [1.0, 2.0]}),
        "'x' holds rows of different lengths": lambda: write_vtp(path, network, node_data={"x": [[1], [1, 2]]}),
        f"vessel_data 'x' .*; {data}": lambda: write_vtp(path, network, vessel_data={"x": "abc"}),
        f"vessel_data 'x' has shape .*; {data}": lambda: write_vtp(path, network, vessel_data={"x": 1.0}),
        "boundaries=3 are neither a list of Boundary nor": lambda: read_vtp(written(tmp_path, network), boundaries=3),
    }.items():
        with pytest.raises(InputError, match=message) as error:
            call()
        assert "\n" not in str(error.value)
    assert [file.name for file in tmp_path.iterdir()] == ["b.vtp"]


def written(folder, network):
    write_vtp(folder / "b.vtp", network)
    return folder / "b.vtp"


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "g", "i1", "u2", "i8", "?"])
def test_numbers_of_every_size(kind, tmp_path):
    network = VesselNetwork.tube("20 um", "1 mm")
    write_vtp(tmp_path / "a.vtp", network, node_data={"x": np.array([0, 1]).astype(kind)})
    assert read_polydata(tmp_path / "a.vtp").point_data["x"].tolist() == [0, 1]
