"""Emulators: what the splitting network computes, symmetries of each network, processes, windows, breakeven."""

import math

import numpy as np
import pytest
import torch

import sojourn as sj
from sojourn.learning.emulators.context import infer
from sojourn.learning.emulators.emulator import Emulator
from sojourn.learning.emulators.evaluation import Solver, breakeven, cheapest, one_step, summarise, vrmse_loss
from sojourn.learning.emulators.fno import FNO
from sojourn.learning.emulators.network import unroll
from sojourn.learning.emulators.shooting import shoot
from sojourn.learning.emulators.solvers import resample
from sojourn.learning.emulators.splitting import Splitting
from sojourn.learning.emulators.unet import UNet
from sojourn.learning.emulators.windows import Windows, stacked

SPACING = 2 / 128
DIFFUSIVITIES = (2e-5, 1e-5)


@pytest.fixture(autouse=True)
def _seeded():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def random_splitting(**options) -> Splitting:
    network = Splitting(2, **options).double()
    with torch.no_grad():
        network.mean_reaction.normal_(std=0.1)
    return network


def gray_scott_splitting(substeps: int, *, history: int = 1, feed: float = 0.03, kill: float = 0.06) -> Splitting:
    """The network whose weights are the true diffusivities and reaction; its context is (F - feed, k - kill) 100."""
    network = Splitting(2, history=history, substeps=substeps, context=2).double()
    place = {powers: k for k, powers in enumerate(network.monomials)}
    mean, shift = torch.zeros(2, len(place)).double(), torch.zeros(2, 2, len(place)).double()
    mean[0, place[()]], mean[0, place[(0,)]], mean[0, place[(0, 1, 1)]] = feed, -feed, -1
    mean[1, place[(0, 1, 1)]], mean[1, place[(1,)]] = 1, -(feed + kill)
    shift[0, 0, place[()]], shift[0, 0, place[(0,)]], shift[0, 1, place[(1,)]] = 0.01, -0.01, -0.01
    shift[1, 1, place[(1,)]] = -0.01
    with torch.no_grad():
        scaled = torch.tensor(DIFFUSIVITIES).double() * network.interval / SPACING**2
        network.diffusion.copy_(torch.log(torch.expm1(scaled)))
        network.mean_reaction.copy_(mean / 0.1)
        if history > 1:
            network.context_reaction.copy_(shift / 0.1)
    return network


def truth(side=32, **options):
    parameters = {
        "shape": (side, side),
        "extent": side * SPACING,
        "scheme": "etdrk4",
        "dealias": "none",
        "dtype": "float64",
    }
    return sj.GrayScott.preset("maze", **{**parameters, "dt": 0.25, "start": "gaussian", **options})


def settled(process, members=2, seed=0, time=200):
    state = process.initial(members, sj.Noise(seed))
    return process.advance(state, 0, round(time / process.dt), sj.Noise(seed))


def following(process, state, frames):
    """(members, frames, fields, *grid), ten time units apart."""
    found = [torch.stack(list(state.values()), 1)]
    for _ in range(frames - 1):
        state = process.advance(state, 0, round(10 / process.dt), sj.Noise(0))
        found.append(torch.stack(list(state.values()), 1))
    return torch.stack(found, 1)


@pytest.mark.parametrize(("fields", "grid"), [(1, (24,)), (2, (16, 20)), (3, (6, 8, 10))])
def test_without_a_reaction_it_is_the_heat_semigroup(fields, grid):
    network = Splitting(fields, history=1, interval=10.0, spacing=SPACING).double()
    x = torch.randn(2, fields, *grid).double()
    found, _ = network(x, x.new_zeros(2, 0))
    k2 = sum(k**2 for k in np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n, SPACING) for n in grid), indexing="ij"))
    axes = tuple(range(2, x.ndim))
    decay = np.exp(-10.0 * network.diffusivities.detach().numpy().reshape(-1, *[1] * len(grid)) * k2)
    expected = np.fft.ifftn(np.fft.fftn(x.numpy(), axes=axes) * decay, axes=axes).real
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-13)


@pytest.mark.parametrize("side", [16, 24])
def test_all_commute_with_translations_of_the_torus(side):
    for network, shift in (
        (random_splitting(history=4), (3, -5)),
        (FNO(2, width=6, modes=5, layers=2).double(), (3, -5)),
        (UNet(2, width=8, levels=3).double(), (4, -8)),
    ):
        frames = 0.3 * torch.rand(2, 4, 2, side, side).double()
        rolled = unroll(network, frames.roll(shift, (-2, -1)), 2)
        torch.testing.assert_close(rolled, unroll(network, frames, 2).roll(shift, (-2, -1)), atol=1e-11, rtol=1e-9)


def test_splitting_commutes_with_the_symmetries_of_the_square():
    network, frames = random_splitting(), 0.3 * torch.rand(1, 4, 2, 16, 16).double()
    expected = unroll(network, frames, 2)
    for turns in range(4):
        for flip in (lambda z: z, lambda z: z.flip(-1)):
            turned = unroll(network, flip(frames.rot90(turns, (-2, -1))), 2)
            torch.testing.assert_close(turned, flip(expected.rot90(turns, (-2, -1))), atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("units", [0, 8])
def test_splitting_does_not_depend_on_the_resolution(units):
    coarse = random_splitting(spacing=SPACING, hidden=units)
    fine = Splitting(2, spacing=SPACING / 2, hidden=units).double()
    fine.load_state_dict(coarse.state_dict())
    angle = 2 * math.pi * torch.arange(64).double() / 64
    wave = 0.4 + 0.1 * torch.cos(angle[:, None] + 2 * angle) * torch.tensor([1.0, -0.7]).double()[:, None, None]
    frames = torch.stack([wave * (1 + 0.02 * k) for k in range(4)])[None]
    fewer = frames[..., ::2, ::2]
    with torch.no_grad():
        context = infer(coarse, fewer)
        torch.testing.assert_close(infer(fine, frames), context, atol=1e-4, rtol=1e-4)  # its weights are no wave
        found, _ = fine(frames[:, -1], context)
        expected, _ = coarse(fewer[:, -1], context)
    torch.testing.assert_close(found[..., ::2, ::2], expected, atol=1e-10, rtol=0)


def test_with_the_true_reaction_it_is_a_solver_of_order_two():
    process = truth()
    frames = following(process, settled(process), 2)
    errors = []
    for substeps in (5, 10, 20):
        network = gray_scott_splitting(substeps, feed=0.029, kill=0.057)
        with torch.no_grad():
            found, _ = network(frames[:, 0], frames.new_zeros(2, 0))
        errors.append(float((found - frames[:, 1]).abs().max()))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert errors[0] < 0.01
    np.testing.assert_allclose(orders, 2.0, atol=0.25)


@pytest.mark.parametrize(("history", "tolerance"), [(2, 2e-3), (4, 2e-4)])
def test_the_context_of_the_true_reaction_is_the_true_rates(history, tolerance):
    network = gray_scott_splitting(5, history=history, feed=0.03, kill=0.06)
    for pattern in ("maze", "spots"):
        feed, kill = sj.GrayScott.preset(pattern).feed_rate, sj.GrayScott.preset(pattern).kill_rate
        process = truth(feed_rate=feed, kill_rate=kill, start="seeds", side=48)
        frames = following(process, settled(process, time=300), history)
        assert frames[:, :, 1].std((-2, -1)).min() > 0.01  # alive: a uniform state does not show its rates
        with torch.no_grad():
            found = network.remember(frames)
        expected = torch.tensor([feed - 0.03, kill - 0.06]).double().expand(2, 2)
        torch.testing.assert_close(found / 100, expected, atol=tolerance, rtol=0)


def test_regression_finds_the_equation_and_contexts_find_the_rates():
    rates = [(0.022, 0.051), (0.04, 0.06), (0.029, 0.057), (0.058, 0.065), (0.018, 0.051), (0.03, 0.062)]
    paths = []
    for feed, kill in rates:
        process = truth(feed_rate=feed, kill_rate=kill, start="seeds", side=32, dt=0.5)
        state, frames = settled(process, time=50), []
        for _ in range(16):
            frames.append(torch.stack(list(state.values()), 1))
            state = process.advance(state, 0, 4, sj.Noise(0))
        paths.append(torch.stack(frames, 1))
    network = Splitting(2, interval=2.0, substeps=2, context=2).double()
    frames = torch.cat(paths)
    network.prepare(frames)
    np.testing.assert_allclose(network.diffusivities.detach(), DIFFUSIVITIES, rtol=0.01)
    with torch.no_grad():
        c = network.remember(frames[:, -5:-1]).numpy()
    design = np.concatenate([np.ones((len(c), 1)), c], axis=1)
    known = np.repeat(np.array(rates), 2, axis=0)
    fitted = design @ np.linalg.lstsq(design, known, rcond=None)[0]
    np.testing.assert_allclose(fitted, known, atol=2e-3)  # an affine map takes contexts, which nobody named, to (F, k)
    with torch.no_grad():
        found = unroll(network, frames[:, -5:-1], 1)[:, 0]
    error = vrmse_loss(found, frames[:, -1]).mean()
    still = vrmse_loss(frames[:, -2], frames[:, -1]).mean()
    assert error < 0.02 * still


def test_shooting_brings_back_what_made_the_frames():
    """Frames that a network itself made, from transients: weights and contexts shaken by some percent come back."""
    rates = [(0.0, 0.0), (-0.8, 0.0), (0.5, -0.3), (0.0, 0.2)]
    true = gray_scott_splitting(5, history=4)
    generator = torch.Generator().manual_seed(1)
    frame = truth(side=32, start="gaussian").initial(len(rates), sj.Noise(7))
    frames, c = [torch.stack(list(frame.values()), 1).double()], torch.tensor(rates).double()
    with torch.no_grad():
        for _ in range(40):
            frames.append(true(frames[-1], c)[0])
        shaken = gray_scott_splitting(5, history=4)
        for parameter in (shaken.diffusion, shaken.mean_reaction, shaken.context_reaction):
            noise = torch.randn(parameter.shape, dtype=parameter.dtype, generator=generator)
            parameter.add_(0.03 * parameter.abs().mean() * noise)
        seen = torch.stack(frames, 1)
        before = vrmse_loss(shaken(seen[:, 0], c)[0], seen[:, 1]).mean()
        shoot(shaken, seen)
        after = vrmse_loss(unroll(shaken, seen[:, :4], 20)[:, -1], seen[:, 23]).mean()
    assert before > 0.003
    assert after < 1e-3  # twenty steps on, with contexts from the first four frames
    np.testing.assert_allclose(shaken.diffusivities.detach(), DIFFUSIVITIES, rtol=1e-3)


def test_the_context_has_the_derivative_that_differences_show():
    network = random_splitting(history=3)
    frames = 0.4 + 0.1 * torch.rand(1, 3, 2, 8, 8).double()

    def value(parameter, shift=0.0, direction=None):
        with torch.no_grad():
            if direction is not None:
                parameter.add_(shift * direction)
        return infer(network, frames).square().sum()

    def plain(parameter, shift, direction):
        return float(value(parameter, shift, direction).detach())

    for parameter in (network.mean_reaction, network.context_reaction, network.diffusion):
        network.zero_grad()
        value(parameter).backward()
        direction = torch.randn_like(parameter)
        slope = float((parameter.grad * direction).sum())
        above = plain(parameter, 1e-6, direction)
        below = plain(parameter, -2e-6, direction)
        plain(parameter, 1e-6, direction)
        assert slope == pytest.approx((above - below) / 2e-6, rel=1e-4, abs=1e-9)


def test_fno_is_the_same_function_at_another_resolution():
    network = FNO(2, history=1, width=6, modes=4, layers=1).double()
    torch.nn.init.zeros_(network.local[0].weight)
    spectral = network.spectral[0]
    x = torch.randn(1, 6, 8, 8).double()
    x = torch.fft.irfft2(torch.fft.rfft2(x) * (torch.arange(5) < 4) * (torch.arange(8)[:, None] != 4), s=(8, 8))
    torch.testing.assert_close(spectral(resample(x, (16, 16)))[..., ::2, ::2], spectral(x), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    "network", [Splitting(2), Splitting(2, history=1), FNO(2, width=4, modes=3, layers=1), UNet(2, width=8, levels=2)]
)
def test_an_emulator_is_a_process_under_the_one_driver(network, tmp_path):
    process = truth(16, dtype="float32", dt=1.0)
    emulator = Emulator(network, process, 10)
    state = emulator.initial(3, sj.Noise(1))
    assert ("memory" in state) == (network.history > 1)
    whole = sj.simulate(emulator, state, steps=7, save_every=1, progress=False)
    parts = state
    for first, size in ((0, 3), (3, 1), (4, 3)):
        parts = emulator.advance(parts, first, size, sj.Noise(0))
    assert all(torch.equal(parts[name], whole.state(7)[name]) for name in parts)
    np.testing.assert_allclose(whole.dataset["time"], 10.0 * np.arange(8))
    stored = sj.simulate(emulator, state, steps=7, save_every=1, progress=False, out=tmp_path / "t.zarr")
    assert stored.dataset.equals(whole.dataset)
    start = process.initial(3, sj.Noise(1))
    frames = following(process, start, network.history)
    torch.testing.assert_close(state["u"], frames[:, -1, 0])
    with torch.no_grad():
        expected = unroll(network, frames, 1)[:, 0]
    torch.testing.assert_close(torch.stack([whole.state(1)["u"], whole.state(1)["v"]], 1), expected)


def test_a_member_that_diverges_leaves_the_others_alone():
    network = gray_scott_splitting(2).float()
    emulator = Emulator(network, truth(16, dtype="float32"), 10)
    state = emulator.initial(2, sj.Noise(0))
    alone = sj.simulate(emulator, {n: x[1:] for n, x in state.items()}, steps=5, progress=False).state()
    state = {n: torch.cat([x[:1] + 1e3, x[1:]]) for n, x in state.items()}
    end = sj.simulate(emulator, state, steps=5, progress=False).state()
    assert end["u"].abs().max() <= 1e4
    torch.testing.assert_close(end["u"][1:], alone["u"])


def test_windows_depend_on_seed_and_step_alone():
    process = sj.GrayScott(shape=(8, 8), scheme="etdrk4", dealias="none")
    parts = [sj.simulate(process, steps=12, save_every=1, ensemble=n, seed=n, progress=False) for n in (1, 2)]
    windows = Windows(parts, 5, sj.Noise(3))
    later = windows.draw(7, 64)
    windows.draw(2, 16)
    again = Windows(parts, 5, sj.Noise(3)).draw(7, 64)
    assert torch.equal(later, again)
    assert torch.equal(windows.draw(7, 16), later[:16])
    assert not torch.equal(Windows(parts, 5, sj.Noise(4)).draw(7, 64), later)
    every = torch.cat([stacked(p) for p in parts]).unfold(1, 5, 1).movedim(-1, 2).flatten(0, 1)
    place = [int((every == window).flatten(1).all(1).nonzero()[0, 0]) for window in windows.draw(0, 400)]
    # 27 windows, 400 draws: one is left out with probability below 27 (26/27)^400 < 1e-5
    assert set(place) == set(range(27))


def test_the_loss_is_the_measure_and_one_step_is_its_mean():
    process = truth(16, dtype="float32", dt=1.0)
    path = sj.simulate(process, steps=60, save_every=10, ensemble=2, progress=False)
    network = random_splitting().float()
    frames = stacked(path)
    found = one_step(network, frames, batch=3)
    assert found.shape == (2, 3, 2)
    with torch.no_grad():
        emulated = torch.stack([unroll(network, frames[:, k : k + 4], 1)[:, 0] for k in range(3)], 1)
    real = path.dataset.isel(time=slice(4, 7))
    other = real.copy(data={"u": emulated[:, :, 0].numpy(), "v": emulated[:, :, 1].numpy()})
    expected = sj.vrmse(real, other)
    for k, name in enumerate(("u", "v")):
        np.testing.assert_allclose(found[..., k], expected[name], rtol=1e-4)


def test_breakeven_by_hand():
    # 100 s for data and training; the emulator takes 2 ms a step, the solver 6 ms: 4 ms are saved in each
    assert breakeven(100.0, 0.002, 0.006) == pytest.approx(25_000)
    assert breakeven(100.0, 0.006, 0.006) is None
    solvers = [Solver("fine", 0.001, 0.02), Solver("coarse", 0.1, 0.005), Solver("coarser", 0.3, 0.001)]
    assert cheapest(solvers, 0.1) == solvers[1]
    assert cheapest(solvers, 0.0001) is None


def test_summary_of_rollouts_by_hand():
    errors = np.ones((2, 30, 2)) * np.arange(1, 31)[None, :, None]
    errors[1] *= 3
    uniform = np.zeros((2, 30), bool)
    uniform[1] = True
    found = summarise(errors, uniform)
    assert found["windows"]["6:12"]["mean"] == pytest.approx(2 * np.mean(np.arange(7, 13)))
    assert found["windows"]["6:12"]["mean_where_not_uniform"] == pytest.approx(np.mean(np.arange(7, 13)))
    assert found["quartiles"][0] == pytest.approx([1.5, 2.0, 2.5])
    assert found["uniform"] == [1] * len(found["horizons"])


def test_resampling_keeps_the_waves_that_fit():
    y, x = torch.meshgrid(*[2 * math.pi * torch.arange(24).double() / 24] * 2, indexing="ij")
    wave = 1 + torch.cos(3 * x - 2 * y) + 0.5 * torch.sin(4 * y)
    small = resample(wave[None], (12, 12))
    torch.testing.assert_close(small[0], wave[::2, ::2])
    torch.testing.assert_close(resample(small, (24, 24))[0], wave)


def test_bad_input_is_named():
    process = sj.GrayScott(shape=(8, 8), scheme="etdrk4")
    path = sj.simulate(process, steps=3, save_every=1, progress=False)
    with pytest.raises(sj.InputError, match="4 frames hold no window of 5"):
        Windows([path], 5, sj.Noise(0))
    with pytest.raises(sj.InputError, match=r"grid of \(12, 12\) points does not divide by 8"):
        unroll(UNet(2, width=8, levels=4), torch.zeros(1, 4, 2, 12, 12), 1)
    with pytest.raises(sj.InputError, match="network has 3 fields and GrayScott has 2"):
        Emulator(Splitting(3), process)
    with pytest.raises(sj.InputError, match="every=0 is below 1"):
        Emulator(Splitting(2), process, 0)
    with pytest.raises(sj.InputError, match="substeps 1 or more"):
        Splitting(2, substeps=0)
    with pytest.raises(sj.InputError, match="fields=0 and history=4"):
        FNO(0)


def test_the_loss_of_a_uniform_truth_divides_by_the_constant():
    loss = vrmse_loss(torch.full((1, 1, 4, 4), 1e-3), torch.zeros(1, 1, 4, 4))
    assert float(loss) == pytest.approx(1e-3 / math.sqrt(1e-7), rel=1e-5)
