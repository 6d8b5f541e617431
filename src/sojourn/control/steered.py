"""Feedback: at the start of every interval a controller sees the robots, late and with noise, and wishes for a field.

B_k, G_k = coil.towards((B_{k-1}, G_{k-1}), wish(seen(t_k - delay)), d),   t_k = k d

Within the interval they are on their way from the last ones, as fast as the coil can; see `ramp`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sojourn.control.checks import check_kind
from sojourn.control.coil import Coil, from_five, pull, to_five
from sojourn.control.localisation import Localisation
from sojourn.control.ramp import Made, no_current, on_the_way
from sojourn.control.route import Route
from sojourn.control.schedule import check_field, steps_of, under
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.processes.blood.robots import BloodRobots
from sojourn.processes.blood.units import Quantity, positive


class Controller(ABC):
    """Says what field it wants, from what it sees."""

    @abstractmethod
    def wish(self, seen: Tensor, t: float, coil: Coil) -> Made:
        """Field (3,), T, and gradient (3, 3), T/m, from place and axis seen, (6,), at the time t, s."""


@dataclass(frozen=True, eq=False)
class Sideways(Controller):
    """To the side on which the next vessel of a route leaves: there the whole field points, and its gradient pulls."""

    route: Route

    def __post_init__(self) -> None:
        check_kind(self.route, Route, name="route", remedy="a Route")

    def wish(self, seen: Tensor, t: float, coil: Coil) -> Made:
        gate = self.route.next_gate(seen[:3])
        if gate is None:
            return no_current()
        return coil.field_limit * gate.side, coil.gradient_limit * pull(gate.side)


@dataclass(frozen=True, eq=False)
class Steered(Process):
    """Robots, and a controller in the loop.

    Args:
        robots: in their blood. The turning part of their own field stays; the controller's takes the place of the rest.
        controller: what it wishes for.
        coil: what it gets.
        localisation: what it sees.
        interval: d, s, a whole number of the robots' steps.

    The state is that of the robots with three fields more, equal for all members: `field`, T, and `gradient`, its
    entries xx, yy, xy, xz, yz, T/m, both as the interval begins and as it ends; and `seen`, the looks that are not too
    old, the latest first. So the last frame is all that one must know, and a run goes on exactly. One field for all,
    and one noise of what is seen, make members depend on each other, so an interval for a share needs several runs.

    Raises:
        InputError: an interval that is no whole number of steps, a dt too long for the coil's strongest field, a field
            that turns faster than the robots can; an argument that is something else.
    """

    robots: BloodRobots
    controller: Controller
    coil: Coil
    localisation: Localisation
    interval: Quantity

    time_unit = "s"

    def __post_init__(self) -> None:
        check_kind(self.robots, BloodRobots, name="robots", remedy="BloodRobots")
        check_kind(self.controller, Controller, name="controller", remedy="a Controller, such as Sideways(route)")
        check_kind(self.coil, Coil, name="coil", remedy="a Coil")
        check_kind(self.localisation, Localisation, name="localisation", remedy="a Localisation")
        object.__setattr__(self, "interval", float(positive(self.interval, "s", name="interval")))
        steps_of(self.interval, self.robots)
        check_field(self.robots, self.coil.strongest(self.robots.field))

    @property
    def dt(self) -> float:
        return self.robots.dt

    def fields(self) -> dict[str, Field]:
        looks = self.localisation.delay + 1
        return self.robots.fields() | {
            "field": Field(
                ("end", "xyz"), (2, 3), torch.float64, "T", "field at the origin, as the interval begins and ends"
            ),
            "gradient": Field(("end", "entry"), (2, 5), torch.float64, "T/m", "xx, yy, xy, xz, yz of its gradient"),
            "seen": Field(("look", "part"), (looks, 6), torch.float64, "1", "places (m) and axes seen, latest first"),
        }

    def initial(self, ensemble: int, noise: Noise) -> State:
        """The robots' start, no field, nothing seen yet."""
        start, own = self.robots.initial(ensemble, noise), self.robots.fields()
        more = {name: field for name, field in self.fields().items() if name not in own}
        return start | {name: torch.zeros(ensemble, *field.shape, dtype=field.dtype) for name, field in more.items()}

    def step(self, state: State, t: int, noise: Noise) -> State:
        if t % self._steps == 0:
            state = self._decide(state, t, noise)
        return state | self._with(state, t).step(_inner(state), t, noise)

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        """By `BloodRobots.advance`, from decision to decision."""
        self.check(state)
        end = t + steps
        while t < end:
            if t % self._steps == 0:
                state = self._decide(state, t, noise)
            until = min(end, (t // self._steps + 1) * self._steps)
            state = state | self._with(state, t).advance(_inner(state), t, until - t, noise)
            t = until
        return state

    @cached_property
    def _steps(self) -> int:
        return steps_of(self.interval, self.robots)

    def _decide(self, state: State, t: int, noise: Noise) -> State:
        look, seen = self.localisation.look(self.robots, _inner(state), t, noise), state["seen"][0]
        seen = torch.cat([look[None], seen[:-1]]) if t else look.expand_as(seen)
        _, last = _made(state)
        field, gradient = self.coil.towards(last, self.controller.wish(seen[-1], t * self.dt, self.coil), self.interval)
        both = torch.stack([last[0], field]), to_five(torch.stack([last[1], gradient]))
        new = {"field": both[0], "gradient": both[1], "seen": seen}
        return state | {name: value.expand_as(state[name]).contiguous() for name, value in new.items()}

    def _with(self, state: State, t: int) -> BloodRobots:
        """The robots in the interval of step t."""
        before, after = _made(state)
        begin, duration = t // self._steps * self._steps * self.dt, self.coil.duration(before, after)
        times = {"duration": duration, "begin": begin, "interval": self.interval, "dt": self.dt}
        return under(self.robots, on_the_way(self.robots.field, before, after, **times))


def _made(state: State) -> tuple[Made, Made]:
    """Field and gradient as the interval begins and as it ends."""
    gradients = from_five(state["gradient"][0])
    return (state["field"][0, 0], gradients[0]), (state["field"][0, 1], gradients[1])


def _inner(state: State) -> State:
    return {name: value for name, value in state.items() if name not in ("field", "gradient", "seen")}
