"""Samplers: ways to walk from noise to data, one file each."""

from sojourn.diffusion.samplers.ancestral import Ancestral
from sojourn.diffusion.samplers.ddim import DDIM, DDIMInverse
from sojourn.diffusion.samplers.sampler import Grid, Sampler

__all__ = ["DDIM", "Ancestral", "DDIMInverse", "Grid", "Sampler"]
