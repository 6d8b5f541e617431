"""The fates of the library's patterns, on an unbounded plane simulated 64 cells at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sojourn.errors import InputError
from sojourn.formats import named, names
from sojourn.processes.life.pattern import Pattern

STILL_LIFES = ["beehive", "block", "boat", "eater-1", "loaf", "tub"]
OSCILLATORS = {
    "beacon": 2, "blinker": 2, "clock": 2, "toad": 2, "pulsar": 3, "figure-eight": 8, "galaxy": 8,
    "tumbler": 14, "pentadecathlon": 15, "queen-bee-shuttle": 30,
}  # fmt: skip
SPACESHIPS = {  # period, cells down, cells right
    "glider": (4, 1, 1), "lwss": (4, 0, -2), "mwss": (4, 0, -2), "hwss": (4, 0, -2), "loafer": (7, 0, -1),
    "copperhead": (10, -1, 0), "weekender": (7, -2, 0),
}  # fmt: skip
OTHERS = [
    "acorn", "diehard", "gosper-glider-gun", "infinite-growth", "r-pentomino", "replicator",
    "simkin-glider-gun", "switch-engine",
]  # fmt: skip


class Plane:
    """Live cells on an unbounded plane: 64 columns a word, cut to the live part and padded every 32 steps."""

    def __init__(self, cells: np.ndarray, *, six: bool = False) -> None:
        height, width = cells.shape
        padded = np.zeros((height, -(-width // 64) * 64), dtype=np.uint8)
        padded[:, :width] = cells
        self.words = np.packbits(padded, axis=1, bitorder="little").view("<u8")
        self.top = self.left = 0
        self.six = np.uint64(2**64 - 1 if six else 0)  # HighLife's birth with six neighbours
        self.populations = [self.population]

    @property
    def population(self) -> int:
        return int(np.bitwise_count(self.words).sum())

    @property
    def cells(self) -> set[tuple[int, int]]:
        board = np.unpackbits(self.words.view(np.uint8), axis=1, bitorder="little")
        return {(int(y) + self.top, int(x) + self.left) for y, x in np.argwhere(board)}

    def run(self, steps: int) -> "Plane":
        for done in range(steps):
            if done % 32 == 0:
                self._recentre()
            self._step()
            self.populations.append(self.population)
        return self

    def _recentre(self) -> None:
        ys, xs = (np.flatnonzero(self.words.any(axis=axis)) for axis in (1, 0))
        if len(ys):
            self.words = np.pad(self.words[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1], ((32, 32), (1, 1)))
            self.top, self.left = self.top + int(ys[0]) - 32, self.left + 64 * (int(xs[0]) - 1)

    def _step(self) -> None:
        """Add the eight neighbours in binary: planes of ones, twos, fours, eights."""
        one, last, here = np.uint64(1), np.uint64(63), self.words
        west, east = here << one, here >> one
        west[:, 1:] |= here[:, :-1] >> last
        east[:, :-1] |= here[:, 1:] << last
        ones, twos = west ^ east, west & east
        row_ones, row_twos = ones ^ here, twos | (ones & here)
        above = np.zeros((2, *here.shape), dtype=np.uint64)
        below = above.copy()
        above[:, 1:], below[:, :-1] = (row_ones[:-1], row_twos[:-1]), (row_ones[1:], row_twos[1:])
        half = above[0] ^ below[0]
        carry = (above[0] & below[0]) | (half & ones)
        bit0 = half ^ ones
        u, v = above[1] ^ below[1], twos ^ carry
        bit1 = u ^ v
        high, low, mid = above[1] & below[1], twos & carry, u & v
        bit2, bit3 = high ^ low ^ mid, high & low
        self.words = (bit1 & ~bit2 & ~bit3 & (bit0 | here)) | (bit1 & bit2 & ~bit0 & ~here & self.six)


def moved(cells: set[tuple[int, int]], down: int, right: int) -> set[tuple[int, int]]:
    return {(y + down, x + right) for y, x in cells}


def clusters(cells: set[tuple[int, int]]) -> list[set[tuple[int, int]]]:
    """The cells grouped by touching neighbourhoods (distance at most 2)."""
    rest, groups = set(cells), []
    while rest:
        group, fresh = set(), {rest.pop()}
        while fresh:
            y, x = fresh.pop()
            group.add((y, x))
            near = {(y + dy, x + dx) for dy in range(-2, 3) for dx in range(-2, 3)} & rest
            rest -= near
            fresh |= near
        groups.append(group)
    return groups


def test_every_pattern_of_the_library_has_its_fate_tested():
    assert names() == sorted([*STILL_LIFES, *OSCILLATORS, *SPACESHIPS, *OTHERS])
    for name in names():
        pattern = named(name)
        assert pattern.name
        assert pattern.comments[-1].startswith("https://")
        assert pattern.trim() == pattern


@pytest.mark.parametrize("name", STILL_LIFES)
def test_still_lifes(name):
    plane = Plane(named(name).cells)
    before = plane.cells
    assert plane.run(1).cells == before


@pytest.mark.parametrize(("name", "period"), OSCILLATORS.items())
def test_oscillators(name, period):
    plane = Plane(named(name).cells)
    before = plane.cells
    first = next(t for t in range(1, 2 * period) if plane.run(1).cells == before)
    assert first == period


@pytest.mark.parametrize(("name", "motion"), SPACESHIPS.items())
def test_spaceships(name, motion):
    period, down, right = motion
    plane = Plane(named(name).cells)
    before = plane.cells
    for t in range(1, period):
        now = plane.run(1).cells
        assert all(moved(before, dy, dx) != now for dy in range(-4, 5) for dx in range(-4, 5)), t
    assert plane.run(1).cells == moved(before, down, right)


@pytest.mark.parametrize(("name", "settles", "population", "gliders"), [("r-pentomino", 1103, 116, 6)])
def test_methuselahs(name, settles, population, gliders):
    _settles(name, settles, population, gliders)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settles", "population", "gliders"), [("acorn", 5206, 633, 13)])
def test_long_methuselahs(name, settles, population, gliders):
    _settles(name, settles, population, gliders)


def _settles(name: str, settles: int, population: int, gliders: int) -> None:
    """From `settles` on, and not before, all is gliders and things of period 2, far enough apart for ever."""
    plane = Plane(named(name).cells).run(settles - 1)
    before = plane.cells
    assert not _is_settled(before)
    plane.run(1)
    assert plane.population == population
    groups = _is_settled(plane.cells)
    assert sum(_displacement(group) != (0, 0) for group in groups) == gliders
    assert set(plane.run(240).populations[settles:]) == {population}


def _is_settled(cells: set[tuple[int, int]]) -> list[set[tuple[int, int]]]:
    groups = clusters(cells)
    return groups if all(_displacement(group) is not None for group in groups) else []


def _displacement(group: set[tuple[int, int]]) -> tuple[int, int] | None:
    """How far a group by itself moves in 4 steps; None when it does not come back to its form."""
    top, left = min(y for y, _ in group), min(x for _, x in group)
    cells = np.zeros((max(y for y, _ in group) - top + 1, max(x for _, x in group) - left + 1), dtype=np.uint8)
    for y, x in group:
        cells[y - top, x - left] = 1
    plane = Plane(cells)
    before = plane.cells
    after = plane.run(4).cells
    return next(
        ((dy, dx) for dy in (0, 1, -1) for dx in (0, 1, -1) if moved(before, dy, dx) == after),
        None,
    )


def test_diehard_dies_at_130():
    populations = Plane(named("diehard").cells).run(131).populations
    assert populations[129] > 0
    assert populations[130] == 0


@pytest.mark.parametrize(("name", "period"), [("gosper-glider-gun", 30), ("simkin-glider-gun", 120)])
def test_guns_emit_one_glider_each_period(name, period):
    """After four periods: the gun as it was, and four gliders; after two more, the same four further on."""
    gun = Plane(named(name).cells).cells
    plane = Plane(named(name).cells).run(4 * period)
    gliders = plane.cells - gun
    assert gun <= plane.cells
    motions = {_displacement(glider) for glider in clusters(gliders)}
    assert (len(clusters(gliders)), len(gliders), len(motions)) == (4, 20, 1)
    down, right = motions.pop() or (0, 0)
    assert {abs(down), abs(right)} == {1}
    after = plane.run(2 * period).cells
    flown = moved(gliders, 2 * period // 4 * down, 2 * period // 4 * right)
    assert gun | flown <= after
    assert len(after - gun - flown) == 2 * 5


def test_switch_engine_glides_with_reflection_in_48_steps():
    start = Plane(named("switch-engine").cells)
    before = start.cells
    after = start.run(48).cells
    mirrored = {(x, y) for y, x in before}
    assert any(moved(mirrored, dy, dx) <= after for dy in range(-12, 13) for dx in range(-12, 13))


def test_infinite_growth_lays_blocks_with_period_288():
    plane = Plane(named("infinite-growth").cells).run(2304)
    assert np.diff(plane.populations[-865::288]).tolist() == [32, 32, 32]  # eight blocks


def test_replicator_follows_the_exclusive_or_of_its_two_neighbours():
    """After 12 * 2^k generations two copies stand 2^k rounds away along the diagonal, and nothing else."""
    plane = Plane(named("replicator").cells, six=True)
    before = plane.cells
    for rounds in (1, 2, 4, 8):
        after = plane.run(12 * rounds - len(plane.populations) + 1).cells
        assert len(after) == 2 * len(before), rounds
        shifts = [(d, d) for d in range(-60, 61) if moved(before, d, d) <= after]
        assert len(shifts) == 2, (rounds, shifts)


CELLS = arrays(np.uint8, st.tuples(st.integers(0, 9), st.integers(0, 9)), elements=st.integers(0, 255))


@given(CELLS)
def test_symmetries_of_patterns(cells):
    pattern = Pattern(cells, position=(3, -4))
    assert pattern.rotate(4) == pattern
    assert pattern.rotate().flip_left_right() == Pattern(cells.T, position=(3, -4))
    assert pattern.flip_up_down().flip_left_right() == pattern.rotate(2)
    if cells.size:
        assert pattern.rotate().cells[0, -1] == cells[0, 0]  # clockwise: the top left corner goes to the top right


@given(CELLS)
def test_trim_keeps_the_live_cells_where_they_are(cells):
    def live(pattern: Pattern) -> dict:
        top, left = pattern.position or (0, 0)
        return {(top + y, left + x): pattern.cells[y, x] for y, x in np.argwhere(pattern.cells).tolist()}

    trimmed = Pattern(cells, position=(3, -4)).trim()
    assert live(trimmed) == live(Pattern(cells, position=(3, -4)))
    assert trimmed.trim() == trimmed
    if trimmed.population:
        assert all(border.any() for border in (trimmed.cells[0], trimmed.cells[-1], *trimmed.cells.T[[0, -1]]))


@pytest.mark.parametrize("cells", [np.zeros(3), [[300]], [[-1]], [[0.5]], [["x"]]])
def test_bad_cells(cells):
    with pytest.raises(InputError, match="the cells of a pattern"):
        Pattern(np.array(cells))
