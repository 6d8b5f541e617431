"""`sojourn run tail-bounds`: what it shows is right, and it goes on where it was."""

from fractions import Fraction

import pytest

from sojourn.errors import InputError
from sojourn.experiments.tail_bounds import EXAMPLES, LAWS, TailBounds, maximum_of_martingale, maximum_of_walk
from sojourn.runs import Run


def test_the_maximum_of_the_walk_against_enumeration():
    """The law of (S_k, max) step by step in rationals: the reflection principle, and no bound below it."""
    n = 12
    law = {(0, 0): Fraction(1)}
    for _ in range(n):
        after: dict[tuple[int, int], Fraction] = {}
        for (s, top), p in law.items():
            for step in (-1, 1):
                key = (s + step, max(top, s + step))
                after[key] = after.get(key, Fraction(0)) + p / 2
        law = after
    levels, exact, found = maximum_of_walk(n)
    for k, t in enumerate(levels):
        truth = sum((p for (_, top), p in law.items() if top >= t), Fraction(0))
        assert exact[k] == float(truth)
        for name, bound in found.items():
            assert Fraction(bound[k]) >= truth, (name, t)


def test_the_maximum_of_the_martingale_against_enumeration():
    """The law of (M_k, max) in rationals, as for the walk; and Freedman's bounds see that it moves rarely."""
    n = 12
    law = {(0, 0): Fraction(1)}
    for _ in range(n):
        after: dict[tuple[int, int], Fraction] = {}
        for (m, top), p in law.items():
            chance = Fraction(1, 20) if m >= 0 else Fraction(1, 40)
            for step, q in ((-1, chance), (0, 1 - 2 * chance), (1, chance)):
                key = (m + step, max(top, m + step))
                after[key] = after.get(key, Fraction(0)) + p * q
        law = after
    levels, exact, found = maximum_of_martingale(n)
    for k, t in enumerate(levels):
        truth = sum((p for (_, top), p in law.items() if top >= t), Fraction(0))
        assert exact[k] == float(truth) or truth < Fraction(1, 10**15)
        for name, bound in found.items():
            assert Fraction(bound[k]) >= truth, (name, t)
    assert found["freedman"][5] < found["azuma"][5]
    assert found["fan_grama_liu"][5] < found["freedman_bennett"][5] < found["freedman"][5]


def test_a_small_run(tmp_path):
    """No bound is below what is attained; no promised coverage of 95% is refuted at 1e-6; a run gone on with agrees."""
    settings = TailBounds(repetitions=30, walk=20)
    run = Run.create("tail-bounds", settings.settings(), tmp_path / "run")
    with run.active():
        lines = settings.run(run)
    results = run.record["results"]
    for name in EXAMPLES:
        bounds = dict(results[name])
        attained = bounds.pop("attained")
        assert min(bounds.values()) >= attained > 0
    cells = results["coverage"]
    assert {cell["law"] for cell in cells} == set(LAWS)
    for cell in cells:
        if cell["kind"] != "asymptotic":
            assert cell["covered"]["interval"][1] >= 0.95
    assert len(list((tmp_path / "run" / "figures").glob("*.png"))) == len(EXAMPLES) + 3
    assert any("Lowest coverage" in line for line in lines)

    other = Run.create("tail-bounds", settings.settings(), tmp_path / "other")
    other.result(coverage=[cell for cell in cells if cell["law"] in list(LAWS)[:2]])  # as if it had been interrupted
    with other.active():
        settings.run(other)
    assert other.record["results"]["coverage"] == cells


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"repetitions": 0}, "repetitions=0 is below 1"),
        ({"walk": 1}, "walk=1 is below 2"),
        ({"walk": 5000}, "walk=5000 is beyond 200"),
        ({"confidence": 1.5}, r"confidence=1.5 is not in \(0, 1\)"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(InputError, match=message):
        TailBounds(**settings)
