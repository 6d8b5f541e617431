"""What a learner of Life sees: random boards and their n-step futures, and nothing else."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from sojourn.driver import simulate
from sojourn.noise import Noise
from sojourn.process import State
from sojourn.processes.life.life import Life, neighbourhood_index
from sojourn.trajectory import Trajectory


class SeenNeighbourhoods(NamedTuple):
    """The distinct 3x3 neighbourhoods of some boards, with what became of them.

    Attributes:
        index: (cases,) int64, 0..511 in the order of a rule's table.
        cells: (9, cases) float32, NW first.
        count: (cases,) how often each was seen.
        alive: (cases,) how often its centre was alive one step later.
    """

    index: torch.Tensor
    cells: torch.Tensor
    count: torch.Tensor
    alive: torch.Tensor

    def balanced_weights(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights (cases,) of the outcomes dead and alive: each outcome carries half of the total weight."""
        dead = self.count - self.alive
        return 0.5 * dead / dead.sum().clamp(min=1), 0.5 * self.alive / self.alive.sum().clamp(min=1)


def training_pairs(
    rule: str, boards: int = 64, side: int = 32, density: float = 0.38, seed: int = 0, **options
) -> Trajectory:
    """Random torus boards and their successors: a trajectory of one step with `boards` members."""
    life = Life(rule, (side, side), density=density)
    return simulate(life, steps=1, save_every=1, ensemble=boards, seed=seed, **options)


def collapse(pairs: Trajectory) -> SeenNeighbourhoods:
    """Counts of the distinct neighbourhoods in one-step pairs.

    A network of radius 1 sees a board only through its cells' neighbourhoods, so any loss that is a sum over cells has
    the same value on these counts as on the boards: nothing is lost and nothing is added.
    """
    cells = pairs.dataset["cell"].values
    index = neighbourhood_index(torch.from_numpy(np.ascontiguousarray(cells[:, 0])), "torus").flatten()
    after = torch.from_numpy(np.ascontiguousarray(cells[:, 1])).flatten().float()
    count = torch.bincount(index, minlength=512).float()
    alive = torch.bincount(index, weights=after, minlength=512).float()
    seen = torch.nonzero(count)[:, 0]
    bits = (seen[None, :] >> torch.arange(8, -1, -1)[:, None] & 1).float()
    return SeenNeighbourhoods(seen, bits, count[seen], alive[seen])


def unseen_soup(shape: tuple[int, int], noise: Noise) -> State:
    """A random board of density 0.375 from a stream that no training draws from."""
    return Life(shape=shape, density=0.375).initial(1, noise.split("unseen soup"))
