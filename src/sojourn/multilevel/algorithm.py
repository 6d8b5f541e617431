"""Multilevel Monte Carlo for E[f(X_T)]: how many levels, how many paths on each, and when to stop.

Source: Giles, Operations Research 56 (2008); Acta Numerica 24 (2015).
"""

from __future__ import annotations

import math
import time
from typing import Any

from sojourn.calculus.process import ItoProcess
from sojourn.errors import InputError
from sojourn.multilevel import antithetic
from sojourn.multilevel.estimate import MultilevelEstimate
from sojourn.multilevel.intervals import CentralLimit, EmpiricalBernstein
from sojourn.multilevel.ladder import Ladder
from sojourn.multilevel.payoff import payoff
from sojourn.multilevel.report import report
from sojourn.noise import Noise
from sojourn.processes.ito.schemes import find

BIAS_SHARE = 0.25
"""Of the tolerance, what the time steps may use up; the rest is for the sampling."""
SMALLEST = 1e-100
"""A tolerance whose inverse square is still a number."""


def expectation(
    f: Any,
    process: ItoProcess,
    T: float,
    *,
    tolerance: float,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = None,
    scheme: str | None = None,
    seed: int = 0,
    max_cost: float = 1e9,
) -> MultilevelEstimate:
    """E[f(X_T)] by multilevel Monte Carlo, with an interval for the errors of sampling and of time steps.

    E P_L = E P_s + sum_(l = s+1 .. L) E[P_l - P_(l-1)],    P_l = f(X_T by 2^l steps)

    Each mean is over paths of its own, the two terms of a difference on one Brownian path. Paths on level l:
    proportional to sqrt(variance / work). Levels are added until |E P_L - E f(X_T)|, extrapolated from the last two
    differences, is below a quarter of the tolerance; s is where the work is least. The result is a function of the
    arguments alone.

    Args:
        f: an expression in the states (`Max(S - K, 0)`, or a relation such as `S > K` for a probability), or a function
            of the final state, a dict of tensors (ensemble,), to a tensor (ensemble,).
        process: an ItoProcess with an initial value and a number for every parameter.
        T: final time.
        tolerance: the half width of the interval.
        confidence: of the statistical part of the interval.
        bounds: two numbers between which f lies for certain. The statistical part is then no limit theorem's but an
            inequality's, at ten times the cost or more.
        scheme: how paths are stepped; None: "milstein" where the noise commutes, otherwise "milstein-truncated" with
            antithetic twins.
        seed: of the Brownian paths.
        max_cost: steps of paths that may be spent.

    Raises:
        InputError: an argument is out of its range, a parameter has no value, f is not finite, or `max_cost` is not
            enough.

    Source: Giles, Operations Research 56 (2008); Acta Numerica 24 (2015).
    """
    began = time.perf_counter()
    _check(T, tolerance, confidence, max_cost)
    process, T = _valued(process), float(T)
    if scheme is None:
        scheme = antithetic.SCHEME if process.coefficients().commutator else "milstein"
    _check_scheme(scheme)
    start = process.discretise(T, scheme)
    f = payoff(f, process, T, bounds)
    interval = CentralLimit(confidence) if bounds is None else EmpiricalBernstein(confidence, f.range)
    ladder = Ladder(start, T, f, Noise(seed), interval)
    ladder.find_start(max_cost)
    settled = False
    while True:
        bias = ladder.bias()
        # until all levels have their paths for the whole tolerance, the bias is too badly known to be taken off it
        target = tolerance - min(bias, BIAS_SHARE * tolerance) if settled else tolerance
        _afford(ladder, target, tolerance, max_cost)
        needed = ladder.paths_needed(target)
        if ladder.grow(needed):
            continue
        if not settled:
            settled = True
        elif ladder.bias(errors=0.0) > BIAS_SHARE * tolerance:
            ladder.add_level()
            settled = False
        elif bias > BIAS_SHARE * tolerance:
            ladder.double_last()
        else:
            return report(ladder, time.perf_counter() - began)


def _check(T: Any, tolerance: Any, confidence: Any, max_cost: Any) -> None:
    for name, value in (("T", T), ("tolerance", tolerance), ("max_cost", max_cost)):
        if not (isinstance(value, (int, float)) and 0 < value < math.inf):
            raise InputError(f"{name}={value} is not a positive number")
    if tolerance < SMALLEST:
        raise InputError(f"tolerance={tolerance} is below {SMALLEST}; give f and its tolerance in smaller units")
    if not (isinstance(confidence, (int, float)) and 0 < confidence < 1):
        raise InputError(f"confidence={confidence} is not between 0 and 1; the usual is 0.95")


def _check_scheme(scheme: str) -> None:
    kind = find(scheme).kind
    if kind == "WV":
        raise InputError(f"scheme={scheme!r} is right in law only and cannot follow a path; use 'euler' or 'milstein'")
    if kind == "WA":
        raise InputError(
            f"scheme={scheme!r} has Levy areas that, joined from two steps, have not the law of one step's, so the "
            f"levels' means would not add up; use {antithetic.SCHEME!r}"
        )


def _valued(process: Any) -> ItoProcess:
    """The process with a plain number for every parameter."""
    if not isinstance(process, ItoProcess):
        raise InputError(f"process is {type(process).__name__}; expectation needs an ItoProcess")
    if process.starts is None:
        raise InputError("the process has no initial value; give one: ItoProcess(..., initial=...)")
    numbers = {}
    for symbol in process.parameters:
        if symbol.name not in process.values:
            raise InputError(f"{symbol} has no value; give it one, such as X({symbol}=1.0)")
        try:
            numbers[symbol.name] = float(process.values[symbol.name])
        except (TypeError, ValueError):
            raise InputError(f"{symbol} is not one number; expectation needs one, such as X({symbol}=1.0)") from None
    return process(**numbers)


def _afford(ladder: Ladder, half_width: float, tolerance: float, max_cost: float) -> None:
    """Raises InputError where what is needed, with the levels still to come, costs more than may be spent."""
    cost = ladder.predict(half_width, BIAS_SHARE * tolerance)
    if cost > max_cost:
        reachable = tolerance * math.sqrt(cost / max_cost)
        raise InputError(
            f"tolerance={tolerance:g} would take about {cost:.1e} steps of paths, above max_cost={max_cost:.1e}; raise "
            f"max_cost, or ask for a tolerance of about {reachable:.1g}"
        )
