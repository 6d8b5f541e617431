"""The two-minute experiment: parts are runs of their own, and missing data leave out a part and say so."""

import json

import pytest

from sojourn.errors import InputError
from sojourn.experiments import ssm
from sojourn.experiments.ssm import Ssm
from sojourn.experiments.ssm_speed import SsmSpeed
from sojourn.runs import Run


def test_parts_without_data_are_left_out_and_the_others_are_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("SOJOURN_DATA", str(tmp_path / "none"))
    parts = ssm._parts(3)
    small = SsmSpeed(dimensions=(2,), objectives=("exact",), rounds=1, half=4, inducing=3, seed=3)
    monkeypatch.setattr(ssm, "_parts", lambda seed: {**parts, "ssm-speed": lambda: small})
    run = Run.create("ssm", Ssm(3).settings(), tmp_path / "run")
    story = "\n".join(Ssm(3).run(run))
    for name in ("ssm-uci", "ssm-nice", "ssm-vae"):
        assert f"{name}[/] was left out: " in story
    assert "winequality-red.csv" in story
    assert "SOJOURN_DATA" in story
    inner = Run.open(tmp_path / "run" / "ssm-speed")
    assert inner.status == "finished"
    assert run.record["results"] == {"ssm-speed": inner.record["results"]}
    assert json.dumps(Ssm(3).run(run)) == json.dumps(story.split("\n"))  # a second time nothing is measured anew


def test_wrong_settings_are_refused():
    with pytest.raises(InputError, match="seed=-1"):
        Ssm(-1)
