"""The way to a target, and the nodes on it where a robot's place across decides.

At such a gate the flow shares [0, 1] among the vessels that leave (`blood.junction`); G(x) is a robot's place in it,
and it goes on towards the target if low < G(x) < high. A smooth stand-in for that choice is

    f(G) = s((G - low) / w) s((high - G) / w),   s the logistic function,

without the factor of an end that is 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sojourn.control.checks import check_flow
from sojourn.driver import whole
from sojourn.errors import InputError
from sojourn.process import State
from sojourn.processes.blood.junction import Junctions, flow_share, junctions

if TYPE_CHECKING:
    from sojourn.processes.blood.solver import Flow

_NONE = 1e-9  # a share of the flow below which an end of the interval counts as 0 or 1


@dataclass(frozen=True, eq=False)
class Gate:
    """The downstream end of a vessel, where part of the flow goes on to the target.

    Attributes:
        vessel: the one that ends there.
        end: its end, 2 vessel + 1 if the flow is positive, else 2 vessel.
        low, high: the part of its flow that goes on.
        direction: of x, in the vessel's n1 and n2, (2,).
        side: the unit vector across the vessel towards the part that goes on, in space, (3,).
    """

    vessel: int
    end: int
    low: float
    high: float
    direction: Tensor
    side: Tensor

    def share(self, across: Tensor, radius: Tensor) -> Tensor:
        """G(x) of robots in the vessel: across (n, 2), m."""
        return flow_share(((across * self.direction).sum(1) / radius).clamp(-1, 1))

    def soft(self, share: Tensor, width: float) -> Tensor:
        """f(G)."""
        found = torch.ones_like(share)
        if self.low > 0:
            found = found * torch.sigmoid((share - self.low) / width)
        if self.high < 1:
            found = found * torch.sigmoid((self.high - share) / width)
        return found


@dataclass(frozen=True, eq=False)
class Route:
    """The way with the flow from an inlet to a target vessel; where vessels join, by the one with the most flow.

    Args:
        flow: of `VesselNetwork.solve`.
        target: the vessel's number.

    Raises:
        InputError: a flow that is something else, a target that is no vessel, or that no blood reaches.
    """

    flow: Flow
    target: int

    def __post_init__(self) -> None:
        check_flow(self.flow)
        count = len(self.flow.network.vessels)
        if not 0 <= whole("target", self.target) < count:
            raise InputError(f"target={self.target} is no vessel; they are numbered 0 to {count - 1}")
        if not float(self.flow.flow.detach()[self.target].abs()) > 0:
            name = self.flow.network.names[self.target]
            raise InputError(f"target={self.target}, {name}, has no flow, so no robot is carried there; choose another")

    @cached_property
    def vessels(self) -> tuple[int, ...]:
        """From the inlet to the target."""
        found, at = [self.target], self._junctions
        size = self.flow.flow.detach().abs()
        while True:
            begin = _begin(at, found[0])
            node = self._node(begin)
            feeding = [e for e in self._ends(node) if bool(at.feeds[e])]
            if not feeding:
                return tuple(found)
            found.insert(0, max(feeding, key=lambda e: float(size[e // 2])) // 2)

    @cached_property
    def gates(self) -> tuple[Gate, ...]:
        """In the order of the way."""
        found, at, frames = [], self._junctions, self.flow.network.frames.detach()
        for vessel, following in zip(self.vessels, self.vessels[1:], strict=False):
            end, begin = _begin(at, vessel) ^ 1, _begin(at, following)
            low = float((at.low[begin] - at.low[end]) / at.share[end])
            high = float((at.low[begin] + at.share[begin] - at.low[end]) / at.share[end])
            low, high = (low if low > _NONE else 0.0), (high if high < 1 - _NONE else 1.0)
            if low == 0 and high == 1:
                continue
            w = at.direction[end]
            sense = 1.0 if low + high > 1 else -1.0
            side = sense * (w[0] * frames[vessel, 1] + w[1] * frames[vessel, 2])
            found.append(Gate(vessel, end, low, high, w, side))
        return tuple(found)

    @cached_property
    def lengths(self) -> Tensor:
        """Of the vessels of the way before the target, summed up from the inlet, (k + 1,), m, beginning with 0."""
        length = self.flow.network.length.detach()[list(self.vessels[:-1])]
        return torch.cat([torch.zeros(1, dtype=torch.float64), length.cumsum(0)])

    def progress(self, state: State) -> Tensor:
        """How much of the way to the target each robot has behind it, (ensemble,): 1 in the target, 0 off the way."""
        vessel, along = state["vessel"].long(), state["along"]
        found = (vessel == self.target).double()
        for before, v in zip(self.lengths, self.vessels[:-1], strict=False):
            far = along if bool(self._junctions.feeds[2 * v + 1]) else self.flow.network.length.detach()[v] - along
            found = torch.where(vessel == v, (before + far) / self.lengths[-1], found)
        return found

    def next_gate(self, place: Tensor) -> Gate | None:
        """The gate ahead of a place (3,), m, on the vessel of the way that is nearest; past all, the last one."""
        if not self.gates:
            return None
        nodes = self.flow.network.nodes.detach()[self.flow.network.vessels[list(self.vessels)]]
        span = nodes[:, 1] - nodes[:, 0]
        part = ((place - nodes[:, 0]) * span).sum(1) / span.square().sum(1)
        distance = (nodes[:, 0] + part.clamp(0, 1)[:, None] * span - place).norm(dim=1)
        here = int(distance.argmin())
        ahead = (gate for gate in self.gates if self.vessels.index(gate.vessel) >= here)
        return next(ahead, self.gates[-1])

    @cached_property
    def _junctions(self) -> Junctions:
        return junctions(self.flow.network, self.flow.flow)

    def _node(self, end: int) -> int:
        return int(self.flow.network.vessels[end // 2, end % 2])

    def _ends(self, node: int) -> list[int]:
        at = self.flow.network.incident
        part = slice(int(at.start[node]), int(at.start[node + 1]))
        return [2 * int(v) + int(e) for v, e in zip(at.vessel[part], at.end[part], strict=True)]

    def __repr__(self) -> str:
        names = self.flow.network.names
        return f"Route({' -> '.join(names[v] for v in self.vessels)})"


def _begin(at: Junctions, vessel: int) -> int:
    """The end at which the flow enters a vessel."""
    return 2 * vessel if bool(at.feeds[2 * vessel + 1]) else 2 * vessel + 1
