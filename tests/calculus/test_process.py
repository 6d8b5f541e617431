"""Declaring a process: correlations folded into independent noise, values for symbols, bad input in one line."""

import numpy as np
import pytest
import sympy as sp
import torch

import sojourn as sj
from sojourn.calculus import ItoProcess, StratonovichProcess, brownian, symbols
from sojourn.observers import NonFiniteError, find_non_finite

t, S, mu, sigma = symbols("t S mu sigma", positive=True)
v, kappa, theta, xi, rho = symbols("v kappa theta xi rho", positive=True)
W = brownian("W")
GBM = ItoProcess(S, drift=mu * S, diffusion={W: sigma * S}, initial=1)


def heston(correlation=rho, variance=v, state=v):
    W1, W2 = brownian("W1 W2", correlation=correlation)
    drift = [mu * S, kappa * (theta - state)]
    diffusion = {W1: [sp.sqrt(variance) * S, 0], W2: [0, xi * sp.sqrt(variance)]}
    return ItoProcess([S, state], drift, diffusion, initial=[1, theta])


def test_independent_noise_has_the_same_covariance():
    X = heston()
    B = sp.Matrix(X.coefficients().diffusion)
    assert sp.simplify(B * B.T - X.covariance()) == sp.zeros(2, 2)
    assert X.covariance() == sp.Matrix([[S**2 * v, rho * xi * S * v], [rho * xi * S * v, xi**2 * v]])


@pytest.mark.parametrize("correlation", [1, -1, [[1, 0.5, 0.5], [0.5, 1, 1], [0.5, 1, 1]]])
def test_singular_correlations_are_allowed(correlation):
    from sojourn.calculus.noises import square_root

    n = 3 if isinstance(correlation, list) else 2
    motions = brownian(" ".join(f"W{k}" for k in range(n)), correlation=correlation)
    matrix = sp.Matrix(n, n, lambda i, j: motions[i].correlation(motions[j]))
    L = np.array(square_root(matrix).tolist(), dtype=float)
    np.testing.assert_allclose(L @ L.T, np.array(matrix.tolist(), dtype=float), atol=1e-12)


def test_values_stay_apart_from_symbols():
    X = GBM(mu=0.05)
    assert X.drift == mu * S
    assert X.numeric().drift == 0.05 * S
    assert X(sigma=0.2).values == {"mu": 0.05, "sigma": 0.2}
    assert ItoProcess(S, mu * S, {W: sigma * S}, initial=1) == GBM
    assert GBM != X


def test_simulated_moments_are_those_of_the_law():
    """E S_1 = e^mu, and log S_1 is normal with variance sigma^2; 7 standard errors: false alarm below 1e-11."""
    n = 40_000
    step = GBM(mu=0.05, sigma=0.2).discretise(dt=0.02, scheme="milstein")
    last = sj.simulate(step, steps=50, ensemble=n, seed=0, progress=False).dataset["S"].values[:, -1]
    assert abs(last.mean() - np.exp(0.05)) < 7 * 0.22 / n**0.5 + 1e-4
    assert abs(np.log(last).var() / 0.04 - 1) < 7 * (2 / n) ** 0.5 + 2e-3


def test_a_stratonovich_process_is_simulated_by_its_ito_form():
    """dS = sigma S o dW is S_0 exp(sigma W): Heun's step follows it path by path, with an error of order h."""
    X = StratonovichProcess(S, 0, {W: sigma * S}, initial=1, values={"sigma": 0.5})
    step = X.discretise(dt=1 / 512)
    assert step.scheme == "heun"
    last = sj.simulate(step, steps=512, ensemble=200, seed=2, progress=False).dataset["S"].values[:, -1]
    motion = sj.simulate(
        ItoProcess(S, 0, {W: 1}, initial=0).discretise(dt=1 / 512), steps=512, ensemble=200, seed=2, progress=False
    )
    np.testing.assert_allclose(last, np.exp(0.5 * motion.dataset["S"].values[:, -1]), rtol=2e-3)


def test_gradients_reach_parameters_and_states():
    """d S_T / d mu = T S_T and d S_T / d S_0 = S_T / S_0, in the limit; here of (1 + mu h + ...)^n exactly."""
    rate = torch.tensor(0.05, dtype=torch.float64, requires_grad=True)
    start = torch.ones(3, dtype=torch.float64, requires_grad=True)
    step = GBM(mu=rate, sigma=0.2).discretise(dt=0.1)
    state = {"S": start}
    noise, growth = sj.Noise(1), 0.0
    for k in range(10):
        dW = step.increments(k, 3, noise, torch.float64, "cpu").W[0]
        growth = growth + 0.1 / (1 + 0.05 * 0.1 + 0.2 * dW)
        state = step.step(state, k, noise)
    last = state["S"]
    (by_rate,) = torch.autograd.grad(last.sum(), rate, retain_graph=True)
    (by_start,) = torch.autograd.grad(last.sum(), start)
    torch.testing.assert_close(by_rate, (last * growth).sum())
    torch.testing.assert_close(by_start, last)


def test_substeps_follow_the_same_path():
    """With additive noise and no drift, Euler is exact: coarse and fine agree wherever both are."""
    x = sp.Symbol("x")
    X = ItoProcess(x, 0, {W: 2}, initial=0)
    fine = sj.simulate(X.discretise(dt=0.1), steps=12, save_every=4, ensemble=5, seed=3)
    coarse = sj.simulate(X.discretise(dt=0.4, substeps=4), steps=3, save_every=1, ensemble=5, seed=3)
    np.testing.assert_allclose(fine.dataset["x"], coarse.dataset["x"], atol=1e-12)
    np.testing.assert_allclose(fine.dataset["time"], coarse.dataset["time"])


def bad(make, *parts):
    with pytest.raises(sj.InputError) as caught:
        make()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_bad_input_is_one_line():
    bad(lambda: brownian("W1 W2", correlation=1.2), "correlation of W1 and W2 is 1.2, outside [-1, 1]")
    bad(lambda: brownian("A B C", correlation=-0.6), "positive semi-definite")
    bad(lambda: brownian("A B", correlation=[[1, 0.2], [0.3, 1]]), "symmetric")
    bad(lambda: brownian("A B", correlation=[[2, 0], [0, 1]]), "with itself is 2")
    bad(lambda: brownian("A A"), "different names")
    bad(lambda: heston()(rho=1.5), "correlation of W1 and W2 is 1.5, outside [-1, 1]")
    for number in ("a", 1j, float("nan"), float("inf"), sp.I, sp.nan, sp.oo, None, [1.0]):
        bad(lambda number=number: GBM(mu=number), f"mu={number!r} is not a finite real number")
    bad(lambda: GBM(nu=1.0), "no parameter 'nu'", "mu, sigma")
    bad(lambda: GBM(mu=0.05).discretise(dt=0.1), "depends on sigma", "X(sigma=1.0)")
    bad(lambda: ItoProcess(S, mu * S, {sigma: S}), "no Brownian motion", "brownian('W')")
    bad(lambda: ItoProcess([S, v], [mu * S], {W: [S, v]}), "drift has 1 entry; 2 states need 2")
    bad(lambda: ItoProcess(S, [mu, mu], {W: S}), "drift has 2 entries; 1 state needs 1")
    bad(lambda: ItoProcess(S, mu * S, W), "diffusion=W does not say of which motion; write {W: W}")
    bad(lambda: ItoProcess(S, mu * S, {}, jumps=[S]), "jumps=[S] does not say of which process")
    bad(lambda: GBM.discretise(dt=0.1, foo=2), "discretise has no option 'foo'; there are: dtype, substeps")
    bad(lambda: ItoProcess(S, W * S, {W: S}), "W stands in a coefficient")
    bad(lambda: ItoProcess(S, "mu*S", {W: S}), "not an expression")
    bad(lambda: GBM(mu=0.05, sigma=0.2).discretise(dt=-1), "dt=-1")
    bad(lambda: GBM(mu=0.05, sigma=0.2).discretise(dt=0.1, scheme="rk4"), "scheme='rk4'", "euler")
    bad(lambda: heston(0.3)(mu=0, kappa=1, theta=1, xi=1).discretise(dt=0.1, scheme="milstein"), "commutes", "levy")


def test_fields_without_axes_have_no_place():
    state = {"S": torch.tensor([0.0, float("nan")]), "u": torch.ones(2, 3)}
    assert find_non_finite(state) == "field 'S' of member 1 is not finite"
    state = {"u": torch.tensor([[1.0, 2.0], [3.0, float("inf")]])}
    assert find_non_finite(state) == "field 'u' of member 1 is not finite at (1,)"


def test_a_path_that_leaves_the_domain_is_told_where_and_why():
    numbers = {"mu": 0.05, "kappa": 2, "theta": 0.04, "xi": 0.3}
    step = heston(-0.7)(**numbers).discretise(dt=0.01)
    told = r"sqrt\(v\) is not real at v = -.*declare v real, not positive, and write sqrt\(Max\(v, 0\)\)"
    with pytest.raises(NonFiniteError, match=told):
        sj.simulate(step, steps=100, ensemble=1000, progress=False)
    y = sp.Symbol("v", real=True)
    truncated = heston(-0.7, variance=sp.Max(y, 0), state=y)(**numbers)
    sj.simulate(truncated.discretise(dt=0.01), steps=100, ensemble=1000, progress=False)
