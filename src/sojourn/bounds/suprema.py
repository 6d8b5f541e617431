"""Tails of suprema: max_{k<=n} of partial sums and martingales, sup over a class of functions, Brownian motion.

P(max_k X_k >= t) costs little more than P(X_n >= t): a moment of the end (Doob), three tails (Etemadi), two (Lévy).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sojourn.bounds import checks
from sojourn.bounds.inequality import inequality
from sojourn.bounds.martingales import bennett_form
from sojourn.bounds.rounding import Ball, above, ball, below
from sojourn.bounds.terms import Each, total, total_variance
from sojourn.errors import InputError

Tail = float | Callable[[float], float]
"""A bound on a tail: a number, or a function a -> bound on P(... >= a) that falls in a, such as an inequality with its
hypotheses filled in. Only with a function do `deviation` and a second t make sense."""


@inequality(
    "P(max_{k<=n} |S_k - E S_k| >= t)",
    needs="martingale",
    source="Kolmogorov, Math. Ann. 99 (1928) 309; Feller, An Introduction to Probability Theory I, IX.7",
)
def kolmogorov(t: Ball, *, n: int = 1, variance: Each) -> Ball:
    """sum Var X_k / t^2: Chebyshev's inequality for the whole path at the price of its end.

    Args:
        n: terms of the sum.
        variance: at or above the variance of each term.
    """
    return total_variance(variance, n) / t**2


@inequality(
    "P(max_{k<=n} S_k - E S_k >= t)",
    needs="martingale",
    source="Marshall, Ann. Math. Statist. 31 (1960) 483",
)
def marshall(t: Ball, *, n: int = 1, variance: Each) -> Ball:
    """v / (v + t^2), v = sum Var X_k: Cantelli's inequality for the whole path.

    Args:
        n: terms of the sum.
        variance: at or above the variance of each term.
    """
    v = total_variance(variance, n)
    return v / (v + t**2)


@inequality(
    "P(max_{k<=n} c_k |S_k - E S_k| >= t)",
    needs="martingale",
    source="Hájek and Rényi, Acta Math. Acad. Sci. Hungar. 6 (1955) 281",
)
def hajek_renyi(t: Ball, *, n: int = 1, variance: Each, weights: Each) -> Ball:
    """sum c_k^2 Var X_k / t^2 for weights c_1 >= ... >= c_n > 0; with c_k = 1/k, the running mean.

    Args:
        n: terms of the sum.
        variance: at or above the variance of each term.
        weights: the numbers c_k, none above the one before.
    """
    total_variance(variance, n)
    total("weights", weights, n, checks.positive, lambda c: c)
    c, v = _list(weights, n), _list(variance, n)
    for k in range(1, n):
        if c[k] > c[k - 1]:
            raise InputError(f"weights[{k}]={c[k]:g} is above weights[{k - 1}]={c[k - 1]:g}; weights must not rise")
    return sum((ball(a) ** 2 * ball(b) for a, b in zip(c, v, strict=True)), ball(0)) / t**2


@inequality(
    "P(max_{k<=n} X_k >= t)",
    source="Doob, Stochastic Processes (1953), VII.3; Williams, Probability with Martingales (1991), 14.6",
)
def doob(t: Ball, *, positive_part: float) -> Ball:
    """E[X_n^+] / t, t > 0, for a submartingale X, such as a martingale.

    Args:
        positive_part: at or above E[max(X_n, 0)] of the last term.
    """
    return ball(checks.not_negative("positive_part", positive_part)) / t


@inequality(
    "P(max_{k<=n} |X_k| >= t)",
    source="Doob, Stochastic Processes (1953), VII.3; Williams, Probability with Martingales (1991), 14.6",
)
def doob_lp(t: Ball, *, p: float, moment: float) -> Ball:
    """E|X_n|^p / t^p, p >= 1, for a martingale X or a non-negative submartingale.

    Args:
        p: the exponent.
        moment: at or above E|X_n|^p of the last term.
    """
    if checks.finite("p", p) < 1:
        raise InputError(f"p={p} is below 1; |X|^p is a submartingale for p of 1 or more")
    return ball(checks.not_negative("moment", moment)) / t ** ball(p)


def doob_norm(p: float, norm: float) -> float:
    """At or above the L^p norm of max_{k<=n} |X_k|: p/(p-1) times that of X_n, p > 1 (Doob 1953, VII, Theorem 3.4).

    Args:
        p: the exponent.
        norm: at or above E[|X_n|^p]^(1/p) of the last term of a martingale or a non-negative submartingale.
    """
    if checks.finite("p", p) <= 1:
        raise InputError(f"p={p} is not above 1; for p = 1 the norm of the maximum may be infinite")
    checks.not_negative("norm", norm)
    return above(lambda: ball(p) / (ball(p) - 1) * ball(norm))


@inequality(
    "P(max_{k<=n} |S_k| >= t)",
    needs="independent",
    source="Etemadi, Sankhyā A 47 (1985) 215; Billingsley, Probability and Measure, Theorem 22.5",
)
def etemadi(t: Ball, *, tail: Tail) -> Ball:
    """3 max_{k<=n} P(|S_k| >= t/3), S_k the sum of k independent terms, of no moments and any mean.

    Args:
        tail: at or above each of P(|S_k| >= t/3), k <= n; or a function a -> at or above each P(|S_k| >= a).
    """
    return 3 * _tail(tail, t / 3)


@inequality(
    "P(max_{k<=n} S_k >= t)",
    needs="independent",
    source="Lévy, Théorie de l'addition des variables aléatoires (1937); Ledoux, Talagrand (1991), Proposition 2.3",
)
def levy(t: Ball, *, tail: Tail) -> Ball:
    """2 P(S_n >= t), S_k the sum of k independent symmetric terms (X as likely as -X); with |S_k| for S_k as well.

    Args:
        tail: at or above P(S_n >= t) (or P(|S_n| >= t), for the maximum of |S_k|); or a function a -> that at a.
    """
    return 2 * _tail(tail, t)


@inequality(
    "P(M_k >= t for some k)",
    source="Ville, Étude critique de la notion de collectif (1939); Durrett, Probability, Exercise 4.8.2",
)
def ville(t: Ball, *, initial: float = 1.0) -> Ball:
    """E[M_0] / t for a supermartingale M that is never negative, over all of time.

    Args:
        initial: at or above E[M_0].
    """
    return ball(checks.not_negative("initial", initial)) / t


@inequality(
    "P(Z >= E Z + t)",
    needs="iid",
    source="Bousquet, C. R. Acad. Sci. Paris 334 (2002) 495; Boucheron, Lugosi, Massart (2013), Theorem 12.5",
)
def bousquet(t: Ball, *, n: int, variance: float, expectation: float, largest: float = 1.0) -> Ball:
    """exp(-(v/b^2) h(bt/v)), v = n variance + 2b E Z, h(u) = (1+u) ln(1+u) - u, Z = sup_f sum_i f(X_i).

    The f are countably many, with E f(X) = 0 and f <= b. Its weaker form is E Z + sqrt(2vx) + bx/3, with e^-x.

    Args:
        n: number of X_i.
        variance: at or above Var f(X) for every f.
        expectation: at or above E Z; t counts from it as well as from E Z.
        largest: b, at or above every f.
    """
    n, b = checks.count("n", n), ball(checks.positive("largest", largest))
    mean = ball(checks.not_negative("expectation", expectation))
    v = n * ball(checks.not_negative("variance", variance)) + 2 * b * mean
    if v == 0:
        return ball(0) if t > 0 else ball(1)
    return bennett_form(t, v, b)


@inequality(
    "P(max_{s<=T} W_s - W_0 >= t)",
    source="Bachelier 1901; Mörters and Peres, Brownian Motion (2010), Theorem 2.21",
)
def reflection(t: Ball, *, variance: float) -> Ball:
    """2 P(W_T - W_0 >= t) = erfc(t / sqrt(2 sigma^2 T)) for Brownian motion without drift: equality.

    Args:
        variance: sigma^2 T, of W_T - W_0.
    """
    return (t / (2 * ball(checks.positive("variance", variance))).sqrt()).erfc()


def _tail(tail: Tail, t: Ball) -> Ball:
    """The tail at t; at the float below t, so that what is given back is not too small."""
    value = tail(below(lambda: t)) if callable(tail) else tail
    return ball(checks.not_negative("tail", value))


def _list(value: Each, n: int) -> list[float]:
    return list(value) if isinstance(value, Iterable) else [value] * n
