"""Many robots in the blood of a network, each on its own: an ensemble with Brownian motion, nodes and walls.

A step is `motion.move`; beyond the wall, mirrored in it; beyond an end of the vessel, on through `junction.cross`; at
an outlet, gone. What may happen at a wall is in `contact`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Field, Process, State
from sojourn.processes.blood import time_step
from sojourn.processes.blood.boundary import plain
from sojourn.processes.blood.checks import at_least_zero
from sojourn.processes.blood.contact import Contact
from sojourn.processes.blood.dispersion import Margination, shear_induced_diffusivity
from sojourn.processes.blood.junction import Junctions, cross, junctions
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.mobility import BODY_TEMPERATURE, thermal_energy
from sojourn.processes.blood.motion import TINY, Body, Move, Vessels, bounce, move, reflected
from sojourn.processes.blood.rheology import PLASMA_VISCOSITY, fahraeus_2005
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.units import Quantity, one, positive, show

if TYPE_CHECKING:
    from sojourn.processes.blood.solver import Flow

MOVING, BOUND, LEFT, CAPTURED = range(4)
_NO_FIELD = MagneticField.none()


@dataclass(frozen=True, eq=False, repr=False)
class BloodRobots(Process):
    """Robots that neither meet each other nor disturb the blood.

    Args:
        flow: of `VesselNetwork.solve`.
        robot: what each of them is.
        field: the magnetic field, one for all.
        contact: how walls bind, let go and capture them; None: not at all.
        shear_strength: k of `dispersion.shear_induced_diffusivity`, 0 for none. Published values differ by two orders.
        margination: the profile that red cells push robots to while they mix them, as `motion` says; None: no push.
        viscosity: of the plasma around a robot, Pa s.
        temperature: K.
        dt: time step, s; None: the longest that `time_step` calls safe.

    State: `vessel`; `along` it from its first node and `across` in its frame (`VesselNetwork.frames`), m; `axis`, a
    unit vector; `status`: 0 on the way, 1 bound, 2 left by an outlet, 3 captured; `since`, the time of the last change
    of status, s; `shear_exposure`, the integral of the shear rate at the robot, while on the way or bound.

    They start at the inlets at random, spread as the flow is, with axes in all directions. An inlet lets nobody out.

    Raises:
        InputError: a robot as wide as a vessel, a dt that leads through walls or past a vessel, margination without
            red cells that mix, what is no quantity.
    """

    flow: Flow
    robot: Robot
    field: MagneticField = _NO_FIELD
    contact: Contact | None = None
    shear_strength: Quantity = 0.15
    margination: Margination | None = None
    viscosity: Quantity = PLASMA_VISCOSITY
    temperature: Quantity = BODY_TEMPERATURE
    dt: Quantity = None

    time_unit = "s"

    def __post_init__(self) -> None:
        wanted = {"flow": "what VesselNetwork.solve() returns", "robot": "a Robot", "field": "a MagneticField"}
        wanted |= {"contact": "a Contact or None", "margination": "a Margination or None"}
        kinds = {"flow": hasattr(self.flow, "network"), "robot": isinstance(self.robot, Robot)}
        kinds |= {"field": isinstance(self.field, MagneticField), "contact": isinstance(self.contact, Contact | None)}
        kinds["margination"] = isinstance(self.margination, Margination | None)
        for name, right in kinds.items():
            if not right:
                raise InputError(f"{name} is a {type(getattr(self, name)).__name__}; give {wanted[name]}")
        given = {
            "shear_strength": at_least_zero(self.shear_strength, "", name="shear_strength", remedy="0 is none"),
            "viscosity": positive(self.viscosity, "Pa s", name="viscosity"),
            "temperature": positive(self.temperature, "K", name="temperature"),
        }
        for name, value in given.items():
            self._keep(name, one(value, name=name))
        network = self.flow.network
        dt = None if self.dt is None else plain(one(positive(self.dt, "s", name="dt"), name="dt"))
        numbers = {x: getattr(self.robot, x) for x in ("radius", "magnetic_moment", "swim_speed", "aspect_ratio")}
        if self.margination is not None:
            if not bool(torch.as_tensor(self.shear_strength).any()):
                remedy = "give a shear_strength above 0 or leave margination out"
                raise InputError(f"shear_strength=0 with margination: red cells that do not mix push nobody; {remedy}")
            numbers |= vars(self.margination)
        for name, value in numbers.items():
            if (shape := tuple(torch.as_tensor(value).shape)) != ():
                raise InputError(f"{name} has the shape {shape}; give one number, the same for all robots")
        time_step.check_size(network, self.robot)
        self._keep("dt", time_step.choose(network, self.vessels, self.body, self.field, dt, self.margination))
        if self.contact is not None:
            self.contact.check(network, float(self.body.radius))

    def _keep(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def body(self) -> Body:
        """The robot in this blood."""
        mobility, energy = self.robot.mobility(self.viscosity), thermal_energy(self.temperature)
        mean = (mobility.along + 2 * mobility.across) / 3
        numbers = (
            self.robot.largest_radius,
            energy * mean,
            mean,
            energy * mobility.tumble,
            mobility.tumble,
            self.robot.swim_speed,
            self.robot.magnetic_moment,
            self.robot.shape_factor,
        )
        return Body(*(torch.as_tensor(x, dtype=torch.float64) for x in numbers))

    @property
    def vessels(self) -> Vessels:
        """What the robots meet in each vessel; gradients pass from the flow and the network."""
        network = self.flow.network
        radius, hematocrit = network.diameter / 2, self.flow.hematocrit
        shear = 2 * self.flow.mean_velocity / radius**2
        inside = (hematocrit * fahraeus_2005(network.diameter, hematocrit)).clamp(max=0.99)
        mixing = shear_induced_diffusivity(2 * shear, inside, strength=self.shear_strength)
        first, second = (network.nodes[network.vessels[:, k]] for k in (0, 1))
        chord = (second - first).norm(dim=1) / network.length
        return Vessels(network.length, radius, shear, mixing, network.frames, first, chord)

    @cached_property
    def junctions(self) -> Junctions:
        """How the vessels meet."""
        return junctions(self.flow.network, self.flow.flow)

    def fields(self) -> dict[str, Field]:
        real = torch.float64
        return {
            "vessel": Field((), (), torch.int32, "1", "vessel"),
            "along": Field((), (), real, "m", "distance from the vessel's first node"),
            "across": Field(("normal",), (2,), real, "m", "place across the vessel, in its frame"),
            "axis": Field(("xyz",), (3,), real, "1", "unit vector along the robot"),
            "status": Field((), (), torch.uint8, "1", "0 on the way, 1 bound, 2 left, 3 captured"),
            "since": Field((), (), real, "s", "time of the last change of status"),
            "shear_exposure": Field((), (), real, "1", "integral of the shear rate at the robot"),
        }

    def initial(self, ensemble: int, noise: Noise) -> State:
        at, network = self.junctions, self.flow.network
        inlets = (at.boundary & ~at.feeds).nonzero()[:, 0]
        if not len(inlets):
            raise InputError("no blood enters the network, so nobody can be injected; give a state to start from")
        inflow = self.flow.flow.detach().abs()[inlets // 2]
        inflow = inflow if bool(inflow.any()) else torch.ones_like(inflow)
        draws = noise.split("start").uniform(0, ensemble, (5,)).double()
        chosen = torch.searchsorted(inflow.cumsum(0) / inflow.sum(), draws[:, 0].contiguous(), right=True)
        end = inlets[chosen.clamp(max=len(inlets) - 1)]
        vessel = end // 2
        radius, a = network.diameter.detach()[vessel] / 2, self.body.radius.detach()
        # Of 1 - q, the flow's density in q = r^2 / R^2, up to the wall.
        most = (1 - a / radius) ** 2
        q = 1 - torch.sqrt(1 - draws[:, 1] * most * (2 - most))
        angle, up = 2 * math.pi * draws[:, 2], 2 * draws[:, 3] - 1
        turn, flat = 2 * math.pi * draws[:, 4], torch.sqrt(1 - up**2)
        across = (radius * torch.sqrt(q))[:, None] * torch.stack([torch.cos(angle), torch.sin(angle)], 1)
        return {
            "vessel": vessel.int(),
            "along": torch.where(end % 2 == 0, 0.0, network.length.detach()[vessel]),
            "across": across,
            "axis": torch.stack([flat * torch.cos(turn), flat * torch.sin(turn), up], 1),
            "status": torch.zeros(ensemble, dtype=torch.uint8),
            "since": torch.zeros(ensemble, dtype=torch.float64),
            "shear_exposure": torch.zeros(ensemble, dtype=torch.float64),
        }

    def places(self, state: State) -> Tensor:
        """Where the robots are, (ensemble, 3), m; a tortuous vessel is drawn straight."""
        return self.vessels.of(state["vessel"].long()).places(state["along"], state["across"])

    def step(self, state: State, t: int, noise: Noise) -> State:
        ensemble, dt, body, vessels = len(state["along"]), self.dt, self.body, self.vessels
        vessel, here = state["vessel"].long(), vessels.of(state["vessel"].long())
        field = self.field.field(here.places(state["along"], state["across"]), t * dt)
        xi = noise.split("motion").sequence(t, ensemble, 6, torch.float64)
        pushed = self.margination
        moved = move(here, body, state["across"], state["axis"], field, self.field.jacobian, dt, xi, pushed)

        moving, status, since = state["status"] == MOVING, state["status"], state["since"]
        across = torch.where(
            moving[:, None],
            reflected(state["across"] + moved.across, here.radius - body.radius, bounce(here, body, dt, pushed)),
            state["across"],
        )
        axis = torch.where(moving[:, None], moved.axis, state["axis"])
        along = torch.where(moving, state["along"] + moved.along, state["along"])
        r = state["across"].square().sum(1).sqrt()
        sheared = torch.where(status <= BOUND, 2 * here.shear.abs() * r * dt, 0.0)

        who = ((along < 0) | (along > here.length)).nonzero()[:, 0]
        if len(who):
            step = Move(*(x[who] for x in moved))
            end = cross(self.junctions, vessels, body, vessel[who], along[who], across[who], step, dt)
            vessel = vessel.index_put((who,), end.vessel)
            along, across = along.index_put((who,), end.along), across.index_put((who,), end.across)
            gone = who[end.gone]
            status = status.index_fill(0, gone, LEFT)
            since = since.index_put((gone,), (t + 1 - end.left[end.gone]) * dt)
        if self.contact is not None:
            status, since = self._touch(t, noise, vessel, across, status, since)
        return {
            "vessel": vessel.int(),
            "along": along,
            "across": across,
            "axis": axis,
            "status": status,
            "since": since,
            "shear_exposure": state["shear_exposure"] + sheared,
        }

    def _touch(
        self, t: int, noise: Noise, vessel: Tensor, across: Tensor, status: Tensor, since: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Status and its time after what may happen at walls in step t."""
        limit, chance = self._touching[vessel], self._chances[vessel]
        word = noise.split("contact").words(t, len(vessel), (1,))[:, 0] * 2.0**-32
        touches = (status == MOVING) & (across.square().sum(1) + TINY > limit) & (word < chance[:, 0])
        captured = touches & (word < chance[:, 0] * chance[:, 1])
        released = (status == BOUND) & (word < chance[:, 2])
        status = torch.where(touches, torch.where(captured, CAPTURED, BOUND), torch.where(released, MOVING, status))
        return status.to(torch.uint8), torch.where(touches | released, (t + 1) * self.dt, since)

    @cached_property
    def _touching(self) -> Tensor:
        """(V,): the square of the distance from the axis beyond which a robot touches the wall, m^2."""
        if self.contact is None:
            return torch.full((len(self.flow.flow),), math.inf, dtype=torch.float64)
        reach = self.vessels.radius - self.body.radius - self.contact.reach
        return reach.detach().clamp(min=0).square()

    @cached_property
    def _chances(self) -> Tensor:
        """(V, 3), of `Contact.chances`."""
        if self.contact is None:
            return torch.zeros(len(self.flow.flow), 3, dtype=torch.float64)
        stress, a = self.flow.wall_shear_stress.detach().abs(), float(self.body.radius)
        targets = self.contact.is_target(self.flow.network)
        return self.contact.chances(targets, stress, a, float(self.temperature), self.dt).detach()

    def check(self, state: State) -> None:
        super().check(state)
        least, most, count = int(state["vessel"].min()), int(state["vessel"].max()), len(self.flow.flow)
        if not 0 <= least <= most < count:
            given = least if least < 0 else most
            raise InputError(f"state field 'vessel' holds {given}, but vessels are numbered 0 to {count - 1}")
        network, vessel, slack = self.flow.network, state["vessel"].long(), 1 + 1e-9
        length, room = network.length[vessel], network.diameter[vessel] / 2 - self.body.radius
        places = {
            "along": ~((state["along"] >= 0) & (state["along"] <= length * slack)),
            "across": ~(state["across"].norm(dim=1) <= room * slack),
        }
        for name, outside in places.items():
            if bool(outside.any()):
                member = int(outside.nonzero()[0, 0])
                where = network.names[int(vessel[member])]
                raise InputError(
                    f"state field {name!r} of robot {member} is {state[name][member].tolist()}, outside {where}; "
                    f"give a place inside, {show(float(self.body.radius), 'm')} from its wall"
                )
        if int(state["status"].max()) > CAPTURED:
            raise InputError(f"state field 'status' holds {int(state['status'].max())}; give 0 to {CAPTURED}")
        lengths = state["axis"].norm(dim=1)
        if not bool((lengths - 1).abs().max() < 1e-6):
            worst = float(lengths[(lengths - 1).abs().argmax()])
            raise InputError(f"state field 'axis' holds a vector of length {worst:.4g}; give unit vectors")

    def advance(self, state: State, t: int, steps: int, noise: Noise) -> State:
        """The state after steps t .. t + steps - 1 by a kernel that equals `step` to rounding.

        `step` itself runs where anything asks for its gradient or is not on the CPU.
        """
        self.check(state)
        vessels, body = self.vessels, self.body
        given = [
            *state.values(),
            *vessels,
            *body,
            self.field.steady,
            self.field.cosine,
            self.field.sine,
            self.field.jacobian,
        ]
        if self.margination is not None:
            given += [torch.as_tensor(x) for x in vars(self.margination).values()]
        asked = torch.is_grad_enabled() and any(x.requires_grad for x in given)
        if asked or not steps or any(x.device.type != "cpu" for x in state.values()):
            return super().advance(state, t, steps, noise)
        from sojourn.processes.blood.twin import advance

        times = torch.arange(t, t + steps, dtype=torch.float64) * self.dt
        field = self.field.field(torch.zeros(steps, 3, dtype=torch.float64), times)
        streams = (noise.split("motion"), noise.split("contact"))
        places = (vessels, self._touching, self._chances, self.junctions)
        magnetic = (field.detach(), self.field.jacobian.detach())
        return advance(state, places, body, self.dt, magnetic, self.margination, streams, t)

    def __repr__(self) -> str:
        shown = [repr(self.flow), repr(self.robot), f"dt={show(self.dt, 's')!r}"]
        if self.field is not _NO_FIELD:
            shown.insert(2, repr(self.field))
        if self.contact is not None:
            shown.insert(2, repr(self.contact))
        if self.margination is not None:
            shown.insert(2, repr(self.margination))
        given = {
            "shear_strength": (0.15, ""),
            "viscosity": (PLASMA_VISCOSITY, "Pa s"),
            "temperature": (BODY_TEMPERATURE, "K"),
        }
        for name, (usual, unit) in given.items():
            value = float(torch.as_tensor(getattr(self, name), dtype=torch.float64).detach())
            if value != usual:
                shown.append(f"{name}={show(value, unit)!r}")
        return f"BloodRobots({', '.join(shown)})"
