"""Life and Generations as processes: the fast twin against the definition, known laws, bad input by its message."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d

import sojourn as sj
from sojourn.formats import named, read_rle
from sojourn.processes.life.pattern import Pattern

RULES = ["B3/S23", "B36/S23", "B0/S8", "B2-a/S12", "B3/S2-i34q", "B13/S024V", "B01234567/S"]


@settings(max_examples=40, deadline=None)
@given(
    rule=st.sampled_from(RULES),
    height=st.integers(1, 70),
    width=st.integers(1, 140),
    boundary=st.sampled_from(["torus", "dead"]),
    steps=st.integers(0, 6),
    seed=st.integers(0, 99),
)
def test_advance_equals_step(rule, height, width, boundary, steps, seed):
    life = sj.Life(rule, (height, width), boundary, density=0.4)
    start = life.initial(2, sj.Noise(seed))
    slow = start
    for t in range(steps):
        slow = life.step(slow, t, sj.Noise(0))
    assert torch.equal(life.advance(start, 0, steps, sj.Noise(0))["cell"], slow["cell"])


@settings(max_examples=30, deadline=None)
@given(
    birth=st.integers(0, 511),
    survival=st.integers(0, 511),
    boundary=st.sampled_from(["torus", "dead"]),
    seed=st.integers(0, 9),
)
def test_step_equals_counting_with_scipy(birth, survival, boundary, seed):
    rule = "".join(
        ["B", *(str(k) for k in range(9) if birth >> k & 1), "/S", *(str(k) for k in range(9) if survival >> k & 1)]
    )
    life = sj.Life(rule, (19, 23), boundary)
    cells = life.initial(1, sj.Noise(seed))
    ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    board = cells["cell"][0].numpy()
    count = convolve2d(board, ring, mode="same", boundary="wrap" if boundary == "torus" else "fill")
    expected = np.where(board == 1, survival >> count & 1, birth >> count & 1)
    np.testing.assert_array_equal(life.step(cells, 0, sj.Noise(0))["cell"][0].numpy(), expected)


def test_an_ensemble_split_in_two_is_the_ensemble():
    life = sj.Life(shape=(20, 33))
    whole = life.initial(7, sj.Noise(3))["cell"]
    parts = [life.initial(3, sj.Noise(3))["cell"], life.initial(4, sj.Noise(3).members(3))["cell"]]
    assert torch.equal(whole, torch.cat(parts))
    advanced = [life.advance({"cell": part}, 0, 30, sj.Noise(0))["cell"] for part in parts]
    assert torch.equal(life.advance({"cell": whole}, 0, 30, sj.Noise(0))["cell"], torch.cat(advanced))


def test_density_of_random_starts():
    """Binomial, n = 10^6: within 4.9 standard deviations (false alarm 1e-6)."""
    cells = sj.Life(shape=(1000, 1000), density=0.3).initial(1, sj.Noise(8))["cell"]
    assert abs(float(cells.float().mean()) - 0.3) < 4.9 * (0.3 * 0.7 / 1e6) ** 0.5


def test_gun_through_the_driver():
    """Gosper's gun (36 cells) on a dead plane: every 30 generations one glider of 5 cells more."""
    life = sj.Life(shape=(160, 200), boundary="dead")
    path = sj.simulate(life, life.place(named("gosper-glider-gun"), at=(4, 4)), steps=300, save_every=30)
    assert path.dataset["cell"].sum(("y", "x")).values[0].tolist() == [36 + 5 * k for k in range(11)]


def test_brians_brain_is_brians_brain():
    """Against the definition in words: on -> dying -> off; off turns on with exactly two on neighbours."""
    brain = sj.Generations("Brian's Brain", (30, 41), "torus", density=0.3)
    state = brain.initial(1, sj.Noise(1))
    for t in range(20):
        cells = state["cell"][0].numpy()
        on = convolve2d(cells == 1, np.ones((3, 3)), mode="same", boundary="wrap") - (cells == 1)
        expected = np.select([cells == 1, cells == 2, on == 2], [2, 0, 1], 0)
        state = brain.step(state, t, sj.Noise(0))
        np.testing.assert_array_equal(state["cell"][0].numpy(), expected)
    assert set(np.unique(expected)) == {0, 1, 2}


def test_two_state_generations_is_life():
    life, two = sj.Life("B36/S23", (21, 34), "dead"), sj.Generations("B36/S23/C2", (21, 34), "dead", density=0.375)
    state = life.initial(3, sj.Noise(2))
    assert torch.equal(state["cell"], two.initial(3, sj.Noise(2))["cell"])
    assert torch.equal(life.advance(state, 0, 12, sj.Noise(0))["cell"], two.advance(state, 0, 12, sj.Noise(0))["cell"])


def test_placing():
    life = sj.Life(shape=(5, 6))
    cells = life.place(read_rle("3o!"), at=(4, 4))["cell"][0]
    assert cells.nonzero().tolist() == [[4, 0], [4, 4], [4, 5]]  # it wraps around a torus
    assert sj.Generations("B2/S/C3", (4, 4)).place(read_rle("x = 2, y = 1, rule = B2/S/C3\nBA!"))["cell"].max() == 2


def _outside_the_grid():
    return sj.Life(shape=(9, 9), boundary="dead").place(named("glider"), at=(0, 8))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sj.Life("B9/S23"), 'rule "B9/S23": digit 9 at position 2'),
        (lambda: sj.Life(shape=(0, 4)), r"shape=\(0, 4\) is not \(height, width\)"),
        (lambda: sj.Life(shape=(3,)), r"shape=\(3,\) is not"),
        (lambda: sj.Life(shape=(3.5, 4)), r"shape=\(3.5, 4\) is not"),
        (lambda: sj.Life(shape=64), "shape=64 is not"),
        (lambda: sj.Life(rule=None), "rule=None is not text"),
        (lambda: sj.simulate(sj.Life(), torch.zeros(1), steps=1), "a state is a dict of tensors"),
        (lambda: sj.Life(boundary="klein"), 'boundary=\'klein\' is not known; choose "torus" or "dead"'),
        (lambda: sj.Life(density=-0.1), "density=-0.1 is not a share"),
        (lambda: sj.Life(density=float("nan")), "density=nan is not a share"),
        (lambda: sj.Generations("B3/S23"), "B3/S23"),
        (_outside_the_grid, "does not fit the grid"),
        (lambda: sj.Life(shape=(9, 9)).place(Pattern(np.array([[2]]))), "a cell of state 2; this rule has 2 states"),
        (lambda: _advance(torch.full((1, 9, 9), 3, dtype=torch.uint8)), "has the value 3; its states are 0 to 1"),
        (lambda: _advance(torch.zeros(1, 9, 9)), r"dtype torch.float32; Life needs torch.uint8"),
        (lambda: _advance(torch.zeros(9, 9, dtype=torch.uint8)), r"shape \(9, 9\); needed is \(ensemble, 9, 9\)"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(sj.InputError, match=message):
        make()


def _advance(cells):
    return sj.Life(shape=(9, 9)).advance({"cell": cells}, 0, 1, sj.Noise(0))
