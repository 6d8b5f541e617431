"""Guidance: a prediction pushed towards a condition.

classifier-free:  epsilon(x) + weight (epsilon(x, condition) - epsilon(x))
by a classifier:  epsilon(x) - weight sigma grad log p(y | x)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from sojourn.diffusion.marginals import spread
from sojourn.diffusion.prediction import Prediction
from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.diffusion.ddpm import DDPM


class Guidance(Protocol):
    """Anything that changes the prediction at x (n, *shape) and time t, made under the condition."""

    def apply(self, model: DDPM, found: Prediction, x: Tensor, t: float, condition: Tensor | None) -> Prediction: ...

    def record(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class ClassifierFree:
    """epsilon = (1 - w) epsilon(x) + w epsilon(x, condition); w = 1 is the conditional model, w > 1 more of it.

    Args:
        weight: w. (The paper's w is this one less 1.)

    Source: Ho and Salimans (2022), equation 6.
    """

    weight: float

    def apply(self, model: DDPM, found: Prediction, x: Tensor, t: float, condition: Tensor | None) -> Prediction:
        if condition is None:
            raise InputError("classifier-free guidance needs a condition: model.reverse(sampler, condition=...)")
        free = model.predict(x, t)
        return Prediction(
            torch.lerp(free.x_0, found.x_0, self.weight),
            torch.lerp(free.epsilon, found.epsilon, self.weight),
            found.fraction,
        )

    def record(self) -> dict[str, Any]:
        """What a run's record says of it."""
        return {"guidance": "classifier-free", "weight": self.weight}


@dataclass(frozen=True)
class Classifier:
    """The score plus weight times the gradient of a classifier that was trained on noisy data.

    Args:
        log_probability: (x (n, *shape), t) -> log p(y | x_t), (n,), for the class that is wanted; differentiable.
        weight: 1 is Bayes' rule.

    Source: Dhariwal and Nichol (2021), algorithm 2.
    """

    log_probability: Callable[[Tensor, float], Tensor]
    weight: float = 1.0

    def apply(self, model: DDPM, found: Prediction, x: Tensor, t: float, condition: Tensor | None) -> Prediction:
        with torch.enable_grad():
            place = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.log_probability(place, t).sum(), place)
        alpha, sigma = (spread(scale, x) for scale in model.schedule.scales(t))
        push = self.weight * gradient
        return Prediction(found.x_0 + sigma**2 / alpha * push, found.epsilon - sigma * push, found.fraction)

    def record(self) -> dict[str, Any]:
        """What a run's record says of it; of the classifier its name alone."""
        name = getattr(self.log_probability, "__qualname__", type(self.log_probability).__qualname__)
        return {"guidance": "classifier", "classifier": name, "weight": self.weight}
