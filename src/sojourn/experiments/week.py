"""`sojourn run week`: small runs of seven experiments, and from them the weekly report of 2025-09-08 as PDF."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from sojourn.errors import InputError
from sojourn.experiments.base import Experiment
from sojourn.experiments.blood import BloodToTumour
from sojourn.experiments.ddpm import Ddpm
from sojourn.experiments.gray_scott import GrayScottPattern
from sojourn.experiments.ito import Ito
from sojourn.experiments.life import LearnLife
from sojourn.experiments.ssm_speed import SsmSpeed
from sojourn.experiments.tail_bounds import TailBounds
from sojourn.noise import Noise
from sojourn.report.build import build
from sojourn.report.fonts import chinese
from sojourn.report.scaffold import lay_library
from sojourn.runs import Run

WEEK = "2025-09-08"
TEXTS = ("week.typ", "week.en.typ")
"""The report in Chinese and in English."""


@dataclass(frozen=True)
class Week(Experiment):
    """Make the runs of one week of work, each small, and from them its report, in Chinese and in English.

    The runs lie in runs/ of this one, the report in report/. Change its words, and `sojourn report build` makes it
    again. Without a Chinese font the Chinese one is left out, and said so.

    Args:
        seed: of every run.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        Noise(self.seed)

    def run(self, run: Run) -> list[str]:
        report, folder, parts = _words(run.folder("report")), run.folder("runs"), _parts(self.seed)
        seconds: dict[str, float] = {}
        for number, (name, part) in enumerate(parts.items(), 1):
            print(f"{number} of {len(parts)}: {name}", file=sys.stderr, flush=True)
            seconds[name] = _finished(part, name, folder / name).record["seconds"]
            run.result(seconds=seconds)
        made = [str(build(report / text).files[0]) for text in TEXTS if text != "week.typ" or chinese().song]
        return [
            f"[bold]{len(parts)} runs[/] in {escape(str(folder))}: "
            + ", ".join(f"{name} {spent:.0f} s" for name, spent in seconds.items())
            + ".",
            *([] if chinese().song else [_NO_FONT.format(report=escape(str(report)))]),
            f"The report of the week of {WEEK}: {escape(', '.join(made))}.",
            f"Change its words there, then `sojourn report build {escape(str(report / TEXTS[-1]))}`.",
        ]


def example() -> Path:
    """The folder of the report's words: within the package where it is installed, else in the source checkout."""
    package = Path(__file__).resolve().parents[1]
    places = [above / "examples" / "weekly-report" / WEEK for above in (package, package.parents[1])]
    found = next((place for place in places if (place / TEXTS[0]).is_file()), None)
    if found is None:
        raise InputError(f"{places[0]} has no {TEXTS[0]}; install sojourn again, or run from a whole source checkout")
    return found


_NO_FONT = (
    "The Chinese report was left out, for there is no Chinese font; pip install 'sojourn\\[zh]' brings one, then "
    "`sojourn report build {report}` makes it."
)


def _finished(part: Experiment, name: str, path: Path) -> Run:
    """The finished run of a part: as it was found, taken up where it stopped, or made."""
    settings = json.loads(json.dumps(part.settings()))
    run = Run.open(path) if (path / "run.json").is_file() else Run.create(name, settings, path)
    if run.record["settings"] != settings:
        raise InputError(f"{path} was made with other settings; move it away, and it will be made anew")
    if run.status != "finished":
        with run.active():
            run.record["summary"] = part.run(run)
            if name == "tail-bounds":
                run.result(covered=_by_law(run.record["results"]["coverage"]))
    return run


def _by_law(cells: list[dict]) -> dict[str, dict]:
    """The measured coverages by law and method, as the report's text names them."""
    covered: dict[str, dict] = {cell["law"]: {} for cell in cells}
    for cell in cells:
        covered[cell["law"]][cell["method"]] = cell["covered"]
    return covered


def _words(folder: Path) -> Path:
    """The report's folder with its words and the Typst library; what is there already stays as it is."""
    lay_library(folder)
    for source in sorted(example().iterdir()):
        if source.suffix in (".typ", ".bib") and not (folder / source.name).exists():
            shutil.copyfile(source, folder / source.name)
    return folder


def _parts(seed: int) -> dict[str, Experiment]:
    return {
        "life": LearnLife(soup=512, steps=5000, seed=seed),
        "gray-scott": GrayScottPattern(steps=9000, seed=seed),
        "blood": BloodToTumour(vessels=800, robots=4000, duration="8 s", seed=seed),
        "ddpm": Ddpm(training=1200, evaluated=150, samples=400, seed=seed),
        "ssm-speed": SsmSpeed(
            dimensions=(10, 30, 100, 200, 400, 800),
            objectives=("sliced_reduced", "sliced", "denoising", "exact"),
            seed=seed,
        ),
        "tail-bounds": TailBounds(repetitions=1500, seed=seed),
        "ito": Ito(seed=seed),
    }
