"""Building: the same bytes, hashes that lock, and every error as one line with file, line and remedy."""

import json
import os
import shutil
import subprocess
import sys
from types import ModuleType

import pytest

from sojourn.errors import InputError
from sojourn.report import fonts
from sojourn.report.build import build

from .made import WEEK, begin, draw, estimate, film, make_run, write

FULL = """
= One
#progress-since-last-week()
Here #value-of("life", "rate") of #value-of("life", "settings.boards"), see @fig, @film and @tab.
#value-of("life", "rate", percent: true)
#figure-of("life", "rollout", caption: [Two]) <fig>
#film-of("life", "film", frames: 3, times: ([0], [1], [2])) <film>
#table-of("life", "cases", columns: (case: [Case], error: [Error])) <tab>
#three-line(columns: 2, [a], [b], [1], value-of("life", "rate"))
#paper("2006.11239") and @song2019.
#last-week-plan[
  - [x] done
  - [ ] open
]
#plan[- more]
"""


@pytest.fixture
def life():
    cases = [{"case": "a", "error": 1}, {"case": "b", "error": 2}]
    run = make_run("life", rate=estimate(0.5, 0.4, 0.6), cases=cases, front=None)
    draw(run, "rollout.png")
    film(run, "film.mp4")
    return run


def refused(folder, message, **options):
    with pytest.raises(InputError) as caught:
        build(folder, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_same_inputs_give_the_same_bytes(life, lang):
    folder = begin(FULL, lang=lang)
    first = {path.name: path.read_bytes() for path in build(folder, formats=("pdf", "png", "svg")).files}
    assert "week.pdf" in first
    assert len(first) >= 3
    second = {path.name: path.read_bytes() for path in build(folder, formats=("pdf", "png", "svg")).files}
    assert first == second
    # anew from the texts alone, in another place
    shutil.rmtree(folder / "sojourn" / "figures")
    (folder / "sojourn" / "data.json").unlink()
    shutil.move(folder, "elsewhere")
    assert {path.name: path.read_bytes() for path in build("elsewhere", formats=("pdf", "png", "svg")).files} == first


def test_place_clock_language_and_umask_change_no_byte(life, monkeypatch, tmp_path):
    folder = begin(FULL, lang="zh").resolve()
    first = {path.name: path.read_bytes() for path in build(folder, formats=("pdf", "png", "svg")).files}
    for name in ("figures", "derivations", "data.json", "references.bib"):
        place = folder / "sojourn" / name
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    code = f"""
import os, sys
os.umask(0o077)
from sojourn.report.build import build
build({str(folder)!r}, formats=("pdf", "png", "svg"))
"""
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    changed = {"TZ": "Pacific/Kiritimati", "LANG": "tr_TR.ISO-8859-9", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=elsewhere, env=os.environ | changed)
    assert {name: (folder / name).read_bytes() for name in first} == first


def test_captions_heads_and_headings_hold_values(life):
    """What is asked for within something that is itself asked for is found in one build."""
    write(
        folder := begin(),
        """== Of #value-of("life", "settings.boards")
#figure-of("life", "rollout", caption: [One #value-of("life", "rate")])
#film-of("life", "film", frames: (0%, 100%), times: ([a], value-of("life", "settings.duration")), caption: [@song2019])
#table-of("life", "cases", columns: (case: [C], error: value-of("life", "seconds")), caption: [#paper("2006.11239")])
#grid(columns: 2, figure-of("life", "rollout", caption: [a]), figure-of("life", "rollout", caption: [b]))
#paper("2006.11239") again
""",
    )
    build(folder)
    found = json.loads((folder / "sojourn" / "data.json").read_text(encoding="utf-8"))["found"]
    asked = ("rate|number", "settings.boards|number", "settings.duration|number", "seconds|number")
    assert {f"value|life|{words}" for words in asked} <= set(found)
    write(folder, '#if "sojourn-asks" not in sys.inputs [#value-of("life", "rate")]')
    refused(folder, '"life · rate" was not asked for when the text was first read')


def test_an_editor_can_show_what_was_built(life):
    """The data beside the text are all that Typst needs."""
    folder = begin(FULL)
    build(folder)
    data = json.loads((folder / "sojourn" / "data.json").read_text(encoding="utf-8"))
    assert data["found"]["value|life|rate|number"]["text"] == "0.50 [0.40,\u00a00.60]"
    assert data["found"]["value|life|rate|percent"]["text"] == "50% [40%,\u00a060%]"
    for path in (data["found"]["figure|life|rollout"]["path"], *data["found"]["film|life|film|3"]["frames"]):
        assert (folder / "sojourn" / path).is_file()
    write(folder, "nothing")
    build(folder)
    assert not list((folder / "sojourn" / "figures").iterdir())  # what no text uses goes


def test_a_folder_that_cannot_be_written_to_is_named(monkeypatch):
    folder = begin("a")
    monkeypatch.setattr(os, "access", lambda place, mode: False)  # a superuser may write anywhere
    refused(folder, f"reports/{WEEK} cannot be written to; copy it to where it can, and build it there")


def test_two_texts_share_a_folder(life):
    folder = begin(FULL)
    build(folder)
    text = (folder / "week.typ").read_text(encoding="utf-8").replace('lang: "en"', 'lang: "zh"')
    (folder / "week.zh.typ").write_text(
        text.split("#figure-of")[0].replace(", see @fig, @film and @tab", ""), encoding="utf-8"
    )
    assert [path.name for path in build(folder / "week.zh.typ").files] == ["week.zh.pdf"]
    assert len(list((folder / "sojourn" / "figures").iterdir())) == 4
    before = (folder / "week.pdf").read_bytes()
    build(folder)
    assert (folder / "week.pdf").read_bytes() == before


def test_pages_of_a_longer_report_go(life):
    folder = begin("one #pagebreak() two #pagebreak() three")
    assert [path.name for path in build(folder, formats=("png",)).files] == ["week-1.png", "week-2.png", "week-3.png"]
    write(folder, "one")
    build(folder, formats=("png",))
    assert [path.name for path in sorted(folder.glob("*.png"))] == ["week-1.png"]
    assert not (folder / "week.pdf").exists()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('\n\n#value-of("lief", "rate")', 5, 'no run "lief"; runs here: life'),
        ('#value-of("life", "rat")', 3, 'run "life" has no result "rat"; it has: rate'),
        ('#value-of("life", "rate", percent: 1)', 3, "expected boolean"),
        ('#figure-of("life", "roll")', 3, 'run "life" has no figure "roll"; its figures: rollout.png'),
        ('a\n#figure(figure-of("life", "roll"))', 4, 'no figure "roll"'),
        ('#let f = value-of.with("gone")\n\n#f("x")', 5, 'no run "gone"'),
        ('#film-of("life", "film", frames: 40)', 3, "frames=40 is more than the 9 that film.mp4 has"),
        ('#film-of("life", "film", frames: ())', 3, "frames: none are asked for"),
        (
            '#film-of("life", "film", frames: 2.5)',
            3,
            "frames: 2.5 is neither a whole number of frames nor places such as",
        ),
        ('#film-of("life", "film", frames: (0%, 120%))', 3, "frames: 0%,120% is neither a whole number"),
        ('#film-of("life", "film", frames: (50%, 20%))', 3, "frames at 0.5, 0.2 are not one after the other"),
        ('#value-of("life", "front")', 3, 'run "life" did not find a "front": its value is empty; say so in words'),
        ('#import "@local/none-such:0.0.1"', 3, "this package is not on this machine; put its files beside the text"),
        ('#table-of("life", "case")', 3, 'run "life" has no table "case"; it has: cases'),
        (
            '#table-of("life", "cases", columns: ("x",))',
            3,
            'the table "cases" has no column "x"; it has: "case", "error"',
        ),
        ('#paper("1234.56789")', 3, 'no paper "1234.56789" is known; add its BibTeX entry to references.bib'),
        ("@nowhere", 3, "label `<nowhere>` does not exist in the document; label what it means, or add"),
        ("\n#unknown()", 4, "unknown variable: unknown"),
        ("#figure-of(", 3, "unclosed delimiter"),
        ('#image("gone.png")', 3, "file not found"),
        (
            "a\n\nb \U00020bb7 and \ua66e",
            5,
            "no font here has \U00020bb7\ua66e; write it otherwise",
        ),
    ],
)
def test_errors_name_file_line_and_remedy(life, text, line, message):
    folder = begin(text)
    assert refused(folder, message).startswith(f"reports/{WEEK}/week.typ:{line}: ")
    assert not (folder / "week.pdf").exists()


@pytest.mark.parametrize(
    ("opening", "message"),
    [
        ('report.with(week: "2025-09-08", lang: "fr")', 'week.typ:2: lang: "fr" is not here; write "zh" or "en"'),
        ('report.with(week: "2025-09-31")', 'week.typ:2: week: "2025-09-31" is not a day such as 2025-09-08'),
        ("it => it", "week.typ: it never calls report; begin with #show: report.with("),
    ],
)
def test_a_bad_opening_is_named(opening, message):
    folder = begin()
    (folder / "week.typ").write_text(f'#import "sojourn/report.typ": *\n#show: {opening}\nx', encoding="utf-8")
    refused(folder, message)


def test_chinese_without_a_chinese_font_is_refused(monkeypatch):
    monkeypatch.setattr(fonts, "_system", lambda: [])
    monkeypatch.setattr(fonts, "_extra", lambda: None)
    refused(begin("你好", lang="zh"), "week.typ:2: there is no Chinese font here; pip install 'sojourn[zh]' brings one")
    shutil.rmtree("reports")
    build(begin("hello"))
    refused(begin("你好", week="2025-09-15"), "week.typ:3: no font here has 你好; write it otherwise")


def test_what_is_no_report_is_refused(tmp_path):
    refused("nowhere", "no report at nowhere; `sojourn report new` makes one")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "talk.typ").write_text("x", encoding="utf-8")
    refused("bare", "no report at bare; it has talk.typ; name one of them")
    refused("bare/talk.typ", "bare has no sojourn/report.typ; `sojourn report new` makes a folder that has")


def test_a_changed_value_or_figure_is_stale_until_it_is_accepted(life):
    folder = begin('#value-of("life", "rate")\n#figure-of("life", "rollout")')
    build(folder)
    lock = (folder / "week.lock.json").read_text(encoding="utf-8")
    life.result(rate=estimate(0.7, 0.6, 0.8))
    message = refused(folder, 'value "rate" of run "life" has changed since this report first used it (')
    assert message.startswith(f"reports/{WEEK}/week.typ:3: ")
    assert message.endswith("look at it, then build with --update")
    assert (folder / "week.lock.json").read_text(encoding="utf-8") == lock
    build(folder, update=True)
    build(folder)
    draw(life, "rollout.png", shade=99)
    assert refused(folder, 'figure "rollout" of run "life" has changed').startswith(f"reports/{WEEK}/week.typ:4: ")
    life.result(other=1)  # no figure or value of the report
    build(folder, update=True)


def test_a_hash_outlives_a_call_that_was_taken_out_for_a_while(life):
    folder = begin('#value-of("life", "rate")')
    build(folder)
    write(folder, "nothing")
    build(folder)
    life.result(rate=0.1)
    write(folder, '#value-of("life", "rate")')
    refused(folder, 'value "rate" of run "life" has changed')


def test_a_run_that_is_gone_or_broken_fails_the_build(life):
    folder = begin('#value-of("life", "rate")\n\n#progress-since-last-week()')
    build(folder)
    life.record["status"] = "failed"
    life.save()
    refused(folder, 'week.typ:3: run "life" is not finished but failed; `sojourn resume runs/life` goes on')
    shutil.rmtree(life.path)
    refused(folder, 'week.typ:3: no run "life"; there are no runs here yet')
    write(folder, "\n\n#progress-since-last-week()")
    refused(
        folder, 'week.typ:5: run "life" was finished in this week and is gone; bring it back, or build with --update'
    )
    build(folder, update=True)


def test_new_runs_of_the_week_are_no_change(life):
    folder = begin("#progress-since-last-week()")
    build(folder)
    make_run("ito", "ito", rate=1)
    build(folder)
    life.result(rate=1)
    refused(folder, 'finished run "life" has changed since this report first used it')


def test_a_derivation_is_checked_once_and_kept(monkeypatch):
    calls = []

    def typeset(name, lang):
        calls.append((name, lang))
        if name == "wrong":
            raise InputError("wrong.md:7: this line does not follow; at x = 1 the sides are 1 and 2")
        return f"*{name}* $ x &= y && quad #text[by hand] $"

    module = ModuleType("sojourn.derivations")
    vars(module)["typeset"] = typeset
    monkeypatch.setitem(sys.modules, "sojourn.derivations", module)
    folder = begin('#derivation("ddpm/forward-weights")\n#derivation("mine.md")')
    (folder / "mine.md").write_text("first", encoding="utf-8")
    build(folder)
    build(folder)
    assert calls == [("ddpm/forward-weights", "en"), (str(folder / "mine.md"), "en")]
    (folder / "mine.md").write_text("second", encoding="utf-8")
    build(folder)
    assert len(calls) == 3
    assert len(list((folder / "sojourn" / "derivations").iterdir())) == 2
    write(folder, '\n#derivation("wrong")')
    refused(folder, "week.typ:4: wrong.md:7: this line does not follow; at x = 1 the sides are 1 and 2")


def test_building_imports_nothing_heavy(life):
    begin(FULL)
    heavy = ("torch", "sympy", "matplotlib", "numba", "scipy", "xarray", "PIL")
    code = f"""
import sys
from sojourn.report.build import build
build("reports/{WEEK}")
found = [name for name in {heavy} if name in sys.modules]
assert not found, found
"""
    build(f"reports/{WEEK}")  # the frames of the film are kept
    subprocess.run([sys.executable, "-c", code], check=True)


def test_characters_of_values_and_pictures_are_checked_too(life):
    life.result(odd="\ua66e")
    refused(begin('a\n#value-of("life", "odd")'), "week.typ: no font here has \ua66e (in a value or an SVG picture)")
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text y="9">\ua66e</text></svg>'
    (life.path / "figures" / "odd.svg").write_text(svg, encoding="utf-8")
    write("reports/" + WEEK, '#figure-of("life", "odd")')
    refused("reports/" + WEEK, "week.typ: no font here has \ua66e (in a value or an SVG picture)")
