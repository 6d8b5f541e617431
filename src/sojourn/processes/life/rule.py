"""Rules of Life-like cellular automata, each of which *is* its table of 512 outcomes.

The outcome for neighbourhood 256 NW + 128 N + 64 NE + 32 W + 16 C + 8 E + 4 SW + 2 S + 1 SE is the entry of
that number (y down, the order of Golly's MAP rules).
"""

import base64
import re
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from sojourn.errors import InputError
from sojourn.processes.life.hensel import CENTRE_OF, CLASS_OF, CLASSES, COUNT_OF, WEIGHTS, write_conditions
from sojourn.processes.life.notation import (
    GENERATIONS_NAMES,
    NAMES,
    isotropic_table,
    read_map,
    read_name,
    read_table,
    split_parts,
)


@dataclass(frozen=True, repr=False)
class Rule:
    """A two-state rule on the 3 by 3 neighbourhood, as its table of 512 outcomes.

    Two rules are equal when their tables are, however they were written.

    Args:
        outcomes: 512 bytes, each 0 or 1; byte k is the next state of a cell whose neighbourhood has number
            k = 256 NW + 128 N + 64 NE + 32 W + 16 C + 8 E + 4 SW + 2 S + 1 SE.
    """

    outcomes: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.outcomes, bytes) or len(self.outcomes) != 512 or max(self.outcomes) > 1:
            raise InputError(
                "a Rule holds 512 bytes of 0 and 1; make one with Rule.parse('B3/S23') or Rule.from_table(array)"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rule in any of the usual notations.

        - outer-totalistic: "B3/S23", "b3s23", "S23/B3", or survival first without letters, "23/3";
        - Hensel's isotropic notation: "B2-a/S12", "B3/S2-i34q" (see `hensel`);
        - counts ending in V (von Neumann: only N, W, E and S count) or H (hexagonal: NE and SW do not): "B13/S012V";
        - "MAP" and the table in base64, first outcome first: 86 characters, or 6 for the von Neumann table;
        - a name from `NAMES`, such as "HighLife".

        B0 is taken literally: empty space comes alive.

        Raises:
            InputError: the text is none of these; the message gives the place and the remedy.

        Source: Golly 3.3, Help > Algorithms > QuickLife.
        """
        if not isinstance(text, str):
            raise InputError(f'rule={text!r} is not text; write it as "B3/S23", or use Rule.from_table for a table')
        rule = read_name(text, NAMES)
        if ":" in rule:
            raise InputError(f'rule "{text}": the grid after the colon is no part of a rule; use split_topology first')
        if rule[:3].upper() == "MAP":
            return cls.from_table(read_map(rule[3:], rule))
        parts = split_parts(rule)
        if len(parts) > 2:
            raise InputError(f'rule "{rule}" has {len(parts)} parts: that is a rule of Generations, not of Life')
        return cls.from_table(read_table(parts, rule))

    @classmethod
    def from_table(cls, table: ArrayLike) -> Self:
        """The rule with these 512 outcomes (any array of 512 zeros and ones)."""
        outcomes = np.asarray(table)
        if outcomes.shape != (512,) or not np.isin(outcomes, (0, 1)).all():
            raise InputError(
                f"a rule table has shape (512,) and values 0 and 1; this one has shape {outcomes.shape} "
                f"and values {np.unique(outcomes)[:4].tolist()}"
            )
        return cls(outcomes.astype(np.uint8).tobytes())

    @classmethod
    def from_masks(cls, birth: int, survival: int) -> Self:
        """The outer-totalistic rule: bit n of `birth` and of `survival` is the outcome at n neighbours."""
        for name, mask in (("birth", birth), ("survival", survival)):
            if not 0 <= mask < 512:
                raise InputError(f"{name}={mask} is not a mask of the nine counts 0 to 8; give 0 to 511")
        return cls.from_table(np.where(CENTRE_OF == 1, survival, birth) >> COUNT_OF & 1)

    @property
    def table(self) -> np.ndarray:
        """The outcomes as a read-only uint8 array of shape (512,)."""
        return np.frombuffer(self.outcomes, dtype=np.uint8)

    @property
    def is_isotropic(self) -> bool:
        """Whether turning or reflecting a neighbourhood never changes its outcome."""
        return bool((self.table == isotropic_table(*self._classes())).all())

    @property
    def is_outer_totalistic(self) -> bool:
        """Whether the outcome depends only on the centre and on the number of live neighbours."""
        return self == type(self).from_masks(*self._masks())

    @property
    def birth(self) -> int:
        """Bit n: a dead cell with n live neighbours comes alive. Only outer-totalistic rules have it."""
        self._require_masks("birth")
        return self._masks()[0]

    @property
    def survival(self) -> int:
        """Bit n: a live cell with n live neighbours stays alive. Only outer-totalistic rules have it."""
        self._require_masks("survival")
        return self._masks()[1]

    @property
    def notation(self) -> str:
        """The shortest notation that fits: "B3/S23", else Hensel's letters, else "MAP" and base64."""
        if self.is_isotropic:
            birth, survival = self._classes()
            return f"B{write_conditions(birth)}/S{write_conditions(survival)}"
        return "MAP" + base64.b64encode(np.packbits(self.table).tobytes()).decode().rstrip("=")

    def __str__(self) -> str:
        return self.notation

    def __repr__(self) -> str:
        return f"Rule.parse({self.notation!r})"

    def _classes(self) -> tuple[np.ndarray, np.ndarray]:
        """Birth and survival of one member of each of the 51 classes."""
        dead = np.unique(CLASS_OF, return_index=True)[1]  # the first of each class has a dead centre
        return self.table[dead] == 1, self.table[dead + WEIGHTS["C"]] == 1

    def _masks(self) -> tuple[int, int]:
        birth, survival = 0, 0
        for (count, _), born, stays in zip(CLASSES, *self._classes(), strict=True):
            birth |= int(born) << count
            survival |= int(stays) << count
        return birth, survival

    def _require_masks(self, name: str) -> None:
        if not self.is_outer_totalistic:
            raise InputError(f"rule {self} is not outer-totalistic, so it has no {name} mask; use its .table")


@dataclass(frozen=True, repr=False)
class GenerationsRule:
    """A Generations rule: live cells (state 1) that fail to survive age through states 2, 3, ... and then die.

    A cell in state 0 is born, and a cell in state 1 survives, by the two-state rule `life`, in which only
    state 1 counts as alive. A cell in state 1 that does not survive, and every cell in a state k >= 2, goes
    to state k + 1, and from the last state to 0.

    Args:
        life: the two-state rule for birth and survival.
        states: number of states, 2 to 255.

    Source: Golly 3.3, Help > Algorithms > Generations.
    """

    life: Rule
    states: int

    def __post_init__(self) -> None:
        if not 2 <= self.states <= 255:
            raise InputError(f"states={self.states} is not a number of states; give 2 to 255")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "/2/3" (survival/birth/states), "B2/S/C3", "B2/S/3" or a name such as "Brian's Brain".

        Raises:
            InputError: the text is none of these; the message gives the place and the remedy.
        """
        rule = read_name(text, GENERATIONS_NAMES)
        head, _, last = rule.rpartition("/")
        found = re.fullmatch(r"\s*[CcGg]?(\d{1,9})\s*", last)
        if not found or not re.search("[/_bs]", head.lower()):
            raise InputError(
                f'rule "{text}" is not a Generations rule; write survival/birth/states as in "345/2/4", or "B2/S345/C4"'
            )
        parts = split_parts(head)
        if len(parts) > 2:
            raise InputError(f'rule "{text}" has {len(parts) + 1} parts; a Generations rule has three')
        return cls(Rule.from_table(read_table(parts, rule)), int(found[1]))

    @property
    def birth(self) -> int:
        """Bit n: a cell in state 0 with n neighbours in state 1 is born."""
        return self.life.birth

    @property
    def survival(self) -> int:
        """Bit n: a cell in state 1 with n neighbours in state 1 stays in state 1."""
        return self.life.survival

    @property
    def notation(self) -> str:
        """The rule as "B2/S345/C4"."""
        return f"{self.life.notation}/C{self.states}"

    def __str__(self) -> str:
        return self.notation

    def __repr__(self) -> str:
        return f"GenerationsRule.parse({self.notation!r})"


@dataclass(frozen=True)
class Grid:
    """A bounded grid written after a rule: its topology, and its size in cells."""

    topology: Literal["torus", "plane"]
    height: int
    width: int


def split_topology(text: str) -> tuple[str, Grid | None]:
    """Split Golly's bounded grid off a rule: "B3/S23:T30,20" is a torus 30 wide and 20 high, ":P30,20" a plane.

    Returns:
        the rule without its suffix, and the grid, or None when the rule has no suffix. ":T30" is 30 by 30.

    Raises:
        InputError: the suffix is malformed, unbounded (a zero), shifted, or another topology than these two.

    Source: Golly 3.3, Help > Bounded Grids.
    """
    rule, colon, suffix = text.partition(":")
    if not colon:
        return rule, None
    kind = suffix[:1].upper()
    if kind in ("K", "C", "S"):
        name = {"K": "Klein bottle", "C": "cross-surface", "S": "sphere"}[kind]
        raise InputError(f'rule "{text}": the grid ":{suffix}" is a {name}; choose a torus (:T) or a plane (:P)')
    size = re.fullmatch(r"[TPtp](\d{1,10})(?:,(\d{1,10}))?", suffix)
    if not size:
        raise InputError(
            f'rule "{text}": ":{suffix}" is not a grid; write :T30,20 (torus, width 30, height 20) or :P30,20 (plane)'
        )
    width, height = int(size[1]), int(size[2] or size[1])
    if width == 0 or height == 0:
        raise InputError(f'rule "{text}": a size of 0 means unbounded; give a width and a height of at least 1')
    return rule, Grid("torus" if kind == "T" else "plane", height, width)
