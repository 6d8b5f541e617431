"""Predecessors of boards of Life, as a discrete diffusion with masks that is told the later board.

p(x | y, k):  x a board k steps before y, or a board with k steps more behind it and one before y; see `Pairs`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sojourn.noise import Noise
from sojourn.processes.life.life import neighbours

MASK = 2
LABELS = 5
WARM_UP = 5


class PredecessorNetwork(nn.Module):
    """Logits of each cell of x, from what is known of x and from the later board y; translates with the boards.

    A cell of y is a constraint on nine cells of x. What is known about it is one of 486 cases: its value, the state of
    the cell of x below it (dead, alive, masked), and how many of the eight around that are alive and how many masked.
    Each case has a learned vector; residual blocks on the torus then pass what constraints say to their neighbours.
    The time is not an input: which cells are masked says all, p(x_0 | x_t) being the same at every t.

    Args:
        channels: width of the residual blocks.
        blocks: their number, each a 3x3 and a 1x1 convolution.
        noise: of the first weights.

    Call it with x_t (n, height, width) uint8, t, and the condition (n, height + 1, width): y, and a last row that holds
    the label 0..4 in every cell.
    """

    def __init__(self, channels: int = 32, blocks: int = 6, *, noise: Noise) -> None:
        super().__init__()
        self.case = nn.Embedding(2 * 3 * 81, channels)
        self.label = nn.Embedding(LABELS, channels)
        self.conv = nn.ModuleList(nn.Conv2d(channels, channels, 3) for _ in range(blocks))
        self.mix = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(blocks))
        self.readout = nn.Conv2d(channels, 2, 1)
        for k, (name, weight) in enumerate(self.named_parameters()):
            if name.endswith("bias"):
                nn.init.zeros_(weight)
                continue
            fan_in = weight[0].numel() if weight.ndim == 4 else 1
            size = (2 / fan_in) ** 0.5 * (0.3 if name.startswith("mix") else 1.0)
            with torch.no_grad():
                weight.copy_(size * noise.split(k).normal(0, 1, tuple(weight.shape))[0])
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        y, label = condition[:, :-1], condition[:, -1, 0]
        h = self.case(cases(x_t, y)) + self.label(label.long())[:, None, None]
        h = h.permute(0, 3, 1, 2)  # channels last in memory
        for conv, mix in zip(self.conv, self.mix, strict=True):
            around = functional.pad(torch.relu(h), (1, 1, 1, 1), mode="circular")
            h = h + mix(torch.relu(conv(around)))
        return self.readout(torch.relu(h)).permute(0, 2, 3, 1)


def cases(x_t: Tensor, y: Tensor) -> Tensor:
    """The case of every constraint, 0..485, int64: ((y, centre of x), alive around, masked around)."""
    alive, masked = (x_t == 1).to(torch.uint8), (x_t == MASK).to(torch.uint8)
    around = 9 * _around(alive) + _around(masked)
    return ((3 * y + x_t).long() * 81) + around.long()


def _around(cells: Tensor) -> Tensor:
    nine = neighbours(cells, "torus")
    return sum(nine[:4] + nine[5:], torch.zeros_like(cells))
