"""What happens to few robots in a step, one by one: at nodes `junction.cross`, at walls `BloodRobots._touch`."""

import math

import numpy as np
from numba import njit, uint32

from sojourn.kernels.blood_block import (
    ACROSS,
    ALONG,
    BOUND,
    CAPTURED,
    CONTACT,
    LEFT,
    LENGTH,
    LIMIT,
    MOVING,
    PEAK,
    RADIUS,
    SHEAR,
    SINCE,
    STEP,
    VELOCITY,
    W,
    enter,
    set_status,
)
from sojourn.kernels.philox import philox

_START, _NEAR = (1.0, 2 / 21, 0.0176248, 0.02910306, -0.02509744, 0.01289757), 0.05  # of `junction.quantile`


@njit(nogil=True)
def event(w, i, robot, vessel, status, table, chances, ends, places, order, dt, k, key, member):
    """What `BloodRobots.step` does at nodes and at walls, for one robot."""
    v = vessel[robot]
    if status[robot] == MOVING:
        length, along = w[LENGTH + i], w[ALONG + i]
        if along < 0 or along > length:
            end = 2 * v + (along > length)
            over = along - length if along > length else -along
            left = min(over / abs(w[STEP + i]), 1.0)  # of the step
            if places[end, 3]:
                v = _onward(w, i, v, end, over, left * dt, table, ends, places, order)
                vessel[robot] = v
                set_status(w, i, MOVING)
            elif places[end, 0] and places[end, 1]:
                status[robot] = LEFT
                w[ALONG + i] = length if along > length else 0.0
                w[SINCE + i] = (k + 1 - left) * dt
                set_status(w, i, LEFT)
            else:
                w[ALONG + i] = min(max(length - over if along > length else over, 0.0), length)
    if status[robot] > BOUND:
        return
    r2 = w[ACROSS + i] ** 2 + w[ACROSS + W + i] ** 2
    if status[robot] == MOVING and not r2 + 1e-40 > w[CONTACT + i]:
        return
    word = philox(uint32(0), uint32(k), member, key[1], key[2], key[3])[0]
    chance = np.float64(word) * 2.0**-32
    if status[robot] == MOVING:
        if chance >= chances[v, 0]:
            return
        new = CAPTURED if chance < chances[v, 0] * chances[v, 1] else BOUND
    else:
        if chance >= chances[v, 2]:
            return
        new = MOVING
    status[robot] = new
    w[SINCE + i] = (k + 1) * dt
    set_status(w, i, new)


@njit(nogil=True)
def _onward(w, i, v, end, over, left, table, ends, places, order):
    """`junction.onward`, and how far the robot gets in the time left; the new vessel."""
    radius, velocity = w[RADIUS + i], w[VELOCITY + i]
    y1, y2 = w[ACROSS + i], w[ACROSS + W + i]
    w1, w2, sign = ends[end, 2], ends[end, 3], ends[end, 4]
    x = min(max((y1 * w1 + y2 * w2) / radius, -1.0), 1.0)
    half = math.sqrt(1 - x * x)
    relative = sign * (y2 * w1 - y1 * w2) / radius / half if half > 0 else 0.0
    relative = min(max(relative, -1.0), 1.0)
    tail = _tail(math.acos(abs(x)))
    place = ends[end, 0] + ends[end, 1] * (tail if x < 0 else 1 - tail)
    first = places[end, 2]
    new = order[first]
    for k in range(first + 1, first + places[end, 3]):
        other = order[k]
        if ends[other, 0] <= place and ends[other, 1] > 0:
            new = other
    share = ends[new, 1]
    share = min(max((place - ends[new, 0]) / (share if share > 0 else 1.0), 0.0), 1.0)
    tail = min(share, 1 - share)
    near = (15 * math.pi / 8 * tail) ** 0.2
    z = near * near
    phi = 0.0
    for j in range(len(_START)):
        phi = phi * z + _START[len(_START) - 1 - j]
    phi *= near
    if near > _NEAR:
        for _ in range(2):
            phi -= (_tail(phi) - tail) / (8 / (3 * math.pi) * math.sin(phi) ** 4)
    x, half = math.cos(phi), math.sin(phi)
    x = -x if share < 0.5 else x
    w1, w2 = ends[new, 2], ends[new, 3]
    z = ends[new, 4] * relative * half
    v = new // 2
    enter(w, i, v, table)
    radius, limit, length = w[RADIUS + i], w[LIMIT + i], w[LENGTH + i]
    y1, y2 = radius * (x * w1 - z * w2), radius * (x * w2 + z * w1)
    r2 = y1 * y1 + y2 * y2
    if r2 > limit * limit:
        shrink = limit / math.sqrt(r2)
        y1, y2 = y1 * shrink, y2 * shrink
        r2 = y1 * y1 + y2 * y2
    w[ACROSS + i], w[ACROSS + W + i] = y1, y2
    before = velocity if end % 2 else -velocity  # out of the old vessel, and
    now = w[SHEAR + i] * (w[PEAK + i] - r2)  # into the new one
    now = -now if new % 2 else now
    far = min(max(over + left * (now - before), 0.0), length)
    w[ALONG + i] = length - far if new % 2 else far
    return v


@njit(nogil=True, forceinline=True)
def _tail(phi):
    return (phi - 2 / 3 * math.sin(2 * phi) + math.sin(4 * phi) / 12) / math.pi
