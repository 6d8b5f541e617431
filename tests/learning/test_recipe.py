"""Learning: the recipe finds Life's rule from boards, and collapsing boards to neighbourhoods changes no loss."""

import pytest
import torch
from torch.nn import functional

import sojourn as sj
from sojourn.learning.boards import collapse, training_pairs
from sojourn.learning.learned_life import LearnedLife
from sojourn.learning.networks import LifeNetworks
from sojourn.learning.recipe import learn_one_step


def test_the_loss_on_neighbourhoods_is_the_loss_on_boards():
    pairs = training_pairs("B36/S23", boards=3, side=11, seed=5, progress=False)
    networks = LifeNetworks(4, width=2, noise=sj.Noise(2))
    seen = collapse(pairs)
    logits = networks.on_neighbourhoods(seen.cells)
    ours = functional.softplus(logits) @ (seen.count - seen.alive) + functional.softplus(-logits) @ seen.alive
    boards, after = torch.from_numpy(pairs.dataset["cell"].values).float().unbind(1)
    direct = functional.binary_cross_entropy_with_logits(
        networks(boards), after.expand(4, -1, -1, -1), reduction="none"
    ).sum((1, 2, 3))
    torch.testing.assert_close(ours, direct, rtol=1e-5, atol=1e-4)
    dead, alive = seen.balanced_weights()
    assert float(dead.sum()) == pytest.approx(0.5)
    assert float(alive.sum()) == pytest.approx(0.5)


def test_a_batch_of_networks_is_the_networks_one_by_one():
    boards = sj.Life(shape=(9, 14)).initial(3, sj.Noise(1))["cell"].float()
    for steps, width, parameters in [(1, 1, 25), (2, 1, 48), (5, 1, 117), (3, 2, None)]:
        networks = LifeNetworks(4, steps, width, noise=sj.Noise(7))
        together = networks(boards)
        for k in range(4):
            alone = networks.pick(k)
            torch.testing.assert_close(alone(boards[:, None])[:, 0], together[k], rtol=1e-5, atol=1e-6)
            assert parameters in (None, sum(p.numel() for p in alone.parameters()))
        fewer = LifeNetworks(2, steps, width, noise=sj.Noise(7).members(2))
        assert torch.equal(fewer.weights["conv0"], networks.weights["conv0"][2:])


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["B3/S23"])
def test_32_networks_all_learn_life_and_are_proved_exact(rule):
    noise = sj.Noise(11)
    networks = LifeNetworks(32, noise=noise.split("weights"))
    seen = collapse(training_pairs(rule, seed=11, progress=False))
    learn_one_step(networks, seen, noise=noise.split("shake"), progress=False)
    certificates = [sj.certify(networks.pick(k), rule) for k in range(32)]
    assert sum(c.exact for c in certificates) == 32
    assert min(c.margin for c in certificates) > 1


def test_a_learned_network_is_a_process_and_its_kernel_equals_its_step():
    networks = LifeNetworks(3, steps=2, width=2, noise=sj.Noise(4))
    for k in range(3):
        network = networks.pick(k)
        boards = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0)).round()
        with torch.no_grad():
            network.readout.bias -= network(boards).median()  # so that both outcomes occur
        for boundary in ("torus", "dead"):
            learned = LearnedLife(network, (13, 21), boundary)
            start = learned.initial(2, sj.Noise(3))
            fast, slow = learned.advance(start, 0, 3, sj.Noise(0)), start
            for t in range(3):
                slow = learned.step(slow, t, sj.Noise(0))
            assert torch.equal(fast["cell"], slow["cell"])
            assert 0 < fast["cell"].float().mean() < 1
