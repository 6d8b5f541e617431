"""`sojourn run life`: networks learn the Game of Life from boards, are proved exact, and run beside the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.markup import escape

from sojourn.bounds.intervals import clopper_pearson
from sojourn.driver import simulate
from sojourn.errors import InputError
from sojourn.experiments import life_figures as figures
from sojourn.experiments.base import Experiment
from sojourn.experiments.figures import save
from sojourn.formats.film import write_film
from sojourn.learning.boards import collapse, training_pairs, unseen_soup
from sojourn.learning.certificate import Certificate
from sojourn.learning.certify import certify, neighbourhood_logits
from sojourn.learning.identify import identify_rule
from sojourn.learning.learned_life import LearnedLife
from sojourn.learning.networks import LifeNetwork, LifeNetworks
from sojourn.learning.recipe import learn_one_step
from sojourn.noise import Noise
from sojourn.processes.life.life import Life
from sojourn.processes.life.rule import Rule
from sojourn.runs import Run
from sojourn.trajectory import Trajectory


@dataclass(frozen=True)
class LearnLife(Experiment):
    """Learn the rule of a cellular automaton from boards alone, prove it, and run the learned network beside the truth.

    Args:
        rule: the rule that makes the boards; the learners never see it.
        networks: how many networks train at once.
        width: overcompleteness m of the networks; 1 is the minimal one of 25 parameters.
        boards: number of training boards.
        side: their height and width.
        density: their share of live cells, between 0 and 1.
        soup: height and width of the unseen board that both processes run on.
        steps: how many generations they run.
        save_every: generations between saved boards, which are compared cell by cell.
        seed: the seed of boards, weights and noise.
    """

    rule: str = "B3/S23"
    networks: int = 64
    width: int = 1
    boards: int = 64
    side: int = 32
    density: float = 0.38
    soup: int = 1024
    steps: int = 10_000
    save_every: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        Rule.parse(self.rule)
        for name in ("networks", "width", "boards", "side", "soup", "steps", "save_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} is below 1; use a whole number above zero")
        Life(self.rule, (self.side, self.side), density=self.density)
        if self.density in (0.0, 1.0):
            raise InputError(f"density={self.density} makes boards that show nothing; choose one between 0 and 1")
        Noise(self.seed)

    def run(self, run: Run) -> list[str]:
        pairs = training_pairs(
            self.rule,
            self.boards,
            self.side,
            self.density,
            self.seed,
            progress=False,
            out=run.path / "boards.zarr",
            resume=True,
        )
        exact, network, certificate = self._learn(run, pairs)
        truth, learned, differing = self._roll(run, network)
        self._draw(run, network, truth, learned)
        run.result(
            networks=self.networks,
            exact=exact,
            exact_rate=clopper_pearson(exact, self.networks),
            kind=certificate.kind,
            margin=certificate.margin,
            rounding=certificate.rounding,
            weights=certificate.weights,
            compared_cells=(len(truth) - 1) * self.soup**2,
            differing_cells=differing,
        )
        return self._story(run, pairs, exact, network, certificate, truth, differing)

    def _learn(self, run: Run, pairs: Trajectory) -> tuple[int, LifeNetwork, Certificate]:
        """Trains, certifies every network, and keeps the one with the widest margin."""
        noise = Noise(self.seed)
        networks = LifeNetworks(self.networks, width=self.width, noise=noise.split("weights"))
        learn_one_step(networks, collapse(pairs), noise=noise.split("shake"), run=run)
        singles = [networks.pick(k) for k in range(self.networks)]
        certificates = [certify(single, self.rule) for single in singles]
        best = int(np.argmax([c.margin for c in certificates]))
        singles[best].save(run.path / "network.safetensors")
        certificates[best].save(run.path / "certificate.json")
        return sum(c.exact for c in certificates), singles[best], certificates[best]

    def _roll(self, run: Run, network: LifeNetwork) -> tuple[Trajectory, Trajectory, int]:
        """The true and the learned process from one unseen soup; how many cells of the boards after it differ."""
        shape = (self.soup, self.soup)
        start = unseen_soup(shape, Noise(self.seed))
        options = {"steps": self.steps, "save_every": self.save_every, "seed": self.seed, "resume": True}
        truth = simulate(Life(self.rule, shape), start, out=run.path / "trajectory.zarr", **options)
        learned = simulate(LearnedLife(network, shape), start, out=run.path / "learned.zarr", **options)
        differing = sum(int((truth.state(k)["cell"] != learned.state(k)["cell"]).sum()) for k in range(1, len(truth)))
        return truth, learned, differing

    def _draw(self, run: Run, network: LifeNetwork, truth: Trajectory, learned: Trajectory) -> None:
        folder = run.folder("figures")
        size = network.parameter_count
        title = f"{self.networks} networks of {size} parameters learn {self.rule} from boards"
        save(figures.learning_curve(run.metrics("training"), title), folder / "learning.png")
        title = f"What one network of {size} parameters says of all 512 neighbourhoods ({self.rule})"
        save(figures.neighbourhoods(neighbourhood_logits(network), title), folder / "neighbourhoods.png")
        soup, true, ours = (t.state(k)["cell"][0].numpy() for t, k in ((truth, 0), (truth, -1), (learned, -1)))
        save(figures.rollout(soup, true, ours, self.steps), folder / "rollout.png")
        self._film(folder / "film.mp4", network)

    def _film(self, path: Path, network: LifeNetwork, side: int = 128, frames: int = 240) -> None:
        """The first generations of a smaller soup, truth left and learned right."""
        start = unseen_soup((side, side), Noise(self.seed).split("film"))
        options = {"steps": frames, "save_every": 1, "progress": False}
        truth = simulate(Life(self.rule, (side, side)), start, **options)
        learned = simulate(LearnedLife(network, (side, side)), start, **options)
        boards = (iter(t.dataset["cell"].values[0]) for t in (truth, learned))
        write_film(path, figures.side_by_side(*boards), rate=24)

    def _story(self, run, pairs, exact, network, certificate, truth, differing) -> list[str]:
        cells, found = self.boards * self.side**2, identify_rule(pairs)
        size, data = network.parameter_count, f"{cells:,} cells and their successors"
        learned = f"[bold]{exact} of {self.networks}[/] networks of {size} parameters learned {self.rule} from {data}"
        hint = f"No network of {self.networks} ({size} parameters) learned {self.rule} from {data}; wider ones may: "
        rate = escape(str(clopper_pearson(exact, self.networks)))
        return [
            f"{learned}, and {'was' if exact == 1 else 'were'} proved exact. The share of all first weights that these "
            f"boards bring there: {rate}."
            if exact
            else f"{hint}try --width {self.width + 2}.",
            f"The best: {certificate.statement}",
            f"Run beside the truth from an unseen {self.soup} x {self.soup} soup for {self.steps:,} generations: "
            f"[bold]{differing:,}[/] cells differ in {len(truth) - 1:,} boards of {self.soup**2:,} cells.",
            f"The boards alone say: {found.rule or 'no single rule'}.",
            f"Look at {escape(str(run.path / 'figures'))}: learning.png, neighbourhoods.png, rollout.png, film.mp4.",
        ]
