"""Robots through vessels, many steps at a time: equals `BloodRobots.step` to rounding.

A block of 32 robots keeps its state, and what their vessels say, side by side in the innermost cache. A step moves
eight robots at once (`blood_motion`); what happens to few of them is done one by one (`blood_events`). A block of which
nobody is on the way costs nothing.
"""

import numpy as np
from numba import njit, uint32

from sojourn.kernels.blood_block import BOUND, LEFT, SPACE, STATE, TABLE, W, enter, set_status
from sojourn.kernels.blood_events import event
from sojourn.kernels.blood_motion import move
from sojourn.kernels.normals import TOGETHER, fill
from sojourn.kernels.threads import deal

__all__ = ["LEFT", "STATE", "TABLE", "TOGETHER", "advance"]

_GRAIN = 50_000  # robot-steps worth a thread
_GROUP = 8  # steps whose normals are drawn at once; an even number begins with a whole block of the generator
_NORMALS, _LANES = 6, 8


def advance(robots, vessel, status, table, chances, ends, places, order, body, field, jacobian, pushed, key, first, t):
    """Takes robots through len(field) steps, in place.

    Args:
        robots: (STATE, n) float64, n a multiple of TOGETHER.
        vessel, status: (n,) int64 and uint8.
        table: (V, TABLE).
        chances: (V, 3), in a step: of an event in contact, the share of captures in these, and of letting go.
        ends: (2 V, 5): low, share, direction (2) and sign of `junction.Junctions`.
        places: (2 V, 4) int64: feeds, boundary, first and count.
        order: (2 V,) int64.
        body: radius, diffusivity, mobility, turning, spin, speed, moment and shape of `motion.Body`, and dt: a tuple.
        field: (steps, 3), T, at the origin.
        jacobian: (3, 3), T/m.
        pushed: excess - 1 and steepness of `dispersion.Margination`; or None, for which the kernel is compiled without.
        key: uint32: stream of the motion, stream of events, and the seed's two words.
        first: member of the first robot.
        t: the first step.
    """
    n, steps = len(vessel), len(field)
    flat = robots.reshape(-1), vessel, status, table.reshape(-1), chances, ends, places, order
    pulls, turns = bool(np.any(jacobian)) and body[6] != 0, bool(np.any(field)) and body[6] != 0

    def work(begin, end):
        _advance(*flat, body, field, jacobian, pulls, turns or pulls, pushed, key, first, t, begin, end)

    deal(work, n // W, max(1, _GRAIN // (W * steps)))


@njit(cache=True, nogil=True)
def _advance(
    robots,
    vessel,
    status,
    table,
    chances,
    ends,
    places,
    order,
    body,
    field,
    jacobian,
    pulls,
    magnetic,
    pushed,
    key,
    first,
    t,
    begin,
    end,
):
    n, steps, dt = len(vessel), len(field), body[8]
    w, xi = np.zeros(SPACE), np.empty(_GROUP * _NORMALS * W)
    for low in range(begin * W, end * W, W):
        active = 0
        for i in range(W):
            active += status[low + i] <= BOUND
        if not active:
            continue
        for row in range(STATE):
            w[row * W : (row + 1) * W] = robots[row * n + low : row * n + low + W]
        for i in range(W):
            enter(w, i, vessel[low + i], table)
            set_status(w, i, status[low + i])
        for group in range(t // 2 * 2, t + steps, _GROUP):
            last = min(group + _GROUP, t + steps)
            blocks = (last - group + 1) // 2 * 3
            fill(xi, W, W, group * _NORMALS // 4, blocks, uint32(first + low), key[0], key[2], key[3])
            for k in range(max(t, group), last):
                for i in range(0, W, _LANES):
                    draws = (k - group) * _NORMALS * W + i
                    b = field[k - t, 0], field[k - t, 1], field[k - t, 2]
                    bits = move(w, i, xi, draws, body, b, jacobian, pulls, magnetic, pushed)
                    if bits:
                        for j in range(_LANES):
                            if bits >> j & 1:
                                r = low + i + j
                                word = uint32(first + r)
                                event(
                                    w, i + j, r, vessel, status, table, chances, ends, places, order, dt, k, key, word
                                )
        for row in range(STATE):
            robots[row * n + low : row * n + low + W] = w[row * W : (row + 1) * W]
