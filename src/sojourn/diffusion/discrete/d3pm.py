"""A discrete diffusion model: a kernel of noise and a network that says p(x_0 | x_t) for each cell.

p(x_{t-1} | x_t) = product over cells of sum_{x_0} q(x_{t-1} | x_t, x_0) p(x_0 | x_t).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sojourn.diffusion.discrete.kernel import Kernel, draw
from sojourn.diffusion.modes import evaluating
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.training.checkpoint import digest

if TYPE_CHECKING:
    from sojourn.diffusion.discrete.bound import DiscreteBound


class D3PM(nn.Module):
    """A model of data on a lattice, with K states a cell.

    Args:
        network: (x_t (n, *lattice) uint8, t (n,) int64, condition) -> logits (n, *lattice, K) of p(x_0 | x_t).
        kernel: the forward process.

    Source: Austin, Johnson, Ho, Tarlow and van den Berg, Structured Denoising Diffusion Models in Discrete
    State-Spaces (2021).
    """

    def __init__(self, network: nn.Module, kernel: Kernel) -> None:
        super().__init__()
        self.network, self.kernel = network, kernel

    def predict(self, x_t: Tensor, t: int | Tensor, condition: Any = None) -> Tensor:
        """log p(x_0 | x_t), (n, *lattice, K)."""
        times = torch.as_tensor(t, device=x_t.device).expand(len(x_t))
        logits = self.network(x_t, times, condition)
        if logits.shape != (*x_t.shape, self.kernel.states):
            raise InputError(
                f"the network's logits have shape {tuple(logits.shape)}; needed is "
                f"{(*x_t.shape, self.kernel.states)}: the lattice's, and one for each state"
            )
        return torch.log_softmax(logits, -1)

    def reverse_law(self, x_t: Tensor, t: int | Tensor, condition: Any = None) -> Tensor:
        """p(x_{t-1} | x_t) of every cell, (n, *lattice, S)."""
        return self.kernel.posterior(x_t, self.predict(x_t, t, condition).exp(), t)

    def reverse(self, lattice: tuple[int, ...], *, condition: Any = None) -> DiscreteReverse:
        """The reverse chain as a process, to hand to `simulate`.

        Args:
            lattice: shape of one member.
            condition: what the network is told, for the whole ensemble at once.
        """
        return DiscreteReverse(self, tuple(lattice), condition)

    def bound(self, x_0: Tensor, **options: Any) -> DiscreteBound:
        """The variational bound on -log p(x_0), term by term; see `sojourn.diffusion.discrete.bound.bound`."""
        from sojourn.diffusion.discrete.bound import bound

        return bound(self, x_0, **options)

    def record(self) -> dict[str, Any]:
        """What a run's record says of this model."""
        weights = digest(self.network.state_dict())
        return {"network": type(self.network).__name__, "weights": weights, "kernel": self.kernel.record()}


@dataclass(frozen=True)
class DiscreteNoising(Process):
    """The forward chain: noise, step by step, over data, q(x_t | x_{t-1}) = x_{t-1} Q_t.

    Args:
        kernel: of T steps.
        x_0: data (n, *lattice) uint8, members of the ensemble in turn.

    State: `cell` uint8 (ensemble, *lattice), after t steps a draw from q(x_t | x_0).
    """

    kernel: Kernel
    x_0: Tensor = field(repr=False)

    def __post_init__(self) -> None:
        check_states(self.x_0, self.kernel.states)

    @property
    def horizon(self) -> int:
        return self.kernel.steps

    def fields(self) -> dict[str, Field]:
        return cells(tuple(self.x_0.shape[1:]))

    def initial(self, ensemble: int, noise: Noise) -> State:
        """The data, in turn."""
        return {"cell": self.x_0[(torch.arange(ensemble) + noise.first_member) % len(self.x_0)]}

    def step(self, state: State, t: int, noise: Noise) -> State:
        x = state["cell"]
        u = noise.uniform(t, len(x), tuple(x.shape[1:]), device=x.device)
        return {"cell": draw(self.kernel.Q(t + 1).to(x.device)[x.long()], u)}


@dataclass(frozen=True)
class DiscreteReverse(Process):
    """The reverse chain: from pure noise at t = T to data at t = 0; step k goes from t = T - k to t - 1.

    Args:
        model: kernel and network.
        lattice: shape of one member.
        condition: what the network is told.

    State: `cell` uint8 (ensemble, *lattice).
    """

    model: D3PM
    lattice: tuple[int, ...]
    condition: Any = field(default=None, repr=False)

    @property
    def horizon(self) -> int:
        return self.model.kernel.steps

    def fields(self) -> dict[str, Field]:
        return cells(self.lattice)

    def initial(self, ensemble: int, noise: Noise) -> State:
        """Independent cells from pi."""
        u = noise.uniform(0, ensemble, self.lattice)
        return {"cell": draw(self.model.kernel.stationary.expand(*u.shape, -1), u)}

    def step(self, state: State, t: int, noise: Noise) -> State:
        x = state["cell"]
        with evaluating(self.model), torch.no_grad():
            p = self.model.reverse_law(x, self.horizon - t, self.condition)
        return {"cell": draw(p, noise.uniform(t, len(x), tuple(x.shape[1:]), device=x.device))}


def cells(lattice: tuple[int, ...]) -> dict[str, Field]:
    """The one field of both chains."""
    dims = ("y", "x") if len(lattice) == 2 else tuple(f"axis_{k}" for k in range(len(lattice)))
    return {"cell": Field(dims, lattice, torch.uint8, long_name="state of the cell")}


def check_states(x_0: Tensor, states: int) -> None:
    """Raises InputError unless x_0 is uint8 data (n, ...) with states below `states`."""
    if x_0.dtype != torch.uint8 or x_0.ndim < 2 or len(x_0) == 0:
        raise InputError(f"x_0 must hold uint8 states of shape (n, ...), not {x_0.dtype} of {tuple(x_0.shape)}")
    if int(x_0.max()) >= states:
        raise InputError(f"x_0 has the state {int(x_0.max())}; with {states} states they are 0 to {states - 1}")
