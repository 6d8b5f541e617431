"""Berry and Esseen: the tail of a sum is that of the normal law, Q(t / sqrt(Var S)), up to a term of order 1/sqrt(n).

The term does not fall with t: these bounds are for the middle of the law, not for its far tail.
"""

from __future__ import annotations

from fractions import Fraction

from sojourn.bounds import checks
from sojourn.bounds.exact import normal
from sojourn.bounds.inequality import inequality
from sojourn.bounds.rounding import Ball, ball
from sojourn.bounds.terms import Each, total, total_variance
from sojourn.errors import InputError

SHEVTSOVA_2013 = "Shevtsova, Inform. Appl. 7 (2013) 124"
SHEVTSOVA_2010 = "Shevtsova, Dokl. Math. 82 (2010) 862"


@inequality("P(S - E S >= t)", needs="iid", source=SHEVTSOVA_2013)
def berry_esseen(t: Ball, *, n: int = 1, variance: float, third_moment: float) -> Ball:
    """Q(t / (s sqrt(n))) + min{0.4690 r, 0.3322 (r + 0.429), 0.3031 (r + 0.646)} / sqrt(n), r = E |X - E X|^3 / s^3.

    Args:
        n: terms of the sum.
        variance: s^2 = Var X itself; a bound from above is not enough.
        third_moment: at or above E |X - E X|^3.
    """
    return _normal(t, n, variance) + distance(n, variance, third_moment)


@inequality("P(S - E S >= t)", needs="independent", source=SHEVTSOVA_2010)
def berry_esseen_independent(t: Ball, *, n: int = 1, variance: Each, third_moment: Each) -> Ball:
    """Q(t / s) + 0.5600 sum E |X_i - E X_i|^3 / s^3, s^2 = sum Var X_i, for terms that need not have the same law.

    Args:
        n: terms of the sum.
        variance: Var X_i itself; a bound from above is not enough.
        third_moment: at or above E |X_i - E X_i|^3.
    """
    v = total_variance(variance, n)
    if not v > 0:
        raise InputError("variance=0 in every term; give the variances, one above zero at least")
    thirds = total("third_moment", third_moment, n, checks.not_negative, lambda r: r)
    return normal(t / v.sqrt()) + ball(Fraction("0.5600")) * thirds / v.sqrt() ** 3


@inequality("P(S - E S >= t)", needs="iid", direction="below", source=SHEVTSOVA_2013)
def berry_esseen_below(t: Ball, *, n: int = 1, variance: float, third_moment: float) -> Ball:
    """Q(t / (s sqrt(n))) - min{0.4690 r, 0.3322 (r + 0.429), 0.3031 (r + 0.646)} / sqrt(n), as in `berry_esseen`.

    Args:
        n: terms of the sum.
        variance: s^2 = Var X itself; a bound is not enough.
        third_moment: at or above E |X - E X|^3.
    """
    return _normal(t, n, variance) - distance(n, variance, third_moment)


def distance(n: int, variance: float, third_moment: float) -> Ball:
    """The most by which the law of a sum of n iid terms is off the normal law, anywhere."""
    third = ball(checks.positive("third_moment", third_moment))
    ratio = third / ball(checks.positive("variance", variance)).sqrt() ** 3
    if ratio < 1 - 1e-9:
        raise InputError(
            f"third_moment={third_moment:g} is below variance^(3/2) = {variance**1.5:g}, which no law allows; "
            f"give E |X - E X|^3 and Var X of one law"
        )
    ratio = ratio.max(ball(1))  # less can be rounding only
    small = ball(Fraction("0.3322")) * (ratio + ball(Fraction("0.429")))
    medium = ball(Fraction("0.3031")) * (ratio + ball(Fraction("0.646")))
    large = ball(Fraction("0.4690")) * ratio
    return small.min(medium).min(large) / ball(checks.count("n", n)).sqrt()


def _normal(t: Ball, n: int, variance: float) -> Ball:
    return normal(t / (checks.count("n", n) * ball(checks.positive("variance", variance))).sqrt())
