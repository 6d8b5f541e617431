"""`sojourn run blood-control`: shares with intervals, what guidance gains, and the same again after an interruption."""

import json

import pytest

from sojourn.errors import InputError
from sojourn.experiments.blood_control import BloodControl
from sojourn.runs import Run


@pytest.mark.slow
def test_guidance_beats_the_flow_and_a_run_goes_on(tmp_path):
    """Without a field a quarter goes to the target, to 5.7 sigmas of 500 robots; half would be 13, far below 1e-6."""
    experiment = BloodControl(ensemble=500, turns=2, learners=40, intervals=16, swarms=8)
    run = Run.create("blood-control", experiment.settings(), tmp_path / "run")
    with run.active():
        lines = experiment.run(run)
    results = run.record["results"]
    assert results["none_in_target"]["value"] == pytest.approx(0.25, abs=0.11)
    assert results["feedback_in_target"]["value"] > 0.5
    assert results["none_in_target"]["family"] == 10
    assert results["none_in_target"]["method"] == "Clopper-Pearson"
    assert results["feedback_in_target"]["observations"] == 8
    assert len(run.metrics("optimise")) == 2
    assert any("direction steers" in line for line in lines)
    assert {p.name for p in (run.path / "figures").glob("*.png")} == {"field.png", "gates.png", "places.png"}
    schedule = json.loads((run.path / "schedule.json").read_text())
    assert max(schedule["ramp"]) == pytest.approx(0.04)  # the coil's rate binds
    before = json.loads((run.path / "optimised.json").read_text())
    assert sum(before["in_target"]) + before["moving"] <= before["robots"] == 500
    assert len(json.loads((run.path / "feedback.json").read_text())["in_target"]) == 8
    (run.path / "optimised.json").unlink()
    with run.active():
        assert experiment.run(run) == lines
    assert json.loads((run.path / "optimised.json").read_text()) == before


def test_bad_settings_are_refused():
    with pytest.raises(InputError, match=r"^turns=0 is below 1; give 1 or more"):
        BloodControl(turns=0)
    with pytest.raises(InputError, match=r"^radius='3 mT' is not a length; give metres or text such as '20 um'"):
        BloodControl(radius="3 mT")
    with pytest.raises(
        InputError, match=r"^the robot, 18 um across, is larger than its vessel: vessel 3 has diameter=12.599 um"
    ):
        BloodControl(radius="9 um")


def test_intervals_too_few_or_too_many_are_refused_before_anything_runs():
    line = (
        r"^intervals=2 of 40 ms end before any robot comes to the first gate, after 173\.\d+ ms; give more than 4, and"
    )
    with pytest.raises(InputError, match=line):
        BloodControl(intervals=2)
    with pytest.raises(InputError, match=r"^intervals=22 of 1 us end before any robot comes to the first gate"):
        BloodControl(interval="1 us")
    line = (
        r"^interval='1 us', intervals=500000 and ensemble=20000 would run about \d+ hours, [\d,]+ steps of 1 us a simul"
    )
    with pytest.raises(InputError, match=line):
        BloodControl(interval="1 us", intervals=500_000)
    assert 60 < BloodControl().lasts < 300
