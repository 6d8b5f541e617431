"""An evolution strategy for one stage that is applied n times, in Numba: thousands of trials a second on whole boards.

    g(x) = relu(c + v0 relu(a0 x + r0 S + b0) + v1 relu(a1 x + r1 S + b1)),  S = sum of the eight neighbours

theta = (a0, r0, b0, a1, r1, b1, v0, v1, c). Its loss on pairs (board, board n steps later) is 1 - R^2 of g applied n
times against the future, both outcomes weighted alike: zero where g^n is one value on all live cells and another on all
dead ones.
"""

import math

import numpy as np
from numba import njit, uint32

from sojourn.kernels.philox import philox

SIZE = 9
_SMALLEST, _LARGEST = 0.003, 1.0  # sizes of mutations, log-uniform between them
_FRESH = 300  # trials on one batch of boards
_PATIENCE = 3000  # trials without a gain before a kick
_SHRINK, _KICK = 0.3, 0.5  # a kick: theta -> 0.3 theta + 0.5 N(0, 1)
_FIT = 2e-3  # a loss on fresh boards at which the search ends
_EACH = 3  # boards of either kind in a batch


@njit(cache=True, nogil=True)
def search(theta, progress, random, before, after, steps, trials):
    """Continues one network's search for `trials` trials (a multiple of 300); True when it fits fresh boards.

    Args:
        theta: (9,) float32, changed in place.
        progress: (2,) int64: trials so far, and the trial of the last gain.
        random: (6,) uint32, a Philox counter (4) and key (2); its first word counts what was drawn.
        before, after: (2, boards, height, width) uint8: two kinds of boards, and what they are `steps` steps later.
    """
    boards, height, width = before.shape[1:]
    shape = (2 * _EACH, (height + 2) * (width + 2))
    x, y = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    field, sums = np.zeros(shape[1], np.float32), np.zeros(shape[1], np.float32)
    candidate, best, reference = theta.copy(), 2.0, 2.0
    for trial in range(trials):
        if trial % _FRESH == 0:
            for k in range(2 * _EACH):
                pick = int(_uniform(random) * boards)
                _flatten(before[k % 2, pick], x[k])
                _flatten(after[k % 2, pick], y[k])
            best = _loss(theta, x, y, steps, height, width, field, sums)
            if best < _FIT:
                return True
        _mutate(theta, candidate, random)
        loss = _loss(candidate, x, y, steps, height, width, field, sums)
        if loss <= best:
            best = loss
            theta[:] = candidate
            if best < reference - 2e-3:
                reference = best
                progress[1] = progress[0]
        progress[0] += 1
        if progress[0] - progress[1] > _PATIENCE:
            progress[1], reference = progress[0], 2.0
            for i in range(SIZE):
                theta[i] = _SHRINK * theta[i] + _KICK * _normal(random)
            best = _loss(theta, x, y, steps, height, width, field, sums)
    return False


@njit(cache=True, nogil=True)
def _mutate(theta, candidate, random):
    """Half the time a step of heavy-tailed size on some entries; else one hidden unit, or both, drawn afresh."""
    candidate[:] = theta
    if _uniform(random) < 0.5:
        size = math.exp(math.log(_SMALLEST) + _uniform(random) * math.log(_LARGEST / _SMALLEST))
        share = _uniform(random)
        for i in range(SIZE):
            if _uniform(random) < share:
                candidate[i] += size * _normal(random)
        return
    which = int(_uniform(random) * 3)  # unit 0, unit 1, or both
    for k in range(2):
        if which == 2 or which == k:
            centre, ring = _normal(random), 1.0 if _uniform(random) < 0.5 else -1.0
            count, alive = int(_uniform(random) * 9), int(_uniform(random) * 2)
            candidate[3 * k], candidate[3 * k + 1] = centre, ring
            candidate[3 * k + 2] = 0.5 * _normal(random) - count * ring - alive * centre  # bends at some neighbourhood
            candidate[6 + k] = 3.0 * _normal(random)
    if which == 2:
        candidate[8] = 1.0 + 0.3 * _normal(random)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _loss(theta, x, y, steps, height, width, field, sums):
    """1 - R^2 over all boards, each outcome carrying half the weight; 2 where g is constant or overflows."""
    a0, a1 = theta[0] - theta[1], theta[3] - theta[4]  # the sum below holds the centre too
    r0, b0, r1, b1, v0, v1, c = theta[1], theta[2], theta[4], theta[5], theta[6], theta[7], theta[8]
    zero, tiny, stride = np.float32(0), np.float32(1e-6), width + 2
    alive, on_alive, on_dead, squares_alive, squares_dead = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(len(x)):
        field[:] = x[k]
        for _ in range(steps):
            _wrap(field, height, width)
            left, here, right, three = field[:-2], field[1:-1], field[2:], sums[1:-1]
            for i in range(len(three)):
                three[i] = left[i] + here[i] + right[i]
            inner = field[stride + 1 : stride * (height + 1) - 1]
            above, level, below = sums[1:], sums[stride + 1 :], sums[2 * stride + 1 :]
            for i in range(len(inner)):
                s, centre = above[i] + level[i] + below[i], inner[i]
                q = c + v0 * max(zero, a0 * centre + r0 * s + b0) + v1 * max(zero, a1 * centre + r1 * s + b1)
                inner[i] = q if q > tiny else zero
        for row in range(1, height + 1):
            total, total_alive = np.float32(0), np.float32(0)
            square, square_alive, count = np.float32(0), np.float32(0), np.float32(0)
            values, target = field[row * stride + 1 :], y[k, row * stride + 1 :]
            for i in range(width):
                value, live = values[i], target[i]
                total += value
                square += value * value
                total_alive += value * live
                square_alive += value * value * live
                count += live
            alive += count
            on_alive += total_alive
            on_dead += total - total_alive
            squares_alive += square_alive
            squares_dead += square - square_alive
    dead = max(len(x) * height * width - alive, 1.0)
    alive = max(alive, 1.0)
    high, low = on_alive / alive, on_dead / dead
    mean = 0.5 * (high + low)
    variance = 0.5 * (squares_alive / alive + squares_dead / dead) - mean * mean
    if not 1e-9 < variance < 1e12:
        return 2.0
    return 1.0 - (0.5 * (high - low)) ** 2 / (variance + 1e-6)


@njit(cache=True, nogil=True)
def _wrap(field, height, width):
    """Fills the border of a flat board of (height + 2) x (width + 2) from the opposite edges."""
    stride = width + 2
    for row in range(1, height + 1):
        field[row * stride] = field[row * stride + width]
        field[row * stride + width + 1] = field[row * stride + 1]
    for i in range(stride):
        field[i] = field[height * stride + i]
        field[(height + 1) * stride + i] = field[stride + i]


@njit(cache=True, nogil=True)
def _flatten(cells, flat):
    height, width = cells.shape
    for row in range(height):
        for column in range(width):
            flat[(row + 1) * (width + 2) + column + 1] = cells[row, column]


@njit(cache=True, nogil=True)
def _words(random):
    words = philox(random[0], random[1], random[2], random[3], random[4], random[5])
    random[0] += uint32(1)
    return words


@njit(cache=True, nogil=True)
def _uniform(random):
    return (float(_words(random)[0]) + 0.5) * 2.0**-32


@njit(cache=True, nogil=True)
def _normal(random):
    words = _words(random)
    radius = math.sqrt(-2.0 * math.log((float(words[0]) + 1.0) * 2.0**-32))
    return radius * math.cos(2.0 * math.pi * 2.0**-32 * float(words[1]))
