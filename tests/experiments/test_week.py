"""The week's report: both languages tell the same, of runs that the recipe makes; what is finished is found again."""

import json
import shutil

import pytest

from sojourn import derivations
from sojourn.errors import InputError
from sojourn.experiments import week
from sojourn.experiments.blood import BloodToTumour
from sojourn.experiments.ddpm import Ddpm
from sojourn.experiments.gray_scott import GrayScottPattern
from sojourn.experiments.ito import Ito
from sojourn.experiments.life import LearnLife
from sojourn.experiments.ssm_speed import SsmSpeed
from sojourn.experiments.tail_bounds import TailBounds
from sojourn.experiments.week import Week
from sojourn.report.fonts import Chinese, chinese
from sojourn.report.scaffold import lay_library
from sojourn.report.typesetting import Document
from sojourn.report.writing import written
from sojourn.runs import Run

needs_chinese = pytest.mark.skipif(not chinese().song, reason="no Chinese font is here")


def speed(seed: int) -> SsmSpeed:
    return SsmSpeed(dimensions=(2,), objectives=("exact",), rounds=1, half=4, inducing=3, seed=seed)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """One run of a moment, and a report of one number in each language."""
    words = tmp_path / "example"
    words.mkdir()
    for name, lang in zip(week.TEXTS, ("zh", "en"), strict=True):
        show = f'#show: report.with(week: "2025-09-08", lang: "{lang}")'
        value = '#value-of("ssm-speed", "seconds.2.exact")'
        (words / name).write_text(f'#import "sojourn/report.typ": *\n{show}\n\n{value}\n', encoding="utf-8")
    monkeypatch.setattr(week, "example", lambda: words)
    monkeypatch.setattr(week, "_parts", lambda seed: {"ssm-speed": speed(seed)})
    return tmp_path


def needs(folder, text):
    """The calls in a text of runs, papers and derivations, without the language."""
    found = Document(folder / text, chinese().folders).needs()
    return {tuple(words[:2] if words[0] in ("report", "derivation") else words) for words in found}


def test_both_languages_call_for_the_same_of_runs_that_are_made(tmp_path):
    lay_library(tmp_path)
    for text in week.TEXTS:
        shutil.copy(week.example() / text, tmp_path)
    zh, en = (needs(tmp_path, text) for text in week.TEXTS)
    assert zh == en
    assert {words[1] for words in zh if words[0] in ("value", "figure", "film", "table")} == set(week._parts(0))
    derivations = {words[1] for words in zh if words[0] == "derivation"}
    assert {name.split("/")[0] for name in derivations} == {"ddpm", "ssm", "bounds", "ito"}
    assert len(derivations) == 10


def test_what_is_finished_is_found_again_and_words_stay_the_users(small):
    run = Run.create("week", Week(3).settings(), small / "week-1")
    told = Week(3).run(run)
    inner = run.path / "runs" / "ssm-speed"
    made, words = (inner / "run.json").read_bytes(), run.path / "report" / "week.en.typ"
    found = json.loads(made)["results"]["seconds"]["2"]["exact"]
    assert f'"text": "{written(found)}"' in (run.path / "report" / "sojourn" / "data.json").read_text(encoding="utf-8")
    words.write_text(words.read_text(encoding="utf-8") + "More.\n", encoding="utf-8")
    assert Week(3).run(run) == told
    assert (inner / "run.json").read_bytes() == made
    assert words.read_text(encoding="utf-8").endswith("More.\n")
    assert (run.path / "report" / "week.en.pdf").read_bytes().startswith(b"%PDF")
    assert run.record["results"]["seconds"] == {"ssm-speed": json.loads(made)["seconds"]}


def test_a_part_that_stopped_is_taken_up(small, monkeypatch):
    run = Run.create("week", Week(3).settings(), small / "week-1")
    monkeypatch.setattr(SsmSpeed, "_story", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        Week(3).run(run)
    inner = run.path / "runs" / "ssm-speed"
    assert Run.open(inner).status == "interrupted"
    times = (inner / "times" / "2.json").read_bytes()
    monkeypatch.undo()
    monkeypatch.setattr(week, "_parts", lambda seed: {"ssm-speed": speed(seed)})
    monkeypatch.setattr(week, "example", lambda: small / "example")
    Week(3).run(run)
    assert Run.open(inner).status == "finished"
    assert (inner / "times" / "2.json").read_bytes() == times


def test_a_part_with_other_settings_is_refused(small, monkeypatch):
    run = Run.create("week", Week(3).settings(), small / "week-1")
    Week(3).run(run)
    monkeypatch.setattr(week, "_parts", lambda seed: {"ssm-speed": speed(seed + 1)})
    with pytest.raises(InputError, match="ssm-speed was made with other settings; move it away"):
        Week(3).run(run)


def test_without_a_chinese_font_the_english_report_is_made(small, monkeypatch):
    monkeypatch.setattr(week, "chinese", lambda: Chinese("", "", "", ()))
    run = Run.create("week", Week(3).settings(), small / "week-1")
    story = "\n".join(Week(3).run(run))
    assert "there is no Chinese font; pip install 'sojourn\\[zh]'" in story
    assert not (run.path / "report" / "week.pdf").exists()
    assert (run.path / "report" / "week.en.pdf").exists()


@pytest.mark.slow
@needs_chinese
def test_the_report_is_answered_by_its_runs(tmp_path, monkeypatch):
    """The whole report, of runs as small as they can be: no experiment has lost a number or picture that it shows."""
    parts = {
        "life": LearnLife(networks=2, boards=8, side=16, soup=16, steps=4, save_every=2),
        "gray-scott": GrayScottPattern(shape=(192, 192), steps=2000),
        "blood": BloodToTumour(vessels=120, robots=60, duration="1.5 s", frames=4, dt="100 us"),
        "ddpm": Ddpm(training=5, diffusion_steps=4, sampling_steps=4, evaluated=2, samples=40),
        "ssm-speed": SsmSpeed(dimensions=(100, 800), rounds=1, half=4, inducing=3),
        "tail-bounds": TailBounds(repetitions=5, walk=5),
        "ito": Ito(steps=512, ensemble=160),
    }
    assert list(parts) == list(week._parts(0))
    monkeypatch.setattr(week, "_parts", lambda seed: parts)
    monkeypatch.setattr(derivations, "typeset", lambda name, lang: name)  # they are checked by tests of their own
    run = Run.create("week", Week().settings(), tmp_path / "week-1")
    Week().run(run)
    for text in week.TEXTS:
        assert (run.path / "report" / text).with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_wrong_settings_are_refused():
    with pytest.raises(InputError, match="seed=-1"):
        Week(-1)
