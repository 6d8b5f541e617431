"""Samplers: ways to walk from noise to data, one file each."""

from sojourn.diffusion.samplers.ancestral import Ancestral
from sojourn.diffusion.samplers.ddim import DDIM, DDIMInverse
from sojourn.diffusion.samplers.dpm_solver import DPMSolverPP, DPMSolverPPSDE
from sojourn.diffusion.samplers.heun import Heun
from sojourn.diffusion.samplers.predictor_corrector import PredictorCorrector
from sojourn.diffusion.samplers.reverse_diffusion import ReverseDiffusion
from sojourn.diffusion.samplers.sampler import Grid, Sampler, SpacedSampler
from sojourn.diffusion.samplers.unipc import UniPC

__all__ = [
    "DDIM",
    "Ancestral",
    "DDIMInverse",
    "DPMSolverPP",
    "DPMSolverPPSDE",
    "Grid",
    "Heun",
    "PredictorCorrector",
    "ReverseDiffusion",
    "Sampler",
    "SpacedSampler",
    "UniPC",
]
