"""What one stage of a LifeNetwork can give: interval arithmetic over all 512 neighbourhoods, rounding included.

Cells are encoded in m channels; a dead cell's value lies in one box, a live cell's in another. For every neighbourhood,
    h_k in relu(b_k + sum w x),   y_j in relu(c_j + sum a h),   logit in w . y + d
with x anywhere in its cell's box. Every sum of n terms in float32 is within gamma_n sum|terms| of the exact one,
gamma_n = n u / (1 - n u), u = 2^-24, whatever the order of summation (Higham, "Accuracy and Stability", section 3.1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_UNIT = 2.0**-24
# bit 8 - j of an index is neighbour j of NW, N, NE, W, C, E, SW, S, SE
NEIGHBOURHOODS = (np.arange(512)[:, None] >> np.arange(8, -1, -1)) & 1


class Box(NamedTuple):
    """Lower and upper ends; arrays of one shape."""

    low: np.ndarray
    high: np.ndarray

    def hull(self, members: np.ndarray) -> Box:
        """The smallest box that holds those of `members`, a mask over axis 0; that holds all, if there are none."""
        members = members if members.any() else ~members
        return Box(self.low[members].min(axis=0), self.high[members].max(axis=0))


class Stage(NamedTuple):
    """Weights of one stage in float64: conv (2m, channels, 9), conv_bias (2m,), mix (m, 2m), mix_bias (m,)."""

    conv: np.ndarray
    conv_bias: np.ndarray
    mix: np.ndarray
    mix_bias: np.ndarray


def stages_of(network) -> tuple[list[Stage], np.ndarray, np.ndarray]:
    """The stages of a LifeNetwork, its readout (1, m) and the readout's bias (1,), in float64 (exactly)."""
    arrays = {name: tensor.detach().cpu().numpy().astype(np.float64) for name, tensor in network.state_dict().items()}
    stages = [
        Stage(
            arrays[f"conv.{k}.weight"].reshape(2 * network.width, -1, 9),
            arrays[f"conv.{k}.bias"],
            arrays[f"mix.{k}.weight"][:, :, 0, 0],
            arrays[f"mix.{k}.bias"],
        )
        for k in range(network.steps)
    ]
    return stages, arrays["readout.weight"].reshape(1, -1), arrays["readout.bias"]


def affine(weight: np.ndarray, bias: np.ndarray, x: Box) -> Box:
    """Float32 values of bias + weight @ x for x (cases, n) in a box; weight (outputs, n); boxes (cases, outputs).

    Where a sum could overflow, or something is not a number, the box is the whole line.
    """
    positive, negative, terms = np.maximum(weight, 0), np.minimum(weight, 0), weight.shape[1] + 2
    with np.errstate(invalid="ignore", over="ignore"):
        low = x.low @ positive.T + x.high @ negative.T + bias
        high = x.high @ positive.T + x.low @ negative.T + bias
        size = np.maximum(np.abs(x.low), np.abs(x.high)) @ np.abs(weight).T + np.abs(bias)
        error = rounding(terms, size)
        low, high = low - error, high + error
    known = np.isfinite(error) & np.isfinite(low) & np.isfinite(high)
    return Box(np.where(known, low, -np.inf), np.where(known, high, np.inf))


def rounding(terms: int, size: np.ndarray) -> np.ndarray:
    """Bound on the error of float32 sums of `terms` products whose sizes add up to `size`.

    gamma_n times the size, and 2^-126 a term for what underflows or is flushed to zero; infinite where the sum might
    overflow, from 2^126 on.
    """
    return np.where(size < 2.0**126, gamma(terms) * size + terms * 2.0**-126, np.inf)


def gamma(n: int) -> float:
    """Relative error of a float32 sum of n products; two terms more than needed cover the float64 arithmetic here."""
    return (n + 2) * _UNIT / (1 - (n + 2) * _UNIT)


def relu(x: Box) -> Box:
    """relu of a box."""
    return Box(np.maximum(x.low, 0), np.maximum(x.high, 0))


def through_stage(stage: Stage, dead: Box, live: Box) -> Box:
    """Outputs (512, m) for all neighbourhoods of cells whose channels lie in `dead` or `live` (channels,)."""
    alive = NEIGHBOURHOODS[:, None, :] == 1  # (512, channels, 9)
    low = np.where(alive, live.low[:, None], dead.low[:, None]).reshape(512, -1)
    high = np.where(alive, live.high[:, None], dead.high[:, None]).reshape(512, -1)
    hidden = relu(affine(stage.conv.reshape(len(stage.conv), -1), stage.conv_bias, Box(low, high)))
    return relu(affine(stage.mix, stage.mix_bias, hidden))
