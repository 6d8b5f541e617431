"""E[f(X_T)] of a diffusion within a tolerance, time steps included: multilevel Monte Carlo."""

from sojourn.multilevel.algorithm import expectation
from sojourn.multilevel.estimate import LevelRow, MultilevelEstimate

__all__ = ["LevelRow", "MultilevelEstimate", "expectation"]
