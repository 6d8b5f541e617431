"""`sojourn run ito` and `sojourn simulate sde`: rates as predicted, the exact law, bad input in one line."""

from io import StringIO

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text
from scipy import stats

import sojourn as sj
from sojourn.calculus.equation import ItoEquation
from sojourn.experiments.ito import Ito, distance_from
from sojourn.runs import Run
from sojourn.view.summary import summary


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
        found = results[f"{scheme}_rate"]
        assert abs(found["value"] - rate) < 0.1
        assert found["interval"][1] - found["interval"][0] < 0.04
        assert found["guarantee"] == "asymptotic"
        assert "the bias of fitting a power law at finite h" in found["limits"]
        dt, error = np.array([(row["dt"], row["error"]) for row in run.metrics(scheme)]).T
        assert found["value"] == pytest.approx(np.polyfit(np.log(dt), np.log(error), 1)[0])
        assert results[f"{scheme}_finest_error"]["value"] == pytest.approx(error[0])
    assert results["law"] == "lognormal"
    assert results["distance"]["value"] < (np.log(2 / 1e-6) / 8000) ** 0.5 + 0.002
    assert results["distance"]["guarantee"] == "at this n"
    text = " ".join(Text.from_markup(line).plain for line in lines)
    assert text.count("(95%, Student, 16 batches of paths, asymptotic)") == 4
    assert "(95%, Dvoretzky-Kiefer-Wolfowitz, at this n) from it" in text
    shown = Console(width=200, record=True, file=StringIO())
    shown.print(summary(run))
    assert shown.export_text().count("%, Student, 16 batches of paths, asymptotic)") == 4
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
    assert found.rate is not None
    assert abs(found.rate.value) < 0.1


def test_the_interval_of_a_distance_holds_the_distance_of_the_law():
    """Uniform numbers beside the normal law, 2000 samples; misses are below 1/20 with false alarm 1e-6 (binomial)."""
    truth = max(stats.norm.cdf(x) - x if x > 0 else 0.5 for x in np.linspace(0, 1, 10_001))
    draws = np.random.default_rng(0).random((2000, 50))
    misses = sum(truth not in distance_from(stats.norm.cdf, sample) for sample in draws)
    assert misses <= stats.binom.ppf(1 - 1e-6, 2000, 0.05)
    exact = distance_from(stats.norm.cdf, np.zeros(10**6))  # half of the law is on either side
    assert exact.value == 0.5
    assert exact.half_width == pytest.approx((np.log(40) / 2e6) ** 0.5)


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
