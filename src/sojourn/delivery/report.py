"""What a simulated injection of n independent robots delivered, as estimates of what one robot does.

    share of the dose at the target    P(captured)                                 Clopper-Pearson
    released at the target             E [captured] (1 - exp(-k (t - T)))          Maurer-Pontil, in [0, 1]
    residence                          E min(T, t), T when it left or was captured Maurer-Pontil, in [0, t]
    exposure, arrival                  quantiles                                   order statistics

What became of the dose is one family: the shares on the way, bound, left and captured, and what is released, hold
together. So released is at most what was captured times 1 - exp(-k t), by their intervals too. Losses by cause, kinds
of vessels, single vessels and the curve of arrivals are families of their own, wider the more quantities they hold.

t is the time of the state. E min(T, t) has no bias by those who are still there at t, and needs no law of what comes
after; Kaplan and Meier's curve would end at t as well, and its intervals are asymptotic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from rich.table import Table

from sojourn.bounds import checks
from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import empirical_bernstein
from sojourn.delivery import tables
from sojourn.delivery.frames import frame_at, nearest_end
from sojourn.delivery.quantiles import quantile
from sojourn.delivery.shares import ASSUMES, LIMITS, arrival_curve, scaled, share, shares
from sojourn.errors import InputError
from sojourn.process import State
from sojourn.processes.blood.checks import at_least_zero
from sojourn.processes.blood.release import first_order_release
from sojourn.processes.blood.robots import BOUND, CAPTURED, LEFT, MOVING, BloodRobots
from sojourn.processes.blood.units import Quantity, positive, show
from sojourn.trajectory import Trajectory

STATUS = {MOVING: "on the way", BOUND: "bound", LEFT: "left", CAPTURED: "captured"}
LEVELS = (0.1, 0.5, 0.9)


def delivered(
    run: Trajectory | State,
    robots: BloodRobots,
    *,
    at: Quantity = None,
    payload: Quantity = None,
    release_rate: Quantity = None,
    confidence: float = 0.95,
) -> Delivery:
    """What the robots of a run had delivered by a time.

    Args:
        run: of `simulate(robots, ...)`, begun with all robots on the way; or one state of such a run.
        robots: the process that was simulated.
        at: the time of a saved frame, s; None: the last one. Of a state the time must be given.
        payload: of each robot, kg.
        release_rate: k, at which captured robots release it, 1/s; None: only what they carry is counted.
        confidence: of each estimate, or of all those together that the estimate names (`family`).

    Raises:
        InputError: a run of another process or of other robots, no frame at that time, a release rate without a
            payload, units of something else.
    """
    checks.inside("confidence", confidence)
    state, time = frame_at(run, robots, at)
    if payload is not None:
        payload = positive(payload, "kg", name="payload")
    if release_rate is not None:
        if payload is None:
            raise InputError(f"release_rate={release_rate!r} without a payload; give payload, such as '1 fg'")
        release_rate = at_least_zero(release_rate, "1/s", name="release_rate", remedy="a drug only leaves")
    return Delivery(robots, state, time, payload, release_rate, confidence)


class Held(NamedTuple):
    """Shares of all robots that the vessels of one kind hold."""

    bound: Estimate
    captured: Estimate


@dataclass(frozen=True, eq=False, repr=False)
class Delivery:
    """What robots delivered; made by `delivered`. Printed, it is a table.

    Attributes:
        robots: the process.
        state: of the robots, at `time`, s.
        payload: of each, kg, or None.
        release_rate: 1/s, or None.
        confidence: of its estimates.

    A robot is at the target once it is captured there. Estimates assume independent robots of one law, as in
    `BloodRobots` from its own start, and leave out the error of the time step.
    """

    robots: BloodRobots
    state: State
    time: float
    payload: float | None
    release_rate: float | None
    confidence: float

    def __len__(self) -> int:
        return len(self.state["status"])

    @cached_property
    def at_target(self) -> Estimate:
        """The share of the injected dose that is at the target: P(captured), as in `shares`."""
        return self.shares["captured"]

    @cached_property
    def shares(self) -> dict[str, Estimate]:
        """Of robots "on the way", "bound", "left" and "captured", together; with what is released, if anything is."""
        return {name: self._share(self._status == code, self._fates) for code, name in STATUS.items()}

    @cached_property
    def losses(self) -> dict[str, Estimate]:
        """Of robots that were not captured, by cause, together: on the way, bound in a target or off it, left at each
        of the outlets. They and the share captured sum to one."""
        status, at_target = self._status, self._targets[self._vessel]
        causes = {
            "on the way": status == MOVING,
            "bound in a target": (status == BOUND) & at_target,
            "bound off target": (status == BOUND) & ~at_target,
        }
        if not self._targets.any():
            del causes["bound in a target"]
        network, at = self.robots.flow.network, self.robots.junctions
        end = np.where(status == LEFT, nearest_end(self.state, self.robots), -1)
        for outlet in (at.feeds & at.boundary).nonzero()[:, 0].tolist():
            node = int(network.vessels[outlet // 2, outlet % 2])
            causes[f"left at node {node}, by {network.names[outlet // 2]}"] = end == outlet
        return {name: self._share(which, len(causes)) for name, which in causes.items()}

    @cached_property
    def by_kind(self) -> dict[str, Held]:
        """Kind of vessel -> shares of all robots that are bound and captured in such vessels; all kinds together."""
        kinds = np.array(self.robots.flow.network.kinds)
        names = list(dict.fromkeys(kinds.tolist()))
        found = {}
        for name in names:
            here = kinds[self._vessel] == name
            parts = (self._share(here & (self._status == code), 2 * len(names)) for code in (BOUND, CAPTURED))
            found[name] = Held(*parts)
        return found

    @cached_property
    def by_vessel(self) -> xr.Dataset:
        """Dataset over vessels: how many robots are `bound` and `captured` there, and the `share` of all robots that is
        either, in [`low`, `high`], all vessels together; and whether it is a `target`.

        `write_vtp(path, network, vessel_data=dict(delivery.by_vessel))` is the map for ParaView.
        """
        network, n = self.robots.flow.network, len(self)
        counts = {
            STATUS[code]: np.bincount(self._vessel[self._status == code], minlength=len(network.vessels))
            for code in (BOUND, CAPTURED)
        }
        found = shares((counts["bound"] + counts["captured"]).tolist(), n, self.confidence, len(network.vessels))
        variables = {**counts, **found, "target": self._targets}
        names = {"name": ("vessel", list(network.names)), "kind": ("vessel", list(network.kinds))}
        about = {"robots": n, "confidence": self.confidence, "guarantee": "at this n", "method": "Clopper-Pearson"}
        about |= {"family": len(network.vessels), "assumes": ASSUMES, "limits": "; ".join(LIMITS)}
        return xr.Dataset({name: ("vessel", values) for name, values in variables.items()}, names, about)

    @cached_property
    def arrival(self) -> xr.Dataset:
        """P(captured by t) over time: `shares.arrival_curve`."""
        return arrival_curve(self._captured_at, len(self), self.time, self.confidence)

    @cached_property
    def arrival_time(self) -> dict[float, Estimate]:
        """Quantiles of when those arrived who were captured by the end, s, together; empty if nobody was."""
        return self._quantiles(self._captured_at, (0.0, self.time), "s") if len(self._captured_at) else {}

    @cached_property
    def residence(self) -> Estimate:
        """E min(T, t), s, with T the time in the blood until a robot leaves or is captured."""
        gone = self._status >= LEFT
        stayed = np.where(gone, np.minimum(self.state["since"].numpy(), self.time), self.time)
        return self._mean(stayed, self.time, "s")

    @cached_property
    def exposure(self) -> dict[float, Estimate]:
        """Quantiles of the integral of the shear rate at a robot until it left or was captured, or to t; together."""
        return self._quantiles(self.state["shear_exposure"].numpy(), (0.0, np.inf), "")

    @cached_property
    def dose(self) -> dict[str, Estimate]:
        """kg of drug: "injected" with these robots; "at the target", expected of an injection of as many; "released" of
        it by captured robots up to t, where there is a release rate. Empty without a payload."""
        if self.payload is None:
            return {}
        injected = self.payload * len(self)
        found = {
            "injected": Estimate(injected, injected, injected, guarantee="none", unit="kg"),
            "at the target": scaled(self.at_target, injected, "kg"),
        }
        if self.release_rate is not None:
            held = torch.from_numpy(np.maximum(self.time - self._captured_at, 0))
            released = np.zeros(len(self))
            released[self._status == CAPTURED] = first_order_release(held, self.release_rate).numpy()
            mean, whole = self._mean(released, 1.0, "", self._fates), torch.tensor(self.time, dtype=torch.float64)
            most = scaled(self.at_target, float(first_order_release(whole, self.release_rate)), "").high
            found["released"] = scaled(replace(mean, high=min(mean.high, most)), injected, "kg")
        return found

    def table(self) -> Table:
        """All but the map and the curve, with units."""
        return tables.layout(self._title, self._rows)

    def to_csv(self, path: str | Path) -> None:
        """Writes the table as CSV in SI units: quantity, value, low, high, unit, confidence, family, method, guarantee.

        The map is `by_vessel.to_dataframe().to_csv(path)`, and so is `arrival`.
        """
        tables.write(path, self._rows)

    def __str__(self) -> str:
        return tables.text(self.table())

    __repr__ = __str__

    @property
    def _title(self) -> str:
        network, targets = self.robots.flow.network, self._targets
        count = f"{int(targets.sum())} of {len(targets)} vessels are targets"
        kinds = ", ".join(dict.fromkeys(kind for kind, t in zip(network.kinds, targets, strict=True) if t))
        return f"{len(self):,} robots after {show(self.time, 's')}; {count}{f' ({kinds})' if kinds else ''}"

    @property
    def _rows(self) -> list[tables.Row]:
        row = tables.Row
        named = {0.1: "10 %", 0.5: "half", 0.9: "90 %"}
        rows = [row("dose", "share at the target", self.at_target, True)]
        rows += [row("dose", name, found) for name, found in self.dose.items()]
        rows += [row("robots", name, found, True) for name, found in self.shares.items()]
        rows += [row("not captured", name, found, True) for name, found in self.losses.items()]
        for kind, held in self.by_kind.items():
            rows += [row("held in", f"{kind}, {name}", found, True) for name, found in held._asdict().items()]
        rows += [row("arrival, of those captured", f"{named[p]} by", found) for p, found in self.arrival_time.items()]
        rows += [row("residence", f"mean, up to {show(self.time, 's')}", self.residence)]
        rows += [row("shear exposure", f"{named[p]} below", found) for p, found in self.exposure.items()]
        return rows

    @cached_property
    def _status(self) -> np.ndarray:
        return self.state["status"].numpy()

    @cached_property
    def _vessel(self) -> np.ndarray:
        return self.state["vessel"].numpy().astype(np.int64)

    @cached_property
    def _targets(self) -> np.ndarray:
        contact, network = self.robots.contact, self.robots.flow.network
        return np.zeros(len(network.vessels), bool) if contact is None else contact.is_target(network).numpy()

    @property
    def _fates(self) -> int:
        """How many quantities say together what became of the dose."""
        return len(STATUS) + (self.release_rate is not None)

    @cached_property
    def _captured_at(self) -> np.ndarray:
        return self.state["since"].numpy()[self._status == CAPTURED]

    def _share(self, which: np.ndarray, family: int) -> Estimate:
        return share(int(which.sum()), len(self), self.confidence, family)

    def _mean(self, values: np.ndarray, most: float, unit: str, family: int = 1) -> Estimate:
        found = empirical_bernstein(values, range=(0.0, most), confidence=self.confidence, family=family)
        return replace(found, assumes=ASSUMES, limits=LIMITS, unit=unit)

    def _quantiles(self, values: np.ndarray, range: tuple[float, float], unit: str) -> dict[float, Estimate]:
        found = {p: quantile(values, p, range=range, confidence=self.confidence, family=len(LEVELS)) for p in LEVELS}
        return {p: replace(x, assumes=ASSUMES, limits=LIMITS, unit=unit) for p, x in found.items()}
