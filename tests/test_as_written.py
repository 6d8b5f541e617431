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


def test_ito_as_written():
    from sympy import Eq, Function, Symbol, diff, exp, log

    from sojourn.calculus import ItoProcess, brownian, symbols

    t, S, mu, sigma = symbols("t S mu sigma", positive=True)
    W1, W2 = brownian("W1 W2", correlation=0.3)
    X = ItoProcess(S, drift=mu * S, diffusion={W1: sigma * S}, initial=1)
    assert X.of(log(S)).drift == mu - sigma**2 / 2
    f, p = Function("f"), Function("p")
    assert (X.generator(f(S)) - (mu * S * diff(f(S), S) + sigma**2 * S**2 * diff(f(S), S, 2) / 2)).expand() == 0
    forward = X.kolmogorov_forward(p).value
    density = p(t, S)
    right = -diff(mu * S * density, S) + diff(sigma**2 * S**2 * density, S, 2) / 2
    assert isinstance(forward, Eq)
    assert (forward.lhs - forward.rhs - (diff(density, t) - right)).doit().expand() == 0
    assert X.to_stratonovich().drift == (mu - sigma**2 / 2) * S
    V = Symbol("V", positive=True)
    Y = ItoProcess(V, drift=0, diffusion={W2: V}, initial=1)
    product = X.product(Y)
    assert (product.drift - (mu + 0.3 * sigma) * S * V).expand() == 0
    law = X.law(t)
    assert law.name == "lognormal"
    assert law.mean == exp(mu * t)
    step = X(mu=0.05, sigma=0.2).discretise(dt=1e-3, scheme="milstein")  # the law in continuous time -> a Process
    paths = sj.simulate(step, steps=1000, ensemble=100_000, seed=0)
    last = paths.dataset["S"].values[:, -1]
    # seven standard errors, false alarm below 1e-11, and the bias of the scheme
    assert abs(last.mean() - np.exp(0.05)) < 7 * last.std() / len(last) ** 0.5 + 1e-4


def test_the_public_surface_is_what_it_says():
    assert sorted(sj._HOME) == sorted(sj.__all__)
    assert all(getattr(sj, name) is not None for name in sj.__all__)
