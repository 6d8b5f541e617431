"""Simulated annealing of start boards of Life, as a process: flips of single cells, accepted by Metropolis's rule.

x' = x with one random cell flipped, accepted with probability min(1, exp(-(e(x') - e(x)) / temperature_t)),
e(x) = number of cells in which the board `generations` after x differs from the stop board.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from sojourn.diffusion.discrete.games import future
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State


@dataclass(frozen=True)
class Annealing(Process):
    """A Metropolis chain on start boards, whose temperature falls from `hot` to `cold` in equal ratios.

    Args:
        stop: (n, height, width) uint8, the boards to be reached; member k of the ensemble is annealed for stop k.
        generations: from the start board to the stop board.
        flips: length of the chain.
        hot, cold: temperatures, in wrong cells.

    State: `cell`, the chain, and `best`, the board with the fewest wrong cells so far; uint8 (n, height, width). A
    board without a wrong cell stays as it is.

    Raises:
        InputError: boards too small for the generations or wider than 62 cells, temperatures that do not fall.

    Source: Kirkpatrick, Gelatt and Vecchi, Optimization by Simulated Annealing (1983).
    """

    stop: Tensor = field(repr=False)
    generations: int
    flips: int
    hot: float = 0.7
    cold: float = 0.3

    def __post_init__(self) -> None:
        if self.generations < 1 or self.flips < 1:
            raise InputError(f"generations={self.generations} and flips={self.flips} must be 1 or more")
        if self.stop.ndim != 3 or self.stop.dtype != torch.uint8:
            raise InputError(
                f"stop must hold uint8 boards (n, height, width), not {self.stop.dtype} of {tuple(self.stop.shape)}"
            )
        height, width = self.stop.shape[1:]
        if height < 2 * self.generations + 1 or not 3 <= width <= 62:
            raise InputError(
                f"boards of {height} x {width} cannot be annealed over {self.generations} generations; use a height of "
                f"{2 * self.generations + 1} or more, and a width of 3 to 62"
            )
        if not 0 < self.cold <= self.hot:
            raise InputError(f"hot={self.hot} and cold={self.cold} need 0 < cold <= hot")

    @property
    def horizon(self) -> int:
        return self.flips

    def fields(self) -> dict[str, Field]:
        shape = tuple(self.stop.shape[1:])
        return {
            "cell": Field(("y", "x"), shape, torch.uint8, long_name="start board (0 dead, 1 alive)"),
            "best": Field(("y", "x"), shape, torch.uint8, long_name="best start board so far"),
        }

    def initial(self, ensemble: int, noise: Noise) -> State:
        """The stop boards themselves."""
        if noise.first_member + ensemble > len(self.stop):
            raise InputError(f"ensemble={ensemble} is more than the {len(self.stop)} stop boards; each has one member")
        return self.begin(self.stop[noise.first_member :][:ensemble])

    def begin(self, boards: Tensor) -> State:
        """The chain from these start boards."""
        return {"cell": boards.clone(), "best": boards.clone()}

    def wrong(self, boards: Tensor, first: int = 0) -> Tensor:
        """e(x) of boards that belong to the stop boards from `first` on, (n,) int64."""
        return wrong_cells(boards, self.stop[first : first + len(boards)], self.generations)

    def step(self, state: State, t: int, noise: Noise) -> State:
        cells, best = state["cell"], state["best"]
        n, height, width = cells.shape
        words = noise.words(t, n, (3,))
        changed = cells.clone()
        changed[torch.arange(n), (words[:, 0] * height) >> 32, (words[:, 1] * width) >> 32] ^= 1
        e, e_changed = (self.wrong(x, noise.first_member) for x in (cells, changed))
        temperature = self.hot * (self.cold / self.hot) ** (t / self.flips)
        u = (words[:, 2] >> 8).double() * 2.0**-24
        accepted = (e > 0) & (u < torch.exp(-(e_changed - e).double() / temperature))
        cells = torch.where(accepted[:, None, None], changed, cells)
        better = self.wrong(cells, noise.first_member) < self.wrong(best, noise.first_member)
        return {"cell": cells, "best": torch.where(better[:, None, None], cells, best)}

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        """`steps` flips by the kernel, which equals `step` bit for bit."""
        from sojourn.kernels.life_flips import flip

        self.check(state)
        cells, best = (state[name].numpy().copy() for name in ("cell", "best"))
        stop = self.stop[noise.first_member : noise.first_member + len(cells)].numpy()
        place = (noise.first_member, noise.stream, noise.seed)
        flip(cells, best, stop, self.generations, t, steps, *place, self.hot, self.cold, self.flips)
        return {"cell": torch.from_numpy(cells), "best": torch.from_numpy(best)}


def wrong_cells(boards: Tensor, stop: Tensor, generations: int) -> Tensor:
    """In how many cells each board (n, height, width) differs from its stop board after the generations; (n,)."""
    return (future(boards, generations) != stop).flatten(1).sum(1)
