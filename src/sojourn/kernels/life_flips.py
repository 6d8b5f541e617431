"""Metropolis flips on start boards of Life, a row of cells to a word; only rows that a flip can reach are recomputed.

Equals `sojourn.diffusion.discrete.annealing.Annealing.step`, flip by flip and bit for bit, for any number of threads.
"""

import math

import numpy as np
from numba import njit, uint32

from sojourn.kernels.philox import philox
from sojourn.kernels.threads import share


def flip(cells, best, stop, generations, first, steps, first_member, stream, seed, hot, cold, horizon):
    """Flips `first` to `first + steps - 1` of every board, in place.

    Args:
        cells, best: (n, height, width) uint8, the boards and the best that they ever were.
        stop: (n, height, width) uint8, what they should be after `generations`.
        first_member, stream, seed: of the noise.
        hot, cold, horizon: the temperature of flip t is hot (cold / hot)^(t / horizon).
    """
    weights = np.int64(1) << np.arange(cells.shape[2], dtype=np.int64)
    words = [(board.astype(np.int64) * weights).sum(-1) for board in (cells, best, stop)]
    key = uint32(seed & 0xFFFFFFFF), uint32(seed >> 32)
    share(
        lambda begin, end: _flip(
            *words, cells.shape[2], generations, first, steps, first_member, uint32(stream), *key, hot, cold, horizon,
            begin, end,
        ),
        len(cells),
        1,
    )  # fmt: skip
    for board, rows in zip((cells, best), words, strict=False):
        board[...] = (rows[..., None] >> np.arange(cells.shape[2])) & 1


@njit(cache=True, nogil=True)
def _flip(
    cells, best, stop, width, generations, first, steps, first_member, stream, k0, k1, hot, cold, horizon, begin, end
):
    height = cells.shape[1]
    now = np.zeros((generations + 1, height), np.int64)  # the board and its futures
    new = np.zeros((generations + 1, height), np.int64)  # the same after a flip, in the rows that it reaches
    for board in range(begin, end):
        now[0] = best[board]
        _advance(now, width, height // 2, height // 2)
        least = _errors(now[generations], stop[board])
        now[0] = cells[board]
        _advance(now, width, height // 2, height // 2)
        new[:] = now
        wrong = _errors(now[generations], stop[board])
        for t in range(first, first + steps):
            if wrong == 0:
                break
            w = philox(uint32(0), uint32(t), uint32(first_member + board), stream, k0, k1)
            y = (np.int64(w[0]) * height) >> 32
            x = (np.int64(w[1]) * width) >> 32
            new[0, y] ^= np.int64(1) << x
            _advance(new, width, y, -1)
            more = 0
            for k in range(-generations, generations + 1):
                i = (y + k) % height
                more += _count(new[generations, i] ^ stop[board, i]) - _count(now[generations, i] ^ stop[board, i])
            temperature = hot * (cold / hot) ** (t / horizon)
            if more <= 0 or (w[2] >> uint32(8)) * 2.0**-24 < math.exp(-more / temperature):
                wrong += more
                _copy(new, now, y)
                if wrong < least:
                    least = wrong
                    best[board] = now[0]
            else:
                _copy(now, new, y)
        cells[board] = now[0]


@njit(cache=True, inline="always")
def _advance(rows, width, y, reach):
    """rows[k + 1] from rows[k], in the rows within k + 1 of y; in all rows if `reach` is half the height."""
    height = rows.shape[1]
    for k in range(1, rows.shape[0]):
        low, high = -k, k + 1
        if reach >= 0:
            low, high = -reach, height - reach
        for j in range(low, high):
            i = (y + j) % height
            rows[k, i] = _row(rows[k - 1, (i - 1) % height], rows[k - 1, i], rows[k - 1, (i + 1) % height], width)


@njit(cache=True, inline="always")
def _copy(source, target, y):
    height = source.shape[1]
    for k in range(source.shape[0]):
        for j in range(-k, k + 1):
            i = (y + j) % height
            target[k, i] = source[k, i]


@njit(cache=True, inline="always")
def _row(above, here, below, width):
    """The next generation of the row `here`: the eight neighbours are added up bit by bit."""
    al, ar = _turn(above, 1, width), _turn(above, width - 1, width)
    hl, hr = _turn(here, 1, width), _turn(here, width - 1, width)
    bl, br = _turn(below, 1, width), _turn(below, width - 1, width)
    a1, a2 = al ^ above ^ ar, (al & above) | (above & ar) | (al & ar)
    b1, b2 = bl ^ below ^ br, (bl & below) | (below & br) | (bl & br)
    h1, h2 = hl ^ hr, hl & hr
    ones, c2 = a1 ^ b1 ^ h1, (a1 & b1) | (b1 & h1) | (a1 & h1)
    p, q = a2 ^ b2, h2 ^ c2
    four = (a2 & b2) | (h2 & c2) | (p & q)
    return (p ^ q) & ~four & (ones | here)  # two or three, and three or alive


@njit(cache=True, inline="always")
def _turn(row, by, width):
    return ((row << by) | (row >> (width - by))) & ((np.int64(1) << width) - 1)


@njit(cache=True)
def _errors(rows, stop):
    total = 0
    for i in range(len(rows)):
        total += _count(rows[i] ^ stop[i])
    return total


@njit(cache=True, inline="always")
def _count(v):
    """Number of set bits of a word of fewer than 63."""
    v = v - ((v >> 1) & 0x5555555555555555)
    v = (v & 0x3333333333333333) + ((v >> 2) & 0x3333333333333333)
    v = (v + (v >> 4)) & 0x0F0F0F0F0F0F0F0F
    v += v >> 8
    v += v >> 16
    v += v >> 32
    return v & 0x7F
