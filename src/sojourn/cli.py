"""The command line: `sojourn list | run | resume | show | simulate | ito | bound | derive | report | doctor`.

Help and start-up import nothing heavy; each command imports what it needs. Bad input is one line and exit code 2.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import shlex
import sys
from dataclasses import fields, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.experiments.base import Experiment
    from sojourn.runs import Run

_HELP = """\
[bold]Sojourn[/] simulates a process, learns it from data, and proves what was learned.

[bold]Usage[/]  sojourn COMMAND ...

  [cyan]list[/]                      what can be simulated and run here
  [cyan]run[/] EXPERIMENT [OPTIONS]  run a recipe; --help after its name lists the options, --out names a folder
  [cyan]resume[/] RUN                finish a run that was interrupted, with the same results to the bit
  [cyan]show[/] RUN                  a readable summary of a run
  [cyan]simulate[/] PROCESS [...]    simulate one process and keep its trajectory
  [cyan]ito[/] EQUATION [--of F]     the Ito calculus of "dX = mu*X*dt + sigma*X*dW", or the derivation of dF
  [cyan]bound[/] [OPTIONS]           tail inequalities for means and sums, the tightest first
  [cyan]derive[/] check FILE         check a derivation line by line; the first that does not follow, with numbers
  [cyan]report[/] new | build | watch   weekly reports from recorded runs, in Chinese or English
  [cyan]doctor[/]                    what is installed, which device, threads and fonts

  --debug                   show the whole traceback of an error
  --version                 print the version

[bold]Start with[/]  sojourn run life
"""


def main() -> None:
    """The console command; exits 0 on success, 2 on bad input, 130 when interrupted."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    try:
        _dispatch([a for a in arguments if a != "--debug"])
    except KeyboardInterrupt:
        _say("[yellow]interrupted[/]; nothing that was saved is lost")
        sys.exit(130)
    except (InputError, OSError, FloatingPointError) as error:
        if debug:
            raise
        _fail(error)


def _dispatch(arguments: list[str]) -> None:
    commands = {
        "list": _list,
        "run": _run,
        "resume": _resume,
        "show": _show,
        "simulate": _simulate,
        "ito": _ito,
        "bound": _bound,
        "derive": _derive,
        "report": _report,
        "doctor": _doctor,
    }
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        _print(_HELP)
    elif arguments[0] == "--version":
        from sojourn import __version__

        print(f"sojourn {__version__}")
    elif arguments[0] in commands:
        commands[arguments[0]](arguments[1:])
    else:
        raise InputError(f"no command is called {arguments[0]!r}; there are: {', '.join(commands)}")


def _list(arguments: list[str]) -> None:
    from rich.table import Table

    from sojourn.catalogue import EXPERIMENTS, PROCESSES
    from sojourn.formats import names

    _no_more(arguments, "list")

    for title, catalogue, verb in (("Processes", PROCESSES, "simulate"), ("Experiments", EXPERIMENTS, "run")):
        table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 3, 0, 1))
        for name, (_, text) in catalogue.items():
            table.add_row(f"[cyan]sojourn {verb} {name}[/]", text)
        _print(table)
    _print(f"Patterns, for [cyan]sojourn simulate life --pattern NAME[/]\n {', '.join(names())}")


def _run(arguments: list[str]) -> None:
    from sojourn.catalogue import EXPERIMENTS, find
    from sojourn.runs import Run

    if arguments[:1] in (["-h"], ["--help"]):
        return _list([])
    name, rest = _name(arguments, "experiment", EXPERIMENTS)
    experiment_class = find(EXPERIMENTS, name, "experiment")
    out, rest = _option(rest, "--out")
    experiment = _parse(experiment_class, rest, f"sojourn run {name}")
    run = Run.create(name, experiment.settings(), Path(out) if out else None)
    _perform(experiment, run)


def _simulate(arguments: list[str]) -> None:
    from sojourn.catalogue import PROCESSES, find
    from sojourn.experiments.simulate import Options, plan
    from sojourn.runs import Run

    if arguments[:1] in (["-h"], ["--help"]):
        return _list([])
    name, rest = _name(arguments, "process", PROCESSES)
    process_class = find(PROCESSES, name, "process")
    out, rest = _option(rest, "--out")
    command = make_dataclass("Simulation", [("process", process_class), ("driver", Options)])
    given = _parse(command, rest, f"sojourn simulate {name}")
    parameters = {field.name: getattr(given.process, field.name) for field in fields(given.process)}
    rule_given = any(a.split("=")[0] == "--rule" for a in rest)
    experiment = plan(name, parameters, given.driver, rule_given=rule_given)
    run = Run.create("simulate", experiment.settings(), Path(out) if out else None)
    _perform(experiment, run)


def _resume(arguments: list[str]) -> None:
    from sojourn.catalogue import EXPERIMENTS, find
    from sojourn.experiments.simulate import Simulate
    from sojourn.runs import Run

    if len(arguments) != 1:
        raise InputError("resume takes one run: sojourn resume RUN")
    run = Run.open(arguments[0])
    if run.status == "finished":
        raise InputError(f"{run.path} is finished; look at it with `sojourn show {run.path}`")
    kind = run.record["experiment"]
    experiment_class = Simulate if kind == "simulate" else find(EXPERIMENTS, kind, "experiment")
    _perform(experiment_class.from_settings(run.record["settings"]), run)


def _perform(experiment: Experiment, run: Run) -> None:
    from rich.markup import escape

    try:
        with run.active():
            lines = experiment.run(run)
            run.record["summary"] = lines
    except KeyboardInterrupt:
        _say(f"[yellow]interrupted[/]; go on with [bold]sojourn resume {escape(str(run.path))}[/]")
        sys.exit(130)
    except OSError as error:
        raise InputError(f"{error}; free some space or mend it, then go on with `sojourn resume {run.path}`") from error
    _print("\n".join(["", *lines, f"[dim]sojourn show {escape(str(run.path))}[/]"]))


def _show(arguments: list[str]) -> None:
    from sojourn.runs import Run
    from sojourn.view.summary import summary

    if len(arguments) != 1:
        raise InputError("show takes one run: sojourn show RUN")
    _print(summary(Run.open(arguments[0])))


_ITO_HELP = """\
[bold]sojourn ito[/] "dX = mu*X*dt + sigma*X*dW" [OPTIONS]   equations of a system stand between semicolons

  [cyan]--of[/] F          the derivation of dF by Ito's formula, such as --of "log(X)"
  [cyan]--generator[/] F   the generator applied to F
  [cyan]--format[/] KIND   text, latex or typst, to copy; without it, for reading in the terminal
"""


def _ito(arguments: list[str]) -> None:
    if not arguments or {"-h", "--help"} & set(arguments):
        return _print(_ITO_HELP)
    of, rest = _option(arguments, "--of")
    generator, rest = _option(rest, "--generator")
    kind, rest = _option(rest, "--format")
    if unknown := next((a for a in rest if a.startswith("--")), None):
        raise InputError(f"ito has no option {unknown.split('=')[0]}; there are --of, --generator and --format")
    if len(rest) != 1 or rest[0].startswith("-"):
        raise InputError(
            f"ito takes one equation between quotation marks, and {' '.join(rest) or 'nothing'!r} was given"
        )
    if of is not None and generator is not None:
        raise InputError("ito takes --of or --generator, not both; call it twice")
    from sojourn.calculus.text import parse_function, parse_process
    from sojourn.view.derivation import derivation, glance, named, source

    process = parse_process(rest[0])
    result: Any = process
    if of is not None:
        result = process.of(parse_function(of, process))
    elif generator is not None:
        result = named(process, parse_function(generator, process))
    if kind is not None:
        print(source(result, kind))
    else:
        _print(glance(process) if result is process else derivation(result))


_BOUND_HELP = """\
[bold]sojourn bound[/] --mean 0.5 --range 0 1 --n 1000 --deviation 0.05   the bounds on P(S/n - E X >= 0.05),
  S = X_1 + ... + X_n, from the tightest; with what each of them uses, and what no bound can be below

 What is asked
  [cyan]--deviation[/] D      bounds on the probability of being off by D or more
  [cyan]--probability[/] P    deviations that are reached with probability P at most
  [cyan]--accuracy[/] D --probability P   numbers of terms n for which the mean is off by D with probability P at most
  [cyan]--side[/] SIDE        upper (above its expectation; the default), lower or both
  [cyan]--of[/] WHAT          mean (the default) or sum
  [cyan]--maximal[/]          the largest deviation among S_1, ..., S_n

 What is known of each term X
  [cyan]--n[/] N              number of terms, by default 1
  [cyan]--mean[/] M           E X
  [cyan]--range[/] A B        A <= X <= B
  [cyan]--variance[/] V       Var X <= V
  [cyan]--third-moment[/] R   E |X - E X|^3; then V is the variance itself, not only a bound for it
  [cyan]--largest[/] L        X - E X <= L
  [cyan]--increment[/] C      |X - E X| <= C
  [cyan]--sub-gaussian[/] V   E exp(u (X - E X)) <= exp(u^2 V / 2) for every u
  [cyan]--dependence[/] KIND  iid (the default), independent, martingale, uncorrelated or any
  [cyan]--unimodal[/]         the law of S has one mode

  [cyan]--picture[/] FILE.png all bounds against the deviation
"""


def _bound(arguments: list[str]) -> None:
    if not arguments or {"-h", "--help"} & set(arguments):
        return _print(_BOUND_HELP)
    from rich.markup import escape

    from sojourn.view.bound import Question, table

    question = _parse(Question, arguments, "sojourn bound")
    best = question.answer()
    _print(table(best))
    if picture := question.draw(best):
        _print(f"[dim]{escape(str(picture))}[/]")
    elif question.accuracy is None and best.rows:
        _print(f"[dim]A picture of them all: sojourn bound {escape(shlex.join(arguments))} --picture bound.png[/]")


_DERIVE_HELP = """\
[bold]sojourn derive check[/] FILE   checks every line of a derivation, in Markdown with LaTeX (.md) or in Typst (.typ);
                            of the first line that does not follow it says for which numbers the two sides differ
[bold]sojourn derive list[/]         the derivations that come with Sojourn; their names may stand for FILE

 docs/derivations.md says what is read.
"""


def _derive(arguments: list[str]) -> None:
    from sojourn.derivations import read, shipped

    if not arguments or {"-h", "--help"} & set(arguments):
        return _print(_DERIVE_HELP)
    word, *rest = arguments
    if word == "list":
        _no_more(rest, "derive list")
        return _print("\n".join(shipped()))
    if word != "check" or len(rest) != 1:
        raise InputError("derive takes check and one file: sojourn derive check FILE, or list")
    from sojourn.derivations.checking import check
    from sojourn.view.checked import lines

    document = read(rest[0])
    checked = check(document)
    _print(lines(checked, document.name))
    if checked.counterexample is not None:
        raise InputError(f"{document.name}:{checked.counterexample.line}: {checked.counterexample}")


def _report(arguments: list[str]) -> None:
    from sojourn.report.command import command

    command(arguments, _print)


def _doctor(arguments: list[str]) -> None:
    from sojourn.view.doctor import report

    _no_more(arguments, "doctor")
    _print(report())


def _no_more(arguments: list[str], command: str) -> None:
    if arguments:
        raise InputError(f"{command} takes no more words; {' '.join(arguments)!r} was given")


def _name(arguments: list[str], kind: str, catalogue: dict[str, Any]) -> tuple[str, list[str]]:
    if not arguments or arguments[0].startswith("-"):
        raise InputError(f"which {kind}? there are: {', '.join(catalogue)}")
    return arguments[0], arguments[1:]


def _option(arguments: list[str], flag: str) -> tuple[str | None, list[str]]:
    """Takes `flag VALUE` or `flag=VALUE` out of the arguments."""
    for k, argument in enumerate(arguments):
        if argument.startswith(flag + "="):
            return argument.removeprefix(flag + "="), arguments[:k] + arguments[k + 1 :]
        if argument == flag:
            if k + 1 == len(arguments):
                raise InputError(f"{flag} needs a value")
            return arguments[k + 1], arguments[:k] + arguments[k + 2 :]
    return None, arguments


def _parse(settings: Any, arguments: list[str], program: str) -> Any:
    """The settings that the arguments describe; what tyro says of bad ones becomes one line."""
    import tyro

    if {"-h", "--help"} & set(arguments):
        _print(f"[bold]{program}[/] [--out FOLDER] [OPTIONS]   (the run is kept in FOLDER, by default under runs/)\n")
        return tyro.cli(settings, args=arguments, prog=program, config=(tyro.conf.OmitArgPrefixes,))
    said, width = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "10000"  # a message in one piece, whatever the terminal
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(settings, args=arguments, prog=program, config=(tyro.conf.OmitArgPrefixes,))
    except SystemExit:
        lines = [line.strip("│ ") for line in said.getvalue().splitlines()[1:]]
        message = " ".join(itertools.takewhile(lambda line: not line.startswith("──"), lines))
        message = re.sub(r"^Error parsing (?!--)[^:]*: ", "", message)
        message = re.sub(r"(?<![.])[.]$", "", message)  # a full stop, but not three dots
        raise InputError(f"{message}; `{program} --help` lists the options") from None
    finally:
        os.environ.pop("COLUMNS")
        if width is not None:
            os.environ["COLUMNS"] = width


def _print(renderable: Any) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(renderable, soft_wrap=isinstance(renderable, str) and not console.is_terminal)


def _say(text: str) -> None:
    from rich.console import Console

    Console(stderr=True, highlight=False).print(text, soft_wrap=True)


def _fail(error: Exception) -> None:
    from rich.markup import escape

    remedy = "; name a folder that can be written with --out" if isinstance(error, PermissionError) else ""
    _say(f"[red]sojourn:[/] {escape(str(error))}{remedy}")
    sys.exit(2)
