"""Averages of the weights along a training: by half-life, or by power functions of time that can be changed afterwards.

A power-function average weights the weights theta(tau) of the past, up to now = t, by

    p_t(tau) = (gamma + 1) tau^gamma / t^(gamma + 1),    0 <= tau <= t,

so its memory grows with the training. It is named by its relative width sigma_rel, the standard deviation of tau/t:
sigma_rel^2 = (gamma + 1)/((gamma + 2)^2 (gamma + 3)). With the weights constant between updates (theta_k on (k - 1, k])
it obeys exactly mean_t = beta_t mean_{t-1} + (1 - beta_t) theta_t with beta_t = (1 - 1/t)^(gamma + 1).

Any average in the span of stored ones can be had after the training, see `reconstruct`.
Source: Karras et al. 2024 (arXiv 2312.02696), section 3 and appendix C.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from sojourn.errors import InputError
from sojourn.runs import Run
from sojourn.training import checkpoint

STORED = (0.05, 0.10)
"""The relative widths whose averages a recorded training stores."""

SNAPSHOTS = 16
"""How many times a recorded training stores them. Widths from 0.03 to 0.25 then come out within 8%, from 0.05 to 0.12
within 0.4%, in the norm of `reconstruct`."""

LARGEST_ERROR = 0.1
"""The relative error of a profile above which `reconstruct` refuses it."""


@dataclass(frozen=True)
class PowerAverage:
    """The average whose profile is a power function of relative width `sigma_rel`, 0 < sigma_rel < 0.2887."""

    sigma_rel: float = 0.05

    def __post_init__(self) -> None:
        power(self.sigma_rel)


def reconstruct(run: Run, stage: str = "training", *, sigma_rel: float) -> dict[str, torch.Tensor]:
    """The power-function average of relative width `sigma_rel` at the end of a recorded training with a PowerAverage.

    It is the combination of the stored averages, with coefficients x that sum to 1, whose profile sum_i x_i p_i is
    nearest in L^2 to the profile asked for: a small linear system, since <p_i, p_j> has a closed form. A stored profile
    comes out exactly. (The sum is our addition: weights that no longer move come out exactly too.)

    Returns:
        The parameters by name, for `model.load_state_dict(..., strict=False)`.

    Raises:
        InputError: there is nothing stored, or no combination comes within 10% of the profile.
    """
    gamma = power(sigma_rel)
    folder = run.path / "checkpoints" / f"{stage}-averages"
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise InputError(f"{folder} holds no averages; train with average=PowerAverage() and a run to have them stored")
    named = [path.stem.partition("-") for path in paths]
    times = np.array([float(updates) for updates, _, _ in named])
    powers = np.array([power(float(width)) for _, _, width in named])
    coefficients, error = combine(times, powers, float(times.max()), gamma)
    if error > LARGEST_ERROR:
        raise InputError(
            f"sigma_rel={sigma_rel} is out of reach of the {len(paths)} stored averages: the nearest profile is "
            f"{100 * error:.0f}% away; choose one nearer to {' or '.join(map(str, STORED))}"
        )
    total: dict[str, torch.Tensor] = {}
    kind: dict[str, torch.dtype] = {}
    for path, coefficient in zip(paths, coefficients, strict=True):
        for name, tensor in checkpoint.load(path)[0].items():
            kind[name] = tensor.dtype
            total[name] = total.get(name, 0.0) + float(coefficient) * tensor.double()
    return {name: tensor.to(kind[name]) for name, tensor in total.items()}


def combine(times: np.ndarray, powers: np.ndarray, time: float, gamma: float) -> tuple[np.ndarray, float]:
    """Coefficients of the nearest profile, and its distance from the profile (time, gamma) over that one's norm."""
    n, times = len(times), times / time
    gram = inner_product(times[:, None], powers[:, None], times, powers)
    right = inner_product(times, powers, 1.0, gamma)
    # minimise |sum x_i p_i - p|^2 with sum x_i = 1, the multiplier last; the scale keeps the system's rows comparable
    scale = gram.mean()
    system = np.block([[gram, np.full((n, 1), scale)], [np.full((1, n), scale), np.zeros((1, 1))]])
    x = np.linalg.lstsq(system, np.append(right, scale), rcond=None)[0][:n]
    own = float(inner_product(1.0, gamma, 1.0, gamma))
    return x, math.sqrt(max(0.0, own - 2 * float(x @ right) + float(x @ gram @ x)) / own)


def inner_product(t, gamma, other_t, other_gamma):
    """The integral over tau of the product of two profiles; arrays broadcast.

    (g + 1)(h + 1)/(g + h + 1) m^(g + h + 1)/(t^(g + 1) s^(h + 1)) for the profiles (t, g) and (s, h), m = min(t, s).
    """
    least = np.minimum(t, other_t)
    shape = (least / t) ** gamma * (least / other_t) ** other_gamma * least / (t * other_t)
    return (gamma + 1) * (other_gamma + 1) / (gamma + other_gamma + 1) * shape


def power(sigma_rel: float) -> float:
    """gamma >= 0 of a relative width: the largest root of (g + 2)^2 (g + 3) = (g + 1)/sigma_rel^2."""
    if not 0.001 <= sigma_rel < 12**-0.5:
        raise InputError(f"sigma_rel={sigma_rel} is not in [0.001, 0.2887); 0.05 to 0.15 are usual")
    s = sigma_rel**-2
    return float(max(np.roots([1, 7, 16 - s, 12 - s]).real))


class Averages:
    """The averages that one training keeps, in the parameters' own precision; the first is the one asked for."""

    def __init__(
        self,
        parameters: dict[str, torch.nn.Parameter],
        wanted: PowerAverage | None,
        half_life: float | None,
        *,
        stored: bool,
    ) -> None:
        self.parameters = {name: p.detach() for name, p in parameters.items()}
        self.shares: dict[str, Callable[[int], float]] = {}
        self.widths: dict[float, str] = {}
        if half_life is not None:
            self.shares["average"] = lambda updates: 1.0 - 0.5 ** (1.0 / half_life)
        if wanted is not None:
            widths = dict.fromkeys((wanted.sigma_rel, *(STORED if stored else ())))
            self.widths = {width: f"average-{width}" for width in widths}
            self.shares = {label: _power_share(power(width)) for width, label in self.widths.items()}
        self.means = {label: [p.clone() for p in self.parameters.values()] for label in self.shares}

    def update(self, updates: int) -> None:
        """Takes in the weights after `updates` updates, 1 being the first."""
        for label, mean in self.means.items():
            torch._foreach_lerp_(mean, list(self.parameters.values()), self.shares[label](updates))  # pyright: ignore

    def tensors(self) -> dict[str, torch.Tensor]:
        """All of them by name, as a checkpoint holds them."""
        named = {label: zip(self.parameters, mean, strict=True) for label, mean in self.means.items()}
        return {f"{label}.{name}": mean for label, pairs in named.items() for name, mean in pairs}

    def snapshot(self, run: Run, stage: str, updates: int) -> None:
        """Stores the power-function averages in checkpoints/<stage>-averages/<updates>-<sigma_rel>.safetensors."""
        folder = run.folder("checkpoints") / f"{stage}-averages"
        folder.mkdir(exist_ok=True)
        for width, label in self.widths.items():
            tensors = dict(zip(self.parameters, self.means[label], strict=True))
            checkpoint.save(folder / f"{updates:010d}-{width}.safetensors", tensors)

    def put_in_place(self) -> None:
        """The average asked for replaces the weights; nothing if none was."""
        for mean in list(self.means.values())[:1]:
            torch._foreach_copy_(list(self.parameters.values()), mean)  # pyright: ignore


def _power_share(gamma: float) -> Callable[[int], float]:
    """1 - beta_t as a function of t."""
    return lambda t: 1.0 if t == 1 else -math.expm1((gamma + 1) * math.log1p(-1 / t))
