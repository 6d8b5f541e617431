"""Diffusion models (Ho, Jain and Abbeel 2020) whose every number can be checked.

model = DDPM(UNet((1, 28, 28)), Schedule.linear(steps=1000))
fit(model, x_0, Training(steps=10_000))
sj.simulate(model.reverse(samplers.DDIM(steps=50)), ensemble=64, seed=0)
model.bound(x_0)
"""

from sojourn.diffusion import guidance, losses, samplers
from sojourn.diffusion.continuous import ContinuousSchedule
from sojourn.diffusion.ddpm import DDPM
from sojourn.diffusion.exact import GaussianMixture
from sojourn.diffusion.fitting import fit
from sojourn.diffusion.flow import Likelihood, likelihood, log_density
from sojourn.diffusion.forward import Noising
from sojourn.diffusion.inpainting import Inpaint
from sojourn.diffusion.interpolation import interpolate
from sojourn.diffusion.learned_schedule import LearnedSchedule, fit_schedule
from sojourn.diffusion.networks import MLP, Classes, DiT, Image, UNet, Vector
from sojourn.diffusion.prediction import Edm, Prediction
from sojourn.diffusion.reverse import Reverse
from sojourn.diffusion.schedule import Schedule
from sojourn.diffusion.variational import Bound, bound

__all__ = [
    "DDPM",
    "MLP",
    "Bound",
    "Classes",
    "ContinuousSchedule",
    "DiT",
    "Edm",
    "GaussianMixture",
    "Image",
    "Inpaint",
    "LearnedSchedule",
    "Likelihood",
    "Noising",
    "Prediction",
    "Reverse",
    "Schedule",
    "UNet",
    "Vector",
    "bound",
    "fit",
    "fit_schedule",
    "guidance",
    "interpolate",
    "likelihood",
    "log_density",
    "losses",
    "samplers",
]
