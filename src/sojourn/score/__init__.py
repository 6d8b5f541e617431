"""Score matching: a model of grad log p, learned without its normalising constant.

objectives.sliced(score, x, projections=1, reduced_variance=True, noise=Noise(0))     # to minimise
"""

from sojourn.score import objectives
from sojourn.score.annealed_importance import annealed_importance, log_mean
from sojourn.score.derivatives import DensityScore
from sojourn.score.energy import EnergyNetwork
from sojourn.score.fitting import fit_kernel_family
from sojourn.score.implicit import WAE, BernoulliDecoder, GaussianVAE, ImplicitEncoder, ImplicitVAE, ScoreNetwork
from sojourn.score.kernel_family import DeepKernelExponentialFamily, Quadratic
from sojourn.score.langevin import AnnealedLangevin, Langevin
from sojourn.score.nice import NICE
from sojourn.score.partition import LogPartition, log_likelihood, log_partition
from sojourn.score.reverse import DiffusionScore, ReverseSDE
from sojourn.score.stationary import StationaryScore, current_velocity, entropy_production, stationary_score

__all__ = [
    "NICE",
    "WAE",
    "AnnealedLangevin",
    "BernoulliDecoder",
    "DeepKernelExponentialFamily",
    "DensityScore",
    "DiffusionScore",
    "EnergyNetwork",
    "GaussianVAE",
    "ImplicitEncoder",
    "ImplicitVAE",
    "Langevin",
    "LogPartition",
    "Quadratic",
    "ReverseSDE",
    "ScoreNetwork",
    "StationaryScore",
    "annealed_importance",
    "current_velocity",
    "entropy_production",
    "fit_kernel_family",
    "log_likelihood",
    "log_mean",
    "log_partition",
    "objectives",
    "stationary_score",
]
