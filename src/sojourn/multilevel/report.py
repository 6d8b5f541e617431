"""From a ladder to what the user sees: the rows, and sentences about what was found and what was not looked at."""

from __future__ import annotations

from sojourn.multilevel.estimate import LevelRow, MultilevelEstimate
from sojourn.multilevel.ladder import Ladder

EXTREME = 100.0
"""A kurtosis above which means of a few thousand are far from normal."""


def report(ladder: Ladder, seconds: float) -> MultilevelEstimate:
    """The estimate, its interval and its words."""
    value = float(ladder.means().sum())
    statistical = ladder.interval.half_width(ladder.samples())
    bias = ladder.bias()
    rows = tuple(
        LevelRow(level.fine.dt, level.paths, float(m), float(v), float(k), level.cost)
        for level, m, v, k in zip(
            ladder.used, ladder.means(), ladder.sample_variances(), ladder.kurtoses(), strict=True
        )
    )
    return MultilevelEstimate(
        value=value,
        low=value - statistical - bias,
        high=value + statistical + bias,
        confidence=ladder.interval.confidence,
        method=f"multilevel Monte Carlo, {ladder.interval.name}",
        assumes=f"the differences go on falling by 2^-{ladder.order_of_bias():.2g} a level",
        limits=_limits(ladder),
        observations=int(ladder.paths().sum()),
        statistical=statistical,
        bias=bias,
        statement=(
            f"{ladder.interval.sentence(statistical)} the mean at dt={rows[-1].dt:.3g}. "
            f"That mean is within about {bias:.2g} of E f(X_T), which is an extrapolation, not a bound."
        ),
        checks=_checks(ladder),
        levels=rows,
        alpha=ladder.alpha(),
        beta=ladder.beta(),
        scheme=ladder.process.scheme,
        cost=ladder.cost,
        seconds=seconds,
    )


def _checks(ladder: Ladder) -> tuple[str, ...]:
    out = []
    if alpha := ladder.alpha():
        out.append(f"Weak order: {alpha[0]:.2f} +/- {alpha[1]:.2f} fitted, {ladder.weak_order:g} in theory.")
    else:
        out.append(
            f"Weak order: not seen, because fewer than two differences are clear of their noise; {ladder.weak_order:g} "
            f"is taken from theory."
        )
    m, se, a = ladder.means(), ladder.standard_errors(), ladder.order_of_bias()
    gap = abs(m[-1] - m[-2] / 2**a)
    noise = (se[-1] ** 2 + (se[-2] / 2**a) ** 2) ** 0.5
    verdict = "agree with it within their noise" if gap <= 3 * noise else "do not agree with it within their noise"
    out.append(f"The last two differences {verdict}: {m[-2]:.3g} and {m[-1]:.3g}.")
    if beta := ladder.beta():
        line = f"Order of the variance: {beta[0]:.2f} +/- {beta[1]:.2f} fitted, {ladder.variance_order:g} in theory"
        low = beta[0] + 3 * beta[1] < ladder.variance_order - 0.2
        out.append(
            f"{line} for smooth f; it is lower, as where f jumps or has kinks, and costs paths." if low else f"{line}."
        )
    worst = float(ladder.kurtoses()[1:].max())
    if worst > EXTREME:
        out.append(
            f"A kurtosis of {worst:.0f} among the differences: rare large ones carry their variance, so the normal law "
            f"of the means is rough; the Student quantile is widened for it."
        )
    return tuple(out)


def _limits(ladder: Ladder) -> tuple[str, ...]:
    out = [
        "a bias that the last two differences do not show: one that cancels on them, or falls more slowly later",
        "events so rare that no path has met them",
    ]
    if ladder.start:
        first = ladder.used[0].fine.dt
        out.append(f"steps above dt={first:.3g}, which were tried and left as not worth their work or not finite")
    if float(ladder.sample_variances()[0]) == 0.0:
        out.append("anything else, if f is not a constant: every path gave the same value")
    return tuple(out)
