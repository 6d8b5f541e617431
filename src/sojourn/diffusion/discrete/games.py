"""Games of Life as in Kaggle's reverse task of 2020: a start board, a number of generations, and the stop board.

A torus of 25 x 25 cells is filled at a random density between 1% and 99% and evolved for 5 generations: that is the
start board. 1 to 5 generations later it is the stop board; games whose stop board is empty are left out.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sojourn.noise import Noise
from sojourn.processes.life.life import advance_cells

SIDE = 25
MOST_GENERATIONS = 5
_WARM_UP = 5

Reversal = Literal["stepwise", "jointly"]
"""Whether generations are undone one by one, or all in one reverse chain."""


def games(n: int, generations: int, noise: Noise) -> tuple[Tensor, Tensor]:
    """n start boards and their stop boards, (n, 25, 25) uint8 each."""
    starts: list[Tensor] = []
    stops: list[Tensor] = []
    found = turn = 0
    while found < n:
        start = _starts(n, noise, turn)
        stop = future(start, generations)
        full = stop.flatten(1).any(1).bool()
        starts.append(start[full])
        stops.append(stop[full])
        found, turn = found + int(full.sum()), turn + 1
    return torch.cat(starts)[:n], torch.cat(stops)[:n]


def training_pairs(n: int, reversal: Reversal, noise: Noise, step: int) -> tuple[Tensor, Tensor]:
    """At most n earlier boards x and what a network is told of them, a fifth for each label; data of that step.

    Stepwise, label k is x = the board k generations after the start board, told the next board. Jointly, label k is
    x = the start board, told the board k + 1 generations later.
    """
    earlier, conditions = [], []
    starts = _starts(n, noise, step)
    for label in range(MOST_GENERATIONS):
        start = starts[label::MOST_GENERATIONS]
        x = start if reversal == "jointly" else future(start, label)
        y = future(start, label + 1)
        full = y.flatten(1).any(1).bool()
        earlier.append(x[full])
        conditions.append(told(y[full], label))
    return torch.cat(earlier), torch.cat(conditions)


def told(y: Tensor, label: int) -> Tensor:
    """The condition of a network, (n, height + 1, width): the later board, and a row that holds the label."""
    return torch.cat([y, torch.full_like(y[:, :1], label)], 1)


def future(boards: Tensor, generations: int) -> Tensor:
    """Torus boards (n, height, width) uint8 after that many generations of B3/S23."""
    cells = np.ascontiguousarray(boards.numpy())
    return torch.from_numpy(advance_cells(cells, "B3/S23", "torus", generations)) if generations else boards


def _starts(n: int, noise: Noise, step: int) -> Tensor:
    density = 0.01 + 0.98 * noise.split("density").uniform(step, n, ())
    cells = (noise.split("cells").uniform(step, n, (SIDE, SIDE)) < density[:, None, None]).to(torch.uint8)
    return future(cells, _WARM_UP)
