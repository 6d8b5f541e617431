"""A schedule of fields improved by gradients through the simulation: ascent on `soft_share`, fresh noise each turn.

    m <- 0.8 m + 0.2 dJ/dw,   w <- w + rate (1 - k/K) m / rms(m),   rows of w back into the unit balls

w are wishes, fields and gradients over the coil's limits; they become a schedule by `Coil.follow`, never beyond them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sojourn.control.checks import check_kind
from sojourn.control.coil import Coil, from_five, to_five
from sojourn.control.objective import APPROACH, soft_share
from sojourn.control.route import Route
from sojourn.control.schedule import Guided, Schedule, steps_of
from sojourn.driver import whole
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.blood.robots import BloodRobots
from sojourn.processes.blood.units import Quantity, positive, show

_MEMORY = 0.8  # of the gradient


@dataclass(frozen=True, eq=False)
class Optimised:
    """What ascent found.

    Attributes:
        schedule: after the last turn.
        soft_shares: J before each turn, each with robots and noise of its own.
    """

    schedule: Schedule
    soft_shares: tuple[float, ...]


def optimise(
    robots: BloodRobots,
    route: Route,
    coil: Coil,
    *,
    interval: Quantity,
    intervals: int,
    ensemble: int = 500,
    turns: int = 20,
    rate: Quantity = 0.5,
    seed: int = 0,
    watch: Callable[[int, float], None] | None = None,
) -> Optimised:
    """The schedule that sends the most robots along a route, from no field on.

    Args:
        robots: in their blood; their dt divides the interval and suits the coil's field (`Coil.fit`). It may be coarser
            than the one with which the schedule is used, since a schedule counts in seconds.
        route: to the target.
        coil: what is possible.
        interval, intervals: of the schedule, and how long robots are followed: interval in s.
        ensemble: robots a turn.
        turns: K.
        rate: the first turn's step, over the limits.
        seed: of turn k's noise, k = 0 ... K - 1, as a stream.
        watch: told the turn and its J.

    Raises:
        InputError: no intervals or turns, intervals that end before blood comes to a gate, robots that no field moves,
            a rate that is not above zero, and what `soft_share` refuses.
    """
    check_kind(robots, BloodRobots, name="robots", remedy="BloodRobots")
    check_kind(route, Route, name="route", remedy="a Route")
    check_kind(coil, Coil, name="coil", remedy="a Coil")
    seconds = float(positive(interval, "s", name="interval"))
    intervals, turns = whole("intervals", intervals), whole("turns", turns)
    if intervals < 1 or turns < 1:
        raise InputError(f"intervals={intervals} with turns={turns} changes nothing; give 1 or more of each")
    rate = float(positive(rate, "", name="rate"))
    check_reach(robots, route, interval=seconds, intervals=intervals)
    steps = intervals * steps_of(seconds, robots)
    wishes = torch.zeros(intervals, 8, dtype=torch.float64)
    momentum, found = torch.zeros_like(wishes), []
    for k in range(turns):
        asked = wishes.clone().requires_grad_()
        guided = Guided(robots, _followed(coil, asked, seconds))
        with torch.enable_grad():
            share = soft_share(guided, route, steps=steps, ensemble=ensemble, seed=_seed(seed, k))
            (slope,) = torch.autograd.grad(share, asked)
        found.append(float(share.detach()))
        if watch is not None:
            watch(k, found[-1])
        momentum = _MEMORY * momentum + (1 - _MEMORY) * slope
        size = float(momentum.square().mean().sqrt())
        if not size > 0:
            raise InputError(
                f"no field changes the share that takes {route!r}; give robots with a magnetic moment that swim or are "
                "pulled, or more intervals"
            )
        wishes = _inside(wishes + rate * (1 - k / turns) / size * momentum)
    return Optimised(_followed(coil, wishes, seconds), tuple(found))


def check_reach(robots: BloodRobots, route: Route, *, interval: float, intervals: int) -> None:
    """Raises InputError where the intervals, of so many s, end before the fastest robot comes to the first gate."""
    if not route.gates:
        return
    way = route.vessels[: route.vessels.index(route.gates[0].vessel) + 1]
    fastest = 2 * robots.flow.mean_velocity.detach().abs()[list(way)] + robots.body.speed.detach()
    length = robots.flow.network.length.detach()[list(way)]
    length[-1] *= 1 - APPROACH
    least = float((length / fastest).sum())
    if intervals * interval < least:
        raise InputError(
            f"intervals={intervals} of {show(interval, 's')} end before any robot comes to the first gate, after "
            f"{show(least, 's')}; give more than {math.floor(least / interval)}, and some times that many for all"
        )


def _followed(coil: Coil, wishes: Tensor, seconds: float) -> Schedule:
    gradients = coil.gradient_limit * from_five(wishes[:, 3:])
    return coil.follow(coil.field_limit * wishes[:, :3], gradients, interval=seconds)


def _inside(wishes: Tensor) -> Tensor:
    """Fields and gradients of size 1 at most, so that none is pushed far beyond where it counts."""
    unit = Coil(1.0, 1.0, 1.0)
    field, gradient = unit.possible(wishes[:, :3], from_five(wishes[:, 3:]))
    return torch.cat([field, to_five(gradient)], 1)


def _seed(seed: int, turn: int) -> int:
    return Noise(seed).split(f"turn {turn}").stream
