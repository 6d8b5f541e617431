"""`sojourn run ssm-uci`: five objectives of score matching on three tables, beside Song et al. (2019), figure 1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

from rich.markup import escape
from rich.table import Table

from sojourn.bounds.intervals import student
from sojourn.data import uci
from sojourn.errors import InputError
from sojourn.experiments.base import Experiment
from sojourn.experiments.figures import save
from sojourn.experiments.results import kept, lines
from sojourn.experiments.ssm_uci_figure import bars
from sojourn.noise import Noise
from sojourn.observers import ProgressBar
from sojourn.runs import Run
from sojourn.score.fitting import Objective, fit_kernel_family, over_all
from sojourn.training.loop import Training

NAMES: dict[str, str] = {
    "sliced_reduced": "SSM-VR",
    "sliced": "SSM",
    "denoising": "DSM",
    "curvature_propagation": "CP",
    "exact": "exact",
}
PUBLISHED: dict[str, dict[str, tuple[float, float | None, float | None]]] = {
    "parkinsons": {
        "sliced_reduced": (-132, -155, -113),
        "sliced": (-100, -110, -90),
        "denoising": (-67, None, None),
        "curvature_propagation": (-31, None, None),
        "exact": (-128, -147, -114),
    },
    "redwine": {
        "sliced_reduced": (-30.8, -34.4, -27.3),
        "sliced": (-29.1, None, None),
        "denoising": (-27.3, None, None),
        "curvature_propagation": (-10.9, None, None),
        "exact": (-31.9, -36.7, -26.8),
    },
    "whitewine": {
        "sliced_reduced": (-31.4, -32.9, -30.0),
        "sliced": (-28.4, None, None),
        "denoising": (-15.1, None, None),
        "curvature_propagation": (-6.2, None, None),
        "exact": (-33.3, -34.7, -32.1),
    },
}
"""Mean and whiskers of the test loss, read off the bars."""


@dataclass(frozen=True)
class SsmUci(Experiment):
    """Fit deep kernel exponential families to UCI tables by five objectives, and compare their test losses.

    Fifteen seeds, as published, take hours; every fit is kept, so an interrupted run goes on.

    Args:
        data: parkinsons, redwine, whitewine; files in uci/ under the environment variable SOJOURN_DATA.
        objectives: sliced_reduced (SSM-VR), sliced (SSM), denoising (DSM), curvature_propagation (CP), exact.
        seeds: fits of each, with splits, starts and noise of their own.
        steps: of a fit at most.
        patience: steps without a better validation loss that end it.
        sigma: of the noise in denoising.
        seed: the first of the seeds.
    """

    data: tuple[str, ...] = get_args(uci.Name)
    objectives: tuple[str, ...] = get_args(Objective)
    seeds: int = 15
    steps: int = 3000
    patience: int = 200
    sigma: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, values, known in (
            ("data", self.data, get_args(uci.Name)),
            ("objectives", self.objectives, get_args(Objective)),
        ):
            unknown = [value for value in values if value not in known]
            if unknown or not values:
                raise InputError(f"{name}={unknown or values} is not known; choose from {', '.join(known)}")
        for name, least in (("seeds", 2), ("steps", 1), ("patience", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)} is below {least}")
        if not self.sigma > 0:
            raise InputError(f"sigma={self.sigma} is not above zero")
        Noise(self.seed)
        for name in self.data:
            uci.load_table(name)  # type: ignore[arg-type]

    def run(self, run: Run) -> list[str]:
        cells = [(name, objective) for name in self.data for objective in self.objectives]
        total = len(cells) * self.seeds
        bar = ProgressBar("fits", 0, total, unit="fits")
        found: dict[str, dict[str, list[float]]] = {name: {} for name in self.data}
        run.folder("fits")
        try:
            for number in range(total):  # a seed of all before the next: an unfinished run compares like with like
                k, (name, objective) = number // len(cells), cells[number % len(cells)]
                measure = partial(self._fit, name, objective, self.seed + k)
                fit = kept(run, f"fits/{name}-{objective}-{k:02d}", measure)
                found[name].setdefault(objective, []).append(fit["loss"])
                bar.see(number + 1, {})
        finally:
            bar.close()
        estimates = {
            name: {objective: student(losses) for objective, losses in row.items()} for name, row in found.items()
        }
        save(bars(estimates, PUBLISHED, NAMES), run.folder("figures") / "losses.png")
        run.result(losses={name: {o: e.to_dict() for o, e in row.items()} for name, row in estimates.items()})
        return self._story(run, estimates)

    def _fit(self, name: Any, objective: Any, seed: int) -> dict[str, Any]:
        parts = uci.prepare(name, seed)
        train, validation, test = (part.float() for part in (parts.train, parts.validation, parts.test))
        family = fit_kernel_family(
            train,
            validation,
            objective=objective,
            settings=Training(self.steps, 0.01, schedule="constant", clip=100.0),
            patience=self.patience,
            sigma=self.sigma,
            seed=seed,
            progress=False,
        )
        loss = over_all(family, "exact", test, Noise(seed)).value(family.alpha.double())
        return {"loss": float(loss), "ridge": float(family.log_ridge.detach().exp())}

    def _story(self, run: Run, estimates: dict[str, dict[str, Any]]) -> list[str]:
        table = Table(
            title=f"Test loss E(tr grad s + |s|²/2): means over {self.seeds} seeds (95%, Student), and as published",
            title_justify="left",
            box=None,
            padding=(0, 3, 0, 0),
        )
        table.add_column("objective")
        for name in self.data:
            table.add_column(name, justify="right")
            table.add_column("published", justify="right", style="dim")
        for objective in self.objectives:
            row = [NAMES[objective]]
            for name in self.data:
                here = estimates[name][objective]
                row += [f"{here.value:.1f} [{here.low:.1f}, {here.high:.1f}]", _published(name, objective)]
            table.add_row(*(escape(cell) for cell in row))
        return [
            *lines(table),
            "",
            f"Look at {escape(str(run.path / 'figures'))}: losses.png.",
        ]


def _published(name: str, objective: str) -> str:
    value, low, high = PUBLISHED[name][objective]
    return f"{value:g}" if low is None else f"{value:g} [{low:g}, {high:g}]"
