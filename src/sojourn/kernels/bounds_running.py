"""Running sums behind confidence sequences, one observation after the other.

A sum is a row (high, low, size): the sum is high + low, kept in double-double, and size = Σ |term|. Each addition is
off by 2⁻¹⁰⁵ of the largest partial sum at most, so a sum of n terms is off by n 2⁻¹⁰⁴ size at most.
"""

import math

from numba import njit

HIGH, LOW, SIZE = range(3)
"""Entries of a sum."""

SEEN, TOTAL, SQUARES, LARGEST_LOW, LEAST_HIGH = range(5)
"""Entries of `now` in `predict`: observations; their sum; squared errors; ends of the running intersection."""

SLACK = 2.0**-47
"""More than the rounding of an end in `predict`, which is 22 units of 2⁻⁵³ at most."""


@njit(cache=True, nogil=True)
def add(total, term):
    """Adds one term to a sum."""
    high = total[0]
    s = high + term
    part = s - high
    low = total[1] + ((high - (s - part)) + (term - part))
    t = s + low
    part = t - s
    total[0] = t
    total[1] = (s - (t - part)) + (low - part)
    total[2] += abs(term)


@njit(cache=True, nogil=True)
def add_all(x, total):
    """Adds observations to a sum."""
    for value in x:
        add(total, value)


@njit(cache=True, nogil=True)
def add_weighted(x, seen, scale, most, sums):
    """Adds λₜ xₜ, λₜ and λₜ² to three sums, λₜ = min(scale / √(t ln(1 + t)), most)."""
    t = float(seen)
    for value in x:
        t += 1.0
        weight = min(scale / math.sqrt(t * math.log(1.0 + t)), most)
        add(sums[0], weight * value)
        add(sums[1], weight)
        add(sums[2], weight * weight)


@njit(cache=True, nogil=True, error_model="numpy")
def predict(x, a, width, log, sums, now):
    """Empirical Bernstein with predictable λₜ: adds to Σ x, Σ λ y, Σ (y - μ̂)² ψ(λ), Σ λ, and intersects.

    y = (x - a) / width. In units of 2⁻⁵³ a term λ y is off by 4 λ at most, (y - μ̂)² ψ(λ) by 11 λ since ψ(λ) < 0.39 λ
    for λ <= 1/2; an end inside [0, 1] is made of numbers below Σ λ, by 7 operations. `log` is ln(1/δ), rounded up.
    """
    for value in x:
        y = min((value - a) / width, 1.0)
        t = now[SEEN] + 1.0
        mean = min((0.5 + now[TOTAL]) / t, 1.0)
        variance = (0.25 + now[SQUARES]) / t
        weight = min(math.sqrt(2.0 * log / (variance * t * math.log(1.0 + t))), 0.5)
        add(sums[0], value)
        add(sums[1], weight * y)
        add(sums[2], (y - mean) ** 2 * (-math.log1p(-weight) - weight))
        add(sums[3], weight)
        now[SEEN] = t
        now[TOTAL] += y
        now[SQUARES] += (y - (0.5 + now[TOTAL]) / (t + 1.0)) ** 2
        centre, spread, weights = sums[1, HIGH], log + sums[2, HIGH], sums[3, HIGH]
        now[LARGEST_LOW] = max(now[LARGEST_LOW], (centre - spread) / weights - SLACK)
        now[LEAST_HIGH] = min(now[LEAST_HIGH], (centre + spread) / weights + SLACK)


@njit(cache=True, nogil=True, error_model="numpy")
def influence_weight(t, log, variance):
    """Catoni's λₜ = √(2 log / (variance (t ln(1 + t) + 2 log)))."""
    return math.sqrt(2.0 * log / (t * math.log(1.0 + t) + 2.0 * log) / variance)


@njit(cache=True, nogil=True, error_model="numpy")
def influence(x, seen, log, variance, points, sums, slopes, totals):
    """Catoni's sums at candidate means m: Σ φ(λ (x - m)) and its slope Σ λ φ'(λ (x - m)).

    φ(u) = sign(u) ln(1 + |u| + u²/2). Also Σ λ² and Σ ln(1 + λ² variance / 2), which go to totals.
    """
    t = float(seen)
    for value in x:
        t += 1.0
        weight = influence_weight(t, log, variance)
        totals[0] += weight * weight
        totals[1] += math.log1p(weight * weight * variance / 2.0)
        for j in range(len(points)):
            u = weight * (value - points[j])
            size = min(abs(u), 1e150)
            inner = size + 0.5 * size * size
            add(sums[j], math.copysign(math.log1p(inner), u))
            slopes[j] += weight * (1.0 + size) / (1.0 + inner)
