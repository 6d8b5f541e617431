"""A block of robots side by side: what each row of its space holds, and how a robot enters a vessel.

Place i of row k is space[k W + i], so that eight robots are one vector. Rows begin with the state, then come what the
table says of the robot's vessel, and what `blood_motion` leaves for `blood_events`.
"""

import math

from numba import njit

from sojourn.kernels.normals import TOGETHER as W

MOVING, BOUND, LEFT, CAPTURED = range(4)
STATE = 8  # rows: along, across (2), axis (3), shear exposure, time of the last event
# Columns: length, R, R - a, (R - a)^-2, shear, R^2 - 2/3 a^2, mixing, contact, chord, bounce, frame (9), origin (3).
TABLE = 22
ALONG, ACROSS, AXIS, EXPOSURE, SINCE = 0, W, 3 * W, 6 * W, 7 * W
VESSEL = STATE * W
LENGTH, RADIUS, LIMIT, INVERSE, SHEAR, PEAK, MIXING, CONTACT, CHORD, BOUNCE = (VESSEL + k * W for k in range(10))
FRAME, ORIGIN = VESSEL + 10 * W, VESSEL + 19 * W
RATE, MOVES, STEP, VELOCITY = (VESSEL + (TABLE + k) * W for k in range(4))  # 2 |shear|; 1 or 0; ds; u
SPACE = VESSEL + (TABLE + 4) * W


@njit(nogil=True, forceinline=True)
def enter(w, i, v, table):
    for k in range(TABLE):
        w[VESSEL + k * W + i] = table[v * TABLE + k]


@njit(nogil=True, forceinline=True)
def set_status(w, i, status):
    """How robot i moves and is sheared from now on."""
    w[MOVES + i] = 1.0 if status == MOVING else 0.0
    w[RATE + i] = 2 * abs(w[SHEAR + i]) if status <= BOUND else 0.0
    if status > BOUND:
        w[CONTACT + i] = math.inf
