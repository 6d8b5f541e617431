"""The generated kernel equals `step` to rounding, for every scheme, and knows no chunks, company or threads."""

import os
import subprocess
import sys
from functools import cache

import pytest
import sympy as sp
import torch

from sojourn.calculus import ItoProcess, brownian
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.process import Process
from sojourn.processes.ito.numba_source import source
from sojourn.processes.ito.schemes import SCHEMES

x, y, v = sp.symbols("x y v", real=True)
t = sp.Symbol("t", positive=True)
theta, mu, sigma = sp.symbols("theta mu sigma", positive=True)
W = brownian("W")
W1, W2 = brownian("W1 W2", correlation=-0.7)
ROOT = sp.sqrt(sp.Max(v, 0))
_SMOOTH = (sp.exp, sp.sin, sp.cos, sp.tan, sp.sinh, sp.cosh, sp.tanh, sp.atan, sp.erf)
FUNCTIONS = (
    sum(f(x / 4) / (k + 2) for k, f in enumerate(_SMOOTH))
    + sp.log(1 + x**2)
    + (1 + x**2) ** theta
    + (2 + sp.Abs(x)) ** sp.Rational(-3, 2)
    + sp.Min(x, 1)
    + x**5 / (3 + x**2)
    + sp.sign(x)
    + sp.Piecewise((x, (x > 0) & (x < 1)), (1, x < mu), (-x, True))
)


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOJOURN_CACHE", str(tmp_path_factory.mktemp("kernels")))
        yield


@cache
def processes():
    """A small zoo: additive, scalar, diagonal and general noise; time; square roots; functions."""
    values = {"theta": 1.5, "mu": 0.3, "sigma": 0.4}
    zoo = {
        "ornstein-uhlenbeck": ItoProcess(x, theta * (mu - x), {W: sigma}, initial=1.0),
        "geometric": ItoProcess(x, mu * x, {W: sigma * x}, initial=1.0),
        "square root": ItoProcess(v, theta * (mu - v), {W: sigma * ROOT}, initial=0.1),
        "heston": ItoProcess(
            [y, v], [mu * y, theta * (mu - v)], {W1: [ROOT * y, 0], W2: [0, sigma * ROOT]}, initial=[100.0, 0.1]
        ),
        "levy": ItoProcess([x, y], [-x, -y], {W1: [sigma, x / 10], W2: [y / 5, 0.5]}, initial=[1.0, 0.2]),
        "time": ItoProcess(x, -x * t, {W: sigma * (1 + t) * x}, initial=1.0),
    }
    return {name: process(**{s.name: values[s.name] for s in process.parameters}) for name, process in zoo.items()}


def accepted(scheme, **options):
    """The zoo discretised by a scheme, where the scheme takes it and it can be written as a kernel."""
    for name, process in processes().items():
        try:
            discretised = process.discretise(1 / 64, scheme, **options)
            source(discretised.program, discretised.levy_terms)
        except InputError:
            continue
        yield name, discretised


def by_steps(process, state, t, steps, noise):
    return Process.advance(process, state, t, steps, noise)


def distance(a, b):
    """The largest difference, as a part of the largest value."""
    return max(float((a[k] - b[k]).abs().max() / b[k].abs().max()) for k in b)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_kernel_equals_step_for_every_scheme(scheme):
    noise = Noise(7).members(3)
    found = list(accepted(scheme))[-2:]
    assert found, f"no process of the zoo goes with {scheme}"
    for name, process in found:
        state = process.initial(37, noise)
        error = distance(process.advance(state, 5, 9, noise), by_steps(process, state, 5, 9, noise))
        assert error < 3e-15, (name, error)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_function_has_a_form_in_the_kernel(dtype):
    process = ItoProcess(x, FUNCTIONS - x, {W: sigma * sp.cos(x)}, initial=1.0)(theta=1.5, mu=0.3, sigma=0.4)
    discretised = process.discretise(1 / 64, dtype=dtype)
    assert source(discretised.program, 1)
    noise = Noise(1)
    state = {"x": torch.linspace(-2, 2, 101, dtype=getattr(torch, dtype))}
    error = distance(discretised.advance(state, 0, 3, noise), by_steps(discretised, state, 0, 3, noise))
    assert error < (1e-14 if dtype == "float64" else 2e-6), error


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scheme", ["euler", "milstein", "milstein-levy", "sri"])  # W, W, WA, WZ
def test_substeps_join_as_in_step(scheme, dtype):
    noise = Noise(2**63 + 5).members(3)
    for name, process in list(accepted(scheme, dtype=dtype, substeps=3))[-2:]:
        state = process.initial(21, noise)
        error = distance(process.advance(state, 2, 5, noise), by_steps(process, state, 2, 5, noise))
        assert error < (3e-15 if dtype == "float64" else 1e-6), (name, error)


@pytest.mark.parametrize(("scheme", "substeps"), [("euler", 1), ("euler", 3), ("milstein-levy", 1)])
def test_a_result_depends_on_neither_chunks_nor_company_nor_threads(scheme, substeps, monkeypatch):
    from sojourn.processes.ito import numba_source

    for _, process in list(accepted(scheme, substeps=substeps, dtype="float32"))[-2:]:
        noise = Noise(11)
        state = process.initial(133, noise)
        whole = process.advance(state, 1, 13, noise)
        chunks = state
        for begin, end in ((1, 2), (2, 5), (5, 11), (11, 14)):
            chunks = process.advance(chunks, begin, end - begin, noise)
        part = process.advance({k: value[50:61] for k, value in state.items()}, 1, 13, noise.members(50))
        monkeypatch.setattr(numba_source, "_GRAIN", 1)
        threads = process.advance(state, 1, 13, noise)
        monkeypatch.undo()
        for k in whole:
            assert torch.equal(whole[k], chunks[k])
            assert torch.equal(whole[k], threads[k])
            assert torch.equal(whole[k][50:61], part[k])


def test_gradients_and_parameters_of_one_a_member_go_through_step():
    ou = processes()["ornstein-uhlenbeck"]
    noise = Noise(1)
    level = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    process = ou(mu=level).discretise(1 / 64)
    process.advance(process.initial(5, noise), 0, 64, noise)["x"].sum().backward()
    assert level.grad is not None
    # d E X / d mu = 1 - (1 - theta h)^64 a member
    assert float(level.grad) == pytest.approx(5 * (1 - (1 - 1.5 / 64) ** 64), rel=1e-12)
    levels = torch.linspace(0, 1, 5, dtype=torch.float64)
    process = ou(mu=levels).discretise(1 / 64)
    state = process.initial(5, noise)
    together = process.advance(state, 0, 8, noise)["x"]
    for k, one in enumerate(levels):
        alone = ou(mu=float(one)).discretise(1 / 64).advance(state, 0, 8, noise)["x"]
        assert float(together[k]) == pytest.approx(float(alone[k]), rel=1e-14)


def test_nan_stays_nan_and_the_padding_touches_nobody():
    process = processes()["square root"].discretise(1 / 64)
    start = torch.full((5,), 0.1, dtype=torch.float64)
    bad = start.clone()
    bad[2] = torch.nan
    noise = Noise(1)
    clean, spoilt = (process.advance({"v": s}, 0, 4, noise)["v"] for s in (start, bad))
    assert torch.isnan(spoilt[2])
    others = [0, 1, 3, 4]
    assert torch.equal(clean[others], spoilt[others])


def test_new_numbers_and_new_processes_find_the_machine_code(tmp_path):
    program = """
import sympy as sp
from sojourn.calculus import ItoProcess, brownian
from sojourn.kernels import generated
from sojourn.noise import Noise
from sojourn.processes.ito import numba_source
x, a = sp.symbols("x a")
for value, dt in ((1.0, 0.1), (2.0, 0.2)):
    process = ItoProcess(x, -a * x, {brownian("W"): 1}, initial=1.0)(a=value).discretise(dt)
    process.advance(process.initial(3, Noise(1)), 0, 3, Noise(1))
kernel = numba_source._kernel(process.program, process.levy_terms)
print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""
    environment = {**os.environ, "SOJOURN_CACHE": str(tmp_path)}
    said = [
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == [b"0 1\n", b"1 0\n"]
    assert len(list(tmp_path.glob("*.py"))) == 1


def test_a_folder_that_cannot_be_written_and_old_kernels(tmp_path, monkeypatch):
    from sojourn.kernels import generated

    text = "from numba import njit\n\n\n@njit(cache=True, nogil=True)\ndef advance(x):\n    return x + {}\n"
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setenv("SOJOURN_CACHE", str(blocked / "inside"))
    assert generated.module(text.format(1)).advance(1) == 2
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path / "kernels"))
    monkeypatch.setattr(generated, "KEPT", 2)
    for k in range(2, 6):
        assert generated.module(text.format(k)).advance(1) == 1 + k
    assert len(list((tmp_path / "kernels").glob("*.py"))) == 2


@pytest.mark.parametrize(
    ("drift", "told"),
    [
        (sp.Integral(x * t, (t, 0, x)), "has no numerical form here"),
        (sp.Sum(x**y, (y, 0, 3)), "has no numerical form here"),
        (sp.oo, "oo in an SDE is not a finite real number"),
        (sp.I * x, "I in an SDE is not a finite real number"),
        (sp.Integer(10) ** 400 * x, "is not a finite real number"),
        (sp.Piecewise((1, x > 0)), "has no value where no condition holds"),
        (x > 0, "is not an expression"),
    ],
)
def test_what_has_no_number_everywhere_is_refused(drift, told):
    def run():
        process = ItoProcess(x, drift, {W: 1}, initial=1.0).discretise(0.1)
        process.advance(process.initial(3, Noise(1)), 0, 1, Noise(1))

    with pytest.raises(InputError, match=told):
        run()


def test_conditions_of_every_kind_and_values_at_a_jump():
    places = torch.tensor([-2.0, 0.0, 0.5, 2.0], dtype=torch.float64)
    for drift, values in (
        (sp.Piecewise((1, sp.Not(sp.And(x > 0, x < 2))), (0, True)), [1, 1, 0, 1]),
        (sp.Piecewise((1, sp.ITE(x > 0, x < 1, x < -1)), (0, True)), [1, 0, 1, 0]),
        (sp.Piecewise((1, sp.Xor(x > 0, x < 1)), (0, True)), [1, 1, 0, 1]),
        (sp.Piecewise((1, x > 0), (2, x <= 0)), [2, 2, 1, 1]),
        (sp.Heaviside(x, 1), [0, 1, 1, 1]),
    ):
        process = ItoProcess(x, drift, {}).discretise(1.0)
        for advance in (Process.advance, type(process).advance):
            moved = advance(process, {"x": places}, 0, 1, Noise(1))["x"] - places
            assert moved.tolist() == values


def test_areas_of_too_many_terms_go_through_step():
    process = processes()["levy"].discretise(1e-7, "milstein-levy")
    noise = Noise(2)
    state = process.initial(3, noise)
    assert distance(process.advance(state, 0, 1, noise), process.step(state, 0, noise)) == 0


def test_a_program_of_too_many_statements_goes_through_step(monkeypatch):
    monkeypatch.setattr("sojourn.processes.ito.numba_source._LONGEST", 0)
    process, noise = processes()["geometric"].discretise(0.1), Noise(2)
    state = process.initial(3, noise)
    assert distance(process.advance(state, 0, 2, noise), by_steps(process, state, 0, 2, noise)) == 0


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("abc", "mu='abc' is not a finite real number"),
        ([1, 2], r"mu=\[1, 2\] is not a finite real number"),
        (torch.ones(2, 2), r"mu is of shape \(2, 2\)"),
        (torch.ones(3), "mu has 3 values for an ensemble of 5"),
    ],
)
def test_a_parameter_is_a_number_or_one_a_member(value, told):
    def run():
        process = processes()["ornstein-uhlenbeck"](mu=value).discretise(0.1)
        process.advance(process.initial(5, Noise(1)), 0, 1, Noise(1))

    with pytest.raises(InputError, match=told):
        run()


def test_the_start_may_be_an_expression_in_parameters():
    begin = ItoProcess(x, -x * mu, {W: 1}, initial=2 * mu)
    assert begin(mu=0.5).discretise(0.1).initial(2, Noise(1))["x"].tolist() == [1.0, 1.0]
    with pytest.raises(InputError, match="the initial x = I is not a finite real number"):
        begin.starting(sp.I)(mu=1.0).discretise(0.1)
