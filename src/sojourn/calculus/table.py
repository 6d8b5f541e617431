"""The multiplication table of differentials.

dW_i dW_j = rho_ij dt,    dt dt = dt dW = dt dN = dW dN = 0,    dN dN = dN,    dN dN' = 0 for another process N'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from sojourn.calculus.noises import Brownian, Poisson
from sojourn.calculus.shown import Shown
from sojourn.errors import InputError

TIME = sp.Symbol("t", positive=True)


@dataclass(frozen=True, repr=False)
class Table(Shown):
    """Products of differentials: `entries[a, b]` is da db as (coefficient, symbol), None for 0."""

    symbols: tuple[sp.Symbol, ...]
    entries: dict[tuple[sp.Symbol, sp.Symbol], tuple[sp.Expr, sp.Symbol] | None]


def table(*noises: Any) -> Table:
    """The table of dt and these Brownian motions and Poisson processes.

    Raises:
        InputError: one of them is neither.
    """
    for n in noises:
        if not isinstance(n, (Brownian, Poisson)):
            raise InputError(f"{n!r} is no Brownian motion or Poisson process; make one with brownian('W')")
    symbols = (TIME, *noises)
    entries: dict[tuple[sp.Symbol, sp.Symbol], tuple[sp.Expr, sp.Symbol] | None] = {}
    for a in symbols:
        for b in symbols:
            c, d = multiply(a, b)
            entries[a, b] = None if c == 0 else (c, d)
    return Table(symbols, entries)


def multiply(a: sp.Symbol, b: sp.Symbol, time: sp.Symbol = TIME) -> tuple[sp.Expr, sp.Symbol]:
    """(c, s) with da db = c ds."""
    if isinstance(a, Brownian) and isinstance(b, Brownian):
        return a.correlation(b), time
    if isinstance(a, Poisson) and a == b:
        return sp.S.One, a
    return sp.S.Zero, time
