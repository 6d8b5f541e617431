"""One generation of a block: first the ends of its rows, then a sweep over its columns of words.

A block is columns of ``block_height`` x 8 words (see `life_blocks`), rows striped (see `life_stripes`): the words west
and east of a word are those of the columns beside it. Only the outermost columns need cells from the other end.
"""

import numpy as np
from numba import njit

from sojourn.kernels.life_rules import sweep
from sojourn.kernels.life_words import (
    LANES,
    fill,
    load,
    rotate_left,
    rotate_right,
    select,
    shift_left,
    shift_right,
    store,
)

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit
def generation(kind, rule, block, columns, layout, rightward):
    """One generation; a rightward one moves the columns one place left, and so the next must go leftward."""
    stride = layout.block_height * LANES
    first = layout.base + (2 if rightward else 1) * stride
    if columns == 1:
        _seam_of_one_word(block, layout, first, stride)
    else:
        _seam(block, layout, columns, first, stride)
    sweep(kind, rule, block, first, columns, layout.block_height, rightward)


@njit
def _seam_of_one_word(block, layout, first, stride):
    """The columns beside a lone one, whose words hold whole rows of one or more boards."""
    if layout.torus and layout.width == 64:
        for y in range(first, first + stride, LANES):
            word = load(block, y)
            store(block, y - stride, rotate_left(word))
            store(block, y + stride, rotate_right(word))
        return
    width = np.uint64(layout.width)
    one = np.uint64(0)
    for i in range(layout.packed):
        one |= np.uint64(1) << (np.uint64(i) * width)
    heads, tails = fill(one), fill(one << (width - np.uint64(1)))
    valid = fill(_ALL >> np.uint64(64 - layout.width * layout.packed))
    wraps = fill(_ALL if layout.torus else np.uint64(0))
    for y in range(first, first + stride, LANES):
        word = load(block, y) & valid
        store(block, y, word)
        over = shift_right(word, width - np.uint64(1)) & wraps
        store(block, y - stride, select(heads, over, shift_left(word, np.uint64(1))))
        over = shift_left(word, width - np.uint64(1)) & wraps
        store(block, y + stride, select(tails, over, shift_right(word, np.uint64(1))))


@njit
def _seam(block, layout, columns, first, stride):
    """The columns west of the first and east of the last, and the cells past the end of a row: dead but for the first
    of them, which on a torus is the row's first cell."""
    width = layout.width
    last = first + (columns - 1) * stride
    for k in range(max(0, width - 63 * columns), columns if width < 64 * columns else 0):
        valid = fill(_ALL >> np.uint64(64 - (width - k + columns - 1) // columns))
        for y in range(first + k * stride, first + (k + 1) * stride, LANES):
            store(block, y, load(block, y) & valid)
    one, sixty_three = np.uint64(1), np.uint64(63)
    wraps = fill(one if layout.torus else np.uint64(0))
    end, end_bit = first + (width - 1) % columns * stride, np.uint64((width - 1) // columns)
    past, past_bit = first + width % columns * stride, np.uint64(width // columns)
    for y in range(0, stride, LANES):
        head = load(block, first + y) & wraps
        tail = shift_right(load(block, end + y), end_bit) & wraps
        store(block, first - stride + y, shift_left(load(block, last + y), one) | tail)
        if width < 64 * columns:
            store(block, past + y, load(block, past + y) | shift_left(head, past_bit))
            head = fill(np.uint64(0))
        store(block, last + stride + y, shift_right(load(block, first + y), one) | shift_left(head, sixty_three))


@njit
def frame(block, layout):
    """Say what lies above the first row and below the last: rows of the lanes beside, of the same lane, or dead cells.

    `above_first` and `below_last` in `life_rules` read it.
    """
    for lane in range(LANES):
        beside = layout.bands > 0
        block[lane] = _ALL if beside and (layout.torus or lane > 0) else np.uint64(0)
        block[LANES + lane] = _ALL if beside and (layout.torus or lane < LANES - 1) else np.uint64(0)
        block[2 * LANES + lane] = _ALL if layout.torus and not beside else np.uint64(0)
