"""The data set made anew: the published numbers and starts, the same bits after any interruption, bad input."""

import itertools
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from sojourn import InputError, Noise
from sojourn.experiments import the_well_gray_scott as module
from sojourn.experiments.the_well_gray_scott import FULL, TheWellGrayScott
from sojourn.formats import the_well
from sojourn.processes.gray_scott.gray_scott import GrayScott
from sojourn.runs import Run

TINY = {"share": 0.02, "patterns": ("gliders", "bubbles"), "side": 16, "steps": 40, "seed": 3}  # 3 + 1 + 1 members


def perform(experiment, run):
    with run.active():
        return experiment.run(run)


def contents(folder):
    """Every number of a data set: file -> field -> array; and the text of stats.yaml."""
    found = {"stats.yaml": (folder / "stats.yaml").read_text()}
    for path in sorted((folder / "data").rglob("*.hdf5")):
        dataset = the_well.read(path).dataset
        found[str(path.relative_to(folder))] = {name: dataset[name].values for name in dataset.variables}
    return found


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    for name, fields in one.items():
        if name == "stats.yaml":
            assert fields == other[name]
        else:
            assert all(np.array_equal(array, other[name][field]) for field, array in fields.items())


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    run = Run.create("the-well-gray-scott", TheWellGrayScott(**TINY).settings(), tmp_path_factory.mktemp("run") / "r")
    return run, perform(TheWellGrayScott(**TINY), run)


def test_the_whole_has_the_published_size():
    whole = TheWellGrayScott(share=1.0)
    assert {split: sum(kinds.values()) for split, kinds in whole.members().items()} == FULL
    assert [sum(kinds[k] for kinds in whole.members().values()) for k in ("gaussian", "fourier")] == [100, 100]
    process = whole.process("spots")
    assert (process.feed_rate, process.kill_rate) == (0.03, 0.062)
    assert (process.diffusivity_u, process.diffusivity_v) == (2e-5, 1e-5)
    assert (process.shape, process.lengths, process.dt) == ((128, 128), (2.0, 2.0), 1.0)
    assert (process.scheme, process.dealias, process.boundary) == ("etdrk4", "none", "periodic")


def test_files_hold_the_simulated_trajectories_of_all_splits(tiny):
    run, lines = tiny
    assert sorted(p.name for p in run.path.iterdir()) == [".lock", "data", "figures", "run.json", "stats.yaml"]
    starts = []
    for split, pattern in itertools.product(FULL, TINY["patterns"]):
        (path,) = (run.path / "data" / split).glob(f"*_{pattern}_*")
        made = the_well.read(path)
        process = TheWellGrayScott(**TINY).process(pattern)
        assert made.dataset.sizes == {"ensemble": 3 if split == "train" else 1, "time": 5, "y": 16, "x": 16}
        assert list(made.dataset["time"]) == [0, 10, 20, 30, 40]
        end = process.advance(made.state(0), 0, 40, Noise(0))
        for name, value in made.state(-1).items():
            assert np.allclose(value, end[name], atol=1e-5)
        starts += [(pattern, values) for values in made.dataset["v"].values[:, 0]]
    for (pattern, one), (other, two) in itertools.combinations(starts, 2):
        assert not np.allclose(one, two) or pattern != other
    assert run.record["results"]["gliders"]["trajectory_steps"] == 5 * 40
    assert any("published: 33 hours on 40 cores" in line for line in lines)
    assert (run.path / "figures" / "patterns.png").stat().st_size > 10_000


def test_starts_are_half_gaussian_half_fourier_and_alike_in_all_patterns(tiny):
    run, _ = tiny
    first = {}
    for pattern in TINY["patterns"]:
        (path,) = (run.path / "data" / "train").glob(f"*_{pattern}_*")
        made = the_well.read(path).dataset
        assert made.attrs["starts"] == ["gaussian", "gaussian", "fourier"]
        first[pattern] = made.isel(time=0)
    for name in ("u", "v"):
        gliders, bubbles = (first[pattern][name].values for pattern in TINY["patterns"])
        assert np.array_equal(gliders[:2], bubbles[:2])
        assert (gliders[:2].min(axis=(1, 2)) == 0).all()
        assert (gliders[:2].max(axis=(1, 2)) == 1).all()
        # a Fourier start is a mean plus a scaled smooth field: alike in all patterns but for mean and scale
        assert np.corrcoef(gliders[2].ravel(), bubbles[2].ravel())[0, 1] == pytest.approx(1)
    assert first["gliders"]["v"].values[2].min() < 0
    assert first["bubbles"]["v"].values[2].min() > 0


def test_a_larger_share_has_the_same_trajectories_and_more():
    few, many = TheWellGrayScott(**TINY), TheWellGrayScott(**{**TINY, "share": 0.05})
    (a, b), (kinds, more) = ([e._starts("maze")["v"] for e in (few, many)], [e.members()["train"] for e in (few, many)])
    assert more["fourier"] > kinds["fourier"]
    assert np.allclose(a[: kinds["gaussian"]], b[: kinds["gaussian"]], atol=1e-6)
    assert np.allclose(a[kinds["gaussian"]], b[more["gaussian"]], atol=1e-6)


@pytest.mark.parametrize("calls", [0, 1, 3, 6, 9])
def test_an_interrupted_simulation_goes_on_with_the_same_bits(tiny, tmp_path, monkeypatch, calls):
    experiment = TheWellGrayScott(**TINY)
    run = Run.create("the-well-gray-scott", experiment.settings(), tmp_path / "run")
    advance, count = GrayScott.advance, itertools.count()

    def until(*arguments):
        if next(count) == calls:
            raise KeyboardInterrupt
        return advance(*arguments)

    monkeypatch.setattr(GrayScott, "advance", until)
    with pytest.raises(KeyboardInterrupt):
        perform(experiment, run)
    assert run.status == "interrupted"
    assert list(run.path.glob("*.zarr"))
    perform(TheWellGrayScott.from_settings(Run.open(run.path).record["settings"]), Run.open(run.path))
    assert_same_bits(contents(run.path), contents(tiny[0].path))
    assert not list(run.path.glob("*.zarr"))


@pytest.mark.parametrize("whole", [0, 1, 2, 4])
def test_an_interruption_between_files_loses_nothing(tiny, tmp_path, monkeypatch, whole):
    experiment = TheWellGrayScott(**TINY)
    run = Run.create("the-well-gray-scott", experiment.settings(), tmp_path / "run")
    count, copy = itertools.count(), the_well._copy_frames

    def until(*arguments):
        if next(count) == whole:
            raise KeyboardInterrupt
        copy(*arguments)

    monkeypatch.setattr(the_well, "_copy_frames", until)
    with pytest.raises(KeyboardInterrupt):
        perform(experiment, run)
    monkeypatch.setattr(the_well, "_copy_frames", copy)
    assert len(list(run.path.rglob("*.hdf5"))) == whole
    timed = dict(run.record["results"])
    perform(experiment, Run.open(run.path))
    assert_same_bits(contents(run.path), contents(tiny[0].path))
    assert timed.items() <= Run.open(run.path).record["results"].items()  # what was timed whole is not timed again


def test_bad_settings_are_refused_by_name():
    for settings, message in (
        ({"share": 0}, r"share=0 is not in \(0, 1\]"),
        ({"share": 1.5}, r"share=1.5 is not in \(0, 1\]"),
        ({"patterns": ("mazes",)}, "'mazes' is not among The Well's; choose from: gliders, bubbles, maze"),
        ({"patterns": ()}, "patterns: '' is not a choice of The Well's; choose from"),
        ({"patterns": ("maze", "maze")}, "patterns: 'maze maze' is not a choice .* each once"),
        ({"steps": 0}, "steps=0 is below 1"),
        ({"steps": 105}, "save_every=10 does not divide steps=105"),
        ({"side": 2}, "too small"),
        ({"seed": -1}, "seed=-1"),
    ):
        with pytest.raises(InputError, match=message):
            TheWellGrayScott(**settings)


def test_a_disk_that_cannot_hold_it_is_refused_before_anything_is_simulated(tmp_path, monkeypatch):
    experiment = TheWellGrayScott(share=1.0)
    run = Run.create("the-well-gray-scott", experiment.settings(), tmp_path / "run")
    monkeypatch.setattr(
        module, "shutil", SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=150e9), rmtree=shutil.rmtree)
    )
    with pytest.raises(
        InputError, match=r"share=1 needs 183\.7 GB more in .*run, where 150\.0 GB are free; lower share"
    ):
        perform(experiment, run)
    assert not list(run.path.glob("*.zarr"))
