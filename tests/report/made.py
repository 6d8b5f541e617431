"""Small runs and reports, made rather than recorded."""

from pathlib import Path

import numpy as np
from PIL import Image

from sojourn.bounds.estimate import Estimate
from sojourn.formats.film import write_film
from sojourn.report.scaffold import new
from sojourn.runs import Run

WEEK = "2025-09-08"


def estimate(value, low, high, unit="", guarantee="asymptotic"):
    return Estimate(value, low, high, guarantee=guarantee, method="by hand", unit=unit).to_dict()


def make_run(
    name, experiment="life", *, created="2025-09-09T10:00:00+00:00", status="finished", root="runs", **results
):
    """A run with these results, as if made on that day."""
    run = Run.create(experiment, {"boards": 64, "duration": "25 us"}, Path(root) / name)
    run.record |= {"created": created, "status": status, "seconds": 12.5}
    run.result(**results)
    return run


def draw(run, name, shade=0):
    """A picture of 40 by 30 pixels in the run's figures."""
    path = run.folder("figures") / name
    Image.fromarray(np.full((30, 40, 3), shade, np.uint8)).save(path, dpi=(100, 100))
    return path


def film(run, name, frames=9):
    """A film of 32 by 16 pixels whose frame k has the shade 20 k."""
    path = run.folder("figures") / name
    write_film(path, [np.full((16, 32, 3), 20 * k, np.uint8) for k in range(frames)], rate=4)
    return path


def begin(text="", *, lang="en", week=WEEK):
    """A new report with this text after its opening lines; the folder, as a user would name it."""
    folder = new(week, lang=lang, author="A. Nobody")
    write(folder, text, lang=lang, week=week)
    return folder


def write(folder, text, *, lang="en", week=WEEK):
    """Line 1 imports the library, line 2 calls it, `text` begins on line 3."""
    opening = (
        f'#import "sojourn/report.typ": *\n#show: report.with(week: "{week}", author: "A. Nobody", lang: "{lang}")\n'
    )
    (Path(folder) / "week.typ").write_text(opening + text, encoding="utf-8")
