"""What tests of bounds share: rationals as floats on the safe side, and tails of enumerated laws."""

from fractions import Fraction

from sojourn.bounds.rounding import above, ball


def up(x):
    """The least float at or above a rational."""
    return above(lambda: ball(x))


def tails(values):
    """(t, P(value >= t)) for every t > 0 that occurs, from pairs (probability, value)."""
    law = {}
    for p, x in values:
        law[x] = law.get(x, 0) + p
    total, found = Fraction(0), []
    for x in sorted(law, reverse=True):
        total += law[x]
        if x > 0:
            found.append((x, total))
    return found
