"""Score matching: a model of grad log p, learned without its normalising constant.

objectives.sliced(score, x, projections=1, reduced_variance=True, noise=Noise(0))     # to minimise
"""

from sojourn.score import objectives
from sojourn.score.derivatives import DensityScore
from sojourn.score.fitting import fit_kernel_family
from sojourn.score.kernel_family import DeepKernelExponentialFamily, Quadratic
from sojourn.score.langevin import AnnealedLangevin, Langevin
from sojourn.score.nice import NICE
from sojourn.score.stationary import StationaryScore, current_velocity, entropy_production, stationary_score

__all__ = [
    "NICE",
    "AnnealedLangevin",
    "DeepKernelExponentialFamily",
    "DensityScore",
    "Langevin",
    "Quadratic",
    "StationaryScore",
    "current_velocity",
    "entropy_production",
    "fit_kernel_family",
    "objectives",
    "stationary_score",
]
