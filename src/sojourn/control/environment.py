"""Steering as a game of Gymnasium: the action is a wish for the field, the observation what localisation knows.

from sojourn.control.environment import SteeringEnv
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from sojourn.control.checks import check_kind
from sojourn.control.coil import Coil, from_five, to_five
from sojourn.control.localisation import Localisation
from sojourn.control.ramp import no_current, on_the_way
from sojourn.control.route import Route
from sojourn.control.schedule import check_field, steps_of, under
from sojourn.driver import whole
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import State
from sojourn.processes.blood.robots import BOUND, CAPTURED, BloodRobots
from sojourn.processes.blood.units import Quantity, positive

try:
    import gymnasium
except ImportError as error:
    raise InputError("gymnasium is not installed, which SteeringEnv needs; pip install 'sojourn[control]'") from error


class SteeringEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """Robots through vessels, a decision an interval.

    Args:
        robots: in their blood; `Coil.fit` finds a dt for them.
        route: the way to the target.
        coil: what a wish becomes.
        localisation: what is seen.
        interval: s, a whole number of the robots' steps.
        horizon: intervals after which an episode is cut off.
        ensemble: how many robots there are.

    Action, (8,), each in [-1, 1]: the field over its limit, then xx, yy, xy, xz, yz of the gradient over its own; the
    coil shortens what is too large, and is on its way there from the last one as long as it must.

    Observation, (15,), each in [-1, 1]: the mean place, from one end of the network's box to the other, and the mean
    axis, both late and noisy and cut off at the bounds; the field and gradient that the coil made last, as an action;
    the elapsed part of the horizon, from -1 to 1.

    Reward: what the interval adds to mean progress along the route (`Route.progress`) plus the share captured in the
    target; over an episode the last of these less the first. Terminated when no robot is on the way or bound; truncated
    at the horizon. info: `progress`, `captured`, and `in_target`, the share of robots in the target or gone by it.

    `reset(seed=...)` fixes all that is random.

    Raises:
        InputError: an interval that is no whole number of steps, a dt too long for the coil's strongest field, no
            horizon or robots, an action of another shape or not finite, a step before reset.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(
        self,
        robots: BloodRobots,
        route: Route,
        coil: Coil,
        localisation: Localisation,
        *,
        interval: Quantity,
        horizon: int,
        ensemble: int = 100,
    ) -> None:
        for name, value, kind in (
            ("robots", robots, BloodRobots),
            ("route", route, Route),
            ("coil", coil, Coil),
            ("localisation", localisation, Localisation),
        ):
            check_kind(value, kind, name=name, remedy=f"a {kind.__name__}")
        self.robots, self.route, self.coil, self.localisation = robots, route, coil, localisation
        self.interval = float(positive(interval, "s", name="interval"))
        self.steps = steps_of(self.interval, robots)
        self.horizon, self.ensemble = whole("horizon", horizon), whole("ensemble", ensemble)
        if self.horizon < 1 or self.ensemble < 1:
            raise InputError(f"horizon={horizon} with ensemble={ensemble} is no episode; give 1 or more of each")
        check_field(robots, coil.strongest(robots.field))
        nodes = robots.flow.network.nodes.detach()
        radius = robots.vessels.radius.detach().max()
        self._low, self._high = nodes.amin(0) - radius, nodes.amax(0) + radius
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (8,), np.float32)
        self.observation_space = gymnasium.spaces.Box(-1.0, 1.0, (15,), np.float32)
        self._state: State = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._noise = Noise(int(self.np_random.integers(2**63)))
        self._state = self.robots.initial(self.ensemble, self._noise.split("initial"))
        self._decisions = 0
        self._made = no_current()
        self._seen = [self._look()] * (self.localisation.delay + 1)
        return self._observation(), self._info()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if not self._state:
            raise InputError("step before reset; begin an episode with reset()")
        wish = torch.as_tensor(np.asarray(action, dtype=np.float64))
        if wish.shape != (8,) or not bool(torch.isfinite(wish).all()):
            raise InputError(f"action={action!r} is not 8 finite numbers; give the field (3) and the gradient (5)")
        wished = self.coil.field_limit * wish[:3], self.coil.gradient_limit * from_five(wish[3:])
        last, t = self._made, self._decisions * self.steps
        self._made = self.coil.towards(last, wished, self.interval)
        times = {"begin": t * self.robots.dt, "interval": self.interval, "dt": self.robots.dt}
        field = on_the_way(self.robots.field, last, self._made, duration=self.coil.duration(last, self._made), **times)
        before = self._worth()
        self._state = under(self.robots, field).advance(self._state, t, self.steps, self._noise)
        self._decisions += 1
        self._seen = [self._look(), *self._seen[:-1]]
        over = not bool((self._state["status"] <= BOUND).any())
        return self._observation(), self._worth() - before, over, self._decisions >= self.horizon, self._info()

    def _look(self) -> Tensor:
        return self.localisation.look(self.robots, self._state, self._decisions * self.steps, self._noise)

    def _observation(self) -> np.ndarray:
        place, axis = self._seen[-1][:3], self._seen[-1][3:]
        field, gradient = self._made
        parts = [
            2 * (place - self._low) / (self._high - self._low) - 1,
            axis,
            field / self.coil.field_limit,
            to_five(gradient) / self.coil.gradient_limit,
            torch.tensor([2 * self._decisions / self.horizon - 1]),
        ]
        return torch.cat(parts).clamp(-1, 1).numpy().astype(np.float32)

    def _worth(self) -> float:
        info = self._info()
        return info["progress"] + info["captured"]

    def _info(self) -> dict[str, Any]:
        captured, inside = self._state["status"] == CAPTURED, self._state["vessel"] == self.route.target
        progress = self.route.progress(self._state)
        return {
            "progress": float(progress.mean()),
            "captured": float((captured & inside).double().mean()),
            "in_target": float(inside.double().mean()),
        }
