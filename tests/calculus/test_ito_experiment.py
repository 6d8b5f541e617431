"""`sojourn run ito` and `sojourn simulate sde`: rates as predicted, the exact law, bad input in one line."""

import numpy as np
import pytest

import sojourn as sj
from sojourn.calculus.equation import ItoEquation
from sojourn.experiments.ito import Ito
from sojourn.runs import Run


@pytest.mark.slow
def test_the_derived_equation_agrees_at_the_predicted_rates(tmp_path):
    """Rates within 0.1 of 1/2 and 1; their 95% half widths are below 0.02, so 0.1 is beyond 1e-6, as is the law."""
    experiment = Ito(steps=512, ensemble=4000)
    run = Run.create("ito", experiment.settings(), tmp_path / "run")
    with run.active():
        lines = experiment.run(run)
    results = run.record["results"]
    for scheme, rate in (("euler", 0.5), ("milstein", 1.0)):
        assert results[f"{scheme}_predicted"] == rate
        assert abs(results[f"{scheme}_rate"] - rate) < 0.1
        assert results[f"{scheme}_rate_half_width_95"] < 0.02
        dt, error = np.array([(row["dt"], row["error"]) for row in run.metrics(scheme)]).T
        assert results[f"{scheme}_rate"] == pytest.approx(np.polyfit(np.log(dt), np.log(error), 1)[0])
    assert results["law"] == "lognormal"
    assert results["distance"] < (np.log(2 / 1e-6) / 8000) ** 0.5 + 0.002
    assert "d log(X) = (μ - σ²/2) dt + σ dW" in (run.path / "derivation.txt").read_text()
    assert "d log(X) = (μ - σ²/2) dt + σ dW" in "\n".join(lines)
    assert {p.name for p in (run.path / "figures").glob("*.png")} == {"agreement.png", "both-ways.png", "paths.png"}


def test_the_rule_without_its_second_derivative_would_be_seen():
    """With the ordinary chain rule, d log X = mu dt + sigma dW, the difference does not go to zero: sigma^2 T / 2."""
    import sympy as sp

    from sojourn.experiments.ito import Agreement

    experiment = Ito(steps=512, ensemble=400)
    _, df, system = experiment.derive()
    X, mu = system.states[0], next(s for s in system.parameters if s.name == "mu")
    wrong = system._with(drift=[mu * X, mu])
    found = Agreement.of(experiment, wrong, df.value, "milstein")
    assert sp.simplify(system.drifts[1] - wrong.drifts[1]) != 0
    assert found.error.min() > 0.17  # 0.6^2 / 2 = 0.18
    assert abs(found.rate) < 0.1


def test_equations_as_text_simulate_as_symbols_do():
    written = ItoEquation("dX = mu*X*dt + sigma*X*dW", "mu=0.05, sigma=0.2", "X=1", dt=0.01, scheme="milstein")
    path = sj.simulate(written, steps=20, ensemble=7, seed=3, progress=False)
    same = sj.simulate(written.discretised, steps=20, ensemble=7, seed=3, progress=False)
    np.testing.assert_array_equal(path.dataset["X"], same.dataset["X"])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Ito(equation="dX = mu*X*dt + sigma*Y*dW"), "depends on Y"),
        (lambda: Ito(values="mu=0.3"), 'depends on sigma, which has no value; add it to --values "sigma=1.0"'),
        (lambda: Ito(values="mu=0.3, sigma=0.6, nu=1"), "no parameter 'nu'"),
        (lambda: Ito(function="log(Z)"), '"Z" in "log(Z)" does not stand in the equation; known are X, mu, sigma, t'),
        (lambda: Ito(function="Abs(X)"), "function='Abs(X)' has a kink"),
        (lambda: Ito(schemes=("euler", "weak2")), "scheme 'weak2' is right in law only and follows no path"),
        (lambda: Ito(start="X"), 'start: "X" is not name=number; write start as "X=1"'),
        (lambda: Ito(function="log(X-1)"), "at the start"),
        (lambda: Ito(start="Y=1"), "has no X"),
        (lambda: Ito(schemes=("rk4",)), "scheme='rk4'"),
        (lambda: Ito(schemes=()), "compare one to four"),
        (lambda: Ito(steps=500), "multiple of 512"),
        (lambda: Ito(ensemble=3), "ensemble=3"),
        (lambda: Ito(horizon=-1.0), "horizon=-1.0"),
        (lambda: ItoEquation(start="X=1, Y=2"), "names Y"),
        (lambda: ItoEquation("X = 3"), "dX"),
    ],
)
def test_bad_input_is_one_line(make, told):
    with pytest.raises(sj.InputError) as caught:
        make()
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
