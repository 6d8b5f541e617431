"""`sojourn run blood-control`: one field for all robots is to send them to one of the four branches of a small tree.

The way leads up at the first node and down at the second, so no constant field can be right; when to change over, for
robots that Poiseuille's flow has drawn apart, is what a gradient through the simulation finds. All numbers are of
simulations that neither the optimiser nor the choice of a constant field has seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from rich.markup import escape
from rich.table import Table
from torch import Tensor

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import betting, clopper_pearson
from sojourn.control import Coil, Guided, Localisation, Route, Schedule, Sideways, Steered, optimise
from sojourn.control.coil import pull
from sojourn.control.optimise import check_reach
from sojourn.driver import simulate
from sojourn.errors import InputError
from sojourn.experiments import blood_control_figures as figures
from sojourn.experiments.base import Experiment
from sojourn.experiments.figures import save
from sojourn.experiments.results import kept, lines
from sojourn.noise import Noise
from sojourn.observers import Observer, StopWhen
from sojourn.process import Process, State
from sojourn.processes.blood.contact import Contact
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import CAPTURED, MOVING, BloodRobots
from sojourn.processes.blood.units import positive, show
from sojourn.runs import Run

TARGET = 4  # of vessels 0 to 6: up at the first node, down at the second
DIRECTIONS = 36  # of constant fields in the plane, of which the best one is compared
WAYS = {
    "none": "no field",
    "aimed": "constant, aimed from the inlet at the target",
    "constant": f"constant, the best of {DIRECTIONS} directions",
    "feedback": "feedback on the mean place, late and noisy",
    "optimised": "schedule optimised by gradients",
}
_LOOK, _ROBOT_STEP, _LEARNING, _LEARNER = 2e-3, 2e-8, 3e-3, 1e-5  # s on one core, roughly: see `BloodControl.lasts`
_LONGEST = 6 * 3600.0  # s, of a run
_COARSER = 3.5  # how many times the safe dt the optimiser's is; beyond 4 a step may turn a robot by a radian


@dataclass(frozen=True)
class BloodControl(Experiment):
    """Guidance optimised by gradient, beside no field, constant fields and feedback, in a tree of blood vessels.

    Args:
        field_limit: of the coils, T.
        gradient_limit: of the coils, T/m.
        rate_limit: of the coils' field, T/s.
        radius: of a robot, m.
        magnetic_moment: of a robot, along its axis, A m^2.
        swim_speed: of a robot, along its axis, m/s.
        hematocrit: of the blood that enters.
        diameter: of the trunk, m; the daughters follow Murray's law.
        inlet_velocity: of the blood, m/s.
        std: of localisation, m.
        delay: of localisation, intervals.
        interval: of control, s.
        intervals: of the schedule.
        turns: of the optimiser.
        learners: robots a turn of the optimiser.
        ensemble: robots of each simulation that is reported.
        swarms: in how many these are divided under feedback, each with a field of its own, because the noise of
            localisation makes the robots of one swarm depend on each other.
        seed: of all that is random.

    The field's limit, the robot's radius and the hematocrit are those of Amoudruz, Litvinov and Koumoutsakos, Phys.
    Fluids (2025), arXiv 2404.02171, whose swimmer is a helix in capillaries with resolved red cells. The vessels are
    wider than theirs, because our walls hold for a robot that is small beside its vessel; the other numbers are ours.
    """

    field_limit: str = "3 mT"
    gradient_limit: str = "0.5 T/m"
    rate_limit: str = "50 mT/s"
    radius: str = "1.634 um"
    magnetic_moment: str = "1e-14 A m^2"
    swim_speed: str = "40 um/s"
    hematocrit: float = 0.2
    diameter: str = "20 um"
    inlet_velocity: str = "0.5 mm/s"
    std: str = "5 um"
    delay: int = 1
    interval: str = "40 ms"
    intervals: int = 22
    turns: int = 12
    learners: int = 400
    ensemble: int = 20_000
    swarms: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("intervals", "turns", "learners", "ensemble", "swarms"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} is below 1; give 1 or more")
        Noise(self.seed)
        check_reach(self.robots, self.route, interval=self.seconds, intervals=self.intervals)
        if self.lasts > _LONGEST:
            raise InputError(
                f"interval={self.interval!r}, intervals={self.intervals} and ensemble={self.ensemble} would run about "
                f"{self.lasts / 3600:,.0f} hours, {self.steps:,} steps of {show(self.robots.dt, 's')} a simulation; "
                "give longer or fewer intervals, or fewer robots, turns, learners or swarms"
            )
        Guided(self.robots, Schedule.constant(self.coil.strongest(MagneticField.none())))
        Steered(self.robots, Sideways(self.route), self.coil, self.localisation, self.interval)

    def run(self, run: Run) -> list[str]:
        found = kept(run, "schedule", lambda: self._optimise(run))
        schedule = Schedule(found["field"], found["gradient"], found["interval"], ramp=found["ramp"])
        best = kept(run, "directions", self._best_constant)
        processes: dict[str, Process] = {
            "none": Guided(self.robots, Schedule.constant(MagneticField.none())),
            "aimed": self._constant(self._aim()),
            "constant": self._constant(_direction(best["angle"])),
            "feedback": Steered(self.robots, Sideways(self.route), self.coil, self.localisation, self.interval),
            "optimised": Guided(self.robots, schedule),
        }
        seen = {
            name: kept(run, name, lambda process=process: self._measure(process)) for name, process in processes.items()
        }
        folder = run.folder("figures")
        save(figures.field(schedule, self.coil, seen["optimised"]), folder / "field.png")
        save(figures.gates(seen, self.route), folder / "gates.png")
        save(figures.places(seen, self.route.flow.network, self.route.vessels), folder / "places.png")
        return [
            *self._table(run, seen, best),
            *self._words(),
            f"Look at {escape(str(folder))}: field, gates, places (PNG).",
        ]

    @cached_property
    def coil(self) -> Coil:
        """What the field can be."""
        return Coil(self.field_limit, self.gradient_limit, self.rate_limit)

    @cached_property
    def localisation(self) -> Localisation:
        """What is seen."""
        return Localisation(self.std, delay=self.delay)

    @cached_property
    def robots(self) -> BloodRobots:
        """The robots in their blood."""
        network = VesselNetwork.murray_tree(
            2, self.diameter, length_ratio=10, inlet_velocity=self.inlet_velocity, hematocrit=self.hematocrit
        )
        robot = Robot(self.radius, magnetic_moment=self.magnetic_moment, swim_speed=self.swim_speed)
        contact = Contact(reach="0.2 um", targets=(TARGET,), capture_rate="10 1/s")
        return self.coil.fit(BloodRobots(network.solve(), robot, contact=contact), interval=self.interval)

    @cached_property
    def route(self) -> Route:
        """To the target."""
        return Route(self.robots.flow, TARGET)

    @cached_property
    def steps(self) -> int:
        """Of a simulation that is reported: 2.5 mean times through the tree, after which hardly any robot is left."""
        flow = self.robots.flow
        through = (flow.network.length / flow.mean_velocity).detach()
        return math.ceil(2.5 * float(through[list(self.route.vessels)].sum()) / self.robots.dt)

    @cached_property
    def lasts(self) -> float:
        """About how many seconds a run takes: by its looks at the robots, their steps, and the steps of learning."""
        simulations = DIRECTIONS + len(WAYS) - 1 + self.swarms
        robots = DIRECTIONS * self.ensemble // 8 + len(WAYS) * self.ensemble
        learnt = self.turns * self.intervals * self._coarse_steps
        looked = simulations * self.steps / self._looks * _LOOK + robots * self.steps * _ROBOT_STEP
        return looked + learnt * (_LEARNING + self.learners * _LEARNER)

    @property
    def _coarse_steps(self) -> int:
        """Of the optimiser in an interval."""
        return math.ceil(round(self.seconds / self.robots.dt) / _COARSER)

    def _optimise(self, run: Run) -> dict[str, Any]:
        """The schedule as numbers, and how J grew."""
        run.rewind("optimise", -1)
        coarse = replace(self.robots, dt=self.seconds / self._coarse_steps)
        found = optimise(
            coarse,
            self.route,
            self.coil,
            interval=self.seconds,
            intervals=self.intervals,
            ensemble=self.learners,
            turns=self.turns,
            seed=self._seed("optimise"),
            watch=lambda turn, share: run.log("optimise", turn, soft_share=share),
        )
        return found.schedule.record() | {"soft_shares": list(found.soft_shares)}

    def _best_constant(self) -> dict[str, Any]:
        """Of constant fields in the plane the angle of the one that sends the most to the target, and all shares."""
        angles = [2 * math.pi * k / DIRECTIONS for k in range(DIRECTIONS)]
        shares = []
        for angle in angles:
            state = self._simulated(self._constant(_direction(angle)), "constant", self.ensemble // 8 or 1)
            shares.append(float((state["vessel"] == TARGET).double().mean()))
        return {"angle": angles[int(np.argmax(shares))], "angles": angles, "shares": shares}

    def _constant(self, direction: Tensor) -> Guided:
        """The strongest field in a direction, with the strongest gradient that pulls there."""
        field, gradient = self.coil.field_limit * direction, self.coil.gradient_limit * pull(direction)
        return Guided(self.robots, Schedule.constant(MagneticField.gradient(field, gradient)))

    def _aim(self) -> Tensor:
        """The direction from the inlet to the middle of the target."""
        network = self.robots.flow.network
        inlet = network.nodes[network.vessels[self.route.vessels[0], 0]]
        away = network.nodes[network.vessels[TARGET]].mean(0) - inlet
        return away / away.norm()

    def _simulated(self, process: Process, seed: str, ensemble: int, *watch: Observer) -> State:
        """The state when nobody is on the way, or at the end."""
        over = StopWhen(lambda state: not bool((state["status"] == MOVING).any()), self._looks)
        observers = [*watch, over]
        run = simulate(process, steps=self.steps, ensemble=ensemble, seed=self._seed(seed), observers=observers)
        return run.state()

    def _measure(self, process: Process) -> dict[str, Any]:
        """Where robots ended, how they came to the gates and where they were; under feedback in swarms of their own."""
        swarms = self.swarms if isinstance(process, Steered) else 1
        watch, size = Watch(self.robots, self.route, every=self._looks), math.ceil(self.ensemble / swarms)
        inside, captured, moving = [], [], 0
        for k in range(swarms):
            state = self._simulated(process, f"report {k}", size, watch)
            there = state["vessel"] == TARGET
            inside.append(int(there.sum()))
            captured.append(int((there & (state["status"] == CAPTURED)).sum()))
            moving += int((state["status"] == MOVING).sum())
        return {"robots": size * swarms, "in_target": inside, "captured": captured, "moving": moving} | watch.found()

    @property
    def _looks(self) -> int:
        """Steps between two looks at the robots: a quarter of an interval of control."""
        return max(1, round(self.seconds / self.robots.dt) // 4)

    def _seed(self, stage: str) -> int:
        return Noise(self.seed).split(stage).stream

    def _table(self, run: Run, seen: dict[str, Any], best: dict[str, Any]) -> list[str]:
        family = 2 * len(seen)
        table = Table(title=f"Of {self.ensemble:,} robots, %, with 95% intervals for all {family} numbers together")
        for column in ("field", "to the target's branch", "captured there", "on the way"):
            table.add_column(column, justify="left" if column == "field" else "right")
        for name, numbers in seen.items():
            found = {k: _share(numbers[k], numbers["robots"], family) for k in ("in_target", "captured")}
            run.result(**{f"{name}_{k}": estimate for k, estimate in found.items()})
            cells = [f"{100 * e.value:.1f} [{100 * e.low:.1f}, {100 * e.high:.1f}]" for e in found.values()]
            table.add_row(WAYS[name], *map(escape, cells), f"{100 * numbers['moving'] / numbers['robots']:.1f}")
        run.result(best_angle_degrees=math.degrees(best["angle"]))
        return lines(table)

    def _words(self) -> list[str]:
        body = self.robots.body
        pulled = float(body.moment * body.mobility) * self.coil.gradient_limit
        turned = float(body.moment * body.spin) * self.coil.field_limit
        shear = float(self.robots.flow.mean_velocity[0] * 8 / self.robots.flow.network.diameter[0])
        return [
            f"The gradient pulls a robot at up to {show(pulled, 'm/s')}, and it swims at "
            f"{show(float(body.speed), 'm/s')}: direction steers, pull does not.",
            f"The field turns it at up to {show(turned, '1/s')}, the blood at the trunk's wall at "
            f"{show(shear / 2, '1/s')}.",
        ]

    @cached_property
    def seconds(self) -> float:
        """Of control, s."""
        return float(positive(self.interval, "s", name="interval"))


class Watch:
    """An observer: the place in the flow at which robots come to each gate, when, and where all of them are.

    Args:
        robots, route: what is watched.
        every: steps between looks; a robot's place at a gate is the last one seen before it.
    """

    def __init__(self, robots: BloodRobots, route: Route, *, every: int) -> None:
        self.robots, self.route = robots, route
        self.every: int | None = every
        nodes = robots.flow.network.nodes.detach().numpy()
        margin = float(robots.vessels.radius.max())
        self.box = [[nodes[:, k].min() - margin, nodes[:, k].max() + margin] for k in (0, 1)]
        self.shares: list[list[Tensor]] = [[] for _ in route.gates]
        self.times: list[list[float]] = [[] for _ in route.gates]
        self.seen = np.zeros((240, 120))
        self.before: State = {}

    def see(self, step: int, state: State) -> bool:
        self.before = self.before if step else {}
        for k, gate in enumerate(self.route.gates):
            if self.before:
                there = self.before["vessel"] == gate.vessel
                gone = there & (state["vessel"] != gate.vessel)
                radius = self.robots.vessels.radius[gate.vessel]
                self.shares[k].append(gate.share(self.before["across"][gone], radius))
                self.times[k] += [step * self.robots.dt] * int(gone.sum())
        places = self.robots.places(state)[state["status"] == MOVING].numpy()
        self.seen += np.histogram2d(places[:, 0], places[:, 1], self.seen.shape, self.box)[0]
        self.before = state
        return False

    def close(self) -> None:
        pass

    def found(self) -> dict[str, Any]:
        """Histograms as plain numbers: of G at each gate (in 25 parts of [0, 1]), quartiles of times, of places."""
        return {
            "gates": [np.histogram(torch.cat(x).numpy(), 25, (0, 1))[0].tolist() for x in self.shares],
            "times": [np.quantile(x, (0.25, 0.5, 0.75)).tolist() if x else [] for x in self.times],
            "places": self.seen.astype(int).tolist(),
            "box": self.box,
        }


def _share(counts: list[int], robots: int, family: int) -> Estimate:
    """The share of robots, exact where all are independent; where only swarms are, from the shares of these."""
    if len(counts) == 1:
        return clopper_pearson(counts[0], robots, family=family)
    shares = np.array(counts) * len(counts) / robots
    return betting(shares, range=(0, 1), family=family)


def _direction(angle: float) -> Tensor:
    return torch.tensor([math.cos(angle), math.sin(angle), 0.0], dtype=torch.float64)
