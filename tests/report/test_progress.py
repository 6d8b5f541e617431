"""A week from the records of its runs."""

from datetime import date

import pytest

from sojourn.errors import InputError
from sojourn.report.places import Places
from sojourn.report.progress import progress

from .made import estimate, make_run

MONDAY = date(2025, 9, 8)


def week(tmp_path, *names):
    return progress(Places(tmp_path), MONDAY, names)


def test_a_week_goes_from_monday_to_sunday_midnight_utc(tmp_path):
    make_run("before", created="2025-09-07T23:59:59+00:00")
    make_run("first", created="2025-09-08T00:00:00+00:00")
    make_run("elsewhere", created="2025-09-08T01:00:00+08:00")  # still Sunday in UTC
    make_run("last", created="2025-09-14T23:59:59+00:00")
    make_run("after", created="2025-09-15T00:00:00+00:00")
    found, digests = week(tmp_path)
    assert [line["run"] for line in found["ran"]] == ["first", "last"]
    assert set(digests) == {"first", "last"}


def test_better_worse_and_the_same_are_told_by_intervals(tmp_path):
    """Lower is better for the bound of a DDPM; here one interval is below, one above, one across, one unknown."""
    old = {"a": estimate(2.0, 1.9, 2.1), "b": estimate(2.0, 1.9, 2.1), "c": estimate(2.0, 1.9, 2.1), "d": 2.0}
    new = {"a": estimate(1.7, 1.6, 1.8), "b": estimate(2.5, 2.4, 2.6), "c": estimate(1.8, 1.7, 1.95), "d": 1.5}
    make_run("older", "ddpm", created="2025-08-01T00:00:00+00:00", bound={"a": estimate(9, 8, 10)})
    make_run("old", "ddpm", created="2025-09-01T00:00:00+00:00", bound=old, parameters=5)
    make_run("new", "ddpm", bound=new, parameters=6)
    found, _ = week(tmp_path)
    told = {kind: [row["metric"] for row in found[kind]] for kind in ("better", "worse", "same", "open")}
    assert told == {"better": ["bound.a"], "worse": ["bound.b"], "same": ["bound.c"], "open": ["bound.d"]}
    assert {row["before_run"] for kind in told for row in found[kind]} == {"old"}


def test_whole_numbers_are_exact_and_higher_may_be_better(tmp_path):
    make_run("one", created="2025-09-08T08:00:00+00:00", exact_rate=estimate(0.5, 0.4, 0.6), differing_cells=3)
    make_run("two", created="2025-09-09T08:00:00+00:00", exact_rate=estimate(0.9, 0.8, 0.95), differing_cells=0)
    found, _ = week(tmp_path)
    assert [row["metric"] for row in found["better"]] == ["exact_rate", "differing_cells"]
    assert found["better"][0]["before_run"] == "one"


def test_what_failed_is_told_with_its_error_and_parts_stand_for_their_whole(tmp_path):
    make_run("ssm", "ssm")
    make_run("ssm/nice", "ssm-nice")
    broken = make_run("broken", status="failed")
    broken.record["error"] = "FloatingPointError: not finite\nmore"
    broken.save()
    make_run("stopped", status="running")  # its process is gone
    found, digests = week(tmp_path)
    assert {line["run"] for line in found["ran"]} == {"ssm/nice", "broken", "stopped"}
    assert found["failed"] == [
        {"run": "broken", "status": "failed", "error": "FloatingPointError: not finite"},
        {"run": "stopped", "status": "interrupted", "error": ""},
    ]
    assert set(digests) == {"ssm/nice"}


def test_runs_may_be_named_whatever_their_dates(tmp_path):
    make_run("life", created="2026-01-01T00:00:00+00:00")
    assert [line["run"] for line in week(tmp_path, "life")[0]["ran"]] == ["life"]
    with pytest.raises(InputError, match='no run "lief"; runs here: life'):
        week(tmp_path, "lief")
