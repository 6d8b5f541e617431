"""Confidence intervals for a number of observations that was fixed beforehand, one method a file."""

from sojourn.bounds.intervals.clopper_pearson import clopper_pearson

__all__ = ["clopper_pearson"]
