"""Steady flow and hematocrit in a network, on plain arrays, as the end of a motion; `solver` says what is solved.

The unknown is x = log mu of every vessel. Given x, pressures solve a linear system; given flows, one sweep along them
finds the hematocrits H, so red cells are conserved whatever x is; and H has a viscosity. The motion

    dx/dt = log mu(H(x)) - x

is followed to its rest by steps of length dt that are implicit and linear,

    dx = s (log mu(H) - x + (d log mu / dH) dH),   s = dt / (1 + dt),

where dH is to first order what dx does to pressures, flows and hematocrits, all vessels at once. At large dt this is
Newton's method. After a step log mu(H) - x would be dx / dt, were H linear; dt falls where it is far from that, and
grows where it is near.

Where a vessel has just enough flow to get cells its hematocrit has nearly a corner, at which steps go to and fro. A
vessel that does, log mu(H) - x changing its sign and not much of its size, gets a smaller dt of its own for a while.
This changes the way, and not which states are at rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import splu

from sojourn.processes.blood.phase_separation import AtNodes, derivatives, sweep

_TARGET = 1e-12  # imbalance over the largest flow
_ENOUGH = 1e-11  # imbalance that may be all rounding
_SETTLED, _CLOSE = 1e-11, 1e-8  # of log mu: the change at which to stop, and below which it may be all rounding
_MOST_STEPS = 400
_LARGEST_STEP = 1.0  # of log mu
_SHORTEST, _NEWTON, _LONGEST = 0.02, 4.0, 1e12  # dt: from the second on it hardly matters how long
_BAD, _POOR, _GOOD = 1.0, 0.5, 0.2  # distance from the linear forecast, over the step: try again, halve dt, raise it
_TIRING = 30  # steps after which dt grows half as fast as at first, or its rise and fall may go round for ever
_TO_AND_FRO = 0.2  # least size, over that of the largest, at which a vessel that goes to and fro matters


@dataclass(frozen=True, eq=False)
class Equations:
    """Flow Q = g / mu (p_a - p_b) in V vessels between N nodes, balanced at those without a prescribed pressure.

    Attributes:
        ends: (V, 2), nodes; Q is positive from the first to the second.
        at: the vessels at each node.
        incidence: (V, free nodes), 1 where a vessel begins, -1 where it ends.
        free: (N,), whether the pressure is unknown.
        geometry: g, (V,).
        diameter: (V,), m.
        pressure: (N,), where prescribed.
        inflow: (N,), what is prescribed to enter.
        entering: (N,), hematocrit of what enters.
        viscosity: H -> log mu and its derivative.
        law: of phase separation.
    """

    ends: np.ndarray
    at: AtNodes
    incidence: sp.csr_array
    free: np.ndarray
    geometry: np.ndarray
    diameter: np.ndarray
    pressure: np.ndarray
    inflow: np.ndarray
    entering: np.ndarray
    viscosity: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    law: Callable[..., Any]


@dataclass(frozen=True, eq=False)
class State:
    """What follows from x."""

    x: np.ndarray
    conductance: np.ndarray
    pressure: np.ndarray
    flow: np.ndarray
    hematocrit: np.ndarray
    change: np.ndarray  # log mu(H) - x
    slope: np.ndarray  # d log mu / dH
    imbalance: float  # with mu(H): the largest sum of flows at a node over the largest flow

    @property
    def distance(self) -> float:
        return _size(self.change)


def converge(equations: Equations) -> tuple[State, int]:
    """The state at rest that the motion from `uniform` reaches, and how many steps were tried."""
    now, tried, dt = uniform(equations), 0, 1.0
    own = np.full(len(now.x), np.inf)  # the longest dt of each vessel
    while tried < _MOST_STEPS and (now.imbalance > _TARGET or np.abs(now.change).max() > _SETTLED):
        tried += 1
        close = now.imbalance < _ENOUGH and np.abs(now.change).max() < _CLOSE
        length = np.full_like(own, _LONGEST) if close else np.minimum(dt, own)
        step = length / (1 + length)
        dx = newton(equations, now, step)
        new = follow(equations, now.x + dx)
        if close and new.distance > 0.5 * now.distance:
            break  # rounding is all that is left
        if close:
            now = new
            continue
        own = np.where(_turned(now.change, new.change, step), 0.4 * np.minimum(length, 1), 1.5 * own).clip(1e-3)
        error = _size(step * (new.change - dx / length)) / _size(dx)
        if error > _BAD and dt > _SHORTEST:
            dt = max(min(dt, _NEWTON) / 4, _SHORTEST)
            continue
        now = new
        if error < _GOOD:
            dt = min((1 + 2 / (1 + tried / _TIRING)) * dt, _LONGEST)
        elif error > _POOR:
            dt = max(min(dt, _NEWTON) / 2, _SHORTEST)
    return now, tried


def uniform(equations: Equations) -> State:
    """The state with the viscosities of one hematocrit everywhere, the largest that enters."""
    return follow(equations, equations.viscosity(np.full(len(equations.geometry), equations.entering.max()))[0])


def follow(equations: Equations, x: np.ndarray) -> State:
    """The state with viscosities e^x."""
    conductance = equations.geometry * np.exp(-x)
    pressure = _pressures(equations, conductance)
    flow = conductance * (pressure[equations.ends[:, 0]] - pressure[equations.ends[:, 1]])
    hematocrit = sweep(pressure, flow, equations.diameter, equations.entering, equations.at, equations.law)
    found, slope = equations.viscosity(hematocrit)
    change = found - x
    after = flow * np.exp(-change)
    largest = np.abs(after).max()
    lost = equations.incidence.T @ after - equations.inflow[equations.free]
    imbalance = float(np.abs(lost).max(initial=0.0) / largest) if largest else 0.0
    return State(x, conductance, pressure, flow, hematocrit, change, slope, imbalance)


def newton(equations: Equations, state: State, step: np.ndarray) -> np.ndarray:
    """dx from the linear system for the changes of free pressures and of hematocrits."""
    a: Any = equations.incidence
    q = step * state.flow * state.change
    matrix, by_flow = _jacobian(equations, state, step)
    right = np.concatenate([a.T @ q, -(by_flow @ q)])
    try:
        change = splu(matrix).solve(right)
    except RuntimeError:  # exactly singular: simple iteration
        change = np.zeros_like(right)
    dx = step * (state.change + state.slope * change[a.shape[1] :])
    return np.clip(dx, -_LARGEST_STEP, _LARGEST_STEP)


def jacobian(equations: Equations, state: State) -> sp.csc_array:
    """Of the flows' sums at free nodes, and of H less what the nodes hand on, by free pressures and by H."""
    return _jacobian(equations, state, np.ones_like(state.x))[0]


def _jacobian(equations: Equations, state: State, step: np.ndarray) -> tuple[sp.csc_array, sp.csr_array]:
    """The matrix, and the derivative by flow of what the nodes hand on."""
    arrays = state.flow, state.hematocrit, equations.diameter, equations.entering
    flow, hematocrit, diameter, entering = map(torch.from_numpy, arrays)
    by_flow, by_hematocrit = derivatives(flow, hematocrit, diameter, entering, equations.at, equations.law)
    a = equations.incidence
    driven = sp.diags_array(state.conductance) @ a  # dQ / dp
    thickened = sp.diags_array(-step * state.flow * state.slope)  # dQ / dH
    identity = sp.eye_array(len(state.flow))
    blocks = [
        [a.T @ driven, a.T @ thickened],
        [-(by_flow @ driven), identity - by_hematocrit - by_flow @ thickened],
    ]
    return sp.csc_array(sp.block_array(blocks)), by_flow


def _pressures(equations: Equations, conductance: np.ndarray) -> np.ndarray:
    """The pressures that balance the flows, refined once."""
    pressure, free, a = equations.pressure.copy(), equations.free, equations.incidence
    if not free.any():
        return pressure
    laplacian = (a.T @ sp.diags_array(conductance) @ a).tocsc()
    factors = splu(laplacian, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    for _ in range(2):
        flow = conductance * (pressure[equations.ends[:, 0]] - pressure[equations.ends[:, 1]])
        pressure[free] += factors.solve(equations.inflow[free] - a.T @ flow)
    return pressure


def _turned(before: np.ndarray, after: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Which vessels go to and fro, of those that matter."""
    size = np.abs(step * after)
    return (before * after < 0) & (np.abs(after) > 0.3 * np.abs(before)) & (size > _TO_AND_FRO * size.max())


def _size(of: np.ndarray) -> float:
    return float(np.sqrt(np.mean(of**2)))
