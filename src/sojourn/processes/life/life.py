"""Two-state cellular automata of radius 1, the Game of Life among them, as a deterministic Markov process.

x_{t+1}(y, x) = table[256 NW + 128 N + 64 NE + 32 W + 16 C + 8 E + 4 SW + 2 S + 1 SE]
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import numpy as np
import torch

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.processes.life.pattern import Pattern
from sojourn.processes.life.rule import Rule

Boundary = Literal["torus", "dead"]


@dataclass(frozen=True)
class Life(Process):
    """A two-state automaton on a grid; the rule is any function of the 3x3 neighbourhood.

    Args:
        rule: B/S, Hensel or MAP notation, or a common name: "B3/S23", "B2-a/S12", "MAP...", "HighLife".
        shape: (height, width) of the grid in cells.
        boundary: "torus" joins opposite edges; with "dead", cells outside are dead for ever.
        density: share of live cells in random starts, in [0, 1].

    State: `cell`, uint8 (ensemble, height, width), 0 dead and 1 alive.

    Raises:
        InputError: a parameter cannot be used; the message says which, its value, and what would be accepted.
    """

    rule: str = "B3/S23"
    shape: tuple[int, int] = (256, 256)
    boundary: Boundary = "torus"
    density: float = 0.375

    time_unit = "generation"

    def __post_init__(self) -> None:
        Rule.parse(self.rule)
        check_grid(self.shape, self.boundary)
        check_density(self.density)

    @property
    def table(self) -> np.ndarray:
        """The 512 outcomes, uint8, read-only, in the order of Golly's MAP strings."""
        return Rule.parse(self.rule).table

    def fields(self) -> dict[str, Field]:
        return cell_field(self.shape)

    def initial(self, ensemble: int, noise: Noise) -> State:
        """Independent cells, alive with probability `density`."""
        return random_cells(self.shape, self.density, ensemble, noise)

    def place(self, pattern: Pattern, at: tuple[int, int] = (0, 0)) -> State:
        """An empty grid with `pattern`'s top left corner at (y, x) = `at`; on a torus it may wrap around the edges."""
        return place(self, pattern, at, states=2)

    def step(self, state: State, t: int, noise: Noise) -> State:
        index = neighbourhood_index(state["cell"], self.boundary)
        table = torch.from_numpy(self.table.copy()).to(index.device)
        return {"cell": table[index]}

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        """`steps` generations; on the CPU by the bit-packed kernel, which equals `step` bit for bit."""
        self.check(state)
        cells = state["cell"]
        if cells.device.type != "cpu":
            return super().advance(state, t, steps, noise)
        check_cells(cells, 2)
        return {"cell": torch.from_numpy(advance_cells(cells.numpy(), self.rule, self.boundary, steps))}


def cell_field(shape: tuple[int, int]) -> dict[str, Field]:
    """The one field of every automaton here."""
    return {"cell": Field(("y", "x"), tuple(shape), torch.uint8, long_name="cell state (0 dead, 1 alive)")}


def random_cells(shape: tuple[int, int], density: float, ensemble: int, noise: Noise) -> State:
    """Independent cells, in state 1 with probability `density`, else dead."""
    return {"cell": (noise.uniform(0, ensemble, tuple(shape)) < density).to(torch.uint8)}


def advance_cells(cells: np.ndarray, rule: str, boundary: Boundary, steps: int) -> np.ndarray:
    """uint8 cells (ensemble, height, width) after `steps` generations, through the packed kernel."""
    from sojourn.kernels import life as kernel

    parsed, width, torus = Rule.parse(rule), cells.shape[2], boundary == "torus"
    words = kernel.pack(np.ascontiguousarray(cells))
    if parsed.is_outer_totalistic:
        words = kernel.advance_outer_totalistic(words, width, parsed.birth, parsed.survival, steps, torus)
    else:
        words = kernel.advance_table(words, width, parsed.table, steps, torus)
    return kernel.unpack(words, width)


def neighbourhood_index(cells: torch.Tensor, boundary: Boundary) -> torch.Tensor:
    """Index 0..511 of every cell's 3x3 neighbourhood: int64, the shape of `cells` (ensemble, height, width)."""
    index = torch.zeros(cells.shape, dtype=torch.int64, device=cells.device)
    for bit, moved in enumerate(neighbours(cells, boundary)):
        index += moved.to(torch.int64) << (8 - bit)
    return index


def neighbours(cells: torch.Tensor, boundary: Boundary) -> list[torch.Tensor]:
    """The nine boards whose cell (y, x) is the NW, N, NE, W, C, E, SW, S, SE neighbour of (y, x), in this order."""
    places = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    if boundary == "torus":
        return [torch.roll(cells, (-dy, -dx), dims=(-2, -1)) for dy, dx in places]
    height, width = cells.shape[-2:]
    padded = torch.nn.functional.pad(cells, (1, 1, 1, 1))
    return [padded[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] for dy, dx in places]


def place(process: Process, pattern: Pattern, at: tuple[int, int], states: int) -> State:
    """One member with `pattern` on an otherwise dead grid (shared by the two- and the many-state automata)."""
    height, width = process.fields()["cell"].shape
    rows, columns = pattern.cells.shape
    if pattern.cells.size and int(pattern.cells.max()) >= states:
        raise InputError(f"the pattern has a cell of state {int(pattern.cells.max())}; this rule has {states} states")
    torus = getattr(process, "boundary", "torus") == "torus"
    fits = rows <= height and columns <= width
    inside = 0 <= at[0] <= height - rows and 0 <= at[1] <= width - columns
    if not fits or not (torus or inside):
        raise InputError(
            f"a pattern of {rows} x {columns} cells at {tuple(at)} does not fit the grid of {height} x {width}; "
            f"use a larger shape or another place"
        )
    cells = torch.zeros((1, height, width), dtype=torch.uint8)
    ys = (at[0] + torch.arange(rows)) % height
    xs = (at[1] + torch.arange(columns)) % width
    cells[0, ys[:, None], xs[None, :]] = torch.from_numpy(np.ascontiguousarray(pattern.cells, dtype=np.uint8))
    return {"cell": cells}


def check_grid(shape: tuple[int, int], boundary: str) -> None:
    """Raises InputError unless `shape` is two positive whole numbers and `boundary` is known."""
    whole = (
        isinstance(shape, tuple | list)
        and len(shape) == 2
        and all(isinstance(n, Integral) and not isinstance(n, bool) and n > 0 for n in shape)
    )
    if not whole:
        raise InputError(f"shape={shape} is not (height, width) with two whole numbers above zero")
    if boundary not in ("torus", "dead"):
        raise InputError(f'boundary={boundary!r} is not known; choose "torus" or "dead"')


def check_cells(cells: torch.Tensor, states: int) -> None:
    """Raises InputError unless all cells are in states 0 to `states` - 1."""
    if bool((cells >= states).any()):
        raise InputError(f"state field 'cell' has the value {int(cells.max())}; its states are 0 to {states - 1}")


def check_density(density: float) -> None:
    """Raises InputError unless `density` is a probability."""
    if not 0.0 <= density <= 1.0:
        raise InputError(f"density={density} is not a share of live cells; choose a number from 0 to 1")
