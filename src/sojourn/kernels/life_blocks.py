"""How boards are cut into blocks that stay in a core's cache, and how threads share the blocks.

A block is (columns + 3, block_height, 8) words. The last index is the lane: eight boards side by side where boards are
small, and otherwise eight successive pieces of one band of rows of one board. A band carries `halo` more rows at
both ends; so it can advance `halo` generations (a turn) before it needs its neighbours again.
"""

import time
from typing import NamedTuple

import numpy as np
from numba import njit

from sojourn.kernels.life_generation import frame, generation
from sojourn.kernels.life_stripes import HEADER, empty_block, fill_block, get_row, put_row
from sojourn.kernels.life_words import ALIGNMENT, LANES, claim, read_shared, write_shared
from sojourn.kernels.threads import together

_BLOCK = 80_000  # words: with room to spare in a second-level cache of 1 MiB
_COLUMN = 2048  # rows: three columns of them fit a first-level cache
_STEAL_AFTER = 64  # sweeps
_PATIENCE = 20_000  # sweeps, of the order of 0.1 ms


class Layout(NamedTuple):
    """The cut: `bands` of each board, or 0 where the lanes are boards; `halo` 0 where a block needs no neighbour."""

    width: int
    torus: bool
    bands: int
    packed: int  # boards whose rows share a word
    halo: int
    block_height: int
    base: int  # where a block's columns begin in its piece of the workspace, and
    pitch: int  # the size of that piece, in words
    tasks: int


def choose_layout(shape, width, steps, torus, threads):
    ensemble, height, columns = shape
    bands = _choose_bands(ensemble, height, columns, threads)
    packed, halo = 1, 0
    if bands == 0:
        packed = max(1, 64 // width)
        block_height, tasks = height, -(-ensemble // (LANES * packed))
    else:
        tasks = ensemble * bands
        block_height = height // LANES
        if bands > 1:
            rows = -(-height // bands)
            halo = max(1, min(16, rows // 64, steps))
            block_height = -(-(rows + 2 * halo) // LANES)
    base = HEADER + (columns + 1) * LANES
    pitch = base + (columns + 3) * block_height * LANES
    return Layout(width, torus, bands, packed, halo, block_height, base, pitch, tasks)


def _choose_bands(ensemble, height, columns, threads):
    size = height * columns
    if height < 64 or (ensemble >= LANES and size * LANES <= _BLOCK):
        return 0
    bands = max(-(-size // _BLOCK), -(-height // _COLUMN))
    if bands == 1 and height % LANES == 0 and (ensemble >= threads or size < 8192):
        return 1
    if ensemble < threads:
        bands = -(-bands // threads) * threads
    return max(2, min(bands, height // 16))


def advance_blocks(words, width, kind, rule, steps, torus, threads):
    """The boards after `steps` generations, advanced by `threads` threads of which the caller's is one."""
    layout = choose_layout(words.shape, width, steps, torus, threads)
    result = np.empty_like(words)
    space = np.empty(layout.tasks * layout.pitch + LANES, np.uint64)
    space = space[-space.ctypes.data % ALIGNMENT // 8 :]
    edges = np.empty((2, layout.tasks, 2, layout.halo, words.shape[2]), np.uint64)
    progress = np.zeros(layout.tasks, np.int64)

    def work(worker):
        home = worker * layout.tasks // threads
        share = (worker + 1) * layout.tasks // threads - home
        while not _work(words, result, kind, rule, steps, layout, space, edges, progress, home, share):
            time.sleep(1e-4)  # another program has the core of the thread that this one waits for

    together(work, threads)
    return result


@njit(cache=True, nogil=True)
def _work(words, result, kind, rule, steps, layout, space, edges, progress, home, share):
    """Take turns at blocks until all are done (True), or until nothing could be done for a while (False).

    `progress` counts twice the turns that a block has behind it, and one more while a thread is at it. A thread keeps
    to its own share of the blocks, which its cache holds, as long as one of them can go on.
    """
    turns = max(1, -(-steps // layout.halo)) if layout.halo > 0 else 1
    idle = 0
    while idle < _PATIENCE:
        reach = share if idle < _STEAL_AFTER else layout.tasks
        unfinished = 0
        idle += 1
        for i in range(reach):
            task = (home + i) % layout.tasks
            state = read_shared(progress, task)
            if state < 2 * turns:
                unfinished += 1
                if _ready(layout, progress, task, state) and claim(progress, task, state, state + 1):
                    turn = state // 2
                    _take_turn(words, result, kind, rule, steps, layout, space, edges, task, turn, turns)
                    write_shared(progress, task, state + 2)
                    idle = 0
                    if i >= share:
                        idle = _STEAL_AFTER
                        break
        if unfinished == 0:
            if reach == layout.tasks:
                return True
            idle = max(idle, _STEAL_AFTER)
    return False


@njit
def _ready(layout, progress, task, state):
    """Whether no thread is at the block and its neighbours have as many turns behind them as it has."""
    if state % 2 == 1 or layout.halo == 0:
        return state % 2 == 0
    board, band = divmod(task, layout.bands)
    before = board * layout.bands + (band - 1) % layout.bands
    after = board * layout.bands + (band + 1) % layout.bands
    return read_shared(progress, before) >= state and read_shared(progress, after) >= state


@njit
def _take_turn(words, result, kind, rule, steps, layout, space, edges, task, turn, turns):
    height = words.shape[1]
    block = space[task * layout.pitch : (task + 1) * layout.pitch]
    # A band is rows start .. start + rows - 1 of the board; the first of them is row `top` of the block.
    board, band, start, rows, top = task * LANES * layout.packed, 0, 0, height, 0
    if layout.bands > 0:
        board, band = divmod(task, layout.bands)
        start = band * height // layout.bands
        rows = (band + 1) * height // layout.bands - start
        top = layout.halo
        if not layout.torus and band == 0:
            top = 0
        elif not layout.torus and band == layout.bands - 1:
            top = LANES * layout.block_height - rows
    if turn == 0:
        frame(block, layout)
        fill_block(words, block, layout, board, start - top)
    done = turn * layout.halo
    end = steps if turn == turns - 1 else done + layout.halo
    if turn > 0:
        _import_halo(block, layout, edges[(turn - 1) % 2], board, band, top, rows, 2 - done % 2)
    for step in range(done, end):
        generation(kind, rule, block, words.shape[2], layout, step % 2 == 0)
    if turn < turns - 1:
        _export_edges(block, layout, edges[turn % 2, task], top, rows, 2 - end % 2)
    else:
        empty_block(block, result, layout, board, start - top, start, start + rows, 2 - end % 2)


@njit
def _import_halo(block, layout, edges, board, band, top, rows, offset):
    before = edges[board * layout.bands + (band - 1) % layout.bands, 1]
    after = edges[board * layout.bands + (band + 1) % layout.bands, 0]
    for j in range(layout.halo):
        if layout.torus or band > 0:
            put_row(block, layout, top - layout.halo + j, offset, before[j])
        if layout.torus or band < layout.bands - 1:
            put_row(block, layout, top + rows + j, offset, after[j])


@njit
def _export_edges(block, layout, edges, top, rows, offset):
    for j in range(layout.halo):
        get_row(block, layout, top + j, offset, edges[0, j])
        get_row(block, layout, top + rows - layout.halo + j, offset, edges[1, j])
