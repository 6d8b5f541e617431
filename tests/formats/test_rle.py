"""RLE: the published example, round trips, refusals with place and remedy, and Golly as reader and writer."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sojourn.errors import InputError
from sojourn.formats import read_rle, write_rle
from sojourn.processes.life.pattern import Pattern

GLIDER = np.array([[0, 1, 0], [0, 0, 1], [1, 1, 1]])
SIDES = st.tuples(st.integers(0, 12), st.integers(0, 90))
NOTE = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=30)
PATTERNS = st.builds(
    Pattern,
    st.one_of(
        arrays(np.uint8, SIDES, elements=st.integers(0, 1)),
        arrays(np.uint8, SIDES, elements=st.integers(0, 255)),
        arrays(np.uint8, SIDES, elements=st.sampled_from([0, 1, 24, 25, 48, 240, 241, 255]), fill=st.just(0)),
    ),
    rule=st.sampled_from([None, "B3/S23", "B3/S23:T30,20", "345/2/4"]),
    name=NOTE,
    author=NOTE,
    comments=st.lists(NOTE, max_size=3).map(tuple),
    position=st.none() | st.tuples(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9)),
    generation=st.integers(0, 10**12),
)


@given(PATTERNS)
def test_reading_returns_what_was_written(pattern):
    text = write_rle(pattern)
    assert read_rle(text) == pattern
    body = text[text.index("x = ") :].splitlines()[1:]
    assert all(len(line) <= 70 for line in body)
    assert not re.search(r"(^|\D)[01]\D|(^|\D)0|\d\s", "".join(body)), "a count of 0 or 1, a leading zero or a gap"
    assert not any(line[-1].isdigit() for line in body)


def test_the_shortest_text_is_written():
    assert write_rle(Pattern(GLIDER, rule="B3/S23")) == "x = 3, y = 3, rule = B3/S23\nbo$2bo$3o!\n"
    board = np.zeros((5, 4), dtype=np.uint8)
    board[1, 1] = board[4, 3] = 1
    assert write_rle(Pattern(board)) == "x = 4, y = 5\n$bo3$3bo!\n"
    states = np.array([[0, 1, 24, 25, 26, 48, 49, 255, 255]])
    assert write_rle(Pattern(states)) == "x = 9, y = 1\n.AXpApBpXqA2yO!\n"
    assert write_rle(Pattern(np.zeros((3, 3)), position=(-2, 5))) == "#CXRLE Pos=5,-2 Gen=0\nx = 3, y = 3\n!\n"


@pytest.mark.parametrize(
    "text",
    [
        "bo$2bo$3o!",
        "x = 3, y = 3\nbo$2bo$3o!",
        "x=3,y=3,rule=B3/S23\r\nbo$2bo$\r\n3o!\r\n",
        "#C a note\n  x = 3 , y = 3, rule = B3/S23,\n  bo$ 2bo $\n# in between\n3o! and more text",
        ".A$..A$AAA!",
        "b1o$2bo2b$3o$!",
        "x = 3, y = 3\nbob4b$2bo$3o20$!",
    ],
)
def test_spellings_of_a_glider(text):
    assert np.array_equal(read_rle(text).trim().cells, GLIDER)


def test_notes_and_extent():
    pattern = read_rle(
        "#CXRLE Pos=-4,7 Gen=30\n#N Glider\n#O R. K. Guy\n#C one\n#c two\n"
        "x = 10, y = 8, rule = B36/S23:T30,20\nbo$2bo$3o!"
    )
    assert pattern.shape == (8, 10)
    assert (pattern.position, pattern.generation) == ((7, -4), 30)
    assert (pattern.name, pattern.author, pattern.comments) == ("Glider", "R. K. Guy", ("one", "two"))
    assert pattern.rule == "B36/S23:T30,20"
    old = read_rle("#r 23/36\n#P -3 5\no!")
    assert (old.rule, old.position, old.shape) == ("23/36", (5, -3), (1, 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bo$2bo$3o", 'ends after line 1 without the closing "!"'),
        ("x = 3, y = 3\nbo$2zo$3o!", "line 2, column 5: unexpected character 'z'; an RLE body has b o $ !"),
        (
            "bo$\n2 bo!",
            "line 2, column 2: the count 2 has no tag after it; put its b, o or $ directly behind it",
        ),
        ("bo$2\nbo!", "line 1, column 5: the count 2 has no tag after it"),
        ("b0o!", "line 1, column 2: a run of length 0; write 1 or more"),
        ("ox = 3!", "line 1, column 2: unexpected character 'x'"),
        ("yP!", "line 1, column 1: yP is state 256; the highest is 255 (yO)"),
        (
            "x = 2, y = 3\nbo$2bo$3o!",
            "line 2, column 6: a live cell at x=2, y=1 lies outside the header's x = 2, y = 3",
        ),
        ("x = 3, y = 2\nbo$2bo$3o!", "line 2, column 8: a live cell at x=2, y=2 lies outside the header's"),
        (
            "x = 3, y = three\nbo!",
            "line 1: the header 'x = 3, y = three' is malformed; write x = 3, y = 3, rule",
        ),
        (
            "x = 50000, y = 50000\n!",
            "extent of 50000 by 50000 needs 2.3 GiB at one byte a cell; the limit is 2 GiB",
        ),
        ("99999b$" * 3 + "99999$o!", "GiB at one byte a cell"),
        ("\n", "ends after line 1 without the closing"),
    ],
)
def test_malformed_text_is_refused_with_place_and_remedy(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read_rle(text)


def test_files(tmp_path):
    path = tmp_path / "a glider.rle"
    path.write_bytes("#N Grün\r\nbo$2bo$3o!\r\n".encode("latin-1"))
    assert read_rle(path).name == read_rle(str(path)).name == "Grün"
    path.write_text("bo$2bo$3x!")
    with pytest.raises(InputError, match=r"^a glider\.rle: line 1, column 9: unexpected character 'x'"):
        read_rle(path)
    with pytest.raises(InputError, match=r"cannot read the pattern file 'none\.rle': No such file"):
        read_rle("none.rle")
    with pytest.raises(InputError, match="cannot read the pattern file"):
        read_rle(tmp_path)


def test_formats_do_not_import_torch():
    code = "import sys, sojourn.formats; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(shutil.which("bgolly") is None, reason="bgolly is not installed")
@pytest.mark.parametrize(("rule", "states"), [("B3/S23", 2), ("345/2/99", 99), ("JvN29", 29)])
def test_golly_reads_what_we_write_and_we_read_what_golly_writes(tmp_path, rule, states):
    rng = np.random.default_rng(3)
    algorithm = {2: "QuickLife", 99: "Generations", 29: "JvN"}[states]
    for shape in [(1, 1), (5, 200), (60, 30)]:
        cells = rng.integers(0, states, shape) * (rng.random(shape) < 0.5)
        cells[0, 0] = cells[-1, -1] = 1
        (tmp_path / "in.rle").write_text(write_rle(Pattern(cells, rule=rule)))
        command = ["bgolly", "-q", "-q", "-a", algorithm, "-m", "0", "-o", "out.rle", "in.rle"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
        assert np.array_equal(read_rle(tmp_path / "out.rle").cells, cells)


@pytest.mark.skipif(not Path("/usr/share/golly/Patterns").exists(), reason="golly's patterns are not installed")
def test_golly_pattern_collection_is_read():
    read = 0
    for path in sorted(Path("/usr/share/golly/Patterns").rglob("*.rle")):
        header = re.search(r"^x *= *(\d+), *y *= *(\d+)", path.read_text(encoding="latin-1"), re.MULTILINE)
        if header and int(header[1]) * int(header[2]) < 10**6:
            pattern = read_rle(path)
            assert pattern.shape == (int(header[2]), int(header[1]))
            assert read_rle(write_rle(pattern)) == pattern
            read += 1
    assert read > 100
