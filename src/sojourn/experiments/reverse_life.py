"""`sojourn run reverse-life`: start boards for given stop boards of Life, by a discrete diffusion and by annealing.

Scored as Kaggle's task of 2020: the share of cells in which the future of the proposed start differs from the stop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from rich.markup import escape
from torch import Tensor

from sojourn.bounds.estimate import Estimate
from sojourn.bounds.intervals import betting
from sojourn.diffusion.discrete import D3PM, DiscreteBound
from sojourn.diffusion.discrete.annealing import Annealing, wrong_cells
from sojourn.diffusion.discrete.games import MOST_GENERATIONS, SIDE, Reversal, future, games, told
from sojourn.diffusion.discrete.predecessors import PredecessorNetwork, loss, masks, most_probable, sample
from sojourn.driver import simulate
from sojourn.errors import InputError
from sojourn.experiments import reverse_life_figures as figures
from sojourn.experiments.base import Experiment
from sojourn.experiments.figures import save
from sojourn.formats.film import write_film
from sojourn.noise import Noise
from sojourn.observers import ProgressBar
from sojourn.runs import Run
from sojourn.training import checkpoint
from sojourn.training.loop import Training, train

METHODS = {
    "dead": "all cells dead",
    "stop": "the stop board itself",
    "random": "best of random start boards",
    "network": "network, all cells at once",
    "diffusion": "diffusion, best of its candidates",
    "annealing": "annealing from the stop board",
    "both": "annealing from the diffusion's board",
    "found": "the better of the two annealings",
}
"""Name of a method in the run's record: its title."""

TEMPERATURES = {1: (0.6, 0.2), 2: (0.7, 0.25), 3: (0.7, 0.3), 4: (0.9, 0.3), 5: (1.2, 0.3)}
"""First and last temperature of an annealing over so many generations: the best of a few that were tried."""

PUBLISHED = [
    "Published for the 50,000 boards of Kaggle's test set (mean absolute error):",
    "  0.1469  random forest, and a recursive CNN (jamesmcguigan, half an hour)",
    "  0.0841  Z3 constraint solver (jamesmcguigan, 5000 hours of 4 cores; 22nd place)",
    "  0.0535  genetic algorithm on a GPU with OR-tools (ebouteillon, 2 hours)",
    "  0.0450  genetic algorithm on a GPU (ebouteillon, 9 hours; in the top 10 when published)",
    "  0.01    what the second team aimed to go below, with SAT solvers; the first used them, annealing and more",
]
"""From the competition's write-ups, discussions 200608, 200531 and 200980."""


@dataclass(frozen=True)
class ReverseLife(Experiment):
    """Find start boards that become given stop boards of Life, by discrete diffusion, annealing and both.

    Args:
        boards: unseen games for each number of generations, 1 to 5.
        candidates: start boards that the diffusion proposes for each, and random ones beside them.
        reversal: "stepwise" undoes one generation at a time, "jointly" all at once.
        diffusion_steps: T, of each reverse chain.
        flips: of each annealing, a board.
        training: steps of the network's training.
        batch: games a step.
        channels, blocks: size of the network.
        seed: of games, weights and noise.
    """

    boards: int = 40
    candidates: int = 2
    reversal: Reversal = "stepwise"
    diffusion_steps: int = 32
    flips: int = 1_000_000
    training: int = 1000
    batch: int = 32
    channels: int = 32
    blocks: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("boards", "candidates", "diffusion_steps", "flips", "training", "batch", "channels", "blocks"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} is below 1; use a whole number above zero")
        if self.boards < 2:
            raise InputError("boards=1 gives no interval; use 2 or more")
        if self.batch < MOST_GENERATIONS:
            raise InputError(f"batch={self.batch} is below {MOST_GENERATIONS}, one game for each number of generations")
        if self.reversal not in ("stepwise", "jointly"):
            raise InputError(f'reversal={self.reversal!r} is not known; choose "stepwise" or "jointly"')
        Noise(self.seed)

    def run(self, run: Run) -> list[str]:
        model = self._train(run)
        found = {d: self._solve(run, model, d) for d in range(1, MOST_GENERATIONS + 1)}
        bounds = self._bounds(run, model)
        scores: dict[Any, dict[str, Tensor]] = {d: self._scores(boards, d) for d, boards in found.items()}
        # the mean of five games, one for each number of generations, is one observation: these have one law
        scores["all"] = {name: torch.stack([scores[d][name] for d in found]).mean(0) for name in METHODS}
        table = {key: {name: _estimate(values) for name, values in rows.items()} for key, rows in scores.items()}
        run.result(
            scores={str(key): {name: e.to_dict() for name, e in row.items()} for key, row in table.items()},
            solved={str(d): int((scores[d]["found"] == 0).sum()) for d in found},
            bits_per_cell={str(k + 1): bound.bits_per_cell.to_dict() for k, bound in enumerate(bounds)},
        )
        self._draw(run, model, found, table, bounds)
        return self._story(run, table, scores, bounds)

    def _train(self, run: Run) -> D3PM:
        noise = Noise(self.seed)
        network = PredecessorNetwork(self.channels, self.blocks, noise=noise.split("weights"))
        objective = partial(loss, batch=self.batch, reversal=self.reversal, noise=noise.split("training"))
        settings = Training(
            self.training,
            learning_rate=2e-3,
            warmup=50,
            betas=(0.9, 0.99),
            clip=1.0,
            average_half_life=20,
            log_every=25,
        )
        train(network, objective, settings, run=run)
        return D3PM(network, masks(self.diffusion_steps))

    def _solve(self, run: Run, model: D3PM, generations: int) -> dict[str, Tensor]:
        """Start boards of every method, (boards, 25, 25) each, and the games; kept in the run."""
        path = run.folder("boards") / f"{generations}-generations.safetensors"
        if path.exists():
            return checkpoint.load(path)[0]
        noise = Noise(self.seed).split("unseen").split(generations)
        start, stop = games(self.boards, generations, noise.split("games"))
        tried = []
        bar = ProgressBar(f"{generations} generations: diffusion", 0, self.candidates, "candidates")
        for k in range(self.candidates):
            seed = noise.split("diffusion").split(k).stream
            tried.append(sample(model, stop, generations, reversal=self.reversal, seed=seed))
            bar.see(k + 1, {})
        bar.close()
        strangers = [games(self.boards, generations, noise.split("random").split(k))[0] for k in range(self.candidates)]
        boards = {
            "true": start,
            "goal": stop,
            "dead": torch.zeros_like(stop),
            "stop": stop.clone(),
            "random": _best(strangers, stop, generations),
            "network": most_probable(model.network, stop, generations, reversal=self.reversal),
            "diffusion": _best(tried, stop, generations),
        }
        hot, cold = TEMPERATURES[generations]
        annealing = Annealing(stop, generations, self.flips, hot=hot, cold=cold)
        for name, begin in (("annealing", "stop"), ("both", "diffusion")):
            state, seed = annealing.begin(boards[begin]), noise.split(name).stream
            boards[name] = simulate(annealing, state, steps=self.flips, seed=seed).state()["best"]
        boards["found"] = _best([boards["annealing"], boards["both"]], stop, generations)
        checkpoint.save(path, boards)
        return boards

    def _scores(self, boards: dict[str, Tensor], generations: int) -> dict[str, Tensor]:
        """Share of wrong cells of each method's boards, (boards,) float64."""
        return {name: wrong_cells(boards[name], boards["goal"], generations).double() / SIDE**2 for name in METHODS}

    def _bounds(self, run: Run, model: D3PM) -> list[DiscreteBound]:
        """The bound on -log p(x | y) for each label."""
        found = []
        bar = ProgressBar("the bound", 0, MOST_GENERATIONS * self.boards, "boards")
        for label in range(MOST_GENERATIONS):
            noise = Noise(self.seed).split("bound").split(label)
            start, _ = games(self.boards, label + 1, noise.split("games"))
            x = start if self.reversal == "jointly" else future(start, label)
            done = label * self.boards
            found.append(
                model.bound(
                    x,
                    condition=told(future(start, label + 1), label),
                    noise=noise,
                    progress=lambda n, done=done: bar.see(done + n, {}) or None,
                )
            )
        bar.close()
        return found

    def _draw(self, run: Run, model: D3PM, found, table, bounds) -> None:
        folder = run.folder("figures")
        save(figures.boards(found), folder / "boards.png")
        save(figures.scores(table, METHODS), folder / "scores.png")
        save(figures.terms(bounds, self.reversal), folder / "bound.png")
        stop = found[1]["goal"][:3]
        chain = model.reverse((SIDE, SIDE), condition=told(stop, 0))
        steps = chain.horizon
        path = simulate(chain, steps=steps, save_every=1, ensemble=len(stop), seed=self.seed, progress=False)
        write_film(folder / "film.mp4", figures.film(path.dataset["cell"].values, stop.numpy()), rate=8)

    def _story(self, run: Run, table, scores, bounds) -> list[str]:
        solved = ", ".join(f"{int((scores[d]['found'] == 0).sum())}" for d in range(1, MOST_GENERATIONS + 1))
        bits = ", ".join(f"{bound.bits_per_cell.value:.3f}" for bound in bounds)
        kept = bounds[0].bits_per_cell
        what = "1 to 5 generations" if self.reversal == "jointly" else "one generation, after 0 to 4 others"
        return [
            *figures.table(table, METHODS, self.boards),
            f"Exactly solved, of {self.boards} each for 1 to 5 generations: {solved}.",
            f"What the network knows, bits per cell at most, for {what}: {bits}; the first: {escape(str(kept))}.",
            "",
            *PUBLISHED,
            "Not the same: the boards here are new ones, made by the same recipe, and far fewer.",
            f"Look at {escape(str(run.path / 'figures'))}: boards.png, scores.png, bound.png, film.mp4.",
        ]


def _best(tried: list[Tensor], stop: Tensor, generations: int) -> Tensor:
    """Of several start boards for each stop board the one with the fewest wrong cells."""
    wrong = torch.stack([wrong_cells(boards, stop, generations) for boards in tried])
    return torch.stack(tried)[wrong.argmin(0), torch.arange(len(stop))]


def _estimate(values: Tensor) -> Estimate:
    return replace(betting(values.numpy(), range=(0, 1)), unit="of the cells")
