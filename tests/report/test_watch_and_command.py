"""Watching, and the words of the command line."""

import sys

import pytest

from sojourn import cli
from sojourn.errors import InputError
from sojourn.report.watch import watch

from .made import WEEK, begin, draw, estimate, make_run, write


def sojourn(monkeypatch, capsys, *arguments):
    """Exit code, standard output and standard error of `sojourn report` with these words."""
    monkeypatch.setattr(sys, "argv", ["sojourn", "report", *map(str, arguments)])
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


def test_watch_builds_once_for_every_change():
    """Looks at still files build nothing; a saved text, a saved run and a mended error each build once."""
    run = make_run("life", rate=1)
    draw(run, "rollout.png")
    folder = begin("a")
    saves = {
        3: lambda: write(folder, '#value-of("life", "rate")'),
        6: lambda: run.result(rate=2, more="than before"),
        9: lambda: write(folder, 'longer than before: #value-of("life", "more")'),
        12: lambda: (folder / "references.bib").write_text("@misc{x, title={X}}", encoding="utf-8"),
    }
    looks = 0

    def pause(seconds):
        nonlocal looks
        looks += 1
        saves.pop(looks, lambda: None)()
        if looks > 15:
            raise KeyboardInterrupt

    made = []
    with pytest.raises(KeyboardInterrupt):
        made.extend(watch(folder, pause=pause))
    assert not saves
    # extend keeps what came before the interruption
    kinds = [isinstance(one, InputError) for one in made]
    assert kinds == [False, False, True, False, False]
    assert "has changed since this report first used it" in str(made[2])


def test_from_new_to_pdf(monkeypatch, capsys):
    code, out, _ = sojourn(
        monkeypatch, capsys, "new", "--week", "2025-09-10", "--lang=zh", "--author", "李明", "--dir", "r/"
    )
    assert code == 0
    assert "sojourn report build r/2025-09-08" in out
    make_run("life", rate=estimate(0.5, 0.4, 0.6))
    code, out, _ = sojourn(monkeypatch, capsys, "build", "--format", "png", "pdf", "r/2025-09-08", "--update")
    assert (code, out.split()) == (0, ["r/2025-09-08/week.pdf", "r/2025-09-08/week-1.png"])


def test_a_warning_of_typst_is_printed_and_the_pdf_made(monkeypatch, capsys):
    folder = begin('#set text(font: "No Such Font")\nx')
    code, out, _ = sojourn(monkeypatch, capsys, "build", folder)
    assert (code, out) == (
        0,
        f"reports/{WEEK}/week.typ:3: unknown font family: no such font\nreports/{WEEK}/week.pdf\n",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("frob", "report has no command 'frob'; there are: new, build, watch"),
        ("new here", "report new takes options only, and 'here' was given; say --dir here"),
        ("new --wek 2025-09-08", "report new has no option --wek; there are --week, --lang, --author, --dir"),
        ("new --week", "--week needs one value, and 0 were given"),
        ("new --week 2025-13-01", "week='2025-13-01' is not a day such as 2025-09-08"),
        ("new --lang fr", "lang='fr' is not here; choose zh or en"),
        ("build", "report build takes one folder or .typ file, and none was given"),
        ("build a b", "report build takes one folder or .typ file, and 'a b' was given"),
        ("build a --format docx", "--format docx is not here; it takes one or more of: pdf, png, svg"),
        ("build nowhere", "no report at nowhere; `sojourn report new` makes one"),
        ("watch a --update", "report watch has no option --update; it takes none"),
    ],
)
def test_bad_words_are_one_line_and_exit_code_2(monkeypatch, capsys, words, message):
    code, _, err = sojourn(monkeypatch, capsys, *words.split())
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_help_tells_the_commands(monkeypatch, capsys):
    code, out, _ = sojourn(monkeypatch, capsys)
    assert code == 0
    assert all(word in out for word in ("new [OPTIONS]", "build PLACE", "watch PLACE", "--update"))
