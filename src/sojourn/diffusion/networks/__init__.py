"""Networks of diffusion models: a U-Net (Ho et al. 2020), a transformer (Peebles and Xie 2023), an MLP.

The contract of every network:
    network.shape    the shape of one datum, such as (1, 28, 28) or (2,)
    network.outputs  1, or 2 where it also gives the variance's fraction ("learned_range")
    network(x, t, condition=None) -> (n, outputs * shape[0], *shape[1:])
with x (n, *shape); t (n,), the paper's time minus one, fractions allowed; and the condition as `conditions.py` has it:
None, classes (n,), vectors (n, k) or images (n, k, h, w).
"""

from sojourn.diffusion.networks.conditions import Classes, Condition, Image, Vector
from sojourn.diffusion.networks.dit import DiT
from sojourn.diffusion.networks.mlp import MLP
from sojourn.diffusion.networks.unet import UNet

__all__ = ["MLP", "Classes", "Condition", "DiT", "Image", "UNet", "Vector"]
