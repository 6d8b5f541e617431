"""SDEs as Python functions: the path of the same SDE in symbols, derivatives, networks, and errors in one line."""

import numpy as np
import pytest
import sympy as sp
import torch

import sojourn as sj
from sojourn.calculus import ItoProcess, brownian, symbols
from sojourn.errors import InputError
from sojourn.processes.ito.coefficients import Coefficients
from sojourn.processes.ito.functions import SDE, Evaluator
from sojourn.processes.ito.schemes import SCHEMES

X, Y = symbols("X Y", real=True)
t = symbols("t", positive=True)


def diagonal():
    """Two coupled states with a noise each, which depends on its own state alone."""
    W1, W2 = brownian("W1 W2")
    process = ItoProcess(
        [X, Y],
        [Y - X**3 + sp.sin(t), -X - Y],
        {W1: [0.3 * sp.sqrt(1 + X**2), 0], W2: [0, 0.2 + 0.1 * sp.sin(Y)]},
        initial=[1, 0.5],
    )

    def drift(t, x):
        return torch.stack([x[:, 1] - x[:, 0] ** 3 + torch.sin(t), -x[:, 0] - x[:, 1]], 1)

    def diffusion(t, x):
        return torch.stack([0.3 * torch.sqrt(1 + x[:, 0] ** 2), 0.2 + 0.1 * torch.sin(x[:, 1])], 1)

    return process, SDE(drift, diffusion, [1.0, 0.5])


def scalar():
    """One noise moves both states."""
    W = brownian("W")
    process = ItoProcess([X, Y], [-X, X - Y], {W: [0.2 * X + 0.1 * Y, 0.3 * X]}, initial=[1, 0.5])

    def drift(t, x):
        return torch.stack([-x[:, 0], x[:, 0] - x[:, 1]], 1)

    def diffusion(t, x):
        return torch.stack([0.2 * x[:, 0] + 0.1 * x[:, 1], 0.3 * x[:, 0]], 1)

    return process, SDE(drift, diffusion, [1.0, 0.5], noise="scalar")


def general():
    """Three noises that do not commute move two states."""
    W = brownian("W1 W2 W3")
    process = ItoProcess(
        [X, Y], [-X, X - Y], {W[0]: [0.2, 0.1 * X], W[1]: [0.3 * Y, 0.2], W[2]: [0.1 * X * Y, 0.3]}, initial=[1, 0.5]
    )

    def drift(t, x):
        return torch.stack([-x[:, 0], x[:, 0] - x[:, 1]], 1)

    def diffusion(t, x):
        a, b = x.unbind(1)
        rows = [[0.2 + 0 * a, 0.3 * b, 0.1 * a * b], [0.1 * a, 0.2 + 0 * a, 0.3 + 0 * a]]
        return torch.stack([torch.stack(row, 1) for row in rows], 1)

    return process, SDE(drift, diffusion, [1.0, 0.5], noise="general")


def additive():
    """Constant noise."""
    W1, W2 = brownian("W1 W2")
    process = ItoProcess([X, Y], [Y - X**3, -X - Y], {W1: [0.3, 0], W2: [0, 0.2]}, initial=[1, 0.5])

    def drift(t, x):
        return torch.stack([x[:, 1] - x[:, 0] ** 3, -x[:, 0] - x[:, 1]], 1)

    return process, SDE(drift, lambda t, x: torch.tensor([0.3, 0.2], dtype=x.dtype).expand_as(x), [1.0, 0.5])


CASES = {"diagonal": diagonal, "scalar": scalar, "general": general, "additive": additive}


def path(process, **options):
    return sj.simulate(process, ensemble=7, steps=12, save_every=1, seed=5, progress=False, **options).dataset


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("substeps", [1, 3])
def test_one_sde_given_both_ways_takes_one_path(scheme, case, substeps):
    process, functions = CASES[case]()
    options = {"dt": 0.02, "scheme": scheme, "substeps": substeps}
    try:
        symbolic = process.discretise(**options)
    except InputError:  # a scheme that is not for this SDE is not for its functions either
        with pytest.raises(InputError, match=f"scheme='{scheme}'"):
            path(_with(functions, **options))
        return
    found = path(_with(functions, **options))["x"].values
    truth = path(symbolic)
    expected = np.stack([truth["X"].values, truth["Y"].values], -1)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def _with(sde, **changes):
    from dataclasses import replace

    return replace(sde, **changes)


@pytest.mark.parametrize("case", ["diagonal", "scalar", "general"])
def test_derivatives_of_functions_are_those_of_the_symbols(case):
    process, functions = CASES[case]()
    symbolic: Coefficients = process.coefficients()
    generator = torch.Generator().manual_seed(0)
    x = list(torch.randn(5, 2, dtype=torch.float64, generator=generator).unbind(1))
    time = torch.tensor(0.7, dtype=torch.float64)
    evaluator = Evaluator(functions, symbolic.noises, False)

    def numbers(expressions):
        return sp.lambdify([symbolic.time, *symbolic.states], expressions, "numpy")(0.7, *(v.numpy() for v in x))

    def same(found, expressions):
        for value, expected in zip(found, numbers(list(expressions)), strict=True):
            np.testing.assert_allclose(value.numpy(), np.broadcast_to(expected, (5,)), rtol=1e-12, atol=1e-13)

    c, a, B = symbolic, symbolic.drift, symbolic.diffusion
    same(evaluator.stratonovich_drift(time, x), c.stratonovich_drift)
    same(evaluator.L0_drift(time, x), [c.L0(e) for e in a])
    for row, expressions in zip(evaluator.jacobian(time, x), a, strict=True):
        same(row, [sp.diff(expressions, s) for s in c.states])
    for j in range(c.noises):
        same([row[j] for row in evaluator.diffusion(time, x)], c.column(j))
        same(evaluator.L0_diffusion(time, x, j), [c.L0(e) for e in c.column(j)])
        same(evaluator.L_drift(time, x, j), [c.L(j, e) for e in a])
        for k in range(c.noises):
            same(evaluator.L_diffusion(time, x, j, k), [c.L(j, row[k]) for row in B])


def test_whole_states_are_the_columns_put_together():
    _, sde = diagonal()
    noise = sj.Noise(3)
    for scheme in ("euler", "milstein"):
        whole = _with(sde, scheme=scheme)
        columns = _with(sde, scheme=scheme)
        object.__setattr__(columns, "_plan", (2, False))
        state = whole.initial(4, noise)
        np.testing.assert_allclose(
            whole.step(state, 2, noise)["x"].numpy(), columns.step(state, 2, noise)["x"].numpy(), rtol=1e-15
        )
        assert whole._plan == (2, True)


def networks(dtype=torch.float64):
    torch.manual_seed(0)
    a = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).to(dtype)
    b = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).to(dtype)
    return a, b


@pytest.mark.parametrize("scheme", ["euler", "milstein"])
def test_networks_as_coefficients_have_the_gradient_of_finite_differences(scheme):
    a, b = networks()
    noise = "diagonal" if scheme == "euler" else "scalar"
    sde = SDE(lambda t, x: a(x), lambda t, x: 0.2 * b(x), [0.3, -0.2], noise=noise, dt=0.05, scheme=scheme)

    def end():
        return sde.advance(sde.initial(6, sj.Noise(1)), 0, 5, sj.Noise(1))["x"].square().sum()

    weight = b[0].weight
    end().backward()
    gradient = weight.grad[3, 1].item()
    ends = []
    for shift in (1e-5, -2e-5):
        with torch.no_grad():
            weight[3, 1] += shift
        ends.append(end().item())
    assert gradient == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


def test_float32_networks_follow_the_float64_path():
    paths = []
    for dtype, name in ((torch.float64, "float64"), (torch.float32, "float32")):
        a, b = networks()
        a, b = a.to(dtype), b.to(dtype)
        sde = SDE(lambda t, x, a=a: a(x), lambda t, x, b=b: b(x), [0.3, -0.2], dt=0.02, dtype=name)
        with torch.no_grad():
            paths.append(path(sde)["x"].values)
    assert paths[1].dtype == np.float32
    np.testing.assert_allclose(paths[0], paths[1], atol=1e-5)


def test_the_driver_records_and_splits_an_ensemble():
    _, sde = general()
    whole = path(sde)["x"].values
    half = sde.advance(sde.initial(3, sj.Noise(5)), 0, 12, sj.Noise(5).members(4))["x"].numpy()
    np.testing.assert_array_equal(whole[4:, -1], half)


def bad(**changes):
    sde = SDE(lambda t, x: -x, lambda t, x: torch.ones_like(x), [1.0, 2.0])
    sde = _with(sde, **changes)
    return sde.step(sde.initial(100, sj.Noise(0)), 0, sj.Noise(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drift": lambda t, x: x[:, 0]}, r"drift returned shape \(100,\); needed is \(100, 2\)"),
        ({"drift": lambda t, x: 1.0}, "drift returned float; needed is a tensor"),
        ({"drift": lambda t, x: x.float()}, r"drift returned torch.float32; the state is torch.float64"),
        (
            {"diffusion": lambda t, x: x[0]},
            r"returned shape \(2,\); needed is \(100, 2\) with noise='diagonal'",
        ),
        ({"noise": "general"}, r"diffusion returned shape \(100, 2\); needed is \(100, 2, m\) with noise='general'"),
        ({"noise": "full"}, "noise='full' is not diagonal, scalar or general"),
        ({"dt": 0}, "dt=0 is not a positive number"),
        ({"substeps": 0}, "substeps=0 is not a whole number of 1 or more"),
        ({"dtype": "float16"}, "dtype='float16' is not float64 or float32"),
        ({"scheme": "magic"}, "scheme='magic' is not known"),
        ({"start": 1.0}, r"start has shape \(\); needed is \(d,\) or \(ensemble, d\)"),
        ({"start": "abc"}, "start='abc' is not numbers"),
        ({"start": []}, r"start has shape \(0,\)"),
        ({"drift": 3}, "drift=3 is not a function of t and x"),
        ({"noise": "general", "diffusion": lambda t, x: x[:, :, None][:, :, :0]}, "needed is one noise or more"),
        ({"start": torch.zeros(3, 2)}, "start has 3 members; the ensemble has 100"),
        (
            {"scheme": "milstein", "diffusion": lambda t, x: x.flip(1)},
            r"L1 B2 - L2 B1 = .* in the equation of x\[:, 0\]",
        ),
    ],
)
def test_bad_input_in_one_line(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        bad(**changes)
    assert "\n" not in str(caught.value)
