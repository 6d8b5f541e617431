"""`sojourn run gray-scott`: spectrum, growth and speed on fields that are known, bad input, and a small run resumed."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import sojourn as sj
from sojourn.experiments.gray_scott import COVERED, GrayScottPattern, Growth
from sojourn.learning.morphology import dominant_wave
from sojourn.runs import Run
from sojourn.trajectory import Trajectory


def frames(u, v, dt=10.0):
    process = sj.GrayScott(shape=u.shape[1:])
    dims = ("ensemble", "time", "y", "x")
    axes = {"time": np.arange(len(u)) * dt, **process.coordinates()}
    return Trajectory(xr.Dataset({"u": (dims, u[None]), "v": (dims, v[None])}, axes)), process


@pytest.mark.parametrize("waves", [(5, 0), (0, 9), (6, 8)])
def test_the_peak_of_the_spectrum_is_the_wave(waves):
    y, x = np.mgrid[:80, :80]
    v = 0.3 + 0.1 * np.cos(2 * np.pi * (waves[0] * x + waves[1] * y) / 80)
    path, process = frames(np.ones((1, 80, 80)), v[None])
    wavelength, sharpness = dominant_wave(path)
    np.testing.assert_allclose(wavelength, process.lengths[0] / np.hypot(*waves), rtol=1e-9)
    np.testing.assert_allclose(sharpness, 1, rtol=1e-9)


def test_a_field_without_waves_has_no_wavelength():
    assert dominant_wave(frames(np.ones((1, 32, 32)), np.zeros((1, 32, 32)))[0]) == (float("inf"), 0.0)


def test_front_speed_of_growing_discs():
    """Two discs of radius 4 + 0.05 t cells, one across the seams: the speed is 0.05 cells a time unit."""
    y, x = np.mgrid[:120, :120]
    u = np.ones((12, 120, 120))
    for k in range(12):
        for cy, cx in ((0, 0), (60, 60)):
            away = np.hypot(*((a - c + 60) % 120 - 60 for a, c in ((y, cy), (x, cx))))
            u[k][away <= 4 + 0.05 * 20 * k] = 0.4
    path, process = frames(u, 1 - u, dt=20.0)
    growth = Growth.of(path)
    assert growth.patches == 2
    np.testing.assert_allclose(growth.speed, 0.05 * process.spacing[0], rtol=0.03)
    np.testing.assert_allclose(growth.covered, (u < COVERED).mean((1, 2)))
    np.testing.assert_allclose(growth.mean, 1 - u.mean((1, 2)))


def test_there_is_no_front_speed_where_nothing_spreads():
    u = np.full((8, 32, 32), 0.5)
    assert Growth.of(frames(u, 1 - u)[0]).speed is None
    assert Growth.of(frames(u + 0.5, 1 - u)[0]).speed is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "zebra"}, "no Gray-Scott pattern is called 'zebra'; there are: gliders, bubbles, maze"),
        ({"steps": 0}, "steps=0 is below 1"),
        ({"save_every": -5}, "save_every=-5 is below 1"),
        ({"shape": (4, 256)}, "shape=(4, 256) is too small"),
        ({"feed_rate": -0.1}, "feed_rate=-0.1"),
        ({"start": "drop"}, "start='drop' is not known"),
        ({"seed": 2**64}, "seed="),
    ],
)
def test_impossible_settings_are_one_line(options, message):
    with pytest.raises(sj.InputError) as error:
        GrayScottPattern(**options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_run_leaves_its_pictures_and_can_be_repeated(tmp_path):
    """The run's numbers follow from its trajectory, and a resumed run has the same."""
    run = Run.create("gray-scott", {}, tmp_path / "run")
    experiment = GrayScottPattern(pattern="spots", shape=(64, 64), steps=6000, save_every=125)
    lines = experiment.run(run)
    assert {p.name for p in run.folder("figures").iterdir()} == {
        "pattern.png",
        "spectrum.png",
        "growth.png",
        "film.mp4",
    }
    last = sj.Trajectory.open(run.path / "trajectory.zarr").state()
    np.testing.assert_allclose(run.record["results"]["mean_v"], float(last["v"].double().mean()), rtol=1e-6)
    assert run.record["results"]["pattern_class"] == "spots"
    assert 10 < run.record["results"]["wavelength"] / experiment.process.spacing[0] < 18
    assert any("wavelength" in line for line in lines)
    before = dict(run.record["results"])
    experiment.run(run)
    assert run.record["results"] == before


def test_bad_input_on_the_command_line_is_one_line(tmp_path):
    command = [sys.executable, "-m", "sojourn", "run", "gray-scott", "--pattern", "zebra"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no Gray-Scott pattern is called 'zebra'" in done.stderr
