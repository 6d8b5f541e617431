"""A denoising diffusion model: a network, a schedule, what is predicted, and the variance of its reverse steps.

p(x_{t-1} | x_t) = N(mean, variance):  the mean of q(x_{t-1} | x_t, x_0) with the predicted x_0 in the place of x_0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sojourn.diffusion.marginals import Marginals, Time, as_times, spread
from sojourn.diffusion.prediction import Parameterisation, Prediction, Predicts, parameterisation
from sojourn.diffusion.variances import Variance, check_variance
from sojourn.errors import InputError
from sojourn.training.checkpoint import digest

if TYPE_CHECKING:
    from sojourn.diffusion.flow import Likelihood
    from sojourn.diffusion.guidance import Guidance
    from sojourn.diffusion.reverse import Reverse
    from sojourn.diffusion.samplers.sampler import Sampler
    from sojourn.diffusion.variational import Bound


class DDPM(nn.Module):
    """A diffusion model of data of shape `network.shape`.

    Args:
        network: (x (n, *shape), time (n,), condition) -> (n, outputs * shape[0], ...), with the attributes `shape` and
            `outputs`.
        schedule: the forward process.
        predicts: "epsilon", "x_0", "v", "score", "edm", or a `Parameterisation`.
        variance: "fixed_small", "fixed_large" or "learned_range"; the last needs a network with outputs=2.
        levels: number of grey levels of the data, equally spaced from -1 to 1; None for data without levels.

    Raises:
        InputError: the network's outputs do not fit the variance; an unknown name.

    Source: Ho, Jain and Abbeel, Denoising diffusion probabilistic models (2020).
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: Marginals,
        *,
        predicts: Predicts | Parameterisation = "epsilon",
        variance: Variance = "fixed_small",
        levels: int | None = 256,
    ) -> None:
        super().__init__()
        check_variance(variance)
        if not hasattr(network, "outputs") or not hasattr(network, "shape"):
            raise InputError(
                f"{type(network).__name__} has no outputs and shape; use UNet, DiT, MLP, or give it these two"
            )
        if not isinstance(schedule, Marginals):
            raise InputError(f"schedule={schedule!r} is no schedule; make one, such as Schedule.linear(steps=1000)")
        self.network: Any = network
        self.schedule, self.levels = schedule, levels
        self.variance: Variance = variance
        self.parameterisation = parameterisation(predicts)
        if self.network.outputs != (2 if variance == "learned_range" else 1):
            wanted = 2 if variance == "learned_range" else 1
            raise InputError(f"variance={variance!r} needs a network with outputs={wanted}, not {self.network.outputs}")
        if levels is not None and levels < 2:
            raise InputError(f"levels={levels} is below 2; give the number of grey levels, or None for data without")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one datum."""
        return tuple(self.network.shape)

    @property
    def dtype(self) -> torch.dtype:
        """Of the states of its chains: that of the weights, and float32 where they have half precision."""
        found = next((p.dtype for p in self.parameters()), torch.float64)
        return torch.float32 if found in (torch.float16, torch.bfloat16) else found

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

    @property
    def limits(self) -> tuple[float, float] | None:
        """The range of the data, to which reverse steps clamp the predicted x_0; None for data without levels."""
        return None if self.levels is None else (-1.0, 1.0)

    def output(self, x: Tensor, t: Time, condition: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """What the network says of x_t: its prediction, and the variance's fraction where it has one."""
        times = as_times(t)
        alpha, sigma = (spread(scale, x) for scale in self.schedule.scales(times))
        times = self.schedule.network_time(times).to(x).expand(len(x))
        weights = next((p.dtype for p in self.parameters()), x.dtype)
        output = self.network(self.parameterisation.input(x, alpha, sigma).to(weights), times, condition).to(x.dtype)
        if self.network.outputs == 1:
            return output, None
        output, fraction = output.chunk(2, dim=1)
        return output, (fraction + 1) / 2

    def predict(self, x: Tensor, t: Time, condition: Tensor | None = None) -> Prediction:
        """x_0 and the noise in x_t, as the model sees them; differentiable.

        Args:
            x: (n, *shape).
            t: time, one for all or one a member.
        """
        output, fraction = self.output(x, t, condition)
        return self.read(output, x, t, fraction)

    def read(self, output: Tensor, x: Tensor, t: Time, fraction: Tensor | None = None) -> Prediction:
        """The prediction that an output of the network means."""
        alpha, sigma = (spread(scale, x) for scale in self.schedule.scales(t))
        return Prediction(*self.parameterisation.read(output, x, alpha, sigma), fraction)

    def reverse(
        self,
        sampler: Sampler,
        *,
        condition: Tensor | None = None,
        guidance: Guidance | None = None,
        limits: tuple[float, float] | str | None = "data",
    ) -> Reverse:
        """The reverse chain as a process, to hand to `simulate`.

        Args:
            sampler: how to step, see `sojourn.diffusion.samplers`.
            condition: of shape (ensemble, ...), or (1, ...) for all members.
            guidance: see `sojourn.diffusion.guidance`.
            limits: the range to which the predicted x_0 is clamped; by default that of the data; None for no clamping.
        """
        from sojourn.diffusion.reverse import Denoiser, Reverse

        chosen: Any = self.limits if limits == "data" else limits
        return Reverse(Denoiser(self, condition=condition, guidance=guidance, limits=chosen), sampler)

    def bound(self, x_0: Tensor, **options: Any) -> Bound:
        """The variational bound on -log p(x_0), term by term; see `sojourn.diffusion.bound` for the options."""
        from sojourn.diffusion.variational import bound

        return bound(self, x_0, **options)

    def likelihood(self, x_0: Tensor, **options: Any) -> Likelihood:
        """-log p(x_0) by the probability flow; see `sojourn.diffusion.flow.likelihood` for the options."""
        from sojourn.diffusion.flow import likelihood

        return likelihood(self, x_0, **options)

    def record(self) -> dict[str, Any]:
        """What a run's record says of this model."""
        return {
            "network": type(self.network).__name__,
            "weights": digest(self.state_dict()),
            "schedule": self.schedule.record(),
            "predicts": repr(self.parameterisation),
            "variance": self.variance,
            "levels": self.levels,
        }
