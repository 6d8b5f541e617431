"""Between packed boards and blocks of striped rows.

With n words to a row, bit b of word k of a striped row is the cell at x = n b + k. So the neighbours of a word's 64
cells are the words k - 1 and k + 1, and a generation needs no shifts but at the two ends of a row.
"""

import numpy as np
from numba import njit

from sojourn.kernels.life_rules import FRAME, SCRATCH
from sojourn.kernels.life_words import LANES, fill, load, shift_left, shift_right, store

HEADER = FRAME + SCRATCH
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_SIXTY_FOUR = np.uint64(64)


@njit
def fill_block(words, block, layout, first_board, origin):
    """Put the rows from `origin` on of a board, or whole boards from `first_board` on, into a block."""
    ensemble, height, columns = words.shape
    start = layout.base + 2 * layout.block_height * LANES
    for y in range(layout.block_height):
        for k0 in range(0, columns, 8):  # 8 x 8 words at a time: whole cache lines on both sides
            for lane in range(LANES):
                board, row = _source(layout, first_board, origin, lane, y)
                if layout.torus:
                    row %= height
                inside = board < ensemble and 0 <= row < height
                place = start + y * LANES + lane
                for k in range(k0, min(k0 + 8, columns)):
                    word = words[board, row, k] if inside else np.uint64(0)
                    block[place + k * layout.block_height * LANES] = word
                for i in range(1, min(layout.packed, ensemble - board)):
                    block[place] |= words[board + i, row, 0] << np.uint64(i * layout.width)
    if columns > 1:
        _stripe(block, start, layout.block_height, columns)


@njit
def empty_block(block, result, layout, first_board, origin, first_row, end_row, offset):
    """Put a block's rows from `first_row` to `end_row` of the board back into `result`."""
    ensemble, _, columns = result.shape
    start = layout.base + offset * layout.block_height * LANES
    if columns > 1:
        _unstripe(block, start, layout.block_height, columns)
    valid = _ALL >> np.uint64(64 * columns - layout.width)
    for y in range(layout.block_height):
        for k0 in range(0, columns, 8):
            for lane in range(LANES):
                board, row = _source(layout, first_board, origin, lane, y)
                if not first_row <= row < end_row:
                    continue
                place = start + y * LANES + lane
                for i in range(min(layout.packed, ensemble - board)):
                    for k in range(k0, min(k0 + 8, columns)):
                        word = block[place + k * layout.block_height * LANES] >> np.uint64(i * layout.width)
                        result[board + i, row, k] = word & valid if k == columns - 1 else word


@njit
def _source(layout, board, origin, lane, y):
    """The board and the row that stand in row y of a lane."""
    if layout.bands == 0:
        return board + lane * layout.packed, y
    return board, origin + lane * layout.block_height + y


@njit
def put_row(block, layout, row, offset, words):
    """Put a striped row in its place among a block's lanes."""
    lane, y = divmod(row, layout.block_height)
    place = layout.base + (offset * layout.block_height + y) * LANES + lane
    for k in range(len(words)):
        block[place + k * layout.block_height * LANES] = words[k]


@njit
def get_row(block, layout, row, offset, words):
    """The inverse of `put_row`."""
    lane, y = divmod(row, layout.block_height)
    place = layout.base + (offset * layout.block_height + y) * LANES + lane
    for k in range(len(words)):
        words[k] = block[place + k * layout.block_height * LANES]


# ------------------------------------------------------------ striping, eight rows at once, one in each lane


@njit
def _stripe(block, start, height, columns):
    """Stripe the rows of the `columns` columns that begin at `start`, in place."""
    stride, row = height * LANES, HEADER
    for at in range(start, start + stride, LANES):
        for k in range(columns):
            store(block, row + k * LANES, load(block, at + k * stride))
        store(block, row + columns * LANES, fill(np.uint64(0)))
        for k0 in range(0, columns, 64):
            for b in range(64):  # the 64 cells from n b + k0 on
                word, bit = divmod(b * columns + k0, 64)
                piece = shift_right(load(block, row + word * LANES), np.uint64(bit))
                if bit > 0:
                    rest = load(block, row + (word + 1) * LANES)
                    piece = piece | shift_left(rest, _SIXTY_FOUR - np.uint64(bit))
                store(block, FRAME + b * LANES, piece)
            _transpose(block, FRAME)
            for k in range(k0, min(k0 + 64, columns)):
                store(block, at + k * stride, load(block, FRAME + (k - k0) * LANES))


@njit
def _unstripe(block, start, height, columns):
    """The inverse of `_stripe`."""
    stride, row = height * LANES, HEADER
    for at in range(start, start + stride, LANES):
        for k in range(columns + 1):
            store(block, row + k * LANES, fill(np.uint64(0)))
        for k0 in range(0, columns, 64):
            for k in range(k0, k0 + 64):
                word = load(block, at + k * stride) if k < columns else fill(np.uint64(0))
                store(block, FRAME + (k - k0) * LANES, word)
            _transpose(block, FRAME)
            for b in range(64):
                word, bit = divmod(b * columns + k0, 64)
                piece = load(block, FRAME + b * LANES)
                low, high = row + word * LANES, row + (word + 1) * LANES
                store(block, low, load(block, low) | shift_left(piece, np.uint64(bit)))
                if bit > 0:
                    store(block, high, load(block, high) | shift_right(piece, _SIXTY_FOUR - np.uint64(bit)))
        for k in range(columns):
            store(block, at + k * stride, load(block, row + k * LANES))


@njit
def _transpose(space, matrix):
    """Transpose 64 x 64 bits in every lane, by swapping ever smaller off-diagonal squares."""
    size = 32
    mask = np.uint64(0x00000000FFFFFFFF)
    while size > 0:
        count = np.uint64(size)
        low_half = fill(mask)
        for i in range(64):
            if i & size == 0:
                p, q = matrix + i * LANES, matrix + (i + size) * LANES
                upper, lower = load(space, p), load(space, q)
                swap = (shift_right(upper, count) ^ lower) & low_half
                store(space, p, upper ^ shift_left(swap, count))
                store(space, q, lower ^ swap)
        size >>= 1
        mask ^= mask << np.uint64(size)
