"""New reports: whose week, what they carry over, and that nothing is overwritten."""

import re
from datetime import date
from pathlib import Path

import pytest

from sojourn.errors import InputError
from sojourn.report.build import build
from sojourn.report.scaffold import lay_library, monday, new, plan_items

from .made import write

PLAN = """#plan[
  - read $x [0, 1)$ in @ho2020
  // - not this
  - #link("https://here.org/a//b]")[there] // a note
  - a box \\] and `raw ]` and https://here.org/[1]
    over two lines
  + third
]
"""


@pytest.mark.parametrize(("lang", "first"), [("zh", "项目进展"), ("en", "Progress")])
def test_a_new_report_builds_as_it_is(lang, first):
    folder = new("2025-09-08", lang=lang, author='李 "Li" 明')
    assert f"= {first}\n" in (folder / "week.typ").read_text(encoding="utf-8")
    report = build(folder)
    assert [path.name for path in report.files] == ["week.pdf"]
    assert report.warnings == ()


def test_any_day_belongs_to_its_monday():
    assert monday("2025-09-08") == monday("2025-09-14") == date(2025, 9, 8)
    assert new("2025-09-14").name == "2025-09-08"
    assert monday(None).weekday() == 0
    with pytest.raises(InputError, match="week='2025-9-8' is not a day such as 2025-09-08"):
        monday("2025-9-8")


def test_new_overwrites_nothing():
    folder = new("2025-09-08")
    (folder / "week.typ").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"reports/2025-09-08 exists and is not empty; nothing was changed"):
        new("2025-09-10")
    (folder / "sojourn" / "report.typ").write_text("mine too", encoding="utf-8")
    lay_library(folder)
    assert (folder / "week.typ").read_text(encoding="utf-8") == "mine"
    assert (folder / "sojourn" / "report.typ").read_text(encoding="utf-8") == "mine too"


def test_a_place_that_cannot_be_made_is_named():
    Path("taken").write_text("a file", encoding="utf-8")
    with pytest.raises(InputError, match=r"taken/2025-09-08 cannot be made: not a directory; choose another --dir"):
        new("2025-09-08", reports="taken")


def test_commands_quote_a_place_with_blanks():
    folder = new("2025-09-08", lang="zh", reports="我的 周报")
    assert 'sojourn report build "我的 周报/2025-09-08"\n' in (folder / "week.typ").read_text(encoding="utf-8")
    assert [path.name for path in build(folder).files] == ["week.pdf"]


def test_a_plan_is_read_with_its_brackets_comments_and_lines():
    assert plan_items(PLAN + "#let plan[ - not this ]") == [
        "read $x [0, 1)$ in @ho2020",
        '#link("https://here.org/a//b]")[there]',
        "a box \\] and `raw ]` and https://here.org/[1]\n    over two lines",
        "third",
    ]


def test_the_newest_earlier_plan_opens_the_next_report():
    write(new("2025-08-25"), "#plan[- too old]")
    write(new("2025-09-01"), PLAN)
    write(new("2025-09-22"), "#plan[- too new]")
    text = (new("2025-09-15", lang="zh") / "week.typ").read_text(encoding="utf-8")
    assert text.count("- [ ] ") == 4
    assert "#last-week-plan[\n  - [ ] read $x [0, 1)$ in @ho2020\n" in text
    assert "too" not in text


def test_without_an_earlier_plan_there_is_nothing_to_tick():
    text = (new("2025-09-08") / "week.typ").read_text(encoding="utf-8")
    assert "last-week-plan" not in text
    assert not re.search(r"WEEK|PLANNED|AUTHOR|FOLDER", text)
