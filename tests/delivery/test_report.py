"""What was delivered: a run made by hand, whose every number is known; exact coverage; closed forms of simulations."""

import csv
import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import beta, binom, multinomial

import sojourn as sj
from sojourn.bounds.estimate import Estimate
from sojourn.delivery import delivered
from sojourn.delivery.tables import Row, layout, text
from sojourn.errors import InputError
from sojourn.experiments.blood_validation_chance import WATCHED
from sojourn.experiments.blood_validation_exact import diffusivities, survival
from sojourn.formats.vessels import write_vtp
from sojourn.formats.vessels.vtk_xml import read_polydata
from sojourn.processes.blood.contact import Contact
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import BloodRobots

from .injected import robots, state, trajectory

MOVING, BOUND, LEFT, CAPTURED = range(4)
EVENTS = [  # status, vessel, since
    *[(MOVING, vessel, 0) for vessel in (0, 0, 1, 2)],
    *[(BOUND, vessel, 0.5) for vessel in (0, 1, 2)],
    *[(LEFT, 1, 1) for _ in range(5)],
    *[(LEFT, 2, 2) for _ in range(3)],
    *[(CAPTURED, 2, since) for since in (1, 1, 2, 3, 4)],
]
END = state([(*event, i + 1) for i, event in enumerate(EVENTS)])
START = state([(MOVING, 0, 0, 0)] * 20)
SURE = 1 - 1e-6  # of intervals in tests of simulated runs: the chance of a false alarm is at most 1e-6 each


def by_hand(**options):
    return delivered(trajectory([START, END], [0.0, 4.0]), robots(), **options)


def clopper_pearson(k, n, error):
    """By quantiles of the beta law."""
    low = beta.ppf(error / 2, k, n - k + 1) if k else 0.0
    return low, beta.ppf(1 - error / 2, k + 1, n - k) if k < n else 1.0


def ends(estimate):
    return estimate.low, estimate.high


def test_shares():
    found = by_hand()
    assert (len(found), found.time) == (20, 4.0)
    assert {name: x.value for name, x in found.shares.items()} == {
        "on the way": 4 / 20,
        "bound": 3 / 20,
        "left": 8 / 20,
        "captured": 5 / 20,
    }
    assert {name: x.value for name, x in found.losses.items()} == {
        "on the way": 4 / 20,
        "bound in a target": 1 / 20,
        "bound off target": 2 / 20,
        "left at node 2, by healthy": 5 / 20,
        "left at node 3, by sick": 3 / 20,
    }
    assert math.fsum(x.value for x in [*found.losses.values(), found.at_target]) == 1
    assert {kind: (held.bound.value, held.captured.value) for kind, held in found.by_kind.items()} == {
        "arteriole": (1 / 20, 0),
        "capillary": (1 / 20, 0),
        "tumour": (1 / 20, 5 / 20),
    }
    assert found.at_target == found.shares["captured"]
    assert ends(found.at_target) == pytest.approx(clopper_pearson(5, 20, 0.05 / 4))
    assert ends(found.shares["left"]) == pytest.approx(clopper_pearson(8, 20, 0.05 / 4))
    assert ends(found.losses["left at node 3, by sick"]) == pytest.approx(clopper_pearson(3, 20, 0.05 / 5))
    assert ends(found.by_kind["tumour"].captured) == pytest.approx(clopper_pearson(5, 20, 0.05 / 6))
    assert {x.guarantee for x in found.shares.values()} == {"at this n"}


def test_map():
    found = by_hand().by_vessel
    assert found["bound"].values.tolist() == [1, 1, 1]
    assert found["captured"].values.tolist() == [0, 0, 5]
    assert found["share"].values.tolist() == [1 / 20, 1 / 20, 6 / 20]
    assert found["target"].values.tolist() == [False, False, True]
    assert found["name"].values.tolist() == ["feeding", "healthy", "sick"]
    low, high = np.transpose([clopper_pearson(k, 20, 0.05 / 3) for k in (1, 1, 6)])
    np.testing.assert_allclose(found["low"], low)
    np.testing.assert_allclose(found["high"], high)


def test_map_for_paraview(tmp_path):
    found = by_hand()
    write_vtp(tmp_path / "map.vtp", robots().flow.network, vessel_data=dict(found.by_vessel))
    cells = read_polydata(tmp_path / "map.vtp").cell_data
    assert cells["captured"].tolist() == [0, 0, 5]
    assert cells["share"].tolist() == [0.05, 0.05, 0.3]
    assert cells["target"].tolist() == [0, 0, 1]


def test_dose():
    """Captured 3, 3, 2, 1 and 0 half-lives ago: 7/8, 7/8, 3/4, 1/2 and nothing of the payload is released."""
    whole = by_hand(payload="2 ag", release_rate=math.log(2))
    found = whole.dose
    assert {name: x.value for name, x in found.items()} == pytest.approx(
        {"injected": 40e-21, "at the target": 10e-21, "released": 6e-21}, abs=0, rel=1e-12
    )
    assert {x.unit for x in found.values()} == {"kg"}
    captured = 40e-21 * np.array(clopper_pearson(5, 20, 0.05 / 5))
    assert ends(found["at the target"]) == pytest.approx(captured, rel=1e-9, abs=0)
    # Of five estimates together; what Maurer and Pontil allow is above what the captured can have released in 4 s.
    share = np.array([0] * 15 + [7 / 8, 7 / 8, 3 / 4, 1 / 2, 0])
    log = math.log(2 / 0.005)
    half = math.sqrt(2 * share.var(ddof=1) * log / 20) + 7 * log / (3 * 19)
    assert 40e-21 * (share.mean() + half) > captured[1]
    assert ends(found["released"]) == pytest.approx((0, 15 / 16 * captured[1]), rel=1e-9, abs=0)
    assert {x.family for x in [*whole.shares.values(), found["at the target"], found["released"]]} == {5}
    assert by_hand().dose == {}
    assert list(by_hand(payload=2e-21).dose) == ["injected", "at the target"]


def test_times():
    """(4 + 3) 4 s, 5 left after 1 s and 3 after 2 s, captures after 1, 1, 2, 3 and 4 s: 50 s for 20 robots."""
    found = by_hand()
    stayed = np.array([4] * 7 + [1] * 5 + [2] * 3 + [1, 1, 2, 3, 4])
    log = math.log(2 / 0.025)
    half = math.sqrt(2 * stayed.var(ddof=1) * log / 20) + 7 * 4 * log / (3 * 19)
    assert found.residence.value == 2.5
    assert ends(found.residence) == pytest.approx((max(2.5 - half, 0), min(2.5 + half, 4)))
    assert {p: x.value for p, x in found.arrival_time.items()} == {0.1: 1, 0.5: 2, 0.9: 4}
    # P(Bin(5, 0.1) >= 4) = 0.0005 < 0.05 / 6 < P(... >= 3) = 0.0086; of the median not even the extremes will do.
    assert {p: ends(x) for p, x in found.arrival_time.items()} == {0.1: (0, 3), 0.5: (0, 4), 0.9: (1, 4)}
    assert {p: x.value for p, x in found.exposure.items()} == {0.1: 2, 0.5: 10, 0.9: 18}
    assert ends(found.exposure[0.5]) == (5, 16)  # P(Bin(20, 1/2) <= 4) = 0.0059 < 0.05 / 6 < P(... <= 5) = 0.0207
    assert found.exposure[0.9].high == math.inf


def test_arrival_curve():
    found = by_hand().arrival
    time = found["time"].values
    np.testing.assert_allclose(time, np.arange(1, 51) * 0.08)
    arrived = np.select([time < 0.999, time < 1.999, time < 2.999, time < 3.999], [0, 2, 3, 4], 5)
    np.testing.assert_array_equal(found["share"], arrived / 20)
    bands = np.array([clopper_pearson(k, 20, 0.05 / 50) for k in arrived])
    np.testing.assert_allclose(found["low"], bands[:, 0])
    np.testing.assert_allclose(found["high"], bands[:, 1])


def test_a_state_is_enough():
    whole, alone = by_hand(), delivered(END, robots(), at="4 s")
    assert str(whole) == str(alone)
    frames = trajectory([START, START, END], [0.0, 3.0, 4.0])
    assert delivered(frames, robots(), at="3 s").at_target.value == 0
    assert str(delivered(frames, robots())) == str(whole)


def test_no_targets():
    rows = [(MOVING, 0, 0, 0), (BOUND, 2, 1, 0), (LEFT, 1, 1, 0)]
    found = delivered(state(rows), robots(()), at=2, payload="1 fg")
    assert found.at_target.value == 0
    assert list(found.losses)[:2] == ["on the way", "bound off target"]
    assert found.arrival_time == {}
    assert (found.arrival["low"].values == 0).all()


def test_together():
    """All 455 outcomes of 12 robots, by their exact law: four shares in their intervals at once with at least 0.9."""
    law = (0.4, 0.1, 0.3, 0.2)
    vessel = (0, 0, 1, 2)
    covered = 0.0
    for cuts in itertools.combinations(range(15), 3):
        counts = np.diff([-1, *cuts, 15]) - 1
        rows = [(code, vessel[code], 1, 0) for code in range(4) for _ in range(counts[code])]
        found = delivered(state(rows), robots(), at=2, confidence=0.9).shares.values()
        covered += multinomial.pmf(counts, 12, law) * all(p in x for p, x in zip(law, found, strict=True))
    assert 0.9 <= covered <= 1


def test_curve_together():
    """The whole curve is in its band with at least 0.95, exactly: how many have arrived is a Markov chain."""
    n, end = 30, 5.0
    band = delivered(state([(CAPTURED, 2, 0.1 * (k + 2), 0) for k in range(n)]), robots(), at=end).arrival
    count = (n * band["share"].values).round().astype(int)
    assert count[: n + 1].tolist() == list(range(n + 1))  # arrivals on the very times of the curve
    low, high = band["low"].values[: n + 1], band["high"].values[: n + 1]
    truth = 0.6 * -np.expm1(-band["time"].values)
    chance, before = np.eye(n + 1)[0], 0.0
    for now in truth:
        later = np.zeros(n + 1)
        for k in range(n + 1):
            later[k:] += chance[k] * binom.pmf(np.arange(n + 1 - k), n - k, (now - before) / (1 - before))
        chance, before = later * ((low <= now) & (now <= high)), now
    assert 0.95 <= chance.sum() < 1


def test_residence_and_exposure_without_diffusion():
    """Carried at u(r) = 2 U (1 - q), q = r^2/R^2 of density 2 (1 - q): with s = L / (2 U),

    P(T > t) = (s/t)^2,   E min(T, t) = 2 s - s^2/t,   exposure 2 L/R sqrt(q) / (1 - q), or 4 U/R sqrt(q) t if later.
    """
    radius, length, speed = 20e-6, 100e-6, 1e-3
    flow = VesselNetwork.tube(2 * radius, length, inlet_velocity=speed).solve(viscosity="1.2 cP")
    carried = BloodRobots(flow, Robot("20 nm"), shear_strength=0, temperature="1e-9 K", dt="0.2 ms")
    end = 0.2
    run = sj.simulate(carried, steps=round(end / carried.dt), ensemble=20_000, seed=3, progress=False)
    found = delivered(run, carried, confidence=SURE)
    s = length / (2 * speed)
    assert (s / end) ** 2 in found.shares["on the way"]
    assert 2 * s - s**2 / end in found.residence
    assert found.residence.half_width < 0.07 * found.residence.value
    for p, x in found.exposure.items():
        q = 1 - math.sqrt(1 - p)
        stayed = min(end, s / (1 - q))
        exact = 4 * speed / radius * math.sqrt(q) * stayed
        # The step in which a robot leaves counts whole.
        assert x.low - 4 * speed / radius * carried.dt <= exact <= x.high
        assert x.high - x.low < 0.2 * x.value


def test_an_absorbing_tube():
    """Where every contact captures, what leaves a tube is the surviving flux of Graetz's problem with the walls' D.

    Capture is at R - 2 a, and 0.58 sqrt(2 D dt) beyond it, for contacts between the ends of steps are missed: 0.404.
    With 40,000 robots 0.4075 are captured, in [0.4027, 0.4123], and 0.421 by Graetz' series for points.
    """
    a, radius, length, m = 0.5e-6, 50e-6, 1e-3, 0.1
    robot = Robot(a)
    speed = robot.diffusivity("1.2 cP").along * length / (m * radius**2)
    flow = VesselNetwork.tube(2 * radius, length, inlet_velocity=speed).solve(viscosity="1.2 cP")
    contact = Contact(reach=a, targets=(0,), capture_rate="1e9 1/s")
    absorbed = BloodRobots(flow, robot, contact=contact, shear_strength=0, dt="0.1 s")
    steps = round(3 * length / speed / absorbed.dt)
    run = sj.simulate(absorbed, steps=steps, ensemble=4000, seed=5, progress=False)
    found = delivered(run, absorbed, confidence=SURE)
    assert found.shares["on the way"].value < 0.001
    wall = radius - 2 * a
    D = float(diffusivities(absorbed, np.array([wall]))[1][0])
    wall += WATCHED * math.sqrt(2 * D * absorbed.dt)
    q, most = (wall / radius) ** 2, (1 - a / radius) ** 2  # the others begin in contact
    exact = 1 - survival(absorbed, wall, length) * q * (2 - q) / (most * (2 - most))
    assert found.at_target.low < exact < found.at_target.high
    assert found.at_target.half_width < 0.045


def test_csv(tmp_path):
    found = by_hand(payload="2 ag")
    found.to_csv(tmp_path / "delivery.csv")
    with (tmp_path / "delivery.csv").open(newline="") as file:
        rows = {(row["section"], row["quantity"]): row for row in csv.DictReader(file)}
    row = rows["dose", "at the target"]
    assert (float(row["value"]), row["unit"]) == (found.dose["at the target"].value, "kg")
    assert (float(row["low"]), float(row["high"])) == ends(found.dose["at the target"])
    assert (row["confidence"], row["method"], row["guarantee"]) == ("0.95", "Clopper-Pearson", "at this n")
    assert float(rows["residence", "mean, up to 4 s"]["value"]) == 2.5
    assert rows["shear exposure", "90 % below"]["high"] == "inf"
    assert rows["dose", "injected"]["low"] == ""
    assert [path.name for path in tmp_path.iterdir()] == ["delivery.csv"]


def test_as_text():
    lines = [" ".join(line.split()) for line in str(by_hand(payload="2 ag")).splitlines()]
    assert lines[0] == "20 robots after 4 s; 1 of 3 vessels are targets (tumour)"
    assert "injected 40 ag" in lines
    low, high = (40 * x for x in clopper_pearson(5, 20, 0.05 / 4))
    shown = f"at the target 10.0 ag [{math.floor(10 * low) / 10}, {math.ceil(10 * high) / 10}]"
    assert f"{shown} 95%, 4 quantities together, Clopper-Pearson, at this n" in lines
    assert "not captured 95%, 5 quantities together, Clopper-Pearson, at this n" in lines
    low, high = (100 * x for x in clopper_pearson(3, 20, 0.05 / 5))
    assert f"left at node 3, by sick 15.0 % [{math.floor(10 * low) / 10}, {math.ceil(10 * high) / 10}]" in lines


def test_long_sections():
    """Of many outlets the largest are printed, in their order; the CSV has all."""
    rows = [Row("left", f"outlet {i}", Estimate(x, x, x, guarantee="none")) for i, x in enumerate([0] * 12 + [2, 0, 1])]
    lines = [line.strip() for line in text(layout("", rows)).splitlines()]
    names = [line.split("  ")[0] for line in lines if line.startswith("outlet")]
    assert names == [*(f"outlet {i}" for i in range(10)), "outlet 12", "outlet 14"]
    assert "and 3 smaller ones" in lines


def test_bad_input():
    run, of = trajectory([START, END], [0.0, 4.0]), robots()
    for message, call in {
        r"the run is of GrayScott, not of these robots": lambda: delivered(trajectory([END], [4.0], "GrayScott"), of),
        r"payload='1' is not a mass; give kilograms or text such as '1 fg'": lambda: delivered(run, of, payload="1"),
        r"payload='1 um' is not a mass": lambda: delivered(run, of, payload="1 um"),
        r"payload=0 is not above zero": lambda: delivered(run, of, payload=0),
        r"release_rate='1 Hz' without a payload; give payload": lambda: delivered(run, of, release_rate="1 Hz"),
        r"confidence=1.5 is not in \(0, 1\)": lambda: delivered(run, of, confidence=1.5),
        r"a state does not say when it was; give at": lambda: delivered(END, of),
        r"at=3 s is between frames; the nearest is at 4 s": lambda: delivered(run, of, at=3),
        r"at its start a run has delivered nothing": lambda: delivered(trajectory([START], [0.0]), of),
        r"the run began with robots that had left": lambda: delivered(trajectory([END, END], [0.0, 4.0]), of),
        r"robot 12 left or was captured at 2 s, after at=1 s; give the time": lambda: delivered(END, of, at=1),
        r"robot 15 was captured in sick, which is no target": lambda: delivered(END, robots(("capillary",)), at=4),
        r"robot 0 left by feeding, where no outlet is": lambda: delivered(state([(LEFT, 0, 1, 0)]), of, at=1),
        r"state field 'status' holds 9; give 0 to 3": lambda: delivered(state([(9, 0, 1, 0)]), of, at=1),
        r"vessel' holds 3, but vessels are numbered 0 to 2": lambda: delivered(state([(0, 3, 0, 0)]), of, at=1),
    }.items():
        with pytest.raises(InputError, match=message):
            call()


def test_other_robots():
    run = sj.simulate(robots(), steps=3, ensemble=2, progress=False)
    assert delivered(run, robots()).shares["on the way"].value == 1
    with pytest.raises(InputError, match=r"the run was made with dt=.*, and these robots have dt=1e-06; give its own"):
        delivered(run, BloodRobots(robots().flow, Robot("0.5 um"), contact=robots().contact, dt=1e-6))
    with pytest.raises(InputError, match=r"made with contact=\{'reach': 5e-08, .*these robots have contact=None"):
        delivered(run, BloodRobots(robots().flow, Robot("0.5 um"), dt=robots().dt))
    assert torch.equal(delivered(run, robots()).state["along"], run.state()["along"])
