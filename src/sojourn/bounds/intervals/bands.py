"""The band around an empirical distribution function: P(sup |Fₙ - F| > w) <= 2 exp(-2 n w²)."""

from __future__ import annotations

from fractions import Fraction

from sojourn.bounds import checks
from sojourn.bounds.rounding import above, ball


def dvoretzky_kiefer_wolfowitz(n: int, *, error: float | Fraction) -> float:
    """The half width √(ln(2/error) / (2n)) of a band that holds the whole distribution function, rounded up.

    Args:
        n: number of independent observations of the same law, whatever it is.
        error: probability in (0, 1) with which the function may leave the band anywhere, above or below.

    Source: P. Massart, Ann. Probab. 18 (1990), 1269, corollary 1.
    """
    n = checks.count("n", n)
    checks.inside("error", float(error))
    return above(lambda: ((2 / ball(error)).log() / (2 * n)).sqrt())
