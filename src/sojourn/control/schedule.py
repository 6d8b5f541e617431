"""A field that changes from interval to interval, and robots under it.

B(x, t) = B_k + G_k x,   k d <= t < (k + 1) d;   the last interval lasts

With ramps B goes from B_{k-1} to B_k within the interval first, and from nothing in the first one; see `ramp`.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from sojourn.control.checks import check_kind, numbers
from sojourn.control.ramp import no_current, on_the_way
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.processes.blood import time_step
from sojourn.processes.blood.magnetic import MagneticField, step_out_rate
from sojourn.processes.blood.robots import BloodRobots
from sojourn.processes.blood.units import Quantity, positive, show


@dataclass(frozen=True, eq=False)
class Schedule:
    """One field and gradient an interval; `Coil.follow` makes those that coils can make.

    Args:
        field: B_k, (n, 3), T; a tensor, which may ask for gradients, or nested lists.
        gradient: G_k, (n, 3, 3), T/m, each symmetric and traceless.
        interval: d, s.
        ramp: T_k, (n,), s, from 0 to d: how long field and gradient are on their way; None: they are there at once.

    Kept as float64 tensors.

    Raises:
        InputError: other shapes, numbers that are not finite, an interval that is not above zero, a ramp beyond it.
    """

    field: Any
    gradient: Any
    interval: Quantity
    ramp: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "interval", float(positive(self.interval, "s", name="interval")))
        for name, unit in (("field", "T"), ("gradient", "T/m"), ("ramp", "s")):
            if name != "ramp" or self.ramp is not None:
                object.__setattr__(self, name, numbers(getattr(self, name), unit, name=name))
        n = len(self.field) if self.field.ndim else 0
        if not n or self.field.shape != (n, 3) or self.gradient.shape != (n, 3, 3):
            raise InputError(
                f"a schedule of shapes {tuple(self.field.shape)} and {tuple(self.gradient.shape)} is none; give fields "
                "(n, 3) and gradients (n, 3, 3)"
            )
        if self.ramp is not None:
            if self.ramp.shape != (n,):
                raise InputError(f"ramp has shape {tuple(self.ramp.shape)}; give a time for each of {n} intervals")
            worst = float(self.ramp.detach()[(self.ramp.detach() - self.interval / 2).abs().argmax()])
            if not 0 <= worst <= self.interval * (1 + 1e-9):
                raise InputError(
                    f"ramp={show(worst, 's')} is outside its interval; give times from 0 to {show(self.interval, 's')}"
                )

    @classmethod
    def constant(cls, field: MagneticField) -> Schedule:
        """The steady field and gradient of `field`, for good."""
        return cls(field.steady[None], field.jacobian[None], 1.0)

    def record(self) -> dict[str, Any]:
        """Plain numbers, for a run's record."""
        return {
            "interval": self.interval,
            "field": self.field.detach().tolist(),
            "gradient": self.gradient.detach().tolist(),
            "ramp": None if self.ramp is None else self.ramp.detach().tolist(),
        }

    def __len__(self) -> int:
        return len(self.field)

    def __repr__(self) -> str:
        size = show(float(self.field.detach().norm(dim=1).max()), "T")
        return f"Schedule({len(self)} intervals of {show(self.interval, 's')}, up to {size})"


@dataclass(frozen=True, eq=False)
class Guided(Process):
    """Robots under a schedule: step t is that of the field of its interval, so `advance` keeps the kernel's speed.

    Where the schedule has ramps, the field in a step is that in its middle, and the gradient the mean of its interval.

    Args:
        robots: in their blood. The turning part of their own field stays; the schedule takes the place of the rest.
        schedule: its interval a whole number of the robots' steps, or one field for good.

    The state is that of the robots.

    Raises:
        InputError: an interval that is no whole number of steps, a field in which dt is too long, a field that turns
            faster than the robots can; robots or a schedule that are something else.
    """

    robots: BloodRobots
    schedule: Schedule

    time_unit = "s"

    def __post_init__(self) -> None:
        check_kind(self.robots, BloodRobots, name="robots", remedy="BloodRobots")
        check_kind(self.schedule, Schedule, name="schedule", remedy="a Schedule, such as Schedule.constant(field)")
        _ = self._steps  # refuses an interval that is no whole number of them
        fields, gradients = self.schedule.field.detach(), self.schedule.gradient.detach()
        largest = torch.linalg.matrix_norm(gradients, 2).argmax()
        check_field(self.robots, self._field(fields[fields.norm(dim=1).argmax()], gradients[largest]))

    @property
    def dt(self) -> float:
        return self.robots.dt

    def fields(self) -> dict[str, Field]:
        return self.robots.fields()

    def initial(self, ensemble: int, noise: Noise) -> State:
        return self.robots.initial(ensemble, noise)

    def step(self, state: State, t: int, noise: Noise) -> State:
        return self._within[self._interval(t)].step(state, t, noise)

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        """By `BloodRobots.advance`, from interval to interval."""
        self.check(state)
        end = t + steps
        while t < end:
            k = self._interval(t)
            until = end if k == len(self._within) - 1 else min(end, (k + 1) * self._steps)
            state = self._within[k].advance(state, t, until - t, noise)
            t = until
        return state

    def check(self, state: State) -> None:
        self.robots.check(state)

    def _interval(self, t: int) -> int:
        return min(t // self._steps, len(self._within) - 1)

    def _field(self, field: Tensor, gradient: Tensor) -> MagneticField:
        return replace(self.robots.field, steady=field, jacobian=gradient)

    @cached_property
    def _steps(self) -> int:
        for_good = len(self.schedule) == 1 and self.schedule.ramp is None
        return steps_of(self.schedule.interval, self.robots, fixed=for_good)

    @cached_property
    def _within(self) -> list[BloodRobots]:
        """The robots in each interval, and after the last one where that begins with a ramp."""
        plan, own = self.schedule, self.robots.field
        made = list(zip(plan.field, plan.gradient, strict=True))
        if plan.ramp is None:
            return [under(self.robots, self._field(*pair)) for pair in made]
        last, found = no_current(), []
        for k, (new, duration) in enumerate(zip(made, plan.ramp, strict=True)):
            begin = k * self._steps * self.dt
            times = {"duration": duration, "begin": begin, "interval": plan.interval, "dt": self.dt}
            found.append(under(self.robots, on_the_way(own, last, new, **times)))
            last = new
        return [*found, under(self.robots, self._field(*last))]

    def __repr__(self) -> str:
        return f"Guided({self.robots!r}, {self.schedule!r})"


def under(robots: BloodRobots, field: MagneticField) -> BloodRobots:
    """The same robots under another field, with all that they keep, none of which depends on it; dt is not checked."""
    for name, value in vars(type(robots)).items():
        if isinstance(value, cached_property):
            getattr(robots, name)
    found = copy.copy(robots)
    object.__setattr__(found, "field", field)
    return found


def steps_of(interval: float, robots: BloodRobots, *, fixed: bool = False) -> int:
    """How many steps an interval is.

    Args:
        fixed: whether it does not matter, because there is one interval.

    Raises:
        InputError: if that is not a whole number.
    """
    steps = round(interval / robots.dt)
    if not fixed and (steps < 1 or not math.isclose(steps * robots.dt, interval, rel_tol=1e-9)):
        whole = max(1, math.ceil(interval / robots.dt))
        raise InputError(
            f"interval={show(interval, 's')} is {interval / robots.dt:.6g} steps of dt={show(robots.dt, 's')}; give a "
            f"whole number of steps, such as by dt={show(interval / whole, 's')}, or fit the robots by Coil.fit"
        )
    return max(steps, 1)


def check_field(robots: BloodRobots, field: MagneticField) -> None:
    """Raises InputError where a field turns faster than the robots can follow, or is too strong for their dt."""
    check_step_out(robots, field)
    time_step.choose(robots.flow.network, robots.vessels, robots.body, field, robots.dt, robots.margination)


def check_step_out(robots: BloodRobots, field: MagneticField) -> None:
    """Raises InputError where the turning part of a field is too fast for the robots: |f| > m B C / (2 pi)."""
    size = float(torch.linalg.vector_norm(field.cosine.detach()))
    if not size:
        return
    body, f = robots.body, abs(float(field.frequency))
    followed = float(step_out_rate(float(body.moment), size, float(body.spin))) / (2 * math.pi)
    if f > followed:
        raise InputError(
            f"frequency={show(f, '1/s')} is above the step-out frequency {show(followed, '1/s')} of this robot in "
            f"{show(size, 'T')}, where it slips; turn the field more slowly"
        )
