"""Flow in networks against closed forms, plain loops over dense matrices, conservation, symmetries and differences."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.errors import InputError
from sojourn.processes.blood.boundary import Boundary
from sojourn.processes.blood.network import VesselNetwork
from sojourn.processes.blood.phase_separation import SEPARATIONS
from sojourn.processes.blood.rheology import PLASMA_VISCOSITY, cell_share
from sojourn.processes.blood.solver import MAX_HEMATOCRIT, VISCOSITIES, solve

UM = 1e-6


def star(feeding, daughters, *, hematocrit=0.45, pressures=None):
    """One vessel that divides into several, each 100 um long."""
    count = len(daughters)
    angles = np.linspace(-1, 1, count)
    nodes = [(-100e-6, 0, 0), (0, 0, 0), *((100e-6 * math.cos(x), 100e-6 * math.sin(x), 0) for x in angles)]
    vessels = [(0, 1), *((1, 2 + i) for i in range(count))]
    ends = [Boundary(2 + i, pressure=p) for i, p in enumerate(pressures or [0.0] * count)]
    inlet = Boundary(0, pressure=1000.0, hematocrit=hematocrit)
    return VesselNetwork(nodes, vessels, UM * torch.tensor([feeding, *daughters]).double(), boundaries=[inlet, *ends])


def random_honeycomb(columns, rows, seed, low=4.0, high=30.0, hematocrit=0.45):
    """Hexagons of vessels with diameters from low to high, um."""
    network = VesselNetwork.honeycomb(columns, rows, hematocrit=hematocrit)
    rng = np.random.default_rng(seed)
    return replace(network, diameter=torch.from_numpy(rng.uniform(low, high, len(network.vessels)) * UM))


def conductance(diameter, length, viscosity):
    return math.pi * diameter**4 / (128 * viscosity * length)


def lost(network, flow):
    """What enters each node less what leaves it, node by node."""
    total = [[] for _ in network.nodes]
    for (a, b), q in zip(network.vessels.tolist(), flow.tolist(), strict=True):
        total[a].append(-q)
        total[b].append(q)
    inner = [i for i, terms in enumerate(total) if len(terms) > 1]
    return np.array([math.fsum(total[i]) for i in inner])


def simple_iteration(network, hematocrit, viscosity="pries_in_vivo_1994", separation="2005"):
    """One round without damping, in plain loops over a dense matrix: hematocrits -> pressures, flows, hematocrits."""
    ends, d, length = network.vessels.tolist(), network.diameter.tolist(), network.length.tolist()
    count = len(network.nodes)
    mu = [
        PLASMA_VISCOSITY * VISCOSITIES[viscosity](x, min(h, MAX_HEMATOCRIT)) for x, h in zip(d, hematocrit, strict=True)
    ]
    c = [conductance(*x) for x in zip(d, length, mu, strict=True)]
    matrix, right = np.zeros((count, count)), np.zeros(count)
    for (a, b), x in zip(ends, c, strict=True):
        matrix[a, a] += x
        matrix[b, b] += x
        matrix[a, b] -= x
        matrix[b, a] -= x
    entering = {}
    scale = max(c)
    for boundary in network.boundaries:
        i = boundary.node
        entering[i] = 0.45 if boundary.hematocrit is None else boundary.hematocrit
        if boundary.pressure is not None:
            matrix[i], right[i] = 0.0, boundary.pressure * scale
            matrix[i, i] = scale
        else:
            (v,) = [v for v, pair in enumerate(ends) if i in pair]
            right[i] = boundary.velocity * math.pi * d[v] ** 2 / 4
    p = np.linalg.solve(matrix / scale, right / scale)
    q = [x * (p[a] - p[b]) for (a, b), x in zip(ends, c, strict=True)]
    h = [0.0] * len(ends)
    for node in sorted(range(count), key=lambda i: -p[i]):
        arrive = [v for v, (a, b) in enumerate(ends) if (b == node and q[v] > 0) or (a == node and q[v] < 0)]
        leave = [v for v, (a, b) in enumerate(ends) if (a == node and q[v] > 0) or (b == node and q[v] < 0)]
        come = sum(abs(q[v]) for v in arrive)
        mixed = sum(abs(q[v]) * h[v] for v in arrive) / come if arrive else entering.get(node, 0.0)
        if len(leave) == 1:
            h[leave[0]] = mixed
        elif len(leave) == 2:
            one, two = leave
            share = abs(q[one]) / (abs(q[one]) + abs(q[two]))
            feeding = sum(abs(q[v]) * d[v] for v in arrive) / come
            cells = cell_share(share, SEPARATIONS[separation](feeding, d[one], d[two], mixed))
            h[one], h[two] = mixed * cells / share, mixed * (1 - cells) / (1 - share)
    return p, np.array(q), np.array(h)


def test_vessels_in_series():
    """Resistances add; velocities go as 1 / D^2; the stress on the wall balances the pressure."""
    d, length = torch.tensor([20.0, 10.0, 15.0]).double() * UM, torch.tensor([100.0, 200.0, 300.0]).double() * UM
    nodes = [(x * UM, 0, 0) for x in (0, 100, 300, 600)]
    ends = [Boundary(0, pressure="2 kPa"), Boundary(3, pressure="10 mmHg")]
    network = VesselNetwork(nodes, [(0, 1), (2, 1), (2, 3)], d, boundaries=ends)
    flow = solve(network, viscosity="3 cP")
    resistance = sum(1 / conductance(*x, 3e-3) for x in zip(d.tolist(), length.tolist(), strict=True))
    fall = 2000 - 10 * 133.322387415
    q = fall / resistance
    assert flow.flow.tolist() == pytest.approx([q, -q, q], rel=1e-12)
    first = q / conductance(d[0].item(), length[0].item(), 3e-3)
    assert (flow.pressure[0] - flow.pressure[1]).item() == pytest.approx(first, rel=1e-11)
    assert flow.mean_velocity.tolist() == pytest.approx(
        [4 * s * q / (math.pi * x**2) for s, x in zip((1, -1, 1), d.tolist(), strict=True)]
    )
    fallen = flow.pressure[network.vessels[:, 0]] - flow.pressure[network.vessels[:, 1]]
    torch.testing.assert_close(flow.wall_shear_stress * math.pi * d * length, fallen * math.pi * d**2 / 4)
    assert flow.hematocrit.tolist() == pytest.approx([0.45] * 3)
    assert flow.viscosity.tolist() == [3e-3] * 3


def test_vessels_in_parallel():
    """Conductances add, also where the vessels are of one pair of nodes."""
    nodes = [(0, 0, 0), (1e-4, 0, 0), (2e-4, 0, 0), (3e-4, 0, 0)]
    vessels, d = [(0, 1), (1, 2), (2, 1), (1, 2), (2, 3)], torch.tensor([30.0, 10.0, 12.0, 7.0, 30.0]).double() * UM
    ends = [Boundary(0, velocity="1 mm/s"), Boundary(3, pressure=0.0)]
    flow = solve(VesselNetwork(nodes, vessels, d, boundaries=ends), viscosity=1.2e-3)
    q = 1e-3 * math.pi * (30e-6) ** 2 / 4
    each = [x**4 for x in (10, 12, 7)]
    shares = [q * x / sum(each) for x in each]
    assert flow.flow.tolist() == pytest.approx([q, shares[0], -shares[1], shares[2], q], rel=1e-12)
    together = sum(conductance(x * UM, 1e-4, 1.2e-3) for x in (10, 12, 7))
    assert (flow.pressure[1] - flow.pressure[2]).item() == pytest.approx(q / together, rel=1e-11)


@pytest.mark.parametrize("name", VISCOSITIES)
def test_a_tube_between_two_pressures(name):
    """No pressure is unknown; the viscosity is the law's."""
    network = VesselNetwork(
        [(0, 0, 0), (1e-3, 0, 0)], [(0, 1)], "20 um", boundaries=[Boundary(0, pressure=100), Boundary(1, pressure=0)]
    )
    flow = solve(network, viscosity=name)
    mu = PLASMA_VISCOSITY * VISCOSITIES[name](20e-6, 0.45)
    assert flow.viscosity.item() == pytest.approx(mu, rel=1e-14)
    assert flow.flow.item() == pytest.approx(100 * conductance(20e-6, 1e-3, mu), rel=1e-13)
    assert flow.hematocrit.item() == 0.45


@pytest.mark.parametrize("separation", SEPARATIONS)
@pytest.mark.parametrize("daughters", [(10.0, 7.0), (8.0, 8.0), (14.0, 5.0)])
def test_a_bifurcation(separation, daughters):
    """By hand from the flows: the law's share of the cells."""
    flow = solve(star(15.0, daughters), separation=separation)
    q, h = flow.flow.tolist(), flow.hematocrit.tolist()
    share = q[1] / (q[1] + q[2])
    law = SEPARATIONS[separation](15e-6, *(x * UM for x in daughters), 0.45)
    cells = cell_share(share, law)
    assert h == pytest.approx([0.45, 0.45 * cells / share, 0.45 * (1 - cells) / (1 - share)], rel=1e-12)
    for d, x, mu in zip((15.0, *daughters), h, flow.viscosity.tolist(), strict=True):
        assert mu == pytest.approx(PLASMA_VISCOSITY * VISCOSITIES["pries_in_vivo_1994"](d * UM, x), rel=1e-14)


@pytest.mark.parametrize(
    ("viscosity", "separation"),
    [("pries_in_vivo_1994", "2005"), ("pries_in_vivo_2005", "1989"), ("pries_in_vitro_1992", "2005")],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_plain_loops_agree(viscosity, separation, seed):
    """A round of simple iteration on dense matrices changes nothing, though the network has loops."""
    network = random_honeycomb(4, 3, seed)
    flow = solve(network, viscosity=viscosity, separation=separation)
    p, q, h = simple_iteration(network, flow.hematocrit.tolist(), viscosity, separation)
    assert np.abs(h - flow.hematocrit.numpy()).max() < 1e-10
    assert np.abs(q - flow.flow.numpy()).max() < 1e-10 * np.abs(q).max()
    assert np.abs(p - flow.pressure.numpy()).max() < 1e-10 * np.abs(p).max()


@pytest.mark.parametrize("seed", [7, 29])
def test_where_simple_iteration_goes_round(seed):
    """One hexagon: undamped rounds end in two hematocrits by turns, of which neither is a solution."""
    network = random_honeycomb(1, 1, seed)
    rounds = [[0.45] * len(network.vessels)]
    for _ in range(100):
        rounds.append(simple_iteration(network, rounds[-1])[2].tolist())
    one, two, again = (np.array(h) for h in rounds[-3:])
    assert np.abs(one - again).max() < 1e-9
    assert np.abs(one - two).max() > 0.2
    flow = solve(network)
    assert flow.residual < 1e-11
    assert np.abs(simple_iteration(network, flow.hematocrit.tolist())[2] - flow.hematocrit.numpy()).max() < 1e-10


@given(
    st.integers(2, 6), st.integers(1, 5), st.integers(0, 10**6), st.floats(0.05, 0.7), st.sampled_from([*VISCOSITIES])
)
@settings(max_examples=15, deadline=None)
def test_blood_and_red_cells_are_conserved(columns, rows, seed, hematocrit, viscosity):
    network = random_honeycomb(columns, rows, seed, hematocrit=hematocrit)
    flow = solve(network, viscosity=viscosity)
    cells = flow.flow * flow.hematocrit
    assert np.abs(lost(network, flow.flow)).max() < 1e-11 * flow.flow.abs().max()
    assert np.abs(lost(network, cells)).max() < 1e-11 * cells.abs().max()
    assert max(flow.residual, flow.cell_residual) < 1e-11
    assert bool(((flow.hematocrit >= 0) & (flow.hematocrit < 1)).all())


def test_ten_thousand_vessels():
    network = VesselNetwork.tumour_like(10_000, seed=1)
    flow = network.solve()
    cells = flow.flow * flow.hematocrit
    assert len(network.vessels) > 9_000
    assert network.loops > 2_000
    assert np.abs(lost(network, flow.flow)).max() < 1e-11 * flow.flow.abs().max()
    assert np.abs(lost(network, cells)).max() < 1e-11 * cells.abs().max()
    assert flow.residual < 1e-11
    assert flow.cell_residual < 1e-11


def test_equal_vessels_in_a_symmetric_network():
    """The mirror image of a honeycomb is itself (an odd number of columns), so a Newtonian fluid's flow is mirrored."""
    network = VesselNetwork.honeycomb(5, 3)
    flow = network.solve(viscosity="3 cP")
    x = network.nodes[network.vessels].mean(1)
    mirrored = torch.stack([network.nodes[:, 0].min() + network.nodes[:, 0].max() - x[:, 0], x[:, 1]], 1)
    apart, image = torch.cdist(mirrored, x[:, :2]).min(1)
    assert float(apart.max()) < 1e-9
    torch.testing.assert_close(
        flow.flow.abs()[image], flow.flow.abs(), rtol=1e-9, atol=1e-9 * float(flow.flow.abs().max())
    )
    inlet = math.pi * (20e-6) ** 2 / 4 * 2e-3
    assert float(flow.flow.abs().max()) == pytest.approx(inlet, rel=1e-12)


def test_directions_numbers_and_units_do_not_matter():
    network = random_honeycomb(4, 4, 3)
    flow = solve(network)
    scale = {"rtol": 1e-9, "atol": 1e-11}
    rng = np.random.default_rng(0)
    vessels, nodes = (
        torch.from_numpy(rng.permutation(len(network.vessels))),
        torch.from_numpy(rng.permutation(len(network.nodes))),
    )
    turned = torch.from_numpy(rng.random(len(vessels)) < 0.5)
    to = torch.argsort(nodes)  # old number -> new number
    ends = to[network.vessels[vessels]]
    ends = torch.where(turned[:, None], ends.flip(1), ends)
    other = VesselNetwork(
        network.nodes[nodes], ends, network.diameter[vessels], network.length[vessels],
        [replace(b, node=int(to[b.node])) for b in reversed(network.boundaries)],
    )  # fmt: skip
    found = solve(other)
    signs = torch.where(turned, -1.0, 1.0)
    unit, pressures = flow.flow.abs().max(), flow.pressure.abs().max()
    torch.testing.assert_close(found.flow / unit, signs * flow.flow[vessels] / unit, **scale)
    torch.testing.assert_close(found.hematocrit, flow.hematocrit[vessels], **scale)
    torch.testing.assert_close(found.pressure / pressures, flow.pressure[nodes] / pressures, **scale)

    def driven(factor, base):
        """Velocities and pressures times a factor, and a pressure added everywhere."""
        ends = [
            Boundary(b.node, velocity=b.velocity * factor, hematocrit=b.hematocrit) if b.velocity is not None
            else Boundary(b.node, pressure=b.pressure * factor + base)
            for b in network.boundaries
        ]  # fmt: skip
        return solve(replace(network, boundaries=ends))

    slow = driven(0.5e-3, 1e5)  # a micrometre a second, at a bar
    torch.testing.assert_close(slow.flow / unit, 0.5e-3 * flow.flow / unit, rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(slow.hematocrit, flow.hematocrit, **scale)
    assert max(slow.residual, slow.cell_residual) < 1e-11
    more = driven(1e3, 1e4)
    torch.testing.assert_close(more.flow / unit, 1e3 * flow.flow / unit, rtol=1e-9, atol=1e-8)
    torch.testing.assert_close(more.hematocrit, flow.hematocrit, **scale)
    back = driven(-1.0, 0.0)
    assert float(back.flow[0] / flow.flow[0]) == pytest.approx(-1)
    assert back.residual < 1e-11


def test_longer_vessels_need_more_pressure():
    """Lengths times a factor at one inlet velocity: the same flows and hematocrits, pressures times the factor."""
    network = random_honeycomb(3, 3, 5)
    flow, long = solve(network), solve(replace(network, length=2.5 * network.length))
    torch.testing.assert_close(long.flow, flow.flow, rtol=1e-9, atol=1e-10 * float(flow.flow.abs().max()))
    torch.testing.assert_close(long.hematocrit, flow.hematocrit, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(long.pressure, 2.5 * flow.pressure, rtol=1e-9, atol=1e-9)


def test_nothing_flows_between_equal_pressures():
    flow = solve(star(10.0, (8.0, 6.0), pressures=[1000.0, 1000.0]))
    assert flow.flow.tolist() == [0, 0, 0]
    assert flow.pressure.tolist() == [1000.0] * 4
    assert (flow.residual, flow.cell_residual) == (0, 0)


@pytest.mark.parametrize("viscosity", ["pries_in_vivo_1994", "pries_in_vivo_2005"])
@pytest.mark.parametrize("network", [random_honeycomb(3, 2, 7), VesselNetwork.murray_tree(3, "30 um", asymmetry=0.8)])
def test_gradients_are_differences(network, viscosity):
    """By diameters, lengths and what is prescribed, of pressures, flows and hematocrits, with and without loops."""
    rng = np.random.default_rng(1)
    count, nodes = len(network.vessels), len(network.nodes)
    weights = [torch.from_numpy(rng.standard_normal(n)) for n in (nodes, count, count, count)]

    def measured(wider, longer, velocity, pressure, hematocrit):
        ends = []
        for b in network.boundaries:
            inlet = {"velocity": velocity, "hematocrit": hematocrit}
            ends.append(Boundary(b.node, **(inlet if b.enters else {"pressure": pressure * (1 + b.node)})))
        flow = solve(
            replace(network, diameter=network.diameter * wider, length=network.length * longer, boundaries=ends),
            viscosity=viscosity,
        )
        values = flow.pressure / 1e3, flow.flow / 1e-13, flow.hematocrit, flow.wall_shear_stress
        return sum((w * x).sum() for w, x in zip(weights, values, strict=True))

    given = [torch.ones(count).double(), 1.1 * torch.ones(count).double()]
    given += [torch.tensor(x, dtype=torch.float64) for x in (1e-3, 10.0, 0.4)]
    leaves = [x.clone().requires_grad_() for x in given]
    gradients = torch.autograd.grad(measured(*leaves), leaves)
    for i, (x, gradient) in enumerate(zip(given, gradients, strict=True)):
        direction = torch.from_numpy(rng.standard_normal(x.shape)) if x.ndim else x
        step = 1e-5
        ends = [float(measured(*given[:i], x + s * step * direction, *given[i + 1 :])) for s in (1, -1)]
        assert float((gradient * direction).sum()) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5)


def test_gradients_change_no_value():
    network = random_honeycomb(3, 3, 8)
    plain, with_gradients = solve(network), solve(replace(network, diameter=network.diameter.clone().requires_grad_()))
    for name in ("pressure", "flow", "hematocrit", "viscosity"):
        found = getattr(with_gradients, name)
        assert found.requires_grad
        assert torch.equal(found.detach(), getattr(plain, name))


def test_without_gradients_the_flow_is_the_same():
    with torch.no_grad():
        quiet = solve(random_honeycomb(3, 2, 2))
    assert torch.equal(quiet.flow, solve(random_honeycomb(3, 2, 2)).flow)


def test_a_viscosity_may_be_learned():
    """In a Newtonian fluid pressures are proportional to it, at given flows."""
    viscosity = torch.tensor(3e-3, dtype=torch.float64, requires_grad=True)
    flow = solve(random_honeycomb(3, 2, 2), viscosity=viscosity)
    (slope,) = torch.autograd.grad(flow.pressure.max(), viscosity)
    assert float(slope * viscosity.detach()) == pytest.approx(float(flow.pressure.detach().max()), rel=1e-10)


def test_bad_input():
    network = star(10.0, (8.0, 6.0))
    with pytest.raises(InputError, match=r"separation='1990' is not known; choose from '2005', '1989'"):
        solve(network, separation="1990")
    with pytest.raises(
        InputError, match=r"viscosity='pries' is not known; choose from 'pries_in_vitro_1992', .*'1.2 cP'"
    ):
        solve(network, viscosity="pries")
    with pytest.raises(InputError, match=r"viscosity='1\.2 mm' is not a viscosity; give pascal seconds"):
        solve(network, viscosity="1.2 mm")
    with pytest.raises(InputError, match=r"viscosity=0 is not above zero"):
        solve(network, viscosity=0)
    with pytest.raises(InputError, match=r"viscosity has shape \(2,\); give one number"):
        solve(network, viscosity=torch.tensor([1e-3, 2e-3]))
    with pytest.raises(InputError, match=r"separation=\['2005'\] is not known"):
        solve(network, separation=["2005"])
    narrow = replace(star(10.0, (8.0, 1.0)), names=("feeder", "wide", "narrow"))
    with pytest.raises(
        InputError, match=r"narrow has diameter=1 um, and viscosity='pries_in_vivo_1994' holds above 1\.1 um; widen"
    ):
        solve(narrow)
    with pytest.raises(InputError, match=r"at node 0: hematocrit=0\.97 is above 0\.95"):
        solve(star(10.0, (8.0, 6.0), hematocrit=0.97))
