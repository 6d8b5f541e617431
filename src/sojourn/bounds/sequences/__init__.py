"""Confidence sequences: intervals that hold at all times at once, one method a file."""

from sojourn.bounds.sequences.betting import Betting
from sojourn.bounds.sequences.catoni import Catoni
from sojourn.bounds.sequences.empirical_bernstein import EmpiricalBernstein
from sojourn.bounds.sequences.hoeffding import Hoeffding
from sojourn.bounds.sequences.normal_mixture import NormalMixture
from sojourn.bounds.sequences.sequence import ConfidenceSequence
from sojourn.bounds.sequences.stitched import Stitched

__all__ = [
    "Betting",
    "Catoni",
    "ConfidenceSequence",
    "EmpiricalBernstein",
    "Hoeffding",
    "NormalMixture",
    "Stitched",
]
