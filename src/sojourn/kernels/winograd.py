"""3x3 convolutions of channels-last images in float32 with 2.25 times fewer multiplications: Winograd's F(2x2, 3x3).

Of each 2x2 tile of the output, with d the 4x4 tile of the input around it (zero outside the image):
    out = A^T [ sum_c (G g_c G^T) . (B^T d_c B) ] A,           . elementwise
    dg  = G^T [ sum over tiles (B^T d B) . (A dout A^T) ] G
so each of the 16 places is a matrix product over channels, or over tiles. Equals a cross-correlation with stride 1 and
zeros of width 1 around, up to rounding. Tiles pass through all three stages while they are in cache.

Source: Lavin and Gray, Fast algorithms for convolutional neural networks (2016).
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from sojourn.kernels.float_vectors import load, store
from sojourn.kernels.threads import deal

LANES = 16  # channels come in whole vectors
PARTS = 8  # of the images, each with its own sum of weight gradients: so the sum knows nothing of threads
_ROWS = 8  # of a product in registers
_TILES = 48  # at a time: their 16 places, before and after the products, stay in a second-level cache
_PAD = 16  # numbers between places, so that they do not all fall on the same lines of a cache


def convolve(x, weight, bias):
    """out (n, h, w, outputs).

    Args:
        x: (n, h, w, inputs) float32, contiguous.
        weight: (16, outputs / 16, inputs, 16): G g G^T, its place first, the output's last four bits last.
        bias: (outputs,).
    """
    n, h, w, _ = x.shape
    out = np.empty((n, h, w, len(bias)), np.float32)
    tiles = n * ((h + 1) // 2) * ((w + 1) // 2)
    groups = -(-tiles // _TILES)
    deal(
        lambda first, last: _convolve(x.reshape(-1), weight.reshape(-1), bias, out.reshape(-1), x.shape, first, last),
        groups,
        4,
    )
    return out


def weight_gradient(x, gradient):
    """(parts, 16, inputs, outputs), to be summed over parts: what stands in brackets in dg."""
    n, h, w, inputs = x.shape
    groups = -(-(n * ((h + 1) // 2) * ((w + 1) // 2)) // _TILES)
    parts = min(PARTS, groups)
    total = np.zeros((parts, 16, inputs, gradient.shape[3]), np.float32)
    flat = x.reshape(-1), gradient.reshape(-1), total

    def work(first, last):
        for part in range(first, last):
            _weight_gradient(*flat, part, x.shape, groups * part // parts, groups * (part + 1) // parts)

    deal(work, parts, 1)
    return total


@njit(cache=True, nogil=True)
def _convolve(x, weight, bias, out, shape, first, last):
    n, h, w, inputs = shape
    outputs = len(bias)
    across, down = (w + 1) // 2, (h + 1) // 2
    tiles = n * down * across
    v_place, m_place = _TILES * inputs + _PAD, _TILES * outputs + _PAD
    v, m = np.zeros(16 * v_place, np.float32), np.empty(16 * m_place, np.float32)
    patch = np.empty(16 * inputs, np.float32)
    for group in range(first, last):
        begin, end = group * _TILES, min((group + 1) * _TILES, tiles)
        _gather(x, shape, begin, end, patch, v, v_place)
        for place in range(16):
            for k in range(0, outputs // LANES - 1, 2):
                b = (place * (outputs // LANES) + k) * inputs * LANES
                for t in range(0, end - begin, _ROWS):
                    _product_2(
                        v,
                        place * v_place + t * inputs,
                        inputs,
                        1,
                        weight,
                        b,
                        LANES,
                        inputs * LANES,
                        m,
                        place * m_place + t * outputs + k * LANES,
                        outputs,
                        inputs,
                    )
            if outputs // LANES % 2:
                k = outputs // LANES - 1
                b = (place * (outputs // LANES) + k) * inputs * LANES
                for t in range(0, end - begin, _ROWS):
                    _product_1(
                        v,
                        place * v_place + t * inputs,
                        inputs,
                        1,
                        weight,
                        b,
                        LANES,
                        inputs * LANES,
                        m,
                        place * m_place + t * outputs + k * LANES,
                        outputs,
                        inputs,
                    )
        for t in range(end - begin):
            member, rest = divmod(begin + t, down * across)
            y, z = 2 * (rest // across), 2 * (rest % across)
            at = ((member * h + y) * w + z) * outputs
            _scatter(m, t * outputs, m_place, bias, out, at, w * outputs, y + 1 < h, z + 1 < w)


@njit(cache=True, nogil=True)
def _weight_gradient(x, gradient, total, part, shape, first, last):
    n, h, w, inputs = shape
    outputs = total.shape[3]
    across, down = (w + 1) // 2, (h + 1) // 2
    tiles = n * down * across
    v_place, g_place = _TILES * inputs + _PAD, _TILES * outputs + _PAD
    v, g = np.empty(16 * v_place, np.float32), np.empty(16 * g_place, np.float32)
    patch = np.empty(16 * inputs, np.float32)
    sums = total.reshape(-1)
    for group in range(first, last):
        begin, end = group * _TILES, min((group + 1) * _TILES, tiles)
        _gather(x, shape, begin, end, patch, v, v_place)
        for t in range(end - begin):
            member, rest = divmod(begin + t, down * across)
            y, z = 2 * (rest // across), 2 * (rest % across)
            at = ((member * h + y) * w + z) * outputs
            _spread_gradient(gradient, at, w * outputs, y + 1 < h, z + 1 < w, outputs, g, t * LANES, g_place)
        for place in range(16):
            for k in range(0, outputs // LANES - 1, 2):
                for c in range(0, inputs, _ROWS):
                    _add_product_2(
                        v,
                        place * v_place + c,
                        1,
                        inputs,
                        g,
                        place * g_place + k * _TILES * LANES,
                        LANES,
                        _TILES * LANES,
                        sums,
                        ((part * 16 + place) * inputs + c) * outputs + k * LANES,
                        outputs,
                        end - begin,
                    )
            if outputs // LANES % 2:
                k = outputs // LANES - 1
                for c in range(0, inputs, _ROWS):
                    _add_product_1(
                        v,
                        place * v_place + c,
                        1,
                        inputs,
                        g,
                        place * g_place + k * _TILES * LANES,
                        LANES,
                        _TILES * LANES,
                        sums,
                        ((part * 16 + place) * inputs + c) * outputs + k * LANES,
                        outputs,
                        end - begin,
                    )


# ------------------------------------------------------------------------------------------------------ transforms


@njit(cache=True, nogil=True)
def _gather(x, shape, begin, end, patch, v, v_place):
    """B^T d B of tiles begin..end, to v[place][tile][channel]."""
    _, h, w, c = shape
    across, down = (w + 1) // 2, (h + 1) // 2
    for tile in range(begin, end):
        member, rest = divmod(tile, down * across)
        y, z = 2 * (rest // across) - 1, 2 * (rest % across) - 1
        if min(y, z) >= 0 and y + 4 <= h and z + 4 <= w:
            _transform(x, ((member * h + y) * w + z) * c, w * c, c, v, (tile - begin) * c, v_place)
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
        _transform(patch, 0, 4 * c, c, v, (tile - begin) * c, v_place)


@njit(cache=True, nogil=True)
def _transform(d, at, row, c, v, to, place):
    for k in range(0, c, LANES):
        p = at + k
        a0, b0, c0, d0 = _four(load(d, p), load(d, p + row), load(d, p + 2 * row), load(d, p + 3 * row))
        p += c
        a1, b1, c1, d1 = _four(load(d, p), load(d, p + row), load(d, p + 2 * row), load(d, p + 3 * row))
        p += c
        a2, b2, c2, d2 = _four(load(d, p), load(d, p + row), load(d, p + 2 * row), load(d, p + 3 * row))
        p += c
        a3, b3, c3, d3 = _four(load(d, p), load(d, p + row), load(d, p + 2 * row), load(d, p + 3 * row))
        q = to + k
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
def _scatter(m, at, place, bias, out, to, row, second_row, second_column):
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
def _spread_gradient(gradient, at, row, second_row, second_column, outputs, g, to, place):
    """A dout A^T of one tile, to g[place][vector of channels][tile]."""
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
        q = to + k * _TILES
        _store_four(g, q, place, _up(a, b))
        _store_four(g, q + 4 * place, place, _up(a + c, b + d))
        _store_four(g, q + 8 * place, place, _up(a - c, b - d))
        _store_four(g, q + 12 * place, place, _up(zero - c, zero - d))


@njit(cache=True, nogil=True)
def _up(a, b):
    """A (a, b)."""
    return a, a + b, a - b, (b - b) - b


# -------------------------------------------------------------------------------------------------------- products


def _product(vectors, add):
    """c[i][j] (+)= sum_k a[i][k] b[k][j] for eight rows i and `vectors` vectors j, all in registers."""

    @intrinsic
    def product(typing, a, a_at, a_row, a_step, b, b_at, b_step, b_vector, c, c_at, c_row, depth):
        def generate(context, builder, signature, arguments):
            i32, i64, number = ir.IntType(32), ir.IntType(64), ir.FloatType()
            vector = ir.VectorType(number, LANES)
            arrays = [context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 4, 8)]
            _, a_at, a_row, a_step, _, b_at, b_step, b_vector, _, c_at, c_row, depth = arguments
            kind = ir.FunctionType(vector, [vector] * 3)
            multiply_add = cgutils.get_or_insert_function(builder.module, kind, "llvm.fmuladd.v16f32")

            def whole(array, offset):
                return builder.bitcast(builder.gep(array, [offset]), vector.as_pointer())

            def plus(base, count, stride):
                return builder.add(base, builder.mul(ir.Constant(i64, count), stride))

            places = [
                [
                    whole(arrays[2], builder.add(plus(c_at, i, c_row), ir.Constant(i64, j * LANES)))
                    for j in range(vectors)
                ]
                for i in range(_ROWS)
            ]
            if add:
                starts = [[builder.load(place, align=4) for place in row] for row in places]
            else:
                starts = [[ir.Constant(vector, [0.0] * LANES)] * vectors] * _ROWS
            before = builder.block
            loop, done = builder.append_basic_block("depth"), builder.append_basic_block("done")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(i64)
            k.add_incoming(ir.Constant(i64, 0), before)
            sums = [[builder.phi(vector) for _ in row] for row in starts]
            b_now = builder.add(b_at, builder.mul(k, b_step))
            a_now = builder.add(a_at, builder.mul(k, a_step))
            right = [builder.load(whole(arrays[1], plus(b_now, j, b_vector)), align=4) for j in range(vectors)]
            zeros = ir.Constant(ir.VectorType(i32, LANES), [0] * LANES)
            after = []
            for i in range(_ROWS):
                left = builder.load(builder.gep(arrays[0], [plus(a_now, i, a_row)]))
                left = builder.insert_element(ir.Constant(vector, ir.Undefined), left, ir.Constant(i32, 0))
                left = builder.shuffle_vector(left, left, zeros)
                after.append([builder.call(multiply_add, [left, right[j], sums[i][j]]) for j in range(vectors)])
            following = builder.add(k, ir.Constant(i64, 1))
            k.add_incoming(following, builder.block)
            for i in range(_ROWS):
                for j in range(vectors):
                    sums[i][j].add_incoming(starts[i][j], before)
                    sums[i][j].add_incoming(after[i][j], builder.block)
            builder.cbranch(builder.icmp_signed("<", following, depth), loop, done)
            builder.position_at_end(done)
            for i in range(_ROWS):
                for j in range(vectors):
                    builder.store(after[i][j], places[i][j], align=4)
            return context.get_dummy_value()

        whole_number = types.intp
        at = (whole_number,) * 3
        return types.void(a, *at, b, *at, c, whole_number, whole_number, whole_number), generate

    return product


_product_1, _product_2 = _product(1, False), _product(2, False)
_add_product_1, _add_product_2 = _product(1, True), _product(2, True)
