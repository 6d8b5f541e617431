"""Drift and diffusion as networks from paths, with intervals from a bootstrap.

The networks minimise -sum log N(x_{k+1} - x_k; mean(x_k, h), covariance(x_k, h)), whose moments are right through h^2,
each on blocks of the paths drawn with replacement; the last layer of the drift is then solved for by least squares.
What is learned is the mean of the networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
import xarray as xr
from scipy.stats import t as student

from sojourn.errors import InputError
from sojourn.kernels.threads import one_thread
from sojourn.learning.sde.likelihoods import normal
from sojourn.learning.sde.networks import CoefficientNetworks, moments, refit_drift
from sojourn.learning.sde.transitions import Transitions, transitions
from sojourn.noise import Noise
from sojourn.processes.ito.functions import SDE
from sojourn.training.loop import Training, train
from sojourn.trajectory import Trajectory

_BLOCKS = 50  # at least so many pieces of paths are drawn from
TRAINING = Training(steps=3000, learning_rate=2e-2, weight_decay=1e-2, average_half_life=50)


@dataclass(frozen=True, eq=False)
class LearnedSDE:
    """An SDE dX = a(X) dt + B(X) dW that networks learned; `discretise` makes the process that simulates it.

    Attributes:
        networks: one pair for each bootstrap sample.
        names: of the fields that make the state, in order.
        start: (d,) mean of the paths' first frames.
        low, high: (d,) 1% and 99% quantiles of the data; beyond them networks and intervals are guesses.
        span: mean time between frames.
        transitions: how many there were.
    """

    networks: CoefficientNetworks
    names: tuple[str, ...]
    start: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    span: float
    transitions: int

    def drift(self, x: torch.Tensor) -> torch.Tensor:
        """a(x), (n, d), at x (n, d)."""
        return self._every(x)[0].mean(0)

    def diffusion(self, x: torch.Tensor) -> torch.Tensor:
        """B(x): (n, d) if diagonal, else the lower triangular (n, d, d)."""
        return self._every(x)[1].mean(0)

    def drift_interval(self, x: torch.Tensor, confidence: float = 0.95) -> tuple[torch.Tensor, torch.Tensor]:
        """Ends of the pointwise, asymptotic interval of a(x): mean -+ t std over the bootstrap, Student's t."""
        return _interval(self._every(x)[0], confidence)

    def diffusion_interval(self, x: torch.Tensor, confidence: float = 0.95) -> tuple[torch.Tensor, torch.Tensor]:
        """Ends of the pointwise, asymptotic interval of B(x), entry by entry."""
        return _interval(self._every(x)[1], confidence)

    def discretise(self, dt: float, scheme: str = "euler", *, start: Any = None, **options: Any) -> SDE:
        """The learned SDE in steps of `dt`, for `simulate`; its state is x (ensemble, d), the fields in their order."""
        return SDE(
            lambda t, x: self.drift(x),
            lambda t, x: self.diffusion(x),
            self.start if start is None else start,
            noise="diagonal" if self.networks.diagonal else "general",
            dt=dt,
            scheme=scheme,
            **options,
        )

    def __str__(self) -> str:
        places = ", ".join(
            f"{name} in [{a:.3g}, {b:.3g}]" for name, a, b in zip(self.names, self.low, self.high, strict=True)
        )
        return (
            f"Drift and diffusion of {', '.join(self.names)} from {self.transitions} transitions, seen for {places}.\n"
            f"The density is normal, with moments right through h^2; with frames h = {self.span:.3g} apart it brings a "
            f"bias of O(h^2), which the intervals do not contain. They are asymptotic, and for one place at a time."
        )

    def _every(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with one_thread():
            drift, factor = self.networks(x.float()[None])
        return drift.to(x.dtype), factor.to(x.dtype)


@one_thread()
def learn_sde(
    trajectory: Trajectory | xr.Dataset,
    *,
    noise: Literal["diagonal", "general"] = "diagonal",
    networks: int = 10,
    width: int = 16,
    batch: int = 128,
    training: Training = TRAINING,
    seed: int = 0,
    progress: bool = True,
) -> LearnedSDE:
    """Learns dX = a(X) dt + B(X) dW from paths.

    Args:
        trajectory: dims (ensemble, time), a field for each state, or (ensemble, time, component).
        noise: "diagonal": each state has a noise of its own; "general": B is lower triangular, B B^T anything.
        networks: bootstrap samples, and so pairs of networks.
        width: of the two hidden layers.
        batch: transitions in a step, for each pair.
        training: settings of the training loop.
        seed: of first weights, bootstrap and batches.

    Raises:
        InputError: the trajectory is not one, a state never moves, or a number is impossible.
    """
    if noise not in ("diagonal", "general"):
        raise InputError(f"noise={noise!r} is not diagonal or general")
    for name, value, least in (("networks", networks, 2), ("width", width, 1), ("batch", batch, 1)):
        if not (isinstance(value, int) and value >= least):
            raise InputError(f"{name}={value} is not a whole number of {least} or more")
    data = transitions(trajectory)
    names = _names(trajectory, data.x.shape[1])
    for name, moved in zip(names, (data.x != data.y).any(0), strict=True):
        if not moved:
            raise InputError(
                f"{name} never moves, so its diffusion is zero; leave it out: trajectory.dataset.drop_vars"
            )
    model = CoefficientNetworks(data, networks, width, noise == "diagonal", seed)
    samples = _bootstrap(data, networks, Noise(seed).split("bootstrap"))
    x, step, h = data.x.float(), (data.y - data.x).float(), data.h.float()
    draws = Noise(seed).split("batches")

    def objective(model: Any, t: int) -> torch.Tensor:
        rows = (draws.uniform(t, networks, (batch,)) * samples.shape[1]).long()
        which = samples.gather(1, rows)
        mean, covariance = moments(model, x[which], h[which])
        residual = (step[which] - mean).reshape(-1, step.shape[1])
        return -normal(residual, covariance.flatten(0, 1)).sum() / batch

    train(model, objective, training, stage="SDE", progress=progress)
    refit_drift(model, x, step, h, samples)
    model.requires_grad_(False)
    levels = torch.tensor([0.01, 0.99], dtype=torch.float64)
    low, high = torch.stack([torch.quantile(column, levels) for column in data.x.T[:, :1_000_000]], 1)
    first = torch.cat([torch.tensor([True]), data.path.diff() != 0])
    return LearnedSDE(model, names, data.x[first].mean(0), low, high, float(data.h.mean()), len(data))


def _bootstrap(data: Transitions, networks: int, noise: Noise) -> torch.Tensor:
    """(networks, n) transitions: whole blocks drawn with replacement, blocks being paths or equal pieces of them."""
    paths = int(data.path[-1]) + 1
    frames = len(data) // paths
    pieces = min(frames, -(-_BLOCKS // paths))
    length = frames // pieces
    begins = torch.arange(paths)[:, None] * frames + torch.arange(pieces) * length
    blocks = (begins.reshape(-1, 1) + torch.arange(length)).reshape(-1, length)
    drawn = (noise.uniform(0, networks, (len(blocks),)) * len(blocks)).long()
    return blocks[drawn].reshape(networks, -1)


def _interval(values: torch.Tensor, confidence: float) -> tuple[torch.Tensor, torch.Tensor]:
    if not 0 < confidence < 1:
        raise InputError(f"confidence={confidence} is not between 0 and 1")
    half = float(student.ppf(0.5 + confidence / 2, len(values) - 1)) * values.std(0)
    return values.mean(0) - half, values.mean(0) + half


def _names(trajectory: Trajectory | xr.Dataset, d: int) -> tuple[str, ...]:
    dataset = trajectory.dataset if isinstance(trajectory, Trajectory) else trajectory
    fields = [str(name) for name in dataset.data_vars]
    return tuple(fields) if len(fields) == d else tuple(f"x[{k}]" for k in range(d))
