"""The transforms of Winograd's F(2x2, 3x3), see `winograd`: of inputs, outputs, weights and their gradients."""

import numpy as np
from numba import njit

from sojourn.kernels.float_vectors import load, store

LANES = 16  # channels come in whole vectors


@njit(cache=True, nogil=True)
def gather(x, shape, begin, end, patch, v, v_place, v_tile, v_vector):
    """B^T d B of tiles begin..end, to v, in which places, tiles and vectors of channels have these distances."""
    _, h, w, c = shape
    across, down = (w + 1) // 2, (h + 1) // 2
    for tile in range(begin, end):
        member, rest = divmod(tile, down * across)
        y, z = 2 * (rest // across) - 1, 2 * (rest % across) - 1
        if min(y, z) >= 0 and y + 4 <= h and z + 4 <= w:
            _transform(x, ((member * h + y) * w + z) * c, w * c, c, v, (tile - begin) * v_tile, v_place, v_vector)
            continue
        for i in range(4):
            for j in range(4):
                to = (4 * i + j) * c
                if 0 <= y + i < h and 0 <= z + j < w:
                    at = ((member * h + y + i) * w + z + j) * c
                    for k in range(0, c, LANES):
                        store(patch, to + k, load(x, at + k))
                else:
                    patch[to : to + c] = 0
        _transform(patch, 0, 4 * c, c, v, (tile - begin) * v_tile, v_place, v_vector)


@njit(cache=True, nogil=True)
def _transform(d, at, row, c, v, to, place, vector):
    for k in range(0, c, LANES):
        p = at + k
        a0, b0, c0, d0 = _four(load(d, p), load(d, p + row), load(d, p + 2 * row), load(d, p + 3 * row))
        p += c
        a1, b1, c1, d1 = _four(load(d, p), load(d, p + row), load(d, p + 2 * row), load(d, p + 3 * row))
        p += c
        a2, b2, c2, d2 = _four(load(d, p), load(d, p + row), load(d, p + 2 * row), load(d, p + 3 * row))
        p += c
        a3, b3, c3, d3 = _four(load(d, p), load(d, p + row), load(d, p + 2 * row), load(d, p + 3 * row))
        q = to + k // LANES * vector
        _store_four(v, q, place, _four(a0, a1, a2, a3))
        _store_four(v, q + 4 * place, place, _four(b0, b1, b2, b3))
        _store_four(v, q + 8 * place, place, _four(c0, c1, c2, c3))
        _store_four(v, q + 12 * place, place, _four(d0, d1, d2, d3))


@njit(cache=True, nogil=True)
def _four(a, b, c, d):
    """B^T (a, b, c, d)."""
    return a - c, b + c, c - b, b - d


@njit(cache=True, nogil=True)
def _store_four(v, at, place, values):
    store(v, at, values[0])
    store(v, at + place, values[1])
    store(v, at + 2 * place, values[2])
    store(v, at + 3 * place, values[3])


@njit(cache=True, nogil=True)
def scatter(m, at, place, bias, out, to, row, second_row, second_column):
    """A^T m A + bias of one tile, to the pixels that exist."""
    outputs = len(bias)
    for k in range(0, outputs, LANES):
        p = at + k
        s0, u0 = _two(load(m, p), load(m, p + 4 * place), load(m, p + 8 * place), load(m, p + 12 * place))
        p += place
        s1, u1 = _two(load(m, p), load(m, p + 4 * place), load(m, p + 8 * place), load(m, p + 12 * place))
        p += place
        s2, u2 = _two(load(m, p), load(m, p + 4 * place), load(m, p + 8 * place), load(m, p + 12 * place))
        p += place
        s3, u3 = _two(load(m, p), load(m, p + 4 * place), load(m, p + 8 * place), load(m, p + 12 * place))
        b = load(bias, k)
        left, right = _two(s0, s1, s2, s3)
        store(out, to + k, left + b)
        if second_column:
            store(out, to + outputs + k, right + b)
        if second_row:
            left, right = _two(u0, u1, u2, u3)
            store(out, to + row + k, left + b)
            if second_column:
                store(out, to + row + outputs + k, right + b)


@njit(cache=True, nogil=True)
def _two(a, b, c, d):
    """A^T (a, b, c, d)."""
    return a + b + c, b - c - d


@njit(cache=True, nogil=True)
def spread_gradient(gradient, at, row, second_row, second_column, outputs, g, to, place, vector):
    """A dout A^T of one tile, to g, in which places and vectors of channels have these distances."""
    for k in range(0, outputs, LANES):
        p = at + k
        a = load(gradient, p)
        zero = a - a
        b, c, d = zero, zero, zero
        if second_column:
            b = load(gradient, p + outputs)
        if second_row:
            c = load(gradient, p + row)
            if second_column:
                d = load(gradient, p + row + outputs)
        q = to + k // LANES * vector
        _store_four(g, q, place, _up(a, b))
        _store_four(g, q + 4 * place, place, _up(a + c, b + d))
        _store_four(g, q + 8 * place, place, _up(a - c, b - d))
        _store_four(g, q + 12 * place, place, _up(zero - c, zero - d))


@njit(cache=True, nogil=True)
def _up(a, b):
    """A (a, b)."""
    return a, a + b, a - b, (b - b) - b


@njit(cache=True, nogil=True)
def spread_weight(w, inputs, outputs, turned, out, first, last):
    """G g G^T of inputs first..last, from w[input][9][output] to out[place][vector of outputs][input][16].

    Turned weights are read from their last tap to their first.
    """
    half = np.float32(0.5)
    step = -outputs if turned else outputs
    place = inputs * outputs
    for i in range(first, last):
        for k in range(0, outputs, LANES):
            p = i * 9 * outputs + k
            if turned:
                p += 8 * outputs
            a0, b0, c0, d0 = _up_three(load(w, p), load(w, p + 3 * step), load(w, p + 6 * step), half)
            p += step
            a1, b1, c1, d1 = _up_three(load(w, p), load(w, p + 3 * step), load(w, p + 6 * step), half)
            p += step
            a2, b2, c2, d2 = _up_three(load(w, p), load(w, p + 3 * step), load(w, p + 6 * step), half)
            q = (k // LANES * inputs + i) * LANES
            _store_four(out, q, place, _up_three(a0, a1, a2, half))
            _store_four(out, q + 4 * place, place, _up_three(b0, b1, b2, half))
            _store_four(out, q + 8 * place, place, _up_three(c0, c1, c2, half))
            _store_four(out, q + 12 * place, place, _up_three(d0, d1, d2, half))


@njit(cache=True, nogil=True)
def _up_three(a, b, c, half):
    """G (a, b, c)."""
    s, m = (a + c) * half, b * half
    return a, s + m, s - m, c


@njit(cache=True, nogil=True)
def gather_weight_gradient(total, shape, out, first, last):
    """G^T [sum over parts] G of outputs first..last: total[part][place][output][input] to out[output][9][input]."""
    parts, outputs, inputs = shape
    half = np.float32(0.5)
    place = outputs * inputs
    for o in range(first, last):
        for k in range(0, inputs, LANES):
            p = o * inputs + k
            a0, a1, a2 = _column(total, p, parts, place, half)
            b0, b1, b2 = _column(total, p + place, parts, place, half)
            c0, c1, c2 = _column(total, p + 2 * place, parts, place, half)
            d0, d1, d2 = _column(total, p + 3 * place, parts, place, half)
            q = o * 9 * inputs + k
            _store_three(out, q, inputs, _down_three(a0, b0, c0, d0, half))
            _store_three(out, q + 3 * inputs, inputs, _down_three(a1, b1, c1, d1, half))
            _store_three(out, q + 6 * inputs, inputs, _down_three(a2, b2, c2, d2, half))


@njit(cache=True, nogil=True)
def _column(total, at, parts, place, half):
    """G^T of a column of places, its parts added in their order."""
    a, b = load(total, at), load(total, at + 4 * place)
    c, d = load(total, at + 8 * place), load(total, at + 12 * place)
    for part in range(1, parts):
        p = at + part * 16 * place
        a, b = a + load(total, p), b + load(total, p + 4 * place)
        c, d = c + load(total, p + 8 * place), d + load(total, p + 12 * place)
    return _down_three(a, b, c, d, half)


@njit(cache=True, nogil=True)
def _down_three(a, b, c, d, half):
    """G^T (a, b, c, d)."""
    s = (b + c) * half
    return a + s, (b - c) * half, s + d


@njit(cache=True, nogil=True)
def _store_three(v, at, step, values):
    store(v, at, values[0])
    store(v, at + step, values[1])
    store(v, at + 2 * step, values[2])
