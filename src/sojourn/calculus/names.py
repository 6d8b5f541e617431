"""Names for what a formula needs beside a user's symbols: bound variables of integrals, functions of equations."""

from __future__ import annotations

from typing import Any

from sojourn.calculus.process import ItoProcess


def unused(letters: str, *taken: Any) -> str:
    """The first of the names in `letters` that no symbol in these processes and expressions has; else with primes."""
    names = {s.name for part in taken for s in _symbols(part)}
    listed, primes = letters.split(), ""
    while True:
        for letter in listed:
            if letter + primes not in names:
                return letter + primes
        primes += "'"


def _symbols(part: Any) -> set[Any]:
    if isinstance(part, ItoProcess):
        return {*part._symbols(), *part.states, *part.noises, *part.jump_columns, part.time}
    return part.free_symbols
