"""The stationary law of a diffusion from its paths: score, probability current, entropy production.

Of dX = a dt + B dW with S = B B^T and the stationary density p, the probability current is J = p v with
    v = a - div S / 2 - S grad log p / 2,     (div S)_i = sum_k d_k S_ik
and the entropy production rate is E v^T (S / 2)^-1 v, zero where the process is reversible.

Source: Pavliotis, Stochastic Processes and Applications (2014), chapter 4; Boffi and Vanden-Eijnden (2024), for the
score learned from paths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import xarray as xr
from torch import Tensor

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import student
from sojourn.data.paths import path_states
from sojourn.errors import InputError
from sojourn.score.derivatives import check_like, divergence
from sojourn.score.fitting import fit_kernel_family
from sojourn.score.kernel_family import DeepKernelExponentialFamily
from sojourn.trajectory import Trajectory

_HELD = 5  # one member in so many validates
_FEWEST = 10  # members, of which two validate


@dataclass(frozen=True, eq=False)
class StationaryScore:
    """x (n, d) -> grad log p(x) of the stationary law, learned from paths.

    Attributes:
        family: the density of (x - mean) whiten.
        mean: (d,).
        whiten: (d, d).
    """

    family: DeepKernelExponentialFamily
    mean: Tensor
    whiten: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        y = (x.to(self.whiten.dtype) - self.mean) @ self.whiten
        with torch.no_grad():
            s = self.family(y.to(self.family.points.dtype)).to(self.whiten.dtype)
        return (s @ self.whiten.T).to(x.dtype)


def stationary_score(
    trajectory: Trajectory | xr.Dataset,
    names: Sequence[str] | None = None,
    *,
    skip: int = 0,
    seed: int = 0,
    **options: Any,
) -> StationaryScore:
    """The score of the law that the paths of a trajectory follow, by sliced score matching.

    Args:
        trajectory, names: as in `sojourn.data.path_states`.
        skip: frames at the start that have not forgotten it.
        seed: of the fit.
        options: of `fit_kernel_family`.

    Raises:
        InputError: fewer than ten members, or no frame left; as in `path_states` and `fit_kernel_family`.
    """
    states = _frames(trajectory, names, skip)
    members, _, d = states.shape
    if members < _FEWEST:
        raise InputError(
            f"{members} members are too few: a fifth of them, at least two, validate; simulate {_FEWEST} or more"
        )
    held = states[: members // _HELD].reshape(-1, d)
    learned = states[members // _HELD :].reshape(-1, d)
    mean = learned.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(learned.T).reshape(d, d))
    if not bool((values > 1e-12 * values.max()).all()):
        raise InputError("the states lie in a plane, where there is no density; leave out fields that others determine")
    whiten = vectors / values.sqrt()
    parts = [((part - mean) @ whiten).float() for part in (learned, held)]
    return StationaryScore(fit_kernel_family(*parts, seed=seed, **options), mean, whiten)


def current_velocity(
    drift: Callable[[Tensor], Tensor],
    diffusion: Callable[[Tensor], Tensor],
    score: Callable[[Tensor], Tensor],
    x: Tensor,
) -> Tensor:
    """v = a - div S / 2 - S grad log p / 2 at x (n, d).

    Args:
        drift: x -> a, (n, d).
        diffusion: x -> B, (n, d, m), or (n, d) if diagonal; differentiable forwards.
        score: x -> grad log p, (n, d).
    """
    s = check_like(score(x), x)
    pushed = (_covariance(diffusion, x) @ s.unsqueeze(2)).squeeze(2)
    return drift(x) - (divergence(lambda y: _covariance(diffusion, y), x) + pushed) / 2


def entropy_production(
    drift: Callable[[Tensor], Tensor],
    diffusion: Callable[[Tensor], Tensor],
    score: Callable[[Tensor], Tensor],
    trajectory: Trajectory | xr.Dataset,
    names: Sequence[str] | None = None,
    *,
    skip: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """E v^T (S / 2)^-1 v in the time unit of the drift, over the frames of a trajectory; arguments as above.

    The interval is Student's over members, whose frames may depend on each other. It does not contain the errors of
    drift, diffusion and score; use a trajectory from which the score was not learned.
    """
    states = _frames(trajectory, names, skip)
    x = states.flatten(0, 1)
    v = current_velocity(drift, diffusion, score, x)
    rate = 2 * (v * torch.linalg.solve(_covariance(diffusion, x), v.unsqueeze(2)).squeeze(2)).sum(1)
    return student(rate.view(len(states), -1).mean(1), confidence=confidence)


def _frames(trajectory: Trajectory | xr.Dataset, names: Sequence[str] | None, skip: int) -> Tensor:
    states = path_states(trajectory, names)
    frames = states.shape[1]
    if not 0 <= skip < frames:
        raise InputError(f"skip={skip} leaves none of {frames} frames; choose 0 ... {frames - 1}")
    return states[:, skip:]


def _factor(diffusion: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    B = diffusion(x)
    return torch.diag_embed(B) if B.ndim == 2 else B


def _covariance(diffusion: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    B = _factor(diffusion, x)
    return B @ B.mT
