"""Confidence intervals for a number of observations that was fixed beforehand, one method a file."""

from sojourn.bounds.intervals.betting import betting
from sojourn.bounds.intervals.clopper_pearson import clopper_pearson
from sojourn.bounds.intervals.dvoretzky_kiefer_wolfowitz import dvoretzky_kiefer_wolfowitz
from sojourn.bounds.intervals.empirical_bernstein import empirical_bernstein, maurer_pontil_half_width
from sojourn.bounds.intervals.hoeffding import hoeffding_interval
from sojourn.bounds.intervals.normal import normal, student

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
