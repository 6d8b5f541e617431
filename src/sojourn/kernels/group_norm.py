"""Group normalisation followed by SiLU, of channels-last images in float32, and its gradients.

    y = x + shift,   xhat = (y - mean_g) rstd_g,   z = weight xhat + bias,   out = z s(z),   s(z) = 1 / (1 + exp(-z))
    dz = dout s (1 + z (1 - s)),   dx = rstd (weight dz - mean_g(weight dz) - xhat mean_g(weight dz xhat))

Equals `sojourn.diffusion.networks.normalise.plain` up to rounding. An image stays in cache from its mean to its values,
and nothing but mean and rstd is kept for the gradients. Images are independent, so threads change nothing.
"""

import math

import numpy as np
from numba import njit

from sojourn.kernels.float_vectors import fma, load, store
from sojourn.kernels.threads import deal
from sojourn.kernels.vector_functions import exp

LANES = 16  # channels come in whole vectors
_BLOCK = 16  # pixels summed in registers before they join a total, against rounding
_GRAIN = 1 << 15  # numbers worth a thread


def forward(x, shift, weight, bias, *, groups, epsilon, silu):
    """out like x, and mean and rstd (n, groups).

    Args:
        x: (n, h, w, c) float32, contiguous; c is a multiple of 16.
        shift: (n, c). weight, bias: (c,).
        groups: divides c.
        epsilon: added to variances.
        silu: else z itself is the result.
    """
    n, pixels, c = len(x), x.shape[1] * x.shape[2], x.shape[3]
    out = np.empty_like(x)
    mean, rstd = np.empty((n, groups), np.float32), np.empty((n, groups), np.float32)
    flat = x.reshape(-1), np.ascontiguousarray(shift), weight, bias, out.reshape(-1), mean, rstd
    deal(lambda begin, end: _forward(*flat, begin, end, pixels, epsilon, silu), n, max(1, _GRAIN // (pixels * c)))
    return out, mean, rstd


def backward(gradient, x, shift, weight, bias, mean, rstd, *, silu):
    """The gradients of x, shift, weight and bias, of which the last two are given one a member: (n, c)."""
    n, pixels, c = len(x), x.shape[1] * x.shape[2], x.shape[3]
    dx = np.empty_like(x)
    dshift, dweight, dbias = (np.empty((n, c), np.float32) for _ in range(3))
    flat = gradient.reshape(-1), x.reshape(-1), np.ascontiguousarray(shift), weight, bias, mean, rstd
    flat += dx.reshape(-1), dshift, dweight, dbias
    deal(lambda begin, end: _backward(*flat, begin, end, pixels, silu), n, max(1, _GRAIN // (pixels * c)))
    return dx, dshift, dweight, dbias


@njit(cache=True, nogil=True)
def _forward(x, shift, weight, bias, out, mean, rstd, begin, end, pixels, epsilon, silu):
    c, groups = len(weight), mean.shape[1]
    size = c // groups
    total, centre = np.empty(c, np.float32), np.empty(c, np.float32)
    scale, offset = np.empty(c, np.float32), np.empty(c, np.float32)
    for member in range(begin, end):
        base = member * pixels * c
        _sums(x, base, pixels, total)
        for g in range(groups):
            value = 0.0
            for k in range(g * size, (g + 1) * size):
                value += np.float64(total[k]) / pixels + np.float64(shift[member, k])
            mean[member, g] = value / size
            for k in range(g * size, (g + 1) * size):
                centre[k] = value / size - np.float64(shift[member, k])
        _squares(x, base, pixels, centre, total)
        for g in range(groups):
            value = 0.0
            for k in range(g * size, (g + 1) * size):
                value += np.float64(total[k])
            rstd[member, g] = 1.0 / math.sqrt(value / (size * pixels) + epsilon)
            for k in range(g * size, (g + 1) * size):
                scale[k] = weight[k] * rstd[member, g]
                offset[k] = np.float64(bias[k]) - np.float64(centre[k]) * np.float64(scale[k])
        one = np.float32(1)
        for p in range(pixels):
            row = base + p * c
            for k in range(0, c, LANES):
                z = fma(load(x, row + k), load(scale, k), load(offset, k))
                if silu:
                    z = z / (exp(-z) + one)
                store(out, row + k, z)


@njit(cache=True, nogil=True)
def _backward(gradient, x, shift, weight, bias, mean, rstd, dx, dshift, dweight, dbias, begin, end, pixels, silu):
    c, groups = len(weight), mean.shape[1]
    size = c // groups
    centre, r = np.empty(c, np.float32), np.empty(c, np.float32)
    sum_dz, sum_dz_xhat, sum_xhat = np.empty(c, np.float32), np.empty(c, np.float32), np.empty(c, np.float32)
    of_dz, constant, of_x = np.empty(c, np.float32), np.empty(c, np.float32), np.empty(c, np.float32)
    one = np.float32(1)
    for member in range(begin, end):
        base = member * pixels * c
        for k in range(c):
            centre[k] = mean[member, k // size] - shift[member, k]
            r[k] = rstd[member, k // size]
        sum_dz[:], sum_dz_xhat[:], sum_xhat[:] = 0, 0, 0
        for first in range(0, pixels, _BLOCK):
            last = min(first + _BLOCK, pixels)
            for k in range(0, c, LANES):
                m, s, w, b = load(centre, k), load(r, k), load(weight, k), load(bias, k)
                a0 = m * np.float32(0)
                a1, a2 = a0, a0
                for p in range(first, last):
                    at = base + p * c + k
                    xhat = (load(x, at) - m) * s
                    dz = load(gradient, at)
                    if silu:
                        z = fma(xhat, w, b)
                        sigmoid = one / (exp(-z) + one)
                        dz = dz * (sigmoid * fma(z, one - sigmoid, one))
                    store(dx, at, dz)
                    a0, a1, a2 = a0 + dz, fma(dz, xhat, a1), a2 + xhat
                store(sum_dz, k, load(sum_dz, k) + a0)
                store(sum_dz_xhat, k, load(sum_dz_xhat, k) + a1)
                store(sum_xhat, k, load(sum_xhat, k) + a2)
        for g in range(groups):
            c1, c2 = 0.0, 0.0
            for k in range(g * size, (g + 1) * size):
                c1 += np.float64(weight[k]) * sum_dz[k]
                c2 += np.float64(weight[k]) * sum_dz_xhat[k]
            c1, c2 = c1 / (size * pixels), c2 / (size * pixels)
            scale = np.float64(rstd[member, g])
            for k in range(g * size, (g + 1) * size):
                of_dz[k] = scale * weight[k]
                of_x[k] = -scale * scale * c2
                constant[k] = -scale * c1 + scale * scale * c2 * centre[k]
                dshift[member, k] = scale * (weight[k] * np.float64(sum_dz[k]) - pixels * c1 - c2 * sum_xhat[k])
        dweight[member], dbias[member] = sum_dz_xhat, sum_dz
        for p in range(pixels):
            row = base + p * c
            for k in range(0, c, LANES):
                value = fma(load(x, row + k), load(of_x, k), load(constant, k))
                store(dx, row + k, fma(load(dx, row + k), load(of_dz, k), value))


@njit(cache=True, nogil=True)
def _sums(x, base, pixels, total):
    """Sums over pixels, one a channel."""
    c = len(total)
    total[:] = 0
    for first in range(0, pixels, _BLOCK):
        last = min(first + _BLOCK, pixels)
        for k in range(0, c, LANES):
            value = load(x, base + first * c + k)
            for p in range(first + 1, last):
                value = value + load(x, base + p * c + k)
            store(total, k, load(total, k) + value)


@njit(cache=True, nogil=True)
def _squares(x, base, pixels, centre, total):
    """Sums over pixels of squared distances from the centre."""
    c = len(total)
    total[:] = 0
    for first in range(0, pixels, _BLOCK):
        last = min(first + _BLOCK, pixels)
        for k in range(0, c, LANES):
            m = load(centre, k)
            value = m * np.float32(0)
            for p in range(first, last):
                distance = load(x, base + p * c + k) - m
                value = fma(distance, distance, value)
            store(total, k, load(total, k) + value)
