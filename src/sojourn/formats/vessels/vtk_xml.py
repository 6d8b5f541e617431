"""PolyData of lines in VTK's XML: what ParaView and VMTK write, and what they read.

Arrays stand as text, or as bytes, in base64 in their own element or, raw or in base64, in one block at the end of the
file; with or without compression. A document type declaration is refused, for entities in it can fill any memory.
"""

from __future__ import annotations

import base64
import binascii
import lzma
import re
import zlib
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import numpy as np

from sojourn.errors import InputError
from sojourn.formats.vessels.parts import as_path, read_bytes, whole, written

_TYPES = {"Float32": "f4", "Float64": "f8"} | {
    f"{sign}Int{8 * n}": f"{code}{n}" for sign, code in (("", "i"), ("U", "u")) for n in (1, 2, 4, 8)
}
_COUNTED = ("Points", "Verts", "Lines", "Strips", "Polys")
_LARGEST = 2**31  # bytes of one array


class PolyData(NamedTuple):
    """Points and lines, with what stands at them."""

    points: np.ndarray  # (P, 3)
    lines: list[np.ndarray]  # the points of each line
    point_data: dict[str, np.ndarray]  # (P,) or (P, k)
    cell_data: dict[str, np.ndarray]  # (lines,) or (lines, k)
    field_data: dict[str, Any]  # arrays, or lists of text


def read_polydata(path: str | Path) -> PolyData:
    """The points, lines and arrays of a .vtp file.

    Raises:
        InputError: no XML (the message names the line), no PolyData of one piece, a coding that is not known, or arrays
            that do not fit one another.
    """
    file = _File(path)
    piece, where = file.piece, f"{file.name}, line {file.piece.get('line')}: "
    counts = {kind: whole(piece.get(f"NumberOf{kind}", "0"), where) for kind in _COUNTED}
    points = file.array(_child(piece, "Points", file.name), components=3).astype(float)
    connectivity = offsets = np.zeros(0, np.int64)
    if counts["Lines"]:
        lines = _child(piece, "Lines", file.name)
        connectivity, offsets = (file.array(lines, called=x).astype(np.int64) for x in ("connectivity", "offsets"))
    if len(points) != counts["Points"] or len(offsets) != counts["Lines"]:
        announced = f"{counts['Points']} points and {counts['Lines']} lines"
        raise InputError(f"{where}{announced} are announced, and {len(points)} and {len(offsets)} follow")
    bounds = np.concatenate([[0], offsets])
    if (np.diff(bounds) < 0).any() or bounds[-1] != len(connectivity):
        raise InputError(
            f"{where}the offsets of the lines do not rise to {len(connectivity)}, how many points they have"
        )
    if len(connectivity) and not (connectivity.min() >= 0 and connectivity.max() < len(points)):
        raise InputError(f"{where}lines have points outside 0 to {len(points) - 1}")
    found = file.arrays(piece.find("CellData"), sum(counts[kind] for kind in _COUNTED[1:]))
    first = counts["Verts"]
    return PolyData(
        points,
        np.split(connectivity, offsets[:-1]) if len(offsets) else [],
        file.arrays(piece.find("PointData"), len(points)),
        {name: values[first : first + counts["Lines"]] for name, values in found.items()},
        file.arrays(file.root.find("PolyData/FieldData"), None),
    )


def write_polydata(path: str | Path, data: PolyData) -> None:
    """Writes a .vtp file; it appears when it is whole."""
    sizes = np.array([len(line) for line in data.lines], dtype=np.int64)
    lines = {"connectivity": np.concatenate([*data.lines, np.zeros(0, np.int64)]), "offsets": np.cumsum(sizes)}
    text = [
        '<?xml version="1.0"?>\n',
        '<VTKFile type="PolyData" version="1.0" byte_order="LittleEndian" header_type="UInt64">\n',
        f"<PolyData>\n<FieldData>\n{xml(data.field_data)}</FieldData>\n",
        f'<Piece NumberOfPoints="{len(data.points)}" NumberOfVerts="0" NumberOfLines="{len(data.lines)}" ',
        f'NumberOfStrips="0" NumberOfPolys="0">\n<PointData>\n{xml(data.point_data)}</PointData>\n',
        f"<CellData>\n{xml(data.cell_data)}</CellData>\n<Points>\n{xml({'Points': data.points})}</Points>\n",
        f"<Lines>\n{xml(lines)}</Lines>\n</Piece>\n</PolyData>\n</VTKFile>\n",
    ]
    with written(path) as beside:
        beside.write_text("".join(text), encoding="utf-8")


class _File:
    """A file taken apart: its elements, and the block of bytes that may follow them."""

    def __init__(self, path: str | Path) -> None:
        path = as_path(path, to="read")
        self.name = path.name
        content = read_bytes(path)
        start = re.search(rb"<AppendedData\b[^>]*>\s*_", content)
        self.block, self.raw = b"", False
        if start:
            self.block, self.raw = content[start.end() :], b"raw" in start[0]
            content = content[: start.start()] + b"</VTKFile>"
        self.root = _parsed(content, self.name)
        kind = self.root.get("type")
        if self.root.tag != "VTKFile" or kind != "PolyData":
            found = self.root.tag if kind is None else kind
            raise InputError(f"{self.name} holds {found}, not PolyData; save lines as PolyData, with the ending .vtp")
        pieces = self.root.findall("PolyData/Piece")
        if len(pieces) != 1:
            raise InputError(f"{self.name} has {len(pieces)} pieces; save it as one")
        self.piece = pieces[0]
        self.order = ">" if self.root.get("byte_order") == "BigEndian" else "<"
        self.header = np.dtype(self.order + _TYPES.get(self.root.get("header_type", "UInt32"), "u4"))
        self.compressor = self.root.get("compressor", "")

    def arrays(self, parent: Element | None, rows: int | None) -> dict[str, Any]:
        """All arrays of an element by name, each of so many rows."""
        found: dict[str, Any] = {}
        for element in [] if parent is None else parent:
            values = self._values(element)
            name = element.get("Name", "")
            if rows is not None and not isinstance(values, list) and len(values) != rows:
                raise InputError(f"{self._at(element)}{len(values)} rows, where there are {rows} points or cells")
            if rows is None or not isinstance(values, list):
                found[name] = values
        return found

    def array(self, parent: Element, *, called: str | None = None, components: int = 1) -> np.ndarray:
        """One array of an element."""
        for element in parent:
            if called is None or element.get("Name") == called:
                values = self._values(element)
                if isinstance(values, list) or values.shape[1:] != (components,) * (components > 1):
                    break
                return values
        raise InputError(f"{self.name}: {parent.tag} has no array {called or ''} of {components} components")

    def _values(self, element: Element) -> Any:
        kind, form = element.get("type", ""), element.get("format", "ascii")
        where = self._at(element)
        if kind not in _TYPES and kind != "String":
            raise InputError(f"{where}the type {kind!r} is none of {', '.join(_TYPES)}")
        dtype = np.dtype(self.order + _TYPES.get(kind, "u1"))
        text = "".join([element.text or "", *(child.tail or "" for child in element)])
        try:
            if form == "ascii":
                values = np.array(text.split(), dtype=float if dtype.kind == "f" else np.int64)
                values = values.astype(dtype)
            elif form == "binary":
                values = np.frombuffer(self._bytes("".join(text.split()).encode(), True), dtype)
            elif form == "appended":
                values = np.frombuffer(self._bytes(self.block[int(element.get("offset", "")) :], not self.raw), dtype)
            else:
                raise ValueError(f"the format {form!r} is none of ascii, binary and appended")
        except (ValueError, OverflowError, binascii.Error, zlib.error, lzma.LZMAError) as error:
            raise InputError(f"{where}{error}") from error
        if kind == "String":
            return [text.decode("utf-8", "replace") for text in values.astype("u1").tobytes().split(b"\0")[:-1]]
        components = whole(element.get("NumberOfComponents", "1"), where)
        if components < 1 or len(values) % components:
            raise InputError(f"{where}{len(values)} numbers do not make rows of {components}")
        return values if components == 1 else values.reshape(-1, components)

    def _bytes(self, stream: bytes, encoded: bool) -> bytes:
        """The bytes of an array: its length and they, or the lengths of its blocks and the compressed blocks."""
        size = self.header.itemsize
        if not self.compressor:
            (length,) = self._counts(stream, 1, encoded)
            if encoded and b"=" in stream[: _characters(size)]:  # some encode the length by itself
                return _taken(stream[_characters(size) :], 0, length, encoded)
            return _taken(stream, size, length, encoded)
        (blocks,) = self._counts(stream, 1, encoded)
        if blocks > len(stream):
            raise ValueError(f"{blocks} blocks are more than the file has room for")
        _, whole_block, last_block, *lengths = self._counts(stream, 3 + blocks, encoded)
        if whole_block * blocks > _LARGEST:
            raise ValueError(f"an array of {whole_block * blocks} bytes is above the limit of {_LARGEST}")
        head = size * (3 + blocks)
        packed = _taken(stream[_characters(head) if encoded else head :], 0, sum(lengths), encoded)
        found, at = [], 0
        for number, length in enumerate(lengths):
            expected = last_block if number == blocks - 1 and last_block else whole_block
            found.append(self._unpacked(packed[at : at + length], expected))
            at += length
        return b"".join(found)

    def _counts(self, stream: bytes, number: int, encoded: bool) -> list[int]:
        return np.frombuffer(_taken(stream, 0, number * self.header.itemsize, encoded), self.header).tolist()

    def _unpacked(self, packed: bytes, size: int) -> bytes:
        if self.compressor == "vtkZLibDataCompressor":
            found = zlib.decompressobj().decompress(packed, size + 1)
        elif self.compressor == "vtkLZMADataCompressor":
            found = lzma.LZMADecompressor().decompress(packed, size + 1)
        else:
            raise ValueError(f"it is compressed by {self.compressor}; save it with ZLib, LZMA or none")
        if len(found) != size:
            raise ValueError(f"a block of {size} bytes has {len(found)} or more")
        return found

    def _at(self, element: Element) -> str:
        return f"{self.name}, line {element.get('line')}: array {element.get('Name', '')!r}: "


def _taken(stream: bytes, start: int, length: int, encoded: bool) -> bytes:
    """`length` bytes from `start`, of a stream that may be in base64."""
    held = stream if not encoded else base64.b64decode(stream[: _characters(start + length)], validate=True)
    if len(held) < start + length:
        raise ValueError(f"{length} bytes are announced, and {max(len(held) - start, 0)} follow")
    return held[start : start + length]


def _characters(size: int) -> int:
    return 4 * -(-size // 3)


def _parsed(content: bytes, name: str) -> Element:
    """The elements, each with the line that it stands on."""
    builder, parser = TreeBuilder(), expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        builder.start(tag, {**attributes, "line": str(parser.CurrentLineNumber)})

    def refuse(*_: Any) -> None:
        raise InputError(f"{name}, line {parser.CurrentLineNumber}: a document type declaration; take it out")

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, builder.end, builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} is not XML: {error}") from error


def _child(parent: Element, tag: str, name: str) -> Element:
    found = parent.find(tag)
    if found is None:
        raise InputError(f"{name}, line {parent.get('line')}: the piece has no {tag}")
    return found


def xml(arrays: dict[str, Any]) -> str:
    return "".join(_element(name, values) for name, values in arrays.items())


def _element(name: str, values: Any) -> str:
    if isinstance(values, list):
        codes = b"".join(text.encode() + b"\0" for text in values)
        return (
            f'<DataArray type="String" Name={quoteattr(name)} NumberOfTuples="{len(values)}" format="ascii">\n'
            f"{' '.join(map(str, codes))}\n</DataArray>\n"
        )
    array = np.ascontiguousarray(values)
    array = array.astype(array.dtype.newbyteorder("<"))
    kind = next(kind for kind, code in _TYPES.items() if np.dtype(code) == array.dtype.newbyteorder("="))
    components = f' NumberOfComponents="{array.shape[1]}"' if array.ndim == 2 else ""
    content = base64.b64encode(np.array(array.nbytes, "<u8").tobytes() + array.tobytes()).decode()
    return f'<DataArray type="{kind}" Name={quoteattr(name)}{components} format="binary">\n{content}\n</DataArray>\n'
