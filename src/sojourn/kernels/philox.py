"""Philox4x32-10 in Numba: fills arrays with counter-based random words, and turns words into normals.

Equals the PyTorch form in `sojourn.noise` word for word. Source: Salmon, Moraes, Dror and Shaw, "Parallel random
numbers: as easy as 1, 2, 3" (SC 2011).
"""

import math

import numpy as np
from numba import njit, uint32, uint64

from sojourn.kernels.threads import share

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_SHIFT = np.uint64(32)
_GRAIN = 50_000  # blocks or pairs worth a thread: about a millisecond


@njit(inline="always")
def philox(c0, c1, c2, c3, k0, k1):
    """Ten rounds of Philox4x32 on the counter (c0, c1, c2, c3) under the key (k0, k1); four uint32 words."""
    for _ in range(10):
        p0 = _M0 * uint64(c0)
        p1 = _M1 * uint64(c2)
        c0, c1, c2, c3 = (
            uint32(uint32(p1 >> _SHIFT) ^ c1 ^ k0),
            uint32(p1),
            uint32(uint32(p0 >> _SHIFT) ^ c3 ^ k1),
            uint32(p0),
        )
        k0 = uint32(k0 + _W0)
        k1 = uint32(k1 + _W1)
    return c0, c1, c2, c3


def fill_words(out, step, first_member, stream, seed, first_block=0):
    """Fills out (ensemble, n) uint32; word j of a member is word j % 4 of block first_block + j // 4."""
    key = uint32(seed & 0xFFFFFFFF), uint32(seed >> 32)
    blocks = out.shape[0] * ((out.shape[1] + 3) // 4)
    counter = uint32(first_block), uint32(step), uint32(first_member), uint32(stream)
    share(lambda begin, end: _words(out, *counter, *key, begin, end), blocks, _GRAIN)


def box_muller(words, out):
    """words: (ensemble, 2 n') uint32, out: (ensemble, n) floating, n <= 2 n'; in double, two normals from two words."""
    pairs = out.shape[0] * ((out.shape[1] + 1) // 2)
    share(lambda begin, end: _normals(words, out, begin, end), pairs, _GRAIN)


@njit(cache=True, nogil=True)
def _words(out, first_block, step, first_member, stream, k0, k1, begin, end):
    n = out.shape[1]
    blocks = (n + 3) // 4
    for place in range(begin, end):
        i, b = divmod(place, blocks)
        w = philox(uint32(first_block + b), step, uint32(first_member + uint32(i)), stream, k0, k1)
        for j in range(min(4, n - 4 * b)):
            out[i, 4 * b + j] = w[j]


@njit(cache=True, nogil=True)
def _normals(words, out, begin, end):
    n = out.shape[1]
    pairs = (n + 1) // 2
    for place in range(begin, end):
        i, p = divmod(place, pairs)
        radius = math.sqrt(-2.0 * math.log((float(words[i, 2 * p]) + 1.0) * 2.0**-32))
        angle = 2.0 * math.pi * 2.0**-32 * float(words[i, 2 * p + 1])
        out[i, 2 * p] = radius * math.cos(angle)
        if 2 * p + 1 < n:
            out[i, 2 * p + 1] = radius * math.sin(angle)
