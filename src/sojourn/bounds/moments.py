"""Bounds from a moment or two: E X / a for X >= 0, and E |X - E X|^p / t^p with p = 2 and what sharpens it.

Variances of uncorrelated terms add, so the bounds from a variance hold for their sum as for one variable.
"""

from __future__ import annotations

from fractions import Fraction

from sojourn.bounds import checks
from sojourn.bounds.inequality import inequality
from sojourn.bounds.rounding import Ball, ball
from sojourn.bounds.terms import Each, around, total_variance


@inequality("P(X >= t)", source="Boucheron, Lugosi, Massart, Concentration Inequalities (2013), Section 2.1")
def markov(t: Ball, *, mean: float) -> Ball:
    """E X / t for X >= 0; here t is the level itself, not a deviation.

    Args:
        mean: at or above E X.
    """
    return ball(checks.not_negative("mean", mean)) / t


@inequality("P(S - E S >= t)", source="Markov; Boucheron, Lugosi, Massart, Concentration Inequalities (2013), 2.1")
def markov_of_sum(t: Ball, *, n: int = 1, mean: float, range: tuple[float, float]) -> Ball:
    """m / (m + t), m = n (mean - a): Markov's inequality for S - na >= 0; 0 where t > n (b - mean).

    Args:
        n: terms of the sum.
        mean: E X, the same for every term.
        range: (a, b) with a <= X <= b.
    """
    below, above = (checks.count("n", n) * distance for distance in around(mean, range))
    return ball(0) if t > above else below / (below + t)


@inequality(
    "P(|S - E S| >= t)",
    needs="uncorrelated",
    source="Bienaymé (1853) and Chebyshev (1867); Boucheron, Lugosi, Massart (2013), Section 2.1",
)
def chebyshev(t: Ball, *, n: int = 1, variance: Each) -> Ball:
    """sum Var X_i / t^2, for both tails together.

    Args:
        n: terms of the sum.
        variance: at or above the variance of each term.
    """
    return total_variance(variance, n) / t**2


@inequality(
    "P(S - E S >= t)",
    needs="uncorrelated",
    source="Cantelli (1928); Boucheron, Lugosi, Massart (2013), Exercise 2.3",
)
def cantelli(t: Ball, *, n: int = 1, variance: Each) -> Ball:
    """v / (v + t^2), v = sum Var X_i; two points attain it.

    Args:
        n: terms of the sum.
        variance: at or above the variance of each term.
    """
    v = total_variance(variance, n)
    return v / (v + t**2)


@inequality(
    "P(|S - E S| >= t)",
    needs="uncorrelated",
    source="Vysochanskij, Petunin, Theory Probab. Math. Statist. 21 (1980) 25; Pukelsheim, Amer. Statist. 48 (1994) 88",
)
def vysochanskij_petunin(t: Ball, *, n: int = 1, variance: Each) -> Ball:
    """4v/(9t^2) for t^2 >= 8v/3, below that 4v/(3t^2) - 1/3, v = Var S, where the law of S itself has one mode.

    One mode: the distribution function is convex before it and concave after it, so only there can it jump. Terms that
    have one mode each do not suffice (their sum may have two) unless they are symmetric or log-concave.

    Args:
        n: terms of the sum.
        variance: at or above the variance of each term.
    """
    ratio = total_variance(variance, n) / t**2
    return (4 * ratio / 9).max(4 * ratio / 3 - ball(Fraction(1, 3)))


@inequality("P(|X - E X| >= t)", source="Boucheron, Lugosi, Massart (2013), Section 2.1")
def moment(t: Ball, *, p: float, moment: float) -> Ball:
    """E |X - E X|^p / t^p.

    Args:
        p: the order, above zero.
        moment: at or above E |X - E X|^p.
    """
    return ball(checks.not_negative("moment", moment)) / t ** ball(checks.positive("p", p))
