"""A recipe that trains the minimal networks of Springer and Kenyon where plain training fails.

Adam on the class-balanced logistic loss of a finite set of random boards, while four things fade to zero on one
schedule for all networks:
  1. the inner ReLU is rounded, so that no unit has a dead side;
  2. the outer ReLU is leaky with slope 1, the identity at first, so that it cannot gate;
  3. a penalty on the weights of both layers, and 4. Gaussian noise on all weights let a readout of the wrong sign
     cross zero while there is still time.
No network is restarted, redrawn or told about another; what is judged is the plain ReLU network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from sojourn.kernels.threads import one_thread
from sojourn.learning.boards import SeenNeighbourhoods
from sojourn.learning.networks import LifeNetworks
from sojourn.noise import Noise
from sojourn.runs import Run
from sojourn.training.loop import Training, train
from sojourn.training.schedules import fade


@dataclass(frozen=True)
class Fading:
    """The homotopy; times are shares of the training.

    Args:
        rounding: rounding of the inner ReLU until 0.4, gone at 0.7.
        leak: slope below zero of the outer ReLU until 0.5, gone at 0.8.
        penalty: weight of half the squared norm of both layers' weights, gone (quadratically) at 0.5.
        noise: size of the noise a step, in units of the learning rate, gone at 0.5.
    """

    rounding: float = 1.0
    leak: float = 1.0
    penalty: float = 0.02
    noise: float = 0.5


TRAINING = Training(steps=2500, learning_rate=0.1, schedule="cosine", floor=0.05, betas=(0.9, 0.99), log_every=25)


def learn_one_step(
    networks: LifeNetworks,
    seen: SeenNeighbourhoods,
    *,
    noise: Noise,
    training: Training = TRAINING,
    fading: Fading | None = None,
    run: Run | None = None,
    stage: str = "training",
    progress: bool = True,
) -> None:
    """Trains one-step networks, all at once and in place, on the neighbourhoods seen.

    Logs the best, median and worst loss, and the share of networks that are right on all that was seen.
    """
    fading = fading or Fading()
    dead_weight, alive_weight = seen.balanced_weights()

    def losses(model: LifeNetworks) -> torch.Tensor:
        logits = model.on_neighbourhoods(seen.cells)
        return functional.softplus(logits) @ dead_weight + functional.softplus(-logits) @ alive_weight

    def objective(model: nn.Module, step: int) -> torch.Tensor:
        assert isinstance(model, LifeNetworks)
        done = step / training.steps
        model.rounding = fading.rounding * fade(done, 0.4, 0.7)
        model.leak = fading.leak * fade(done, 0.5, 0.8)
        total = losses(model).sum()
        penalty = fading.penalty * fade(done, 0.0, 0.5, power=2)
        if penalty > 0:
            total = total + 0.5 * penalty * sum(model.weights[name].square().sum() for name in ("conv0", "mix0"))
        return total

    def shake(model: nn.Module, step: int) -> None:
        assert isinstance(model, LifeNetworks)
        size = fading.noise * training.learning_rate * fade(step / training.steps, 0.0, 0.5)
        if size > 0:
            with torch.no_grad():
                for name, weight in model.weights.items():
                    draw = noise.split(name).normal(step, model.replicas, tuple(weight.shape[1:]))
                    weight.add_(draw, alpha=size)

    def measure(model: nn.Module, step: int) -> dict[str, float]:
        assert isinstance(model, LifeNetworks)
        with torch.no_grad():
            loss = losses(model)
            right = plainly_right(model, seen)
        return {
            "loss_best": float(loss.min()),
            "loss_median": float(loss.median()),
            "loss_worst": float(loss.max()),
            "right": float(right.float().mean()),
        }

    with one_thread():
        train(networks, objective, training, run=run, stage=stage, measure=measure, after_step=shake, progress=progress)
    networks.rounding = networks.leak = 0.0


def plainly_right(networks: LifeNetworks, seen: SeenNeighbourhoods) -> torch.Tensor:
    """(replicas,) bool: right on every neighbourhood seen, as the plain ReLU network that will be used."""
    softened, networks.rounding, networks.leak = (networks.rounding, networks.leak), 0.0, 0.0
    try:
        with torch.no_grad():
            alive = networks.on_neighbourhoods(seen.cells) > 0
    finally:
        networks.rounding, networks.leak = softened
    return (torch.where(alive, seen.count - seen.alive, seen.alive) == 0).all(dim=1)
