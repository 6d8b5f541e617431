"""Junctions of vessels: two daughters by the published law, more by what it implies, cells conserved, no NaN."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.processes.blood.phase_separation import (
    SEPARATIONS,
    at_nodes,
    derivatives,
    distribute,
    sweep,
)
from sojourn.processes.blood.rheology import cell_share

LAWS = list(SEPARATIONS.values())
flows = st.floats(1e-3, 1.0)
diameters = st.floats(3.0, 40.0)
hematocrits = st.floats(0.0, 0.99)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def node(arriving, leaving, law):
    """Hematocrits of what leaves one node: (flow, diameter in um, hematocrit) arrive, (flow, diameter) leave."""
    ends = [(1 + i, 0) for i in range(len(arriving))] + [(0, 1 + len(arriving) + i) for i in range(len(leaving))]
    at = at_nodes(np.array(ends), 1 + len(ends))
    flow, d = tensor([x[0] for x in (*arriving, *leaving)]), 1e-6 * tensor([x[1] for x in (*arriving, *leaving)])
    h = tensor([x[2] for x in arriving] + [0.0] * len(leaving))
    entering = torch.zeros(1 + len(ends), dtype=torch.float64)
    entering[1 : 1 + len(arriving)] = h[: len(arriving)]
    return distribute(flow, h, d, entering, at, law)[len(arriving) :]


@settings(deadline=None)
@given(flows, flows, diameters, diameters, diameters, hematocrits, st.sampled_from(LAWS))
def test_two_daughters(one, two, feeding, alpha, beta, h, law):
    """The published law, with the cells beyond the most in the other daughter."""
    whole = one + two
    found = node([(whole, feeding, h)], [(one, alpha), (two, beta)], law)
    share = one / whole
    cells = cell_share(share, law(feeding * 1e-6, alpha * 1e-6, beta * 1e-6, h))
    first, second = h * cells / share, h * (1 - cells) / (1 - share)
    most = (1 + h) / 2
    if first > most:
        first, second = most, (h - share * most) / (1 - share)
    elif second > most:
        first, second = (h - (1 - share) * most) / share, most
    assert found.tolist() == pytest.approx([first, second], rel=1e-9, abs=1e-10)


@settings(deadline=None)
@given(
    st.lists(st.tuples(flows, diameters, hematocrits), min_size=1, max_size=3),
    st.lists(st.tuples(flows, diameters), min_size=1, max_size=4),
    st.sampled_from(LAWS),
)
def test_any_number_in_and_out(arriving, leaving, law):
    """Cells are conserved, hematocrits stay in their range, and the order of the daughters does not matter."""
    come = sum(x[0] for x in arriving)
    left = sum(x[0] for x in leaving)
    leaving = [(q * come / left, d) for q, d in leaving]
    cells = sum(q * h for q, _, h in arriving)
    found = node(arriving, leaving, law)
    assert sum(q * h for (q, _), h in zip(leaving, found.tolist(), strict=True)) == pytest.approx(
        cells, rel=1e-12, abs=1e-15
    )
    assert bool(((found >= 0) & (found <= (1 + cells / come) / 2 + 1e-12)).all())
    turned = node(arriving[::-1], leaving[::-1], law)
    torch.testing.assert_close(turned.flip(0), found, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("law", LAWS)
def test_three_daughters(law):
    """Each pair obeys its law where the three agree with each other; a daughter that stops leaves the others' law."""
    leaving = [(0.5, 12.0), (0.3, 9.0), (0.2, 7.0)]
    found = node([(1.0, 15.0, 0.4)], leaving, law).tolist()
    for order in permutations(range(3)):
        again = node([(1.0, 15.0, 0.4)], [leaving[i] for i in order], law).tolist()
        assert again == pytest.approx([found[i] for i in order], rel=1e-13)
    stopped = node([(1.0, 15.0, 0.4)], [(0.6, 12.0), (0.4 - 1e-9, 9.0), (1e-9, 7.0)], law).tolist()
    two = node([(1.0, 15.0, 0.4)], [(0.6, 12.0), (0.4, 9.0)], law).tolist()
    assert stopped == pytest.approx([*two, 0.0], abs=1e-8)
    if law is SEPARATIONS["1989"]:  # A is a difference of logarithms, so each pair obeys its law
        cells = [q * h / 0.4 for (q, _), h in zip(leaving, found, strict=True)]
        for i, j in ((0, 1), (1, 2), (0, 2)):
            one = law(15e-6, leaving[i][1] * 1e-6, leaving[j][1] * 1e-6, 0.4)
            ratio = (leaving[i][0] - one.X0) / (leaving[j][0] - one.X0)
            assert np.log(cells[i] / cells[j]) == pytest.approx(one.A + one.B * np.log(ratio), abs=1e-12)


def test_equal_daughters_share_alike():
    found = node([(1.0, 10.0, 0.4)], [(0.25, 8.0)] * 4, LAWS[0])
    assert found.tolist() == pytest.approx([0.4] * 4, rel=1e-13)
    none_above = node([(1.0, 1.1, 0.1)], [(0.25, 8.0)] * 4, LAWS[0])  # X0 = 0.79
    assert none_above.tolist() == pytest.approx([0.1] * 4, rel=1e-13)


def test_the_most_that_a_daughter_gets():
    """A narrow daughter would get more cells than its blood holds; what is too much goes where there is room."""
    law = SEPARATIONS["2005"]
    raw = 0.7 * cell_share(0.4, law(3e-6, 3e-6, 12e-6, 0.7)) / 0.4
    assert raw > 1
    found = node([(1.0, 3.0, 0.7)], [(0.4, 3.0), (0.6, 12.0)], law).tolist()
    assert found == pytest.approx([0.85, (0.7 - 0.4 * 0.85) / 0.6], rel=1e-14)
    found = node([(1.0, 3.0, 0.7)], [(0.4, 3.0), (0.4, 12.0), (0.2, 12.0)], law).tolist()
    assert found[0] == pytest.approx(0.85, rel=1e-14)
    assert 0.4 * sum(found[:2]) + 0.2 * found[2] == pytest.approx(0.7, rel=1e-14)


@settings(deadline=None)
@given(st.floats(2.0, 40.0), diameters, diameters, st.floats(0.1, 0.99), st.sampled_from(LAWS))
def test_a_daughter_that_hardly_flows_gets_plasma(feeding, alpha, beta, h, law):
    """Plasma up to X0, or as long as the other has room, whatever the hematocrit; and cells come in without a jump."""
    least = min(float(law(feeding * 1e-6, alpha * 1e-6, beta * 1e-6, h).X0), (1 - h) / (1 + h))
    for share in (0.01 * least, 0.999 * least):
        found = node([(1.0, feeding, h)], [(share, alpha), (1 - share, beta)], law).tolist()
        assert found == pytest.approx([0.0, h / (1 - share)], rel=1e-12, abs=1e-12)
    beyond = node([(1.0, feeding, h)], [(least * (1 + 1e-9), alpha), (1 - least * (1 + 1e-9), beta)], law)
    assert float(beyond[0]) < 1e-3


def random_flow(count, seed):
    """Pressures at random nodes of a random graph, and the flows that they drive; not balanced."""
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, count, (3 * count, 2))
    ends = ends[ends[:, 0] != ends[:, 1]]
    ends = np.concatenate([ends, np.stack([np.arange(count - 1), np.arange(1, count)], 1)])
    pressure = rng.standard_normal(count)
    flow = rng.lognormal(size=len(ends)) * (pressure[ends[:, 0]] - pressure[ends[:, 1]])
    d = rng.uniform(4e-6, 30e-6, len(ends))
    return pressure, flow, d, rng.uniform(0.1, 0.6, count), at_nodes(ends, count)


@given(st.integers(2, 40), st.integers(0, 10**6), st.sampled_from(LAWS))
@settings(deadline=None)
def test_a_sweep_obeys_the_rule(count, seed, law):
    """The kernel and PyTorch agree: what the nodes hand on is what the sweep found."""
    pressure, flow, d, entering, at = random_flow(count, seed)
    found = torch.from_numpy(sweep(pressure, flow, d, entering, at, law))
    handed_on = distribute(*map(torch.from_numpy, (flow, found.numpy(), d, entering)), at, law)
    torch.testing.assert_close(handed_on, found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_derivatives(law):
    """The sparse matrices are what differentiation of the whole rule gives; and that, what differences give."""
    pressure, flow, d, entering, at = random_flow(12, 3)
    flow, found, d, entering = (
        torch.from_numpy(x) for x in (flow, sweep(pressure, flow, d, entering, at, law), d, entering)
    )

    def rule(flow, h):
        return distribute(flow, h, d, entering, at, law)

    whole = torch.autograd.functional.jacobian(rule, (flow, found))
    sparse = derivatives(flow, found, d, entering, at, law)
    for one, other in zip(sparse, whole, strict=True):
        torch.testing.assert_close(torch.from_numpy(one.toarray()), other, rtol=1e-9, atol=1e-11)

    def by_um(flow, h, um, entering):
        return distribute(flow, h, 1e-6 * um, entering, at, law)

    leaves = [x.clone().requires_grad_() for x in (flow, found, 1e6 * d, entering)]
    assert torch.autograd.gradcheck(by_um, leaves, atol=1e-6)
