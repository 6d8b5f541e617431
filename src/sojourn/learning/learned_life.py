"""A learned network as a process: it runs under the same driver, on grids of any size, as the rule it learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sojourn.learning.networks import LifeNetwork
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.processes.life.life import Boundary, cell_field, check_cells, check_density, check_grid, random_cells


@dataclass(frozen=True)
class LearnedLife(Process):
    """A learned network as a process: x_{t+1} = [network(x_t) > 0].

    Args:
        network: what was learned; one step of the process is one application of it.
        shape: (height, width) of the grid in cells, whatever the network was trained on.
        boundary: "torus" or "dead".
        density: share of live cells in random starts.
    """

    network: LifeNetwork
    shape: tuple[int, int] = (256, 256)
    boundary: Boundary = "torus"
    density: float = 0.375

    time_unit = "application"

    def __post_init__(self) -> None:
        check_grid(self.shape, self.boundary)
        check_density(self.density)

    def fields(self) -> dict[str, Field]:
        return cell_field(self.shape)

    def initial(self, ensemble: int, noise: Noise) -> State:
        """Independent cells, alive with probability `density`."""
        return random_cells(self.shape, self.density, ensemble, noise)

    def step(self, state: State, t: int, noise: Noise) -> State:
        cells = state["cell"]
        with torch.no_grad():
            logits = self.network(cells.to(torch.float32)[:, None], self.boundary)
        return {"cell": (logits[:, 0] > 0).to(torch.uint8)}

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        """On the CPU by a Numba kernel: the same network in float32, its sums in another order."""
        self.check(state)
        cells = state["cell"]
        check_cells(cells, 2)
        if cells.device.type != "cpu":
            return super().advance(state, t, steps, noise)
        from sojourn.kernels import convnet

        weights, torus = _arrays(self.network), self.boundary == "torus"
        members = [convnet.iterate(board, weights, torus, steps) for board in cells.numpy()]
        return {"cell": torch.from_numpy(np.stack(members))}


def _arrays(network: LifeNetwork) -> tuple[np.ndarray, ...]:
    """The weights as the kernel takes them: stages stacked, the first one's missing channels as zeros."""
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    m, stages = network.width, range(network.steps)
    weight = np.zeros((network.steps, 2 * m, m, 9), np.float32)
    for k in stages:
        conv = arrays[f"conv.{k}.weight"].reshape(2 * m, -1, 9)
        weight[k, :, : conv.shape[1]] = conv
    return (
        weight,
        np.stack([arrays[f"conv.{k}.bias"] for k in stages]),
        np.stack([arrays[f"mix.{k}.weight"][:, :, 0, 0] for k in stages]),
        np.stack([arrays[f"mix.{k}.bias"] for k in stages]),
        arrays["readout.weight"].reshape(-1),
        arrays["readout.bias"][0],
    )
