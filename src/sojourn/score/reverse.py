"""From a score to reverse time: a learned score in the SDE that runs backwards, and in the samplers of `diffusion`.

Of dX = a dt + B dW with S = B B^T and the density p_t at time t, Y_s = X_(T-s) has the marginals of
    dY = [-a + (1 + c^2)/2 (div S + S grad log p)] ds + c B dW,     (div S)_i = sum_k d_k S_ik
for every c, with all coefficients at t = T - s: Anderson's reverse for c = 1, the probability flow for c = 0.

    Y = ReverseSDE(X, score, start=draws, end=T, steps=500)
    simulate(Y, ensemble=1000)

Source: Anderson, Stochastic Processes and their Applications 12 (1982); Song et al., Score-based generative modeling
through SDEs (2021), appendix D; Zhang and Chen (2022), proposition 1, for c between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from sojourn.bounds.checks import count
from sojourn.calculus import ItoProcess
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.processes.ito.functions import SDE, Function
from sojourn.processes.ito.printing import torch_function
from sojourn.score.derivatives import check_like, divergence

if TYPE_CHECKING:
    from sojourn.diffusion.marginals import Marginals


@dataclass(frozen=True)
class ReverseSDE(Process):
    """A diffusion run backwards from time `end` to time 0, by a score.

    Step k goes from t = end - k dt to t - dt. A scheme that looks ahead, such as "heun", asks the last step for the
    score at t = 0. Noise is a stream of its own, so a forward run of the same seed may give the start.

    Args:
        forward: the process to reverse, with a value for every parameter; in symbols or in functions. Where it begins
            and how it was stepped do not matter.
        score: (x (n, d), t (n,)) -> grad log p_t(x), t the forward time.
        start: draws of X at `end`, (m, d), which members take in turn; or a function (ensemble, noise) -> draws, such
            as `GaussianMixture.sample`.
        end: T.
        steps: from T to 0, after which the process ends.
        stochasticity: c, of the module's first lines.
        scheme: a name from `schemes`.
        dtype: "float64" or "float32", which the score must return too.

    State: x, (ensemble, d).

    Raises:
        InputError: a parameter without a value, jumps, an impossible number; at a step, a score of another shape.
    """

    forward: ItoProcess | SDE
    score: Callable[[Tensor, Tensor], Tensor]
    start: Tensor | Callable[[int, Noise], Tensor]
    end: float = 1.0
    steps: int = 500
    stochasticity: float = 1.0
    scheme: str = "euler"
    dtype: Literal["float64", "float32"] = "float32"

    time_unit = "1"

    def __post_init__(self) -> None:
        if not isinstance(self.forward, (ItoProcess, SDE)):
            raise InputError(f"forward={self.forward!r} is neither an ItoProcess nor an SDE")
        if not 0 < self.end < float("inf"):
            raise InputError(f"end={self.end} is not a positive number")
        count("steps", self.steps)
        if not 0 <= self.stochasticity < float("inf"):
            raise InputError(f"stochasticity={self.stochasticity} is not a number of 0 or more")
        if isinstance(self.start, Tensor):
            self._check_draws(self.start)
        elif not callable(self.start):
            raise InputError(f"start is a {type(self.start).__name__}; give a tensor of draws, or a function of draws")

    @property
    def dt(self) -> float:
        return self.end / self.steps

    @property
    def horizon(self) -> int:
        return self.steps

    @cached_property
    def sde(self) -> SDE:
        """The reverse in functions of s = end - t and x; it goes on for ever, and begins anywhere."""
        forward = self.forward if isinstance(self.forward, SDE) else in_functions(self.forward)
        c, T = self.stochasticity, self.end

        def before(s: Tensor) -> Tensor:
            return (T - s).clamp(min=0)  # rounding must not ask for a score before the data

        def drift(s: Tensor, x: Tensor) -> Tensor:
            t = before(s)

            def covariance(y: Tensor) -> Tensor:
                B = _matrix(forward, forward.coefficients(t, y)[1])
                return B @ B.mT

            found = check_like(self.score(x, t.expand(len(x))), x)
            if found.dtype != x.dtype:
                raise InputError(f"the score is {found.dtype} for states of {x.dtype}; set dtype to that of the score")
            pushed = (covariance(x) @ found.unsqueeze(2)).squeeze(2)
            return -forward.coefficients(t, x)[0] + (1 + c**2) / 2 * (divergence(covariance, x) + pushed)

        def diffusion(s: Tensor, x: Tensor) -> Tensor:
            return c * forward.coefficients(before(s), x)[1]

        return SDE(
            drift,
            diffusion,
            torch.zeros(forward.first.shape[-1]),
            noise=forward.noise,
            dt=self.dt,
            scheme=self.scheme,
            dtype=self.dtype,
        )

    def fields(self) -> dict[str, Field]:
        return self.sde.fields()

    def initial(self, ensemble: int, noise: Noise) -> State:
        if isinstance(self.start, Tensor):
            x = self.start[(torch.arange(ensemble) + noise.first_member) % len(self.start)]
        else:
            x = self.start(ensemble, noise.split("start"))
            self._check_draws(x, ensemble)
        return {"x": x.to(getattr(torch, self.dtype))}

    def _check_draws(self, x: Tensor, ensemble: int | None = None) -> None:
        shape, d = tuple(x.shape), self.sde.first.shape[-1]
        if shape[1:] != (d,) or not len(x) or (ensemble is not None and len(x) != ensemble):
            raise InputError(f"start has shape {shape}; needed are draws ({ensemble or 'm'}, {d})")

    def step(self, state: State, t: int, noise: Noise) -> State:
        with torch.no_grad():
            return self.sde.step(state, t, noise.split("reverse"))


class DiffusionScore(nn.Module):
    """A score of data with noise as a network for `DDPM(network, schedule, predicts="score", levels=None)`.

    grad log q(x_t) = score(x_t / alpha, sigma / alpha) / alpha. A network that learned (x_t, network time) itself needs
    no such adapter.

    Args:
        score: (y (n, *shape), noise (n,)) -> the score of x_0 + noise epsilon, as `AnnealedLangevin` has it.
        shape: of one datum.
        schedule: that of the DDPM.
    """

    outputs = 1

    def __init__(self, score: Callable[[Tensor, Tensor], Tensor], shape: Sequence[int], schedule: Marginals) -> None:
        super().__init__()
        if not hasattr(schedule, "scales"):
            raise InputError(
                f"schedule is a {type(schedule).__name__}; give that of the DDPM, such as Schedule.cosine()"
            )
        self.score, self.shape, self.schedule = score, tuple(shape), schedule

    def forward(self, x: Tensor, time: Tensor, condition: Tensor | None = None) -> Tensor:
        zero, one = (self.schedule.network_time(torch.tensor(k).double()) for k in (0.0, 1.0))
        alpha, sigma = (scale.to(x) for scale in self.schedule.scales((time.double() - zero) / (one - zero)))
        spread = alpha.view(-1, *[1] * len(self.shape))
        return check_like(self.score(x / spread, sigma / alpha), x) / spread


def in_functions(X: ItoProcess) -> SDE:
    """The process with coefficients as PyTorch functions of t and x (n, d); its start says nothing.

    Raises:
        InputError: a parameter without a value; jumps.
    """
    step = X.discretise(1.0)
    c = step.coefficients

    def function(expressions: Sequence[Any]) -> Function:
        found = [torch_function((c.time, *c.states, *c.parameters), e) for e in expressions]

        def at(t: Tensor, x: Tensor) -> Tensor:
            like: Any = {"dtype": x.dtype, "device": x.device}
            given = [torch.as_tensor(step.parameters[s.name], **like) for s in c.parameters]
            entries = [f(t, *x.unbind(1), *given) for f in found]
            return torch.stack([torch.as_tensor(e, **like).expand(len(x)) for e in entries], 1)

        return at

    start = torch.zeros(len(c.states))
    if c.diagonal:
        return SDE(function(c.drift), function([row[i] for i, row in enumerate(c.diffusion)]), start)
    B = function([e for row in c.diffusion for e in row])
    return SDE(function(c.drift), lambda t, x: B(t, x).unflatten(1, (len(start), -1)), start, noise="general")


def _matrix(sde: SDE, B: Tensor) -> Tensor:
    """B as (n, d, m)."""
    if sde.noise == "general":
        return B
    return B.unsqueeze(2) if sde.noise == "scalar" else torch.diag_embed(B)
