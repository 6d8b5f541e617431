"""Generations automata: a cell that fails to survive ages through states 2, 3, ... before it is dead again.

0 -> 1 on birth; 1 -> 1 on survival, else 2 (or 0 with two states); k -> k+1; C-1 -> 0.  Only state 1 is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.processes.life.life import (
    Boundary,
    cell_field,
    check_cells,
    check_density,
    check_grid,
    neighbourhood_index,
    place,
    random_cells,
)
from sojourn.processes.life.pattern import Pattern
from sojourn.processes.life.rule import GenerationsRule


@dataclass(frozen=True)
class Generations(Process):
    """A Generations automaton on a grid.

    Args:
        rule: B/S/C or S/B/C notation or a common name: "B2/S/C3", "/2/3", "Brian's Brain".
        shape: (height, width) of the grid in cells.
        boundary: "torus" joins opposite edges; with "dead", cells outside are dead for ever.
        density: share of cells in state 1 in random starts, in [0, 1]; the others are dead.

    State: `cell`, uint8 (ensemble, height, width), 0 dead, 1 alive, 2..C-1 ageing.

    Raises:
        InputError: a parameter cannot be used; the message says which, its value, and what would be accepted.
    """

    rule: str = "B2/S/C3"
    shape: tuple[int, int] = (256, 256)
    boundary: Boundary = "torus"
    density: float = 0.25

    time_unit = "generation"

    def __post_init__(self) -> None:
        GenerationsRule.parse(self.rule)
        check_grid(self.shape, self.boundary)
        check_density(self.density)

    def fields(self) -> dict[str, Field]:
        return cell_field(self.shape)

    def initial(self, ensemble: int, noise: Noise) -> State:
        """Independent cells, in state 1 with probability `density`, else dead."""
        return random_cells(self.shape, self.density, ensemble, noise)

    def place(self, pattern: Pattern, at: tuple[int, int] = (0, 0)) -> State:
        """A dead grid with `pattern`'s top left corner at (y, x) = `at`."""
        return place(self, pattern, at, states=GenerationsRule.parse(self.rule).states)

    def step(self, state: State, t: int, noise: Noise) -> State:
        rule = GenerationsRule.parse(self.rule)
        cells = state["cell"]
        check_cells(cells, rule.states)
        index = neighbourhood_index((cells == 1).to(torch.uint8), self.boundary)
        outcome = torch.from_numpy(rule.life.table.copy()).to(cells.device)[index]  # birth or survival of state 1
        aged = torch.where(cells + 1 < rule.states, cells + 1, 0)
        return {"cell": torch.where((cells == 0) | (outcome == 1) & (cells == 1), outcome, aged).to(torch.uint8)}
