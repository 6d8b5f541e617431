"""Plain text, Life 1.06 and 1.05, choosing the reader, and the library's names."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sojourn.errors import InputError
from sojourn.formats import (
    named,
    names,
    read_life105,
    read_life106,
    read_pattern,
    read_plaintext,
    write_life106,
    write_plaintext,
    write_rle,
)
from sojourn.processes.life.pattern import Pattern

GLIDER = np.array([[0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=np.uint8)
BOARDS = arrays(np.uint8, st.tuples(st.integers(2, 9), st.integers(1, 9)), elements=st.integers(0, 1))
NOTE = st.text("abcXYZ 0123", max_size=20).map(str.strip)


@given(BOARDS, NOTE, NOTE)
def test_plaintext_round_trip(cells, name, comment):
    pattern = Pattern(cells, name=name, author="A. N. Other", comments=(comment,))
    assert read_plaintext(write_plaintext(pattern)) == pattern


@given(BOARDS, st.tuples(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9)))
def test_life106_round_trip(cells, position):
    pattern = Pattern(cells, position=position).trim()
    read = read_life106(write_life106(pattern))
    assert np.array_equal(read.cells, pattern.cells)
    assert read.position == (pattern.position if pattern.population else None)


def test_published_examples():
    plain = read_plaintext("!Name: Glider\n!Author: Guy\n!\n!see there\n.O\n..O\n*OO\n")
    assert np.array_equal(plain.cells, GLIDER)
    assert (plain.name, plain.author, plain.comments) == ("Glider", "Guy", ("", "see there"))
    life106 = read_life106("#Life 1.06\n0 -1\n1 0\n-1 1\n0 1\n1 1\n")
    assert np.array_equal(life106.cells, GLIDER)
    assert life106.position == (-1, -1)
    life105 = read_life105("#Life 1.05\n#D Glider and block\n#R 23/36\n#P -1 -1\n.*.\n..*\n***\n#P 10 5\n**\n**\n")
    assert np.array_equal(life105.cells[:3, :3], GLIDER)
    assert life105.cells[6:, 11:].tolist() == [[1, 1], [1, 1]]
    assert (life105.shape, life105.population, life105.position) == ((8, 13), 9, (-1, -1))
    assert (life105.rule, life105.comments) == ("23/36", ("Glider and block",))
    assert read_life105("#Life 1.05\n#N\n#P\n*").rule == "B3/S23"


@pytest.mark.parametrize(
    "text",
    [
        ".O.\n..O\nOOO\n",
        "!Name: x\n.O.\n..O\nOOO\n",
        "#Life 1.06\n1 0\n2 1\n0 2\n1 2\n2 2\n",
        "#Life 1.05\n#N\n.*.\n..*\n***\n",
        "#N Glider\nx = 3, y = 3\nbo$2bo$3o!",
        "bo$2bo$3o!",
    ],
)
def test_read_pattern_chooses_by_content(text, tmp_path):
    path = tmp_path / "pattern"
    path.write_text(text)
    for source in (text, path, str(path)):
        assert np.array_equal(read_pattern(source).cells, GLIDER)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("!Name: x\n.O.\n.o.\n", "line 3, column 2: unexpected character 'o'; plain text has . for dead"),
        ("#Life 1.06\n1 2\n3 x\n", "line 3: '3 x' is not a cell; write x and y, as in -1 4"),
        ("#Life 1.06\n0 0\n99999 99999\n", "needs 9.3 GiB at one byte a cell"),
        ("#Life 1.05\n#P 0\n*", "line 2: '#P 0' is not a place; write #P x y"),
        ("#Life 1.05\n.*o\n", "line 2, column 3: unexpected character 'o'"),
        ("#Life 1.07\n1 2\n", 'the first line is not "#Life 1.06"'),
        ("[M2] (golly 2.0)\n$", "a Macrocell file is not read; save it as RLE"),
        ("#MCell 4.00\n#L A\n", "a MCell file is not read"),
        ("\n", "without the closing"),
    ],
)
def test_malformed_text_is_refused_with_place_and_remedy(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read_pattern(text)


@pytest.mark.parametrize("write", [write_plaintext, write_life106])
def test_two_state_formats_refuse_more_states(write):
    with pytest.raises(InputError, match="holds two states; this pattern has state 7: use write_rle"):
        write(Pattern(np.array([[0, 7]])))


def test_library_names():
    assert named("Gosper glider gun") == named("gosper-glider-gun") == named("GOSPERGLIDERGUN")
    with pytest.raises(InputError, match=r'no pattern named "glidr"; did you mean glider'):
        named("glidr")
    for name in names():
        assert read_pattern(write_rle(named(name))) == named(name)
