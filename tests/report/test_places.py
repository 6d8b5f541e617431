"""Runs, figures, results and tables by the names that a user writes."""

import pytest

from sojourn.errors import InputError
from sojourn.report import tables
from sojourn.report.places import Places, leaves, lookup, picture, result
from sojourn.runs import write_json

from .made import draw, estimate, make_run


def test_the_nearest_run_of_a_name_is_taken(tmp_path):
    report = tmp_path / "reports" / "2025-09-08"
    report.mkdir(parents=True)
    far = make_run("life", exact=1)
    assert Places(report).run("life").path == far.path.resolve()
    near = make_run("life", root=report / "runs", exact=2)
    assert Places(report).run("life").path == near.path.resolve()
    make_run("ssm-1/ssm-nice", exact=3)
    assert Places(report).run("ssm-1/ssm-nice").record["results"] == {"exact": 3}
    assert set(Places(report).all()) == {"life", "ssm-1/ssm-nice"}


@pytest.mark.parametrize("name", ["life2", "", "..", "/", "../runs/life"])
def test_a_run_that_is_not_there_is_named_with_those_that_are(tmp_path, name):
    make_run("life")
    with pytest.raises(InputError, match=rf'no run "{name}"; runs here: life'):
        Places(tmp_path).run(name)


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    make_run("life", status="failed")
    with pytest.raises(InputError, match='run "life" is not finished but failed; `sojourn resume runs/life` goes on'):
        Places(tmp_path).finished("life")


def test_two_figures_of_one_name_are_refused_until_the_ending_is_written():
    run = make_run("life")
    draw(run, "rollout.png")
    (run.path / "figures" / "rollout.svg").write_text("<svg/>")
    with pytest.raises(
        InputError, match=r"rollout\.png and rollout\.svg, both called \"rollout\"; write the ending too"
    ):
        picture(run, "rollout", "life")
    assert picture(run, "rollout.svg", "life").name == "rollout.svg"
    with pytest.raises(InputError, match=r'no figure "roll"; its figures: rollout\.png, rollout\.svg'):
        picture(run, "roll", "life")


def test_results_by_dotted_paths():
    inner = {"held out": estimate(1.7, 1.6, 1.8), "0.05": {"rate": 3}}
    run = make_run("ddpm", bound=inner, cases=[{"error": 0.5}, {"error": 0.25}])
    assert result(run, "bound.held out", "ddpm")["value"] == 1.7
    assert result(run, "bound.0.05.rate", "ddpm") == 3
    assert result(run, "cases.1.error", "ddpm") == 0.25
    assert result(run, "settings.boards", "ddpm") == 64
    assert result(run, "seconds", "ddpm") == 12.5
    with pytest.raises(InputError, match=r'"bound" of run "ddpm" is not one value; go on with one of: held out, 0\.05'):
        result(run, "bound", "ddpm")
    with pytest.raises(InputError, match='"cases" of run "ddpm" is not one value; go on with one of: 0 to 1'):
        result(run, "cases", "ddpm")
    with pytest.raises(InputError, match=r'no result "bond.held out"; it has: bound.held out, bound.0.05.rate'):
        result(run, "bond.held out", "ddpm")


def test_every_leaf_is_found_at_its_own_path():
    tree = {"a.b": {"c": 1, "d.e.f": {"g": [2, {"h": 3}]}}, "i": estimate(1, 0, 2)}
    assert len(leaves(tree)) == 4
    for path, value in leaves(tree):
        assert lookup(tree, path) == value


def test_tables_from_csv_json_and_results():
    row = {"case": "one", "error": estimate(0.5, 0.4, 0.6), "nested": [1]}
    run = make_run("blood", free={"share": estimate(0.25, 0.2, 0.3), "count": 7}, cases=[row, row | {"case": "two"}])
    (run.path / "doses.csv").write_text("organ,dose [mol]\nliver,0.5\ntumour,\n", encoding="utf-8")
    write_json(run.path / "rates.json", {"first": {"rate": 1}, "second": {"rate": 2}})

    table, _ = tables.read(run, "doses", "blood")
    assert table["columns"] == [{"name": "organ", "numeric": False}, {"name": "dose [mol]", "numeric": True}]
    assert table["rows"] == [["liver", "0.5"], ["tumour", "–"]]
    assert tables.read(run, "rates", "blood")[0]["rows"] == [["first", "1"], ["second", "2"]]
    table, _ = tables.read(run, "free", "blood")
    assert table["rows"] == [["share", "0.25 [0.20,\u00a00.30]"], ["count", "7"]]
    table, _ = tables.read(run, "cases", "blood")
    assert [column["name"] for column in table["columns"]] == ["case", "error"]
    with pytest.raises(InputError, match=r'no table "dose"; it has: doses.csv, rates.json, free, cases'):
        tables.read(run, "dose", "blood")
    (run.path / "doses.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"doses.csv and doses.json, all called"):
        tables.read(run, "doses", "blood")
    with pytest.raises(InputError, match="has no rows of values"):
        tables.read(run, "doses.json", "blood")
