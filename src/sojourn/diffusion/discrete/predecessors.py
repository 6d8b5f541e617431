"""Predecessors of boards of Life, as a discrete diffusion with masks that is told the later board: p(x | y, label)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sojourn.diffusion.discrete.d3pm import D3PM
from sojourn.diffusion.discrete.games import MOST_GENERATIONS, Reversal, told, training_pairs
from sojourn.diffusion.discrete.kernel import Kernel
from sojourn.driver import simulate
from sojourn.noise import Noise
from sojourn.processes.life.life import neighbours

MASK = 2


class PredecessorNetwork(nn.Module):
    """Logits of each cell of x, from what is known of x and from the later board y; translates with the boards.

    A cell of y is a constraint on nine cells of x. What is known about it is one of 486 cases: its value, the state of
    the cell of x below it (dead, alive, masked), and how many of the eight around that are alive and how many masked.
    Each case has a learned vector; residual blocks on the torus then pass what constraints say to their neighbours.
    The time is not an input: p(x_0 | x_t) is the same at every t, since which cells are masked says all.

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
        self.label = nn.Embedding(MOST_GENERATIONS, channels)
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


def masks(steps: int) -> Kernel:
    """The absorbing kernel of two states with alpha_bar_t = 1 - t/T, its mutual-information schedule."""
    return Kernel.absorbing(2, 1 - torch.arange(steps + 1, dtype=torch.float64) / steps)


def loss(network: nn.Module, step: int, *, batch: int, reversal: Reversal, noise: Noise) -> Tensor:
    """The bound in the limit of many steps, in nats per cell: the integral over the masked share m of
    E[sum over masked cells of -log p(x_0 | x_t)] / m, with m stratified over the batch.

    Source: Austin et al. (2021), appendix A.3: with masks and this schedule L_{t-1} is 1/t of the masked cells' loss.
    """
    x, condition = training_pairs(batch, reversal, noise.split("games"), step)
    n = len(x)
    share = (torch.arange(n) + noise.split("share").uniform(step, 1, ())) / n
    masked = noise.split("masks").uniform(step, n, tuple(x.shape[1:])) < share[:, None, None]
    x_t = torch.where(masked, torch.tensor(MASK, dtype=torch.uint8), x)
    logits = network(x_t, torch.zeros(n, dtype=torch.int64), condition)
    nats = functional.cross_entropy(logits.permute(0, 3, 1, 2), x.long(), reduction="none")
    return ((nats * masked).flatten(1).mean(1) / share.clamp(min=1 / masked[0].numel())).mean()


def sample(model: D3PM, stop: Tensor, generations: int, *, reversal: Reversal, seed: int) -> Tensor:
    """A start board for every stop board (n, height, width), by one reverse chain, or by one for each generation."""
    board = stop
    for label in labels(generations, reversal):
        chain = model.reverse(tuple(stop.shape[1:]), condition=told(board, label))
        name = Noise(seed).split(label).stream
        board = simulate(chain, steps=chain.horizon, ensemble=len(stop), seed=name, progress=False).state()["cell"]
    return board


def most_probable(network: nn.Module, stop: Tensor, generations: int, *, reversal: Reversal) -> Tensor:
    """What a network without diffusion would answer: all cells at once, each alive where p(alive | stop) > 1/2."""
    board = stop
    for label in labels(generations, reversal):
        with torch.no_grad():
            logits = network(torch.full_like(board, MASK), torch.zeros(len(board)), told(board, label))
        board = logits.argmax(-1).to(torch.uint8)
    return board


def labels(generations: int, reversal: Reversal) -> list[int]:
    """The label of each chain that `sample` runs, in their order."""
    return [generations - 1] if reversal == "jointly" else list(range(generations - 1, -1, -1))
