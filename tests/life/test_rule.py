"""Rule notation against group theory, Golly's published tables, and Golly itself."""

import base64
import hashlib
import itertools
import re
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.errors import InputError
from sojourn.formats import read_rle, write_rle
from sojourn.processes.life.hensel import CLASS_OF, CLASSES, LETTERS
from sojourn.processes.life.notation import GENERATIONS_NAMES, NAMES
from sojourn.processes.life.pattern import Pattern
from sojourn.processes.life.rule import GenerationsRule, Grid, Rule, split_topology

LIFE_MAP = "MAPARYXfhZofugWaH7oaIDogBZofuhogOiAaIDogIAAgAAWaH7oaIDogGiA6ICAAIAAaIDogIAAgACAAIAAAAAAAA"


def step(board: np.ndarray, table: np.ndarray) -> np.ndarray:
    """One step on a torus, straight from the definition of the neighbourhood's number."""
    number = np.zeros(board.shape, dtype=int)
    for dy, dx in itertools.product((-1, 0, 1), repeat=2):
        number = 2 * number + np.roll(board, (-dy, -dx), axis=(0, 1))
    return table[number]


def images(neighbours: frozenset) -> set[frozenset]:
    """The orbit of a set of neighbours, by coordinate maps of the square's eight symmetries."""
    maps = [lambda y, x, a=a, b=b: (a * y, b * x) for a in (1, -1) for b in (1, -1)]
    maps += [lambda y, x, a=a, b=b: (a * x, b * y) for a in (1, -1) for b in (1, -1)]
    return {frozenset(move(y, x) for y, x in neighbours) for move in maps}


def cells_of(number: int) -> frozenset:
    return frozenset((k // 3 - 1, k % 3 - 1) for k in range(9) if number >> (8 - k) & 1 and k != 4)


def test_letters_name_exactly_the_51_orbits():
    orbits = {frozenset(images(cells_of(number))) for number in range(512)}
    per_count = [sum(len(next(iter(orbit))) == count for orbit in orbits) for count in range(9)]
    assert per_count == [1, 2, 6, 10, 13, 10, 6, 2, 1]
    assert [len(LETTERS[count]) or 1 for count in range(9)] == per_count
    named = {frozenset(cells_of(int(k)) for k in np.flatnonzero(c == CLASS_OF)) for c in range(51)}
    assert named == orbits
    for number, (count, _) in enumerate(CLASSES):
        assert all(len(cells_of(int(k))) == count for k in np.flatnonzero(number == CLASS_OF))


def test_letters_under_complement_follow_the_published_table():
    """Golly's help on B0 rules: swapping live and dead neighbours exchanges these letters of count 4."""
    swapped = dict(zip("ceinyjqwrtkaz", "ectrjywqnikaz", strict=True))
    for number, (count, letter) in enumerate(CLASSES):
        member = int(np.flatnonzero(number == CLASS_OF)[0])
        other_count, other = CLASSES[CLASS_OF[511 - member]]
        assert other_count == 8 - count
        assert other == (swapped[letter] if count == 4 else letter)


def test_geometry_of_letters_that_have_a_geometric_name():
    """c: corners, e: edges, i: in line, a: adjacent, from Hensel's own mnemonic."""
    cases = {
        "1c": {(-1, -1)}, "1e": {(-1, 0)}, "2a": {(-1, -1), (-1, 0)}, "2i": {(0, -1), (0, 1)},
        "2c": {(-1, -1), (-1, 1)}, "2e": {(-1, 0), (0, 1)}, "3i": {(-1, -1), (0, -1), (1, -1)},
        "4c": {(-1, -1), (-1, 1), (1, -1), (1, 1)}, "4e": {(-1, 0), (1, 0), (0, -1), (0, 1)},
        "2n": {(-1, -1), (1, 1)}, "2k": {(-1, 0), (1, 1)},
    }  # fmt: skip
    for name, cells in cases.items():
        table = Rule.parse(f"B{name}/S").table
        assert {cells_of(int(k)) for k in np.flatnonzero(table)} == images(frozenset(cells)), name


def test_letters_are_those_that_golly_was_compared_with():
    """The table of classes for which bgolly 3.3 passed the tests below, so that they bind where it is missing."""
    assert hashlib.sha256(CLASS_OF.tobytes()).hexdigest()[:16] == "fc07409a88b70b62"


def test_life_is_the_map_that_golly_prints():
    assert Rule.parse(LIFE_MAP) == Rule.parse("B3/S23") == Rule.parse(LIFE_MAP + "==")


@pytest.mark.parametrize("text", ["B3/S23", "b3s23", "23/3", "S23/B3", "s23b3", " B3 / S23 ", "Life", "conway"])
def test_spellings_of_life(text):
    rule = Rule.parse(text)
    for number in range(512):
        alive, neighbours = number >> 4 & 1, bin(number & ~16).count("1")
        assert rule.table[number] == (neighbours == 3 or (alive and neighbours == 2))
    assert (rule.birth, rule.survival, rule.notation) == (1 << 3, 1 << 2 | 1 << 3, "B3/S23")


def test_von_neumann_and_hexagonal_neighbourhoods():
    von_neumann, hexagonal = Rule.parse("B13/S012V").table, Rule.parse("B2/S34H").table
    for number in range(512):
        alive = number >> 4 & 1
        orthogonal = bin(number & (128 + 32 + 8 + 2)).count("1")
        six = bin(number & (256 + 128 + 32 + 8 + 2 + 1)).count("1")
        assert von_neumann[number] == (orthogonal in ((0, 1, 2) if alive else (1, 3)))
        assert hexagonal[number] == (six in ((3, 4) if alive else (2,)))
    five = range(32)  # N W C E S, N highest
    outcome = [bin(k & 0b11011).count("1") in ((0, 1, 2) if k & 4 else (1, 3)) for k in five]
    text = "MAP" + base64.b64encode(np.packbits(outcome).tobytes()).decode()[:6]
    assert Rule.parse(text) == Rule.parse("B13/S012V")


def test_the_32_bits_of_a_von_neumann_map_are_north_west_centre_east_south():
    """Golly 3.3 (compared with bgolly): N is the highest bit, S the lowest."""
    bits = np.random.default_rng(2).integers(0, 2, 32)
    table = Rule.parse("MAP" + base64.b64encode(np.packbits(bits).tobytes()).decode()[:6]).table
    for number in range(512):
        north, west, centre, east, south = (number >> shift & 1 for shift in (7, 5, 4, 3, 1))
        assert table[number] == bits[16 * north + 8 * west + 4 * centre + 2 * east + south]


@pytest.mark.parametrize("name", ["Day & Night", "Anneal", "Vote", "Diamoeba"])
def test_self_complementary_rules(name):
    """Published property of three of these rules: live and dead may change roles. Diamoeba lacks it."""
    table = Rule.parse(name).table
    assert np.array_equal(table[::-1], 1 - table) == (name != "Diamoeba")


@pytest.mark.parametrize(("name", "centre"), [("Replicator", 0), ("Fredkin", 1)])
def test_replicating_rules_are_linear(name, centre):
    """After 8 steps a cell is the sum modulo 2 of the 8 (or 9) cells at distance 8 (freshman's dream)."""
    table = Rule.parse(name).table
    seed = np.zeros((64, 64), dtype=np.uint8)
    seed[30:34, 30:34] = np.random.default_rng(1).integers(0, 2, (4, 4))
    board = seed
    for _ in range(8):
        board = step(board, table)
    places = [p for p in itertools.product((-8, 0, 8), repeat=2) if centre or p != (0, 0)]
    assert np.array_equal(board, sum(np.roll(seed, p, axis=(0, 1)) for p in places) % 2)


@given(st.integers(0, 511), st.integers(0, 511))
def test_outer_totalistic_round_trip(birth, survival):
    rule = Rule.from_masks(birth, survival)
    assert (rule.birth, rule.survival) == (birth, survival)
    assert rule.is_outer_totalistic
    assert rule.is_isotropic
    digits = ["".join(str(n) for n in range(9) if mask >> n & 1) for mask in (birth, survival)]
    assert rule.notation == f"B{digits[0]}/S{digits[1]}"
    assert Rule.parse(rule.notation) == rule == Rule.parse(f"{digits[1]}/{digits[0]}")


@given(st.integers(0, 2**102 - 1))
def test_hensel_round_trip(bits):
    chosen = np.array([bits >> k & 1 for k in range(102)], dtype=bool).reshape(2, 51)
    table = np.array([chosen[number >> 4 & 1][CLASS_OF[number]] for number in range(512)])
    rule = Rule.from_table(table)
    assert rule.is_isotropic
    assert Rule.parse(rule.notation) == rule
    assert len(rule.notation) < 3 + 86
    spelled_out = "/".join(
        half + "".join(f"{n}{letter}" for (n, letter), pick in zip(CLASSES, row, strict=True) if pick)
        for half, row in zip("BS", chosen, strict=True)
    )
    once = re.sub(r"(\d)((?:[a-z]\1)*[a-z])", lambda m: m[1] + m[2].replace(m[1], ""), spelled_out)
    assert Rule.parse(once) == rule
    assert len(rule.notation) <= len(once)


@given(st.binary(min_size=64, max_size=64))
def test_map_round_trip(data):
    table = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
    rule = Rule.from_table(table)
    assert np.array_equal(Rule.parse("MAP" + base64.b64encode(data).decode()).table, table)
    assert Rule.parse(rule.notation) == rule
    assert not rule.table.flags.writeable


def test_negation_is_the_complement_within_its_count():
    assert Rule.parse("B2-a/S12") == Rule.parse("B2cekin/S12")
    assert Rule.parse("B2-cekin/S") == Rule.parse("B2a/S")
    assert Rule.parse("B3-aceijknqry/S") == Rule.parse("B/S")


def test_equal_tables_are_equal_rules():
    assert len({Rule.parse(text) for text in ("Life", "23/3", LIFE_MAP, "B3aceijknqry/S2aceikn3")}) == 1
    assert repr(Rule.parse("b3s23")) == "Rule.parse('B3/S23')"
    for notation in NAMES.values():
        assert Rule.parse(notation).notation == notation


def test_a_rule_that_is_no_count_rule_has_no_masks():
    rule = Rule.parse("B2-a/S12")
    assert rule.is_isotropic
    assert not rule.is_outer_totalistic
    with pytest.raises(InputError, match=r"B2-a/S12 is not outer-totalistic, so it has no birth mask; use its \.table"):
        _ = rule.birth


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("B9/S23", 'rule "B9/S23": digit 9 at position 2 is not a neighbour count (0 to 8)'),
        ("B3/S2x", "the count 2 has no letter x (position 6); its letters are a c e i k n"),
        ("B8c/S", "the count 8 has no letter c (position 3); it takes no letters"),
        ("B33/S23", "the count 3 at position 3 appears a second time"),
        ("B2aca/S", "the letter a at position 5 appears twice"),
        (
            "B3/S23-",
            'the minus at position 7 has no letters after it; write the letters to leave out, as in "3-a"',
        ),
        ("B-3/S", "character - at position 2 is not a neighbour count"),
        ("B3/B2", "a second B at position 4"),
        ("23", "has no slash, B or S"),
        ("B2/S/3", "has 3 parts: that is a rule of Generations, not of Life"),
        ("B3/S23:T30,20", "use split_topology first"),
        ("B5/S2V", "5 at position 2 is not a count of the 4 neighbours of V rules"),
        ("MAPABC", "has 3 base64 characters after MAP; a table of 512 takes 86"),
        ("MAP" + "A" * 85 + "!", "'!' at position 89 is not a base64 character"),
        ("MAP" + "A" * 22, "hexagonal MAP"),
        ("Hihglife", 'Did you mean "HighLife"?'),
        ("", "the rule is empty"),
    ],
)
def test_bad_rules_say_where_and_what_to_do(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        Rule.parse(text)


def test_bad_tables():
    with pytest.raises(InputError, match=r"shape \(512,\) and values 0 and 1; this one has shape \(512,\) and values"):
        Rule.from_table(np.full(512, 2))
    with pytest.raises(InputError, match="birth=512 is not a mask"):
        Rule.from_masks(512, 0)


def test_generations_rules():
    brain = GenerationsRule.parse("Brian's Brain")
    assert brain == GenerationsRule.parse("/2/3") == GenerationsRule.parse("B2/S/C3") == GenerationsRule.parse("b2/s/3")
    assert (brain.birth, brain.survival, brain.states, brain.notation) == (1 << 2, 0, 3, "B2/S/C3")
    wars = GenerationsRule.parse("345/2/4")
    assert (wars.birth, wars.survival, wars.states) == (1 << 2, 1 << 3 | 1 << 4 | 1 << 5, 4)
    for text in GENERATIONS_NAMES.values():
        rule = GenerationsRule.parse(text)
        assert GenerationsRule.parse(rule.notation) == rule
    for bad, message in {
        "B3/S23": "is not a Generations rule; write survival/birth/states",
        "2/3/1": "states=1 is not a number of states; give 2 to 255",
        "2/3/256": "states=256 is not a number of states",
        "2/3/4/5": "has 4 parts; a Generations rule has three",
        "2/9/4": 'rule "2/9/4": digit 9 at position 3',
    }.items():
        with pytest.raises(InputError, match=re.escape(message)):
            GenerationsRule.parse(bad)


def test_bounded_grids():
    assert split_topology("B3/S23:T30,20") == ("B3/S23", Grid("torus", height=20, width=30))
    assert split_topology("B3/S23:p30,20") == ("B3/S23", Grid("plane", height=20, width=30))
    assert split_topology("23/3:T7") == ("23/3", Grid("torus", height=7, width=7))
    assert split_topology("B3/S23") == ("B3/S23", None)
    for bad, message in {
        ":K30*,20": "is a Klein bottle; choose a torus (:T) or a plane (:P)",
        ":C30,20": "is a cross-surface",
        ":S30": "is a sphere",
        ":T0,20": "a size of 0 means unbounded",
        ":T30+5,20": "is not a grid; write :T30,20",
        ":": "is not a grid",
    }.items():
        with pytest.raises(InputError, match=re.escape(message)):
            split_topology("B3/S23" + bad)


@pytest.mark.skipif(shutil.which("bgolly") is None, reason="bgolly is not installed")
def test_golly_agrees_on_random_rules_and_soups(tmp_path):
    """30 rules of each kind, 4 steps of a random 40 by 32 torus; and Golly's canonical name is our notation.

    Rules with B0 and S8 are left out: for those Golly shows the complementary pattern.
    """
    rng = np.random.default_rng(20)
    rules = [Rule.from_masks(*(int(m) for m in rng.integers(0, 512, 2))) for _ in range(30)]
    rules += [Rule.from_table(rng.integers(0, 2, 102)[CLASS_OF + 51 * (np.arange(512) >> 4 & 1)]) for _ in range(30)]
    rules += [Rule.from_table(rng.integers(0, 2, 512)) for _ in range(30)]
    for rule in (rule for rule in rules if not rule.table[0] & rule.table[511]):
        board = rng.integers(0, 2, (32, 40), dtype=np.uint8)
        rows = "$\n".join("".join("bo"[cell] for cell in row) for row in board)
        notation = rule.notation + ":T40,32"
        (tmp_path / "in.rle").write_text(f"x = 40, y = 32, rule = {notation}\n{rows}!\n")
        command = ["bgolly", "-q", "-q", "-a", "QuickLife", "-m", "4", "-o", "out.rle", "in.rle"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
        header, *body = (tmp_path / "out.rle").read_text().splitlines()
        assert header.split("rule = ")[1] == notation
        for _ in range(4):
            board = step(board, rule.table)
        live = board[board.any(axis=1)][:, board.any(axis=0)]
        assert "".join(body) == _trimmed_rle(board) or not live.size, notation


@pytest.mark.skipif(shutil.which("bgolly") is None, reason="bgolly is not installed")
@pytest.mark.parametrize("name", ["Brian's Brain", "Star Wars", "Bloomerang", "Frogs"])
def test_golly_agrees_on_what_a_generations_rule_means(tmp_path, name):
    """Three steps of a random 40 by 32 torus from the definition in GenerationsRule's docstring."""
    rule = GenerationsRule.parse(name)
    board = np.random.default_rng(21).integers(0, rule.states, (32, 40), dtype=np.uint8)
    (tmp_path / "in.rle").write_text(write_rle(Pattern(board, rule=GENERATIONS_NAMES[name] + ":T40,32")))
    command = ["bgolly", "-q", "-q", "-a", "Generations", "-m", "3", "-o", "out.rle", "in.rle"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    for _ in range(3):
        lives = step((board == 1).astype(np.uint8), rule.life.table)
        aged = np.where(board > 0, (board + 1) % rule.states, 0)
        board = np.where(board < 2, np.where(lives == 1, 1, aged), aged).astype(np.uint8)
    assert Pattern(board).trim().population > 0
    assert np.array_equal(read_rle(tmp_path / "out.rle").trim().cells, Pattern(board).trim().cells)


def _trimmed_rle(board: np.ndarray) -> str:
    """The board from its first live row and column on, as Golly writes it."""
    ys, xs = np.nonzero(board)
    rows = ["".join("bo"[c] for c in row).rstrip("b") for row in board[ys.min() : ys.max() + 1, xs.min() :]]
    text = re.sub(r"(.)\1+", lambda m: f"{len(m[0])}{m[1]}", "$".join(rows) + "!")
    return text
