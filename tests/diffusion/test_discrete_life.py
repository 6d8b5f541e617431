"""Predecessors of boards of Life: games, network, annealing and the experiment."""

import json
from itertools import product

import pytest
import torch
from scipy.stats import chi2

from sojourn import InputError, Life, simulate
from sojourn.bounds.intervals import student
from sojourn.diffusion.discrete import D3PM
from sojourn.diffusion.discrete.annealing import Annealing, wrong_cells
from sojourn.diffusion.discrete.games import future, games, told, training_pairs
from sojourn.diffusion.discrete.predecessors import PredecessorNetwork, cases, loss, masks, sample
from sojourn.experiments.reverse_life import ReverseLife
from sojourn.noise import Noise
from sojourn.runs import Run
from sojourn.training import checkpoint


def test_games_are_made_by_the_recipe():
    """Stop is start's future by `Life.step`, none is empty, and starts have seen five generations of their own."""
    noise = Noise(1)
    start, stop = games(40, 3, noise)
    life = Life(shape=(25, 25))
    state = {"cell": start}
    for t in range(3):
        state = life.step(state, t, noise)
    assert torch.equal(state["cell"], stop)
    assert bool(stop.flatten(1).any(1).all())
    density = 0.01 + 0.98 * noise.split("density").uniform(0, 40, ())
    fresh = {"cell": (noise.split("cells").uniform(0, 40, (25, 25)) < density[:, None, None]).to(torch.uint8)}
    for t in range(5):
        fresh = life.step(fresh, t, noise)
    kept = fresh["cell"][future(fresh["cell"], 3).flatten(1).any(1).bool()]
    assert torch.equal(start[: len(kept)], kept)


@pytest.mark.parametrize("reversal", ["stepwise", "jointly"])
def test_training_pairs_are_what_their_labels_say(reversal):
    x, condition = training_pairs(50, reversal, Noise(2), 7)
    y, label = condition[:, :-1], condition[:, -1, 0]
    for k in range(5):
        some = label == k
        assert int(some.sum()) > 2
        assert torch.equal(future(x[some], k + 1 if reversal == "jointly" else 1), y[some])


def test_cases_by_their_definition():
    noise = Noise(3)
    x = (3 * noise.uniform(0, 2, (6, 5))).to(torch.uint8)
    y = (2 * noise.uniform(1, 2, (6, 5))).to(torch.uint8)
    found = cases(x, y)
    for n, i, j in product(range(2), range(6), range(5)):
        around = [int(x[n, (i + a) % 6, (j + b) % 5]) for a, b in product((-1, 0, 1), repeat=2) if (a, b) != (0, 0)]
        expected = (3 * int(y[n, i, j]) + int(x[n, i, j])) * 81 + 9 * around.count(1) + around.count(2)
        assert int(found[n, i, j]) == expected


def test_network_moves_with_the_boards():
    network = PredecessorNetwork(8, 2, noise=Noise(4))
    x = (3 * Noise(5).uniform(0, 2, (25, 25))).to(torch.uint8)
    y = (2 * Noise(5).uniform(1, 2, (25, 25))).to(torch.uint8)
    before = network(x, torch.zeros(2), told(y, 3))
    after = network(x.roll((4, -7), (1, 2)), torch.zeros(2), told(y.roll((4, -7), (1, 2)), 3))
    assert torch.allclose(after, before.roll((4, -7), (1, 2)), rtol=0, atol=1e-5)
    assert not torch.allclose(before, network(x, torch.zeros(2), told(y, 2)), atol=1e-3)


def test_loss_is_the_bound_in_the_limit_of_many_steps():
    """For one untrained network, on the same law of games; Student's intervals of both at 1 - 1e-7 must meet."""
    network = PredecessorNetwork(4, 1, noise=Noise(6))
    with torch.no_grad():
        values = torch.stack([loss(network, k, batch=10, reversal="jointly", noise=Noise(7)) for k in range(40)])
    x, condition = training_pairs(100, "jointly", Noise(8), 0)
    bound = D3PM(network, masks(32)).bound(x, condition=condition, noise=Noise(9), confidence=1 - 1e-7)
    ours = student(values.double().numpy() / 0.6931471805599453, confidence=1 - 1e-7)
    assert ours.low < bound.bits_per_cell.high
    assert bound.bits_per_cell.low < ours.high
    assert bound.prior.value == 0


@pytest.mark.parametrize("generations", [1, 2, 5])
def test_annealing_kernel_is_the_step(generations):
    """Bit for bit, split anywhere, and members by themselves."""
    noise = Noise(10)
    stop = future((noise.uniform(0, 5, (13, 17)) < 0.35).to(torch.uint8), generations)
    process = Annealing(stop, generations, flips=400)
    stepped = process.initial(5, noise)
    for t in range(100, 220):
        stepped = process.step(stepped, t, noise)
    kernel = process.advance(process.advance(process.initial(5, noise), 100, 50, noise), 150, 70, noise)
    alone = process.advance(process.initial(2, noise.members(3)), 100, 120, noise.members(3))
    for name in ("cell", "best"):
        assert torch.equal(stepped[name], kernel[name])
        assert torch.equal(stepped[name][3:], alone[name])
    assert bool((process.wrong(stepped["best"]) < process.wrong(stop)).all())


def test_annealing_has_metropolis_law():
    """Three flips on a 3 x 3 torus against the power of its 512 x 512 matrix; Pearson's test, false alarm 1e-7."""
    states = torch.tensor(list(product((0, 1), repeat=9)), dtype=torch.uint8).reshape(-1, 3, 3)
    goal = states[0b010_110_000]
    e = wrong_cells(states, goal.expand(512, 3, 3), 1).double()
    moves = torch.zeros(512, 512, dtype=torch.float64)
    for bit in range(9):
        there = torch.arange(512) ^ (1 << bit)
        accepted = torch.where(e > 0, torch.exp(-(e[there] - e) / 1.5).clamp(max=1), 0)
        moves[torch.arange(512), there] = accepted / 9
    moves += torch.diag(1 - moves.sum(1))
    n, begin = 100_000, 0b000_111_001
    expected = n * torch.linalg.matrix_power(moves, 3)[begin]
    process = Annealing(goal.expand(n, 3, 3), 1, flips=3, hot=1.5, cold=1.5)
    state = process.advance(process.begin(states[begin].expand(n, 3, 3)), 0, 3, Noise(11))
    place = (state["cell"].flatten(1).long() << torch.arange(8, -1, -1)).sum(1)
    counts = torch.bincount(place, minlength=512).double()
    assert bool((counts[expected == 0] == 0).all())
    often = expected > 20
    statistic = float(((counts - expected)[often] ** 2 / expected[often]).sum())
    assert statistic < chi2.isf(1e-7, int(often.sum()))


def test_sampling_undoes_generations_in_their_order():
    """Each chain is told the board that the chain before it made, and the label of its generation."""
    asked = []

    class Echo(torch.nn.Module):
        def forward(self, x_t, t, condition):
            asked.append(condition.clone())
            alive = condition[:, :-1].roll(1, 1).float()  # says that the earlier board is the later one, moved
            return 200 * torch.stack([1 - alive, alive], -1)

    stop = (Noise(12).uniform(0, 3, (25, 25)) < 0.3).to(torch.uint8)
    model = D3PM(Echo(), masks(2))
    assert torch.equal(sample(model, stop, 3, reversal="stepwise", seed=1), stop.roll(3, 1))
    assert [int(c[0, -1, 0]) for c in asked] == [2, 2, 1, 1, 0, 0]
    assert torch.equal(asked[2][:, :-1], stop.roll(1, 1))
    asked.clear()
    assert torch.equal(sample(model, stop, 3, reversal="jointly", seed=1), stop.roll(1, 1))
    assert [int(c[0, -1, 0]) for c in asked] == [2, 2]


SMALL = {"boards": 3, "candidates": 2, "diffusion_steps": 3, "flips": 3000, "training": 4, "channels": 4, "blocks": 1}


@pytest.mark.slow
def test_experiment_scores_what_it_kept_and_resumes_to_the_same(tmp_path):
    experiment = ReverseLife(**SMALL)
    run = Run.create("reverse-life", experiment.settings(), tmp_path / "run")
    lines = experiment.run(run)
    first = json.dumps(run.record["results"])
    boards = checkpoint.load(run.path / "boards" / "3-generations.safetensors")[0]
    life = Life(shape=(25, 25))
    state = {"cell": boards["found"]}
    for t in range(3):
        state = life.step(state, t, Noise(0))
    score = (state["cell"] != boards["goal"]).double().mean()
    recorded = run.record["results"]["scores"]["3"]["found"]
    assert recorded["value"] == pytest.approx(float(score), abs=1e-12)
    assert recorded["guarantee"] == "at this n"
    dead = run.record["results"]["scores"]["3"]["dead"]["value"]
    assert dead == pytest.approx(float(boards["goal"].double().mean()), abs=1e-12)
    assert any("better of the two" in line for line in lines)
    (run.path / "boards" / "5-generations.safetensors").unlink()
    experiment.run(Run.open(run.path))
    assert json.dumps(Run.open(run.path).record["results"]) == first


def test_bad_input():
    with pytest.raises(InputError, match="boards=1 gives no interval"):
        ReverseLife(boards=1)
    with pytest.raises(InputError, match="flips=0 is below 1"):
        ReverseLife(flips=0)
    with pytest.raises(InputError, match="batch=3 is below 5"):
        ReverseLife(batch=3)
    with pytest.raises(InputError, match="reversal='sideways' is not known"):
        ReverseLife(reversal="sideways")
    with pytest.raises(InputError, match="boards of 7 x 25 cannot be annealed over 4 generations; use a height of 9"):
        Annealing(torch.zeros(1, 7, 25, dtype=torch.uint8), 4, flips=10)
    with pytest.raises(InputError, match=r"hot=0.1 and cold=0.3 need 0 < cold <= hot"):
        Annealing(torch.zeros(1, 25, 25, dtype=torch.uint8), 4, flips=10, hot=0.1)
    with pytest.raises(
        InputError, match=r"stop must hold uint8 boards \(n, height, width\), not torch.uint8 of \(25, 25\)"
    ):
        Annealing(torch.zeros(25, 25, dtype=torch.uint8), 1, flips=10)
    with pytest.raises(InputError, match="ensemble=3 is more than the 2 stop boards"):
        simulate(Annealing(torch.zeros(2, 25, 25, dtype=torch.uint8), 1, flips=10), ensemble=3, progress=False)
