"""`sojourn run ssm`: all experiments of score matching, small: what each shows, in two minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.markup import escape

from sojourn.errors import InputError
from sojourn.experiments.base import Experiment
from sojourn.experiments.ssm_nice import SsmNice
from sojourn.experiments.ssm_speed import SsmSpeed
from sojourn.experiments.ssm_uci import SsmUci
from sojourn.experiments.ssm_vae import SsmVae
from sojourn.noise import Noise
from sojourn.runs import Run


@dataclass(frozen=True)
class Ssm(Experiment):
    """Run ssm-speed, ssm-uci, ssm-nice and ssm-vae one after another, each small enough for two minutes in all.

    Every part is a run of its own in a folder of this one. A part whose data are missing is left out, and said so. What
    such short trainings reach is far from the published numbers beside it; the parts by themselves come near or beyond.

    Args:
        seed: of every part.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        Noise(self.seed)

    def run(self, run: Run) -> list[str]:
        story: list[str] = []
        for name, make in _parts(self.seed).items():
            try:
                part = make()
            except InputError as error:
                story += [f"[bold]{name}[/] was left out: {escape(str(error))}", ""]
                continue
            path = run.path / name
            inner = Run.open(path) if (path / "run.json").is_file() else Run.create(name, part.settings(), path)
            with inner.active():
                story += [f"[bold]{name}[/], small", *part.run(inner), ""]
            run.result(**{name: inner.record["results"]})
        return story[:-1]


def _parts(seed: int) -> dict[str, Callable[[], Experiment]]:
    return {
        "ssm-speed": lambda: SsmSpeed(
            dimensions=(10, 100, 800), objectives=("sliced_reduced", "sliced", "exact"), rounds=2, seed=seed
        ),
        "ssm-uci": lambda: SsmUci(
            data=("redwine",), objectives=("sliced_reduced", "denoising", "exact"), seeds=2, steps=100, seed=seed
        ),
        "ssm-nice": lambda: SsmNice(
            objectives=("sliced_reduced", "likelihood"),
            epochs=1,
            batch=256,
            hidden=128,
            evaluated=500,
            projections=4,
            seed=seed,
        ),
        "ssm-vae": lambda: SsmVae(latents=(8,), steps=700, evaluated=20, temperatures=50, chains=4, seed=seed),
    }
