"""The reverse chain as a process: from noise at t = T to data at t = 0, by any sampler.

State: `x` (ensemble, *shape); for multistep methods also `memory` (ensemble, k, *shape), earlier predictions, the
latest first: with them a state is all that there is to know, and a frame is a checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sojourn.diffusion.forward import data_dims
from sojourn.diffusion.marginals import spread
from sojourn.diffusion.modes import evaluating
from sojourn.diffusion.prediction import Prediction
from sojourn.diffusion.samplers.sampler import Grid, Sampler
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State

if TYPE_CHECKING:
    from sojourn.diffusion.ddpm import DDPM
    from sojourn.diffusion.guidance import Guidance


@dataclass(frozen=True)
class Denoiser:
    """What a sampler asks for predictions: a model, under a condition, guided, with x_0 clamped.

    Args:
        model: the diffusion model.
        condition: (ensemble, ...), or (1, ...) for all members.
        guidance: changes a prediction, see `sojourn.diffusion.guidance`.
        limits: range to which the predicted x_0 is clamped; the noise is changed with it.

    Raises:
        InputError: a condition that is no tensor (n, ...), limits that do not rise.
    """

    model: DDPM
    condition: Tensor | None = None
    guidance: Guidance | None = None
    limits: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.condition is not None and (not isinstance(self.condition, Tensor) or self.condition.ndim == 0):
            raise InputError(
                f"condition={self.condition!r} is no tensor with a row a member; for class 3, give torch.tensor([3])"
            )
        if self.guidance is not None and not hasattr(self.guidance, "apply"):
            raise InputError(
                f"guidance={self.guidance!r} is none; give guidance.ClassifierFree(weight) or guidance.Classifier(...)"
            )
        if self.limits is not None and not (len(self.limits) == 2 and self.limits[0] < self.limits[1]):
            raise InputError(f'limits={self.limits!r} must be two rising numbers, "data" or None')

    def predict(self, x: Tensor, t: float) -> Prediction:
        """x_0 and the noise of x (n, *shape) at the time t."""
        condition = self.condition
        if condition is not None:
            condition = condition.to(x.device)
            if len(condition) not in (1, len(x)):
                raise InputError(
                    f"the condition has {len(condition)} members, the state {len(x)}; give one for all or one for each"
                )
            condition = condition.expand(len(x), *condition.shape[1:])
        found = self.model.predict(x, t, condition)
        if self.guidance is not None:
            found = self.guidance.apply(self.model, found, x, t, condition)
        if self.limits is not None:
            found = clamped(found, x, *self.model.schedule.scales(t), self.limits)
        return found

    def record(self) -> dict[str, Any]:
        """What a run's record says of it."""
        guidance = self.guidance.record() if self.guidance is not None else None
        words = {"guidance": guidance, "limits": self.limits, "condition": self.condition}
        return self.model.record() | words


def clamped(found: Prediction, x: Tensor, alpha: Tensor, sigma: Tensor, limits: tuple[float, float]) -> Prediction:
    """The prediction with x_0 within the limits, and the noise that goes with it: epsilon = (x - alpha x_0) / sigma."""
    x_0 = found.x_0.clamp(*limits)
    epsilon = found.epsilon + spread(alpha / sigma, x) * (found.x_0 - x_0)  # exact where nothing is clamped
    return Prediction(x_0, epsilon, found.fraction)


@dataclass(frozen=True)
class Reverse(Process):
    """The reverse chain of a diffusion model.

    Args:
        denoiser: the model with its condition, guidance and limits; `DDPM.reverse` makes it.
        sampler: how to step.
    """

    denoiser: Denoiser
    sampler: Sampler

    def __post_init__(self) -> None:
        if not isinstance(self.sampler, Sampler):
            raise InputError(f"sampler={self.sampler!r} is no sampler; make one, such as samplers.DDIM(steps=50)")
        _ = self.grid  # a sampler that does not fit the schedule is refused here

    @cached_property
    def grid(self) -> Grid:
        """The times of the chain, from noise to data."""
        return self.sampler.grid(self.denoiser.model.schedule)

    @property
    def horizon(self) -> int:
        return self.sampler.steps

    def fields(self) -> dict[str, Field]:
        model, k = self.denoiser.model, self.sampler.memory
        dims = data_dims(model.shape)
        found = {"x": Field(dims, model.shape, model.dtype, long_name="sample")}
        if k:
            found["memory"] = Field(("earlier", *dims), (k, *model.shape), model.dtype, long_name="earlier predictions")
        return found

    def initial(self, ensemble: int, noise: Noise) -> State:
        """x_T from N(0, I)."""
        model = self.denoiser.model
        return self.start(noise.normal(0, ensemble, model.shape, dtype=model.dtype))

    def start(self, x: Tensor) -> State:
        """The state at the start of the chain with this x (ensemble, *shape), where the model is."""
        k, model = self.sampler.memory, self.denoiser.model
        state = {"x": x.to(model.device, model.dtype)}
        if k:
            state["memory"] = state["x"].new_zeros(len(x), k, *model.shape)
        return state

    def step(self, state: State, t: int, noise: Noise) -> State:
        """Step `t` counts from the noisy end: from grid.t[t] to grid.t[t + 1]."""
        with evaluating(self.denoiser.model), torch.no_grad():
            return self.sampler.step(state, t, self.grid, self.denoiser, noise)
