"""The minimal networks of Springer and Kenyon for n-step Life: one network in plain PyTorch, and many trained at once.

Each of n stages:  h = relu(conv3x3(x; m -> 2m) + b),  x' = relu(conv1x1(h; 2m -> m) + c);  then logit = w . x + d.
With m = 1 that is 23 n + 2 parameters. A cell lives when its logit is above zero. Source: Springer and Kenyon, "It's
Hard for Neural Networks to Learn the Game of Life" (arXiv 2009.01398).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.life.life import Boundary
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
        with torch.backends.cudnn.flags(enabled=False):  # its convolutions may be TF32 or Winograd, not float32 sums
            return self._forward(x, boundary)

    def _forward(self, x: torch.Tensor, boundary: Boundary) -> torch.Tensor:
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
        network = cls(_whole(path, values, "steps"), _whole(path, values, "width"))
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise InputError(f"{path} does not hold the weights of {network.steps} steps: {error}") from None
        return network

    @property
    def is_plain(self) -> bool:
        """Whether this is the network of the formula, in float32: no subclass, no hook, no other convolution."""
        layers = [*self.conv, *self.mix, self.readout]
        return (
            type(self) is LifeNetwork
            and "forward" not in self.__dict__
            and all(p.dtype == torch.float32 for p in self.parameters())
            and not any(m._forward_hooks or m._forward_pre_hooks for m in self.modules())
            and all(type(layer) is nn.Conv2d and _is_direct(layer) for layer in layers)
        )

    @property
    def parameter_count(self) -> int:
        """Number of weights and biases: 23 n + 2 at width 1."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def digest(self) -> str:
        """SHA-256 of the weights, so that a record can say which network it means."""
        return checkpoint.digest(self.state_dict())

    def __repr__(self) -> str:
        return f"LifeNetwork(steps={self.steps}, width={self.width}, weights={self.digest[:12]})"


def _whole(path: str | Path, values: dict, name: str) -> int:
    if not isinstance(values[name], int) or values[name] < 1:
        raise InputError(f"{path} holds no LifeNetwork: its {name} is {values[name]!r}")
    return values[name]


def _is_direct(layer: nn.Conv2d) -> bool:
    return (layer.stride, layer.dilation, layer.padding, layer.groups) == ((1, 1), (1, 1), (0, 0), 1)


class LifeNetworks(nn.Module):
    """Many independent networks of one size, trained in one batched computation.

    Args:
        replicas: how many.
        steps, width: as in LifeNetwork.
        noise: where the initial weights are drawn from: uniform(+-1/sqrt(fan in)), PyTorch's default for convolutions;
            None leaves them zero, to be filled.

    Attributes:
        rounding, leak: a training may soften the units: the inner one to (u + sqrt(u^2 + rounding^2) - rounding)/2,
            the outer one to slope `leak` below zero. The networks meant are those with both at zero.

    A network's initial weights depend on the seed and its own number, not on how many others there are.
    """

    def __init__(self, replicas: int, steps: int = 1, width: int = 1, *, noise: Noise | None) -> None:
        super().__init__()
        self.replicas, self.steps, self.width = replicas, steps, width
        self.rounding, self.leak = 0.0, 0.0
        shapes: dict[str, tuple[tuple[int, int], int]] = {}
        for k, channels in enumerate([1] + [width] * (steps - 1)):
            shapes[f"conv{k}"] = (2 * width, channels * 9), channels * 9
            shapes[f"conv{k}_bias"] = (2 * width, 1), channels * 9
            shapes[f"mix{k}"] = (width, 2 * width), 2 * width
            shapes[f"mix{k}_bias"] = (width, 1), 2 * width
        shapes["readout"] = (1, width), width
        shapes["readout_bias"] = (1, 1), width
        self.weights = nn.ParameterDict()
        for name, (shape, fan_in) in shapes.items():
            start = torch.zeros(replicas, *shape)
            if noise is not None:
                start = (2 * noise.split(name).uniform(0, replicas, shape) - 1) / fan_in**0.5
            self.weights[name] = nn.Parameter(start)

    def forward(self, boards: torch.Tensor) -> torch.Tensor:
        """Logits (replicas, batch, height, width) of torus boards (batch, height, width)."""
        x = boards[None]  # (channels, ...) at first, for all replicas alike; then (replicas, channels, ...)
        for k in range(self.steps):
            channel = x.ndim - 4
            moved = [torch.roll(x, (-dy, -dx), (-2, -1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            around = torch.stack(moved, dim=channel + 1).flatten(channel, channel + 1)
            x = self.stage(k, around.flatten(-3)).unflatten(-1, boards.shape)
        return self.read(x.flatten(2)).unflatten(-1, boards.shape)

    def on_neighbourhoods(self, cells: torch.Tensor) -> torch.Tensor:
        """Logits (replicas, cases) of one-step networks on neighbourhoods (9, cases)."""
        return self.read(self.stage(0, cells))

    def stage(self, k: int, around: torch.Tensor) -> torch.Tensor:
        """Stage k: (replicas, channels * 9, places), or without replicas for all alike -> (replicas, m, places)."""
        return functional.leaky_relu(self.pre_activations(k, around)[1], self.leak)

    def pre_activations(self, k: int, around: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What stage k's hidden (replicas, 2m, places) and outer (replicas, m, places) units take their ReLU of."""
        conv, conv_bias, mix, mix_bias = self.stage_parameters(k)
        if around.ndim == 2:
            hidden = (conv.flatten(0, 1) @ around).unflatten(0, conv.shape[:2]) + conv_bias
        else:
            hidden = torch.baddbmm(conv_bias, conv, around)
        if self.rounding > 0:
            fired = 0.5 * (hidden + torch.sqrt(hidden * hidden + self.rounding**2) - self.rounding)
        else:
            fired = torch.relu(hidden)
        return hidden, torch.baddbmm(mix_bias, mix, fired)

    def read(self, x: torch.Tensor) -> torch.Tensor:
        """The readout: (replicas, m, places) -> logits (replicas, places)."""
        return torch.baddbmm(self.weights["readout_bias"], self.weights["readout"], x)[:, 0]

    def stage_parameters(self, k: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """conv (r, 2m, 9c), its bias (r, 2m, 1), mix (r, m, 2m) and its bias (r, m, 1)."""
        w = self.weights
        return w[f"conv{k}"], w[f"conv{k}_bias"], w[f"mix{k}"], w[f"mix{k}_bias"]

    def pick(self, replica: int) -> LifeNetwork:
        """One of the networks, by itself."""
        network = LifeNetwork(self.steps, self.width)
        mine = {name: tensor.detach()[replica] for name, tensor in self.weights.items()}
        state = {"readout.weight": mine["readout"][..., None, None], "readout.bias": mine["readout_bias"][0]}
        for k in range(self.steps):
            state[f"conv.{k}.weight"] = mine[f"conv{k}"].unflatten(1, (-1, 3, 3))
            state[f"conv.{k}.bias"] = mine[f"conv{k}_bias"][:, 0]
            state[f"mix.{k}.weight"] = mine[f"mix{k}"][..., None, None]
            state[f"mix.{k}.bias"] = mine[f"mix{k}_bias"][:, 0]
        network.load_state_dict(state)
        return network
