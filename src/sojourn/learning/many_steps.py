"""A recipe for the minimal networks of n steps, from boards and their n-step futures alone.

The n stages share their weights, because one rule acts at each step. Gradients through n stages are a poor guide (at
n = 4 and 5 they led nowhere), so a network is first *searched*: an evolution strategy on its own loss, over nine
numbers for the stage, with all eight neighbours weighted alike. Then it is *sharpened* by gradients on all its weights:
the stage is pressed to be, with margins, the binary rule that it already is. Whether that is the right rule, only the
futures say: a network that misses one cell of them goes back to the search. No intermediate board and no rule is shown.

What this is not: gradient descent from the initial weights. The search may draw a hidden unit, or both, afresh, and
keeps such a change only if that network's own loss does not rise; when it has stood still for long it shrinks the
stage and shakes it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from sojourn.driver import simulate
from sojourn.kernels import tied_search
from sojourn.kernels.threads import one_thread
from sojourn.learning.intervals import NEIGHBOURHOODS
from sojourn.learning.networks import LifeNetwork, LifeNetworks
from sojourn.noise import Noise
from sojourn.processes.life.life import Life
from sojourn.training.loop import Training, train

SHARPENING = Training(steps=600, learning_rate=0.03, schedule="linear", betas=(0.9, 0.99))
_SLICE = 15_000  # trials between looks at the clock and the keyboard
_HIDDEN_MARGIN, _DEAD_MARGIN = 0.3, 0.5  # of a stage whose live cells are worth 1


class Futures(NamedTuple):
    """Pairs of boards n steps apart: (2, boards, side, side) uint8; settled boards with flips, then soups."""

    before: np.ndarray
    after: np.ndarray


class Found(NamedTuple):
    """One network's outcome.

    Attributes:
        network: n equal stages, or None when the budget ran out.
        trials: evaluations of the search; tries: how often it was sharpened and tested.
    """

    network: LifeNetwork | None
    trials: int
    tries: int


def futures(rule: str, steps: int, *, boards: int = 512, side: int = 32, seed: int = 0) -> Futures:
    """Random torus boards and what they are after `steps` steps, which is all that a learner sees.

    Half are what a multiple of `steps` (near 120) made of soups of density 0.1 to 0.5, with up to 10% of the cells
    flipped; half are soups of density 0.02 to 0.95, because crowded cells are rare in the others.
    """
    noise, shape = Noise(seed), (side, side)
    life = Life(rule, shape)

    def soups(name: str, low: float, high: float) -> torch.Tensor:
        density = low + (high - low) * noise.split(f"{name} density").uniform(0, boards, (1, 1))
        return (noise.split(name).uniform(0, boards, shape) < density).to(torch.uint8)

    def later(cells: torch.Tensor, count: int) -> torch.Tensor:
        return simulate(life, {"cell": cells}, steps=count, progress=False).state()["cell"]

    settled = later(soups("settled", 0.1, 0.5), 120 // steps * steps) ^ soups("flips", 0.0, 0.1)
    before = [settled, soups("soups", 0.02, 0.95)]
    after = [later(cells, steps) for cells in before]
    return Futures(torch.stack(before).numpy(), torch.stack(after).numpy())


def learn_many_steps(
    count: int,
    steps: int,
    data: Futures,
    *,
    noise: Noise,
    first: int = 0,
    trials: int = 4_000_000,
    report: Callable[[int, Found], None] | None = None,
) -> list[Found]:
    """Learns networks `first` to `count` - 1 of width 1, each on its own; `report(k, found)` is called in their order.

    Network k starts from PyTorch's default weights, drawn by member k of `noise`, and has a budget of `trials`
    evaluations; what becomes of it depends on the data, the seed and k alone.
    """
    threads = os.cpu_count() or 1
    found: list[Found] = []
    with one_thread(), ThreadPoolExecutor(threads) as pool:
        starts = LifeNetworks(count, noise=noise.split("weights"))
        jobs = [
            pool.submit(_learn_one, starts.pick(k), steps, data, noise.members(k), trials) for k in range(first, count)
        ]
        try:
            for k, job in enumerate(jobs, first):
                found.append(job.result())
                if report:
                    report(k, found[-1])
        except BaseException:
            pool.shutdown(cancel_futures=True, wait=False)
            raise
    return found


def _learn_one(start: LifeNetwork, steps: int, data: Futures, noise: Noise, trials: int) -> Found:
    theta, progress = _isotropic(start), np.zeros(2, np.int64)
    own = noise.split("search")
    random = np.array([0, 0, own.first_member, own.stream, own.seed & 0xFFFFFFFF, own.seed >> 32], np.uint32)
    tries = 0
    while progress[0] < trials:
        if not tied_search.search(theta, progress, random, data.before, data.after, steps, _SLICE):
            continue
        tries += 1
        network = repeat(sharpen(theta), steps)
        if fits(network, data):
            return Found(network, int(progress[0]), tries)
        theta *= np.float32(0.3)
    return Found(None, int(progress[0]), tries)


def sharpen(theta: np.ndarray) -> LifeNetwork:
    """A one-step network with wide margins whose binary rule is that of the stage `theta`.

    Live cells are to be worth 1, with both hidden units at most -0.3 there; dead cells' pre-activations at most -0.5.
    The targets are the stage's own answers on the 512 neighbourhoods, so nothing new is learned here.
    """
    networks = LifeNetworks(1, noise=None)
    _write(networks, theta)
    cells = torch.from_numpy(NEIGHBOURHOODS.T.copy()).float()
    with torch.no_grad():
        alive = networks.stage(0, cells)[0, 0] > 0.5
    live_weight, dead_weight = alive / alive.sum().clamp(min=1), ~alive / (~alive).sum().clamp(min=1)

    def objective(model: nn.Module, step: int) -> torch.Tensor:
        assert isinstance(model, LifeNetworks)
        hidden, out = model.pre_activations(0, cells)
        live = (out[:, 0] - 1).square() + torch.relu(hidden + _HIDDEN_MARGIN).square().sum(1)
        return (live @ live_weight + torch.relu(out[:, 0] + _DEAD_MARGIN).square() @ dead_weight).sum()

    train(networks, objective, SHARPENING, progress=False)
    return networks.pick(0)


def repeat(stage: LifeNetwork, steps: int) -> LifeNetwork:
    """The network of `steps` stages that all are that of a one-step network."""
    network = LifeNetwork(steps, stage.width)
    weights = stage.state_dict()
    network.load_state_dict({name: weights[re.sub(r"\.\d+\.", ".0.", name)] for name in network.state_dict()})
    return network


def fits(network: LifeNetwork, data: Futures) -> bool:
    """Whether the network gives every cell of every future."""
    for before, after in zip(data.before, data.after, strict=True):
        with torch.no_grad():
            alive = network(torch.from_numpy(before).float()[:, None])[:, 0] > 0
        if not torch.equal(alive, torch.from_numpy(after) == 1):
            return False
    return True


def _isotropic(network: LifeNetwork) -> np.ndarray:
    """Centre weight, mean ring weight and bias of both hidden units, their two mixing weights, and the bias."""
    state = network.state_dict()
    kernel, bias = state["conv.0.weight"].reshape(2, 9), state["conv.0.bias"]
    units = [torch.stack([kernel[k, 4], (kernel[k].sum() - kernel[k, 4]) / 8, bias[k]]) for k in range(2)]
    return torch.cat([*units, state["mix.0.weight"].flatten(), state["mix.0.bias"]]).numpy().astype(np.float32)


def _write(networks: LifeNetworks, theta: np.ndarray) -> None:
    """Sets a one-step network to the stage `theta`, its ring weights scaled to size 1; the logit is 8 y - 4."""
    values = torch.from_numpy(theta)
    w = networks.weights
    with torch.no_grad():
        for k in range(2):
            centre, ring, bias = values[3 * k : 3 * k + 3]
            scale = ring.abs().clamp(min=0.05)
            w["conv0"][0, k] = ring / scale
            w["conv0"][0, k, 4] = centre / scale
            w["conv0_bias"][0, k] = bias / scale
            w["mix0"][0, 0, k] = values[6 + k] * scale
        w["mix0_bias"][0, 0] = values[8]
        w["readout"].fill_(8.0)
        w["readout_bias"].fill_(-4.0)
