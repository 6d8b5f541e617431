"""What `expectation` returns: a value, its interval, what that interval says and does not say, and the levels."""

from __future__ import annotations

from dataclasses import dataclass, field

from sojourn.bounds.estimate import Estimate


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


@dataclass(frozen=True, kw_only=True)
class MultilevelEstimate(Estimate):
    """E[f(X_T)]: an `Estimate` whose interval is value -+ (statistical + bias), and how it came about.

    The guarantee is "asymptotic" even where the statistical part is an inequality's, because the bias is extrapolated.

    Attributes:
        statistical: half width for the error of sampling, which has the stated confidence.
        bias: the estimated size of E f(X_T by the finest steps) - E f(X_T).
        statement: what each of the two parts says, in words.
        checks: what was looked at, and found.
        levels: the rows of the table.
        alpha: fitted weak order and its standard error; None where the differences drown in their noise.
        beta: fitted order of the differences' variance and its standard error; None where there is none.
        scheme: how the paths were stepped.
        cost: steps of the scheme in all, with levels that were tried and left.
        seconds: how long it took.
    """

    statistical: float
    bias: float
    statement: str
    checks: tuple[str, ...]
    levels: tuple[LevelRow, ...]
    alpha: tuple[float, float] | None
    beta: tuple[float, float] | None
    scheme: str
    cost: float
    seconds: float = field(compare=False)

    def explain(self) -> str:
        """The estimate, its two parts, the levels, what was checked, and what is not covered."""
        estimate, *conditions = super().explain().split("\n")
        lines = [
            f"{estimate}: {self.statistical:.2g} statistical, {self.bias:.2g} estimated bias",
            f"{'dt':>12} {'paths':>12} {'mean':>13} {'variance':>11} {'kurtosis':>9} {'cost':>10}",
        ]
        lines += [
            f"{row.dt:>12.5g} {row.paths:>12,} {row.mean:>13.5g} {row.variance:>11.3g} {row.kurtosis:>9.3g} "
            f"{row.cost:>10.3g}"
            for row in self.levels
        ]
        lines.append(f"{self.scheme}: {self.cost:.3g} steps of paths in {self.seconds:.2g} s")
        return "\n".join([*lines, self.statement, *self.checks, *conditions])
