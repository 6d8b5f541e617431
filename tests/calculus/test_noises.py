"""Brownian motions with correlations and Poisson processes with marks."""

import copy
import pickle

import pytest
import sympy as sp

from sojourn import InputError
from sojourn.calculus import ItoProcess, brownian, poisson, symbols

lam, p, s, k, S, mu, sigma = symbols("lam p s k S mu sigma", positive=True)
m, rho, Y, x = symbols("m rho Y x", real=True)
sp_normal = sp.exp(-((Y - m) ** 2) / (2 * s**2)) / (sp.sqrt(2 * sp.pi) * s)


def test_motions_of_one_call_are_correlated_and_of_two_calls_independent():
    W1, W2 = brownian("W1 W2", correlation=rho)
    B = brownian("B")
    assert W1.correlation(W2) == W2.correlation(W1) == rho
    assert W1.correlation(W1) == 1
    assert W1.correlation(B) == 0
    assert brownian("W1 W2")[0] != W1  # of one name, but of another family
    assert pickle.loads(pickle.dumps(W1)) == copy.deepcopy(W1) == W1


@pytest.mark.parametrize(
    ("law", "moments"),
    [
        ({1: p, -1: 1 - p}, [2 * p - 1, 1, 2 * p - 1]),
        ((sp_normal, -sp.oo, sp.oo), [m, m**2 + s**2, m**3 + 3 * m * s**2]),
        ((k * sp.exp(-k * Y), 0, sp.oo), [1 / k, 2 / k**2, 6 / k**3]),
        ((sp.Rational(1, 2), -1, 1), [0, sp.Rational(1, 3), 0]),
    ],
)
def test_moments_of_marks(law, moments):
    N = poisson("N", rate=lam, mark=Y, law=law)
    for power, moment in enumerate(moments, 1):
        assert sp.simplify(N.mean(x * Y**power + 1) - x * moment - 1) == 0


def test_other_means_of_marks():
    N = poisson("N", rate=lam, mark=Y, law=(sp_normal, -sp.oo, sp.oo))
    assert sp.simplify(N.mean(sp.exp(Y)) - sp.exp(m + s**2 / 2)) == 0
    f = sp.Function("f")
    assert N.mean(f(x)) == f(x)
    assert N.mean(f(x + Y)) == sp.Integral(f(x + Y) * sp_normal, (Y, -sp.oo, sp.oo))
    assert poisson("N", rate=lam).mean(x**2) == x**2


def test_a_process_knows_the_parameters_of_its_jumps():
    N = poisson("N", rate=lam, mark=Y, law={1: p, -1: 1 - p})
    X = ItoProcess(S, mu * S, {}, jumps={N: S * (sp.exp(Y) - 1)})
    assert [q.name for q in X.parameters] == ["lam", "mu", "p"]
    (changed,) = X.subs({lam: 2, p: sp.Rational(1, 4)}).jumps
    assert (changed.rate, changed.mean(Y)) == (2, -sp.Rational(1, 2))
    assert pickle.loads(pickle.dumps(N)) == copy.deepcopy(N) == N


@pytest.mark.parametrize("number", [1.0, -0.5])
def test_correlations_may_become_singular_by_their_numbers(number):
    """Three motions of one correlation: B B^T is rho, also where a root of it in symbols would divide by 0."""
    motions = brownian("A B C", correlation=rho)
    process = ItoProcess(symbols("a b c"), [0] * 3, dict(zip(motions, sp.eye(3).tolist(), strict=True)))
    covariance = process(rho=number).coefficients().covariance
    assert (covariance - process.correlation().subs(rho, number)).norm() < 1e-12


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: poisson("N", rate=-1), "rate=-1 of N is negative"),
        (lambda: poisson("N", rate=1, mark=Y), "N needs mark and law together"),
        (lambda: poisson("N", rate=1, law={1: 1}), "N needs mark and law together"),
        (lambda: poisson("N", rate=1, mark=Y, law={1: 0.5}), "law of Y has the total 0.5"),
        (lambda: poisson("N", rate=1, mark=Y, law={1: 2, 0: -1}), "law of Y has the probability -1"),
        (lambda: poisson("N", rate=1, mark=Y, law=(sp.exp(-2 * Y), 0, sp.oo)), "law of Y has the total 1/2"),
        (lambda: poisson("N", rate=1, mark=Y, law=3), "law=3 is neither"),
        (lambda: brownian(""), "needs different names"),
        (lambda: brownian("W W"), "needs different names"),
        (lambda: brownian(3), "needs different names"),
        (lambda: brownian("A B", correlation="x"), "correlation='x' is neither a number, nor a symbol, nor a matrix"),
        (lambda: brownian("A B", correlation=[[1, 2], [3]]), "is neither a number, nor a symbol, nor a matrix"),
        (lambda: brownian("A B", correlation=sp.I), "is not real"),
        (lambda: brownian("A B", correlation=2), "correlation of A and B is 2, outside [-1, 1]"),
        (lambda: brownian("A B C", correlation=-0.6), "not positive semi-definite: its lowest eigenvalue is -0.2"),
        (lambda: brownian("A B", correlation=[[1, 0], [0.5, 1]]), "is 0.5 one way and 0 the other"),
        (lambda: brownian("A B", correlation=[[1]]), "correlation has shape (1, 1); 2 Brownian motions need (2, 2)"),
        (lambda: brownian("A B", correlation=[[2, 0], [0, 1]]), "correlation of A with itself is 2"),
        (lambda: ItoProcess(S, 0, {}, jumps={x: 1}), "jumps name x, which is no Poisson process"),
    ],
)
def test_bad_input_is_told_in_one_line(make, message):
    with pytest.raises(InputError) as error:
        make()
    assert message in str(error.value)
