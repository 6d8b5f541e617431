"""The calls that the README promises, as written."""

import numpy as np
import torch

import sojourn as sj
from sojourn.formats import read_rle
from sojourn.learning.networks import LifeNetwork


def test_as_written(tmp_path):
    life = sj.Life(rule="B3/S23", shape=(512, 512), boundary="torus")
    state = life.place(read_rle("bo$2bo$3o!"), at=(10, 10))  # a state with one glider
    path = sj.simulate(life, state, steps=400, save_every=100, seed=0)  # -> Trajectory
    assert path.dataset["cell"].dims == ("ensemble", "time", "y", "x")
    assert path.dataset["time"].values.tolist() == [0, 100, 200, 300, 400]
    for k in range(5):  # a glider moves one cell down and right every four generations
        moved = torch.roll(state["cell"], (25 * k, 25 * k), (1, 2))[0].numpy()
        np.testing.assert_array_equal(path.dataset["cell"].values[0, k], moved)
    soups = sj.simulate(life, steps=64, save_every=1, ensemble=8, seed=1, out="soups.zarr", progress=False)
    assert soups.dataset.sizes == {"ensemble": 8, "time": 65, "y": 512, "x": 512}
    state = life.advance(state, 0, 1000, sj.Noise(0))  # no storing: straight through the kernel
    assert int(state["cell"].sum()) == 5
    assert life.table.shape == (512,)
    assert life.table.sum() == 140  # C(8,3) births, C(8,2) + C(8,3) survivals
    model = LifeNetwork()
    certificate = sj.certify(model, "B3/S23")
    assert certificate.exact is False
    assert certificate.kind == "exhaustive"
    assert certificate.margin < 0
    assert certificate.counterexamples
    found = sj.identify_rule(path)  # frames 100 steps apart show no single step, so nothing may be claimed
    assert (found.rule, found.consistent) == (None, True)
    assert (found.table == -1).all()
    assert len(found.unseen) == 512
    found = sj.identify_rule(soups)
    assert (found.rule, found.consistent) == ("B3/S23", True)
    assert len(found.unseen) == 0
    np.testing.assert_array_equal(found.table, life.table)


def test_the_public_surface_is_what_it_says():
    assert sorted(sj._HOME) == sj.__all__
    assert all(getattr(sj, name) is not None for name in sj.__all__)
