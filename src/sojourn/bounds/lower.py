"""Lower bounds on tails: P(S >= t) is at least so much. No bound from above can be smaller.

For binomial sums t is the level k itself, not a deviation from np; each level counts as the next whole number.
"""

from __future__ import annotations

from fractions import Fraction

from flint import arb

from sojourn.bounds import checks
from sojourn.bounds.exact import normal, whole
from sojourn.bounds.inequality import inequality
from sojourn.bounds.rounding import Ball, ball
from sojourn.bounds.terms import Each, total
from sojourn.errors import InputError


@inequality(
    "P(Z > t)",
    direction="below",
    source="Paley and Zygmund, Proc. Cambridge Philos. Soc. 28 (1932) 190; Boucheron, Lugosi, Massart (2013), Ex. 2.4",
)
def paley_zygmund(t: Ball, *, mean: float, second_moment: float) -> Ball:
    """(E Z - t)^2 / E Z^2 for Z >= 0 and 0 <= t <= E Z: (1 - θ)^2 (E Z)^2 / E Z^2 at t = θ E Z. 0 where t > E Z.

    Args:
        mean: E Z, or less.
        second_moment: E Z^2, or more.
    """
    m, square = ball(checks.positive("mean", mean)), ball(checks.positive("second_moment", second_moment))
    if square < m**2 * (1 - 1e-9):
        raise InputError(
            f"second_moment={second_moment:g} is below mean^2 = {mean**2:g}, which no law allows; "
            f"give E Z^2 and E Z of one law"
        )
    return (m - t).max(ball(0)) ** 2 / square.max(m**2)  # less can be rounding only


@inequality(
    "P(B >= t), B ~ Bin(n, p)",
    needs="iid",
    direction="below",
    source="Ash, Information Theory (1965), Lemma 4.7.2",
)
def ash(t: Ball, *, n: int, p: float) -> Ball:
    """exp(-n KL(k/n || p)) / sqrt(8 k (1 - k/n)) for np <= k < n; p^n for k = n; a level below np counts as np.

    P(B = k) alone is as much, for 0 < k < n, whatever p is; equal for n = 2, k = 1.

    Args:
        n: number of trials.
        p: probability of a success, in (0, 1).
    """
    k, n, chance = _level(t, n, p)
    if k > n:
        return ball(0)
    if k == n:
        return chance**n
    share = ball(k) / n
    divergence = share * (share / chance).log() + (1 - share) * ((1 - share) / (1 - chance)).log()
    return (-n * divergence).exp() / (8 * k * (1 - share)).sqrt()


@inequality(
    "P(B >= t), B ~ Bin(n, p)",
    needs="iid",
    direction="below",
    source="Slud, Ann. Probab. 5 (1977) 404, Theorem 2.1",
)
def slud(t: Ball, *, n: int, p: float) -> Ball:
    """Q((k - np) / sqrt(np (1 - p))) for np <= k <= n where p <= 1/4, and for np <= k <= n (1 - p); else 0.

    Q is the tail of the standard normal law; a level below np counts as np. Elsewhere it can fail: n = 12, k = 12,
    p = 0.47.

    Args:
        n: number of trials.
        p: probability of a success, in (0, 1).
    """
    k, n, chance = _level(t, n, p)
    if not (k <= n if p <= 0.25 else k <= n * (1 - chance)):
        return ball(0)
    return normal((k - n * chance) / (n * chance * (1 - chance)).sqrt())


@inequality(
    "P(S - E S >= t), S normal",
    needs="independent",
    direction="below",
    source="Birnbaum, Ann. Math. Statist. 13 (1942) 245",
)
def mills(t: Ball, *, n: int = 1, variance: Each) -> Ball:
    """2 f(z) / (z + sqrt(z^2 + 4)), z = t / sqrt(Var S), f the standard normal density; above f(z) z / (1 + z^2).

    Args:
        n: terms of the sum.
        variance: the variance of each term, or less.
    """
    z = t / total("variance", variance, n, checks.positive, lambda v: v).sqrt()
    return 2 * (-(z**2) / 2).exp() / (2 * arb.pi()).sqrt() / (z + (z**2 + 4).sqrt())


def _level(t: Ball, n: int, p: float) -> tuple[int, int, Ball]:
    """The least whole number that is certainly not below t, nor below np; and n and p, checked."""
    n, chance = checks.count("n", n), checks.inside("p", p)
    first = -int(-(n * Fraction(chance)) // 1)  # np, rounded up
    return max(whole(t.upper().ceil()), first), n, ball(chance)
