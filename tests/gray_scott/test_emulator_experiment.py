"""`sojourn run gray-scott-emulator` at a tiny size: its record, and the same bits after an interruption."""

import dataclasses
import functools

import pytest
import torch

import sojourn as sj
from sojourn.experiments import gray_scott_emulator as experiment
from sojourn.experiments.gray_scott_emulator import GrayScottEmulator
from sojourn.learning.emulators import recipe
from sojourn.runs import Run
from sojourn.training import checkpoint
from sojourn.training.loop import Training

TINY = GrayScottEmulator(
    networks=("splitting", "splitting-mlp", "fno"),
    side=16,
    trajectories=1,
    frames=40,
    rollout=31,
    seconds=0.2,
    batch=2,
    width=4,
)


@pytest.fixture
def steady(monkeypatch):
    """Twelve steps for each network, a checkpoint after each; and short work before the first."""

    def prepare(network, windows):
        network.prepare(windows.frames)
        return 0.0

    monkeypatch.setattr(experiment, "prepare", prepare)
    monkeypatch.setattr("sojourn.learning.emulators.shooting._ROUNDS", 2)
    monkeypatch.setattr(recipe, "pace", lambda work: TINY.seconds / 12.5)
    monkeypatch.setattr(recipe, "Training", functools.partial(Training, checkpoint_seconds=0.0))
    monkeypatch.setattr("sojourn.learning.emulators.solvers._VARIANTS", (("ETDRK4", {"dt": 5.0}),))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def perform(run):
    with run.active():
        return TINY.run(run)


def numbers(run):
    """What does not depend on the clock."""
    found = {}
    for name, values in run.record["results"]["evaluation"].items():
        found[name] = {k: v for k, v in values.items() if k != "breakeven"}
    return found


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path, monkeypatch, steady):
    whole = Run.create("gray-scott-emulator", TINY.settings(), tmp_path / "whole")
    lines = perform(whole)
    assert any("CNextU-net" in line for line in lines)
    assert any("never" in line or "steps" in line for line in lines)
    for name in ("learning", "horizons", "frames", "spectra"):
        assert (whole.path / "figures" / f"{name}.png").stat().st_size > 1000

    broken = Run.create("gray-scott-emulator", TINY.settings(), tmp_path / "broken")
    calls = 0

    def trip(predicted, truth):
        nonlocal calls
        calls += 1
        if calls == 17:  # in the fifth step of the second network
            raise KeyboardInterrupt
        return original(predicted, truth)

    original = recipe.vrmse_loss
    with monkeypatch.context() as patch:
        patch.setattr(recipe, "vrmse_loss", trip)
        with pytest.raises(KeyboardInterrupt):
            perform(broken)
    monkeypatch.setattr(recipe, "pace", lambda *_: pytest.fail("the number of steps was recorded"))
    broken = Run.open(broken.path)
    assert broken.status == "interrupted"
    perform(broken)
    for name in TINY.networks:
        last = f"{name}-ready" if name == "splitting" else name  # which is fitted, not trained
        ours, theirs = (checkpoint.load(r.path / "checkpoints" / f"{last}.safetensors")[0] for r in (broken, whole))
        assert all(torch.equal(ours[k], theirs[k]) for k in ours)
        assert broken.metrics(name) == whole.metrics(name)
    assert numbers(broken) == numbers(whole)


def test_starts_are_the_wells_own_at_their_own_scale():
    small = experiment.starts("spots", 16, 2, 5)
    for first, kind in ((0, "gaussian"), (2, "fourier")):
        process = dataclasses.replace(experiment.truth("spots", 128), start=kind)
        whole = process.initial(2, sj.Noise(5).split("initial"))
        assert all(torch.equal(small[name][first : first + 2], whole[name][:, :16, :16]) for name in small)
    other = experiment.starts("maze", 16, 2, 5)
    assert all(torch.equal(small[name], other[name]) for name in small)
    assert experiment.truth("spots", 16).spacing == experiment.truth("spots", 128).spacing


def test_settings_that_cannot_be_used_are_named():
    with pytest.raises(sj.InputError, match=r"networks=\('unet',\) must name some of: splitting, splitting-mlp"):
        GrayScottEmulator(networks=("unet",))
    with pytest.raises(sj.InputError, match="side=12 is not a multiple of 8 from 8 to 128"):
        GrayScottEmulator(side=12)
    with pytest.raises(sj.InputError, match="frames=100 are too few for a rollout of 400 steps"):
        GrayScottEmulator(frames=100)
    assert GrayScottEmulator.from_settings(TINY.settings()) == TINY
