"""3x3 convolutions of channels-last images in float32 with 2.25 times fewer multiplications: Winograd's F(2x2, 3x3).

Of each 2x2 tile of the output, with d the 4x4 tile of the input around it (zero outside the image):
    out = A^T [ sum_c (G g_c G^T) . (B^T d_c B) ] A,           . elementwise
    dg  = G^T [ sum over tiles (B^T d B) . (A dout A^T) ] G
so each of the 16 places is a matrix product over channels, or over tiles. Equals a cross-correlation with stride 1 and
zeros of width 1 around, up to rounding. Tiles pass through all three stages while they are in cache.

Source: Lavin and Gray, Fast algorithms for convolutional neural networks (2016).
"""

import numpy as np
from numba import njit

from sojourn.kernels.float_vectors import load, store
from sojourn.kernels.register_product import ROWS, add_product_1, add_product_2, product_1, product_2
from sojourn.kernels.threads import deal
from sojourn.kernels.winograd_transforms import (
    LANES,
    gather,
    gather_weight_gradient,
    scatter,
    spread_gradient,
    spread_weight,
)

PARTS = 8  # of the images, each with its own sum of weight gradients: so the sum knows nothing of threads
_TILES = 48  # at a time: their 16 places, before and after the products, stay in a second-level cache
_TILES_SUMMED = 144  # at a time, for weight gradients: here the sums are what a cache must hold
_GROUPS = 4  # of these at least in a part
_PAD = 16  # numbers between places, so that they do not all fall on the same lines of a cache


def transform(weight, turned=False):
    """G g G^T for `convolve`: (16, outputs / 16, inputs, 16), its place first, the output's last four bits last.

    Args:
        weight: (inputs, 3, 3, outputs) float32, contiguous.
        turned: by 180 degrees, as the gradient of the input wants it.
    """
    inputs, outputs = weight.shape[0], weight.shape[3]
    out = np.empty((16, outputs // LANES, inputs, LANES), np.float32)
    flat = weight.reshape(-1), inputs, outputs, turned, out.reshape(-1)
    deal(lambda first, last: spread_weight(*flat, first, last), inputs, 64)
    return out


def convolve(x, weight, bias):
    """out (n, h, w, outputs).

    Args:
        x: (n, h, w, inputs) float32, contiguous.
        weight: of `transform`.
        bias: (outputs,).
    """
    n, h, w, _ = x.shape
    out = np.empty((n, h, w, len(bias)), np.float32)
    flat = x.reshape(-1), weight.reshape(-1), bias, out.reshape(-1), x.shape
    deal(lambda first, last: _convolve(*flat, first, last), -(-_tiles(x.shape) // _TILES), 4)
    return out


def weight_gradient(x, gradient):
    """The gradients of the weight, (outputs, 3, 3, inputs), and of the bias, (outputs,)."""
    inputs, outputs = x.shape[3], gradient.shape[3]
    groups = -(-_tiles(x.shape) // _TILES_SUMMED)
    parts = min(PARTS, max(1, groups // _GROUPS))
    total = np.zeros((parts, 16, outputs, inputs), np.float32)
    bias = np.zeros((parts, outputs), np.float32)
    flat = x.reshape(-1), gradient.reshape(-1), total.reshape(-1), bias.reshape(-1), outputs

    def work(first, last):
        for part in range(first, last):
            _weight_gradient(*flat, part, x.shape, groups * part // parts, groups * (part + 1) // parts)

    deal(work, parts, 1)
    out = np.empty((outputs, 3, 3, inputs), np.float32)
    summed = total.reshape(-1), (parts, outputs, inputs), out.reshape(-1)
    deal(lambda first, last: gather_weight_gradient(*summed, first, last), outputs, 64)
    return out, bias.sum(0)


@njit(cache=True, nogil=True)
def _tiles(shape):
    return shape[0] * ((shape[1] + 1) // 2) * ((shape[2] + 1) // 2)


@njit(cache=True, nogil=True)
def _convolve(x, weight, bias, out, shape, first, last):
    _, h, w, inputs = shape
    outputs = len(bias)
    across, down, tiles = (w + 1) // 2, (h + 1) // 2, _tiles(shape)
    v_place, m_place = _TILES * inputs + _PAD, _TILES * outputs + _PAD
    v, m = np.zeros(16 * v_place, np.float32), np.empty(16 * m_place, np.float32)
    patch = np.empty(16 * inputs, np.float32)
    vectors, panel = outputs // LANES, inputs * LANES
    for group in range(first, last):
        begin, end = group * _TILES, min((group + 1) * _TILES, tiles)
        gather(x, shape, begin, end, patch, v, v_place, inputs, LANES)
        for place in range(16):
            a, b, c = place * v_place, place * vectors * panel, place * m_place
            for k in range(0, vectors - 1, 2):
                for t in range(0, end - begin, ROWS):
                    at, to = a + t * inputs, c + t * outputs + k * LANES
                    product_2(v, at, inputs, 1, weight, b + k * panel, LANES, panel, m, to, outputs, inputs)
            if vectors % 2:
                k = vectors - 1
                for t in range(0, end - begin, ROWS):
                    at, to = a + t * inputs, c + t * outputs + k * LANES
                    product_1(v, at, inputs, 1, weight, b + k * panel, LANES, panel, m, to, outputs, inputs)
        for t in range(end - begin):
            member, rest = divmod(begin + t, down * across)
            y, z = 2 * (rest // across), 2 * (rest % across)
            at = ((member * h + y) * w + z) * outputs
            scatter(m, t * outputs, m_place, bias, out, at, w * outputs, y + 1 < h, z + 1 < w)


@njit(cache=True, nogil=True)
def _weight_gradient(x, gradient, total, bias, outputs, part, shape, first, last):
    _, h, w, inputs = shape
    across, down, tiles = (w + 1) // 2, (h + 1) // 2, _tiles(shape)
    v_place, g_place, panel = _TILES_SUMMED * inputs + _PAD, _TILES_SUMMED * outputs + _PAD, _TILES_SUMMED * LANES
    v, g = np.empty(16 * v_place, np.float32), np.empty(16 * g_place, np.float32)
    patch = np.empty(16 * inputs, np.float32)
    vectors = inputs // LANES
    for group in range(first, last):
        begin, end = group * _TILES_SUMMED, min((group + 1) * _TILES_SUMMED, tiles)
        depth = end - begin
        gather(x, shape, begin, end, patch, v, v_place, LANES, panel)
        for t in range(depth):
            member, rest = divmod(begin + t, down * across)
            y, z = 2 * (rest // across), 2 * (rest % across)
            at = ((member * h + y) * w + z) * outputs
            spread_gradient(gradient, at, w * outputs, y + 1 < h, z + 1 < w, outputs, g, t * LANES, g_place, panel)
        for place in range(16):
            b, c = place * v_place, (part * 16 + place) * outputs * inputs
            for k in range(0, vectors - 1, 2):
                for o in range(0, outputs, ROWS):
                    at, to = place * g_place + o // LANES * panel + o % LANES, c + o * inputs + k * LANES
                    add_product_2(g, at, 1, LANES, v, b + k * panel, LANES, panel, total, to, inputs, depth)
            if vectors % 2:
                k = vectors - 1
                for o in range(0, outputs, ROWS):
                    at, to = place * g_place + o // LANES * panel + o % LANES, c + o * inputs + k * LANES
                    add_product_1(g, at, 1, LANES, v, b + k * panel, LANES, panel, total, to, inputs, depth)
        for k in range(0, outputs, LANES):  # in the sixth place stands the sum of a tile's gradients
            at = 5 * g_place + k // LANES * panel
            value = load(g, at)
            for t in range(1, depth):
                value = value + load(g, at + t * LANES)
            store(bias, part * outputs + k, load(bias, part * outputs + k) + value)
