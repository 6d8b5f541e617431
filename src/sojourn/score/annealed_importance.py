"""Annealed importance sampling: the normalising constant of a density, along a path from a known density.

log f_t = (1 - b_t) log base + b_t log target,   0 = b_0 < ... < b_T = 1
w = prod_t f_t(z_{t-1}) / f_{t-1}(z_{t-1}),   z_0 of the base, z_t by a move that keeps f_t;   E w = Z

A move is Hamiltonian: leapfrog steps from a normal momentum, accepted or refused by Metropolis' rule. Steps that
learned from a chain's own past would spoil E w = Z, so a few chains scout: their acceptance sets the steps of the
others, and their weights are not used (pilot chains, in other words). Given the scouts, the others are independent of
each other.

Source: Neal, Annealed importance sampling (2001); Wu, Burda, Salakhutdinov and Grosse, On the quantitative analysis of
decoder-based generative models (2017), for the Hamiltonian moves, the schedule and the acceptance of 0.65.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import stdtrit
from torch import Tensor

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.sides import checked
from sojourn.errors import InputError
from sojourn.noise import Noise

LogDensity = Callable[[Tensor], Tensor]
"""z (chains, ..., d) -> (chains, ...), differentiable."""

_SCOUTS = 16  # one chain in so many, at least one
_ACCEPTED = 0.65
_GAIN = 0.05  # change of log step for each unit of acceptance too much, after a start that changes more
_JITTER = 0.2  # steps vary by this share, or a path of the period of an oscillation would lead nowhere
_STEEPNESS = 4.0  # of the schedule


def annealed_importance(
    log_target: LogDensity,
    start: Tensor,
    log_base: LogDensity,
    *,
    temperatures: int = 1000,
    leapfrog: int = 10,
    step_size: float = 0.1,
    noise: Noise,
) -> Tensor:
    """log w of each chain that is no scout, float64, (chains - scouts, ...): E w = Z of the target, at any settings.

    The first chains scout, one in 16 and at least one. Chains along axis 0 with the same place on the other axes form
    an ensemble with scouts and steps of its own, so data may be split: of data first, first + 1, ... alone
    (counted through all axes between) with `noise.members(first)` the weights are the same, as far as log_target rounds
    the same. Memory is that of one evaluation of log_target with its gradient; split the data where that is too much.

    Args:
        log_target: unnormalised; data that it depends on belong to the axes between the first and the last.
        start: exact, independent draws of the base, (chains, d) or (chains, ..., d).
        log_base: normalised.
        temperatures: T; with 1 it is plain importance sampling.
        leapfrog: steps of a move.
        step_size: at first; it goes to where 0.65 of the scouts' moves are accepted.

    Raises:
        InputError: fewer than two chains; a log density of the base that is not finite at the start, or of the target
            that is NaN or inf; one of another shape or type than the points ask for, or without a gradient.
    """
    _check(start, temperatures, leapfrog, step_size)
    scouts = max(1, len(start) // _SCOUTS)
    path = _Path(log_base, log_target)
    place = path.at(start)
    if not bool(place.base.isfinite().all()):
        raise InputError("the log density of the base is not finite at a point of the start; give draws of the base")
    if bool(place.target.isnan().any() or place.target.isposinf().any()):
        raise InputError("the log density of the target is NaN or inf at a point of the start; mend it")
    log_step = torch.full(start.shape[1:-1], math.log(step_size), dtype=torch.float64, device=start.device)
    log_weights = torch.zeros(start.shape[:-1], dtype=torch.float64, device=start.device)
    sources = noise.split("momentum"), noise.split("chance")
    for t, (before, b) in enumerate(pairwise(schedule(temperatures))):
        log_weights += (b - before) * (place.target - place.base).double()
        if t + 1 < temperatures:  # a move after the last weight changes nothing
            momentum, chance, jitter = _draws(start, sources, t)
            step = (log_step.exp() * (1 + _JITTER * (2 * jitter - 1))).to(start.dtype).unsqueeze(-1)
            alive = place.value(b)[:scouts].isfinite()  # where the target is zero no step is too large
            place, accepted = _moved(path, place, b, momentum, chance, step, leapfrog)
            excess = torch.where(alive, accepted[:scouts] - _ACCEPTED, 0.0).sum(0) / alive.sum(0).clamp(min=1)
            log_step += max(_GAIN, (t + 1) ** -0.5) * excess
    return log_weights[scouts:]


def schedule(temperatures: int) -> list[float]:
    """b_0 = 0 ... b_T = 1 along a sigmoid, slow at both ends."""

    def sigmoid(u: float) -> float:
        return 1 / (1 + math.exp(-_STEEPNESS * u))

    span = sigmoid(1) - sigmoid(-1)
    inner = [(sigmoid(2 * t / temperatures - 1) - sigmoid(-1)) / span for t in range(1, temperatures)]
    return [0.0, *inner, 1.0]


def log_mean(log_weights: Tensor, *, confidence: float = 0.95) -> Estimate:
    """log of the mean weight of one ensemble, (n,), with an interval for log Z whose two ends promise different things.

    The lower end holds at every n for any independent weights w >= 0 of mean Z. A bettor against Z multiplies capital
    by 1 - l + l w / Z at each weight, which in mean leaves it as it was. Split evenly over l = 1, 1/2, 1/4, ... it
    reaches 1 / delta with probability delta at most, and the lower end is the last Z that this refutes. The share l = 1
    by itself gives log Z >= mean log w - log(1 / delta) / n, the smallest about Markov's log mean w - log(1 / delta).

    The upper end is Student's on the weights. No upper end can hold for all weights: a mode that no chain reached
    leaves no trace in them. So this is the estimate to show, and its lower end alone is one to rely upon.

    Raises:
        InputError: fewer than two weights; NaN or inf among them; all of them zero.
    """
    error = float(checked(confidence, "both", 1))
    logs = log_weights.detach().cpu().double().numpy()
    n = logs.size
    if logs.ndim != 1 or n < 2:
        raise InputError(
            f"log weights have shape {logs.shape}; give those of one ensemble, (n,) with n >= 2, such as weights[:, 0]"
        )
    if np.isnan(logs).any() or not np.isfinite(logs.max()):
        raise InputError(f"the largest log weight is {logs.max()}; an estimate needs a finite one, and no NaN")
    w = np.exp(logs - logs.max())
    reach = float(-stdtrit(n - 1, error)) * float(w.std(ddof=1)) / math.sqrt(n)
    return Estimate(
        float(logs.max()) + math.log(float(w.mean())),
        _refuted(logs, error),
        float(logs.max()) + math.log(float(w.mean()) + reach),
        confidence,
        "asymptotic",
        "bets below, Student above",
        "the weights are independent and of mean Z, and the upper end saw what makes the mean",
        ("a mode that no chain reached, which would raise the upper end; the lower end holds at every n",),
        n,
    )


def _refuted(logs: np.ndarray, error: float) -> float:
    """The largest log Z, to 1e-9 and from below, at which the bettor's capital is 1 / error."""
    shares = 0.5 ** np.arange(math.ceil(math.log2(logs.size)) + 2)
    need = math.log(len(shares) / error)

    def short(z: float) -> float:
        """How much the log of the capital lacks; it grows with z."""
        y = np.minimum(logs - z, 700.0)  # a smaller weight wins less
        gain = np.exp(y) - 1
        won = [y.sum(), *(np.log1p(share * gain).sum() for share in shares[1:])]
        return need - float(np.logaddexp.reduce(won))

    high, reach = float(np.logaddexp.reduce(logs)) - math.log(logs.size), 1e-3  # at the mean no bettor wins, by Jensen
    while short(high - reach) > 0:
        reach *= 2
    root: Any = brentq(short, high - reach, high, xtol=1e-10)
    low = float(root)
    while short(low) > 0:
        low -= 1e-9 * max(1.0, abs(low))
    return low


@dataclass(frozen=True)
class _Place:
    z: Tensor
    base: Tensor
    target: Tensor
    base_slope: Tensor
    target_slope: Tensor

    def value(self, b: float) -> Tensor:
        return torch.lerp(self.base, self.target, b)

    def slope(self, b: float) -> Tensor:
        return torch.lerp(self.base_slope, self.target_slope, b)

    def where(self, chosen: Tensor, other: _Place) -> _Place:
        wide = chosen.unsqueeze(-1)
        return _Place(
            torch.where(wide, self.z, other.z),
            torch.where(chosen, self.base, other.base),
            torch.where(chosen, self.target, other.target),
            torch.where(wide, self.base_slope, other.base_slope),
            torch.where(wide, self.target_slope, other.target_slope),
        )


@dataclass(frozen=True)
class _Path:
    log_base: LogDensity
    log_target: LogDensity

    def at(self, z: Tensor) -> _Place:
        """Both log densities with their slopes, of which every f_t is made."""
        z = z.detach().requires_grad_()
        with torch.enable_grad():
            base, target = self.log_base(z), self.log_target(z)
            for name, found in (("base", base), ("target", target)):
                if found.shape != z.shape[:-1]:
                    raise InputError(
                        f"the log density of the {name} has shape {tuple(found.shape)} for points of shape "
                        f"{tuple(z.shape)}; give {tuple(z.shape[:-1])}"
                    )
                if found.dtype != z.dtype or not found.requires_grad:
                    wrong = f"is {found.dtype} for points of {z.dtype}" if found.requires_grad else "has no gradient"
                    raise InputError(f"the log density of the {name} {wrong}; moves need its gradient, in one type")
            (base_slope,), (target_slope,) = (torch.autograd.grad(y.sum(), z) for y in (base, target))
        return _Place(z.detach(), base.detach(), target.detach(), base_slope, target_slope)


def _moved(
    path: _Path, place: _Place, b: float, momentum: Tensor, chance: Tensor, step: Tensor, leapfrog: int
) -> tuple[_Place, Tensor]:
    """Where one move leads, and the probability with which it was accepted, (chains, ...)."""
    p, there = momentum + step / 2 * place.slope(b), place
    for k in range(leapfrog):
        there = path.at(there.z + step * p)
        p = p + (step if k + 1 < leapfrog else step / 2) * there.slope(b)
    gain = there.value(b) - place.value(b) + (momentum.square().sum(-1) - p.square().sum(-1)) / 2
    gain = torch.where(gain.isnan(), -math.inf, gain)  # the path left where numbers are finite
    return there.where((1 - chance).log() <= gain, place), gain.clamp(max=0).exp().double()


def _draws(start: Tensor, sources: tuple[Noise, Noise], t: int) -> tuple[Tensor, Tensor, Tensor]:
    """Momentum, and uniform numbers for the decision and the step; the members of the noise are ensembles."""
    chains, *data, d = start.shape
    momentum = sources[0].normal(t, math.prod(data), (chains, d), start.dtype, start.device)
    chance = sources[1].uniform(t, math.prod(data), (chains, 2), start.device)
    momentum, chance = (draw.transpose(0, 1).reshape(chains, *data, -1) for draw in (momentum, chance))
    return momentum, chance[..., 0], chance[..., 1]


def _check(start: Tensor, temperatures: int, leapfrog: int, step_size: float) -> None:
    if start.ndim < 2 or len(start) < 2 or not start.numel():
        raise InputError(
            f"start has shape {tuple(start.shape)}; give draws of the base as (chains, ..., d), with two chains or "
            "more, the first of which scout"
        )
    for name, value in (("temperatures", temperatures), ("leapfrog", leapfrog)):
        if value < 1:
            raise InputError(f"{name}={value} is below 1")
    if not step_size > 0:
        raise InputError(f"step_size={step_size} is not above zero")
