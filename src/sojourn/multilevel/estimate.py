"""What `expectation` returns: a value, its interval, what that interval says and does not say, and the levels."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LevelRow:
    """One level: on the first, of f itself; on the others, of the differences between dt and 2 dt.

    Args:
        dt: time step.
        paths: how many were run.
        mean, variance, kurtosis: of the samples.
        cost: steps of the scheme that they took.
    """

    dt: float
    paths: int
    mean: float
    variance: float
    kurtosis: float
    cost: float


@dataclass(frozen=True)
class MultilevelEstimate:
    """E[f(X_T)] with an interval for the error of sampling and of time steps.

    Args:
        value: the estimate.
        interval: value - half width, value + half width; half width = statistical + bias, at most the tolerance.
        confidence: of the statistical part.
        statistical: its half width, a Student quantile times the standard error.
        bias: the estimated size of E f(X_T by the finest steps) - E f(X_T).
        guarantee: what the interval says.
        limits: what it does not cover.
        checks: what was looked at, and found.
        levels: the rows of the table.
        alpha: fitted weak order and its standard error; None where the differences drown in their noise.
        beta: fitted order of the differences' variance and its standard error; None where there is none.
        scheme: how the paths were stepped.
        cost: steps of the scheme in all, with levels that were tried and left.
        seconds: how long it took.
    """

    value: float
    interval: tuple[float, float]
    confidence: float
    statistical: float
    bias: float
    guarantee: str
    limits: tuple[str, ...]
    checks: tuple[str, ...]
    levels: tuple[LevelRow, ...]
    alpha: tuple[float, float] | None
    beta: tuple[float, float] | None
    scheme: str
    cost: float
    seconds: float = field(compare=False)

    @property
    def half_width(self) -> float:
        """statistical + bias."""
        return self.statistical + self.bias

    def __str__(self) -> str:
        lines = [
            f"{self.value:.8g} +/- {self.half_width:.2g}   ({self.statistical:.2g} statistical at "
            f"{self.confidence:.4g}, {self.bias:.2g} estimated bias)",
            f"{'dt':>12} {'paths':>12} {'mean':>13} {'variance':>11} {'kurtosis':>9} {'cost':>10}",
        ]
        lines += [
            f"{row.dt:>12.5g} {row.paths:>12,} {row.mean:>13.5g} {row.variance:>11.3g} {row.kurtosis:>9.3g} "
            f"{row.cost:>10.3g}"
            for row in self.levels
        ]
        lines.append(f"{self.scheme}: {self.cost:.3g} steps of paths in {self.seconds:.2g} s")
        return "\n".join([*lines, self.guarantee, *self.checks, *(f"Not covered: {limit}" for limit in self.limits)])
