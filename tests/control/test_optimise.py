"""Ascent: what it finds is within the coil's limits, the same every time, and better where nobody has looked."""

import sys
from pathlib import Path

import pytest
import torch
from scipy.stats import binom

import sojourn as sj
from sojourn.control import Guided, Route, Schedule, optimise
from sojourn.errors import InputError
from sojourn.processes.blood.magnetic import MagneticField
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots

sys.path.insert(0, str(Path(__file__).parent))
from tree import COIL, INTERVAL, flow, robots


def ascent(turns, route, intervals=8, **options):
    inner = robots(1, coarse=3)
    return optimise(inner, route, COIL, interval=INTERVAL, intervals=intervals, turns=turns, ensemble=60, **options)


@pytest.mark.parametrize("target", [1, 2])
def test_it_finds_the_side_and_sends_more_robots_there(target):
    """Half the flow goes there; 600 of 1000 fresh robots, in finer steps, do so by chance with probability 1e-10."""
    assert binom.sf(599, 1000, 0.5) < 1e-9
    route = Route(flow(1), target)
    found = ascent(4, route)
    early = found.schedule.field[:4].mean(0)
    (gate,) = route.gates
    assert float(early @ gate.side) > 0.5 * float(early.norm())
    fine = robots(1)
    end = sj.simulate(Guided(fine, found.schedule), steps=round(1.0 / fine.dt), ensemble=1000, seed=99, progress=False)
    assert int((end.state()["vessel"] == target).sum()) >= 600


def test_it_stays_within_the_limits_and_repeats_itself():
    route, told = Route(flow(1), 1), []
    one = ascent(2, route, 3, seed=5, watch=lambda turn, share: told.append((turn, share)))
    two, other = ascent(2, route, 3, seed=5), ascent(2, route, 3, seed=6)
    assert torch.equal(one.schedule.field, two.schedule.field)
    assert not torch.equal(one.schedule.field, other.schedule.field)
    assert told == list(enumerate(two.soft_shares))
    room = 1 + 1e-12
    assert float(one.schedule.field.norm(dim=1).max()) <= COIL.field_limit * room
    assert float(torch.linalg.matrix_norm(one.schedule.gradient, 2).max()) <= COIL.gradient_limit * room


def test_what_changes_nothing_is_refused():
    route = Route(flow(1), 1)
    with pytest.raises(InputError, match=r"^intervals=8 with turns=0 changes nothing; give 1 or more of each"):
        ascent(0, route)
    with pytest.raises(InputError, match=r"^rate=0 is not above zero"):
        ascent(1, route, rate=0)
    with pytest.raises(InputError, match=r"^rate='fast' is not a number with a unit; give a number or text such as"):
        ascent(1, route, rate="fast")
    with pytest.raises(InputError, match=r"^robots is a Guided; give BloodRobots"):
        optimise(
            Guided(robots(1), Schedule.constant(MagneticField.none())), route, COIL, interval=INTERVAL, intervals=8
        )
    with pytest.raises(InputError, match=r"^coil is a float; give a Coil"):
        optimise(robots(1), route, 3e-3, interval=INTERVAL, intervals=8)


def test_a_rate_is_a_share_as_well():
    route = Route(flow(1), 1)
    one, other = (ascent(1, route, 4, rate=rate).schedule.field for rate in (0.5, "50 %"))
    assert torch.equal(one, other)
    assert float(one.norm()) > 0


def test_intervals_that_end_before_the_first_gate_are_refused():
    """The fastest robots come there from 0.9 of the trunk's 100 um at 1 mm/s and 40 um/s: after 86.5 ms."""
    line = r"^intervals=2 of 40 ms end before any robot comes to the first gate, after 86\.5\d* ms; give more than 2,"
    with pytest.raises(InputError, match=line):
        ascent(1, Route(flow(1), 1), intervals=2)


def test_robots_that_no_field_moves_are_refused():
    still = BloodRobots(flow(1), Robot("1.634 um"), dt=robots(1, coarse=3).dt)
    with pytest.raises(
        InputError, match=r"^no field changes the share that takes Route.*; give robots with a magnetic"
    ):
        optimise(still, Route(flow(1), 1), COIL, interval=INTERVAL, intervals=8, turns=1, ensemble=20)
