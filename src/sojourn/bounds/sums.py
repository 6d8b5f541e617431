"""Sums of independent terms: P(S - E S >= t) <= inf_u E exp(u (S - E S - t)), by what is known of each term.

Most hold for martingale differences X_i - E X_i too: there the hypotheses are on each term given the past.

With a range and the mean: `chernoff_bernoulli`, and without the mean `hoeffding`. With a variance and a largest
deviation: `hoeffding_variance`, at most `bennett`, at most `bernstein`. All bound the lower tail of S as the upper
tail of -S. `bentkus` is sharper still.
"""

from __future__ import annotations

from flint import arb

from sojourn.bounds import checks
from sojourn.bounds.inequality import inequality
from sojourn.bounds.martingales import bennett_form
from sojourn.bounds.rounding import Ball, ball
from sojourn.bounds.terms import Each, EachRange, around, total, total_of_widths, total_variance

HOEFFDING = "Hoeffding, J. Amer. Statist. Assoc. 58 (1963) 13"


@inequality("P(S - E S >= t)", needs="martingale", source=f"{HOEFFDING}, Theorem 2 and Section 2")
def hoeffding(t: Ball, *, n: int = 1, range: EachRange) -> Ball:
    """exp(-2 t^2 / sum (b_i - a_i)^2) where a_i <= X_i <= b_i; 0 from t = sum (b_i - a_i) on.

    Args:
        n: terms of the sum.
        range: (a, b) for all terms, or one for each.
    """
    if t >= total_of_widths(range, n, lambda width: width):
        return ball(0)
    return (-2 * t**2 / total_of_widths(range, n, lambda width: width**2)).exp()


@inequality("P(S - E S >= t)", needs="independent", source="Boucheron, Lugosi, Massart (2013), Section 2.3")
def sub_gaussian(t: Ball, *, n: int = 1, proxy: Each) -> Ball:
    """exp(-t^2 / (2 sum s_i^2)) where E exp(u (X_i - E X_i)) <= exp(u^2 s_i^2 / 2) for every u > 0.

    Args:
        n: terms of the sum.
        proxy: the variance proxies s_i^2; never below the variances, (b - a)^2/4 at most for a range (a, b).
    """
    return (-(t**2) / (2 * total("proxy", proxy, n, checks.not_negative, lambda s: s))).exp()


@inequality(
    "P(S - E S >= t)",
    needs="independent",
    source="Boucheron, Lugosi, Massart (2013), Section 2.4 and Theorem 2.10",
)
def sub_gamma(t: Ball, *, n: int = 1, proxy: Each, scale: float) -> Ball:
    """exp(-t^2 / (v + ct + sqrt(v^2 + 2vct))) where ln E exp(u (X_i - E X_i)) <= u^2 v_i / (2 (1 - cu)), 0 < u < 1/c.

    It falls to exp(-x) at t = sqrt(2vx) + cx exactly. Bernstein's condition E (X - E X)^2 <= v and
    E (X - E X)_+^q <= (q!/2) v c^(q-2) for q = 3, 4, ... implies the hypothesis.

    Args:
        n: terms of the sum.
        proxy: the variance factors v_i; v is their sum.
        scale: c >= 0, for all terms.
    """
    v = total("proxy", proxy, n, checks.not_negative, lambda v: v)
    shift = ball(checks.not_negative("scale", scale)) * t
    return (-(t**2) / (v + shift + (v**2 + 2 * v * shift).sqrt())).exp()


@inequality("P(S - E S >= t)", needs="martingale", source=f"{HOEFFDING}, Theorem 1 and Section 2")
def chernoff_bernoulli(t: Ball, *, n: int = 1, mean: float, range: tuple[float, float] = (0.0, 1.0)) -> Ball:
    """exp(-n KL(q || p)), p = (m - a)/(b - a), q = p + t/(n (b - a)), where a <= X_i <= b; 0 where q > 1.

    KL(q || p) = q ln(q/p) + (1 - q) ln((1 - q)/(1 - p)): Chernoff's bound for the binomial law.

    Args:
        n: terms of the sum.
        mean: m = E X_i; the mean of the n means where they differ.
        range: (a, b) for all terms.
    """
    return _two_points(t, checks.count("n", n), *around(mean, range))


@inequality("P(S - E S >= t)", needs="martingale", source=f"{HOEFFDING}, Theorem 3 and Section 2")
def hoeffding_variance(t: Ball, *, n: int = 1, variance: Each, largest: float) -> Ball:
    """exp(-n KL(q || p)), p = v/(v + nb^2), q = p + (1 - p) t/(nb), v = sum Var X_i, X_i - E X_i <= b; 0 where t > nb.

    Chernoff's bound for n terms that are b above their mean or v/(nb) below it. Never above `bennett`.

    Args:
        n: terms of the sum.
        variance: at or above the variance of each term.
        largest: b > 0, for all terms.
    """
    n = checks.count("n", n)
    b = ball(checks.positive("largest", largest))
    return _two_points(t, n, total_variance(variance, n) / (n * b), b)


@inequality(
    "P(S - E S >= t)",
    needs="martingale",
    source="Bennett, J. Amer. Statist. Assoc. 57 (1962) 33; Boucheron, Lugosi, Massart (2013), Theorem 2.9",
)
def bennett(t: Ball, *, n: int = 1, variance: Each, largest: float) -> Ball:
    """exp(-(v/b^2) h(bt/v)), h(u) = (1+u) ln(1+u) - u, v = sum Var X_i, X_i - E X_i <= b; 0 where t > nb.

    Args:
        n: terms of the sum.
        variance: at or above the variance of each term.
        largest: b > 0, for all terms.
    """
    v, b = _variance_and_largest(variance, largest, n)
    if t > n * b or (v == 0 and t > 0):
        return ball(0)
    return ball(1) if t == 0 else bennett_form(t, v, b)


@inequality(
    "P(S - E S >= t)",
    needs="martingale",
    source="Bernstein (1946); Boucheron, Lugosi, Massart (2013), (2.10)",
)
def bernstein(t: Ball, *, n: int = 1, variance: Each, largest: float) -> Ball:
    """exp(-t^2 / (2 (v + bt/3))), v = sum Var X_i, X_i - E X_i <= b; 0 where t > nb. Never below `bennett`.

    Args:
        n: terms of the sum.
        variance: at or above the variance of each term.
        largest: b > 0, for all terms.
    """
    v, b = _variance_and_largest(variance, largest, n)
    return ball(0) if t > n * b else (-(t**2) / (2 * (v + b * t / 3))).exp()


def _two_points(t: Ball, n: int, below: Ball, above: Ball) -> Ball:
    """Chernoff's bound for n terms that are `below` their mean or `above` it, at t of S - E S."""
    room = n * above - t
    if room < 0 or (below == 0 and t > 0):
        return ball(0)
    if t == 0:
        return ball(1)
    rises = (n * below + t) * (1 + t / (n * below)).log()
    return (-(rises + _entropy(room, n * above)) / (below + above)).exp()


def _entropy(x: Ball, c: Ball) -> Ball:
    """x ln(x/c) for 0 <= x <= c, also where x is known only to be near zero."""
    if x > 0:
        return x * (x / c).log()
    most = x.upper()
    return ball(0) if most <= 0 else ball(0).union(most * (most / c).log()) if most < c / 3 else arb.nan()


def _variance_and_largest(variance: Each, largest: float, n: int) -> tuple[Ball, Ball]:
    v = total_variance(variance, n)
    return v, ball(checks.positive("largest", largest))
