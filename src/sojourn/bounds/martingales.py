"""Tails of martingales M_k = M_0 + D_1 + ... + D_k, each for the whole path: P(M_k - M_0 >= t for some k).

exp(lambda (M_k - M_0) - A_k) is a supermartingale for the right A_k; every bound here is Ville's inequality for it, at
the best lambda. For a fixed n they are no better; for -M_k they hold as well, with the hypotheses of -M_k.
"""

from __future__ import annotations

from sojourn.bounds import checks
from sojourn.bounds.inequality import inequality
from sojourn.bounds.rounding import Ball, ball
from sojourn.bounds.terms import Each, total


@inequality(
    "P(max_{k<=n} M_k - M_0 >= t)",
    needs="martingale",
    source="Azuma, Tohoku Math. J. 19 (1967) 357; Hoeffding, J. Amer. Statist. Assoc. 58 (1963) 13, Section 2",
)
def azuma(t: Ball, *, n: int = 1, increment: Each) -> Ball:
    """exp(-t^2 / (2 sum c_k^2)) where |D_k| <= c_k; 0 where t > sum c_k.

    Args:
        n: steps of the martingale.
        increment: the numbers c_k, known beforehand.
    """
    squares = total("increment", increment, n, checks.not_negative, lambda c: 4 * c * c)
    return _hoeffding(t, squares, total("increment", increment, n, checks.not_negative, lambda c: c))


@inequality(
    "P(max_{k<=n} M_k - M_0 >= t)",
    needs="martingale",
    source="Hoeffding, J. Amer. Statist. Assoc. 58 (1963) 13, Section 2",
)
def azuma_hoeffding(t: Ball, *, n: int = 1, width: Each) -> Ball:
    """exp(-2 t^2 / sum c_k^2) where A_k <= D_k <= A_k + c_k, A_k determined by the past; 0 where t > sum c_k.

    Steps with |D_k| <= c have width 2c: then this is `azuma`.

    Args:
        n: steps of the martingale.
        width: the numbers c_k, known beforehand; the intervals may move with the path.
    """
    return _widths(t, "width", width, n)


@inequality(
    "P(f - E f >= t)",
    needs="independent",
    source="McDiarmid, Surveys in Combinatorics (1989) 148, Lemma 1.2",
)
def mcdiarmid(t: Ball, *, n: int = 1, difference: Each) -> Ball:
    """exp(-2 t^2 / sum c_k^2) for f(X_1, ..., X_n), X independent; 0 where t > sum c_k.

    Args:
        n: arguments of f.
        difference: the bounded differences c_k: f changes by c_k at most where only its k-th argument does.
    """
    return _widths(t, "difference", difference, n)


@inequality(
    "P(max_{k<=n} |M_k - M_0| >= t)",
    needs="martingale",
    source="Pinelis, Ann. Probab. 22 (1994) 1679, Theorem 3.5",
)
def pinelis(t: Ball, *, n: int = 1, increment: Each) -> Ball:
    """2 exp(-t^2 / (2 sum c_k^2)) for the norm of a martingale of vectors, |D_k| <= c_k, in whatever dimension.

    Args:
        n: steps of the martingale.
        increment: the numbers c_k that bound the Euclidean (or any Hilbert) norm of the steps.
    """
    squares = total("increment", increment, n, checks.not_negative, lambda c: 4 * c * c)
    return 2 * _hoeffding(t, squares, total("increment", increment, n, checks.not_negative, lambda c: c))


@inequality(
    "P(M_k - M_0 >= t and <M>_k <= v for some k)",
    needs="martingale",
    source="Freedman, Ann. Probab. 3 (1975) 100, Theorem 1.6, with h(u) >= u^2/(2 + 2u/3)",
)
def freedman(t: Ball, *, variation: float, largest: float) -> Ball:
    """exp(-t^2 / (2 (v + bt/3))) where D_k <= b and <M>_k = sum_{j<=k} Var(D_j | past).

    Args:
        variation: v. Where <M>_n <= v always, this bounds the maximum itself.
        largest: b, at or above every step.
    """
    v, b = ball(checks.not_negative("variation", variation)), ball(checks.positive("largest", largest))
    return (-(t**2) / (2 * (v + b * t / 3))).exp()


@inequality(
    "P(M_k - M_0 >= t and <M>_k <= v for some k)",
    needs="martingale",
    source="Freedman, Ann. Probab. 3 (1975) 100, Theorem 1.6",
)
def freedman_bennett(t: Ball, *, variation: float, largest: float) -> Ball:
    """exp(-(v/b^2) h(bt/v)), h(u) = (1+u) ln(1+u) - u, where D_k <= b; never above `freedman`.

    Args:
        variation: v, a bound on <M>_k = sum_{j<=k} Var(D_j | past).
        largest: b, at or above every step.
    """
    v, b = ball(checks.not_negative("variation", variation)), ball(checks.positive("largest", largest))
    if v == 0:
        return ball(0) if t > 0 else ball(1)
    return bennett_form(t, v, b)


@inequality(
    "P(M_k - M_0 >= t and <M>_k <= v for some k <= n)",
    needs="martingale",
    source="Fan, Grama, Liu, Stochastic Process. Appl. 122 (2012) 3545, Theorem 2.1",
)
def fan_grama_liu(t: Ball, *, n: int, variation: float, largest: float) -> Ball:
    """exp(-n KL((s+u)/(1+u) || u/(1+u))), s = t/(nb), u = v/(nb^2), where D_k <= b; 0 where t > nb.

    The tail of n two-point steps, b or -v/(nb), by Chernoff; never above `freedman_bennett`.

    Args:
        n: steps of the martingale, at most.
        variation: v, a bound on <M>_k = sum_{j<=k} Var(D_j | past).
        largest: b, at or above every step.
    """
    n = checks.count("n", n)
    v, b = ball(checks.not_negative("variation", variation)), ball(checks.positive("largest", largest))
    room = n * b - t
    if room < 0 or (v == 0 and t > 0):
        return ball(0)
    if t == 0:
        return ball(1)
    rises = (b * t + v) * (1 + b * t / v).log()
    falls = ball(0) if room == 0 else b * room * (room / (n * b)).log()
    return (-(rises + falls) * n / (n * b * b + v)).exp()


@inequality(
    "P(M_k - M_0 >= t and ([M]_k + 2 <M>_k)/3 <= v for some k)",
    needs="martingale",
    source="Delyon, Electron. J. Probab. 14 (2009) 752, Theorem 4: e^(x - x^2/6) <= 1 + x + x^2/3",
)
def delyon(t: Ball, *, variation: float) -> Ball:
    """exp(-t^2 / (2v)) for steps of any size, [M]_k = sum_{j<=k} D_j^2 and <M>_k = sum_{j<=k} Var(D_j | past).

    Args:
        variation: v, a bound on ([M]_k + 2 <M>_k)/3.
    """
    return (-(t**2) / (2 * ball(checks.positive("variation", variation)))).exp()


@inequality(
    "P(M_k - M_0 >= t and [M]_k <= v for some k)",
    needs="martingale",
    source="de la Peña, Ann. Probab. 27 (1999) 537, Theorem 6.1: cosh(x) <= e^(x^2/2)",
)
def de_la_pena(t: Ball, *, variation: float) -> Ball:
    """exp(-t^2 / (2v)) where each step is, given the past, symmetric: as likely D_k as -D_k; of any size.

    Args:
        variation: v, a bound on the quadratic variation [M]_k = sum_{j<=k} D_j^2.
    """
    return (-(t**2) / (2 * ball(checks.positive("variation", variation)))).exp()


def bennett_form(t: Ball, v: Ball, b: Ball) -> Ball:
    """exp(-(v/b^2) h(bt/v)), h(u) = (1+u) ln(1+u) - u: Chernoff's bound for b(N - E N), N Poisson, E N = v/b^2."""
    return ((t - (t + v / b) * (1 + b * t / v).log()) / b).exp()


def _widths(t: Ball, name: str, width: Each, n: int) -> Ball:
    squares = total(name, width, n, checks.not_negative, lambda c: c * c)
    return _hoeffding(t, squares, total(name, width, n, checks.not_negative, lambda c: c))


def _hoeffding(t: Ball, squares: Ball, reach: Ball) -> Ball:
    """exp(-2 t^2 / sum of squared widths), and 0 beyond what the path can reach."""
    return ball(0) if t > reach else (-2 * t**2 / squares).exp()
