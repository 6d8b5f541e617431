"""A frame of a run of robots, checked: that it is of these robots, and that what it says of them fits together."""

from __future__ import annotations

from typing import Any

import numpy as np

from sojourn.errors import InputError
from sojourn.process import State
from sojourn.processes.blood.robots import BOUND, CAPTURED, LEFT, BloodRobots
from sojourn.processes.blood.units import Quantity, positive, show
from sojourn.record import difference, parameters, plain
from sojourn.trajectory import Trajectory

_EXACT = 1e-9  # of a time, to be that of a frame


def frame_at(run: Trajectory | State, robots: BloodRobots, at: Quantity) -> tuple[State, float]:
    """The state at a time, and the time, s; of a run the last frame by default.

    Raises:
        InputError: as `delivered`.
    """
    time = None if at is None else positive(at, "s", name="at")
    if isinstance(run, Trajectory):
        check_run(run, robots)
        state, time = _saved(run, time)
        state = {name: state[name] for name in robots.fields()}  # a controller's own are beside them
    elif time is None:
        raise InputError("a state does not say when it was; give at, the time from the start of the run, such as '2 s'")
    else:
        state = run
    robots.check(state)
    state = {name: value.detach().cpu() for name, value in state.items()}
    _check(state, robots, time)
    return state, time


def check_run(run: Trajectory, robots: BloodRobots) -> None:
    """Raises InputError unless these robots may have made the run, alone or under a controller of `sojourn.control`."""
    made_by, recorded = run.dataset.attrs.get("process"), run.dataset.attrs.get("parameters", {})
    given = parameters(robots)
    if made_by != type(robots).__name__:
        inner = recorded.get("robots")
        found = (
            difference(inner, plain(robots)) if isinstance(inner, dict) else ("no robots", repr(type(robots).__name__))
        )
        if found is None:
            return
        raise InputError(
            f"the run is of {made_by}, not of these robots; give what simulate(robots, ...) returned, or a run of "
            f"Guided or Steered with the robots in it: it has {found[0]}, and not {found[1]}"
        )
    for name, was in recorded.items():
        if (found := difference(was, given.get(name))) is not None:
            raise InputError(
                f"the run was made with {name}={found[0]}, and these robots have {name}={found[1]}; give its own"
            )


def nearest_end(state: State, robots: BloodRobots) -> np.ndarray:
    """The end of its vessel that a robot is nearer to, (n,): 2 v the first of vessel v, 2 v + 1 the second."""
    vessel = state["vessel"].long()
    ahead = state["along"] > robots.flow.network.length.detach()[vessel] / 2
    return (2 * vessel + ahead).numpy()


def _saved(run: Trajectory, time: float | None) -> tuple[State, float]:
    times = run.dataset["time"].values
    if not len(times):
        raise InputError("the run has no frame; simulate first")
    if times[0] == 0 and bool((run.dataset["status"].isel(time=0) > BOUND).any()):
        raise InputError("the run began with robots that had left or were captured; begin with all on the way")
    index = len(times) - 1 if time is None else int(np.abs(times - time).argmin())
    found = float(times[index])
    if time is not None and abs(found - time) > _EXACT * time:
        raise InputError(f"at={show(time, 's')} is between frames; the nearest is at {show(found, 's')}")
    if found <= 0:
        raise InputError("at its start a run has delivered nothing; simulate some steps, or give a later time")
    return run.state(index), found


def _check(state: State, robots: BloodRobots, time: float) -> None:
    """That robots were captured in targets, left at outlets, and did so by now."""
    fields: dict[str, Any] = {name: state[name].numpy() for name in ("status", "vessel", "since")}
    status, vessel, since = fields.values()
    network, ends = robots.flow.network, robots.junctions
    if len(wrong := np.flatnonzero((status >= LEFT) & ~(since <= time * (1 + _EXACT)))):
        given = f"robot {wrong[0]} left or was captured at {show(float(since[wrong[0]]), 's')}"
        raise InputError(f"{given}, after at={show(time, 's')}; give the time from the start of the run")
    captures = np.zeros(len(network.vessels), bool)
    if robots.contact is not None:
        captures = robots.contact.is_target(network).numpy()
    if len(wrong := np.flatnonzero((status == CAPTURED) & ~captures[vessel])):
        given = f"robot {wrong[0]} was captured in {network.names[vessel[wrong[0]]]}, which is no target"
        raise InputError(f"{given}; give the robots that were simulated")
    outlet = (ends.feeds & ends.boundary).numpy()[nearest_end(state, robots)]
    if len(wrong := np.flatnonzero((status == LEFT) & ~outlet)):
        given = f"robot {wrong[0]} left by {network.names[vessel[wrong[0]]]}, where no outlet is"
        raise InputError(f"{given}; give the robots that were simulated")
