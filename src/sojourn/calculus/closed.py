"""The SDE of Y = f(t, X) by itself, where f has an inverse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.calculus.process import ItoProcess
from sojourn.calculus.tidy import simple, tidy
from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.calculus.differential import Differential


def closed(d: Differential, name: str | sp.Symbol) -> ItoProcess:
    """The process Y with dY = df, its coefficients written in Y.

    One state of f is replaced by its inverse; the others have to cancel, as they do in Y = S V.

    Raises:
        InputError: f has no inverse in a state, or the coefficients need more than Y.
    """
    f: Any = d.value
    states = d.process.states
    Y = name if isinstance(name, sp.Symbol) else sp.Symbol(name, real=True, positive=f.is_positive or None)
    inside = [s for s in states if s in f.free_symbols]
    noises = [*d.diffusion, *d.jumps]
    inverses = {s: back for s in inside if (back := _inverse(f, s, Y)) is not None}
    for s, back in inverses.items():
        moved: list[Any] = [_simple(e.subs(s, back)) for e in (d.drift, *d.diffusion.values(), *d.jumps.values())]
        if not any(e.free_symbols & set(states) for e in moved):
            return _process(d, Y, moved[0], dict(zip(noises, moved[1:], strict=True)))
    if not inverses:
        raise InputError(
            f"{f} has no single inverse in {', '.join(map(str, inside)) or 'a state'}, so Y has no closed SDE; declare "
            f"the state real=True or positive=True if it is, or keep the Differential"
        )
    raise InputError(f"the coefficients of d({f}) depend on more than its value; make a system of the two processes")


def _process(d: Differential, Y: sp.Symbol, drift: sp.Expr, columns: dict[Any, sp.Expr]) -> ItoProcess:
    """The process of Y, with the start and the parameters' values that belong to it."""
    initial = None
    if d.process.starts is not None:
        places: Any = {d.time: 0} | dict(zip(d.process.states, d.process.starts, strict=True))
        initial = d.value.subs(places)
    found = ItoProcess(
        Y,
        drift,
        {W: columns[W] for W in d.diffusion},
        jumps={N: columns[N] for N in d.jumps},
        initial=initial,
    )
    names = {s.name for s in found.parameters}
    return found(**{name: value for name, value in d.process.values.items() if name in names})


def _simple(e: sp.Expr) -> sp.Expr:
    found = sp.simplify(tidy(e))
    if found.has(sp.sinh, sp.cosh, sp.tanh):  # of a logarithm, where the inverse was a hyperbolic one
        found = min((found, sp.radsimp(sp.simplify(found.rewrite(sp.exp)))), key=sp.count_ops)
    return tidy(found)


def _inverse(f: sp.Expr, s: sp.Symbol, Y: sp.Symbol) -> sp.Expr | None:
    """x with f(x) = Y, where there is exactly one for every state: checked by putting f back. Not sought of long f."""
    once = sum(part == s for part in sp.preorder_traversal(f)) == 1
    functions = [part for part in f.atoms(sp.Function) if part.has(s)]
    if not simple(f) or (not once and (len(functions) > 2 or not simple(f, 15))):
        return None
    try:
        found = sp.solve(sp.Eq(f, Y), s)
    except NotImplementedError:
        return None
    return next((back for back in found if sp.simplify(back.subs(Y, f) - s) == 0), None)
