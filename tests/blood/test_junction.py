"""The map at a node: its law against quadrature, conservation of the flow by its Jacobian, its inverse, sides."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import chi2

from sojourn.noise import Noise
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.junction import flow_share, junctions, onward, quantile
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.robot import Robot
from sojourn.processes.blood.robots import LEFT, MOVING, BloodRobots
from sojourn.processes.blood.solver import Flow

REAL = torch.float64
POINT = Robot("0.1 nm")
COLD = {"temperature": 1e-20, "shear_strength": 0.0}


def steady(network, flow):
    q = torch.as_tensor(flow, dtype=REAL)
    return Flow(network, torch.zeros(len(network.nodes), dtype=REAL), q, 0 * q, 0 * q + 1.2e-3, 0.0, 0.0, 0)


def star(directions, inward, flow, diameter=20e-6, length=200e-6):
    """Vessels that meet at the origin, each from or to the end of an arrow; flows count along them."""
    directions = np.asarray(directions, float)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    nodes = np.concatenate([[[0, 0, 0]], directions * length])
    pairs = [(k + 1, 0) if comes else (0, k + 1) for k, comes in enumerate(inward)]
    ends = [Boundary(k + 1, pressure=0.0) for k in range(len(directions))]
    network = VesselNetwork(nodes, np.array(pairs), diameter, boundaries=ends)
    return network, junctions(network, torch.tensor(flow, dtype=REAL))


def disc(n, seed=0):
    """Places in the unit disc with Poiseuille's flow as their density."""
    random = np.random.default_rng(seed)
    r, angle = np.sqrt(1 - np.sqrt(1 - random.random(n))), 2 * np.pi * random.random(n)
    return torch.from_numpy(np.stack([r * np.cos(angle), r * np.sin(angle)], 1))


def in_space(network, end, y):
    """(n, 3): places across in the laboratory's frame, over the radius."""
    return torch.einsum("ni,nij->nj", y, network.frames[end // 2][:, 1:])


FORK = ([[-1, 0, 0], [1, 1, 0], [1, -0.6, 0]], [True, False, False])


def test_the_share_of_the_flow_is_its_integral():
    for x in np.linspace(-1, 1, 21):
        inner = quad(lambda s: 4 / 3 * (1 - s * s) ** 1.5, -1, x, epsabs=0, epsrel=1e-11)[0]
        assert float(flow_share(torch.tensor(x, dtype=REAL))) == pytest.approx(inner / (math.pi / 2), abs=1e-10)


def test_the_quantile_inverts_the_share():
    share = torch.linspace(0, 1, 20_001, dtype=REAL)
    x, half = quantile(share)
    assert (flow_share(x) - share).abs().max() < 1e-14
    assert (x * x + half * half - 1).abs().max() < 1e-14
    assert bool((x[1:] > x[:-1]).all())
    tiny = torch.tensor([1e-30, 1e-20, 1e-12, 1e-9], dtype=REAL)
    # Near the wall G = 8/(15 pi) phi^5 (1 - 10/21 phi^2).
    phi = quantile(tiny)[1]
    torch.testing.assert_close(8 / (15 * math.pi) * phi**5 * (1 - 10 / 21 * phi**2), tiny, rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("arrows", "flow"),
    [
        (FORK, [3.0, 2.0, 1.0]),
        (([[-1, 0, 0], [-1, 2, 0.5], [1, 0, 0]], [True, True, False]), [1.0, 2.5, 3.5]),
        (
            ([[-1, 0, 0], [0, -1, 0], [1, 0, 0], [0, 1, 0.3], [0, 0, 1]], [True, False, False, True, False]),
            [2, 1, 1, 1, 1.0],
        ),
        (([[-1, 0, 0], [1, 1, 0], [1, -0.6, 0]], [False, True, True]), [-3.0, -2.0, -1.0]),
    ],
)
def test_the_flow_is_conserved(arrows, flow):
    """The Jacobian times the flow's density there is the density here: at every place, by automatic differentiation."""
    _, at = star(*arrows, flow)
    size = torch.tensor(flow, dtype=REAL).abs()
    feeding = [end for end in range(2 * len(size)) if at.feeds[end] and not at.boundary[end]]
    assert sum(float(size[e // 2]) for e in feeding) == pytest.approx(float(size.sum()) / 2)
    for end in feeding:
        y = disc(300).requires_grad_()
        new, place = onward(at, torch.full((300,), end), y, torch.ones(300, dtype=REAL))
        rows = [torch.autograd.grad(place[:, k].sum(), y, retain_graph=True)[0] for k in (0, 1)]
        determinant = torch.linalg.det(torch.stack(rows, 1))
        there = size[new // 2] * (1 - place.square().sum(1))
        here = size[end // 2] * (1 - y.square().sum(1))
        torch.testing.assert_close((determinant.abs() * there).detach(), here.detach(), rtol=1e-7, atol=1e-10)
        assert not bool((at.feeds[new]).any())


def test_against_the_flow_it_is_its_own_inverse():
    arrows = [[-1, 0, 0], [0, -1, 0], [1, 0, 0], [0, 1, 0.3], [0, 0, 1]], [True, False, False, True, False]
    _, at = star(*arrows, [2, 1, 1, 1, 1.0])
    y, one = disc(2000), torch.ones(2000, dtype=REAL)
    for end in (1, 7):
        there, place = onward(at, torch.full((2000,), end), y, one)
        back, again = onward(at, there, place, one)
        assert bool((back == end).all())
        torch.testing.assert_close(again, y, rtol=0, atol=1e-7)


def test_the_left_goes_to_the_left():
    network, at = star(*FORK, [3.0, 2.0, 1.0])
    y, one = disc(3000), torch.ones(3000, dtype=REAL)
    new, place = onward(at, torch.ones(3000, dtype=torch.long), y, one)
    left, before = new // 2 == 1, in_space(network, torch.ones(3000, dtype=torch.long), y)
    assert float(before[left, 1].min()) > float(before[~left, 1].max())
    # The dividing surface is plane, and parts the flow 1 to 2.
    assert float(flow_share(before[left, 1].min())) == pytest.approx(1 / 3, abs=2e-3)
    # What was above, out of the plane of the fork, stays above; and the outer side stays outside.
    after = in_space(network, new, place)
    assert bool((after[:, 2] * before[:, 2] >= 0).all())
    outer = left & (before[:, 1] > 0.8)
    assert float((after[outer] @ torch.tensor([-1, 1, 0.0], dtype=REAL)).min()) > 0.5


def test_where_streams_join_each_keeps_its_side():
    network, at = star([[-1, 1, 0], [-1, -1, 0], [1, 0, 0]], [True, True, False], [1.0, 2.0, 3.0])
    y, one = disc(3000), torch.ones(3000, dtype=REAL)
    upper, lower = (in_space(network, *onward(at, torch.full((3000,), end), y, one))[:, 1] for end in (1, 3))
    assert float(upper.min()) > float(lower.max())
    assert float(flow_share(lower.max())) == pytest.approx(2 / 3, abs=2e-3)


def test_a_bend_turns_the_cross_section_with_it():
    network, at = star([[-1, 0, 0], [0, 1, 0]], [True, False], [1.0, 1.0])
    y, one = disc(500), torch.ones(500, dtype=REAL)
    before = in_space(network, torch.ones(500, dtype=torch.long), y)
    after = in_space(network, *onward(at, torch.ones(500, dtype=torch.long), y, one))
    turned = torch.stack([-before[:, 1], before[:, 0], before[:, 2]], 1)  # by 90 degrees about z
    torch.testing.assert_close(after, turned, rtol=0, atol=1e-9)


def test_how_vessels_are_numbered_and_turned_does_not_matter():
    network, at = star(*FORK, [3.0, 2.0, 1.0])
    nodes = network.nodes[[0, 3, 1, 2]]
    other = VesselNetwork(
        nodes, [[1, 0], [2, 0], [3, 0]], network.diameter[0], boundaries=[Boundary(k, pressure=0.0) for k in (1, 2, 3)]
    )
    again = junctions(other, torch.tensor([-1.0, 3.0, -2.0], dtype=REAL))
    y, one = disc(500), torch.ones(500, dtype=REAL)
    first, place = onward(at, torch.ones(500, dtype=torch.long), y, one)
    before = in_space(network, torch.ones(500, dtype=torch.long), y)
    z = torch.einsum("nj,ij->ni", before, other.frames[1][1:])
    second, there = onward(again, torch.full((500,), 3), z, one)
    renamed = torch.tensor([1, 2, 0])[first // 2]
    assert torch.equal(renamed, second // 2)
    torch.testing.assert_close(in_space(network, first, place), in_space(other, second, there), rtol=0, atol=1e-9)


# ------------------------------------------------------------------------------------------------- what comes of it


def kirchhoff(network):
    """Flows by a constant viscosity, from a dense matrix; the first boundary has a velocity, the others a pressure."""
    size = len(network.nodes)
    a, b = network.vessels.T.numpy()
    g = (network.diameter**4 / network.length).numpy()
    matrix, right = np.zeros((size, size)), np.zeros(size)
    for sign, i, j in ((1, a, a), (1, b, b), (-1, a, b), (-1, b, a)):
        np.add.at(matrix, (i, j), sign * g)
    for boundary in network.boundaries:
        if boundary.pressure is None:
            v = int(network.incident.vessel[network.incident.start[boundary.node]])
            right[boundary.node] = boundary.velocity * math.pi / 4 * float(network.diameter[v]) ** 2
        else:
            matrix[boundary.node] = 0
            matrix[boundary.node, boundary.node], right[boundary.node] = 1, boundary.pressure
    pressure = np.linalg.solve(matrix, right)
    return steady(network, g * (pressure[a] - pressure[b]))


def test_a_tree_gets_robots_as_it_gets_blood():
    """Robots that enter as the flow does leave by 16 outlets as it does: the multinomial law, chi-square, 1e-6."""
    flow = kirchhoff(VesselNetwork.murray_tree(4, "40 um", asymmetry=0.7, length_ratio=3.0))
    process = BloodRobots(flow, POINT, **COLD, dt=2e-3)
    n, noise = 50_000, Noise(4)
    state = process.initial(n, noise)
    state = process.advance(state, 0, 4000, noise)
    # The slowest, next to the walls, are still on their way.
    assert int((state["status"] != LEFT).sum()) < 50
    outlets = process.junctions.boundary[1::2].nonzero()[:, 0]
    counts = torch.bincount(state["vessel"].long(), minlength=31)[outlets].numpy()
    expected = n * (flow.flow[outlets] / flow.flow[0]).numpy()
    assert len(outlets) == 16
    assert expected.max() > 2 * expected.min()
    assert ((counts - expected) ** 2 / expected).sum() < chi2.isf(1e-6, 15)


@pytest.mark.parametrize("flow", [(0.0, 0.0), (1e-30, 1e-30), (1e-30, -3e-31)])
def test_robots_pass_where_nothing_flows(flow):
    """Two vessels that lead to one node, with no flow or that of rounding: through, and back to the same place."""
    _, at = star([[-1, 0, 0], [1, 0.5, 0]], [True, True], flow)
    y, radius = 10e-6 * disc(100), torch.full((100,), 10e-6, dtype=REAL)
    end = torch.ones(100, dtype=torch.int64)
    assert at.count[[1, 3]].tolist() == [1, 1]
    assert int(at.feeds[[1, 3]].sum()) == 1
    there, place = onward(at, end, y, radius)
    assert there.tolist() == [3] * 100
    back, again = onward(at, there, 10e-6 * place, radius)
    assert back.tolist() == [1] * 100
    torch.testing.assert_close(10e-6 * again, y, rtol=1e-6, atol=1e-15)


def test_a_vessel_without_flow_where_others_flow():
    """Nobody is led into it, from whichever place; out of it robots get to the vessels that flow."""
    for still in (0.0, -0.0):
        _, at = star(*FORK, [1.0, 1.0, still])
        y, radius = 10e-6 * disc(1000), torch.full((1000,), 10e-6, dtype=REAL)
        assert onward(at, torch.full((1000,), 1), y, radius)[0].unique().tolist() == [2]
        assert onward(at, torch.full((1000,), 4), y, radius)[0].unique().tolist() == [1]
    _, at = star(FORK[0], [True, False, True], [1.0, 1.0, 0.0])  # the same, but that it counts as leading to the node
    assert onward(at, torch.full((1000,), 1), y, radius)[0].unique().tolist() == [2]
    assert onward(at, torch.full((1000,), 5), y, radius)[0].unique().tolist() == [2]


def chain():
    """Twelve short vessels in zigzag, in turn wide and narrow: from one to the next, flow gets four times as fast."""
    nodes = [[7e-6 * k, 7e-6 * (k % 2), 0] for k in range(13)]
    ends = [Boundary(0, velocity=1e-3), Boundary(12, pressure=0.0)]
    network = VesselNetwork(nodes, [[k, k + 1] for k in range(12)], [20e-6, 10e-6] * 6, boundaries=ends)
    return kirchhoff(network), 2.4e-4


def mesh():
    return kirchhoff(VesselNetwork.honeycomb(4, 3, length="40 um")), 2e-3


@pytest.mark.parametrize("made", [chain, mesh])
def test_a_suspension_stays_uniform_through_nodes(made):
    """Robots of one concentration everywhere, carried by the flow: where none comes from outside they keep it, in every
    vessel, along it and across it. Chi-square over the vessels in thirds, 1e-6."""
    flow, dt = made()
    network, n = flow.network, 400_000
    process = BloodRobots(flow, POINT, **COLD, dt=dt)
    random = np.random.default_rng(0)
    share = (network.volume / network.volume.sum()).numpy()
    vessel = random.choice(len(share), n, p=share)
    r = (network.diameter.numpy()[vessel] / 2 - 1e-10) * np.sqrt(random.random(n))
    angle = 2 * np.pi * random.random(n)
    state = process.initial(n, Noise(0))
    state["vessel"] = torch.from_numpy(vessel).int()
    state["along"] = torch.from_numpy(random.random(n) * network.length.numpy()[vessel])
    state["across"] = torch.from_numpy(np.stack([r * np.cos(angle), r * np.sin(angle)], 1))
    state = process.advance(state, 0, 8, Noise(0))
    # Blood without robots has come as far as the fastest streamline.
    full = (~reached(flow, 8 * dt)).nonzero()[:, 0].numpy()
    assert len(full) > len(share) / 2
    there = (state["status"] == MOVING).numpy()
    vessel = state["vessel"].numpy()
    radius = network.diameter.numpy()[vessel] / 2
    thirds = (3 * state["along"].numpy() / network.length.numpy()[vessel]).astype(int).clip(0, 2)
    rings = (3 * state["across"].square().sum(1).numpy() / radius**2).astype(int).clip(0, 2)
    for part in (thirds, rings):
        counts = np.zeros((len(share), 3))
        np.add.at(counts, (vessel[there], part[there]), 1)
        expected = np.repeat(n * share[full] / 3, 3)
        # The total is random too: as many degrees of freedom as cells.
        assert ((counts[full].reshape(-1) - expected) ** 2 / expected).sum() < chi2.isf(1e-6, len(expected))


def reached(flow, time):
    """(V,): whether the fastest fluid from the inlet is in a vessel by then."""
    network, arrival = flow.network, np.full(len(flow.network.nodes), np.inf)
    arrival[network.boundaries[0].node] = 0
    a, b = network.vessels.T.numpy()
    q = flow.flow.numpy()
    start, stop = np.where(q >= 0, a, b), np.where(q >= 0, b, a)
    spent = (network.length / (2 * flow.mean_velocity.abs())).numpy()
    for _ in range(len(arrival)):
        np.minimum.at(arrival, stop, arrival[start] + spent)
    return torch.from_numpy(arrival[start] < time)
