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
    ensemble, height, columns = words.shape
    for y in range(layout.block_height):
        for k0 in range(0, columns, 8):  # 8 x 8 words at a time: whole cache lines on both sides
            for lane in range(LANES):
                board, row = _source(layout, first_board, origin, lane, y)
                if layout.torus:
                    row %= height
                inside = board < ensemble and 0 <= row < height
                for k in range(k0, min(k0 + 8, columns)):
                    place = layout.base + ((k + 2) * layout.block_height + y) * LANES + lane
                    block[place] = words[board, row, k] if inside else np.uint64(0)
                for i in range(1, layout.packed):
                    if board + i < ensemble:
                        word = words[board + i, row, 0] << np.uint64(i * layout.width)
                        block[layout.base + (2 * layout.block_height + y) * LANES + lane] |= word
    if columns > 1:
        stripe(
            block, FRAME, _HEADER, layout.base + 2 * layout.block_height * LANES, layout.block_height, columns
        )


@njit
def empty_block(block, result, layout, first_board, origin, start, end, offset):
    ensemble, _, columns = result.shape
    if columns > 1:
        unstripe(
            block,
            FRAME,
            _HEADER,
            layout.base + offset * layout.block_height * LANES,
            layout.block_height,
            columns,
        )
    valid = _ALL >> np.uint64(64 * columns - layout.width)
    for y in range(layout.block_height):
        for k0 in range(0, columns, 8):
            for lane in range(LANES):
                board, row = _source(layout, first_board, origin, lane, y)
                if not start <= row < end:
                    continue
                for i in range(min(layout.packed, ensemble - board)):
                    for k in range(k0, min(k0 + 8, columns)):
                        word = block[layout.base + ((k + offset) * layout.block_height + y) * LANES + lane]
                        word >>= np.uint64(i * layout.width)
                        result[board + i, row, k] = word & valid if k == columns - 1 else word


@njit
def _source(layout, board, origin, lane, y):
    """The board and the row that stand in row y of a lane."""
    if layout.bands == 0:
        return board + lane * layout.packed, y
    return board, origin + lane * layout.block_height + y


@njit
def put_row(block, layout, row, offset, words):
    lane, y = divmod(row, layout.block_height)
    place = layout.base + (offset * layout.block_height + y) * LANES + lane
    for k in range(len(words)):
        block[place + k * layout.block_height * LANES] = words[k]


@njit
def get_row(block, layout, row, offset, words):
    lane, y = divmod(row, layout.block_height)
    place = layout.base + (offset * layout.block_height + y) * LANES + lane
    for k in range(len(words)):
        words[k] = block[place + k * layout.block_height * LANES]


# ------------------------------------------------------------ striping, eight rows at once, one in a lane


@njit
def _stripe(space, scratch, row, columns_at, height, columns):
    """Stripe `height` x 8 rows of `columns` words in place; `scratch` and `row` are room for 64 and columns + 1 vectors."""
    stride = height * LANES
    for at in range(columns_at, columns_at + stride, LANES):
        for k in range(columns):
            store(space, row + k * LANES, load(space, at + k * stride))
        store(space, row + columns * LANES, fill(np.uint64(0)))
        for k0 in range(0, columns, 64):
            for b in range(64):
                word, bit = divmod(b * columns + k0, 64)
                piece = shift_right(load(space, row + word * LANES), np.uint64(bit))
                if bit > 0:
                    piece = piece | shift_left(
                        load(space, row + (word + 1) * LANES), _SIXTY_FOUR - np.uint64(bit)
                    )
                store(space, scratch + b * LANES, piece)
            _transpose(space, scratch)
            for k in range(k0, min(k0 + 64, columns)):
                store(space, at + k * stride, load(space, scratch + (k - k0) * LANES))


@njit
def _unstripe(space, scratch, row, columns_at, height, columns):
    """The inverse of `_stripe`."""
    stride = height * LANES
    for at in range(columns_at, columns_at + stride, LANES):
        for k in range(columns + 1):
            store(space, row + k * LANES, fill(np.uint64(0)))
        for k0 in range(0, columns, 64):
            for k in range(k0, k0 + 64):
                word = load(space, at + k * stride) if k < columns else fill(np.uint64(0))
                store(space, scratch + (k - k0) * LANES, word)
            _transpose(space, scratch)
            for b in range(64):
                word, bit = divmod(b * columns + k0, 64)
                piece = load(space, scratch + b * LANES)
                low, high = row + word * LANES, row + (word + 1) * LANES
                store(space, low, load(space, low) | shift_left(piece, np.uint64(bit)))
                if bit > 0:
                    store(space, high, load(space, high) | shift_right(piece, _SIXTY_FOUR - np.uint64(bit)))
        for k in range(columns):
            store(space, at + k * stride, load(space, row + k * LANES))


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
