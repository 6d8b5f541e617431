"""Steady flow of blood through a network of vessels, with its red cells.

    Q = pi D^4 (p_a - p_b) / (128 mu L)       in each vessel, mu its apparent viscosity at D and its hematocrit H
    sum of Q = 0                              at each node
    H = what the node upstream hands on       by the law of phase separation, see `phase_separation`

A vessel whose flow vanishes gets plasma alone, from either end, because X0 > 0; so where three vessels meet,
hematocrits are continuous through a reversal of flow, which is why a steady state is to be expected. It need not be the
only one: small networks are known with several (Gardner et al., Math. Biosci. 227 (2010)). What is returned is where
viscosities end that follow their hematocrits with a delay, from one hematocrit everywhere; `steady_state` says how.
Blood, whose cells take their time along every vessel, might leave that state again; this is not looked at.

Where many branches draw plasma alone from a vessel its cells concentrate, and the law sets that no end but 1. Viscosity
stays what it is at a hematocrit of 0.95; results beyond say that the laws are used where nobody measured them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import splu
from torch import Tensor
from torch.autograd.function import once_differentiable

from sojourn.errors import InputError
from sojourn.processes.blood.phase_separation import SEPARATIONS, at_nodes, distribute
from sojourn.processes.blood.rheology import (
    PLASMA_VISCOSITY,
    pries_in_vitro_1992,
    pries_in_vivo_1994,
    pries_in_vivo_2005,
)
from sojourn.processes.blood.steady_state import Equations, State, converge, jacobian, uniform
from sojourn.processes.blood.units import Quantity, one, positive, show

if TYPE_CHECKING:
    from sojourn.processes.blood.network import VesselNetwork

VISCOSITIES = {
    "pries_in_vitro_1992": pries_in_vitro_1992,
    "pries_in_vivo_1994": pries_in_vivo_1994,
    "pries_in_vivo_2005": pries_in_vivo_2005,
}
MAX_HEMATOCRIT = 0.95  # about what a centrifuge leaves; the laws of viscosity were measured up to 0.9
_NARROWEST_1994 = 1.1e-6  # m
_DEFAULT_HEMATOCRIT = 0.45
_ENOUGH = 1e-10  # residual that is taken for a solution


@dataclass(frozen=True, eq=False)
class Flow:
    """Blood in steady flow through a network of N nodes and V vessels; float64 tensors.

    Attributes:
        network: what was solved.
        pressure: Pa, (N,).
        flow: m^3/s, (V,), positive from the vessel's first node to its second.
        hematocrit: H_d, of the discharge, (V,).
        viscosity: apparent, Pa s, (V,).
        residual: the largest sum of `flow` at a node, over the largest flow.
        cell_residual: the largest sum of flow times hematocrit at a node, over the largest flow of red cells.
        iterations: steps tried.
        laws: of viscosity and of phase separation, in words; empty where the flow was not solved for.
    """

    network: VesselNetwork
    pressure: Tensor
    flow: Tensor
    hematocrit: Tensor
    viscosity: Tensor
    residual: float
    cell_residual: float
    iterations: int
    laws: str = ""

    @property
    def mean_velocity(self) -> Tensor:
        """4 Q / (pi D^2), m/s, (V,), with the sign of the flow."""
        return 4 * self.flow / (math.pi * self.network.diameter**2)

    @property
    def wall_shear_stress(self) -> Tensor:
        """32 mu Q / (pi D^3) = (p_a - p_b) D / (4 L), Pa, (V,), with the sign of the flow."""
        return 32 * self.viscosity * self.flow / (math.pi * self.network.diameter**3)

    def record(self) -> dict[str, Any]:
        """For a run's record: the network (`VesselNetwork.record`), the laws, and means of what flows to six digits.

        So it tells flows apart, and stays what it is when the last digits of a solution change.
        """
        speed, hematocrit = (float(x.detach().mean()) for x in (self.mean_velocity.abs(), self.hematocrit))
        means = {"mean_speed": f"{speed:.5e} m/s", "mean_hematocrit": f"{hematocrit:.5e}"}
        return {**self.network.record(), "laws": self.laws, **means}

    def __repr__(self) -> str:
        p, h, u = (x.detach() for x in (self.pressure, self.hematocrit, self.mean_velocity.abs()))
        return (
            f"Flow({len(u)} vessels: pressure {show(float(p.min()), 'Pa')} to {show(float(p.max()), 'Pa')}, "
            f"velocity up to {show(float(u.max()), 'm/s')}, hematocrit {float(h.min()):.3g} to {float(h.max()):.3g}; "
            f"residual {self.residual:.1e}, of red cells {self.cell_residual:.1e})"
        )


def solve(network: VesselNetwork, *, viscosity: Quantity = "pries_in_vivo_1994", separation: str = "2005") -> Flow:
    """The steady flow through a network; gradients pass to its diameters, lengths and boundary values.

    Args:
        network: vessels, and what is prescribed at their ends: pressures, flows or velocities, and the hematocrit of
            what enters, 0.45 where none is given.
        viscosity: "pries_in_vitro_1992", "pries_in_vivo_1994" or "pries_in_vivo_2005", times the plasma's 1.2 mPa s;
            or a viscosity of its own for a Newtonian fluid, such as "1.2 cP".
        separation: "2005" or "1989", the constants of phase separation.

    Derivatives are those of the fixed point, by the implicit function theorem: one more linear system backwards. At a
    reversal of flow, where a daughter gets the most cells that it may, and at a hematocrit of 0.95 they are one-sided.

    Raises:
        InputError: an unknown law, a vessel too narrow for it, a hematocrit above 0.95, no prescribed pressure; no
            steady state found, with the residual reached.

    Source: Pries, Secomb, Gaehtgens and Gross, Circ. Res. 67 (1990), 826, for the model. The way to the solution, the
    rule for more than two daughters and the most that a daughter gets are ours.
    """
    if not isinstance(separation, str) or separation not in SEPARATIONS:
        raise InputError(f"separation={separation!r} is not known; choose from {', '.join(map(repr, SEPARATIONS))}")
    law, named = _viscosity(network, viscosity)
    problem = _problem(network, law, SEPARATIONS[separation])
    state, iterations = converge(problem.equations)
    pressure, flow, hematocrit, viscosities = _differentiable(problem, state)
    residual, cell_residual = _residuals(problem, flow.detach(), hematocrit.detach())
    if not max(residual, cell_residual) <= _ENOUGH:
        worst = int(np.abs(state.change).argmax())
        raise InputError(
            f"no steady flow was found, nor need there be one that lasts: after {iterations} steps the residual is "
            f"{residual:.1e}, of red cells {cell_residual:.1e}, and the viscosity of {network.names[worst]} changes "
            'most; lower the hematocrit that enters, or give a constant viscosity such as "3 cP"'
        )
    laws = f"{named}, phase separation of {separation}"
    return Flow(network, pressure, flow, hematocrit, viscosities, residual, cell_residual, iterations, laws)


class _Given(NamedTuple):
    """What is prescribed, as tensors that may ask for gradients."""

    diameter: Tensor  # m, (V,)
    length: Tensor  # m, (V,)
    pressure: Tensor  # Pa, (N,), zero where it is not prescribed
    inflow: Tensor  # m^3/s, (N,)
    entering: Tensor  # hematocrit, (N,)


@dataclass(frozen=True, eq=False)
class _Problem:
    given: _Given
    viscosity: Callable[[Tensor, Tensor], Tensor]  # Pa s, of diameter and hematocrit
    equations: Equations  # scaled: flows and pressures are about 1
    pressure_unit: float  # Pa
    flow_unit: float  # m^3/s
    base: float  # Pa, where scaled pressures are zero

    def poiseuille(self, pressure: Tensor, hematocrit: Tensor) -> tuple[Tensor, Tensor]:
        """The flow in every vessel, and its viscosity."""
        first, second = torch.from_numpy(self.equations.ends).T
        viscosity = self.viscosity(self.given.diameter, hematocrit)
        conductance = math.pi * self.given.diameter**4 / (128 * viscosity * self.given.length)
        return conductance * (pressure[first] - pressure[second]), viscosity

    def lost(self, flow: Tensor, inflow: Tensor | float = 0.0) -> Tensor:
        """What enters each node less what leaves it, (N,)."""
        first, second = torch.from_numpy(self.equations.ends).T
        return (torch.zeros_like(self.given.inflow) + inflow).index_add(0, first, -flow).index_add(0, second, flow)


def _viscosity(network: VesselNetwork, given: Quantity) -> tuple[Callable[[Tensor, Tensor], Tensor], str]:
    """Apparent viscosity of diameter and hematocrit, Pa s, and its name."""
    if not isinstance(given, str) or given.strip()[:1] in set("0123456789.+-"):
        constant = torch.as_tensor(positive(given, "Pa s", name="viscosity"), dtype=torch.float64)
        constant = one(constant, name="viscosity")
        named = f"viscosity {float(constant.detach()):.10g} Pa s"
        return lambda diameter, hematocrit: constant.expand_as(diameter) + 0 * hematocrit, named
    if given not in VISCOSITIES:
        known = ", ".join(map(repr, VISCOSITIES))
        raise InputError(f"viscosity={given!r} is not known; choose from {known}, or give a constant such as '1.2 cP'")
    least, narrowest = (x.item() for x in network.diameter.detach().min(0))
    if given == "pries_in_vivo_1994" and least <= _NARROWEST_1994:
        raise InputError(
            f"{network.names[int(narrowest)]} has diameter={show(least, 'm')}, and "
            f"viscosity={given!r} holds above {show(_NARROWEST_1994, 'm')}; widen it or choose 'pries_in_vivo_2005'"
        )
    law = VISCOSITIES[given]
    return lambda diameter, hematocrit: PLASMA_VISCOSITY * law(diameter, hematocrit.clamp(max=MAX_HEMATOCRIT)), given


def _problem(network: VesselNetwork, viscosity: Callable[[Tensor, Tensor], Tensor], law: Callable) -> _Problem:
    given, free = _given(network)
    ends = network.vessels.cpu().numpy()
    diameter, length, pressure, inflow, entering = (x.detach().numpy() for x in given)
    first = np.argmin(free)
    base = float(pressure[first])
    geometry = math.pi * diameter**4 / (128 * PLASMA_VISCOSITY * length)
    widest = float(geometry.max())

    def logarithm(hematocrit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        h = torch.from_numpy(hematocrit).requires_grad_()
        with torch.enable_grad():
            log = torch.log(viscosity(given.diameter.detach(), h) / PLASMA_VISCOSITY)
            (slope,) = torch.autograd.grad(log.sum(), h)
        return log.detach().numpy(), slope.numpy()

    columns = np.cumsum(free) - 1
    rows = np.arange(2 * len(ends)) // 2
    signs = np.tile([1.0, -1.0], len(ends))
    at_free = free[ends.reshape(-1)]
    incidence = sp.csr_array(
        (signs[at_free], (rows[at_free], columns[ends.reshape(-1)][at_free])), shape=(len(ends), int(free.sum()))
    )
    pressure = np.where(free, 0.0, pressure - base)
    equations = Equations(
        ends,
        at_nodes(ends, len(free)),
        incidence,
        free,
        geometry / widest,
        diameter,
        pressure,
        inflow / widest,
        entering,
        logarithm,
        law,
    )
    unit = float(np.abs(uniform(equations).flow).max()) or 1.0
    equations = replace(equations, pressure=pressure / unit, inflow=inflow / (widest * unit))
    return _Problem(given, viscosity, equations, unit, widest * unit, base)


def _given(network: VesselNetwork) -> tuple[_Given, np.ndarray]:
    """What is prescribed, and at which nodes the pressure is free."""
    values = {"pressure": {}, "inflow": {}, "entering": {}}
    for boundary in network.boundaries:
        node = boundary.node
        h = _DEFAULT_HEMATOCRIT if boundary.hematocrit is None else boundary.hematocrit
        if (number := float(torch.as_tensor(h).detach())) > MAX_HEMATOCRIT:
            raise InputError(
                f"at node {node}: hematocrit={number:g} is above {MAX_HEMATOCRIT}, where no blood flows; give less"
            )
        values["entering"][node] = h
        if boundary.pressure is not None:
            values["pressure"][node] = boundary.pressure
        elif boundary.flow is not None:
            values["inflow"][node] = boundary.flow
        else:
            vessel = int(network.incident.vessel[network.incident.start[node]])
            values["inflow"][node] = boundary.velocity * math.pi * network.diameter[vessel] ** 2 / 4

    def spread(of: dict[int, Any]) -> Tensor:
        zero = torch.zeros(len(network.nodes), dtype=torch.float64)
        if not of:
            return zero
        numbers = [torch.as_tensor(x, dtype=torch.float64, device="cpu").reshape(()) for x in of.values()]
        return zero.index_put((torch.tensor(list(of)),), torch.stack(numbers))

    free = np.ones(len(network.nodes), dtype=bool)
    free[list(values["pressure"])] = False
    return _Given(network.diameter.cpu(), network.length.cpu(), *(spread(x) for x in values.values())), free


def _differentiable(problem: _Problem, state: State) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pressure, flow, hematocrit and viscosity at the state, with their derivatives by what is given.

    Flows follow from pressures above `base`: from whole ones, 1e5 Pa everywhere would leave a slow flow few digits.
    """
    given, equations = problem.given, problem.equations
    free = torch.from_numpy(equations.free)
    found = torch.from_numpy(state.pressure) * problem.pressure_unit
    pressure, hematocrit = torch.where(free, found, given.pressure - problem.base), torch.from_numpy(state.hematocrit)
    flow, _ = problem.poiseuille(pressure, hematocrit)
    handed_on = distribute(flow, hematocrit, given.diameter, given.entering, equations.at, equations.law)
    residual = torch.cat([-problem.lost(flow, given.inflow)[free] / problem.flow_unit, hematocrit - handed_on])
    if residual.requires_grad:
        change: Any = _LastNewtonStep.apply(residual, jacobian(equations, state))
        unknown = int(free.sum())
        pressure = pressure.index_add(0, free.nonzero()[:, 0], problem.pressure_unit * change[:unknown])
        hematocrit = hematocrit + change[unknown:]
    flow, viscosity = problem.poiseuille(pressure, hematocrit)
    return torch.where(free, pressure + problem.base, given.pressure), flow, hematocrit, viscosity


class _LastNewtonStep(torch.autograd.Function):
    """-J^-1 residual, which is nothing at a solution; its derivative is what the implicit function theorem says."""

    @staticmethod
    def forward(ctx: Any, residual, matrix):
        ctx.matrix = matrix
        return torch.zeros_like(residual)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Any):
        return torch.from_numpy(-splu(ctx.matrix).solve(gradients[0].numpy(), trans="T")), None


def _residuals(problem: _Problem, flow: Tensor, hematocrit: Tensor) -> tuple[float, float]:
    """The largest imbalance at a node, of blood and of red cells, each over the largest flow of its kind."""
    free = torch.from_numpy(problem.equations.free)
    inner = torch.from_numpy(problem.equations.at.signs).count_nonzero(1) > 1
    cells = flow * hematocrit
    lost, lost_cells = problem.lost(flow, problem.given.inflow.detach())[free], problem.lost(cells)[inner]
    return _share(lost, flow), _share(lost_cells, cells)


def _share(lost: Tensor, of: Tensor) -> float:
    largest = float(of.abs().max())
    return float(torch.cat([lost.abs(), torch.zeros(1)]).max()) / largest if largest else 0.0
