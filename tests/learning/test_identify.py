"""Identification against brute force, random rules, and the stated probabilities of error."""

import itertools
import json
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from sojourn.errors import InputError
from sojourn.learning import transitions
from sojourn.learning.identify import HYPOTHESES, identify_rule
from sojourn.processes.life.hensel import CENTRE_OF, CLASS_OF
from sojourn.processes.life.rule import Rule

NEIGHBOURS = list(itertools.product((-1, 0, 1), repeat=2))


def numbers(board: np.ndarray, boundary: str) -> np.ndarray:
    """Neighbourhood numbers of (..., y, x), by moving whole boards."""
    if boundary == "torus":
        near = [np.roll(board, (-dy, -dx), axis=(-2, -1)) for dy, dx in NEIGHBOURS]
    else:
        height, width = board.shape[-2:]
        padded = np.pad(board, [(0, 0)] * (board.ndim - 2) + [(1, 1), (1, 1)])
        near = [padded[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] for dy, dx in NEIGHBOURS]
    return np.sum([cells.astype(int) << (8 - k) for k, cells in enumerate(near)], axis=0)


def run(table, start: np.ndarray, steps: int, boundary: str = "torus", *, flips=0.0, rng: Any = None) -> np.ndarray:
    """(ensemble, time, y, x) from starts (ensemble, y, x), each new cell flipped with probability `flips`."""
    frames = [start]
    for _ in range(steps):
        board = np.asarray(table, dtype=np.uint8)[numbers(frames[-1], boundary)]
        frames.append(board ^ (rng.random(board.shape) < flips) if flips else board)
    return np.stack(frames, axis=1).astype(np.uint8)


def random_rule(kind: Any, rng: np.random.Generator) -> Rule:
    class_of = HYPOTHESES[kind]
    return Rule.from_table(rng.integers(0, 2, int(class_of.max()) + 1)[class_of])


def soup(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.random(shape) < rng.uniform(0.2, 0.8)).astype(np.uint8)


@pytest.mark.parametrize("kind", [None, "isotropic", "outer-totalistic"])
def test_random_rules_are_identified_exactly_when_all_neighbourhoods_were_seen(kind):
    """1000 random rules of each kind, each from two steps of four random 64 by 64 boards."""
    rng = np.random.default_rng(1)
    complete = 0
    for _ in range(1000):
        rule = random_rule(kind, rng)
        found = identify_rule(run(rule.table, soup(rng, 4, 64, 64), 2), boundary="torus")
        assert found.consistent
        if not len(found.unseen):
            complete += 1
            assert (found.rule, found.assuming) == (rule.notation, None)
            assert np.array_equal(found.table, rule.table)
    assert complete > 700


@settings(deadline=None, max_examples=150)
@given(
    st.integers(0, 2**32),
    st.sampled_from([None, "isotropic", "outer-totalistic"]),
    st.sampled_from(["torus", "dead", "interior"]),
    st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20), st.integers(1, 3)),
)
def test_partial_data_never_give_a_wrong_claim(seed, kind, boundary, sizes):
    members, height, width, steps = sizes
    rng = np.random.default_rng(seed)
    rule = random_rule(kind, rng)
    boards = run(rule.table, soup(rng, members, height, width), steps, "dead" if boundary == "dead" else "torus")
    found = identify_rule(boards, boundary=boundary)
    assert found.consistent
    assert not found.contradictions
    seen = found.table >= 0
    assert np.array_equal(found.table[seen], rule.table[seen])
    assert np.array_equal(np.flatnonzero(~seen), found.unseen)
    implied = {None: [None], "isotropic": [None, "isotropic"], "outer-totalistic": list(HYPOTHESES)}[kind]
    if found.rule is not None:
        claimed = Rule.parse(found.rule)
        assert np.array_equal(claimed.table[seen], rule.table[seen])
        assert claimed.is_isotropic or found.assuming is None
        if found.assuming in implied:
            assert claimed == rule
    for assuming in implied:  # nothing is withheld either
        if len(np.unique(HYPOTHESES[assuming][seen])) == len(np.unique(HYPOTHESES[assuming])):
            assert found.rule == rule.notation
            break


def test_assumptions_are_named_only_when_they_were_needed():
    """With all 18 classes but not all 512: B3/S23 if outer-totalistic. Anisotropic data refute the assumption."""
    rng = np.random.default_rng(5)
    life = Rule.parse("B3/S23").table
    slope = (rng.random((1, 24, 24)) < np.linspace(0, 1, 24)).astype(np.uint8)  # from empty to full
    found = identify_rule(run(life, slope, 1), boundary="torus")
    assert 18 <= 512 - len(found.unseen) < 512
    assert (found.rule, found.assuming) == ("B3/S23", "outer-totalistic")
    assert str(found).startswith("The rule is B3/S23, if it is outer-totalistic. ")
    assert f"2^{len(found.unseen)} radius-1 rules explain the data" in str(found)
    skewed = life.copy()
    skewed[256] = 1  # birth from a single neighbour, but only in the north-west
    for _ in range(20):
        found = identify_rule(run(skewed, soup(rng, 1, 20, 20), 1), boundary="torus")
        singles = [1, 4, 64]  # the other three corners
        if found.table[256] == 1 and (found.table[singles] == 0).any() and len(found.unseen):
            assert found.rule is None


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["torus", "dead", "interior"]),
    st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(1, 7), st.integers(1, 7)),
)
def test_counting_equals_brute_force_and_does_not_depend_on_chunks(seed, boundary, shape):
    boards = np.random.default_rng(seed).integers(0, 2, shape, dtype=np.uint8)
    index = numbers(boards[:, :-1], boundary)
    after = boards[:, 1:]
    if boundary == "interior":
        index, after = index[..., 1:-1, 1:-1], after[..., 1:-1, 1:-1]
    expected = np.zeros((512, 2), dtype=int)
    np.add.at(expected, (index, after), 1)
    for piece, read, pieces in [(1 << 20, 1 << 25, 16), (1, 1, 1000), (10, 30, 5)]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transitions, "_PIECE_CELLS", piece)
            patch.setattr(transitions, "_READ_CELLS", read)
            patch.setattr(transitions, "_PIECES", pieces)
            found = identify_rule(boards, boundary=boundary)
        assert np.array_equal(found.counts, expected)
        assert set(found.contradictions) == set(np.flatnonzero((expected > 0).all(axis=1)))
        for k, (member, time, y, x) in found.contradictions.items():
            offset = 1 if boundary == "interior" else 0
            assert index[member, time, y - offset, x - offset] == k
        assert found.consistent == (not found.contradictions)
        assert (found.rule is None) or found.consistent


def test_contradictions_are_the_first_in_reading_order():
    rng = np.random.default_rng(7)
    boards = rng.integers(0, 2, (1, 2, 40, 40), dtype=np.uint8)
    index, after = numbers(boards[0, 0], "torus"), boards[0, 1]
    expected, outcomes = {}, {}
    for y, x in np.ndindex(40, 40):
        if outcomes.setdefault(index[y, x], after[y, x]) != after[y, x]:
            expected.setdefault(index[y, x], (0, 0, y, x))
    assert len(expected) > 200
    assert identify_rule(boards, boundary="torus").contradictions == expected


def test_the_first_contradiction_is_where_it_was_planted():
    rng = np.random.default_rng(8)
    boards = run(Rule.parse("B3/S23").table, soup(rng, 2, 40, 40), 6)
    boards[1, 6, 17, 23] ^= 1
    found = identify_rule(boards, boundary="torus")
    number = int(numbers(boards[1, 5], "torus")[17, 23])
    assert found.contradictions == {number: (1, 5, 17, 23)}
    assert not found.consistent
    assert found.rule is None
    assert f"number {number} in member 1 at time 5, y 17, x 23" in str(found)
    assert "no deterministic radius-1 rule explains the data" in str(found)


def test_data_of_other_kinds_are_flagged_inconsistent():
    rng = np.random.default_rng(9)
    life = Rule.parse("B3/S23").table
    second_order = list(soup(rng, 2, 64, 64))
    for _ in range(20):
        second_order.append(life[numbers(second_order[-1], "torus")] ^ second_order[-2])
    board = soup(rng, 64, 64)
    radius_two = [board]
    for _ in range(20):
        board = radius_two[-1]
        near = [np.roll(board, (dy, dx), axis=(0, 1)) for dy in range(-2, 3) for dx in range(-2, 3)]
        radius_two.append(np.isin(np.sum(near, axis=0, dtype=int) % 3, 1).astype(np.uint8))
    two_steps = run(life, soup(rng, 1, 64, 64), 40)[0, ::2]
    for frames in (second_order, radius_two, two_steps):
        found = identify_rule(np.array(frames), boundary="torus")
        assert not found.consistent
        assert found.rule is None


def test_a_wrong_boundary_shows_and_the_interior_is_always_right():
    rng = np.random.default_rng(10)
    boards = run(Rule.parse("B3/S23").table, soup(rng, 8, 16, 16), 30, boundary="dead")
    assert identify_rule(boards, boundary="dead").consistent
    assert identify_rule(boards, boundary="interior").consistent
    assert identify_rule(boards).boundary == "interior"
    assert not identify_rule(boards, boundary="torus").consistent


@pytest.mark.parametrize("q", [0.02, 0.15, 0.3])
@pytest.mark.parametrize("given_noise", [True, False])
def test_error_probabilities_are_respected(q, given_noise):
    """300 noisy runs of random rules: wrong entries stay within the stated family-wise bounds (false alarm 1e-6)."""
    rng = np.random.default_rng(11)
    wrong = dict.fromkeys((0.5, 0.1, 0.01), 0)
    above, claimed = 0, 0
    for _ in range(300):
        rule = random_rule(None, rng)
        boards = run(rule.table, soup(rng, 1, 24, 24), int(rng.integers(1, 40)), flips=q, rng=rng)
        found = identify_rule(boards, boundary="torus", noise=q if given_noise else "estimate", confidence=0.99)
        assert found.error_probability is not None
        assert found.noise is not None
        above += found.noise < q
        for level in wrong:
            sure = found.error_probability <= level
            claimed += int(sure.sum())
            wrong[level] += bool((found.table[sure] != rule.table[sure]).any())
        assert found.rule is None or Rule.parse(found.rule) == rule
    assert claimed > 1000
    for level, count in wrong.items():
        assert binom.sf(count - 1, 300, level) > 1e-6
    assert binom.sf(above - 1, 300, 0.005) > 1e-6


def test_the_bound_on_one_entry_is_the_gamblers_ruin():
    """A vote that starts right with probability 1 - q ever trails by d with probability (q / (1 - q))^d exactly."""
    boards = np.zeros((1, 41, 3, 3), dtype=np.uint8)  # neighbourhood 0, outcome 0, 40 * 9 times
    found = identify_rule(boards, boundary="torus", noise=0.4)
    assert found.error_probability is not None
    exact = 512 * (Fraction(0.4) / (1 - Fraction(0.4))) ** 360
    assert exact <= Fraction(float(found.error_probability[0])) <= exact * (1 + Fraction(1, 10**9))
    assert (found.error_probability[1:] == 1).all()
    rng = np.random.default_rng(12)
    walks = np.cumsum(np.where(rng.random((20_000, 400)) < 0.4, 1, -1), axis=1).max(axis=1)
    for d in (1, 3, 6):
        rate = (0.4 / 0.6) ** d
        count = int((walks >= d).sum())
        assert min(binom.sf(count - 1, 20_000, rate), binom.cdf(count, 20_000, rate)) > 1e-6


def test_a_noisy_rule_is_recovered_and_its_noise_bounded():
    rng = np.random.default_rng(13)
    boards = run(Rule.parse("B36/S23").table, soup(rng, 8, 64, 64), 60, flips=0.1, rng=rng)
    found = identify_rule(boards, boundary="torus", noise="estimate")
    assert not found.consistent
    assert (found.rule, found.assuming) == ("B36/S23", None)
    assert found.noise is not None
    assert 0.1 <= found.noise < 0.104
    as_exact = identify_rule(boards, boundary="torus")
    assert as_exact.rule is None
    assert np.array_equal(as_exact.table, Rule.parse("B36/S23").table)
    assert as_exact.noise == found.noise
    few = identify_rule(boards[:1, :6], boundary="torus", noise=0.12)
    assert (few.rule, few.assuming) in {("B36/S23", "isotropic"), ("B36/S23", "outer-totalistic")}


@pytest.mark.parametrize("given_noise", [0.05, 0.3])
def test_a_claim_needs_just_the_evidence_that_its_confidence_asks_for(given_noise):
    """Votes with equal margins d: a claim over 512 entries and 3 hypotheses needs 3 * 512 (q / (1 - q))^d <= 1e-3."""
    rule = random_rule(None, np.random.default_rng(17))
    ratio = given_noise / (1 - given_noise)
    enough = int(np.ceil(np.log(1e-3 / (3 * 512)) / np.log(ratio)))
    before = np.array([[int(bit) for bit in f"{k:09b}"] for k in range(512)]).reshape(512, 3, 3)
    pairs = np.stack([before, np.broadcast_to(rule.table[:, None, None], (512, 3, 3))], axis=1)
    for margin, claim in [(enough, rule.notation), (enough - 1, None)]:
        found = identify_rule(np.repeat(pairs, margin, axis=0), noise=given_noise, confidence=0.999)
        assert found.counts.max(axis=1).tolist() == [margin] * 512
        assert found.error_probability == pytest.approx(512 * ratio**margin)
        assert (found.rule, found.assuming) == (claim, None)


def test_noise_that_cannot_explain_the_data_gives_no_bound():
    rng = np.random.default_rng(14)
    boards = run(Rule.parse("B3/S23").table, soup(rng, 4, 64, 64), 30, flips=0.2, rng=rng)
    found = identify_rule(boards, boundary="torus", noise=0.05)
    assert found.rule is None
    assert found.error_probability is not None
    assert (found.error_probability == 1).all()
    coin = identify_rule(rng.integers(0, 2, (4, 30, 32, 32)), boundary="torus", noise="estimate")
    assert coin.rule is None
    assert coin.error_probability is not None
    assert coin.error_probability.min() > 0.9


def dataset(boards: np.ndarray, times: np.ndarray, **attributes) -> xr.Dataset:
    return xr.Dataset({"cell": (("ensemble", "time", "y", "x"), boards)}, {"time": times}, attributes)


def test_data_sets_say_their_boundary():
    rng = np.random.default_rng(15)
    boards = run(Rule.parse("B2-a/S12").table, soup(rng, 8, 32, 32), 9, boundary="dead")
    for attributes in ({"boundary": "dead"}, {"parameters": {"boundary": "dead"}}):
        found = identify_rule(dataset(boards, np.arange(10), **attributes))
        assert (found.rule, found.boundary) == ("B2-a/S12", "dead")
    with pytest.raises(InputError, match='boundary="torus", but the data set says "dead"'):
        identify_rule(dataset(boards, np.arange(10), boundary="dead"), boundary="torus")


def test_a_simulated_trajectory_is_identified():
    from sojourn.driver import simulate
    from sojourn.processes.life.life import Life

    process = Life(rule="B3/S2-i34q", shape=(48, 48), boundary="dead")
    trajectory = simulate(process, steps=40, save_every=1, ensemble=3, seed=1)
    found = identify_rule(trajectory)
    assert (found.rule, found.boundary) == ("B3/S2-i34q", "dead")
    apart = identify_rule(simulate(process, steps=40, save_every=8, seed=1))
    assert (apart.rule, apart.consistent, apart.observations, len(apart.unseen)) == (None, True, 0, 512)
    assert str(apart).endswith("so nothing was seen: simulate with save_every=1.")


def test_only_frames_one_step_apart_are_counted():
    boards = run(Rule.parse("B36/S23").table, soup(np.random.default_rng(3), 2, 40, 40), 12)
    kept = np.array([0, 1, 2, 5, 6, 9, 12])
    gappy = identify_rule(dataset(boards[:, kept], kept, boundary="torus"))
    pairs = sum(identify_rule(boards[:, k : k + 2], boundary="torus").counts for k in (0, 1, 5))
    np.testing.assert_array_equal(gappy.counts, pairs)
    assert gappy.consistent


def test_isotropic_class_numbers():
    assert sorted(np.unique(CLASS_OF + 51 * CENTRE_OF.astype(int))) == list(range(102))


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (np.zeros((3, 3)), {}, "boards have shape (3, 3); give (ensemble, time, y, x)"),
        (np.zeros((1, 1, 3, 3)), {}, "boards of shape (1, 1, 3, 3) show no step; give at least two frames"),
        (np.full((2, 3, 3), 2), {}, "the cell at member 0, time 0, y 0, x 0 is 2; only boards of two states"),
        (np.zeros((2, 3, 3)), {"boundary": "klein"}, 'boundary="klein" is not known; choose one of torus, dead'),
        (np.zeros((2, 3, 3)), {"noise": 0.5}, "noise=0.5 is not a probability of a flip in (0, 0.5)"),
        (np.zeros((2, 3, 3)), {"confidence": 1.0}, "confidence=1.0 is not in (0, 1)"),
        (xr.Dataset({"u": ("x", np.zeros(3))}), {}, "no variable 'cell' of dimensions (ensemble, time, y, x)"),
    ],
)
def test_bad_input(source, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        identify_rule(source, **options)


def test_the_result_as_plain_data():
    rng = np.random.default_rng(16)
    boards = run(Rule.parse("B3/S23").table, soup(rng, 2, 32, 32), 4, flips=0.01, rng=rng)
    found = identify_rule(boards, boundary="torus", noise=0.02)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["counts"] == found.counts.tolist()
    assert plain["noise"] == 0.02
    assert len(plain["contradictions"]) == len(found.contradictions) > 0
