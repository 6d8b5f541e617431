"""The minimal networks of Springer and Kenyon for n-step Life: one network in plain PyTorch, and many trained at once.

Each of n stages:  h = relu(conv3x3(x; m -> 2m) + b),  x' = relu(conv1x1(h; 2m -> m) + c);  then logit = w . x + d.
With m = 1 that is 23 n + 2 parameters. A cell lives when its logit is above zero. Source: Springer and Kenyon, "It's
Hard for Neural Networks to Learn the Game of Life" (arXiv 2009.01398).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.processes.life.life import Boundary, check_density, check_grid
from sojourn.training import checkpoint


class LifeNetwork(nn.Module):
    """One network, as it is used.

    Args:
        steps: generations that one application advances (n).
        width: overcompleteness (m).

    Call it with float boards (batch, 1, height, width) of zeros and ones; it returns logits of that shape.
    """

    def __init__(self, steps: int = 1, width: int = 1) -> None:
        super().__init__()
        self.steps, self.width = steps, width
        channels = [1] + [width] * steps
        self.conv = nn.ModuleList(nn.Conv2d(c, 2 * width, 3) for c in channels[:-1])
        self.mix = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for _ in range(steps))
        self.readout = nn.Conv2d(width, 1, 1)

    def forward(self, boards: torch.Tensor, boundary: Boundary = "torus") -> torch.Tensor:
        x = boards
        for conv, mix in zip(self.conv, self.mix, strict=True):
            padded = functional.pad(x, (1, 1, 1, 1), mode="circular" if boundary == "torus" else "constant")
            x = torch.relu(mix(torch.relu(conv(padded))))
        return self.readout(x)

    def save(self, path: Path) -> None:
        """Writes the weights as safetensors."""
        checkpoint.save(path, dict(self.state_dict()), steps=self.steps, width=self.width)

    @classmethod
    def load(cls, path: str | Path) -> LifeNetwork:
        """Reads what `save` wrote; InputError if it is not such a file."""
        tensors, values = checkpoint.load(Path(path))
        if not {"steps", "width"} <= set(values):
            raise InputError(f"{path} holds no LifeNetwork; it was not written by LifeNetwork.save")
        network = cls(int(values["steps"]), int(values["width"]))
        network.load_state_dict(tensors)
        return network

    @property
    def digest(self) -> str:
        """SHA-256 of the weights, so that a record can say which network it means."""
        total = hashlib.sha256()
        for name, tensor in self.state_dict().items():
            total.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
        return total.hexdigest()

    def __repr__(self) -> str:
        return f"LifeNetwork(steps={self.steps}, width={self.width}, weights={self.digest[:12]})"


class LifeNetworks(nn.Module):
    """Many independent networks of one size, trained in one batched computation.

    Args:
        replicas: how many.
        steps, width: as in LifeNetwork.
        noise: where the initial weights are drawn from: uniform(+-1/sqrt(fan in)), PyTorch's default for convolutions.

    Attributes:
        leak: slope of the ReLUs below zero; the networks they stand for have 0.

    A network's initial weights depend on the seed and its own number, not on how many others there are.
    """

    def __init__(self, replicas: int, steps: int = 1, width: int = 1, *, noise: Noise) -> None:
        super().__init__()
        self.replicas, self.steps, self.width, self.leak = replicas, steps, width, 0.0
        channels = [1] + [width] * steps
        shapes: dict[str, tuple[tuple[int, ...], int]] = {}
        for k, c in enumerate(channels[:-1]):
            shapes[f"conv{k}"] = (2 * width, c * 9), c * 9
            shapes[f"conv{k}_bias"] = (2 * width,), c * 9
            shapes[f"mix{k}"] = (width, 2 * width), 2 * width
            shapes[f"mix{k}_bias"] = (width,), 2 * width
        shapes["readout"] = (width,), width
        shapes["readout_bias"] = (1,), width
        for name, (shape, fan_in) in shapes.items():
            uniform = noise.split(name).uniform(0, replicas, shape)
            self.register_parameter(name, nn.Parameter((2 * uniform - 1) / fan_in**0.5))

    def forward(self, boards: torch.Tensor) -> torch.Tensor:
        """Logits (replicas, batch, height, width) of torus boards (batch, height, width) or (replicas, batch, ...)."""
        x = boards.expand(self.replicas, *boards.shape[-3:])[:, :, None]  # (replicas, batch, channels, y, x)
        for k in range(self.steps):
            moved = [torch.roll(x, (-dy, -dx), (-2, -1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            x = self.stage(k, torch.stack(moved, dim=3).flatten(2, 3).movedim(2, -1)).movedim(-1, 2)
        return torch.einsum("rbcyx,rc->rbyx", x, self.readout) + self.readout_bias[:, :, None, None]

    def stage(self, k: int, neighbourhoods: torch.Tensor) -> torch.Tensor:
        """Stage k on (replicas, ..., channels * 9) neighbourhoods; (replicas, ..., width)."""
        conv, conv_bias, mix, mix_bias = self.stage_parameters(k)
        flat = neighbourhoods.flatten(1, -2)
        hidden = functional.leaky_relu(torch.baddbmm(conv_bias[:, None], flat, conv.mT), self.leak)
        out = functional.leaky_relu(torch.baddbmm(mix_bias[:, None], hidden, mix.mT), self.leak)
        return out.unflatten(1, neighbourhoods.shape[1:-1])

    def stage_parameters(self, k: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """conv (r, 2m, 9c), its bias, mix (r, m, 2m) and its bias."""
        names = (f"conv{k}", f"conv{k}_bias", f"mix{k}", f"mix{k}_bias")
        conv, conv_bias, mix, mix_bias = (self.get_parameter(name) for name in names)
        return conv, conv_bias, mix, mix_bias

    def pick(self, replica: int) -> LifeNetwork:
        """One of the networks, by itself."""
        network = LifeNetwork(self.steps, self.width)
        with torch.no_grad():
            for k, (conv, mix) in enumerate(zip(network.conv, network.mix, strict=True)):
                values = [tensor[replica] for tensor in self.stage_parameters(k)]
                conv.weight.copy_(values[0].unflatten(1, (-1, 3, 3)))  # type: ignore[union-attr]
                conv.bias.copy_(values[1])  # type: ignore[union-attr]
                mix.weight.copy_(values[2][..., None, None])  # type: ignore[union-attr]
                mix.bias.copy_(values[3])  # type: ignore[union-attr]
            network.readout.weight.copy_(self.readout[replica][None, :, None, None])
            network.readout.bias.copy_(self.readout_bias[replica])  # type: ignore[union-attr]
        return network


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
        return {"cell": Field(("y", "x"), tuple(self.shape), torch.uint8, long_name="cell state (0 dead, 1 alive)")}

    def initial(self, ensemble: int, noise: Noise) -> State:
        """Independent cells, alive with probability `density`."""
        return {"cell": (noise.uniform(0, ensemble, tuple(self.shape)) < self.density).to(torch.uint8)}

    def step(self, state: State, t: int, noise: Noise) -> State:
        cells = state["cell"]
        with torch.no_grad():
            logits = self.network(cells.to(torch.float32)[:, None], self.boundary)
        return {"cell": (logits[:, 0] > 0).to(torch.uint8)}

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        """On the CPU by a Numba kernel: the same network in float32, its sums in another order."""
        self.check(state)
        cells = state["cell"]
        if cells.device.type != "cpu":
            return super().advance(state, t, steps, noise)
        from sojourn.kernels import convnet

        arrays = {name: tensor.detach().cpu().numpy() for name, tensor in self.network.state_dict().items()}
        stages = [
            (
                arrays[f"conv.{k}.weight"].reshape(2 * self.network.width, -1, 9),
                arrays[f"conv.{k}.bias"],
                arrays[f"mix.{k}.weight"][:, :, 0, 0],
                arrays[f"mix.{k}.bias"],
            )
            for k in range(self.network.steps)
        ]
        readout, bias = arrays["readout.weight"].reshape(-1), arrays["readout.bias"][0]
        torus = self.boundary == "torus"
        members = [convnet.iterate(board, stages, readout, bias, torus, steps) for board in cells.numpy()]
        return {"cell": torch.from_numpy(np.stack(members))}
