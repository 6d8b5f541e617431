"""The way to a target: its gates say what `junction.onward` does, their shares are the flow's; progress along it."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sojourn.control import Route
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.blood.junction import junctions, onward
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.solver import Flow

sys.path.insert(0, str(Path(__file__).parent))
from tree import flow, robots

REAL = torch.float64


def honeycomb():
    return VesselNetwork.honeycomb(columns=3, rows=2, hematocrit=0.3).solve()


def places(n, radius, seed=0):
    random = np.random.default_rng(seed)
    r, angle = radius * np.sqrt(random.random(n)), 2 * np.pi * random.random(n)
    return torch.from_numpy(np.stack([r * np.cos(angle), r * np.sin(angle)], 1))


@pytest.mark.parametrize(("blood", "target"), [(flow(2), 4), (flow(2, 0.7), 5), (honeycomb(), 11), (honeycomb(), 7)])
def test_a_robot_goes_on_if_its_place_is_between_low_and_high(blood, target):
    """Against the map of the junctions itself, at every node of the way, where vessels part and where they meet."""
    route, at, network = Route(blood, target), junctions(blood.network, blood.flow), blood.network
    gates = {gate.vessel: gate for gate in route.gates}
    assert gates
    for vessel, following in zip(route.vessels, route.vessels[1:], strict=False):
        radius = network.diameter[vessel] / 2
        y = places(2000, float(radius))
        end = 2 * vessel + (float(blood.flow[vessel]) > 0)
        new, _ = onward(at, torch.full((len(y),), end), y, radius.expand(len(y)))
        goes = new // 2 == following
        if vessel not in gates:
            assert bool(goes.all())
            continue
        gate = gates[vessel]
        share = gate.share(y, radius)
        assert torch.equal(goes, (gate.low <= share) & (share < gate.high))
        offset = network.frames[vessel, 1:].mT @ y.T
        assert float(offset[:, goes].mean(1) @ gate.side) > float(offset[:, ~goes].mean(1) @ gate.side)


@pytest.mark.parametrize("asymmetry", [1.0, 0.7])
def test_a_gate_lets_the_flow_of_the_branch_through(asymmetry):
    blood = flow(1, asymmetry)
    for target in (1, 2):
        (gate,) = Route(blood, target).gates
        assert gate.high - gate.low == pytest.approx(float(blood.flow[target] / blood.flow[0]), rel=1e-12)
        toward = blood.network.directions[target]
        assert float(gate.side @ toward) > 0.5
        assert float(gate.side @ blood.network.directions[0]) == pytest.approx(0, abs=1e-15)


def test_the_soft_choice_is_the_hard_one_in_the_limit_and_halves_at_the_divide():
    (gate,) = Route(flow(1, 0.7), 1).gates
    share = torch.linspace(0, 0.999, 1000, dtype=REAL)
    divide = gate.low or gate.high
    hard = ((gate.low <= share) & (share < gate.high)).double()
    clear = (share - divide).abs() > 0.02
    torch.testing.assert_close(gate.soft(share, 1e-3)[clear], hard[clear], rtol=0, atol=1e-8)
    assert float(gate.soft(torch.tensor([divide]), 0.1)) == pytest.approx(0.5)


def test_progress_is_the_part_of_the_way_behind():
    route, network = Route(flow(2), 4), flow(2).network
    assert route.vessels == (0, 1, 4)
    length = network.length
    state = robots(2).initial(7, Noise(0))
    state["vessel"] = torch.tensor([0, 0, 1, 1, 4, 2, 3], dtype=torch.int32)
    state["along"] = torch.stack(
        [0 * length[0], length[0], 0 * length[0], length[1] / 2, length[4], length[2], length[3]]
    )
    whole = float(length[0] + length[1])
    expected = [
        0,
        float(length[0]) / whole,
        float(length[0]) / whole,
        float(length[0] + length[1] / 2) / whole,
        1,
        0,
        0,
    ]
    np.testing.assert_allclose(route.progress(state), expected, rtol=1e-12)


def test_the_next_gate_is_the_one_ahead():
    route, nodes = Route(flow(2), 4), flow(2).network.nodes
    first, second = route.gates
    assert route.next_gate(nodes[0] + 1e-6) is first
    assert route.next_gate((nodes[1] + nodes[2]) / 2) is second
    assert route.next_gate(nodes[5]) is second


def test_targets_that_are_none_are_refused():
    with pytest.raises(InputError, match=r"^flow is a VesselNetwork; give what VesselNetwork.solve\(\) returns"):
        Route(flow(2).network, 4)
    with pytest.raises(InputError, match=r"^target=7 is no vessel; they are numbered 0 to 6"):
        Route(flow(2), 7)
    with pytest.raises(InputError, match=r"^target='tumour' is not a whole number"):
        Route(flow(2), "tumour")
    blood = flow(1)
    dry = torch.tensor([1.0, 1.0, 0.0], dtype=REAL) * blood.flow
    still = Flow(blood.network, blood.pressure, dry, blood.hematocrit, blood.viscosity, 0.0, 0.0, 0)
    with pytest.raises(
        InputError, match=r"^target=2, vessel 2, has no flow, so no robot is carried there; choose another"
    ):
        Route(still, 2)
