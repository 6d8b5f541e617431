"""The worlds in which a line is tried: numbers for indices and sizes, and seeds for stand-ins."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import sympy as sp

from sojourn.derivations.notation import nodes as n
from sojourn.derivations.values.scope import EACH, Scope, every
from sojourn.errors import InputError

_WORLDS = 4


class OutOfRange(Exception):
    """In this world the line speaks of something before the beginning, such as x_{-1}."""


@dataclass(frozen=True)
class World:
    """Numbers for indices and sizes, and the seed of stand-ins for unknown functions."""

    values: dict[str, int]
    seed: int = 0

    def dice(self, *key: Any) -> random.Random:
        """Random numbers that belong to a name."""
        return random.Random(repr((self.seed, *key)))


def worlds(scope: Scope, node: n.Relation) -> list[World]:
    """Numbers for sizes and indices; one world where nothing depends on it."""
    seeds = _WORLDS if scope.sizes or scope.indices or scope.vectors or scope.laws or _unknown(scope, node) else 1
    return [world for seed in range(seeds) if (world := _world(scope, seed)) is not None]


def _unknown(scope: Scope, node: Any) -> bool:
    return any(isinstance(one, n.Call) for one in every(node)) or bool(scope.functions)


def _world(scope: Scope, seed: int) -> World | None:
    """None where the ranges of indices contradict each other for these sizes."""
    from sojourn.derivations.values.meaning import Meaning

    dice = random.Random(seed)
    values: dict[str, int] = {}
    dimensions = {one.name for size, _ in scope.vectors.values() for one in every(size) if isinstance(one, n.Symbol)}
    dimensions |= {
        one.name for sizes in scope.matrices.values() for s in sizes for one in every(s) if isinstance(one, n.Symbol)
    }
    most = 3 if scope.laws else 6  # a mean over a chain of six is an integral in six dimensions
    for name in sorted(scope.sizes):
        given = scope.definitions.get(name, [])
        if given:
            number = Meaning(scope, World(dict(values))).value(given[0].body)
            if not getattr(number, "is_Integer", False):
                continue
            values[name] = int(number)
        else:
            values[name] = (2, 3, 2, 3)[seed % 4] if name in dimensions else (3, 2, 4, most)[seed % 4]
    counted = [name for name in scope.indices if name != EACH]
    for place, name in enumerate(counted):
        low, high = scope.indices[name]
        m = Meaning(scope, World(dict(values)))
        try:
            first = 1 if low is None else m.integer(low)
            last = first + 3 if high is None or m.value(high) == sp.oo else m.integer(high)
        except InputError:
            first, last = 1, 3
        if last < first:
            return None
        # Each index is once at the second place, the first, the last and somewhere, and not all are there together:
        # 2^t = 2t holds for t = 1, 2.
        turn = (seed + place) % _WORLDS
        values[name] = (min(last, first + 1), first, last, dice.randint(first, last))[turn]
    return World(values, seed)
