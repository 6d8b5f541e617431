"""The record of a process: what differs between two of them, in one short line."""

import json
from dataclasses import dataclass, replace

import pytest
import torch
from tests.walk import Walk

import sojourn as sj
from sojourn.processes.blood import (
    Adhesion,
    BloodRobots,
    Boundary,
    Contact,
    MagneticField,
    Margination,
    Robot,
    VesselNetwork,
)
from sojourn.record import difference, parameters, plain


def test_where_records_differ():
    one = {"dt": 0.1, "flow": {"laws": "a", "vessels": "3"}, "list": [1, 2]}
    assert difference(one, json.loads(json.dumps(one))) is None
    assert difference(one, {**one, "flow": {"laws": "b", "vessels": "3"}}) == (
        "{'flow': {'laws': 'a'}}",
        "{'flow': {'laws': 'b'}}",
    )
    assert difference(one, {"dt": 0.1, "flow": one["flow"]}) == ("{'list': [1, 2]}", "{}")
    assert difference(one, {**one, "list": [1, 3]}) == ("{'list': [1, 2]}", "{'list': [1, 3]}")
    assert difference(0, 1) == ("0", "1")


def test_last_digits_are_no_difference():
    assert difference({"dt": 1e-5}, {"dt": 1e-5 * (1 + 1e-11)}) is None
    assert difference({"dt": 1e-5}, {"dt": 1e-5 * (1 + 1e-8)}) is not None
    assert difference({"n": 10**12}, {"n": 10**12 + 1}) is not None  # whole numbers are exact


def test_long_values_are_cut():
    was, now = difference("x" * 1000, "y" * 1000)
    assert max(len(was), len(now)) <= 150
    assert was.endswith(" ...")


def test_a_process_inside_another_is_its_parameters():
    @dataclass(frozen=True)
    class Around(Walk):
        inner: Walk | None = None

    found = parameters(Around(inner=Walk(drift=0.5)))
    assert found["inner"] == {"process": "Walk", **parameters(Walk(drift=0.5))}
    assert plain((1, torch.tensor(2.5), None)) == [1, 2.5, None]


def bed(**changes):
    network = VesselNetwork.honeycomb(3, 2)
    return replace(network, **changes)


def test_the_record_of_a_flow():
    """Changed last digits leave it as it is; another diameter, boundary, law or kind does not."""
    record = bed().solve().record()
    assert len(json.dumps(record)) < 300
    network = bed()
    noisy = replace(network, diameter=network.diameter * (1 + 1e-15), nodes=network.nodes * (1 - 1e-15), length=None)
    assert noisy.solve().record() == record
    found = network.solve()
    assert replace(found, flow=found.flow * (1 + 1e-12), residual=1e-13, iterations=99).record() == record
    assert replace(found, flow=found.flow * 1.01).record() != record
    wider = network.diameter.clone()
    wider[7] *= 1 + 1e-6
    ends = (replace(network.boundaries[0], velocity=2.1e-3), *network.boundaries[1:])
    kinds = ("tumour", *network.kinds[1:])
    for changes, name in (
        ({"diameter": wider}, "vessels"),
        ({"boundaries": ends}, "boundaries"),
        ({"kinds": kinds}, "vessels"),
    ):
        other = bed(**changes).solve().record()
        assert other[name] != record[name]
        assert other["laws"] == record["laws"]
    assert bed().solve(separation="1989").record()["laws"] == "pries_in_vivo_1994, phase separation of 1989"
    assert bed().solve(viscosity="3 cP").record()["laws"] == "viscosity 0.003 Pa s, phase separation of 2005"


def test_the_record_of_robots_holds_all_digits():
    """What a repr rounds away still decides a run."""
    flow, path = VesselNetwork.tube("20 um", "1 mm").solve(), (0.1, 0.2, -0.3)
    bonds = {"receptors": 1e13, "ligands": 1e15, "affinity": 4e-16, "contact_radius": 0.2e-6}

    def made(factor):
        return BloodRobots(
            flow,
            Robot(0.5e-6 * factor),
            field=MagneticField.uniform([1e-3 * factor * x for x in path]),
            contact=Contact(1e-7 * factor, targets=(0,), capture_rate=2.0, adhesion=Adhesion(**bonds)),
            margination=Margination(4.0 * factor, 3.0),
            dt=1e-5,
        )

    one, other = (json.loads(json.dumps(parameters(made(factor)))) for factor in (1, 1 + 1e-7))
    assert repr(made(1)) == repr(made(1 + 1e-7))
    assert [name for name in one if difference(one[name], other[name])] == ["robot", "field", "contact", "margination"]
    assert one["field"]["steady"] == pytest.approx([1e-4, 2e-4, -3e-4])
    assert one["contact"]["adhesion"] == {**bonds, "bond_length": 1e-10}


def test_resuming_on_other_blood_names_what_differs(tmp_path):
    """And on blood whose last digits differ, it goes on."""
    network, robot = VesselNetwork.tube("20 um", "1 mm"), Robot("0.5 um")
    path, plan = tmp_path / "run.zarr", {"steps": 4, "save_every": 2, "ensemble": 3, "progress": False}
    flow = network.solve()
    sj.simulate(BloodRobots(flow, robot), out=path, **plan)
    again = replace(flow, flow=flow.flow * (1 + 1e-13), residual=3e-14)
    run = sj.simulate(BloodRobots(again, robot), out=path, resume=True, **plan)
    assert len(run) == 3
    ends = (Boundary(0, velocity="1 mm/s", hematocrit=0.45), network.boundaries[1])
    other = BloodRobots(replace(network, boundaries=ends).solve(), robot, dt=BloodRobots(flow, robot).dt)
    with pytest.raises(sj.InputError) as error:
        sj.simulate(other, out=path, resume=True, **plan)
    text = str(error.value).removeprefix(str(path))
    assert text.startswith(" was begun with parameters={'flow': {'boundaries': '2, ")
    assert text.endswith("; resume with the same settings, or write to another place")
    assert len(text) < 200
