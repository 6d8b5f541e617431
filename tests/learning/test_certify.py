"""Certificates: right networks are proved, wrong ones are refuted, and no network gets a proof it does not deserve."""

import base64

import numpy as np
import pytest
import torch

import sojourn as sj
from sojourn.learning.certificate import Certificate
from sojourn.learning.certify import _stage_by_stage, certify, neighbourhood_logits, rounding_bound
from sojourn.learning.intervals import NEIGHBOURHOODS
from sojourn.learning.learned_life import LearnedLife
from sojourn.learning.networks import LifeNetwork
from sojourn.learning.two_steps import certify_windows

LIFE = sj.Rule.parse("B3/S23").table


def life_by_hand(steps=1, slack=0.4, plateau=1.0):
    """The solution: z = 2 neighbours + centre, alive iff 5 <= z <= 7; h1 = relu(z - 7 - s), h2 = relu(5 - s - z)."""
    network = LifeNetwork(steps)
    with torch.no_grad():
        for k, (conv, mix) in enumerate(zip(network.conv, network.mix, strict=True)):
            scale = 1.0 if k == 0 else plateau
            kernel = torch.full((3, 3), 2.0 / scale)
            kernel[1, 1] = 1.0 / scale
            conv.weight.copy_(torch.stack([kernel, -kernel])[:, None])
            conv.bias.copy_(torch.tensor([-7.0 - slack, 5.0 - slack]))
            mix.weight.fill_(-2.5 * plateau)
            mix.bias.fill_(plateau)
        network.readout.weight.fill_(8.0 / plateau)
        network.readout.bias.fill_(-4.0)
    return network


def map_rule(table):
    text = base64.b64encode(np.packbits(np.asarray(table, np.uint8)).tobytes()).decode()
    return "MAP" + text.rstrip("=")


def test_the_solution_by_hand_is_proved():
    certificate = sj.certify(life_by_hand(), "B3/S23")
    assert certificate.exact
    assert certificate.kind == "exhaustive"
    assert certificate.checked == 512
    assert certificate.margin == pytest.approx(4.0)
    assert 0 < certificate.rounding < 1e-4
    assert certificate.counterexamples == ()


@pytest.mark.parametrize("index", [0, 1, 255, 341, 511])
def test_a_network_wrong_in_one_neighbourhood_of_512_is_caught(index):
    table = LIFE.copy()
    table[index] ^= 1
    certificate = sj.certify(life_by_hand(), map_rule(table))
    assert not certificate.exact
    assert certificate.margin < 0
    (case,) = certificate.counterexamples
    assert [int(c) for row in case["cells"] for c in row] == NEIGHBOURHOODS[index].tolist()
    assert (case["expected"], case["given"]) == (table[index], LIFE[index])


def test_a_margin_within_rounding_is_no_proof():
    network = changed(life_by_hand(), readout__bias=-8.0 + 2e-6)
    certificate = sj.certify(network, "B3/S23")
    assert 0 < certificate.margin < 2 * certificate.rounding
    assert not certificate.exact
    assert "within rounding" in certificate.statement


@pytest.mark.parametrize("steps", [2, 3, 5])
def test_composition_is_proved_stage_by_stage(steps):
    certificate = certify(life_by_hand(steps), "B3/S23")
    assert certificate.exact
    assert certificate.kind == "compositional"
    assert certificate.boundaries == ("torus", "dead")
    assert certificate.margin == pytest.approx(4.0, abs=1e-3)


def test_two_steps_by_all_windows_agrees():
    right = certify_windows(life_by_hand(2), "B3/S23", LIFE)
    assert right.exact
    assert right.kind == "exhaustive"
    assert right.margin == pytest.approx(4.0)
    table = LIFE.copy()
    table[0b111_111_111] ^= 1
    wrong = certify_windows(life_by_hand(2), map_rule(table), table)
    assert not wrong.exact
    assert wrong.counterexamples
    for case in wrong.counterexamples:  # each is a true difference of the two rules' second iterates
        cells = np.array([[int(c) for c in row] for row in case["cells"]], np.uint8)
        board = np.zeros((1, 9, 9), np.uint8)
        board[0, 2:7, 2:7] = cells
        twice = [
            int(sj.Life(rule, (9, 9), "dead").advance({"cell": torch.from_numpy(board)}, 0, 2, None)["cell"][0, 4, 4])
            for rule in ("B3/S23", map_rule(table))
        ]
        assert twice == [case["given"], case["expected"]]


def test_no_false_proof_of_perturbed_networks():
    """Random perturbations of a three-step solution: whatever is proved is right on random boards."""
    generator = torch.Generator().manual_seed(0)
    proved = 0
    cells = sj.Life(shape=(32, 32)).initial(64, sj.Noise(1))
    truth = sj.Life(shape=(32, 32)).advance(cells, 0, 3, sj.Noise(0))["cell"]
    outcomes = []
    for trial in range(60):
        network = life_by_hand(3)
        with torch.no_grad():
            for p in network.parameters():
                p.add_(torch.randn(p.shape, generator=generator) * 0.004 * (trial % 10))
        composed = _stage_by_stage(network, "B3/S23", LIFE)
        given = LearnedLife(network, (32, 32)).step(cells, 0, sj.Noise(0))["cell"]
        right = bool((given == truth).all())
        proved += composed.exact
        outcomes.append(right)
        assert right or not composed.exact
    assert 5 < proved < 60
    assert not all(outcomes)


def test_rounding_bound_holds_for_every_order_tried():
    network = life_by_hand()
    with torch.no_grad():
        for p in network.parameters():
            p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(3)))
    single = neighbourhood_logits(network)
    double = neighbourhood_logits(lambda boards: network.double()(boards.double()))
    assert 0 < np.abs(single - double).max() <= rounding_bound(network.float())


def test_a_callable_is_checked_but_never_called_exact():
    def conway(boards):
        around = sum(torch.roll(boards, (y, x), (-2, -1)) for y in (-1, 0, 1) for x in (-1, 0, 1)) - boards
        return torch.where((around == 3) | ((around == 2) & (boards == 1)), 3.0, -2.0)

    certificate = sj.certify(conway, "B3/S23")
    assert not certificate.exact
    assert (certificate.margin, certificate.rounding, certificate.counterexamples) == (2.0, None, ())
    assert "the reach and the arithmetic of this model are not known" in certificate.statement
    padded = sj.certify(lambda boards: life_by_hand()(boards, "dead"), "B3/S23")  # right on all 512, wrong at edges
    assert not padded.exact
    assert sj.certify(lambda b: conway(torch.roll(b, 2, -1)), "B3/S23").statement.startswith("Refuted")


def changed(network, **values):
    with torch.no_grad():
        for name, value in values.items():
            network.get_parameter(name.replace("__", ".")).fill_(value)
    return network


def cancelling_units(scale):
    """Two units of size `scale` that cancel in exact arithmetic and overflow in float32: dead cells come out alive."""
    network, hand = LifeNetwork(2, 2), life_by_hand(2)
    with torch.no_grad():
        for k in range(2):
            conv, mix = network.conv[k], network.mix[k]
            for p in (*conv.parameters(), *mix.parameters()):
                p.zero_()
            conv.weight[:2, :1] = hand.conv[k].weight
            conv.bias[:2] = hand.conv[k].bias
            conv.weight[2:, 0] = scale
            mix.weight[:1, :2] = hand.mix[k].weight
            mix.weight[0, 2, 0, 0], mix.weight[0, 3, 0, 0] = 1 / scale, -1 / scale
            mix.bias[:1] = hand.mix[k].bias
        network.readout.weight.zero_()
        network.readout.weight[0, 0] = 8.0
        network.readout.bias.fill_(-4.0)
    return network


def test_overflow_and_underflow_are_no_proof():
    assert certify(cancelling_units(1.0), "B3/S23").margin == pytest.approx(4.0, abs=0.1)
    for scale in (5e37, 8e37):
        network = cancelling_units(scale)
        assert not certify(network, "B3/S23").exact
        assert not certify_windows(network, "B3/S23", LIFE).exact
    tiny = changed(life_by_hand(2), readout__weight=2e-45, readout__bias=-1e-45)
    changed(tiny, mix__1__weight=-5.0, mix__1__bias=1.3)
    assert not certify(tiny, "B3/S23").exact
    assert not certify_windows(tiny, "B3/S23", LIFE).exact


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_a_number_is_no_proof_and_can_be_saved(tmp_path, steps, value):
    certificate = certify(changed(life_by_hand(steps), readout__bias=value), "B3/S23")
    assert not certificate.exact
    certificate.save(tmp_path / "c.json")
    assert Certificate.load(tmp_path / "c.json") == certificate


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_logit_of_zero_is_dead_as_it_is_in_use(steps):
    certificate = certify(changed(life_by_hand(steps), readout__bias=0.0), "B3/S23")
    assert not certificate.exact
    assert certificate.counterexamples == ()
    assert certificate.statement.startswith("Not proved")


def test_constant_rules():
    never = changed(life_by_hand(2), readout__weight=0.0, readout__bias=-1.0)
    for steps in (2, 3):
        network = changed(life_by_hand(steps), readout__weight=0.0, readout__bias=-1.0, mix__0__bias=-1.0)
        certificate = certify(network, "B/S")
        assert certificate.exact
        assert not certify(network, "B012345678/S012345678").exact
    assert not certify(never, "B3/S23").exact


def test_what_is_certified_is_what_runs():
    class Negative(LifeNetwork):
        def forward(self, boards, boundary="torus"):
            return -super().forward(boards, boundary)

    turned = Negative(3)
    turned.load_state_dict(life_by_hand(3).state_dict())
    hooked, stretched = life_by_hand(3), life_by_hand(3)
    hooked.readout.register_forward_hook(lambda module, given, out: -out)
    stretched.conv[1].dilation = (2, 2)
    for network in (turned, hooked, life_by_hand(1).double()):
        assert not certify(network, "B3/S23").exact
    assert not stretched.is_plain
    assert certify(life_by_hand(3), "B3/S23").exact


def test_what_cannot_be_proved_is_called_a_sample():
    network = life_by_hand(3, slack=0.0)
    with torch.no_grad():
        network.conv[1].weight.mul_(1.06)
    certificate = certify(network, "B3/S23")
    assert certificate.kind == "statistical"
    assert not certificate.exact
    assert 0 < certificate.error_bound <= 1
    assert certificate.statement.startswith("Not proved, sampled")
    share = certificate.evidence["share of wrong boards"]
    assert share["interval"] == [0.0, certificate.error_bound]
    assert "99.9%, Clopper-Pearson, at this n" in certificate.statement
    printed = float(certificate.statement.split("at most ")[1].split()[0])
    assert certificate.error_bound <= printed <= 1.01 * certificate.error_bound


def test_round_trip_and_recheck(tmp_path):
    network = life_by_hand()
    certificate = sj.certify(network, "B3/S23")
    certificate.save(tmp_path / "certificate.json")
    network.save(tmp_path / "network.safetensors")
    loaded = Certificate.load(tmp_path / "certificate.json")
    assert loaded == certificate
    assert loaded.recheck(LifeNetwork.load(tmp_path / "network.safetensors")) == certificate
    with torch.no_grad():
        network.readout.bias.add_(0.1)
    with pytest.raises(sj.InputError, match="load the weights that were certified"):
        loaded.recheck(network)


def test_bad_input(tmp_path):
    with pytest.raises(sj.InputError, match="steps=2 cannot be certified: the network takes 1 steps"):
        sj.certify(life_by_hand(), "B3/S23", steps=2)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(sj.InputError, match="cannot be read as a certificate"):
        Certificate.load(tmp_path / "x.json")
    with pytest.raises(sj.InputError, match="cannot be read as a checkpoint"):
        LifeNetwork.load(tmp_path / "x.json")
