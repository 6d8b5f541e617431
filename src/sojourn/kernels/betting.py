"""Bets against every candidate mean m of observations y in [0, 1]: the wealth from which intervals for the mean come.

    over:  W(m) = prod (1 + lambda_i (y_i - m)),   under:  W(m) = prod (1 - lambda_i (y_i - m)),

with bets lambda_i >= 0 that depend on the past alone. If m is the mean, W is a non-negative martingale from 1, so it
ever reaches 1/error with probability `error` at most (Ville); then m is rejected. Candidates are kept in cells
[m1, m2], with one lambda for all of a cell. So log W is monotone and concave in m there, its values at the cell's two
ends bound it from below in between (by the chord), and finitely many ends reject a continuum. A cell that is too wide
is split, with the chord's value at the new end: wealth is never overstated, and memory does not grow.

Source: I. Waudby-Smith and A. Ramdas, JRSS B 86 (2024); V. Voracek and F. Orabona, arXiv 2505.22422. Cells are ours.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

CAPACITY = 2048
FIRST = 64  # cells before anything was seen, all of one width
ROWS = 10
M1, M2, OVER1, OVER2, UNDER1, UNDER2, LOW, HIGH, BET_OVER, BET_UNDER = range(ROWS)
"""Rows of `cells`: ends; log wealth at them; what is not rejected of the cell lies between LOW and HIGH; lambdas."""
CELLS, SEEN, TOTAL, MEAN, SQUARES, LARGEST = range(6)
"""Entries of `now`: cells in use; observations; their sum; regularised mean and its squared errors; max |log W|."""

_BLOCK = 16  # factors that are multiplied before a logarithm is taken: their product stays within doubles
_WIDEST = 1 / 16  # precision of the widest prior of a bet: lambda of about 4, for laws that are narrow in [0, 1]
_STAR = 0.95  # of the bet that would reach the target on the straight path; see docs/bounds.md


def start() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells (ROWS, CAPACITY) that cover [0, 1], products (4, CAPACITY) not yet in their log W, running numbers (6,)."""
    cells, products, now = np.zeros((ROWS, CAPACITY)), np.ones((4, CAPACITY)), np.zeros(6)
    ends = np.arange(FIRST + 1) / FIRST
    cells[M1, :FIRST], cells[M2, :FIRST] = ends[:-1], ends[1:]
    cells[LOW], cells[HIGH] = cells[M1], cells[M2]
    now[CELLS], now[MEAN], now[SQUARES] = FIRST, 0.5, 0.25
    return cells, products, now


@njit(cache=True, nogil=True, error_model="numpy")
def play(y, cells, products, now, target, over, under, most, horizon):
    """Bets on observations y, one after the other; the state changes in place.

    Args:
        target: log(1 / error), at which a candidate is rejected.
        over, under: whether to bet that the mean is above, below the candidates.
        most: c < 1, the share of the wealth that one bet may lose at most.
        horizon: number of observations at which the bets aim; 0 for intervals at all times.
    """
    if now[SEEN] == 0 and horizon == 0:
        _choose_bets(cells, now, most)
    for x in y:
        if horizon == 0:
            _bet(x, cells, products, now, over, under)
        else:
            _bet_star(x, cells, now, target, over, under, most, horizon)
        t = int(now[SEEN]) + 1
        now[SEEN] = t
        now[TOTAL] += x
        now[MEAN] = (0.5 + now[TOTAL]) / (t + 1.0)
        now[SQUARES] += (x - now[MEAN]) ** 2
        if t % _BLOCK == 0 or t < 512:
            gather(cells, products, now)
        if t < 512 or t % (1 << (int(math.log2(t + 0.5)) - 5)) == 0:
            look(cells, now, target, over, under, most)
            _refine(cells, now, target, over, under, horizon)
            if horizon == 0:
                _choose_bets(cells, now, most)


@njit(cache=True, nogil=True, error_model="numpy")
def gather(cells, products, now):
    """Takes the products of factors into log W."""
    rows = (OVER1, OVER2, UNDER1, UNDER2)
    for k in range(4):
        for j in range(int(now[CELLS])):
            if products[k, j] != 1.0:
                cells[rows[k], j] += math.log(products[k, j])
                products[k, j] = 1.0
            now[LARGEST] = max(now[LARGEST], abs(cells[rows[k], j]))


@njit(cache=True, nogil=True, error_model="numpy")
def look(cells, now, target, over, under, most):
    """Rejects what has reached the target; cells of which nothing is left go."""
    count, kept = int(now[CELLS]), 0
    goal = target + _slack(now, most)
    for j in range(count):
        m1, m2 = cells[M1, j], cells[M2, j]
        if over:
            cells[LOW, j] = max(cells[LOW, j], _reached(m1, m2, cells[OVER1, j], cells[OVER2, j], goal))
        if under:
            left = _reached(-m2, -m1, cells[UNDER2, j], cells[UNDER1, j], goal)
            cells[HIGH, j] = min(cells[HIGH, j], -left)
        if cells[LOW, j] < cells[HIGH, j]:
            for k in range(ROWS):
                cells[k, kept] = cells[k, j]
            kept += 1
    now[CELLS] = kept


@njit(cache=True, nogil=True, error_model="numpy")
def _reached(m1, m2, w1, w2, goal):
    """Up to where, from m1 <= m2, the chord from w1 down to w2 is at the goal or above; m1 if nowhere."""
    if w2 >= goal:
        return m2
    if w1 < goal:
        return m1
    return max(m1, m1 + (m2 - m1) * ((w1 - goal) / (w1 - w2)) - 4e-16)


@njit(cache=True, nogil=True, error_model="numpy")
def _slack(now, most):
    """A bound on the rounding error of any log W; the target is raised by it.

    With u = 2^-53, a factor 1 + lambda (y - m) >= 1 - c has a relative error of (2 c / (1 - c) + 1) u, its product one
    u more; each addition to log W, logarithm and chord of a split has at most 4 u of the largest |log W|, which
    is seen every 16 observations, between which log W falls by less than 80.
    """
    u = 2.0**-53
    return 1.01 * u * ((2 * most / (1 - most) + 2) * now[SEEN] + 4 * (now[SEEN] + 64.0) * (now[LARGEST] + 80.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _bet(x, cells, products, now, over, under):
    count = int(now[CELLS])
    if over:
        for j in range(count):
            products[0, j] *= 1.0 + cells[BET_OVER, j] * (x - cells[M1, j])
            products[1, j] *= 1.0 + cells[BET_OVER, j] * (x - cells[M2, j])
    if under:
        for j in range(count):
            products[2, j] *= 1.0 - cells[BET_UNDER, j] * (x - cells[M1, j])
            products[3, j] *= 1.0 - cells[BET_UNDER, j] * (x - cells[M2, j])


@njit(cache=True, nogil=True, error_model="numpy")
def _choose_bets(cells, now, most):
    """The bets for all times: the posterior mean of lambda > 0 under a mixture of priors, as if log W were

    lambda S - lambda^2 V / 2, with S = sum (y - m) and V = sum (y - m)^2.
    """
    t = now[SEEN]
    mean = now[TOTAL] / t if t > 0 else 0.5
    for j in range(int(now[CELLS])):
        m1, m2 = cells[M1, j], cells[M2, j]
        bet = _posterior_mean(t * (mean - m2), now[SQUARES] + t * (mean - m2) ** 2)
        cells[BET_OVER, j] = min(bet, most / m2)
        bet = _posterior_mean(t * (m1 - mean), now[SQUARES] + t * (mean - m1) ** 2)
        cells[BET_UNDER, j] = min(bet, most / (1.0 - m1))


@njit(cache=True, nogil=True, error_model="numpy")
def _posterior_mean(s, v):
    """Of lambda under the prior sum_i |N(0, 16 4^-i)| / ((i + 1) (i + 2)), i = 0, 1, ...

    With q = v + rho and a = s / sqrt(q), a part of scale rho has weight 2 sqrt(rho / q) e^(a^2 / 2) Phi(a) and mean
    (a + phi(a) / Phi(a)) / sqrt(q).
    Priors narrower than 1 / (4 sqrt v) have learned nothing; they count with weight 1 and mean 0.
    """
    highest = s * s / (2.0 * (v + _WIDEST)) if s > 0 else 0.0  # all weights are divided by e^highest
    flat = math.exp(-highest)
    above, below, rho = 0.0, 0.0, _WIDEST
    i = 0
    while True:
        q = v + rho
        a = s / math.sqrt(q)
        prior = 2.0 * math.sqrt(rho / q) / ((i + 1.0) * (i + 2.0))
        if a > -6.0:
            weight = math.exp(0.5 * a * a - highest) * 0.5 * math.erfc(-a * 0.7071067811865476)
            first = a * weight + flat * 0.3989422804014327
        else:
            weight = 0.3989422804014327 / -a
            first = weight / -a
        below += prior * weight
        above += prior * first / math.sqrt(q)
        i += 1
        if rho > 16.0 * v:
            break
        rho *= 4.0
    return above / (below + flat / (i + 1.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _bet_star(x, cells, now, target, over, under, most, horizon):
    """lambda = 0.9 sqrt(2 (target - log W) / ((n - t) S)): what takes W to the target at n, from where W is now.

    S is the variance so far, with room m n / t^2 for what was not seen yet, and at most m (1 - m).
    """
    t = now[SEEN]
    if t >= horizon:
        return
    variance = now[SQUARES] / (t + 1.0)
    unseen = horizon / (t + 1.0) ** 2
    for j in range(int(now[CELLS])):
        m1, m2 = cells[M1, j], cells[M2, j]
        cells[BET_OVER, j] = cells[BET_UNDER, j] = 0.0
        if over and cells[OVER2, j] < target:
            spread = min(variance + m2 * unseen, m2 * (1.0 - m2) + 1e-4)
            bet = _aimed(target - cells[OVER2, j], (horizon - t) * spread, m2, most)
            cells[BET_OVER, j] = bet
            cells[OVER1, j] += math.log1p(bet * (x - m1))
            cells[OVER2, j] += math.log1p(bet * (x - m2))
        if under and cells[UNDER1, j] < target:
            spread = min(variance + (1.0 - m1) * unseen, m1 * (1.0 - m1) + 1e-4)
            bet = _aimed(target - cells[UNDER1, j], (horizon - t) * spread, 1.0 - m1, most)
            cells[BET_UNDER, j] = bet
            cells[UNDER1, j] += math.log1p(-bet * (x - m1))
            cells[UNDER2, j] += math.log1p(-bet * (x - m2))


@njit(cache=True, nogil=True, error_model="numpy")
def _aimed(need, variance, loss, most):
    """The bet that brings log W up by `need` while y - m gathers `variance`, if y - m is `loss` in rare jumps.

    x = lambda loss solves x + (1 - x) ln(1 - x) = need loss^2 / variance, by its series; x^2 / 2 on the left is STaR's.
    """
    x = _STAR * math.sqrt(2 * need / variance) * loss
    return min(x - x * x / 6 - x * x * x / 72 if x < 1.4 else 1.0, most) / loss


@njit(cache=True, nogil=True, error_model="numpy")
def _refine(cells, now, target, over, under, horizon):
    """Splits the cells, among those where an end of the interval may come to lie, that are too wide for it."""
    count = int(now[CELLS])
    if count == 0:
        return
    low, high, mean = cells[LOW, 0], cells[HIGH, count - 1], now[MEAN]
    if horizon > 0:
        wide = _width(now, target, now[SEEN])
        low, high, finest = mean - 2 * wide, mean + 2 * wide, max(wide, _width(now, target, horizon)) / 64
    else:
        if not under:
            high = 2 * mean - low
        elif not over:
            low = 2 * mean - high
        finest = (high - low) / 32
    finest = max(finest, 1e-13)
    for j in range(count):
        if cells[M2, j] - cells[M1, j] > finest and cells[M2, j] > low and cells[M1, j] < high:
            break
    else:
        return
    old = cells[:, :count].copy()
    room = CAPACITY - count
    kept = 0
    for j in range(count):
        m1, m2 = old[M1, j], old[M2, j]
        middle = 0.5 * (m1 + m2)
        if room == 0 or m2 - m1 <= finest or m2 <= low or m1 >= high:
            cells[:, kept] = old[:, j]
            kept += 1
            continue
        if old[LOW, j] < middle:  # the left half
            cells[:, kept] = old[:, j]
            cells[M2, kept], cells[HIGH, kept] = middle, min(middle, old[HIGH, j])
            cells[OVER2, kept] = 0.5 * (old[OVER1, j] + old[OVER2, j])
            cells[UNDER2, kept] = 0.5 * (old[UNDER1, j] + old[UNDER2, j])
            kept += 1
        if old[HIGH, j] > middle:
            cells[:, kept] = old[:, j]
            cells[M1, kept], cells[LOW, kept] = middle, max(middle, old[LOW, j])
            cells[OVER1, kept] = 0.5 * (old[OVER1, j] + old[OVER2, j])
            cells[UNDER1, kept] = 0.5 * (old[UNDER1, j] + old[UNDER2, j])
            kept += 1
        room -= 1
    now[CELLS] = kept


@njit(cache=True, nogil=True, error_model="numpy")
def _width(now, target, t):
    """About the half width of an interval after t observations."""
    variance = now[SQUARES] / (now[SEEN] + 1.0)
    return math.sqrt(2 * variance * target / (t + 1.0)) + target / (t + 1.0)
