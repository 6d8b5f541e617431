"""The ddpm experiments: tables add up, what is exact agrees, and an interrupted run ends as if it had not been."""

from functools import partial

import numpy as np
import pytest
import torch

import sojourn as sj
from sojourn import data
from sojourn.bounds.intervals import student
from sojourn.diffusion import DDPM, Schedule, UNet, fit, losses, samplers
from sojourn.errors import InputError
from sojourn.experiments import ddpm
from sojourn.experiments.ddpm import Ddpm
from sojourn.experiments.ddpm_gray_scott import DdpmGrayScott
from sojourn.experiments.ddpm_mnist import DdpmMnist
from sojourn.experiments.ddpm_report import bands
from sojourn.runs import Run
from sojourn.training.loop import Training
from sojourn.trajectory import Trajectory

SMALL = Ddpm("pinwheel", training=40, diffusion_steps=12, evaluated=60, samples=60, sampling_steps=6)


def _done(experiment, path):
    run = Run.open(path) if (path / "run.json").exists() else Run.create("ddpm", experiment.settings(), path)
    with run.active():
        return run, experiment.run(run)


def test_bands_are_sums_with_intervals_that_hold_those_of_the_sums():
    """By Minkowski's inequality, for any dependence: here terms of a datum that move together, and that do not."""
    rng = np.random.default_rng(0)
    for share in (0.0, 0.7, 1.0):
        terms = share * rng.exponential(size=(1, 40)) + (1 - share) * rng.exponential(size=(17, 40))
        steps = [[e.value, e.low, e.high] for e in map(student, terms)]
        for first, last, value, low, high in bands(steps, 5):
            own = student(terms[first - 2 : last - 1].sum(0))
            assert abs(value - own.value) < 1e-12
            assert low <= own.low + 1e-12
            assert high >= own.high - 1e-12
        covered = [t for first, last, *_ in bands(steps, 5) for t in range(first, last + 1)]
        assert sorted(covered) == list(range(2, 19))
        (whole,) = bands(steps, 1)
        if share == 1.0:  # then they are the same interval
            assert abs(whole[3] - student(terms.sum(0)).low) < 1e-9


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """SMALL, run through: its run and its lines."""
    return _done(SMALL, tmp_path_factory.mktemp("ddpm") / "whole")


def test_a_run_adds_up_and_its_density_is_one(whole, monkeypatch):
    run, lines = whole
    bounds = ddpm.kept(run, "bound", dict)
    for bound in bounds.values():
        parts = bound["prior"]["value"] + bound["decoder"]["value"] + sum(row[0] for row in bound["steps"])
        assert abs(parts - bound["bits_per_dim"]["value"]) < 1e-9
        assert len(bound["steps"]) == SMALL.sizes.diffusion_steps - 1
    assert any("prior L_T, T = 12" in line for line in lines)
    flow = run.record["results"]["flow"]["held out"]
    # the loss against the true density is a divergence, so not below zero; this network has hardly learned
    assert flow["loss"]["interval"][0] > 0
    assert abs(flow["bits_per_dim"]["value"] - flow["exact"]["value"] - flow["loss"]["value"]) < 1e-9
    assert flow["bits_per_dim"]["interval"][0] > flow["exact"]["interval"][0]
    model = SMALL._train(run)  # read from the checkpoint
    monkeypatch.setattr(ddpm, "_EXTENT", 4.0)  # a network of 40 steps spreads far
    density = SMALL._densities(model)
    cell = (8.0 / (ddpm._GRID - 1)) ** 2
    assert abs(density["learned: probability flow"].sum() * cell - 1) < 2e-2


def test_an_interrupted_run_ends_as_if_it_had_not_been(whole, tmp_path, monkeypatch):
    """Stopped in training and again after the bound: the same samples to the bit, and the same results."""
    monkeypatch.setattr(ddpm, "Training", partial(Training, checkpoint_seconds=0.0))
    with monkeypatch.context() as patch:
        calls, plain = [], losses.Hybrid.__call__

        def stops(self, *arguments):
            calls.append(1)
            if len(calls) > 25:
                raise KeyboardInterrupt
            return plain(self, *arguments)

        patch.setattr(losses.Hybrid, "__call__", stops)
        with pytest.raises(KeyboardInterrupt):
            _done(SMALL, tmp_path / "parts")
    with monkeypatch.context() as patch:

        def stops_here(*_):
            raise KeyboardInterrupt

        patch.setattr(Ddpm, "_flow", stops_here)
        with pytest.raises(KeyboardInterrupt):
            _done(SMALL, tmp_path / "parts")
    with monkeypatch.context() as patch:
        patch.setattr(ddpm, "plain", stops_here)  # the bound is not computed anew
        parts, _ = _done(SMALL, tmp_path / "parts")
    a, b = (Trajectory.open(run.path / "reverse.zarr").state()["x"] for run in (whole[0], parts))
    assert torch.equal(a, b)
    assert whole[0].record["results"] == parts.record["results"]
    assert [row["step"] for row in parts.metrics("training")] == [row["step"] for row in whole[0].metrics("training")]


def test_digits_pixel_by_pixel():
    """The entropy of one law for each pixel, by hand in NumPy."""
    experiment = Ddpm()
    learned, real = (np.rint((x.numpy().reshape(len(x), -1) + 1) * 8).astype(int) for x in _digits(experiment))
    bits = [-np.log2(((learned[:, j] == k).sum() + 1) / (len(learned) + 17)) for j in range(64) for k in real[:, j]]
    assert abs(experiment._pixel_by_pixel() - np.mean(bits)) < 1e-9


def _digits(experiment):
    return experiment.learned, experiment.held_out


def test_gray_scott_states_are_judged_by_closed_forms():
    """A wave of v: its wavelength, mean, deviation and spectrum; and change as Heun's step makes it."""
    experiment = DdpmGrayScott(samples=4)
    place = torch.arange(32) / 32
    v = 0.3 + 0.1 * torch.cos(2 * torch.pi * 4 * place).expand(4, 32, 32)
    x = torch.stack([torch.zeros_like(v), 2 * v / 0.8 - 1], 1)  # u = 1/2
    found = experiment._judge((0.03, 0.062), x)
    measures = {name: value["value"] for name, value in found["measures"].items()}
    assert abs(measures["wavelength"] - 8) < 1e-4
    assert abs(measures["mean v"] - 0.3) < 1e-6
    assert abs(measures["deviation of v"] - 0.1 / 2**0.5) < 1e-6
    spectrum = np.array([row[0] for row in found["spectrum"]])
    assert abs(spectrum[3] - 0.005) < 1e-8  # a^2 / 2, in the fourth shell
    assert abs(spectrum.sum() - 0.005) < 1e-8
    # v_t = D_v v_xx + u v^2 - (F + k) v to first order in the step, which is what Heun's method is near
    process = experiment.process((0.03, 0.062))
    wave = 0.1 * np.cos(2 * np.pi * 4 * np.arange(32) / 32)
    discrete = -2 * (1 - np.cos(2 * np.pi / 8)) / (1 / 64) ** 2 * wave
    rate = float(process.diffusivity_v) * discrete + 0.5 * (0.3 + wave) ** 2 - 0.092 * (0.3 + wave)
    assert abs(measures["change"] / (np.sqrt((rate**2).mean()) / wave.std()) - 1) < 0.25
    assert sum(found["classes"].values()) == 4


def test_the_page_as_written():
    """The example of docs/diffusion.md."""
    schedule = Schedule.linear(1e-4, 0.02, steps=1000)
    x_0 = data.load_digits("train").x
    x_t = schedule.noised(x_0, 500, torch.randn_like(x_0))
    mean, variance = schedule.posterior(x_t, x_0, 500)
    a, before, now = (
        float(c[t]) for c, t in ((schedule.alpha, 500), (schedule.alpha_bar, 499), (schedule.alpha_bar, 500))
    )
    torch.testing.assert_close(
        mean, (before**0.5 * (1 - a) * x_0 + a**0.5 * (1 - before) * x_t) / (1 - now), rtol=1e-5, atol=1e-5
    )
    assert abs(float(variance) - (1 - before) / (1 - now) * (1 - a)) < 1e-9
    network = UNet((1, 8, 8), width=16, multipliers=(1, 2), blocks=1)
    model = DDPM(network, schedule, predicts="epsilon", variance="fixed_small", levels=17)
    fit(model, x_0, Training(steps=20))
    found = model.bound(data.load_digits("test").x[:4])
    total = found.prior.value + sum(step.value for step in found.steps) + found.decoder.value
    assert abs(found.bits_per_dim.value - total) < 1e-9
    x = sj.simulate(model.reverse(samplers.DDIM(steps=50)), ensemble=64, seed=0).state()["x"]
    assert x.shape == (64, 1, 8, 8)
    assert float(x.abs().max()) <= 1  # the last step gives the predicted x_0, clamped to the data's range


@pytest.mark.parametrize(
    ("experiment", "settings", "message"),
    [
        (Ddpm, {"data": "faces"}, "data='faces' is not known; choose one of: digits, moons"),
        (Ddpm, {"training": 0}, "training=0 is below 1"),
        (Ddpm, {"samples": 10}, "samples=10 is below 40"),
        (Ddpm, {"diffusion_steps": 20}, r"sampling_steps=50 is not in 1 ... 20, the diffusion_steps"),
        (Ddpm, {"evaluated": 298}, "evaluated=298 is more than the 297 held-out digits"),
        (DdpmGrayScott, {"size": 30}, "size=30 is no multiple of 4"),
        (DdpmGrayScott, {"samples": 1}, "samples=1 is below 4"),
        (DdpmGrayScott, {"width": 7}, "width=7"),
        (DdpmMnist, {"data": "cifar"}, "data='cifar' is not known; choose one of: mnist, fashion-mnist"),
        (DdpmMnist, {"diffusion_steps": 10}, "diffusion_steps=10 is below 50"),
        (DdpmMnist, {"sampling_steps": 0}, "sampling_steps=0 is not in 1 ... diffusion_steps=1000"),
        (DdpmMnist, {"device": "abacus"}, "device='abacus' is not here"),
        (DdpmMnist, {}, "has no train-images-idx3-ubyte"),
    ],
)
def test_bad_settings(experiment, settings, message, tmp_path, monkeypatch):
    monkeypatch.setenv("SOJOURN_DATA", str(tmp_path))
    with pytest.raises(InputError, match=message):
        experiment(**settings)
