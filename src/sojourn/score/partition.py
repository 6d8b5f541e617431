"""Normalising constants of densities that are a known law times a bounded factor, with intervals; likelihoods by them.

log p = correction + log q0 - log Z,   so Z = E_q0 exp(correction):   the mean of weights w, and w <= exp(most)

Weights come from draws of q0 (importance sampling), or along a path from q0 to p (`annealed_importance`), which
keeps both their mean and their bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import empirical_bernstein, student
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.score.annealed_importance import annealed_importance, log_mean
from sojourn.score.energy import EnergyNetwork
from sojourn.score.kernel_family import DeepKernelExponentialFamily

_CHUNK = 10_000  # draws at a time
_USEFUL = math.log(2)  # how far above the value a guaranteed end may lie
_FEWEST = 500  # draws in effect for an end by Student


@dataclass(frozen=True)
class LogPartition:
    """log Z, and how far to trust it.

    Attributes:
        log_z: the estimate.
        effective: (sum w)^2 / sum w^2, the number of equal weights that would vary as much; far below the number of
            draws, few weights make the mean, and others like them may not have been seen.
    """

    log_z: Estimate
    effective: float

    def __str__(self) -> str:
        return f"log Z = {self.log_z}, {self.effective:.0f} of {self.log_z.observations} draws in effect"


def log_partition(
    model: DeepKernelExponentialFamily | EnergyNetwork,
    *,
    noise: Noise,
    draws: int = 20_000,
    temperatures: int = 1,
    confidence: float = 0.95,
) -> LogPartition:
    """log Z of log p = correction + log q0 - log Z, with an interval.

    The lower end always holds at this number of draws: weights are positive and of mean Z, see `log_mean`. The upper
    end cannot, but for a bound: the correction is at most the sum of |alpha|, of a family that of the alpha above zero.
    Where the bound puts the end (Maurer and Pontil's) within a factor of two of the value, both ends are guaranteed;
    that takes about 10 exp(bound) / Z draws. Else the upper end is Student's, and the guarantee "asymptotic": weights
    too rare to be seen are not covered. Of such ends that should fail with 0.05, 0.09 did with 270 draws in effect and
    0.06 with 520 or 1030 (500 runs each). With fewer than 500 in effect (the effective sample size) few weights make
    the mean, and there is no upper end: take more draws or temperatures.

    Args:
        model: a family with its alpha set, or a network.
        noise: where the draws come from.
        draws: of q0, or chains, a sixteenth of which only tunes steps where there are temperatures.
        temperatures: of annealed importance sampling; 1 is importance sampling.

    Raises:
        InputError: fewer than two draws; as in `annealed_importance`.
    """
    if not isinstance(model, (DeepKernelExponentialFamily, EnergyNetwork)):
        raise InputError(f"{type(model).__name__} is neither a DeepKernelExponentialFamily nor an EnergyNetwork")
    least = 2 if temperatures == 1 else 3  # one tunes the others' steps
    if draws < least:
        raise InputError(f"draws={draws} are too few; give {least} or more")
    logs = _weights(model, draws, temperatures, noise)
    found = log_mean(logs, confidence=confidence)
    effective = float(torch.exp(2 * torch.logsumexp(logs, 0) - torch.logsumexp(2 * logs, 0)))
    high = _upper(logs, _most(model), confidence)
    useful = high <= found.value + _USEFUL
    if effective >= _FEWEST and not useful:
        return LogPartition(found, effective)
    guaranteed = replace(
        found,
        high=high if useful else math.inf,
        guarantee="at this n",
        method="bets below, Maurer-Pontil above" if useful else "bets below, open above",
        assumes="the draws are independent",
        limits=("rounding of the density",),
    )
    return LogPartition(guaranteed, effective)


def log_likelihood(model: DeepKernelExponentialFamily | EnergyNetwork, x: Tensor, log_z: Estimate) -> Estimate:
    """The mean of log p over data x (n, D), in nats: Student's interval of log p + log Z, less that of log Z.

    Both intervals have the confidence of log_z; each may fail, so the result has twice the error: with 0.975, 0.95.
    """
    if not isinstance(log_z, Estimate):
        raise InputError(f"log_z is a {type(log_z).__name__}; give an Estimate, such as log_partition(...).log_z")
    if not log_z.confidence > 0.5:
        raise InputError(f"log_z has confidence {log_z.confidence}; two such intervals promise nothing, give above 0.5")
    with torch.no_grad():
        terms = torch.cat([model.correction(part) + model.log_base(part) for part in x.split(_CHUNK)])
    data = student(terms.double(), confidence=log_z.confidence)
    return Estimate(
        data.value - log_z.value,
        data.low - log_z.high,
        data.high - log_z.low,
        1 - 2 * (1 - log_z.confidence),
        "asymptotic",
        f"Student, less log Z by {log_z.method}",
        f"{data.assumes}; {log_z.assumes}",
        tuple(dict.fromkeys((*data.limits, *log_z.limits))),
        len(x),
        unit="nats",
    )


def _weights(model: DeepKernelExponentialFamily | EnergyNetwork, draws: int, temperatures: int, noise: Noise) -> Tensor:
    """log w, float64."""
    alpha = model.alpha
    dimension = model.points.shape[1] if isinstance(model, DeepKernelExponentialFamily) else model.dimension
    start = model.base * noise.split("base").normal(0, draws, (dimension,), alpha.dtype, alpha.device)
    if temperatures == 1:
        with torch.no_grad():
            return torch.cat([model.correction(part) for part in start.split(_CHUNK)]).double()
    return annealed_importance(
        lambda z: model.correction(z) + model.log_base(z),
        start,
        model.log_base,
        temperatures=temperatures,
        noise=noise.split("path"),
    )


def _most(model: DeepKernelExponentialFamily | EnergyNetwork) -> float:
    """The most that the correction can be: kernels lie in [0, 1], the terms of a network in [-1, 1]."""
    alpha = model.alpha.detach().double()
    return float((alpha.clamp(min=0) if isinstance(model, DeepKernelExponentialFamily) else alpha.abs()).sum())


def _upper(logs: Tensor, most: float, confidence: float) -> float:
    """The upper end of log of the mean of weights of at most exp(most); inf where it would be useless."""
    unit = float(logs.max())
    if most - unit > math.log(len(logs)):
        return math.inf
    bound = math.exp(max(most - unit, 0.0))
    values = np.minimum(np.exp((logs - unit).cpu().numpy()), bound)
    end = empirical_bernstein(values, range=(0.0, bound), confidence=(1 + confidence) / 2, side="upper").high
    return math.nextafter(unit + math.log(end), math.inf)
