"""`sojourn report new | build | watch`, from words to calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.report.typesetting import Format

HELP = """\
[bold]sojourn report[/] COMMAND ...   weekly reports from recorded runs, set with Typst

  [cyan]new[/] [OPTIONS]          a folder for a week, with week.typ to write in; nothing is ever overwritten
      --week 2025-09-08   any day of it (default: today); the folder is named after its Monday
      --lang zh           zh or en (default: en)
      --author NAME       for the first page and the headers
      --dir reports/      where the folders of the weeks lie (default: reports)
  [cyan]build[/] PLACE [OPTIONS]  PLACE is such a folder, or a .typ file in one
      --format pdf png    of pdf, png and svg (default: pdf)
      --update            accept figures and values that have changed since the report first used them
  [cyan]watch[/] PLACE            build again on every save, until Ctrl-C
"""


def command(arguments: list[str], say: Callable[[str], Any]) -> None:
    """Does what the words after `sojourn report` ask for; `say` prints a line.

    Raises:
        InputError: unknown words, and all that `new` and `build` raise.
    """
    if not arguments or {"-h", "--help"} & set(arguments):
        return say(HELP)
    verb, *rest = arguments
    if verb == "new":
        _new(rest, say)
    elif verb == "build":
        _build(rest, say)
    elif verb == "watch":
        _watch(rest, say)
    else:
        raise InputError(f"report has no command {verb!r}; there are: new, build, watch")


def _new(arguments: list[str], say: Callable[[str], Any]) -> None:
    from sojourn.report.scaffold import as_word, new

    options = _options(arguments, "report new", ("--week", "--lang", "--author", "--dir"))
    if places := options.pop("", None):
        raise InputError(f"report new takes options only, and {' '.join(places)!r} was given; say --dir {places[0]}")
    for flag, values in options.items():
        if len(values) != 1:
            raise InputError(f"{flag} needs one value, and {len(values)} were given")
    given = {flag: values[0] for flag, values in options.items()}
    folder = new(
        given.get("--week"),
        lang=given.get("--lang", "en"),
        author=given.get("--author", ""),
        reports=given.get("--dir", "reports"),
    )
    text = escape(str(folder / "week.typ"))
    say(f"Write in [bold]{text}[/], then [bold]sojourn report build {escape(as_word(folder))}[/]")


def _build(arguments: list[str], say: Callable[[str], Any]) -> None:
    from sojourn.report.build import FORMATS, build

    options = _options(arguments, "report build", ("--format", "--update"))
    # a place after `--format pdf` or `--update` is a place all the same
    formats: tuple[Format, ...] = tuple(form for form in FORMATS if form in options.get("--format", []))
    places = [word for words in options.values() for word in words if word not in formats]
    if "--format" in options and not formats:
        given = options["--format"][:1] or ["nothing"]
        raise InputError(f"--format {given[0]} is not here; it takes one or more of: {', '.join(FORMATS)}")
    report = build(_one(places, "build"), formats=formats or FORMATS[:1], update="--update" in options)
    for warning in report.warnings:
        say(f"[yellow]{escape(warning)}[/]")
    for path in report.files:
        say(escape(str(path)))


def _watch(arguments: list[str], say: Callable[[str], Any]) -> None:
    from sojourn.report.watch import watch

    place = _one(_options(arguments, "report watch", ()).get("", []), "watch")
    for made in watch(place):
        if isinstance(made, InputError):
            say(f"[red]{escape(str(made))}[/]")
        else:
            say("\n".join(escape(line) for line in [*made.warnings, *map(str, made.files)]))


def _one(places: list[str], verb: str) -> str:
    if len(places) != 1:
        given = repr(" ".join(places)) if places else "none"
        raise InputError(f"report {verb} takes one folder or .typ file, and {given} was given")
    return places[0]


def _options(arguments: list[str], program: str, known: tuple[str, ...]) -> dict[str, list[str]]:
    """The values after each flag; those before the first under ""."""
    found: dict[str, list[str]] = {}
    flag = ""
    for word in arguments:
        if word.startswith("--"):
            flag, equals, value = word.partition("=")
            if flag not in known:
                there = f"there are {', '.join(known)}" if known else "it takes none"
                raise InputError(f"{program} has no option {flag}; {there}")
            found[flag] = [value] if equals else []
        else:
            found.setdefault(flag, []).append(word)
    return found
