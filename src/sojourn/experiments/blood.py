"""`sojourn run blood`: robots injected upstream of a tumour-like bed, with and without a field that guides them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from rich.markup import escape
from rich.table import Table
from torch import Tensor

from sojourn.bounds.estimate import Estimate
from sojourn.delivery import Delivery, delivered
from sojourn.delivery.tables import Row, shown
from sojourn.driver import check_memory, simulate
from sojourn.errors import InputError
from sojourn.experiments import blood_figures as figures
from sojourn.experiments.base import Experiment
from sojourn.experiments.blood_film import film
from sojourn.experiments.figures import save
from sojourn.experiments.results import lines
from sojourn.formats.film import write_film
from sojourn.formats.vessels import write_vtp
from sojourn.noise import Noise
from sojourn.processes.blood.checks import at_least_zero
from sojourn.processes.blood.contact import Contact
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots
from sojourn.processes.blood.solver import Flow
from sojourn.processes.blood.units import positive, show
from sojourn.runs import Run
from sojourn.trajectory import Trajectory

TARGET = "tumour"


@dataclass(frozen=True)
class BloodToTumour(Experiment):
    """Inject robots into the arterioles of a bed with a tumour, and see what arrives: film, dose curve, table.

    Two runs from one start and one seed differ in the field alone. The field that guides is zero in the middle of the
    tumour and points towards it from all sides of the bed, B = -gradient (x - middle) in the plane, so robots that
    swim along their moment swim there. (It pulls the other way, as any static field must; the pull is weaker.)

    The bed is `VesselNetwork.tumour_like`, its flow that of Pries and Secomb's laws. Walls of the tumour capture robots
    that touch them, all walls bind some for a while. The rates, the moment and the speed are assumptions.

    Args:
        vessels: about how many, at least 100.
        robots: in each run.
        duration: of each run, as "8 s".
        dt: time step, as "25 us"; half of it should change no number by more than its interval.
        frames: of the film.
        radius, magnetic_moment, swim_speed: of a robot: "0.5 um", "5e-15 A m^2", "200 um/s".
        gradient: of the guiding field, as "0.4 T/m".
        capture_rate: of a robot at a wall of the tumour, as "2 1/s".
        binding_rate, unbinding_rate: at every wall, as "0.05 1/s" and "0.5 1/s".
        payload: of each robot, as "1 fg".
        release_rate: of the payload after capture, as "0.1 1/s".
        seed: of the network and of the robots.
    """

    vessels: int = 1000
    robots: int = 5000
    duration: str = "8 s"
    dt: str = "25 us"
    frames: int = 160
    radius: str = "0.5 um"
    magnetic_moment: str = "5e-15 A m^2"
    swim_speed: str = "200 um/s"
    gradient: str = "0.4 T/m"
    capture_rate: str = "2 1/s"
    binding_rate: str = "0.05 1/s"
    unbinding_rate: str = "0.5 1/s"
    payload: str = "1 fg"
    release_rate: str = "0.1 1/s"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("vessels", 100), ("robots", 2), ("frames", 2)):
            if getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)} is below {least}")
        Noise(self.seed)
        positive(self.payload, "kg", name="payload")
        at_least_zero(self.release_rate, "1/s", name="release_rate", remedy="a drug only leaves")
        at_least_zero(self.gradient, "T/m", name="gradient", remedy="give its size")
        if self._wanted < self.frames:
            raise InputError(f"duration={self.duration!r} holds {self._wanted} steps; give fewer frames or more time")
        for process in self.arms.values():
            check_memory(process, self.robots, self.steps, self.save_every, stored=True)

    @property
    def steps(self) -> int:
        """Whole frames of the film."""
        return self._wanted // self.frames * self.frames

    @property
    def save_every(self) -> int:
        return self.steps // self.frames

    @property
    def _wanted(self) -> int:
        return round(positive(self.duration, "s", name="duration") / positive(self.dt, "s", name="dt"))

    @cached_property
    def flow(self) -> Flow:
        """The blood, as fast as it flows without robots."""
        return VesselNetwork.tumour_like(self.vessels, seed=self.seed).solve()

    @cached_property
    def arms(self) -> dict[str, BloodRobots]:
        """The two processes by their titles."""
        robot = Robot(self.radius, magnetic_moment=self.magnetic_moment, swim_speed=self.swim_speed)
        contact = Contact(
            reach="0.2 um",
            binding_rate=self.binding_rate,
            unbinding_rate=self.unbinding_rate,
            targets=(TARGET,),
            capture_rate=self.capture_rate,
        )
        fields = {"no field": MagneticField.none(), "guided": towards(self._middle, self.gradient)}
        return {
            name: BloodRobots(self.flow, robot, field, contact=contact, dt=self.dt) for name, field in fields.items()
        }

    @property
    def _middle(self) -> Tensor:
        network = self.flow.network
        target = torch.tensor([kind == TARGET for kind in network.kinds])
        return network.nodes[network.vessels[target]].mean((0, 1))

    def run(self, run: Run) -> list[str]:
        paths = {name: self._simulate(run, name, process) for name, process in self.arms.items()}
        options: Any = {"payload": self.payload, "release_rate": self.release_rate}
        found = {name: delivered(path, self.arms[name], **options) for name, path in paths.items()}
        folder = run.folder("figures")
        save(figures.blood(self.flow), folder / "blood.png")
        save(figures.dose(found), folder / "dose.png")
        save(figures.held(found), folder / "held.png")
        arms = [(name, self.arms[name], path) for name, path in paths.items()]
        write_film(folder / "film.mp4", film(arms), rate=16)
        for name, one in found.items():
            stem = name.replace(" ", "-")
            one.to_csv(run.path / f"{stem}.csv")
            maps: dict[str, Any] = {str(k): values.to_numpy() for k, values in one.by_vessel.data_vars.items()}
            maps |= {"flow": self.flow.flow, "hematocrit": self.flow.hematocrit, "velocity": self.flow.mean_velocity}
            write_vtp(run.path / f"{stem}.vtp", self.flow.network, vessel_data=maps)
        run.result(**{name: {key: e.to_dict() for key, e in _main(one).items()} for name, one in found.items()})
        return self._story(run, found)

    def _simulate(self, run: Run, name: str, process: BloodRobots) -> Trajectory:
        return simulate(
            process,
            steps=self.steps,
            save_every=self.save_every,
            ensemble=self.robots,
            seed=self.seed,
            out=run.path / f"{name.replace(' ', '-')}.zarr",
            resume=True,
        )

    def _story(self, run: Run, found: dict[str, Delivery]) -> list[str]:
        confidence = next(iter(found.values())).confidence
        table = Table(
            title=f"{self.robots:,} robots, {self.duration} after the injection, with intervals of {confidence:.0%}",
            title_justify="left",
            box=None,
            padding=(0, 3, 0, 0),
        )
        table.add_column("")
        for name in found:
            table.add_column(name, justify="right")
        rows = {name: _main(one) for name, one in found.items()}
        for key in next(iter(rows.values())):
            table.add_row(key, *(_numbers(row[key]) for row in rows.values()))
        guided, alone = (found[name].shares["captured"] for name in ("guided", "no field"))
        verdict = (
            "The field brings more robots to the tumour."
            if guided.low > alone.high
            else ("These runs do not tell whether the field brings more robots to the tumour.")
        )
        step = show(positive(self.dt, "s", name="dt"), "s")
        return [
            repr(self.flow.network),
            repr(self.flow),
            "",
            *lines(table),
            "",
            verdict,
            "Intervals hold at this number of robots: in each run the shares, the dose at the target and what of it is",
            "released all together, as in held.png; times and exposure by themselves; dose.png at all times together.",
            f"They leave out the error of the model and of dt = {step}.",
            f"Look at {escape(str(run.path / 'figures'))}: film.mp4, blood.png, dose.png, held.png; ParaView opens",
            f"{escape(str(run.path))}/guided.vtp, and guided.csv has every number.",
        ]


def towards(place: Tensor, gradient: str) -> MagneticField:
    """B = -g (x - place) in the xy-plane, 2 g (z - place) along z, which no static field could have otherwise."""
    g = at_least_zero(gradient, "T/m", name="gradient", remedy="give its size")
    jacobian = g * torch.diag(torch.tensor([-1.0, -1.0, 2.0], dtype=torch.float64))
    return MagneticField.gradient(-jacobian @ place, jacobian)


def _main(found: Delivery) -> dict[str, Estimate]:
    """What the table at the end compares."""
    rows = {"captured in the tumour": found.shares["captured"], "left by an outlet": found.shares["left"]}
    rows |= {"bound to walls": found.shares["bound"], "on the way": found.shares["on the way"]}
    rows |= {"dose at the target": found.dose["at the target"], "of it released": found.dose["released"]}
    if half := found.arrival_time.get(0.5):
        rows["half of those captured by"] = half
    rows["mean residence"] = found.residence
    rows["half have a shear exposure below"] = found.exposure[0.5]
    return rows


def _numbers(e: Estimate) -> str:
    """The estimate and its interval, a share in percent, without what it promises."""
    return escape(shown(Row("", "", e, percent=not e.unit and e.high <= 1))[0])
