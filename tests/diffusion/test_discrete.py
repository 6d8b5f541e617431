"""Categorical diffusion against enumeration: kernels, posterior, reverse chain, every term of the bound."""

import math

import pytest
import torch
from scipy.stats import chi2

from sojourn import InputError, simulate
from sojourn.diffusion.discrete import D3PM, Kernel, losses, schedules
from sojourn.diffusion.discrete.d3pm import DiscreteNoising
from sojourn.diffusion.discrete.kernel import draw, kl, mask_law, uniform_law
from sojourn.noise import Noise

from .enumerated_law import Law, boards, product_law, random_law

LAW = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)


def kernels(states=3, steps=5):
    law = torch.full((states,), 1 / states, dtype=torch.float64)
    return [
        Kernel.uniform(states, schedules.cosine(steps=steps)),
        Kernel.absorbing(states, schedules.linear(0.1, 0.8, steps=steps)),
        Kernel.uniform(states, schedules.mutual_information(law, uniform_law(states), steps=steps)),
        Kernel.absorbing(states, schedules.mutual_information(law, mask_law(states), steps=steps)),
    ]


@pytest.mark.parametrize("kernel", kernels())
def test_cumulated_kernel_is_the_product_and_tends_to_pi(kernel):
    product = torch.eye(kernel.symbols, dtype=torch.float64)
    for t in range(1, kernel.steps + 1):
        product = product @ kernel.Q(t)
        assert torch.allclose(kernel.Q_bar(t), product, rtol=0, atol=1e-15)
        x_0 = torch.arange(kernel.states, dtype=torch.uint8)
        assert torch.allclose(kernel.q_x_t(x_0, t), product[: kernel.states], rtol=0, atol=1e-15)
    assert torch.allclose(kernel.stationary @ kernel.Q(2), kernel.stationary, rtol=0, atol=1e-15)
    assert torch.allclose(kernel.Q(2).sum(1), torch.ones(kernel.symbols, dtype=torch.float64), rtol=0, atol=1e-15)


@pytest.mark.parametrize("kernel", kernels())
def test_posterior_is_bayes(kernel):
    """q(x_{t-1} | x_t, x_0) by the definition of a conditional law, for every t, x_0, x_t that can occur."""
    for t in range(1, kernel.steps + 1):
        joint = kernel.Q_bar(t - 1)[:, :, None] * kernel.Q(t)[None]  # x_0, x_{t-1}, x_t
        for x_0 in range(kernel.states):
            for x_t in range(kernel.symbols):
                if joint[x_0, :, x_t].sum() == 0:
                    continue
                expected = joint[x_0, :, x_t] / joint[x_0, :, x_t].sum()
                found = kernel.posterior(*(torch.tensor([[s]], dtype=torch.uint8) for s in (x_t, x_0)), t)
                assert torch.allclose(found[0, 0], expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kernel", kernels())
def test_one_cell_is_reversed_exactly_at_every_step(kernel):
    """For one cell with the true p(x_0 | x_t), p(x_{t-1} | x_t) is q(x_{t-1} | x_t) of Bayes' rule: no limit needed."""
    model = D3PM(Law(LAW, 3, 1, kernel), kernel)
    for t in range(1, kernel.steps + 1):
        before, now = LAW @ kernel.Q_bar(t - 1)[:3], LAW @ kernel.Q_bar(t)[:3]
        possible = now > 0
        expected = (before[:, None] * kernel.Q(t) / now.where(possible, 1)).T
        found = model.reverse_law(boards(kernel.symbols, 1)[possible], t)[:, 0]
        assert torch.allclose(found, expected[possible], rtol=0, atol=1e-14)


def exact_chain(model, law):
    """The law of x_0 of the reverse chain by enumeration, and E KL(q(x_{t-1} | x_t) || p(x_{t-1} | x_t)) of each t."""
    kernel, noised, p = model.kernel, law.noised, law.p
    at = product_law(kernel.stationary.expand(kernel.symbols, -1), noised[:1], noised)[0]
    gaps = []
    for t in range(kernel.steps, 0, -1):
        cell = model.reverse_law(noised, t)
        step = cell[:, None].expand(-1, len(noised), -1, -1)
        step = torch.gather(step, -1, noised.long()[None, :, :, None].expand(len(noised), -1, -1, 1))[..., 0].prod(-1)
        before, now = p @ law.q(t - 1), p @ law.q(t)
        true = before[:, None] * product_law(kernel.Q(t), noised, noised)  # x_{t-1}, x_t
        reached = now > 0
        gaps.append(float((now[reached] * kl(true.T[reached] / now[reached, None], step[reached])).sum()))
        at = at @ torch.nan_to_num(step)
    return at, gaps


@pytest.mark.parametrize("kind", ["uniform", "absorbing"])
@pytest.mark.parametrize(("states", "cells"), [(2, 4), (3, 3)])
def test_reverse_chain_tends_to_the_law_of_the_data_at_first_order(kind, states, cells):
    """Cells of one step are drawn independently, so the error in total variation falls like 1/T."""
    p = random_law(states**cells, seed=cells)
    errors = []
    for steps in (16, 32, 64):
        kernel = getattr(Kernel, kind)(states, schedules.cosine(steps=steps))
        law = Law(p, states, cells, kernel)
        at, _ = exact_chain(D3PM(law, kernel), law)
        index = [law.noised.tolist().index(board) for board in law.data.tolist()]
        assert at.sum().item() == pytest.approx(1, abs=1e-12)
        assert at[index].sum().item() == pytest.approx(1, abs=1e-12)  # no mask is left
        errors.append(float((at[index] - p).abs().sum() / 2))
    assert errors[2] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.25)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("kernel", kernels(steps=6))
def test_bound_is_entropy_plus_known_gap_and_no_less_than_minus_log_p(kernel):
    """E L = H + KL(q(x_T) || pi) + sum over t of E KL(q(x_{t-1} | x_t) || p(x_{t-1} | x_t)), to 1e-12."""
    p = random_law(27, seed=1)
    law = Law(p, 3, 3, kernel)
    model = D3PM(law, kernel)
    T = kernel.steps
    start = product_law(kernel.stationary.expand(kernel.symbols, -1), law.noised[:1], law.noised)[0]
    bound = kl(law.q(T), start)  # L_T of every x_0
    for t in range(1, T + 1):
        terms = torch.zeros(27, len(law.noised), dtype=torch.float64)
        for k in range(27):
            x_0 = law.data[k].expand(len(law.noised), -1)
            terms[k] = 3 * losses.variational(model, x_0, law.noised, torch.full((len(x_0),), t))
        q = law.q(t)
        bound = bound + torch.where(q > 0, q * terms, 0).sum(1)
    at, gaps = exact_chain(model, law)
    mixed = p @ law.q(T)
    entropy = -torch.xlogy(p, p).sum()
    expected = entropy + kl(mixed, start) + sum(gaps)
    assert float(p @ bound) == pytest.approx(float(expected), abs=1e-12)
    index = [law.noised.tolist().index(board) for board in law.data.tolist()]
    assert bool((bound >= -torch.log(at[index]) - 1e-12).all())


@pytest.mark.parametrize("kernel", kernels())
def test_each_divergence_by_enumeration(kernel):
    """KL of the joint laws of a board in its 3 cells, summed over all 27 or 64 boards, is the loss of `variational`."""
    law = Law(random_law(27, seed=2), 3, 3, kernel)
    model = D3PM(law, kernel)
    for t in (1, 3):
        x_0 = law.data[5:6]
        x_t = law.noised[law.q(t)[5] > 0]
        true = kernel.posterior(x_t, x_0.expand(len(x_t), -1), t)
        ours = model.reverse_law(x_t, t)
        joint = [torch.einsum("ni,nj,nk->nijk", *f.unbind(1)).flatten(1) for f in (true, ours)]
        found = losses.variational(model, x_0.expand(len(x_t), -1), x_t, torch.full((len(x_t),), t))
        assert torch.allclose(3 * found, kl(*joint), rtol=0, atol=1e-12)


def test_absorbing_loss_is_a_weighted_cross_entropy_of_masked_cells():
    """L_{t-1} = (alpha_bar_{t-1} - alpha_bar_t) / (1 - alpha_bar_t) times -log p(x_0 | x_t), summed over masks."""
    kernel = Kernel.absorbing(3, schedules.cosine(steps=7))
    law = Law(random_law(27, seed=3), 3, 3, kernel)
    model = D3PM(law, kernel)
    x_0 = law.data[7:8]
    x_t = torch.tensor([[3, int(x_0[0, 1]), 3]], dtype=torch.uint8)
    for t in (1, 4, 6):
        log_p = model.predict(x_t, t)
        weight = (kernel.alpha_bar[t - 1] - kernel.alpha_bar[t]) / (1 - kernel.alpha_bar[t])
        expected = -weight * (log_p[0, 0, x_0[0, 0].long()] + log_p[0, 2, x_0[0, 2].long()])
        assert float(3 * losses.variational(model, x_0, x_t, torch.tensor([t]))) == pytest.approx(
            float(expected), abs=1e-13
        )
        hybrid = losses.hybrid(model, x_0, x_t, torch.tensor([t]), weight=0.1)
        parts = (
            losses.variational(model, x_0, x_t, torch.tensor([t])),
            losses.cross_entropy(model, x_0, x_t, torch.tensor([t])),
        )
        assert float(hybrid) == pytest.approx(float(parts[0] + 0.1 * parts[1]), abs=1e-14)


def test_mutual_information_falls_in_equal_steps():
    """I(x_t; x_0) by the joint law; with masks alpha_bar is 1 - t/T for any law."""
    for stationary in (uniform_law(3), mask_law(3)):
        alpha_bar = schedules.mutual_information(LAW, stationary, steps=8)
        kernel = Kernel(3, stationary, alpha_bar)
        entropy = -float((LAW * LAW.log()).sum())
        for t in range(9):
            joint = LAW[:, None] * kernel.Q_bar(t)[:3]
            found = float((torch.xlogy(joint, joint) - torch.xlogy(joint, LAW[:, None] * joint.sum(0))).sum())
            assert found == pytest.approx((1 - t / 8) * entropy, abs=1e-7)
    assert torch.allclose(alpha_bar, 1 - torch.arange(9, dtype=torch.float64) / 8, rtol=0, atol=1e-12)


def test_forward_and_reverse_chains_have_their_laws():
    """Pearson's test of 200,000 members against enumerated laws; each false alarm 1e-7, by the law of chi squared."""
    kernel = Kernel.uniform(2, schedules.cosine(steps=4))
    law = Law(random_law(4, seed=4), 2, 2, kernel)
    model, n = D3PM(law, kernel), 200_000
    noising = simulate(DiscreteNoising(kernel, law.data), ensemble=n, steps=2, seed=1, progress=False)
    place = 2 * noising.state()["cell"][:, 0].long() + noising.state()["cell"][:, 1].long()
    for k in range(4):
        assert pearson(torch.bincount(place[k::4], minlength=4), law.q(2)[k]) < chi2.isf(1e-7, 3)
    reverse = simulate(model.reverse((2,)), steps=4, ensemble=n, seed=2, progress=False)
    cells = reverse.state()["cell"].long()
    at, _ = exact_chain(model, law)
    assert pearson(torch.bincount(2 * cells[:, 0] + cells[:, 1], minlength=4), at) < chi2.isf(1e-7, 3)


def pearson(counts, p):
    expected = counts.sum() * p
    return float(((counts - expected) ** 2 / expected).sum())


def test_bound_of_the_model_covers_the_enumerated_one():
    """All terms within their intervals at confidence 1 - 1e-7, and the sum of terms is the sum's value."""
    kernel = Kernel.absorbing(3, schedules.cosine(steps=4))
    law = Law(random_law(27, seed=5), 3, 3, kernel)
    model = D3PM(law, kernel)
    n = 8000
    u = Noise(3).uniform(0, n, ())
    x_0 = law.data[torch.searchsorted(torch.cumsum(law.p, 0), u.double()).clamp(max=26)]
    found = model.bound(x_0, noise=Noise(4), confidence=1 - 1e-7, batch=1000)
    _, gaps = exact_chain(model, law)
    total = float(-torch.xlogy(law.p, law.p).sum() + sum(gaps)) / 3 / math.log(2)
    assert total in found.bits_per_cell
    assert found.prior.value == 0
    terms = found.decoder.value + sum(step.value for step in found.steps) + found.prior.value
    assert terms == pytest.approx(found.bits_per_cell.value, abs=1e-12)
    apart = model.bound(x_0[:100], noise=Noise(4), batch=7)
    assert torch.equal(apart.each, model.bound(x_0[:100], noise=Noise(4), batch=100).each)


def test_draw_never_takes_what_has_no_probability():
    p = torch.tensor([0.0, 0.3, 0.7, 0.0])
    for u in (0.0, 1 - 2.0**-24):
        assert draw(p, torch.tensor(u)).item() in (1, 2)


def test_bad_input():
    with pytest.raises(InputError, match=r"states=1 is not in 2\.\.254"):
        Kernel.uniform(1, schedules.cosine(steps=3))
    with pytest.raises(InputError, match="must fall at every step"):
        Kernel.uniform(2, torch.tensor([1.0, 0.5, 0.5]))
    with pytest.raises(InputError, match=r"linear\(0.5, 0.1\)"):
        schedules.linear(0.5, 0.1)
    with pytest.raises(InputError, match="more than one above zero"):
        schedules.mutual_information(torch.tensor([1.0, 0.0]), mask_law(2))
    kernel = Kernel.uniform(2, schedules.cosine(steps=3))
    with pytest.raises(InputError, match="t=4 is not a step"):
        kernel.Q(4)
    cell = torch.zeros(1, 1, dtype=torch.uint8)
    with pytest.raises(InputError, match=r"a time from -1 to -1 is not in 0\.\.3"):
        kernel.posterior(cell, cell, 0)
    with pytest.raises(InputError, match=r"a time from 2 to 4 is not in 0\.\.3"):
        kernel.q_x_t(cell.expand(2, 1), torch.tensor([2, 4]))
    with pytest.raises(InputError, match="has the state 2; with 2 states"):
        DiscreteNoising(kernel, torch.full((1, 3), 2, dtype=torch.uint8))
    model = D3PM(torch.nn.Identity(), kernel)
    model.network.forward = lambda x, t, c: torch.zeros(1, 3, 5)
    with pytest.raises(InputError, match="the network's logits have shape"):
        model.predict(torch.zeros(1, 3, dtype=torch.uint8), 1)


class _Dropping(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.logits, self.drop = torch.nn.Parameter(torch.tensor([0.5, 1.0, -1.0])), torch.nn.Dropout(0.5)

    def forward(self, x_t, t, condition):
        return self.drop(self.logits.expand(*x_t.shape, 3))


def test_dropout_plays_no_part_even_in_a_model_that_is_being_trained():
    model = D3PM(_Dropping(), Kernel.uniform(3, schedules.cosine(steps=4)))
    x_0 = (torch.arange(60).reshape(6, 10) % 3).to(torch.uint8)
    with pytest.raises(InputError, match="batch=0 is below 1"):
        model.bound(x_0, noise=Noise(0), batch=0)
    found = []
    for mode in (True, False):
        model.train(mode)
        drawn = simulate(model.reverse((50,)), ensemble=6, progress=False).state()["cell"]
        found.append((model.bound(x_0, noise=Noise(0)).each, drawn))
        assert model.training is mode
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_a_chain_is_not_resumed_with_another_schedule(tmp_path):
    path, x_0 = tmp_path / "chain.zarr", torch.zeros(2, 3, dtype=torch.uint8)
    one, other = (Kernel.uniform(2, torch.tensor(values)) for values in ([1, 0.8, 0.1], [1, 0.5, 0.1]))
    simulate(DiscreteNoising(one, x_0), ensemble=2, out=path, progress=False)
    simulate(DiscreteNoising(one, x_0), ensemble=2, out=path, resume=True, progress=False)
    with pytest.raises(InputError, match="was begun with parameters="):
        simulate(DiscreteNoising(other, x_0), ensemble=2, out=path, resume=True, progress=False)
