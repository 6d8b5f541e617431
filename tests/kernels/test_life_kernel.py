"""The packed Life kernels against the definition: nine shifted boards, and a table or a count of neighbours."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.kernels.life import advance_outer_totalistic, advance_table, pack, unpack

# Below, at and above a word; one row, one column; below and above the height where a board is cut into bands.
SIZES = st.one_of(
    st.integers(1, 9), st.integers(28, 36), st.integers(60, 70), st.sampled_from([96, 127, 128, 129, 200])
)
MASKS = st.integers(0, 511)
CONWAY = (0b1000, 0b1100)

boards = st.builds(
    lambda shape, density, seed: (np.random.default_rng(seed).random(shape) < density).astype(np.uint8),
    st.tuples(st.sampled_from([1, 2, 3, 9]), SIZES, SIZES),
    st.sampled_from([0.1, 0.4, 0.9]),
    st.integers(0, 2**32),
)


def neighbourhood(cells, torus):
    """The nine shifted boards, in the order NW, N, NE, W, C, E, SW, S, SE."""
    _, height, width = cells.shape
    if torus:
        return [np.roll(cells, (-dy, -dx), (1, 2)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    padded = np.pad(cells, ((0, 0), (1, 1), (1, 1)))
    return [padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]


def step_by_table(cells, table, torus):
    index = np.zeros(cells.shape, np.int64)
    for shifted in neighbourhood(cells, torus):
        index = 2 * index + shifted
    return table[index]


def step_by_count(cells, birth, survival, torus):
    nine = neighbourhood(cells, torus)
    count = np.sum(nine, axis=0, dtype=np.int64) - cells
    return (np.where(cells, survival, birth) >> count & 1).astype(np.uint8)


def repeat(step, cells, steps, *rule):
    for _ in range(steps):
        cells = step(cells, *rule)
    return cells


@given(boards)
def test_unpack_inverts_pack(cells):
    words = pack(cells)
    assert np.array_equal(unpack(words, cells.shape[2]), cells)
    assert np.bitwise_count(words).sum() == cells.sum()  # the unused bits are zero


def test_bit_j_of_word_k_is_cell_64_k_plus_j():
    cells = np.zeros((1, 1, 150), np.uint8)
    cells[0, 0, [0, 63, 64, 149]] = 1
    assert pack(cells).tolist() == [[[1 | 1 << 63, 1, 1 << 21]]]


@given(boards, st.just(CONWAY) | st.tuples(MASKS, MASKS), st.integers(0, 5), st.booleans())
@settings(max_examples=150, deadline=None)
def test_outer_totalistic_equals_counting_neighbours(cells, rule, steps, torus):
    result = advance_outer_totalistic(pack(cells), cells.shape[2], *rule, steps, torus)
    assert np.array_equal(result, pack(repeat(step_by_count, cells, steps, *rule, torus)))


@given(boards, st.integers(0, 2**32), st.integers(0, 4), st.booleans())
@settings(max_examples=100, deadline=None)
def test_table_equals_looking_up_nine_cells(cells, seed, steps, torus):
    table = np.random.default_rng(seed).integers(0, 2, 512, np.uint8)
    result = advance_table(pack(cells), cells.shape[2], table, steps, torus)
    assert np.array_equal(result, pack(repeat(step_by_table, cells, steps, table, torus)))


@pytest.mark.parametrize("birth", range(9))
@pytest.mark.parametrize("survival", range(9))
@pytest.mark.parametrize("torus", [True, False])
def test_each_count_alone(birth, survival, torus):
    cells = np.random.default_rng(1).integers(0, 2, (2, 66, 66), np.uint8)
    result = advance_outer_totalistic(pack(cells), 66, 1 << birth, 1 << survival, 2, torus)
    assert np.array_equal(unpack(result, 66), repeat(step_by_count, cells, 2, 1 << birth, 1 << survival, torus))


def test_each_entry_of_the_table_alone():
    cells = np.random.default_rng(2).integers(0, 2, (1, 64, 64), np.uint8)
    words = pack(cells)
    for entry in range(512):
        table = np.zeros(512, np.uint8)
        table[entry] = 1
        assert np.array_equal(unpack(advance_table(words, 64, table, 1, True), 64), step_by_table(cells, table, True))


def test_the_two_kernels_agree_on_a_rule_both_can_express():
    birth, survival = 0b001001001, 0b000001101  # B036/S023
    index = np.arange(512)
    live, count = index >> 4 & 1, np.bitwise_count(index & ~16)
    table = (np.where(live, survival, birth) >> count & 1).astype(np.uint8)
    words = pack(np.random.default_rng(3).integers(0, 2, (1, 700, 300), np.uint8))
    expected = advance_outer_totalistic(words, 300, birth, survival, 50, True)
    assert np.array_equal(advance_table(words, 300, table, 50, True), expected)


# Large enough for bands with halos, several turns and several threads; the last two heights do not fill the lanes.
LARGE = [(1, 2304, 2048), (3, 1030, 640), (1, 4101, 1000), (1, 130, 9001), (20, 64, 64), (50, 40, 21)]


@pytest.mark.parametrize("shape", LARGE)
@pytest.mark.parametrize("rule", [CONWAY, (0b101000001, 0b100001110)])
@pytest.mark.parametrize("torus", [True, False])
def test_one_call_equals_single_steps_for_any_number_of_threads(shape, rule, torus):
    cells = np.random.default_rng(4).integers(0, 2, shape, np.uint8)
    words, width, steps = pack(cells), shape[2], 53
    single = words
    for _ in range(steps):
        single = advance_outer_totalistic(single, width, *rule, 1, torus)
    most = numba.get_num_threads()
    try:
        for threads in range(1, most + 1):
            numba.set_num_threads(threads)
            assert np.array_equal(advance_outer_totalistic(words, width, *rule, steps, torus), single)
    finally:
        numba.set_num_threads(most)
    sample = step_by_count(cells, *rule, torus)
    assert np.array_equal(advance_outer_totalistic(words, width, *rule, 1, torus), pack(sample))


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("torus", [True, False])
def test_more_threads_than_cores_share_the_blocks_correctly(threads, torus):
    from sojourn.kernels.life_blocks import advance_blocks
    from sojourn.kernels.life_rules import CONWAY as KIND

    cells = np.random.default_rng(5).integers(0, 2, (1, 500, 192), np.uint8)
    result = advance_blocks(pack(cells), 192, KIND, np.zeros(1, np.uint64), 40, torus, threads)
    assert np.array_equal(unpack(result, 192), repeat(step_by_count, cells, 40, *CONWAY, torus))


def test_a_glider_crosses_the_torus():
    cells = np.zeros((1, 100, 90), np.uint8)
    cells[0, [0, 1, 2, 2, 2], [1, 2, 0, 1, 2]] = 1
    words = pack(cells)
    moved = advance_outer_totalistic(words, 90, *CONWAY, 4 * 130, True)
    assert np.array_equal(unpack(moved, 90), np.roll(cells, (130, 130), (1, 2)))
    assert np.array_equal(advance_outer_totalistic(words, 90, *CONWAY, 4 * 900, True), words)


def test_input_words_are_not_changed():
    words = pack(np.random.default_rng(6).integers(0, 2, (2, 65, 65), np.uint8))
    before = words.copy()
    advance_outer_totalistic(words, 65, *CONWAY, 3, True)
    assert np.array_equal(words, before)


def test_bad_input_is_named():
    words = np.zeros((1, 4, 2), np.uint64)
    with pytest.raises(ValueError, match=r"birth=512 is not a mask of nine bits"):
        advance_outer_totalistic(words, 128, 512, 0, 1, True)
    with pytest.raises(ValueError, match=r"steps=-1 is negative"):
        advance_outer_totalistic(words, 128, 8, 12, -1, True)
    with pytest.raises(ValueError, match=r"expected \(ensemble, height, 1\) of uint64 for width=64"):
        advance_outer_totalistic(words, 64, 8, 12, 1, True)
    with pytest.raises(ValueError, match=r"table has shape \(511,\)"):
        advance_table(words, 128, np.zeros(511, np.uint8), 1, True)
    with pytest.raises(ValueError, match=r"cells has shape \(4, 4\)"):
        pack(np.zeros((4, 4), np.uint8))
