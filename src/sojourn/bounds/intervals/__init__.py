"""Confidence intervals for a number of observations that was fixed beforehand, one method a file."""

from sojourn.bounds.intervals.asymptotic import normal, student
from sojourn.bounds.intervals.bands import dvoretzky_kiefer_wolfowitz
from sojourn.bounds.intervals.binomial import clopper_pearson
from sojourn.bounds.intervals.bounded import empirical_bernstein, hoeffding_interval, maurer_pontil_half_width
from sojourn.bounds.intervals.wagers import betting

__all__ = [
    "betting",
    "clopper_pearson",
    "dvoretzky_kiefer_wolfowitz",
    "empirical_bernstein",
    "hoeffding_interval",
    "maurer_pontil_half_width",
    "normal",
    "student",
]
